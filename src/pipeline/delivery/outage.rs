//! An output that does not work at all at the moment: one chunk at a time is tried, at growing distances, until one gets through.

use super::retry::Retry;
use super::waiting::Waiting;
use crate::buffer::RetrySettings;
use std::time::Duration;
use tokio::time::Instant;

/// A chunk that failed so often lets others try before it: perhaps it is the chunk and not the server.
const FAULTS_A_TURN: u32 = 3;
/// So many different chunks refused by the server, and none accepted meanwhile, are trouble of the server and not of the chunks.
const REFUSED_CHUNKS: usize = 3;
/// Where the server answers at all, a chunk that was never tried waits no longer than this for its turn; and a chunk that breaks
/// connections no longer than this after others got through.
pub const FRESH_WAIT: Duration = Duration::from_secs(30);

/// What a failed delivery says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The server answered, or something about this chunk is wrong.
    Chunk,
    /// A connection broke or gave no answer: the server, or the chunk that it could not bear.
    Connection,
    /// There was no connection at all.
    Server,
    /// It was the secondary that failed.
    Secondary,
}

/// Different chunks that failed since the last success.
#[derive(Debug, Default)]
pub struct Refused(Vec<u64>);

impl Refused {
    /// Counts a chunk, and says whether there are too many now.
    pub fn add(&mut self, number: u64) -> bool {
        if self.0.len() < REFUSED_CHUNKS && !self.0.contains(&number) {
            self.0.push(number);
        }
        self.0.len() >= REFUSED_CHUNKS
    }

    /// One got through.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

/// The state of an outage.
#[derive(Debug)]
pub struct Outage {
    /// As configured, without the limits: chunks have those, the server has none.
    how: RetrySettings,
    retry: Retry,
    tried_at: Instant,
    /// Whether the server answers, if only with errors.
    answers: bool,
    /// Whether a chunk is being tried.
    pub is_probing: bool,
}

impl Outage {
    /// Begins with a failure.
    pub fn new(how: &RetrySettings, failure: Failure, now: Instant) -> Outage {
        let how = RetrySettings { forever: true, ..how.clone() };
        let retry = Retry::new(&how, false, now);
        Outage { how, retry, tried_at: now, answers: failure == Failure::Chunk, is_probing: false }
    }

    /// Counts a failure of a delivery begun at `began`, and says whether it is one for all chunks that wait: it is not where the
    /// delivery was under way at the last one already, nor where a fresh chunk had its turn before the time.
    pub fn fail(&mut self, failure: Failure, began: Instant, now: Instant) -> bool {
        self.answers = failure == Failure::Chunk;
        if began < self.tried_at {
            return false;
        }
        self.tried_at = now;
        let in_time = now >= self.retry.due;
        if in_time {
            self.retry.fail(&self.how, now);
        }
        in_time
    }

    /// How often it was tried so far, and when next.
    pub fn retry(&self) -> &Retry {
        &self.retry
    }

    /// When the next one is tried; `has_fresh` is whether a chunk waits that never was.
    pub fn due(&self, has_fresh: bool) -> Instant {
        if self.answers && has_fresh { self.retry.due.min(self.tried_at + FRESH_WAIT) } else { self.retry.due }
    }

    /// In which order chunks are tried: the oldest first, unless it seems to be at fault.
    pub fn turn(waiting: &Waiting) -> (u32, u64) {
        (waiting.faults / FAULTS_A_TURN, waiting.number)
    }

    /// When a chunk that broke connections is tried again after the outage.
    pub fn suspect_due(&self, retry: &Retry, now: Instant) -> Instant {
        retry.next_due(&self.how, now).min(now + FRESH_WAIT)
    }
}
