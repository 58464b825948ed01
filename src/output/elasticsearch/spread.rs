//! Events of one chunk that go to different servers, because each names its own: a delivery for each set of servers, and what is left of
//! all of them together.

use super::document::{Fault, Site};
use super::dynamic::{Dynamic, Looks};
use super::plan::{Problem, Trouble};
use crate::buffer::Chunk;
use crate::event::EventTime;
use crate::event::msgpack::{Entries, Reader, read_record};
use bumpalo::Bump;
use std::collections::HashMap;
use std::ops::Range;

/// The events of a chunk by where they go.
#[derive(Default)]
pub struct Spread {
    /// The text that names the servers, and where the entries are in the chunk, in order.
    pub groups: Vec<(String, Vec<Range<usize>>)>,
    /// Events whose parameters cannot be evaluated.
    pub problems: Vec<Problem>,
    /// Where something begins that is no msgpack.
    pub unreadable: Option<usize>,
}

/// Looks where each event of a chunk goes; `site` knows the tag.
pub fn spread(dynamic: &Dynamic, site: &Site<'_>, chunk: &Chunk) -> Spread {
    let mut found = Spread::default();
    let (mut looks, mut places, mut bump) = (Looks::default(), HashMap::new(), Bump::new());
    let mut at = 0;
    for entry in Entries::new(&chunk.bytes) {
        let Ok(entry) = entry else {
            found.unreadable = Some(at);
            return found;
        };
        let range = at..at + entry.whole.len();
        at = range.end;
        bump.reset();
        let Some(time) = entry.time.exact().or_else(|| entry.time.meant(EventTime::now())).filter(|_| entry.is_event()) else { continue };
        let Ok(record) = read_record(&bump, &mut Reader::new(entry.record)) else { continue };
        match looks.of(dynamic, site, time, &record) {
            Ok(look) => {
                let hosts = look.hosts().unwrap_or_default();
                if !places.contains_key(hosts) {
                    places.insert(hosts.to_owned(), found.groups.len());
                    found.groups.push((hosts.to_owned(), Vec::new()));
                }
                found.groups[places[hosts]].1.push(range);
            }
            Err(Fault { class, message }) => found.problems.push(Problem { entry: range, what: Trouble::Unevaluated(class, message) }),
        }
    }
    found
}

/// The events of a group as a chunk of their own.
pub fn part(chunk: &Chunk, ranges: &[Range<usize>]) -> Chunk {
    let bytes = ranges.iter().flat_map(|range| &chunk.bytes[range.clone()]).copied().collect();
    Chunk { id: chunk.id, bytes, records: ranges.len(), ..Chunk::new(chunk.keys.clone()) }
}

/// Where the entries are in the chunk that are left of a group, by where they are in the part made of it.
pub fn back(ranges: &[Range<usize>], left: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut at = 0;
    let placed = ranges.iter().map(|range| {
        let start = at;
        at += range.len();
        (start, range)
    });
    placed.filter(|(start, _)| left.iter().any(|left| left.contains(start))).map(|(_, range)| range.clone()).collect()
}

/// In order, neighbours as one.
pub fn joined(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_unstable_by_key(|range| range.start);
    let mut all: Vec<Range<usize>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match all.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => all.push(range),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_found_again() {
        let ranges = [10..15, 20..22, 22..30];
        assert_eq!(back(&ranges, &[0..5, 7..15]), [10..15, 22..30]);
        assert_eq!(back(&ranges, &[0..5, 5..15]), ranges);
        assert_eq!(joined(vec![22..30, 10..15, 20..22, 15..16]), [10..16, 20..30]);
    }
}
