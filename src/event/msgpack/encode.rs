//! Encoding: each value in its shortest form, as Ruby's packer writes it.

use crate::event::bytes::copy;
use crate::event::{EventTime, Record, Value};

/// nil.
pub fn write_nil(out: &mut Vec<u8>) {
    out.push(0xc0);
}

/// true or false.
pub fn write_bool(truth: bool, out: &mut Vec<u8>) {
    out.push(if truth { 0xc3 } else { 0xc2 });
}

/// An integer in its shortest form.
pub fn write_int(number: i64, out: &mut Vec<u8>) {
    match number {
        0.. => write_uint(number as u64, out),
        -32..0 => out.push(number as i8 as u8),
        -0x80..-32 => out.extend_from_slice(&[0xd0, number as i8 as u8]),
        -0x8000..-0x80 => tagged(0xd1, (number as i16).to_be_bytes(), out),
        -0x8000_0000..-0x8000 => tagged(0xd2, (number as i32).to_be_bytes(), out),
        _ => tagged(0xd3, number.to_be_bytes(), out),
    }
}

/// An unsigned integer in its shortest form.
pub fn write_uint(number: u64, out: &mut Vec<u8>) {
    match number {
        0..=0x7f => out.push(number as u8),
        0x80..=0xff => out.extend_from_slice(&[0xcc, number as u8]),
        0x100..=0xffff => tagged(0xcd, (number as u16).to_be_bytes(), out),
        0x1_0000..=0xffff_ffff => tagged(0xce, (number as u32).to_be_bytes(), out),
        _ => tagged(0xcf, number.to_be_bytes(), out),
    }
}

/// A double.
pub fn write_float(number: f64, out: &mut Vec<u8>) {
    tagged(0xcb, number.to_be_bytes(), out);
}

/// Text.
#[inline]
pub fn write_str(text: &[u8], out: &mut Vec<u8>) {
    let length = text.len();
    if length > 0xff {
        return write_long_str(text, out);
    }
    out.reserve(length + 2);
    // SAFETY: there is room for a head of two bytes and the text; all that is counted is written.
    unsafe {
        let to = out.as_mut_ptr().add(out.len());
        let written = put_str(text, to);
        out.set_len(out.len() + written);
    }
}

/// Writes a text of up to 255 bytes; gives how many bytes that takes.
///
/// # Safety
/// There is room for two bytes more than the text.
#[inline(always)]
unsafe fn put_str(text: &[u8], to: *mut u8) -> usize {
    // SAFETY: the caller's promise.
    unsafe {
        let head = if text.len() <= 0x1f {
            to.write(0xa0 | text.len() as u8);
            1
        } else {
            to.cast::<[u8; 2]>().write([0xd9, text.len() as u8]);
            2
        };
        copy(text, to.add(head));
        head + text.len()
    }
}

fn write_long_str(text: &[u8], out: &mut Vec<u8>) {
    out.reserve(text.len() + 5);
    match text.len() {
        length @ 0..=0xffff => tagged(0xda, (length as u16).to_be_bytes(), out),
        length => tagged(0xdb, (length as u32).to_be_bytes(), out),
    }
    out.extend_from_slice(text);
}

/// Bytes that are no text.
pub fn write_bin(bytes: &[u8], out: &mut Vec<u8>) {
    match bytes.len() {
        length @ 0..=0xff => out.extend_from_slice(&[0xc4, length as u8]),
        length @ 0x100..=0xffff => tagged(0xc5, (length as u16).to_be_bytes(), out),
        length => tagged(0xc6, (length as u32).to_be_bytes(), out),
    }
    out.extend_from_slice(bytes);
}

/// The head of an array of `count` values, which have to follow.
pub fn write_array_head(count: usize, out: &mut Vec<u8>) {
    match count {
        0..=0x0f => out.push(0x90 | count as u8),
        0x10..=0xffff => tagged(0xdc, (count as u16).to_be_bytes(), out),
        _ => tagged(0xdd, (count as u32).to_be_bytes(), out),
    }
}

/// The head of a map of `count` pairs, which have to follow.
pub fn write_map_head(count: usize, out: &mut Vec<u8>) {
    match count {
        0..=0x0f => out.push(0x80 | count as u8),
        0x10..=0xffff => tagged(0xde, (count as u16).to_be_bytes(), out),
        _ => tagged(0xdf, (count as u32).to_be_bytes(), out),
    }
}

/// An event's time: an EventTime, or whole seconds where those do not fit into one (before 1970, after 2106).
pub fn write_time(time: EventTime, out: &mut Vec<u8>) {
    let Ok(sec) = u32::try_from(time.sec) else { return write_int(time.sec, out) };
    out.extend_from_slice(&[0xd7, 0x00]);
    out.extend_from_slice(&sec.to_be_bytes());
    out.extend_from_slice(&time.nsec.to_be_bytes());
}

/// A `[time, record]` entry; whether it holds what was given, which has a time before 1970 only as seconds, and integers beyond 64 bits only as
/// text.
pub fn write_entry(time: EventTime, record: &Record<'_>, out: &mut Vec<u8>) -> bool {
    let has_time = match u32::try_from(time.sec) {
        Ok(sec) => {
            let mut head = [0x92, 0xd7, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            head[3..7].copy_from_slice(&sec.to_be_bytes());
            head[7..].copy_from_slice(&time.nsec.to_be_bytes());
            out.extend_from_slice(&head);
            true
        }
        Err(_) => {
            write_array_head(2, out);
            write_time(time, out);
            false
        }
    };
    write_record(record, out) && has_time
}

/// A record, as a map; whether all values are what they were.
pub fn write_record(record: &Record<'_>, out: &mut Vec<u8>) -> bool {
    write_fields(record.fields(), out)
}

/// Any value; whether it is what it was. Texts are nearly all there is, and so worth a way of their own.
#[inline]
pub fn write_value(value: &Value<'_>, out: &mut Vec<u8>) -> bool {
    match value {
        Value::Str(text) => {
            write_str(text, out);
            true
        }
        other => write_rare_value(other, out),
    }
}

/// Integers beyond 64 bits become text, as msgpack has none.
fn write_rare_value(value: &Value<'_>, out: &mut Vec<u8>) -> bool {
    match *value {
        Value::Nil => write_nil(out),
        Value::Bool(truth) => write_bool(truth, out),
        Value::Int(number) => write_int(number, out),
        Value::UInt(number) => write_uint(number, out),
        Value::Big(digits) => {
            write_str(digits.as_bytes(), out);
            return false;
        }
        Value::Float(number) => write_float(number, out),
        Value::Str(text) => write_str(text, out),
        Value::Bin(bytes) => write_bin(bytes, out),
        Value::Ext(kind, body) => write_ext(kind, body, out),
        Value::Array(elements) => {
            write_array_head(elements.len(), out);
            return elements.iter().fold(true, |is_exact, element| write_value(element, out) & is_exact);
        }
        Value::Map(fields) => return write_fields(fields, out),
    }
    true
}

fn write_fields(fields: &[(Value<'_>, Value<'_>)], out: &mut Vec<u8>) -> bool {
    write_map_head(fields.len(), out);
    let (mut rest, mut is_exact) = (fields, true);
    loop {
        rest = &rest[write_texts(rest, out)..];
        let [(key, value), more @ ..] = rest else { return is_exact };
        is_exact &= write_value(key, out) & write_value(value, out);
        rest = more;
    }
}

/// Writes the pairs of short texts at the start, as far as there is room, which is asked for once; gives how many they are. Pairs are nearly
/// all of that kind, and where each ends does not pass through memory.
#[inline]
fn write_texts(fields: &[(Value<'_>, Value<'_>)], out: &mut Vec<u8>) -> usize {
    /// Of two texts.
    const HEADS: usize = 4;
    let (mut count, mut written) = (0, 0);
    let (to, room) = (out.spare_capacity_mut().as_mut_ptr().cast::<u8>(), out.capacity() - out.len());
    for (key, value) in fields {
        let (Value::Str(key), Value::Str(value)) = (key, value) else { break };
        if key.len() > 0xff || value.len() > 0xff || room - written < key.len() + value.len() + HEADS {
            break;
        }
        // SAFETY: there is room for both texts with their heads.
        unsafe {
            written += put_str(key, to.add(written));
            written += put_str(value, to.add(written));
        }
        count += 1;
    }
    // SAFETY: so many bytes are written.
    unsafe { out.set_len(out.len() + written) };
    count
}

fn write_ext(kind: i8, body: &[u8], out: &mut Vec<u8>) {
    match body.len() {
        1 => out.push(0xd4),
        2 => out.push(0xd5),
        4 => out.push(0xd6),
        8 => out.push(0xd7),
        16 => out.push(0xd8),
        length @ 0..=0xff => out.extend_from_slice(&[0xc7, length as u8]),
        length @ 0x100..=0xffff => tagged(0xc8, (length as u16).to_be_bytes(), out),
        length => tagged(0xc9, (length as u32).to_be_bytes(), out),
    }
    out.push(kind as u8);
    out.extend_from_slice(body);
}

fn tagged<const N: usize>(marker: u8, bytes: [u8; N], out: &mut Vec<u8>) {
    out.push(marker);
    out.extend_from_slice(&bytes);
}
