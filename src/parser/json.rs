//! `json`: a JSON object, or an array of them.

use super::{Base, Defaults, ParseError, Parsed, Parser};
use crate::config::{Element, Refused};
use crate::event::json::{Document, Engine, read};
use crate::event::{Record, Scope, TimeType, Value};
use crate::plugin::Context;

crate::choice! {
    /// Whose reading of JSON.
    pub enum Library { Oj = "oj", Yajl = "yajl", Json = "json" }
}

crate::section! {
    /// A JSON object, or an array of them.
    pub struct Params {
        /// Whose reading of JSON: they differ in what beyond the standard they take.
        pub json_parser: Library = "oj",
        /// How much is read at once from a stream. Texts are whole here, so that it changes nothing.
        pub stream_buffer_size: i64 = "8192" [idle "texts are whole here"],
    }
}

struct Json {
    engine: Engine,
    base: Base,
}

/// Makes the parser.
pub fn build(element: &Element, context: &Context<'_>) -> Result<Box<dyn Parser>, Refused> {
    let params = Params::read(element, context.diagnostics);
    let defaults = Defaults { time_key: Some("time"), time_type: TimeType::Float, time_format: None };
    let base = Base::read(element, defaults, context)?;
    if element.text("time_format").is_some() && element.param("time_type").is_none() {
        element.give("time_type", "string");
    }
    let engine = match params?.json_parser {
        Library::Oj => Engine::Oj,
        Library::Yajl => Engine::Yajl,
        Library::Json => Engine::Json,
    };
    Ok(Box::new(Json { engine, base }))
}

impl Parser for Json {
    fn parse<'a>(&self, scope: &Scope<'a>, text: &'a [u8], out: &mut Parsed<'a>) -> Result<(), ParseError> {
        match read(scope.bump(), text, self.engine) {
            Ok(Document::Record(record)) => self.base.finish(scope, record, out),
            Ok(Document::Value(Value::Array(elements))) => {
                for element in elements {
                    match element {
                        Value::Map(fields) => self.base.finish(scope, Record::from_fields(scope.bump(), fields), out)?,
                        _ => out.unmatched.push(out.events.len()),
                    }
                }
                Ok(())
            }
            Ok(Document::Value(_)) | Err(_) => Err(ParseError::NoMatch),
        }
    }

    fn parse_value<'a>(&self, scope: &Scope<'a>, value: Value<'a>, out: &mut Parsed<'a>) -> Result<(), ParseError> {
        match value.as_bytes() {
            Some(text) => self.parse(scope, text, out),
            None => Err(ParseError::NoMatch),
        }
    }
}
