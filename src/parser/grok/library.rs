//! Grok patterns for those who look at them rather than parse with them: the checker, and the command that tries patterns.

use super::super::types::Conversion;
use super::expand::expand;
use super::patterns::{Patterns, Series, series};
use super::{custom_files, read_custom};
use crate::event::{Scope, TimeOptions, Value};
use std::path::Path;

/// A series of patterns with custom ones added.
pub struct Library {
    patterns: Patterns,
}

/// What a pattern stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expansion {
    /// The Ruby expression.
    pub expression: String,
    /// The type of each field, in order of first appearance.
    pub types: Vec<(String, String)>,
}

/// The conversions of a pattern's fields, as the parser makes them where no parameter of time is given.
pub struct Types(Vec<(String, Conversion)>);

impl Types {
    /// A field's value, converted.
    pub fn apply<'a>(&self, scope: &Scope<'a>, field: &str, text: &'a [u8]) -> Value<'a> {
        let conversion = self.0.iter().find(|(name, _)| name == field);
        conversion.map_or(Value::Str(text), |(_, conversion)| conversion.apply(scope, Value::Str(text)))
    }
}

impl Expansion {
    /// The conversions of its fields; an error where a format of times cannot be read.
    pub fn conversions(&self) -> Result<Types, String> {
        let options = TimeOptions::default();
        let convert = |(field, kind): &(String, String)| {
            let conversion = Conversion::parse(kind, &options)?.ok_or_else(|| format!("unknown type '{kind}' of the field '{field}'"))?;
            Ok((field.clone(), conversion))
        };
        self.types.iter().map(convert).collect::<Result<_, String>>().map(Types)
    }
}

impl Library {
    /// A built-in series.
    pub fn new(of: Series) -> Library {
        Library { patterns: series(of).clone() }
    }

    /// Adds the patterns of a file or of the files in a folder; fails where one cannot be read. What does not exist adds nothing.
    pub fn add(&mut self, path: &Path) -> Result<(), String> {
        let fail = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
        for file in custom_files(path).map_err(|error| fail(path, error))? {
            let text = std::fs::read_to_string(&file).map_err(|error| fail(&file, error))?;
            read_custom(&text, &mut self.patterns);
        }
        Ok(())
    }

    /// Whether there is a pattern of this name.
    pub fn has(&self, name: &str) -> bool {
        self.patterns.contains_key(name)
    }

    /// What the pattern of a name stands for, as it is written.
    pub fn meaning(&self, name: &str) -> Option<&str> {
        self.patterns.get(name).map(|meaning| &**meaning)
    }

    /// The names of all patterns, in no order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.patterns.keys().map(String::as_str)
    }

    /// What a pattern stands for; an error in Fluentd's words where it names an unknown one.
    pub fn expand(&self, pattern: &str) -> Result<Expansion, String> {
        let expanded = expand(pattern, &self.patterns)?;
        Ok(Expansion { expression: expanded.expression, types: expanded.types })
    }
}
