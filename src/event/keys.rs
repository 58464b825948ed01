//! Whether a map's keys are all different, for maps of text keys: fast for the usual, linear for all.

use bumpalo::Bump;
use std::collections::HashSet;

/// Keys of a map up to this many are compared pairwise.
const PAIRWISE_KEYS: usize = 16;
/// Slots of the table for maps of more keys; a power of two.
const SLOTS: usize = 256;
/// Maps of more keys than this go to the exact check, so that the table stays half empty.
const TABLE_KEYS: usize = 128;
/// Probes into the table before the exact check takes over: keys chosen to collide cost no more than that.
const MAX_PROBES: usize = 16;

/// A table that is lent to [`Keys::for_map`]; all zero.
pub(in crate::event) type Slots = [u64; SLOTS];
/// An empty table.
pub(in crate::event) const EMPTY_SLOTS: Slots = [0; SLOTS];

/// Collects the keys of one map. It may say "perhaps repeated" of keys that are not; [`all_differ`] then decides.
#[expect(clippy::large_enum_variant, reason = "it lives on the stack of one walk, and a box would be an allocation a map")]
pub(in crate::event) enum Keys<'t, 'k> {
    /// A few: they themselves.
    Few(Few<'k>),
    /// More: an open-addressed table of signatures, zero where free; and how many keys came so far.
    Table(&'t mut Slots, usize),
    /// Very many: let the exact check decide at once.
    Many,
}

/// The keys of a small map. Those with different marks differ, which is nearly all that ever has to be looked at.
pub(in crate::event) struct Few<'k> {
    keys: [&'k [u8]; PAIRWISE_KEYS],
    count: usize,
    /// A bit for each mark that came.
    marks: u64,
}

impl<'k> Few<'k> {
    fn new() -> Few<'k> {
        Few { keys: [&[]; PAIRWISE_KEYS], count: 0, marks: 0 }
    }

    /// Adds a key, if there is room; `true` where it is there already. Of the mark, which is the same for the same key, 6 bits count.
    #[inline]
    fn add(&mut self, key: &'k [u8], mark: usize) -> bool {
        let bit = 1u64 << (mark % 64);
        let repeated = self.marks & bit != 0 && self.keys[..self.count].iter().any(|earlier| same(earlier, key));
        self.marks |= bit;
        if let Some(slot) = self.keys.get_mut(self.count) {
            *slot = key;
            self.count += 1;
        }
        repeated
    }
}

/// A mark for maps of more than a handful of keys, many of which are of one length.
#[inline]
fn mark(key: &[u8]) -> usize {
    match key {
        [first, .., last] => key.len() + 5 * usize::from(*first) + 13 * usize::from(*last),
        _ => key.len(),
    }
}

/// Whether two keys are the same.
#[inline]
pub(in crate::event) fn same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && same_bytes(one, other)
}

/// Whether two texts of one length are the same: short ones without a call.
#[inline]
fn same_bytes(one: &[u8], other: &[u8]) -> bool {
    match one.len() {
        0 => true,
        length @ 1..=3 => [0, length / 2, length - 1].iter().all(|at| one[*at] == other[*at]),
        length @ 4..=7 => four(one, 0) == four(other, 0) && four(one, length - 4) == four(other, length - 4),
        length @ 8..=16 => eight(one, 0) == eight(other, 0) && eight(one, length - 8) == eight(other, length - 8),
        _ => eight(one, 0) == eight(other, 0) && one == other,
    }
}

/// Whether a map of so many keys needs a table.
#[inline]
pub(in crate::event) fn wants_table(count: usize) -> bool {
    count > PAIRWISE_KEYS && count <= TABLE_KEYS
}

impl<'t, 'k> Keys<'t, 'k> {
    /// For a map of unknown size.
    #[inline]
    pub(in crate::event) fn new() -> Keys<'t, 'k> {
        Keys::Few(Few::new())
    }

    /// For a map of `count` keys, with a table where [`wants_table`] says so and the caller has one.
    #[inline]
    pub(in crate::event) fn for_map(count: usize, table: Option<&'t mut Slots>) -> Keys<'t, 'k> {
        match table {
            _ if count <= PAIRWISE_KEYS => Keys::Few(Few::new()),
            Some(slots) if wants_table(count) => Keys::Table(slots, 0),
            _ => Keys::Many,
        }
    }

    /// Adds a key; `true` where it is perhaps there already.
    #[inline]
    pub(in crate::event) fn add(&mut self, key: &'k [u8]) -> bool {
        match self {
            // The usual map that is checked has a few keys, of different lengths.
            Keys::Few(few) => few.add(key, key.len()),
            Keys::Table(slots, _) => add_to_table(slots, signature(key)),
            Keys::Many => true,
        }
    }

    /// As [`Keys::add`], for a map whose number of keys shows only as it is read.
    #[inline]
    pub(in crate::event) fn add_one_more(&mut self, key: &'k [u8], bump: &'t Bump) -> bool {
        match self {
            Keys::Few(few) if few.count < PAIRWISE_KEYS => return few.add(key, mark(key)),
            _ => self.make_room(bump),
        }
        self.add(key)
    }

    #[cold]
    fn make_room(&mut self, bump: &'t Bump) {
        match self {
            Keys::Few(few) => {
                let slots = bump.alloc(EMPTY_SLOTS);
                few.keys.iter().for_each(|key| {
                    add_to_table(slots, signature(key));
                });
                *self = Keys::Table(slots, few.count);
            }
            Keys::Table(_, count) if *count < TABLE_KEYS => *count += 1,
            _ => *self = Keys::Many,
        }
    }
}

fn add_to_table(slots: &mut Slots, signature: u64) -> bool {
    let start = (signature >> 32) as usize;
    for probe in 0..MAX_PROBES {
        let slot = &mut slots[(start + probe) % SLOTS];
        if *slot == signature {
            return true;
        }
        if *slot == 0 {
            *slot = signature;
            return false;
        }
    }
    true
}

/// Whether all keys differ, exactly.
pub(in crate::event) fn all_differ<'a>(keys: impl Iterator<Item = &'a [u8]>) -> bool {
    let mut seen = HashSet::new();
    keys.into_iter().all(|key| seen.insert(key))
}

/// Length, first and last bytes, mixed; never zero.
#[inline]
fn signature(key: &[u8]) -> u64 {
    const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
    let (first, last) = match key.len() {
        0 => (0, 0),
        1..=3 => (u64::from(key[0]) | u64::from(key[key.len() / 2]) << 8 | u64::from(key[key.len() - 1]) << 16, 0),
        4..=7 => (u64::from(four(key, 0)), u64::from(four(key, key.len() - 4))),
        length => (eight(key, 0), eight(key, length - 8)),
    };
    let mixed = (first ^ (last.rotate_left(29)) ^ ((key.len() as u64) << 56)).wrapping_mul(MIX);
    (mixed ^ (last.wrapping_mul(MIX) >> 17)) | 1
}

#[inline]
fn four(key: &[u8], at: usize) -> u32 {
    key[at..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

#[inline]
fn eight(key: &[u8], at: usize) -> u64 {
    key[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}
