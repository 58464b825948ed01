//! Messages with one event each, on their way into one batch.

use crate::event::{Batch, PART_EVENTS};

/// The events of messages with one event each, as entries of a batch.
#[derive(Debug, Default)]
pub(super) struct Collected {
    pub(super) entries: Vec<u8>,
    pub(super) count: usize,
    /// Where each run of [`PART_EVENTS`] begins.
    pub(super) marks: Vec<usize>,
    /// The tag as it was sent.
    pub(super) sent_tag: Vec<u8>,
    /// Whether some have to be looked at before they can go on.
    pub(super) is_odd: bool,
    /// What the messages are called, one after another, and where each name ends; nothing as long as none has a name.
    pub(super) chunks: Vec<u8>,
    pub(super) chunk_ends: Vec<u32>,
}

impl Collected {
    /// Forgets them; their memory stays.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.count = 0;
        self.marks.clear();
        self.is_odd = false;
        self.chunks.clear();
        self.chunk_ends.clear();
    }

    /// Begins an entry, which the event's time and record have to follow.
    #[inline]
    pub(super) fn begin(&mut self) {
        if self.count.is_multiple_of(PART_EVENTS) {
            self.marks.push(self.entries.len());
        }
        self.entries.push(0x92);
        self.count += 1;
    }

    /// The entries, where none has to be looked at.
    pub(super) fn batch(&self) -> Batch<'_> {
        Batch::packed(&self.entries, self.count).marked(&self.marks).coalesced()
    }

    /// Notes the name of the last message.
    pub(super) fn name(&mut self, chunk: &[u8]) {
        self.chunk_ends.resize(self.count - 1, self.chunks.len() as u32);
        self.chunks.extend_from_slice(chunk);
        self.chunk_ends.push(self.chunks.len() as u32);
    }
}
