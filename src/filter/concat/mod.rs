//! `concat`: puts events together that are pieces of one: lines by number or by expressions, and messages that Docker or CRI have split.
//!
//! What is held between two batches is in [`streams`], which piece ends what is decided in [`step`]. Events that wait too long, and
//! those that wait at the end, go to `timeout_label`, or else to `@ERROR`.

mod mode;
mod step;
mod streams;

use super::Filter;
use crate::config::{Element, Refused, Seconds, Size};
use crate::event::msgpack::decode_record;
use crate::event::{Batch, EventTime, Record, Rejected, Scope, Scratch, Tag, Value};
use crate::plugin::{Context, Emitter};
use bumpalo::collections::Vec as BumpVec;
use mode::Mode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use step::Step;
use streams::{Held, Streams};
use tokio::time::Instant;

/// The class that Fluentd gives to events that waited too long.
const TIMEOUT_ERROR: &str = "Fluent::Plugin::ConcatFilter::TimeoutError";

crate::choice! {
    /// What is done when the pieces of one event are larger than `buffer_limit_size`.
    pub enum Overflow { Ignore = "ignore", Truncate = "truncate", Drop = "drop", New = "new" }
}

crate::choice! {
    /// How Docker's log driver names the fields that say which piece of a message an event is.
    pub enum MetadataFormat { Fluentd = "docker-fluentd", Journald = "docker-journald", JournaldLowercase = "docker-journald-lowercase" }
}

crate::section! {
    /// Puts events together that are pieces of one.
    pub struct Params {
        /// The field whose texts are put together.
        pub key: String,
        /// What is put between the texts.
        pub separator: String = "\n",
        /// How many events make one.
        pub n_lines: Option<i64>,
        /// What a first line looks like, between slashes.
        pub multiline_start_regexp: Option<String>,
        /// What a last line looks like, between slashes.
        pub multiline_end_regexp: Option<String>,
        /// What a line looks like that belongs to the one before, between slashes; any line does by default.
        pub continuous_line_regexp: Option<String>,
        /// The field that tells the streams of one tag apart.
        pub stream_identity_key: Option<String>,
        /// How long pieces wait for the next one; 0 for ever.
        pub flush_interval: Seconds = "60",
        /// The label for what has waited too long; `@ERROR` by default.
        pub timeout_label: Option<String>,
        /// Whether the time of the first piece counts, not that of the last.
        pub use_first_timestamp: bool = "false",
        /// The field that says whether an event is a piece to be followed by others.
        pub partial_key: Option<String>,
        /// The value of that field in all pieces but the last.
        pub partial_value: Option<String>,
        /// Whether that field (with CRI: the field of the log tag) stays.
        pub keep_partial_key: bool = "false",
        /// Whether Docker's fields say which pieces belong together, in which order.
        pub use_partial_metadata: bool = "false",
        /// Which of Docker's drivers has made those fields.
        pub partial_metadata_format: MetadataFormat = "docker-fluentd",
        /// Whether those fields stay.
        pub keep_partial_metadata: bool = "false",
        /// Whether CRI's log tag, `P` or `F`, says what is a piece.
        pub use_partial_cri_logtag: bool = "false",
        /// The field of the log tag.
        pub partial_cri_logtag_key: Option<String>,
        /// The field of the stream's name, which is removed.
        pub partial_cri_stream_key: String = "stream",
        /// How large the pieces of one event may be together, where `partial_key` is used.
        pub buffer_limit_size: Size = "512000",
        /// What is done beyond that.
        pub buffer_overflow_method: Overflow = "ignore",
    }
}

/// The filter.
struct Concat {
    params: Params,
    mode: Mode,
    timeout_label: Option<Emitter>,
    streams: Mutex<Streams>,
    /// Events let go by another way than with a batch.
    released: AtomicU64,
}

/// Makes the filter.
pub fn build(element: &Element, context: &Context<'_>) -> Result<Box<dyn Filter>, Refused> {
    let params = Params::read(element, context.diagnostics)?;
    let mode = Mode::of(&params).map_err(|why| context.refuse("FLM0470", element.span, why))?;
    for name in mode.without_effect(&params) {
        let span = element.param(name).map_or(element.span, |param| param.span);
        context.diagnostics.warn("FLM0471", Some(span), format!("'{name}' has no effect together with the other parameters"));
    }
    let timeout_label = params.timeout_label.as_deref().map(|label| context.host.emitter_if_any(label, element.span));
    Ok(Box::new(Concat { params, mode, timeout_label, streams: Mutex::default(), released: AtomicU64::new(0) }))
}

impl Concat {
    fn streams(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this filter does anything to an event: the others pass.
    fn takes(&self, record: &Record<'_>) -> bool {
        let has = |key: &str| record.get(key.as_bytes()).is_some();
        has(&self.params.key) && self.mode.indicator().is_none_or(has)
    }

    /// Sends on what was held too long; the streams are not locked meanwhile, because the way may lead here again.
    fn let_go<'a>(&self, scope: &Scope<'a>, held: Vec<Held>) {
        for held in held {
            crate::info!("{}", held.message);
            let record = self.record_of(scope, &held);
            let failed = match &self.timeout_label {
                Some(label) => label.emit(scope, &held.tag, Batch::single(scope, held.time, record.clone())).err(),
                None => None,
            };
            if self.timeout_label.is_some() && failed.is_none() {
                self.released.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            // Fluentd: an event that the label does not take is lost.
            let message = failed.map_or(held.message, |error| error.message);
            scope.reject(Rejected { tag: held.tag, time: held.time, record, class: TIMEOUT_ERROR, message });
        }
    }

    /// Hands over what was rejected outside of any batch.
    fn send_rejected(&self, scope: &Scope<'_>, emitter: &Emitter) {
        self.released.fetch_add(scope.rejected_len() as u64, Ordering::Relaxed);
        emitter.send_rejected(scope);
    }

    /// The first record with the texts of all in its field.
    fn record_of<'a>(&self, scope: &Scope<'a>, held: &Held) -> Record<'a> {
        let first = decode_record(scope.bump(), scope.bytes(&held.first));
        // It has been encoded here; were it ever not to be read, the text would still not be lost.
        let mut record = first.unwrap_or_else(|_| Record::with_capacity(scope.bump(), 1));
        let text = scope.bytes(&held.text);
        let value = if held.is_binary { Value::Bin(text) } else { Value::Str(text) };
        record.set(scope.text(&self.params.key).as_bytes(), value);
        record
    }
}

/// Whether the tag is one of the daemon's own log, which is never held.
fn is_own_log(tag: &str) -> bool {
    tag.strip_prefix("fluent.").is_some_and(|level| matches!(level, "trace" | "debug" | "info" | "warn" | "error" | "fatal"))
}

impl Filter for Concat {
    fn filter<'a>(&self, scope: &Scope<'a>, tag: &Tag, batch: &mut Batch<'a>) {
        if is_own_log(tag) || !batch.events(scope).iter().any(|event| self.takes(&event.record)) {
            return;
        }
        let events = batch.events_mut(scope);
        let room = BumpVec::with_capacity_in(events.len(), scope.bump());
        let before = std::mem::replace(events, room);
        let mut streams = self.streams();
        let mut step = Step::new(self, scope, tag, &mut streams, events);
        for event in before {
            if self.takes(&event.record) { step.event(event) } else { step.pass(event) }
        }
        let overdue = streams.take_beyond_limit(self.params.separator.as_bytes());
        drop(streams);
        self.let_go(scope, overdue);
    }

    fn tick(&self, now: Instant, emitter: &Emitter) {
        let wait = self.params.flush_interval;
        if wait.0 <= 0.0 {
            return;
        }
        let mut overdue = self.streams().take_silent(now, wait.duration(), self.params.separator.as_bytes());
        if overdue.is_empty() {
            return;
        }
        if !self.params.use_first_timestamp {
            let present = EventTime::now();
            overdue.iter_mut().for_each(|held| held.time = present);
        }
        let scratch = Scratch::take();
        let scope = scratch.scope();
        self.let_go(&scope, overdue);
        self.send_rejected(&scope, emitter);
    }

    fn drain(&self, emitter: &Emitter) {
        let all = self.streams().take_all(self.params.separator.as_bytes());
        let scratch = Scratch::take();
        let scope = scratch.scope();
        self.let_go(&scope, all);
        self.send_rejected(&scope, emitter);
    }

    fn held(&self) -> Option<usize> {
        Some(self.streams().events())
    }

    fn released(&self) -> u64 {
        self.released.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests;
