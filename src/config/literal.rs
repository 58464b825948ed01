//! Fluentd's conversions of a parameter's text to its type, in both of its modes (lenient and `strict_config_value`).

use super::number::{float, integer, to_f, to_i, to_i_octal};
use super::{Json, Kind};
use crate::event::Accessor;
use crate::regex::Regex;
use std::collections::BTreeMap;
use std::time::Duration;

/// A type that a parameter can have. Rooms implement it for the types that they own.
pub trait FromLiteral: Sized {
    /// What the manual calls the type.
    const KIND: Kind;
    /// Whether the parameter may be absent without a default.
    const OPTIONAL: bool = false;

    /// Converts the text. `strict` is `<system> strict_config_value`. Errors say what was expected, without the parameter's name.
    fn from_literal(text: &str, strict: bool) -> Result<Self, String>;

    /// Whether the text stands for nil, which only an optional parameter can be.
    fn is_nil(_text: &str, _strict: bool) -> bool {
        false
    }

    /// What the value is read as, where that is hardly what was meant.
    fn doubt(_text: &str, _strict: bool) -> Option<String> {
        None
    }

    /// The value for a parameter that is absent, nil, or has no default; `None` where one is required.
    fn absent() -> Option<Self> {
        None
    }
}

/// A number of bytes (`size`): `10k`, `8m`, `1g`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// A duration in seconds (`time`): `10s`, `5m`, `1h`, `1d`, `0.5`. May be negative where a plugin gives that a meaning.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Seconds(pub f64);

impl Seconds {
    /// As a duration; negative and non-finite values are zero.
    pub fn duration(self) -> Duration {
        Duration::try_from_secs_f64(self.0).unwrap_or_default()
    }
}

/// A number given in octal (file permissions).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Octal(pub u32);

/// A word, written with or without a leading colon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol(pub String);

/// A map in the order it was written, with values of any type.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Map(pub Vec<(String, Json)>);

impl<T: FromLiteral> FromLiteral for Option<T> {
    const KIND: Kind = T::KIND;
    const OPTIONAL: bool = true;

    fn from_literal(text: &str, strict: bool) -> Result<Self, String> {
        if T::is_nil(text, strict) { Ok(None) } else { T::from_literal(text, strict).map(Some) }
    }

    fn doubt(text: &str, strict: bool) -> Option<String> {
        if T::is_nil(text, strict) { Some("nothing".to_owned()) } else { T::doubt(text, strict) }
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl FromLiteral for String {
    const KIND: Kind = Kind::String;

    fn from_literal(text: &str, _strict: bool) -> Result<String, String> {
        Ok(text.to_owned())
    }
}

impl FromLiteral for Symbol {
    const KIND: Kind = Kind::String;

    fn from_literal(text: &str, _strict: bool) -> Result<Symbol, String> {
        Ok(Symbol(text.strip_prefix(':').unwrap_or(text).to_owned()))
    }

    fn is_nil(text: &str, _strict: bool) -> bool {
        text.is_empty()
    }
}

macro_rules! integers {
    ($($type:ty),*) => { $(
        impl FromLiteral for $type {
            const KIND: Kind = Kind::Integer;

            fn from_literal(text: &str, strict: bool) -> Result<$type, String> {
                let number = integer(text, strict)?;
                <$type>::try_from(number).map_err(|_| format!("{number} is out of range, expected {} to {}", <$type>::MIN, <$type>::MAX))
            }

            fn doubt(text: &str, strict: bool) -> Option<String> {
                doubt_integer(text, strict)
            }
        }
    )* };
}

integers!(i64, u64, u32, u16, usize);

impl FromLiteral for f64 {
    const KIND: Kind = Kind::Float;

    fn from_literal(text: &str, strict: bool) -> Result<f64, String> {
        float(text, strict)
    }

    fn doubt(text: &str, strict: bool) -> Option<String> {
        doubt_float(text, strict)
    }
}

impl FromLiteral for Octal {
    const KIND: Kind = Kind::Integer;

    fn from_literal(text: &str, _strict: bool) -> Result<Octal, String> {
        u32::try_from(to_i_octal(text)).map(Octal).map_err(|_| format!("{text} is out of range, expected an octal number"))
    }
}

impl FromLiteral for bool {
    const KIND: Kind = Kind::Bool;

    fn from_literal(text: &str, _strict: bool) -> Result<bool, String> {
        match text {
            "true" | "yes" | "" => Ok(true),
            "false" | "no" => Ok(false),
            comment if comment.starts_with('#') => Ok(true),
            other => Err(format!("invalid bool value: {other}")),
        }
    }

    fn is_nil(text: &str, strict: bool) -> bool {
        !strict && bool::from_literal(text, true).is_err()
    }

    fn doubt(text: &str, _strict: bool) -> Option<String> {
        text.starts_with('#').then(|| "true: a comment right behind a name is its value".to_owned())
    }
}

impl FromLiteral for Seconds {
    const KIND: Kind = Kind::Time;

    fn from_literal(text: &str, strict: bool) -> Result<Seconds, String> {
        for (unit, seconds) in [('s', 1u64), ('m', 60), ('h', 3600), ('d', 86400)] {
            if let Some(number) = digits_before(text, unit, false) {
                return Ok(Seconds(number as f64 * seconds as f64));
            }
        }
        float(text, strict).map(Seconds)
    }

    fn doubt(text: &str, strict: bool) -> Option<String> {
        const UNITS: [&str; 19] = [
            "s", "sec", "secs", "second", "seconds", "m", "min", "mins", "minute", "minutes", "h", "hr", "hour", "hours", "d", "day",
            "days", "hrs", "",
        ];
        let text = text.trim();
        let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = &text[number.len()..];
        let whole = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        if (whole && UNITS.contains(&unit)) || (unit.is_empty() && float(number, true).is_ok()) {
            return None;
        }
        Seconds::from_literal(text, strict).ok().map(|seconds| format!("{} seconds", seconds.0))
    }
}

impl FromLiteral for Size {
    const KIND: Kind = Kind::Size;

    fn from_literal(text: &str, strict: bool) -> Result<Size, String> {
        for (unit, bytes) in [('k', 1u64 << 10), ('m', 1 << 20), ('g', 1 << 30), ('t', 1 << 40)] {
            if let Some(number) = digits_before(text, unit, true) {
                return Ok(Size(number.saturating_mul(bytes)));
            }
        }
        integer(text, strict).map(|number| Size(u64::try_from(number).unwrap_or(0)))
    }

    fn doubt(text: &str, strict: bool) -> Option<String> {
        const UNITS: [&str; 15] = ["", "k", "m", "g", "t", "kb", "mb", "gb", "tb", "kib", "mib", "gib", "tib", "b", "bytes"];
        let text = text.trim();
        let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = text[number.len()..].to_ascii_lowercase();
        let whole = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit() || b == b'_');
        if whole && UNITS.contains(&unit.as_str()) {
            return None;
        }
        Size::from_literal(text, strict).ok().map(|size| format!("{} bytes", size.0))
    }
}

impl FromLiteral for Accessor {
    const KIND: Kind = Kind::Accessor;

    fn from_literal(text: &str, _strict: bool) -> Result<Accessor, String> {
        Accessor::parse(text)
    }
}

impl FromLiteral for Regex {
    const KIND: Kind = Kind::Regexp;

    fn from_literal(text: &str, _strict: bool) -> Result<Regex, String> {
        let missing = text.starts_with('/') && text.rfind('/').is_some_and(|at| text[at..].chars().count() > 3);
        if missing {
            return Err(format!("invalid regexp: missing right slash: {text}"));
        }
        Regex::from_literal(text).map_err(|error| {
            // As Ruby says it: with the expression between slashes.
            let shown = if text.starts_with('/') { text.to_owned() } else { format!("/{text}/") };
            format!("{}: {shown}", error.message)
        })
    }
}

impl FromLiteral for Vec<String> {
    const KIND: Kind = Kind::Array;

    fn from_literal(text: &str, _strict: bool) -> Result<Vec<String>, String> {
        Ok(items(text)?.iter().filter(|item| **item != Json::Null).map(Json::to_text).collect())
    }
}

impl FromLiteral for Vec<Json> {
    const KIND: Kind = Kind::Array;

    fn from_literal(text: &str, _strict: bool) -> Result<Vec<Json>, String> {
        items(text)
    }
}

impl FromLiteral for Vec<i64> {
    const KIND: Kind = Kind::Array;

    fn from_literal(text: &str, strict: bool) -> Result<Vec<i64>, String> {
        items(text)?.iter().map(|item| integer(&item.to_text(), strict)).collect()
    }
}

impl FromLiteral for Map {
    const KIND: Kind = Kind::Hash;

    fn from_literal(text: &str, _strict: bool) -> Result<Self, String> {
        if text.starts_with('{') {
            return match Json::parse(text) {
                Some(Json::Object(entries)) => Ok(Map(entries)),
                _ => Err(format!("hash required but got {text:?}, which is no JSON object")),
            };
        }
        let mut entries: Vec<(String, Json)> = Vec::new();
        for pair in split_list(text) {
            if pair.is_empty() {
                return Err(format!("hash required but got {text:?}: expected key:value between commas"));
            }
            let (key, value) =
                pair.split_once(':').map_or((pair.as_str(), Json::Null), |(key, value)| (key, Json::String(value.to_owned())));
            match entries.iter_mut().find(|(known, _)| known == key) {
                Some(entry) => entry.1 = value,
                None => entries.push((key.to_owned(), value)),
            }
        }
        Ok(Map(entries))
    }
}

impl FromLiteral for BTreeMap<String, String> {
    const KIND: Kind = Kind::Hash;

    fn from_literal(text: &str, strict: bool) -> Result<Self, String> {
        Ok(Map::from_literal(text, strict)?.0.into_iter().map(|(key, value)| (key, value.to_text())).collect())
    }
}

impl FromLiteral for Vec<(String, String)> {
    const KIND: Kind = Kind::Hash;

    fn from_literal(text: &str, strict: bool) -> Result<Self, String> {
        Ok(Map::from_literal(text, strict)?.0.into_iter().map(|(key, value)| (key, value.to_text())).collect())
    }
}

/// The items of a list: JSON, or separated by commas.
fn items(text: &str) -> Result<Vec<Json>, String> {
    if text.starts_with('[') {
        return match Json::parse(text) {
            Some(Json::Array(items)) => Ok(items),
            _ => Err(format!("array required but got {text:?}, which is no JSON array")),
        };
    }
    Ok(split_list(text).into_iter().map(Json::String).collect())
}

/// Text between commas, blanks around them removed; empty items at the end are dropped.
fn split_list(text: &str) -> Vec<String> {
    let mut items: Vec<String> = text.trim().split(',').map(|item| item.trim().to_owned()).collect();
    while items.last().is_some_and(String::is_empty) {
        items.pop();
    }
    items
}

/// The digits right before the first `unit` that has any; wherever in the text that is.
fn digits_before(text: &str, unit: char, any_case: bool) -> Option<u64> {
    let bytes = text.as_bytes();
    let is_unit = |byte: u8| byte == unit as u8 || (any_case && byte.eq_ignore_ascii_case(&(unit as u8)));
    let at = (1..bytes.len()).find(|&at| is_unit(bytes[at]) && bytes[at - 1].is_ascii_digit())?;
    let start = bytes[..at].iter().rposition(|b| !b.is_ascii_digit()).map_or(0, |before| before + 1);
    Some(text[start..at].parse().unwrap_or(u64::MAX))
}

fn doubt_integer(text: &str, strict: bool) -> Option<String> {
    let meant = text.trim();
    let plain = meant.strip_prefix(['+', '-']).unwrap_or(meant);
    let clear = !plain.is_empty() && plain.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    (!strict && !clear).then(|| to_i(text).to_string())
}

fn doubt_float(text: &str, strict: bool) -> Option<String> {
    (!strict && float(text, true).is_err()).then(|| to_f(text).to_string())
}
