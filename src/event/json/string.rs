//! Texts of JSON: borrowed where they hold no escape, otherwise put together in the arena.

use super::read::{Engine, Stop, TextReader};
use super::scan::plain_length;
use bumpalo::collections::Vec as BumpVec;

/// Reads the text at the cursor, which stands on the opening quote.
#[inline]
pub(super) fn read<'a>(reader: &mut TextReader<'a>) -> Result<&'a [u8], Stop<'a>> {
    reader.at += 1;
    let start = reader.at;
    let end = start + plain_length(&reader.text[start..]);
    let text = match reader.text.get(end) {
        Some(b'"') => {
            reader.at = end + 1;
            &reader.text[start..end]
        }
        _ => read_escaped(reader, start, end)?,
    };
    if reader.engine == Engine::Yajl { checked(reader, text, start) } else { Ok(text) }
}

/// Yajl refuses what is no UTF-8 in the text as it stands; what escapes make of it is not looked at.
fn checked<'a>(reader: &TextReader<'a>, text: &'a [u8], start: usize) -> Result<&'a [u8], Stop<'a>> {
    match simdutf8::basic::from_utf8(&reader.text[start..reader.at]) {
        Ok(_) => Ok(text),
        Err(_) => Err(Stop::Syntax),
    }
}

/// The text at the cursor, which stands on the opening quote, where it is a plain one; else `None`, and the cursor stays.
#[inline]
pub(super) fn plain<'a>(reader: &mut TextReader<'a>) -> Option<&'a [u8]> {
    let start = reader.at + 1;
    if reader.engine == Engine::Yajl || reader.peek() != Some(b'"') {
        return None;
    }
    let rest = &reader.text[start..];
    let length = plain_length(rest);
    if rest.get(length) != Some(&b'"') {
        return None;
    }
    reader.at = start + length + 1;
    Some(&rest[..length])
}

/// Goes on from `end`, where something other than the closing quote stands.
fn read_escaped<'a>(reader: &mut TextReader<'a>, start: usize, end: usize) -> Result<&'a [u8], Stop<'a>> {
    let mut text = BumpVec::with_capacity_in((end - start) * 2 + 32, reader.bump);
    text.extend_from_slice(&reader.text[start..end]);
    reader.at = end;
    loop {
        let byte = reader.peek().ok_or(Stop::End)?;
        match (byte, reader.engine) {
            (b'"', _) => {
                reader.at += 1;
                return Ok(text.into_bump_slice());
            }
            (b'\\', _) => escape(reader, &mut text)?,
            (0, _) | (_, Engine::Yajl | Engine::Json) => return Err(Stop::Syntax),
            (control, Engine::Oj) => {
                text.push(control);
                reader.at += 1;
            }
        }
        let plain = plain_length(&reader.text[reader.at..]);
        text.extend_from_slice(&reader.text[reader.at..reader.at + plain]);
        reader.at += plain;
    }
}

fn escape<'a>(reader: &mut TextReader<'a>, text: &mut BumpVec<'a, u8>) -> Result<(), Stop<'a>> {
    let letter = *reader.text.get(reader.at + 1).ok_or(Stop::End)?;
    reader.at += 2;
    let byte = match letter {
        b'"' | b'\\' | b'/' => letter,
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'u' => return unicode(reader, text),
        _ if reader.engine == Engine::Yajl => return Err(Stop::Syntax),
        0..0x20 if reader.engine == Engine::Json => return Err(Stop::Syntax),
        // Another character stands for itself.
        other => other,
    };
    text.push(byte);
    Ok(())
}

/// The four hexadecimal digits behind `\u`, and those of a second half where this is the first of a pair.
fn unicode<'a>(reader: &mut TextReader<'a>, text: &mut BumpVec<'a, u8>) -> Result<(), Stop<'a>> {
    let first = hex4(reader)?;
    let code = match first {
        0xd800..0xdc00 => match second_half(reader)? {
            // All three libraries take any second half.
            Some(second) => 0x1_0000 + ((first & 0x3ff) << 10) + (second & 0x3ff),
            None => u32::from(b'?'),
        },
        0xdc00..0xe000 if reader.engine == Engine::Oj => return Err(Stop::Syntax),
        0xdc00..0xe000 => {
            text.extend_from_slice(&[0xed, 0x80 | (first >> 6 & 0x3f) as u8, 0x80 | (first & 0x3f) as u8]);
            return Ok(());
        }
        other => other,
    };
    let character = char::from_u32(code).ok_or(Stop::Syntax)?;
    text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    Ok(())
}

/// What follows a first half; `None` where the engine puts a question mark in its place.
fn second_half<'a>(reader: &mut TextReader<'a>) -> Result<Option<u32>, Stop<'a>> {
    let rest = &reader.text[reader.at..];
    if rest.starts_with(b"\\u") {
        reader.at += 2;
        return hex4(reader).map(Some);
    }
    match reader.engine {
        Engine::Oj => Err(Stop::Syntax),
        Engine::Yajl => Ok(None),
        Engine::Json => {
            // Ruby's own reader wants six bytes more in the text, and swallows one of them.
            let left = memchr::memchr(b'"', rest).unwrap_or(rest.len());
            if left < 6 {
                return Err(Stop::Syntax);
            }
            reader.at += 1;
            Ok(None)
        }
    }
}

fn hex4<'a>(reader: &mut TextReader<'a>) -> Result<u32, Stop<'a>> {
    let rest = &reader.text[reader.at..];
    let Some(digits) = rest.first_chunk::<4>() else {
        return Err(if rest.iter().all(u8::is_ascii_hexdigit) { Stop::End } else { Stop::Syntax });
    };
    let mut code = 0;
    for digit in digits {
        code = code << 4 | char::from(*digit).to_digit(16).ok_or(Stop::Syntax)?;
    }
    reader.at += 4;
    Ok(code)
}
