//! The way of a batch into the stage: admission, grouping by chunk keys, encoding. All of it happens within one emit.

use super::Delivery;
use crate::buffer::log::frame::Origin as MessageOrigin;
use crate::buffer::{CHUNK_COST_BYTES, Chunk, ChunkKeys, Closed, OverflowAction, Run, TooLarge, entries};
use crate::event::msgpack::Entries;
use crate::event::{Batch, Event, Origin, Rejected, Scope, Sent, Tag, digest};
use crate::plugin::EmitError;
use std::cell::Cell;
use std::collections::{HashMap, TryReserveError};
use std::sync::Arc;
use tokio::time::Instant;

/// With `block`, senders wait at the limit; events that the daemon makes itself (`@ERROR` and the like) do not wait, and have so much beyond it.
const SHARE_BEYOND_LIMIT: u64 = 64 << 20;
/// A buffer for encoding that grew past this is given back rather than kept: one huge batch must not pin memory.
const KEPT_BYTES: usize = 1 << 20;
/// Groups that are searched one by one; with more a table is made.
const FEW_GROUPS: usize = 8;
/// Fluentd's class of the error for a full buffer.
const OVERFLOW: &str = "Fluent::Plugin::Buffer::BufferOverflowError";
/// Fluentd's class of the error for a record that no chunk can hold.
const CHUNK_OVERFLOW: &str = "Fluent::Plugin::Buffer::BufferChunkOverflowError";

thread_local! {
    static ENCODED: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Whether a batch may come in.
enum Room {
    Enough,
    /// No: it is to be kept in the backup folder.
    Spill,
}

/// Events of one set of chunk keys, on their way.
#[derive(Default)]
struct Group {
    keys: ChunkKeys,
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// Places of the events in the batch.
    events: Vec<usize>,
}

impl Delivery {
    /// Takes a batch, or says why not.
    pub(super) fn take<'a>(&self, scope: &Scope<'a>, tag: &Tag, batch: &Batch<'a>) -> Result<(), EmitError> {
        self.counters.emit_count.add(batch.emits() as u64);
        if batch.is_empty() {
            return Ok(());
        }
        if let Room::Spill = self.make_room(batch.len())? {
            return self.spill(scope, tag, batch);
        }
        let result = match batch.as_packed() {
            Some(bytes) if self.is_verbatim() => {
                let run = Run { bytes, records: batch.len(), ends: None, formatted: false, origin: None };
                match scope.sent().filter(|_| self.output.names_events()) {
                    Some(sent @ Sent::Each { .. }) => self.append_each(scope, tag, batch, bytes, &sent),
                    sent => {
                        let run = Run { origin: origin(scope, tag, sent, batch.len()), ..run };
                        self.append(scope, tag, batch, &[(self.settings.keys.of_tag(tag), run)], |_, nth| nth)
                    }
                }
            }
            _ => self.append_groups(scope, tag, batch),
        };
        self.after_append(scope.receipt());
        result
    }

    /// Whether packed batches go into chunks as they are.
    pub(super) fn is_verbatim(&self) -> bool {
        self.output.is_packed() && self.settings.keys.are_simple() && !self.settings.time_as_integer
    }

    fn make_room(&self, records: usize) -> Result<Room, EmitError> {
        match self.settings.overflow_action {
            _ if !self.is_full() => Ok(Room::Enough),
            OverflowAction::Block
                if self.settings.disable_chunk_backup
                    || self.all_limits().all(|limit| limit.used() < limit.max().saturating_add(SHARE_BEYOND_LIMIT)) =>
            {
                Ok(Room::Enough)
            }
            OverflowAction::Block => Ok(Room::Spill),
            OverflowAction::ThrowException => Err(self.overflow(records)),
            OverflowAction::DropOldestChunk => self.drop_oldest(records).map(|()| Room::Enough),
        }
    }

    fn overflow(&self, records: usize) -> EmitError {
        self.counters.overflow_records.add(records as u64);
        if self.overflow_line.is_due(Instant::now()) {
            let action = match self.settings.overflow_action {
                OverflowAction::ThrowException => "throw_exception",
                OverflowAction::Block => "block",
                OverflowAction::DropOldestChunk => "drop_oldest_chunk",
            };
            crate::warning!("failed to write data into buffer by buffer overflow action=:{action}");
        }
        EmitError { class: OVERFLOW, message: "buffer space has too many data".to_owned(), settled: false }
    }

    /// The sender keeps what there is no memory for; what is delivered frees some.
    fn no_memory(&self, error: &TryReserveError) -> EmitError {
        let (bytes, chunks) = (self.limit.used(), self.stage.len());
        if self.overflow_line.is_due(Instant::now()) {
            crate::error!(
                "no memory for more events in the buffer of {}, which holds {bytes} bytes, {chunks} chunks of them open: total_limit_size or <system> memory_limit should be lower error=\"{error}\"",
                self.id
            );
        }
        EmitError { class: "NoMemoryError", message: format!("failed to allocate memory for the buffer of {}", self.id), settled: false }
    }

    fn drop_oldest(&self, records: usize) -> Result<(), EmitError> {
        while self.is_full() {
            let Some(oldest) = self.queue.take_oldest() else {
                crate::error!("no queued chunks to be dropped for drop_oldest_chunk");
                return Err(self.overflow(records));
            };
            crate::warning!("dropping oldest chunk to make space after buffer overflow chunk_id={:?}", oldest.chunk.hex());
            self.counters.drop_oldest_chunk_count.add(1);
            self.counters.drop_oldest_records.add(oldest.records() as u64);
            oldest.done();
            self.limit.give_back(oldest.counted + CHUNK_COST_BYTES);
        }
        Ok(())
    }

    fn append_groups<'a>(&self, scope: &Scope<'a>, tag: &Tag, batch: &Batch<'a>) -> Result<(), EmitError> {
        let (groups, mut failed) = self.group(scope, tag, batch);
        let sent = scope.sent().filter(|sent| self.output.names_events() && matches!(sent, Sent::Whole { .. }));
        let run = |group| Run { origin: origin(scope, tag, sent, self.run_of(group).records), ..self.run_of(group) };
        let runs: Vec<(ChunkKeys, Run<'_>)> = groups.iter().map(|group| (group.keys.clone(), run(group))).collect();
        let appended = self.append(scope, tag, batch, &runs, |run, nth| groups[run].events[nth]);
        for group in groups {
            keep_encoded(group.bytes);
        }
        appended.and(failed.take().map_or(Ok(()), Err))
    }

    fn run_of<'g>(&self, group: &'g Group) -> Run<'g> {
        Run { bytes: &group.bytes, records: group.ends.len(), ends: Some(&group.ends), formatted: !self.output.is_packed(), origin: None }
    }

    /// Appends events that were sent in a message each, every one under the name of its own.
    fn append_each<'a>(&self, scope: &Scope<'a>, tag: &Tag, batch: &Batch<'a>, bytes: &[u8], sent: &Sent<'_>) -> Result<(), EmitError> {
        let keys = self.settings.keys.of_tag(tag);
        let runs: Vec<(ChunkKeys, Run<'_>)> = Entries::new(bytes)
            .map_while(Result::ok)
            .enumerate()
            .map(|(nth, entry)| {
                let chunk = sent.chunk(nth);
                let digest = (!chunk.is_empty()).then(|| digest(tag.as_bytes(), chunk, entry.whole));
                let origin = digest.map(|digest| MessageOrigin { digest, first: 0 });
                (keys.clone(), Run { bytes: entry.whole, records: 1, ends: None, formatted: false, origin })
            })
            .collect();
        self.append(scope, tag, batch, &runs, |run, _| run)
    }

    /// Appends runs; `event_of` says which event of the batch a record of a run is.
    fn append<'a>(
        &self,
        scope: &Scope<'a>,
        tag: &Tag,
        batch: &Batch<'a>,
        runs: &[(ChunkKeys, Run<'_>)],
        event_of: impl Fn(usize, usize) -> usize,
    ) -> Result<(), EmitError> {
        let appended = self.stage.append(runs, scope.receipt(), &mut |closed: Closed| self.push(closed));
        let too_large = appended.map_err(|error| self.no_memory(&error))?;
        self.counters.emit_records.add(batch.len() as u64);
        if self.counts_sizes {
            self.counters.emit_size.add(runs.iter().map(|(_, run)| run.bytes.len() as u64).sum());
        }
        let Some(first) = too_large.first() else { return Ok(()) };
        let message = self.too_large_message(first);
        for record in &too_large {
            let event = &batch.events(scope)[event_of(record.run, record.nth)];
            self.reject(scope, tag, event, CHUNK_OVERFLOW, self.too_large_message(record));
        }
        // Fluentd: the whole batch goes to @ERROR, though its other records are in the buffer too.
        Err(EmitError { class: CHUNK_OVERFLOW, message, settled: true })
    }

    fn too_large_message(&self, record: &TooLarge) -> String {
        let limit = self.settings.chunk.bytes;
        format!("a {} bytes record (nth: {}) is larger than buffer chunk limit size ({limit})", record.bytes, record.nth)
    }

    fn reject<'a>(&self, scope: &Scope<'a>, tag: &Tag, event: &Event<'a>, class: &'static str, message: String) {
        self.counters.rejected_records.add(1);
        let rejected = Rejected { tag: tag.clone(), time: event.time, record: event.record.clone(), class, message };
        scope.reject_from(rejected, Origin { output: Arc::clone(&self.id), status: None, entry: None });
    }

    /// Encodes the events, each into the group of its chunk keys. An event that cannot be written in the output's form is rejected.
    fn group<'a>(&self, scope: &Scope<'a>, tag: &Tag, batch: &Batch<'a>) -> (Vec<Group>, Option<EmitError>) {
        let mut groups = Groups::default();
        let (mut failed, mut empty) = (None, 0);
        let mut raw = batch.as_packed().filter(|_| self.output.is_packed()).map(Entries::new);
        for (at, event) in batch.events(scope).iter().enumerate() {
            let packed = raw.as_mut().and_then(Iterator::next).and_then(Result::ok);
            if let Some(message) = self.settings.keys.fault(event) {
                self.reject(scope, tag, event, "TypeError", message.clone());
                failed = Some(EmitError { class: "TypeError", message, settled: true });
                continue;
            }
            let group = groups.of(self, tag, event);
            match packed {
                Some(entry) => entries::write_raw(event.time, entry.record, self.settings.time_as_integer, entry.whole, &mut group.bytes),
                None if self.output.is_packed() => entries::write(event, self.settings.time_as_integer, &mut group.bytes),
                None => {
                    let before = group.bytes.len();
                    if let Err(error) = self.output.format(scope, tag, event, &mut group.bytes) {
                        group.bytes.truncate(before);
                        self.reject(scope, tag, event, error.class, error.message.clone());
                        failed = Some(EmitError { class: error.class, message: error.message, settled: true });
                        continue;
                    }
                    if group.bytes.len() == before {
                        empty += 1;
                        continue;
                    }
                }
            }
            group.ends.push(group.bytes.len());
            group.events.push(at);
        }
        self.counters.dropped_records.add(empty);
        (groups.sorted(), failed)
    }

    /// Keeps a batch for which there is no room, and whose sender does not wait, in the backup folder.
    fn spill<'a>(&self, scope: &Scope<'a>, tag: &Tag, batch: &Batch<'a>) -> Result<(), EmitError> {
        let (groups, failed) = self.group(scope, tag, batch);
        let mut rest: usize = groups.iter().map(|group| group.ends.len()).sum();
        self.counters.emit_records.add((batch.len() - rest) as u64);
        for group in groups {
            let chunk = Chunk { bytes: group.bytes, records: group.ends.len(), ..Chunk::new(group.keys) };
            if !self.keep(&chunk, "the buffer is full") {
                return Err(self.overflow(rest));
            }
            self.counters.emit_records.add(chunk.records as u64);
            rest -= chunk.records;
        }
        failed.map_or(Ok(()), Err)
    }

    /// What was appended after the writers have gone is kept in the backup folder as it is.
    pub(super) fn keep_staged(&self) {
        self.stage.close(
            |_| true,
            |_, _| true,
            |Closed { chunk, .. }| {
                self.limit.give_back(chunk.bytes.len() as u64 + CHUNK_COST_BYTES);
                if !self.keep(&chunk, "the output has ended") {
                    self.counters.lost_records.add(chunk.records as u64);
                }
                true
            },
        );
    }

    /// Keeps events that never were in the queue in the backup folder.
    fn keep(&self, chunk: &Chunk, why: &str) -> bool {
        match self.backup.keep(chunk, why) {
            Ok(path) => {
                self.counters.backup_records.add(chunk.records as u64);
                if self.overflow_line.is_due(Instant::now()) {
                    crate::warning!("{why}: {} events are kept in {}", chunk.records, path.display());
                }
                true
            }
            Err(error) => {
                let path = self.backup.path(chunk);
                crate::error!("{why}, and {} events cannot be kept path={path:?} error=\"{error}\"", chunk.records);
                false
            }
        }
    }
}

/// What names so many events, where their sender named their message.
fn origin(scope: &Scope<'_>, tag: &Tag, sent: Option<Sent<'_>>, records: usize) -> Option<MessageOrigin> {
    let Some(Sent::Whole { chunk, body }) = sent else { return None };
    Some(MessageOrigin { digest: digest(tag.as_bytes(), chunk, body), first: scope.take_numbers(records) })
}

/// The groups of one batch; neighbours mostly are of one group.
#[derive(Default)]
struct Groups {
    all: Vec<Group>,
    last: usize,
    places: HashMap<ChunkKeys, usize>,
}

impl Groups {
    fn of(&mut self, delivery: &Delivery, tag: &Tag, event: &Event<'_>) -> &mut Group {
        let keys = &delivery.settings.keys;
        if !self.all.get(self.last).is_some_and(|group| keys.fit(&group.keys, event)) {
            self.last = self.find(keys.of(tag, event));
        }
        &mut self.all[self.last]
    }

    fn find(&mut self, keys: ChunkKeys) -> usize {
        let found = if self.all.len() <= FEW_GROUPS {
            self.all.iter().position(|group| group.keys == keys)
        } else {
            self.places.get(&keys).copied()
        };
        found.unwrap_or_else(|| {
            let at = self.all.len();
            if at == FEW_GROUPS {
                self.places.extend(self.all.iter().enumerate().map(|(at, group)| (group.keys.clone(), at)));
            }
            if at >= FEW_GROUPS {
                self.places.insert(keys.clone(), at);
            }
            let bytes = if at == 0 { ENCODED.take() } else { Vec::new() };
            self.all.push(Group { keys, bytes, ..Group::default() });
            at
        })
    }

    /// In the order in which Fluentd makes their chunks.
    fn sorted(mut self) -> Vec<Group> {
        self.all.sort_by(|a, b| (a.keys.timekey, &a.keys.variables).cmp(&(b.keys.timekey, &b.keys.variables)));
        self.all
    }
}

fn keep_encoded(mut bytes: Vec<u8>) {
    if bytes.capacity() <= KEPT_BYTES {
        bytes.clear();
        let other = ENCODED.take();
        ENCODED.set(if other.capacity() > bytes.capacity() { other } else { bytes });
    }
}
