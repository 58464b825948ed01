//! `csv`: values between commas, quoted where they hold one, named by their place.

use super::{Base, Defaults, ParseError, Parsed, Parser, check_text};
use crate::config::{Element, Refused};
use crate::event::{Record, Scope, Value, intern};
use crate::plugin::Context;
use bumpalo::collections::Vec as BumpVec;
use memchr::memmem;

crate::choice! {
    /// How lines are read.
    pub enum Engine { Normal = "normal", Fast = "fast" }
}

crate::section! {
    /// Values between commas, named by their place.
    pub struct Params {
        /// Their names.
        pub keys: Vec<String>,
        /// What stands between them.
        pub delimiter: String = ",",
        /// Whether lines are read by the rules of CSV, or by fewer that take more.
        pub parser_engine: Engine = "normal" [alias "parser_type"],
    }
}

struct Csv {
    keys: Vec<&'static str>,
    delimiter: Vec<u8>,
    engine: Engine,
    base: Base,
}

/// Makes the parser.
pub fn build(element: &Element, context: &Context<'_>) -> Result<Box<dyn Parser>, Refused> {
    let params = Params::read(element, context.diagnostics);
    let base = Base::read(element, Defaults::default(), context)?;
    let params = params?;
    if params.delimiter.is_empty() {
        return Err(context.refuse("FLM0425", element.span, ":col_sep must be 1 or more characters: \"\""));
    }
    let keys = params.keys.iter().map(|key| intern(key)).collect();
    Ok(Box::new(Csv { keys, delimiter: params.delimiter.into_bytes(), engine: params.parser_engine, base }))
}

impl Parser for Csv {
    fn parse<'a>(&self, scope: &Scope<'a>, text: &'a [u8], out: &mut Parsed<'a>) -> Result<(), ParseError> {
        let record = match self.engine {
            Engine::Normal => self.by_the_rules(scope, text, out)?,
            Engine::Fast => {
                check_text(text, out)?;
                self.fast(scope, text)
            }
        };
        self.base.finish(scope, record, out)
    }
}

/// A fault as Ruby's CSV library tells it.
fn malformed(what: &str) -> ParseError {
    ParseError::failed(format!("parse failed {what} in line 1."))
}

impl Csv {
    fn by_the_rules<'a>(&self, scope: &Scope<'a>, text: &'a [u8], out: &Parsed<'a>) -> Result<Record<'a>, ParseError> {
        if check_text(text, out).is_err() {
            return Err(malformed("Invalid byte sequence in UTF-8"));
        }
        if text.is_empty() {
            return Err(ParseError::failed("parse failed wrong argument type NilClass (must respond to :each)"));
        }
        let line_end = line_end(text);
        let mut record = Record::with_capacity(scope.bump(), self.keys.len());
        let mut rest = (!text.starts_with(line_end)).then_some(text);
        let mut keys = self.keys.iter();
        loop {
            let key = keys.next();
            let value = match rest {
                Some(text) => {
                    let (value, behind) = self.value(scope, text, line_end)?;
                    rest = behind;
                    value
                }
                None if key.is_none() => return Ok(record),
                None => Value::Nil,
            };
            if let Some(key) = key {
                record.set(key.as_bytes(), value);
            }
        }
    }

    /// A value, and what stands behind the delimiter that follows it; `None` where the line ends.
    fn value<'a>(&self, scope: &Scope<'a>, text: &'a [u8], line_end: &[u8]) -> Result<(Value<'a>, Option<&'a [u8]>), ParseError> {
        if let Some(quoted) = text.strip_prefix(b"\"") {
            let (value, behind) = unquote(scope, quoted).ok_or_else(|| malformed("Unclosed quoted field"))?;
            if let Some(behind) = behind.strip_prefix(self.delimiter.as_slice()) {
                return Ok((Value::Str(value), Some(behind)));
            }
            let ends = behind.is_empty() || behind.starts_with(line_end);
            return if ends { Ok((Value::Str(value), None)) } else { Err(malformed("Any value after quoted field isn't allowed")) };
        }
        let end = memmem::find(text, line_end).unwrap_or(text.len());
        let (value, behind) = match memmem::find(&text[..end], &self.delimiter) {
            Some(at) => (&text[..at], Some(&text[at + self.delimiter.len()..])),
            None => (&text[..end], None),
        };
        if value.contains(&b'"') {
            return Err(malformed("Illegal quoting"));
        }
        if let Some(stray) = value.iter().find(|byte| matches!(byte, b'\r' | b'\n')) {
            return Err(malformed(&format!("Unquoted fields do not allow new line <{:?}>", char::from(*stray).to_string())));
        }
        Ok((if value.is_empty() { Value::Nil } else { Value::Str(value) }, behind))
    }

    /// The lenient way: the text is split first, and quotes are looked at afterwards.
    fn fast<'a>(&self, scope: &Scope<'a>, text: &'a [u8]) -> Record<'a> {
        let text = text.strip_suffix(b"\n").map_or(text, |text| text.strip_suffix(b"\r").unwrap_or(text));
        let mut record = Record::with_capacity(scope.bump(), self.keys.len());
        let mut rest = (!text.is_empty()).then_some(text);
        let mut at = 0;
        while let Some(text) = rest {
            let (value, behind) = self.lenient_value(scope, text);
            rest = behind;
            match self.keys.get(at) {
                Some(key) => record.set(key.as_bytes(), value),
                None => record.set_value(Value::Nil, value),
            }
            at += 1;
        }
        record
    }

    fn lenient_value<'a>(&self, scope: &Scope<'a>, text: &'a [u8]) -> (Value<'a>, Option<&'a [u8]>) {
        let (column, behind) = self.column(text);
        let quotes = memchr::memchr_iter(b'"', column).count();
        let inner = column.strip_prefix(b"\"").filter(|_| column.len() > 1).and_then(|inner| inner.strip_suffix(b"\""));
        match (quotes, inner) {
            (0, _) if column.is_empty() => (Value::Nil, behind),
            (1, _) if column.starts_with(b"\"") => {
                let (merged, behind) = self.merged(text);
                let inner = merged.get(1..merged.len().max(2) - 1).unwrap_or_default();
                (Value::Str(inner), behind)
            }
            (2, Some(inner)) => (Value::Str(inner), behind),
            (3.., _) => (Value::Str(single_quotes(scope, inner.unwrap_or(column))), behind),
            _ => (Value::Str(column), behind),
        }
    }

    fn column<'a>(&self, text: &'a [u8]) -> (&'a [u8], Option<&'a [u8]>) {
        match memmem::find(text, &self.delimiter) {
            Some(at) => (&text[..at], Some(&text[at + self.delimiter.len()..])),
            None => (text, None),
        }
    }

    /// Columns up to one that ends in a quote, with the delimiters between them.
    fn merged<'a>(&self, text: &'a [u8]) -> (&'a [u8], Option<&'a [u8]>) {
        let (_, mut rest) = self.column(text);
        while let Some(from) = rest {
            let (column, behind) = self.column(from);
            rest = behind;
            if column.ends_with(b"\"") {
                let end = text.len() - behind.map_or(0, |behind| behind.len() + self.delimiter.len());
                return (&text[..end], behind);
            }
        }
        (text, None)
    }
}

/// The line end that comes first.
fn line_end(text: &[u8]) -> &'static [u8] {
    match memchr::memchr2(b'\r', b'\n', text) {
        Some(at) if text[at..].starts_with(b"\r\n") => b"\r\n",
        Some(at) if text[at] == b'\r' => b"\r",
        _ => b"\n",
    }
}

/// The text up to the closing quote, and what is behind that; `None` where there is none.
fn unquote<'a>(scope: &Scope<'a>, text: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let mut doubled = false;
    let mut at = 0;
    loop {
        at += memchr::memchr(b'"', &text[at..])?;
        if text.get(at + 1) != Some(&b'"') {
            let value = &text[..at];
            return Some((if doubled { single_quotes(scope, value) } else { value }, &text[at + 1..]));
        }
        doubled = true;
        at += 2;
    }
}

/// The text with single quotes where it has two.
fn single_quotes<'a>(scope: &Scope<'a>, text: &[u8]) -> &'a [u8] {
    let mut single = BumpVec::with_capacity_in(text.len(), scope.bump());
    let mut bytes = text.iter().peekable();
    while let Some(byte) = bytes.next() {
        single.push(*byte);
        if *byte == b'"' {
            bytes.next_if(|next| **next == b'"');
        }
    }
    single.into_bump_slice()
}
