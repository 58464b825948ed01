//! What a delivery has done, in numbers, by Fluentd's names.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of one delivery; read them at any time.
#[derive(Debug, Default)]
pub struct Counters {
    /// Emits.
    pub emit_count: Count,
    /// Events emitted.
    pub emit_records: Count,
    /// Bytes that they came to in the buffer.
    pub emit_size: Count,
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
    /// Events refused because the buffer was full.
    pub overflow_records: Count,
    /// Events refused because no chunk can hold them, or because they could not be written in the output's form.
    pub rejected_records: Count,
    /// Events delivered.
    pub delivered_records: Count,
    /// Events kept in the backup folder.
    pub backup_records: Count,
    /// Events that are gone: thrown away as `disable_chunk_backup` asks, dropped as oldest, or left when the backup failed at the end.
    pub lost_records: Count,
}

/// One counter.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Counts up.
    pub fn add(&self, number: u64) {
        self.0.fetch_add(number, Ordering::Relaxed);
    }

    /// The count so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
