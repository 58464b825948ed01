//! Buffers that the connections of a thread take turns with, so that an idle connection holds none.

use std::cell::RefCell;

/// How much is read at once: some hundred events of the usual size, and little enough for each of many busy connections.
pub const READ_BYTES: usize = 64 << 10;
/// Buffers a thread keeps: one connection's worth, as only one runs at a time.
const KEPT: usize = 4;
/// A buffer that has grown past this is freed rather than kept: one huge message must not pin memory.
const KEPT_BYTES: usize = 1 << 20;

thread_local! {
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer with room for one read at least: the largest there is, as what comes next is most likely as long as what came last.
pub fn take() -> Vec<u8> {
    SPARE.with_borrow_mut(|spare| {
        let largest = (0..spare.len()).max_by_key(|&at| spare[at].capacity());
        largest.map_or_else(|| Vec::with_capacity(READ_BYTES), |at| spare.swap_remove(at))
    })
}

/// Gives a buffer back, whatever it holds.
pub fn give(mut buffer: Vec<u8>) {
    if !(READ_BYTES..=KEPT_BYTES).contains(&buffer.capacity()) {
        return;
    }
    buffer.clear();
    SPARE.with_borrow_mut(|spare| {
        if spare.len() < KEPT {
            spare.push(buffer);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_a_few_the_largest_first_and_neither_dwarfs_nor_giants() {
        (0..2 * KEPT).for_each(|_| give(Vec::with_capacity(10)));
        give(Vec::with_capacity(KEPT_BYTES + 1));
        assert_eq!(SPARE.with_borrow(Vec::len), 0);
        (0..2 * KEPT).for_each(|at| give(Vec::with_capacity(READ_BYTES * (1 + at % 3))));
        assert_eq!(SPARE.with_borrow(Vec::len), KEPT);
        for capacity in [3, 2, 1, 1, 1] {
            let taken = take();
            assert_eq!((taken.len(), taken.capacity()), (0, READ_BYTES * capacity));
        }
    }
}
