//! Names for the events of a chunk that stay the same however often they are sent: by the sender's message where it is named, otherwise by
//! the chunk and the place in it.

use super::Chunk;
use super::entries;
use super::log::frame::Origin;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt::Write;
use std::ops::Range;

/// Where events come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// From a message that its sender has named, and from which event of it on.
    Message(Origin),
    /// From this place of the chunk, as it was filled.
    Place(u64),
}

/// Events of one source, from a byte of the chunk on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceRun {
    /// Where they begin.
    pub start: usize,
    /// Where they come from.
    pub source: Source,
}

/// Notes where the bytes come from that are about to be appended.
pub fn push(runs: &mut Vec<SourceRun>, start: usize, source: Source) {
    if let (Some(SourceRun { start: before, source: Source::Place(place) }), Source::Place(here)) = (runs.last(), source)
        && place + (start - before) as u64 == here
    {
        return;
    }
    runs.push(SourceRun { start, source });
}

/// The runs of what is left when only these ranges of the bytes are kept.
pub fn cut(runs: &[SourceRun], bytes: &[u8], ranges: &[Range<usize>]) -> Vec<SourceRun> {
    let mut left = Vec::new();
    let mut kept = 0;
    for range in ranges {
        let first = runs.partition_point(|run| run.start <= range.start).saturating_sub(1);
        for (at, run) in runs.iter().enumerate().skip(first) {
            let end = runs.get(at + 1).map_or(bytes.len(), |next| next.start).min(range.end);
            let start = run.start.max(range.start);
            if start >= end {
                break;
            }
            push(&mut left, kept + start - range.start, run.source.after(&bytes[run.start..start]));
        }
        kept += range.len();
    }
    left
}

impl Source {
    /// The source of what follows these bytes.
    pub fn after(self, skipped: &[u8]) -> Source {
        match self {
            Source::Place(place) => Source::Place(place + skipped.len() as u64),
            Source::Message(origin) if skipped.is_empty() => Source::Message(origin),
            Source::Message(origin) => Source::Message(Origin { first: origin.first + entries::count(skipped) as u32, ..origin }),
        }
    }
}

/// Names the events of a chunk one after another.
pub struct Names<'c> {
    chunk: &'c Chunk,
    next_run: usize,
    source: Source,
    start: usize,
    /// Events since the run began.
    passed: u32,
}

impl<'c> Names<'c> {
    /// For all events of a chunk.
    pub fn new(chunk: &'c Chunk) -> Names<'c> {
        Names { chunk, next_run: 0, source: Source::Place(0), start: 0, passed: 0 }
    }

    /// Writes the name of the event that begins at this byte; to be called for each event, in order.
    pub fn write(&mut self, entry: usize, name: &mut String) {
        while let Some(run) = self.chunk.sources.get(self.next_run).filter(|run| run.start <= entry) {
            (self.source, self.start, self.passed) = (run.source, run.start, 0);
            self.next_run += 1;
        }
        name.clear();
        let (of, number) = match self.source {
            Source::Message(origin) => (origin.digest, u64::from(origin.first) + u64::from(self.passed)),
            Source::Place(place) => (self.chunk.id, place + (entry - self.start) as u64),
        };
        self.passed += 1;
        URL_SAFE_NO_PAD.encode_string(of, name);
        let _ = write!(name, "-{number}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buffer::ChunkKeys;

    const ONE: &[u8] = b"\x92\x01\x80";

    fn message(digest: u8, first: u32) -> Source {
        Source::Message(Origin { digest: [digest; 16], first })
    }

    fn names(chunk: &Chunk) -> Vec<String> {
        let (mut names, mut name) = (Names::new(chunk), String::new());
        (0..chunk.bytes.len())
            .step_by(3)
            .map(|at| {
                names.write(at, &mut name);
                name.clone()
            })
            .collect()
    }

    #[test]
    fn names_stay_when_parts_are_gone() {
        let mut chunk = Chunk { bytes: ONE.repeat(8), ..Chunk::new(ChunkKeys::default()) };
        for (start, source) in
            [(0, Source::Place(100)), (3, Source::Place(103)), (6, message(7, 5)), (15, message(8, 0)), (18, Source::Place(1))]
        {
            push(&mut chunk.sources, start, source);
        }
        assert_eq!(chunk.sources.len(), 4);
        let all = names(&chunk);
        assert_eq!(all.iter().collect::<std::collections::HashSet<_>>().len(), 8);
        assert!(all[4].ends_with("-7") && all[1].ends_with("-103") && all[7].ends_with("-4"), "{all:?}");
        let ranges = [3..9, 12..15, 21..24];
        chunk.sources = cut(&chunk.sources, &chunk.bytes, &ranges);
        chunk.bytes = ONE.repeat(4);
        assert_eq!(names(&chunk), [&all[1], &all[2], &all[4], &all[7]].map(String::clone));
    }

    #[test]
    fn a_chunk_that_says_nothing_is_named_by_place() {
        let chunk = Chunk { bytes: ONE.repeat(2), ..Chunk::new(ChunkKeys::default()) };
        let found = names(&chunk);
        assert!(found[0].ends_with("-0") && found[1].ends_with("-3"));
    }
}
