//! Chunks whose bytes are not in memory: they are read for each delivery, and told what became of it.

use super::Chunk;
use std::fmt;
use std::io;
use std::ops::Range;

/// Where the bytes of a chunk are. All calls may block.
pub trait Stored: Send + Sync + fmt::Debug {
    /// Reads what is to be delivered next: sets `bytes` and `records` of the chunk. What is damaged is reported and left out. Gives
    /// whether there is more to come after this.
    fn read(&self, chunk: &mut Chunk) -> io::Result<bool>;
    /// Of what was read last, only these ranges, in order, are still to be delivered.
    fn keep(&self, remaining: &[Range<usize>]);
    /// Everything is delivered, or kept elsewhere: it is not needed any more.
    fn done(&self);
}

/// A chunk that waits outside of memory.
#[derive(Debug)]
pub struct StoredChunk {
    /// Its name and keys; `bytes` is empty, `records` how many there are.
    pub chunk: Chunk,
    /// How many bytes it has.
    pub bytes: u64,
    /// Where they are.
    pub body: Box<dyn Stored>,
}
