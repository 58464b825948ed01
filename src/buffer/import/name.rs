//! What the names of Fluentd's chunk files say.
//!
//! ```text
//! buffer.b<32 digits>.log        file, 1.x: keys and counts stand in a .meta file beside it
//! fsb.<key>.b<32 digits>.buf     file_single, 1.x: the key, percent-encoded, is the tag or one field
//! buffer.<key>.b<16 digits>.log  file, 0.12: the key is the tag or a time slice
//! <32 digits>.log                a chunk in a backup folder
//! ```
//!
//! `b` chunks still took events, `q` chunks waited to be delivered.

/// Digits of a name since 1.0.
const ID_DIGITS: usize = 32;
/// Digits of a name before.
const OLD_ID_DIGITS: usize = 16;

/// Files that stand beside chunks and begin like them.
const NOT_CHUNKS: [&str; 4] = [".meta", ".flumen", ".damaged", ".repaired"];

/// Which Fluentd wrote a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// A `file` buffer of 1.x.
    File,
    /// A `file_single` buffer.
    Single,
    /// A `file` buffer of 0.12.
    Old,
    /// A backup of 1.x, or of ours.
    Backup,
}

/// A name, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// Which Fluentd wrote it.
    pub written: Written,
    /// Whether the chunk was queued; it takes events otherwise.
    pub is_queued: bool,
    /// The key in the name, decoded.
    pub key: Option<String>,
    /// Its name: 16 bytes, or 8 of 0.12.
    pub id: Vec<u8>,
    /// Where in the name the part that differs from chunk to chunk begins, and where it ends.
    pub varying: (usize, usize),
}

impl Name {
    /// Takes a file's name apart; `None` where it is no chunk's.
    pub fn parse(name: &str) -> Option<Name> {
        if NOT_CHUNKS.iter().any(|suffix| name.ends_with(suffix)) {
            return None;
        }
        backup(name).or_else(|| buffered(name))
    }

    /// Whether it fits the names of one buffer, such as `buffer.` and `.log`.
    pub fn fits(name: &str, prefix: &str, suffix: &str) -> bool {
        name.len() >= prefix.len() + suffix.len() && name.starts_with(prefix) && name.ends_with(suffix)
    }
}

fn backup(name: &str) -> Option<Name> {
    let (digits, copy) = name.strip_suffix(".log")?.split_at_checked(ID_DIGITS)?;
    let is_copy = copy.is_empty() || copy.strip_prefix('_').is_some_and(|number| number.parse::<u32>().is_ok());
    let id = bytes_of(digits).filter(|_| is_copy)?;
    Some(Name { written: Written::Backup, is_queued: true, key: None, id, varying: (0, name.len() - 4) })
}

/// The last part that looks like a chunk's: tags may look like one too.
fn buffered(name: &str) -> Option<Name> {
    let mut parts: Vec<(usize, &str)> = Vec::new();
    let mut at = 0;
    for part in name.split('.') {
        parts.push((at, part));
        at += part.len() + 1;
    }
    let is_chunk = |part: &str| {
        let digits = part.strip_prefix(['b', 'q']).filter(|digits| digits.len() == ID_DIGITS || digits.len() == OLD_ID_DIGITS);
        digits.and_then(bytes_of)
    };
    // Something stands before the state and something behind the digits.
    let last = parts.len().checked_sub(1)?;
    let (start, part, id) = parts[1..last.max(1)].iter().rev().find_map(|(start, part)| is_chunk(part).map(|id| (*start, *part, id)))?;
    let end = start + part.len();
    let is_single = name.starts_with("fsb.") && name.ends_with(".buf");
    let written = match id.len() {
        8 => Written::Old,
        _ if is_single => Written::Single,
        _ => Written::File,
    };
    let is_queued = part.starts_with('q');
    let (key, from) = match written {
        Written::Single => (Some(&name[4..(start - 1).max(4)]), 4),
        Written::Old => {
            // What the buffer's own prefix is cannot be seen in the name; it holds no dot as a rule.
            let prefix = name.find('.').map_or(0, |dot| dot + 1);
            (Some(&name[prefix..(start - 1).max(prefix)]), prefix)
        }
        Written::File | Written::Backup => (None, start),
    };
    let key = key.map(decode).filter(|key| !key.is_empty());
    Some(Name { written, is_queued, key, id, varying: (from, end) })
}

/// Digits as bytes.
fn bytes_of(digits: &str) -> Option<Vec<u8>> {
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()).collect()
}

/// A percent-encoded key.
fn decode(key: &str) -> String {
    let mut bytes = Vec::with_capacity(key.len());
    let mut rest = key.as_bytes();
    while let Some((&first, more)) = rest.split_first() {
        let code = more.get(..2).filter(|_| first == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &more[2..];
            }
            None => {
                bytes.push(first);
                rest = more;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(name: &str) -> Option<(Written, bool, Option<String>, usize)> {
        Name::parse(name).map(|name| (name.written, name.is_queued, name.key, name.id.len()))
    }

    #[test]
    fn all_kinds_of_names() {
        let id = "660c15b8d2bbdc5ea70608db86239c6d";
        let single = |key: &str| Some((Written::Single, false, Some(key.to_owned()), 16));
        assert_eq!(shape(&format!("buffer.b{id}.log")), Some((Written::File, false, None, 16)));
        assert_eq!(shape(&format!("pre.q{id}.a.b.c")), Some((Written::File, true, None, 16)));
        assert_eq!(shape(&format!("fsb.t.a.b{id}.buf")), single("t.a"));
        assert_eq!(shape(&format!("fsb.a%2Fb%20c.b{id}.buf")), single("a/b c"));
        assert_eq!(shape("buffer.t.a.b660c160dd4f4ac93.log"), Some((Written::Old, false, Some("t.a".to_owned()), 8)));
        assert_eq!(shape("buffer..q660c160dd4f4ac93.log"), Some((Written::Old, true, None, 8)));
        assert_eq!(shape(&format!("{id}.log")), Some((Written::Backup, true, None, 16)));
        assert_eq!(shape(&format!("{id}_2.log")), Some((Written::Backup, true, None, 16)));
    }

    #[test]
    fn tags_that_look_like_chunks() {
        let tag = "t.b0000000000000000.x";
        assert_eq!(shape(&format!("buffer.{tag}.b660c160dd4f4ac93.log")), Some((Written::Old, false, Some(tag.to_owned()), 8)));
    }

    #[test]
    fn other_names() {
        let id = "660c15b8d2bbdc5ea70608db86239c6d";
        for name in
            ["", ".", "buffer.log", "buffer.b12.log", &format!("b{id}.log"), &format!("buffer.b{id}"), &format!("buffer.b{id}.log.meta")]
        {
            assert_eq!(Name::parse(name), None, "{name}");
        }
        assert_eq!(Name::parse(&format!("buffer.x{id}.log")), None);
        assert!(!Name::fits("a.log", "a.l", ".log"));
    }
}
