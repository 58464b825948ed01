//! `msgpack`: the record as a msgpack map.

use super::{FormatError, Formatter};
use crate::config::{Element, Refused};
use crate::event::{Event, Scope, Tag, msgpack};
use crate::plugin::Context;

crate::section! {
    /// The record as a msgpack map.
    pub struct Params {}
}

struct Msgpack;

/// Makes the formatter.
pub fn build(element: &Element, context: &Context<'_>) -> Result<Box<dyn Formatter>, Refused> {
    Params::read(element, context.diagnostics)?;
    Ok(Box::new(Msgpack))
}

impl Formatter for Msgpack {
    fn format<'a>(&self, _scope: &Scope<'a>, _tag: &Tag, event: &Event<'a>, out: &mut Vec<u8>) -> Result<(), FormatError> {
        msgpack::write_record(&event.record, out);
        Ok(())
    }
}
