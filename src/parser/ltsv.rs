//! `ltsv`: `label:value` between tabs.

use super::{Base, Defaults, ParseError, Parsed, Parser, check_text};
use crate::config::{Element, Refused};
use crate::event::{Record, Scope, Value};
use crate::plugin::Context;
use crate::regex::Regex;
use memchr::memmem;

crate::section! {
    /// `label:value` between tabs.
    pub struct Params {
        /// What stands between pairs.
        pub delimiter: String = "\t",
        /// What stands between pairs, as an expression; in place of `delimiter`.
        pub delimiter_pattern: Option<Regex>,
        /// What stands between label and value.
        pub label_delimiter: String = ":",
    }
}

struct Ltsv {
    params: Params,
    base: Base,
}

/// Makes the parser.
pub fn build(element: &Element, context: &Context<'_>) -> Result<Box<dyn Parser>, Refused> {
    let params = Params::read(element, context.diagnostics);
    let base = Base::read(element, Defaults { time_key: Some("time"), ..Defaults::default() }, context)?;
    Ok(Box::new(Ltsv { params: params?, base }))
}

impl Parser for Ltsv {
    fn parse<'a>(&self, scope: &Scope<'a>, text: &'a [u8], out: &mut Parsed<'a>) -> Result<(), ParseError> {
        check_text(text, out)?;
        let mut record = Record::with_capacity(scope.bump(), 16);
        let mut rest = Some(text);
        while let Some(text) = rest {
            let (pair, behind) = self.cut(text);
            rest = behind;
            let label_delimiter = self.params.label_delimiter.as_bytes();
            if let Some(at) = memmem::find(pair, label_delimiter) {
                record.set(&pair[..at], Value::Str(&pair[at + label_delimiter.len()..]));
            }
        }
        self.base.finish(scope, record, out)
    }
}

impl Ltsv {
    /// What stands before the next delimiter, and behind it.
    fn cut<'a>(&self, text: &'a [u8]) -> (&'a [u8], Option<&'a [u8]>) {
        let found = match (&self.params.delimiter_pattern, self.params.delimiter.as_bytes()) {
            (Some(pattern), _) => pattern.find(text).0,
            (None, b" ") => text.iter().position(u8::is_ascii_whitespace).map(|at| (at, at + 1)),
            (None, delimiter) => memmem::find(text, delimiter).map(|at| (at, at + delimiter.len())),
        };
        match found {
            Some((start, end)) if end > start => (&text[..start], Some(&text[end..])),
            _ => (text, None),
        }
    }
}
