//! A pattern that is compiled as the parsers `grok` and `regexp` compile theirs, and what it finds in a line.

use crate::check::unknown_patterns;
use crate::event::json::{Style, write_value};
use crate::event::{Scratch, Value};
use crate::parser::grok::{Library, Types};
use crate::regex::{Captures, Flags, Matched, Regex, TextKind, split_literal};

/// What was found in a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Its fields, in order.
    Match(Vec<Field>),
    /// It does not match.
    Nothing,
    /// It took too long.
    Bounded,
    /// The line is not UTF-8, which parsers refuse.
    NoText,
}

/// One group or field of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name; its number, where no group has a name.
    pub name: String,
    /// Its value as JSON.
    pub json: Vec<u8>,
    /// The type of the value: `string`, `integer`, `float`, `bool`, `time`, `array` or `nil`.
    pub kind: &'static str,
}

/// A compiled pattern.
pub struct Pattern {
    source: String,
    regex: Regex,
    types: Option<Types>,
}

impl Pattern {
    /// Compiles a grok pattern, or without a library an expression. The error says where it is wrong and what may have been meant.
    pub fn new(text: &str, library: Option<&Library>) -> Result<Pattern, String> {
        let (source, flags) = split_literal(text).map_err(|error| error.message)?;
        let (expression, types) = match library {
            None => (source.to_owned(), None),
            Some(library) => {
                let unknown: Vec<String> = unknown_patterns(library, source).collect();
                if !unknown.is_empty() {
                    return Err(unknown.join("\n"));
                }
                let expansion = library.expand(source)?;
                let types = expansion.conversions()?;
                (expansion.expression, Some(types))
            }
        };
        let regex = Regex::with_groups(&expression, flags).map_err(|error| {
            let before = expression.get(..error.at).map_or(0, |before| before.chars().count());
            let column = if library.is_none() { format!("\n  {expression}\n  {}^", "-".repeat(before)) } else { String::new() };
            format!("{}{column}", error.message)
        })?;
        Ok(Pattern { source: source.to_owned(), regex, types })
    }

    /// Without slashes and letters.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The letters behind it.
    pub fn flags(&self) -> Flags {
        self.regex.flags()
    }

    /// The Ruby expression.
    pub fn expression(&self) -> &str {
        self.regex.source()
    }

    /// Whether any group has a name.
    pub fn has_names(&self) -> bool {
        !self.regex.names().is_empty()
    }

    /// What it finds in a line.
    pub fn find(&self, line: &[u8]) -> Found {
        if TextKind::of(line) == TextKind::Bytes {
            return Found::NoText;
        }
        let mut groups = Vec::new();
        let matched = if self.has_names() {
            let mut captures = Captures::default();
            let matched = self.regex.captures(line, &mut captures);
            groups.extend(self.regex.names().iter().cloned().zip(captures.groups));
            matched
        } else {
            let mut numbered = Vec::new();
            let matched = self.regex.groups_from(line, 0, &mut numbered);
            groups.extend(numbered.into_iter().enumerate().skip(1).map(|(number, group)| (number.to_string(), group)));
            matched
        };
        match matched {
            Matched::Yes => {
                let texts =
                    groups.into_iter().filter_map(|(name, group)| Some((name, group.and_then(|(start, end)| line.get(start..end))?)));
                Found::Match(texts.map(|(name, text)| self.field(name, text)).collect())
            }
            Matched::No => Found::Nothing,
            Matched::Bounded => Found::Bounded,
        }
    }

    fn field(&self, name: String, text: &[u8]) -> Field {
        let scratch = Scratch::take();
        let scope = scratch.scope();
        let value = match &self.types {
            Some(types) => types.apply(&scope, &name, scope.bytes(text)),
            None => Value::Str(text),
        };
        let mut json = Vec::new();
        write_value(&value, Style::Oj, &mut json);
        Field { name, json, kind: kind(&value) }
    }
}

fn kind(value: &Value<'_>) -> &'static str {
    match value {
        Value::Nil => "nil",
        Value::Bool(_) => "bool",
        Value::Int(_) | Value::UInt(_) | Value::Big(_) => "integer",
        Value::Float(_) => "float",
        Value::Str(_) | Value::Bin(_) => "string",
        Value::Ext(..) => "time",
        Value::Array(_) => "array",
        Value::Map(_) => "hash",
    }
}
