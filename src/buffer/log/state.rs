//! What a log knows in memory: live chunks with the places of their events, segments with what is alive in them, and the tail that is
//! not written yet. Nothing here touches the disk.

use super::frame::{Frame, HEADER_BYTES, Kind, Origin, Packing};
use super::head::Remaining;
use super::survey::{Place, push_place};
use super::tail::{Events, Tail};
use crate::buffer::{SegmentName, random};
use crate::event::Receipt;
use crate::plugin::Limit;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// What a live chunk takes of memory, beside its places.
pub const CHUNK_MEMORY_BYTES: u64 = 512;
/// What a place takes.
pub const PLACE_MEMORY_BYTES: u64 = size_of::<Place>() as u64;

/// A chunk that is not done with.
#[derive(Debug)]
pub struct Live {
    /// What its head frames say.
    pub head: Arc<[u8]>,
    /// Where its events are, in order.
    pub places: Vec<Place>,
    /// Bytes appended to it so far, uncompressed.
    pub end: u64,
    /// What is still to be delivered, where some of it is not.
    pub remaining: Option<Remaining>,
    /// How many progress frames it has.
    pub progress: u64,
    /// Whether it takes no more events.
    pub is_closed: bool,
    /// The last segment with its head.
    pub head_in: Option<u32>,
    /// How often its places were changed by copying.
    pub moves: u32,
}

#[derive(Debug)]
struct Segment {
    name: SegmentName,
    length: u64,
    /// Bytes of events of live chunks.
    live: u64,
    /// Bytes of the log that have to be written before it can go: what was copied out of it.
    copied: u64,
}

/// A segment that can be removed.
#[derive(Clone, Copy, Debug)]
pub struct Removable {
    /// Which.
    pub name: SegmentName,
    /// Once so many bytes of the log are written: those that take its place. Zero where nothing was copied out of it.
    pub after: u64,
    /// Bytes that were appended to it.
    pub length: u64,
}

/// The limits that a log counts against.
#[derive(Clone, Debug)]
pub struct LogLimits {
    /// Bytes of all segments.
    pub disk: Arc<Limit>,
    /// Bytes that are not written yet, and what is remembered about chunks.
    pub memory: Arc<Limit>,
}

/// What a log knows.
#[derive(Debug)]
pub struct State {
    /// The end of the log.
    pub tail: Tail,
    /// Live chunks by number.
    pub chunks: HashMap<u64, Live>,
    /// Bytes ever appended.
    pub appended: u64,
    /// How many of them are written, and synced where that is asked for.
    pub written: u64,
    /// Who waits for which of them.
    pub receipts: VecDeque<(u64, Receipt)>,
    /// Whether somebody waits for the writer.
    pub is_urgent: bool,
    /// Whether something is to be written at once, which nobody waits for.
    pub is_due: bool,
    /// Whether the writer waits for work.
    pub writer_waits: bool,
    /// Segments to be removed.
    pub removable: Vec<Removable>,
    /// Whether the end has begun.
    pub is_stopping: bool,
    /// Whether the disk refuses: what is delivered makes room at once, and need not be written any more.
    pub is_refused: bool,
    segments: VecDeque<Segment>,
    segment_bytes: usize,
    next_segment: u32,
    next_chunk: u64,
    limits: LogLimits,
}

impl State {
    /// An empty log whose segments have so many bytes.
    pub fn new(limits: LogLimits, segment_bytes: usize, next_chunk: u64) -> State {
        State {
            tail: Tail::default(),
            chunks: HashMap::new(),
            appended: 0,
            written: 0,
            receipts: VecDeque::new(),
            is_urgent: false,
            is_due: false,
            writer_waits: false,
            removable: Vec::new(),
            is_stopping: false,
            is_refused: false,
            segments: VecDeque::new(),
            segment_bytes,
            next_segment: 1,
            next_chunk,
            limits,
        }
    }

    /// Takes in a segment that was there before; in order, before anything is appended.
    pub fn add_segment(&mut self, name: SegmentName, length: u64) {
        self.next_segment = self.next_segment.max(name.number.saturating_add(1));
        self.limits.disk.take(length);
        self.segments.push_back(Segment { name, length, live: 0, copied: 0 });
    }

    /// Segments have so many bytes from now on.
    pub fn set_segment_bytes(&mut self, bytes: usize) {
        self.segment_bytes = bytes;
    }

    /// Gives no segment a number below this.
    pub fn skip_segments(&mut self, next: u32) {
        self.next_segment = self.next_segment.max(next);
    }

    /// Takes in a chunk that was there before.
    pub fn add_chunk(&mut self, number: u64, live: Live) {
        for place in &live.places {
            self.count_live(place.segment, u64::from(place.length), 0);
        }
        self.limits.memory.take(memory_of(&live));
        self.chunks.insert(number, live);
    }

    /// Begins a chunk; its number.
    pub fn begin(&mut self, head: Arc<[u8]>) -> u64 {
        let number = self.next_chunk;
        self.next_chunk += 1;
        let live = Live { head, places: Vec::new(), end: 0, remaining: None, progress: 0, is_closed: false, head_in: None, moves: 0 };
        self.limits.memory.take(memory_of(&live));
        self.chunks.insert(number, live);
        number
    }

    /// Appends events to a chunk; `length` is how many bytes they are uncompressed.
    pub fn append(&mut self, chunk: u64, bytes: &[u8], length: usize, records: u32, origin: Option<Origin>, packing: Packing) {
        self.with_segment(bytes.len() + HEADER_BYTES);
        self.restate_head(chunk);
        let Some(live) = self.chunks.get_mut(&chunk) else { return };
        let place = self.tail.append_events(&Events { chunk, at: live.end, bytes, records, origin, packing });
        let before = live.places.len();
        push_place(&mut live.places, place);
        live.end += length as u64;
        let more = (live.places.len() - before) as u64;
        self.limits.memory.take(more * PLACE_MEMORY_BYTES);
        self.count_live(place.segment, u64::from(place.length), 0);
        self.count_appended();
    }

    /// Says that a chunk takes no more events.
    pub fn close(&mut self, chunk: u64) {
        match self.chunks.get_mut(&chunk) {
            Some(live) if !live.is_closed => live.is_closed = true,
            _ => return,
        }
        self.append_note(Kind::Closed, chunk, 0, &[]);
    }

    /// Says what of a chunk is still to be delivered.
    pub fn progress(&mut self, chunk: u64, remaining: Remaining) {
        let Some(live) = self.chunks.get_mut(&chunk) else { return };
        let (body, at) = (remaining.to_bytes(), live.progress);
        live.remaining = Some(remaining);
        live.progress += 1;
        self.append_note(Kind::Progress, chunk, at, &body);
    }

    /// Forgets where the first events of a chunk are, which are delivered: so many places, and bytes of the next one.
    pub fn forget(&mut self, chunk: u64, places: usize, bytes: u32) {
        let Some(live) = self.chunks.get_mut(&chunk) else { return };
        let before = memory_of(live);
        let mut gone: Vec<Place> = live.places.drain(..places.min(live.places.len())).collect();
        if let Some(first) = live.places.first_mut().filter(|first| bytes < first.length) {
            gone.push(Place { length: bytes, ..*first });
            first.start += bytes;
            first.length -= bytes;
        }
        let now = memory_of(live);
        self.limits.memory.give_back(before - now);
        for place in gone {
            self.count_live(place.segment, 0, u64::from(place.length));
        }
    }

    /// A chunk is done with; segments that nothing else lives in are free.
    pub fn done(&mut self, chunk: u64) {
        let Some(live) = self.chunks.remove(&chunk) else { return };
        self.limits.memory.give_back(memory_of(&live));
        for place in &live.places {
            self.count_live(place.segment, 0, u64::from(place.length));
        }
        self.free();
        // Where all of its events are gone, there is nobody to be told.
        if live.places.iter().any(|place| self.has_segment(place.segment)) {
            self.append_note(Kind::Done, chunk, 0, &[]);
        }
    }

    /// Gives up segments that hold nothing alive, the oldest first.
    pub fn free(&mut self) {
        let is_empty = self.chunks.values().all(|live| live.places.is_empty());
        let is_long = self.tail.length() >= self.segment_bytes / 4 || self.limits.disk.is_full();
        if is_empty && (is_long || self.is_stopping || self.is_refused) {
            self.tail.turn_to(None);
        }
        let current = self.tail.segment();
        while let Some(oldest) = self.segments.front().filter(|oldest| oldest.live == 0 && Some(oldest.name) != current) {
            self.limits.disk.give_back(oldest.length);
            self.removable.push(Removable { name: oldest.name, after: oldest.copied, length: oldest.length });
            self.segments.pop_front();
        }
    }

    /// At the end: where nothing is alive nothing stays on the disk.
    pub fn stop(&mut self) {
        self.is_stopping = true;
        self.free();
    }

    /// Whether a segment was not given up.
    pub fn has_segment(&self, number: u32) -> bool {
        self.segments.iter().any(|segment| segment.name.number == number)
    }

    /// The name of a segment.
    pub fn segment_name(&self, number: u32) -> Option<SegmentName> {
        self.segments.iter().find(|segment| segment.name.number == number).map(|segment| segment.name)
    }

    /// The names of all segments.
    pub fn segment_names(&self) -> impl Iterator<Item = SegmentName> {
        self.segments.iter().map(|segment| segment.name)
    }

    /// Whether there are no segments at all.
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// The oldest segment, where so much of the log is dead that it pays to copy what is alive in it.
    pub fn worth_copying(&self) -> Option<SegmentName> {
        let length: u64 = self.segments.iter().map(|segment| segment.length).sum();
        let live: u64 = self.segments.iter().map(|segment| segment.live).sum();
        let (dead, segment) = (length.saturating_sub(live), self.segment_bytes as u64);
        // Copying costs as much as the writing of what is new: it waits until the room is wanted, or much of it is wasted.
        let is_tight = self.limits.disk.used() >= self.limits.disk.max() / 2;
        let enough = if is_tight { dead >= 2 * segment && dead >= live / 4 } else { dead >= 4 * segment && dead >= live };
        let oldest = self.segments.front().map(|oldest| oldest.name);
        oldest.filter(|oldest| enough && Some(*oldest) != self.tail.segment())
    }

    /// Live chunks with events in a segment.
    pub fn chunks_in(&self, segment: u32) -> Vec<u64> {
        let mut chunks: Vec<u64> = self
            .chunks
            .iter()
            .filter(|(_, live)| live.places.iter().any(|place| place.segment == segment))
            .map(|(number, _)| *number)
            .collect();
        chunks.sort_unstable();
        chunks
    }

    /// Copies frames of a chunk to the end of the log, in the stead of its places in `segment`; what it said about itself comes along.
    pub fn move_here(&mut self, chunk: u64, segment: u32, frames: &[Frame<'_>]) {
        let mut moved = Vec::new();
        for frame in frames {
            self.with_segment(frame.header.frame_bytes());
            self.restate_head(chunk);
            let place = self.tail.append_copy(&frame.header, frame.body);
            self.count_live(place.segment, u64::from(place.length), 0);
            push_place(&mut moved, place);
        }
        let Some(live) = self.chunks.get_mut(&chunk) else { return };
        let before = memory_of(live);
        let at = live.places.iter().position(|place| place.segment == segment).unwrap_or(0);
        let (old, mut kept): (Vec<Place>, Vec<Place>) = live.places.drain(..).partition(|place| place.segment == segment);
        kept.splice(at..at, moved);
        live.places = kept;
        live.moves += 1;
        let (progress, is_closed, now) = (live.remaining.clone().zip(live.progress.checked_sub(1)), live.is_closed, memory_of(live));
        self.limits.memory.take(now);
        self.limits.memory.give_back(before);
        for place in old {
            self.count_live(place.segment, 0, u64::from(place.length));
        }
        if let Some((remaining, at)) = progress {
            self.append_note(Kind::Progress, chunk, at, &remaining.to_bytes());
        }
        if is_closed {
            self.append_note(Kind::Closed, chunk, 0, &[]);
        }
        self.count_appended();
        if let Some(source) = self.segments.iter_mut().find(|one| one.name.number == segment) {
            source.copied = self.appended;
        }
    }

    /// Appends a frame about a chunk, with its head where the segment does not know it yet.
    fn append_note(&mut self, kind: Kind, chunk: u64, at: u64, body: &[u8]) {
        self.with_segment(HEADER_BYTES + body.len());
        self.tail.append(kind, chunk, at, body);
        self.count_appended();
    }

    fn restate_head(&mut self, chunk: u64) {
        let (Some(live), Some(segment)) = (self.chunks.get_mut(&chunk), self.tail.segment()) else { return };
        if live.head_in != Some(segment.number) {
            live.head_in = Some(segment.number);
            // Twice, so that one fault of the disk does not take the keys of events that are whole.
            self.tail.append(Kind::Head, chunk, 0, &live.head);
            self.tail.append(Kind::Head, chunk, 0, &live.head);
        }
    }

    /// Makes sure that there is a segment with room for so many bytes.
    fn with_segment(&mut self, bytes: usize) {
        let has_room = self.tail.length() == 0 || self.tail.length() + bytes <= self.segment_bytes;
        if self.tail.segment().is_some() && has_room {
            return;
        }
        self.count_appended();
        let name = SegmentName { number: self.next_segment, salt: random() as u32 };
        self.next_segment = self.next_segment.wrapping_add(1);
        self.segments.push_back(Segment { name, length: 0, live: 0, copied: 0 });
        self.tail.turn_to(Some(name));
    }

    fn count_live(&mut self, segment: u32, more: u64, less: u64) {
        // Mostly it is the last one.
        if let Some(found) = self.segments.iter_mut().rev().find(|one| one.name.number == segment) {
            found.live = (found.live + more).saturating_sub(less);
        }
    }

    fn count_appended(&mut self) {
        let length = self.tail.length() as u64;
        let name = self.tail.segment();
        if let Some(current) = self.segments.back_mut().filter(|segment| Some(segment.name) == name) {
            let more = length.saturating_sub(current.length);
            current.length = length;
            self.appended += more;
            self.limits.disk.take(more);
            self.limits.memory.take(more);
        }
    }
}

/// What a chunk takes of the memory.
fn memory_of(live: &Live) -> u64 {
    CHUNK_MEMORY_BYTES + live.places.len() as u64 * PLACE_MEMORY_BYTES
}
