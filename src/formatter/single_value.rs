//! `single_value`: one field of the record as it is.

use super::newline::Newline;
use super::{FormatError, Formatter};
use crate::config::{Element, Refused};
use crate::event::{Event, Scope, Tag, ruby};
use crate::plugin::Context;

crate::section! {
    /// One field of the record, as text.
    pub struct Params {
        /// The field.
        pub message_key: String = "message",
        /// Whether a newline follows.
        pub add_newline: bool = "true",
        /// How lines end.
        pub newline: Newline = "lf",
    }
}

struct SingleValue {
    key: String,
    newline: &'static [u8],
}

/// Makes the formatter.
pub fn build(element: &Element, context: &Context<'_>) -> Result<Box<dyn Formatter>, Refused> {
    let params = Params::read(element, context.diagnostics)?;
    Ok(Box::new(SingleValue { newline: params.newline.bytes(params.add_newline), key: params.message_key }))
}

impl Formatter for SingleValue {
    fn format<'a>(&self, _scope: &Scope<'a>, _tag: &Tag, event: &Event<'a>, out: &mut Vec<u8>) -> Result<(), FormatError> {
        if let Some(value) = event.record.get(self.key.as_bytes()) {
            ruby::to_s(&value, out);
        }
        out.extend_from_slice(self.newline);
        Ok(())
    }
}
