//! The tasks of a delivery: one that looks for chunks that are due, and those that deliver.

use super::queue::{Failure, Next, Packed, Waiting};
use super::{Delivery, Phase};
use crate::buffer::{Compress, FlushMode, pack, unpack};
use crate::event::EventTime;
use crate::output::WriteError;
use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

/// How often an output without anything due looks after its memory.
const IDLE_PERIOD: Duration = Duration::from_secs(5);
/// The least pause between two looks for due chunks.
const LEAST_PERIOD: Duration = Duration::from_millis(10);
/// When a chunk can neither be delivered nor kept, it is tried again after this.
const BACKUP_RETRY: Duration = Duration::from_secs(60);
/// Fluentd looks eleven times an interval.
const LOOKS_AN_INTERVAL: u32 = 11;

/// Looks for chunks that are due until the end begins.
pub(super) async fn look_for_due(delivery: Arc<Delivery>, mut phase: watch::Receiver<Phase>) {
    while *phase.borrow_and_update() == Phase::Running {
        delivery.queue_due();
        delivery.stage.trim();
        delivery.pack_waiting().await;
        tokio::select! {
            () = sleep(delivery.look_pause()) => {}
            _ = phase.changed() => {}
        }
    }
}

/// Delivers chunks, one after another, until there will be no more.
pub(super) async fn write_chunks(delivery: Arc<Delivery>, mut phase: watch::Receiver<Phase>) {
    loop {
        let wake = delivery.queue.wake.notified();
        delivery.queue_due();
        match delivery.queue.next(Instant::now()) {
            Next::Write(waiting) => {
                if !delivery.deliver(waiting, &mut phase).await {
                    return;
                }
                delivery.pause_between(&phase).await;
            }
            Next::Wait(until) => {
                let until = until.unwrap_or_else(|| Instant::now() + IDLE_PERIOD * 100);
                tokio::select! {
                    () = wake => {}
                    () = sleep_until(until) => {}
                }
            }
            Next::End => return,
        }
    }
}

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
    /// Queues the chunks that are due, as long as the queue takes more.
    pub(super) fn queue_due(&self) {
        if self.queue.len() >= self.settings.queued_chunks {
            return;
        }
        let now = Instant::now();
        let clock = EventTime::now().sec;
        let age = self.due_age();
        self.stage.close(
            |keys, since| {
                let slice_over = || match (&self.settings.keys.time, keys.timekey) {
                    (Some(slices), Some(start)) => slices.is_over(start, clock),
                    _ => false,
                };
                age.is_some_and(|age| now.duration_since(since) >= age) || slice_over()
            },
            |closed| {
                self.queue.push(closed);
                self.queue.len() < self.settings.queued_chunks
            },
        );
    }

    /// The age at which chunks are due; `None` where age does not matter.
    fn due_age(&self) -> Option<Duration> {
        match self.settings.flush_mode {
            FlushMode::Interval => Some(self.settings.flush_interval.max(self.settings.flush_thread_interval)),
            FlushMode::Immediate => Some(Duration::ZERO),
            FlushMode::Lazy | FlushMode::Default => None,
        }
    }

    /// Until the next look: often enough for time slices, and right when the oldest chunk is due.
    fn look_pause(&self) -> Duration {
        let settings = &self.settings;
        let mut interval = (settings.flush_mode == FlushMode::Interval).then_some(settings.flush_interval);
        if let Some(slices) = &settings.keys.time {
            let length = Duration::from_secs(slices.length.max(0) as u64);
            if interval.is_none_or(|interval| length < interval) {
                interval = Some(length.min(Duration::from_secs(slices.wait.max(0) as u64)));
            }
        }
        let Some(interval) = interval else { return IDLE_PERIOD };
        let period = (interval / LOOKS_AN_INTERVAL).max(settings.flush_thread_interval).max(LEAST_PERIOD);
        let due = self.due_age().zip(self.stage.oldest()).map(|(age, oldest)| age.saturating_sub(oldest.elapsed()));
        // What is overdue waits for the queue, not for the next look.
        due.filter(|due| !due.is_zero()).map_or(period, |due| due.clamp(LEAST_PERIOD, period))
    }

    /// Compresses chunks that found no writer at once.
    async fn pack_waiting(&self) {
        let how = self.settings.compress;
        if how == Compress::Text {
            return;
        }
        while let Some(mut waiting) = self.queue.take_unpacked(self.settings.compress_up_to) {
            let bytes = std::mem::take(&mut waiting.chunk.bytes);
            let (bytes, packed) = match tokio::task::spawn_blocking(move || {
                let packed = pack(how, &bytes);
                (bytes, packed)
            })
            .await
            {
                Ok((bytes, packed)) => (bytes, packed.unwrap_or_default()),
                Err(_) => (Vec::new(), None),
            };
            let before = waiting.counted;
            let counted = match packed {
                Some(packed) => {
                    let counted = packed.len() as u64;
                    waiting.packed = Some(Packed { how, bytes: packed, length: bytes.len() });
                    self.stage.recycle(bytes);
                    counted
                }
                None => {
                    waiting.chunk.bytes = bytes;
                    waiting.is_incompressible = true;
                    before
                }
            };
            self.queue.give_back(waiting, counted);
            self.limit.give_back(before - counted);
        }
    }

    /// The pause that `flush_thread_burst_interval` asks for; new events end it.
    async fn pause_between(&self, phase: &watch::Receiver<Phase>) {
        if let Some(pause) = self.settings.burst_interval
            && *phase.borrow() == Phase::Running
        {
            tokio::select! {
                () = self.emitted.notified() => {}
                () = sleep(pause) => {}
            }
        }
    }

    /// Tries one chunk. `false` says that there is no time for more.
    async fn deliver(&self, mut waiting: Box<Waiting>, phase: &mut watch::Receiver<Phase>) -> bool {
        if let Err(error) = open(&mut waiting) {
            self.give_up(*waiting, &anyhow::Error::from(error).context("a waiting chunk cannot be unpacked"), true).await;
            return true;
        }
        let began = Instant::now();
        let secondary = self.secondary.as_ref().filter(|_| waiting.retry.as_ref().is_some_and(|retry| retry.uses_secondary(began)));
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
            let counted = waiting.counted;
            self.queue.give_back(*waiting, counted);
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
        self.counters.delivered_records.add(waiting.chunk.records as u64);
        self.release(waiting, !by_secondary);
    }

    /// A chunk is done with: its memory and its share of the limit are free.
    fn release(&self, waiting: Waiting, reached_server: bool) {
        self.queue.done(&waiting, reached_server);
        self.limit.give_back(waiting.counted);
        self.stage.recycle(waiting.chunk.bytes);
    }

    async fn failed(&self, mut waiting: Box<Waiting>, error: WriteError, began: Instant, by_secondary: bool) {
        self.counters.retry_count.add(1);
        let (reason, is_answer) = match error {
            WriteError::Unrecoverable(reason) => return self.unrecoverable(*waiting, &reason, by_secondary).await,
            WriteError::Retry(reason) => (reason, false),
            WriteError::Partial { bytes, records, reason } => {
                self.keep_rest(&mut waiting, bytes, records);
                (reason, true)
            }
        };
        let failure = match kind_of_failure(&reason) {
            _ if by_secondary => Failure::Secondary,
            _ if is_answer => Failure::Chunk,
            kind => kind,
        };
        self.counters.rollback_count.add(1);
        let hex = waiting.chunk.hex();
        close(&mut waiting, |bytes| self.stage.recycle(bytes));
        let failed = self.queue.failed(waiting, failure, began, &self.settings.retry, self.secondary.is_some());
        if !failed.enough.iter().any(|waiting| waiting.chunk.hex() == hex) {
            let with = if by_secondary { " with secondary output" } else { "" };
            crate::warning!(
                "failed to flush the buffer{with}. retry_times={} next_retry_time={} chunk={hex:?} {}",
                failed.steps,
                wall_time(failed.due),
                describe(&reason)
            );
        }
        for waiting in failed.enough {
            self.limit_reached(waiting, &reason, by_secondary).await;
        }
    }

    /// Part of a chunk was delivered: the rest is the chunk now. Progress starts the counting of failures anew.
    fn keep_rest(&self, waiting: &mut Waiting, bytes: Vec<u8>, records: usize) {
        let delivered = waiting.chunk.records.saturating_sub(records);
        if delivered > 0 {
            waiting.retry = None;
            self.counters.delivered_records.add(delivered as u64);
        }
        let counted = bytes.len() as u64;
        self.limit.take(counted);
        self.limit.give_back(waiting.counted);
        self.queue.recount(waiting.counted, counted);
        waiting.counted = counted;
        waiting.packed = None;
        waiting.chunk.records = records;
        self.stage.recycle(std::mem::replace(&mut waiting.chunk.bytes, bytes));
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
        if let Err(error) = open(&mut waiting) {
            return self.give_up(waiting, &error.into(), false).await;
        }
        match &self.secondary {
            Some(secondary) if !by_secondary => match secondary.write(&waiting.chunk).await {
                Ok(()) => {
                    self.counters.write_secondary_count.add(1);
                    self.delivered(waiting, true);
                }
                Err(error) => self.give_up(waiting, &error.into_reason(), false).await,
            },
            _ => self.give_up(waiting, reason, false).await,
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
        self.give_up(waiting, reason, !by_secondary).await;
    }

    /// To the backup folder. Where that fails too the chunk waits, and comes back here later.
    pub(super) async fn give_up(&self, mut waiting: Waiting, reason: &anyhow::Error, reached_server: bool) {
        let records = waiting.chunk.records as u64;
        if self.settings.disable_chunk_backup {
            crate::warning!("disable_chunk_backup is true. {} chunk is thrown away", waiting.chunk.hex());
            self.counters.lost_records.add(records);
            return self.release(waiting, reached_server);
        }
        let backup = self.backup.clone();
        let kept = tokio::task::spawn_blocking(move || {
            let kept = open(&mut waiting).and_then(|()| backup.keep(&waiting.chunk));
            (waiting, kept)
        });
        match kept.await {
            Ok((waiting, Ok(()))) => {
                self.counters.backup_records.add(records);
                self.release(waiting, reached_server);
            }
            Ok((waiting, Err(error))) => {
                let path = self.backup.path(&waiting.chunk);
                crate::error!("failed to keep a chunk of {records} events path={path:?} error=\"{error}\" after {}", describe(reason));
                if self.queue.is_ending() {
                    self.counters.lost_records.add(records);
                    self.release(waiting, reached_server);
                } else {
                    self.queue.postpone(waiting, BACKUP_RETRY);
                }
            }
            Err(error) => {
                crate::error!("failed to keep a chunk of {records} events error=\"{error}\"");
                self.counters.lost_records.add(records);
            }
        }
    }
}

/// Unpacks a chunk for delivery; the packed bytes stay, for the case that it fails.
fn open(waiting: &mut Waiting) -> io::Result<()> {
    if let Some(packed) = &waiting.packed
        && waiting.chunk.bytes.is_empty()
    {
        waiting.chunk.bytes = unpack(packed.how, &packed.bytes, packed.length)?;
    }
    Ok(())
}

/// Gives up the unpacked bytes of a chunk that has packed ones.
fn close(waiting: &mut Waiting, recycle: impl FnOnce(Vec<u8>)) {
    if waiting.packed.is_some() {
        recycle(std::mem::take(&mut waiting.chunk.bytes));
    }
}

/// What an error says about the server.
fn kind_of_failure(reason: &anyhow::Error) -> Failure {
    use io::ErrorKind::{AddrNotAvailable, ConnectionRefused, HostUnreachable, NetworkDown, NetworkUnreachable};
    for cause in reason.chain() {
        if let Some(error) = cause.downcast_ref::<io::Error>() {
            let none = [ConnectionRefused, HostUnreachable, NetworkUnreachable, NetworkDown, AddrNotAvailable].contains(&error.kind());
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
            io::ErrorKind::StorageFull => "Errno::ENOSPC",
            io::ErrorKind::UnexpectedEof => "EOFError",
            _ => "IOError",
        })
    });
    format!("error_class={} error={:?}", class.unwrap_or("StandardError"), format!("{reason:#}"))
}

fn wall_time(due: Instant) -> String {
    let ahead = due.saturating_duration_since(Instant::now());
    let at = jiff::Zoned::now().checked_add(ahead).unwrap_or_else(|_| jiff::Zoned::now());
    at.strftime("%Y-%m-%d %H:%M:%S %z").to_string()
}
