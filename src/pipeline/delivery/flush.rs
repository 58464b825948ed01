//! The tasks of a delivery: one that looks for chunks that are due, and those that deliver.

use super::queue::Next;
use super::{Delivery, Phase};
use crate::buffer::{Compress, FlushMode};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

/// How often an output without anything due looks after its memory.
const IDLE_PERIOD: Duration = Duration::from_secs(5);
/// The least pause between two looks for due chunks.
const LEAST_PERIOD: Duration = Duration::from_millis(10);
/// Fluentd looks eleven times an interval.
const LOOKS_AN_INTERVAL: u32 = 11;

/// Looks for chunks that are due until the end begins.
pub(super) async fn look_for_due(delivery: Arc<Delivery>, mut phase: watch::Receiver<Phase>) {
    let mut replaced = delivery.replaced.subscribe();
    while *phase.borrow_and_update() == Phase::Running && !*replaced.borrow_and_update() {
        delivery.queue_due();
        delivery.stage.trim();
        delivery.output.trim();
        delivery.pack_waiting().await;
        tokio::select! {
            () = sleep(delivery.look_pause()) => {}
            _ = phase.changed() => {}
            _ = replaced.changed() => {}
        }
    }
}

/// Delivers chunks, one after another, until there will be no more. `has_others` is whether other threads do the same.
pub(super) async fn write_chunks(delivery: Arc<Delivery>, has_others: bool, mut phase: watch::Receiver<Phase>) {
    let mut replaced = delivery.replaced.subscribe();
    let queue = &delivery.queue;
    while !*replaced.borrow_and_update() {
        let seat = queue.seats.sit();
        delivery.queue_due();
        match queue.next(Instant::now(), &delivery.crew, has_others, &seat) {
            Next::Write(waiting) => {
                let _at_work = AtWork(&delivery);
                if !delivery.deliver(waiting, &mut phase).await {
                    return;
                }
                delivery.pause_between(&phase).await;
            }
            Next::Wait(until) => {
                let until = until.unwrap_or_else(|| Instant::now() + IDLE_PERIOD * 100);
                tokio::select! {
                    () = seat.woken() => {}
                    () = sleep_until(until) => {}
                    _ = replaced.changed() => {}
                }
            }
            Next::End => return,
        }
    }
}

/// A writer at work, whatever comes of it.
struct AtWork<'d>(&'d Delivery);

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.0.queue.rest(&self.0.crew);
    }
}

impl Delivery {
    /// Queues the chunks that are due, as long as the queue takes more.
    pub(super) fn queue_due(&self) {
        if self.queue.ready() >= self.settings.queued_chunks {
            return;
        }
        let now = Instant::now();
        // Asked before the stage is emptied: whoever comes meanwhile sets it again.
        let is_awaited = self.is_awaited.swap(false, Ordering::SeqCst);
        let age = if is_awaited { Some(Duration::ZERO) } else { self.due_age() };
        self.stage.close(
            |since| age.is_some_and(|age| now.duration_since(since) >= age),
            |slice, clock| self.settings.keys.time.as_ref().is_some_and(|slices| slices.is_over(slice, clock)),
            |closed| {
                self.push(closed);
                self.queue.ready() < self.settings.queued_chunks
            },
        );
        if is_awaited && !self.stage.is_empty() {
            self.is_awaited.store(true, Ordering::SeqCst);
        }
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
            let length = Duration::from_secs(slices.length as u64);
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
        while let Some(mut waiting) = self.queue.take_packable(self.settings.compress_up_to) {
            let (before, records) = (waiting.counted, waiting.chunk.records as u64);
            let packing = tokio::task::spawn_blocking(move || {
                let free = waiting.pack(how);
                (waiting, free)
            });
            // A runtime that ends takes the chunk with it only where its threads are gone, and the process with them.
            let Ok((waiting, free)) = packing.await else { return self.queue.forget(before, records) };
            let now = waiting.kept_bytes();
            self.stage.recycle(free);
            self.queue.give_back(waiting);
            self.limit.give_back(before - now);
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
}
