//! For people: the finding, its place, the line with carets below, how the file came in, and what can be done.

use super::super::{Found, Place, Report};
use crate::config::Severity;
use std::fmt::Write;

/// Longer lines are cut around the place.
const MAX_LINE: usize = 140;

/// The escapes that a terminal shows as colours; all empty without colours.
struct Style {
    error: &'static str,
    warning: &'static str,
    note: &'static str,
    place: &'static str,
    help: &'static str,
    end: &'static str,
}

const PLAIN: Style = Style { error: "", warning: "", note: "", place: "", help: "", end: "" };
const COLOURED: Style =
    Style { error: "\x1b[1;31m", warning: "\x1b[1;33m", note: "\x1b[1;36m", place: "\x1b[34m", help: "\x1b[32m", end: "\x1b[0m" };

/// All findings, and a line that counts them.
pub fn render(reports: &[Report], colours: bool) -> String {
    let style = if colours { &COLOURED } else { &PLAIN };
    let mut text = String::new();
    for finding in reports.iter().flat_map(|report| &report.findings) {
        write_finding(finding, style, &mut text);
    }
    text.push_str(&summary(reports));
    text
}

fn summary(reports: &[Report]) -> String {
    let count = |severity| reports.iter().map(|report| report.count(severity)).sum::<usize>();
    let part = |number: usize, word: &str| if number == 1 { format!("1 {word}") } else { format!("{number} {word}s") };
    let parts = [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Note, "note")]
        .map(|(severity, word)| part(count(severity), word));
    let files = part(reports.len(), "configuration");
    format!("{files}: {}\n", parts.join(", "))
}

fn write_finding(finding: &Found, style: &Style, out: &mut String) {
    let (word, colour) = match finding.severity {
        Severity::Error => ("error", style.error),
        Severity::Warning => ("warning", style.warning),
        Severity::Note => ("note", style.note),
    };
    let mut lines = finding.message.lines();
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{colour}{word} {}{}: {}", finding.code, style.end, lines.next().unwrap_or(""));
    for line in lines {
        let _ = writeln!(out, "  {line}");
    }
    if let Some(place) = &finding.place {
        write_place(place, colour, style, out);
    }
    for place in &finding.included_from {
        let _ = writeln!(out, "   {}included at{} {}:{}:{}", style.place, style.end, place.file, place.line, place.column);
    }
    for help in &finding.help {
        let _ = writeln!(out, "   {}help:{} {help}", style.help, style.end);
    }
    out.push('\n');
}

fn write_place(place: &Place, colour: &str, style: &Style, out: &mut String) {
    let number = place.line.to_string();
    let margin = " ".repeat(number.len());
    let (shown, column) = cut(place);
    let width = place.width.min(shown.chars().count().saturating_sub(column - 1)).max(1);
    // Tabs are kept before the carets, so that they stand below what they mean whatever a tab is wide.
    let before: String = shown.chars().take(column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    let _ = writeln!(out, "{margin}{}-->{} {}:{}:{}", style.place, style.end, place.file, place.line, place.column);
    let _ = writeln!(out, "{margin} {}|{}", style.place, style.end);
    let _ = writeln!(out, "{}{number} |{} {shown}", style.place, style.end);
    let _ = writeln!(out, "{margin} {}|{} {before}{colour}{}{}", style.place, style.end, "^".repeat(width), style.end);
}

/// The line, cut around the place where it is long, without what a terminal would take for a command; and the column in that.
fn cut(place: &Place) -> (String, usize) {
    let clean = |c: char| if c.is_control() && c != '\t' { '\u{fffd}' } else { c };
    let characters: Vec<char> = place.text.chars().map(clean).collect();
    let column = place.column.min(characters.len() + 1);
    if characters.len() <= MAX_LINE {
        return (characters.into_iter().collect(), column);
    }
    let start = (column - 1).saturating_sub(MAX_LINE / 2);
    let shown: String = characters.iter().skip(start).take(MAX_LINE).collect();
    (shown, column - start)
}
