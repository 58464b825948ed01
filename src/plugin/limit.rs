//! How many bytes may be in use, and how those wait who fill it.

use std::future::{Future, pending};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// Bytes in use against a maximum. Those who fill it check before they read more; one batch may overshoot.
#[derive(Debug)]
pub struct Limit {
    used: AtomicU64,
    max: AtomicU64,
    is_crowded: AtomicBool,
    /// Until when, or until how many bytes in use, those who fill it may go on where it is crowded.
    leave: Mutex<Leave>,
    freed: Notify,
    /// What these bytes count against as well.
    within: Option<Arc<Limit>>,
}

/// How long those who fill a [`Limit`] pause where more waits than is being taken away: long enough that what works at the other end gets
/// the processor, and short enough that what a slow server does not take still comes in, up to the maximum.
const CROWDED_WAIT: Duration = Duration::from_millis(100);
/// What comes in after each pause, from all of them together.
const CROWDED_BYTES: u64 = 4 << 20;

/// What may still come in while a limit is crowded.
#[derive(Debug)]
struct Leave {
    /// When it was given.
    since: Instant,
    /// As long as no more bytes are in use.
    upto: u64,
}

impl Limit {
    /// A limit of `max` bytes.
    pub fn new(max: u64) -> Limit {
        let leave = Mutex::new(Leave { since: Instant::now(), upto: 0 });
        Limit {
            used: AtomicU64::new(0),
            max: AtomicU64::new(max),
            is_crowded: AtomicBool::new(false),
            leave,
            freed: Notify::new(),
            within: None,
        }
    }

    /// A limit of `max` bytes whose bytes count against another one too: there is room where both have some.
    pub fn within(max: u64, outer: &Arc<Limit>) -> Limit {
        Limit { within: Some(Arc::clone(outer)), ..Limit::new(max) }
    }

    /// Bytes in use.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// The maximum in bytes.
    pub fn max(&self) -> u64 {
        self.max.load(Ordering::Relaxed)
    }

    /// Changes the maximum.
    pub fn set_max(&self, max: u64) {
        self.max.store(max, Ordering::Relaxed);
        self.freed.notify_waiters();
    }

    /// Whether there is no room.
    pub fn is_full(&self) -> bool {
        self.used() >= self.max() || self.within.as_ref().is_some_and(|outer| outer.is_full())
    }

    /// Whether nobody has to wait at all.
    pub(super) fn is_free(&self) -> bool {
        !self.is_full() && self.pause().is_none()
    }

    /// Until when those who fill it pause because it is crowded; `None` where they may go on.
    fn pause(&self) -> Option<Instant> {
        if !self.is_crowded.load(Ordering::Relaxed) {
            return None;
        }
        let mut leave = self.leave.lock().unwrap_or_else(PoisonError::into_inner);
        let (used, now) = (self.used(), Instant::now());
        if used < leave.upto {
            return None;
        }
        let end = leave.since + CROWDED_WAIT;
        if now < end {
            return Some(end);
        }
        *leave = Leave { since: now, upto: used + CROWDED_BYTES };
        None
    }

    /// Counts bytes in.
    pub fn take(&self, bytes: u64) {
        self.used.fetch_add(bytes, Ordering::Relaxed);
        self.within.iter().for_each(|outer| outer.take(bytes));
    }

    /// Counts bytes out and wakes those who wait for room.
    pub fn give_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
        self.freed.notify_waiters();
        self.within.iter().for_each(|outer| outer.give_back(bytes));
    }

    /// Says whether more waits at the other end than is being taken away: then those who wait for room pause even where there is some.
    pub fn set_crowded(&self, is_crowded: bool) {
        if self.is_crowded.load(Ordering::Relaxed) != is_crowded {
            *self.leave.lock().unwrap_or_else(PoisonError::into_inner) = Leave { since: Instant::now(), upto: 0 };
            self.is_crowded.store(is_crowded, Ordering::Relaxed);
        }
    }

    /// Waits until there is room; where it is crowded, in turns of so many bytes with pauses between them.
    pub async fn wait_for_room(&self) {
        self.wait_until(Limit::is_free).await;
    }

    /// The same for what is room to `has_room`.
    pub(super) async fn wait_until(&self, has_room: fn(&Limit) -> bool) {
        loop {
            // Had before it is looked at, so that nothing is missed.
            let freed = self.freed.notified();
            let outer_freed = self.within.as_ref().map(|outer| outer.freed.notified());
            if has_room(self) {
                return;
            }
            let pause = match self.is_full() {
                true => None,
                false => match self.pause() {
                    None => continue,
                    end => end,
                },
            };
            tokio::select! {
                () = freed => {}
                () = some(outer_freed) => {}
                () = some(pause.map(sleep_until)) => {}
            }
        }
    }
}

/// Waits for it, or for ever where there is none.
async fn some(wait: Option<impl Future<Output = ()>>) {
    match wait {
        Some(wait) => wait.await,
        None => pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn where_it_is_crowded_so_many_bytes_come_in_between_pauses() {
        let limit = Limit::new(1 << 30);
        let start = Instant::now();
        limit.set_crowded(true);
        let came = |at: u64| async move { (at, Instant::now()) };
        let mut seen = Vec::new();
        for at in 0..20 {
            limit.wait_for_room().await;
            limit.take(CROWDED_BYTES / 4);
            seen.push(came(at).await);
        }
        // Nothing at once, then what is allowed, whoever takes it, with a pause behind it.
        for (at, time) in seen {
            let pauses = 1 + at / 4;
            assert_eq!((time - start).as_millis() as u64 / 100, pauses, "{at}");
        }
        assert!(!limit.is_free());
        let waits = limit.wait_for_room();
        let frees = async {
            limit.set_crowded(false);
            limit.give_back(1);
        };
        let before = Instant::now();
        tokio::join!(waits, frees);
        assert!(before.elapsed() < Duration::from_millis(1), "who waits is told when it is crowded no more");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_read_waits_only_where_there_is_no_room() {
        let outer = Arc::new(Limit::new(100));
        let limit = Limit::within(1000, &outer);
        limit.set_crowded(true);
        limit.wait_until(|limit| !limit.is_full()).await;
        limit.take(100);
        assert!(limit.is_full() && outer.is_full());
        let before = Instant::now();
        tokio::join!(limit.wait_until(|limit| !limit.is_full()), async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            outer.give_back(1);
        });
        assert_eq!(before.elapsed().as_secs(), 5);
    }
}
