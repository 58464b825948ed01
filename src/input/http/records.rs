//! Records out of a request: JSON, msgpack or a line of JSON each, as its type says; or by a parser, whatever its type.

use super::payload::{Params, Payload};
use crate::config::{Element, Refused, Span};
use crate::event::json::{Document, Engine, read};
use crate::event::msgpack::{Invalid, Reader, read_value};
use crate::event::{EventTime, Record, Scope, Value, ruby};
use crate::parser::{self, Base, Defaults, ParseError, Parsed, Parser};
use crate::plugin::Context;

/// Parameters that the default parser takes and has no use for, as in Fluentd.
const WITHOUT_EFFECT: [&str; 5] = ["types", "null_value_pattern", "null_empty_string", "estimate_current_event", "timeout"];

/// How records are found in requests.
pub enum Format {
    /// By the type of the body.
    ByType(ByType),
    /// By a parser.
    Parser(Box<dyn Parser>),
}

/// The default: what of the `<parse>` section counts is the time.
pub struct ByType {
    base: Base,
    /// Whether the section says how times are written; otherwise they are numbers.
    has_time_format: bool,
}

/// What is wrong with a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Fault {
    /// Longer than allowed once decompressed.
    TooLarge,
    /// Not compressed as it says.
    Encoding(String),
    /// Something else, with Ruby's class for it.
    Content(&'static str, String),
}

impl Fault {
    /// A time that is none.
    pub fn time(message: String) -> Fault {
        Fault::Content("Fluent::TimeParser::TimeParseError", message)
    }

    /// The class that Ruby would have.
    pub fn class(&self) -> &str {
        match self {
            Fault::TooLarge => "RangeError",
            Fault::Encoding(_) => "Zlib::Error",
            Fault::Content(class, _) => class,
        }
    }

    /// What is wrong.
    pub fn message(&self) -> &str {
        match self {
            Fault::TooLarge => "too large",
            Fault::Encoding(message) | Fault::Content(_, message) => message,
        }
    }
}

impl From<ParseError> for Fault {
    fn from(error: ParseError) -> Fault {
        match error {
            ParseError::NoMatch => Fault::Content(parser::PARSER_ERROR, "pattern not matched".to_owned()),
            ParseError::Failed { class, message } => Fault::Content(class, message),
        }
    }
}

/// What was found.
#[derive(Default)]
pub struct Found<'a> {
    /// Records, with the times that a parser has found.
    pub records: Vec<(Option<EventTime>, Record<'a>)>,
    /// How many things were no records.
    pub invalid: usize,
}

impl Format {
    /// From the `<parse>` section, where there is one.
    pub fn build(section: Option<&Element>, span: Span, context: &Context<'_>) -> Result<Format, Refused> {
        let none = Element::new("parse", "", span);
        let section = section.unwrap_or(&none);
        if section.plugin_type().is_some_and(|kind| kind != "in_http") {
            return parser::build(section, context).map(Format::Parser);
        }
        for name in WITHOUT_EFFECT {
            if let Some(param) = section.param(name) {
                let message = format!("'{name}' has no effect on JSON and msgpack in requests, as in Fluentd");
                context.diagnostics.warn("FLM0627", Some(param.span), message);
            }
        }
        let base = Base::read(section, Defaults { time_key: Some("time"), ..Defaults::default() }, context)?;
        let has_time_format = section.param("time_type").is_some() || section.param("time_format").is_some();
        Ok(Format::ByType(ByType { base, has_time_format }))
    }

    /// Whether the type of the body says.
    pub fn is_default(&self) -> bool {
        matches!(self, Format::ByType(_))
    }

    /// All records of a request.
    pub fn records<'a>(&self, scope: &Scope<'a>, payload: &'a Payload, params: &Params<'a>) -> Result<Found<'a>, Fault> {
        let mut found = Found::default();
        match self {
            Format::Parser(parser) => {
                let mut parsed = Parsed::default();
                match parser.parse(scope, &payload.body, &mut parsed) {
                    Ok(()) => {}
                    Err(ParseError::NoMatch) => found.invalid += 1,
                    Err(error) => return Err(error.into()),
                }
                found.invalid += parsed.unmatched.len();
                found.records = parsed.events;
            }
            Format::ByType(_) => {
                let given = |name: &'static str| match payload.whole {
                    Some(whole) if whole == name => Some(payload.body.as_slice()),
                    _ => params.get(name.as_bytes()).and_then(|value| value.as_bytes()),
                };
                if let Some(text) = given("msgpack") {
                    found.msgpack(scope, text)?;
                } else if let Some(text) = given("json") {
                    found.json(scope, text);
                } else if let Some(text) = given("ndjson") {
                    for line in text.split(|byte| *byte == b'\n') {
                        let line = line.strip_suffix(b"\r").unwrap_or(line);
                        if !line.is_empty() {
                            found.json(scope, line);
                        }
                    }
                } else {
                    let message = "'json', 'ndjson' or 'msgpack' parameter is required".to_owned();
                    return Err(Fault::Content("RuntimeError", message));
                }
            }
        }
        Ok(found)
    }

    /// The time that a record holds, which goes out of it unless it is to stay; else the present.
    pub fn take_time(&self, record: &mut Record<'_>) -> Result<EventTime, Fault> {
        let Format::ByType(ByType { base, has_time_format }) = self else { return Ok(EventTime::now()) };
        let key = base.time_key().unwrap_or_default().as_bytes();
        let value = if base.keeps_time_key() { record.get(key) } else { record.remove(key) };
        match value {
            None | Some(Value::Nil | Value::Bool(false)) => Ok(EventTime::now()),
            Some(value) if *has_time_format => base.parse_time(&value).map_err(Fault::time),
            Some(value) => time_of_number(&value),
        }
    }
}

impl<'a> Found<'a> {
    fn json(&mut self, scope: &Scope<'a>, text: &'a [u8]) {
        match read(scope.bump(), text, Engine::Oj) {
            Ok(Document::Record(record)) => self.records.push((None, record)),
            Ok(Document::Value(Value::Array(elements))) => elements.iter().for_each(|element| self.element(scope, *element)),
            Ok(Document::Value(_)) | Err(_) => self.invalid += 1,
        }
    }

    fn msgpack(&mut self, scope: &Scope<'a>, text: &'a [u8]) -> Result<(), Fault> {
        let mut reader = Reader::new(text);
        while !reader.is_at_end() {
            match read_value(scope.bump(), &mut reader) {
                Ok(Value::Array(elements)) => elements.iter().for_each(|element| self.element(scope, *element)),
                Ok(value) => self.element(scope, value),
                // Fluentd: what is cut off is held against the next request; here it is no event.
                Err(Invalid::Truncated) => {
                    self.invalid += 1;
                    return Ok(());
                }
                Err(Invalid::Marker) => return Err(Fault::Content("MessagePack::MalformedFormatError", "invalid byte".to_owned())),
                Err(invalid) => return Err(Fault::Content("MessagePack::UnpackError", invalid.to_string())),
            }
        }
        Ok(())
    }

    fn element(&mut self, scope: &Scope<'a>, value: Value<'a>) {
        match value {
            Value::Map(fields) => self.records.push((None, Record::from_fields(scope.bump(), fields))),
            _ => self.invalid += 1,
        }
    }
}

/// Seconds since 1970, as Ruby's `Time.at` takes them.
fn time_of_number(value: &Value<'_>) -> Result<EventTime, Fault> {
    match value {
        Value::Int(seconds) => Ok(EventTime { sec: *seconds, nsec: 0 }),
        Value::Float(seconds) if seconds.abs() < 1e18 => {
            // The fraction is exactly what the number holds, cut off behind the ninth digit.
            let whole = seconds.floor();
            let nanos = (((seconds - whole) * (1u64 << 53) as f64) as u128 * 1_000_000_000) >> 53;
            Ok(EventTime { sec: whole as i64, nsec: nanos as u32 })
        }
        Value::Float(seconds) if !seconds.is_finite() => {
            let name = if seconds.is_nan() {
                "NaN"
            } else if *seconds > 0.0 {
                "Infinity"
            } else {
                "-Infinity"
            };
            Err(Fault::Content("FloatDomainError", name.to_owned()))
        }
        Value::UInt(_) | Value::Big(_) | Value::Float(_) => {
            Err(Fault::Content("RangeError", "bignum too big to convert into 'long long'".to_owned()))
        }
        Value::Bool(_) => Err(Fault::Content("TypeError", "can't convert true into an exact number".to_owned())),
        other => Err(Fault::Content("TypeError", format!("can't convert {} into an exact number", ruby::class(other)))),
    }
}
