//! Messages between the thread that reads and the one that answers: a queue with a bound in bytes, in which requests can be cancelled.

use super::message::{CANCELLED, Message, PARSE_ERROR};
use super::wire::{self, Frame};
use serde_json::Value;
use std::collections::VecDeque;
use std::io::BufRead;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// What may wait: a message of the largest size, and ordinary ones beside it.
const MAX_WAITING_BYTES: usize = 16 << 20;
/// A message costs at least this much, however short it is.
const MESSAGE_BYTES: usize = 512;

/// What [`Inbox::next`] gives.
pub enum Next {
    /// A message.
    Message(Message),
    /// The time that was given has come.
    Due,
    /// Somebody has called [`Inbox::wake`].
    Woken,
    /// No message will come any more.
    End,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<(Message, usize)>,
    bytes: usize,
    is_closed: bool,
    is_woken: bool,
}

/// The queue.
#[derive(Default)]
pub struct Inbox {
    state: Mutex<State>,
    changed: Condvar,
}

impl Inbox {
    /// Reads messages until there are no more.
    pub fn fill(&self, mut input: impl BufRead) {
        loop {
            let (message, bytes) = match wire::read(&mut input) {
                Frame::Body(body) => (Message::read(&body), body.len()),
                Frame::Broken(why) => (Message::Broken { id: Value::Null, code: PARSE_ERROR, why }, 0),
                Frame::End => break,
            };
            self.put(message, bytes + MESSAGE_BYTES);
        }
        self.lock().is_closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, message: Message, bytes: usize) {
        let mut state = self.lock();
        match &message {
            Message::Notification { method, params } if method == "$/cancelRequest" => return cancel(&mut state, &params["id"]),
            Message::Answer => return,
            _ => {}
        }
        while state.bytes + bytes > MAX_WAITING_BYTES && !state.waiting.is_empty() {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.bytes += bytes;
        state.waiting.push_back((message, bytes));
        drop(state);
        self.changed.notify_all();
    }

    /// Says that something other than a message is there.
    pub fn wake(&self) {
        self.lock().is_woken = true;
        self.changed.notify_all();
    }

    /// The next message; `due` is a time at which something else has to be done, before any message that waits then.
    pub fn next(&self, due: Option<Instant>) -> Next {
        let mut state = self.lock();
        loop {
            if std::mem::take(&mut state.is_woken) {
                return Next::Woken;
            }
            let left = due.map(|due| due.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Next::Due;
            }
            if let Some((message, bytes)) = state.waiting.pop_front() {
                state.bytes -= bytes;
                drop(state);
                self.changed.notify_all();
                return Next::Message(message);
            }
            if state.is_closed {
                return Next::End;
            }
            state = match left {
                Some(left) => self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

/// A request that still waits is answered as cancelled; one that has been answered, or never came, is forgotten.
fn cancel(state: &mut State, wanted: &Value) {
    for (message, _) in &mut state.waiting {
        if let Message::Request { id, method, .. } = message
            && id == wanted
        {
            // Without these two the server would be in another state than the client thinks.
            if matches!(method.as_str(), "initialize" | "shutdown") {
                continue;
            }
            *message = Message::Broken { id: id.clone(), code: CANCELLED, why: "the request was cancelled".to_owned() };
        }
    }
}
