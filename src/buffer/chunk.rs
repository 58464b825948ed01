//! The unit of delivery and retry.

use crate::event::Tag;

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
}
