//! The usual shape of a time without a format, read without a look at all the others: `2023-11-14T22:13:20.5+01:00`, with a blank for the `T`,
//! and without fraction and zone. What is only a little odd is left to those who know all shapes.

use super::Read;
use super::fields::local;
use crate::event::EventTime;
use crate::event::civil::{DAY, days};

/// Bytes of date and time of day.
const LEAST_BYTES: usize = 19;

/// Reads such a time; `None` for any other text. `separator` says what may stand between date and time of day.
pub(super) fn read(text: &str, separator: impl Fn(u8) -> bool) -> Option<Read> {
    let (head, rest) = text.as_bytes().split_first_chunk::<LEAST_BYTES>()?;
    let marks = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    if !separator(head[10]) || marks.iter().any(|(at, mark)| head[*at] != *mark) {
        return None;
    }
    let year = two(&head[0..2])? * 100 + two(&head[2..4])?;
    let (month, day) = (two(&head[5..7])?, two(&head[8..10])?);
    let (hour, minute, second) = (two(&head[11..13])?, two(&head[14..16])?, two(&head[17..19])?);
    let exists = year >= 1000 && (1..=12).contains(&month) && day >= 1 && day <= length(year, month);
    if !exists || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (nsec, zone) = fraction(rest)?;
    let wall = days(year, month as u32, day) * DAY + hour * 3600 + minute * 60 + second;
    match offset(zone)? {
        Some(offset) => Some(Read { time: EventTime { sec: wall - offset, nsec }, offset, zoned: true }),
        None => Some(local(wall, nsec)),
    }
}

/// A number of two digits.
fn two(text: &[u8]) -> Option<i64> {
    match text {
        [first @ b'0'..=b'9', second @ b'0'..=b'9'] => Some(i64::from(first - b'0') * 10 + i64::from(second - b'0')),
        _ => None,
    }
}

/// Days of a month.
fn length(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Nanoseconds of a fraction of up to nine digits, and what is behind it.
fn fraction(text: &[u8]) -> Option<(u32, &[u8])> {
    let Some(digits) = text.strip_prefix(b".") else { return Some((0, text)) };
    let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=9).contains(&count) {
        return None;
    }
    let (digits, rest) = digits.split_at(count);
    let number = digits.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'));
    Some((number * 10u32.pow(9 - count as u32), rest))
}

/// Seconds east of UTC that `Z`, `+01:00` or `+0100` name; `Some(None)` where there is no zone.
fn offset(text: &[u8]) -> Option<Option<i64>> {
    let (sign, hours, minutes) = match text {
        [] => return Some(None),
        b"Z" => return Some(Some(0)),
        [sign @ (b'+' | b'-'), hours @ .., b':', m1, m2] if hours.len() == 2 => (sign, two(hours)?, two(&[*m1, *m2])?),
        [sign @ (b'+' | b'-'), digits @ ..] if digits.len() == 4 => (sign, two(&digits[..2])?, two(&digits[2..])?),
        _ => return None,
    };
    if hours > 23 || minutes > 59 {
        return None;
    }
    let seconds = (hours * 60 + minutes) * 60;
    Some(Some(if *sign == b'-' { -seconds } else { seconds }))
}

#[cfg(test)]
mod tests {
    use super::super::guess::{guess_any, iso8601_any};
    use super::*;

    #[test]
    fn what_is_read_here_is_what_those_read_who_know_all_shapes() {
        let dates =
            ["2023-11-14", "2024-02-29", "2023-02-29", "1999-12-31", "2023-00-10", "0099-01-01", "2023-04-31", "2100-02-28", "9999-01-30"];
        let times = ["22:13:20", "00:00:00", "23:59:59", "23:59:60", "24:00:00", "7:00:00", "12:61:00"];
        let fractions = ["", ".5", ".000001", ".123456789", ".1234567891", ".", ",5"];
        let zones = ["", "Z", "z", "+00:00", "-00:00", "+0900", "-12:30", "+14:00", "+23:59", "+24:00", "+9", "+05", " +0100", " UTC", "x"];
        let (mut read_here, now) = (0, EventTime::from_secs(1_700_000_000));
        for date in dates {
            for (separator, time) in ["T", " ", "t", "_"].iter().flat_map(|separator| times.map(|time| (separator, time))) {
                for (fraction, zone) in fractions.iter().flat_map(|fraction| zones.map(|zone| (fraction, zone))) {
                    let text = format!("{date}{separator}{time}{fraction}{zone}");
                    if let Some(found) = read(&text, |byte| matches!(byte, b'T' | b' ')) {
                        assert_eq!(Ok(found), guess_any(&text, now), "{text}");
                        read_here += 1;
                    }
                    if let Some(found) = read(&text, |byte| byte == b'T') {
                        assert_eq!(Ok(found), iso8601_any(&text), "{text}");
                    }
                }
            }
        }
        assert!(read_here > 500, "{read_here}");
    }
}
