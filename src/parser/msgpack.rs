//! `msgpack`: maps, or arrays of maps, one after another.

use super::{Base, Defaults, ParseError, Parsed, Parser};
use crate::config::{Element, Refused};
use crate::event::msgpack::{Invalid, Reader, read_value};
use crate::event::{Record, Scope, Value};
use crate::plugin::Context;

crate::section! {
    /// Maps of msgpack, or arrays of them.
    pub struct Params {}
}

struct MessagePack {
    base: Base,
}

/// Makes the parser.
pub fn build(element: &Element, context: &Context<'_>) -> Result<Box<dyn Parser>, Refused> {
    Params::read(element, context.diagnostics)?;
    Ok(Box::new(MessagePack { base: Base::read(element, Defaults::default(), context)? }))
}

impl Parser for MessagePack {
    fn parse<'a>(&self, scope: &Scope<'a>, text: &'a [u8], out: &mut Parsed<'a>) -> Result<(), ParseError> {
        let mut reader = Reader::new(text);
        while !reader.is_at_end() {
            match read_value(scope.bump(), &mut reader) {
                Ok(Value::Array(elements)) => elements.iter().try_for_each(|element| self.event(scope, *element, out))?,
                Ok(value) => self.event(scope, value, out)?,
                // Fluentd: what is cut off is held against the next text; here it is no event.
                Err(Invalid::Truncated) => return Ok(()),
                Err(invalid) => return Err(ParseError::failed(format!("parse failed {invalid}"))),
            }
        }
        Ok(())
    }
}

impl MessagePack {
    fn event<'a>(&self, scope: &Scope<'a>, value: Value<'a>, out: &mut Parsed<'a>) -> Result<(), ParseError> {
        match value {
            Value::Map(fields) => self.base.finish(scope, Record::from_fields(scope.bump(), fields), out),
            _ => {
                out.unmatched.push(out.events.len());
                Ok(())
            }
        }
    }
}
