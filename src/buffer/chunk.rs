//! The unit of delivery and retry, and the sixteen bytes that name one.

use super::names::SourceRun;
use crate::event::{EventTime, Tag};
use crate::metrics::Count;
use std::cell::Cell;
use std::fmt::Write;
use std::hash::{BuildHasher, Hasher, RandomState};

/// What all events of a chunk have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ChunkKeys {
    /// The tag, where it is a chunk key.
    pub tag: Option<Tag>,
    /// Start of the time slice in seconds since 1970, where `time` is a chunk key.
    pub timekey: Option<i64>,
    /// Values of the fields that are chunk keys, by the key as configured; `None` where a record lacks it.
    pub variables: Vec<(String, Option<String>)>,
}

/// Events that are delivered together.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// Sixteen bytes that name it, as Fluentd makes them: microseconds and randomness.
    pub id: [u8; 16],
    /// What its events have in common.
    pub keys: ChunkKeys,
    /// msgpack entries `[time, record]`, or what the output's `format` wrote.
    pub bytes: Vec<u8>,
    /// How many events.
    pub records: usize,
    /// Where its events come from, for those who name them; what is not said comes from its place in the chunk.
    pub sources: Vec<SourceRun>,
    /// Events that the output sent to `@ERROR` at the present delivery: settled, but not delivered.
    pub rejected: Count,
    /// Events that the output left out at the present delivery, as its parameters ask.
    pub dropped: Count,
}

impl Chunk {
    /// An empty chunk with a name of its own.
    pub fn new(keys: ChunkKeys) -> Chunk {
        Chunk {
            id: new_id(),
            keys,
            bytes: Vec::new(),
            records: 0,
            sources: Vec::new(),
            rejected: Count::default(),
            dropped: Count::default(),
        }
    }

    /// Its name in hexadecimal digits, as log lines and file names show it.
    pub fn hex(&self) -> String {
        self.id.iter().fold(String::with_capacity(32), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}

fn new_id() -> [u8; 16] {
    let now = EventTime::now();
    let micros = now.sec as u64 * 1_000_000 + u64::from(now.nsec) / 1000;
    let head = (micros << 12) | (random() & 0xfff);
    let mut id = [0; 16];
    id[..8].copy_from_slice(&head.to_be_bytes());
    id[8..].copy_from_slice(&random().to_be_bytes());
    id
}

/// Random enough for names of chunks and for spreading retries; no secret may come from it.
pub fn random() -> u64 {
    thread_local! {
        static STATE: Cell<u64> = Cell::new(RandomState::new().build_hasher().finish() | 1);
    }
    // xorshift64*: three shifts and a multiplication.
    let mut state = STATE.get();
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    STATE.set(state);
    state.wrapping_mul(0x2545_f491_4f6c_dd1d)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_and_start_with_the_time() {
        let one = Chunk::new(ChunkKeys::default());
        let two = Chunk::new(ChunkKeys::default());
        assert_ne!(one.id, two.id);
        assert_eq!(one.hex().len(), 32);
        let micros = u64::from_be_bytes(one.id[..8].try_into().unwrap()) >> 12;
        let now = EventTime::now().sec as u64;
        assert!(now - micros / 1_000_000 <= 1, "{micros}");
    }
}
