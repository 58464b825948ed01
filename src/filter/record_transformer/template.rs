//! What `<record>` says, before placeholders are looked at: texts, and the JSON values that some texts are.

use crate::config::{Element, Refused};
use crate::event::json::{Document, Engine, read as read_json};
use crate::event::{Record, Value};
use crate::modifier::record_params;
use crate::plugin::Context;
use bumpalo::Bump;

/// The value of a field to be set.
#[derive(Clone, Debug, PartialEq)]
pub enum Field {
    /// Text that may hold placeholders.
    Text(String),
    /// An array.
    List(Vec<Field>),
    /// An object; keys may hold placeholders.
    Map(Vec<(String, Field)>),
    /// Something that is neither.
    Fixed(Fixed),
}

/// A value without placeholders.
#[derive(Clone, Debug, PartialEq)]
pub enum Fixed {
    /// null.
    Nil,
    /// true, false.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// An integer above `i64::MAX`.
    UInt(u64),
    /// An integer beyond 64 bits.
    Big(String),
    /// A float.
    Float(f64),
}

impl Fixed {
    /// As an event's value.
    pub fn value<'a>(&self, bump: &'a Bump) -> Value<'a> {
        match self {
            Fixed::Nil => Value::Nil,
            Fixed::Bool(truth) => Value::Bool(*truth),
            Fixed::Int(number) => Value::Int(*number),
            Fixed::UInt(number) => Value::UInt(*number),
            Fixed::Big(digits) => Value::Big(bump.alloc_str(digits)),
            Fixed::Float(number) => Value::Float(*number),
        }
    }
}

/// The fields that an element's `<record>` sections set.
pub(super) fn read(element: &Element, context: &Context<'_>) -> Result<Vec<(String, Field)>, Refused> {
    let params = record_params(element, context)?;
    let field = |value: Option<String>| match value {
        None => Field::Fixed(Fixed::Nil),
        Some(text) if text.starts_with(['{', '[']) => json(&text).unwrap_or_else(|| {
            crate::warning!("failed to parse {text} as json. Assuming {text} is a string");
            Field::Text(text)
        }),
        Some(text) => Field::Text(text),
    };
    Ok(params.into_iter().map(|(key, value)| (key, field(value))).collect())
}

fn json(text: &str) -> Option<Field> {
    let bump = Bump::new();
    match read_json(&bump, text.as_bytes(), Engine::Json).ok()? {
        Document::Record(record) => Some(map(&record)),
        Document::Value(value) => Some(field(&value)),
    }
}

fn map(record: &Record<'_>) -> Field {
    pairs(record.fields())
}

fn pairs(fields: &[(Value<'_>, Value<'_>)]) -> Field {
    Field::Map(
        fields
            .iter()
            .map(|(key, value)| (String::from_utf8_lossy(key.as_bytes().unwrap_or_default()).into_owned(), field(value)))
            .collect(),
    )
}

fn field(value: &Value<'_>) -> Field {
    match value {
        Value::Nil | Value::Ext(..) => Field::Fixed(Fixed::Nil),
        Value::Bool(truth) => Field::Fixed(Fixed::Bool(*truth)),
        Value::Int(number) => Field::Fixed(Fixed::Int(*number)),
        Value::UInt(number) => Field::Fixed(Fixed::UInt(*number)),
        Value::Big(digits) => Field::Fixed(Fixed::Big((*digits).to_owned())),
        Value::Float(number) => Field::Fixed(Fixed::Float(*number)),
        Value::Str(text) | Value::Bin(text) => Field::Text(String::from_utf8_lossy(text).into_owned()),
        Value::Array(items) => Field::List(items.iter().map(field).collect()),
        Value::Map(fields) => pairs(fields),
    }
}
