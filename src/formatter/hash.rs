//! `hash`: the record as Ruby shows a Hash.

use super::newline::Newline;
use super::{FormatError, Formatter};
use crate::config::{Element, Refused};
use crate::event::{Event, Scope, Tag, ruby};
use crate::plugin::Context;

crate::section! {
    /// The record as Ruby shows a Hash: `{"a"=>1}`.
    pub struct Params {
        /// Whether a newline follows.
        pub add_newline: bool = "true",
        /// How lines end.
        pub newline: Newline = "lf",
    }
}

struct Hash {
    newline: &'static [u8],
}

/// Makes the formatter.
pub fn build(element: &Element, context: &Context<'_>) -> Result<Box<dyn Formatter>, Refused> {
    let params = Params::read(element, context.diagnostics)?;
    Ok(Box::new(Hash { newline: params.newline.bytes(params.add_newline) }))
}

impl Formatter for Hash {
    fn format<'a>(&self, _scope: &Scope<'a>, _tag: &Tag, event: &Event<'a>, out: &mut Vec<u8>) -> Result<(), FormatError> {
        ruby::inspect_fields(event.record.fields(), out);
        out.extend_from_slice(self.newline);
        Ok(())
    }
}
