//! Running the checker on files, and comparing what it finds with what is written down.

use flumen::check::{self, Report, Settings};
use flumen::config::{LoadOptions, Severity};
use std::fmt::Write;
use std::path::Path;

/// Checks a file in an empty environment.
pub fn check(path: &Path, settings: &Settings) -> Report {
    let mut source = LoadOptions::new(path);
    source.environment.variables.clear();
    flumen::log::set_level(flumen::log::Level::Fatal);
    check::check(&source, settings)
}

/// A line for each finding: code, severity, place.
pub fn lines(name: &str, report: &Report) -> String {
    let mut text = format!("{name}\n");
    for finding in &report.findings {
        let severity = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        let place = finding.place.as_ref().map_or_else(String::new, |place| {
            let file = Path::new(&place.file).file_name().unwrap_or_default().to_string_lossy().into_owned();
            let file = if file == name { String::new() } else { format!("{file}:") };
            format!(" {file}{}:{}", place.line, place.column)
        });
        writeln!(text, "  {} {severity}{place}", finding.code).unwrap();
    }
    text
}

/// Whether what is found is to be written down in place of being compared.
pub fn updating() -> bool {
    std::env::var_os("UPDATE_EXPECTED").is_some()
}

/// The blocks of files that are not the same.
pub fn diff(expected: &str, found: &str) -> Vec<String> {
    let blocks = |text: &str| {
        let mut blocks: Vec<String> = Vec::new();
        for line in text.lines() {
            match blocks.last_mut() {
                Some(block) if line.starts_with(' ') => *block += &format!("\n{line}"),
                _ => blocks.push(line.to_owned()),
            }
        }
        blocks
    };
    let (expected, found) = (blocks(expected), blocks(found));
    let missing = expected.iter().filter(|block| !found.contains(block)).map(|block| format!("- {block}"));
    let new = found.iter().filter(|block| !expected.contains(block)).map(|block| format!("+ {block}"));
    missing.chain(new).collect()
}
