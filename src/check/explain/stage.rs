//! Runs one plugin on its own: what goes in is given, what comes out is caught, wherever it would have gone.

use crate::check::subject::kind_of;
use crate::config::{Diagnostics, Element, Refused, Span, System};
use crate::event::json::{Document, Engine, Style, read, write_record};
use crate::event::{Batch, Event, EventTime, Scope, Scratch, Tag};
use crate::filter::FILTERS;
use crate::log::PluginLog;
use crate::output::{OUTPUTS, Output};
use crate::plugin::{Context, EmitError, Emitter, Host, Limit, Plugin, Route, Sink};
use bumpalo::collections::Vec as BumpVec;
use std::cell::RefCell;
use std::sync::{Arc, Mutex, PoisonError};

/// Events on their way; the records are JSON, and not known where none was given.
pub struct Passed {
    /// The tag of all of them.
    pub tag: String,
    /// The records.
    pub records: Option<Vec<String>>,
}

/// An event that a filter rejected.
pub struct Rejection {
    /// Class and message.
    pub why: String,
    /// The record as JSON.
    pub record: String,
}

/// What a filter made of events.
pub struct Done {
    /// The records that go on.
    pub records: Vec<String>,
    /// Those that do not.
    pub rejected: Vec<Rejection>,
}

/// Says what is wrong with a record that was given.
pub fn check_record(record: &str) -> Result<(), String> {
    let scratch = Scratch::take();
    let scope = scratch.scope();
    match read(scope.bump(), scope.bytes(record.as_bytes()), Engine::Oj) {
        Ok(Document::Record(_)) => Ok(()),
        _ => Err(format!("the record is no JSON object: {record}")),
    }
}

/// Stands in for the graph around a plugin.
pub struct Stage<'s> {
    system: &'s System,
    caught: RefCell<Vec<Arc<Catch>>>,
}

impl<'s> Stage<'s> {
    /// An empty one.
    pub fn new(system: &'s System) -> Stage<'s> {
        Stage { system, caught: RefCell::default() }
    }

    /// What a filter makes of records; `None` where it is not one of ours, or cannot be built alone.
    pub fn filter(&self, element: &Element, tag: &str, records: &[String]) -> Option<Done> {
        let row = FILTERS.iter().find(|row| row.name == kind_of(element))?;
        let filter = self.build(row, element, "@ROOT")?;
        let scratch = Scratch::take();
        let scope = scratch.scope();
        let mut batch = batch(&scope, records);
        filter.filter(&scope, &Tag::new(tag), &mut batch);
        let records = batch.events(&scope).iter().map(json).collect();
        let rejection = |rejected: crate::event::Rejected<'_>| Rejection {
            why: format!("{}: {}", rejected.class, rejected.message),
            record: json(&Event { time: rejected.time, record: rejected.record }),
        };
        Some(Done { records, rejected: scope.take_rejected().into_iter().map(rejection).collect() })
    }

    /// Where an output that stands in router `label` sends events on, and what they are there.
    pub fn output(&self, element: &Element, label: &str, tag: &str, records: &[String]) -> Vec<(String, Passed)> {
        let Some(row) = OUTPUTS.iter().find(|row| row.name == kind_of(element)) else { return Vec::new() };
        let Some(Output::Sync(output)) = self.build(row, element, label) else { return Vec::new() };
        let scratch = Scratch::take();
        let scope = scratch.scope();
        // What it rejects is not caught: the router would say so.
        let _ = output.emit(&scope, &Tag::new(tag), &batch(&scope, records));
        let caught = self.caught.borrow();
        caught.iter().flat_map(|catch| catch.take()).collect()
    }

    fn build<T>(&self, row: &Plugin<T>, element: &Element, label: &str) -> Option<T> {
        let (diagnostics, log) = (Diagnostics::new(), PluginLog::default());
        let site = Site { stage: self, label };
        let context = Context { diagnostics: &diagnostics, system: self.system, id: "explained", log: &log, host: &site };
        (row.build)(element, &context).ok()
    }

    fn emitter(&self, label: &str) -> Emitter {
        let catch = Arc::new(Catch { label: label.to_owned(), events: Mutex::default() });
        let emitter = Emitter::default();
        let route: Arc<dyn Route> = Arc::clone(&catch) as Arc<dyn Route>;
        emitter.lead_to(Arc::downgrade(&route));
        self.caught.borrow_mut().push(catch);
        emitter
    }
}

fn batch<'a>(scope: &Scope<'a>, records: &[String]) -> Batch<'a> {
    let mut events = BumpVec::new_in(scope.bump());
    for record in records {
        // What was written by us, or checked, is read again.
        if let Ok(Document::Record(record)) = read(scope.bump(), scope.bytes(record.as_bytes()), Engine::Oj) {
            events.push(Event { time: EventTime::now(), record });
        }
    }
    Batch::decoded(events)
}

fn json(event: &Event<'_>) -> String {
    let mut text = Vec::new();
    write_record(&event.record, Style::Oj, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// A router that keeps what comes.
struct Catch {
    label: String,
    events: Mutex<Vec<(String, String)>>,
}

impl Catch {
    fn take(&self) -> Vec<(String, Passed)> {
        let events = std::mem::take(&mut *self.events.lock().unwrap_or_else(PoisonError::into_inner));
        events.into_iter().map(|(tag, record)| (self.label.clone(), Passed { tag, records: Some(vec![record]) })).collect()
    }
}

impl Route for Catch {
    fn emit<'a>(&self, scope: &Scope<'a>, tag: &Tag, batch: Batch<'a>) -> Result<(), EmitError> {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.extend(batch.events(scope).iter().map(|event| (tag.as_str().to_owned(), json(event))));
        Ok(())
    }

    fn reject<'a>(&self, _scope: &Scope<'a>) {}

    fn limits(&self, _tag: Option<&Tag>, _into: &mut Vec<Arc<Limit>>) {}
}

/// The stage as one plugin sees it.
struct Site<'s, 'g> {
    stage: &'s Stage<'g>,
    label: &'s str,
}

impl Host for Site<'_, '_> {
    fn build_output(&self, _element: &Element) -> Result<Arc<dyn Sink>, Refused> {
        Err(Refused)
    }

    fn emitter(&self, label: Option<&str>, _span: Span) -> Result<Emitter, Refused> {
        Ok(self.stage.emitter(label.unwrap_or("@ROOT")))
    }

    fn errors(&self) -> Emitter {
        Emitter::default()
    }

    fn own_router(&self) -> Emitter {
        self.stage.emitter(self.label)
    }
}
