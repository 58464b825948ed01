//! Finding where a value ends without decoding it: at once, or bit by bit as bytes arrive, never from the start again.

use super::{Head, Invalid, MAX_DEPTH, Reader};

/// How far a [`Skipper`] came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The value ends before this offset from its start.
    Done(usize),
    /// At least so many more bytes are needed.
    NeedMore(usize),
}

/// The state of walking over one value whose bytes arrive piecemeal. Bytes that were looked at once are not looked at again.
#[derive(Clone, Debug)]
pub struct Skipper {
    /// Offset of the next head; may lie beyond the bytes that are there.
    at: usize,
    /// Values still to come in the innermost open array or map.
    open: u64,
    /// The same of those around it.
    outer: Vec<u64>,
    limit: usize,
}

impl Skipper {
    /// Before a value of at most `limit` bytes.
    pub fn new(limit: usize) -> Skipper {
        Skipper { at: 0, open: 1, outer: Vec::new(), limit }
    }

    /// Back to before a value, with the same limit.
    pub fn reset(&mut self) {
        self.at = 0;
        self.open = 1;
        self.outer.clear();
    }

    /// Goes on; `bytes` starts where the value starts and holds at least what it held before.
    pub fn step(&mut self, bytes: &[u8]) -> Result<Step, Invalid> {
        loop {
            while self.open == 0 {
                match self.outer.pop() {
                    Some(open) => self.open = open,
                    None => return self.end(bytes),
                }
            }
            if self.at > self.limit {
                return Err(Invalid::TooLarge);
            }
            if self.at >= bytes.len() {
                return Ok(Step::NeedMore(self.at - bytes.len() + 1));
            }
            let mut reader = Reader::starting_at(bytes, self.at);
            let head = match reader.head() {
                Ok(head) => head,
                Err(Invalid::Truncated) => return Ok(Step::NeedMore(1)),
                Err(invalid) => return Err(invalid),
            };
            self.open -= 1;
            self.pass(head, reader.position())?;
        }
    }

    fn pass(&mut self, head: Head, behind: usize) -> Result<(), Invalid> {
        self.at = behind;
        let children = match head {
            Head::Str(length) | Head::Bin(length) | Head::Ext(_, length) => {
                self.at = behind.checked_add(length).filter(|end| *end <= self.limit).ok_or(Invalid::TooLarge)?;
                return Ok(());
            }
            Head::Array(count) => count as u64,
            Head::Map(count) => count as u64 * 2,
            _ => return Ok(()),
        };
        // Every value takes a byte at least.
        if children > self.limit.saturating_sub(self.at) as u64 {
            return Err(Invalid::TooLarge);
        }
        if self.outer.len() >= MAX_DEPTH {
            return Err(Invalid::TooDeep);
        }
        self.outer.push(self.open);
        self.open = children;
        Ok(())
    }

    fn end(&mut self, bytes: &[u8]) -> Result<Step, Invalid> {
        if self.at > self.limit {
            return Err(Invalid::TooLarge);
        }
        Ok(match self.at.checked_sub(bytes.len()) {
            None | Some(0) => Step::Done(self.at),
            Some(missing) => Step::NeedMore(missing),
        })
    }
}

/// The end of the value that starts at byte `at`; all of it has to be there.
#[inline]
pub fn skip(bytes: &[u8], at: usize) -> Result<usize, Invalid> {
    let mut reader = Reader::starting_at(bytes, at);
    skip_values(&mut reader, 1, 0)?;
    Ok(reader.position())
}

fn skip_values(reader: &mut Reader<'_>, count: usize, depth: usize) -> Result<(), Invalid> {
    if depth > MAX_DEPTH {
        return Err(Invalid::TooDeep);
    }
    for _ in 0..count {
        if reader.usual_text().is_some() {
            continue;
        }
        match reader.head()? {
            Head::Str(length) | Head::Bin(length) | Head::Ext(_, length) => {
                reader.take(length)?;
            }
            Head::Array(children) => skip_values(reader, children, depth + 1)?,
            Head::Map(pairs) => skip_values(reader, pairs.saturating_mul(2), depth + 1)?,
            _ => {}
        }
    }
    Ok(())
}
