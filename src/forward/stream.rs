//! The messages of a connection, one after another: found as they come, in msgpack or JSON, none longer than allowed.

use super::complaints::Complaints;
use super::frame::{Frame, Framer};
use super::json::{self, JsonFramer};
use super::message::text;
use super::rules::Fault;
use std::ops::Range;

/// What a connection speaks; its first byte tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Unknown,
    Msgpack,
    Json,
}

/// A place in the bytes of a message.
#[derive(Clone, Debug)]
pub enum Place {
    /// In the input.
    Input(Range<usize>),
    /// In the msgpack that a JSON value was brought to.
    Json(Range<usize>),
}

/// A message that is wholly there.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// What it is made of.
    pub frame: Frame,
    /// Bytes of the input that it takes; as JSON another number than those of the frame.
    pub len: usize,
}

/// Finds messages. The input starts behind what was [taken away](Stream::take_consumed).
#[derive(Debug)]
pub struct Stream {
    encoding: Encoding,
    framer: Framer,
    json_framer: JsonFramer,
    json: Vec<u8>,
    /// A message that was found and has to wait its turn.
    ready: Option<Found>,
    at: usize,
    /// The tag of a message that is longer than allowed, and its bytes so far, all of them forgotten.
    oversize: Option<(String, usize)>,
    limit: usize,
}

impl Stream {
    /// Messages of at most `limit` bytes.
    pub fn new(limit: usize) -> Stream {
        Stream {
            encoding: Encoding::Unknown,
            framer: Framer::default(),
            json_framer: JsonFramer::default(),
            json: Vec::new(),
            ready: None,
            at: 0,
            oversize: None,
            limit,
        }
    }

    /// Another limit for the messages to come.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// How many bytes the message that has begun has at least.
    pub fn least_len(&self) -> usize {
        if self.is_json() { self.json_framer.least_len() } else { self.framer.least_len() }
    }

    /// The first part of the message that has begun, once something follows it.
    pub fn begun<'i>(&self, input: &'i [u8]) -> Option<&'i [u8]> {
        self.framer.first_part(input.get(self.at..)?)
    }

    /// Whether the peer speaks JSON.
    pub fn is_json(&self) -> bool {
        self.encoding == Encoding::Json
    }

    /// The input from the next message on, where that message has not been looked at yet and is msgpack.
    #[inline]
    pub fn fresh<'i>(&mut self, input: &'i [u8]) -> Option<&'i [u8]> {
        let rest = &input[self.at..];
        if self.encoding == Encoding::Unknown {
            self.encoding = match rest.first()? {
                b'{' | b'[' => Encoding::Json,
                _ => Encoding::Msgpack,
            };
        }
        (self.encoding == Encoding::Msgpack && self.ready.is_none() && !self.is_inside()).then_some(rest)
    }

    /// The next message, once it is wholly there; longer ones than allowed are passed over.
    pub fn find(&mut self, input: &[u8], complaints: &mut Complaints) -> Result<Option<Found>, Fault> {
        if let Some(found) = self.ready.take() {
            return Ok(Some(found));
        }
        loop {
            let found = if self.is_json() {
                self.find_json(input)?
            } else {
                let frame = self.framer.scan(&input[self.at..]).map_err(Fault::Msgpack)?;
                frame.map(|frame| Found { frame, len: frame.len })
            };
            let Some(found) = found else {
                self.forget_oversize(input);
                return Ok(None);
            };
            let Some((tag, size)) = self.oversize.take() else { return Ok(Some(found)) };
            complaints.too_large(&tag, self.limit, size + found.len);
            self.at += found.len;
        }
    }

    /// Where a message is known to become longer than allowed, its bytes are dropped as they come.
    fn forget_oversize(&mut self, input: &[u8]) {
        let rest = &input[self.at..];
        let least = self.least_len();
        if self.oversize.is_none() {
            if least <= self.limit {
                return;
            }
            let tag = self.framer.first_part(rest).and_then(text).unwrap_or_default();
            self.oversize = Some((String::from_utf8_lossy(tag).into_owned(), 0));
        }
        let gone = least.min(rest.len());
        self.framer.forget(gone);
        self.json_framer.forget(gone);
        self.at += gone;
        if let Some((_, size)) = &mut self.oversize {
            *size += gone;
        }
    }

    fn find_json(&mut self, input: &[u8]) -> Result<Option<Found>, Fault> {
        if !self.is_inside() {
            self.at += json::blanks(&input[self.at..]);
        }
        let rest = &input[self.at..];
        let Some(len) = self.json_framer.scan(rest) else { return Ok(None) };
        self.json.clear();
        if self.oversize.is_some() {
            self.json.push(0xc0);
        } else {
            json::to_msgpack(&rest[..len], &mut self.json).map_err(Fault::Json)?;
        }
        let frame = Framer::default().scan(&self.json).map_err(Fault::Msgpack)?;
        Ok(frame.map(|frame| Found { frame, len }))
    }

    /// The msgpack of a message that was found; `json` is what [`Stream::lend_json`] gave.
    pub fn message<'i>(&self, input: &'i [u8], json: &'i [u8], found: &Found) -> &'i [u8] {
        if self.is_json() { json } else { &input[self.at..self.at + found.len] }
    }

    /// The msgpack that the JSON message at hand was brought to, so that it can be read while the rest of the state changes.
    pub fn lend_json(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.json)
    }

    /// Takes it back.
    pub fn take_back_json(&mut self, json: Vec<u8>) {
        self.json = json;
    }

    /// Where a part of that message is.
    pub fn place(&self, message: &[u8], part: &[u8]) -> Place {
        let start = part.as_ptr() as usize - message.as_ptr() as usize;
        if self.is_json() { Place::Json(start..start + part.len()) } else { Place::Input(self.at + start..self.at + start + part.len()) }
    }

    /// The bytes at a place.
    pub fn bytes<'i>(&'i self, input: &'i [u8], place: &Place) -> &'i [u8] {
        match place {
            Place::Input(range) => &input[range.clone()],
            Place::Json(range) => &self.json[range.clone()],
        }
    }

    /// Goes behind a message that has been dealt with.
    #[inline]
    pub fn pass(&mut self, len: usize) {
        self.at += len;
    }

    /// Keeps a message for the next call of [`Stream::find`].
    pub fn put_back(&mut self, found: Found) {
        self.ready = Some(found);
    }

    /// How many bytes at the start of the input are done with; the next input starts behind them.
    pub fn take_consumed(&mut self) -> usize {
        std::mem::take(&mut self.at)
    }

    /// Whether a message has begun and is not wholly there.
    pub fn is_inside(&self) -> bool {
        self.framer.is_inside() || self.json_framer.is_inside() || self.oversize.is_some()
    }

    /// Frees the memory that a message took, where none is at hand.
    pub fn rest(&mut self) {
        self.json = Vec::new();
    }
}
