//! Tests of a configuration: what goes in, what is to come out where, and whether it does. Outputs are stood in for, sources are given their
//! texts by hand, and time passes as a case says.
//!
//! A case file is YAML ([`yaml`], [`read`]); each case has a pipeline of its own ([`run`]); what came is laid beside what was expected
//! ([`compare`]), and can take its place in the file ([`update`]). Nothing here prints: see [`render`].

mod case;
mod compare;
mod data;
mod places;
mod read;
pub mod render;
mod run;
mod update;
pub(super) mod yaml;

#[cfg(test)]
mod tests;

pub use compare::Line;

use super::report::Report;
use super::subject::Raw;
use super::{Settings, report};
use crate::config::{self, Diagnostics, Element, LoadOptions, Severity, Span, System};
use crate::pipeline;
use case::{Expect, From, Step, Suite};
use places::Places;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The code of a place that the configuration does not have.
const UNKNOWN_PLACE: &str = "FLM0903";
/// The code of a configuration whose filters are not run here.
const NOT_RUN: &str = "FLM0904";

/// What is to be run.
#[derive(Clone, Debug, Default)]
pub struct Order {
    /// The configuration; where there is none, each case file names its own.
    pub config: Option<PathBuf>,
    /// How configurations are read; the path is not looked at.
    pub like: Option<LoadOptions>,
    /// Only cases whose names contain this.
    pub filter: Option<String>,
}

/// What came of a case file.
#[derive(Debug, Default)]
pub struct Tested {
    /// The file as it was named.
    pub name: String,
    /// What is wrong with it or with its configuration: then no case has run.
    pub faults: Report,
    /// The cases that have run.
    pub cases: Vec<Ran>,
    /// The file with its expectations as what came, where anything is to be changed.
    pub updated: Option<String>,
}

/// A case that has run.
#[derive(Debug)]
pub struct Ran {
    /// Its name.
    pub name: String,
    /// Its line in the file.
    pub line: usize,
    /// What is not as expected.
    pub failures: Vec<Failed>,
    /// How long it took.
    pub took: Duration,
}

/// Something that is not as expected.
#[derive(Debug)]
pub struct Failed {
    /// Line and column in the file.
    pub at: (usize, usize),
    /// In a sentence.
    pub message: String,
    /// The difference.
    pub lines: Vec<Line>,
}

impl Tested {
    /// Whether a case failed.
    pub fn has_failures(&self) -> bool {
        self.cases.iter().any(|case| !case.failures.is_empty())
    }
}

/// Runs the cases of a file whose text this is.
pub fn test(name: &str, text: &str, order: &Order) -> Tested {
    let mut tested = Tested { name: name.to_owned(), ..Tested::default() };
    let diagnostics = Diagnostics::new();
    let file = diagnostics.add_source(name, text);
    let Ok(root) = yaml::read(text, file, &diagnostics) else { return with_faults(tested, &diagnostics) };
    let suite = read::read(&root, &diagnostics);
    let source = match source(name, &suite, order) {
        Ok(source) => source,
        Err((span, message)) => {
            diagnostics.error(read::MISWRITTEN, span.or(Some(root.span)), message);
            return with_faults(tested, &diagnostics);
        }
    };
    if diagnostics.has_errors() {
        return with_faults(tested, &diagnostics);
    }
    let plan = match Plan::read(&source) {
        Ok(plan) => plan,
        Err(faults) => return Tested { faults, ..tested },
    };
    check_places(&suite, &plan.places, &diagnostics);
    if diagnostics.has_errors() {
        return with_faults(tested, &diagnostics);
    }
    let mut edits = Vec::new();
    for case in suite.cases.iter().filter(|case| order.filter.as_ref().is_none_or(|part| case.name.contains(part.as_str()))) {
        let began = Instant::now();
        let outcome = run::run(&plan.root, &plan.system, &plan.places, case, suite.now).unwrap_or_else(|message| run::Outcome {
            failures: vec![run::Failure { span: case.span, message, lines: Vec::new() }],
            ..run::Outcome::default()
        });
        edits.extend(update::edits(text, &root, case, &outcome));
        let failed =
            |failure: run::Failure| Failed { at: diagnostics.line_column(failure.span), message: failure.message, lines: failure.lines };
        tested.cases.push(Ran {
            name: case.name.clone(),
            line: diagnostics.line_column(case.span).0,
            failures: outcome.failures.into_iter().map(failed).collect(),
            took: began.elapsed(),
        });
    }
    tested.updated = update::apply(text, edits);
    tested
}

fn with_faults(tested: Tested, diagnostics: &Diagnostics) -> Tested {
    Tested { faults: faults(diagnostics), ..tested }
}

/// The errors among what has been found.
fn faults(diagnostics: &Diagnostics) -> Report {
    let errors = diagnostics.findings().into_iter().filter(|finding| finding.severity == Severity::Error);
    let raw = |finding: config::Finding| Raw {
        severity: finding.severity,
        code: finding.code,
        span: finding.span,
        message: finding.message,
        help: Vec::new(),
        swap: None,
    };
    report::Report::new(errors.map(raw).collect(), diagnostics, &Settings::default())
}

/// The configuration to test.
fn source(name: &str, suite: &Suite, order: &Order) -> Result<LoadOptions, (Option<Span>, String)> {
    let path = match (&order.config, &suite.config) {
        (Some(path), _) => path.clone(),
        (None, Some((given, _))) => Path::new(name).parent().unwrap_or(Path::new("")).join(given),
        (None, None) => return Err((None, "of which configuration are these cases? Say -c FILE, or 'config: FILE' here".to_owned())),
    };
    if !path.is_file() {
        let span = suite.config.as_ref().filter(|_| order.config.is_none()).map(|(_, span)| *span);
        return Err((span, format!("there is no configuration {}", path.display())));
    }
    let mut source = order.like.clone().unwrap_or_else(|| LoadOptions::new(&path));
    source.path = path;
    for (name, value) in &suite.env {
        source.environment.variables.retain(|(known, _)| known != name);
        source.environment.variables.push((name.clone(), value.clone()));
    }
    Ok(source)
}

/// A configuration that has been read and can be built.
struct Plan {
    root: Element,
    system: System,
    places: Places,
}

impl Plan {
    fn read(source: &LoadOptions) -> Result<Plan, Report> {
        let diagnostics = Diagnostics::new();
        diagnostics.set_only_checks(true);
        let build = || {
            let root = config::load(source, &diagnostics)?;
            let system = System::of(&root, &diagnostics)?;
            // Plugins that are known and not run are no fault: outputs are stood in for.
            let built = pipeline::build(&mut root.clone(), &system, &diagnostics, None);
            match built {
                Err(refused) if diagnostics.has_errors() => Err(refused),
                _ => Ok((root, system)),
            }
        };
        let (root, system) = build().map_err(|_| faults(&diagnostics))?;
        let line_of = |span: Span| {
            let name = diagnostics.source(span.file).map_or_else(String::new, |source| source.name);
            (name, diagnostics.line_column(span).0)
        };
        let places = run::survey(&root, &system, &line_of).map_err(|message| {
            diagnostics.error(NOT_RUN, None, message);
            faults(&diagnostics)
        })?;
        for (kind, span) in places.missing() {
            let message = format!("the filter '{kind}' is known and not run here: what comes behind it cannot be tested");
            diagnostics.error(NOT_RUN, Some(*span), message);
        }
        if places.missing().is_empty() { Ok(Plan { root, system, places }) } else { Err(faults(&diagnostics)) }
    }
}

/// Says which outputs, sources and labels there are not.
fn check_places(suite: &Suite, places: &Places, diagnostics: &Diagnostics) {
    let check = |span: Span, result: Result<(), String>| {
        if let Err(message) = result {
            diagnostics.error(UNKNOWN_PLACE, Some(span), message);
        }
    };
    let check_expect = |expect: &Expect| expect.wanted.iter().for_each(|wanted| check(wanted.key_span, places.check_key(&wanted.key)));
    for case in &suite.cases {
        case.expect.iter().for_each(check_expect);
        for step in &case.steps {
            match step {
                Step::Expect(expect) => check_expect(expect),
                Step::Raw { source: (name, span), .. } => check(*span, places.source(name).map(drop)),
                Step::Events { from: From::Source(name, span), .. } => check(*span, places.source(name).map(drop)),
                Step::Events { from: From::Label(label, span), .. } => check(*span, places.check_label(label)),
                Step::Events { .. } | Step::Advance(_) => {}
            }
        }
    }
}
