//! A sender's wish for an ack, on its way with the events: whoever still has to store some of them holds a clone.
//!
//! The ack may go out once all clones are dropped and none was [refused](Receipt::refuse).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::sync::Notify;

#[derive(Debug)]
struct State {
    held: AtomicUsize,
    is_refused: AtomicBool,
    until_delivered: bool,
    settled: Arc<Notify>,
}

/// A wish that is not fulfilled yet.
#[derive(Debug)]
pub struct Receipt(Arc<State>);

/// The sender's side of a [`Receipt`].
#[derive(Debug)]
pub struct Claim(Arc<State>);

/// What became of a wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Somebody has still something to do.
    Open,
    /// The events are where they should be.
    Ack,
    /// They could not be stored: the sender has to keep them.
    No,
}

impl Receipt {
    /// A wish, and the claim to its answer; `settled` is told when there is one. With `until_delivered` the outputs have to have
    /// delivered, otherwise their buffers have to hold the events as durably as they can.
    pub fn new(until_delivered: bool, settled: &Arc<Notify>) -> (Receipt, Claim) {
        let state = State { held: AtomicUsize::new(1), is_refused: AtomicBool::new(false), until_delivered, settled: Arc::clone(settled) };
        let state = Arc::new(state);
        (Receipt(Arc::clone(&state)), Claim(state))
    }

    /// Whether it is held until the events are delivered.
    pub fn until_delivered(&self) -> bool {
        self.0.until_delivered
    }

    /// Whether it is a clone of the other.
    pub fn is_of_same(&self, other: &Receipt) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Says that the events could not be stored.
    pub fn refuse(&self) {
        self.0.is_refused.store(true, Ordering::Release);
    }
}

impl Clone for Receipt {
    fn clone(&self) -> Receipt {
        self.0.held.fetch_add(1, Ordering::Relaxed);
        Receipt(Arc::clone(&self.0))
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        if self.0.held.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.settled.notify_one();
        }
    }
}

impl Claim {
    /// The answer so far.
    pub fn answer(&self) -> Answer {
        match self.0.held.load(Ordering::Acquire) {
            0 if self.0.is_refused.load(Ordering::Acquire) => Answer::No,
            0 => Answer::Ack,
            _ => Answer::Open,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_one_settles() {
        let settled = Arc::new(Notify::new());
        let (receipt, claim) = Receipt::new(false, &settled);
        let other = receipt.clone();
        drop(receipt);
        assert_eq!(claim.answer(), Answer::Open);
        drop(other);
        assert_eq!(claim.answer(), Answer::Ack);
        let (receipt, claim) = Receipt::new(true, &settled);
        receipt.clone().refuse();
        drop(receipt);
        assert_eq!(claim.answer(), Answer::No);
    }
}
