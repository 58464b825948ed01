//! Grok patterns for those who look at them rather than parse with them: the checker, and the command that tries patterns.

use super::expand::expand;
use super::patterns::{Patterns, Series, series};
use super::{custom_files, read_custom};
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
