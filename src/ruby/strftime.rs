//! `strftime` with Ruby's directives, flags and widths.

use super::moment::{Moment, Zone};
use jiff::civil::{DateTime, ISOWeekDate};

/// Widths beyond this are taken as this: Ruby raises, and nobody means it.
const MAX_WIDTH: usize = 1024;
const MONTHS: [&str; 12] =
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

#[derive(Default)]
struct Flags {
    /// `-`: no padding.
    bare: bool,
    /// `0`, `_`: what to pad with.
    pad: Option<char>,
    /// `^`, `#`.
    upper: bool,
    swap: bool,
    /// `:`, how many.
    colons: usize,
    width: Option<usize>,
}

/// A moment by a format.
pub fn strftime(moment: &Moment, format: &str) -> String {
    let civil = moment.civil();
    let mut out = String::new();
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let directive = &rest[at..];
        let (flags, letter_at) = flags(directive);
        let letter = directive[letter_at..].chars().next();
        let end = letter_at + letter.map_or(0, char::len_utf8);
        match letter.and_then(|letter| write(moment, &civil, letter, &flags)) {
            Some(text) => out.push_str(&text),
            None => out.push_str(&directive[..end]),
        }
        rest = &directive[end..];
    }
    out.push_str(rest);
    out
}

fn flags(directive: &str) -> (Flags, usize) {
    let mut flags = Flags::default();
    let mut at = 1;
    for letter in directive[1..].chars() {
        match letter {
            '-' => flags.bare = true,
            '_' => flags.pad = Some(' '),
            '0' if flags.width.is_none() => flags.pad = Some('0'),
            '^' => flags.upper = true,
            '#' => flags.swap = true,
            ':' => flags.colons += 1,
            '0'..='9' => {
                let width = flags.width.unwrap_or(0) * 10 + letter.to_digit(10).unwrap_or(0) as usize;
                flags.width = Some(width.min(MAX_WIDTH));
            }
            'E' | 'O' => {}
            _ => break,
        }
        at += 1;
    }
    (flags, at)
}

fn write(moment: &Moment, civil: &DateTime, letter: char, flags: &Flags) -> Option<String> {
    let date = civil.date();
    let number = |value: i64, width: usize, pad: char| number(value, width, pad, flags);
    let hour12 = match civil.hour() % 12 {
        0 => 12,
        hour => i64::from(hour),
    };
    let weekday = i64::from(date.weekday().to_sunday_zero_offset());
    let yday = i64::from(date.day_of_year());
    let week = ISOWeekDate::from(date);
    Some(match letter {
        'Y' => number(i64::from(civil.year()), if civil.year() < 0 { 5 } else { 4 }, '0'),
        'C' => number(i64::from(civil.year()).div_euclid(100), 2, '0'),
        'y' => number(i64::from(civil.year()).rem_euclid(100), 2, '0'),
        'm' => number(i64::from(civil.month()), 2, '0'),
        'd' => number(i64::from(civil.day()), 2, '0'),
        'e' => number(i64::from(civil.day()), 2, ' '),
        'j' => number(yday, 3, '0'),
        'H' => number(i64::from(civil.hour()), 2, '0'),
        'k' => number(i64::from(civil.hour()), 2, ' '),
        'I' => number(hour12, 2, '0'),
        'l' => number(hour12, 2, ' '),
        'M' => number(i64::from(civil.minute()), 2, '0'),
        'S' => number(i64::from(civil.second()), 2, '0'),
        'u' => number(if weekday == 0 { 7 } else { weekday }, 1, '0'),
        'w' => number(weekday, 1, '0'),
        'G' => number(i64::from(week.year()), 4, '0'),
        'g' => number(i64::from(week.year()).rem_euclid(100), 2, '0'),
        'V' => number(i64::from(week.week()), 2, '0'),
        'U' => number((yday - 1 + 7 - weekday) / 7, 2, '0'),
        'W' => number((yday - 1 + 7 - (weekday + 6) % 7) / 7, 2, '0'),
        's' => number(moment.sec, 1, '0'),
        'Q' => number(moment.sec * 1000 + i64::from(moment.nsec / 1_000_000), 1, '0'),
        'L' => fraction(moment.nsec, flags.width.unwrap_or(3)),
        'N' => fraction(moment.nsec, flags.width.unwrap_or(9)),
        'z' => zone(moment.offset_seconds(), flags),
        'Z' => text(moment.zone_name().unwrap_or_default().as_str(), flags, true),
        'A' => text(DAYS[weekday as usize], flags, false),
        'a' => text(&DAYS[weekday as usize][..3], flags, false),
        'B' => text(MONTHS[usize::from(civil.month().unsigned_abs()) - 1], flags, false),
        'b' | 'h' => text(&MONTHS[usize::from(civil.month().unsigned_abs()) - 1][..3], flags, false),
        'p' => text(if civil.hour() < 12 { "AM" } else { "PM" }, flags, true),
        'P' => text(if civil.hour() < 12 { "am" } else { "pm" }, flags, false),
        'n' => text("\n", flags, false),
        't' => text("\t", flags, false),
        '%' => text("%", flags, false),
        _ => text(&strftime(moment, compound(moment, letter)?), flags, false),
    })
}

/// Directives that stand for several.
fn compound(moment: &Moment, letter: char) -> Option<&'static str> {
    Some(match letter {
        'c' => "%a %b %e %H:%M:%S %Y",
        'D' | 'x' => "%m/%d/%y",
        'F' => "%Y-%m-%d",
        'R' => "%H:%M",
        'r' => "%I:%M:%S %p",
        'T' | 'X' => "%H:%M:%S",
        'v' => "%e-%^b-%Y",
        '+' if moment.zone == Zone::Utc => "%a %b %e %H:%M:%S UTC %Y",
        '+' => "%a %b %e %H:%M:%S %Z %Y",
        _ => return None,
    })
}

fn number(value: i64, width: usize, pad: char, flags: &Flags) -> String {
    if flags.bare {
        return value.to_string();
    }
    let width = flags.width.unwrap_or(width);
    let pad = flags.pad.unwrap_or(pad);
    let digits = value.unsigned_abs().to_string();
    let missing: String = std::iter::repeat_n(pad, width.saturating_sub(digits.len() + usize::from(value < 0))).collect();
    match (value < 0, pad) {
        (false, _) => format!("{missing}{digits}"),
        (true, '0') => format!("-{missing}{digits}"),
        (true, _) => format!("{missing}-{digits}"),
    }
}

/// The first digits of a fraction; beyond nanoseconds there are zeros.
fn fraction(nsec: u32, digits: usize) -> String {
    let mut text = format!("{nsec:09}");
    while text.len() < digits {
        text.push('0');
    }
    text.truncate(if digits == 0 { 9 } else { digits });
    text
}

fn zone(seconds: i32, flags: &Flags) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let (hours, minutes, rest) = (seconds.abs() / 3600, seconds.abs() / 60 % 60, seconds.abs() % 60);
    let tail = match flags.colons {
        0 => format!("{minutes:02}"),
        1 => format!(":{minutes:02}"),
        2 => format!(":{minutes:02}:{rest:02}"),
        _ if rest != 0 => format!(":{minutes:02}:{rest:02}"),
        _ if minutes != 0 => format!(":{minutes:02}"),
        _ => String::new(),
    };
    let width = flags.width.unwrap_or(0).saturating_sub(tail.len() + 1).max(2);
    match (flags.bare, flags.pad) {
        (true, _) => format!("{sign}{hours}{tail}"),
        (_, Some(' ')) => format!("{:>width$}{tail}", format!("{sign}{hours}"), width = width + 1),
        _ => format!("{sign}{hours:0width$}{tail}"),
    }
}

fn text(text: &str, flags: &Flags, lower_on_swap: bool) -> String {
    let text = match (flags.upper, flags.swap, lower_on_swap) {
        (true, ..) | (_, true, false) => text.to_uppercase(),
        (_, true, true) => text.to_lowercase(),
        _ => text.to_owned(),
    };
    let width = if flags.bare { 0 } else { flags.width.unwrap_or(0) };
    let pad = flags.pad.unwrap_or(' ');
    let missing: String = std::iter::repeat_n(pad, width.saturating_sub(text.chars().count())).collect();
    format!("{missing}{text}")
}
