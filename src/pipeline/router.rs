//! From a tag to the filters and the output it meets, found once a tag and kept.

use super::errors::ErrorRoute;
use super::pattern::Patterns;
use super::split;
use crate::event::{Batch, Scope, Tag};
use crate::filter::Filter;
use crate::log::{Level, PluginLog};
use crate::metrics::{FilterCounters, RouterCounters};
use crate::plugin::{EmitError, Limit, Route, Sink};
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, RwLock};

/// Tags whose way is remembered, per router; beyond that the memory is emptied. Fluentd keeps as many.
const CACHED_TAGS: usize = 1024;
/// Routers within routers; deeper, the events go in circles.
const MAX_DEPTH: u32 = 64;

/// What stands behind a pattern.
pub enum Target {
    /// A filter: the event goes on.
    Filter(Arc<Step>),
    /// An output: the event's way ends.
    Output(Arc<dyn Sink>, PluginLog),
}

/// A filter with what is counted of it.
pub struct Step {
    /// The filter.
    pub filter: Box<dyn Filter>,
    /// The name under which it logs.
    pub log: PluginLog,
    /// What it has done.
    pub counters: Arc<FilterCounters>,
    /// Whether bytes are counted too.
    pub counts_sizes: bool,
}

impl Step {
    /// Filters a batch and counts what became of it.
    pub(super) fn run<'a>(&self, scope: &Scope<'a>, tag: &Tag, batch: &mut Batch<'a>) {
        let (received, rejected_before) = (batch.len(), scope.rejected_len());
        self.log.enter(|| self.filter.filter(scope, tag, batch));
        self.counters.count(received, batch.len(), scope.rejected_len() - rejected_before, scope.take_added());
        self.settle();
        if self.counts_sizes {
            self.counters.emit_size.add(batch.encoded_len(scope) as u64);
        }
    }
}

impl Step {
    /// Counts what the filter holds, if it is one that does.
    pub fn settle(&self) {
        if let Some(held) = self.filter.held() {
            self.counters.settle(held as u64, self.filter.released());
        }
    }
}

/// The filters and the output that one tag meets.
#[derive(Default)]
struct Path {
    filters: Vec<Arc<Step>>,
    output: Option<(Arc<dyn Sink>, PluginLog)>,
    limits: OnceLock<Vec<Arc<Limit>>>,
    meets_errors: OnceLock<bool>,
}

thread_local! {
    /// The paths and routers that are being asked for their limits at the moment, one through another.
    static ASKED: RefCell<Vec<*const ()>> = const { RefCell::new(Vec::new()) };
}

/// Asks one of them, and says whether nobody else is being asked; `None` where labels in a circle lead back to it, or tags that grow
/// with each turn of a circle lead on without end.
fn ask<T>(whom: *const (), question: impl FnOnce() -> T) -> Option<(T, bool)> {
    if ASKED.with_borrow(|asked| asked.contains(&whom) || asked.len() >= MAX_DEPTH as usize) {
        return None;
    }
    ASKED.with_borrow_mut(|asked| asked.push(whom));
    let answer = question();
    let outermost = ASKED.with_borrow_mut(|asked| {
        asked.pop();
        asked.is_empty()
    });
    Some((answer, outermost))
}

impl Path {
    /// The limits behind the output, each once.
    fn limits(&self, tag: &Tag) -> Vec<Arc<Limit>> {
        if let Some(known) = self.limits.get() {
            return known.clone();
        }
        let Some((found, outermost)) = ask(std::ptr::from_ref(self).cast(), || self.find_limits(tag)) else { return Vec::new() };
        // Within a circle the answer is only a part.
        if outermost {
            let _ = self.limits.set(found.clone());
        }
        found
    }

    fn find_limits(&self, tag: &Tag) -> Vec<Arc<Limit>> {
        let mut found = Vec::new();
        self.filters.iter().for_each(|step| step.filter.limits(&mut found));
        if let Some((output, _)) = &self.output {
            output.limits(Some(tag), &mut found);
        }
        let mut once: Vec<Arc<Limit>> = Vec::new();
        for limit in found {
            if !once.iter().any(|known| Arc::ptr_eq(known, &limit)) {
                once.push(limit);
            }
        }
        once
    }
}

/// The root router, or a label's.
pub struct Router {
    rules: Vec<(Patterns, Target)>,
    paths: RwLock<HashMap<Tag, Arc<Path>>>,
    unmatched: AtomicU64,
    say_unmatched: AtomicBool,
    errors: Arc<ErrorRoute>,
    counters: Arc<RouterCounters>,
}

impl Router {
    /// A router with these rules in the order of the file.
    pub fn new(rules: Vec<(Patterns, Target)>, errors: Arc<ErrorRoute>) -> Router {
        Router {
            rules,
            paths: RwLock::default(),
            unmatched: AtomicU64::new(0),
            say_unmatched: AtomicBool::new(true),
            errors,
            counters: Arc::default(),
        }
    }

    /// What it has done.
    pub fn counters(&self) -> &Arc<RouterCounters> {
        &self.counters
    }

    /// Whether an output takes this tag.
    pub fn takes(&self, tag: &str) -> bool {
        self.rules.iter().any(|(patterns, target)| matches!(target, Target::Output(..)) && patterns.matches(tag))
    }

    /// No more warnings about tags that nothing matches: the router of the daemon's own log.
    pub fn be_silent(&self) {
        self.say_unmatched.store(false, Ordering::Relaxed);
    }

    fn path(&self, tag: &Tag) -> Arc<Path> {
        if let Ok(paths) = self.paths.read()
            && let Some(path) = paths.get(tag)
        {
            return Arc::clone(path);
        }
        let path = Arc::new(self.find(tag));
        if let Ok(mut paths) = self.paths.write() {
            if paths.len() >= CACHED_TAGS {
                paths.clear();
            }
            paths.insert(tag.clone(), Arc::clone(&path));
        }
        path
    }

    fn find(&self, tag: &Tag) -> Path {
        let mut path = Path::default();
        for (patterns, target) in &self.rules {
            if !patterns.matches(tag) {
                continue;
            }
            match target {
                Target::Filter(step) => path.filters.push(Arc::clone(step)),
                Target::Output(output, log) => {
                    path.output = Some((Arc::clone(output), log.clone()));
                    break;
                }
            }
        }
        path
    }

    fn warn_unmatched(&self, tag: &Tag, emits: usize) {
        if !self.say_unmatched.load(Ordering::Relaxed) {
            return;
        }
        let before = self.unmatched.fetch_add(emits as u64, Ordering::Relaxed);
        let due = |count: u64| if count < 512 { count.is_power_of_two() } else { count.is_multiple_of(512) };
        for _ in (before + 1..=before + emits as u64).filter(|&count| due(count)) {
            crate::log::write_with(Level::Warn, "no patterns matched", &[("tag", tag)]);
        }
    }

    /// Whether what the filters let pass and what they reject end in one place, so that the order of both shows there.
    fn meets_errors(&self, path: &Path, tag: &Tag) -> bool {
        *path.meets_errors.get_or_init(|| {
            let errors = self.errors.limits(tag);
            let ends = path.limits(tag);
            !path.filters.is_empty() && ends.iter().any(|end| errors.iter().any(|error| Arc::ptr_eq(end, error)))
        })
    }

    /// Messages that arrived together are filtered one by one, as they would be had they come apart.
    fn run_apart<'a>(&self, path: &Path, scope: &Scope<'a>, tag: &Tag, batch: &Batch<'a>) -> Result<(), EmitError> {
        let mut rest = batch.len();
        for event in batch.events(scope) {
            let mut one = Batch::single(scope, event.time, event.record.clone());
            rest -= 1;
            self.run(path, scope, tag, &mut one).inspect_err(|_| self.counters.failed_records.add(rest as u64))?;
        }
        Ok(())
    }

    /// Hands a batch to the output of its tag, past the filters.
    pub fn emit_to_output<'a>(&self, scope: &Scope<'a>, tag: &Tag, batch: &Batch<'a>) -> Result<(), EmitError> {
        self.counters.received_records.add(batch.len() as u64);
        let path = self.path(tag);
        let only_output = Path { output: path.output.clone(), ..Path::default() };
        scope.deeper(|| self.run(&only_output, scope, tag, &mut batch.duplicate(scope)))
    }

    /// Runs the filters; what they reject goes to `@ERROR` after each.
    fn filter<'a>(&self, path: &Path, scope: &Scope<'a>, tag: &Tag, batch: &mut Batch<'a>) {
        let ends_packed = path.output.as_ref().is_some_and(|(output, _)| output.takes_packed(tag));
        if let Some(rejections) = split::filter(&path.filters, scope, tag, batch, ends_packed) {
            for of_step in rejections {
                scope.reject_all(of_step);
                self.errors.send(scope);
            }
            return;
        }
        for step in &path.filters {
            // Events of a batch that is empty by now still make an emit at its output, as in Fluentd.
            if batch.is_empty() {
                break;
            }
            step.run(scope, tag, batch);
            self.errors.send(scope);
        }
    }

    fn run<'a>(&self, path: &Path, scope: &Scope<'a>, tag: &Tag, batch: &mut Batch<'a>) -> Result<(), EmitError> {
        self.filter(path, scope, tag, batch);
        let records = batch.len() as u64;
        let Some((output, log)) = &path.output else {
            self.counters.unmatched_records.add(records);
            self.warn_unmatched(tag, batch.emits());
            self.errors.unmatched(scope, tag, batch);
            return Ok(());
        };
        let result = log.enter(|| output.emit(scope, tag, batch));
        let failed = result.as_ref().is_err_and(|error| !error.settled);
        let counter = if failed { &self.counters.failed_records } else { &self.counters.matched_records };
        counter.add(records);
        self.errors.send(scope);
        result
    }
}

impl Route for Router {
    fn emit<'a>(&self, scope: &Scope<'a>, tag: &Tag, mut batch: Batch<'a>) -> Result<(), EmitError> {
        self.counters.received_records.add(batch.len() as u64);
        if scope.depth() >= MAX_DEPTH {
            self.counters.failed_records.add(batch.len() as u64);
            let message = format!("events of tag {tag} go in circles through labels");
            return Err(EmitError { class: "SystemStackError", message, settled: false });
        }
        let path = self.path(tag);
        let apart = batch.is_coalesced() && batch.len() > 1 && self.meets_errors(&path, tag);
        let result = scope.deeper(|| match apart {
            true => self.run_apart(&path, scope, tag, &batch),
            false => self.run(&path, scope, tag, &mut batch),
        });
        match result {
            Ok(()) => Ok(()),
            // The events concerned have been rejected one by one; the others are where they belong.
            Err(error) if error.settled => Ok(()),
            Err(error) => self.errors.emit_failed(scope, tag, &batch, error),
        }
    }

    fn reject(&self, scope: &Scope<'_>) {
        self.errors.send(scope);
    }

    fn limits(&self, tag: Option<&Tag>, into: &mut Vec<Arc<Limit>>) {
        match tag {
            Some(tag) => into.extend(self.path(tag).limits(tag)),
            None => drop(ask(std::ptr::from_ref(self).cast(), || {
                for (_, target) in &self.rules {
                    match target {
                        Target::Output(output, _) => output.limits(None, into),
                        Target::Filter(step) => step.filter.limits(into),
                    }
                }
            })),
        }
    }
}
