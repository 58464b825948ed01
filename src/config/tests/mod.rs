//! Tests of the whole room: configuration text in, elements and findings out.

mod compat;
mod files;
mod format;
pub(crate) mod mutation;
mod recovery;
mod syntax;
mod typed;
mod yaml;

use super::ruby::Environment;
use super::{Diagnostics, Element, LoadOptions, Severity, dump, load};

/// The environment of the tests.
fn environment() -> Environment {
    let variables = [("NAME", "blue"), ("NUMBER", "42"), ("EMPTY", "")];
    Environment {
        variables: variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        hostname: "here".to_owned(),
        // Damaged texts would otherwise run damaged commands.
        trusted: false,
        ..Environment::of_process()
    }
}

fn options(text: &str) -> LoadOptions {
    LoadOptions { environment: environment(), ..LoadOptions::for_text("test.conf", text) }
}

/// The configuration of a text that has no faults.
fn read(text: &str) -> Element {
    let diagnostics = Diagnostics::new();
    load(&options(text), &diagnostics).unwrap_or_else(|_| panic!("{text}\n{}", super::render(&diagnostics)))
}

/// The text of what was read, without `<ROOT>` and its indentation.
fn shown(text: &str) -> String {
    let text = dump(&read(text));
    let lines: Vec<&str> = text.lines().map(|line| line.strip_prefix("  ").unwrap_or(line)).collect();
    lines[1..lines.len() - 1].join("\n")
}

/// `line: message` of each finding of one severity.
fn findings(diagnostics: &Diagnostics, severity: Severity) -> Vec<String> {
    let chosen = diagnostics.findings().into_iter().filter(|finding| finding.severity == severity);
    chosen.map(|finding| format!("{}: {}", finding.span.map_or(0, |span| diagnostics.line_column(span).0), finding.message)).collect()
}

/// The errors of a text.
fn errors(text: &str) -> Vec<String> {
    let diagnostics = Diagnostics::new();
    let result = load(&options(text), &diagnostics);
    let errors = findings(&diagnostics, Severity::Error);
    assert_eq!(result.is_err(), !errors.is_empty(), "{text}");
    errors
}

/// The warnings of a text.
fn warnings(text: &str) -> Vec<String> {
    let diagnostics = Diagnostics::new();
    let _ = load(&options(text), &diagnostics);
    findings(&diagnostics, Severity::Warning)
}

/// Asserts that there is one error for each expected `(line, part of the message)`, in any order.
fn assert_errors(text: &str, expected: &[(usize, &str)]) {
    let errors = errors(text);
    let found = |(line, part): &(usize, &str)| errors.iter().any(|error| error.starts_with(&format!("{line}: ")) && error.contains(part));
    assert!(errors.len() == expected.len() && expected.iter().all(found), "{text}\nexpected {expected:#?}\nbut got {errors:#?}");
}
