//! Where one message of a stream ends, found incrementally: what has been walked over once is never walked over again.

use crate::event::msgpack::{Head, Invalid, MAX_DEPTH, Reader};

/// Parts of a message that have a meaning: tag, time or entries, record, option.
pub const PARTS: usize = 4;
/// Levels of a message around a record: the message, its list of entries, the entry.
const LEVELS_AROUND_RECORD: usize = 3;

/// A resumable scan over one top-level value. Offsets count from the start of the message.
#[derive(Debug, Default)]
pub struct Framer {
    /// The next head to be read; beyond the received bytes while a body is still on its way.
    at: usize,
    /// Children that are still to come, for each open array or map.
    open: Vec<u64>,
    started: bool,
    is_array: bool,
    starts: [usize; PARTS],
    parts: usize,
}

/// A message that is wholly there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its length in bytes.
    pub len: usize,
    /// Whether it is an array; only arrays have parts.
    pub is_array: bool,
    starts: [usize; PARTS],
    parts: usize,
}

impl Frame {
    /// The bytes of the part with this number, out of the message's bytes.
    pub fn part<'b>(&self, message: &'b [u8], number: usize) -> Option<&'b [u8]> {
        if number >= self.parts {
            return None;
        }
        let end = if number + 1 < self.parts { self.starts[number + 1] } else { self.len };
        message.get(self.starts[number]..end)
    }
}

impl Framer {
    /// Goes on with the scan; `message` starts where the message does. `None` while it is not wholly there.
    #[inline]
    pub fn scan(&mut self, message: &[u8]) -> Result<Option<Frame>, Invalid> {
        match self.walk(message) {
            Ok(()) if self.at <= message.len() => {
                let frame = Frame { len: self.at, is_array: self.is_array, starts: self.starts, parts: self.parts };
                self.reset();
                Ok(Some(frame))
            }
            Ok(()) | Err(Invalid::Truncated) => Ok(None),
            Err(invalid) => Err(invalid),
        }
    }

    /// How long the message is at least, as far as has been seen; what it declares counts, not what has come.
    pub fn least_len(&self) -> usize {
        self.at
    }

    /// The bytes of the first part, as soon as something follows it.
    pub fn first_part<'b>(&self, message: &'b [u8]) -> Option<&'b [u8]> {
        if self.parts < 2 {
            return None;
        }
        message.get(self.starts[0]..self.starts[1])
    }

    /// Whether a message has begun.
    pub fn is_inside(&self) -> bool {
        self.started
    }

    /// Forgets the first `count` bytes of the message, which will not be offered again; its parts are lost.
    pub fn forget(&mut self, count: usize) {
        self.at = self.at.saturating_sub(count);
        self.starts = [0; PARTS];
        self.parts = 0;
    }

    /// Reads heads until all children of the top-level value have been seen.
    fn walk(&mut self, message: &[u8]) -> Result<(), Invalid> {
        if !self.started {
            let head = self.pass(message)?;
            self.started = true;
            self.is_array = matches!(head, Head::Array(_));
        }
        while let Some(left) = self.open.last().copied() {
            if left == 0 {
                self.open.pop();
                continue;
            }
            let (depth, start) = (self.open.len(), self.at);
            self.pass(message)?;
            self.open[depth - 1] = left - 1;
            if depth == 1 && self.is_array {
                self.note_part(start);
            }
        }
        Ok(())
    }

    /// Goes behind one head, and behind the body of a text, bin or extension.
    #[inline]
    fn pass(&mut self, message: &[u8]) -> Result<Head, Invalid> {
        if self.at > message.len() {
            return Err(Invalid::Truncated);
        }
        let mut reader = Reader::starting_at(message, self.at);
        let head = reader.head()?;
        let children = match head {
            Head::Str(length) | Head::Bin(length) | Head::Ext(_, length) => {
                self.at = reader.position().saturating_add(length);
                return Ok(head);
            }
            Head::Array(count) => count as u64,
            Head::Map(count) => count as u64 * 2,
            _ => 0,
        };
        if children > 0 {
            if self.open.len() >= MAX_DEPTH + LEVELS_AROUND_RECORD {
                return Err(Invalid::TooDeep);
            }
            self.open.push(children);
        }
        self.at = reader.position();
        Ok(head)
    }

    /// A part starts here. What follows the last part that has a meaning is counted to it.
    fn note_part(&mut self, start: usize) {
        if self.parts < PARTS {
            self.starts[self.parts] = start;
            self.parts += 1;
        }
    }

    fn reset(&mut self) {
        self.at = 0;
        self.started = false;
        self.parts = 0;
        self.open.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `[tag, [[1, {"a": [1, 2]}]], {"size": 1}]`
    const FORWARD: &[u8] = b"\x93\xa1t\x91\x92\x01\x81\xa1a\x92\x01\x02\x81\xa4size\x01";

    #[test]
    fn finds_parts_in_one_go() {
        let frame = Framer::default().scan(FORWARD).unwrap().unwrap();
        assert_eq!(frame.len, FORWARD.len());
        assert_eq!(frame.part(FORWARD, 0), Some(b"\xa1t".as_slice()));
        assert_eq!(frame.part(FORWARD, 1), Some(b"\x91\x92\x01\x81\xa1a\x92\x01\x02".as_slice()));
        assert_eq!(frame.part(FORWARD, 2), Some(b"\x81\xa4size\x01".as_slice()));
        assert_eq!(frame.part(FORWARD, 3), None);
    }

    #[test]
    fn resumes_after_every_byte() {
        let mut framer = Framer::default();
        let stream = [FORWARD, b"\xc0", FORWARD].concat();
        let (mut start, mut lens) = (0, Vec::new());
        for end in 1..=stream.len() {
            while let Some(frame) = framer.scan(&stream[start..end]).unwrap() {
                start += frame.len;
                lens.push(frame.len);
            }
        }
        assert_eq!(lens, [FORWARD.len(), 1, FORWARD.len()]);
        assert!(!framer.is_inside());
    }

    #[test]
    fn knows_the_declared_length_before_the_bytes_come() {
        let mut framer = Framer::default();
        assert_eq!(framer.scan(b"\x92\xa1t\xdb\xff\xff\xff\xff"), Ok(None));
        assert_eq!(framer.least_len(), 8 + u32::MAX as usize);
    }

    #[test]
    fn forgets_what_it_is_told_to() {
        let mut framer = Framer::default();
        let message = [b"\x92\xa1t\xc4\x08".as_slice(), &[7; 8]].concat();
        assert_eq!(framer.scan(&message[..7]), Ok(None));
        framer.forget(7);
        let frame = framer.scan(&message[7..]).unwrap().unwrap();
        assert_eq!(frame.len, 6);
    }

    #[test]
    fn deep_nesting_is_refused() {
        assert_eq!(Framer::default().scan(&[0x91; 10_000]), Err(Invalid::TooDeep));
    }

    #[test]
    fn empty_and_long_arrays_have_the_parts_they_have() {
        let empty = Framer::default().scan(b"\x90").unwrap().unwrap();
        assert!(empty.is_array && empty.part(b"\x90", 0).is_none());
        let long = b"\x96\x01\x02\x03\x04\x05\x06";
        let frame = Framer::default().scan(long).unwrap().unwrap();
        assert_eq!((frame.len, frame.part(long, 2)), (7, Some(b"\x03".as_slice())));
    }
}
