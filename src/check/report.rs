//! Findings with their places looked up, sorted, and weighed by what the caller denies and allows.

use super::Settings;
use super::subject::Raw;
use crate::config::{Diagnostics, Severity, Span};

/// One finding, ready to be shown.
#[derive(Clone, Debug)]
pub struct Found {
    /// How bad.
    pub severity: Severity,
    /// Its code: a row of [`codes`](super::codes).
    pub code: &'static str,
    /// What is wrong and what was expected.
    pub message: String,
    /// What can be done, a suggestion each.
    pub help: Vec<String>,
    /// A change of the text that most likely mends it.
    pub fix: Option<Fix>,
    /// Where; `None` for what has no place in a text.
    pub place: Option<Place>,
    /// The includes that led there, the innermost first.
    pub included_from: Vec<Place>,
}

/// A change of a text.
#[derive(Clone, Debug)]
pub struct Fix {
    /// What is replaced.
    pub place: Place,
    /// By what.
    pub text: String,
}

/// A place in a text.
#[derive(Clone, Debug)]
pub struct Place {
    /// The file as it was named.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// How many characters of the line belong to it, at least 1.
    pub width: usize,
    /// The line.
    pub text: String,
}

/// All findings about one configuration.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// In the order of the texts.
    pub findings: Vec<Found>,
    /// The files that were included.
    pub included: Vec<String>,
}

impl Report {
    /// Sorts and weighs what was found.
    pub(super) fn new(mut raw: Vec<Raw>, diagnostics: &Diagnostics, settings: &Settings) -> Report {
        raw.retain(|finding| finding.severity == Severity::Error || !settings.allow.iter().any(|code| code == finding.code));
        for finding in &mut raw {
            let word = if finding.severity == Severity::Note { "notes" } else { "warnings" };
            if settings.deny.iter().any(|denied| denied == finding.code || denied == word) {
                finding.severity = Severity::Error;
            }
        }
        let order = |finding: &Raw| finding.span.map_or((0, 0), |span| (span.file + 1, span.start));
        raw.sort_by(|a, b| order(a).cmp(&order(b)).then(a.severity.cmp(&b.severity)).then(a.code.cmp(b.code)));
        // Two rooms say of a section that it is there twice.
        raw.dedup_by(|a, b| a.code == b.code && a.span == b.span && (a.message == b.message || a.code == "FLM0208"));
        let found = |finding: Raw| Found {
            severity: finding.severity,
            code: finding.code,
            message: finding.message,
            help: finding.help,
            fix: finding.swap.and_then(|swap| Some(Fix { place: place(swap.span, diagnostics)?, text: swap.text })),
            place: finding.span.and_then(|span| place(span, diagnostics)),
            included_from: finding.span.map(|span| chain(span, diagnostics)).unwrap_or_default(),
        };
        let sources = (0..diagnostics.source_count()).filter(|file| diagnostics.include_of(*file).is_some());
        let included = sources.filter_map(|file| diagnostics.source(file)).map(|source| source.name).collect();
        Report { findings: raw.into_iter().map(found).collect(), included }
    }

    /// Whether there is an error among them.
    pub fn has_errors(&self) -> bool {
        self.count(Severity::Error) > 0
    }

    /// How many findings there are of a severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }
}

fn place(span: Span, diagnostics: &Diagnostics) -> Option<Place> {
    let source = diagnostics.source(span.file)?;
    let (line, column) = diagnostics.line_column(span);
    let text = source.text.lines().nth(line - 1).unwrap_or("").to_owned();
    let inside = source.text.get(span.start as usize..(span.end.max(span.start) as usize).min(source.text.len())).unwrap_or("");
    let width = inside.lines().next().map_or(0, |first| first.trim_end().chars().count()).max(1);
    Some(Place { file: source.name, line, column, width, text })
}

/// The includes around a place. A file that includes itself has been refused, so that there is an end.
fn chain(span: Span, diagnostics: &Diagnostics) -> Vec<Place> {
    let mut chain = Vec::new();
    let mut at = span.file;
    while let Some(include) = diagnostics.include_of(at) {
        chain.extend(place(include, diagnostics));
        at = include.file;
    }
    chain
}
