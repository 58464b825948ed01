//! The `@timestamp` of documents: how moments are written, and where they come from.

use crate::event::EventTime;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A moment and the offset from UTC that it is shown in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Seconds since 1970.
    pub sec: i64,
    /// Nanoseconds past that.
    pub nsec: u32,
    /// Seconds east of UTC.
    pub offset: i32,
}

impl Moment {
    /// The time of an event as this zone's clocks show it.
    pub fn of(time: EventTime, zone: &TimeZone) -> Moment {
        let offset = Timestamp::from_second(time.sec).map_or(0, |at| zone.to_offset(at).seconds());
        Moment { sec: time.sec, nsec: time.nsec.min(999_999_999), offset }
    }

    /// The day since 1970 that clocks there show, and the second of that day.
    fn day_and_second(&self) -> (i64, i64) {
        let local = self.sec.saturating_add(i64::from(self.offset));
        (local.div_euclid(86_400), local.rem_euclid(86_400))
    }

    /// Appends it as ISO 8601 with so many digits of the second's fraction, the rest cut off.
    pub fn write(&self, precision: usize, out: &mut Vec<u8>) {
        let (days, second) = self.day_and_second();
        let (year, month, day) = civil(days);
        write_year(year, out);
        for (before, number) in [(b'-', month), (b'-', day), (b'T', second / 3600), (b':', second / 60 % 60), (b':', second % 60)] {
            out.push(before);
            write_two(number, out);
        }
        write_fraction(self.nsec, precision, out);
        let minutes = self.offset.unsigned_abs() as i64 / 60;
        out.push(if self.offset < 0 { b'-' } else { b'+' });
        write_two(minutes / 60, out);
        out.push(b':');
        write_two(minutes % 60, out);
    }
}

fn write_two(number: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(&[b'0' + (number / 10 % 10) as u8, b'0' + (number % 10) as u8]);
}

fn write_year(year: i64, out: &mut Vec<u8>) {
    if (0..=9999).contains(&year) {
        write_two(year / 100, out);
        write_two(year % 100, out);
    } else {
        out.extend_from_slice(format!("{year:05}").as_bytes());
    }
}

fn write_fraction(nsec: u32, precision: usize, out: &mut Vec<u8>) {
    if precision == 0 {
        return;
    }
    out.push(b'.');
    out.extend_from_slice(&nine_digits(nsec)[..precision.min(9)]);
    out.resize(out.len() + precision.saturating_sub(9), b'0');
}

/// The digits of a number below a thousand million. The parts do not wait for each other.
#[inline]
fn nine_digits(number: u32) -> [u8; 9] {
    let (high, low) = (number / 100_000, number % 100_000);
    let digit = |number: u32, unit: u32| b'0' + (number / unit % 10) as u8;
    [
        digit(high, 1000),
        digit(high, 100),
        digit(high, 10),
        digit(high, 1),
        digit(low, 10_000),
        digit(low, 1000),
        digit(low, 100),
        digit(low, 10),
        digit(low, 1),
    ]
}

/// Year, month and day of a number of days since 1970, in the Gregorian calendar for all times.
fn civil(days: i64) -> (i64, i64, i64) {
    // Years are counted from March on, so that the leap day is the last; 146,097 days are 400 years.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

/// Writes the times of events, with what stands around them; neighbours mostly share a second, often all of it.
pub struct Stamps<'z> {
    zone: &'z TimeZone,
    precision: usize,
    before: &'static [u8],
    behind: Vec<u8>,
    last: Option<EventTime>,
    /// The day since 1970 that `text` shows, and the offset from UTC.
    day: Option<(i64, i32)>,
    text: Vec<u8>,
}

/// Bytes of a text up to the seconds, for years of four digits.
const TO_SECONDS: usize = "2026-01-02T03:04:05".len();

impl<'z> Stamps<'z> {
    /// For times in this zone with so many digits of fraction, between these texts.
    pub fn new(zone: &'z TimeZone, precision: usize, before: &'static [u8], behind: Vec<u8>) -> Stamps<'z> {
        Stamps { zone, precision, before, behind, last: None, day: None, text: Vec::with_capacity(128) }
    }

    /// The text of a time, with what stands around it.
    #[inline]
    pub fn text(&mut self, time: EventTime) -> &[u8] {
        if self.last != Some(time) {
            self.write(time);
        }
        &self.text
    }

    fn write(&mut self, time: EventTime) {
        let is_same_second = self.last.is_some_and(|last| last.sec == time.sec);
        // With a year of four digits, each part has its place.
        let is_usual = self.text.get(self.before.len() + 4) == Some(&b'-') && self.precision <= 9;
        self.last = Some(time);
        if !(is_same_second && is_usual) {
            let moment = Moment::of(time, self.zone);
            let (day, second) = moment.day_and_second();
            if !is_usual || self.day != Some((day, moment.offset)) {
                self.day = Some((day, moment.offset));
                self.text.clear();
                self.text.extend_from_slice(self.before);
                moment.write(self.precision, &mut self.text);
                self.text.extend_from_slice(&self.behind);
                return;
            }
            self.put_clock(second as u32);
        }
        if self.precision > 0 {
            self.put_fraction(time.nsec.min(999_999_999));
        }
    }

    fn put_clock(&mut self, second: u32) {
        let end = self.before.len() + TO_SECONDS;
        for (place, number) in [(8, second / 3600), (5, second / 60 % 60), (2, second % 60)] {
            let digits = [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
            self.text[end - place..end - place + 2].copy_from_slice(&digits);
        }
    }

    fn put_fraction(&mut self, nsec: u32) {
        let point = self.before.len() + TO_SECONDS;
        let digits = nine_digits(nsec);
        self.text[point + 1..=point + self.precision].copy_from_slice(&digits[..self.precision]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(sec: i64, nsec: u32, offset: i32, precision: usize) -> String {
        let mut out = Vec::new();
        Moment { sec, nsec, offset }.write(precision, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn moments_are_written_as_iso8601_in_their_own_offset() {
        assert_eq!(text(0, 0, 0, 9), "1970-01-01T00:00:00.000000000+00:00");
        assert_eq!(text(951_782_399, 5, 0, 0), "2000-02-28T23:59:59+00:00");
        assert_eq!(text(951_782_400, 987_654_321, 34_200, 3), "2000-02-29T09:30:00.987+09:30");
        assert_eq!(text(-1, 0, -3600, 1), "1969-12-31T22:59:59.0-01:00");
        assert_eq!(text(4_107_542_399, 1, 0, 11), "2100-02-28T23:59:59.00000000100+00:00");
    }

    #[test]
    fn cached_texts_are_those_of_fresh_ones() {
        let zone = TimeZone::fixed(jiff::tz::Offset::from_seconds(-16_200).unwrap());
        for precision in [0, 3, 9, 12] {
            let mut stamps = Stamps::new(&zone, precision, b"<", b">".to_vec());
            for (sec, nsec) in [(1, 0), (1, 0), (1, 999_999_999), (2, 5), (86_399, 1_000_000), (1, 7), (172_800, 0), (172_863, 3), (1, 0)] {
                let expected = format!("<{}>", text(sec, nsec, -16_200, precision));
                assert_eq!(stamps.text(EventTime { sec, nsec }), expected.as_bytes());
            }
        }
    }
}
