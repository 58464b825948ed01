//! MessagePack as a sender writes it: values that keep the order of their keys, and raw bytes where a test wants an odd encoding.

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// A value to be sent. Integers, strings and containers take their shortest form; use `Raw` for any other.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// nil
    Nil,
    /// true and false
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// An unsigned integer.
    UInt(u64),
    /// float 64
    Float(f64),
    /// str, of any bytes, so that invalid UTF-8 can be sent
    Str(Vec<u8>),
    /// bin
    Bin(Vec<u8>),
    /// array
    Array(Vec<Value>),
    /// map, in this order
    Map(Vec<(Value, Value)>),
    /// ext, with its type
    Ext(i8, Vec<u8>),
    /// Bytes that are already encoded, well or badly.
    Raw(Vec<u8>),
}

impl Value {
    /// Reads JSON text; the order of keys is kept.
    pub fn json(text: &str) -> Value {
        serde_json::from_str(text).unwrap_or_else(|error| panic!("not JSON: {error}: {text}"))
    }

    /// A string.
    pub fn str(text: &str) -> Value {
        Value::Str(text.as_bytes().to_vec())
    }

    /// The forward protocol's EventTime: ext type 0 of seconds and nanoseconds.
    pub fn event_time(seconds: u32, nanoseconds: u32) -> Value {
        let mut body = seconds.to_be_bytes().to_vec();
        body.extend(nanoseconds.to_be_bytes());
        Value::Ext(0, body)
    }

    /// The bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode_to(&mut out);
        out
    }

    fn encode_to(&self, out: &mut Vec<u8>) {
        match self {
            Value::Nil => out.push(0xc0),
            Value::Bool(value) => out.push(if *value { 0xc3 } else { 0xc2 }),
            Value::Int(value) => encode_int(*value, out),
            Value::UInt(value) => encode_uint(*value, out),
            Value::Float(value) => {
                out.push(0xcb);
                out.extend(value.to_be_bytes());
            }
            Value::Str(bytes) => {
                header(bytes.len(), Some((0xa0, 31)), [Some(0xd9), Some(0xda), Some(0xdb)], out);
                out.extend(bytes);
            }
            Value::Bin(bytes) => {
                header(bytes.len(), None, [Some(0xc4), Some(0xc5), Some(0xc6)], out);
                out.extend(bytes);
            }
            Value::Array(items) => {
                header(items.len(), Some((0x90, 15)), [None, Some(0xdc), Some(0xdd)], out);
                items.iter().for_each(|item| item.encode_to(out));
            }
            Value::Map(entries) => {
                header(entries.len(), Some((0x80, 15)), [None, Some(0xde), Some(0xdf)], out);
                entries.iter().for_each(|(key, value)| {
                    key.encode_to(out);
                    value.encode_to(out);
                });
            }
            Value::Ext(kind, bytes) => encode_ext(*kind, bytes, out),
            Value::Raw(bytes) => out.extend(bytes),
        }
    }
}

/// Writes a length: in the first byte up to a limit, else after one of the markers for 8, 16 and 32 bits.
fn header(length: usize, fixed: Option<(u8, usize)>, markers: [Option<u8>; 3], out: &mut Vec<u8>) {
    if let Some((base, limit)) = fixed
        && length <= limit
    {
        out.push(base | length as u8);
        return;
    }
    match markers {
        [Some(marker), ..] if length <= 0xff => out.extend([marker, length as u8]),
        [_, Some(marker), _] if length <= 0xffff => {
            out.push(marker);
            out.extend((length as u16).to_be_bytes());
        }
        _ => {
            out.extend(markers[2]);
            out.extend((length as u32).to_be_bytes());
        }
    }
}

fn encode_uint(value: u64, out: &mut Vec<u8>) {
    match value {
        0..=0x7f => out.push(value as u8),
        0x80..=0xff => out.extend([0xcc, value as u8]),
        0x100..=0xffff => {
            out.push(0xcd);
            out.extend((value as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            out.push(0xce);
            out.extend((value as u32).to_be_bytes());
        }
        _ => {
            out.push(0xcf);
            out.extend(value.to_be_bytes());
        }
    }
}

fn encode_int(value: i64, out: &mut Vec<u8>) {
    match value {
        0.. => encode_uint(value as u64, out),
        -32..=-1 => out.push(value as u8),
        -0x80..=-33 => out.extend([0xd0, value as u8]),
        -0x8000..=-0x81 => {
            out.push(0xd1);
            out.extend((value as i16).to_be_bytes());
        }
        -0x8000_0000..=-0x8001 => {
            out.push(0xd2);
            out.extend((value as i32).to_be_bytes());
        }
        _ => {
            out.push(0xd3);
            out.extend(value.to_be_bytes());
        }
    }
}

fn encode_ext(kind: i8, bytes: &[u8], out: &mut Vec<u8>) {
    match bytes.len() {
        1 => out.push(0xd4),
        2 => out.push(0xd5),
        4 => out.push(0xd6),
        8 => out.push(0xd7),
        16 => out.push(0xd8),
        length => header(length, None, [Some(0xc7), Some(0xc8), Some(0xc9)], out),
    }
    out.push(kind as u8);
    out.extend(bytes);
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Value, D::Error> {
        from.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Nil)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Int(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        Ok(i64::try_from(value).map_or(Value::UInt(value), Value::Int))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::str(value))
    }

    fn visit_bytes<E: de::Error>(self, value: &[u8]) -> Result<Value, E> {
        Ok(Value::Bin(value.to_vec()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = from.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = from.next_entry()? {
            entries.push(entry);
        }
        Ok(Value::Map(entries))
    }
}
