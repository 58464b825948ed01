//! Bytes of a connection: waiting for them, and keeping the beginning of a message until the rest comes.

use super::super::held::{FAIR_BYTES, TooMuch};
use super::{Connection, End, HALF_MESSAGE_WAIT, LAST_BYTES_WAIT, SMALL_REST_BYTES, Shared, Waited};
use crate::event::{Tag, append};
use crate::forward::spare;
use crate::net::Stream;
use crate::plugin::Emitter;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, timeout};

/// No less room is left than this for a read of which nothing is known.
const LEAST_READ_BYTES: usize = 4 << 10;

impl Connection {
    /// Waits for bytes, unless too many acks are owed, and for what becomes of those.
    pub(super) async fn more(&mut self, last_call: Option<Instant>) -> Result<Waited, End> {
        if std::mem::take(&mut self.has_unread) {
            return Ok(Waited::Input(self.take_kept()));
        }
        if last_call.is_none() && self.memory.is_large() {
            Box::pin(self.grow()).await?;
        }
        loop {
            let is_inside = self.decoder.is_inside();
            let mut stop = self.shared.stop.clone();
            let may_read = !self.owed.is_full();
            let wanted = if is_inside { self.decoder.begun_len() } else { 0 };
            // In his turn nobody waits for room.
            let asks = last_call.is_none() && !self.memory.has_turn();
            let room = self.last_tag.as_ref().filter(|_| asks).map(|tag| (&self.setup.emitter, tag));
            let read = read(&mut self.stream, &mut self.held, &mut self.rest, wanted, room);
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
                Some(Ok(Found::Input(input))) => return Ok(Waited::Input(input)),
                Some(Ok(Found::NoRoom)) => {
                    if let Some(waited) = Box::pin(self.wait_for_room()).await {
                        return Ok(waited);
                    }
                }
                Some(Err(_)) => return Err(End::Socket),
                Some(Ok(Found::End)) | None => return Ok(Waited::End),
            }
        }
    }

    /// Waits for room for what comes next, as far as is known, so that nothing is read that has to wait for it in memory; what else there is
    /// to be done before that.
    async fn wait_for_room(&mut self) -> Option<Waited> {
        let tag = self.last_tag.clone()?;
        let Shared { current, stop } = &mut self.shared;
        tokio::select! {
            biased;
            _ = self.setup.emitter.reserve(&tag) => None,
            () = stop.wait() => Some(Waited::Input(self.take_kept())),
            Ok(()) = current.changed() => {
                self.setup = Arc::clone(&current.borrow_and_update());
                None
            }
            () = self.owed.changed() => Some(Waited::Acks),
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

/// What reading once came to.
enum Found {
    Input(Vec<u8>),
    /// There is something, and no room for it.
    NoRoom,
    End,
}

/// Reads once, behind what was kept; `wanted` is how long that will be at least. The buffer is taken when there is something to read, so that
/// waiting needs none.
async fn read(
    stream: &mut Stream,
    held: &mut Option<Vec<u8>>,
    rest: &mut Vec<u8>,
    wanted: usize,
    room: Option<(&Emitter, &Tag)>,
) -> io::Result<Found> {
    poll_fn(|context| {
        // Peers that have gone are noticed nevertheless.
        if room.is_some_and(|(emitter, tag)| !emitter.has_room(tag)) && ready!(stream.poll_has_bytes(context)) {
            return Poll::Ready(Ok(Found::NoRoom));
        }
        let is_held = held.is_some();
        let mut input = held.take().unwrap_or_else(spare::take);
        if is_held {
            make_room(&mut input, wanted);
        } else {
            input.extend_from_slice(rest);
        }
        let polled = pin!(stream.read_buf(&mut input)).poll(context);
        match polled {
            Poll::Ready(Ok(0)) => Poll::Ready(Ok(Found::End)),
            Poll::Ready(Ok(_)) => {
                rest.clear();
                Poll::Ready(Ok(Found::Input(input)))
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

/// Lets a buffer grow where it holds neither all that is wanted nor another read: as far as that, in one step, as each step is a copy.
fn make_room(input: &mut Vec<u8>, wanted: usize) {
    let missing = wanted.min(FAIR_BYTES).saturating_sub(input.len());
    let needed = if missing > 0 { missing.min(spare::READ_BYTES) } else { LEAST_READ_BYTES };
    if input.capacity() - input.len() < needed {
        let mut larger = Vec::with_capacity((input.len() + missing.max(spare::READ_BYTES)).max(2 * input.capacity()));
        append(input, &mut larger);
        spare::give(std::mem::replace(input, larger));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_grows_once_for_a_message_and_not_where_the_end_of_it_fits() {
        let mut input = vec![0; spare::READ_BYTES];
        input.shrink_to_fit();
        make_room(&mut input, 300 << 10);
        let capacity = input.capacity();
        assert!((300 << 10..400 << 10).contains(&capacity), "{capacity}");
        input.resize(299 << 10, 0);
        make_room(&mut input, 300 << 10);
        assert_eq!(input.capacity(), capacity);
        // Where it is not known how much there is, by and by.
        input.resize(capacity - 1, 0);
        make_room(&mut input, 0);
        assert!(input.capacity() >= 2 * capacity);
        // No more is believed than a connection may always have.
        let mut input = vec![0; 10];
        make_room(&mut input, 1 << 30);
        assert!(input.capacity() <= FAIR_BYTES + 10);
    }
}
