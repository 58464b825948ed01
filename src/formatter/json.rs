//! `json`: the record as one JSON object.

use super::newline::Newline;
use super::{FormatError, Formatter, PackedFormatter};
use crate::config::{Element, Refused};
use crate::event::json::{self, Style};
use crate::event::msgpack::{Invalid, Reader};
use crate::event::{Event, EventTime, Scope, Tag};
use crate::plugin::Context;

crate::section! {
    /// The record as one JSON object.
    pub struct Params {
        /// Whose way to write JSON: `oj`, or `yajl` for any other word.
        pub json_parser: String = "oj",
        /// Whether a newline follows.
        pub add_newline: bool = "true",
        /// How lines end.
        pub newline: Newline = "lf",
    }
}

/// The formatter.
pub struct Json {
    style: Style,
    newline: &'static [u8],
}

impl Json {
    /// Writes in a style, and this behind each record.
    pub fn new(style: Style, newline: &'static [u8]) -> Json {
        Json { style, newline }
    }
}

/// Makes the formatter.
pub fn build(element: &Element, context: &Context<'_>) -> Result<Box<dyn Formatter>, Refused> {
    let params = Params::read(element, context.diagnostics)?;
    let style = if params.json_parser == "oj" { Style::Oj } else { Style::Yajl };
    Ok(Box::new(Json::new(style, params.newline.bytes(params.add_newline))))
}

impl Formatter for Json {
    fn format<'a>(&self, _scope: &Scope<'a>, _tag: &Tag, event: &Event<'a>, out: &mut Vec<u8>) -> Result<(), FormatError> {
        json::write_record(&event.record, self.style, out);
        out.extend_from_slice(self.newline);
        Ok(())
    }

    fn packed(&self) -> Option<&dyn PackedFormatter> {
        Some(self)
    }
}

impl PackedFormatter for Json {
    fn format_packed(&self, _tag: &Tag, _time: EventTime, record: &mut Reader<'_>, out: &mut Vec<u8>) -> Result<(), Invalid> {
        json::transcode_map(record, self.style, out)?;
        out.extend_from_slice(self.newline);
        Ok(())
    }
}
