//! Names of indexes: prefix and date, lower-cased, each date formatted once.

use super::timestamp::Moment;
use crate::event::{EventTime, Strftime, Zone};

/// All clocks of the world show another quarter of an hour together: within one, a date without minutes stays the same.
const QUARTER_HOUR: i64 = 900;
/// A moment at which adding a second changes nothing else, nor adding a minute the hour.
const CHECKED_AT: i64 = 1_451_606_400;

/// How long a date in a name stays the same; `None` where it never does.
fn stays(format: &Strftime) -> Option<i64> {
    let shown = |sec| format.text(EventTime::from_secs(sec), &Zone::Utc);
    let at_rest = shown(CHECKED_AT);
    if format.shows_fractions() {
        None
    } else if shown(CHECKED_AT + 1) != at_rest {
        Some(1)
    } else if shown(CHECKED_AT + 60) != at_rest {
        Some(60)
    } else {
        Some(QUARTER_HOUR)
    }
}

/// The index of events whose name has a date.
pub struct Dated {
    prefix: String,
    format: Strftime,
    utc: bool,
    unit: Option<i64>,
    last: Option<(i64, i32)>,
    name: String,
}

impl Dated {
    /// For names of this prefix, separator included, and date.
    pub fn new(prefix: String, format: &str, utc: bool) -> Dated {
        let format = Strftime::new(format);
        let unit = stays(&format);
        Dated { prefix, format, utc, unit, last: None, name: String::new() }
    }

    /// Whether two events of one second may belong to two indexes.
    #[inline]
    pub fn differs_within_seconds(&self) -> bool {
        self.unit.is_none()
    }

    /// The name for a moment, and whether it may be another than the last time.
    #[inline]
    pub fn name(&mut self, moment: Moment) -> (&str, bool) {
        let offset = if self.utc { 0 } else { moment.offset };
        let slot = self.unit.map(|unit| (moment.sec.div_euclid(unit), offset));
        let changed = slot.is_none() || self.last != slot;
        if changed {
            self.last = slot;
            let date = self.format.text(EventTime { sec: moment.sec, nsec: moment.nsec }, &Zone::Fixed(offset));
            self.name = format!("{}{date}", self.prefix).to_lowercase();
        }
        (&self.name, changed)
    }
}
