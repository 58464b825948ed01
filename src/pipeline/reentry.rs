//! Events that come back into a running pipeline from dead letters and backups, behind its inputs.
//!
//! What an output gave up has been through the filters: it goes to that output again, or past the filters to the output of its tag. What
//! filters or inputs gave up goes the whole way.

use super::Running;
use super::delivery::Delivery;
use super::router::Router;
use crate::buffer::Chunk;
use crate::event::msgpack::{check_entries, normalize_entries};
use crate::event::{Batch, Scope, Scratch, Sent, Tag};
use crate::metrics::{Buffered, OutputCounters};
use crate::plugin::{EmitError, Route, Sink};
use std::sync::Arc;

/// The ways back into a pipeline.
pub struct Reentry {
    router: Arc<Router>,
    outputs: Vec<Arc<Delivery>>,
}

/// What has become of events that came back, in numbers of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Delivered.
    pub delivered: u64,
    /// Rejected once more.
    pub rejected: u64,
    /// Given up once more, or gone, as the configuration asks.
    pub given_up: u64,
}

impl Running {
    /// The ways back, through the root router or that of a label; `None` where there is no such label.
    pub fn reentry(&self, label: Option<&str>) -> Option<Reentry> {
        let router = self.wiring.first()?.routers.get(label.unwrap_or("@ROOT"))?;
        let outputs = self.outputs.iter().map(|placed| Arc::clone(&placed.delivery)).collect();
        Some(Reentry { router: Arc::clone(router), outputs })
    }
}

impl Reentry {
    /// Sends entries of one tag: to the output of this id if there is one, else by their tag, and past the filters if an output gave them up.
    /// Under the same name they are the same events again, where outputs give them names.
    pub fn emit(&self, tag: &str, entries: &[u8], name: &str, output: Option<&str>) -> Result<(), EmitError> {
        let scratch = Scratch::take();
        let scope = scratch.scope();
        let tag = Tag::new(tag);
        let Some(batch) = batch_of(&scope, entries) else {
            return Err(EmitError { class: "ArgumentError", message: "these are no events".to_owned(), settled: false });
        };
        scope.name(Sent::Whole { chunk: scope.bytes(name.as_bytes()), body: scope.bytes(entries) });
        let known = output.and_then(|id| self.outputs.iter().find(|known| known.id() == id));
        let result = match (known, output) {
            (Some(known), _) => known.emit(&scope, &tag, &batch),
            (None, Some(_)) => self.router.emit_to_output(&scope, &tag, &batch),
            (None, None) => self.router.emit(&scope, &tag, batch),
        };
        self.router.reject(&scope);
        match result {
            Err(error) if !error.settled => Err(error),
            _ => Ok(()),
        }
    }

    /// Queues a chunk that a formatter wrote: for the output of this id, else for the only one of this type.
    pub fn take_formatted(&self, chunk: Chunk, output: Option<&str>, plugin: Option<&str>) -> Result<(), String> {
        let of_type: Vec<&Arc<Delivery>> = self.outputs.iter().filter(|known| known.takes_formatted(plugin)).collect();
        let by_id = output.and_then(|id| of_type.iter().position(|known| known.id() == id));
        match (by_id, of_type.len()) {
            (Some(place), _) => {
                of_type[place].take_back(chunk);
                Ok(())
            }
            (None, 1) => {
                of_type[0].take_back(chunk);
                Ok(())
            }
            (None, 0) => Err(format!("no output of the type {:?} takes it", plugin.unwrap_or("?"))),
            (None, _) => {
                Err(format!("several outputs are of the type {:?}, and none has the id {:?}", plugin.unwrap_or("?"), output.unwrap_or("?")))
            }
        }
    }

    /// Makes all buffers deliver what they have.
    pub fn flush(&self) {
        self.outputs.iter().for_each(|output| output.flush_all());
    }

    /// How many events wait in buffers.
    pub fn waiting(&self) -> u64 {
        let of = |output: &Arc<Delivery>| {
            let usage = output.usage();
            // A chunk may be one of which nobody knows how many events it has.
            let chunks = (usage.stage_length + usage.queue_length) as u64;
            (usage.stage_records + usage.queue_records + usage.in_flight_records).max(chunks)
        };
        self.outputs.iter().map(of).sum()
    }

    /// What has become of everything so far.
    pub fn outcome(&self) -> Outcome {
        let sum = |count: fn(&OutputCounters) -> u64| self.outputs.iter().map(|output| count(output.counters())).sum();
        Outcome {
            delivered: sum(|counters| counters.delivered_records.get()),
            rejected: sum(|counters| counters.rejected_records.get()),
            given_up: sum(|counters| counters.backup_records.get() + counters.lost_records.get()),
        }
    }
}

/// A batch in the canonical form; `None` where the bytes are no entries.
fn batch_of<'a>(scope: &Scope<'a>, entries: &[u8]) -> Option<Batch<'a>> {
    let checked = check_entries(entries).ok()?;
    if checked.canonical {
        return Some(Batch::packed(scope.bytes(entries), checked.count));
    }
    let mut anew = Vec::with_capacity(entries.len());
    let count = normalize_entries(entries, scope.bump(), &mut anew, |entry| entry.time.exact()).ok()?;
    Some(Batch::packed(scope.bytes(&anew), count))
}
