//! Chunks that wait for delivery, oldest first, and what keeps them waiting: their own failures, or an output that cannot be reached.
//!
//! A chunk whose delivery failed waits for its own time; the others go on. While the server cannot be reached at all (an outage) one
//! chunk at a time is tried, at growing distances, and each such failure counts for all chunks that wait with it.

use super::retry::Retry;
use crate::buffer::{Chunk, Closed, Compress, RetrySettings};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// A chunk that broke so many connections lets others try before it: perhaps it is the chunk and not the server.
const BREAKS_A_TURN: u32 = 3;
/// When others get through, such a chunk waits no longer than this: it may have been the server after all.
const SUSPECT_WAIT: Duration = Duration::from_secs(30);

/// A chunk on its way.
#[derive(Debug)]
pub struct Waiting {
    /// The chunk; without bytes while it is packed.
    pub chunk: Chunk,
    /// Its bytes, compressed.
    pub packed: Option<Packed>,
    /// Its failures so far.
    pub retry: Option<Retry>,
    /// Place in the order of filling.
    number: u64,
    is_probe: bool,
    /// Failures that may have been its own fault.
    faults: u32,
    /// Whether it was tried to compress it, in vain.
    pub is_incompressible: bool,
    /// Bytes that it counts for in the limit.
    pub counted: u64,
}

/// The bytes of a chunk, compressed.
#[derive(Debug)]
pub struct Packed {
    /// How.
    pub how: Compress,
    /// The compressed bytes.
    pub bytes: Vec<u8>,
    /// How many they were.
    pub length: usize,
}

/// The pauses between tries while the server cannot be reached.
#[derive(Debug)]
struct Outage {
    /// Without a limit: chunks have one, the server has not.
    how: RetrySettings,
    retry: Retry,
    stepped_at: Instant,
    is_probing: bool,
}

#[derive(Default)]
struct Inside {
    ready: BTreeMap<u64, Waiting>,
    later: BTreeMap<(Instant, u64), Waiting>,
    outage: Option<Outage>,
    /// What failed after the end had begun.
    left: Vec<Waiting>,
    next_number: u64,
    bytes: u64,
    in_hand: usize,
    is_ending: bool,
}

/// What a writer does next.
#[derive(Debug)]
pub enum Next {
    /// Deliver this chunk.
    Write(Box<Waiting>),
    /// Wait for a chunk, or until this time.
    Wait(Option<Instant>),
    /// Nothing will come any more.
    End,
}

/// What a failed delivery means for the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The server answered, or something about this chunk is wrong: the others go on.
    Chunk,
    /// A connection broke or gave no answer: the server, or the chunk that it could not bear.
    Connection,
    /// There was no connection at all.
    Server,
    /// It was the secondary that failed.
    Secondary,
}

impl Failure {
    fn is_outage(self) -> bool {
        matches!(self, Failure::Connection | Failure::Server)
    }
}

/// What came of a failure.
#[derive(Debug)]
pub struct Failed {
    /// Retries of this chunk that have failed.
    pub steps: u64,
    /// When it is tried again, if it is.
    pub due: Instant,
    /// Chunks that have failed too often by now: this one, and in an outage perhaps others.
    pub enough: Vec<Waiting>,
}

/// Chunks between the stage and the output.
#[derive(Default)]
pub struct Queue {
    inside: Mutex<Inside>,
    /// Told once for each chunk that becomes ready.
    pub wake: Notify,
}

impl Queue {
    /// How many chunks wait.
    pub fn len(&self) -> usize {
        let inside = self.lock();
        inside.ready.len() + inside.later.len()
    }

    /// Bytes of the chunks that wait or are being delivered.
    pub fn bytes(&self) -> u64 {
        self.lock().bytes
    }

    /// The oldest and the newest time slice among the chunks that wait.
    pub fn timekeys(&self) -> Option<(i64, i64)> {
        let inside = self.lock();
        let keys = inside.ready.values().chain(inside.later.values()).filter_map(|waiting| waiting.chunk.keys.timekey);
        keys.fold(None, |range, key| Some(range.map_or((key, key), |(low, high): (i64, i64)| (low.min(key), high.max(key)))))
    }

    /// Adds a chunk at the end.
    pub fn push(&self, closed: Closed) {
        let mut inside = self.lock();
        let number = inside.next_number;
        inside.next_number += 1;
        let counted = closed.chunk.bytes.len() as u64;
        inside.bytes += counted;
        let waiting = Waiting {
            chunk: closed.chunk,
            packed: None,
            retry: None,
            number,
            is_probe: false,
            faults: 0,
            is_incompressible: false,
            counted,
        };
        inside.ready.insert(number, waiting);
        self.wake.notify_one();
    }

    /// The next chunk to deliver, if there is one whose time has come.
    pub fn next(&self, now: Instant) -> Next {
        let mut inside = self.lock();
        inside.release_due(now);
        let found = match &inside.outage {
            Some(outage) if !inside.is_ending && (outage.is_probing || now < outage.retry.due) => inside.first_for_secondary(now),
            Some(_) if !inside.is_ending => inside.first_for_secondary(now).or_else(|| inside.start_probe()),
            _ => inside.ready.keys().next().copied(),
        };
        match found.and_then(|number| inside.ready.remove(&number)) {
            Some(waiting) => {
                inside.in_hand += 1;
                if !inside.ready.is_empty() {
                    self.wake.notify_one();
                }
                Next::Write(Box::new(waiting))
            }
            None if inside.is_ending && inside.ready.is_empty() => Next::End,
            None => Next::Wait(inside.next_time()),
        }
    }

    /// The chunk has been delivered, or needs no more delivery.
    pub fn done(&self, waiting: &Waiting, reached_server: bool) {
        let mut inside = self.lock();
        inside.in_hand -= 1;
        inside.bytes = inside.bytes.saturating_sub(waiting.counted);
        inside.end_probe(waiting.is_probe);
        if reached_server {
            inside.end_outage();
        }
        self.wake.notify_waiters();
        self.wake.notify_one();
    }

    /// Delivery failed: the chunk waits again, unless it has failed too often. `began` is when the delivery was begun.
    pub fn failed(&self, mut waiting: Box<Waiting>, failure: Failure, began: Instant, how: &RetrySettings, has_secondary: bool) -> Failed {
        let now = Instant::now();
        let mut inside = self.lock();
        inside.in_hand -= 1;
        inside.end_probe(std::mem::take(&mut waiting.is_probe));
        waiting.faults += u32::from(failure != Failure::Server);
        waiting.fail(how, has_secondary, now);
        let mut failed = Failed { steps: 0, due: now, enough: Vec::new() };
        match failure {
            Failure::Chunk => inside.end_outage(),
            Failure::Secondary => {}
            Failure::Connection | Failure::Server => {
                if inside.count_outage(began, how, now) {
                    failed.enough = inside.fail_ready(how, has_secondary, now);
                }
            }
        }
        if let Some(retry) = &waiting.retry {
            (failed.steps, failed.due) = (retry.steps, retry.due);
        }
        if let (true, Some(outage)) = (failure.is_outage(), &inside.outage) {
            failed.due = outage.retry.due;
        }
        if inside.is_ending {
            inside.leave(*waiting, failure);
        } else if waiting.is_at_limit(how) {
            failed.enough.push(*waiting);
        } else {
            inside.put_back(*waiting, failure);
        }
        inside.in_hand += failed.enough.len();
        self.wake.notify_waiters();
        self.wake.notify_one();
        failed
    }

    /// Puts a chunk back for a later time whatever its failures: when it cannot even be kept in the backup folder.
    pub fn postpone(&self, waiting: Waiting, pause: Duration) {
        let mut inside = self.lock();
        inside.in_hand -= 1;
        inside.later.insert((Instant::now() + pause, waiting.number), waiting);
        self.wake.notify_one();
    }

    /// Takes the oldest chunk that waits, to be dropped.
    pub fn take_oldest(&self) -> Option<Waiting> {
        let mut inside = self.lock();
        let first = inside.ready.keys().next().copied();
        let later = inside.later.iter().map(|(at, waiting)| (waiting.number, *at)).min();
        let taken = match (first, later) {
            (Some(first), Some((number, at))) if number < first => inside.later.remove(&at),
            (Some(first), _) => inside.ready.remove(&first),
            (None, Some((_, at))) => inside.later.remove(&at),
            (None, None) => None,
        }?;
        inside.bytes = inside.bytes.saturating_sub(taken.counted);
        Some(taken)
    }

    /// Takes a chunk that waits longer and is not packed yet, so that it can be; [`Queue::give_back`] returns it.
    pub fn take_unpacked(&self, up_to: u64) -> Option<Waiting> {
        let mut inside = self.lock();
        let fits = |waiting: &Waiting| waiting.packed.is_none() && !waiting.is_incompressible && waiting.chunk.bytes.len() as u64 <= up_to;
        if let Some(number) = inside.ready.iter().find(|(_, waiting)| fits(waiting)).map(|(number, _)| *number) {
            inside.in_hand += 1;
            return inside.ready.remove(&number);
        }
        None
    }

    /// Returns a chunk that was not tried; `counted` is what it counts for now.
    pub fn give_back(&self, mut waiting: Waiting, counted: u64) {
        let mut inside = self.lock();
        inside.in_hand -= 1;
        inside.bytes = inside.bytes.saturating_sub(waiting.counted) + counted;
        waiting.counted = counted;
        inside.ready.insert(waiting.number, waiting);
        self.wake.notify_one();
    }

    /// A chunk in somebody's hands counts for `now` bytes, no longer for `before`.
    pub fn recount(&self, before: u64, now: u64) {
        let mut inside = self.lock();
        inside.bytes = inside.bytes.saturating_sub(before) + now;
    }

    /// The end is near: every chunk that waits gets one more try, and no failed one comes back.
    pub fn end(&self) {
        let mut inside = self.lock();
        inside.is_ending = true;
        let later = std::mem::take(&mut inside.later);
        inside.ready.extend(later.into_values().map(|waiting| (waiting.number, waiting)));
        inside.outage = None;
        self.wake.notify_waiters();
        self.wake.notify_one();
    }

    /// Whether [`Queue::end`] was called.
    pub fn is_ending(&self) -> bool {
        self.lock().is_ending
    }

    /// Takes everything that waits.
    pub fn take_all(&self) -> Vec<Waiting> {
        let mut inside = self.lock();
        let ready = std::mem::take(&mut inside.ready);
        let later = std::mem::take(&mut inside.later);
        let left = std::mem::take(&mut inside.left);
        let mut all: Vec<Waiting> = ready.into_values().chain(later.into_values()).chain(left).collect();
        all.sort_by_key(|waiting| waiting.number);
        inside.in_hand += all.len();
        all
    }

    /// How many chunks are being delivered or otherwise in somebody's hands.
    pub fn in_hand(&self) -> usize {
        self.lock().in_hand
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inside {
    fn release_due(&mut self, now: Instant) {
        while let Some(entry) = self.later.first_entry()
            && entry.key().0 <= now
        {
            let waiting = entry.remove();
            self.ready.insert(waiting.number, waiting);
        }
    }

    fn first_for_secondary(&self, now: Instant) -> Option<u64> {
        let due = |waiting: &Waiting| waiting.retry.as_ref().is_some_and(|retry| retry.uses_secondary(now));
        self.ready.iter().find(|(_, waiting)| due(waiting)).map(|(number, _)| *number)
    }

    fn start_probe(&mut self) -> Option<u64> {
        let probe = self.ready.values_mut().min_by_key(|waiting| (waiting.faults / BREAKS_A_TURN, waiting.number))?;
        probe.is_probe = true;
        if let Some(outage) = &mut self.outage {
            outage.is_probing = true;
        }
        Some(probe.number)
    }

    fn next_time(&self) -> Option<Instant> {
        let later = self.later.keys().next().map(|(at, _)| *at);
        let Some(outage) = &self.outage else { return later };
        let probe = (!outage.is_probing && !self.ready.is_empty()).then_some(outage.retry.due);
        let secondary = self.ready.values().filter_map(|waiting| waiting.retry.as_ref()?.secondary_at()).min();
        [later, probe, secondary].into_iter().flatten().min()
    }

    /// Whether the failure says something new: one of a delivery that was already under way at the last failure does not.
    fn count_outage(&mut self, began: Instant, how: &RetrySettings, now: Instant) -> bool {
        match &mut self.outage {
            None => {
                let how = RetrySettings { forever: true, ..how.clone() };
                let retry = Retry::new(&how, false, now);
                self.outage = Some(Outage { how, retry, stepped_at: now, is_probing: false });
                true
            }
            Some(outage) if began >= outage.stepped_at => {
                outage.retry.fail(&outage.how, now);
                outage.stepped_at = now;
                true
            }
            Some(_) => false,
        }
    }

    /// A failure to reach the server is one for every chunk that waits; gives back those for which it is enough.
    fn fail_ready(&mut self, how: &RetrySettings, has_secondary: bool, now: Instant) -> Vec<Waiting> {
        let mut over = Vec::new();
        for (number, waiting) in &mut self.ready {
            waiting.fail(how, has_secondary, now);
            if waiting.is_at_limit(how) && !self.is_ending {
                over.push(*number);
            }
        }
        over.into_iter().filter_map(|number| self.ready.remove(&number)).collect()
    }

    fn end_probe(&mut self, was_probe: bool) {
        if let (true, Some(outage)) = (was_probe, &mut self.outage) {
            outage.is_probing = false;
        }
    }

    /// The server answers: chunks that only waited for it are as new, those that broke connections wait for their own time.
    fn end_outage(&mut self) {
        let Some(outage) = self.outage.take() else { return };
        if self.is_ending {
            return;
        }
        let now = Instant::now();
        for (number, mut waiting) in std::mem::take(&mut self.ready) {
            match &waiting.retry {
                Some(retry) if waiting.faults > 0 => {
                    let due = retry.next_due(&outage.how, now).min(now + SUSPECT_WAIT);
                    self.later.insert((due, number), waiting);
                }
                _ => {
                    waiting.retry = None;
                    self.ready.insert(number, waiting);
                }
            }
        }
    }

    /// After the end has begun nothing comes back; if the server cannot be reached, none of the others is tried either.
    fn leave(&mut self, waiting: Waiting, failure: Failure) {
        self.left.push(waiting);
        if failure.is_outage() {
            self.left.extend(std::mem::take(&mut self.ready).into_values());
        }
    }

    fn put_back(&mut self, waiting: Waiting, failure: Failure) {
        match &waiting.retry {
            Some(retry) if !failure.is_outage() => {
                self.later.insert((retry.due, waiting.number), waiting);
            }
            _ => {
                self.ready.insert(waiting.number, waiting);
            }
        }
    }
}

impl Waiting {
    fn fail(&mut self, how: &RetrySettings, has_secondary: bool, now: Instant) {
        match &mut self.retry {
            Some(retry) => retry.fail(how, now),
            None => self.retry = Some(Retry::new(how, has_secondary, now)),
        }
    }

    fn is_at_limit(&self, how: &RetrySettings) -> bool {
        self.retry.as_ref().is_some_and(|retry| retry.is_at_limit(how))
    }
}
