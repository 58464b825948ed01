//! SARIF 2.1.0: what code scanning takes.

use super::super::{Found, Place, Report, codes};
use super::json::word;
use serde_json::{Value, json};

/// One run with all findings and the rules that they name.
pub fn render(reports: &[Report]) -> String {
    let findings: Vec<&Found> = reports.iter().flat_map(|report| &report.findings).collect();
    let mut named: Vec<&str> = findings.iter().map(|finding| finding.code).collect();
    named.sort_unstable();
    named.dedup();
    let rules: Vec<Value> = named.iter().filter_map(|code| codes::find(code)).map(rule).collect();
    let document = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "flumen", "version": env!("CARGO_PKG_VERSION"), "rules": rules } },
            "columnKind": "unicodeCodePoints",
            "results": findings.iter().map(|finding| result(finding)).collect::<Vec<_>>(),
        }],
    });
    format!("{document:#}\n")
}

fn rule(code: &codes::Code) -> Value {
    json!({ "id": code.code, "shortDescription": { "text": code.title }, "fullDescription": { "text": code.explanation } })
}

fn result(found: &Found) -> Value {
    let help: String = found.help.iter().map(|help| format!("\n{help}")).collect();
    let related: Vec<Value> = found.included_from.iter().map(location).collect();
    json!({
        "ruleId": found.code,
        "level": word(found.severity),
        "message": { "text": format!("{}{help}", found.message) },
        "locations": found.place.iter().map(location).collect::<Vec<_>>(),
        "relatedLocations": related,
    })
}

fn location(place: &Place) -> Value {
    json!({ "physicalLocation": {
        "artifactLocation": { "uri": place.file },
        "region": { "startLine": place.line, "startColumn": place.column, "endColumn": place.column + place.width },
    } })
}
