//! The value of a record's field: msgpack's value model, borrowed from received bytes or an arena.

use bumpalo::Bump;

/// One value. Copying is cheap: whatever is long is borrowed. The kind is a word of its own, so that values are copied by words: a processor
/// waits where bytes that were written one by one are read together.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(u64)]
pub enum Value<'a> {
    /// nil / null.
    Nil,
    /// true or false.
    Bool(bool),
    /// Any integer that fits in 64 signed bits.
    Int(i64),
    /// Only integers above `i64::MAX`; smaller ones are `Int`, so that equal numbers are equal values.
    UInt(u64),
    /// An integer beyond 64 bits, as its decimal digits with an optional minus (JSON and Ruby have them, msgpack has not).
    Big(&'a str),
    /// A double.
    Float(f64),
    /// Text: nearly always UTF-8, but a sender may have lied, and nothing is lost by keeping the bytes.
    Str(&'a [u8]),
    /// msgpack's bin: bytes that the sender called no text.
    Bin(&'a [u8]),
    /// A msgpack extension: type and body. Type 0 with 8 bytes is an EventTime.
    Ext(i8, &'a [u8]),
    /// An array.
    Array(&'a [Value<'a>]),
    /// A map in order of insertion; keys are nearly always `Str`.
    Map(&'a [(Value<'a>, Value<'a>)]),
}

impl<'a> Value<'a> {
    /// The same with all it refers to in another arena.
    pub fn copied_into<'b>(&self, bump: &'b Bump) -> Value<'b> {
        match *self {
            Value::Nil => Value::Nil,
            Value::Bool(truth) => Value::Bool(truth),
            Value::Int(number) => Value::Int(number),
            Value::UInt(number) => Value::UInt(number),
            Value::Float(number) => Value::Float(number),
            Value::Big(digits) => Value::Big(bump.alloc_str(digits)),
            Value::Str(text) => Value::Str(bump.alloc_slice_copy(text)),
            Value::Bin(bytes) => Value::Bin(bump.alloc_slice_copy(bytes)),
            Value::Ext(kind, body) => Value::Ext(kind, bump.alloc_slice_copy(body)),
            Value::Array(values) => Value::Array(bump.alloc_slice_fill_iter(values.iter().map(|value| value.copied_into(bump)))),
            Value::Map(fields) => {
                Value::Map(bump.alloc_slice_fill_iter(fields.iter().map(|(key, value)| (key.copied_into(bump), value.copied_into(bump)))))
            }
        }
    }

    /// A text value.
    pub fn text(text: &'a str) -> Value<'a> {
        Value::Str(text.as_bytes())
    }

    /// The bytes of a text or bin value.
    pub fn as_bytes(&self) -> Option<&'a [u8]> {
        match self {
            Value::Str(bytes) | Value::Bin(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// An unsigned integer in its one canonical variant.
    pub fn from_u64(number: u64) -> Value<'a> {
        i64::try_from(number).map_or(Value::UInt(number), Value::Int)
    }

    /// The field of a map by a text key; `None` where there is none or this is no map.
    pub fn get(&self, key: &[u8]) -> Option<&'a Value<'a>> {
        match self {
            Value::Map(fields) => fields.iter().find(|(k, _)| k.as_bytes() == Some(key)).map(|(_, value)| value),
            _ => None,
        }
    }
}
