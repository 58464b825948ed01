//! The end of a log: frames that are appended in memory, at the places that they will have in their segments, until they are written
//! and need not be written again.

use super::frame::{HEADER_BYTES, Header, Kind, Origin, Packing};
use super::survey::Place;
use crate::buffer::SegmentName;
use crate::event::append;
use crc32fast::Hasher;
use std::sync::Arc;

/// Frames of one chunk that follow each other become one, up to this size: a fault of the disk costs no more than that.
const MERGED_BYTES: usize = 64 << 10;

/// A block takes no more frames once it is so long: its memory is had at once, and used again for another.
const BLOCK_BYTES: usize = 256 << 10;
/// Memory of so many blocks is kept for the next ones while there is something to write: some are filled while others are written.
const SPARE_BLOCKS: usize = 8;
/// A block that grew past this is given back rather than kept.
const SPARE_BLOCK_BYTES: usize = 4 * BLOCK_BYTES;

/// Bytes of a segment, from a place on.
#[derive(Debug)]
pub struct Block {
    /// The segment.
    pub segment: SegmentName,
    /// The place.
    pub start: usize,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl Block {
    /// The part of a range of the segment that is in here.
    pub fn part(&self, segment: u32, start: usize, end: usize) -> Option<&[u8]> {
        if self.segment.number != segment || start < self.start || start >= self.start + self.bytes.len() {
            return None;
        }
        let from = start - self.start;
        self.bytes.get(from..(end - self.start).min(self.bytes.len()))
    }
}

/// The last frame, while it can be added to.
#[derive(Debug)]
struct Last {
    header: Header,
    /// Where it begins in the block that is filled.
    at: usize,
    crc: Hasher,
}

/// The end of a log.
#[derive(Debug, Default)]
pub struct Tail {
    /// The segment that is appended to, and how long it is with all that waits.
    current: Option<(SegmentName, usize)>,
    /// What was not given to the writer yet, in order.
    filling: Vec<Block>,
    /// What the writer has and may have to write again.
    pub writing: Vec<Arc<Block>>,
    /// Memory of blocks that are written.
    spare: Vec<Vec<u8>>,
    last: Option<Last>,
    /// Bytes in `filling`.
    waiting: usize,
}

/// Events to be appended.
#[derive(Clone, Copy, Debug)]
pub struct Events<'e> {
    /// The chunk's number.
    pub chunk: u64,
    /// Bytes of the chunk before.
    pub at: u64,
    /// The events, as a frame holds them: compressed ones behind their length.
    pub bytes: &'e [u8],
    /// How many.
    pub records: u32,
    /// The message they came in.
    pub origin: Option<Origin>,
    /// How they are compressed.
    pub packing: Packing,
}

impl Tail {
    /// The segment that is appended to.
    pub fn segment(&self) -> Option<SegmentName> {
        self.current.map(|(name, _)| name)
    }

    /// Its length with all that waits.
    pub fn length(&self) -> usize {
        self.current.map_or(0, |(_, length)| length)
    }

    /// Bytes that the writer has not been given.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Goes on in another segment, or in none until there is something to append.
    pub fn turn_to(&mut self, segment: Option<SegmentName>) {
        self.current = segment.map(|name| (name, 0));
        self.last = None;
    }

    /// Appends a frame without an origin; its place. There has to be a segment.
    pub fn append(&mut self, kind: Kind, chunk: u64, at: u64, body: &[u8]) -> Place {
        self.last = None;
        let header = Header::plain(kind, chunk, at, body);
        self.push(&header, &[body])
    }

    /// Appends events, to the last frame where that is of the same kind; the place of the new bytes.
    pub fn append_events(&mut self, events: &Events<'_>) -> Place {
        if let Some(place) = self.extend(events) {
            return place;
        }
        let origin = events.origin.map(Origin::to_bytes);
        let mut crc = Hasher::new();
        crc.update(origin.as_ref().map_or(&[], |origin| origin.as_slice()));
        crc.update(events.bytes);
        let header = Header {
            kind: Kind::Events,
            has_origin: origin.is_some(),
            packing: events.packing,
            chunk: events.chunk,
            at: events.at,
            records: events.records,
            length: (origin.as_ref().map_or(0, |origin| origin.len()) + events.bytes.len()) as u32,
            checksum: crc.clone().finalize(),
        };
        let place = self.push(&header, &[origin.as_ref().map_or(&[], |origin| origin.as_slice()), events.bytes]);
        let at = self.filling.last().map_or(0, |block| block.bytes.len()) - header.frame_bytes();
        let is_plain = origin.is_none() && events.packing == Packing::None;
        self.last = is_plain.then_some(Last { header, at, crc });
        place
    }

    fn extend(&mut self, events: &Events<'_>) -> Option<Place> {
        let fits = |last: &&mut Last| last.header.chunk == events.chunk && last.header.length as usize + events.bytes.len() <= MERGED_BYTES;
        let is_plain = events.origin.is_none() && events.packing == Packing::None;
        let last = self.last.as_mut().filter(fits).filter(|_| is_plain)?;
        let block = self.filling.last_mut()?;
        let (name, length) = self.current.as_mut()?;
        last.crc.update(events.bytes);
        last.header.checksum = last.crc.clone().finalize();
        last.header.length += events.bytes.len() as u32;
        last.header.records += events.records;
        block.bytes.get_mut(last.at..last.at + HEADER_BYTES)?.copy_from_slice(&last.header.to_bytes(name.salt));
        append(events.bytes, &mut block.bytes);
        let place = Place { segment: name.number, start: *length as u32, length: events.bytes.len() as u32 };
        *length += events.bytes.len();
        self.waiting += events.bytes.len();
        Some(place)
    }

    /// Appends a frame as another segment holds it, under this one's salt; its place.
    pub fn append_copy(&mut self, header: &Header, body: &[u8]) -> Place {
        self.last = None;
        self.push(header, &[body])
    }

    fn push(&mut self, header: &Header, parts: &[&[u8]]) -> Place {
        let Some((name, length)) = self.current.as_mut() else {
            unreachable!("the log turns to a segment before it appends");
        };
        let follows = self.filling.last().is_some_and(|block| block.segment == *name && block.bytes.len() < BLOCK_BYTES);
        if !follows {
            self.filling.push(Block { segment: *name, start: *length, bytes: self.spare.pop().unwrap_or_default() });
        }
        let place = Place { segment: name.number, start: *length as u32, length: header.frame_bytes() as u32 };
        if let Some(block) = self.filling.last_mut() {
            block.bytes.reserve(header.frame_bytes());
            block.bytes.extend_from_slice(&header.to_bytes(name.salt));
            parts.iter().for_each(|part| append(part, &mut block.bytes));
        }
        *length += header.frame_bytes();
        self.waiting += header.frame_bytes();
        place
    }

    /// Hands everything that waits to the writer.
    pub fn take(&mut self) -> Vec<Arc<Block>> {
        self.last = None;
        self.waiting = 0;
        let taken: Vec<Arc<Block>> = std::mem::take(&mut self.filling).into_iter().map(Arc::new).collect();
        self.writing.extend(taken.iter().cloned());
        taken
    }

    /// Forgets what need not be written again; its memory is for new blocks.
    pub fn written(&mut self) {
        for block in std::mem::take(&mut self.writing) {
            if self.spare.len() < SPARE_BLOCKS
                && let Ok(Block { mut bytes, .. }) = Arc::try_unwrap(block)
                && bytes.capacity() <= SPARE_BLOCK_BYTES
            {
                bytes.clear();
                self.spare.push(bytes);
            }
        }
    }

    /// Whether memory is kept for new blocks.
    pub fn has_spare(&self) -> bool {
        !self.spare.is_empty()
    }

    /// Gives up the memory that is kept for new blocks.
    pub fn rest(&mut self) {
        self.spare = Vec::new();
    }

    /// What of a range of a segment is in memory, from its start on; never empty.
    pub fn part(&self, segment: u32, start: usize, end: usize) -> Option<&[u8]> {
        let blocks = self.writing.iter().map(AsRef::as_ref).chain(&self.filling);
        blocks.filter_map(|block| block.part(segment, start, end)).find(|part| !part.is_empty())
    }

    /// Where the memory of a segment begins: what is before that place is written.
    pub fn first_in_memory(&self, segment: u32) -> Option<usize> {
        let blocks = self.writing.iter().map(AsRef::as_ref).chain(&self.filling);
        blocks.filter(|block| block.segment.number == segment).map(|block| block.start).min()
    }
}
