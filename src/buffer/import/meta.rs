//! What stands in a `.meta` file beside one of Fluentd's chunks: read, and written for the way back.
//!
//! The file is two bytes `c1 00`, a length, and a msgpack map; older versions of Fluentd wrote the bare map. What follows the map is left
//! over from a longer one before it, and of no meaning.

use crate::buffer::ChunkKeys;
use crate::event::msgpack::{Head, Invalid, Reader, read_value, write_bin, write_int, write_map_head, write_nil, write_str};
use crate::event::{EventTime, Tag, Value, ruby};
use bumpalo::Bump;

/// What begins a file of Fluentd 1.
const MAGIC: [u8; 2] = [0xc1, 0x00];
/// A map of keys and a few numbers; a longer file is none.
pub const MAX_META_BYTES: u64 = 1 << 20;

/// What is known of a chunk beside its bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Meta {
    /// What its events have in common.
    pub keys: ChunkKeys,
    /// Its name; `None` where the file does not say.
    pub id: Option<Vec<u8>>,
    /// How many events; 0 where that was not counted.
    pub records: u64,
    /// When it was begun, in seconds since 1970.
    pub created: i64,
    /// When it last took an event.
    pub modified: i64,
    /// Number among the chunks of one batch.
    pub seq: i64,
    /// Facts of our own that Fluentd passes over: output, reason, form.
    pub more: Vec<(String, String)>,
}

impl Meta {
    /// Reads a file. An error says that it is none.
    pub fn parse(bytes: &[u8]) -> Result<Meta, Invalid> {
        let map = match bytes.strip_prefix(&MAGIC) {
            Some(rest) => {
                let length = rest.first_chunk::<4>().ok_or(Invalid::Truncated)?;
                rest[4..].get(..u32::from_be_bytes(*length) as usize).ok_or(Invalid::Truncated)?
            }
            None => bytes,
        };
        let mut reader = Reader::new(map);
        let Head::Map(count) = reader.head()? else { return Err(Invalid::Type) };
        let bump = Bump::new();
        let mut meta = Meta::default();
        for _ in 0..count {
            let key = reader.str()?;
            meta.take(key, read_value(&bump, &mut reader)?);
        }
        Ok(meta)
    }

    fn take(&mut self, key: &[u8], value: Value<'_>) {
        match (key, value) {
            (b"timekey", Value::Int(start)) => self.keys.timekey = Some(start),
            (b"timekey", Value::Float(start)) => self.keys.timekey = Some(start as i64),
            (b"tag", Value::Str(tag) | Value::Bin(tag)) => self.keys.tag = Some(Tag::from_bytes(tag)),
            (b"variables", Value::Map(fields)) => {
                self.keys.variables =
                    fields.iter().map(|(name, value)| (text(name), (*value != Value::Nil).then(|| text(value)))).collect();
            }
            (b"seq", value) => self.seq = ruby::to_i(&value),
            (b"id", Value::Str(id) | Value::Bin(id)) => self.id = Some(id.to_vec()),
            (b"s", Value::Int(records)) => self.records = records.max(0) as u64,
            (b"c", value) => self.created = ruby::to_i(&value),
            (b"m", value) => self.modified = ruby::to_i(&value),
            (_, Value::Str(fact)) => {
                self.more.push((String::from_utf8_lossy(key).into_owned(), String::from_utf8_lossy(fact).into_owned()));
            }
            _ => {}
        }
    }

    /// One of the facts of our own.
    pub fn fact(&self, name: &str) -> Option<&str> {
        self.more.iter().find(|(known, _)| known == name).map(|(_, fact)| fact.as_str())
    }

    /// The file as Fluentd reads it.
    pub fn encode(&self) -> Vec<u8> {
        let mut map = Vec::with_capacity(256);
        write_map_head(8 + self.more.len(), &mut map);
        write_str(b"timekey", &mut map);
        match self.keys.timekey {
            Some(start) => write_int(start, &mut map),
            None => write_nil(&mut map),
        }
        write_str(b"tag", &mut map);
        write_text(self.keys.tag.as_deref(), &mut map);
        write_str(b"variables", &mut map);
        self.encode_variables(&mut map);
        let id = self.id.as_deref().unwrap_or_default();
        let records = i64::try_from(self.records).unwrap_or(i64::MAX);
        write_str(b"seq", &mut map);
        write_int(self.seq, &mut map);
        write_str(b"id", &mut map);
        write_bin(id, &mut map);
        for (name, number) in [(b"s", records), (b"c", self.created), (b"m", self.modified)] {
            write_str(name, &mut map);
            write_int(number, &mut map);
        }
        for (name, fact) in &self.more {
            write_str(name.as_bytes(), &mut map);
            write_str(fact.as_bytes(), &mut map);
        }
        let mut file = MAGIC.to_vec();
        file.extend_from_slice(&u32::try_from(map.len()).unwrap_or(u32::MAX).to_be_bytes());
        file.append(&mut map);
        file
    }

    fn encode_variables(&self, map: &mut Vec<u8>) {
        if self.keys.variables.is_empty() {
            return write_nil(map);
        }
        write_map_head(self.keys.variables.len(), map);
        for (name, value) in &self.keys.variables {
            write_str(name.as_bytes(), map);
            write_text(value.as_deref(), map);
        }
    }
}

/// The moment at which a chunk of this name was begun, in microseconds since 1970.
pub fn micros_of(id: &[u8]) -> Option<u64> {
    id.first_chunk::<8>().map(|head| u64::from_be_bytes(*head) >> 12)
}

/// What a chunk that is kept now says of itself.
pub fn meta_of(chunk: &crate::buffer::Chunk, more: Vec<(String, String)>) -> Meta {
    let now = EventTime::now().sec;
    let created = micros_of(&chunk.id).and_then(|micros| i64::try_from(micros / 1_000_000).ok()).unwrap_or(now);
    Meta { keys: chunk.keys.clone(), id: Some(chunk.id.to_vec()), records: chunk.records as u64, created, modified: now, seq: 0, more }
}

fn write_text(text: Option<&str>, map: &mut Vec<u8>) {
    match text {
        Some(text) => write_str(text.as_bytes(), map),
        None => write_nil(map),
    }
}

fn text(value: &Value<'_>) -> String {
    let mut text = Vec::new();
    match value {
        Value::Str(bytes) | Value::Bin(bytes) => text.extend_from_slice(bytes),
        other => ruby::to_s(other, &mut text),
    }
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta() -> Meta {
        Meta {
            keys: ChunkKeys {
                tag: Some(Tag::new("a.b")),
                timekey: Some(1_700_000_000),
                variables: vec![("host".to_owned(), Some("h".to_owned())), ("$.x".to_owned(), None)],
            },
            id: Some(vec![7; 16]),
            records: 3,
            created: 1,
            modified: 2,
            seq: 4,
            more: vec![("output".to_owned(), "es".to_owned())],
        }
    }

    #[test]
    fn what_is_written_is_read_and_what_follows_is_passed_over() {
        let mut bytes = meta().encode();
        assert_eq!(Meta::parse(&bytes).unwrap(), meta());
        bytes.extend_from_slice(b"rest of a longer one");
        assert_eq!(Meta::parse(&bytes).unwrap(), meta());
        assert_eq!(Meta::parse(&bytes[6..]).unwrap(), meta(), "the old form, without a head");
        assert_eq!(meta().fact("output"), Some("es"));
    }

    #[test]
    fn every_cut_is_an_error_and_no_panic() {
        let bytes = meta().encode();
        for length in 0..bytes.len() {
            assert!(Meta::parse(&bytes[..length]).is_err(), "{length}");
        }
        for at in 0..bytes.len() {
            let mut broken = bytes.clone();
            broken[at] ^= 0xff;
            let _ = Meta::parse(&broken);
        }
    }

    #[test]
    fn numbers_among_the_keys_become_text() {
        let mut map = vec![0x81];
        write_str(b"variables", &mut map);
        map.extend_from_slice(&[0x81, 0xa1, b'k', 0x05]);
        assert_eq!(Meta::parse(&map).unwrap().keys.variables, [("k".to_owned(), Some("5".to_owned()))]);
    }
}
