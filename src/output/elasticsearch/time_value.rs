//! The values of `time_key`: texts and numbers to moments.

use super::timestamp::Moment;
use crate::event::strptime::{Fast, Full, Read, guess};
use crate::event::{EventTime, Strftime, TimeOptions, TimeParser as NumberParser, TimeType, Value, Zone};
use jiff::tz::TimeZone;

/// Reads the values of a field as times.
#[derive(Clone, Debug)]
pub struct TimeParser {
    numbers: Option<NumberParser>,
    format: Option<Format>,
}

#[derive(Clone, Debug)]
struct Format {
    text: String,
    fast: Option<Fast>,
    full: Full,
}

impl TimeParser {
    /// By a format, or by guessing.
    pub fn new(format: Option<&str>) -> TimeParser {
        let numbers = NumberParser::new(&TimeOptions { time_type: TimeType::Float, ..TimeOptions::default() }).ok();
        let format = format.map(|text| Format { text: text.to_owned(), fast: Fast::compile(text), full: Full::compile(text) });
        TimeParser { numbers, format }
    }

    /// The format as configured.
    pub fn format(&self) -> Option<&str> {
        self.format.as_ref().map(|format| format.text.as_str())
    }

    /// The moment that a value means; `None` where it means none. Numbers are seconds, shown on this zone's clocks.
    pub fn parse(&self, value: &Value<'_>, zone: &TimeZone) -> Option<Moment> {
        match value {
            Value::Str(text) | Value::Bin(text) => self.text(std::str::from_utf8(text).ok()?),
            Value::Int(_) | Value::UInt(_) | Value::Float(_) => {
                let time = self.numbers.as_ref()?.parse(value).ok()?;
                match self.format() {
                    None => Some(Moment::of(time, zone)),
                    // Fluentd: a number is written in the format and read again, so that what the format does not show is lost.
                    Some(format) => self.text(&Strftime::new(format).text(time, &Zone::Local)),
                }
            }
            _ => None,
        }
    }

    fn text(&self, text: &str) -> Option<Moment> {
        let now = EventTime::now();
        let Some(format) = &self.format else { return guess(text, now).ok().map(|read| moment(read, false)) };
        let Some(fast) = &format.fast else {
            let is_instant = ["%s", "%Q"].iter().any(|directive| format.text.contains(directive));
            return format.full.read(text, now).ok().map(|read| moment(read, is_instant));
        };
        // The fast reader says what is a time, and when; the other knows the offset. Times without a zone are local with this one.
        let time = fast.read(text.as_bytes(), &Zone::Local, EventTime::now).ok()?;
        let offset = format.full.read(text, now).map_or_else(|_| Zone::Local.offset_at(time.sec), |read| read.offset as i32);
        Some(Moment { sec: time.sec, nsec: time.nsec, offset })
    }
}

/// As Ruby's `DateTime` reads: a text without a zone is UTC's.
fn moment(read: Read, is_instant: bool) -> Moment {
    let Read { time, offset, zoned } = read;
    match (zoned, is_instant) {
        (true, _) => Moment { sec: time.sec, nsec: time.nsec, offset: offset as i32 },
        (false, true) => Moment { sec: time.sec, nsec: time.nsec, offset: 0 },
        (false, false) => Moment { sec: time.sec.saturating_add(offset), nsec: time.nsec, offset: 0 },
    }
}
