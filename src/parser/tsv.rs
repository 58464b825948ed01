//! `tsv`: values between tabs, named by their place.

use super::{Base, Defaults, ParseError, Parsed, Parser, check_text};
use crate::config::{Element, Refused};
use crate::event::{Record, Scope, Value, intern};
use crate::plugin::Context;

crate::section! {
    /// Values between tabs, named by their place.
    pub struct Params {
        /// Their names.
        pub keys: Vec<String>,
        /// What stands between them.
        pub delimiter: String = "\t",
    }
}

struct Tsv {
    keys: Vec<&'static str>,
    delimiter: String,
    base: Base,
}

/// Makes the parser.
pub fn build(element: &Element, context: &Context<'_>) -> Result<Box<dyn Parser>, Refused> {
    let params = Params::read(element, context.diagnostics);
    let base = Base::read(element, Defaults::default(), context)?;
    let params = params?;
    let keys = params.keys.iter().map(|key| intern(key)).collect();
    Ok(Box::new(Tsv { keys, delimiter: params.delimiter, base }))
}

impl Parser for Tsv {
    fn parse<'a>(&self, scope: &Scope<'a>, text: &'a [u8], out: &mut Parsed<'a>) -> Result<(), ParseError> {
        check_text(text, out)?;
        let mut record = Record::with_capacity(scope.bump(), self.keys.len());
        let mut rest = (!text.is_empty()).then_some(text);
        for (at, key) in self.keys.iter().enumerate() {
            let value = match rest {
                Some(text) if at + 1 == self.keys.len() => {
                    rest = None;
                    Some(if self.delimiter == " " { text.trim_ascii_start() } else { text })
                }
                Some(text) => {
                    let (value, behind) = cut(text, self.delimiter.as_bytes());
                    rest = behind;
                    Some(value)
                }
                None => None,
            };
            record.set(key.as_bytes(), value.map_or(Value::Nil, Value::Str));
        }
        self.base.finish(scope, record, out)
    }
}

/// What stands before the delimiter, and behind it; a single space stands for any white space.
fn cut<'a>(text: &'a [u8], delimiter: &[u8]) -> (&'a [u8], Option<&'a [u8]>) {
    if delimiter == b" " {
        let text = text.trim_ascii_start();
        return match text.iter().position(u8::is_ascii_whitespace) {
            Some(at) => (&text[..at], Some(&text[at + 1..])),
            None => (text, None),
        };
    }
    match memchr::memmem::find(text, delimiter) {
        Some(at) if !delimiter.is_empty() => (&text[..at], Some(&text[at + delimiter.len()..])),
        _ => (text, None),
    }
}
