//! What a connection's configuration lets through, and the tags it gives.

use super::inflate::InflateError;
use crate::event::Tag;
use crate::event::msgpack::Invalid;
use std::fmt;

/// Messages are at most this long where `chunk_size_limit` does not say otherwise: four times what Fluentd's own outputs send at most.
// Fluentd: has no limit by default, so that one sender can fill the memory.
pub const CHUNK_SIZE_LIMIT: usize = 64 << 20;
/// Decompressed entries are at most this long where `decompression_size_limit` does not say otherwise, as in Fluentd.
pub const DECOMPRESSION_SIZE_LIMIT: usize = 256 << 20;
/// Tags of one connection whose shared form is kept; a container has one, an aggregator in front of us some more.
const KEPT_TAGS: usize = 32;
/// Longer tags are made anew each time, so that what is kept stays small.
const KEPT_TAG_BYTES: usize = 256;

/// What messages may be, and what becomes of their tags.
#[derive(Clone, Debug)]
pub struct Rules {
    /// In place of the sender's tag.
    pub tag: Option<String>,
    /// Before the tag, with a dot.
    pub add_tag_prefix: Option<String>,
    /// Longer messages are dropped.
    pub chunk_size_limit: usize,
    /// Longer messages are warned about.
    pub chunk_size_warn_limit: Option<usize>,
    /// Longer decompressed entries cost the connection.
    pub decompression_size_limit: usize,
    /// Whether events that are none are skipped; otherwise they cost the connection.
    pub skip_invalid_event: bool,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules {
            tag: None,
            add_tag_prefix: None,
            chunk_size_limit: CHUNK_SIZE_LIMIT,
            chunk_size_warn_limit: None,
            decompression_size_limit: DECOMPRESSION_SIZE_LIMIT,
            skip_invalid_event: true,
        }
    }
}

/// Why a connection cannot go on.
#[derive(Debug)]
pub enum Fault {
    /// What came is no msgpack.
    Msgpack(Invalid),
    /// What came is no JSON.
    Json(String),
    /// Packed entries could not be decompressed.
    Inflate(InflateError),
    /// The sender compresses in a way we do not know.
    Compression(String),
    /// Too many values that are no messages.
    NoMessages,
    /// An event that is none, where those are not to be skipped.
    InvalidEvent(String),
}

impl Fault {
    /// The class under which Fluentd would report it.
    pub fn class(&self) -> &'static str {
        match self {
            Fault::Msgpack(Invalid::TooDeep) => "MessagePack::StackError",
            Fault::Msgpack(_) => "MessagePack::MalformedFormatError",
            Fault::Json(_) => "Yajl::ParseError",
            Fault::Inflate(InflateError::TooLarge(_)) => "Fluent::Plugin::Extractor::SizeLimitError",
            Fault::Inflate(InflateError::Broken(_)) => "Zlib::GzipFile::Error",
            Fault::Compression(_) | Fault::NoMessages | Fault::InvalidEvent(_) => "ArgumentError",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Msgpack(invalid) => invalid.fmt(f),
            Fault::Json(why) => f.write_str(why),
            Fault::Inflate(InflateError::TooLarge(limit)) => {
                write!(f, "decompressed entries are larger than decompression_size_limit, {limit} bytes")
            }
            Fault::Inflate(InflateError::Broken(why)) => write!(f, "entries cannot be decompressed: {why}"),
            Fault::Compression(word) => write!(f, "unknown compression {word:?}, expected text, gzip or zstd"),
            Fault::NoMessages => f.write_str("the peer does not speak the forward protocol"),
            Fault::InvalidEvent(what) => write!(f, "invalid event: {what}"),
        }
    }
}

/// The tags of a connection, each made once.
#[derive(Debug, Default)]
pub struct Tags {
    kept: Vec<(Box<[u8]>, Tag)>,
    last: usize,
}

impl Tags {
    /// The tag for what a sender wrote, `None` where that was no text; `None` where there is none.
    #[inline]
    pub fn get(&mut self, sent: Option<&[u8]>, rules: &Rules) -> Option<Tag> {
        let Some(sent) = sent else { return rules.tag.is_some().then(|| renamed(b"", rules)) };
        match self.kept.get(self.last) {
            Some((bytes, tag)) if **bytes == *sent => Some(tag.clone()),
            _ => Some(self.look_further(sent, rules)),
        }
    }

    fn look_further(&mut self, sent: &[u8], rules: &Rules) -> Tag {
        if let Some(at) = self.kept.iter().position(|(bytes, _)| **bytes == *sent) {
            self.last = at;
            return self.kept[at].1.clone();
        }
        let tag = renamed(sent, rules);
        if sent.len() <= KEPT_TAG_BYTES {
            let kept = (sent.into(), tag.clone());
            if self.kept.len() < KEPT_TAGS {
                self.last = self.kept.len();
                self.kept.push(kept);
            } else {
                self.last = (self.last + 1) % KEPT_TAGS;
                self.kept[self.last] = kept;
            }
        }
        tag
    }
}

fn renamed(sent: &[u8], rules: &Rules) -> Tag {
    let tag = rules.tag.as_deref().map_or(sent, str::as_bytes);
    match &rules.add_tag_prefix {
        Some(prefix) => Tag::from_bytes(&[prefix.as_bytes(), b".", tag].concat()),
        None => Tag::from_bytes(tag),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_replaced_and_prefixed() {
        let rules = |tag: Option<&str>, prefix: Option<&str>| Rules {
            tag: tag.map(str::to_owned),
            add_tag_prefix: prefix.map(str::to_owned),
            ..Rules::default()
        };
        let get = |sent: Option<&[u8]>, rules: Rules| Tags::default().get(sent, &rules).map(|tag| tag.as_str().to_owned());
        assert_eq!(get(Some(b"a.b"), rules(None, None)).as_deref(), Some("a.b"));
        assert_eq!(get(Some(b"a.b"), rules(Some("x"), None)).as_deref(), Some("x"));
        assert_eq!(get(Some(b"a.b"), rules(None, Some("p"))).as_deref(), Some("p.a.b"));
        assert_eq!(get(None, rules(Some("x"), Some("p"))).as_deref(), Some("p.x"));
        assert_eq!(get(None, rules(None, None)), None);
    }

    #[test]
    fn many_tags_are_told_apart_and_not_all_kept() {
        let (mut tags, rules) = (Tags::default(), Rules::default());
        for round in 0..3 {
            for number in 0..2 * KEPT_TAGS + round {
                let sent = format!("tag.{number}");
                assert_eq!(tags.get(Some(sent.as_bytes()), &rules).unwrap().as_str(), sent);
            }
        }
        tags.get(Some(&[b'x'; 10_000]), &rules);
        assert_eq!(tags.kept.len(), KEPT_TAGS);
    }
}
