//! For programs: one document with all findings.

use super::super::{Found, Place, Report};
use crate::config::Severity;
use serde_json::{Value, json};

/// `{"findings": [...], "errors": N, "warnings": N, "notes": N}`.
pub fn render(reports: &[Report]) -> String {
    let findings: Vec<Value> = reports.iter().flat_map(|report| &report.findings).map(finding).collect();
    let count = |severity| reports.iter().map(|report| report.count(severity)).sum::<usize>();
    let document = json!({
        "configurations": reports.len(),
        "errors": count(Severity::Error),
        "warnings": count(Severity::Warning),
        "notes": count(Severity::Note),
        "findings": findings,
    });
    format!("{document:#}\n")
}

fn finding(found: &Found) -> Value {
    json!({
        "code": found.code,
        "severity": word(found.severity),
        "message": found.message,
        "help": found.help,
        "fix": found.fix.as_ref().map(|fix| json!({ "place": place(&fix.place), "text": fix.text })),
        "place": found.place.as_ref().map(place),
        "included_from": found.included_from.iter().map(place).collect::<Vec<_>>(),
    })
}

fn place(place: &Place) -> Value {
    json!({ "file": place.file, "line": place.line, "column": place.column, "end_column": place.column + place.width })
}

/// The word for a severity.
pub fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}
