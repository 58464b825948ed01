//! The values of `time_key`: texts and numbers to moments.

use super::timestamp::Moment;
use crate::event::{EventTime, Value};
use jiff::tz::TimeZone;

/// Reads the values of a field as times.
#[derive(Clone, Debug)]
pub struct TimeParser {
    format: Option<String>,
}

impl TimeParser {
    /// By a format, or by guessing.
    pub fn new(format: Option<&str>) -> TimeParser {
        TimeParser { format: format.map(str::to_owned) }
    }

    /// The format as configured.
    pub fn format(&self) -> Option<&str> {
        self.format.as_deref()
    }

    /// The moment that a value means; `None` where it means none.
    pub fn parse(&self, value: &Value<'_>, zone: &TimeZone) -> Option<Moment> {
        match value {
            Value::Str(text) => self.text(std::str::from_utf8(text).ok()?, zone),
            Value::Int(sec) => Some(Moment::of(EventTime::from_secs(*sec), zone)),
            Value::Float(seconds) => Some(Moment::of(EventTime::from_f64(*seconds), zone)),
            _ => None,
        }
    }

    fn text(&self, text: &str, zone: &TimeZone) -> Option<Moment> {
        let _ = zone;
        let at: jiff::Timestamp = text.parse().ok()?;
        Some(Moment { sec: at.as_second(), nsec: at.subsec_nanosecond() as u32, offset: 0 })
    }
}
