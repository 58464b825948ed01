//! What is held between batches: for each stream the first record and the texts of all pieces, as bytes of their own.

use crate::event::msgpack::write_record;
use crate::event::{EventTime, Record, Tag, Value};
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

/// What one filter may hold. Lines without an end, or very many streams, must not fill the memory: beyond this the streams that have been
/// silent for longest go as though their time were over.
const MAX_HELD_BYTES: usize = 64 << 20;
/// What is left when that happens, so that it does not happen again at once.
const KEPT_BYTES: usize = MAX_HELD_BYTES / 4 * 3;
/// What a stream takes besides its bytes, about.
const STREAM_BYTES: usize = 256;
/// What a piece takes besides its bytes.
const PIECE_BYTES: usize = size_of::<Piece>();

/// The pieces of one event.
pub struct Stream {
    tag: Tag,
    time: EventTime,
    first: Vec<u8>,
    texts: Vec<u8>,
    pieces: Vec<Piece>,
    is_binary: bool,
    /// What the plugin counts against `buffer_limit_size`.
    pub counted: u64,
    last_seen: Instant,
    number: u64,
}

struct Piece {
    ordinal: i64,
    end: usize,
}

/// A stream that is let go, as one event.
pub struct Held {
    /// Its tag.
    pub tag: Tag,
    /// The time of the first piece.
    pub time: EventTime,
    /// The first record, packed.
    pub first: Vec<u8>,
    /// All texts, the separator between them.
    pub text: Vec<u8>,
    /// Whether the sender called one of them binary.
    pub is_binary: bool,
    /// Why it is let go.
    pub message: String,
}

/// All streams of a filter.
#[derive(Default)]
pub struct Streams {
    streams: HashMap<Vec<u8>, Stream>,
    bytes: usize,
    events: usize,
    made: u64,
}

impl Stream {
    fn bytes(&self, identity: &[u8]) -> usize {
        STREAM_BYTES + identity.len() + self.tag.len() + self.first.len() + self.texts.len() + self.pieces.len() * PIECE_BYTES
    }

    /// How many pieces there are.
    pub fn len(&self) -> usize {
        self.pieces.len()
    }

    /// The stream as one event, the texts by their ordinals where that is wanted, else as they came.
    pub fn join(self, separator: &[u8], by_ordinal: bool) -> Held {
        let mut start = 0;
        let mut ranges = Vec::with_capacity(self.pieces.len());
        for piece in &self.pieces {
            ranges.push((piece.ordinal, start..piece.end));
            start = piece.end;
        }
        if by_ordinal {
            ranges.sort_by_key(|(ordinal, _)| *ordinal);
        }
        let mut text = Vec::with_capacity(self.texts.len() + separator.len() * ranges.len());
        for (at, (_, range)) in ranges.into_iter().enumerate() {
            if at > 0 {
                text.extend_from_slice(separator);
            }
            text.extend_from_slice(&self.texts[range]);
        }
        Held { tag: self.tag, time: self.time, first: self.first, text, is_binary: self.is_binary, message: String::new() }
    }
}

impl Streams {
    /// How many events are held.
    pub fn events(&self) -> usize {
        self.events
    }

    /// A stream, if anything of it is held.
    pub fn get_mut(&mut self, identity: &[u8]) -> Option<&mut Stream> {
        self.streams.get_mut(identity)
    }

    /// Adds a piece at the end of a stream; how many it has then. `text` is the value of the field `key` as text.
    pub fn push(&mut self, identity: &[u8], piece: NewPiece<'_, '_>) -> usize {
        let known = self.streams.get_mut(identity);
        let before = known.as_ref().map_or(0, |stream| stream.bytes(identity));
        let stream = match known {
            Some(stream) => stream,
            None => {
                self.made += 1;
                self.streams.entry(identity.to_vec()).or_insert_with(|| piece.stream(self.made))
            }
        };
        stream.texts.extend_from_slice(piece.text);
        stream.pieces.push(Piece { ordinal: piece.ordinal, end: stream.texts.len() });
        stream.is_binary |= piece.is_binary;
        stream.last_seen = piece.now;
        self.events += 1;
        self.bytes += stream.bytes(identity) - before;
        stream.len()
    }

    /// Notes that a stream is not silent.
    pub fn touch(&mut self, identity: &[u8], now: Instant) {
        if let Some(stream) = self.streams.get_mut(identity) {
            stream.last_seen = now;
        }
    }

    /// Takes a stream out.
    pub fn take(&mut self, identity: &[u8]) -> Option<Stream> {
        let stream = self.streams.remove(identity)?;
        self.bytes -= stream.bytes(identity);
        self.events -= stream.pieces.len();
        Some(stream)
    }

    /// Takes what has been silent for `wait`.
    pub fn take_silent(&mut self, now: Instant, wait: Duration, separator: &[u8]) -> Vec<Held> {
        let silent = |stream: &Stream| now.saturating_duration_since(stream.last_seen) >= wait;
        self.take_where("Timeout flush", separator, true, silent)
    }

    /// Takes everything: the end is near.
    pub fn take_all(&mut self, separator: &[u8]) -> Vec<Held> {
        self.take_where("Flush remaining buffer", separator, false, |_| true)
    }

    /// Takes what has been silent for longest, where more is held than may be.
    pub fn take_beyond_limit(&mut self, separator: &[u8]) -> Vec<Held> {
        if self.bytes <= MAX_HELD_BYTES {
            return Vec::new();
        }
        let mut ages: Vec<(Instant, u64, usize)> =
            self.streams.iter().map(|(identity, stream)| (stream.last_seen, stream.number, stream.bytes(identity))).collect();
        ages.sort_unstable();
        let mut kept = self.bytes;
        let mut last = (Instant::now(), 0);
        for (seen, number, bytes) in ages {
            if kept <= KEPT_BYTES {
                break;
            }
            kept -= bytes;
            last = (seen, number);
        }
        self.take_where("Flush beyond the limit of memory", separator, true, |stream| (stream.last_seen, stream.number) <= last)
    }

    fn take_where(&mut self, why: &str, separator: &[u8], by_ordinal: bool, wanted: impl Fn(&Stream) -> bool) -> Vec<Held> {
        let mut found: Vec<(u64, Vec<u8>)> =
            self.streams.iter().filter(|(_, stream)| wanted(stream)).map(|(identity, stream)| (stream.number, identity.clone())).collect();
        found.sort_unstable();
        let held = found.into_iter().filter_map(|(_, identity)| {
            let mut held = self.take(&identity)?.join(separator, by_ordinal);
            held.message = format!("{why}: {}", String::from_utf8_lossy(&identity));
            Some(held)
        });
        held.collect()
    }
}

/// A piece to be held.
pub struct NewPiece<'p, 'a> {
    /// The event's tag.
    pub tag: &'p Tag,
    /// The event's time.
    pub time: EventTime,
    /// The event's record.
    pub record: &'p Record<'a>,
    /// The field whose texts are put together.
    pub key: &'p [u8],
    /// Its value as text.
    pub text: &'p [u8],
    /// Whether that is binary.
    pub is_binary: bool,
    /// The place of the piece among the others, where it says one.
    pub ordinal: i64,
    /// The present.
    pub now: Instant,
}

impl NewPiece<'_, '_> {
    /// A stream that begins with this piece; its text is still to be added.
    fn stream(&self, number: u64) -> Stream {
        let mut record = self.record.clone();
        // The text is kept beside the record: here is only its place.
        if let Some((_, value)) = record.fields_mut().iter_mut().find(|(name, _)| name.as_bytes() == Some(self.key)) {
            *value = Value::Nil;
        }
        let mut first = Vec::new();
        write_record(&record, &mut first);
        Stream {
            tag: self.tag.clone(),
            time: self.time,
            first,
            texts: Vec::new(),
            pieces: Vec::new(),
            is_binary: false,
            counted: 0,
            last_seen: self.now,
            number,
        }
    }
}
