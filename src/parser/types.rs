//! Conversions of values: `types a:integer,b:float,c:bool,d:time:%Y,e:array:;`.

use crate::event::{EventTime, Scope, TimeOptions, TimeParser, TimeType, Value, Zone, ruby};
use bumpalo::collections::Vec as BumpVec;

/// What becomes of a value.
#[derive(Clone, Debug)]
pub(super) enum Conversion {
    String,
    Integer,
    Float,
    Bool,
    Time(Box<TimeParser>),
    Array(Vec<u8>),
}

impl Conversion {
    /// Reads `type` or `type:option`. `base` holds the parser's own parameters of time; `None` where the type is unknown.
    pub(super) fn parse(definition: &str, base: &TimeOptions) -> Result<Option<Conversion>, String> {
        let (kind, option) = definition.split_once(':').map_or((definition, None), |(kind, option)| (kind, Some(option)));
        Ok(Some(match kind {
            "string" => Conversion::String,
            "integer" => Conversion::Integer,
            "float" => Conversion::Float,
            "bool" => Conversion::Bool,
            "array" => Conversion::Array(option.unwrap_or(",").as_bytes().to_vec()),
            "time" => Conversion::Time(Box::new(TimeParser::new(&time_options(option, base))?)),
            _ => return Ok(None),
        }))
    }

    /// The converted value. nil and false are left alone by the caller.
    pub(super) fn apply<'a>(&self, scope: &Scope<'a>, value: Value<'a>) -> Value<'a> {
        match self {
            Conversion::String => text(scope, value).map_or(value, Value::Str),
            Conversion::Integer => integer(scope, value),
            Conversion::Float => Value::Float(match value {
                Value::Int(number) => number as f64,
                Value::UInt(number) => number as f64,
                Value::Float(number) => number,
                Value::Big(digits) => ruby::leading_float(digits.as_bytes()),
                Value::Str(text) | Value::Bin(text) => ruby::leading_float(text),
                _ => 0.0,
            }),
            Conversion::Bool => {
                let truthy = |text: &[u8]| [&b"true"[..], b"yes", b"1"].iter().any(|word| text.eq_ignore_ascii_case(word));
                Value::Bool(text(scope, value).or(value.as_bytes()).is_some_and(truthy))
            }
            Conversion::Time(parser) => parser.parse(&value).map_or(Value::Nil, |time| event_time(scope, time)),
            Conversion::Array(delimiter) => split(scope, text(scope, value).or(value.as_bytes()).unwrap_or_default(), delimiter),
        }
    }
}

/// `time:ZONE:FORMAT`, `time:FORMAT` or `time:TYPE`.
fn time_options(option: Option<&str>, base: &TimeOptions) -> TimeOptions {
    let mut options = TimeOptions { time_type: TimeType::String, format: None, timezone: None, ..base.clone() };
    let Some(option) = option else { return options };
    let (zone, rest) = option.split_once(':').map_or((option, None), |(zone, rest)| (zone, Some(rest)));
    let format = if Zone::parse(zone).is_ok() {
        options.timezone = Some(zone.to_owned());
        rest
    } else {
        Some(option)
    };
    match format {
        Some("string") => {}
        Some("unixtime") => options.time_type = TimeType::Unixtime,
        Some("float") => options.time_type = TimeType::Float,
        Some("mixed") => options.time_type = TimeType::Mixed,
        other => options.format = other.map(str::to_owned),
    }
    options
}

/// A value as text, where it is none yet.
fn text<'a>(scope: &Scope<'a>, value: Value<'a>) -> Option<&'a [u8]> {
    if value.as_bytes().is_some() {
        return None;
    }
    let mut text = Vec::new();
    ruby::to_s(&value, &mut text);
    Some(scope.bytes(&text))
}

fn integer<'a>(scope: &Scope<'a>, value: Value<'a>) -> Value<'a> {
    match value {
        Value::Int(_) | Value::UInt(_) | Value::Big(_) => value,
        Value::Float(number) if number.abs() < 9.2e18 => Value::Int(number as i64),
        Value::Float(number) if number.is_finite() => Value::Big(scope.text(&format!("{:.0}", number.trunc()))),
        Value::Str(text) | Value::Bin(text) => ruby::leading_integer_value(text, scope.bump()),
        _ => Value::Int(0),
    }
}

/// A time as a value: an EventTime, or seconds where it cannot hold them.
fn event_time<'a>(scope: &Scope<'a>, time: EventTime) -> Value<'a> {
    let Ok(sec) = u32::try_from(time.sec) else { return Value::Int(time.sec) };
    let mut body = [0; 8];
    body[..4].copy_from_slice(&sec.to_be_bytes());
    body[4..].copy_from_slice(&time.nsec.to_be_bytes());
    Value::Ext(0, scope.bytes(&body))
}

/// As Ruby's `split`: empty parts at the end are left out; a single space splits at any white space; nothing splits characters.
fn split<'a>(scope: &Scope<'a>, text: &'a [u8], delimiter: &[u8]) -> Value<'a> {
    let text = if simdutf8::basic::from_utf8(text).is_ok() { text } else { scope.bytes(&ruby::scrub(text)) };
    let mut parts: BumpVec<'a, Value<'a>> = BumpVec::new_in(scope.bump());
    if delimiter == b" " {
        parts.extend(text.split(u8::is_ascii_whitespace).filter(|part| !part.is_empty()).map(Value::Str));
    } else if delimiter.is_empty() {
        let text = std::str::from_utf8(text).unwrap_or_default();
        parts.extend(text.char_indices().map(|(at, c)| Value::Str(&text.as_bytes()[at..at + c.len_utf8()])));
    } else {
        let mut start = 0;
        for found in memchr::memmem::find_iter(text, delimiter) {
            parts.push(Value::Str(&text[start..found]));
            start = found + delimiter.len();
        }
        parts.push(Value::Str(&text[start..]));
    }
    while parts.last() == Some(&Value::Str(b"")) {
        parts.pop();
    }
    Value::Array(parts.into_bump_slice())
}
