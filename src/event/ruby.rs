//! Values as Ruby's `to_s` and `inspect` write them, for the places where Fluentd puts values into text.

use super::{EventTime, Value, json, msgpack};

/// A value as `to_s`: texts as they are, nil as nothing, the others as [`inspect`].
pub fn to_s(value: &Value<'_>, out: &mut Vec<u8>) {
    match *value {
        Value::Nil => {}
        Value::Str(text) | Value::Bin(text) => out.extend_from_slice(text),
        Value::Ext(0, body) if body.len() == 8 => {
            let seconds = msgpack::event_time(body).map_or(0, |time| time.sec);
            out.extend_from_slice(itoa::Buffer::new().format(seconds).as_bytes());
        }
        _ => inspect(value, out),
    }
}

/// A value as `inspect`: `nil`, `"text"`, `[1, 2]`, `{"a"=>1}`.
pub fn inspect(value: &Value<'_>, out: &mut Vec<u8>) {
    match *value {
        Value::Nil => out.extend_from_slice(b"nil"),
        Value::Bool(truth) => out.extend_from_slice(if truth { b"true" } else { b"false" }),
        Value::Int(number) => out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
        Value::UInt(number) => out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
        Value::Big(digits) => out.extend_from_slice(digits.as_bytes()),
        Value::Float(number) => json::write_ruby_float(number, out),
        Value::Str(text) => inspect_text(text, out),
        Value::Bin(bytes) => inspect_bytes(bytes, out),
        Value::Ext(kind, body) => inspect_ext(kind, body, out),
        Value::Array(elements) => {
            out.push(b'[');
            for (at, element) in elements.iter().enumerate() {
                if at > 0 {
                    out.extend_from_slice(b", ");
                }
                inspect(element, out);
            }
            out.push(b']');
        }
        Value::Map(fields) => inspect_fields(fields, out),
    }
}

/// Fields as a Ruby Hash's `inspect`: `{"a"=>1, "b"=>nil}`.
pub fn inspect_fields(fields: &[(Value<'_>, Value<'_>)], out: &mut Vec<u8>) {
    out.push(b'{');
    for (at, (key, value)) in fields.iter().enumerate() {
        if at > 0 {
            out.extend_from_slice(b", ");
        }
        inspect(key, out);
        out.extend_from_slice(b"=>");
        inspect(value, out);
    }
    out.push(b'}');
}

/// Bytes as lower-case hexadecimal digits.
pub fn write_hex(bytes: &[u8], out: &mut Vec<u8>) {
    for byte in bytes {
        out.extend_from_slice(format!("{byte:02x}").as_bytes());
    }
}

fn inspect_ext(kind: i8, body: &[u8], out: &mut Vec<u8>) {
    match msgpack::event_time(body) {
        Some(time) if kind == 0 && body.len() == 8 => inspect_time(time, out),
        _ => write_hex(body, out),
    }
}

fn inspect_time(time: EventTime, out: &mut Vec<u8>) {
    let zoned =
        jiff::Timestamp::new(time.sec, time.nsec.min(999_999_999) as i32).unwrap_or_default().to_zoned(jiff::tz::TimeZone::system());
    out.extend_from_slice(zoned.strftime("%Y-%m-%d %H:%M:%S.%9f %z").to_string().as_bytes());
}

fn inspect_text(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for chunk in text.utf8_chunks() {
        let mut characters = chunk.valid().chars().peekable();
        while let Some(character) = characters.next() {
            inspect_char(character, characters.peek().copied(), out);
        }
        chunk.invalid().iter().for_each(|byte| out.extend_from_slice(format!("\\x{byte:02X}").as_bytes()));
    }
    out.push(b'"');
}

fn inspect_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for (at, byte) in bytes.iter().enumerate() {
        let next = bytes.get(at + 1).map(|next| char::from(*next));
        match byte {
            0x20..=0x7e | 0x07..=0x0d | 0x1b => inspect_char(char::from(*byte), next, out),
            _ => out.extend_from_slice(format!("\\x{byte:02X}").as_bytes()),
        }
    }
    out.push(b'"');
}

fn inspect_char(character: char, next: Option<char>, out: &mut Vec<u8>) {
    let short = match character {
        '"' | '\\' => character,
        '#' if matches!(next, Some('{' | '$' | '@')) => '#',
        '\n' => 'n',
        '\r' => 'r',
        '\t' => 't',
        '\u{c}' => 'f',
        '\u{b}' => 'v',
        '\u{8}' => 'b',
        '\u{7}' => 'a',
        '\u{1b}' => 'e',
        _ if is_printable(character) => {
            return out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        _ if character > '\u{ffff}' => return out.extend_from_slice(format!("\\u{{{:X}}}", character as u32).as_bytes()),
        _ => return out.extend_from_slice(format!("\\u{:04X}", character as u32).as_bytes()),
    };
    out.extend_from_slice(&[b'\\', short as u8]);
}

/// A Ruby without a locale, as Fluentd runs in a container, shows nothing beyond ASCII as it is.
fn is_printable(character: char) -> bool {
    matches!(character, ' '..='~')
}

/// The name of the class that a value has in Ruby.
pub fn class(value: &Value<'_>) -> &'static str {
    match value {
        Value::Nil => "NilClass",
        Value::Bool(true) => "TrueClass",
        Value::Bool(false) => "FalseClass",
        Value::Int(_) | Value::UInt(_) | Value::Big(_) => "Integer",
        Value::Float(_) => "Float",
        Value::Str(_) | Value::Bin(_) => "String",
        Value::Ext(..) => "Fluent::EventTime",
        Value::Array(_) => "Array",
        Value::Map(_) => "Hash",
    }
}

/// A whole number as Ruby's `Integer()` takes it: `12`, `-1_000`, `0x1f`, `0b1`, `017`; `None` for what it refuses or what is beyond 64 bits.
pub fn integer(text: &str) -> Option<i64> {
    let text = text.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\u{b}');
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', b'd', ..] => (10, &lower[2..]),
        [b'0', _, ..] => (8, lower[1..].strip_prefix('_').unwrap_or(&lower[1..])),
        _ => (10, &lower[..]),
    };
    if digits.is_empty() || digits.starts_with(['_', '+', '-']) || digits.ends_with('_') || digits.contains("__") {
        return None;
    }
    let sign = if negative { "-" } else { "" };
    i64::from_str_radix(&format!("{sign}{}", digits.replace('_', "")), radix).ok()
}

/// The whole number that a text begins with, as `String#to_i`: spaces, a sign, digits with single underscores; 0 where there is none.
pub fn leading_integer(text: &[u8]) -> i64 {
    let text = text.trim_ascii_start();
    let (negative, digits) = match text.first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let mut number = 0i64;
    for (at, byte) in digits.iter().enumerate() {
        match byte {
            b'0'..=b'9' => number = number.saturating_mul(10).saturating_add(i64::from(byte - b'0')),
            b'_' if at > 0 && digits.get(at + 1).is_some_and(u8::is_ascii_digit) && digits[at - 1] != b'_' => {}
            _ => break,
        }
    }
    if negative { -number } else { number }
}

/// A value as `to_i`; what is beyond 64 bits stays at their end.
pub fn to_i(value: &Value<'_>) -> i64 {
    match *value {
        Value::Int(number) => number,
        Value::UInt(_) => i64::MAX,
        Value::Float(number) => number as i64,
        Value::Big(digits) => leading_integer(digits.as_bytes()),
        Value::Str(text) | Value::Bin(text) => leading_integer(text),
        _ => 0,
    }
}

/// Whether Ruby's `Float()` takes the value.
pub fn is_float(value: &Value<'_>) -> bool {
    match *value {
        Value::Int(_) | Value::UInt(_) | Value::Big(_) | Value::Float(_) => true,
        Value::Str(text) | Value::Bin(text) => std::str::from_utf8(text).is_ok_and(|text| float(text).is_some() || integer(text).is_some()),
        _ => false,
    }
}

/// A decimal number as `Float()` takes it; `None` for what it refuses.
pub fn float(text: &str) -> Option<f64> {
    let text = text.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\u{b}');
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    for (at, byte) in bytes.iter().enumerate() {
        let fine = match byte {
            b'0'..=b'9' => true,
            b'_' => at > 0 && digit(at - 1) && digit(at + 1),
            b'.' => digit(at + 1),
            b'e' | b'E' => at > 0 && digit(at - 1),
            b'+' | b'-' => at == 0 || matches!(bytes[at - 1], b'e' | b'E'),
            _ => false,
        };
        if !fine {
            return None;
        }
    }
    text.replace('_', "").parse().ok()
}

/// The number that a text begins with, as `String#to_f`; 0 where there is none.
pub fn leading_float(text: &[u8]) -> f64 {
    let text = text.trim_ascii_start();
    let mut kept = String::new();
    let digit = |at: usize| text.get(at).is_some_and(u8::is_ascii_digit);
    let (mut point, mut exponent) = (false, false);
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'0'..=b'9' => {}
            b'+' | b'-' if at == 0 || matches!(text[at - 1], b'e' | b'E') => {}
            b'_' if at > 0 && digit(at - 1) && digit(at + 1) => continue,
            b'.' if !point && !exponent && digit(at + 1) => point = true,
            b'e' | b'E' if !exponent && at > 0 && digit(at - 1) && (digit(at + 1) || digit(at + 2)) => exponent = true,
            _ => break,
        }
        kept.push(char::from(*byte));
    }
    kept.trim_end_matches(['+', '-', 'e', 'E']).parse().unwrap_or(0.0)
}

/// The whole number that a text begins with, of any size.
pub fn leading_integer_value<'a>(text: &[u8], bump: &'a bumpalo::Bump) -> Value<'a> {
    // Nearly always there is nothing but a few digits.
    if text.len() <= 18
        && let Some(number) = text.iter().try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0')))
    {
        return Value::Int(number);
    }
    let number = leading_integer(text);
    if number.unsigned_abs() < i64::MAX as u64 {
        return Value::Int(number);
    }
    let text = text.trim_ascii_start();
    let mut digits = bumpalo::collections::String::new_in(bump);
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'-' if at == 0 => digits.push('-'),
            b'+' if at == 0 => {}
            b'0' if matches!(digits.as_str(), "" | "-") => {}
            b'0'..=b'9' => digits.push(char::from(*byte)),
            b'_' if text.get(at + 1).is_some_and(u8::is_ascii_digit) => {}
            _ => break,
        }
    }
    let digits = digits.into_bump_str();
    match (digits.parse::<i64>(), digits.parse::<u64>()) {
        (Ok(number), _) => Value::Int(number),
        (_, Ok(number)) => Value::UInt(number),
        _ => Value::Big(digits),
    }
}

/// Text with a question mark in place of each part that is no UTF-8, as `scrub('?')`.
pub fn scrub(text: &[u8]) -> Vec<u8> {
    let mut clean = Vec::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        clean.extend_from_slice(chunk.valid().as_bytes());
        if !chunk.invalid().is_empty() {
            clean.push(b'?');
        }
    }
    clean
}
