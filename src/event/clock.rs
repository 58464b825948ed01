//! The clock that event times come from: the machine's, or on one thread one that is turned by hand, for rehearsals.

use super::EventTime;
use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// Whether any thread has ever turned its clock: others need not look at theirs.
static IS_ANY_TURNED: AtomicBool = AtomicBool::new(false);

thread_local! {
    static TURNED: Cell<Option<Turned>> = const { Cell::new(None) };
}

#[derive(Clone, Copy)]
struct Turned {
    at: EventTime,
    began: Instant,
    hidden: Duration,
}

/// This thread's clock, turned by hand until it is dropped: it goes on with the runtime's clock, which may be paused.
pub struct Clock {
    // It is this thread's.
    here: PhantomData<*const ()>,
}

impl Clock {
    /// It is that time now.
    pub fn turn_to(at: EventTime) -> Clock {
        IS_ANY_TURNED.store(true, Ordering::Relaxed);
        TURNED.set(Some(Turned { at, began: Instant::now(), hidden: Duration::ZERO }));
        Clock { here: PhantomData }
    }

    /// So much of the time that has passed on the runtime's clock does not count.
    pub fn hide(&self, time: Duration) {
        TURNED.set(TURNED.get().map(|turned| Turned { hidden: turned.hidden + time, ..turned }));
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        TURNED.set(None);
    }
}

/// Now.
pub(super) fn now() -> EventTime {
    if IS_ANY_TURNED.load(Ordering::Relaxed)
        && let Some(turned) = TURNED.get()
    {
        return turned.at.later(turned.began.elapsed().saturating_sub(turned.hidden));
    }
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => EventTime { sec: since.as_secs() as i64, nsec: since.subsec_nanos() },
        Err(before) => EventTime { sec: -(before.duration().as_secs() as i64), nsec: 0 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_turned_clock_goes_on_with_the_runtimes_and_back_to_the_machines() {
        let clock = Clock::turn_to(EventTime { sec: 100, nsec: 999_000_000 });
        assert_eq!(EventTime::now(), EventTime { sec: 100, nsec: 999_000_000 });
        tokio::time::advance(Duration::from_millis(1501)).await;
        clock.hide(Duration::from_millis(500));
        assert_eq!(EventTime::now(), EventTime { sec: 102, nsec: 0 });
        drop(clock);
        assert!(EventTime::now().sec > 1_700_000_000);
    }
}
