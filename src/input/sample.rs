//! `sample` (also `dummy`): makes events, for trying configurations out.

use super::Input;
use crate::config::{Element, FromLiteral, Json, Kind, Refused};
use crate::event::json::{self, Engine};
use crate::event::{Batch, Event, EventTime, Record, Scope, Scratch, Tag, Value};
use crate::net::Loops;
use crate::plugin::{BoxFuture, Context, Emitter, Stop};
use bumpalo::collections::Vec as BumpVec;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior};

/// Parts of a second in which events are made, so that a high rate does not come in one burst.
const TICKS_A_SECOND: i64 = 10;

crate::section! {
    /// Makes events from samples.
    pub struct Params {
        /// The tag of the events.
        pub tag: String,
        /// How many events an emit has.
        pub size: i64 = "1",
        /// How many emits there are a second.
        pub rate: i64 = "1",
        /// A field that counts the events from 0.
        pub auto_increment_key: Option<String>,
        /// Without effect, as in Fluentd.
        pub suspend: bool = "false" [deprecated "This parameters is ignored"],
        /// Without effect: samples are never copied more than needed.
        pub reuse_record: bool = "false" [idle "samples are never copied more than needed"],
        /// The records: a JSON object, or an array of them, to be taken in turn.
        pub sample: Samples = "[{\"message\":\"sample\"}]" [alias "dummy"],
    }
}

/// Records as JSON texts.
#[derive(Clone, Debug)]
pub struct Samples(Vec<String>);

impl FromLiteral for Samples {
    const KIND: Kind = Kind::Array;

    fn from_literal(text: &str, _strict: bool) -> Result<Samples, String> {
        let parsed =
            Json::parse(text).ok_or_else(|| format!("JSON::ParserError: expected a JSON object or an array of them, got {text}"))?;
        let elements = match parsed {
            Json::Array(elements) => elements,
            one => vec![one],
        };
        for (number, element) in elements.iter().enumerate() {
            if !matches!(element, Json::Object(_)) {
                return Err(format!("{number}th element of sample, {}, is not a hash", element.dump()));
            }
        }
        if elements.is_empty() {
            return Err("expected one record at least, got []".to_owned());
        }
        Ok(Samples(elements.iter().map(Json::dump).collect()))
    }
}

struct Sample {
    tag: Tag,
    params: Params,
    next_sample: usize,
    next_number: i64,
}

/// Makes the input.
pub fn build(element: &Element, context: &Context<'_>) -> Result<Box<dyn Input>, Refused> {
    let params = Params::read(element, context.diagnostics)?;
    Ok(Box::new(Sample { tag: Tag::new(&params.tag), params, next_sample: 0, next_number: 0 }))
}

impl Input for Sample {
    fn run(self: Box<Self>, emitter: Emitter, _loops: Arc<Loops>, stop: Stop) -> BoxFuture<'static, anyhow::Result<()>> {
        Box::pin(self.make_events(emitter, stop))
    }
}

impl Sample {
    async fn make_events(mut self: Box<Self>, emitter: Emitter, mut stop: Stop) -> anyhow::Result<()> {
        let mut ticks = tokio::time::interval_at(Instant::now(), Duration::from_millis(1000 / TICKS_A_SECOND as u64));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut tick = 0;
        loop {
            tokio::select! {
                () = stop.wait() => return Ok(()),
                _ = ticks.tick() => {}
            }
            let last = tick == TICKS_A_SECOND - 1;
            tick = (tick + 1) % TICKS_A_SECOND;
            let emits = self.params.rate / TICKS_A_SECOND + if last { self.params.rate % TICKS_A_SECOND } else { 0 };
            for _ in 0..emits {
                let permit = emitter.reserve(&self.tag).await;
                let scratch = Scratch::take();
                let scope = scratch.scope();
                let batch = self.batch(&scope);
                // An emit that fails has been logged; the next events are made all the same.
                let _ = permit.emit(&scope, &self.tag, batch);
            }
        }
    }

    fn batch<'a>(&mut self, scope: &Scope<'a>) -> Batch<'a> {
        let mut events = BumpVec::new_in(scope.bump());
        for _ in 0..self.params.size.max(1) {
            events.push(Event { time: EventTime::now(), record: self.record(scope) });
        }
        Batch::decoded(events)
    }

    fn record<'a>(&mut self, scope: &Scope<'a>) -> Record<'a> {
        let text = scope.bytes(self.params.sample.0[self.next_sample].as_bytes());
        self.next_sample = (self.next_sample + 1) % self.params.sample.0.len();
        let mut record = match json::read(scope.bump(), text, Engine::Json) {
            Ok(json::Document::Record(record)) => record,
            _ => Record::with_capacity(scope.bump(), 1),
        };
        if let Some(key) = &self.params.auto_increment_key {
            record.set(scope.text(key).as_bytes(), Value::Int(self.next_number));
            self.next_number += 1;
        }
        record
    }
}
