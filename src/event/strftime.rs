//! Ruby's `Time#strftime`, compiled once.

use super::civil::{self, DAY};
use super::{EventTime, Zone};
use std::io::Write;

const MONTHS: [&str; 12] =
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
/// A wider field than this is somebody's mistake; Ruby refuses such a format too.
const MAX_WIDTH: usize = 1024;

/// A compiled format.
#[derive(Clone, Debug)]
pub struct Strftime {
    parts: Vec<Part>,
}

#[derive(Clone, Debug)]
enum Part {
    Literal(Vec<u8>),
    Field(Field),
}

#[derive(Clone, Copy, Debug)]
struct Field {
    conversion: u8,
    flags: Flags,
    width: Option<usize>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Flags {
    /// `-` for none, `0` and `_` for that character.
    padding: Option<Padding>,
    upper: bool,
    swap: bool,
    colons: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Padding {
    None,
    Zero,
    Space,
}

/// One moment as a clock in its zone shows it.
struct Shown<'z> {
    time: EventTime,
    zone: &'z Zone,
    offset: i64,
    year: i64,
    month: u32,
    day: u32,
    days: i64,
    second_of_day: i64,
}

impl Strftime {
    /// Reads a format. What is no conversion stands for itself, as in Ruby.
    pub fn new(format: &str) -> Strftime {
        let mut parts = Vec::new();
        let mut literal = Vec::new();
        let mut rest = format.as_bytes();
        while let Some(&byte) = rest.first() {
            match (byte, field(&rest[1..])) {
                (b'%', Some((field, length))) => {
                    if !literal.is_empty() {
                        parts.push(Part::Literal(std::mem::take(&mut literal)));
                    }
                    parts.push(Part::Field(field));
                    rest = &rest[1 + length..];
                }
                _ => {
                    literal.push(byte);
                    rest = &rest[1..];
                }
            }
        }
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Strftime { parts }
    }

    /// Whether texts of one second differ: the format shows fractions.
    pub fn shows_fractions(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Field(field) if matches!(field.conversion, b'L' | b'N')))
    }

    /// Appends a time as it is in `zone`.
    pub fn write(&self, time: EventTime, zone: &Zone, out: &mut Vec<u8>) {
        let offset = i64::from(zone.offset_at(time.sec));
        let wall = time.sec.saturating_add(offset);
        let days = wall.div_euclid(DAY);
        let (year, month, day) = civil::date(days);
        let shown = Shown { time, zone, offset, year, month, day, days, second_of_day: wall.rem_euclid(DAY) };
        self.write_shown(&shown, out);
    }

    /// A time as text.
    pub fn text(&self, time: EventTime, zone: &Zone) -> String {
        let mut out = Vec::new();
        self.write(time, zone, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    fn write_shown(&self, shown: &Shown<'_>, out: &mut Vec<u8>) {
        for part in &self.parts {
            match part {
                Part::Literal(text) => out.extend_from_slice(text),
                Part::Field(field) => field.write(shown, out),
            }
        }
    }
}

/// Reads what follows a `%`: the field and its length.
fn field(text: &[u8]) -> Option<(Field, usize)> {
    let mut flags = Flags::default();
    let mut at = 0;
    loop {
        match text.get(at)? {
            b'-' => flags.padding = Some(Padding::None),
            b'0' => flags.padding = Some(Padding::Zero),
            b'_' => flags.padding = Some(Padding::Space),
            b'^' => flags.upper = true,
            b'#' => flags.swap = true,
            b':' => flags.colons += 1,
            _ => break,
        }
        at += 1;
    }
    let mut width = None;
    while let Some(digit) = text.get(at).filter(|byte| byte.is_ascii_digit()) {
        width = Some((width.unwrap_or(0) * 10 + usize::from(digit - b'0')).min(MAX_WIDTH));
        at += 1;
    }
    if matches!(text.get(at), Some(b'E' | b'O')) {
        at += 1;
    }
    let conversion = *text.get(at)?;
    let known = b"YCymBbhdeHkIlMSLNzZAauwGgVUWjsntcDFvxXrRTpP%".contains(&conversion);
    let colons_fit = flags.colons == 0 || (conversion == b'z' && flags.colons <= 3);
    (known && colons_fit).then_some((Field { conversion, flags, width }, at + 1))
}

impl Field {
    fn write(&self, shown: &Shown<'_>, out: &mut Vec<u8>) {
        let hour = shown.second_of_day / 3600;
        let twelve = (hour + 11) % 12 + 1;
        let half = if hour < 12 { "AM" } else { "PM" };
        let month = MONTHS[(shown.month as usize - 1) % 12];
        let weekday = civil::weekday(shown.days);
        let day_name = DAYS[weekday as usize];
        match self.conversion {
            b'Y' => self.number(shown.year, if shown.year < 0 { 5 } else { 4 }, Padding::Zero, out),
            b'C' => self.number(shown.year.div_euclid(100), 2, Padding::Zero, out),
            b'y' => self.number(shown.year.rem_euclid(100), 2, Padding::Zero, out),
            b'm' => self.number(i64::from(shown.month), 2, Padding::Zero, out),
            b'B' => self.word(month, out),
            b'b' | b'h' => self.word(&month[..3], out),
            b'd' => self.number(i64::from(shown.day), 2, Padding::Zero, out),
            b'e' => self.number(i64::from(shown.day), 2, Padding::Space, out),
            b'H' => self.number(hour, 2, Padding::Zero, out),
            b'k' => self.number(hour, 2, Padding::Space, out),
            b'I' => self.number(twelve, 2, Padding::Zero, out),
            b'l' => self.number(twelve, 2, Padding::Space, out),
            b'M' => self.number(shown.second_of_day / 60 % 60, 2, Padding::Zero, out),
            b'S' => self.number(shown.second_of_day % 60, 2, Padding::Zero, out),
            b'L' => fraction(shown.time.nsec, self.width.unwrap_or(3), out),
            b'N' => fraction(shown.time.nsec, self.width.unwrap_or(9), out),
            b'z' => self.offset(shown.offset, out),
            b'Z' => self.zone_name(shown, out),
            b'A' => self.word(day_name, out),
            b'a' => self.word(&day_name[..3], out),
            b'p' => self.half_day(half, out),
            b'P' => self.word(&half.to_lowercase(), out),
            b'n' => self.word("\n", out),
            b't' => self.word("\t", out),
            b'%' => self.word("%", out),
            b'u' | b'w' | b'G' | b'g' | b'V' | b'U' | b'W' | b'j' | b's' => self.calendar(shown, weekday, out),
            _ => self.compound(shown, out),
        }
    }

    fn calendar(&self, shown: &Shown<'_>, weekday: u32, out: &mut Vec<u8>) {
        let (iso_year, iso_week) = civil::iso_week(shown.days);
        let of_year = i64::from(civil::day_of_year(shown.year, shown.month, shown.day)) - 1;
        let (number, width) = match self.conversion {
            b'u' => (i64::from((weekday + 6) % 7 + 1), 1),
            b'w' => (i64::from(weekday), 1),
            b'G' => (iso_year, if iso_year < 0 { 5 } else { 4 }),
            b'g' => (iso_year.rem_euclid(100), 2),
            b'V' => (i64::from(iso_week), 2),
            b'U' => ((of_year + 7 - i64::from(weekday)) / 7, 2),
            b'W' => ((of_year + 7 - i64::from((weekday + 6) % 7)) / 7, 2),
            b'j' => (of_year + 1, 3),
            _ => (shown.time.sec, 1),
        };
        self.number(number, width, Padding::Zero, out);
    }

    fn compound(&self, shown: &Shown<'_>, out: &mut Vec<u8>) {
        let format = match self.conversion {
            b'c' => "%a %b %e %H:%M:%S %Y",
            b'D' | b'x' => "%m/%d/%y",
            b'F' => "%Y-%m-%d",
            b'v' => "%e-%^b-%4Y",
            b'X' | b'T' => "%H:%M:%S",
            b'r' => "%I:%M:%S %p",
            _ => "%H:%M",
        };
        let mut text = Vec::new();
        Strftime::new(format).write_shown(shown, &mut text);
        self.word(&String::from_utf8_lossy(&text), out);
    }

    /// A number with its sign, padded to the width given or the usual one.
    fn number(&self, number: i64, usual_width: usize, usual_padding: Padding, out: &mut Vec<u8>) {
        let padding = self.flags.padding.unwrap_or(usual_padding);
        let width = self.width.unwrap_or(usual_width);
        let start = out.len();
        let _ = match padding {
            Padding::None => write!(out, "{number}"),
            Padding::Zero => write!(out, "{number:0width$}"),
            Padding::Space => write!(out, "{number:width$}"),
        };
        debug_assert!(out.len() > start);
    }

    fn word(&self, word: &str, out: &mut Vec<u8>) {
        let length = word.chars().count();
        if let Some(width) = self.width.filter(|_| self.flags.padding != Some(Padding::None)) {
            let pad = if self.flags.padding == Some(Padding::Zero) { b'0' } else { b' ' };
            out.extend(std::iter::repeat_n(pad, width.saturating_sub(length)));
        }
        // Of names the other case of `#` is the upper one.
        let upper = self.flags.upper || (self.flags.swap && matches!(self.conversion, b'A' | b'a' | b'B' | b'b' | b'h'));
        if upper { out.extend_from_slice(word.to_uppercase().as_bytes()) } else { out.extend_from_slice(word.as_bytes()) }
    }

    fn half_day(&self, half: &str, out: &mut Vec<u8>) {
        if self.flags.swap { self.word(&half.to_lowercase(), out) } else { self.word(half, out) }
    }

    fn zone_name(&self, shown: &Shown<'_>, out: &mut Vec<u8>) {
        let name = match shown.zone {
            // Fluentd asks its zone database for the offset alone, and an offset has no name.
            Zone::Named(_) => String::new(),
            zone => zone.abbreviation(shown.time.sec),
        };
        if self.flags.swap { self.word(&name.to_lowercase(), out) } else { self.word(&name, out) }
    }

    /// `+0900`, `+09:00`, `+09:00:00`, or with three colons as short as it is exact.
    fn offset(&self, offset: i64, out: &mut Vec<u8>) {
        let sign = if offset < 0 { '-' } else { '+' };
        let (hours, minutes, seconds) = (offset.abs() / 3600, offset.abs() / 60 % 60, offset.abs() % 60);
        let behind = match self.flags.colons {
            0 => format!("{minutes:02}"),
            1 => format!(":{minutes:02}"),
            2 => format!(":{minutes:02}:{seconds:02}"),
            _ if seconds != 0 => format!(":{minutes:02}:{seconds:02}"),
            _ if minutes != 0 => format!(":{minutes:02}"),
            _ => String::new(),
        };
        let width = self.width.unwrap_or(0).saturating_sub(behind.len() + 1);
        let _ = match self.flags.padding {
            Some(Padding::Space) => {
                let text = format!("{sign}{hours}");
                write!(out, "{text:>width$}{behind}", width = (width + 1).max(3))
            }
            _ => write!(out, "{sign}{hours:0width$}{behind}", width = width.max(2)),
        };
    }
}

/// The first digits of a fraction of nine; digits beyond are zeros.
fn fraction(nsec: u32, digits: usize, out: &mut Vec<u8>) {
    let all = format!("{nsec:09}");
    let shown = digits.min(9);
    out.extend_from_slice(&all.as_bytes()[..shown]);
    out.extend(std::iter::repeat_n(b'0', digits - shown));
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: EventTime = EventTime { sec: 1_709_651_106, nsec: 78_901_234 };

    fn text(format: &str, zone: &str) -> String {
        let zone = if zone == "UTC" { Zone::Utc } else { Zone::parse(zone).unwrap() };
        Strftime::new(format).text(TIME, &zone)
    }

    #[test]
    fn common_formats() {
        assert_eq!(text("%Y-%m-%dT%H:%M:%S%:z", "+09:00"), "2024-03-06T00:05:06+09:00");
        assert_eq!(text("%Y.%m.%d %y %e %-d %j %s", "UTC"), "2024.03.05 24  5 5 065 1709651106");
        assert_eq!(text("%H:%M:%S.%L %3N %6N %9N %N %12N", "UTC"), "15:05:06.078 078 078901 078901234 078901234 078901234000");
        assert_eq!(text("%a %A %b %B %^a %^B %#b %p %P %#p %I %l %k", "UTC"), "Tue Tuesday Mar March TUE MARCH MAR PM pm pm 03  3 15");
        assert_eq!(
            text("%F %T %R %D %c %x %X %r %v", "UTC"),
            "2024-03-05 15:05:06 15:05 03/05/24 Tue Mar  5 15:05:06 2024 03/05/24 15:05:06 03:05:06 PM  5-MAR-2024"
        );
        assert_eq!(text("%G-W%V-%u %g %w %U %W %C", "UTC"), "2024-W10-2 24 2 09 10 20");
    }

    #[test]
    fn zones() {
        assert_eq!(text("%z %:z %::z %:::z %Z|", "+05:30"), "+0530 +05:30 +05:30:00 +05:30 |");
        assert_eq!(text("%z %Z", "UTC"), "+0000 UTC");
        assert_eq!(text("%H %z %Z", "America/New_York"), "10 -0500 ");
        assert_eq!(text("%-z %_6z %08z", "+09:00"), "+0900   +900 +0000900");
    }

    #[test]
    fn widths_flags_and_what_is_no_conversion() {
        assert_eq!(text("%05d|%_5d|%-m|%010Y|%5b|%-H|%05b|%10F", "UTC"), "00005|    5|3|0000002024|  Mar|15|00Mar|2024-03-05");
        assert_eq!(text("100%% %Q %! %+ %", "UTC"), "100% %Q %! %+ %");
        assert_eq!(text("%Ey %Od%n%t|", "UTC"), "24 05\n\t|");
    }

    #[test]
    fn fractions_are_known_of() {
        assert!(Strftime::new("%S.%3N").shows_fractions());
        assert!(!Strftime::new("%s %%N").shows_fractions());
    }
}
