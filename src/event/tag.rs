//! Tags: the dotted name by which an event is routed.

use std::fmt;
use std::sync::Arc;

/// A shared, immutable tag. Cloning counts a reference.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(Arc<str>);

impl Tag {
    /// A tag from its text.
    pub fn new(text: &str) -> Tag {
        Tag(Arc::from(text))
    }

    /// A tag from received bytes; what is no UTF-8 is replaced.
    pub fn from_bytes(bytes: &[u8]) -> Tag {
        Tag(Arc::from(String::from_utf8_lossy(bytes).as_ref()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The parts between dots, as Ruby's `split('.')` gives them: trailing empty parts are dropped.
    pub fn parts(&self) -> Vec<&str> {
        let mut parts: Vec<&str> = self.0.split('.').collect();
        while parts.last().is_some_and(|part| part.is_empty()) {
            parts.pop();
        }
        parts
    }
}

impl std::ops::Deref for Tag {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
