//! One delivery of one chunk, and what becomes of the chunk: done, tried again, handed to the secondary, or kept in the backup folder.

use super::backup::Backup;
use super::outage::Failure;
use super::secondary::Secondary;
use super::waiting::Waiting;
use super::{Delivery, Phase};
use crate::buffer::CHUNK_COST_BYTES;
use crate::output::WriteError;
use std::future::Future;
use std::io;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// When a chunk can neither be delivered nor kept, it is tried again after this.
const BACKUP_RETRY: Duration = Duration::from_secs(60);
/// When a chunk cannot be read from the disk, it is tried again after this.
const READ_RETRY: Duration = Duration::from_secs(10);

/// Runs a plugin's delivery; a panic in it is a failure of the chunk and not the end of the task.
pub(super) async fn guarded(writing: impl Future<Output = Result<(), WriteError>>) -> Result<(), WriteError> {
    let mut writing = std::pin::pin!(writing);
    std::future::poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| writing.as_mut().poll(context))) {
        Ok(poll) => poll,
        Err(_) => std::task::Poll::Ready(Err(WriteError::Unrecoverable(anyhow::anyhow!("the output panicked")))),
    })
    .await
}

impl Delivery {
    /// Tries one chunk, all of its parts. `false` says that there is no time for more.
    pub(super) async fn deliver(&self, mut waiting: Box<Waiting>, phase: &mut watch::Receiver<Phase>) -> bool {
        loop {
            let Some(opened) = self.open(waiting).await else { return true };
            waiting = opened;
            let began = Instant::now();
            let secondary = self.secondary.as_ref().filter(|_| waiting.is_for_secondary(began));
            let chunk = &waiting.chunk;
            let written = tokio::select! {
                written = async {
                    match secondary {
                        Some(secondary) => secondary.write(chunk).await,
                        None => guarded(self.output.write(chunk)).await,
                    }
                } => Some(written),
                _ = phase.wait_for(|phase| *phase == Phase::Abandoned) => None,
            };
            let Some(written) = written else {
                drop(waiting.close());
                self.queue.give_back(*waiting);
                return false;
            };
            self.count_write(began, secondary.is_some());
            match written {
                Ok(()) if waiting.has_more() => self.part_delivered(&mut waiting),
                Ok(()) => {
                    self.delivered(*waiting, secondary.is_some());
                    return true;
                }
                Err(error) => {
                    self.failed(waiting, error, began, secondary.is_some()).await;
                    return true;
                }
            }
        }
    }

    /// Gets the bytes of a chunk, or of its next part; `None` where there is nothing to deliver for now.
    async fn open(&self, mut waiting: Box<Waiting>) -> Option<Box<Waiting>> {
        if waiting.body.is_none() {
            return match waiting.open() {
                Ok(_) => Some(waiting),
                Err(error) => {
                    self.give_up(*waiting, &anyhow::Error::from(error).context("a waiting chunk cannot be unpacked")).await;
                    None
                }
            };
        }
        let (counted, records) = (waiting.counted, waiting.records() as u64);
        if waiting.chunk.bytes.capacity() == 0 {
            waiting.chunk.bytes = self.stage.block(counted);
        }
        let opening = tokio::task::spawn_blocking(move || {
            let opened = waiting.open();
            (waiting, opened)
        });
        match opening.await {
            Ok((waiting, Ok(gone))) => {
                self.counters.lost_records.add(gone as u64);
                self.queue.progressed(waiting.counted, waiting.counted, gone, false);
                if waiting.chunk.records > 0 {
                    return Some(waiting);
                }
                self.release(*waiting, false);
                None
            }
            Ok((mut waiting, Err(error))) => {
                crate::error!(
                    "cannot read a chunk of the buffer, it is tried again later chunk={:?} error=\"{error}\"",
                    waiting.chunk.hex()
                );
                drop(waiting.close());
                self.queue.postpone(*waiting, READ_RETRY);
                None
            }
            Err(error) => {
                // It is still on the disk, and comes again with the next start.
                crate::error!("cannot read a chunk of the buffer error=\"{error}\"");
                self.queue.forget(counted, records);
                None
            }
        }
    }

    /// A part of a chunk was delivered, and the next one is to be read.
    fn part_delivered(&self, waiting: &mut Waiting) {
        let records = waiting.records() - waiting.chunk.records;
        self.keep_rest(waiting, &[], records);
    }

    fn count_write(&self, began: Instant, by_secondary: bool) {
        let counters = &self.counters;
        if by_secondary {
            counters.write_secondary_count.add(1)
        } else {
            counters.write_count.add(1)
        }
        let elapsed = began.elapsed();
        counters.flush_time_count.add(elapsed.as_millis() as u64);
        let threshold = self.settings.slow_flush_threshold;
        if elapsed > threshold {
            counters.slow_flush_count.add(1);
            crate::warning!(
                "buffer flush took longer time than slow_flush_log_threshold: elapsed_time={} slow_flush_log_threshold={:?} plugin_id={:?}",
                elapsed.as_secs_f64(),
                threshold.as_secs_f64(),
                self.id
            );
        }
    }

    fn delivered(&self, waiting: Waiting, by_secondary: bool) {
        if waiting.retry.is_some() {
            let by = if by_secondary { " by secondary" } else { "" };
            crate::warning!("retry succeeded{by}. chunk_id={:?}", waiting.chunk.hex());
        }
        self.note_success(true);
        let records = waiting.chunk.records.saturating_sub(self.count_settled(&waiting));
        self.counters.delivered_records.add(records as u64);
        self.release(waiting, !by_secondary);
    }

    /// Counts what the output has rejected or left out of a chunk; gives how many events that is.
    fn count_settled(&self, waiting: &Waiting) -> usize {
        let (rejected, dropped) = (waiting.chunk.rejected.take(), waiting.chunk.dropped.take());
        self.counters.rejected_records.add(rejected);
        self.counters.dropped_records.add(dropped);
        (rejected + dropped) as usize
    }

    /// A chunk is done with: its memory and its share of the limit are free.
    fn release(&self, mut waiting: Waiting, got_through: bool) {
        waiting.done();
        // Before anybody may go on, who would take a new block.
        self.stage.recycle(std::mem::take(&mut waiting.chunk.bytes));
        self.queue.done(&waiting, got_through);
        self.pace();
        self.limit.give_back(waiting.counted + CHUNK_COST_BYTES);
    }

    async fn failed(&self, mut waiting: Box<Waiting>, error: WriteError, began: Instant, by_secondary: bool) {
        self.counters.retry_count.add(1);
        self.note_success(false);
        let reason = match error {
            WriteError::Unrecoverable(reason) => return self.unrecoverable(*waiting, &reason, by_secondary).await,
            WriteError::Retry(reason) => reason,
            WriteError::Partial { remaining, records, reason } => {
                let beyond = waiting.records() - waiting.chunk.records;
                self.keep_rest(&mut waiting, &remaining, records + beyond);
                reason
            }
        };
        let failure = if by_secondary { Failure::Secondary } else { kind_of_failure(&reason) };
        self.counters.rollback_count.add(1);
        let hex = waiting.chunk.hex();
        self.stage.recycle(waiting.close());
        let failed = self.queue.failed(waiting, failure, began, &self.settings.retry, self.secondary.is_some());
        self.pace();
        if !failed.enough.iter().any(|waiting| waiting.chunk.hex() == hex) {
            let with = if by_secondary { " with secondary output" } else { "" };
            let next = failed.due.map_or_else(String::new, |due| format!(" next_retry_time={}", wall_time(due)));
            crate::warning!("failed to flush the buffer{with}. retry_times={}{next} chunk={hex:?} {}", failed.steps, describe(&reason));
        }
        for waiting in failed.enough {
            self.limit_reached(waiting, &reason, by_secondary).await;
        }
    }

    /// Part of a chunk was delivered: the rest is the chunk now. Progress starts the counting of failures anew.
    fn keep_rest(&self, waiting: &mut Waiting, ranges: &[Range<usize>], records: usize) {
        let settled = waiting.records().saturating_sub(records);
        let otherwise = self.count_settled(waiting);
        if settled > 0 {
            self.note_success(true);
            waiting.retry = None;
            self.counters.delivered_records.add(settled.saturating_sub(otherwise) as u64);
        }
        let before = waiting.counted;
        self.stage.recycle(waiting.keep_rest(ranges, records));
        self.limit.take(waiting.counted);
        self.limit.give_back(before);
        self.queue.progressed(before, waiting.counted, settled, settled > 0);
    }

    async fn limit_reached(&self, waiting: Waiting, reason: &anyhow::Error, by_secondary: bool) {
        let steps = waiting.retry.as_ref().map_or(0, |retry| retry.steps);
        // Fluentd: the whole queue is dropped, with chunks that were never tried.
        crate::error!(
            "Hit limit for retries. giving up this chunk only. chunk={:?} retry_times={steps} records={} {}",
            waiting.chunk.hex(),
            waiting.records(),
            describe(reason)
        );
        match &self.secondary {
            Some(secondary) if !by_secondary => self.hand_over(waiting, secondary).await,
            _ => self.give_up(waiting, reason).await,
        }
    }

    /// Gives a chunk to the secondary, all of its parts, once.
    async fn hand_over(&self, waiting: Waiting, secondary: &Secondary) {
        let mut waiting = Box::new(waiting);
        loop {
            let Some(opened) = self.open(waiting).await else { return };
            waiting = opened;
            match secondary.write(&waiting.chunk).await {
                Ok(()) if waiting.has_more() => self.part_delivered(&mut waiting),
                Ok(()) => {
                    self.counters.write_secondary_count.add(1);
                    return self.delivered(*waiting, true);
                }
                Err(error) => return self.give_up(*waiting, &error.into_reason()).await,
            }
        }
    }

    async fn unrecoverable(&self, mut waiting: Waiting, reason: &anyhow::Error, by_secondary: bool) {
        let said = describe(reason);
        match &self.secondary {
            Some(_) if by_secondary => crate::warning!("got unrecoverable error in secondary. {said}"),
            None => crate::warning!("got unrecoverable error in primary and no secondary {said}"),
            Some(secondary) if secondary.is_same_type => {
                crate::warning!("got unrecoverable error in primary and secondary type is same as primary. Skip secondary {said}");
            }
            Some(secondary) => {
                crate::warning!("got unrecoverable error in primary. Skip retry and flush chunk to secondary {said}");
                self.counters.write_secondary_count.add(1);
                match secondary.write(&waiting.chunk).await {
                    Ok(()) if waiting.has_more() => {
                        self.part_delivered(&mut waiting);
                        return self.hand_over(waiting, secondary).await;
                    }
                    Ok(()) => return self.delivered(waiting, true),
                    Err(error) => crate::warning!("got an error in secondary for unrecoverable error {}", describe(&error.into_reason())),
                }
            }
        }
        self.give_up(waiting, reason).await;
    }

    /// To the backup folder. Where that fails too the chunk waits, and comes back here later.
    pub(super) async fn give_up(&self, mut waiting: Waiting, reason: &anyhow::Error) {
        let records = waiting.records() as u64;
        if self.settings.disable_chunk_backup {
            crate::warning!("disable_chunk_backup is true. {} chunk is thrown away", waiting.chunk.hex());
            self.counters.lost_records.add(records);
            return self.release(waiting, false);
        }
        let counted = waiting.counted;
        let backup = self.backup.clone();
        let said = format!("{reason:#}");
        let kept = tokio::task::spawn_blocking(move || {
            let kept = keep_all(&mut waiting, &backup, &said);
            (waiting, kept)
        });
        let kept = kept.await;
        if let Ok((waiting, _)) = &kept {
            // Parts that are kept already are settled.
            self.queue.progressed(counted, waiting.counted, (records as usize).saturating_sub(waiting.records()), false);
            self.limit.give_back(counted - waiting.counted);
        }
        match kept {
            Ok((waiting, Ok(path))) => {
                crate::warning!("bad chunk is moved to {}", path.display());
                self.counters.backup_records.add(records);
                self.release(waiting, false);
            }
            Ok((mut waiting, Err(error))) => {
                let path = self.backup.path(&waiting.chunk);
                crate::error!("failed to keep a chunk of {records} events path={path:?} error=\"{error}\" after {}", describe(reason));
                if self.queue.is_ending() {
                    self.counters.lost_records.add(records);
                    self.release(waiting, false);
                } else {
                    drop(waiting.close());
                    self.queue.postpone(waiting, BACKUP_RETRY);
                }
            }
            Err(error) => {
                crate::error!("failed to keep a chunk of {records} events error=\"{error}\"");
                self.counters.lost_records.add(records);
                self.queue.forget(counted, records);
                self.limit.give_back(counted + CHUNK_COST_BYTES);
            }
        }
    }
}

/// Keeps all parts of a chunk in the backup folder; the path of the last one.
fn keep_all(waiting: &mut Waiting, backup: &Backup, reason: &str) -> io::Result<PathBuf> {
    loop {
        // What was read for the delivery may be a part in the middle, which comes first of what is left.
        waiting.open()?;
        let path = backup.keep(&waiting.chunk, reason)?;
        if !waiting.has_more() {
            return Ok(path);
        }
        let rest = waiting.records() - waiting.chunk.records;
        drop(waiting.keep_rest(&[], rest));
    }
}

/// What an error says about the server.
fn kind_of_failure(reason: &anyhow::Error) -> Failure {
    use io::ErrorKind::{AddrNotAvailable, ConnectionRefused, HostUnreachable, NetworkDown, NetworkUnreachable, NotConnected};
    for cause in reason.chain() {
        if let Some(error) = cause.downcast_ref::<io::Error>() {
            let none = [ConnectionRefused, HostUnreachable, NetworkUnreachable, NetworkDown, AddrNotAvailable, NotConnected]
                .contains(&error.kind());
            return if none { Failure::Server } else { Failure::Connection };
        }
        if cause.is::<tokio::time::error::Elapsed>() {
            return Failure::Connection;
        }
    }
    Failure::Chunk
}

/// An error as Fluentd's log shows one, with the class that Ruby would have for it.
pub(super) fn describe(reason: &anyhow::Error) -> String {
    let class = reason.chain().find_map(|cause| {
        if cause.is::<tokio::time::error::Elapsed>() {
            return Some("Timeout::Error");
        }
        cause.downcast_ref::<io::Error>().map(|error| match error.kind() {
            io::ErrorKind::ConnectionRefused => "Errno::ECONNREFUSED",
            io::ErrorKind::ConnectionReset => "Errno::ECONNRESET",
            io::ErrorKind::BrokenPipe => "Errno::EPIPE",
            io::ErrorKind::TimedOut => "Errno::ETIMEDOUT",
            io::ErrorKind::NotFound => "Errno::ENOENT",
            io::ErrorKind::PermissionDenied => "Errno::EACCES",
            io::ErrorKind::HostUnreachable => "Errno::EHOSTUNREACH",
            io::ErrorKind::NotConnected => "Errno::ENOTCONN",
            io::ErrorKind::StorageFull => "Errno::ENOSPC",
            io::ErrorKind::UnexpectedEof => "EOFError",
            _ => "IOError",
        })
    });
    // Outer errors often quote their causes: nothing is said twice.
    let mut text = String::new();
    for cause in reason.chain().map(ToString::to_string) {
        if !text.contains(&cause) {
            text.push_str(if text.is_empty() { "" } else { ": " });
            text.push_str(&cause);
        }
    }
    format!("error_class={} error={text:?}", class.unwrap_or("StandardError"))
}

fn wall_time(due: Instant) -> String {
    let ahead = due.saturating_duration_since(Instant::now());
    let at = jiff::Zoned::now().checked_add(ahead).unwrap_or_else(|_| jiff::Zoned::now());
    at.strftime("%Y-%m-%d %H:%M:%S %z").to_string()
}
