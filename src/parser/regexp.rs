//! `regexp`: the named groups of a Ruby regular expression.

use super::{Base, Defaults, ParseError, Parsed, Parser, check_text};
use crate::config::{Element, Refused};
use crate::event::{Record, Scope, Value, intern};
use crate::plugin::Context;
use crate::regex::{Flags, Matched, Regex, TextKind};

crate::section! {
    /// The named groups of a Ruby regular expression.
    pub struct Params {
        /// The expression: `/re/im`, or bare.
        pub expression: Regex,
        /// Whether case is ignored.
        pub ignorecase: bool = "false" [deprecated "Use /pattern/i instead, this option is no longer effective"],
        /// Whether the dot matches newlines.
        pub multiline: bool = "false" [deprecated "Use /pattern/m instead, this option is no longer effective"],
    }
}

/// An expression whose named groups become fields.
#[derive(Clone, Debug)]
pub struct Fields {
    regex: Regex,
    names: Vec<&'static str>,
}

impl Fields {
    /// Of an expression with at least one named group; `None` where it has none.
    pub fn new(regex: Regex) -> Option<Fields> {
        let names: Vec<&'static str> = regex.names().iter().map(|name| intern(name)).collect();
        if names.is_empty() { None } else { Some(Fields { regex, names }) }
    }

    /// The groups that took part, as a record; `None` where the expression does not match.
    pub fn read<'a>(&self, scope: &Scope<'a>, text: &'a [u8], kind: TextKind) -> Option<Record<'a>> {
        let mut record = None;
        let matched = self.regex.named_groups(text, kind, |at, group| {
            let record = record.get_or_insert_with(|| Record::with_capacity(scope.bump(), self.names.len()));
            if let Some(value) = group.and_then(|(start, end)| text.get(start..end)) {
                record.push(Value::text(self.names[at]), Value::Str(value));
            }
        });
        record.filter(|_| matched == Matched::Yes)
    }

    /// Hands over each group, `None` where it took no part, and says whether the expression matches.
    pub fn each<'a>(&self, text: &'a [u8], mut field: impl FnMut(&'static str, Option<&'a [u8]>)) -> bool {
        let matched = self.regex.named_groups(text, TextKind::of(text), |at, group| {
            field(self.names[at], group.and_then(|(start, end)| text.get(start..end)));
        });
        matched == Matched::Yes
    }
}

/// The parser: fields and what all parsers have in common.
pub(super) struct Regexp {
    pub(super) fields: Fields,
    pub(super) base: Base,
}

/// Makes the parser.
pub fn build(element: &Element, context: &Context<'_>) -> Result<Box<dyn Parser>, Refused> {
    let params = Params::read(element, context.diagnostics);
    let defaults = Defaults { time_key: Some("time"), ..Defaults::default() };
    let base = Base::read(element, defaults, context)?;
    let params = params?;
    let refuse = |why: String| context.refuse("FLM0424", element.span, why);
    let regex = if params.ignorecase || params.multiline {
        let flags = Flags { ignore_case: params.ignorecase, multi_line: params.multiline, extended: false };
        Regex::new(params.expression.source(), flags).map_err(|error| refuse(error.message))?
    } else {
        params.expression
    };
    let fields = Fields::new(regex)
        .ok_or_else(|| refuse("No named captures in 'expression' parameter. The regexp must have at least one named capture".to_owned()))?;
    Ok(Box::new(Regexp { fields, base }))
}

impl Parser for Regexp {
    fn parse<'a>(&self, scope: &Scope<'a>, text: &'a [u8], out: &mut Parsed<'a>) -> Result<(), ParseError> {
        let kind = check_text(text, out)?;
        match self.fields.read(scope, text, kind) {
            Some(record) => self.base.finish(scope, record, out),
            None => Err(ParseError::NoMatch),
        }
    }
}
