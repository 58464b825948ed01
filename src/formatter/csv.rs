//! `csv`: chosen fields of the record as a line of CSV.

use super::newline::Newline;
use super::{FormatError, Formatter};
use crate::config::{Element, Refused};
use crate::event::{Accessor, Event, Scope, Tag, Value, ruby};
use crate::plugin::Context;

crate::section! {
    /// Values of chosen fields as a line of CSV.
    pub struct Params {
        /// What stands between values; `TAB` or `\t` for a tab.
        pub delimiter: String = ",",
        /// Quotes around every value, not only where they are needed.
        pub force_quotes: bool = "true",
        /// The fields, in order, `$.a.b` for nested ones.
        pub fields: Vec<String>,
        /// Whether a newline follows.
        pub add_newline: bool = "true",
    }
}

struct Csv {
    fields: Vec<Accessor>,
    delimiter: String,
    force_quotes: bool,
    newline: &'static [u8],
}

/// Makes the formatter.
pub fn build(element: &Element, context: &Context<'_>) -> Result<Box<dyn Formatter>, Refused> {
    let params = Params::read(element, context.diagnostics)?;
    let named: Vec<&String> = params.fields.iter().filter(|field| !field.is_empty()).collect();
    if named.is_empty() {
        return Err(context.refuse("FLM0418", element.span, "empty value is specified in fields parameter"));
    }
    // Fluentd: with no nested field among them even odd names are plain keys.
    let fields = named.into_iter().map(|field| Accessor::parse(field)).collect::<Result<_, _>>();
    let fields = fields.map_err(|why| context.refuse("FLM0419", element.span, format!("fields: {why}")))?;
    let delimiter = if params.delimiter == "\\t" || params.delimiter == "TAB" { "\t".to_owned() } else { params.delimiter };
    let newline = Newline::Lf.bytes(params.add_newline);
    Ok(Box::new(Csv { fields, delimiter, force_quotes: params.force_quotes, newline }))
}

impl Formatter for Csv {
    fn format<'a>(&self, _scope: &Scope<'a>, _tag: &Tag, event: &Event<'a>, out: &mut Vec<u8>) -> Result<(), FormatError> {
        for (number, field) in self.fields.iter().enumerate() {
            if number > 0 {
                out.extend_from_slice(self.delimiter.as_bytes());
            }
            let start = out.len();
            let value = field.get(&event.record);
            value.iter().for_each(|value| ruby::to_s(value, out));
            let is_text = value.is_some_and(|value| value != Value::Nil);
            if self.force_quotes || self.needs_quotes(&out[start..], is_text) {
                quote(out, start);
            }
        }
        out.extend_from_slice(self.newline);
        Ok(())
    }
}

impl Csv {
    /// Whether Ruby's CSV quotes this; an empty text is quoted, a missing value is not.
    fn needs_quotes(&self, text: &[u8], is_text: bool) -> bool {
        if text.is_empty() {
            return is_text;
        }
        text.iter().any(|byte| matches!(byte, b'\r' | b'\n' | b'"') || self.delimiter.as_bytes().contains(byte))
    }
}

/// Puts quotes around what stands behind `start`, doubling those within.
fn quote(out: &mut Vec<u8>, start: usize) {
    let text = out.split_off(start);
    out.push(b'"');
    for byte in text {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.push(b'"');
}
