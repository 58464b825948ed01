//! The fast reader: few directives, trailing text ignored, no look at whether a day exists.

use super::fixed::Fixed;
use super::{MONTHS, NoTime, name};
use crate::event::civil::{DAY, date, days};
use crate::event::{EventTime, Zone};

/// A directive of a format, or what stands between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Year,
    ShortYear,
    Month,
    MonthName,
    Day,
    Hour,
    Minute,
    Second,
    Nanoseconds,
    Zone,
    Space,
    Byte(u8),
    Literal(Vec<u8>),
}

impl Step {
    /// Makes one byte two.
    fn lengthen(&mut self, next: u8) {
        if let Step::Byte(byte) = *self {
            *self = Step::Literal(vec![byte, next]);
        }
    }
}

/// A compiled format.
#[derive(Clone, Debug)]
pub struct Fast {
    steps: Vec<Step>,
    /// The first of them, where each stands at its place.
    fixed: Box<Fixed>,
}

/// What the steps found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) year: Option<i64>,
    pub(super) month: Option<u32>,
    pub(super) day: Option<i64>,
    pub(super) hour: Option<i64>,
    pub(super) minute: Option<i64>,
    pub(super) second: Option<i64>,
    pub(super) nanoseconds: u32,
    pub(super) offset: Option<i64>,
}

impl Fast {
    /// Compiles a format; `None` where it holds a directive that this reader does not know.
    pub fn compile(format: &str) -> Option<Fast> {
        let mut steps = Vec::new();
        let mut bytes = format.as_bytes();
        while let Some((first, rest)) = bytes.split_first() {
            bytes = rest;
            let step = match first {
                b'%' => {
                    let (letter, rest) = bytes.split_first()?;
                    bytes = rest;
                    match letter {
                        b'Y' => Step::Year,
                        b'y' => Step::ShortYear,
                        b'm' => Step::Month,
                        b'B' | b'b' | b'h' => Step::MonthName,
                        b'd' | b'e' => Step::Day,
                        b'H' => Step::Hour,
                        b'M' => Step::Minute,
                        b'S' => Step::Second,
                        b'N' => Step::Nanoseconds,
                        b'z' => Step::Zone,
                        b'n' => Step::Space,
                        _ => return None,
                    }
                }
                b' ' | 0x09..=0x0d => Step::Space,
                other => {
                    match steps.last_mut() {
                        Some(Step::Literal(literal)) => literal.push(*other),
                        Some(last) if matches!(last, Step::Byte(_)) => last.lengthen(*other),
                        _ => steps.push(Step::Byte(*other)),
                    }
                    continue;
                }
            };
            steps.push(step);
        }
        let fixed = Box::new(Fixed::of(&steps));
        Some(Fast { steps, fixed })
    }

    /// Reads a time. What the text does not say of the date is today's, of the time of day 0; `zone` counts where the text names none.
    pub fn read(&self, text: &[u8], zone: &Zone, now: fn() -> EventTime) -> Result<EventTime, NoTime> {
        let found = self.walk(text).ok_or_else(|| NoTime("string doesn't match".to_owned()))?;
        Ok(found.assemble(zone, now))
    }

    #[inline]
    fn walk(&self, text: &[u8]) -> Option<Found> {
        match self.fixed.read(text) {
            Some(found) if self.fixed.steps == self.steps.len() => Some(found),
            Some(found) => {
                let found = step_by_step(&self.steps[self.fixed.steps..], &text[self.fixed.length..], found);
                found.or_else(|| step_by_step(&self.steps, text, Found::default()))
            }
            None => step_by_step(&self.steps, text, Found::default()),
        }
    }
}

/// Adds what the steps find in the text.
fn step_by_step(steps: &[Step], text: &[u8], mut found: Found) -> Option<Found> {
    let mut rest = text;
    for step in steps {
        match step {
            Step::Byte(byte) => rest = rest.split_first().filter(|(first, _)| *first == byte)?.1,
            Step::Literal(literal) => rest = rest.strip_prefix(literal.as_slice())?,
            Step::Space => rest = behind_space(rest),
            Step::Year => {
                let negative = rest.first() == Some(&b'-');
                let unsigned = if matches!(rest.first(), Some(b'-' | b'+')) { &rest[1..] } else { rest };
                let year = number(unsigned, 4, &mut rest)?;
                found.year = Some(if negative { -year } else { year });
            }
            Step::ShortYear => {
                let year = number(rest, 2, &mut rest)?;
                found.year = Some(if year < 69 { 2000 + year } else { 1900 + year });
            }
            Step::Month => found.month = Some(number(rest, 2, &mut rest).filter(|month| (1..=12).contains(month))? as u32),
            Step::MonthName => {
                let (month, length) = name(&MONTHS, rest)?;
                rest = &rest[length..];
                found.month = Some(month as u32 + 1);
            }
            Step::Day => found.day = Some(number(rest, 2, &mut rest).filter(|day| (1..=31).contains(day))?),
            Step::Hour => found.hour = Some(number(rest, 2, &mut rest).filter(|hour| *hour <= 23)?),
            Step::Minute => found.minute = Some(number(rest, 2, &mut rest).filter(|minute| *minute <= 59)?),
            Step::Second => found.second = Some(number(rest, 2, &mut rest).filter(|second| *second <= 60)?),
            Step::Nanoseconds => {
                let before = rest.len();
                let digits = number(rest, 9, &mut rest)?;
                found.nanoseconds = (digits * 10i64.pow(9 - (before - rest.len()) as u32)) as u32;
            }
            Step::Zone => found.offset = Some(offset(&mut rest)?),
        }
    }
    Some(found)
}

fn behind_space(text: &[u8]) -> &[u8] {
    let length = text.iter().position(|byte| !matches!(byte, b' ' | 0x09..=0x0d)).unwrap_or(text.len());
    &text[length..]
}

/// One to `most` digits; the rest of the text is put into `rest`.
#[inline]
fn number<'t>(text: &'t [u8], most: usize, rest: &mut &'t [u8]) -> Option<i64> {
    // Mostly all digits are there, and there are two.
    if most == 2
        && let [first @ b'0'..=b'9', second @ b'0'..=b'9', behind @ ..] = text
    {
        *rest = behind;
        return Some(i64::from(first - b'0') * 10 + i64::from(second - b'0'));
    }
    let mut value = 0;
    let mut length = 0;
    while let Some(digit @ b'0'..=b'9') = text.get(length).filter(|_| length < most) {
        value = value * 10 + i64::from(digit - b'0');
        length += 1;
    }
    *rest = &text[length..];
    (length > 0).then_some(value)
}

/// `Z`, which is looked at but not passed, or `+HH`, `+HHMM`, `+HH:MM`; the sign may be missing.
fn offset(rest: &mut &[u8]) -> Option<i64> {
    let text = *rest;
    let first = text.first()?;
    if matches!(first, b'z' | b'Z') {
        return Some(0);
    }
    let mut behind = text;
    let hours = number(if matches!(first, b'-' | b'+') { &text[1..] } else { text }, 2, &mut behind)?;
    let behind_colon = behind.strip_prefix(b":").unwrap_or(behind);
    let minutes = number(behind_colon, 2, rest).unwrap_or(0);
    let seconds = (hours * 60 + minutes) * 60;
    if seconds >= DAY {
        return None;
    }
    Some(if *first == b'-' { -seconds } else { seconds })
}

impl Found {
    #[inline]
    fn assemble(self, zone: &Zone, now: fn() -> EventTime) -> EventTime {
        let second_of_day = self.hour.unwrap_or(0) * 3600 + self.minute.unwrap_or(0) * 60 + self.second.unwrap_or(0);
        let wall = match self.year {
            Some(year) => days(year, self.month.unwrap_or(1), self.day.unwrap_or(1)) * DAY + second_of_day,
            None => self.by_today(zone, now()),
        };
        let sec = match self.offset {
            Some(offset) => wall - offset,
            None => zone.from_wall(wall),
        };
        EventTime { sec, nsec: self.nanoseconds }
    }

    /// What the clock shows where the text names no year: what is greater than the greatest named part is the present.
    #[cold]
    fn by_today(&self, zone: &Zone, now: EventTime) -> i64 {
        let present = now.sec + self.offset.unwrap_or_else(|| i64::from(zone.offset_at(now.sec)));
        let (year, this_month, this_day) = date(present.div_euclid(DAY));
        let in_day = present.rem_euclid(DAY);
        let (month, day, first) = match (self.month, self.day) {
            (Some(month), day) => (month, day.unwrap_or(1), true),
            (None, Some(day)) => (this_month, day, true),
            (None, None) => (this_month, i64::from(this_day), false),
        };
        let second_of_day = match (self.hour, self.minute, self.second) {
            (Some(hour), minute, second) => hour * 3600 + minute.unwrap_or(0) * 60 + second.unwrap_or(0),
            (None, minute, second) if first => minute.unwrap_or(0) * 60 + second.unwrap_or(0),
            (None, Some(minute), second) => in_day / 3600 * 3600 + minute * 60 + second.unwrap_or(0),
            (None, None, Some(second)) => in_day / 60 * 60 + second,
            (None, None, None) => in_day,
        };
        days(year, month, day) * DAY + second_of_day
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is tried in the place of each byte of a text.
    const OTHERS: &[u8] = b" 09:/-+aZzy\t\xff";

    #[test]
    fn places_of_their_own_give_what_going_step_by_step_gives() {
        let rows = [
            ("%d/%b/%Y:%H:%M:%S %z", "14/Nov/2023:22:01:59 +0530"),
            ("%Y-%m-%dT%H:%M:%S.%N%z", "2023-02-28T00:59:60.123456789-0100"),
            ("%b %d %H:%M:%S", "may 05 10:20:30"),
            ("%b  %d %n%H", "Sep 5 10"),
            ("%B%y%d", "March0506"),
            ("%bch %d", "Marchch 07"),
            ("%B %d %m", "December 10 11"),
            ("%m %b", "03 Apr"),
            ("%d %d %S", "05  06 07"),
            ("%z %Y", "+0100 2019"),
            ("%Y%m%d%H%M%S", "20190807060504"),
            ("at %H", "at 7"),
            ("%y-%m", "19-08"),
            ("%H", "5"),
        ];
        for (format, text) in rows {
            let fast = Fast::compile(format).expect(format);
            let same = |text: &[u8]| assert_eq!(fast.walk(text), step_by_step(&fast.steps, text, Found::default()), "{format} of {text:?}");
            assert!(fast.walk(text.as_bytes()).is_some(), "{format} of {text}");
            for at in 0..=text.len() {
                same(&text.as_bytes()[..at]);
                for byte in OTHERS {
                    let (before, behind) = text.as_bytes().split_at(at);
                    same(&[before, &[*byte], behind].concat());
                    same(&[before, &[*byte], behind.get(1..).unwrap_or_default()].concat());
                }
                let (before, behind) = text.as_bytes().split_at(at);
                same(&[before, behind.get(1..).unwrap_or_default()].concat());
            }
        }
    }
}
