//! Formatters: from an event to the bytes of an output. Each is one file and one row of [`FORMATTERS`].

use crate::event::{Event, Scope, Tag};
use crate::plugin::Plugin;

/// Why an event cannot be written in this form; Fluentd's class and words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormatError {
    /// Fluentd's class of the error.
    pub class: &'static str,
    /// What is wrong.
    pub message: String,
}

/// Writes events as bytes.
pub trait Formatter: Send + Sync {
    /// Appends one event to `out`; nothing is appended where it fails.
    fn format<'a>(&self, scope: &Scope<'a>, tag: &Tag, event: &Event<'a>, out: &mut Vec<u8>) -> Result<(), FormatError>;
}

/// All formatters.
pub static FORMATTERS: &[Plugin<Box<dyn Formatter>>] = &[];
