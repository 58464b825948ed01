//! `stdout`: time, tag and record on one line, for people.

use super::{FormatError, Formatter, build_named};
use crate::config::{Element, Refused};
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

impl Formatter for Stdout {
    fn format<'a>(&self, scope: &Scope<'a>, tag: &Tag, event: &Event<'a>, out: &mut Vec<u8>) -> Result<(), FormatError> {
        let start = out.len();
        match &self.clock {
            Time::Usual(clock) => clock.write(event.time, out),
            Time::Formatted(format) => format.write(event.time, &Zone::Local, out),
        }
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
