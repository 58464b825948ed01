//! Values that outlive a run and may pass between threads: what instance variables hold from event to event.

use super::hash::Hash;
use super::value::Value;

/// A value without anything shared in it.
#[derive(Clone, Debug, PartialEq)]
pub enum Kept {
    /// nil.
    Nil,
    /// true, false.
    Bool(bool),
    /// An integer.
    Int(i128),
    /// A float.
    Float(f64),
    /// A string.
    Str(Vec<u8>),
    /// A symbol.
    Sym(String),
    /// An array.
    Array(Vec<Kept>),
    /// A hash.
    Hash(Vec<(Kept, Kept)>),
}

impl Kept {
    /// A copy of a value; `None` for what only lives within a run, such as blocks and times.
    pub fn of(value: &Value) -> Option<Kept> {
        Kept::of_at(value, 0)
    }

    fn of_at(value: &Value, depth: usize) -> Option<Kept> {
        if depth > super::MAX_NESTING {
            return None;
        }
        Some(match value {
            Value::Nil => Kept::Nil,
            Value::Bool(truth) => Kept::Bool(*truth),
            Value::Int(number) => Kept::Int(*number),
            Value::Float(number) => Kept::Float(*number),
            Value::Str(text) => Kept::Str(text.borrow().clone()),
            Value::Sym(name) => Kept::Sym(name.to_string()),
            Value::Array(items) => Kept::Array(items.borrow().iter().map(|item| Kept::of_at(item, depth + 1)).collect::<Option<_>>()?),
            Value::Hash(hash) => {
                let pair = |(key, value): &(Value, Value)| Some((Kept::of_at(key, depth + 1)?, Kept::of_at(value, depth + 1)?));
                Kept::Hash(hash.borrow().iter().map(pair).collect::<Option<_>>()?)
            }
            _ => return None,
        })
    }

    /// The value again.
    pub fn value(&self) -> Value {
        match self {
            Kept::Nil => Value::Nil,
            Kept::Bool(truth) => Value::Bool(*truth),
            Kept::Int(number) => Value::Int(*number),
            Kept::Float(number) => Value::Float(*number),
            Kept::Str(text) => Value::text(text.clone()),
            Kept::Sym(name) => Value::symbol(name),
            Kept::Array(items) => Value::list(items.iter().map(Kept::value).collect()),
            Kept::Hash(pairs) => Value::hash(Hash::of_distinct(pairs.iter().map(|(key, value)| (key.value(), value.value())).collect())),
        }
    }
}
