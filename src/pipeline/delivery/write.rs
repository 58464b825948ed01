//! One delivery of one chunk, and what becomes of the chunk: done, tried again, handed to the secondary, or kept in the backup folder.

use super::outage::Failure;
use super::waiting::Waiting;
use super::{Delivery, Phase};
use crate::buffer::CHUNK_COST_BYTES;
use crate::output::WriteError;
use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// When a chunk can neither be delivered nor kept, it is tried again after this.
const BACKUP_RETRY: Duration = Duration::from_secs(60);

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
    /// Tries one chunk. `false` says that there is no time for more.
    pub(super) async fn deliver(&self, mut waiting: Box<Waiting>, phase: &mut watch::Receiver<Phase>) -> bool {
        if let Err(error) = waiting.open() {
            self.give_up(*waiting, &anyhow::Error::from(error).context("a waiting chunk cannot be unpacked")).await;
            return true;
        }
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
            Ok(()) => self.delivered(*waiting, secondary.is_some()),
            Err(error) => self.failed(waiting, error, began, secondary.is_some()).await,
        }
        true
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
    fn release(&self, waiting: Waiting, got_through: bool) {
        self.queue.done(&waiting, got_through);
        self.pace();
        self.limit.give_back(waiting.counted + CHUNK_COST_BYTES);
        self.stage.recycle(waiting.chunk.bytes);
    }

    async fn failed(&self, mut waiting: Box<Waiting>, error: WriteError, began: Instant, by_secondary: bool) {
        self.counters.retry_count.add(1);
        self.note_success(false);
        let reason = match error {
            WriteError::Unrecoverable(reason) => return self.unrecoverable(*waiting, &reason, by_secondary).await,
            WriteError::Retry(reason) => reason,
            WriteError::Partial { bytes, records, reason } => {
                self.keep_rest(&mut waiting, bytes, records);
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
    fn keep_rest(&self, waiting: &mut Waiting, bytes: Vec<u8>, records: usize) {
        let settled = waiting.chunk.records.saturating_sub(records);
        let otherwise = self.count_settled(waiting);
        if settled > 0 {
            self.note_success(true);
            waiting.retry = None;
            self.counters.delivered_records.add(settled.saturating_sub(otherwise) as u64);
        }
        let before = waiting.counted;
        self.stage.recycle(waiting.keep_rest(bytes, records));
        self.limit.take(waiting.counted);
        self.limit.give_back(before);
        self.queue.progressed(before, waiting.counted, settled, settled > 0);
    }

    async fn limit_reached(&self, mut waiting: Waiting, reason: &anyhow::Error, by_secondary: bool) {
        let steps = waiting.retry.as_ref().map_or(0, |retry| retry.steps);
        // Fluentd: the whole queue is dropped, with chunks that were never tried.
        crate::error!(
            "Hit limit for retries. giving up this chunk only. chunk={:?} retry_times={steps} records={} {}",
            waiting.chunk.hex(),
            waiting.chunk.records,
            describe(reason)
        );
        if let Err(error) = waiting.open() {
            return self.give_up(waiting, &error.into()).await;
        }
        match &self.secondary {
            Some(secondary) if !by_secondary => match secondary.write(&waiting.chunk).await {
                Ok(()) => {
                    self.counters.write_secondary_count.add(1);
                    self.delivered(waiting, true);
                }
                Err(error) => self.give_up(waiting, &error.into_reason()).await,
            },
            _ => self.give_up(waiting, reason).await,
        }
    }

    async fn unrecoverable(&self, waiting: Waiting, reason: &anyhow::Error, by_secondary: bool) {
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
                    Ok(()) => return self.delivered(waiting, true),
                    Err(error) => crate::warning!("got an error in secondary for unrecoverable error {}", describe(&error.into_reason())),
                }
            }
        }
        self.give_up(waiting, reason).await;
    }

    /// To the backup folder. Where that fails too the chunk waits, and comes back here later.
    pub(super) async fn give_up(&self, mut waiting: Waiting, reason: &anyhow::Error) {
        let records = waiting.chunk.records as u64;
        if self.settings.disable_chunk_backup {
            crate::warning!("disable_chunk_backup is true. {} chunk is thrown away", waiting.chunk.hex());
            self.counters.lost_records.add(records);
            return self.release(waiting, false);
        }
        let counted = waiting.counted;
        let backup = self.backup.clone();
        let said = format!("{reason:#}");
        let kept = tokio::task::spawn_blocking(move || {
            let kept = waiting.open().and_then(|()| backup.keep(&waiting.chunk, &said));
            (waiting, kept)
        });
        match kept.await {
            Ok((waiting, Ok(path))) => {
                crate::warning!("bad chunk is moved to {}", path.display());
                self.counters.backup_records.add(records);
                self.release(waiting, false);
            }
            Ok((waiting, Err(error))) => {
                let path = self.backup.path(&waiting.chunk);
                crate::error!("failed to keep a chunk of {records} events path={path:?} error=\"{error}\" after {}", describe(reason));
                if self.queue.is_ending() {
                    self.counters.lost_records.add(records);
                    self.release(waiting, false);
                } else {
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
