//! Keys as JSON has them, spelled once for all records that have the same ones.

use super::transcode::value;
use super::{Style, text};
use crate::event::msgpack::{Invalid, LAYOUTS, Layout, Reader};

/// Room for the longest key that a [`Layout`] knows, between quotes, and for what stands between it and a text.
pub(super) const KEY_BYTES: usize = 40;
/// What stands behind a key.
const BEHIND: &[u8] = b"\":\"";

/// A key and what stands between it and a text: `"key":"`. Before any other value the last quote goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spelling {
    pub(super) bytes: [u8; KEY_BYTES],
    pub(super) length: usize,
}

impl Spelling {
    /// Of a key without anything that has to be escaped.
    fn of(key: &[u8]) -> Option<Spelling> {
        let is_plain = |byte: &u8| (0x20..0x7f).contains(byte) && !matches!(byte, b'"' | b'\\');
        let length = 1 + key.len() + BEHIND.len();
        if !key.iter().all(is_plain) || length > KEY_BYTES {
            return None;
        }
        let mut bytes = [0; KEY_BYTES];
        bytes[0] = b'"';
        bytes[1..=key.len()].copy_from_slice(key);
        bytes[1 + key.len()..length].copy_from_slice(BEHIND);
        Some(Spelling { bytes, length })
    }
}

/// The keys of records, by how many they are, as msgpack and as JSON.
#[derive(Debug)]
pub struct Spelled([(Layout, Vec<Spelling>); LAYOUTS]);

impl Spelled {
    /// Of nothing yet.
    pub(super) const fn new() -> Spelled {
        Spelled([const { (Layout::new(), Vec::new()) }; LAYOUTS])
    }

    /// Appends `count` pairs, each with a comma behind it, where they have the expected keys. Else it is `false`, and what was appended and
    /// where the cursor is means nothing.
    #[inline]
    pub fn fields(&mut self, reader: &mut Reader<'_>, count: usize, style: Style, out: &mut Vec<u8>) -> Result<bool, Invalid> {
        let (layout, spellings) = &mut self.0[count % LAYOUTS];
        let Some(keys) = layout.keys(count) else { return Ok(false) };
        for (key, spelling) in keys.iter().zip(&*spellings) {
            if reader.known_key(key).is_none() {
                return Ok(false);
            }
            match reader.usual_text_with_more() {
                Some((bytes, length)) => text::write_spelled_field(spelling, bytes, length, style, out),
                None => {
                    out.extend_from_slice(&spelling.bytes[..spelling.length - 1]);
                    value(reader, style, out, 1)?;
                    out.push(b',');
                }
            }
        }
        layout.met();
        Ok(true)
    }

    /// Notes that a record had other keys, which differ from each other; its pairs begin at the cursor.
    #[inline]
    pub fn missed(&mut self, pairs: Reader<'_>, count: usize) {
        let (layout, spellings) = &mut self.0[count % LAYOUTS];
        if layout.missed(pairs, count) && !spell(pairs, count, spellings) {
            layout.forget();
        }
    }
}

/// Spells so many keys; `false` where one has to be escaped.
#[cold]
fn spell(mut pairs: Reader<'_>, count: usize, spellings: &mut Vec<Spelling>) -> bool {
    spellings.clear();
    (0..count).all(|_| {
        let spelling = pairs.usual_text().and_then(Spelling::of).filter(|_| pairs.skip().is_ok());
        spellings.extend(spelling);
        spelling.is_some()
    })
}

impl Default for Spelled {
    fn default() -> Spelled {
        Spelled::new()
    }
}
