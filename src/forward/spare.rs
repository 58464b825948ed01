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

/// An empty buffer with room for one read at least.
pub fn take() -> Vec<u8> {
    let mut buffer = SPARE.with_borrow_mut(Vec::pop).unwrap_or_default();
    buffer.reserve(READ_BYTES);
    buffer
}

/// Gives a buffer back, whatever it holds.
pub fn give(mut buffer: Vec<u8>) {
    if buffer.capacity() == 0 || buffer.capacity() > KEPT_BYTES {
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
    fn keeps_a_few_and_no_giants() {
        (0..2 * KEPT).for_each(|_| give(Vec::with_capacity(10)));
        give(Vec::new());
        assert_eq!(SPARE.with_borrow(Vec::len), KEPT);
        let taken = take();
        assert!(taken.is_empty() && taken.capacity() >= READ_BYTES);
        give(Vec::with_capacity(KEPT_BYTES + 1));
        assert_eq!(SPARE.with_borrow(Vec::len), KEPT - 1);
    }
}
