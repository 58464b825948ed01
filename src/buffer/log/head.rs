//! What frames say about a chunk as a whole: its name and keys, and what of it is still to be delivered.

use crate::buffer::ChunkKeys;
use crate::event::Tag;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Ranges that a progress frame can list; with more, the smallest gaps between them are delivered again.
pub const MAX_RANGES: usize = 4096;

/// What a chunk is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Sixteen bytes that name it.
    pub id: [u8; 16],
    /// Seconds since 1970 when its first event came.
    pub created: i64,
    /// Whether it holds msgpack entries `[time, record]`; otherwise what `output` wrote.
    pub is_packed: bool,
    /// The type of the output it was made for.
    pub output: String,
    /// What its events have in common.
    pub keys: ChunkKeys,
}

/// As a frame holds it, in msgpack with names, so that fields can be added.
#[derive(Serialize, Deserialize)]
struct Written {
    id: [u8; 16],
    created: i64,
    packed: bool,
    output: String,
    tag: Option<String>,
    timekey: Option<i64>,
    variables: Vec<(String, Option<String>)>,
}

impl Head {
    /// As a frame holds it.
    pub fn to_bytes(&self) -> Vec<u8> {
        let written = Written {
            id: self.id,
            created: self.created,
            packed: self.is_packed,
            output: self.output.clone(),
            tag: self.keys.tag.as_ref().map(ToString::to_string),
            timekey: self.keys.timekey,
            variables: self.keys.variables.clone(),
        };
        // Writing into memory cannot fail; were it to, the chunk's events would count as damaged rather than be lost.
        rmp_serde::to_vec_named(&written).unwrap_or_default()
    }

    /// Reads a frame's body; `None` where it is none.
    pub fn read(bytes: &[u8]) -> Option<Head> {
        let written: Written = rmp_serde::from_slice(bytes).ok()?;
        let Written { id, created, packed, output, tag, timekey, variables } = written;
        let keys = ChunkKeys { tag: tag.as_deref().map(Tag::new), timekey, variables };
        Some(Head { id, created, is_packed: packed, output, keys })
    }
}

/// What of a chunk is still to be delivered: ranges of its bytes as they were appended, uncompressed, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remaining(pub Vec<Range<u64>>);

impl Remaining {
    /// As a frame holds it: pairs of numbers, little-endian.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|range| [range.start.to_le_bytes(), range.end.to_le_bytes()]).flatten().collect()
    }

    /// Reads a frame's body; `None` where it is none.
    pub fn read(bytes: &[u8]) -> Option<Remaining> {
        let (pairs, rest) = bytes.as_chunks::<16>();
        let number = |bytes: &[u8]| bytes.try_into().map_or(0, u64::from_le_bytes);
        let ranges: Vec<Range<u64>> = pairs.iter().map(|pair| number(&pair[..8])..number(&pair[8..])).collect();
        let in_order = ranges.iter().all(|range| range.start <= range.end) && ranges.is_sorted_by(|a, b| a.end <= b.start);
        (rest.is_empty() && in_order).then_some(Remaining(ranges))
    }

    /// With no more ranges than a frame may list.
    pub fn bounded(mut self) -> Remaining {
        self.0.dedup_by(|next, before| {
            let touches = before.end == next.start;
            if touches {
                before.end = next.end;
            }
            touches
        });
        if self.0.len() > MAX_RANGES {
            let mut gaps: Vec<u64> = self.0.windows(2).map(|pair| pair[1].start - pair[0].end).collect();
            gaps.sort_unstable_by(|a, b| b.cmp(a));
            let least = gaps[MAX_RANGES - 2];
            let mut more = gaps[..MAX_RANGES - 1].iter().filter(|gap| **gap == least).count();
            self.0.dedup_by(|next, before| {
                let gap = next.start - before.end;
                let stays = gap > least || (gap == least && more > 0);
                if gap == least && more > 0 {
                    more -= 1;
                }
                if !stays {
                    before.end = next.end;
                }
                !stays
            });
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_come_back() {
        let variables = vec![("a".to_owned(), Some("x".to_owned())), ("$.b.c".to_owned(), None)];
        let keys = ChunkKeys { tag: Some(Tag::new("t.u")), timekey: Some(-5), variables };
        let head = Head { id: *b"0123456789abcdef", created: 1_700_000_000, is_packed: true, output: "file".to_owned(), keys };
        assert_eq!(Head::read(&head.to_bytes()), Some(head.clone()));
        let bare = Head { keys: ChunkKeys::default(), is_packed: false, ..head };
        assert_eq!(Head::read(&bare.to_bytes()), Some(bare));
        assert_eq!(Head::read(b"\xc0"), None);
    }

    #[test]
    fn remaining_ranges_come_back_and_are_bounded() {
        let some = Remaining(vec![0..5, 9..9, 10..u64::MAX]);
        assert_eq!(Remaining::read(&some.to_bytes()), Some(some));
        for wrong in [vec![Range { start: 5, end: 4 }], vec![0..5, 4..6]] {
            assert_eq!(Remaining::read(&Remaining(wrong).to_bytes()), None);
        }
        assert_eq!(Remaining::read(b"123"), None);
        assert_eq!(Remaining(vec![0..2, 2..4, 6..8]).bounded().0, [0..4, 6..8]);
        for gap in [1, 3] {
            let many: Vec<_> = (0..5000u64).map(|n| n * 10 + if n % 7 == 0 { gap } else { 0 }..n * 10 + 5).collect();
            let few = Remaining(many.clone()).bounded();
            assert_eq!((few.0.len(), few.0[0].start, few.0[MAX_RANGES - 1].end), (MAX_RANGES, many[0].start, many[4999].end));
        }
    }
}
