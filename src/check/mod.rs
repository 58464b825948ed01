//! The checker: all that can be said about a configuration without running it, for Flumen and for Fluentd 1.x.
//!
//! A configuration is read and built as for a dry run; the analyses of this room then look at its texts, its sections and the ways of its
//! events. Each finding has a code of the table in [`codes`]. Nothing here prints: see [`render`] for that.

mod buffers;
pub mod cases;
pub mod codes;
pub mod convert;
mod duplicates;
pub mod explain;
mod files;
mod fluentd;
mod grok;
mod known;
mod old;
pub mod render;
mod report;
mod routes;
mod subject;
mod suggest;
mod tags;
mod text;
mod unused;
mod values;

#[cfg(test)]
mod tests;

pub use grok::unknown_patterns;
pub use known::names as names_of_plugins;
pub use report::{Fix, Found, Place, Report};

use crate::config::{self, Diagnostics, Element, LoadOptions, Refused, Severity, System, v1};
use crate::pipeline;
use std::cell::RefCell;
use std::path::Path;
use subject::{Raw, Subject, Text};

/// What the file is to be run by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Target {
    /// This program or Fluentd: plugins that only one of them has are warned about.
    #[default]
    Either,
    /// This program.
    Flumen,
    /// Fluentd 1.x, as of 1.18.
    Fluentd,
}

/// How to check.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the file is to be run by.
    pub target: Target,
    /// Whether values that do not have the form of their type are errors.
    pub strict: bool,
    /// Whether the files and folders that the configuration names are looked for.
    pub files: bool,
    /// Codes, or `warnings`, or `notes`, that count as errors.
    pub deny: Vec<String>,
    /// Codes of warnings and notes that are not said.
    pub allow: Vec<String>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { target: Target::Either, strict: false, files: true, deny: Vec::new(), allow: Vec::new() }
    }
}

/// Checks one configuration. Nothing is run, written or connected to; embedded Ruby reads no files and runs no commands.
pub fn check(source: &LoadOptions, settings: &Settings) -> Report {
    let diagnostics = Diagnostics::new();
    diagnostics.set_strict(settings.strict);
    diagnostics.set_only_checks(settings.target != Target::Flumen);
    let mut source = source.clone();
    source.environment.trusted = false;
    let raw = find(&source, settings, &diagnostics);
    Report::new(raw, &diagnostics, settings)
}

fn find(source: &LoadOptions, settings: &Settings, diagnostics: &Diagnostics) -> Vec<Raw> {
    let Ok(root) = config::load_despite_faults(source, diagnostics) else { return said(diagnostics) };
    let written = root.clone();
    let mut built = root;
    // Its faults are among the diagnostics.
    let _ = build(&mut built, diagnostics);
    config::warn_unused(&built, diagnostics);
    let trees = trees(source, diagnostics);
    let subject = Subject {
        written: &written,
        built: &built,
        diagnostics,
        environment: &source.environment,
        trees,
        found: RefCell::default(),
        replaced: RefCell::default(),
    };
    // What could not be read is missing from the ways of events: nothing is said about those.
    let is_whole = !diagnostics.findings().iter().any(|finding| finding.severity == Severity::Error && finding.code < "FLM0130");
    if is_whole {
        routes::check(&subject);
        duplicates::check(&subject);
    }
    text::check(&subject);
    values::check(&subject);
    grok::check(&subject);
    buffers::check(&subject);
    old::check(&subject, settings.target == Target::Fluentd);
    if settings.target == Target::Fluentd {
        fluentd::refuse_news(&subject);
    }
    let replaced = subject.replaced.take();
    let mut raw = said(diagnostics);
    if settings.files {
        files::check(&subject);
    } else {
        raw.retain(|finding| !files::OF_PLUGINS.contains(&finding.code));
    }
    raw.retain(|finding| !replaced.iter().any(|(code, span)| finding.code == *code && finding.span == Some(*span)));
    routes::place_own_log(&subject, &mut raw);
    unused::sift(&subject, &mut raw);
    suggest::shorten(&subject, &mut raw);
    suggest::point_to_labels(&subject, &mut raw);
    suggest::add(&subject, &mut raw);
    suggest::add_expected(&subject, &mut raw);
    if settings.target == Target::Fluentd {
        fluentd::judge(&mut raw);
    }
    raw.extend(subject.found.take());
    raw
}

fn build(root: &mut Element, diagnostics: &Diagnostics) -> Result<(), Refused> {
    let system = System::of(root, diagnostics).or_else(|_| System::read(&Element::default(), diagnostics))?;
    config::SystemLog::of(root, diagnostics)?;
    config::SystemLog::note_idle(root, diagnostics);
    pipeline::build(root, &system, diagnostics, None).map(drop)
}

/// What reading and building found.
fn said(diagnostics: &Diagnostics) -> Vec<Raw> {
    let raw = |finding: config::Finding| Raw {
        severity: finding.severity,
        code: finding.code,
        span: finding.span,
        message: finding.message,
        help: Vec::new(),
        swap: None,
    };
    diagnostics.findings().into_iter().map(raw).collect()
}

/// The texts, once more as trees: what has no sections of that form gets an empty one.
fn trees(source: &LoadOptions, diagnostics: &Diagnostics) -> Vec<Text> {
    let sources = (0..diagnostics.source_count()).filter_map(|file| Some((file, diagnostics.source(file)?)));
    let quiet = Diagnostics::new();
    let tree = |(file, text): (u32, config::Source)| {
        let is_yaml = Path::new(&text.name).extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        let tree = if is_yaml || source.v0 { Default::default() } else { v1::parse(&text.text, file, &quiet) };
        Text { text: text.text, tree }
    };
    sources.map(tree).collect()
}
