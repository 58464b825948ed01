//! Reading a chunk back for its delivery: from the disk, or from memory where it is not written yet. What is damaged is reported once
//! more and left out.

use super::frame::{Found, Frame, Frames, Kind};
use super::head::Remaining;
use super::survey::{Place, content};
use super::{Log, Shared};
use crate::buffer::names::{self, Source};
use crate::buffer::{Chunk, Stored, entries};
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// A chunk of msgpack entries that is longer than this is delivered in parts: what a delivery takes of memory is bounded.
const PART_BYTES: usize = 8 << 20;

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
    spans: Mutex<Vec<Span>>,
}

impl LogChunk {
    /// The chunk of this number; `is_packed` is whether it is one of msgpack entries.
    pub fn new(log: Arc<Log>, number: u64, is_packed: bool) -> LogChunk {
        LogChunk { log, number, is_packed, spans: Mutex::default() }
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

impl Stored for LogChunk {
    fn read(&self, chunk: &mut Chunk) -> io::Result<bool> {
        let shared = &self.log.shared;
        let (places, remaining) = {
            let state = shared.lock();
            let Some(live) = state.chunks.get(&self.number) else { return Ok(false) };
            (live.places.clone(), live.remaining.clone())
        };
        chunk.bytes.clear();
        chunk.records = 0;
        chunk.sources.clear();
        let limit = if self.is_packed { PART_BYTES } else { usize::MAX };
        let mut reading = Reading { chunk, remaining, spans: Vec::new(), limit, is_packed: self.is_packed };
        let mut has_more = false;
        for place in places {
            if has_more {
                break;
            }
            has_more = !self.read_place(&place, &mut reading)?;
        }
        *self.spans.lock().unwrap_or_else(PoisonError::into_inner) = reading.spans;
        Ok(has_more)
    }

    fn keep(&self, remaining: &[Range<usize>]) {
        let spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
        let read_to = spans.last().map_or(0, |span| span.from + span.length as u64);
        let mut kept = Vec::new();
        let (mut at, mut spans) = (0, spans.iter());
        let mut span = spans.next();
        for range in remaining {
            while let Some(one) = span.filter(|_| at < range.end) {
                let (start, end) = (range.start.max(at), range.end.min(at + one.length));
                if start < end {
                    kept.push(one.from + (start - at) as u64..one.from + (end - at) as u64);
                }
                if range.end < at + one.length {
                    break;
                }
                at += one.length;
                span = spans.next();
            }
        }
        let shared = &self.log.shared;
        let mut state = shared.lock();
        let Some(live) = state.chunks.get(&self.number) else { return };
        let unread = read_to..live.end.max(read_to);
        match &live.remaining {
            None => kept.push(unread),
            Some(before) => kept.extend(overlap(before, &unread)),
        }
        kept.retain(|range| !range.is_empty());
        state.progress(self.number, Remaining(kept).bounded());
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

impl LogChunk {
    /// Reads the frames of one place; `false` once there is enough.
    fn read_place(&self, place: &Place, reading: &mut Reading<'_>) -> io::Result<bool> {
        let shared = &self.log.shared;
        let (bytes, salt) = match shared.read_place(place) {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof) => {
                shared.report_missing(place, &error);
                return Ok(true);
            }
            read => read?,
        };
        for found in Frames::new(&bytes, salt) {
            match found {
                Found::Frame(frame) if frame.header.kind == Kind::Events && frame.header.chunk == self.number => {
                    if !reading.take(&frame)? {
                        return Ok(false);
                    }
                }
                Found::Frame(_) => {}
                Found::Damage(range, _) => shared.report_damage(place, &bytes[range.clone()], range.start),
            }
        }
        Ok(true)
    }
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
