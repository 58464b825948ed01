//! Values and records as JSON.

use super::{Style, write_oj_float, write_ruby_float, write_text, write_text_field};
use crate::event::{Record, Value, msgpack, ruby};

/// Appends a record as a JSON object.
pub fn write_record(record: &Record<'_>, style: Style, out: &mut Vec<u8>) {
    write_fields(record.fields(), style, out);
}

/// Appends any value. Infinity and NaN are written as these words, as Oj does.
pub fn write_value(value: &Value<'_>, style: Style, out: &mut Vec<u8>) {
    match *value {
        Value::Str(text) | Value::Bin(text) => write_text(text, style, out),
        Value::Nil => out.extend_from_slice(b"null"),
        Value::Bool(truth) => out.extend_from_slice(if truth { b"true" } else { b"false" }),
        Value::Int(number) => out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
        Value::UInt(number) => out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
        Value::Big(digits) => out.extend_from_slice(digits.as_bytes()),
        Value::Float(number) => write_float(number, style, out),
        Value::Ext(kind, body) => write_ext(kind, body, out),
        Value::Array(elements) => {
            out.push(b'[');
            for element in elements {
                write_value(element, style, out);
                out.push(b',');
            }
            end(b']', elements.len(), out);
        }
        Value::Map(fields) => write_fields(fields, style, out),
    }
}

fn write_fields(fields: &[(Value<'_>, Value<'_>)], style: Style, out: &mut Vec<u8>) {
    out.push(b'{');
    for field in fields {
        if let (Value::Str(key), Value::Str(text)) = field {
            write_text_field(key, text, style, out);
            continue;
        }
        write_key(&field.0, style, out);
        out.push(b':');
        write_value(&field.1, style, out);
        out.push(b',');
    }
    end(b'}', fields.len(), out);
}

/// Closes a container of so many elements, behind each of which there is a comma.
#[inline]
pub(super) fn end(bracket: u8, count: usize, out: &mut Vec<u8>) {
    match out.last_mut().filter(|_| count > 0) {
        Some(comma) => *comma = bracket,
        None => out.push(bracket),
    }
}

/// A key: what is no text becomes one.
fn write_key(key: &Value<'_>, style: Style, out: &mut Vec<u8>) {
    match key {
        Value::Str(text) | Value::Bin(text) => write_text(text, style, out),
        other => write_odd_key(other, style, out),
    }
}

/// A key that is no text, as Ruby's `to_s`.
#[cold]
pub(super) fn write_odd_key(key: &Value<'_>, style: Style, out: &mut Vec<u8>) {
    let mut text = Vec::new();
    ruby::to_s(key, &mut text);
    write_text(&text, style, out);
}

/// A float in the notation of the style.
pub(super) fn write_float(number: f64, style: Style, out: &mut Vec<u8>) {
    match style {
        Style::Oj => write_oj_float(number, out),
        Style::Yajl => write_ruby_float(number, out),
    }
}

/// An EventTime as its seconds; another extension, which Fluentd cannot read, as the hexadecimal digits of its body.
pub(super) fn write_ext(kind: i8, body: &[u8], out: &mut Vec<u8>) {
    match msgpack::event_time(body) {
        Some(time) if kind == 0 && body.len() == 8 => out.extend_from_slice(itoa::Buffer::new().format(time.sec).as_bytes()),
        _ => {
            out.push(b'"');
            ruby::write_hex(body, out);
            out.push(b'"');
        }
    }
}
