//! A chunk on its way from the stage to the output, with what it has been through.

use super::retry::Retry;
use crate::buffer::{Chunk, Compress, RetrySettings, pack, unpack};
use std::io;
use tokio::time::Instant;

/// A chunk on its way.
#[derive(Debug)]
pub struct Waiting {
    /// The chunk; without bytes while it is packed.
    pub chunk: Chunk,
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
}

#[derive(Debug)]
struct Packed {
    how: Compress,
    bytes: Vec<u8>,
    length: usize,
}

impl Waiting {
    /// A chunk that has not been tried.
    pub fn new(chunk: Chunk, number: u64) -> Waiting {
        let counted = chunk.bytes.len() as u64;
        Waiting { chunk, packed: None, is_incompressible: false, retry: None, faults: 0, number, is_probe: false, counted }
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
        self.packed.is_none() && !self.is_incompressible && self.chunk.bytes.len() as u64 <= up_to
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
        self.packed.as_ref().map_or(self.chunk.bytes.len(), |packed| packed.bytes.len()) as u64
    }

    /// Unpacks it for delivery; the packed bytes stay, for the case that it fails.
    pub fn open(&mut self) -> io::Result<()> {
        if let Some(packed) = &self.packed
            && self.chunk.bytes.is_empty()
        {
            self.chunk.bytes = unpack(packed.how, &packed.bytes, packed.length)?;
        }
        Ok(())
    }

    /// Gives up the unpacked bytes if there are packed ones.
    pub fn close(&mut self) -> Vec<u8> {
        if self.packed.is_some() { std::mem::take(&mut self.chunk.bytes) } else { Vec::new() }
    }

    /// Makes what is left of it the chunk; gives the bytes that it had.
    pub fn keep_rest(&mut self, bytes: Vec<u8>, records: usize) -> Vec<u8> {
        self.packed = None;
        self.is_incompressible = false;
        self.chunk.records = records;
        self.counted = bytes.len() as u64;
        std::mem::replace(&mut self.chunk.bytes, bytes)
    }
}
