//! The events in one of Fluentd's chunks: unpacked where they are compressed, and looked through for damage.

use super::find::Found;
use crate::event::msgpack::{Entries, Head, Invalid, Reader, TimeForm, check_entries, normalize_entries, skip, write_array_head};
use bumpalo::Bump;
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// What a chunk holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Events as msgpack entries.
    Packed(Packed),
    /// The same of several tags, one after another, as some outputs of 0.12 mixed them.
    Tagged(Vec<Packed>),
    /// What an output's formatter wrote.
    Formatted(Vec<u8>),
}

/// Events as msgpack entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packed {
    /// The entries `[time, record]` that are whole, one after another.
    pub bytes: Vec<u8>,
    /// How many.
    pub records: usize,
    /// How many bytes behind them are none.
    pub damaged_bytes: usize,
    /// The tag of all of them, where they carry one (`[tag, time, record]`, as some outputs of 0.12 kept them).
    pub tag: Option<String>,
}

/// What a chunk holds, as far as its start shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Events as msgpack entries.
    Packed,
    /// The same with a tag in each.
    Tagged,
    /// What an output's formatter wrote.
    Formatted,
}

/// The longest start that has to be looked at: a tag may come before a time.
const START_BYTES: u64 = 70_000;

impl Form {
    /// Of these bytes, which may end within an entry.
    pub fn of(bytes: &[u8]) -> Form {
        let mut reader = Reader::new(bytes);
        let form = match reader.head() {
            Ok(Head::Array(2)) => Form::Packed,
            Ok(Head::Array(3)) if reader.str().is_ok() => Form::Tagged,
            _ => return Form::Formatted,
        };
        let has_time = match TimeForm::read(&mut reader) {
            Ok(time) => time.exact().is_some(),
            // A chunk of which not even the first entry is whole still begins like one.
            Err(invalid) => return if invalid == Invalid::Truncated && bytes.len() > 1 { form } else { Form::Formatted },
        };
        let has_record = reader.is_at_end() || matches!(reader.head(), Ok(Head::Map(_)));
        if has_time && has_record { form } else { Form::Formatted }
    }

    /// Of a file, unpacked.
    pub fn of_file(path: &Path) -> io::Result<Form> {
        let mut start = Vec::new();
        let source = unpacked(path)?;
        match source.bytes.take(START_BYTES).read_to_end(&mut start) {
            // What was unpacked before a fault shows it too.
            Err(error) if !source.is_compressed || error.raw_os_error().is_some() => Err(error),
            _ => Ok(Form::of(&start)),
        }
    }
}

/// The bytes of a file, unpacked while they are read.
pub struct Unpacked {
    /// The bytes.
    pub bytes: Box<dyn Read>,
    /// Whether they are compressed in the file, so that a fault may be one of the unpacking.
    pub is_compressed: bool,
}

/// Opens a file whose compression shows at its start.
pub fn unpacked(path: &Path) -> io::Result<Unpacked> {
    let mut file = File::open(path)?;
    let mut start = [0; 4];
    let mut got = 0;
    while got < start.len() {
        match file.read(&mut start[got..])? {
            0 => break,
            more => got += more,
        }
    }
    let whole = io::Cursor::new(start[..got].to_vec()).chain(file);
    let how = compression(&start[..got]);
    let bytes: Box<dyn Read> = match how {
        Some("gzip") => Box::new(MultiGzDecoder::new(BufReader::new(whole))),
        Some(_) => Box::new(zstd::Decoder::new(whole)?),
        None => Box::new(whole),
    };
    Ok(Unpacked { bytes, is_compressed: how.is_some() })
}

/// How a chunk is compressed.
pub fn compression(start: &[u8]) -> Option<&'static str> {
    if start.starts_with(&GZIP) {
        Some("gzip")
    } else if start.starts_with(&ZSTD) {
        Some("zstd")
    } else {
        None
    }
}

impl Found {
    /// All bytes, unpacked, and whether the packed ones end too early; at most `max_bytes`, an error beyond.
    pub fn read(&self, max_bytes: u64) -> io::Result<(Vec<u8>, bool)> {
        let source = unpacked(&self.path)?;
        let is_packed = source.is_compressed;
        let limit = if is_packed { max_bytes } else { max_bytes.max(self.bytes) };
        let mut bytes = Vec::new();
        let read = source.bytes.take(limit + 1).read_to_end(&mut bytes);
        if is_packed && bytes.len() as u64 > max_bytes {
            let message = format!("unpacked it is larger than {max_bytes} bytes (decompression_size_limit)");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
        }
        match read {
            Ok(_) => Ok((bytes, false)),
            // What was unpacked before the fault is good.
            Err(error) if is_packed && error.raw_os_error().is_none() => Ok((bytes, true)),
            Err(error) => Err(error),
        }
    }
}

impl Content {
    /// Looks at bytes: msgpack entries, or text of a formatter. Of entries those before the first fault count.
    pub fn of(bytes: Vec<u8>) -> Content {
        match Form::of(&bytes) {
            Form::Formatted => Content::Formatted(bytes),
            Form::Packed => Content::Packed(from_pairs(bytes)),
            Form::Tagged => {
                let mut by_tag = from_triples(&bytes);
                if by_tag.len() > 1 { Content::Tagged(by_tag) } else { Content::Packed(by_tag.pop().unwrap_or_default()) }
            }
        }
    }
}

fn from_pairs(mut bytes: Vec<u8>) -> Packed {
    let mut whole = 0;
    let mut records = 0;
    for entry in Entries::new(&bytes).map_while(Result::ok).take_while(|entry| entry.is_event() && entry.time.exact().is_some()) {
        whole += entry.whole.len();
        records += 1;
    }
    let damaged_bytes = bytes.len() - whole;
    bytes.truncate(whole);
    canonical(Packed { bytes, records, damaged_bytes, tag: None })
}

/// The place of time and record of a `[tag, time, record]`, its tag, and where the next one begins.
fn triple(bytes: &[u8], at: usize) -> Option<(&str, usize, usize)> {
    let mut reader = Reader::starting_at(bytes, at);
    let Ok(Head::Array(3)) = reader.head() else { return None };
    let tag = std::str::from_utf8(reader.str().ok()?).ok()?;
    let time = reader.position();
    let end = skip(bytes, skip(bytes, time).ok()?).ok()?;
    Some((tag, time, end))
}

/// Entries by tag, in the order in which the tags come. What is damaged counts to the last.
fn from_triples(bytes: &[u8]) -> Vec<Packed> {
    let mut by_tag: Vec<Packed> = Vec::new();
    let mut at = 0;
    while let Some((tag, time, end)) = triple(bytes, at) {
        let place = by_tag.iter().position(|packed| packed.tag.as_deref() == Some(tag)).unwrap_or_else(|| {
            by_tag.push(Packed { tag: Some(tag.to_owned()), ..Packed::default() });
            by_tag.len() - 1
        });
        let packed = &mut by_tag[place];
        write_array_head(2, &mut packed.bytes);
        packed.bytes.extend_from_slice(&bytes[time..end]);
        packed.records += 1;
        at = end;
    }
    if let Some(last) = by_tag.last_mut() {
        last.damaged_bytes = bytes.len() - at;
    }
    by_tag.into_iter().map(canonical).collect()
}

/// Records whose keys are no texts, or repeat, are written anew.
fn canonical(mut packed: Packed) -> Packed {
    if check_entries(&packed.bytes).is_ok_and(|checked| !checked.canonical) {
        let mut anew = Vec::with_capacity(packed.bytes.len());
        let bump = Bump::new();
        if let Ok(records) = normalize_entries(&packed.bytes, &bump, &mut anew, |entry| entry.time.exact())
            && records == packed.records
        {
            packed.bytes = anew;
        }
    }
    packed
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: &[u8] = b"\x92\xd7\x00\x65\x53\xf1\x00\x00\x00\x00\x05\x81\xa1n\x01";

    fn packed(bytes: &[u8]) -> Packed {
        match Content::of(bytes.to_vec()) {
            Content::Packed(packed) => packed,
            other => panic!("{other:?} of {bytes:?}"),
        }
    }

    #[test]
    fn every_cut_leaves_the_whole_entries() {
        let bytes = [ENTRY, ENTRY].concat();
        for length in 2..bytes.len() {
            let found = packed(&bytes[..length]);
            assert_eq!(found.records, length / ENTRY.len(), "{length}");
            assert_eq!(found.bytes.len() + found.damaged_bytes, length);
        }
    }

    #[test]
    fn every_flipped_byte_is_survived() {
        let bytes = [ENTRY, ENTRY, ENTRY].concat();
        for at in 0..bytes.len() {
            let mut broken = bytes.clone();
            broken[at] ^= 0xff;
            let _ = Content::of(broken);
        }
    }

    #[test]
    fn text_is_left_as_it_is() {
        assert_eq!(Content::of(b"{\"n\":1}\n".to_vec()), Content::Formatted(b"{\"n\":1}\n".to_vec()));
        assert_eq!(Content::of(Vec::new()), Content::Formatted(Vec::new()));
    }

    #[test]
    fn entries_that_carry_their_tag_lose_it() {
        let one = |tag: &str| [b"\x93\xa1", tag.as_bytes(), b"\xce\x65\x53\xf1\x00\x81\xa1n\x01"].concat();
        let found = packed(&[one("a"), one("a")].concat());
        assert_eq!((found.tag.as_deref(), found.records, found.damaged_bytes), (Some("a"), 2, 0));
        assert_eq!(found.bytes[..7], *b"\x92\xce\x65\x53\xf1\x00\x81");
        let Content::Tagged(by_tag) = Content::of([one("a"), one("b"), one("a")].concat()) else { panic!() };
        let counts: Vec<_> = by_tag.iter().map(|packed| (packed.tag.as_deref(), packed.records)).collect();
        assert_eq!(counts, [(Some("a"), 2), (Some("b"), 1)]);
    }
}
