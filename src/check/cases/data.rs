//! The values of records as cases have them: read from YAML, made of what was caught, compared, and shown.

use super::yaml::{Kind, Node};
use crate::event::json::{Style, write_oj_float, write_value};
use crate::event::msgpack::decode_value;
use crate::event::{Scratch, Value, ruby};
use crate::regex::{Matched, Regex};
use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// `null`.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// A whole number; it is another value than a float of the same size.
    Int(i128),
    /// A float.
    Float(f64),
    /// A text; bytes that are none have been replaced.
    Text(String),
    /// A list.
    List(Vec<Data>),
    /// A map in its order, which does not count when maps are compared.
    Map(Vec<(String, Data)>),
}

impl Data {
    /// A record that is packed as msgpack.
    pub fn unpacked(bytes: &[u8]) -> Data {
        let scratch = Scratch::take();
        let scope = scratch.scope();
        // What was caught was packed here.
        decode_value(scope.bump(), scope.bytes(bytes)).map_or(Data::Null, |value| Data::of(&value))
    }

    fn of(value: &Value<'_>) -> Data {
        match value {
            Value::Nil => Data::Null,
            Value::Bool(truth) => Data::Bool(*truth),
            Value::Int(number) => Data::Int(i128::from(*number)),
            Value::UInt(number) => Data::Int(i128::from(*number)),
            Value::Big(digits) => digits.parse().map_or_else(|_| Data::Text((*digits).to_owned()), Data::Int),
            Value::Float(number) => Data::Float(*number),
            Value::Str(text) | Value::Bin(text) => Data::Text(String::from_utf8_lossy(text).into_owned()),
            Value::Ext(..) => {
                let mut text = Vec::new();
                write_value(value, Style::Oj, &mut text);
                Data::Text(String::from_utf8_lossy(&text).trim_matches('"').to_owned())
            }
            Value::Array(items) => Data::List(items.iter().map(Data::of).collect()),
            Value::Map(fields) => Data::Map(fields.iter().map(|(key, value)| (key_text(key), Data::of(value))).collect()),
        }
    }

    /// What a node without tags of ours stands for.
    pub fn read(node: &Node) -> Result<Data, (crate::config::Span, String)> {
        match (&node.kind, node.tag.as_str()) {
            (Kind::Scalar(text, plain), "" | "str") => {
                Ok(if *plain && node.tag.is_empty() { plain_scalar(text) } else { Data::Text(text.clone()) })
            }
            (Kind::List(items, _), "") => items.iter().map(Data::read).collect::<Result<_, _>>().map(Data::List),
            (Kind::Map(entries, _), "") => {
                let entry = |(key, value): &(Node, Node)| Ok((key.text().unwrap_or_default().to_owned(), Data::read(value)?));
                entries.iter().map(entry).collect::<Result<_, _>>().map(Data::Map)
            }
            (_, tag) => Err((node.span, format!("the tag !{tag} has no meaning here"))),
        }
    }

    /// As a value of an event.
    pub fn to_value<'a>(&self, bump: &'a Bump) -> Value<'a> {
        match self {
            Data::Null => Value::Nil,
            Data::Bool(truth) => Value::Bool(*truth),
            Data::Int(number) => match (i64::try_from(*number), u64::try_from(*number)) {
                (Ok(number), _) => Value::Int(number),
                (_, Ok(number)) => Value::from_u64(number),
                _ => Value::Float(*number as f64),
            },
            Data::Float(number) => Value::Float(*number),
            Data::Text(text) => Value::text(bump.alloc_str(text)),
            Data::List(items) => {
                let mut list = BumpVec::with_capacity_in(items.len(), bump);
                list.extend(items.iter().map(|item| item.to_value(bump)));
                Value::Array(list.into_bump_slice())
            }
            Data::Map(entries) => {
                let mut fields = BumpVec::with_capacity_in(entries.len(), bump);
                fields.extend(entries.iter().map(|(key, value)| (Value::text(bump.alloc_str(key)), value.to_value(bump))));
                Value::Map(fields.into_bump_slice())
            }
        }
    }

    /// On one line, as YAML and JSON both read it.
    pub fn flow(&self) -> String {
        match self {
            Data::Null => "null".to_owned(),
            Data::Bool(truth) => truth.to_string(),
            Data::Int(number) => number.to_string(),
            Data::Float(number) => {
                let mut text = Vec::new();
                write_oj_float(*number, &mut text);
                String::from_utf8_lossy(&text).into_owned()
            }
            Data::Text(text) => quoted(text),
            Data::List(items) => format!("[{}]", items.iter().map(Data::flow).collect::<Vec<_>>().join(", ")),
            Data::Map(entries) => {
                let entry = |(key, value): &(String, Data)| format!("{}: {}", key_of(key), value.flow());
                format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
            }
        }
    }

    /// A scalar as people write it: without quotes where it is read the same way without.
    pub fn plain(&self) -> String {
        match self {
            Data::Text(text) if is_plain(text) => text.clone(),
            other => other.flow(),
        }
    }

    /// As lines of a block, the first without an indentation; maps of maps further in.
    pub fn block(&self, out: &mut Vec<String>) {
        let Data::Map(entries) = self else { return out.push(self.plain()) };
        if entries.is_empty() {
            return out.push("{}".to_owned());
        }
        for (key, value) in entries {
            match value {
                Data::Map(inner) if !inner.is_empty() => {
                    out.push(format!("{}:", key_of(key)));
                    let mut lines = Vec::new();
                    value.block(&mut lines);
                    out.extend(lines.into_iter().map(|line| format!("  {line}")));
                }
                value => out.push(format!("{}: {}", key_of(key), value.plain())),
            }
        }
    }
}

fn key_text(key: &Value<'_>) -> String {
    let mut text = Vec::new();
    ruby::to_s(key, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// A key as YAML needs it.
pub fn key_of(key: &str) -> String {
    if is_plain(key) { key.to_owned() } else { quoted(key) }
}

/// A text in double quotes, with the escapes that YAML and JSON share.
pub fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

/// Whether a text is itself without quotes, in blocks and within brackets, for readers of YAML 1.1 too.
fn is_plain(text: &str) -> bool {
    const WORDS: [&str; 6] = ["yes", "no", "on", "off", "nan", "inf"];
    let starts = text.starts_with(|c: char| c.is_alphabetic() || c == '_' || c == '/');
    let safe = text.chars().all(|c| c.is_alphanumeric() || "_./-+ ".contains(c)) && !text.contains("  ") && !text.ends_with(' ');
    starts
        && safe
        && text.len() <= 100
        && plain_scalar(text) == Data::Text(text.to_owned())
        && !WORDS.contains(&text.to_lowercase().as_str())
}

/// What an unquoted scalar is in YAML 1.2.
pub fn plain_scalar(text: &str) -> Data {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Data::Null,
        "true" | "True" | "TRUE" => return Data::Bool(true),
        "false" | "False" | "FALSE" => return Data::Bool(false),
        ".inf" | ".Inf" | "+.inf" => return Data::Float(f64::INFINITY),
        "-.inf" | "-.Inf" => return Data::Float(f64::NEG_INFINITY),
        ".nan" | ".NaN" => return Data::Float(f64::NAN),
        _ => {}
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let whole = if let Some(hex) = text.strip_prefix("0x") {
        i128::from_str_radix(hex, 16).ok().filter(|_| !hex.starts_with(['+', '-']))
    } else if let Some(octal) = text.strip_prefix("0o") {
        i128::from_str_radix(octal, 8).ok().filter(|_| !octal.starts_with(['+', '-']))
    } else if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    };
    if let Some(whole) = whole {
        return Data::Int(whole);
    }
    let is_float = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits.contains(|c: char| c.is_ascii_digit())
        && digits.chars().all(|c| c.is_ascii_digit() || ".eE+-".contains(c));
    match text.parse() {
        Ok(number) if is_float => Data::Float(number),
        _ => Data::Text(text.to_owned()),
    }
}

/// What a value is expected to be.
#[derive(Debug)]
pub enum Pattern {
    /// This.
    Is(Data),
    /// There, whatever it is (`!any`).
    Any,
    /// Not there (`!absent`).
    Absent,
    /// A text that the expression is found in (`!regexp`).
    Regexp(String, Box<Regex>),
    /// A list of as many.
    List(Vec<Pattern>),
    /// A map with these keys.
    Map(Vec<(String, Pattern)>),
}

impl Pattern {
    /// From a node with tags of ours.
    pub fn read(node: &Node) -> Result<Pattern, (crate::config::Span, String)> {
        match (&node.kind, node.tag.as_str()) {
            (_, "any") => Ok(Pattern::Any),
            (_, "absent") => Ok(Pattern::Absent),
            (Kind::Scalar(text, _), "regexp") => {
                let literal = if text.starts_with('/') { text.clone() } else { format!("/{text}/") };
                let regex = Regex::from_literal(&literal).map_err(|error| (node.span, format!("invalid expression {literal}: {error}")))?;
                Ok(Pattern::Regexp(text.clone(), Box::new(regex)))
            }
            (Kind::List(items, _), "") => items.iter().map(Pattern::read).collect::<Result<_, _>>().map(Pattern::List),
            (Kind::Map(entries, _), "") => {
                let entry = |(key, value): &(Node, Node)| Ok((key.text().unwrap_or_default().to_owned(), Pattern::read(value)?));
                entries.iter().map(entry).collect::<Result<_, _>>().map(Pattern::Map)
            }
            (_, "" | "str") => Data::read(node).map(Pattern::Is),
            (_, tag) => Err((node.span, format!("the tag !{tag} has no meaning here: expected !any, !absent or !regexp"))),
        }
    }

    /// Whether a value, or `None` where there is none, is as expected; `whole` says that maps have no other keys.
    pub fn fits(&self, value: Option<&Data>, whole: bool) -> bool {
        match (self, value) {
            (Pattern::Absent, value) => value.is_none(),
            (_, None) => false,
            (Pattern::Any, Some(_)) => true,
            (Pattern::Is(expected), Some(value)) => same(expected, value),
            (Pattern::Regexp(_, regex), Some(Data::Text(text))) => regex.is_match(text.as_bytes()) == Matched::Yes,
            (Pattern::List(patterns), Some(Data::List(items))) => {
                patterns.len() == items.len() && patterns.iter().zip(items).all(|(pattern, item)| pattern.fits(Some(item), whole))
            }
            (Pattern::Map(patterns), Some(Data::Map(entries))) => {
                let get = |key: &str| entries.iter().find(|(known, _)| known == key).map(|(_, value)| value);
                let is_known = |key: &str| patterns.iter().any(|(known, _)| known == key);
                patterns.iter().all(|(key, pattern)| pattern.fits(get(key), whole))
                    && (!whole || entries.iter().all(|(key, _)| is_known(key)))
            }
            _ => false,
        }
    }

    /// On one line, as it is written in a case.
    pub fn flow(&self) -> String {
        match self {
            Pattern::Is(data) => data.flow(),
            Pattern::Any => "!any".to_owned(),
            Pattern::Absent => "!absent".to_owned(),
            Pattern::Regexp(text, _) => format!("!regexp {}", quoted(text)),
            Pattern::List(items) => format!("[{}]", items.iter().map(Pattern::flow).collect::<Vec<_>>().join(", ")),
            Pattern::Map(entries) => {
                let entry = |(key, value): &(String, Pattern)| format!("{}: {}", key_of(key), value.flow());
                format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
            }
        }
    }
}

/// Whether two values are equal: the order of keys does not count, and NaN is NaN.
fn same(one: &Data, other: &Data) -> bool {
    match (one, other) {
        (Data::Float(one), Data::Float(other)) => one == other || (one.is_nan() && other.is_nan()),
        (Data::List(one), Data::List(other)) => one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other)),
        (Data::Map(one), Data::Map(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, value)| other.iter().any(|(known, theirs)| known == key && same(value, theirs)))
        }
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_are_what_yaml_1_2_says() {
        for (text, expected) in [
            ("1", Data::Int(1)),
            ("-7", Data::Int(-7)),
            ("0x1F", Data::Int(31)),
            ("0o17", Data::Int(15)),
            ("1.5", Data::Float(1.5)),
            ("1e3", Data::Float(1000.0)),
            (".5", Data::Float(0.5)),
            ("true", Data::Bool(true)),
            ("~", Data::Null),
        ] {
            assert_eq!(plain_scalar(text), expected, "{text}");
        }
        for text in ["yes", "1.2.3", "10.0.0.1", "2024-01-02", "12:30", "inf", "nan", "1_000", "-", "e5", "0x", "+"] {
            assert_eq!(plain_scalar(text), Data::Text(text.to_owned()));
        }
    }

    #[test]
    fn texts_are_quoted_where_they_would_be_read_otherwise() {
        for (text, expected) in [
            ("app.web", "app.web"),
            ("GET /x", "GET /x"),
            ("true", "\"true\""),
            ("yes", "\"yes\""),
            ("12", "\"12\""),
            ("a: b", "\"a: b\""),
            ("a #b", "\"a #b\""),
            ("", "\"\""),
            ("a\nb", "\"a\\nb\""),
            ("2024", "\"2024\""),
            ("ends ", "\"ends \""),
        ] {
            assert_eq!(Data::Text(text.to_owned()).plain(), expected);
        }
    }
}
