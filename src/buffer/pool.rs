//! Memory of chunks that have been delivered, kept for the next ones. A chunk takes part only once it has outgrown what is small,
//! so that many chunk keys with a few bytes each do not sit on large blocks.

use std::collections::TryReserveError;

/// A chunk below this lives in memory of its own.
pub const SMALL_BYTES: usize = 64 << 10;
/// Addresses that a growing chunk gets at once: Fluentd's default size of chunks in memory.
const ROOM_AT_ONCE: usize = 8 << 20;

/// The system's large pages: one is had for a fraction of what its 512 small ones cost, and found by the processor more often.
const LARGE_PAGE_BYTES: usize = 2 << 20;

/// Blocks given back. Bounded in number and bytes.
#[derive(Debug, Default)]
pub struct Pool {
    blocks: Vec<Vec<u8>>,
    max_blocks: usize,
    max_block_bytes: usize,
    /// The fewest blocks that lay here since the last trim: so many were of no use.
    unused: usize,
}

impl Pool {
    /// A pool of at most `max_blocks` blocks of at most `max_block_bytes` each.
    pub fn new(max_blocks: usize, max_block_bytes: usize) -> Pool {
        Pool { blocks: Vec::new(), max_blocks, max_block_bytes, unused: 0 }
    }

    /// Makes room for `more` bytes in `bytes`, which will not grow beyond `limit` if it can be helped.
    pub fn grow(&mut self, bytes: &mut Vec<u8>, more: usize, limit: usize) {
        let needed = bytes.len() + more;
        if needed <= bytes.capacity() {
            return;
        }
        if needed > SMALL_BYTES
            && let Some(mut block) = self.take(needed)
        {
            block.extend_from_slice(bytes);
            *bytes = block;
            return;
        }
        let capacity = wanted(bytes.len(), bytes.capacity(), needed, limit);
        bytes.reserve_exact(capacity - bytes.len());
        want_large_pages(bytes, LARGE_PAGE_BYTES);
    }

    /// Sees to it that [`Pool::grow`] of bytes of such a length and capacity finds memory; fails where the system has none. What is small is
    /// not asked for: it fits in what is too little for a large block.
    pub fn provide(&mut self, length: usize, capacity: usize, more: usize, limit: usize) -> Result<(), TryReserveError> {
        let needed = length + more;
        if needed <= capacity.max(SMALL_BYTES) || self.blocks.iter().any(|block| block.capacity() >= needed) {
            return Ok(());
        }
        let mut block = Vec::new();
        block.try_reserve_exact(wanted(length, capacity, needed, limit))?;
        want_large_pages(&mut block, LARGE_PAGE_BYTES);
        self.blocks.push(block);
        Ok(())
    }

    /// An empty block with room for so many bytes, all of which will be filled.
    pub fn block(&mut self, needed: usize) -> Vec<u8> {
        self.take(needed).unwrap_or_else(|| {
            let mut block = Vec::with_capacity(needed);
            want_large_pages(&mut block, 0);
            block
        })
    }

    /// Takes the memory of a chunk that is done.
    pub fn give(&mut self, mut bytes: Vec<u8>) {
        if self.blocks.len() < self.max_blocks && bytes.capacity() > SMALL_BYTES && bytes.capacity() <= self.max_block_bytes {
            bytes.clear();
            self.blocks.push(bytes);
        }
    }

    /// Frees one block, the largest, if not all were wanted since the last call: an idle output keeps nothing in the end.
    pub fn trim(&mut self) {
        if self.unused > 0
            && let Some(largest) = (0..self.blocks.len()).max_by_key(|&at| self.blocks[at].capacity())
        {
            self.blocks.swap_remove(largest);
        }
        if self.blocks.is_empty() {
            self.blocks = Vec::new();
        }
        self.unused = self.blocks.len();
    }

    fn take(&mut self, needed: usize) -> Option<Vec<u8>> {
        // What was given back last is the most likely to be still in the processor's caches.
        let at = self.blocks.iter().rposition(|block| block.capacity() >= needed)?;
        let block = self.blocks.remove(at);
        self.unused = self.unused.min(self.blocks.len());
        Some(block)
    }
}

/// The capacity that bytes grow to. A chunk that is no longer small mostly fills up: room for all of it at once spares copying it at every
/// doubling, and what is not written to takes no memory. Not past the limit: the last step would waste up to half of it.
fn wanted(length: usize, capacity: usize, needed: usize, limit: usize) -> usize {
    let step = if needed > SMALL_BYTES { length + ROOM_AT_ONCE } else { 0 };
    (capacity * 2).max(step).min(limit).max(needed)
}

/// Asks the system for large pages for a new block from a place on: what a small chunk has is not made larger by them. Where it has none, or
/// is set up not to give any, nothing changes.
fn want_large_pages(block: &mut Vec<u8>, from: usize) {
    let room = block.spare_capacity_mut();
    let Some(room) = room.get_mut(from..).filter(|room| room.len() >= LARGE_PAGE_BYTES) else { return };
    let before = room.as_ptr().align_offset(LARGE_PAGE_BYTES);
    let length = room.len().saturating_sub(before) / LARGE_PAGE_BYTES * LARGE_PAGE_BYTES;
    let Some(pages) = room.get_mut(before..before + length).filter(|pages| !pages.is_empty()) else { return };
    // SAFETY: the range is the block's own, and the advice changes nothing of what is in it.
    unsafe { libc::madvise(pages.as_mut_ptr().cast(), pages.len(), libc::MADV_HUGEPAGE) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_blocks_are_used_again_and_freed_when_idle() {
        let mut pool = Pool::new(2, 1 << 20);
        let mut bytes = Vec::new();
        pool.grow(&mut bytes, 200 << 10, 1 << 20);
        bytes.resize(200 << 10, 1);
        let block = bytes.as_ptr();
        pool.give(bytes);
        let mut small = Vec::new();
        pool.grow(&mut small, 10, 1 << 20);
        assert_ne!(small.as_ptr(), block);
        small.extend_from_slice(b"0123456789");
        pool.grow(&mut small, 100 << 10, 1 << 20);
        assert_eq!((small.as_ptr(), small.as_slice()), (block, b"0123456789".as_slice()));
        pool.give(small);
        pool.trim();
        pool.trim();
        assert!(pool.blocks.is_empty());
    }

    #[test]
    fn a_block_that_is_used_does_not_keep_the_others() {
        let mut pool = Pool::new(4, 1 << 20);
        (1..=4).for_each(|n| pool.give(Vec::with_capacity(n * (100 << 10))));
        for _ in 0..5 {
            pool.trim();
            let mut bytes = Vec::new();
            pool.grow(&mut bytes, 90 << 10, 1 << 20);
            pool.give(bytes);
        }
        assert_eq!(pool.blocks.iter().map(Vec::capacity).collect::<Vec<_>>(), [100 << 10]);
    }

    #[test]
    fn growth_doubles_up_to_the_limit() {
        let mut pool = Pool::new(0, 0);
        let mut bytes = vec![0; 700];
        pool.grow(&mut bytes, 1, 1000);
        assert!(bytes.capacity() >= 701 && bytes.capacity() <= 1000, "{}", bytes.capacity());
        pool.grow(&mut bytes, 5000, 1000);
        assert!(bytes.capacity() >= 5700);
        pool.give(bytes);
        assert!(pool.blocks.is_empty());
    }
}
