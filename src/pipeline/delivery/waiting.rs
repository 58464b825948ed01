//! A chunk on its way from the stage to the output, with what it has been through.

use super::retry::Retry;
use crate::buffer::names::{self, Source};
use crate::buffer::{Chunk, Closed, Compress, RetrySettings, Stored, pack, unpack};
use crate::event::Receipt;
use std::io;
use std::ops::Range;
use std::thread::ThreadId;
use std::time::Duration;
use tokio::time::Instant;

/// A thread that has filled a chunk leaves it to writers on other threads for so long: about as long as one has a chunk in hand, and too
/// short to be noticed.
const OTHERS_WAIT: Duration = Duration::from_millis(5);

/// A chunk on its way.
#[derive(Debug)]
pub struct Waiting {
    /// The chunk; without bytes while it is packed or on disk, and with a part of it where it is read in parts.
    pub chunk: Chunk,
    /// Where its bytes are, if not in memory.
    pub body: Option<Box<dyn Stored>>,
    /// Whether there is more than the part at hand, and about how many events that is.
    has_more: bool,
    beyond: usize,
    /// Who waits for its delivery.
    pub receipts: Vec<Receipt>,
    /// Its bytes, compressed.
    packed: Option<Packed>,
    /// Whether compressing it was tried, in vain.
    is_incompressible: bool,
    /// Its failures so far, and those that it shares with others.
    pub retry: Option<Retry>,
    /// Failures that may have been its own fault.
    pub faults: u32,
    /// Place in the order of filling.
    pub number: u64,
    /// Whether it is the one that is tried in an outage.
    pub is_probe: bool,
    /// Its bytes as they are kept.
    pub counted: u64,
    /// Who has queued it, and when.
    queued: (ThreadId, Instant),
}

#[derive(Debug)]
struct Packed {
    how: Compress,
    bytes: Vec<u8>,
    length: usize,
}

impl Waiting {
    /// A chunk that has not been tried.
    pub fn new(closed: Closed, number: u64) -> Waiting {
        let Closed { chunk, bytes, body, receipts, .. } = closed;
        Waiting {
            chunk,
            body,
            has_more: false,
            beyond: 0,
            receipts,
            packed: None,
            is_incompressible: false,
            retry: None,
            faults: 0,
            number,
            is_probe: false,
            counted: bytes,
            queued: (std::thread::current().id(), Instant::now()),
        }
    }

    /// Until when it is not for writers on this thread, if it was filled here.
    pub fn left_to_others(&self) -> Option<Instant> {
        let (thread, since) = self.queued;
        (thread == std::thread::current().id()).then(|| since + OTHERS_WAIT)
    }

    /// How many events it has, those included that are not at hand.
    pub fn records(&self) -> usize {
        self.chunk.records + self.beyond
    }

    /// Whether there is more than the part at hand.
    pub fn has_more(&self) -> bool {
        self.has_more
    }

    /// Counts a failure.
    pub fn fail(&mut self, how: &RetrySettings, has_secondary: bool, now: Instant) {
        match &mut self.retry {
            Some(retry) => retry.fail(how, now),
            None => self.retry = Some(Retry::new(how, has_secondary, now)),
        }
    }

    /// Whether it has failed often enough.
    pub fn is_at_limit(&self, how: &RetrySettings) -> bool {
        self.retry.as_ref().is_some_and(|retry| retry.is_at_limit(how))
    }

    /// Whether it is the secondary's turn.
    pub fn is_for_secondary(&self, now: Instant) -> bool {
        self.retry.as_ref().is_some_and(|retry| retry.uses_secondary(now))
    }

    /// Whether it makes sense to compress it.
    pub fn is_packable(&self, up_to: u64) -> bool {
        self.body.is_none() && self.packed.is_none() && !self.is_incompressible && self.chunk.bytes.len() as u64 <= up_to
    }

    /// Compresses it, unless that gains nothing; takes a while. Gives the memory that is free now.
    pub fn pack(&mut self, how: Compress) -> Vec<u8> {
        match pack(how, &self.chunk.bytes) {
            Ok(Some(bytes)) => {
                self.packed = Some(Packed { how, bytes, length: self.chunk.bytes.len() });
                std::mem::take(&mut self.chunk.bytes)
            }
            Ok(None) | Err(_) => {
                self.is_incompressible = true;
                Vec::new()
            }
        }
    }

    /// How many bytes it takes as it is kept.
    pub fn kept_bytes(&self) -> u64 {
        if self.body.is_some() {
            return self.counted;
        }
        self.packed.as_ref().map_or(self.chunk.bytes.len(), |packed| packed.bytes.len()) as u64
    }

    /// Reads or unpacks it for delivery, or the next part of it; what it is made from stays, for the case that it fails. Gives how many
    /// events turned out to be gone.
    pub fn open(&mut self) -> io::Result<usize> {
        if let Some(body) = &self.body {
            let all = self.chunk.records + std::mem::take(&mut self.beyond);
            self.has_more = body.read(&mut self.chunk)?;
            let rest = all.saturating_sub(self.chunk.records);
            // How many there are is not quite known of what was found at the start.
            self.beyond = if self.has_more { rest.max(1) } else { 0 };
            return Ok(if self.has_more { 0 } else { rest });
        }
        if let Some(packed) = &self.packed
            && self.chunk.bytes.is_empty()
        {
            self.chunk.bytes = unpack(packed.how, &packed.bytes, packed.length)?;
        }
        Ok(0)
    }

    /// Gives up the bytes at hand if there are others to make them from.
    pub fn close(&mut self) -> Vec<u8> {
        self.chunk.records += std::mem::take(&mut self.beyond);
        self.has_more = false;
        if self.packed.is_some() || self.body.is_some() { std::mem::take(&mut self.chunk.bytes) } else { Vec::new() }
    }

    /// Makes what is left of it the chunk: these ranges of the bytes at hand, and what is not at hand. Gives the bytes that it had.
    pub fn keep_rest(&mut self, ranges: &[Range<usize>], records: usize) -> Vec<u8> {
        let kept: usize = ranges.iter().map(Range::len).sum();
        self.chunk.records = records;
        if let Some(body) = &self.body {
            body.keep(ranges);
            self.counted = self.counted.saturating_sub((self.chunk.bytes.len() - kept) as u64);
            return self.close();
        }
        let mut rest = Vec::with_capacity(kept);
        ranges.iter().for_each(|range| rest.extend_from_slice(&self.chunk.bytes[range.clone()]));
        // The places that the events had stay theirs.
        if self.chunk.sources.is_empty() {
            names::push(&mut self.chunk.sources, 0, Source::Place(0));
        }
        self.chunk.sources = names::cut(&self.chunk.sources, &self.chunk.bytes, ranges);
        self.packed = None;
        self.is_incompressible = false;
        self.counted = kept as u64;
        std::mem::replace(&mut self.chunk.bytes, rest)
    }

    /// Says that it is done with, wherever it is.
    pub fn done(&self) {
        if let Some(body) = &self.body {
            body.done();
        }
    }
}
