//! Methods by the class of their receiver, and what they share.

mod array;
mod enumerable;
mod hash;
mod number;
mod numerals;
mod object;
mod search;
mod string;
mod string_edit;
mod time;

use super::machine::Machine;
use super::show;
use super::value::{Callable, List, Outcome, Raised, Text, Value, argument_error, raised, type_error};
use std::cmp::Ordering;

pub(super) use enumerable::to_items;
pub(super) use number::whole;
pub(super) use numerals::{parse_integer, strict_float, strict_integer};
pub(super) use object::is_a;
pub(super) use search::gsub;
pub(super) use time::date_of;

/// What a method table gives: `None` where it has no such method.
type Answer = Outcome<Option<Value>>;

/// Arguments and block of a call.
pub(super) struct Given<'g> {
    pub arguments: &'g [Value],
    pub block: Option<&'g Callable>,
}

/// Calls a method.
pub(super) fn send(
    machine: &mut Machine<'_>,
    receiver: &Value,
    name: &str,
    arguments: Vec<Value>,
    block: Option<&Callable>,
) -> Outcome<Value> {
    machine.pay(0)?;
    let given = Given { arguments: &arguments, block };
    let answer = match receiver {
        Value::Str(text) => string::call(machine, text, name, &given)?,
        Value::Sym(text) => string::symbol(machine, text, name, &given)?,
        Value::Int(number) => number::integer(machine, *number, name, &given)?,
        Value::Float(number) => number::float(*number, name, &given)?,
        Value::Array(items) => array::call(machine, items, name, &given)?,
        Value::Hash(pairs) => hash::call(machine, pairs, name, &given)?,
        Value::Range(range) => enumerable::range(machine, range, name, &given)?,
        Value::Enumerator(items) => enumerable::enumerator(machine, items, name, &given)?,
        Value::Regexp(regexp) => search::regexp(machine, regexp, name, &given)?,
        Value::Match(found) => search::match_data(found, name, &given)?,
        Value::Time(moment) => time::call(moment, name, &given)?,
        Value::Const(constant) => super::constants::call(machine, constant, name, &given)?,
        Value::Nil => object::nil(name, &given),
        Value::Bool(truth) => object::boolean(*truth, name, &given),
        Value::Proc(callable) => object::procedure(machine, callable, name, &given)?,
        Value::Error(error) => object::error(error, name),
        Value::Uri(uri) => uri.call(name),
        Value::Ext(..) => None,
    };
    match answer {
        Some(value) => Ok(value),
        None => match object::call(machine, receiver, name, &given)? {
            Some(value) => Ok(value),
            None => Err(no_method(receiver, name)),
        },
    }
}

fn no_method(receiver: &Value, name: &str) -> Raised {
    let mut shown = Vec::new();
    show::inspect(receiver, &mut shown);
    if shown.len() > 65 {
        shown = format!("#<{}>", receiver.class()).into_bytes();
    }
    raised("NoMethodError", format!("undefined method `{name}' for {}:{}", String::from_utf8_lossy(&shown), receiver.class()))
}

/// Orders two values as `<=>` does; `None` where they cannot be compared.
pub(super) fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b),
        (Value::Int(a), Value::Float(b)) => (*a as f64).partial_cmp(b),
        (Value::Float(a), Value::Int(b)) => a.partial_cmp(&(*b as f64)),
        (Value::Str(a), Value::Str(b)) => Some(a.borrow().as_slice().cmp(b.borrow().as_slice())),
        (Value::Sym(a), Value::Sym(b)) => Some(a.cmp(b)),
        (Value::Time(a), Value::Time(b)) => Some(a.get().instant().cmp(&b.get().instant())),
        (Value::Array(a), Value::Array(b)) => {
            let (a, b) = (a.borrow(), b.borrow());
            for (a, b) in a.iter().zip(b.iter()) {
                match compare(a, b)? {
                    Ordering::Equal => {}
                    other => return Some(other),
                }
            }
            Some(a.len().cmp(&b.len()))
        }
        (Value::Nil, Value::Nil) => Some(Ordering::Equal),
        (Value::Bool(a), Value::Bool(b)) if a == b => Some(Ordering::Equal),
        _ => None,
    }
}

/// `comparison of A with B failed`.
pub(super) fn not_comparable(a: &Value, b: &Value) -> Raised {
    let shown = match b {
        Value::Str(_) | Value::Array(_) | Value::Hash(_) => b.class().to_owned(),
        other => {
            let mut out = Vec::new();
            show::inspect(other, &mut out);
            String::from_utf8_lossy(&out).into_owned()
        }
    };
    raised("ArgumentError", format!("comparison of {} with {shown} failed", a.class()))
}

/// `===`: what `case` asks.
pub(super) fn case_equals(machine: &mut Machine<'_>, candidate: &Value, subject: &Value) -> Outcome<bool> {
    Ok(match candidate {
        Value::Const(class) => is_a(subject, class),
        Value::Range(range) => enumerable::covers(range, subject),
        Value::Regexp(_) => match subject {
            Value::Str(_) | Value::Sym(_) => send(machine, candidate, "=~", vec![subject.clone()], None)?.truthy(),
            _ => false,
        },
        Value::Proc(callable) => machine.call_block(callable, vec![subject.clone()])?.truthy(),
        other => other.equals(subject),
    })
}

/// An array's items; anything else alone.
pub(super) fn splat(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items.borrow().clone(),
        Value::Nil => Vec::new(),
        other => vec![other.clone()],
    }
}

/// The name of a value in messages about conversions.
pub(super) fn called(value: &Value) -> &str {
    match value {
        Value::Nil => "nil",
        Value::Bool(true) => "true",
        Value::Bool(false) => "false",
        other => other.class(),
    }
}

/// An integer argument; floats are cut.
pub(super) fn integer(value: &Value) -> Outcome<i128> {
    match value {
        Value::Int(number) => Ok(*number),
        Value::Float(number) if number.is_finite() => Ok(*number as i128),
        other => type_error(format!("no implicit conversion of {} into Integer", called(other))).or_else(|raised| match other {
            Value::Nil => type_error("no implicit conversion from nil to integer"),
            _ => Err(raised),
        }),
    }
}

/// A string argument's bytes.
pub(super) fn bytes(value: &Value) -> Outcome<Vec<u8>> {
    match value {
        Value::Str(text) => Ok(text.borrow().clone()),
        other => type_error(format!("no implicit conversion of {} into String", called(other))),
    }
}

/// A string argument as text; what is no UTF-8 is replaced.
pub(super) fn text(value: &Value) -> Outcome<String> {
    bytes(value).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// A number argument as a float.
pub(super) fn number(value: &Value) -> Outcome<f64> {
    match value {
        Value::Int(number) => Ok(*number as f64),
        Value::Float(number) => Ok(*number),
        other => type_error(format!("can't convert {} into Float", called(other))),
    }
}

/// `to_s` as bytes.
pub(super) fn shown(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    show::to_s(value, &mut out);
    out
}

/// A place in something of this length, negative ones from the end; `None` where it is before the start.
pub(super) fn position(index: i128, length: usize) -> Option<usize> {
    if index < 0 { usize::try_from(index + length as i128).ok() } else { usize::try_from(index).ok() }
}

/// The bounds of a slice of something of this length by a range; `None` where it starts outside.
pub(super) fn slice_bounds(range: &super::value::Range, length: usize) -> Outcome<Option<(usize, usize)>> {
    let from = if range.from.is_nil() { 0 } else { integer(&range.from)? };
    let to = if range.to.is_nil() { -1 } else { integer(&range.to)? };
    let Some(start) = position(from, length).filter(|start| *start <= length) else { return Ok(None) };
    let end = if to < 0 { to + length as i128 } else { to };
    let end = if range.exclusive && !range.to.is_nil() { end } else { end + 1 };
    let end = usize::try_from(end.max(0)).unwrap_or(usize::MAX).clamp(start, length.max(start));
    Ok(Some((start, end)))
}

/// As [`slice_bounds`], by start and length.
pub(super) fn span_bounds(start: i128, count: i128, length: usize) -> Option<(usize, usize)> {
    let start = position(start, length).filter(|start| *start <= length)?;
    let count = usize::try_from(count).ok()?;
    Some((start, start.saturating_add(count).min(length)))
}

/// The characters of a text; a byte that is no UTF-8 is one of its own.
pub(super) fn characters(text: &[u8]) -> Vec<&[u8]> {
    let mut all = Vec::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        let mut rest = chunk.valid();
        while let Some(character) = rest.chars().next() {
            let (first, behind) = rest.split_at(character.len_utf8());
            all.push(first.as_bytes());
            rest = behind;
        }
        all.extend(chunk.invalid().chunks(1));
    }
    all
}

/// How many characters these bytes are.
pub(super) fn count_characters(text: &[u8]) -> usize {
    if text.is_ascii() { text.len() } else { characters(text).len() }
}

/// A block that must be there.
pub(super) fn needed<'g>(given: &Given<'g>) -> Outcome<&'g Callable> {
    given.block.ok_or_else(|| raised("LocalJumpError", "no block given (yield)"))
}

/// Wrong number of arguments.
pub(super) fn wrong_count<T>(given: &Given<'_>, expected: &str) -> Outcome<T> {
    argument_error(format!("wrong number of arguments (given {}, expected {expected})", given.arguments.len()))
}

fn new_text(text: &Text) -> Vec<u8> {
    text.borrow().clone()
}

fn items_of(items: &List) -> Vec<Value> {
    items.borrow().clone()
}
