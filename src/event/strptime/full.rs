//! The full reader: all of Ruby's directives.

use super::{DAYS, Fields, MONTHS, NoTime, Read, name};
use crate::event::EventTime;

/// One part of a format.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// A directive's letter, and whether a number follows it in the format, so that it must not take all digits.
    Directive(u8, bool),
    Space,
    Literal(u8),
}

/// A compiled format.
#[derive(Clone, Debug)]
pub struct Full {
    source: String,
    steps: Vec<Step>,
}

impl Full {
    /// Compiles a format; letters that are no directive stand for themselves, with their percent sign.
    pub fn compile(format: &str) -> Full {
        let mut steps = Vec::new();
        compile(format.as_bytes(), &mut steps);
        let numbers: Vec<bool> = (0..steps.len()).map(|at| steps.get(at + 1).is_some_and(starts_with_number)).collect();
        for (step, number) in steps.iter_mut().zip(numbers) {
            if let Step::Directive(_, followed) = step {
                *followed = number;
            }
        }
        Full { source: format.to_owned(), steps }
    }

    /// Reads a time; see [`Fields::assemble`].
    pub fn read(&self, text: &str, now: EventTime) -> Result<Read, NoTime> {
        let mut cursor = Cursor { rest: text, fields: Fields::default() };
        for step in &self.steps {
            if cursor.step(step).is_none() {
                return Err(NoTime(format!("invalid date or strptime format - `{text}' `{}'", self.source)));
            }
        }
        cursor.fields.left_over = !cursor.rest.is_empty();
        cursor.fields.assemble(text, now)
    }
}

/// Directives that stand for several others.
fn composed(letter: u8) -> Option<&'static str> {
    Some(match letter {
        b'c' => "%a %b %e %H:%M:%S %Y",
        b'D' | b'x' => "%m/%d/%y",
        b'F' => "%Y-%m-%d",
        b'R' => "%H:%M",
        b'r' => "%I:%M:%S %p",
        b'T' | b'X' => "%H:%M:%S",
        b'v' => "%e-%b-%Y",
        b'+' => "%a %b %e %H:%M:%S %Z %Y",
        _ => return None,
    })
}

fn compile(mut format: &[u8], steps: &mut Vec<Step>) {
    while let Some((first, rest)) = format.split_first() {
        format = rest;
        match first {
            b'%' => {
                let (letter, behind) = directive(rest);
                format = behind;
                match letter {
                    Some(b'%') => steps.push(Step::Literal(b'%')),
                    Some(b'n' | b't') => steps.push(Step::Space),
                    Some(letter) => match composed(letter) {
                        Some(format) => compile(format.as_bytes(), steps),
                        None => steps.push(Step::Directive(letter, false)),
                    },
                    None => steps.push(Step::Literal(b'%')),
                }
            }
            b' ' | 0x09..=0x0d => steps.push(Step::Space),
            other => steps.push(Step::Literal(*other)),
        }
    }
}

/// The letter behind a percent sign, its modifiers passed over, and what follows it; `None` where there is no directive.
fn directive(text: &[u8]) -> (Option<u8>, &[u8]) {
    let (allowed, behind): (&[u8], &[u8]) = match text {
        [b'E', rest @ ..] => (b"cCxXyY", rest),
        [b'O', rest @ ..] => (b"deHImMSuUVwWy", rest),
        [b':', b':', b':', rest @ ..] | [b':', b':', rest @ ..] | [b':', rest @ ..] => (b"z", rest),
        _ => (b"ABCDFGHILMNPQRSTUVWXYZabcdeghjklmnprstuvwxyz%+", text),
    };
    match behind.split_first() {
        Some((letter, rest)) if allowed.contains(letter) => (Some(*letter), rest),
        _ => (None, text),
    }
}

fn starts_with_number(step: &Step) -> bool {
    match step {
        Step::Directive(letter, _) => b"CdeGgHIjkLlMmNQSsUuVWwYy".contains(letter),
        Step::Literal(literal) => literal.is_ascii_digit(),
        Step::Space => false,
    }
}

struct Cursor<'t> {
    rest: &'t str,
    fields: Fields<'t>,
}

impl<'t> Cursor<'t> {
    fn step(&mut self, step: &Step) -> Option<()> {
        match step {
            Step::Literal(literal) => {
                // A format is UTF-8, and so its bytes match whole characters or not at all.
                if self.rest.as_bytes().first() != Some(literal) {
                    return None;
                }
                self.pass_byte();
            }
            Step::Space => self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\u{b}', '\u{c}', '\r']),
            Step::Directive(letter, followed) => self.directive(*letter, *followed)?,
        }
        Some(())
    }

    fn pass_byte(&mut self) {
        let mut characters = self.rest.chars();
        characters.next();
        self.rest = characters.as_str();
    }

    fn directive(&mut self, letter: u8, followed: bool) -> Option<()> {
        let most = |width: usize| if followed { width } else { usize::MAX };
        match letter {
            b'Y' => self.fields.year = Some(self.signed(most(4))?),
            b'G' => self.fields.week_year = Some(self.signed(most(4))?),
            b'C' => self.fields.century = Some(self.signed(most(2))?),
            b'y' | b'g' => {
                let year = self.number(2, 0, 99)?;
                self.fields.century = self.fields.century.or(Some(if year >= 69 { 19 } else { 20 }));
                *(if letter == b'y' { &mut self.fields.year } else { &mut self.fields.week_year }) = Some(year);
            }
            b'm' => self.fields.month = Some(self.number(2, 1, 12)?),
            b'B' | b'b' | b'h' => self.fields.month = Some(self.named(&MONTHS)? + 1),
            b'A' | b'a' => self.fields.weekday = Some(self.named(&DAYS)?),
            b'd' | b'e' => self.fields.day = Some(self.padded(1, 31)?),
            b'j' => self.fields.day_of_year = Some(self.number(3, 1, 366)?),
            b'H' | b'k' => self.fields.hour = Some(self.padded(0, 24)?),
            b'I' | b'l' => self.fields.hour = Some(self.padded(1, 12)?),
            b'P' | b'p' => self.fields.half = Some(self.half()?),
            b'M' => self.fields.minute = Some(self.number(2, 0, 59)?),
            b'S' => self.fields.second = Some(self.number(2, 0, 60)?),
            b'L' => self.fields.nanoseconds = Some(self.fraction(most(3))?),
            b'N' => self.fields.nanoseconds = Some(self.fraction(most(9))?),
            b's' => self.fields.epoch = Some((self.signed(usize::MAX)?, 0)),
            b'Q' => {
                let milliseconds = self.signed(usize::MAX)?;
                self.fields.epoch = Some((milliseconds.div_euclid(1000), milliseconds.rem_euclid(1000) as u32 * 1_000_000));
            }
            b'U' => self.fields.sunday_week = Some(self.number(2, 0, 53)?),
            b'W' => self.fields.monday_week = Some(self.number(2, 0, 53)?),
            b'V' => self.fields.week = Some(self.number(2, 1, 53)?),
            b'u' => self.fields.week_day = Some(self.number(1, 1, 7)?),
            b'w' => self.fields.weekday = Some(self.number(1, 0, 6)?),
            b'z' | b'Z' => self.fields.zone = Some(self.zone()?),
            _ => return None,
        }
        Some(())
    }

    /// One to `most` digits, of which more than fit count as no match.
    fn digits(&mut self, most: usize) -> Option<&'t str> {
        let length = self.rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.rest.split_at(length);
        self.rest = rest;
        (length > 0).then_some(digits)
    }

    fn number(&mut self, most: usize, least: i64, greatest: i64) -> Option<i64> {
        self.digits(most)?.parse().ok().filter(|number| (least..=greatest).contains(number))
    }

    /// Two digits, or a space and one.
    fn padded(&mut self, least: i64, greatest: i64) -> Option<i64> {
        match self.rest.strip_prefix(' ') {
            Some(rest) => {
                self.rest = rest;
                self.number(1, least, greatest)
            }
            None => self.number(2, least, greatest),
        }
    }

    fn signed(&mut self, most: usize) -> Option<i64> {
        let negative = self.rest.starts_with('-');
        self.rest = self.rest.strip_prefix(['-', '+']).unwrap_or(self.rest);
        let number: i64 = self.digits(most)?.parse().ok().filter(|number| *number <= 1 << 53)?;
        Some(if negative { -number } else { number })
    }

    fn fraction(&mut self, most: usize) -> Option<u32> {
        self.rest = self.rest.strip_prefix('+').unwrap_or(self.rest);
        let digits = self.digits(most)?;
        let kept = &digits[..digits.len().min(9)];
        Some(kept.parse::<u32>().ok()? * 10u32.pow(9 - kept.len() as u32))
    }

    fn named(&mut self, names: &[&str]) -> Option<i64> {
        let (index, length) = name(names, self.rest.as_bytes())?;
        self.rest = &self.rest[length..];
        Some(index as i64)
    }

    /// `am`, `pm`, `a.m.`, `p.m.` in any case.
    fn half(&mut self) -> Option<i64> {
        let half = match self.rest.bytes().next()?.to_ascii_lowercase() {
            b'a' => 0,
            b'p' => 12,
            _ => return None,
        };
        let behind = &self.rest.get(1..)?;
        if behind.get(..3).is_some_and(|dots| dots.eq_ignore_ascii_case(".m.")) {
            self.rest = &behind[3..];
            return Some(half);
        }
        let m = behind.get(..1).is_some_and(|m| m.eq_ignore_ascii_case("m"));
        let ends = !behind.get(1..)?.starts_with(|next: char| next.is_alphanumeric() || next == '_');
        self.rest = behind.get(1..)?;
        (m && ends).then_some(half)
    }

    fn zone(&mut self) -> Option<&'t str> {
        let length = zone_length(self.rest)?;
        let (zone, rest) = self.rest.split_at(length);
        self.rest = rest;
        Some(zone)
    }
}

/// The length of the zone that a text begins with: an offset (perhaps behind `GMT` or `UTC`), or a name.
pub(in crate::event) fn zone_length(text: &str) -> Option<usize> {
    static ZONE: std::sync::LazyLock<Option<regex::Regex>> = std::sync::LazyLock::new(|| {
        let offset = r"(?:gmt|utc?)?[-+]\d+(?:[,.:]\d+(?::\d+)?)?";
        let long = r"[[:alpha:].\s]+(?:standard|daylight)\s+time\b";
        let short = r"\pL+(?:\s+dst)?\b";
        regex::Regex::new(&format!("^(?i:{offset}|{long}|{short})")).ok()
    });
    ZONE.as_ref()?.find(text).map(|found| found.end())
}
