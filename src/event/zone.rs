//! Time zones: offsets, names of the embedded database, and the machine's own.

use super::civil::DAY;
use jiff::tz::TimeZone;
use jiff::{Timestamp, civil};
use std::sync::LazyLock;

static LOCAL: LazyLock<TimeZone> = LazyLock::new(TimeZone::system);

/// A time zone.
#[derive(Clone, Debug)]
pub enum Zone {
    /// UTC, written `Z` where a format has a way to.
    Utc,
    /// That of the machine, or of the environment variable `TZ`.
    Local,
    /// Seconds east of UTC.
    Fixed(i32),
    /// One of the database.
    Named(TimeZone),
}

impl Zone {
    /// `+09:00`, `+0900`, `+09`, `Region/City` or `Region/Area/City`; an error in Fluentd's words for anything else.
    pub fn parse(text: &str) -> Result<Zone, String> {
        if let Some(offset) = numeric(text) {
            return Ok(Zone::Fixed(offset));
        }
        let parts = text.split('/').collect::<Vec<_>>();
        if !(2..=3).contains(&parts.len()) || parts.iter().any(|part| part.is_empty()) {
            return Err(format!("Unsupported timezone '{text}'"));
        }
        match TimeZone::get(text) {
            // Names are matched exactly, as the library that Fluentd uses does.
            Ok(zone) if zone.iana_name().is_none_or(|name| name == text) => Ok(Zone::Named(zone)),
            _ => Err(format!("Unsupported timezone '{text}'")),
        }
    }

    /// Seconds east of UTC at a time in seconds since 1970.
    pub fn offset_at(&self, sec: i64) -> i32 {
        match self {
            Zone::Utc => 0,
            Zone::Fixed(offset) => *offset,
            Zone::Local => offset_in(&LOCAL, sec),
            Zone::Named(zone) => offset_in(zone, sec),
        }
    }

    /// Seconds since 1970 of what a clock in this zone shows (as seconds since 1970 as if it were UTC).
    pub fn from_wall(&self, wall: i64) -> i64 {
        match self {
            Zone::Utc => wall,
            Zone::Fixed(offset) => wall - i64::from(*offset),
            Zone::Local => wall_in(&LOCAL, wall),
            Zone::Named(zone) => wall_in(zone, wall),
        }
    }

    /// The zone's abbreviation at a time: `UTC`, `JST`; empty for an offset.
    pub fn abbreviation(&self, sec: i64) -> String {
        let zone = match self {
            Zone::Utc => return "UTC".to_owned(),
            Zone::Fixed(_) => return String::new(),
            Zone::Local => &*LOCAL,
            Zone::Named(zone) => zone,
        };
        timestamp(sec).map_or_else(String::new, |at| zone.to_offset_info(at).abbreviation().to_owned())
    }
}

fn timestamp(sec: i64) -> Option<Timestamp> {
    Timestamp::from_second(sec).ok()
}

fn offset_in(zone: &TimeZone, sec: i64) -> i32 {
    if *zone == TimeZone::UTC {
        return 0;
    }
    timestamp(sec).map_or(0, |at| zone.to_offset(at).seconds())
}

fn wall_in(zone: &TimeZone, wall: i64) -> i64 {
    if *zone == TimeZone::UTC {
        return wall;
    }
    let (year, month, day) = super::civil::date(wall.div_euclid(DAY));
    let second = wall.rem_euclid(DAY);
    let shown = i16::try_from(year).ok().and_then(|year| {
        civil::DateTime::new(year, month as i8, day as i8, (second / 3600) as i8, (second / 60 % 60) as i8, (second % 60) as i8, 0).ok()
    });
    // In a gap the offset before it counts, of two equal times the first.
    shown.and_then(|shown| zone.to_ambiguous_timestamp(shown).compatible().ok()).map_or(wall, |at| at.as_second())
}

/// `+HH:MM`, `+HHMM` or `+HH` in seconds.
pub(super) fn numeric(text: &str) -> Option<i32> {
    let bytes = text.as_bytes();
    let (hours, minutes) = match bytes.get(1..)? {
        [h1, h2] => ([*h1, *h2], *b"00"),
        [h1, h2, m1, m2] | [h1, h2, b':', m1, m2] => ([*h1, *h2], [*m1, *m2]),
        _ => return None,
    };
    let number =
        |digits: [u8; 2]| digits.iter().all(u8::is_ascii_digit).then(|| i32::from(digits[0] - b'0') * 10 + i32::from(digits[1] - b'0'));
    let offset = number(hours)? * 3600 + number(minutes)? * 60;
    match bytes[0] {
        b'+' => Some(offset),
        b'-' => Some(-offset),
        _ => None,
    }
}
