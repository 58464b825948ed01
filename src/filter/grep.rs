//! `grep`: keeps events by regular expressions on their fields.

mod old;

use super::Filter;
use crate::config::{Element, Refused, Span};
use crate::event::{Accessor, Batch, Event, Record, Scope, Tag, Value, ruby};
use crate::plugin::Context;
use crate::regex::{Flags, Matched, Regex};
use bumpalo::collections::Vec as BumpVec;
use std::cell::RefCell;

pub use old::Params;

crate::section! {
    /// A field and what it has to match.
    pub struct Condition {
        /// The field.
        pub key: Accessor,
        /// The regular expression.
        pub pattern: Regex,
    }
}

crate::section! {
    /// Conditions that count together.
    pub struct Group {}
    sections { "regexp": many(Condition), "exclude": many(Condition) }
}

/// Conditions that have different fields.
#[derive(Default)]
struct Conditions(Vec<Condition>);

/// The filter. A group without conditions decides nothing.
struct Grep {
    all_match: Conditions,
    any_matches: Conditions,
    not_all_match: Conditions,
    none_matches: Conditions,
}

/// Makes the filter.
pub fn build(element: &Element, context: &Context<'_>) -> Result<Box<dyn Filter>, Refused> {
    let params = Params::read(element, context.diagnostics)?;
    let mut grep = Grep {
        all_match: Conditions::default(),
        any_matches: Conditions::default(),
        not_all_match: Conditions::default(),
        none_matches: Conditions::default(),
    };
    let mut result = Ok(());
    for (name, text) in params.regexps() {
        result = result.and(old_condition(name, text, element.span, context).and_then(|(key, condition)| {
            grep.all_match.add(condition, element.span, context, |_| format!("{name} contains a duplicated key, {key}"))
        }));
    }
    for (name, text) in params.excludes() {
        result = result.and(old_condition(name, text, element.span, context).and_then(|(key, condition)| {
            grep.none_matches.add(condition, element.span, context, |_| format!("{name} contains a duplicated key, {key}"))
        }));
    }
    let duplicate = |key: &str| format!("Duplicate key: {key}");
    result = result.and(grep.all_match.add_all(element, "regexp", context, duplicate));
    result = result.and(grep.none_matches.add_all(element, "exclude", context, duplicate));
    for section in element.sections("and") {
        result = result.and(exclusive(section, context));
        let duplicate = |key: &str| format!("Duplicate key in <and>: {key}");
        result = result.and(grep.all_match.add_all(section, "regexp", context, duplicate));
        result = result.and(grep.not_all_match.add_all(section, "exclude", context, duplicate));
    }
    for section in element.sections("or") {
        result = result.and(exclusive(section, context));
        let duplicate = |key: &str| format!("Duplicate key in <or>: {key}");
        result = result.and(grep.any_matches.add_all(section, "regexp", context, duplicate));
        result = result.and(grep.none_matches.add_all(section, "exclude", context, duplicate));
    }
    result.map(|()| Box::new(grep) as Box<dyn Filter>)
}

/// A group has `<regexp>` or `<exclude>`, not both.
fn exclusive(section: &Element, context: &Context<'_>) -> Result<(), Refused> {
    Group::read(section, context.diagnostics)?;
    if section.has_section("regexp") && section.has_section("exclude") {
        return Err(context.refuse("FLM0450", section.span, format!("Do not specify both <regexp> and <exclude> in <{}>", section.name)));
    }
    Ok(())
}

/// The key and the condition of `regexpN key expression`.
fn old_condition<'t>(name: &str, text: &'t str, span: Span, context: &Context<'_>) -> Result<(&'t str, Condition), Refused> {
    let Some((key, expression)) = text.split_once(' ') else {
        return Err(context.refuse("FLM0451", span, format!("{name} does not contain 2 parameters")));
    };
    let accessor = Accessor::parse(key).map_err(|why| context.refuse("FLM0452", span, format!("{name}: {why}")))?;
    let pattern = Regex::new(expression, Flags::default())
        .map_err(|why| context.refuse("FLM0453", span, format!("{name}: {}: /{expression}/", why.message)))?;
    Ok((key, Condition { key: accessor, pattern }))
}

impl Conditions {
    fn add(&mut self, condition: Condition, span: Span, context: &Context<'_>, duplicate: impl Fn(&str) -> String) -> Result<(), Refused> {
        if self.0.iter().any(|known| known.key.source() == condition.key.source()) {
            return Err(context.refuse("FLM0454", span, duplicate(condition.key.source())));
        }
        self.0.push(condition);
        Ok(())
    }

    fn add_all(&mut self, element: &Element, name: &str, context: &Context<'_>, duplicate: impl Fn(&str) -> String) -> Result<(), Refused> {
        let mut result = Ok(());
        for section in element.sections(name) {
            let condition = Condition::read(section, context.diagnostics);
            result = result.and(condition.and_then(|condition| self.add(condition, section.span, context, &duplicate)));
        }
        result
    }

    /// Whether the first condition that is `wanted` exists; an error where a field cannot be reached.
    fn any(&self, record: &Record<'_>, wanted: bool) -> Result<bool, String> {
        for condition in &self.0 {
            if condition.matches(record)? == wanted {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

thread_local! {
    static TEXT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Condition {
    fn matches(&self, record: &Record<'_>) -> Result<bool, String> {
        match self.key.dig(record)?.unwrap_or(Value::Nil) {
            Value::Str(text) | Value::Bin(text) => Ok(is_match(&self.pattern, text)),
            Value::Nil => Ok(is_match(&self.pattern, b"")),
            other => Ok(TEXT.with_borrow_mut(|text| {
                text.clear();
                ruby::to_s(&other, text);
                is_match(&self.pattern, text)
            })),
        }
    }
}

/// What is no UTF-8 is matched with question marks in its place, as Fluentd does.
fn is_match(pattern: &Regex, text: &[u8]) -> bool {
    if text.is_ascii() || simdutf8::basic::from_utf8(text).is_ok() {
        return pattern.is_match(text) == Matched::Yes;
    }
    pattern.is_match(&ruby::scrub(text)) == Matched::Yes
}

impl Grep {
    fn keeps(&self, record: &Record<'_>) -> Result<bool, String> {
        if self.all_match.any(record, false)? {
            return Ok(false);
        }
        if !self.any_matches.is_empty() && !self.any_matches.any(record, true)? {
            return Ok(false);
        }
        if !self.not_all_match.is_empty() && !self.not_all_match.any(record, false)? {
            return Ok(false);
        }
        Ok(!self.none_matches.any(record, true)?)
    }
}

impl Filter for Grep {
    fn is_stateless(&self) -> bool {
        true
    }

    fn filter<'a>(&self, scope: &Scope<'a>, _tag: &Tag, batch: &mut Batch<'a>) {
        let keeps = |event: &Event<'a>| {
            self.keeps(&event.record).unwrap_or_else(|why| {
                crate::warning!("failed to grep events: error={why:?}");
                true
            })
        };
        // A verdict an event, so that nothing is matched twice and a batch that stays whole stays packed.
        let mut verdicts = BumpVec::with_capacity_in(batch.len(), scope.bump());
        verdicts.extend(batch.events(scope).iter().map(keeps));
        if verdicts.iter().all(|keep| *keep) {
            return;
        }
        let mut verdicts = verdicts.into_iter();
        batch.events_mut(scope).retain(|_| verdicts.next().unwrap_or(true));
    }
}
