//! One message of the protocol, taken apart: tag, what it carries, and the sender's options.

use super::frame::Frame;
use crate::event::msgpack::{Head, Invalid, Reader, check_event};

/// What a message carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body<'b> {
    /// Message mode: one event.
    One {
        /// Its time, as msgpack.
        time: &'b [u8],
        /// Its record, as msgpack.
        record: &'b [u8],
    },
    /// Forward mode: the entries of an array, one after another.
    List(&'b [u8]),
    /// PackedForward mode, compressed or not: the content of a text or bin.
    Packed(&'b [u8]),
}

/// A message with its parts, nothing of it copied.
#[derive(Clone, Copy, Debug)]
pub struct Message<'b> {
    /// The tag; `None` where it is no text.
    pub tag: Option<&'b [u8]>,
    /// What it carries.
    pub body: Body<'b>,
    /// Options, as msgpack; empty where there are none.
    pub options: &'b [u8],
}

const NIL: &[u8] = b"\xc0";

impl<'b> Message<'b> {
    /// Takes an array of the protocol apart; `message` holds what `frame` found.
    pub fn of(frame: &Frame, message: &'b [u8]) -> Message<'b> {
        let part = |number| frame.part(message, number).unwrap_or(NIL);
        let tag = text(part(0));
        let second = part(1);
        if let Some(packed) = text(second) {
            return Message { tag, body: Body::Packed(packed), options: part(2) };
        }
        match list(second) {
            Some(run) if !is_header(run, part(2)) => Message { tag, body: Body::List(run), options: part(2) },
            _ => Message { tag, body: Body::One { time: second, record: part(2) }, options: part(3) },
        }
    }
}

/// The entries of an array; `None` for any other value.
fn list(raw: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader::new(raw);
    reader.array().ok()?;
    raw.get(reader.position()..)
}

/// Whether the elements of an array are no entries but `[time, metadata]`, the head of the single event whose record follows.
fn is_header(run: &[u8], record: &[u8]) -> bool {
    let mut reader = Reader::new(run);
    let begins_with_time = matches!(reader.head(), Ok(Head::Int(_) | Head::UInt(_) | Head::Float(_) | Head::Ext(..)));
    let mut reader = Reader::new(run);
    begins_with_time
        && is_map(record)
        && reader.skip().is_ok()
        && is_map(&run[reader.position()..])
        && reader.skip().is_ok()
        && reader.is_at_end()
}

/// Whether this msgpack is a map.
pub fn is_map(raw: &[u8]) -> bool {
    matches!(raw.first(), Some(0x80..=0x8f | 0xde | 0xdf))
}

/// The content of a text or bin.
pub fn text(raw: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader::new(raw);
    match reader.head().ok()? {
        Head::Str(length) | Head::Bin(length) => reader.take(length).ok(),
        _ => None,
    }
}

/// A message of one event in the form that nearly all senders use: `[tag, time, record, options]`, ready for a batch.
#[derive(Clone, Copy, Debug)]
pub struct Quick<'b> {
    /// The tag.
    pub tag: &'b [u8],
    /// Time and record, side by side, as a batch holds them.
    pub event: &'b [u8],
    /// Options, as msgpack; empty where there are none.
    pub options: &'b [u8],
    /// Length of the whole message.
    pub len: usize,
}

impl<'b> Quick<'b> {
    /// Reads such a message at the start of these bytes in one pass; `None` where it is anything else, or is not wholly there.
    #[inline]
    pub fn read(bytes: &'b [u8]) -> Option<Quick<'b>> {
        let has_options = match bytes.first()? {
            0x93 => false,
            0x94 => true,
            _ => return None,
        };
        let mut reader = Reader::starting_at(bytes, 1);
        let tag = reader.str().ok()?;
        let start = reader.position();
        let is_zero = check_event(&mut reader).ok()?;
        if is_zero {
            return None;
        }
        let end = reader.position();
        if has_options {
            reader.skip().ok()?;
        }
        Some(Quick { tag, event: &bytes[start..end], options: &bytes[end..reader.position()], len: reader.position() })
    }
}

/// What senders ask for beside the events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options<'b> {
    /// What the ack has to repeat, as msgpack; `None` where no ack is wanted.
    pub chunk: Option<&'b [u8]>,
    /// The word in `compressed`.
    pub compressed: Option<&'b [u8]>,
    /// Fluent Bit's kind of payload: 0 logs, 1 metrics, 2 traces.
    pub signal: i64,
}

impl<'b> Options<'b> {
    /// Reads the options; what is no map has none.
    pub fn read(raw: &'b [u8]) -> Options<'b> {
        let mut options = Options::default();
        if raw.len() > 1 && is_map(raw) {
            // The frame was walked over already, so that a fault cannot come; were there one, the options before it count.
            let _ = options.read_fields(raw);
        }
        options
    }

    fn read_fields(&mut self, raw: &'b [u8]) -> Result<(), Invalid> {
        let mut reader = Reader::new(raw);
        for _ in 0..reader.map()? {
            let key = &raw[reader.position()..];
            reader.skip()?;
            let from = reader.position();
            reader.skip()?;
            let value = &raw[from..reader.position()];
            match text(key) {
                Some(b"chunk") => self.chunk = Some(value).filter(|value| !matches!(value, [0xc0 | 0xc2])),
                Some(b"compressed") => self.compressed = text(value),
                Some(b"fluent_signal") => self.signal = signal(value),
                _ => {}
            }
        }
        Ok(())
    }
}

fn signal(value: &[u8]) -> i64 {
    match Reader::new(value).head() {
        Ok(Head::Int(number)) => number,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::Framer;
    use super::*;

    fn parse(bytes: &[u8]) -> Message<'_> {
        let frame = Framer::default().scan(bytes).unwrap().unwrap();
        Message::of(&frame, bytes)
    }

    #[test]
    fn tells_the_modes_apart() {
        let one = Body::One { time: b"\x01", record: b"\x80" };
        assert_eq!(parse(b"\x93\xa1t\x01\x80").body, one);
        assert_eq!(parse(b"\x94\xa1t\x01\x80\x80").body, one);
        assert_eq!(parse(b"\x92\xa1t\x92\x92\x01\x80\x92\x02\x80").body, Body::List(b"\x92\x01\x80\x92\x02\x80"));
        assert_eq!(parse(b"\x93\xa1t\x90\x80").body, Body::List(b""));
        assert_eq!(parse(b"\x92\xa1t\xc4\x03\x92\x01\x80").body, Body::Packed(b"\x92\x01\x80"));
        assert_eq!(parse(b"\x92\xa1t\xa3\x92\x01\x80").body, Body::Packed(b"\x92\x01\x80"));
        assert_eq!(parse(b"\x94\xa1t\x92\x01\x80\x81\x01\x02\x80").body, Body::One { time: b"\x92\x01\x80", record: b"\x81\x01\x02" });
        assert_eq!(parse(b"\x90").body, Body::One { time: NIL, record: NIL });
        assert_eq!((parse(b"\x93\x05\x01\x80").tag, parse(b"\x93\xc4\x01t\x01\x80").tag), (None, Some(b"t".as_slice())));
    }

    #[test]
    fn reads_options() {
        let raw = b"\x84\xa5chunk\xc4\x02\x01\x02\xaacompressed\xa4gzip\xa4size\x05\xadfluent_signal\x01";
        assert_eq!(Options::read(raw), Options { chunk: Some(b"\xc4\x02\x01\x02"), compressed: Some(b"gzip"), signal: 1 });
        for none in
            [b"".as_slice(), b"\xc0", b"\x80", b"\x81\xa5chunk\xc0", b"\x81\xa5chunk\xc2", b"\xa5chunk", b"\x91\x01", b"\x81\x01\x02"]
        {
            assert_eq!(Options::read(none), Options::default(), "{none:x?}");
        }
    }

    #[test]
    fn quick_is_what_the_frame_finds() {
        let message = b"\x94\xa1t\xd2\x5f\0\0\0\x81\xa1a\xa1b\x81\xa5chunk\xa1c";
        let quick = Quick::read(&[message.as_slice(), b"\x94"].concat()).map(|quick| (quick.event.to_vec(), quick.len));
        assert_eq!(quick, Some((message[3..].split_at(10).0.to_vec(), message.len())));
        for cut in 0..message.len() {
            assert!(Quick::read(&message[..cut]).is_none());
        }
        for other in [
            b"\x94\xa1t\x00\x80\x80".as_slice(),
            b"\x94\xc4\x01t\x01\x80\x80",
            b"\x94\xa1t\xc0\x80\x80",
            b"\x94\xa1t\x01\xc0\x80",
            b"\x92\xa1t\xa0",
        ] {
            assert!(Quick::read(other).is_none(), "{other:x?}");
        }
    }
}
