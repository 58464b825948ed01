//! Frames: what a segment is made of. A header with a checksum of its own, then a body with another, so that damage costs the frame it
//! hits and no more.
//!
//! ```text
//! 0  magic           4 bytes: C1 46 4C 01; C1 is neither msgpack nor UTF-8
//! 4  kind            1 byte
//! 5  flags           1 byte: 1 an origin comes first in the body, 2 gzip, 4 zstd
//! 6  reserved        2 bytes: zero
//! 8  chunk           8 bytes: the chunk's number in this log
//! 16 at              8 bytes: bytes of the chunk before this frame, or the number of the progress
//! 24 records         4 bytes
//! 28 length          4 bytes of body
//! 32 body checksum   4 bytes: CRC-32
//! 36 header checksum 4 bytes: CRC-32 of what is before it, mixed with the segment's salt
//! ```
//!
//! All numbers are little-endian. The salt is in the segment's name: what an event holds cannot pass for a frame.

use memchr::memmem;
use std::ops::Range;

/// How a frame begins.
pub const MAGIC: [u8; 4] = *b"\xc1FL\x01";
/// The length of a header.
pub const HEADER_BYTES: usize = 40;
/// The length of an origin.
pub const ORIGIN_BYTES: usize = 20;

const HAS_ORIGIN: u8 = 1;
const IS_GZIP: u8 = 2;
const IS_ZSTD: u8 = 4;

/// What a frame says about its chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What the chunk is: its name and keys ([`Head`](super::Head)). Stands twice before the chunk's first events in each segment.
    Head = 1,
    /// Events.
    Events = 2,
    /// What of it is still to be delivered ([`Remaining`](super::Remaining)); the last one counts.
    Progress = 3,
    /// It takes no more events.
    Closed = 4,
    /// It is done with.
    Done = 5,
    /// Nothing that is behind it counts: the file was another segment's before. It is of no chunk, and the next frame takes its place.
    End = 6,
}

impl Kind {
    fn of(byte: u8) -> Option<Kind> {
        [Kind::Head, Kind::Events, Kind::Progress, Kind::Closed, Kind::Done, Kind::End].into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// How a body is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Packing {
    /// Not at all.
    #[default]
    None,
    /// As gzip, behind four bytes with the length before.
    Gzip,
    /// As zstd, behind the same.
    Zstd,
}

/// The message that events came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// What the sender calls the message, hashed.
    pub digest: [u8; 16],
    /// The number of the first event within the message.
    pub first: u32,
}

impl Origin {
    /// As a frame holds it.
    pub fn to_bytes(self) -> [u8; ORIGIN_BYTES] {
        let mut bytes = [0; ORIGIN_BYTES];
        bytes[..16].copy_from_slice(&self.digest);
        bytes[16..].copy_from_slice(&self.first.to_le_bytes());
        bytes
    }

    fn of(bytes: &[u8]) -> Option<Origin> {
        let (digest, first) = bytes.get(..ORIGIN_BYTES)?.split_at(16);
        Some(Origin { digest: digest.try_into().ok()?, first: u32::from_le_bytes(first.try_into().ok()?) })
    }
}

/// What stands before a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the frame says.
    pub kind: Kind,
    /// Whether an origin is at the start of the body.
    pub has_origin: bool,
    /// How the rest of the body is compressed.
    pub packing: Packing,
    /// The number of the chunk in this log.
    pub chunk: u64,
    /// Bytes of the chunk before this frame, uncompressed; in a progress frame, how many were before it.
    pub at: u64,
    /// How many events.
    pub records: u32,
    /// Bytes of the body.
    pub length: u32,
    /// CRC-32 of the body.
    pub checksum: u32,
}

impl Header {
    /// Of a frame without an origin and compression.
    pub fn plain(kind: Kind, chunk: u64, at: u64, body: &[u8]) -> Header {
        let length = body.len() as u32;
        Header { kind, has_origin: false, packing: Packing::None, chunk, at, records: 0, length, checksum: checksum(body) }
    }

    /// The end of what a segment with this salt holds, for a file that is longer.
    pub fn end(salt: u32) -> [u8; HEADER_BYTES] {
        Header::plain(Kind::End, 0, 0, &[]).to_bytes(salt)
    }

    /// As a segment with this salt holds it.
    pub fn to_bytes(self, salt: u32) -> [u8; HEADER_BYTES] {
        let packing = match self.packing {
            Packing::None => 0,
            Packing::Gzip => IS_GZIP,
            Packing::Zstd => IS_ZSTD,
        };
        let mut bytes = [0; HEADER_BYTES];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4] = self.kind as u8;
        bytes[5] = if self.has_origin { HAS_ORIGIN | packing } else { packing };
        bytes[8..16].copy_from_slice(&self.chunk.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.at.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.records.to_le_bytes());
        bytes[28..32].copy_from_slice(&self.length.to_le_bytes());
        bytes[32..36].copy_from_slice(&self.checksum.to_le_bytes());
        let own = checksum(&bytes[..36]) ^ salt;
        bytes[36..].copy_from_slice(&own.to_le_bytes());
        bytes
    }

    /// Reads the header at the start of these bytes; `None` where there is none that is whole.
    pub fn read(bytes: &[u8], salt: u32) -> Option<Header> {
        let bytes: &[u8; HEADER_BYTES] = bytes.get(..HEADER_BYTES)?.try_into().ok()?;
        if bytes[..4] != MAGIC || checksum(&bytes[..36]) ^ salt != word(bytes, 36) {
            return None;
        }
        let packing = match bytes[5] & !HAS_ORIGIN {
            0 => Packing::None,
            IS_GZIP => Packing::Gzip,
            IS_ZSTD => Packing::Zstd,
            _ => return None,
        };
        let long = |at: usize| u64::from(word(bytes, at)) | u64::from(word(bytes, at + 4)) << 32;
        Some(Header {
            kind: Kind::of(bytes[4])?,
            has_origin: bytes[5] & HAS_ORIGIN != 0,
            packing,
            chunk: long(8),
            at: long(16),
            records: word(bytes, 24),
            length: word(bytes, 28),
            checksum: word(bytes, 32),
        })
    }

    /// The length of the whole frame.
    pub fn frame_bytes(&self) -> usize {
        HEADER_BYTES + self.length as usize
    }
}

fn word(bytes: &[u8; HEADER_BYTES], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// CRC-32 of these bytes.
pub fn checksum(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

/// A frame that is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'b> {
    /// Where it begins in the segment.
    pub start: usize,
    /// Its header.
    pub header: Header,
    /// Its body.
    pub body: &'b [u8],
}

impl<'b> Frame<'b> {
    /// The message that its events came in, where the sender named it.
    pub fn origin(&self) -> Option<Origin> {
        if self.header.has_origin { Origin::of(self.body) } else { None }
    }

    /// Its body without the origin, as it is stored.
    pub fn content(&self) -> &'b [u8] {
        if self.header.has_origin { self.body.get(ORIGIN_BYTES..).unwrap_or_default() } else { self.body }
    }

    /// Where it ends.
    pub fn end(&self) -> usize {
        self.start + self.header.frame_bytes()
    }
}

/// What is at a place of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found<'b> {
    /// A whole frame.
    Frame(Frame<'b>),
    /// Bytes that are none. The header is there where only the body is damaged.
    Damage(Range<usize>, Option<Header>),
}

/// Walks over the frames of a segment, from one whole frame to the next, whatever is between them.
pub struct Frames<'b> {
    bytes: &'b [u8],
    salt: u32,
    at: usize,
    /// Whether these are not all the bytes there are.
    has_more: bool,
}

impl<'b> Frames<'b> {
    /// Over the bytes of a segment with this salt.
    pub fn new(bytes: &'b [u8], salt: u32) -> Frames<'b> {
        Frames { bytes, salt, at: 0, has_more: false }
    }

    /// Over bytes after which the segment goes on: a frame that ends behind them is not looked for among them, and called damaged with its header.
    pub fn of_window(bytes: &'b [u8], salt: u32) -> Frames<'b> {
        Frames { has_more: true, ..Frames::new(bytes, salt) }
    }

    /// Whether nothing comes any more.
    pub fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// Goes on with the next header at or behind a place; gives where what is damaged ends. Where there is none that is the end, or what
    /// the file held before it was this segment's.
    fn skip_damage(&mut self, from: usize) -> usize {
        let rest = self.bytes.get(from..).unwrap_or_default();
        let mut places = memmem::find_iter(rest, &MAGIC).map(|at| from + at);
        let next = places.find(|at| Header::read(&self.bytes[*at..], self.salt).is_some());
        self.at = next.unwrap_or(self.bytes.len());
        if next.is_some() {
            return self.at;
        }
        let mut places = memmem::find_iter(rest, &MAGIC).map(|at| from + at);
        places.find(|at| is_of_another(&self.bytes[*at..])).unwrap_or(self.bytes.len())
    }
}

impl<'b> Iterator for Frames<'b> {
    type Item = Found<'b>;

    fn next(&mut self) -> Option<Found<'b>> {
        let start = self.at;
        if start >= self.bytes.len() {
            return None;
        }
        let Some(header) = Header::read(&self.bytes[start..], self.salt) else {
            return Some(Found::Damage(start..self.skip_damage(start + 1), None));
        };
        if header.kind == Kind::End {
            self.at = self.bytes.len();
            return None;
        }
        let end = start + header.frame_bytes();
        if self.has_more && end > self.bytes.len() {
            self.at = self.bytes.len();
            return Some(Found::Damage(start..self.at, Some(header)));
        }
        let body = self.bytes.get(start + HEADER_BYTES..end);
        if let Some(body) = body.filter(|body| checksum(body) == header.checksum) {
            self.at = end;
            return Some(Found::Frame(Frame { start, header, body }));
        }
        // The header is whole, so that its length can be trusted, unless bytes are missing from the file.
        let follows =
            end == self.bytes.len() && !self.has_more || self.bytes.get(end..).is_some_and(|rest| Header::read(rest, self.salt).is_some());
        let end = if follows { end } else { self.skip_damage(start + 1) };
        self.at = self.at.max(end);
        Some(Found::Damage(start..end, Some(header)))
    }
}

/// Whether there is a whole frame here, of whatever segment.
fn is_of_another(bytes: &[u8]) -> bool {
    let Some(head) = bytes.first_chunk::<HEADER_BYTES>() else { return false };
    let salt = checksum(&head[..36]) ^ word(head, 36);
    let header = Header::read(bytes, salt);
    header.is_some_and(|header| bytes.get(HEADER_BYTES..header.frame_bytes()).is_some_and(|body| checksum(body) == header.checksum))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: u32 = 0x1234_5678;

    fn segment(bodies: &[&[u8]]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (at, body) in bodies.iter().enumerate() {
            let header = Header { records: 3, ..Header::plain(Kind::Events, 7 << 40, at as u64, body) };
            bytes.extend_from_slice(&header.to_bytes(SALT));
            bytes.extend_from_slice(body);
        }
        bytes
    }

    fn bodies(bytes: &[u8]) -> (Vec<&[u8]>, Vec<Range<usize>>) {
        let (mut whole, mut damaged) = (Vec::new(), Vec::new());
        for found in Frames::new(bytes, SALT) {
            match found {
                Found::Frame(frame) => whole.push(frame.body),
                Found::Damage(range, _) => damaged.push(range),
            }
        }
        (whole, damaged)
    }

    #[test]
    fn checksums_are_those_of_files_that_are_there() {
        assert_eq!((checksum(b"123456789"), checksum(b"")), (0xcbf4_3926, 0));
    }

    #[test]
    fn headers_come_back() {
        let origin = Origin { digest: *b"0123456789abcdef", first: 9 };
        let body = [origin.to_bytes().as_slice(), b"xyz"].concat();
        let header = Header { has_origin: true, packing: Packing::Zstd, ..Header::plain(Kind::Events, u64::MAX, 1 << 50, &body) };
        let bytes = [header.to_bytes(SALT).as_slice(), &body].concat();
        assert_eq!(Header::read(&bytes, SALT), Some(header));
        assert_eq!(Header::read(&bytes, SALT + 1), None);
        let Some(Found::Frame(frame)) = Frames::new(&bytes, SALT).next() else { panic!() };
        assert_eq!((frame.origin(), frame.content(), frame.end()), (Some(origin), b"xyz".as_slice(), bytes.len()));
    }

    #[test]
    fn a_flipped_byte_costs_the_frame_it_is_in() {
        let all: [&[u8]; 3] = [b"first", b"second, with \xc1FL\x01 in it", b"third"];
        let good = segment(&all);
        assert_eq!(bodies(&good), (all.to_vec(), vec![]));
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            let (whole, damaged) = bodies(&bad);
            assert_eq!((whole.len(), damaged.len()), (2, 1), "at {at}");
            assert!(damaged[0].contains(&at), "{damaged:?} {at}");
        }
    }

    #[test]
    fn a_cut_costs_the_frame_it_is_in() {
        let good = segment(&[b"first", b"second"]);
        let first = HEADER_BYTES + 5;
        for length in 0..good.len() {
            let (whole, damaged) = bodies(&good[..length]);
            assert_eq!(whole.len(), usize::from(length >= first));
            assert_eq!(damaged.iter().map(|range| range.len()).sum::<usize>(), if length < first { length } else { length - first });
        }
    }

    #[test]
    fn what_a_file_held_before_is_neither_read_nor_damaged() {
        let (new, old) = (segment(&[b"first", b"second"]), segment(&[b"old", b"older", b"oldest"]));
        // The same frames under another salt.
        let mut before = Vec::new();
        for found in Frames::new(&old, SALT) {
            let Found::Frame(frame) = found else { panic!() };
            before.extend_from_slice(&frame.header.to_bytes(SALT + 1));
            before.extend_from_slice(frame.body);
        }
        let over = |written: &[u8]| [written, before.get(written.len()..).unwrap_or_default(), &before].concat();
        let ended = over(&[new.as_slice(), &Header::end(SALT)].concat());
        assert_eq!(bodies(&ended), (vec![b"first".as_slice(), b"second"], vec![]));
        // Torn: the mark did not come to the disk, or not all of what is before it.
        for length in 1..new.len() {
            let file = over(&new[..length]);
            let (whole, damaged) = bodies(&file);
            assert_eq!(whole.len(), usize::from(length >= HEADER_BYTES + 5), "{length}");
            let [torn] = damaged.as_slice() else { panic!("{damaged:?}") };
            assert!(torn.end < file.len() - 2 * HEADER_BYTES, "frames of the old segment were taken for torn ones");
        }
    }

    #[test]
    fn missing_bytes_do_not_hide_what_is_behind() {
        let good = segment(&[b"first", b"second", b"third"]);
        let mut cut = good.clone();
        cut.drain(HEADER_BYTES + 2..HEADER_BYTES + 4);
        assert_eq!(bodies(&cut).0, [b"second".as_slice(), b"third"]);
    }
}
