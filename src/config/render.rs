//! Findings as text: message, place and a three-line excerpt with a caret, in Fluentd's form.

use super::{Diagnostics, Finding, Severity, Span};

/// Longer lines are cut around the place in an excerpt.
const MAX_LINE: usize = 160;

/// All findings, errors first, each with its excerpt.
pub fn render(diagnostics: &Diagnostics) -> String {
    let mut findings = diagnostics.findings();
    findings.sort_by_key(|finding| finding.severity);
    findings.iter().map(|finding| render_finding(finding, diagnostics)).collect()
}

/// One finding: `[error] CODE MESSAGE at FILE line N,COLUMN` and the lines around it, each with its end.
///
/// The column counts the characters before the place, as Fluentd's does.
pub fn render_finding(finding: &Finding, diagnostics: &Diagnostics) -> String {
    let word = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warn",
        Severity::Note => "note",
    };
    let mut text = format!("[{word}] {} {}", finding.code, finding.message);
    match finding.span.and_then(|span| excerpt(span, diagnostics)) {
        Some(excerpt) => text.push_str(&excerpt),
        None => text.push('\n'),
    }
    text
}

/// ` at FILE line N,COLUMN`, for messages of one line; empty where the place is not known.
pub fn place(span: Span, diagnostics: &Diagnostics) -> String {
    let Some(source) = diagnostics.source(span.file) else { return String::new() };
    let (line, column) = diagnostics.line_column(span);
    format!(" at {} line {line},{}", source.name, column - 1)
}

fn excerpt(span: Span, diagnostics: &Diagnostics) -> Option<String> {
    let source = diagnostics.source(span.file)?;
    let (line, column) = diagnostics.line_column(span);
    let before = column - 1;
    let lines: Vec<&str> = source.text.split('\n').collect();
    let mut text = place(span, diagnostics);
    text.push('\n');
    let show = |number: usize, out: &mut String| {
        if let Some(line) = number.checked_sub(1).and_then(|at| lines.get(at)) {
            let line: String =
                line.trim_end_matches('\r').chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect();
            let cut = line.char_indices().nth(MAX_LINE.max(before + 40)).map_or(line.as_str(), |(at, _)| &line[..at]);
            out.push_str(&format!("{number:>3}: {cut}\n"));
        }
    };
    if line > 1 {
        show(line - 1, &mut text);
    }
    show(line, &mut text);
    // Tabs stay tabs, so that the caret stands under its place.
    let lead: String = lines.get(line - 1).unwrap_or(&"").chars().take(before).map(|c| if c == '\t' { '\t' } else { '-' }).collect();
    text.push_str(&format!("{}{lead}^\n", " ".repeat(format!("{line:>3}: ").len())));
    if line < lines.len() && !(line + 1 == lines.len() && lines[line].is_empty()) {
        show(line + 1, &mut text);
    }
    Some(text)
}
