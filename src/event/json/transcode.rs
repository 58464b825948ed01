//! From msgpack to JSON without a record between.
//!
//! The bytes come from a checked batch, whose maps have no repeated keys; they are walked with all bounds all the same.

use super::write::{end, write_ext, write_float, write_odd_key};
use super::{Spelled, Style, write_text, write_text_field};
use crate::event::msgpack::{Head, Invalid, MAX_DEPTH, Reader, read_value};
use bumpalo::Bump;
use std::cell::RefCell;

thread_local! {
    /// The keys of the maps that this thread had before.
    static SPELLED: RefCell<Spelled> = const { RefCell::new(Spelled::new()) };
}

/// Appends the map at the cursor as a JSON object. Where it fails, what was appended means nothing.
#[inline]
pub fn transcode_map(reader: &mut Reader<'_>, style: Style, out: &mut Vec<u8>) -> Result<(), Invalid> {
    let Head::Map(count) = reader.head()? else { return Err(Invalid::Type) };
    let (pairs, length) = (*reader, out.len());
    SPELLED.with_borrow_mut(|spelled| {
        out.push(b'{');
        if spelled.fields(reader, count, style, out)? {
            end(b'}', count, out);
            return Ok(());
        }
        *reader = pairs;
        out.truncate(length);
        map(reader, count, style, out, 1)?;
        spelled.missed(pairs, count);
        Ok(())
    })
}

/// Appends the value at the cursor. Where it fails, what was appended means nothing.
pub fn transcode_value(reader: &mut Reader<'_>, style: Style, out: &mut Vec<u8>) -> Result<(), Invalid> {
    value(reader, style, out, 0)
}

#[inline]
fn map(reader: &mut Reader<'_>, count: usize, style: Style, out: &mut Vec<u8>, depth: usize) -> Result<(), Invalid> {
    out.push(b'{');
    for _ in 0..count {
        field(reader, style, out, depth)?;
    }
    end(b'}', count, out);
    Ok(())
}

/// Appends a pair and a comma.
#[inline]
fn field(reader: &mut Reader<'_>, style: Style, out: &mut Vec<u8>, depth: usize) -> Result<(), Invalid> {
    let start = *reader;
    if let Some(name) = reader.usual_text() {
        if let Some(text) = reader.usual_text() {
            write_text_field(name, text, style, out);
            return Ok(());
        }
        *reader = start;
    }
    key(reader, style, out)?;
    out.push(b':');
    value(reader, style, out, depth)?;
    out.push(b',');
    Ok(())
}

#[inline]
fn key(reader: &mut Reader<'_>, style: Style, out: &mut Vec<u8>) -> Result<(), Invalid> {
    let start = *reader;
    match reader.head()? {
        Head::Str(length) | Head::Bin(length) => {
            write_text(reader.take(length)?, style, out);
            Ok(())
        }
        _ => odd_key(start, reader, style, out),
    }
}

#[cold]
fn odd_key<'a>(start: Reader<'a>, reader: &mut Reader<'a>, style: Style, out: &mut Vec<u8>) -> Result<(), Invalid> {
    *reader = start;
    let bump = Bump::new();
    let key = read_value(&bump, &mut Reader::new(&start.bytes()[start.position()..]))?;
    write_odd_key(&key, style, out);
    reader.skip()
}

/// Appends a value; `depth` is how many arrays and maps it is in.
#[inline]
pub(super) fn value(reader: &mut Reader<'_>, style: Style, out: &mut Vec<u8>, depth: usize) -> Result<(), Invalid> {
    if let Some(number) = reader.small_number() {
        out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
        return Ok(());
    }
    match reader.head()? {
        Head::Str(length) | Head::Bin(length) => write_text(reader.take(length)?, style, out),
        Head::Int(number) => out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
        head => rare_value(reader, head, style, out, depth)?,
    }
    Ok(())
}

fn rare_value(reader: &mut Reader<'_>, head: Head, style: Style, out: &mut Vec<u8>, depth: usize) -> Result<(), Invalid> {
    match head {
        Head::Str(length) | Head::Bin(length) => write_text(reader.take(length)?, style, out),
        Head::Int(number) => out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
        Head::UInt(number) => out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
        Head::Nil => out.extend_from_slice(b"null"),
        Head::Bool(truth) => out.extend_from_slice(if truth { b"true" } else { b"false" }),
        Head::Float(number) => write_float(number, style, out),
        Head::Ext(kind, length) => write_ext(kind, reader.take(length)?, out),
        Head::Array(_) | Head::Map(_) if depth >= MAX_DEPTH => return Err(Invalid::TooDeep),
        Head::Map(count) => map(reader, count, style, out, depth + 1)?,
        Head::Array(count) => {
            out.push(b'[');
            for _ in 0..count {
                value(reader, style, out, depth + 1)?;
                out.push(b',');
            }
            end(b']', count, out);
        }
    }
    Ok(())
}
