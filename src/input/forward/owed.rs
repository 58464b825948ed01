//! Acks that a connection owes: each is written once the events it is for are where they should be.

use crate::event::{Answer, Claim, Receipt};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// A connection that owes so many acks is not read from until some are settled.
const MAX_OWED: usize = 1024;

crate::choice! {
    /// When an ack is sent.
    pub enum AckAt { Received = "received", Buffered = "buffered", Delivered = "delivered" }
}

/// One ack.
#[derive(Debug)]
struct Ack {
    claim: Claim,
    /// Its bytes.
    length: usize,
    late_at: Instant,
}

/// Why acks are not sent any more: the connection is to be closed, and the sender keeps its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// The events could not be stored.
    Refused,
    /// They were not where they should be in time.
    Late,
}

/// The acks of one connection, in order.
#[derive(Debug, Default)]
pub struct Owed {
    settled: Arc<Notify>,
    acks: VecDeque<Ack>,
    bytes: Vec<u8>,
}

impl Owed {
    /// A wish for an ack to go with events, and the claim to it.
    pub fn ask(&self, at: AckAt) -> (Receipt, Claim) {
        Receipt::new(at == AckAt::Delivered, &self.settled)
    }

    /// Owes these acks as soon as the claim is settled, within `limit`.
    pub fn push(&mut self, claim: Claim, acks: &[u8], limit: Duration) {
        self.acks.push_back(Ack { claim, length: acks.len(), late_at: Instant::now() + limit });
        self.bytes.extend_from_slice(acks);
    }

    /// Whether none is owed.
    pub fn is_empty(&self) -> bool {
        self.acks.is_empty()
    }

    /// Whether so many are owed that no more may come.
    pub fn is_full(&self) -> bool {
        self.acks.len() >= MAX_OWED
    }

    /// The acks that can be written now.
    pub fn take_settled(&mut self) -> Result<Vec<u8>, Broken> {
        let mut length = 0;
        while let Some(first) = self.acks.front() {
            match first.claim.answer() {
                Answer::Ack => length += first.length,
                Answer::No => return Err(Broken::Refused),
                Answer::Open if first.late_at <= Instant::now() => return Err(Broken::Late),
                Answer::Open => break,
            }
            self.acks.pop_front();
        }
        Ok(self.bytes.drain(..length).collect())
    }

    /// Waits until something may have become of the first ack; for ever where none is owed.
    pub async fn changed(&self) {
        let Some(first) = self.acks.front() else { return std::future::pending().await };
        if first.claim.answer() != Answer::Open {
            return;
        }
        tokio::select! {
            () = self.settled.notified() => {}
            () = sleep_until(first.late_at) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn acks_go_out_in_order_once_they_are_settled() {
        let mut owed = Owed::default();
        let (one, claim) = owed.ask(AckAt::Buffered);
        owed.push(claim, b"one", LIMIT);
        let (two, claim) = owed.ask(AckAt::Delivered);
        assert!(two.until_delivered() && !one.until_delivered());
        owed.push(claim, b"two", LIMIT);
        drop(two);
        assert_eq!(owed.take_settled(), Ok(Vec::new()));
        drop(one);
        owed.changed().await;
        assert_eq!(owed.take_settled(), Ok(b"onetwo".to_vec()));
        assert!(owed.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_refused_or_late_breaks_the_connection() {
        let mut owed = Owed::default();
        let (receipt, claim) = owed.ask(AckAt::Buffered);
        owed.push(claim, b"x", LIMIT);
        let began = Instant::now();
        while owed.take_settled() == Ok(Vec::new()) {
            owed.changed().await;
        }
        assert_eq!((owed.take_settled(), began.elapsed().as_secs()), (Err(Broken::Late), LIMIT.as_secs()));
        receipt.refuse();
        drop(receipt);
        assert_eq!(owed.take_settled(), Err(Broken::Refused));
    }
}
