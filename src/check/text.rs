//! What only the text shows: values that a `#` cuts, variables of the environment that are not set, secrets that stand in the file.

use super::subject::{Subject, levels, literals, value, walk};
use crate::config::tree::{Form, Node, Part};
use crate::config::{Element, Section};

/// Words in the names of parameters whose values are nobody's business.
const SECRET_WORDS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "secret",
    "shared_key",
    "api_key",
    "apikey",
    "access_token",
    "auth_token",
    "private_key_passphrase",
];
/// Names with such a word whose values are none: names of fields, paths.
const NOT_SECRET: &[&str] = &["_path", "_file", "_field", "_name", "_method", "_id"];

/// Looks at the texts.
pub fn check(subject: &Subject<'_>) {
    for text in &subject.trees {
        levels(&text.tree.nodes, &mut |nodes| cut_values(subject, nodes));
        literals(&text.tree.nodes, &mut |literal| {
            for part in &literal.parts {
                if let Part::Code(code, span) = part {
                    variables(subject, code, *span);
                }
            }
        });
    }
    walk(subject.built, &mut |element, _| secrets(subject, element));
}

/// Plain values that a comment behind them seems to be part of.
fn cut_values(subject: &Subject<'_>, nodes: &[Node]) {
    for window in nodes.windows(3) {
        let [Node::Param(param), Node::Blank(_), Node::Comment(comment)] = window else { continue };
        let Some(literal) = param.value.as_ref().filter(|literal| literal.form == Form::Plain) else { continue };
        let between = subject.source_text(crate::config::Span { start: literal.span.end, end: comment.start, ..literal.span });
        if between.contains('\n') {
            continue;
        }
        let text = subject.source_text(literal.span);
        let rest = subject.source_text(*comment);
        let Some(why) = looks_cut(text, rest) else { continue };
        let key = subject.source_text(param.key.span);
        let message = format!("the value of '{key}' ends before the '#': {why}");
        subject.warn("FLM0701", *comment, message, "put the whole value in double quotes, or write \\x23 for the '#' of an expression");
    }
}

/// Why a value seems to go on behind a `#`.
fn looks_cut(text: &str, comment: &str) -> Option<&'static str> {
    if text.starts_with('/') && !text[1..].contains('/') && comment.contains('/') {
        return Some("the expression has no slash at its end");
    }
    let open = |pair: (char, char)| text.matches(pair.0).count() > text.matches(pair.1).count() && comment.contains(pair.1);
    if open(('(', ')')) || open(('[', ']')) || open(('{', '}')) {
        return Some("a bracket is open in it");
    }
    (comment.contains("%{") || comment.contains("(?<") || comment.contains("${")).then_some("what follows looks like the rest of a pattern")
}

/// `ENV['X']` where X is not set and nothing stands in for it.
fn variables(subject: &Subject<'_>, code: &str, span: crate::config::Span) {
    for (at, _) in code.match_indices("ENV") {
        let rest = code[at + 3..].trim_start();
        let Some(inside) = rest.strip_prefix('[').or_else(|| rest.strip_prefix(".fetch(")) else { continue };
        let inside = inside.trim_start();
        let Some(quote) = inside.chars().next().filter(|c| matches!(c, '\'' | '"')) else { continue };
        let Some(end) = inside[1..].find(quote) else { continue };
        let name = &inside[1..=end];
        let behind = &inside[end + 1..];
        let stands_in = behind.contains("||")
            || behind.contains("use_default")
            || behind.contains("use_nil")
            || behind.contains(',')
            || behind.contains('?');
        if subject.environment.variable(name).is_none() && !stands_in {
            let message = format!("the environment variable {name} is not set here: the value is empty");
            subject.note(
                "FLM0702",
                span,
                message,
                format!(
                    "set it where the program runs (or for this check by --env-file), or give a value in its place: ENV['{name}'] || '...'"
                ),
            );
        }
    }
}

/// Secrets that anybody who reads the file sees.
fn secrets(subject: &Subject<'_>, element: &Element) {
    let declared = element.declarations();
    for param in &element.params {
        let Some(text) = value(param).filter(|text| !text.is_empty()) else { continue };
        let is_declared = |section: &&'static Section| section.declared(&param.key).is_some_and(|declared| declared.secret);
        let key = param.key.to_ascii_lowercase();
        let by_name = SECRET_WORDS.iter().any(|word| key.contains(word)) && !NOT_SECRET.iter().any(|end| key.ends_with(end));
        let harmless = matches!(text, "true" | "false" | "changeme" | "xxxxxx") || text.starts_with('/') || text.contains("${");
        if (declared.iter().any(is_declared) || by_name) && !harmless && !subject.is_computed(param.value_span) {
            let message = format!("the secret '{}' stands in the file, where everybody who can read it sees it", param.key);
            let variable = param.key.to_ascii_uppercase();
            subject.note(
                "FLM0703",
                param.value_span,
                message,
                format!("take it from the environment: {} \"#{{ENV['{variable}']}}\"", param.key),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_that_are_comments_are_left_alone() {
        for (text, comment) in [("24224", "# the port"), ("/a/", "# an expression"), ("a(b)", "# (c)"), ("%Y", "# the year (four digits)")]
        {
            assert_eq!(looks_cut(text, comment), None, "{text} {comment}");
        }
        for (text, comment) in [("/^(?<a>x)", "#(?<b>y)$/"), ("a(b", "# c)"), ("%{WORD:a}", "# %{WORD:b}")] {
            assert!(looks_cut(text, comment).is_some(), "{text} {comment}");
        }
    }
}
