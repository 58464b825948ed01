//! The log of a file buffer: all chunks of one output in one sequence of segments that are only appended to.
//!
//! A segment is a run of [frames](frame). Frames of all chunks interleave; a chunk is the list of the places of its frames. What is done
//! is said by further frames, and segments are removed from the oldest on, once nothing in them is alive: a frame that says "done"
//! never goes before the events that it speaks of; their files are [written over](spares) where more is to come. Appending is a copy into
//! memory; a [thread](writer) of the log's own writes and syncs.

mod copy;
pub mod disk;
pub mod frame;
mod head;
mod open;
mod read;
mod spares;
mod state;
mod survey;
mod tail;
mod writer;

pub use head::{Head, MAX_RANGES, Remaining};
pub use open::{Recovered, open};
pub use read::LogChunk;
pub use state::LogLimits;
pub use survey::{Damage, FoundChunk, FoundSegment, Place, Survey, content, read_segment, segments, survey};

use super::compress::pack;
use super::{Compress, Location};
use crate::event::Receipt;
use disk::{Disk, Lock};
use frame::{Origin, Packing};
use state::State;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

/// No event waits for a compressor that gains nothing.
const PACKED_FROM_BYTES: usize = 512;

/// When what is appended is synced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fsync {
    /// Everything, at once.
    Always,
    /// At once where the sender asks for an ack, else once a second.
    #[default]
    Acked,
    /// Once a second; an ack says that the system has the events.
    Interval,
    /// When the system sees fit.
    Never,
}

/// How a log works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// When it syncs.
    pub fsync: Fsync,
    /// How it compresses.
    pub compress: Compress,
    /// Bytes of a segment.
    pub segment_bytes: usize,
    /// A chunk of msgpack entries that is longer than this is delivered in parts: what a delivery takes of memory is bounded.
    pub part_bytes: usize,
    /// A disk that refused is tried again after this.
    pub retry_wait: Duration,
}

/// Bytes of a buffer that are no frame any more.
#[derive(Clone, Debug)]
pub struct Damaged {
    /// The segment's file.
    pub path: PathBuf,
    /// Where in it.
    pub start: u64,
    /// The bytes; none where they are gone.
    pub bytes: Vec<u8>,
    /// What is wrong.
    pub what: String,
}

/// Is told of damage, and keeps the bytes.
pub type Report = Box<dyn Fn(&Damaged) + Send + Sync>;

/// A log in use.
pub struct Log {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    disk: Arc<dyn Disk>,
    location: Location,
    options: RwLock<Options>,
    limits: LogLimits,
    report: Report,
    state: Mutex<State>,
    work: Condvar,
    lock: Box<dyn Lock>,
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("folder", &self.shared.location.folder).finish_non_exhaustive()
    }
}

impl Log {
    /// Begins a chunk; its number.
    pub fn begin(&self, head: &Head) -> u64 {
        self.shared.lock().begin(head.to_bytes().into())
    }

    /// Appends events to a chunk. A receipt is held until they are as durable as they can be here.
    pub fn append(&self, chunk: u64, bytes: &[u8], records: usize, origin: Option<Origin>, receipt: Option<&Receipt>) {
        let shared = &self.shared;
        let options = shared.options();
        let packed = pack_if_worth(options.compress, bytes);
        let (content, packing) = packed.as_ref().map_or((bytes, Packing::None), |(packed, how)| (packed.as_slice(), *how));
        let mut state = shared.lock();
        let was_empty = state.tail.waiting() == 0;
        state.append(chunk, content, bytes.len(), records as u32, origin, packing);
        if let Some(receipt) = receipt.filter(|receipt| !receipt.until_delivered()) {
            let at = state.appended;
            // One receipt for all that a batch brings here: the last bytes count.
            match state.receipts.back_mut() {
                Some((upto, last)) if last.is_of_same(receipt) => *upto = at,
                _ => state.receipts.push_back((at, receipt.clone())),
            }
            state.is_urgent = true;
        }
        state.is_urgent |= options.fsync == Fsync::Always;
        if state.writer_waits && (state.is_urgent || was_empty || state.tail.waiting() >= writer::EAGER_BYTES) {
            state.writer_waits = false;
            shared.work.notify_all();
        }
    }

    /// Says that a chunk takes no more events.
    pub fn close_chunk(&self, chunk: u64) {
        let mut state = self.shared.lock();
        state.close(chunk);
        self.shared.wake(&mut state);
    }

    /// Works in another way from now on. What is in the log stays as it is, and is synced now if the new way syncs at all.
    pub fn set_options(&self, options: Options) {
        let shared = &self.shared;
        if std::mem::replace(&mut *shared.options.write().unwrap_or_else(PoisonError::into_inner), options) == options {
            return;
        }
        let mut state = shared.lock();
        state.set_segment_bytes(options.segment_bytes);
        state.is_urgent = true;
        shared.wake(&mut state);
    }

    /// Writes and syncs everything, ends the thread and gives up the folder. Blocks.
    pub fn shut(&self) {
        {
            let mut state = self.shared.lock();
            state.stop();
            self.shared.work.notify_all();
        }
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_ok()
            && self.shared.lock().is_empty()
        {
            self.shared.lock.remove();
        }
    }
}

/// The content of a frame of compressed events: their length, and they.
fn pack_if_worth(how: Compress, bytes: &[u8]) -> Option<(Vec<u8>, Packing)> {
    let packing = match how {
        Compress::Text => return None,
        Compress::Gzip => Packing::Gzip,
        Compress::Zstd => Packing::Zstd,
    };
    if bytes.len() < PACKED_FROM_BYTES {
        return None;
    }
    let packed = pack(how, bytes).ok()??;
    let mut content = (bytes.len() as u32).to_le_bytes().to_vec();
    content.extend_from_slice(&packed);
    Some((content, packing))
}

impl Drop for Log {
    fn drop(&mut self) {
        self.shut();
    }
}

impl Shared {
    fn options(&self) -> Options {
        *self.options.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the writer for what is not urgent, where it does not know of any work.
    fn wake(&self, state: &mut State) {
        if state.writer_waits {
            state.writer_waits = false;
            self.work.notify_all();
        }
    }

    /// Waits for work, or for so long.
    fn wait_for_work<'s>(&self, state: MutexGuard<'s, State>, limit: Option<Duration>) -> MutexGuard<'s, State> {
        match limit {
            Some(limit) => self.work.wait_timeout(state, limit).unwrap_or_else(PoisonError::into_inner).0,
            None => self.work.wait(state).unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Waits so long, or until the end begins.
    fn wait_for_stop<'s>(&self, state: MutexGuard<'s, State>, limit: Duration) -> MutexGuard<'s, State> {
        let was_stopping = state.is_stopping;
        let waited = self.work.wait_timeout_while(state, limit, |state| state.is_stopping == was_stopping);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn report_damage(&self, place: &Place, bytes: &[u8], start: usize) {
        let what = "a damaged frame is left out";
        self.report(place, place.start as usize + start, bytes.to_vec(), what.to_owned());
    }

    fn report_missing(&self, place: &Place, error: &io::Error) {
        self.report(place, place.start as usize, Vec::new(), format!("{} bytes of the buffer are gone: {error}", place.length));
    }

    fn report(&self, place: &Place, start: usize, bytes: Vec<u8>, what: String) {
        let name = self.lock().segment_name(place.segment);
        let path = name.map_or_else(|| self.location.folder.clone(), |name| self.location.segment(name));
        (self.report)(&Damaged { path, start: start as u64, bytes, what });
    }
}

#[cfg(test)]
mod tests;
