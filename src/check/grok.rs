//! Grok parsers: patterns that do not exist, fields that hide each other, patterns that an earlier one leaves no text for.

use super::subject::{Subject, kind_of, text_of, walk};
use super::suggest::closest;
use crate::config::{Element, FromLiteral, Span};
use crate::parser::grok::{Library, Series};
use crate::regex::{Doubt, Flags, doubts};
use std::path::Path;

/// One pattern of a parser.
struct Pattern<'e> {
    text: &'e str,
    span: Span,
    expression: String,
}

/// Looks at all grok parsers.
pub fn check(subject: &Subject<'_>) {
    walk(subject.built, &mut |element, _| {
        if element.name == "parse" && matches!(kind_of(element), "grok" | "multiline_grok") {
            parser(subject, element);
        }
    });
}

/// The patterns that a parser can refer to.
pub(super) fn library(element: &Element) -> Library {
    let series = text_of(element, "grok_pattern_series").and_then(|text| Series::from_literal(text, false).ok());
    let mut library = Library::new(series.unwrap_or(Series::Legacy));
    if let Some(path) = text_of(element, "custom_pattern_path") {
        // What cannot be read is said by the parser itself.
        let _ = library.add(Path::new(path));
    }
    library
}

fn parser(subject: &Subject<'_>, element: &Element) {
    let library = library(element);
    let mut patterns: Vec<Pattern<'_>> = Vec::new();
    let sections =
        element.children.iter().filter(|child| child.name == "grok").filter_map(|section| Some((section.param("pattern")?, section.span)));
    let flat = element.param("grok_pattern").map(|param| (param, element.span));
    // Beside `grok_pattern` the sections are not used.
    let used: Vec<(&crate::config::Param, Span)> = if flat.is_some() { flat.into_iter().collect() } else { sections.collect() };
    for (param, owner) in used {
        let Some(text) = super::subject::value(param) else { continue };
        let span = param.value_span;
        if unknown(subject, &library, text, span) {
            subject.replaced.borrow_mut().push(("FLM0431", owner));
        }
        int_types(subject, text, span);
        if let Ok(expansion) = library.expand(text) {
            fields(subject, &expansion.expression, span);
            patterns.push(Pattern { text, span, expression: without_names(&expansion.expression) });
        }
    }
    hidden(subject, &patterns);
}

/// What to say of the names in a pattern that no pattern has, each with the nearest that there is.
pub fn unknown_patterns<'a>(library: &'a Library, text: &'a str) -> impl Iterator<Item = String> + 'a {
    references(text).filter(|name| !library.has(name)).map(|name| {
        let near = closest(name, library.names()).map_or_else(String::new, |near| format!(", did you mean %{{{near}}}?"));
        format!("grok pattern not found: %{{{name}}}{near}")
    })
}

/// Names of patterns that do not exist; whether there are any.
fn unknown(subject: &Subject<'_>, library: &Library, text: &str, span: Span) -> bool {
    let mut some = false;
    for name in references(text) {
        if !library.has(name) {
            let near = closest(name, library.names());
            let help = near.map_or_else(
                || "patterns of one's own go in a file that custom_pattern_path names".to_owned(),
                |near| format!("did you mean %{{{near}}}?"),
            );
            subject.error("FLM0431", span, format!("grok pattern not found: %{{{name}}}"), help);
            if let Some(near) = near {
                subject.mend(span, &format!("%{{{name}"), &format!("%{{{near}"));
            }
            some = true;
        }
    }
    some
}

/// `%{INT:n:int}`: no type of Fluentd's.
fn int_types(subject: &Subject<'_>, text: &str, span: Span) {
    const TYPES: [&str; 6] = ["string", "bool", "integer", "float", "time", "array"];
    for reference in whole_references(text) {
        let mut parts = reference.splitn(3, ':');
        let (name, field, kind) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
        let Some((field, kind)) = field.zip(kind) else { continue };
        let kind = kind.split(':').next().unwrap_or_default();
        if !TYPES.contains(&kind) && kind != "int" && !field.starts_with('[') {
            let near = closest(kind, TYPES.into_iter()).unwrap_or("integer");
            let message = format!("'{kind}' is no type of grok: the field is called '{field}:{kind}'");
            subject.warn("FLM0437", span, message, format!("did you mean %{{{name}:{field}:{near}}}? types are {}", TYPES.join(", ")));
            subject.mend(span, &format!("%{{{name}:{field}:{kind}"), &format!("%{{{name}:{field}:{near}"));
        }
    }
}

/// Fields that a later group of the same name takes the place of.
fn fields(subject: &Subject<'_>, expression: &str, span: Span) {
    for doubt in doubts(expression, Flags::default()) {
        if let Doubt::Repeated(name) = doubt {
            let message = format!("the pattern fills the field '{name}' more than once: only the last one is kept");
            subject.warn(
                "FLM0724",
                span,
                message,
                "patterns can have fields of their own within: give yours another name, or leave the name out",
            );
        }
    }
}

/// Patterns for which an earlier one leaves no text.
fn hidden(subject: &Subject<'_>, patterns: &[Pattern<'_>]) {
    for (at, pattern) in patterns.iter().enumerate() {
        let Some(earlier) = patterns[..at].iter().find(|earlier| takes_all(&earlier.expression, &pattern.expression)) else { continue };
        let place = subject.at(earlier.span, pattern.span);
        let message = format!(
            "the pattern {} can never match: {} {place} is tried first and matches all of its texts",
            shown(pattern.text),
            shown(earlier.text)
        );
        subject.warn("FLM0725", pattern.span, message, "put the longer pattern first, or close the earlier one by ^ and $");
    }
}

fn shown(text: &str) -> String {
    let cut: String = text.chars().take(40).collect();
    if cut.len() < text.len() { format!("{cut}...") } else { cut }
}

/// Whether an expression matches whatever another one does: it is the same, its beginning, or takes everything.
fn takes_all(earlier: &str, later: &str) -> bool {
    const EVERYTHING: [&str; 6] = ["(?:.*)", ".*", "(?:.*?)", "^(?:.*)", "^(?:.*)$", "(?:.*)$"];
    if EVERYTHING.contains(&earlier) {
        return true;
    }
    let Some(rest) = later.strip_prefix(earlier) else { return false };
    let continues = rest.starts_with(['*', '+', '?', '{', '|'])
        || earlier.ends_with(['\\', '|', '$'])
        || has_open_alternative(earlier)
        || has_open_alternative(later);
    rest.is_empty() || !continues
}

/// Whether there is a `|` outside of brackets: then the beginning says little.
fn has_open_alternative(expression: &str) -> bool {
    let mut depth = 0i32;
    let mut escaped = false;
    for c in expression.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            '|' if depth == 0 => return true,
            _ => {}
        }
    }
    false
}

/// An expression with its named groups turned into plain ones.
fn without_names(expression: &str) -> String {
    let mut out = String::new();
    let mut rest = expression;
    while let Some(at) = rest.find("(?<") {
        let (before, group) = rest.split_at(at);
        out.push_str(before);
        let inside = &group[3..];
        match inside.find('>').filter(|_| !inside.starts_with(['=', '!'])) {
            Some(end) => {
                out.push_str("(?:");
                rest = &inside[end + 1..];
            }
            None => {
                out.push_str("(?<");
                rest = inside;
            }
        }
    }
    out + rest
}

/// The insides of `%{...}`.
fn whole_references(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("%{").filter_map(|(at, _)| {
        let inside = &text[at + 2..];
        inside.find('}').map(|end| &inside[..end])
    })
}

/// The names of the patterns that a pattern refers to.
fn references(text: &str) -> impl Iterator<Item = &str> {
    whole_references(text).filter_map(|inside| {
        let name = inside.split(':').next().unwrap_or_default();
        (!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings_take_what_goes_on() {
        assert!(takes_all("(?:a)", "(?:a) (?:b)"));
        assert!(takes_all("(?:.*)", "x"));
        assert!(takes_all("a", "a"));
        assert!(!takes_all("(?:a) (?:b)", "(?:a)"));
        assert!(!takes_all("^a$", "^a$b"));
        assert!(!takes_all("a", "a*b"));
        assert!(!takes_all("a", "ab|c"));
    }

    #[test]
    fn names_are_left_out() {
        assert_eq!(without_names("(?<a>x)(?<=y)(?<b>z)"), "(?:x)(?<=y)(?:z)");
        assert_eq!(references("%{A:b} %{C} %{").collect::<Vec<_>>(), ["A", "C"]);
    }
}
