//! The keys that a record before had: those of one source have the same ones in the same order. A key that is where it is expected gives its
//! own length, so that the value behind it need not wait for that, and keys that are known to differ need not be compared again.

use super::Reader;
use crate::event::patience::Patience;
use std::cell::RefCell;

/// Layouts that are known at a time, by how many keys they have: sources that mix mostly differ in that.
pub const LAYOUTS: usize = 4;

thread_local! {
    static OF_THREAD: RefCell<Layouts> = const { RefCell::new(Layouts([const { Layout::new() }; LAYOUTS])) };
}

/// Records of more keys are walked over in the usual way.
const MOST_KEYS: usize = 24;
/// So are those with a longer key; with its head, which is one byte then.
const LONGEST_KEY: usize = 32;
/// What is compared at once.
const WORDS: usize = 16;

/// A key as msgpack has it.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    words: [u64; 2],
    masks: [u64; 2],
    rest: [u8; LONGEST_KEY - WORDS],
    length: usize,
}

impl Known {
    const NONE: Known = Known { words: [0; 2], masks: [0; 2], rest: [0; LONGEST_KEY - WORDS], length: 0 };

    /// Of a key with its head.
    fn of(packed: &[u8]) -> Known {
        let (mut bytes, mut masks) = ([0; LONGEST_KEY], [0; LONGEST_KEY]);
        bytes[..packed.len()].copy_from_slice(packed);
        masks[..packed.len()].fill(0xff);
        let word = |from: &[u8; LONGEST_KEY], at: usize| u64::from_le_bytes(std::array::from_fn(|byte| from[at * 8 + byte]));
        Known {
            words: [word(&bytes, 0), word(&bytes, 1)],
            masks: [word(&masks, 0), word(&masks, 1)],
            rest: std::array::from_fn(|at| bytes[WORDS + at]),
            length: packed.len(),
        }
    }

    /// How long it is, with its head.
    #[inline(always)]
    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// Whether the bytes begin with it; `false` also of the last few bytes of all.
    #[inline(always)]
    pub(super) fn begins(&self, bytes: &[u8]) -> bool {
        let Some((one, two)) = bytes.first_chunk::<8>().zip(bytes.get(8..).and_then(<[u8]>::first_chunk::<8>)) else { return false };
        let (one, two) = (u64::from_le_bytes(*one) ^ self.words[0], u64::from_le_bytes(*two) ^ self.words[1]);
        (one & self.masks[0]) | (two & self.masks[1]) == 0 && (self.length <= WORDS || self.rest_follows(bytes))
    }

    fn rest_follows(&self, bytes: &[u8]) -> bool {
        bytes.get(WORDS..self.length).is_some_and(|rest| rest == &self.rest[..self.length - WORDS])
    }
}

/// The keys of one record, in order.
#[derive(Debug)]
pub struct Layout {
    keys: [Known; MOST_KEYS],
    /// How many there are; none where nothing is known.
    count: usize,
    patience: Patience,
}

impl Layout {
    /// Of nothing yet.
    pub(in crate::event) const fn new() -> Layout {
        Layout { keys: [Known::NONE; MOST_KEYS], count: 0, patience: Patience::new() }
    }

    /// The keys, where there are so many: what a record of that size probably has.
    #[inline(always)]
    pub fn keys(&self, count: usize) -> Option<&[Known]> {
        if count == self.count { self.keys.get(..count) } else { None }
    }

    /// Notes that a record had these keys.
    #[inline(always)]
    pub fn met(&mut self) {
        self.patience.met();
    }

    /// Notes that a record had others, which differ from each other; its pairs begin at the cursor. Says whether those are taken down now.
    #[inline]
    pub fn missed(&mut self, pairs: Reader<'_>, count: usize) -> bool {
        (1..=MOST_KEYS).contains(&count) && self.patience.is_over() && self.take_down(pairs, count)
    }

    #[cold]
    fn take_down(&mut self, mut pairs: Reader<'_>, count: usize) -> bool {
        self.forget();
        for known in &mut self.keys[..count] {
            let start = pairs.position();
            let Some(key) = pairs.usual_text() else { return false };
            // Its head is one byte, as senders write short texts, and not one of the longer ones that are possible.
            if key.len() >= LONGEST_KEY || pairs.position() - start != key.len() + 1 || pairs.skip().is_err() {
                return false;
            }
            *known = Known::of(&pairs.bytes()[start..start + key.len() + 1]);
        }
        self.count = count;
        true
    }

    /// Knows nothing any more.
    pub fn forget(&mut self) {
        self.count = 0;
    }
}

/// What is known of the records of mixed sources.
#[derive(Debug)]
pub struct Layouts([Layout; LAYOUTS]);

impl Layouts {
    /// Does some work on records with what is known of those that this thread had before.
    #[inline]
    pub fn of_thread<T>(work: impl FnOnce(&mut Layouts) -> T) -> T {
        OF_THREAD.with_borrow_mut(work)
    }

    /// The layout for records of so many keys.
    #[inline(always)]
    pub fn of(&mut self, count: usize) -> &mut Layout {
        &mut self.0[count % LAYOUTS]
    }
}

impl Default for Layouts {
    /// Of nothing yet.
    fn default() -> Layouts {
        Layouts([const { Layout::new() }; LAYOUTS])
    }
}

#[cfg(test)]
mod tests {
    use super::super::entries::check_all;
    use super::super::{read_canonical_record, read_record};
    use super::*;
    use crate::event::json::{Style, transcode_map, write_record};
    use bumpalo::Bump;

    /// Pairs of records, as msgpack, that are much like each other.
    fn records() -> Vec<Vec<u8>> {
        let long = [b"\xbf".as_slice(), &[b'k'; 31]].concat();
        let other_long = [b"\xbf".as_slice(), &[b'k'; 30], b"l"].concat();
        let longer = [b"\xd9\x20".as_slice(), &[b'k'; 32]].concat();
        let keys: [&[u8]; 10] = [
            b"\xa1a",
            b"\xa0",
            b"\xd9\x01a",
            b"\xb0sixteen in width",
            b"\xb0sixteen in wide!",
            &long,
            &other_long,
            &longer,
            b"\xa2\"a",
            b"\xa2\xc3\xa9",
        ];
        let values: [&[u8]; 7] =
            [b"\xa5hello", b"\xa0", b"\xcd\x01\x02", b"\xc0", b"\x81\xa1a\x92\x01\xa1b", b"\xd9\x03abc", b"\xcb\0\0\0\0\0\0\0\0"];
        let mut records = Vec::new();
        for (at, first) in keys.iter().enumerate() {
            for (to, second) in keys.iter().enumerate() {
                let values = [values[(at + to) % values.len()], values[(at * 3 + to) % values.len()]];
                records.push([b"\x82".as_slice(), first, values[0], second, values[1]].concat());
            }
        }
        records.push(b"\x80".to_vec());
        records
    }

    fn entry(record: &[u8]) -> Vec<u8> {
        // The same behind it: a key is compared in words, of which the last ones of all have too few bytes.
        [b"\x92\x01".as_slice(), record, b"\x92\x01\x81\xb0sixteen in width\xb0sixteen in width"].concat()
    }

    #[test]
    fn records_behind_others_are_checked_as_if_they_came_alone() {
        let records = records();
        for before in &records {
            let mut layouts = Layouts::default();
            for _ in 0..8 {
                let _ = check_all(&entry(before), &mut Vec::new(), &mut layouts);
            }
            for record in &records {
                for bytes in [entry(record), entry(record)[..2 + record.len()].to_vec(), entry(record)[..1 + record.len()].to_vec()] {
                    let alone = check_all(&bytes, &mut Vec::new(), &mut Layouts::default());
                    assert_eq!(check_all(&bytes, &mut Vec::new(), &mut layouts), alone, "{record:x?} behind {before:x?}");
                }
            }
        }
    }

    #[test]
    fn records_behind_others_are_read_and_written_as_if_they_came_alone() {
        let bump = Bump::new();
        let is_canonical =
            |record: &Vec<u8>| check_all(&entry(record), &mut Vec::new(), &mut Layouts::default()).is_ok_and(|found| found.canonical);
        let records: Vec<Vec<u8>> = records().into_iter().filter(is_canonical).collect();
        assert!(records.len() > 80);
        for before in &records {
            let mut layouts = Layouts::default();
            for record in [vec![before; 8], records.iter().collect()].concat() {
                let bytes = entry(record);
                let at_record = || Reader::starting_at(&bytes, 2);
                let alone = read_record(&bump, &mut at_record()).unwrap();
                let behind = read_canonical_record(&bump, &mut at_record(), &mut layouts).unwrap();
                assert_eq!(behind.fields(), alone.fields(), "{record:x?} behind {before:x?}");
                let (mut plain, mut spelled) = (Vec::new(), Vec::new());
                write_record(&alone, Style::Oj, &mut plain);
                let mut reader = at_record();
                transcode_map(&mut reader, Style::Oj, &mut spelled).unwrap();
                assert_eq!(String::from_utf8_lossy(&spelled), String::from_utf8_lossy(&plain), "{record:x?} behind {before:x?}");
                assert_eq!(reader.position(), 2 + record.len());
            }
        }
    }

    #[test]
    fn layouts_that_do_not_come_again_are_looked_for_less_and_less() {
        let (mut layout, mut taken) = (Layout::new(), 0);
        let pairs = b"\xa1a\x01";
        for _ in 0..1000 {
            taken += u32::from(layout.missed(Reader::new(pairs), 1));
        }
        assert!((10..30).contains(&taken), "{taken}");
        layout.met();
        let misses = (0..).take_while(|_| !layout.missed(Reader::new(pairs), 1)).count();
        let misses_then = (0..).take_while(|_| !layout.missed(Reader::new(pairs), 1)).count();
        assert!(misses < 64 && misses_then < 4, "{misses} {misses_then}");
    }
}
