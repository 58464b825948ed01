//! What the daemon counts about itself, and the overview of all plugins that whoever watches it from outside is shown.
//!
//! Plain numbers and texts: nothing here knows configurations, events or sockets, and nothing is written in anybody's format. Counters are
//! added to once a batch, never once an event. The books of each plugin balance to the event: what came in is what went on, what was
//! dropped or rejected, and what is held.

mod overview;

pub use overview::{Activity, Buffered, Overview, Plugin, Process, Queue, RetryState, RouterEntry, Takes, Usage, Waiting, Watched};

use std::sync::atomic::{AtomicU64, Ordering};

/// One counter.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Counts up.
    pub fn add(&self, number: u64) {
        if number > 0 {
            self.0.fetch_add(number, Ordering::Relaxed);
        }
    }

    /// The count so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Sets what is no count of things done, but of things that are there.
    pub fn set(&self, number: u64) {
        self.0.store(number, Ordering::Relaxed);
    }

    /// The count so far, which begins anew.
    pub fn take(&self) -> u64 {
        self.0.swap(0, Ordering::Relaxed)
    }
}

impl Clone for Count {
    fn clone(&self) -> Count {
        Count(AtomicU64::new(self.get()))
    }
}

/// Counters of an input. Received is emitted and refused together; what was no event never was received.
#[derive(Debug, Default)]
pub struct InputCounters {
    /// Events that were taken by the router.
    pub emit_records: Count,
    /// Their bytes, where sizes are counted.
    pub emit_size: Count,
    /// Events that the pipeline did not take: the sender is told.
    pub refused_records: Count,
    /// Messages, requests or lines that could not be read as events, and what stood in messages among events and was none.
    pub invalid_messages: Count,
}

/// Counters of a filter: received and added is emitted, dropped, rejected, held and released.
#[derive(Debug, Default)]
pub struct FilterCounters {
    /// Events that came in.
    pub received_records: Count,
    /// Events that it made beyond those that came in, as where one text is parsed into several.
    pub added_records: Count,
    /// Events that went on.
    pub emit_records: Count,
    /// Bytes of those, where sizes are counted.
    pub emit_size: Count,
    /// Events that it sent to `@ERROR`.
    pub rejected_records: Count,
    /// Events that it took out, or joined to others.
    pub dropped_records: Count,
    /// Events that it holds from batch to batch at the moment.
    pub held_records: Count,
    /// Events that it held and let go by another way than with a batch: to a label, or to `@ERROR` when their time was over.
    pub released_records: Count,
}

impl FilterCounters {
    /// Counts one batch: how many came in, how many went on, how many were rejected, how many were made.
    pub fn count(&self, received: usize, emitted: usize, rejected: usize, added: usize) {
        self.received_records.add(received as u64);
        self.emit_records.add(emitted as u64);
        self.rejected_records.add(rejected as u64);
        // What a filter does not say about events that it makes follows from the sum.
        let added = added.max((emitted + rejected).saturating_sub(received));
        self.added_records.add(added as u64);
        self.dropped_records.add((received + added - emitted - rejected) as u64);
    }

    /// Says what a filter holds and how many events it has released so far: what is neither has been joined to other events.
    pub fn settle(&self, held: u64, released: u64) {
        self.held_records.set(held);
        self.released_records.set(released);
        let received = self.received_records.get() + self.added_records.get();
        let elsewhere = self.emit_records.get() + self.rejected_records.get() + held + released;
        self.dropped_records.set(received.saturating_sub(elsewhere));
    }
}

/// Counters of a router, the root's or a label's: received, and added by filters, is matched, unmatched, failed, and taken out by filters.
#[derive(Debug, Default)]
pub struct RouterCounters {
    /// Events that came in.
    pub received_records: Count,
    /// Events that an output took.
    pub matched_records: Count,
    /// Events that no `<match>` was for.
    pub unmatched_records: Count,
    /// Events in emits that failed as a whole: they go to `@ERROR`, or the sender is told.
    pub failed_records: Count,
}

/// Counters of events that could not be handled.
#[derive(Debug, Default)]
pub struct ErrorCounters {
    /// Those that went to the `@ERROR` label.
    pub labelled_records: Count,
    /// Those that were written to the log, there being no label, or because handling them failed too.
    pub logged_records: Count,
    /// Those of the logged ones that are kept whole besides, as dead letters or in the backup folder.
    pub kept_records: Count,
}

/// Counters of an output, by Fluentd's names.
///
/// Behind a buffer, emitted is delivered, rejected, dropped, backed up, lost and held. An output without a buffer only emits and fails.
#[derive(Debug, Default)]
pub struct OutputCounters {
    /// Emits.
    pub emit_count: Count,
    /// Events emitted.
    pub emit_records: Count,
    /// Bytes that they came to in the buffer.
    pub emit_size: Count,
    /// Events in emits that failed as a whole.
    pub failed_records: Count,
    /// Deliveries begun.
    pub write_count: Count,
    /// Deliveries to the secondary begun.
    pub write_secondary_count: Count,
    /// Deliveries failed: Fluentd's `retry_count` and `num_errors`.
    pub retry_count: Count,
    /// Chunks that came back.
    pub rollback_count: Count,
    /// Deliveries that took long.
    pub slow_flush_count: Count,
    /// Milliseconds spent in deliveries.
    pub flush_time_count: Count,
    /// Chunks dropped because `overflow_action` says so.
    pub drop_oldest_chunk_count: Count,
    /// Their events.
    pub drop_oldest_records: Count,
    /// Events refused because the buffer was full.
    pub overflow_records: Count,
    /// Events rejected: no chunk can hold them, they cannot be written in the output's form, or the server refused them.
    pub rejected_records: Count,
    /// Events that the output leaves out because its parameters say so, or because they come to nothing in its form.
    pub dropped_records: Count,
    /// Events delivered.
    pub delivered_records: Count,
    /// Events kept in the backup folder.
    pub backup_records: Count,
    /// Events that are gone: thrown away as `disable_chunk_backup` asks, or left when the backup failed at the end.
    pub lost_records: Count,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_books_of_a_filter_balance_whatever_it_does() {
        let counters = FilterCounters::default();
        let sums = |counters: &FilterCounters| {
            (
                counters.received_records.get() + counters.added_records.get(),
                counters.emit_records.get() + counters.dropped_records.get() + counters.rejected_records.get(),
            )
        };
        // Three dropped; one made of one more and one dropped; more events than it says it made.
        for (received, emitted, rejected, added, dropped) in [(10, 6, 1, 0, 3), (2, 2, 0, 1, 1), (1, 3, 1, 0, 0), (0, 0, 0, 0, 0)] {
            let before = counters.dropped_records.get();
            counters.count(received, emitted, rejected, added);
            assert_eq!(counters.dropped_records.get() - before, dropped);
            let (left, right) = sums(&counters);
            assert_eq!(left, right);
        }
    }

    #[test]
    fn what_is_held_is_not_dropped() {
        let counters = FilterCounters::default();
        counters.count(5, 1, 0, 0);
        counters.settle(3, 0);
        assert_eq!((counters.held_records.get(), counters.dropped_records.get()), (3, 1));
        counters.settle(0, 2);
        assert_eq!((counters.held_records.get(), counters.released_records.get(), counters.dropped_records.get()), (0, 2, 2));
    }

    #[test]
    fn a_count_can_be_taken() {
        let count = Count::default();
        count.add(3);
        assert_eq!((count.clone().get(), count.take(), count.get()), (3, 3, 0));
    }
}
