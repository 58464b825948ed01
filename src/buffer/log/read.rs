//! Reading a chunk back for its delivery: from the disk, or from memory where it is not written yet. What is damaged is reported once
//! more and left out.

use super::frame::{Found, Frame, Frames, Header, Kind};
use super::head::Remaining;
use super::survey::{Place, content};
use super::{Log, Shared};
use crate::buffer::names::{self, Source};
use crate::buffer::{Chunk, Stored, entries};
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// The disk is read in windows, so many for a part, or of one frame where that is longer.
const WINDOWS_A_PART: usize = 8;

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
            self.chunk.bytes.extend_from_slice(bytes);
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
        chunk.bytes.clear();
        chunk.records = 0;
        chunk.sources.clear();
        let (places, remaining, moves) = {
            let state = self.log.shared.lock();
            let Some(live) = state.chunks.get(&self.number) else { return Ok(false) };
            (live.places.clone(), live.remaining.clone(), live.moves)
        };
        let limit = if self.is_packed { self.log.shared.options.part_bytes } else { usize::MAX };
        let mut reading = Reading { chunk, remaining, spans: Vec::new(), limit, is_packed: self.is_packed };
        let mut to = ReadTo { moves, ..ReadTo::default() };
        for place in &places {
            to.bytes = self.read_place(place, &mut reading)?;
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

impl LogChunk {
    /// Reads the frames of one place, a window at a time; how many bytes of it were read, which is less where there is enough.
    fn read_place(&self, place: &Place, reading: &mut Reading<'_>) -> io::Result<u32> {
        let shared = &self.log.shared;
        let usual = (shared.options.part_bytes / WINDOWS_A_PART) as u32;
        let (mut at, mut window) = (0, usual);
        while at < place.length {
            let part = Place { start: place.start + at, length: window.min(place.length - at), ..*place };
            let (bytes, salt) = match shared.read_place(&part) {
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof) => {
                    shared.report_missing(&part, &error);
                    return Ok(place.length);
                }
                read => read?,
            };
            window = usual;
            let mut next = at + part.length;
            let is_last = next == place.length;
            for found in Frames::new(&bytes, salt) {
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
                        window = length_of(header).max(usual);
                        next = at + range.start as u32;
                        break;
                    }
                    Found::Damage(range, _) => shared.report_damage(&part, &bytes[range.clone()], range.start),
                }
            }
            at = next;
        }
        Ok(place.length)
    }
}

/// How long a frame is that may be cut off by the end of a window.
fn length_of(header: Option<Header>) -> u32 {
    header.map_or(0, |header| u32::try_from(header.frame_bytes()).unwrap_or(u32::MAX))
}

impl Shared {
    /// The bytes of a place, and the salt of its segment.
    pub(super) fn read_place(&self, place: &Place) -> io::Result<(Vec<u8>, u32)> {
        let (start, end) = (place.start as usize, (place.start + place.length) as usize);
        let mut bytes = Vec::with_capacity(end - start);
        let name = {
            let state = self.lock();
            let Some(name) = state.segment_name(place.segment) else { return Err(io::ErrorKind::NotFound.into()) };
            let in_memory = state.tail.first_in_memory(place.segment).unwrap_or(end).clamp(start, end);
            bytes.resize(in_memory - start, 0);
            while start + bytes.len() < end {
                let Some(part) = state.tail.part(place.segment, start + bytes.len(), end) else {
                    return Err(io::Error::other("a part of the buffer is neither in memory nor on the disk"));
                };
                bytes.extend_from_slice(&part);
            }
            if in_memory == start {
                return Ok((bytes, name.salt));
            }
            (name, in_memory - start)
        };
        let (name, on_disk) = name;
        let file = self.disk.open(&self.location.segment(name))?;
        file.read_at(&mut bytes[..on_disk], start as u64)?;
        Ok((bytes, name.salt))
    }
}
