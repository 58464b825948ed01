//! `none`: the whole text as one field.

use super::{Base, Defaults, ParseError, Parsed, Parser};
use crate::config::{Element, Refused};
use crate::event::{Record, Scope, Value, intern};
use crate::plugin::Context;

crate::section! {
    /// The whole text as one field.
    pub struct Params {
        /// The field's name.
        pub message_key: String = "message",
    }
}

struct None {
    message_key: &'static str,
    base: Base,
}

/// Makes the parser.
pub fn build(element: &Element, context: &Context<'_>) -> Result<Box<dyn Parser>, Refused> {
    let params = Params::read(element, context.diagnostics);
    let base = Base::read(element, Defaults::default(), context)?;
    Ok(Box::new(None { message_key: intern(&params?.message_key), base }))
}

impl Parser for None {
    fn parse<'a>(&self, scope: &Scope<'a>, text: &'a [u8], out: &mut Parsed<'a>) -> Result<(), ParseError> {
        self.parse_value(scope, Value::Str(text), out)
    }

    /// Any value will do.
    fn parse_value<'a>(&self, scope: &Scope<'a>, value: Value<'a>, out: &mut Parsed<'a>) -> Result<(), ParseError> {
        let mut record = Record::with_capacity(scope.bump(), 1);
        record.push(Value::text(self.message_key), value);
        let time = self.base.estimates_current_event().then(|| out.now());
        out.events.push((time, record));
        Ok(())
    }
}
