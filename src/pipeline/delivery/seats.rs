//! Where writers wait for chunks, one seat or more on each thread, and which of them is told of one.
//!
//! Whoever fills a chunk is busy, and so is the thread it runs on: a writer on another one is told first.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;
use tokio::sync::Notify;

/// Writers that have nothing to do.
#[derive(Default)]
pub struct Seats {
    waiting: Mutex<Vec<Waiting>>,
}

struct Waiting {
    thread: ThreadId,
    wake: Arc<Notify>,
}

/// The place of a writer that waits, as long as it does.
pub struct Seat<'s> {
    seats: &'s Seats,
    wake: Arc<Notify>,
}

impl Seats {
    /// Takes a seat, to be had before one looks whether there is something to do, so that nothing is missed.
    pub fn sit(&self) -> Seat<'_> {
        let wake = Arc::new(Notify::new());
        self.waiting().push(Waiting { thread: std::thread::current().id(), wake: Arc::clone(&wake) });
        Seat { seats: self, wake }
    }

    /// Wakes one writer, on another thread if there is any.
    pub fn wake_one(&self) {
        self.wake(true);
    }

    /// Wakes one writer on another thread, if there is any.
    pub fn wake_other(&self) {
        self.wake(false);
    }

    fn wake(&self, or_here: bool) {
        let mut waiting = self.waiting();
        let here = std::thread::current().id();
        // The last one: it had something to do not long ago.
        let other = waiting.iter().rposition(|one| one.thread != here);
        if let Some(at) = other.or_else(|| waiting.len().checked_sub(1).filter(|_| or_here)) {
            waiting.remove(at).wake.notify_one();
        }
    }

    /// Wakes all of them.
    pub fn wake_all(&self) {
        self.waiting().drain(..).for_each(|one| one.wake.notify_one());
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat<'_> {
    /// Waits until somebody wakes it.
    pub async fn woken(&self) {
        self.wake.notified().await;
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.seats.waiting().retain(|one| !Arc::ptr_eq(&one.wake, &self.wake));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    fn is_woken(seat: &Seat<'_>) -> bool {
        pin!(seat.woken()).poll(&mut Context::from_waker(Waker::noop())) == Poll::Ready(())
    }

    #[test]
    fn one_on_another_thread_is_woken_first_and_each_once() {
        let seats = Seats::default();
        let own = seats.sit();
        let other = std::thread::scope(|scope| scope.spawn(|| seats.sit()).join().unwrap());
        let last = seats.sit();
        seats.wake_other();
        assert_eq!([&own, &other, &last].map(is_woken), [false, true, false]);
        seats.wake_other();
        assert_eq!([&own, &other, &last].map(is_woken), [false, false, false]);
        seats.wake_one();
        assert_eq!([&own, &other, &last].map(is_woken), [false, false, true]);
        seats.wake_one();
        seats.wake_one();
        assert_eq!([&own, &other, &last].map(is_woken), [true, false, false]);
        let (stays, gone) = (seats.sit(), seats.sit());
        drop(gone);
        seats.wake_one();
        assert!(is_woken(&stays), "who has left is not in the way");
    }
}
