//! `out_file`: time, tag and record as JSON, with tabs between.

use super::newline::Newline;
use super::{FormatError, Formatter};
use crate::config::{Element, Refused};
use crate::event::json::{self, Style};
use crate::event::{Event, EventTime, Scope, Tag, TimeFormatter};
use crate::plugin::Context;

crate::choice! {
    /// How the time is written.
    pub enum TimeType { String = "string", Unixtime = "unixtime", Float = "float", Mixed = "mixed" }
}

crate::section! {
    /// Time, tag and record as JSON, with tabs between.
    pub struct Params {
        /// Whether the time is written.
        pub output_time: bool = "true",
        /// Whether the tag is written.
        pub output_tag: bool = "true",
        /// What stands between them: `SPACE`, `COMMA`, otherwise a tab.
        pub delimiter: String = "TAB",
        /// How the time is written.
        pub time_type: TimeType = "string",
        /// The format of a time of type `string`; ISO 8601 by default.
        pub time_format: Option<String>,
        /// Whether times are local.
        pub localtime: bool = "true",
        /// Whether times are UTC.
        pub utc: bool = "false",
        /// The zone of times.
        pub timezone: Option<String>,
        /// How lines end.
        pub newline: Newline = "lf",
    }
}

struct OutFile {
    output_time: bool,
    output_tag: bool,
    delimiter: &'static [u8],
    newline: &'static [u8],
    time_type: TimeType,
    formatter: TimeFormatter,
}

/// Makes the formatter.
pub fn build(element: &Element, context: &Context<'_>) -> Result<Box<dyn Formatter>, Refused> {
    let params = Params::read(element, context.diagnostics)?;
    let formatter = TimeFormatter::new(params.time_format.as_deref(), params.localtime && !params.utc, params.timezone.as_deref())
        .map_err(|why| context.refuse("FLM0414", element.span, why))?;
    let delimiter = params.delimiter.to_uppercase();
    let delimiter: &[u8] = if delimiter.contains("SPACE") {
        b" "
    } else if delimiter.contains("COMMA") {
        b","
    } else {
        b"\t"
    };
    Ok(Box::new(OutFile {
        output_time: params.output_time,
        output_tag: params.output_tag,
        delimiter,
        newline: params.newline.bytes(true),
        time_type: params.time_type,
        formatter,
    }))
}

impl Formatter for OutFile {
    fn format<'a>(&self, _scope: &Scope<'a>, tag: &Tag, event: &Event<'a>, out: &mut Vec<u8>) -> Result<(), FormatError> {
        if self.output_time {
            self.write_time(event.time, out);
            out.extend_from_slice(self.delimiter);
        }
        if self.output_tag {
            out.extend_from_slice(tag.as_bytes());
            out.extend_from_slice(self.delimiter);
        }
        json::write_record(&event.record, Style::Yajl, out);
        out.extend_from_slice(self.newline);
        Ok(())
    }
}

impl OutFile {
    fn write_time(&self, time: EventTime, out: &mut Vec<u8>) {
        match self.time_type {
            TimeType::String | TimeType::Mixed => self.formatter.write(time, out),
            TimeType::Unixtime => out.extend_from_slice(itoa::Buffer::new().format(time.sec).as_bytes()),
            TimeType::Float => out.extend_from_slice(format!("{}.{:09}", time.sec, time.nsec).as_bytes()),
        }
    }
}
