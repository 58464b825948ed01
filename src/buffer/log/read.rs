//! Reading a chunk back for its delivery: from the disk, or from memory where it is not written yet. What is damaged is reported once
//! more and left out.

use super::frame::{Found, Frame, Frames, HEADER_BYTES, Header, Kind};
use super::head::Remaining;
use super::survey::{Place, content};
use super::{Log, Shared};
use crate::buffer::names::{self, Source};
use crate::buffer::{Chunk, Stored, entries};
use crate::event::append;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// The disk is read in windows, so many for a part, or of one frame where that is longer: small enough that one stays in the processor's cache
/// until its frames are checked and copied.
const WINDOWS_A_PART: usize = 32;
/// How reading fails where the places of a chunk were given up for copies of them meanwhile. No disk fails like that.
const MOVED: io::ErrorKind = io::ErrorKind::Interrupted;

/// Where a part of what was read last stood in the chunk.
#[derive(Clone, Copy, Debug)]
struct Span {
    /// Its place among the bytes of the chunk, uncompressed.
    from: u64,
    length: usize,
}

/// A chunk in a log.
#[derive(Debug)]
pub struct LogChunk {
    log: Arc<Log>,
    number: u64,
    /// Whether it may be delivered in parts.
    is_packed: bool,
    last: Mutex<(Vec<Span>, ReadTo)>,
}

impl LogChunk {
    /// The chunk of this number; `is_packed` is whether it is one of msgpack entries.
    pub fn new(log: Arc<Log>, number: u64, is_packed: bool) -> LogChunk {
        LogChunk { log, number, is_packed, last: Mutex::default() }
    }
}

/// What is being read.
struct Reading<'r> {
    chunk: &'r mut Chunk,
    remaining: Option<Remaining>,
    spans: Vec<Span>,
    limit: usize,
    is_packed: bool,
    /// [`Live::moves`](super::state::Live::moves) when its places were looked up.
    moves: u32,
}

impl Reading<'_> {
    /// Takes what of a frame is to be delivered; `false` once there is enough.
    fn take(&mut self, frame: &Frame<'_>) -> io::Result<bool> {
        if self.chunk.bytes.len() >= self.limit {
            return Ok(false);
        }
        let content = content(frame)?;
        let from = frame.header.at;
        let whole = from..from + content.len() as u64;
        let parts = match &self.remaining {
            None => vec![whole.clone()],
            Some(remaining) => overlap(remaining, &whole),
        };
        for part in parts {
            let bytes = &content[(part.start - from) as usize..(part.end - from) as usize];
            let records = if part == whole || !self.is_packed { frame.header.records as usize } else { entries::count(bytes) };
            let source = match frame.origin() {
                Some(origin) => Source::Message(origin).after(&content[..(part.start - from) as usize]),
                None => Source::Place(part.start),
            };
            names::push(&mut self.chunk.sources, self.chunk.bytes.len(), source);
            match self.spans.last_mut() {
                Some(last) if last.from + last.length as u64 == part.start => last.length += bytes.len(),
                _ => self.spans.push(Span { from: part.start, length: bytes.len() }),
            }
            append(bytes, &mut self.chunk.bytes);
            self.chunk.records += records;
        }
        Ok(true)
    }
}

/// What of `range` is in `remaining`.
fn overlap(remaining: &Remaining, range: &Range<u64>) -> Vec<Range<u64>> {
    let first = remaining.0.partition_point(|one| one.end <= range.start);
    let some = remaining.0[first..].iter().take_while(|one| one.start < range.end);
    some.map(|one| one.start.max(range.start)..one.end.min(range.end)).filter(|one| !one.is_empty()).collect()
}

/// How far a chunk was read.
#[derive(Clone, Copy, Debug, Default)]
struct ReadTo {
    /// Places that were read to their end.
    places: usize,
    /// Bytes of the next one.
    bytes: u32,
    /// [`Live::moves`](super::state::Live::moves) at that time.
    moves: u32,
}

impl Stored for LogChunk {
    fn read(&self, chunk: &mut Chunk) -> io::Result<bool> {
        loop {
            chunk.bytes.clear();
            chunk.records = 0;
            chunk.sources.clear();
            let Some(snapshot) = self.snapshot() else { return Ok(false) };
            match self.read_from(chunk, &snapshot) {
                // It was copied to the end of the log meanwhile: it is there now.
                Err(error) if error.kind() == MOVED => {}
                read => return read,
            }
        }
    }

    fn keep(&self, remaining: &[Range<usize>]) {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (spans, to) = (&last.0, last.1);
        let read_to = spans.last().map_or(0, |span| span.from + span.length as u64);
        let mut kept = in_chunk(spans, remaining);
        let shared = &self.log.shared;
        let mut state = shared.lock();
        let Some(live) = state.chunks.get(&self.number) else { return };
        let is_as_read = live.moves == to.moves;
        let unread = read_to..live.end.max(read_to);
        match &live.remaining {
            None => kept.push(unread),
            Some(before) => kept.extend(overlap(before, &unread)),
        }
        kept.retain(|range| !range.is_empty());
        state.progress(self.number, Remaining(kept).bounded());
        if remaining.is_empty() && is_as_read {
            state.forget(self.number, to.places, to.bytes);
        }
        // What is written of it before a crash is not sent again.
        state.is_due = true;
        shared.wake(&mut state);
    }

    fn done(&self) {
        let shared = &self.log.shared;
        let mut state = shared.lock();
        state.done(self.number);
        state.is_due = true;
        shared.wake(&mut state);
    }
}

/// Ranges of what was read, as ranges of the chunk.
fn in_chunk(spans: &[Span], ranges: &[Range<usize>]) -> Vec<Range<u64>> {
    let mut found = Vec::new();
    let (mut at, mut spans) = (0, spans.iter());
    let mut span = spans.next();
    for range in ranges {
        while let Some(one) = span.filter(|_| at < range.end) {
            let (start, end) = (range.start.max(at), range.end.min(at + one.length));
            if start < end {
                found.push(one.from + (start - at) as u64..one.from + (end - at) as u64);
            }
            if range.end < at + one.length {
                break;
            }
            at += one.length;
            span = spans.next();
        }
    }
    found
}

/// Where a chunk is at a time.
pub(super) struct Snapshot {
    places: Vec<Place>,
    remaining: Option<Remaining>,
    moves: u32,
}

impl LogChunk {
    /// Where it is now; `None` where it is done with.
    pub(super) fn snapshot(&self) -> Option<Snapshot> {
        let state = self.log.shared.lock();
        let live = state.chunks.get(&self.number)?;
        Some(Snapshot { places: live.places.clone(), remaining: live.remaining.clone(), moves: live.moves })
    }

    /// Reads what is to be delivered next; an error of kind [`MOVED`] where it is no longer there.
    pub(super) fn read_from(&self, chunk: &mut Chunk, snapshot: &Snapshot) -> io::Result<bool> {
        let Snapshot { places, remaining, moves } = snapshot;
        let limit = if self.is_packed { self.log.shared.options().part_bytes } else { usize::MAX };
        let mut reading =
            Reading { chunk, remaining: remaining.clone(), spans: Vec::new(), limit, is_packed: self.is_packed, moves: *moves };
        let mut to = ReadTo { moves: *moves, ..ReadTo::default() };
        let mut window = Window::default();
        for place in places {
            to.bytes = self.read_place(place, &mut reading, &mut window)?;
            if to.bytes < place.length {
                break;
            }
            to.places += 1;
            to.bytes = 0;
        }
        let has_more = to.places < places.len();
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = (reading.spans, to);
        Ok(has_more)
    }

    fn has_moved(&self, moves: u32) -> bool {
        self.log.shared.lock().chunks.get(&self.number).is_none_or(|live| live.moves != moves)
    }

    /// Reads the frames of one place, a window at a time; how many bytes of it were read, which is less where there is enough.
    fn read_place(&self, place: &Place, reading: &mut Reading<'_>, window: &mut Window) -> io::Result<u32> {
        let shared = &self.log.shared;
        let usual = (shared.options().part_bytes / WINDOWS_A_PART) as u32;
        let (mut at, mut length) = (0, usual);
        window.keep_from(window.filled);
        while at < place.length {
            let part = Place { start: place.start + at, length: length.min(place.length - at), ..*place };
            let salt = match window.fill(shared, &part) {
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof) => {
                    if self.has_moved(reading.moves) {
                        return Err(MOVED.into());
                    }
                    shared.report_missing(&part, &error);
                    return Ok(place.length);
                }
                read => read?,
            };
            length = usual;
            let bytes = &window.bytes[..window.filled];
            let mut next = at + part.length;
            let is_last = next == place.length;
            let frames = if is_last { Frames::new(bytes, salt) } else { Frames::of_window(bytes, salt) };
            for found in frames {
                match found {
                    Found::Frame(frame) if frame.header.kind == Kind::Events && frame.header.chunk == self.number => {
                        if !reading.take(&frame)? {
                            return Ok(at + frame.start as u32);
                        }
                    }
                    Found::Frame(_) => {}
                    // Perhaps it is the window that ends, and not the frame: it is looked at again from its start.
                    Found::Damage(range, header)
                        if !is_last && range.end == bytes.len() && (range.start > 0 || part.length < length_of(header)) =>
                    {
                        length = length_of(header).max(usual);
                        next = at + range.start as u32;
                        break;
                    }
                    Found::Damage(range, _) => shared.report_damage(&part, &bytes[range.clone()], range.start),
                }
            }
            window.keep_from((next - at) as usize);
            at = next;
        }
        Ok(place.length)
    }
}

/// What is read of a place at once. Its memory is used again for the next one, so that it is set to zero only once.
#[derive(Default)]
struct Window {
    bytes: Vec<u8>,
    /// How many of them are read.
    filled: usize,
}

impl Window {
    /// Keeps what was read from there on, as the start of the next window.
    fn keep_from(&mut self, start: usize) {
        self.bytes.copy_within(start..self.filled, 0);
        self.filled -= start;
    }

    /// Reads what it does not have yet of this part of a segment; the salt of the segment.
    fn fill(&mut self, shared: &Shared, part: &Place) -> io::Result<u32> {
        let length = part.length as usize;
        if self.bytes.len() < length {
            self.bytes.resize(length, 0);
        }
        let kept = self.filled.min(length);
        let more = Place { start: part.start + kept as u32, length: (length - kept) as u32, ..*part };
        self.filled = length;
        shared.fill_from(&more, &mut self.bytes[kept..length])
    }
}

/// How long a frame is that may be cut off by the end of a window, with the header of the next, which tells whether it ends there.
fn length_of(header: Option<Header>) -> u32 {
    header.map_or(0, |header| u32::try_from(header.frame_bytes() + HEADER_BYTES).unwrap_or(u32::MAX))
}

impl Shared {
    /// The bytes of a place, and the salt of its segment.
    pub(super) fn read_place(&self, place: &Place) -> io::Result<(Vec<u8>, u32)> {
        let mut bytes = vec![0; place.length as usize];
        let salt = self.fill_from(place, &mut bytes)?;
        Ok((bytes, salt))
    }

    /// Fills `bytes` from a place of that length; gives the salt of its segment.
    fn fill_from(&self, place: &Place, bytes: &mut [u8]) -> io::Result<u32> {
        let (start, end) = (place.start as usize, place.start as usize + bytes.len());
        let (name, on_disk) = {
            let state = self.lock();
            let Some(name) = state.segment_name(place.segment) else { return Err(io::ErrorKind::NotFound.into()) };
            let in_memory = state.tail.first_in_memory(place.segment).unwrap_or(end).clamp(start, end);
            let mut at = in_memory;
            while at < end {
                let Some(part) = state.tail.part(place.segment, at, end) else {
                    return Err(io::Error::other("a part of the buffer is neither in memory nor on the disk"));
                };
                bytes[at - start..at - start + part.len()].copy_from_slice(part);
                at += part.len();
            }
            (name, in_memory - start)
        };
        if on_disk > 0 {
            let path = self.location.segment(name);
            let read = self.disk.open(&path).and_then(|file| file.read_at(&mut bytes[..on_disk], start as u64));
            read.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
        }
        Ok(name.salt)
    }
}
