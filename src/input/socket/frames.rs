//! From a stream of bytes to texts: up to a delimiter, or by a length that stands before each.

use super::shown;
use crate::event::ruby;

/// The longest text that is waited for where the configuration does not say: no line of a log has that, and a peer that never ends its
/// line must not fill the memory.
const MAX_TEXT_BYTES: usize = 16 << 20;
/// The longest number before a text: nineteen digits are more than any length has.
const MAX_LENGTH_DIGITS: usize = 20;

/// How the texts of a connection are told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Framing {
    /// By what stands behind each.
    Delimiter {
        /// The delimiter, one byte at least.
        delimiter: Vec<u8>,
        /// Longer texts are dropped.
        limit: Option<usize>,
    },
    /// By the length before each, and a space (RFC 6587).
    OctetCount,
}

/// The state of one connection.
#[derive(Debug)]
pub struct Frames {
    framing: Framing,
    /// How far the bytes have been searched in vain.
    searched: usize,
    /// Whether the rest of a text that is too long is being passed over.
    is_passing: bool,
    /// Texts dropped since the last look.
    pub dropped: usize,
}

impl Frames {
    /// At the start of a connection.
    pub fn new(framing: Framing) -> Frames {
        Frames { framing, searched: 0, is_passing: false, dropped: 0 }
    }

    /// Hands over the texts that are whole, and says how many bytes are done with; an error where what follows cannot be told apart.
    pub fn split<'a>(&mut self, data: &'a [u8], text: impl FnMut(&'a [u8])) -> (usize, Result<(), String>) {
        match &self.framing {
            Framing::Delimiter { delimiter, limit } => {
                let (delimiter, limit) = (delimiter.clone(), *limit);
                (self.by_delimiter(data, &delimiter, limit, text), Ok(()))
            }
            Framing::OctetCount => by_length(data, text),
        }
    }

    fn by_delimiter<'a>(&mut self, data: &'a [u8], delimiter: &[u8], limit: Option<usize>, mut text: impl FnMut(&'a [u8])) -> usize {
        let max = limit.unwrap_or(MAX_TEXT_BYTES);
        let mut start = 0;
        let mut from = self.searched;
        while let Some(found) = memchr::memmem::find(&data[from..], delimiter) {
            let message = &data[start..from + found];
            start = from + found + delimiter.len();
            from = start;
            if std::mem::take(&mut self.is_passing) {
                continue;
            }
            if message.len() > max {
                let (size, head) = (message.len(), shown(&message[..message.len().min(32)]));
                crate::warning!("The received data is larger than 'message_length_limit', dropped: limit={max} size={size} head={head}");
                self.dropped += 1;
                continue;
            }
            text(message);
        }
        let rest = &data[start..];
        // A part of the delimiter may be there already.
        if rest.len() > max + delimiter.len() - 1 {
            if !self.is_passing {
                let (size, head) = (rest.len(), shown(&rest[..rest.len().min(32)]));
                crate::warning!("The buffer size exceeds 'message_length_limit', cleared: limit={max} size={size} head={head}");
                self.dropped += 1;
            }
            self.is_passing = true;
            // What may be the beginning of a delimiter stays.
            start = data.len() - (delimiter.len() - 1).min(rest.len());
        }
        self.searched = (data.len() - start).saturating_sub(delimiter.len() - 1);
        start
    }
}

fn by_length<'a>(data: &'a [u8], mut text: impl FnMut(&'a [u8])) -> (usize, Result<(), String>) {
    let mut start = 0;
    loop {
        let rest = &data[start..];
        let Some(space) = memchr::memchr(b' ', &rest[..rest.len().min(MAX_LENGTH_DIGITS + 1)]) else {
            let result = match rest.len() > MAX_LENGTH_DIGITS {
                true => Err(format!("expected the length of a message, got {}", shown(&rest[..MAX_LENGTH_DIGITS]))),
                false => Ok(()),
            };
            return (start, result);
        };
        let digits = std::str::from_utf8(&rest[..space]).ok().and_then(ruby::integer).and_then(|length| usize::try_from(length).ok());
        match digits {
            Some(length) if length <= MAX_TEXT_BYTES => {
                let Some(message) = rest.get(space + 1..space + 1 + length) else { return (start, Ok(())) };
                text(message);
                start += space + 1 + length;
            }
            _ => return (start, Err(format!("expected the length of a message, at most {MAX_TEXT_BYTES}, got {}", shown(&rest[..space])))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes out when the bytes come in pieces of a size.
    fn texts(framing: &Framing, bytes: &[u8], size: usize) -> (Vec<String>, usize, Option<String>) {
        let mut frames = Frames::new(framing.clone());
        let (mut data, mut found, mut failed) = (Vec::new(), Vec::new(), None);
        for piece in bytes.chunks(size) {
            data.extend_from_slice(piece);
            let (used, result) = frames.split(&data, |text| found.push(String::from_utf8_lossy(text).into_owned()));
            data.drain(..used);
            failed = failed.or(result.err());
        }
        (found, frames.dropped, failed)
    }

    fn by(delimiter: &str, limit: Option<usize>) -> Framing {
        Framing::Delimiter { delimiter: delimiter.as_bytes().to_vec(), limit }
    }

    #[test]
    fn texts_end_at_their_delimiter_however_they_come() {
        for size in 1..=20 {
            assert_eq!(texts(&by("\n", None), b"a\nbc\n\nd", size).0, ["a", "bc", ""]);
            assert_eq!(texts(&by("<>", None), b"a<b<>c<<>>d<>", size).0, ["a<b", "c<", ">d"]);
        }
    }

    #[test]
    fn texts_that_are_too_long_are_passed_over_to_their_end() {
        for size in 1..=30 {
            let (found, dropped, _) = texts(&by("\n", Some(4)), b"ok\ntoo long\nfine\nalso too long\nend\n", size);
            assert_eq!((found, dropped), (vec!["ok".to_owned(), "fine".to_owned(), "end".to_owned()], 2), "{size}");
            assert_eq!(texts(&by("--", Some(3)), b"abcde-f--abc--", size).0, ["abc"], "{size}");
        }
    }

    #[test]
    fn lengths_bound_texts() {
        for size in 1..=30 {
            assert_eq!(texts(&Framing::OctetCount, b"3 a\nb0 5 \xc3\xa4 cd2 x", size).0, ["a\nb", "", "\u{e4} cd"]);
            assert!(texts(&Framing::OctetCount, b"1 axyz 1 b", size).2.is_some_and(|why| why.contains("expected the length")));
            assert!(texts(&Framing::OctetCount, b"99999999999 a", size).2.is_some());
            assert!(texts(&Framing::OctetCount, b"no spaces here but at the end", size).2.is_some());
        }
    }
}
