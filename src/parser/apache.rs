//! `apache2`: a line of Apache's access log, `-` read as nil and numbers as such.

use super::regexp::Fields;
use super::{Base, Defaults, ParseError, Parsed, Parser, check_text};
use crate::config::{Element, Refused};
use crate::event::{EventTime, Record, Scope, TimeParser, Value, ruby};
use crate::plugin::Context;
use crate::regex::{Flags, Regex};

crate::section! {
    /// A line of Apache's access log.
    pub struct Params {}
}

/// As `apache`'s, but quotes may stand in the request, referer and agent behind a backslash.
const EXPRESSION: &str = concat!(
    r#"^(?<host>[^ ]*) [^ ]* (?<user>[^ ]*) \[(?<time>[^\]]*)\] "#,
    r#""(?<method>\S+)(?: +(?<path>(?:[^"]|\\")*?)(?: +\S*)?)?" "#,
    r#"(?<code>[^ ]*) (?<size>[^ ]*)(?: "(?<referer>(?:[^"]|\\")*)" "(?<agent>(?:[^"]|\\")*)")?$"#
);

struct Apache2 {
    fields: Fields,
    time_parser: TimeParser,
    base: Base,
}

/// Makes the parser.
pub fn build(element: &Element, context: &Context<'_>) -> Result<Box<dyn Parser>, Refused> {
    Params::read(element, context.diagnostics)?;
    let base = Base::read(element, Defaults::default(), context)?;
    let refuse = |why: String| context.refuse("FLM0424", element.span, why);
    let time_parser = base.time_parser_for("%d/%b/%Y:%H:%M:%S %z").map_err(refuse)?;
    let regex = Regex::new(EXPRESSION, Flags::default()).map_err(|error| refuse(error.message))?;
    let fields = Fields::new(regex).ok_or_else(|| refuse("the expression has no names".to_owned()))?;
    Ok(Box::new(Apache2 { fields, time_parser, base }))
}

impl Parser for Apache2 {
    fn parse<'a>(&self, scope: &Scope<'a>, text: &'a [u8], out: &mut Parsed<'a>) -> Result<(), ParseError> {
        check_text(text, out)?;
        let mut record = Record::with_capacity(scope.bump(), 9);
        let mut time: &[u8] = b"";
        let matches = self.fields.each(text, |name, value| match name {
            "time" => time = value.unwrap_or_default(),
            _ => record.push(Value::text(name), field(name, value)),
        });
        if !matches {
            return Err(ParseError::NoMatch);
        }
        let at: EventTime = self.time_parser.parse_text(time).map_err(time_error)?;
        if self.base.keeps_time_key() {
            record.push(Value::text("time"), Value::Str(time));
        }
        out.events.push((Some(at), record));
        Ok(())
    }
}

/// A time that does not read, outside of the common part of parsers.
pub(super) fn time_error(message: String) -> ParseError {
    ParseError::Failed { class: "Fluent::TimeParser::TimeParseError", message }
}

fn field<'a>(name: &str, value: Option<&'a [u8]>) -> Value<'a> {
    let Some(text) = value else { return Value::Nil };
    match (name, text) {
        ("code", text) => match ruby::leading_integer(text) {
            0 => Value::Nil,
            code => Value::Int(code),
        },
        ("host" | "user" | "size" | "referer" | "agent", b"-") => Value::Nil,
        ("size", text) => Value::Int(ruby::leading_integer(text)),
        _ => Value::Str(text),
    }
}
