//! Staged chunks: those that still take events, one a set of chunk keys, in memory or in a log on disk.
//!
//! What a batch costs here is one lock and one copy of its bytes. When a chunk is done it is handed out under the same lock, so that
//! chunks of one key leave in the order in which they were filled. The limit on bytes is told of each byte that comes in; whoever
//! gets the chunk gives them back.

use super::entries;
use super::log::frame::Origin;
use super::log::{Head, Log, LogChunk};
use super::names::{self, Source};
use super::split::{ChunkLimits, Fill, Step, steps};
use super::{Chunk, ChunkKeys, Pool, Stored};
use crate::event::{EventTime, Receipt};
use crate::plugin::Limit;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;

/// Blocks that are kept for chunks to come: what one flush thread turns over.
const POOLED_BLOCKS: usize = 4;
/// Memory to read a part of a long chunk into: parts of 8 MB, and the frame that goes past that.
const PART_BLOCK_BYTES: usize = 10 << 20;
/// A chunk larger than this gives its memory back to the system at once.
const POOLED_BLOCK_BYTES: usize = 16 << 20;

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
        if let Some(slice) = keys.timekey {
            self.by_slice.insert((slice, number));
        }
        self.by_age.insert(number, Arc::clone(&keys));
        let open = Open { chunk, since: Instant::now(), number, bytes, logged, receipts: Vec::new() };
        self.open.insert(keys, open);
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
    fn first_due(&self, old_enough: &impl Fn(Instant) -> bool, slice_over: &impl Fn(i64) -> bool) -> Option<Arc<ChunkKeys>> {
        let oldest = self.by_age.values().next().filter(|keys| self.open.get(*keys).is_some_and(|open| old_enough(open.since)));
        let number = || self.by_slice.first().filter(|(slice, _)| slice_over(*slice)).map(|(_, number)| number);
        oldest.or_else(|| self.by_age.get(number()?)).cloned()
    }
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
    /// events are as durable as they can be here, or until they are delivered, as it says.
    pub fn append(&self, runs: &[(ChunkKeys, Run<'_>)], receipt: Option<&Receipt>, closed: &mut dyn FnMut(Closed)) -> Vec<TooLarge> {
        let mut too_large = Vec::new();
        let mut inside = self.lock();
        for (at, (keys, run)) in runs.iter().enumerate() {
            if run.records > 0 {
                let mut filler = Filler { stage: self, inside: &mut inside, keys, run, receipt, closed };
                filler.append(|nth, bytes| too_large.push(TooLarge { run: at, nth, bytes }));
            }
        }
        self.length.store(inside.open.len(), Ordering::Relaxed);
        too_large
    }

    /// Closes the chunks that are old enough, oldest first, and those of time slices that are over, as long as `closed` says so.
    pub fn close(&self, old_enough: impl Fn(Instant) -> bool, slice_over: impl Fn(i64) -> bool, mut closed: impl FnMut(Closed) -> bool) {
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

/// One run on its way into chunks.
struct Filler<'f, 'r> {
    stage: &'f Stage,
    inside: &'f mut Inside,
    keys: &'f ChunkKeys,
    run: &'f Run<'r>,
    receipt: Option<&'f Receipt>,
    closed: &'f mut dyn FnMut(Closed),
}

impl Filler<'_, '_> {
    fn append(&mut self, too_large: impl FnMut(usize, usize)) {
        let fill = self.fill();
        let limits = self.inside.limits;
        let whole = |fill: Fill| !limits.is_over(fill.plus(self.run.bytes.len(), self.run.records));
        if whole(fill) {
            return self.take_all();
        }
        // Batches in msgpack are divided only when they do not even fit in a chunk of their own.
        if !self.run.formatted && fill.records > 0 {
            self.cut();
            if whole(Fill::default()) {
                return self.take_all();
            }
        }
        self.divide(too_large);
    }

    fn divide(&mut self, mut too_large: impl FnMut(usize, usize)) {
        let walked: Vec<usize>;
        let ends = match self.run.ends {
            Some(ends) => ends,
            None => {
                walked = entries::ends(self.run.bytes, self.run.records);
                &walked
            }
        };
        let start = |nth: usize| if nth == 0 { 0 } else { ends[nth - 1] };
        for step in steps(ends, self.fill(), &self.inside.limits) {
            match step {
                Step::Take(records) => self.take(&self.run.bytes[start(records.start)..ends[records.end - 1]], records),
                Step::Cut => self.cut(),
                Step::TooLarge(nth) => too_large(nth, ends[nth] - start(nth)),
            }
        }
    }

    fn take_all(&mut self) {
        self.take(self.run.bytes, 0..self.run.records);
        if self.inside.limits.is_full(self.fill()) {
            self.cut();
        }
    }

    /// Takes these records of the run, whose bytes these are.
    fn take(&mut self, bytes: &[u8], records: Range<usize>) {
        let origin = self.run.origin.map(|origin| Origin { first: origin.first.wrapping_add(records.start as u32), ..origin });
        let records = records.len();
        if !self.inside.open.contains_key(self.keys) {
            self.inside.insert(self.keys);
            self.stage.limit.take(CHUNK_COST_BYTES);
        }
        let Inside { open, pool, limits, log, .. } = &mut *self.inside;
        let Some(entry) = open.get_mut(self.keys) else { return };
        match (entry.logged, log) {
            (Some(number), Some(log)) => log.log.append(number, bytes, records, origin, self.receipt),
            _ => {
                if origin.is_some() || !entry.chunk.sources.is_empty() {
                    let at = entry.chunk.bytes.len();
                    names::push(&mut entry.chunk.sources, at, origin.map_or(Source::Place(at as u64), Source::Message));
                }
                pool.grow(&mut entry.chunk.bytes, bytes.len(), limits.bytes);
                entry.chunk.bytes.extend_from_slice(bytes);
            }
        }
        if let Some(receipt) = self.receipt.filter(|receipt| receipt.until_delivered())
            && !entry.receipts.last().is_some_and(|last| last.is_of_same(receipt))
        {
            entry.receipts.push(receipt.clone());
        }
        entry.bytes += bytes.len();
        entry.chunk.records += records;
        self.stage.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.stage.limit.take(bytes.len() as u64);
    }

    fn cut(&mut self) {
        if let Some(open) = self.inside.remove(self.keys) {
            self.stage.bytes.fetch_sub(open.bytes as u64, Ordering::Relaxed);
            (self.closed)(self.inside.close(open));
        }
    }

    fn fill(&self) -> Fill {
        self.inside.open.get(self.keys).map_or(Fill::default(), |open| Fill { bytes: open.bytes, records: open.chunk.records })
    }
}
