//! `syslog`: lines of RFC 3164 and RFC 5424, read by expressions or column by column.

mod columns;

use super::apache::time_error;
use super::regexp::Fields;
use super::{Base, Defaults, ParseError, Parsed, Parser, check_text};
use crate::config::{Element, Refused};
use crate::event::{EventTime, Record, Scope, TimeParser, Value, ruby};
use crate::plugin::Context;
use crate::regex::{Flags, Regex};
use bumpalo::collections::Vec as BumpVec;

crate::choice! {
    /// The form of the lines.
    pub enum MessageFormat { Rfc3164 = "rfc3164", Rfc5424 = "rfc5424", Auto = "auto" }
}

crate::choice! {
    /// How lines are read.
    pub enum Engine { Regexp = "regexp", String = "string" }
}

crate::section! {
    /// A line of syslog.
    pub struct Params {
        /// Whether lines begin with a priority, `<9>`.
        pub with_priority: bool = "false",
        /// The form of the lines.
        pub message_format: MessageFormat = "rfc3164",
        /// The format of times in lines of RFC 5424.
        pub rfc5424_time_format: String = "%Y-%m-%dT%H:%M:%S.%L%z",
        /// Whether lines are read by expressions or column by column.
        pub parser_engine: Engine = "regexp" [alias "parser_type"],
        /// Whether, column by column, the name of the program may stand without a colon.
        pub support_colonless_ident: bool = "true",
    }
}

/// Behind the time: host, program, perhaps process, message.
const RFC3164: &str = r"(?<host>[^ ]*) (?<ident>[^ :\[]*)(?:\[(?<pid>[0-9]+)\])?(?:[^\:]*\:)? *(?<message>.*)$";

/// Behind the time: host, program, process, kind of message, structured data, perhaps a message.
const RFC5424: &str = concat!(
    r"(?<host>[!-~]{1,255}) (?<ident>[!-~]{1,48}) (?<pid>[!-~]{1,128}) (?<msgid>[!-~]{1,32}) ",
    r"(?<extradata>-|(?:\[.*?(?<!\\)\])+)(?: (?<message>.+))?\z"
);

/// How the lines of one of the two standards are read.
struct Form {
    time_parser: TimeParser,
    /// Tried where `time_parser` fails.
    other_time_parser: Option<TimeParser>,
    /// How many spaces the time's format has, and one.
    time_words: usize,
    /// Whether the time has the width of `Jan  1 00:00:00`.
    is_plain_time: bool,
    fields: Fields,
}

struct Syslog {
    params: Params,
    old: Form,
    new: Form,
    base: Base,
}

/// Makes the parser.
pub fn build(element: &Element, context: &Context<'_>) -> Result<Box<dyn Parser>, Refused> {
    let params = Params::read(element, context.diagnostics);
    let base = Base::read(element, Defaults { time_format: Some("%b %d %H:%M:%S"), ..Defaults::default() }, context)?;
    let params = params?;
    let refuse = |why: String| context.refuse("FLM0427", element.span, why);
    let given = element.text("time_format");
    let old_format = given.unwrap_or("%b %d %H:%M:%S");
    let new_format = match params.message_format {
        MessageFormat::Rfc5424 => given.unwrap_or(&params.rfc5424_time_format),
        _ => &params.rfc5424_time_format,
    };
    let old = form(&base, old_format, RFC3164, Flags::default()).map_err(refuse)?;
    let mut new = form(&base, new_format, RFC5424, Flags { multi_line: true, ..Flags::default() }).map_err(refuse)?;
    new.other_time_parser = Some(base.time_parser_for("%Y-%m-%dT%H:%M:%S%z").map_err(refuse)?);
    Ok(Box::new(Syslog { params, old, new, base }))
}

fn form(base: &Base, time_format: &str, expression: &str, flags: Flags) -> Result<Form, String> {
    let regex = Regex::new(expression, flags).map_err(|error| error.message)?;
    let words = time_format.split(' ').enumerate().filter(|(at, word)| *at == 0 || !word.is_empty()).count();
    Ok(Form {
        time_parser: base.time_parser_for(time_format)?,
        other_time_parser: None,
        time_words: words,
        is_plain_time: matches!(time_format, "%b %d %H:%M:%S" | "%b %d %H:%M:%S.%N"),
        fields: Fields::new(regex).ok_or("the expression has no names")?,
    })
}

impl Form {
    fn time(&self, text: &[u8]) -> Result<EventTime, ParseError> {
        let first = self.time_parser.parse_text(text);
        match (first, &self.other_time_parser) {
            (Err(_), Some(other)) => other.parse_text(text),
            (first, _) => first,
        }
        .map_err(time_error)
    }
}

impl Parser for Syslog {
    fn parse<'a>(&self, scope: &Scope<'a>, text: &'a [u8], out: &mut Parsed<'a>) -> Result<(), ParseError> {
        check_text(text, out)?;
        let is_new = match self.params.message_format {
            MessageFormat::Rfc3164 => false,
            MessageFormat::Rfc5424 => true,
            MessageFormat::Auto => text.split(|byte| *byte == b'\n').any(looks_new),
        };
        match (self.params.parser_engine, is_new) {
            (Engine::Regexp, false) => self.by_expression(scope, text, &self.old, priority(text), out),
            (Engine::Regexp, true) => self.by_expression(scope, text, &self.new, new_priority(text), out),
            (Engine::String, false) => self.old_columns(scope, text, out),
            (Engine::String, true) => self.new_columns(scope, text, out),
        }
    }
}

/// `<PRI>VERSION`, as lines of RFC 5424 begin.
fn looks_new(line: &[u8]) -> bool {
    priority(line).is_some_and(|(_, behind)| matches!(line.get(behind), Some(b'1'..=b'9')))
}

/// `<PRI>` with one to three digits, and where it ends.
fn priority(text: &[u8]) -> Option<(i64, usize)> {
    let digits = text.strip_prefix(b"<")?.iter().take_while(|byte| byte.is_ascii_digit()).count();
    ((1..=3).contains(&digits) && text.get(digits + 1) == Some(&b'>')).then(|| (ruby::leading_integer(&text[1..]), digits + 2))
}

/// `<PRI>VERSION ` and where it ends.
fn new_priority(text: &[u8]) -> Option<(i64, usize)> {
    let (number, behind) = priority(text)?;
    let digits = text[behind..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let space = text.get(behind + digits).is_some_and(u8::is_ascii_whitespace);
    ((1..=3).contains(&digits) && space).then_some((number, behind + digits + 1))
}

/// The text that so many words from `start` on are, with single spaces between them, and where the space behind it is.
fn words<'a>(scope: &Scope<'a>, text: &'a [u8], start: usize, count: usize) -> Option<(&'a [u8], usize)> {
    let mut at = start;
    let mut squeezed = false;
    for _ in 0..count {
        while text.get(at) == Some(&b' ') {
            squeezed = true;
            at += 1;
        }
        at += memchr::memchr(b' ', text.get(at..)?)? + 1;
    }
    let words = &text[start..at - 1];
    Some((if squeezed { squeeze(scope, words) } else { words }, at - 1))
}

fn squeeze<'a>(scope: &Scope<'a>, text: &[u8]) -> &'a [u8] {
    let mut kept = BumpVec::with_capacity_in(text.len(), scope.bump());
    for byte in text {
        if *byte != b' ' || kept.last() != Some(&b' ') {
            kept.push(*byte);
        }
    }
    kept.into_bump_slice()
}

/// Without one line end, as Ruby's `chomp`.
fn chomp(text: &[u8]) -> &[u8] {
    match text.strip_suffix(b"\n") {
        Some(text) => text.strip_suffix(b"\r").unwrap_or(text),
        None => text.strip_suffix(b"\r").unwrap_or(text),
    }
}

impl Syslog {
    fn by_expression<'a>(
        &self,
        scope: &Scope<'a>,
        text: &'a [u8],
        form: &Form,
        priority: Option<(i64, usize)>,
        out: &mut Parsed<'a>,
    ) -> Result<(), ParseError> {
        let mut record = Record::with_capacity(scope.bump(), 8);
        let mut start = 0;
        if self.params.with_priority {
            let (number, behind) = priority.ok_or(ParseError::NoMatch)?;
            record.push(Value::text("pri"), Value::Int(number));
            start = behind;
        }
        let too_short = || ParseError::failed("parse failed the line ends before its time does");
        let (time, end) = words(scope, text, start, form.time_words).ok_or_else(too_short)?;
        let at = form.time(time)?;
        if self.base.keeps_time_key() {
            record.push(Value::text("time"), Value::Str(time));
        }
        let matches = form.fields.each(&text[end + 1..], |name, value| match (name, value) {
            ("message", Some(value)) => record.push(Value::text(name), Value::Str(chomp(value))),
            (_, Some(value)) => record.push(Value::text(name), Value::Str(value)),
            (_, None) => {}
        });
        if !matches {
            return Err(ParseError::NoMatch);
        }
        out.events.push((Some(at), record));
        Ok(())
    }
}
