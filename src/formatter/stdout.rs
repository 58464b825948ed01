//! `stdout`: time, tag and record on one line, for people.

use super::{FormatError, Formatter, PackedFormatter, build_named};
use crate::config::{Element, Refused};
use crate::event::msgpack::{Invalid, Reader};
use crate::event::{Event, EventTime, Scope, Strftime, Tag, Zone};
use crate::plugin::Context;
use std::cell::RefCell;

crate::section! {
    /// `2026-01-02 03:04:05.000000000 +0000 tag: ` and the record in another format.
    pub struct Params {
        /// The format of the record.
        pub output_type: String = "json",
        /// The format of the time.
        pub time_format: Option<String>,
    }
}

struct Stdout {
    record: Box<dyn Formatter>,
    clock: Time,
}

enum Time {
    Usual(Clock),
    Formatted(Strftime),
}

/// Makes the formatter; the format of the record reads its parameters from the same section.
pub fn build(element: &Element, context: &Context<'_>) -> Result<Box<dyn Formatter>, Refused> {
    let params = Params::read(element, context.diagnostics)?;
    let record = build_named(&params.output_type, element, context)?;
    let clock = params.time_format.map_or_else(|| Time::Usual(Clock::new()), |format| Time::Formatted(Strftime::new(&format)));
    Ok(Box::new(Stdout { record, clock }))
}

impl Stdout {
    /// What stands before the record.
    fn begin(&self, tag: &Tag, time: EventTime, out: &mut Vec<u8>) {
        match &self.clock {
            Time::Usual(clock) => clock.write(time, out),
            Time::Formatted(format) => format.write(time, &Zone::Local, out),
        }
        out.push(b' ');
        out.extend_from_slice(tag.as_bytes());
        out.extend_from_slice(b": ");
    }
}

impl Formatter for Stdout {
    fn format<'a>(&self, scope: &Scope<'a>, tag: &Tag, event: &Event<'a>, out: &mut Vec<u8>) -> Result<(), FormatError> {
        let start = out.len();
        self.begin(tag, event.time, out);
        if let Err(error) = self.record.format(scope, tag, event, out) {
            out.truncate(start);
            return Err(error);
        }
        end(out);
        Ok(())
    }

    fn packed(&self) -> Option<&dyn PackedFormatter> {
        self.record.packed().map(|_| self as &dyn PackedFormatter)
    }
}

impl PackedFormatter for Stdout {
    fn format_packed(&self, tag: &Tag, time: EventTime, record: &mut Reader<'_>, out: &mut Vec<u8>) -> Result<(), Invalid> {
        self.begin(tag, time, out);
        self.record.packed().ok_or(Invalid::Type)?.format_packed(tag, time, record, out)?;
        end(out);
        Ok(())
    }
}

/// Ends the line, once.
fn end(out: &mut Vec<u8>) {
    chomp(out);
    out.push(b'\n');
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

/// Writes times as local clocks show them.
struct Clock {
    year: Strftime,
    before: Strftime,
    behind: Strftime,
}

impl Clock {
    fn new() -> Clock {
        Clock { year: Strftime::new("%Y"), before: Strftime::new("-%m-%d %H:%M:%S."), behind: Strftime::new(" %z") }
    }

    fn write(&self, time: EventTime, out: &mut Vec<u8>) {
        LAST.with_borrow_mut(|last| {
            if last.as_ref().is_none_or(|second| second.sec != time.sec) {
                *last = Some(self.text_of(time.sec));
            }
            if let Some(second) = last {
                out.extend_from_slice(second.before.as_bytes());
                out.extend_from_slice(&nine_digits(time.nsec));
                out.extend_from_slice(second.behind.as_bytes());
            }
        });
    }

    #[cold]
    fn text_of(&self, sec: i64) -> Second {
        let time = EventTime::from_secs(sec);
        let year = self.year.text(time, &Zone::Local).parse::<i64>().unwrap_or(0);
        // Fluentd: its library shows years before 1969 a century late, and four digits of longer ones.
        let shown = (if year < 1969 { year + 100 } else { year }).rem_euclid(10_000);
        let before = format!("{shown:04}{}", self.before.text(time, &Zone::Local));
        Second { sec, before, behind: self.behind.text(time, &Zone::Local) }
    }
}

fn nine_digits(mut number: u32) -> [u8; 9] {
    let mut digits = [b'0'; 9];
    for digit in digits.iter_mut().rev() {
        *digit += (number % 10) as u8;
        number /= 10;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::json::Style;
    use crate::event::msgpack::write_entry;
    use crate::event::{Record, Scratch, Value};
    use crate::formatter::json::Json;

    #[test]
    fn packed_events_have_the_lines_of_unpacked_ones() {
        let inner = [(Value::text("k"), Value::Bool(true)), (Value::Int(7), Value::text("v\n"))];
        let scratch = Scratch::take();
        let scope = scratch.scope();
        let list = Value::Array(&[Value::Int(-1), Value::Nil, Value::Float(0.1), Value::Bin(b"\xff\x00")]);
        let map = Value::Map(&inner);
        let fields = [(Value::text("text"), Value::text("a \"line\"\u{e9}")), (Value::text("list"), list), (Value::text("map"), map)];
        let (empty, full) = (Record::from_fields(scope.bump(), &[]), Record::from_fields(scope.bump(), &fields));
        let tag = Tag::new("a.tag");
        for style in [Style::Oj, Style::Yajl] {
            for format in [None, Some("%s %N")] {
                for newline in [b"".as_slice(), b"\n", b"\r\n"] {
                    let clock = format.map_or_else(|| Time::Usual(Clock::new()), |format| Time::Formatted(Strftime::new(format)));
                    let formatter = Stdout { record: Box::new(Json::new(style, newline)), clock };
                    for record in [&empty, &full] {
                        let event = Event { time: EventTime { sec: 1_700_000_000, nsec: 5 }, record: record.clone() };
                        let (mut plain, mut packed, mut entry) = (Vec::new(), Vec::new(), Vec::new());
                        formatter.format(&scope, &tag, &event, &mut plain).unwrap();
                        write_entry(event.time, &event.record, &mut entry);
                        let mut reader = Reader::new(&entry);
                        let time = reader.entry_time().unwrap();
                        formatter.packed().unwrap().format_packed(&tag, time, &mut reader, &mut packed).unwrap();
                        assert_eq!(String::from_utf8_lossy(&packed), String::from_utf8_lossy(&plain));
                        assert!(reader.is_at_end() && plain.ends_with(b"}\n"));
                    }
                }
            }
        }
    }
}
