//! Numbers of JSON text: integers of any size stay integers.

use super::read::{Engine, Stop, TextReader};
use crate::event::Value;

/// The most digits that always fit into 64 signed bits.
const SAFE_DIGITS: usize = 18;

/// Reads the number at the cursor, which stands on a digit or a minus.
pub(super) fn read<'a>(reader: &mut TextReader<'a>) -> Result<Value<'a>, Stop<'a>> {
    let start = reader.at;
    let negative = reader.peek() == Some(b'-');
    reader.at += usize::from(negative);
    let first_digit = reader.at;
    let mut number = 0i64;
    while let Some(digit @ b'0'..=b'9') = reader.peek() {
        number = number.wrapping_mul(10).wrapping_add(i64::from(digit - b'0'));
        reader.at += 1;
    }
    let digits = reader.at - first_digit;
    match reader.peek() {
        _ if digits == 0 => return no_digits(reader),
        _ if has_leading_zero(reader.engine, &reader.text[first_digit..reader.at]) => return Err(Stop::Syntax),
        Some(b'.' | b'e' | b'E') => return float(reader, start),
        _ => {}
    }
    if digits <= SAFE_DIGITS {
        return Ok(Value::Int(if negative { -number } else { number }));
    }
    Ok(large(reader.text[start..reader.at].utf8_chunks().next().map_or("", |chunk| chunk.valid())))
}

fn has_leading_zero(engine: Engine, digits: &[u8]) -> bool {
    // Oj takes any number of zeros for one.
    digits.len() > 1 && digits[0] == b'0' && !(engine == Engine::Oj && digits.iter().all(|digit| *digit == b'0'))
}

/// A minus without digits.
#[cold]
fn no_digits<'a>(reader: &mut TextReader<'a>) -> Result<Value<'a>, Stop<'a>> {
    match (reader.engine, reader.peek()) {
        (Engine::Oj | Engine::Json, Some(b'I' | b'N' | b'n')) => reader.number_word(-1.0),
        (Engine::Oj, Some(b'.' | b'e' | b'E')) => Err(Stop::Syntax),
        (Engine::Oj, _) => Ok(Value::Int(0)),
        (_, None) => Err(Stop::End),
        _ => Err(Stop::Syntax),
    }
}

fn large(text: &str) -> Value<'_> {
    if let Ok(number) = text.parse::<i64>() {
        return Value::Int(number);
    }
    match text.parse::<u64>() {
        Ok(number) => Value::UInt(number),
        Err(_) => Value::Big(text),
    }
}

/// Goes on behind the digits before a point or exponent.
fn float<'a>(reader: &mut TextReader<'a>, start: usize) -> Result<Value<'a>, Stop<'a>> {
    if reader.peek() == Some(b'.') {
        reader.at += 1;
        digits(reader)?;
    }
    if let Some(b'e' | b'E') = reader.peek() {
        reader.at += 1;
        if let Some(b'+' | b'-') = reader.peek() {
            reader.at += 1;
        }
        digits(reader)?;
    }
    let text = std::str::from_utf8(&reader.text[start..reader.at]).map_err(|_| Stop::Syntax)?;
    text.parse().map(Value::Float).map_err(|_| Stop::Syntax)
}

fn digits<'a>(reader: &mut TextReader<'a>) -> Result<(), Stop<'a>> {
    let start = reader.at;
    while let Some(b'0'..=b'9') = reader.peek() {
        reader.at += 1;
    }
    match reader.peek() {
        _ if reader.at > start => Ok(()),
        None => Err(Stop::End),
        Some(_) => Err(Stop::Syntax),
    }
}
