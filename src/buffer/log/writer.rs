//! The thread that writes a log: it takes everything that was appended since it last looked, writes it, syncs it where somebody waits for
//! that, and tells them. There is no timer: while it syncs, the next round gathers.

use super::disk::DiskFile;
use super::frame::Header;
use super::spares::Spares;
use super::state::Removable;
use super::tail::Block;
use super::{Fsync, Shared};
use crate::buffer::SegmentName;
use crate::event::Receipt;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// What nobody waits for is written when so much has gathered,
pub(super) const EAGER_BYTES: usize = 256 << 10;
/// or after this time,
const LAZY_WAIT: Duration = Duration::from_millis(50);
/// and synced after this.
const SYNC_WAIT: Duration = Duration::from_secs(1);
/// What is written and not synced stays in memory up to this, to be written again should the sync fail.
const UNSYNCED_BYTES: usize = 4 << 20;
/// A segment that is so long is mostly filled: blocks are set aside for what comes next,
const ASIDE_FROM: u64 = 1 << 20;
/// for so many bytes at once.
const ASIDE_BYTES: u64 = 4 << 20;
/// At the end it is tried so often.
const LAST_TRIES: u32 = 3;
/// What is kept for more work is given up when there was none for so long.
const REST_WAIT: Duration = Duration::from_secs(2);
/// The log says no more often than this that a disk still refuses.
const COMPLAINT_PAUSE: Duration = Duration::from_secs(30);

/// One round.
struct Job {
    blocks: Vec<Arc<Block>>,
    /// Bytes of the log that are written after it.
    upto: u64,
    sync: bool,
}

/// The file of the segment that is written.
struct Open {
    segment: SegmentName,
    file: Box<dyn DiskFile>,
    /// How long it was when it was another segment's: what is behind the last frame is to be told from frames.
    old_length: u64,
    /// How far it has blocks on the disk, written or set aside.
    reached: u64,
}

/// The writer's own.
struct Writer {
    shared: Arc<Shared>,
    /// As it is in this round.
    fsync: Fsync,
    file: Option<Open>,
    spares: Spares,
    /// Whether a file was made since the folder was synced.
    is_folder_new: bool,
    /// Since when there is something that is written and not synced.
    unsynced_since: Option<Instant>,
    complained: Option<Instant>,
    /// Segments that nothing lives in and that could not be removed.
    unremoved: Vec<SegmentName>,
}

/// Writes until the log is closed.
pub(super) fn run(shared: Arc<Shared>) {
    let mut writer = Writer::new(shared);
    while let Some(job) = writer.next_job() {
        if !writer.carry_out(job) {
            break;
        }
        writer.remove_free();
        super::copy::copy_oldest(&writer.shared);
    }
    writer.remove_free();
    writer.spares.give_up(&writer.shared);
}

impl Writer {
    fn new(shared: Arc<Shared>) -> Writer {
        Writer {
            fsync: shared.options().fsync,
            shared,
            file: None,
            spares: Spares::default(),
            is_folder_new: false,
            unsynced_since: None,
            complained: None,
            unremoved: Vec::new(),
        }
    }

    /// Waits until there is something to do; `None` at the end.
    fn next_job(&mut self) -> Option<Job> {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.lock();
        let (mut gathering_since, mut idle_since) = (None, None);
        loop {
            let waiting = state.tail.waiting();
            let sync_due = self.unsynced_since.map(|since| since + SYNC_WAIT);
            let now = Instant::now();
            let is_due = sync_due.is_some_and(|due| due <= now) || gathering_since.is_some_and(|since: Instant| since + LAZY_WAIT <= now);
            let can_remove = state.removable.iter().any(|free| free.after <= state.written);
            if state.is_urgent || state.is_due || waiting >= EAGER_BYTES || is_due || can_remove || (state.is_stopping && waiting > 0) {
                break;
            }
            if state.is_stopping {
                // The last round syncs what is left.
                self.unsynced_since?;
                break;
            }
            if waiting > 0 && gathering_since.is_none() {
                gathering_since = Some(now);
            }
            let mut until = [gathering_since.map(|since| since + LAZY_WAIT), sync_due].into_iter().flatten().min();
            if until.is_none() && (state.tail.has_spare() || !self.spares.is_empty()) {
                let rest = *idle_since.get_or_insert(now) + REST_WAIT;
                if rest <= now {
                    state.tail.rest();
                    drop(state);
                    self.spares.give_up(&shared);
                    state = shared.lock();
                    continue;
                }
                until = Some(rest);
            }
            // While it gathers, only what is urgent wakes it.
            state.writer_waits = true;
            state = shared.wait_for_work(state, until.map(|until| until.saturating_duration_since(now)));
            state.writer_waits = false;
        }
        let is_sync_due = self.unsynced_since.is_some_and(|since| since + SYNC_WAIT <= Instant::now());
        let wants_sync = state.is_urgent || state.is_stopping || is_sync_due;
        self.fsync = shared.options().fsync;
        let sync = match self.fsync {
            Fsync::Always | Fsync::Acked => wants_sync,
            Fsync::Interval => is_sync_due || state.is_stopping || !state.removable.is_empty(),
            Fsync::Never => false,
        };
        state.is_urgent = false;
        state.is_due = false;
        Some(Job { blocks: state.tail.take(), upto: state.appended, sync })
    }

    /// Writes a round, as often as it takes; whether it did in the end.
    fn carry_out(&mut self, mut job: Job) -> bool {
        let mut last_tries = 0;
        loop {
            match self.write(&job) {
                Ok(has_written) => {
                    self.recover(has_written);
                    break;
                }
                Err((what, error)) => {
                    self.complain(what, &error);
                    // What is still to be written opens it anew: while the disk was read-only it may have been opened for reading only.
                    if what == "write" {
                        self.file = None;
                    }
                }
            }
            let shared = Arc::clone(&self.shared);
            // A full disk needs the room.
            self.spares.give_up(&shared);
            let mut state = shared.lock();
            state.is_refused = true;
            if state.is_stopping {
                last_tries += 1;
                if last_tries >= LAST_TRIES {
                    drop(state);
                    self.give_up();
                    return false;
                }
            }
            let state = shared.wait_for_stop(state, shared.options().retry_wait);
            // Where a sync failed nobody knows what of the last rounds is on the disk: all of it is written again.
            job.blocks = state.tail.writing.clone();
            drop(state);
            self.remove_free();
        }
        // Nobody else has them now: their memory can be used again.
        job.blocks.clear();
        self.finish(&job);
        true
    }

    /// Whether there was anything to write.
    fn write(&mut self, job: &Job) -> Result<bool, (&'static str, io::Error)> {
        let mut has_written = false;
        let segment_bytes = self.shared.options().segment_bytes as u64;
        for block in &job.blocks {
            // What became of a segment since may be that everything in it is delivered.
            if !self.shared.lock().has_segment(block.segment.number) {
                continue;
            }
            self.turn_to(block.segment)?;
            let Some(open) = &mut self.file else { continue };
            self.unsynced_since.get_or_insert_with(Instant::now);
            open.write(block, segment_bytes).map_err(|error| ("write", error))?;
            has_written = true;
        }
        if job.sync {
            self.sync()?;
        }
        if self.fsync == Fsync::Never {
            self.unsynced_since = None;
        }
        Ok(has_written)
    }

    fn turn_to(&mut self, segment: SegmentName) -> Result<(), (&'static str, io::Error)> {
        if self.file.as_ref().is_some_and(|open| open.segment == segment) {
            return Ok(());
        }
        if self.file.is_some() && self.unsynced_since.is_some() && self.fsync != Fsync::Never {
            self.sync()?;
        }
        self.file = None;
        let (file, old_length) = self.file_of(segment).map_err(|error| ("make a file in", error))?;
        self.file = Some(Open { segment, file, old_length, reached: old_length });
        self.is_folder_new = true;
        Ok(())
    }

    /// The file of a segment and how long it is: the one that a try before has made, one to be written over, or a new one.
    fn file_of(&mut self, segment: SegmentName) -> io::Result<(Box<dyn DiskFile>, u64)> {
        let Shared { disk, location, .. } = &*self.shared;
        let path = location.segment(segment);
        match disk.open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            opened => {
                let file = opened?;
                let length = file.length()?;
                return Ok((file, length));
            }
        }
        if let Some(found) = self.spares.take_for(&self.shared, segment) {
            return Ok(found);
        }
        let made = match disk.create(&path, location.file_mode) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                disk.make_folder(&location.folder, location.dir_mode).and_then(|()| disk.create(&path, location.file_mode))
            }
            made => made,
        };
        Ok((made?, 0))
    }

    fn sync(&mut self) -> Result<(), (&'static str, io::Error)> {
        if let Some(Open { file, .. }) = &mut self.file {
            file.sync().map_err(|error| ("sync", error))?;
        }
        if self.is_folder_new {
            self.shared.disk.sync_folder(&self.shared.location.folder).map_err(|error| ("sync the folder of", error))?;
            self.is_folder_new = false;
        }
        self.unsynced_since = None;
        Ok(())
    }

    fn finish(&mut self, job: &Job) {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.lock();
        let is_enough = job.sync || matches!(self.fsync, Fsync::Interval | Fsync::Never);
        if is_enough {
            state.written = job.upto;
        }
        let in_memory: usize = state.tail.writing.iter().map(|block| block.bytes.len()).sum();
        if job.sync || self.fsync == Fsync::Never || in_memory > UNSYNCED_BYTES {
            state.tail.written();
            shared.limits.memory.give_back(in_memory as u64);
        }
        let mut settled: Vec<Receipt> = Vec::new();
        while is_enough && state.receipts.front().is_some_and(|(at, _)| *at <= job.upto) {
            settled.extend(state.receipts.pop_front().map(|(_, receipt)| receipt));
        }
        drop(state);
    }

    /// Removes the files of segments that nothing lives in, or keeps them to be written over.
    fn remove_free(&mut self) {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.lock();
        let written = state.written;
        let (free, kept): (Vec<Removable>, Vec<Removable>) = state.removable.drain(..).partition(|free| free.after <= written);
        state.removable = kept;
        drop(state);
        for name in std::mem::take(&mut self.unremoved) {
            if self.remove(name).is_err() {
                self.unremoved.push(name);
            }
        }
        for segment in free {
            if self.file.as_ref().is_some_and(|open| open.segment == segment.name) {
                self.file = None;
            }
            if self.complained.is_none() && self.spares.keep(&shared, &segment) {
                continue;
            }
            if let Err(error) = self.remove(segment.name) {
                // Its events would come again with the next start.
                self.unremoved.push(segment.name);
                let path = shared.location.segment(segment.name);
                crate::warning!("cannot remove a delivered part of the buffer, it is tried again path={path:?} error=\"{error}\"");
            }
        }
    }

    fn remove(&self, name: SegmentName) -> io::Result<()> {
        match self.shared.disk.remove(&self.shared.location.segment(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    fn complain(&mut self, what: &str, error: &io::Error) {
        let now = Instant::now();
        if self.complained.is_some_and(|at| now.duration_since(at) < COMPLAINT_PAUSE) {
            return;
        }
        self.complained = Some(now);
        let path = &self.shared.location.folder;
        crate::error!(
            "cannot {what} the buffer: events wait in memory and are not acknowledged until it works again path={path:?} error=\"{error}\""
        );
    }

    /// The disk takes again what it refused.
    fn recover(&mut self, has_written: bool) {
        if has_written && self.complained.take().is_some() {
            self.shared.lock().is_refused = false;
            crate::warning!("the buffer can be written again path={:?}", self.shared.location.folder);
        }
    }

    /// At the end, where the disk does not take what is left.
    fn give_up(&mut self) {
        let mut state = self.shared.lock();
        let lost = state.appended - state.written;
        for (_, receipt) in state.receipts.drain(..) {
            receipt.refuse();
        }
        let path = &self.shared.location.folder;
        crate::error!("the process ends and the disk does not take the end of the buffer path={path:?} bytes={lost}");
    }
}

impl Open {
    /// Writes a block. In a file that goes on behind it the mark of the end comes first: whatever is cut off, frames of another segment are
    /// not taken for the end of this one.
    fn write(&mut self, block: &Block, segment_bytes: u64) -> io::Result<()> {
        let (start, end) = (block.start as u64, (block.start + block.bytes.len()) as u64);
        if end > self.reached && start >= ASIDE_FROM {
            // Not past the end of the segment, where it would lie idle until that is delivered.
            let (from, until) = (start.max(self.reached), (end + ASIDE_BYTES).min(segment_bytes.max(end)));
            // A disk that does not do it need not be asked again.
            self.reached = if self.file.set_aside(from, until - from) { until } else { u64::MAX };
        }
        if end < self.old_length {
            self.file.write_at(&Header::end(self.segment.salt), end)?;
        }
        self.file.write_at(&block.bytes, block.start as u64)
    }
}
