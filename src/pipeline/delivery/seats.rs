//! Where writers wait for chunks, one seat or more on each thread, and which of them is told of one.
//!
//! Whoever fills a chunk is busy, and so is the thread it runs on: a writer on another one is told first.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;
use tokio::sync::Notify;

/// The writers of one output, of which only so many write at once.
pub struct Crew {
    /// How many may.
    pub most: usize,
    /// How many do. Changed by the [queue](super::queue::Queue) alone, under its lock.
    pub writing: AtomicUsize,
}

impl Crew {
    /// Of which so many may write at once.
    pub fn new(most: usize) -> Crew {
        Crew { most, writing: AtomicUsize::new(0) }
    }

    /// Whether one more may.
    pub fn has_turn(&self) -> bool {
        self.writing.load(Ordering::Relaxed) < self.most
    }
}

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
    /// Whether it knows that it was woken, or has found something to do by itself.
    is_settled: AtomicBool,
}

impl Seats {
    /// Takes a seat, to be had before one looks whether there is something to do, so that nothing is missed.
    pub fn sit(&self) -> Seat<'_> {
        let wake = Arc::new(Notify::new());
        self.waiting().push(Waiting { thread: std::thread::current().id(), wake: Arc::clone(&wake) });
        Seat { seats: self, wake, is_settled: AtomicBool::new(false) }
    }

    /// Wakes one writer on another thread and one on this, if there are any: this one waits a little for the other.
    pub fn wake_for_new(&self) {
        let mut waiting = self.waiting();
        wake(&mut waiting, |is_here| !is_here);
        wake(&mut waiting, |is_here| is_here);
    }

    /// Wakes one writer, on another thread if there is any.
    pub fn wake_one(&self) {
        let mut waiting = self.waiting();
        let _ = wake(&mut waiting, |is_here| !is_here) || wake(&mut waiting, |is_here| is_here);
    }

    /// Wakes one writer on another thread, if there is any.
    pub fn wake_other(&self) {
        wake(&mut self.waiting(), |is_here| !is_here);
    }

    /// Wakes all of them.
    pub fn wake_all(&self) {
        self.waiting().drain(..).for_each(|one| one.wake.notify_one());
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes the last one of those that `suits`, by whether they are on this thread: it had something to do not long ago.
fn wake(waiting: &mut Vec<Waiting>, suits: impl Fn(bool) -> bool) -> bool {
    let here = std::thread::current().id();
    let found = waiting.iter().rposition(|one| suits(one.thread == here));
    found.map(|at| waiting.remove(at).wake.notify_one()).is_some()
}

impl Seat<'_> {
    /// Waits until somebody wakes it.
    pub async fn woken(&self) {
        self.wake.notified().await;
        self.is_settled.store(true, Ordering::Relaxed);
    }

    /// Nobody need wake it: it has something to do.
    pub fn leave(&self) {
        self.is_settled.store(true, Ordering::Relaxed);
        self.unlist();
    }

    /// Whether it was still listed.
    fn unlist(&self) -> bool {
        let mut waiting = self.seats.waiting();
        let before = waiting.len();
        waiting.retain(|one| !Arc::ptr_eq(&one.wake, &self.wake));
        waiting.len() < before
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        // Who was woken and will never know passes it on.
        if !self.unlist() && !self.is_settled.load(Ordering::Relaxed) {
            self.seats.wake_one();
        }
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

    #[test]
    fn a_new_chunk_wakes_one_here_and_one_elsewhere() {
        let seats = Seats::default();
        let (first, second) = (seats.sit(), seats.sit());
        let other = std::thread::scope(|scope| scope.spawn(|| seats.sit()).join().unwrap());
        seats.wake_for_new();
        assert_eq!([&first, &second, &other].map(is_woken), [false, true, true]);
    }

    #[test]
    fn who_goes_without_having_known_passes_it_on() {
        let seats = Seats::default();
        let (stays, gone) = (seats.sit(), seats.sit());
        seats.wake_one();
        drop(gone);
        assert!(is_woken(&stays));
        let (stays, busy) = (seats.sit(), seats.sit());
        busy.leave();
        seats.wake_one();
        assert!(is_woken(&stays), "who is busy is not woken");
        let (stays, busy) = (seats.sit(), seats.sit());
        seats.wake_one();
        busy.leave();
        drop(busy);
        assert!(!is_woken(&stays), "who has found something to do has no need to pass it on");
    }
}
