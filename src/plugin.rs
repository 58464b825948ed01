//! The contract between rooms: rows of the plugin tables, what constructors get, and the only way out of an input.

pub mod known;

pub use crate::config::Compat;
use crate::config::{Diagnostics, Element, Refused, Section, Span, System};
use crate::event::{Batch, Scope, Tag};
use crate::log::PluginLog;
use crate::metrics::{InputCounters, Overview};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

/// A boxed future that threads can pass on.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One row of a plugin table. `T` is what the constructor makes, such as `Box<dyn Filter>`.
pub struct Plugin<T: 'static> {
    /// The name in `@type`.
    pub name: &'static str,
    /// Its parameters and sections.
    pub section: &'static Section,
    /// The old flat parameters it takes.
    pub compat: &'static [Compat],
    /// Makes it. No side effects: a dry run does this too.
    pub build: fn(&Element, &Context<'_>) -> Result<T, Refused>,
}

/// What a constructor gets.
pub struct Context<'c> {
    /// Where faults go.
    pub diagnostics: &'c Diagnostics,
    /// The `<system>` section.
    pub system: &'c System,
    /// `@id`, or a name made from the place of the section.
    pub id: &'c str,
    /// The name and level under which it logs: to be entered by tasks of its own.
    pub log: &'c PluginLog,
    /// The graph that is being built.
    pub host: &'c dyn Host,
}

impl Context<'_> {
    /// Records an error at a place of the configuration.
    pub fn refuse(&self, code: &'static str, span: Span, message: impl Into<String>) -> Refused {
        self.diagnostics.error(code, Some(span), message)
    }
}

/// What the graph that is being built offers to constructors; implemented by the pipeline.
pub trait Host {
    /// Builds the output that a `<store>`, `<secondary>` or `<match>` section describes.
    fn build_output(&self, element: &Element) -> Result<Arc<dyn Sink>, Refused>;
    /// The way to a label (`@NAME`), or to the root router for `None` and `@ROOT`.
    fn emitter(&self, label: Option<&str>, span: Span) -> Result<Emitter, Refused>;
    /// As [`Host::emitter`], for a label that is only asked for once an event goes there: it need not exist, which is warned about.
    fn emitter_if_any(&self, label: &str, span: Span) -> Emitter {
        self.emitter(Some(label), span).unwrap_or_default()
    }
    /// Takes something for a plugin that no other may have, such as a file; the name of the one that has it already.
    fn claim(&self, _what: &str, _id: &str) -> Option<String> {
        None
    }
    /// The way for events that cannot be handled.
    fn errors(&self) -> Emitter;
    /// The router that the element being built stands in (its label, or the root).
    fn own_router(&self) -> Emitter;
    /// What the memory buffers of all outputs count against together.
    fn memory_limit(&self) -> Arc<Limit> {
        Arc::new(Limit::new(u64::MAX))
    }
    /// What can be seen of the process from outside; complete once everything is built.
    fn overview(&self) -> Arc<Overview> {
        Arc::default()
    }
    /// The number of the logical worker that the element belongs to, from 0.
    fn worker(&self) -> i64 {
        0
    }
}

/// Why an emit failed as a whole; the sender is told (no ack) and keeps its data.
#[derive(Clone, Debug)]
pub struct EmitError {
    /// Fluentd's class, such as `Fluent::Plugin::Buffer::BufferOverflowError`.
    pub class: &'static str,
    /// What was wrong.
    pub message: String,
    /// Whether the events concerned have been rejected one by one already ([`Scope::reject`]), and the others taken.
    pub settled: bool,
}

impl fmt::Display for EmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.class, self.message)
    }
}

impl std::error::Error for EmitError {}

/// The end of a route: an output as the router sees it.
pub trait Sink: Send + Sync {
    /// Takes the events of a batch.
    fn emit<'a>(&self, scope: &Scope<'a>, tag: &Tag, batch: &Batch<'a>) -> Result<(), EmitError>;
    /// Adds the limits that have to have room before events of this tag are read from a sender; of any tag for `None`.
    fn limits(&self, tag: Option<&Tag>, into: &mut Vec<Arc<Limit>>);
    /// Whether batches of this tag had best come packed: it, or one of those that it hands them to, has no use for records.
    fn takes_packed(&self, _tag: &Tag) -> bool {
        false
    }
}

/// A router: where an emitter leads.
pub trait Route: Send + Sync {
    /// Sends a batch through the filters and to the output of its tag.
    fn emit<'a>(&self, scope: &Scope<'a>, tag: &Tag, batch: Batch<'a>) -> Result<(), EmitError>;
    /// Sends an event that was rejected to where such events go.
    fn reject<'a>(&self, scope: &Scope<'a>);
    /// As [`Sink::limits`].
    fn limits(&self, tag: Option<&Tag>, into: &mut Vec<Arc<Limit>>);
}

/// The way from a plugin to a router. Cloning shares it; it may be had before the router is built, and leads to another one after a reload.
#[derive(Clone, Default)]
pub struct Emitter {
    way: Arc<Way>,
    counted: Option<Counted>,
}

#[derive(Default)]
struct Way {
    route: RwLock<Option<Weak<dyn Route>>>,
    /// Told when the way leads elsewhere: whoever waits for room asks the new router.
    changed: Notify,
}

impl Emitter {
    /// The same way, on which an input's events are counted.
    pub fn counted(self, counters: Arc<InputCounters>, with_sizes: bool) -> Emitter {
        Emitter { counted: Some(Counted { counters, with_sizes }), ..self }
    }

    /// Counts a message (a request, a line) that could not be read as events.
    pub fn note_invalid(&self) {
        self.note_all_invalid(1);
    }

    /// Counts several of those.
    pub fn note_all_invalid(&self, count: u64) {
        self.counted.iter().for_each(|counted| counted.counters.invalid_messages.add(count));
    }

    /// Leads this emitter, and all its clones, to `route` from the next batch on.
    pub fn lead_to(&self, route: Weak<dyn Route>) {
        *self.way.route.write().unwrap_or_else(PoisonError::into_inner) = Some(route);
        self.way.changed.notify_waiters();
    }

    /// The router, while its pipeline lives.
    pub fn route(&self) -> Option<Arc<dyn Route>> {
        self.way.route.read().unwrap_or_else(PoisonError::into_inner).as_ref().and_then(Weak::upgrade)
    }

    /// Waits until everything that this tag can reach has room, then gives the permit to emit.
    pub async fn reserve(&self, tag: &Tag) -> Permit {
        loop {
            let changed = self.way.changed.notified();
            let route = self.route();
            let mut limits = Vec::new();
            if let Some(route) = &route {
                route.limits(Some(tag), &mut limits);
            }
            if limits.iter().all(|limit| limit.is_free()) {
                return self.permit(route);
            }
            let room = async {
                for limit in &limits {
                    limit.wait_for_room().await;
                }
            };
            tokio::select! {
                biased;
                () = room => return self.permit(route),
                () = changed => {}
            }
        }
    }

    /// Emits without asking for room: for events that outputs and filters emit themselves.
    pub fn emit<'a>(&self, scope: &Scope<'a>, tag: &Tag, batch: Batch<'a>) -> Result<(), EmitError> {
        self.permit(self.route()).emit(scope, tag, batch)
    }

    fn permit(&self, route: Option<Arc<dyn Route>>) -> Permit {
        Permit { route, counted: self.counted.clone() }
    }

    /// Hands over what has been rejected in this scope.
    pub fn send_rejected(&self, scope: &Scope<'_>) {
        if let Some(route) = self.route() {
            route.reject(scope);
        }
    }
}

/// Leave to emit one batch: there was room when it was given.
pub struct Permit {
    route: Option<Arc<dyn Route>>,
    counted: Option<Counted>,
}

/// Where an input's events are counted, and whether their bytes are too.
#[derive(Clone)]
struct Counted {
    counters: Arc<InputCounters>,
    with_sizes: bool,
}

impl Permit {
    /// Sends a batch on its way.
    pub fn emit<'a>(&self, scope: &Scope<'a>, tag: &Tag, batch: Batch<'a>) -> Result<(), EmitError> {
        let Some(Counted { counters, with_sizes }) = &self.counted else { return self.send(scope, tag, batch) };
        let records = batch.len() as u64;
        let bytes = if *with_sizes { batch.encoded_len(scope) as u64 } else { 0 };
        let result = self.send(scope, tag, batch);
        match &result {
            Err(error) if !error.settled => counters.refused_records.add(records),
            _ => {
                counters.emit_records.add(records);
                counters.emit_size.add(bytes);
            }
        }
        result
    }

    fn send<'a>(&self, scope: &Scope<'a>, tag: &Tag, batch: Batch<'a>) -> Result<(), EmitError> {
        match &self.route {
            Some(route) => route.emit(scope, tag, batch),
            None => Err(EmitError { class: "RuntimeError", message: "the pipeline is stopped".to_owned(), settled: false }),
        }
    }
}

/// Bytes in use against a maximum. Those who fill it check before they read more; one batch may overshoot.
#[derive(Debug)]
pub struct Limit {
    used: AtomicU64,
    max: AtomicU64,
    is_crowded: AtomicBool,
    freed: Notify,
    /// What these bytes count against as well.
    within: Option<Arc<Limit>>,
}

/// How long those who fill a [`Limit`] pause where more waits than is being taken away: long enough that what works at the other end gets
/// the processor, and short enough that what a slow server does not take still comes in, up to the maximum.
const CROWDED_WAIT: Duration = Duration::from_millis(100);

impl Limit {
    /// A limit of `max` bytes.
    pub fn new(max: u64) -> Limit {
        Limit { used: AtomicU64::new(0), max: AtomicU64::new(max), is_crowded: AtomicBool::new(false), freed: Notify::new(), within: None }
    }

    /// A limit of `max` bytes whose bytes count against another one too: there is room where both have some.
    pub fn within(max: u64, outer: &Arc<Limit>) -> Limit {
        Limit { within: Some(Arc::clone(outer)), ..Limit::new(max) }
    }

    /// Bytes in use.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// The maximum in bytes.
    pub fn max(&self) -> u64 {
        self.max.load(Ordering::Relaxed)
    }

    /// Changes the maximum.
    pub fn set_max(&self, max: u64) {
        self.max.store(max, Ordering::Relaxed);
        self.freed.notify_waiters();
    }

    /// Whether there is no room.
    pub fn is_full(&self) -> bool {
        self.used() >= self.max() || self.within.as_ref().is_some_and(|outer| outer.is_full())
    }

    /// Whether nobody has to wait at all.
    fn is_free(&self) -> bool {
        !self.is_full() && !self.is_crowded.load(Ordering::Relaxed)
    }

    /// Counts bytes in.
    pub fn take(&self, bytes: u64) {
        self.used.fetch_add(bytes, Ordering::Relaxed);
        self.within.iter().for_each(|outer| outer.take(bytes));
    }

    /// Counts bytes out and wakes those who wait for room.
    pub fn give_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
        self.freed.notify_waiters();
        self.within.iter().for_each(|outer| outer.give_back(bytes));
    }

    /// Says whether more waits at the other end than is being taken away: then those who wait for room pause even where there is some.
    pub fn set_crowded(&self, is_crowded: bool) {
        self.is_crowded.store(is_crowded, Ordering::Relaxed);
    }

    /// Waits until there is room; where it is crowded, for a moment in any case.
    pub async fn wait_for_room(&self) {
        if self.is_crowded.load(Ordering::Relaxed) {
            let _ = timeout(CROWDED_WAIT, self.wait_while_crowded()).await;
        }
        loop {
            let freed = self.freed.notified();
            let Some(outer) = &self.within else {
                if !self.is_full() {
                    return;
                }
                freed.await;
                continue;
            };
            let outer_freed = outer.freed.notified();
            if !self.is_full() {
                return;
            }
            tokio::select! {
                () = freed => {}
                () = outer_freed => {}
            }
        }
    }

    async fn wait_while_crowded(&self) {
        loop {
            let freed = self.freed.notified();
            if !self.is_crowded.load(Ordering::Relaxed) {
                return;
            }
            freed.await;
        }
    }
}

/// Tells tasks that it is time to end.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// The stop and the sender that triggers it (by `send(true)`, or by being dropped).
    pub fn new() -> (watch::Sender<bool>, Stop) {
        let (sender, receiver) = watch::channel(false);
        (sender, Stop(receiver))
    }

    /// Whether it is time.
    pub fn is_stopped(&self) -> bool {
        // A sender that was dropped is an error here.
        *self.0.borrow() || self.0.has_changed().is_err()
    }

    /// Waits until it is time.
    pub async fn wait(&mut self) {
        let _ = self.0.wait_for(|stopped| *stopped).await;
    }
}

impl<T> Plugin<T> {
    /// The row for an element's `@type`; `kind` is Fluentd's word for the table (`input`, `output`, ...).
    pub fn find<'t>(table: &'t [Plugin<T>], kind: &str, element: &Element, diagnostics: &Diagnostics) -> Result<&'t Plugin<T>, Refused> {
        let Some(name) = element.plugin_type() else {
            let place = if element.name == "store" { "in <store> section" } else { "on <NAME> directive" };
            let message = format!("Missing '@type' parameter {}", place.replace("NAME", &element.name));
            return Err(diagnostics.error("FLM0401", Some(element.span), message));
        };
        table.iter().find(|row| row.name == name).ok_or_else(|| {
            let span = known::type_span(element);
            diagnostics.error("FLM0402", Some(span), format!("Unknown {kind} plugin '{name}': flumen does not have it"))
        })
    }
}
