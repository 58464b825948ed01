//! Chunks that wait for delivery, as all threads see them: what comes in, who delivers it, what came of that, and who is told.

use super::order::Order;
use super::outage::Failure;
use super::retry::Retry;
use super::seats::{Crew, Seat, Seats};
use super::waiting::Waiting;
use crate::buffer::{Closed, RetrySettings};
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

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

/// What came of a failure.
#[derive(Debug)]
pub struct Failed {
    /// Retries of this chunk that have failed.
    pub steps: u64,
    /// When it is tried again; `None` where the end is near and it is not.
    pub due: Option<Instant>,
    /// Chunks that have failed too often by now: this one, and in an outage perhaps others.
    pub enough: Vec<Waiting>,
}

/// Chunks between the stage and the output.
#[derive(Default)]
pub struct Queue {
    inside: Mutex<Order>,
    /// Where writers wait; told whenever there may be something new for them.
    pub seats: Seats,
}

impl Queue {
    /// How many chunks wait.
    pub fn len(&self) -> usize {
        let inside = self.lock();
        inside.ready.len() + inside.later.len()
    }

    /// How many of them do not wait for a time of their own.
    pub fn ready(&self) -> usize {
        self.lock().ready.len()
    }

    /// Bytes of the chunks that wait or are being delivered.
    pub fn bytes(&self) -> u64 {
        self.lock().bytes
    }

    /// Bytes of the chunks that wait or are being delivered, as long as the output works; none in an outage.
    pub fn flowing_bytes(&self) -> u64 {
        let inside = self.lock();
        if inside.outage.is_none() { inside.bytes } else { 0 }
    }

    /// The time slices of the chunks that wait; how many events those have, and how many those in somebody's hands.
    pub fn contents(&self) -> (BTreeSet<i64>, u64, u64) {
        let inside = self.lock();
        let waiting = || inside.ready.values().chain(inside.later.values()).chain(&inside.left);
        let records = waiting().map(|waiting| waiting.records() as u64).sum();
        (waiting().filter_map(|waiting| waiting.chunk.keys.timekey).collect(), records, inside.records.saturating_sub(records))
    }

    /// What is tried again: the output, where it does not work at all, or the chunk that is due first.
    pub fn next_retry(&self) -> Option<Retry> {
        let inside = self.lock();
        let outage = inside.outage.as_ref().map(|outage| outage.retry().clone());
        outage.or_else(|| inside.later.values().filter_map(|waiting| waiting.retry.clone()).min_by_key(|retry| retry.due))
    }

    /// Adds a chunk at the end.
    pub fn push(&self, closed: Closed) {
        let mut inside = self.lock();
        let waiting = Waiting::new(closed, inside.next_number);
        inside.next_number += 1;
        inside.bytes += waiting.counted;
        inside.records += waiting.records() as u64;
        inside.ready.insert(waiting.number, waiting);
        self.seats.wake_for_new();
    }

    /// The next chunk to deliver, if there is one whose time has come and not all of the crew that may write do so; [`Queue::rest`] says when it
    /// is delivered. `has_others` is whether there are writers on other threads: what was filled on this one is left to them for a while.
    pub fn next(&self, now: Instant, crew: &Crew, has_others: bool, seat: &Seat<'_>) -> Next {
        let mut inside = self.lock();
        if inside.is_left {
            return Next::End;
        }
        inside.release_due(now);
        if !crew.has_turn() && !inside.ready.is_empty() {
            return Next::Wait(None);
        }
        if let Some(until) = inside.left_to_others(now).filter(|_| has_others) {
            self.seats.wake_other();
            return Next::Wait(Some(until));
        }
        let found = inside.pick(now);
        match found.and_then(|number| inside.ready.remove(&number)) {
            Some(waiting) => {
                // Before others are woken, and before anybody can add a chunk: this one takes no more.
                seat.leave();
                inside.in_hand += 1;
                crew.writing.fetch_add(1, Ordering::Relaxed);
                if !inside.ready.is_empty() && crew.has_turn() {
                    self.seats.wake_one();
                }
                Next::Write(Box::new(waiting))
            }
            None if inside.is_ending && inside.ready.is_empty() => Next::End,
            None => Next::Wait(inside.next_time()),
        }
    }

    /// A writer that had got a chunk is ready for the next one, and so is another one in its place.
    pub fn rest(&self, crew: &Crew) {
        let inside = self.lock();
        crew.writing.fetch_sub(1, Ordering::Relaxed);
        if inside.is_ending {
            self.seats.wake_all();
        } else if !inside.ready.is_empty() {
            self.seats.wake_one();
        }
    }

    /// The chunk has been delivered, or needs no more delivery. `got_through` is whether that shows that the output works.
    pub fn done(&self, waiting: &Waiting, got_through: bool) {
        let mut inside = self.lock();
        inside.in_hand -= 1;
        inside.bytes = inside.bytes.saturating_sub(waiting.counted);
        inside.records = inside.records.saturating_sub(waiting.records() as u64);
        inside.end_probe(waiting.is_probe);
        if got_through {
            inside.end_outage();
        }
        self.wake_all();
    }

    /// The rest of a chunk in hand takes `now` bytes and no longer `before`, and has `settled` events less. `got_through` is whether some
    /// of it was delivered.
    pub fn progressed(&self, before: u64, now: u64, settled: usize, got_through: bool) {
        let mut inside = self.lock();
        inside.records = inside.records.saturating_sub(settled as u64);
        inside.bytes = inside.bytes.saturating_sub(before) + now;
        if got_through {
            inside.end_outage();
        }
    }

    /// Delivery failed: the chunk waits again, unless it has failed too often. `began` is when the delivery was begun.
    pub fn failed(&self, mut waiting: Box<Waiting>, failure: Failure, began: Instant, how: &RetrySettings, has_secondary: bool) -> Failed {
        let now = Instant::now();
        let mut inside = self.lock();
        inside.in_hand -= 1;
        inside.end_probe(std::mem::take(&mut waiting.is_probe));
        waiting.faults += u32::from(failure != Failure::Server);
        waiting.fail(how, has_secondary, now);
        let mut failed = Failed { steps: 0, due: None, enough: Vec::new() };
        let is_for_all = inside.count(&waiting, failure, began, how, now);
        if is_for_all {
            failed.enough = inside.fail_ready(how, has_secondary, now);
        }
        let own = waiting.retry.as_ref().map_or((0, now), |retry| (retry.steps, retry.due));
        failed.steps = own.0;
        let outage = inside.outage.as_ref().filter(|_| failure != Failure::Secondary).map(|outage| outage.due(false));
        if inside.is_ending {
            inside.leave(*waiting, failure);
        } else if waiting.is_at_limit(how) {
            failed.enough.push(*waiting);
        } else if outage.is_some() {
            failed.due = outage;
            inside.ready.insert(waiting.number, *waiting);
        } else {
            failed.due = Some(own.1);
            inside.later.insert((own.1, waiting.number), *waiting);
        }
        inside.in_hand += failed.enough.len();
        self.wake_all();
        failed
    }

    /// Puts a chunk back for a later time whatever its failures: when it cannot even be kept in the backup folder.
    pub fn postpone(&self, mut waiting: Waiting, pause: Duration) {
        let mut inside = self.lock();
        inside.in_hand -= 1;
        inside.end_probe(std::mem::take(&mut waiting.is_probe));
        inside.later.insert((Instant::now() + pause, waiting.number), waiting);
        self.wake_all();
    }

    /// A chunk that somebody had in hand is gone.
    pub fn forget(&self, counted: u64, records: u64) {
        let mut inside = self.lock();
        inside.records = inside.records.saturating_sub(records);
        inside.in_hand -= 1;
        inside.bytes = inside.bytes.saturating_sub(counted);
    }

    /// Takes the oldest chunk that waits, to be dropped.
    pub fn take_oldest(&self) -> Option<Waiting> {
        let mut inside = self.lock();
        let first = inside.ready.keys().next().copied();
        let later = inside.later.keys().map(|(at, number)| (*number, *at)).min();
        let taken = match (first, later) {
            (Some(first), Some((number, at))) if number < first => inside.later.remove(&(at, number)),
            (Some(first), _) => inside.ready.remove(&first),
            (None, Some((number, at))) => inside.later.remove(&(at, number)),
            (None, None) => None,
        }?;
        inside.bytes = inside.bytes.saturating_sub(taken.counted);
        inside.records = inside.records.saturating_sub(taken.records() as u64);
        Some(taken)
    }

    /// Takes a chunk that found no writer yet and is not packed, so that it can be; [`Queue::give_back`] returns it.
    pub fn take_packable(&self, up_to: u64) -> Option<Waiting> {
        let mut inside = self.lock();
        let number = inside.ready.values().find(|waiting| waiting.is_packable(up_to))?.number;
        inside.in_hand += 1;
        inside.ready.remove(&number)
    }

    /// Returns a chunk that was not tried; its bytes may have become fewer.
    pub fn give_back(&self, mut waiting: Waiting) {
        let mut inside = self.lock();
        inside.in_hand -= 1;
        inside.end_probe(std::mem::take(&mut waiting.is_probe));
        let kept = waiting.kept_bytes();
        inside.bytes = inside.bytes.saturating_sub(waiting.counted) + kept;
        waiting.counted = kept;
        inside.ready.insert(waiting.number, waiting);
        self.wake_all();
    }

    /// The end is near: every chunk that waits gets one more try, unless it can wait for the next start, and no failed one comes back.
    pub fn end(&self, can_wait: bool) {
        let mut inside = self.lock();
        inside.is_ending = true;
        inside.is_left = can_wait;
        let later = std::mem::take(&mut inside.later);
        inside.ready.extend(later.into_values().map(|waiting| (waiting.number, waiting)));
        inside.outage = None;
        self.wake_all();
    }

    /// Whether [`Queue::end`] was called.
    pub fn is_ending(&self) -> bool {
        self.lock().is_ending
    }

    /// Takes everything that waits, and what is left of failures at the end.
    pub fn take_all(&self) -> Vec<Waiting> {
        let mut inside = self.lock();
        let mut all = std::mem::take(&mut inside.left);
        all.extend(std::mem::take(&mut inside.ready).into_values());
        all.extend(std::mem::take(&mut inside.later).into_values());
        all.sort_by_key(|waiting| waiting.number);
        inside.in_hand += all.len();
        all
    }

    /// How many chunks are being delivered or otherwise in somebody's hands.
    pub fn in_hand(&self) -> usize {
        self.lock().in_hand
    }

    /// Lets all writers look again.
    pub fn wake_all(&self) {
        self.seats.wake_all();
    }

    fn lock(&self) -> MutexGuard<'_, Order> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
