//! Names of indexes: prefix and date, lower-cased, each date formatted once.

use super::timestamp::Moment;
use jiff::tz::{Offset, TimeZone};

/// All clocks of the world show another quarter of an hour together: within one, a date without minutes stays the same.
const QUARTER_HOUR: i64 = 900;
/// A moment at which adding a second changes nothing else, nor adding a minute the hour.
const CHECKED_AT: i64 = 1_451_606_400;

/// How long a date in a name stays the same.
fn stays(format: &str) -> i64 {
    let shown = |sec| strftime(format, sec, &TimeZone::UTC);
    let at_rest = shown(CHECKED_AT);
    if shown(CHECKED_AT + 1) != at_rest {
        1
    } else if shown(CHECKED_AT + 60) != at_rest {
        60
    } else {
        QUARTER_HOUR
    }
}

/// The index of events whose name has a date.
pub struct Dated {
    prefix: String,
    format: String,
    utc: bool,
    unit: i64,
    last: Option<(i64, i32)>,
    name: String,
}

impl Dated {
    /// For names of this prefix, separator included, and date.
    pub fn new(prefix: String, format: String, utc: bool) -> Dated {
        let unit = stays(&format);
        Dated { prefix, format, utc, unit, last: None, name: String::new() }
    }

    /// The name for a moment, and whether it may be another than the last time.
    #[inline]
    pub fn name(&mut self, moment: Moment) -> (&str, bool) {
        let offset = if self.utc { 0 } else { moment.offset };
        let slot = (moment.sec.div_euclid(self.unit), offset);
        let changed = self.last != Some(slot);
        if changed {
            self.last = Some(slot);
            let zone = Offset::from_seconds(offset).map_or(TimeZone::UTC, TimeZone::fixed);
            let date = strftime(&self.format, moment.sec, &zone);
            self.name = format!("{}{date}", self.prefix).to_lowercase();
        }
        (&self.name, changed)
    }
}

fn strftime(format: &str, sec: i64, zone: &TimeZone) -> String {
    match jiff::Timestamp::from_second(sec) {
        Ok(time) => jiff::fmt::strtime::format(format, &time.to_zoned(zone.clone())).unwrap_or_else(|_| format.to_owned()),
        Err(_) => format.to_owned(),
    }
}
