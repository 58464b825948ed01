//! All findings of a configuration, each with its place; and the texts that the places point into.

use std::cell::{Cell, RefCell};
use std::fmt;

/// A place in one of the configuration's texts: bytes `start..end` of source number `file`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Span {
    /// Index into the sources of [`Diagnostics`].
    pub file: u32,
    /// First byte.
    pub start: u32,
    /// Byte after the last.
    pub end: u32,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The configuration is refused.
    Error,
    /// It runs, though perhaps not as meant.
    Warning,
    /// Worth knowing.
    Note,
}

/// A text that was read: the main file, an included one, an inline one.
#[derive(Clone, Debug)]
pub struct Source {
    /// Path as the user gave it.
    pub name: String,
    /// The text.
    pub text: String,
}

/// One finding.
#[derive(Clone, Debug)]
pub struct Finding {
    /// How bad.
    pub severity: Severity,
    /// A stable code such as `FLM0101`.
    pub code: &'static str,
    /// Where; `None` for what has no place in a text.
    pub span: Option<Span>,
    /// What is wrong, in Fluentd's words where it has some, and what was expected.
    pub message: String,
}

/// Says that something was refused; the reasons are in [`Diagnostics`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration has errors")
    }
}

impl std::error::Error for Refused {}

/// How many findings are kept: more than anybody reads, and a bound for texts that are no configuration at all.
const MAX_FINDINGS: usize = 1000;

/// The findings so far and the sources they point into. Shared by reference while a configuration is read and built.
#[derive(Debug, Default)]
pub struct Diagnostics {
    sources: RefCell<Vec<Source>>,
    findings: RefCell<Vec<Finding>>,
    /// The include that asked for each source that was included.
    includes: RefCell<Vec<(u32, Span)>>,
    strict: Cell<bool>,
    only_checks: Cell<bool>,
    asks_for_worker: Cell<bool>,
}

impl Diagnostics {
    /// None yet.
    pub fn new() -> Diagnostics {
        Diagnostics::default()
    }

    /// Whether values are converted as `<system> strict_config_value true` asks.
    pub fn strict(&self) -> bool {
        self.strict.get()
    }

    /// Sets [`Diagnostics::strict`], before any plugin is built.
    pub fn set_strict(&self, strict: bool) {
        self.strict.set(strict);
    }

    /// Whether the configuration is looked at and never run, so that plugins which cannot be run may be in it.
    pub fn only_checks(&self) -> bool {
        self.only_checks.get()
    }

    /// Sets [`Diagnostics::only_checks`], before any plugin is built.
    pub fn set_only_checks(&self, only_checks: bool) {
        self.only_checks.set(only_checks);
    }

    /// Whether embedded Ruby has asked for the number of its worker: each worker then has an evaluation of its own.
    pub fn asks_for_worker(&self) -> bool {
        self.asks_for_worker.get()
    }

    /// Notes what embedded Ruby asks for.
    pub(super) fn note_code(&self, code: &str) {
        if code.contains("worker_id") || code.contains("SERVERENGINE_WORKER_ID") {
            self.asks_for_worker.set(true);
        }
    }

    /// Keeps a text and gives its number.
    pub fn add_source(&self, name: &str, text: &str) -> u32 {
        let mut sources = self.sources.borrow_mut();
        sources.push(Source { name: name.to_owned(), text: text.to_owned() });
        (sources.len() - 1) as u32
    }

    /// Notes that a source was read because of the include at `span`.
    pub fn set_include(&self, file: u32, span: Span) {
        self.includes.borrow_mut().push((file, span));
    }

    /// The include that asked for a source; `None` for the main file.
    pub fn include_of(&self, file: u32) -> Option<Span> {
        self.includes.borrow().iter().find(|(known, _)| *known == file).map(|(_, span)| *span)
    }

    /// How many sources there are.
    pub fn source_count(&self) -> u32 {
        self.sources.borrow().len() as u32
    }

    /// A copy of one source; `None` for a number never given.
    pub fn source(&self, file: u32) -> Option<Source> {
        self.sources.borrow().get(file as usize).cloned()
    }

    /// Records an error.
    pub fn error(&self, code: &'static str, span: Option<Span>, message: impl Into<String>) -> Refused {
        self.push(Severity::Error, code, span, message.into());
        Refused
    }

    /// Records a warning.
    pub fn warn(&self, code: &'static str, span: Option<Span>, message: impl Into<String>) {
        self.push(Severity::Warning, code, span, message.into());
    }

    /// Records a note.
    pub fn note(&self, code: &'static str, span: Option<Span>, message: impl Into<String>) {
        self.push(Severity::Note, code, span, message.into());
    }

    fn push(&self, severity: Severity, code: &'static str, span: Option<Span>, message: String) {
        let finding = Finding { severity, code, span, message };
        let mut findings = self.findings.borrow_mut();
        let seen = |f: &Finding| f.code == finding.code && f.span == finding.span && f.message == finding.message;
        // The first error is always kept, so that what has errors is known to have them.
        let full = findings.len() >= MAX_FINDINGS;
        let first_error = severity == Severity::Error && !findings.iter().any(|finding| finding.severity == Severity::Error);
        if (!full || first_error) && !findings.iter().any(seen) {
            findings.push(finding);
        }
    }

    /// Whether there is an error among the findings.
    pub fn has_errors(&self) -> bool {
        self.findings.borrow().iter().any(|finding| finding.severity == Severity::Error)
    }

    /// The places of the errors in one source.
    pub fn errors_in(&self, file: u32) -> Vec<Span> {
        let findings = self.findings.borrow();
        let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
        errors.filter_map(|finding| finding.span).filter(|span| span.file == file).collect()
    }

    /// How many findings there are: for callers that want to know whether a step added any.
    pub fn len(&self) -> usize {
        self.findings.borrow().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All findings in order.
    pub fn findings(&self) -> Vec<Finding> {
        self.findings.borrow().clone()
    }

    /// `(line, column)` of a span's start, both from 1, columns in characters.
    pub fn line_column(&self, span: Span) -> (usize, usize) {
        let sources = self.sources.borrow();
        let Some(source) = sources.get(span.file as usize) else { return (0, 0) };
        let before = &source.text.as_bytes()[..(span.start as usize).min(source.text.len())];
        let line = before.iter().filter(|&&b| b == b'\n').count() + 1;
        let line_start = before.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
        (line, String::from_utf8_lossy(&before[line_start..]).chars().count() + 1)
    }
}
