//! Times without a format, as Ruby's `Time.parse` guesses them from the shape of a text, and those of ISO 8601.

use super::fields::{local, second_of_day, zone_offset};
use super::{DAYS, Fields, MONTHS, NoTime, Read, name, plain};
use crate::event::EventTime;
use crate::event::civil::{DAY, days};
use regex::{Captures, Regex};
use std::sync::LazyLock;

/// Texts longer than this are no times: Ruby has the same limit.
const MAX_TEXT: usize = 128;

/// The shapes that are looked for, in this order.
struct Shapes {
    iso8601: Regex,
    weekday: Regex,
    time: Regex,
    time_parts: Regex,
    european: Regex,
    american: Regex,
    iso: Regex,
    japanese: Regex,
    day_first: Regex,
    month_first: Regex,
    slashes: Regex,
    dots: Regex,
    day_of_year: Regex,
    month: Regex,
    ordinal: Regex,
    digits: Regex,
}

fn shapes() -> Option<&'static Shapes> {
    static SHAPES: LazyLock<Option<Shapes>> = LazyLock::new(|| compile().ok());
    SHAPES.as_ref()
}

fn compile() -> Result<Shapes, regex::Error> {
    let month = "(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)";
    let half = r"[ap](?:m\b|\.m\.)";
    let zone = r"(?:gmt|utc?)?[-+]\d+(?:[,.:]\d+(?::\d+)?)?|[[:alpha:].\s]+(?:standard|daylight)\stime\b|\pL+(?:\sdst)?\b";
    let time = format!(
        r"(?i)(\d+\s*(?::\s*\d+(?:\s*:\s*\d+(?:[,.]\d*)?)?|h(?:\s*\d+m?(?:\s*\d+s?)?)?)(?:\s*{half})?|\d+\s*{half})(?:\s*({zone}))?"
    );
    Ok(Shapes {
        iso8601: Regex::new(r"(?i)^\s*(-?\d+)-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?(Z|[+-]\d\d(?::?\d\d)?)?\s*$")?,
        weekday: Regex::new(r"(?i)\b(sun|mon|tue|wed|thu|fri|sat)[^-/\d\s]*")?,
        time: Regex::new(&time)?,
        time_parts: Regex::new(r"(?i)^(\d+)\s*h?(?:\s*:?\s*(\d+)m?(?:\s*:?\s*(\d+)(?:[,.](\d*))?s?)?)?(?:\s*([ap])(?:m\b|\.m\.))?")?,
        european: Regex::new(&format!(r"(?i)('?\d+)[^-\d\s]*\s*{month}[^-\d\s']*(?:\s*('?-?\d+(?:(?:st|nd|rd|th)\b)?))?"))?,
        american: Regex::new(&format!(r"(?i)\b{month}[^-\d\s']*\s*('?\d+)[^-\d\s']*(?:\s*,?\s*('?-?\d+))?"))?,
        iso: Regex::new(r"('?[-+]?\d+)-(\d+)-('?-?\d+)")?,
        japanese: Regex::new(r"(?i)\b([mtshr])(\d+)\.(\d+)\.(\d+)")?,
        day_first: Regex::new(&format!(r"(?i)('?-?\d+)-{month}[^-/.]*-('?-?\d+)"))?,
        month_first: Regex::new(&format!(r"(?i)\b{month}[^-/.]*-('?-?\d+)(?:-('?-?\d+))?"))?,
        slashes: Regex::new(r"('?-?\d+)/\s*('?\d+)(?:\D\s*('?-?\d+))?")?,
        dots: Regex::new(r"('?-?\d+)\.\s*('?\d+)\.\s*('?-?\d+)")?,
        day_of_year: Regex::new(r"\b(\d{2}|\d{4})-(\d{3})\b")?,
        month: Regex::new(&format!(r"(?i)\b{month}\S*"))?,
        ordinal: Regex::new(r"(?i)(\d+)(?:st|nd|rd|th)\b")?,
        digits: Regex::new(r"(?i)([-+]?)(\d{2,14})(?:\s*t?\s*(\d{2,6})?(?:[,.](\d*))?)?(z\b|[-+]\d{1,4}\b)?")?,
    })
}

/// A time in the form of ISO 8601 that Ruby's `Time.iso8601` takes; without a zone it is on the local clock.
pub fn iso8601(text: &str) -> Result<Read, NoTime> {
    plain::read(text, |byte| byte == b'T').map_or_else(|| iso8601_any(text), Ok)
}

/// The same by its whole grammar.
pub(super) fn iso8601_any(text: &str) -> Result<Read, NoTime> {
    let refused = || NoTime(format!("invalid xmlschema format: {text:?}"));
    let parts = shapes().and_then(|shapes| shapes.iso8601.captures(text)).ok_or_else(refused)?;
    let number = |at: usize| parts.get(at).map_or(Some(0), |part| part.as_str().parse::<i64>().ok()).ok_or_else(refused);
    let (year, month, day) = (number(1)?, number(2)?, number(3)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || year.abs() > 1_000_000 {
        return Err(NoTime::out_of_range());
    }
    let wall = days(year, month as u32, day) * DAY + second_of_day(number(4)?, number(5)?, number(6)?)?;
    let nsec = parts.get(7).map_or(0, |digits| nanoseconds(digits.as_str()));
    match parts.get(8) {
        Some(zone) => {
            let offset = zone_offset(zone.as_str(), year).unwrap_or(0);
            if offset.abs() >= DAY {
                return Err(NoTime("utc_offset out of range".to_owned()));
            }
            Ok(Read { time: EventTime { sec: wall - offset, nsec }, offset, zoned: true })
        }
        None => Ok(local(wall, nsec)),
    }
}

/// Any text with a time in it, as `Time.parse`.
pub fn guess(text: &str, now: EventTime) -> Result<Read, NoTime> {
    plain::read(text, |byte| matches!(byte, b'T' | b' ')).map_or_else(|| guess_any(text, now), Ok)
}

/// The same by all shapes.
pub(super) fn guess_any(text: &str, now: EventTime) -> Result<Read, NoTime> {
    if text.len() > MAX_TEXT {
        return Err(NoTime(format!("string length ({}) exceeds the limit {MAX_TEXT}", text.len())));
    }
    let mut guess = Guess { rest: clean(text), fields: Fields::default(), zone: None };
    if let Some(shapes) = shapes() {
        guess.look(shapes);
    }
    let zone = guess.zone;
    guess.fields.zone = zone.as_deref();
    let mut fields = guess.fields;
    fields.weekday = None;
    fields.assemble(text, now)
}

fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_alphanumeric() || "-+',./:@[]".contains(c) { c } else { ' ' }).collect()
}

/// The first nine digits of a fraction.
fn nanoseconds(digits: &str) -> u32 {
    let kept = &digits[..digits.len().min(9)];
    kept.parse::<u32>().unwrap_or(0) * 10u32.pow(9 - kept.len() as u32)
}

struct Guess<'f> {
    rest: String,
    fields: Fields<'f>,
    zone: Option<String>,
}

/// The parts of a match as owned texts, so that the text can be changed.
fn parts(found: &Captures<'_>) -> Vec<Option<String>> {
    found.iter().map(|part| part.map(|part| part.as_str().to_owned())).collect()
}

impl Guess<'_> {
    /// Looks for a shape and takes it out of the text.
    fn take(&mut self, shape: &Regex) -> Option<Vec<Option<String>>> {
        let found = shape.captures(&self.rest)?;
        let (range, parts) = (found.get(0)?.range(), parts(&found));
        self.rest.replace_range(range, " ");
        Some(parts)
    }

    fn look(&mut self, shapes: &Shapes) {
        if let Some(parts) = self.take(&shapes.weekday) {
            self.fields.weekday = parts[1].as_deref().and_then(|day| name(&DAYS, day.as_bytes())).map(|(day, _)| day as i64);
        }
        if let Some(parts) = self.take(&shapes.time) {
            self.zone = parts[2].clone();
            self.time(shapes, parts[1].as_deref().unwrap_or_default());
        }
        if !self.date(shapes) {
            self.loose(shapes);
        }
    }

    fn time(&mut self, shapes: &Shapes, text: &str) {
        let Some(parts) = shapes.time_parts.captures(text) else { return };
        let number = |at: usize| parts.get(at).and_then(|part| part.as_str().parse::<i64>().ok());
        self.fields.hour = number(1);
        self.fields.minute = number(2);
        self.fields.second = number(3);
        self.fields.nanoseconds = parts.get(4).map(|digits| nanoseconds(digits.as_str()));
        self.fields.half = parts.get(5).map(|half| if half.as_str().eq_ignore_ascii_case("p") { 12 } else { 0 });
    }

    /// Shapes that are a date as a whole.
    fn date(&mut self, shapes: &Shapes) -> bool {
        let month = |part: &Option<String>| {
            part.as_deref().and_then(|part| name(&MONTHS, part.as_bytes())).map(|(month, _)| (month + 1).to_string())
        };
        if let Some(p) = self.take(&shapes.european) {
            self.three(p[3].clone(), month(&p[2]), p[1].clone());
        } else if let Some(p) = self.take(&shapes.american) {
            self.three(p[3].clone(), month(&p[1]), p[2].clone());
        } else if let Some(p) = self.take(&shapes.iso) {
            self.three(p[1].clone(), p[2].clone(), p[3].clone());
        } else if let Some(p) = self.take(&shapes.japanese) {
            self.japanese(&p);
        } else if let Some(p) = self.take(&shapes.day_first) {
            self.three(p[3].clone(), month(&p[2]), p[1].clone());
        } else if let Some(p) = self.take(&shapes.month_first) {
            self.three(p[3].clone(), month(&p[1]), p[2].clone());
        } else if let Some(p) = self.take(&shapes.slashes).or_else(|| self.take(&shapes.dots)) {
            self.three(p[1].clone(), p[2].clone(), p[3].clone());
        } else if let Some(p) = self.take(&shapes.day_of_year) {
            self.fields.year = p[1].as_deref().map(full_year);
            self.fields.day_of_year = p[2].as_deref().and_then(|day| day.parse().ok());
        } else {
            return false;
        }
        true
    }

    /// Parts of a date on their own.
    fn loose(&mut self, shapes: &Shapes) {
        if let Some(p) = self.take(&shapes.month) {
            self.fields.month = p[1].as_deref().and_then(|part| name(&MONTHS, part.as_bytes())).map(|(month, _)| month as i64 + 1);
        } else if let Some(p) = self.take(&shapes.ordinal) {
            self.fields.day = p[1].as_deref().and_then(|day| day.parse().ok());
        } else if let Some(p) = self.take(&shapes.digits) {
            self.digits(&p);
        }
    }

    /// Year, month and day as they stand in a shape; which is which also follows from how they look.
    fn three(&mut self, year: Option<String>, month: Option<String>, day: Option<String>) {
        let (mut year, mut month, mut day) = (year, month, day);
        if year.is_some() && month.is_some() && day.is_none() {
            (year, month, day) = (day, year, month);
        }
        let is_year = |part: &Option<String>| part.as_deref().is_some_and(|part| part.starts_with('\'') || part.len() > 2);
        if (year.is_none() && is_year(&day)) || year.as_deref().is_some_and(|year| year.ends_with(|end: char| end.is_ascii_alphabetic())) {
            std::mem::swap(&mut year, &mut day);
        }
        if is_year(&month) {
            (year, month, day) = (month, day, year);
        }
        if is_year(&day) {
            std::mem::swap(&mut year, &mut day);
        }
        let digits = |part: Option<String>| part.and_then(|part| part.trim_matches(|c: char| !c.is_ascii_digit()).parse::<i64>().ok());
        self.fields.year = year.as_deref().map(full_year);
        self.fields.month = digits(month);
        self.fields.day = digits(day);
    }

    fn japanese(&mut self, parts: &[Option<String>]) {
        let number = |at: usize| parts[at].as_deref().and_then(|part: &str| part.parse::<i64>().ok());
        let before = match parts[1].as_deref().map(str::to_ascii_lowercase).as_deref() {
            Some("m") => 1867,
            Some("t") => 1911,
            Some("s") => 1925,
            Some("h") => 1988,
            _ => 2018,
        };
        self.fields.year = number(2).map(|year| year + before);
        self.fields.month = number(3);
        self.fields.day = number(4);
    }

    /// A run of digits: what its parts are follows from how many they are, and whether a time or a fraction is behind them.
    fn digits(&mut self, parts: &[Option<String>]) {
        let run = parts[2].as_deref().unwrap_or_default();
        let part = |from: usize, to: usize| run.get(from..to).and_then(|part| part.parse::<i64>().ok());
        let from_end = parts[3].is_none() && parts[4].is_some();
        let length = run.len();
        let fields = &mut self.fields;
        if from_end {
            let back = |at: usize| length.checked_sub(at * 2).and_then(|to| part(to.saturating_sub(2), to).filter(|_| to > 0));
            (fields.second, fields.minute, fields.hour) = (back(0), back(1), back(2));
            (fields.day, fields.month) = (back(3), back(4));
            fields.year = if length == 14 { part(0, 4) } else { back(5).map(|year| full_year(&format!("{year:02}"))) };
        } else {
            match length {
                2 => fields.day = part(0, 2),
                3 => fields.day_of_year = part(0, 3),
                4 => (fields.month, fields.day) = (part(0, 2), part(2, 4)),
                5 => (fields.year, fields.day_of_year) = (run.get(..2).map(full_year), part(2, 5)),
                6 => (fields.year, fields.month, fields.day) = (run.get(..2).map(full_year), part(2, 4), part(4, 6)),
                7 => (fields.year, fields.day_of_year) = (part(0, 4), part(4, 7)),
                _ => {
                    (fields.year, fields.month, fields.day) = (part(0, 4), part(4, 6), part(6, 8));
                    (fields.hour, fields.minute, fields.second) = (part(8, 10), part(10, 12), part(12, 14));
                }
            }
        }
        if let Some(time) = parts[3].as_deref() {
            let part = |from: usize| time.get(from..from + 2).and_then(|part| part.parse::<i64>().ok());
            (fields.hour, fields.minute, fields.second) = (part(0), part(2), part(4));
        }
        if let Some(fraction) = parts[4].as_deref().filter(|fraction| !fraction.is_empty()) {
            fields.nanoseconds = Some(nanoseconds(fraction));
        }
        self.zone = self.zone.take().or_else(|| parts[5].clone());
    }
}

/// A year of two digits is one of 1969 to 2068.
fn full_year(text: &str) -> i64 {
    let bare = text.trim_matches(|c: char| !c.is_ascii_digit() && c != '-');
    let year = bare.parse::<i64>().unwrap_or(0).clamp(-1_000_000, 1_000_000);
    match year {
        0..=68 if bare.len() <= 2 => year + 2000,
        69..=99 if bare.len() <= 2 => year + 1900,
        _ => year,
    }
}
