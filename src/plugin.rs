//! The contract between rooms: rows of the plugin tables, what constructors get, and the only way out of an input.

pub mod known;
mod limit;

pub use crate::config::Compat;
use crate::config::{Diagnostics, Element, Refused, Section, Span, System};
use crate::event::{Batch, Scope, Tag};
use crate::log::PluginLog;
use crate::metrics::{InputCounters, Overview};
pub use limit::Limit;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock, Weak};
use tokio::sync::{Notify, watch};

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
        self.reserve_where(tag, Limit::is_free).await
    }

    /// As [`Emitter::reserve`], for events that are read already: they do not pause where it is only crowded.
    pub async fn reserve_for_read(&self, tag: &Tag) -> Permit {
        self.reserve_where(tag, |limit| !limit.is_full()).await
    }

    /// Whether [`Emitter::reserve`] would not wait.
    pub fn has_room(&self, tag: &Tag) -> bool {
        self.limits(self.route().as_deref(), tag).iter().all(|limit| limit.is_free())
    }

    fn limits(&self, route: Option<&dyn Route>, tag: &Tag) -> Vec<Arc<Limit>> {
        let mut limits = Vec::new();
        if let Some(route) = route {
            route.limits(Some(tag), &mut limits);
        }
        limits
    }

    async fn reserve_where(&self, tag: &Tag, has_room: fn(&Limit) -> bool) -> Permit {
        let route = self.route();
        if self.limits(route.as_deref(), tag).iter().all(|limit| has_room(limit)) {
            return self.permit(route);
        }
        // Apart, so that those who never wait, thousands of connections, have no place for it in their memory.
        Box::pin(self.wait_and_reserve(tag, has_room)).await
    }

    async fn wait_and_reserve(&self, tag: &Tag, has_room: fn(&Limit) -> bool) -> Permit {
        loop {
            let changed = self.way.changed.notified();
            let route = self.route();
            let limits = self.limits(route.as_deref(), tag);
            let room = async {
                for limit in &limits {
                    limit.wait_until(has_room).await;
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
