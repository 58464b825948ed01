//! Reading times: `Time.parse`'s many forms and `strptime`.

use super::moment::{Moment, Zone};
use crate::event::EventTime;
use jiff::civil::{Date, DateTime, Time};
use regex::Regex;
use std::sync::LazyLock;

const MONTHS: &str = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec";

struct Forms {
    clock: Option<Regex>,
    zone: Option<Regex>,
    iso: Option<Regex>,
    slashed: Option<Regex>,
    day_first: Option<Regex>,
    month_first: Option<Regex>,
    packed: Option<Regex>,
}

static FORMS: LazyLock<Forms> = LazyLock::new(|| {
    let regex = |source: &str| Regex::new(&format!("(?i){source}")).ok();
    Forms {
        clock: regex(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d+))?)?(?:\s*(am|pm)\b)?"),
        zone: regex(r"(?:\d|\s)\s*(z|utc|gmt|[+-]\d{2}:?\d{2}|[+-]\d{2})\b\s*(?:\d{4})?$"),
        iso: regex(r"([+-]?\d{4})-(\d{1,2})(?:-(\d{1,2}))?"),
        slashed: regex(r"(\d{4})/(\d{1,2})/(\d{1,2})"),
        day_first: regex(&format!(r"(\d{{1,2}})(?:st|nd|rd|th)?[\s/-]+({MONTHS})[a-z]*[\s/,-]*(\d{{4}}|\d{{2}}\b)?")),
        month_first: regex(&format!(r"({MONTHS})[a-z]*\.?\s+(\d{{1,2}})\b(?:st|nd|rd|th)?(?:,?\s+(\d{{4}}))?")),
        packed: regex(r"\b(\d{4})(\d{2})(\d{2})(?:T?(\d{2})(\d{2})(\d{2})?)?"),
    }
});

/// A time in one of the forms people write; `zone` is taken where the text has none. `strict`: only the ISO 8601 form.
pub(super) fn parse(text: &str, zone: Zone, strict: bool) -> Option<Moment> {
    let text = text.trim();
    let forms = &*FORMS;
    // The zone is not sought within the date.
    let zone_found = forms
        .zone
        .as_ref()?
        .captures(text)
        .filter(|_| text.contains(':') || text.contains('T'))
        .and_then(|found| Zone::parse(&found[1].to_uppercase()));
    let packed = forms.packed.as_ref()?.captures(text).filter(|_| !strict);
    let clock = forms.clock.as_ref()?.captures(text);
    let date = date(text);
    let number = |found: &regex::Captures<'_>, at: usize| found.get(at).and_then(|part| part.as_str().parse::<i8>().ok());
    let time = match (&clock, &packed) {
        (Some(clock), _) => {
            let hour = number(clock, 1)?;
            let hour = match clock.get(5).map(|half| half.as_str().to_ascii_lowercase()).as_deref() {
                Some("pm") if hour < 12 => hour + 12,
                Some("am") if hour == 12 => 0,
                _ => hour,
            };
            let fraction = clock.get(4).map_or(0, |digits| format!("{:0<9.9}", digits.as_str()).parse().unwrap_or(0));
            Time::new(hour, number(clock, 2)?, number(clock, 3).unwrap_or(0).min(59), fraction).ok()?
        }
        (None, Some(packed)) if packed.get(4).is_some() => {
            Time::new(number(packed, 4)?, number(packed, 5)?, number(packed, 6).unwrap_or(0), 0).ok()?
        }
        _ => Time::midnight(),
    };
    if strict && (clock.is_none() || !text.contains(['T', 't', ' ', ',']) || (date.is_none())) {
        return None;
    }
    let date = match (date, packed, clock) {
        (Some(date), ..) => date,
        (None, Some(packed), _) => Date::new(packed[1].parse().ok()?, packed[2].parse().ok()?, packed[3].parse().ok()?).ok()?,
        (None, None, Some(_)) => Moment::local(EventTime::now()).civil().date(),
        _ => return None,
    };
    Moment::of_civil(date.to_datetime(time), zone_found.unwrap_or(zone))
}

fn date(text: &str) -> Option<Date> {
    let forms = &*FORMS;
    if let Some(found) = forms.iso.as_ref()?.captures(text).or_else(|| forms.slashed.as_ref()?.captures(text)) {
        return Date::new(found[1].parse().ok()?, found[2].parse().ok()?, found.get(3).map_or(Some(1), |day| day.as_str().parse().ok())?)
            .ok();
    }
    let year_now = || Moment::local(EventTime::now()).civil().year();
    let year = |text: Option<regex::Match<'_>>| match text.map(|text| text.as_str()) {
        Some(two) if two.len() == 2 => two.parse::<i16>().ok().map(|year| if year < 69 { 2000 + year } else { 1900 + year }),
        Some(four) => four.parse().ok(),
        None => text_year(text.map_or("", |found| found.as_str())).or_else(|| Some(year_now())),
    };
    if let Some(found) = forms.day_first.as_ref()?.captures(text) {
        return Date::new(year(found.get(3))?, month(&found[2])?, found[1].parse().ok()?).ok();
    }
    let found = forms.month_first.as_ref()?.captures(text)?;
    // `Nov 14 22:13:20 2023`: the year may stand at the end.
    let at_end = text.rsplit(' ').next().filter(|last| last.len() == 4).and_then(|last| last.parse().ok());
    let year = found.get(3).and_then(|year| year.as_str().parse().ok()).or(at_end).unwrap_or_else(year_now);
    Date::new(year, month(&found[1])?, found[2].parse().ok()?).ok()
}

fn text_year(text: &str) -> Option<i16> {
    text.parse().ok()
}

fn month(name: &str) -> Option<i8> {
    let name = name.get(..3)?.to_ascii_lowercase();
    MONTHS.split('|').position(|known| known == name).and_then(|at| i8::try_from(at + 1).ok())
}

/// What `strptime` has read so far.
struct Parts {
    year: i16,
    month: i8,
    day: i8,
    hour: i8,
    minute: i8,
    second: i8,
    nanosecond: i32,
    afternoon: Option<bool>,
    yday: Option<i16>,
    epoch: Option<i64>,
    zone: Zone,
}

/// A time by a format; `zone` is taken where the text has none.
pub(super) fn strptime(text: &str, format: &str, zone: Zone) -> Option<Moment> {
    let year = if format.contains("%Y") || format.contains("%y") || format.contains("%F") || format.contains("%D") {
        1970
    } else {
        Moment::local(EventTime::now()).civil().year()
    };
    let mut parts =
        Parts { year, month: 1, day: 1, hour: 0, minute: 0, second: 0, nanosecond: 0, afternoon: None, yday: None, epoch: None, zone };
    let rest = read(text, format, &mut parts, 0)?;
    if !rest.trim().is_empty() {
        return None;
    }
    if let Some(epoch) = parts.epoch {
        return Some(Moment { zone: parts.zone, nsec: parts.nanosecond.unsigned_abs(), ..Moment::local(EventTime::from_secs(epoch)) });
    }
    let hour = match parts.afternoon {
        Some(true) if parts.hour < 12 => parts.hour + 12,
        Some(false) if parts.hour == 12 => 0,
        _ => parts.hour,
    };
    let date = match parts.yday {
        Some(yday) => Date::new(parts.year, 1, 1).ok()?.with().day_of_year(yday).build().ok()?,
        None => Date::new(parts.year, parts.month, parts.day).ok()?,
    };
    let time = Time::new(hour, parts.minute, parts.second.min(59), parts.nanosecond).ok()?;
    Moment::of_civil(DateTime::from_parts(date, time), parts.zone)
}

fn read<'t>(text: &'t str, format: &str, parts: &mut Parts, depth: usize) -> Option<&'t str> {
    if depth > 3 {
        return None;
    }
    let mut text = text;
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        if letter.is_whitespace() {
            text = text.trim_start();
            continue;
        }
        if letter != '%' {
            text = text.strip_prefix(letter)?;
            continue;
        }
        let mut directive = letters.next()?;
        while matches!(directive, '-' | '0' | '^' | ':' | '_' | '1'..='9') {
            directive = letters.next()?;
        }
        text = directive_of(text, directive, parts, depth)?;
    }
    Some(text)
}

fn directive_of<'t>(text: &'t str, directive: char, parts: &mut Parts, depth: usize) -> Option<&'t str> {
    let compound = match directive {
        'F' => Some("%Y-%m-%d"),
        'T' | 'X' => Some("%H:%M:%S"),
        'R' => Some("%H:%M"),
        'D' | 'x' => Some("%m/%d/%y"),
        'c' => Some("%a %b %e %H:%M:%S %Y"),
        'r' => Some("%I:%M:%S %p"),
        _ => None,
    };
    if let Some(compound) = compound {
        return read(text, compound, parts, depth + 1);
    }
    let digits = |text: &'t str, most: usize| -> Option<(i64, &'t str)> {
        let text = text.trim_start();
        let end = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
        Some((text[..end].parse().ok()?, &text[end..]))
    };
    let word = |text: &'t str| {
        let end = text.bytes().take_while(u8::is_ascii_alphabetic).count();
        (&text[..end], &text[end..])
    };
    let (number, rest) = match directive {
        'Y' => digits(text, 4)?,
        'm' | 'd' | 'e' | 'H' | 'k' | 'I' | 'l' | 'M' | 'S' | 'y' => digits(text, 2)?,
        'j' => digits(text, 3)?,
        's' | 'Q' => digits(text, 18)?,
        _ => (0, text),
    };
    let small = i8::try_from(number).unwrap_or(i8::MAX);
    match directive {
        'Y' => parts.year = i16::try_from(number).ok()?,
        'y' => parts.year = i16::try_from(number + if number < 69 { 2000 } else { 1900 }).ok()?,
        'm' => parts.month = small,
        'd' | 'e' => parts.day = small,
        'H' | 'k' | 'I' | 'l' => parts.hour = small,
        'M' => parts.minute = small,
        'S' => parts.second = small,
        'j' => parts.yday = i16::try_from(number).ok(),
        's' => parts.epoch = Some(number),
        'Q' => {
            parts.epoch = Some(number.div_euclid(1000));
            parts.nanosecond = (number.rem_euclid(1000) * 1_000_000) as i32;
        }
        'L' | 'N' => {
            let end = text.bytes().take_while(u8::is_ascii_digit).count();
            parts.nanosecond = format!("{:0<9.9}", &text[..end]).parse().ok()?;
            return Some(&text[end..]);
        }
        'b' | 'B' | 'h' => {
            let (name, rest) = word(text);
            parts.month = month(name)?;
            return Some(rest);
        }
        'a' | 'A' => return Some(word(text).1),
        'p' | 'P' => {
            let (half, rest) = word(text);
            parts.afternoon = Some(half.eq_ignore_ascii_case("pm"));
            return Some(rest);
        }
        'z' | 'Z' => {
            let text = text.trim_start();
            let end = text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b':')).count();
            parts.zone = Zone::parse(&text[..end].to_uppercase())?;
            return Some(&text[end..]);
        }
        '%' => return text.strip_prefix('%'),
        _ => return None,
    }
    Some(rest)
}
