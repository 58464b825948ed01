//! `multiline`: the named groups of an expression in several parts, over text of several lines, as often as it matches.

use super::regexp::{Fields, Regexp};
use super::{Base, Defaults, ParseError, Parsed, Parser, check_text};
use crate::config::{Element, Refused};
use crate::event::{Record, Scope, Value};
use crate::plugin::Context;
use crate::regex::{Flags, Matched, Regex, TextKind};

crate::section! {
    /// An expression in parts (`format1` to `format20`), over text of several lines.
    pub struct Params {
        /// What a first line looks like; for inputs that put lines together.
        pub format_firstline: Option<String>,
        /// Whether text that does not match becomes an event with the field `unmatched_line`.
        pub unmatched_lines: Option<String>,
    }
}

/// Parts are `format1` to this.
const MAX_FORMATS: usize = 20;

struct Multiline {
    regex: Regex,
    regexp: Regexp,
    unmatched_lines: bool,
    first_line: Option<Regex>,
}

/// Makes the parser.
pub fn build(element: &Element, context: &Context<'_>) -> Result<Box<dyn Parser>, Refused> {
    let params = Params::read(element, context.diagnostics);
    let base = Base::read(element, Defaults { time_key: Some("time"), ..Defaults::default() }, context)?;
    let params = params?;
    let refuse = |why: String| context.refuse("FLM0426", element.span, why);
    let formats = formats(element).map_err(refuse)?;
    let flags = Flags { multi_line: true, ..Flags::default() };
    let regex = Regex::new(&formats, flags).map_err(|error| refuse(format!("Invalid regexp '{formats}': {}", error.message)))?;
    let fields = Fields::new(regex.clone()).ok_or_else(|| refuse(format!("Invalid regexp '{formats}': No named captures")))?;
    let first_line = match &params.format_firstline {
        Some(first) => {
            let inner = expression(first, "format_firstline").map_err(refuse)?;
            Some(Regex::new(inner, Flags::default()).map_err(|error| refuse(error.message))?)
        }
        None => None,
    };
    let regexp = Regexp::new(fields, base);
    Ok(Box::new(Multiline { regex, regexp, unmatched_lines: params.unmatched_lines.is_some(), first_line }))
}

/// The parts, put together.
fn formats(element: &Element) -> Result<String, String> {
    let number =
        |key: &str| key.strip_prefix("format").filter(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit())).map(str::parse::<usize>);
    let wrong: Vec<&str> = element
        .params
        .iter()
        .filter(|param| number(&param.key).is_some_and(|n| !n.is_ok_and(|n| (1..=MAX_FORMATS).contains(&n))))
        .map(|param| param.key.as_str())
        .collect();
    if !wrong.is_empty() {
        return Err(format!("Invalid formatN found. N should be 1 - {MAX_FORMATS}: {}", wrong.join(",")));
    }
    let mut whole = String::new();
    let mut before = true;
    for n in 1..=MAX_FORMATS {
        let key = format!("format{n}");
        let format = element.text(&key);
        if n > 1 && !before && format.is_some() {
            return Err(format!("Jump of format index found. format{} is missing.", n - 1));
        }
        before = format.is_some();
        if let Some(format) = format {
            whole.push_str(expression(format, &key)?);
        }
    }
    Ok(whole)
}

/// What stands between the slashes.
fn expression<'e>(format: &'e str, key: &str) -> Result<&'e str, String> {
    let inner = format.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
    let inner = inner.ok_or_else(|| format!("format should be Regexp, need //, in {key}: '{format}'"))?;
    let flags = Flags { multi_line: true, ..Flags::default() };
    Regex::new(inner, flags).map(|_| inner).map_err(|error| format!("Invalid regexp in {key}: {}", error.message))
}

impl Parser for Multiline {
    fn begins(&self, line: &[u8]) -> Option<bool> {
        self.first_line.as_ref().map(|regex| regex.is_match(line) == Matched::Yes)
    }

    fn parse<'a>(&self, scope: &Scope<'a>, text: &'a [u8], out: &mut Parsed<'a>) -> Result<(), ParseError> {
        check_text(text, out)?;
        let mut rest = text;
        loop {
            if !self.regexp.read(scope, rest, TextKind::of(rest), out)? {
                self.unmatched(scope, rest, out);
                return Ok(());
            }
            if self.unmatched_lines && out.events.last().is_some_and(|(time, _)| time.is_none()) {
                out.events.pop();
                self.unmatched(scope, rest, out);
            }
            let end = self.regex.find(rest).0.map_or(rest.len(), |(_, end)| end);
            // Without progress the same would be found for ever.
            let behind = &rest[if end == 0 { rest.len() } else { end }..];
            rest = behind.strip_prefix(b"\n").unwrap_or(behind);
            if rest.is_empty() {
                return Ok(());
            }
        }
    }
}

impl Multiline {
    fn unmatched<'a>(&self, scope: &Scope<'a>, text: &'a [u8], out: &mut Parsed<'a>) {
        if !self.unmatched_lines {
            return out.unmatched.push(out.events.len());
        }
        let mut record = Record::with_capacity(scope.bump(), 1);
        record.push(Value::text("unmatched_line"), Value::Str(text));
        let now = out.now();
        out.events.push((Some(now), record));
    }
}
