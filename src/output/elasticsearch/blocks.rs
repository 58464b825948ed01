//! Memory of request bodies: kept when an answer has come, for the bodies of the next chunk. Fresh memory costs as much as writing a body.

use crate::buffer::Pool;
use hyper::body::Bytes;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Blocks kept: what a few flush threads turn over.
const KEPT: usize = 4;
/// A larger body gives its memory back to the system at once.
const KEPT_BYTES: usize = 32 << 20;

/// The blocks of one output.
#[derive(Clone)]
pub struct Blocks(Arc<Mutex<Pool>>);

impl Blocks {
    /// Nothing is kept yet.
    pub fn new() -> Blocks {
        Blocks(Arc::new(Mutex::new(Pool::new(KEPT, KEPT_BYTES))))
    }

    /// An empty block with room for so many bytes.
    pub fn take(&self, needed: usize) -> Vec<u8> {
        self.pool().block(needed)
    }

    /// A body to be sent; its block comes back when nobody holds any part of it.
    pub fn lend(&self, bytes: Vec<u8>) -> Bytes {
        Bytes::from_owner(Lent { bytes, blocks: self.clone() })
    }

    /// Frees a block, if it was of no use lately.
    pub fn trim(&self) {
        self.pool().trim();
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Lent {
    bytes: Vec<u8>,
    blocks: Blocks,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.blocks.pool().give(std::mem::take(&mut self.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_comes_back_with_the_last_part_of_its_body() {
        let blocks = Blocks::new();
        let mut bytes = blocks.take(100 << 10);
        bytes.extend_from_slice(b"a body");
        let place = bytes.as_ptr();
        let body = blocks.lend(bytes);
        let part = body.slice(2..);
        drop(body);
        let other = blocks.take(100 << 10);
        assert_ne!(other.as_ptr(), place);
        assert_eq!(part, "body");
        drop(part);
        let again = blocks.take(90 << 10);
        assert_eq!((again.as_ptr(), again.len()), (place, 0));
    }
}
