//! What a delivery shows of itself: how much waits, what is tried again, and whether it gets on.

use super::Delivery;
use crate::event::EventTime;
use crate::metrics::{Buffered, RetryState, Usage};
use std::sync::PoisonError;
use std::time::Duration;
use tokio::time::Instant;

/// An output that has failed for so long, and has not delivered anything meanwhile, is stuck.
const STUCK_AFTER: Duration = Duration::from_secs(60);

impl Buffered for Delivery {
    fn usage(&self) -> Usage {
        let (staged, stage_records) = self.stage.contents();
        let (queued, queue_records, in_flight_records) = self.queue.contents();
        Usage {
            stage_length: self.stage.len(),
            stage_bytes: self.stage.bytes(),
            stage_records,
            queue_length: self.queue.len(),
            queue_bytes: self.queue.bytes(),
            queue_records,
            in_flight_records,
            total_limit: self.limit.max(),
            timekeys: staged.union(&queued).copied().collect(),
            retry: self.retry_state(),
            stuck: self.why_stuck(),
        }
    }
}

impl Delivery {
    /// Notes whether the last delivery succeeded, even in part.
    pub(super) fn note_success(&self, succeeded: bool) {
        let mut failing_since = self.failing_since.lock().unwrap_or_else(PoisonError::into_inner);
        match succeeded {
            true => *failing_since = None,
            false => drop(failing_since.get_or_insert_with(Instant::now)),
        }
    }

    fn retry_state(&self) -> Option<RetryState> {
        let retry = self.queue.next_retry()?;
        let (now, clock) = (Instant::now(), EventTime::now().sec);
        let start = clock - now.saturating_duration_since(retry.start).as_secs() as i64;
        let next_time = clock + retry.due.saturating_duration_since(now).as_secs() as i64;
        Some(RetryState { start, steps: retry.steps, next_time })
    }

    /// Stuck is an output whose buffer is full, or that has chunks to deliver and has failed for [`STUCK_AFTER`] without any success.
    fn why_stuck(&self) -> Option<String> {
        if self.limit.is_full() {
            return Some(format!("the buffer is full: {} of {} bytes", self.limit.used(), self.limit.max()));
        }
        let since = (*self.failing_since.lock().unwrap_or_else(PoisonError::into_inner))?;
        let failed_for = since.elapsed();
        let waits = self.queue.len() > 0 || self.queue.in_hand() > 0;
        (waits && failed_for >= STUCK_AFTER).then(|| format!("no delivery has succeeded for {} seconds", failed_for.as_secs()))
    }
}
