//! Between the values of events and Ruby's: records in, results out.

use super::hash::Hash;
use super::show;
use super::value::Value;
use crate::event::Value as EventValue;
use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;
use std::rc::Rc;

/// A value of an event, copied.
pub fn from_event(value: &EventValue<'_>) -> Value {
    match value {
        EventValue::Nil => Value::Nil,
        EventValue::Bool(truth) => Value::Bool(*truth),
        EventValue::Int(number) => Value::Int((*number).into()),
        EventValue::UInt(number) => Value::Int((*number).into()),
        // Beyond 127 bits only the size of a number can be kept.
        EventValue::Big(digits) => digits.parse().map_or_else(|_| Value::Float(digits.parse().unwrap_or(f64::INFINITY)), Value::Int),
        EventValue::Float(number) => Value::Float(*number),
        EventValue::Str(text) | EventValue::Bin(text) => Value::text(*text),
        EventValue::Ext(kind, body) => Value::Ext(*kind, Rc::from(*body)),
        EventValue::Array(items) => Value::list(items.iter().map(from_event).collect()),
        EventValue::Map(fields) => from_record(fields),
    }
}

/// The fields of a record as a hash.
pub fn from_record(fields: &[(EventValue<'_>, EventValue<'_>)]) -> Value {
    Value::hash(Hash::of_distinct(fields.iter().map(|(key, value)| (from_event(key), from_event(value))).collect()))
}

/// A result as an event's value, in the arena. What events cannot hold becomes its text.
pub fn to_event<'a>(value: &Value, bump: &'a Bump) -> EventValue<'a> {
    to_event_at(value, bump, 0)
}

fn to_event_at<'a>(value: &Value, bump: &'a Bump, depth: usize) -> EventValue<'a> {
    match value {
        Value::Nil => EventValue::Nil,
        Value::Bool(truth) => EventValue::Bool(*truth),
        Value::Int(number) => match (i64::try_from(*number), u64::try_from(*number)) {
            (Ok(number), _) => EventValue::Int(number),
            (_, Ok(number)) => EventValue::from_u64(number),
            _ => EventValue::Big(bump.alloc_str(&number.to_string())),
        },
        Value::Float(number) => EventValue::Float(*number),
        Value::Str(text) => EventValue::Str(bump.alloc_slice_copy(&text.borrow())),
        Value::Ext(kind, body) => EventValue::Ext(*kind, bump.alloc_slice_copy(body)),
        _ if depth > super::MAX_NESTING => EventValue::Nil,
        Value::Array(items) => {
            let mut out = BumpVec::with_capacity_in(items.borrow().len(), bump);
            out.extend(items.borrow().iter().map(|item| to_event_at(item, bump, depth + 1)));
            EventValue::Array(out.into_bump_slice())
        }
        Value::Hash(hash) => EventValue::Map(to_fields_at(&hash.borrow(), bump, depth).into_bump_slice()),
        other => {
            let mut shown = Vec::new();
            show::to_s(other, &mut shown);
            EventValue::Str(bump.alloc_slice_copy(&shown))
        }
    }
}

/// The pairs of a hash as fields, in the arena.
pub fn to_fields<'a>(hash: &Hash, bump: &'a Bump) -> BumpVec<'a, (EventValue<'a>, EventValue<'a>)> {
    to_fields_at(hash, bump, 0)
}

fn to_fields_at<'a>(hash: &Hash, bump: &'a Bump, depth: usize) -> BumpVec<'a, (EventValue<'a>, EventValue<'a>)> {
    let mut fields = BumpVec::with_capacity_in(hash.len(), bump);
    fields.extend(hash.iter().map(|(key, value)| (to_event_at(key, bump, depth + 1), to_event_at(value, bump, depth + 1))));
    fields
}
