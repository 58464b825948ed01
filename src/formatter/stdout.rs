//! `stdout`: time, tag and record on one line, for people.

use super::{FormatError, Formatter, build_named};
use crate::config::{Element, Refused};
use crate::event::{Event, EventTime, Scope, Tag};
use crate::plugin::Context;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use std::cell::RefCell;
use std::io::Write;

crate::section! {
    /// `2026-01-02 03:04:05.000000000 +0000 tag: ` and the record in another format.
    pub struct Params {
        /// The format of the record.
        pub output_type: String = "json",
    }
}

struct Stdout {
    record: Box<dyn Formatter>,
    zone: TimeZone,
}

/// Makes the formatter; the format of the record reads its parameters from the same section.
pub fn build(element: &Element, context: &Context<'_>) -> Result<Box<dyn Formatter>, Refused> {
    let params = Params::read(element, context.diagnostics)?;
    let record = build_named(&params.output_type, element, context)?;
    Ok(Box::new(Stdout { record, zone: TimeZone::system() }))
}

impl Formatter for Stdout {
    fn format<'a>(&self, scope: &Scope<'a>, tag: &Tag, event: &Event<'a>, out: &mut Vec<u8>) -> Result<(), FormatError> {
        let start = out.len();
        write_time(event.time, &self.zone, out);
        out.push(b' ');
        out.extend_from_slice(tag.as_bytes());
        out.extend_from_slice(b": ");
        if let Err(error) = self.record.format(scope, tag, event, out) {
            out.truncate(start);
            return Err(error);
        }
        chomp(out);
        out.push(b'\n');
        Ok(())
    }
}

/// Removes one line end, as Ruby's `chomp`.
fn chomp(out: &mut Vec<u8>) {
    if out.last() == Some(&b'\n') {
        out.pop();
    }
    if out.last() == Some(&b'\r') {
        out.pop();
    }
}

/// The text of one second: what stands before and behind the nanoseconds.
struct Second {
    sec: i64,
    before: String,
    behind: String,
}

thread_local! {
    static LAST: RefCell<Option<Second>> = const { RefCell::new(None) };
}

fn write_time(time: EventTime, zone: &TimeZone, out: &mut Vec<u8>) {
    LAST.with_borrow_mut(|last| {
        if last.as_ref().is_none_or(|second| second.sec != time.sec) {
            *last = Some(text_of(time.sec, zone));
        }
        if let Some(second) = last {
            out.extend_from_slice(second.before.as_bytes());
            let _ = write!(out, "{:09}", time.nsec); // a Vec takes everything
            out.extend_from_slice(second.behind.as_bytes());
        }
    });
}

fn text_of(sec: i64, zone: &TimeZone) -> Second {
    match Timestamp::from_second(sec) {
        Ok(at) => {
            let zoned: Zoned = at.to_zoned(zone.clone());
            Second { sec, before: zoned.strftime("%Y-%m-%d %H:%M:%S.").to_string(), behind: zoned.strftime(" %z").to_string() }
        }
        // Beyond the year 9999: seconds are better than nothing.
        Err(_) => Second { sec, before: format!("{sec}."), behind: " +0000".to_owned() },
    }
}
