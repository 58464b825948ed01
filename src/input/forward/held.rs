//! The memory that unfinished messages take, over all connections: small beginnings are always held, large messages in turn once they take
//! much together.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout};

/// What unfinished messages may take together before large ones are read one at a time: with the largest message that is allowed it stays
/// below what the process may take beside its buffers.
const SHARED_BYTES: usize = 24 << 20;
/// A connection that holds no more than this may always go on.
pub const FAIR_BYTES: usize = 1 << 20;
/// How long a turn may be waited for, and may take.
const TURN_WAIT: Duration = Duration::from_secs(60);

static ALL: Together = Together::new();

/// What connections hold together.
#[derive(Debug)]
struct Together {
    bytes: AtomicUsize,
    turns: Semaphore,
}

impl Together {
    const fn new() -> Together {
        Together { bytes: AtomicUsize::new(0), turns: Semaphore::const_new(1) }
    }
}

/// What one connection holds.
#[derive(Debug)]
pub struct Held {
    all: &'static Together,
    bytes: usize,
    turn: Option<(SemaphorePermit<'static>, Instant)>,
}

/// The turn did not come in time, or took too long.
#[derive(Debug)]
pub struct TooMuch;

impl Default for Held {
    fn default() -> Held {
        Held { all: &ALL, bytes: 0, turn: None }
    }
}

impl Held {
    /// Counts what it holds now.
    pub fn set(&mut self, bytes: usize) {
        self.all.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.all.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        self.bytes = bytes;
    }

    /// Whether it holds more than may always be held.
    pub fn is_large(&self) -> bool {
        self.bytes > FAIR_BYTES
    }

    /// Waits until a large message may go on; whether it had to wait.
    pub async fn turn(&mut self) -> Result<bool, TooMuch> {
        match &self.turn {
            Some((_, since)) if since.elapsed() > TURN_WAIT => return Err(TooMuch),
            Some(_) => return Ok(false),
            None if self.all.bytes.load(Ordering::Relaxed) <= SHARED_BYTES => return Ok(false),
            None => {}
        }
        match timeout(TURN_WAIT, self.all.turns.acquire()).await {
            Ok(Ok(permit)) => {
                self.turn = Some((permit, Instant::now()));
                Ok(true)
            }
            _ => Err(TooMuch),
        }
    }

    /// Whether it is this one's turn.
    pub fn has_turn(&self) -> bool {
        self.turn.is_some()
    }

    /// The message is there: it is somebody else's turn.
    pub fn end_turn(&mut self) {
        self.turn = None;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.all.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn large_messages_take_turns_once_they_take_much_together() {
        let all = Box::leak(Box::new(Together::new()));
        let held = || Held { all, bytes: 0, turn: None };
        let (mut others, mut one, mut two) = (held(), held(), held());
        others.set(SHARED_BYTES + 1);
        one.set(FAIR_BYTES + 1);
        two.set(FAIR_BYTES);
        assert!(one.is_large() && !two.is_large());
        one.turn().await.unwrap();
        assert!(two.turn().await.is_err(), "the turn was taken twice");
        one.end_turn();
        two.turn().await.unwrap();
        two.turn().await.unwrap();
        tokio::time::sleep(TURN_WAIT * 2).await;
        assert!(two.turn().await.is_err(), "a turn without an end");
        drop(two);
        one.turn().await.unwrap();
    }
}
