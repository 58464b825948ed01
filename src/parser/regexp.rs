//! `regexp`: the named groups of a Ruby regular expression.

use super::base::Fate;
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

    /// How many named groups there are.
    fn count(&self) -> usize {
        self.names.len()
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
    fields: Fields,
    base: Base,
    /// What becomes of each field.
    fates: Vec<Fate>,
}

impl Regexp {
    /// Of an expression's fields, with these common parameters.
    pub(super) fn new(fields: Fields, base: Base) -> Regexp {
        let fates = fields.names.iter().map(|name| base.fate(name)).collect();
        Regexp { fields, base, fates }
    }

    /// The expression.
    pub(super) fn regex(&self) -> &Regex {
        &self.fields.regex
    }

    /// Adds the groups that took part as an event; `false` where the expression does not match. The same as taking the time out of the record
    /// of all groups, and converting that then, in one pass, and in the place where it stays.
    pub(super) fn read<'a>(&self, scope: &Scope<'a>, text: &'a [u8], kind: TextKind, out: &mut Parsed<'a>) -> Result<bool, ParseError> {
        let before = out.events.len();
        let Some(time) = self.push(scope, text, kind, out) else { return Ok(false) };
        let time = match self.base.time_of(time, out) {
            Ok(time) => time,
            Err(error) => {
                out.events.truncate(before);
                return Err(error);
            }
        };
        if let Some(event) = out.events.last_mut() {
            event.0 = time;
            if self.base.searches_values() {
                self.base.convert(scope, &mut event.1);
            }
        }
        Ok(true)
    }

    /// Adds an event without a time, and gives the text of that, if there is one; `None` where the expression does not match.
    fn push<'a>(&self, scope: &Scope<'a>, text: &'a [u8], kind: TextKind, out: &mut Parsed<'a>) -> Option<Option<&'a [u8]>> {
        let events = &mut out.events;
        let mut time = None;
        // No expression can be run while the groups of another are looked at.
        let at_once = !self.base.searches_values();
        let matched = self.fields.regex.named_groups(text, kind, |at, group| {
            // There is at least one group, and none before the expression has matched.
            if at == 0 {
                events.push((None, Record::with_capacity(scope.bump(), self.fields.count())));
            }
            let Some(value) = group.and_then(|(start, end)| text.get(start..end)) else { return };
            let Some((_, record)) = events.last_mut() else { return };
            let fate = self.fates[at];
            if fate.is_time {
                time = Some(value);
                if !fate.stays {
                    return;
                }
            }
            let name = Value::text(self.fields.names[at]);
            if at_once && self.base.changes(fate) {
                record.push(name, self.base.converted(scope, fate, value));
            } else {
                record.push(name, Value::Str(value));
            }
        });
        (matched == Matched::Yes).then_some(time)
    }
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
    Ok(Box::new(Regexp::new(fields, base)))
}

impl Parser for Regexp {
    fn parse<'a>(&self, scope: &Scope<'a>, text: &'a [u8], out: &mut Parsed<'a>) -> Result<(), ParseError> {
        let kind = check_text(text, out)?;
        if self.read(scope, text, kind, out)? { Ok(()) } else { Err(ParseError::NoMatch) }
    }
}
