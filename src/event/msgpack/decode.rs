//! Decoding into values and records that borrow the input; only the lists of arrays and maps are in the arena.

use super::{Head, Invalid, Known, Layouts, MAX_DEPTH, Reader};
use crate::event::fields::keep_last;
use crate::event::keys::{EMPTY_SLOTS, Keys, wants_table};
use crate::event::{Record, Value};
use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;

/// Room that is taken at once for the elements of an array or map: more only as elements really come.
const ROOM_AT_ONCE: usize = 1024;

/// Decodes the one value that these bytes hold.
pub fn decode_value<'a>(bump: &'a Bump, bytes: &'a [u8]) -> Result<Value<'a>, Invalid> {
    let mut reader = Reader::new(bytes);
    let value = read_value(bump, &mut reader)?;
    if reader.is_at_end() { Ok(value) } else { Err(Invalid::TooLarge) }
}

/// Decodes the one map that these bytes hold.
pub fn decode_record<'a>(bump: &'a Bump, bytes: &'a [u8]) -> Result<Record<'a>, Invalid> {
    let mut reader = Reader::new(bytes);
    let record = read_record(bump, &mut reader)?;
    if reader.is_at_end() { Ok(record) } else { Err(Invalid::TooLarge) }
}

/// Decodes the value at the cursor.
pub fn read_value<'a>(bump: &'a Bump, reader: &mut Reader<'a>) -> Result<Value<'a>, Invalid> {
    value(bump, reader, 0)
}

/// Decodes the map at the cursor; of a repeated key the last value counts, at the place of the first.
pub fn read_record<'a>(bump: &'a Bump, reader: &mut Reader<'a>) -> Result<Record<'a>, Invalid> {
    let count = reader.map()?;
    Ok(Record::from_vec(fields(bump, reader, count, 1)?))
}

/// As [`read_record`], of a map whose keys are known to differ: one in canonical form. `layouts` is what the records before had.
pub fn read_canonical_record<'a>(bump: &'a Bump, reader: &mut Reader<'a>, layouts: &mut Layouts) -> Result<Record<'a>, Invalid> {
    let count = reader.map()?;
    let (start, layout) = (*reader, layouts.of(count));
    let mut fields = BumpVec::with_capacity_in(count.min(ROOM_AT_ONCE), bump);
    if let Some(keys) = layout.keys(count) {
        if expected_fields(bump, reader, keys, &mut fields)? {
            layout.met();
            return Ok(Record::from_vec(fields));
        }
        *reader = start;
        fields.clear();
    }
    for _ in 0..count {
        let key = match reader.usual_text() {
            Some(key) => Value::Str(key),
            None => rare_key(bump, reader)?,
        };
        match reader.usual_text() {
            Some(text) => fields.push((key, Value::Str(text))),
            None => push_rare(bump, reader, key, &mut fields)?,
        }
    }
    layout.missed(start, count);
    Ok(Record::from_vec(fields))
}

/// Reads pairs with these keys; `false` at the first other one.
#[inline]
fn expected_fields<'a>(
    bump: &'a Bump,
    reader: &mut Reader<'a>,
    keys: &[Known],
    fields: &mut BumpVec<'a, (Value<'a>, Value<'a>)>,
) -> Result<bool, Invalid> {
    for key in keys {
        let Some(key) = reader.known_key(key) else { return Ok(false) };
        match reader.usual_text() {
            Some(text) => fields.push((Value::Str(key), Value::Str(text))),
            None => push_rare(bump, reader, Value::Str(key), fields)?,
        }
    }
    Ok(true)
}

/// Reads the value of a pair. Apart, so that what is usual is written where it stays and nowhere before.
#[inline(never)]
fn push_rare<'a>(
    bump: &'a Bump,
    reader: &mut Reader<'a>,
    key: Value<'a>,
    fields: &mut BumpVec<'a, (Value<'a>, Value<'a>)>,
) -> Result<(), Invalid> {
    fields.push((key, value(bump, reader, 1)?));
    Ok(())
}

#[cold]
fn rare_key<'a>(bump: &'a Bump, reader: &mut Reader<'a>) -> Result<Value<'a>, Invalid> {
    Ok(match value(bump, reader, 1)? {
        Value::Bin(text) => Value::Str(text),
        other => other,
    })
}

fn value<'a>(bump: &'a Bump, reader: &mut Reader<'a>, depth: usize) -> Result<Value<'a>, Invalid> {
    Ok(match reader.head()? {
        Head::Str(length) => Value::Str(reader.take(length)?),
        Head::Int(number) => Value::Int(number),
        Head::UInt(number) => Value::from_u64(number),
        Head::Nil => Value::Nil,
        Head::Bool(truth) => Value::Bool(truth),
        Head::Float(number) => Value::Float(number),
        Head::Bin(length) => Value::Bin(reader.take(length)?),
        Head::Ext(kind, length) => Value::Ext(kind, reader.take(length)?),
        Head::Array(_) | Head::Map(_) if depth >= MAX_DEPTH => return Err(Invalid::TooDeep),
        Head::Array(count) => Value::Array(elements(bump, reader, count, depth + 1)?.into_bump_slice()),
        Head::Map(count) => Value::Map(fields(bump, reader, count, depth + 1)?.into_bump_slice()),
    })
}

fn elements<'a>(bump: &'a Bump, reader: &mut Reader<'a>, count: usize, depth: usize) -> Result<BumpVec<'a, Value<'a>>, Invalid> {
    let mut elements = BumpVec::with_capacity_in(count.min(ROOM_AT_ONCE), bump);
    for _ in 0..count {
        elements.push(value(bump, reader, depth)?);
    }
    Ok(elements)
}

fn fields<'a>(bump: &'a Bump, reader: &mut Reader<'a>, count: usize, depth: usize) -> Result<BumpVec<'a, (Value<'a>, Value<'a>)>, Invalid> {
    let mut fields = BumpVec::with_capacity_in(count.min(ROOM_AT_ONCE), bump);
    let mut keys = Keys::for_map(count, wants_table(count).then(|| bump.alloc(EMPTY_SLOTS)));
    let mut repeated = false;
    for _ in 0..count {
        let key = match value(bump, reader, depth)? {
            // Ruby takes a bin for the same key as the text of the same bytes.
            Value::Str(text) | Value::Bin(text) => {
                repeated |= keys.add(text);
                Value::Str(text)
            }
            other => {
                repeated = true;
                other
            }
        };
        fields.push((key, value(bump, reader, depth)?));
    }
    if repeated {
        keep_last(&mut fields);
    }
    Ok(fields)
}
