//! What the segments of a buffer hold: live chunks with the places of their events, and what is damaged. Reads only.

use super::disk::Disk;
use super::frame::{Found, Frame, Frames, Header, Kind, Packing};
use super::head::{Head, Remaining};
use crate::buffer::{Compress, Location, SegmentName, unpack};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::io;
use std::ops::Range;

/// Frames of one chunk, side by side in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The number of the segment.
    pub segment: u32,
    /// Where the first frame begins.
    pub start: u32,
    /// Bytes of the frames.
    pub length: u32,
}

/// A chunk that is not done with.
#[derive(Clone, Debug, Default)]
pub struct FoundChunk {
    /// What it is; `None` where all frames that said so are damaged.
    pub head: Option<Head>,
    /// Where its events are, in order.
    pub places: Vec<Place>,
    /// Bytes of its events, uncompressed, delivered ones too.
    pub bytes: u64,
    /// How many bytes were ever appended to it, as far as is known.
    pub end: u64,
    /// How many events, delivered ones too.
    pub records: u64,
    /// Whether it takes no more events.
    pub is_closed: bool,
    /// What is still to be delivered, where some of it is not.
    pub remaining: Option<Remaining>,
    /// How many progress frames it has.
    pub progress: u64,
}

/// A segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundSegment {
    /// Its name.
    pub name: SegmentName,
    /// Its length in bytes.
    pub length: u64,
}

/// Bytes that are no frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// In which segment.
    pub segment: SegmentName,
    /// Where.
    pub range: Range<usize>,
    /// The frame's header, where only the body is damaged.
    pub header: Option<Header>,
    /// Whether nothing whole comes behind it: the end of what was being written when the process or the machine stopped.
    pub is_tail: bool,
}

/// What a buffer's segments hold.
#[derive(Debug, Default)]
pub struct Survey {
    /// Live chunks by number, which is the order of their first events.
    pub chunks: BTreeMap<u64, FoundChunk>,
    /// All segments in order.
    pub segments: Vec<FoundSegment>,
    /// What is damaged.
    pub damage: Vec<Damage>,
    /// A number above those of all chunks.
    pub next_chunk: u64,
    /// A number above those of segments that cannot be read.
    pub next_segment: u32,
}

/// The segments of a buffer in order.
pub fn segments(disk: &dyn Disk, location: &Location) -> io::Result<Vec<SegmentName>> {
    let mut names: Vec<SegmentName> = disk.list(&location.folder)?.iter().filter_map(|file| location.segment_of(file)).collect();
    names.sort_unstable();
    Ok(names)
}

/// All bytes of a segment.
pub fn read_segment(disk: &dyn Disk, location: &Location, name: SegmentName) -> io::Result<Vec<u8>> {
    let file = disk.open(&location.segment(name))?;
    let mut bytes = vec![0; usize::try_from(file.length()?).map_err(io::Error::other)?];
    file.read_at(&mut bytes, 0)?;
    // The process whose buffer it is may have begun to write it over meanwhile, under another name.
    disk.open(&location.segment(name))?;
    Ok(bytes)
}

/// Looks through all segments.
pub fn survey(disk: &dyn Disk, location: &Location) -> io::Result<Survey> {
    let mut reader = Reader::default();
    for name in segments(disk, location)? {
        let bytes = match read_segment(disk, location, name) {
            Ok(bytes) => bytes,
            // Delivered while we look, by the process whose buffer it is.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => {
                // It stays where it is; perhaps the next start can read it.
                let path = location.segment(name);
                crate::error!("a part of the buffer cannot be read and is passed over path={path:?} error=\"{error}\"");
                reader.survey.next_segment = name.number.saturating_add(1);
                continue;
            }
        };
        reader.survey.segments.push(FoundSegment { name, length: bytes.len() as u64 });
        reader.read(name, &bytes);
    }
    Ok(reader.finish())
}

/// Uncompressed bytes of events in a frame.
pub fn content_bytes(frame: &Frame<'_>) -> u64 {
    let content = frame.content();
    match frame.header.packing {
        Packing::None => content.len() as u64,
        Packing::Gzip | Packing::Zstd => content.first_chunk().map_or(0, |length| u64::from(u32::from_le_bytes(*length))),
    }
}

/// The events of a frame, uncompressed.
pub fn content<'b>(frame: &Frame<'b>) -> io::Result<Cow<'b, [u8]>> {
    let how = match frame.header.packing {
        Packing::None => return Ok(Cow::Borrowed(frame.content())),
        Packing::Gzip => Compress::Gzip,
        Packing::Zstd => Compress::Zstd,
    };
    let packed = frame.content().get(4..).unwrap_or_default();
    let length = usize::try_from(content_bytes(frame)).map_err(io::Error::other)?;
    Ok(Cow::Owned(unpack(how, packed, length)?))
}

/// An events frame.
struct Seen {
    at: u64,
    bytes: u64,
    records: u32,
    place: Place,
}

#[derive(Default)]
struct Reader {
    survey: Survey,
    seen: BTreeMap<u64, Vec<Seen>>,
    done: HashSet<u64>,
}

impl Reader {
    fn read(&mut self, name: SegmentName, bytes: &[u8]) {
        let mut frames = Frames::new(bytes, name.salt);
        while let Some(found) = frames.next() {
            match found {
                Found::Frame(frame) => self.frame(name, &frame),
                Found::Damage(range, header) => {
                    if let Some(header) = header {
                        self.survey.next_chunk = self.survey.next_chunk.max(header.chunk + 1);
                    }
                    let is_tail = frames.is_at_end();
                    self.survey.damage.push(Damage { segment: name, range, header, is_tail });
                }
            }
        }
    }

    fn frame(&mut self, name: SegmentName, frame: &Frame<'_>) {
        let number = frame.header.chunk;
        self.survey.next_chunk = self.survey.next_chunk.max(number.saturating_add(1));
        if frame.header.kind == Kind::Done {
            self.done.insert(number);
            self.survey.chunks.remove(&number);
            self.seen.remove(&number);
        }
        if self.done.contains(&number) {
            return;
        }
        let chunk = self.survey.chunks.entry(number).or_default();
        match frame.header.kind {
            Kind::Head => chunk.head = chunk.head.take().or_else(|| Head::read(frame.body)),
            Kind::Closed => chunk.is_closed = true,
            Kind::Progress => {
                // The last one counts, and one that was copied counts once.
                if let Some(remaining) = Remaining::read(frame.body).filter(|_| frame.header.at >= chunk.progress) {
                    chunk.remaining = Some(remaining);
                    chunk.progress = frame.header.at + 1;
                }
            }
            Kind::Events => {
                let place = Place { segment: name.number, start: frame.start as u32, length: frame.header.frame_bytes() as u32 };
                let seen = Seen { at: frame.header.at, bytes: content_bytes(frame), records: frame.header.records, place };
                self.seen.entry(number).or_default().push(seen);
            }
            Kind::Done | Kind::End => {}
        }
    }

    fn finish(mut self) -> Survey {
        for (number, mut seen) in self.seen {
            let Some(chunk) = self.survey.chunks.get_mut(&number) else { continue };
            // Frames that were copied from segment to segment may be there twice, should the copying not have come to its end.
            seen.sort_by_key(|one| one.at);
            seen.dedup_by_key(|one| one.at);
            for one in seen {
                chunk.bytes += one.bytes;
                chunk.records += u64::from(one.records);
                chunk.end = chunk.end.max(one.at + one.bytes);
                push_place(&mut chunk.places, one.place);
            }
        }
        self.survey.chunks.retain(|_, chunk| !chunk.places.is_empty());
        self.survey
    }
}

/// Adds a place, to the one before where they touch.
pub fn push_place(places: &mut Vec<Place>, place: Place) {
    match places.last_mut() {
        Some(last) if last.segment == place.segment && last.start + last.length == place.start => last.length += place.length,
        _ => places.push(place),
    }
}
