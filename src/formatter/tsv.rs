//! `tsv`: chosen fields of the record between tabs.

use super::newline::Newline;
use super::{FormatError, Formatter};
use crate::config::{Element, Refused};
use crate::event::{Event, Scope, Tag, ruby};
use crate::plugin::Context;

crate::section! {
    /// Values of chosen fields, with tabs between.
    pub struct Params {
        /// The fields, in order.
        pub keys: Vec<String>,
        /// What stands between values.
        pub delimiter: String = "\t",
        /// Whether a newline follows.
        pub add_newline: bool = "true",
        /// How lines end.
        pub newline: Newline = "lf",
    }
}

struct Tsv {
    params: Params,
    newline: &'static [u8],
}

/// Makes the formatter.
pub fn build(element: &Element, context: &Context<'_>) -> Result<Box<dyn Formatter>, Refused> {
    let params = Params::read(element, context.diagnostics)?;
    let newline = params.newline.bytes(params.add_newline);
    Ok(Box::new(Tsv { params, newline }))
}

impl Formatter for Tsv {
    fn format<'a>(&self, _scope: &Scope<'a>, _tag: &Tag, event: &Event<'a>, out: &mut Vec<u8>) -> Result<(), FormatError> {
        for (number, key) in self.params.keys.iter().enumerate() {
            if number > 0 {
                out.extend_from_slice(self.params.delimiter.as_bytes());
            }
            if let Some(value) = event.record.get(key.as_bytes()) {
                ruby::to_s(&value, out);
            }
        }
        out.extend_from_slice(self.newline);
        Ok(())
    }
}
