//! Staged chunks: those that still take events, one a set of chunk keys, in memory or in a log on disk.
//!
//! What a batch costs here is one lock and one copy of its bytes. When a chunk is done it is handed out under the same lock, so that
//! chunks of one key leave in the order in which they were filled. The limit on bytes is told of each byte that comes in; whoever
//! gets the chunk gives them back.

mod fill;

use super::log::frame::Origin;
use super::log::{Head, Log, LogChunk};
use super::split::{ChunkLimits, Fill};
use super::{Chunk, ChunkKeys, Pool, Stored};
use crate::event::{EventTime, Receipt};
use crate::plugin::Limit;
use fill::Filler;
use std::collections::{BTreeMap, BTreeSet, HashMap, TryReserveError};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;

/// Blocks that are kept for chunks to come: what one flush thread turns over.
const POOLED_BLOCKS: usize = 4;
/// Memory to read a part of a long chunk into: parts of 8 MB, and the frame that goes past that.
const PART_BLOCK_BYTES: usize = 10 << 20;
/// A chunk larger than this gives its memory back to the system at once.
const POOLED_BLOCK_BYTES: usize = 16 << 20;

/// A clock that is slowed down to be put right lags by fractions of a second, and is not one that was turned back.
const CLOCK_SLACK: i64 = 2;

/// What a chunk counts for in the limit beside its bytes: very many chunk keys with a few bytes each must not fill the memory.
pub const CHUNK_COST_BYTES: u64 = 512;

/// Records of one set of chunk keys, encoded.
#[derive(Clone, Debug)]
pub struct Run<'r> {
    /// The records, one after another.
    pub bytes: &'r [u8],
    /// How many.
    pub records: usize,
    /// Where each ends; `None` for msgpack entries, whose ends are looked for only when a batch has to be divided.
    pub ends: Option<&'r [usize]>,
    /// Whether the output wrote them in a form of its own: such a batch may be divided to fill up a chunk.
    pub formatted: bool,
    /// The message that they came in and the number of the first, where events are to be named by that.
    pub origin: Option<Origin>,
}

/// A record that no chunk can hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TooLarge {
    /// Which run, of those appended together.
    pub run: usize,
    /// Which record of the run.
    pub nth: usize,
    /// Its bytes.
    pub bytes: usize,
}

/// A chunk that takes no more events.
#[derive(Debug)]
pub struct Closed {
    /// The chunk.
    pub chunk: Chunk,
    /// When its first event came.
    pub since: Instant,
    /// Its bytes, uncompressed.
    pub bytes: u64,
    /// Where they are, if not in the chunk.
    pub body: Option<Box<dyn Stored>>,
    /// Who waits for its delivery.
    pub receipts: Vec<Receipt>,
}

struct Open {
    chunk: Chunk,
    since: Instant,
    /// What the machine's clock said then.
    began: i64,
    number: u64,
    bytes: usize,
    /// Its number in the log, where it is in one.
    logged: Option<u64>,
    receipts: Vec<Receipt>,
}

/// A log for all chunks from now on.
#[derive(Clone, Debug)]
pub struct InLog {
    /// The log.
    pub log: Arc<Log>,
    /// The type of the output.
    pub output: String,
    /// Whether chunks hold msgpack entries.
    pub is_packed: bool,
}

impl InLog {
    /// Begins a chunk; its number.
    fn begin(&self, chunk: &Chunk) -> u64 {
        let created = EventTime::now().sec;
        self.log.begin(&Head { id: chunk.id, created, is_packed: self.is_packed, output: self.output.clone(), keys: chunk.keys.clone() })
    }

    /// A chunk that takes no more events.
    pub fn stored(&self, number: u64) -> Box<dyn Stored> {
        Box::new(LogChunk::new(Arc::clone(&self.log), number, self.is_packed))
    }
}

#[derive(Default)]
struct Inside {
    open: HashMap<Arc<ChunkKeys>, Open>,
    /// The same in the order of their first events.
    by_age: BTreeMap<u64, Arc<ChunkKeys>>,
    /// Those of time slices in the order of time.
    by_slice: BTreeSet<(i64, u64)>,
    next_number: u64,
    /// The latest that the machine's clock has said when a chunk of a time slice was begun, and when that was.
    latest: Option<(i64, Instant)>,
    pool: Pool,
    limits: ChunkLimits,
    log: Option<InLog>,
}

impl Inside {
    fn remove(&mut self, keys: &ChunkKeys) -> Option<Open> {
        let open = self.open.remove(keys)?;
        self.by_age.remove(&open.number);
        if let Some(slice) = keys.timekey {
            self.by_slice.remove(&(slice, open.number));
        }
        Some(open)
    }

    fn insert(&mut self, keys: &ChunkKeys) {
        let chunk = Chunk::new(keys.clone());
        let logged = self.log.as_ref().map(|log| log.begin(&chunk));
        self.put(chunk, 0, logged);
    }

    fn put(&mut self, chunk: Chunk, bytes: usize, logged: Option<u64>) {
        let (number, keys) = (self.next_number, Arc::new(chunk.keys.clone()));
        self.next_number += 1;
        let (since, began) = (Instant::now(), EventTime::now().sec);
        if let Some(slice) = keys.timekey {
            if self.by_slice.is_empty() || self.latest.is_none_or(|latest| began > steady(latest)) {
                self.latest = Some((began, since));
            }
            self.by_slice.insert((slice, number));
        }
        self.by_age.insert(number, Arc::clone(&keys));
        let open = Open { chunk, since, began, number, bytes, logged, receipts: Vec::new() };
        self.open.insert(keys, open);
    }

    /// Sees to it that there is memory for so many bytes more.
    fn provide(&mut self, keys: &ChunkKeys, more: usize) -> Result<(), TryReserveError> {
        if self.log.is_some() {
            return Ok(());
        }
        let bytes = self.open.get(keys).map(|open| &open.chunk.bytes).filter(|bytes| bytes.len() + more <= self.limits.bytes);
        let (length, capacity) = bytes.map_or((0, 0), |bytes| (bytes.len(), bytes.capacity()));
        self.pool.provide(length, capacity, more, self.limits.bytes)
    }

    /// What becomes of a chunk that takes no more events.
    fn close(&self, open: Open) -> Closed {
        let Open { chunk, since, bytes, logged, receipts, .. } = open;
        let log = self.log.as_ref();
        let body = logged.zip(log).map(|(number, log)| {
            log.log.close_chunk(number);
            log.stored(number)
        });
        Closed { chunk, since, bytes: bytes as u64, body, receipts }
    }

    /// The oldest chunk, if it is due by age; else that of the oldest time slice, if that is over.
    fn first_due(&self, old_enough: &impl Fn(Instant) -> bool, slice_over: &impl Fn(i64, i64) -> bool) -> Option<Arc<ChunkKeys>> {
        let oldest = self.by_age.values().next().filter(|keys| self.open.get(*keys).is_some_and(|open| old_enough(open.since)));
        let number = || {
            let now = EventTime::now().sec;
            let first = self.by_slice.first().filter(|(slice, _)| slice_over(*slice, now));
            first.or_else(|| self.left_behind(now, slice_over)).map(|(_, number)| number)
        };
        oldest.or_else(|| self.by_age.get(number()?)).cloned()
    }

    /// Where the machine's clock was turned back: a chunk whose slice would be over by the clock as it was when the chunk was begun.
    fn left_behind(&self, now: i64, slice_over: &impl Fn(i64, i64) -> bool) -> Option<&(i64, u64)> {
        if self.latest.is_none_or(|latest| steady(latest) <= now + CLOCK_SLACK) {
            return None;
        }
        self.by_slice.iter().find(|(slice, number)| {
            let open = self.by_age.get(number).and_then(|keys| self.open.get(keys));
            open.is_some_and(|open| slice_over(*slice, steady((open.began, open.since))))
        })
    }
}

/// What the clock would say now if it had gone on evenly.
fn steady((clock, at): (i64, Instant)) -> i64 {
    clock + at.elapsed().as_secs() as i64
}

/// The chunks that take events.
pub struct Stage {
    limit: Arc<Limit>,
    inside: Mutex<Inside>,
    length: AtomicUsize,
    bytes: AtomicU64,
}

impl Stage {
    /// An empty stage whose bytes count against `limit`.
    pub fn new(limits: ChunkLimits, limit: Arc<Limit>) -> Stage {
        let block = limits.bytes.min(POOLED_BLOCK_BYTES);
        let inside = Inside { pool: Pool::new(POOLED_BLOCKS, block), limits, ..Inside::default() };
        Stage { limit, inside: Mutex::new(inside), length: AtomicUsize::new(0), bytes: AtomicU64::new(0) }
    }

    /// How many chunks take events at the moment.
    pub fn len(&self) -> usize {
        self.length.load(Ordering::Relaxed)
    }

    /// Whether no chunk does.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Their bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Other limits for chunks from now on.
    pub fn set_limits(&self, limits: ChunkLimits) {
        self.lock().limits = limits;
    }

    /// From now on chunks are in this log.
    pub fn keep_in(&self, log: InLog) {
        self.lock().log = Some(log);
    }

    /// The log, where chunks are in one.
    pub fn log(&self) -> Option<InLog> {
        self.lock().log.clone()
    }

    /// Leaves the log, with the chunks that are in it; gives how many events those have. What comes now is in memory.
    pub fn leave_log(&self) -> Option<(InLog, u64)> {
        let mut inside = self.lock();
        let log = inside.log.take()?;
        let logged: Vec<Arc<ChunkKeys>> =
            inside.open.iter().filter(|(_, open)| open.logged.is_some()).map(|(keys, _)| Arc::clone(keys)).collect();
        let mut records = 0;
        for open in logged.iter().filter_map(|keys| inside.remove(keys)).collect::<Vec<_>>() {
            records += open.chunk.records as u64;
            self.bytes.fetch_sub(open.bytes as u64, Ordering::Relaxed);
            self.limit.give_back(open.bytes as u64 + CHUNK_COST_BYTES);
            // They are not delivered, and nobody is to believe it.
            open.receipts.iter().for_each(Receipt::refuse);
        }
        self.length.store(inside.open.len(), Ordering::Relaxed);
        Some((log, records))
    }

    /// Takes up a chunk of the log that still takes events; `false` where there is one of the same keys already.
    pub fn resume(&self, chunk: Chunk, bytes: u64, number: u64) -> bool {
        let mut inside = self.lock();
        let fill = Fill { bytes: bytes as usize, records: chunk.records };
        if inside.open.contains_key(&chunk.keys) || inside.limits.is_full(fill) {
            return false;
        }
        self.limit.take(bytes + CHUNK_COST_BYTES);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        inside.put(chunk, bytes as usize, Some(number));
        self.length.store(inside.open.len(), Ordering::Relaxed);
        true
    }

    /// Appends runs, each to the chunk of its keys; chunks that are full by that go to `closed`, in order. A receipt is held until the
    /// events are as durable as they can be here, or until they are delivered, as it says. Nothing is appended where memory is short.
    pub fn append(
        &self,
        runs: &[(ChunkKeys, Run<'_>)],
        receipt: Option<&Receipt>,
        closed: &mut dyn FnMut(Closed),
    ) -> Result<Vec<TooLarge>, TryReserveError> {
        let mut too_large = Vec::new();
        let mut inside = self.lock();
        runs.iter().try_for_each(|(keys, run)| inside.provide(keys, run.bytes.len()))?;
        for (at, (keys, run)) in runs.iter().enumerate() {
            if run.records > 0 {
                let mut filler = Filler { stage: self, inside: &mut inside, keys, run, receipt, closed };
                filler.append(|nth, bytes| too_large.push(TooLarge { run: at, nth, bytes }));
            }
        }
        self.length.store(inside.open.len(), Ordering::Relaxed);
        Ok(too_large)
    }

    /// Closes the chunks that are old enough, oldest first, and those of time slices that are over, as long as `closed` says so.
    /// `slice_over` is asked with the start of a slice and the time, in seconds since 1970.
    pub fn close(
        &self,
        old_enough: impl Fn(Instant) -> bool,
        slice_over: impl Fn(i64, i64) -> bool,
        mut closed: impl FnMut(Closed) -> bool,
    ) {
        if self.is_empty() {
            return;
        }
        let mut inside = self.lock();
        while let Some(open) = inside.first_due(&old_enough, &slice_over).and_then(|keys| inside.remove(&keys)) {
            self.bytes.fetch_sub(open.bytes as u64, Ordering::Relaxed);
            if !closed(inside.close(open)) {
                break;
            }
        }
        self.length.store(inside.open.len(), Ordering::Relaxed);
    }

    /// When the first event of the oldest chunk came.
    pub fn oldest(&self) -> Option<Instant> {
        if self.is_empty() {
            return None;
        }
        let inside = self.lock();
        inside.by_age.values().next().and_then(|keys| inside.open.get(keys)).map(|open| open.since)
    }

    /// The time slices of the staged chunks, and how many events all of them have.
    pub fn contents(&self) -> (BTreeSet<i64>, u64) {
        let inside = self.lock();
        let records = inside.open.values().map(|open| open.chunk.records as u64).sum();
        (inside.by_slice.iter().map(|(slice, _)| *slice).collect(), records)
    }

    /// Memory for a chunk of so many bytes, or for a part of it, that is to be read.
    pub fn block(&self, bytes: u64) -> Vec<u8> {
        self.lock().pool.block(bytes.min(PART_BLOCK_BYTES as u64) as usize)
    }

    /// Takes back the memory of a chunk that is delivered.
    pub fn recycle(&self, bytes: Vec<u8>) {
        self.lock().pool.give(bytes);
    }

    /// Frees a little of the kept memory, if it was of no use lately.
    pub fn trim(&self) {
        self.lock().pool.trim();
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
