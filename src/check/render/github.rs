//! GitHub's workflow commands: one line a finding, shown beside the line of the file that it is about.

use super::super::{Found, Report};
use crate::config::Severity;

/// All findings.
pub fn render(reports: &[Report]) -> String {
    reports.iter().flat_map(|report| &report.findings).map(line).collect()
}

fn line(found: &Found) -> String {
    let command = match found.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    };
    let place = found.place.as_ref().map_or_else(String::new, |place| {
        let end = place.column + place.width - 1;
        format!("file={},line={},col={},endColumn={end},", property(&place.file), place.line, place.column)
    });
    let help: String = found.help.iter().map(|help| format!("\n{help}")).collect();
    format!("::{command} {place}title={}::{}\n", property(found.code), data(&format!("{}{help}", found.message)))
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
