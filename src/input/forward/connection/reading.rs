//! Bytes of a connection: waiting for them, and keeping the beginning of a message until the rest comes.

use super::super::held::TooMuch;
use super::{Connection, End, HALF_MESSAGE_WAIT, LAST_BYTES_WAIT, SMALL_REST_BYTES, Waited};
use crate::forward::spare;
use crate::net::Stream;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, timeout};

impl Connection {
    /// Waits for bytes, unless too many acks are owed, and for what becomes of those.
    pub(super) async fn more(&mut self, last_call: Option<Instant>) -> Result<Waited, End> {
        if std::mem::take(&mut self.has_unread) {
            return Ok(Waited::Input(self.take_kept()));
        }
        if last_call.is_none() && self.memory.is_large() {
            self.grow().await?;
        }
        let is_inside = self.decoder.is_inside();
        let mut stop = self.shared.stop.clone();
        let may_read = !self.owed.is_full();
        let read = read(&mut self.stream, &mut self.held, &mut self.rest);
        let result = match last_call {
            Some(end) if Instant::now() > end => return Ok(Waited::End),
            Some(_) => timeout(LAST_BYTES_WAIT, read).await.ok(),
            None => {
                let read = async {
                    match is_inside {
                        true => timeout(HALF_MESSAGE_WAIT, read).await.ok(),
                        false => Some(read.await),
                    }
                };
                tokio::select! {
                    biased;
                    () = self.owed.changed() => return Ok(Waited::Acks),
                    result = read, if may_read => result,
                    // The caller looks at the stop again and comes back for what is there already.
                    () = stop.wait() => return Ok(Waited::Input(self.take_kept())),
                }
            }
        };
        match result {
            Some(Ok(Some(input))) => Ok(Waited::Input(input)),
            Some(Err(_)) => Err(End::Socket),
            Some(Ok(None)) | None => Ok(Waited::End),
        }
    }

    /// Waits until a large message may be read on: not before there is room for it, and in turn where all of them take much memory.
    pub(super) async fn grow(&mut self) -> Result<(), End> {
        let tag = self.held.as_deref().and_then(|held| self.decoder.begun_tag(held));
        let mut stop = self.shared.stop.clone();
        loop {
            if let Some(tag) = tag.as_ref().filter(|_| !self.may_grow) {
                drop(self.permit(tag).await?);
            }
            self.may_grow = true;
            let has_waited = tokio::select! {
                biased;
                waited = self.memory.turn() => waited.map_err(|TooMuch| End::Memory)?,
                () = stop.wait() => return Ok(()),
            };
            let Some(tag) = tag.as_ref().filter(|_| has_waited) else { break };
            // Meanwhile the room may have gone to others; nobody waits for room in his turn.
            if let Ok(permit) = timeout(Duration::ZERO, self.permit(tag)).await {
                drop(permit?);
                break;
            }
            self.memory.end_turn();
            self.may_grow = false;
        }
        // In one step to its whole length: growing by and by leaves as much memory behind again.
        let wanted = self.decoder.begun_len() + spare::READ_BYTES;
        if let Some(held) = self.held.as_mut().filter(|held| held.capacity() < wanted) {
            held.reserve_exact(wanted - held.len());
            self.memory.set(held.capacity());
        }
        Ok(())
    }

    pub(super) fn take_kept(&mut self) -> Vec<u8> {
        self.held.take().unwrap_or_else(|| std::mem::take(&mut self.rest))
    }

    /// Keeps the beginning of a message until more of it comes.
    pub(super) fn keep(&mut self, input: Vec<u8>) {
        let mut held = 0;
        if input.len() <= SMALL_REST_BYTES {
            self.rest.clear();
            self.rest.shrink_to(input.len());
            self.rest.extend_from_slice(&input);
            spare::give(input);
        } else {
            held = input.capacity();
            self.held = Some(input);
        }
        self.memory.set(held);
    }
}

/// Reads once, behind what was kept. The buffer is taken when there is something to read, so that waiting needs none. `None` at the end.
async fn read(stream: &mut Stream, held: &mut Option<Vec<u8>>, rest: &mut Vec<u8>) -> io::Result<Option<Vec<u8>>> {
    poll_fn(|context| {
        let is_held = held.is_some();
        let mut input = held.take().unwrap_or_else(spare::take);
        if is_held {
            input.reserve(spare::READ_BYTES);
        } else {
            input.extend_from_slice(rest);
        }
        let polled = pin!(stream.read_buf(&mut input)).poll(context);
        match polled {
            Poll::Ready(Ok(0)) => Poll::Ready(Ok(None)),
            Poll::Ready(Ok(_)) => {
                rest.clear();
                Poll::Ready(Ok(Some(input)))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending if is_held => {
                *held = Some(input);
                Poll::Pending
            }
            Poll::Pending => {
                spare::give(input);
                Poll::Pending
            }
        }
    })
    .await
}
