//! `ltsv`: the record as labelled values between tabs.

use super::newline::Newline;
use super::{FormatError, Formatter};
use crate::config::{Element, Refused};
use crate::event::{Event, Scope, Tag, ruby};
use crate::plugin::Context;
use memchr::memmem;

crate::section! {
    /// The record as `label:value`, with tabs between.
    pub struct Params {
        /// What stands between fields.
        pub delimiter: String = "\t",
        /// What stands between a label and its value.
        pub label_delimiter: String = ":",
        /// What a delimiter within a value becomes.
        pub replacement: String = " ",
        /// Whether a newline follows.
        pub add_newline: bool = "true",
        /// How lines end.
        pub newline: Newline = "lf",
    }
}

struct Ltsv {
    params: Params,
    newline: &'static [u8],
}

/// Makes the formatter.
pub fn build(element: &Element, context: &Context<'_>) -> Result<Box<dyn Formatter>, Refused> {
    let params = Params::read(element, context.diagnostics)?;
    let newline = params.newline.bytes(params.add_newline);
    Ok(Box::new(Ltsv { params, newline }))
}

impl Formatter for Ltsv {
    fn format<'a>(&self, _scope: &Scope<'a>, _tag: &Tag, event: &Event<'a>, out: &mut Vec<u8>) -> Result<(), FormatError> {
        let start = out.len();
        for (label, value) in event.record.fields() {
            if out.len() > start {
                out.extend_from_slice(self.params.delimiter.as_bytes());
            }
            ruby::to_s(label, out);
            out.extend_from_slice(self.params.label_delimiter.as_bytes());
            let value_start = out.len();
            ruby::to_s(value, out);
            replace(out, value_start, self.params.delimiter.as_bytes(), self.params.replacement.as_bytes());
        }
        out.extend_from_slice(self.newline);
        Ok(())
    }
}

/// Replaces each `from` behind `start` by `to`. An empty `from` stands between all bytes in Ruby; nobody means that, and nothing is replaced.
fn replace(out: &mut Vec<u8>, start: usize, from: &[u8], to: &[u8]) {
    if from.is_empty() || memmem::find(&out[start..], from).is_none() {
        return;
    }
    let value = out.split_off(start);
    let mut rest = value.as_slice();
    while let Some(at) = memmem::find(rest, from) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(to);
        rest = &rest[at + from.len()..];
    }
    out.extend_from_slice(rest);
}
