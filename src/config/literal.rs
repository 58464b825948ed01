//! Fluentd's conversions of a parameter's text to its type, in both of its modes (lenient and `strict_config_value`).

use super::Kind;
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

impl<T: FromLiteral> FromLiteral for Option<T> {
    const KIND: Kind = T::KIND;
    const OPTIONAL: bool = true;

    fn from_literal(text: &str, strict: bool) -> Result<Self, String> {
        T::from_literal(text, strict).map(Some)
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

impl FromLiteral for i64 {
    const KIND: Kind = Kind::Integer;

    fn from_literal(text: &str, strict: bool) -> Result<i64, String> {
        integer(text, strict)
    }
}

impl FromLiteral for u16 {
    const KIND: Kind = Kind::Integer;

    fn from_literal(text: &str, strict: bool) -> Result<u16, String> {
        let number = integer(text, strict)?;
        u16::try_from(number).map_err(|_| format!("{number} is out of range, expected 0 to 65535"))
    }
}

impl FromLiteral for u32 {
    const KIND: Kind = Kind::Integer;

    fn from_literal(text: &str, strict: bool) -> Result<u32, String> {
        let number = integer(text, strict)?;
        u32::try_from(number).map_err(|_| format!("{number} is out of range, expected 0 to {}", u32::MAX))
    }
}

impl FromLiteral for bool {
    const KIND: Kind = Kind::Bool;

    fn from_literal(text: &str, strict: bool) -> Result<bool, String> {
        match text {
            "true" | "yes" | "" => Ok(true),
            "false" | "no" => Ok(false),
            comment if comment.starts_with('#') => Ok(true),
            other if strict => Err(format!("invalid bool value: {other}")),
            // Fluentd: an unknown word is nil, which acts as false.
            _ => Ok(false),
        }
    }
}

impl FromLiteral for Seconds {
    const KIND: Kind = Kind::Time;

    fn from_literal(text: &str, _strict: bool) -> Result<Seconds, String> {
        Ok(Seconds(text.trim().parse().unwrap_or(0.0)))
    }
}

impl FromLiteral for Size {
    const KIND: Kind = Kind::Size;

    fn from_literal(text: &str, strict: bool) -> Result<Size, String> {
        integer(text, strict).map(|n| Size(n.max(0) as u64))
    }
}

impl FromLiteral for Regex {
    const KIND: Kind = Kind::Regexp;

    fn from_literal(text: &str, _strict: bool) -> Result<Regex, String> {
        Regex::from_literal(text).map_err(|error| error.message)
    }
}

impl FromLiteral for Vec<String> {
    const KIND: Kind = Kind::Array;

    fn from_literal(text: &str, _strict: bool) -> Result<Vec<String>, String> {
        Ok(text.split(',').map(|item| item.trim().to_owned()).collect())
    }
}

impl FromLiteral for BTreeMap<String, String> {
    const KIND: Kind = Kind::Hash;

    fn from_literal(text: &str, _strict: bool) -> Result<Self, String> {
        Ok(text.split(',').filter_map(|pair| pair.split_once(':')).map(|(k, v)| (k.to_owned(), v.to_owned())).collect())
    }
}

fn integer(text: &str, _strict: bool) -> Result<i64, String> {
    Ok(text.trim().parse().unwrap_or(0))
}
