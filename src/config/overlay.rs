//! Texts that stand for files: what an editor has open and has not written yet.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Texts by the paths of their files, links resolved.
#[derive(Clone, Debug, Default)]
pub struct Overlay(HashMap<PathBuf, String>);

impl Overlay {
    /// Puts a text in the place of a file, whose links have been resolved.
    pub fn insert(&mut self, path: &Path, text: &str) {
        self.0.insert(path.to_owned(), text.to_owned());
    }

    /// The text that stands for a file.
    pub fn get(&self, path: &Path) -> Option<&str> {
        if self.0.is_empty() {
            return None;
        }
        let real = path.canonicalize();
        self.0.get(real.as_deref().unwrap_or(path)).map(String::as_str)
    }
}
