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
        let begin = out.len();
        for (number, field) in self.fields.iter().enumerate() {
            if number > 0 {
                out.extend_from_slice(self.delimiter.as_bytes());
            }
            let start = out.len();
            let value = match field.dig(&event.record) {
                Ok(value) => value,
                Err(message) => {
                    out.truncate(begin);
                    return Err(FormatError { class: "TypeError", message });
                }
            };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::json::{Document, Engine, read};
    use crate::event::{EventTime, Scratch};

    #[test]
    fn a_field_within_something_that_has_no_fields_is_an_error() {
        let fields = ["a", "$.n.m"].map(|field| Accessor::parse(field).unwrap()).into();
        let csv = Csv { fields, delimiter: "|".to_owned(), force_quotes: false, newline: b"\n" };
        let scratch = Scratch::take();
        let scope = scratch.scope();
        let mut out = b"before ".to_vec();
        let mut format = |record: &str| {
            let Ok(Document::Record(record)) = read(scope.bump(), scope.text(record).as_bytes(), Engine::Json) else { panic!("{record}") };
            let result = csv.format(&scope, &Tag::new("t"), &Event { time: EventTime::from_secs(1), record }, &mut out);
            (String::from_utf8(std::mem::replace(&mut out, b"before ".to_vec())).unwrap(), result.err().map(|error| error.message))
        };
        assert_eq!(format(r#"{"a":"x|y","n":{"m":1}}"#), ("before \"x|y\"|1\n".to_owned(), None));
        assert_eq!(format(r#"{"a":"","n":{}}"#), ("before \"\"|\n".to_owned(), None));
        assert_eq!(format(r#"{"a":1,"n":1.5}"#), ("before ".to_owned(), Some("Float does not have #dig method".to_owned())));
    }
}
