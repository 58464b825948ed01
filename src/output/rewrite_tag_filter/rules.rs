//! The rules: reading them in the present and in the old form, and finding the one that takes an event.

use super::tags::Placeholders;
use crate::config::{Element, FromLiteral, Kind, Param, ParamValue, Refused, Span};
use crate::event::{Accessor, Record, Value, ruby};
use crate::plugin::Context;
use crate::regex::{Flags, Matched, Regex};
use std::borrow::Cow;

crate::section! {
    /// A field, what it has to match, and the new tag.
    pub struct RuleParams {
        /// The field.
        pub key: Accessor,
        /// The regular expression.
        pub pattern: Pattern,
        /// The new tag: `$1` and the like, `${tag}`, `${tag_parts[n]}`, `${hostname}`, `__TAG__` and `__HOSTNAME__` are replaced.
        pub tag: String,
        /// The label in which the event goes on; the one it is in by default.
        pub label: Option<String>,
        /// Whether the rule takes what does not match.
        pub invert: bool = "false",
    }
}

/// A regular expression whose groups can be asked for by number.
#[derive(Clone, Debug)]
pub struct Pattern(Regex);

impl FromLiteral for Pattern {
    const KIND: Kind = Kind::Regexp;

    fn from_literal(text: &str, strict: bool) -> Result<Pattern, String> {
        let plain = <Regex as FromLiteral>::from_literal(text, strict)?;
        Regex::with_groups(plain.source(), plain.flags()).map(Pattern).map_err(|error| error.message)
    }
}

/// One rule.
pub struct Rule {
    key: Accessor,
    pattern: Regex,
    invert: bool,
    /// The new tag, with what is to be replaced.
    pub tag: String,
    /// Which way its events go.
    pub way: usize,
}

/// What became of an event.
pub enum Verdict {
    /// It has a new tag and goes this way.
    Rewritten(usize),
    /// No rule takes it.
    NoRule,
}

impl Rule {
    /// Whether the new tag depends on what the expression matched.
    pub fn takes_captures(&self) -> bool {
        !self.invert && self.tag.as_bytes().windows(2).any(|pair| pair[0] == b'$' && pair[1].is_ascii_digit())
    }

    /// By what Fluentd tells rules apart: the new tag is no part of it.
    fn identity(&self) -> (&str, bool, &str, Flags) {
        (self.key.source(), self.invert, self.pattern.source(), self.pattern.flags())
    }
}

/// The rules of an element with their labels, the old ones last.
pub fn read(element: &Element, context: &Context<'_>) -> Result<Vec<(Rule, Option<String>, Span)>, Refused> {
    let mut rules = Vec::new();
    let mut result = Ok(());
    for section in element.sections("rule") {
        match RuleParams::read(section, context.diagnostics) {
            Ok(params) => {
                let RuleParams { key, pattern, tag, label, invert } = params;
                rules.push((Rule { key, pattern: pattern.0, invert, tag, way: 0 }, label, section.span));
            }
            Err(refused) => result = Err(refused),
        }
    }
    for param in old_rules(element) {
        match old_rule(param, context) {
            Ok(rule) => rules.push((rule, None, param.span)),
            Err(refused) => result = Err(refused),
        }
    }
    result?;
    let refuse = |message: String, span: Span| Err(context.refuse("FLM0541", span, message));
    if rules.is_empty() {
        return refuse("missing rewriterules".to_owned(), element.span);
    }
    for (at, (rule, _, span)) in rules.iter().enumerate() {
        if has_range(&rule.tag, "${tag_parts[", "]}") && has_range(&rule.tag, "__TAG_PARTS[", "]__") {
            let message = "${tag_parts[n]} and __TAG_PARTS[n]__ placeholder does not support range specify at tag";
            return refuse(format!("{message} {:?}", rule.tag), *span);
        }
        if rules[..at].iter().any(|(other, ..)| other.identity() == rule.identity()) {
            let (key, pattern) = (rule.key.source(), rule.pattern.source());
            return refuse(format!("duplicated rewriterules found: key {key:?} and pattern /{pattern}/"), *span);
        }
    }
    Ok(rules)
}

/// `rewriterule1` and the like, in the order of their numbers.
fn old_rules(element: &Element) -> Vec<&Param> {
    let number = |param: &Param| param.key.strip_prefix("rewriterule").and_then(|digits| digits.parse::<u64>().ok());
    let mut found: Vec<(u64, &Param)> = element.params.iter().filter_map(|param| Some((number(param)?, param))).collect();
    found.sort_by_key(|(number, _)| *number);
    found.into_iter().map(|(_, param)| param).collect()
}

/// `KEY EXPRESSION TAG`; a `!` before the expression inverts it, double quotes around it are dropped.
// Fluentd: the plugin of Fluentd 1 refuses this form, which files of version 0.12 have.
fn old_rule(param: &Param, context: &Context<'_>) -> Result<Rule, Refused> {
    param.used.set(true);
    let refuse = |message: String| context.refuse("FLM0542", param.value_span, message);
    let ParamValue::Text(text) = &param.value else { return Err(refuse(format!("'{}' needs a value", param.key))) };
    context.diagnostics.warn("FLM0205", Some(param.span), format!("'{}' parameter is deprecated: Use <rule> section instead", param.key));
    let parts = text.split_once(char::is_whitespace).and_then(|(key, rest)| {
        let (expression, tag) = rest.trim().rsplit_once(char::is_whitespace)?;
        Some((key, expression.trim(), tag))
    });
    let Some((key, written, tag)) = parts.filter(|(key, expression, _)| !key.is_empty() && !expression.is_empty()) else {
        return Err(refuse(format!("failed to parse rewriterules at {} {text}: expected a key, an expression and a tag", param.key)));
    };
    let expression = written.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(written);
    let expression = expression.strip_prefix('!').unwrap_or(expression);
    let pattern = Regex::with_groups(expression, Flags::default()).map_err(|why| refuse(format!("{}: {}", param.key, why.message)))?;
    let key = Accessor::parse(key).map_err(|why| refuse(format!("{}: {why}", param.key)))?;
    Ok(Rule { key, pattern, invert: written.starts_with('!'), tag: tag.to_owned(), way: 0 })
}

/// Whether a tag has `[1..2]` or `[1...2]` between these.
fn has_range(tag: &str, open: &str, close: &str) -> bool {
    tag.match_indices(open).any(|(at, _)| {
        let Some((inside, _)) = tag[at + open.len()..].split_once(close) else { return false };
        let is_digit = |text: &str| text.len() == 1 && text.as_bytes()[0].is_ascii_digit();
        inside.split_once("..").is_some_and(|(from, to)| is_digit(from) && is_digit(to.strip_prefix('.').unwrap_or(to)))
    })
}

/// Finds the first rule that takes the record and writes the new tag; errors are Ruby's class and words.
pub fn decide(
    rules: &[Rule],
    placeholders: &Placeholders<'_>,
    record: &Record<'_>,
    new_tag: &mut Vec<u8>,
) -> Result<Verdict, (&'static str, String)> {
    let mut groups = Vec::new();
    for rule in rules {
        let value = rule.key.dig(record).map_err(|why| ("TypeError", why))?.unwrap_or(Value::Nil);
        let text = text_of(&value);
        if text.is_empty() && !rule.invert {
            continue;
        }
        if rule.invert {
            if rule.pattern.is_match(&text) == Matched::Yes {
                continue;
            }
            placeholders.expand(rule.tag.as_bytes(), new_tag);
            return Ok(Verdict::Rewritten(rule.way));
        }
        if !rule.takes_captures() {
            if rule.pattern.is_match(&text) != Matched::Yes {
                continue;
            }
            placeholders.expand(rule.tag.as_bytes(), new_tag);
            return Ok(Verdict::Rewritten(rule.way));
        }
        if rule.pattern.groups_from(&text, 0, &mut groups) != Matched::Yes {
            continue;
        }
        let filled = placeholders.fill(rule.tag.as_bytes(), &text, &groups)?;
        placeholders.expand(&filled, new_tag);
        return Ok(Verdict::Rewritten(rule.way));
    }
    Ok(Verdict::NoRule)
}

/// A value as text, with question marks in place of what is no UTF-8.
fn text_of<'v>(value: &Value<'v>) -> Cow<'v, [u8]> {
    let text = match value {
        Value::Nil => return Cow::Borrowed(b""),
        Value::Str(text) | Value::Bin(text) => Cow::Borrowed(*text),
        other => {
            let mut text = Vec::new();
            ruby::to_s(other, &mut text);
            Cow::Owned(text)
        }
    };
    if simdutf8::basic::from_utf8(&text).is_ok() { text } else { Cow::Owned(ruby::scrub(&text)) }
}
