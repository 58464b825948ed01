//! The beginning of a format whose parts stand at places that follow from the format alone, as nearly every time has them: `%d/%b/%Y:%H`
//! is two digits, a slash, three letters, and so on. What is written otherwise is for the reader that goes step by step.

use super::fast::{Found, Step};
use super::{MONTHS, word};
use crate::event::civil::DAY;

/// Places of the parts, of those that the beginning has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fixed {
    /// How many steps it covers.
    pub(super) steps: usize,
    /// How many bytes.
    pub(super) length: usize,
    year: Option<usize>,
    month: Option<usize>,
    month_name: Option<usize>,
    day: Option<usize>,
    hour: Option<usize>,
    minute: Option<usize>,
    second: Option<usize>,
    zone: Option<usize>,
    /// The bytes between them.
    others: Vec<(usize, u8)>,
}

impl Fixed {
    /// As many of the steps as stand at places of their own.
    pub(super) fn of(steps: &[Step]) -> Fixed {
        let mut fixed = Fixed::default();
        for (at, step) in steps.iter().enumerate() {
            if !fixed.add(step, steps.get(at + 1)) {
                break;
            }
            fixed.steps += 1;
        }
        fixed
    }

    fn add(&mut self, step: &Step, next: Option<&Step>) -> bool {
        let others: &[u8] = match step {
            Step::Byte(byte) => &[*byte],
            Step::Literal(literal) => literal,
            // One space, behind which there cannot be another.
            Step::Space if next.is_some_and(Step::begins_at_once) => b" ",
            _ => b"",
        };
        if !others.is_empty() {
            self.others.extend(others.iter().enumerate().map(|(at, byte)| (self.length + at, *byte)));
            self.length += others.len();
            return true;
        }
        let names_month = matches!(step, Step::Month | Step::MonthName);
        let has_month = self.month.is_some() || self.month_name.is_some();
        let (place, length) = match step {
            Step::Year => (&mut self.year, 4),
            Step::Month => (&mut self.month, 2),
            // Letters behind it may be the rest of the name.
            Step::MonthName if !next.is_some_and(Step::begins_with_a_letter) => (&mut self.month_name, 3),
            Step::Day => (&mut self.day, 2),
            Step::Hour => (&mut self.hour, 2),
            Step::Minute => (&mut self.minute, 2),
            Step::Second => (&mut self.second, 2),
            Step::Zone => (&mut self.zone, 5),
            _ => return false,
        };
        // Of two that say the same the last counts.
        if place.is_some() || (names_month && has_month) {
            return false;
        }
        *place = Some(self.length);
        self.length += length;
        true
    }

    /// What the beginning of the text says; `None` where it is not in the usual form.
    #[inline]
    pub(super) fn read(&self, text: &[u8]) -> Option<Found> {
        let text = text.get(..self.length)?;
        if self.others.iter().any(|(at, byte)| text.get(*at) != Some(byte)) {
            return None;
        }
        let pair = |at: Option<usize>, least: i64, most: i64| -> Option<Option<i64>> {
            let Some(at) = at else { return Some(None) };
            two(text, at).filter(|number| (least..=most).contains(number)).map(Some)
        };
        let month = match self.month_name {
            Some(at) => Some(month(text.get(at..)?)?),
            None => pair(self.month, 1, 12)?.map(|month| month as u32),
        };
        Some(Found {
            year: match self.year {
                Some(at) => Some(two(text, at)? * 100 + two(text, at + 2)?),
                None => None,
            },
            month,
            day: pair(self.day, 1, 31)?,
            hour: pair(self.hour, 0, 23)?,
            minute: pair(self.minute, 0, 59)?,
            second: pair(self.second, 0, 60)?,
            nanoseconds: 0,
            offset: match self.zone {
                Some(at) => Some(offset(text, at)?),
                None => None,
            },
        })
    }
}

impl Step {
    /// Whether what it reads cannot begin with a space, at a place of its own.
    fn begins_at_once(&self) -> bool {
        !matches!(self, Step::Space | Step::ShortYear | Step::Nanoseconds)
    }

    fn begins_with_a_letter(&self) -> bool {
        match self {
            Step::Byte(byte) => byte.is_ascii_alphabetic(),
            Step::Literal(literal) => literal.first().is_some_and(u8::is_ascii_alphabetic),
            Step::MonthName => true,
            _ => false,
        }
    }
}

/// Two digits.
#[inline]
fn two(text: &[u8], at: usize) -> Option<i64> {
    let [tens, ones] = *text.get(at..)?.first_chunk()?;
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens <= 9 && ones <= 9).then(|| i64::from(tens) * 10 + i64::from(ones))
}

/// The month, from 1, whose first three letters these are.
#[inline]
fn month(text: &[u8]) -> Option<u32> {
    const WORDS: [u32; 12] = {
        let mut words = [0; 12];
        let mut at = 0;
        while at < 12 {
            let name = MONTHS[at].as_bytes();
            words[at] = u32::from_le_bytes([name[0], name[1], name[2], 0]) | 0x0020_2020;
            at += 1;
        }
        words
    };
    let found = word(text)?;
    WORDS.iter().position(|word| *word == found).map(|at| at as u32 + 1)
}

/// Seconds east of UTC of a sign and four digits.
#[inline]
fn offset(text: &[u8], at: usize) -> Option<i64> {
    let seconds = (two(text, at + 1)? * 60 + two(text, at + 3)?) * 60;
    match text.get(at)? {
        b'+' if seconds < DAY => Some(seconds),
        b'-' if seconds < DAY => Some(-seconds),
        _ => None,
    }
}
