//! Times and dates: an instant and the zone it is shown in.

use super::strftime::strftime;
use crate::event::EventTime;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

/// The zone a time is shown in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zone {
    /// This machine's.
    Local,
    /// UTC.
    Utc,
    /// So many seconds east of Greenwich.
    Fixed(i32),
}

/// What the value calls itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// `Time`.
    Time,
    /// `Fluent::EventTime`: seconds where text is wanted.
    Event,
    /// `Date`.
    Date,
    /// `DateTime`.
    DateTime,
}

/// A time or date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Seconds since 1970.
    pub sec: i64,
    /// Nanoseconds past `sec`.
    pub nsec: u32,
    /// The zone.
    pub zone: Zone,
    /// What it is.
    pub flavour: Flavour,
}

impl Moment {
    /// A time in this machine's zone.
    pub fn local(time: EventTime) -> Moment {
        Moment { sec: time.sec, nsec: time.nsec, zone: Zone::Local, flavour: Flavour::Time }
    }

    /// The time of an event, as record_modifier sees it.
    pub fn event(time: EventTime) -> Moment {
        Moment { flavour: Flavour::Event, ..Moment::local(time) }
    }

    /// A time of a date and clock in a zone; `None` where there is no such time.
    pub fn of_civil(civil: DateTime, zone: Zone) -> Option<Moment> {
        let zoned = civil.to_zoned(zone.time_zone()).ok()?;
        let nsec = zoned.subsec_nanosecond().unsigned_abs();
        let sec = (zoned.timestamp().as_nanosecond().div_euclid(1_000_000_000)) as i64;
        Some(Moment { sec, nsec, zone, flavour: Flavour::Time })
    }

    /// Seconds and nanoseconds, for comparisons.
    pub fn instant(&self) -> (i64, u32) {
        (self.sec, self.nsec)
    }

    /// As an event's time.
    pub fn event_time(&self) -> EventTime {
        EventTime { sec: self.sec, nsec: self.nsec }
    }

    /// Nanoseconds since 1970.
    pub fn nanoseconds(&self) -> i128 {
        i128::from(self.sec) * 1_000_000_000 + i128::from(self.nsec)
    }

    /// The same zone and flavour at another instant.
    pub fn at(&self, nanoseconds: i128) -> Option<Moment> {
        let sec = i64::try_from(nanoseconds.div_euclid(1_000_000_000)).ok()?;
        Timestamp::from_second(sec).ok()?;
        Some(Moment { sec, nsec: nanoseconds.rem_euclid(1_000_000_000) as u32, ..*self })
    }

    /// Date and clock in the zone.
    pub fn civil(&self) -> DateTime {
        self.offset().to_datetime(self.timestamp())
    }

    /// Seconds east of Greenwich.
    pub fn offset_seconds(&self) -> i32 {
        self.offset().seconds()
    }

    /// The zone's short name; `None` for a bare offset.
    pub fn zone_name(&self) -> Option<String> {
        match self.zone {
            Zone::Utc => Some("UTC".to_owned()),
            Zone::Fixed(_) => None,
            Zone::Local => Some(TimeZone::system().to_offset_info(self.timestamp()).abbreviation().to_owned()),
        }
    }

    /// The class.
    pub fn class(&self) -> &'static str {
        match self.flavour {
            Flavour::Time => "Time",
            Flavour::Event => "Fluent::EventTime",
            Flavour::Date => "Date",
            Flavour::DateTime => "DateTime",
        }
    }

    /// `to_s`.
    pub fn to_s(&self) -> String {
        match (self.flavour, self.zone) {
            (Flavour::Event, _) => self.sec.to_string(),
            (Flavour::Date, _) => strftime(self, "%Y-%m-%d"),
            (Flavour::DateTime, _) => strftime(self, "%Y-%m-%dT%H:%M:%S%:z"),
            (Flavour::Time, Zone::Utc) => strftime(self, "%Y-%m-%d %H:%M:%S UTC"),
            (Flavour::Time, _) => strftime(self, "%Y-%m-%d %H:%M:%S %z"),
        }
    }

    /// `inspect`: with the fraction of the second.
    pub fn inspect(&self) -> String {
        if self.flavour != Flavour::Time {
            return self.to_s();
        }
        let zone = if self.zone == Zone::Utc { "UTC" } else { "%z" };
        let fraction = format!("{:09}", self.nsec);
        let fraction = fraction.trim_end_matches('0');
        let dot = if fraction.is_empty() { "" } else { "." };
        strftime(self, &format!("%Y-%m-%d %H:%M:%S{dot}{fraction} {zone}"))
    }

    /// `iso8601(digits)`.
    pub fn iso8601(&self, digits: usize) -> String {
        let fraction = if digits == 0 { String::new() } else { format!(".%{digits}N") };
        let zone = if self.zone == Zone::Utc { "Z" } else { "%:z" };
        strftime(self, &format!("%Y-%m-%dT%H:%M:%S{fraction}{zone}"))
    }

    fn timestamp(&self) -> Timestamp {
        Timestamp::from_second(self.sec)
            .and_then(|whole| Timestamp::new(whole.as_second(), self.nsec.min(999_999_999) as i32))
            .unwrap_or_default()
    }

    fn offset(&self) -> Offset {
        match self.zone {
            Zone::Utc => Offset::UTC,
            Zone::Fixed(seconds) => Offset::from_seconds(seconds).unwrap_or(Offset::UTC),
            Zone::Local => TimeZone::system().to_offset(self.timestamp()),
        }
    }
}

impl Zone {
    /// The zone of `+09:00`, `+0900`, `UTC`, `Z`; `None` for what is neither.
    pub fn parse(text: &str) -> Option<Zone> {
        if matches!(text, "UTC" | "Z" | "GMT" | "-00:00" | "utc" | "z") {
            return Some(Zone::Utc);
        }
        let (sign, digits) = match text.strip_prefix('-') {
            Some(digits) => (-1, digits),
            None => (1, text.strip_prefix('+')?),
        };
        let digits: String = digits.chars().filter(|c| *c != ':').collect();
        if !matches!(digits.len(), 2 | 4 | 6) || !digits.chars().all(|c| c.is_ascii_digit()) {
            return None;
        }
        let part = |at: usize| digits.get(at..at + 2).map_or(0, |two| two.parse::<i32>().unwrap_or(0));
        let seconds = part(0) * 3600 + part(2) * 60 + part(4);
        (part(2) < 60 && part(0) < 24).then_some(Zone::Fixed(sign * seconds))
    }

    /// As jiff's.
    pub fn time_zone(self) -> TimeZone {
        match self {
            Zone::Local => TimeZone::system(),
            Zone::Utc => TimeZone::UTC,
            Zone::Fixed(seconds) => Offset::from_seconds(seconds).map_or(TimeZone::UTC, |offset| offset.to_time_zone()),
        }
    }
}
