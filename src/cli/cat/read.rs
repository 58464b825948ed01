//! Standard input as records: one at a time, by line or by msgpack value.

use super::refuse_long;
use crate::event::Value;
use crate::event::json::{Document, Engine, read};
use crate::event::msgpack::{Invalid, Skipper, Step, decode_value};
use crate::event::{Record, ruby};
use anyhow::{Context, bail};
use bumpalo::Bump;
use std::io::BufRead;

/// The longest line, or msgpack value.
pub const MAX_BYTES: usize = 16 << 20;
/// So much of a line that is wrong is shown.
const SHOWN_CHARACTERS: usize = 80;

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// An event, which was handed over.
    Event,
    /// An empty line.
    Nothing,
    /// The end.
    End,
}

/// Where records come from.
pub struct Source<R> {
    input: R,
    bytes: Vec<u8>,
    /// What of `bytes` is done with, where values are read.
    at: usize,
    bump: Bump,
    number: u64,
    /// Whether what is there and not yet taken may be all that comes for a while.
    is_drained: bool,
}

impl<R: BufRead> Source<R> {
    /// At the start.
    pub fn new(input: R) -> Source<R> {
        Source { input, bytes: Vec::new(), at: 0, bump: Bump::new(), number: 0, is_drained: true }
    }

    /// The number of the last line or value, from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Whether another event can be had without waiting for more to come.
    pub fn has_more(&self) -> bool {
        !self.is_drained
    }

    /// Reads the next line; it stays in `bytes` without its end. False at the end.
    fn next_line(&mut self) -> anyhow::Result<bool> {
        self.bytes.clear();
        self.bump.reset();
        let (mut is_whole, mut count) = (false, 0);
        while !is_whole {
            let there = self.input.fill_buf().context("cannot read standard input")?;
            if there.is_empty() {
                break;
            }
            let taken = there.iter().position(|byte| *byte == b'\n').map_or(there.len(), |at| at + 1);
            is_whole = there[taken - 1] == b'\n';
            self.is_drained = !there[taken..].contains(&b'\n');
            self.bytes.extend_from_slice(&there[..taken]);
            self.input.consume(taken);
            count += taken;
            if count > MAX_BYTES {
                return refuse_long("line", self.number + 1);
            }
        }
        if count == 0 {
            return Ok(false);
        }
        self.number += 1;
        if self.bytes.ends_with(b"\n") {
            self.bytes.pop();
            if self.bytes.ends_with(b"\r") {
                self.bytes.pop();
            }
        }
        Ok(true)
    }

    /// The next line as it is, in a field of this name.
    pub fn line(&mut self, key: &str, take: impl FnOnce(&Record<'_>)) -> anyhow::Result<Next> {
        if !self.next_line()? {
            return Ok(Next::End);
        }
        let mut record = Record::with_capacity(&self.bump, 1);
        record.push(Value::Str(self.bump.alloc_slice_copy(key.as_bytes())), Value::Str(&self.bytes));
        take(&record);
        Ok(Next::Event)
    }

    /// The next line, a JSON object.
    pub fn json(&mut self, take: impl FnOnce(&Record<'_>)) -> anyhow::Result<Next> {
        if !self.next_line()? {
            return Ok(Next::End);
        }
        if self.bytes.iter().all(u8::is_ascii_whitespace) {
            // Events may have gathered before it.
            return Ok(if self.is_drained { Next::Event } else { Next::Nothing });
        }
        match read(&self.bump, &self.bytes, Engine::Json) {
            Ok(Document::Record(record)) => take(&record),
            Ok(Document::Value(value)) => {
                bail!("line {} is {}, expected a JSON object: {}", self.number, ruby::class(&value), shown(&self.bytes))
            }
            Err(_) => bail!("line {} is no JSON, expected an object such as {{\"key\":\"value\"}}: {}", self.number, shown(&self.bytes)),
        }
        Ok(Next::Event)
    }

    /// The next msgpack value: a map, or a pair of a time, which does not count, and a map.
    pub fn msgpack(&mut self, take: impl FnOnce(&Record<'_>)) -> anyhow::Result<Next> {
        self.bump.reset();
        let mut skipper = Skipper::new(MAX_BYTES);
        let length = loop {
            match skipper.step(&self.bytes[self.at..]) {
                Ok(Step::Done(length)) => break length,
                Ok(Step::NeedMore(_)) | Err(Invalid::Truncated) => {}
                Err(Invalid::TooLarge) => return refuse_long("value", self.number + 1),
                Err(_) => bail!("value {} is no msgpack, expected a map", self.number + 1),
            }
            let there = self.input.fill_buf().context("cannot read standard input")?;
            if there.is_empty() {
                match self.at == self.bytes.len() {
                    true => return Ok(Next::End),
                    false => bail!("value {} ends too early, expected a map", self.number + 1),
                }
            }
            let taken = there.len();
            self.bytes.drain(..std::mem::take(&mut self.at));
            self.bytes.extend_from_slice(there);
            self.input.consume(taken);
        };
        self.number += 1;
        let value = decode_value(&self.bump, &self.bytes[self.at..self.at + length]);
        match value {
            Ok(Value::Map(fields) | Value::Array(&[_, Value::Map(fields)])) => take(&Record::from_fields(&self.bump, fields)),
            Ok(other) => bail!("value {} is {}, expected a map", self.number, ruby::class(&other)),
            Err(_) => bail!("value {} is no msgpack, expected a map", self.number),
        }
        self.at += length;
        self.is_drained = !matches!(Skipper::new(MAX_BYTES).step(&self.bytes[self.at..]), Ok(Step::Done(_)) | Err(_));
        Ok(Next::Event)
    }
}

fn shown(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    match text.char_indices().nth(SHOWN_CHARACTERS) {
        Some((end, _)) => format!("{:?}...", &text[..end]),
        None => format!("{text:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::json::{Style, write_record};

    /// Reads one record and notes it.
    type One = fn(&mut Source<std::io::BufReader<&[u8]>>, &mut Vec<String>) -> anyhow::Result<Next>;

    /// What is read of these bytes that come in pieces of so many: records, then how it ended.
    fn all(bytes: &[u8], piece: usize, one: One) -> Vec<String> {
        let mut source = Source::new(std::io::BufReader::with_capacity(piece, bytes));
        let mut seen = Vec::new();
        loop {
            match one(&mut source, &mut seen) {
                Ok(Next::End) => return seen,
                Ok(_) => {}
                Err(why) => {
                    seen.push(format!("! {why}"));
                    return seen;
                }
            }
        }
    }

    fn note(record: &Record<'_>, seen: &mut Vec<String>) {
        let mut text = Vec::new();
        write_record(record, Style::Oj, &mut text);
        seen.push(String::from_utf8(text).unwrap());
    }

    #[test]
    fn lines_are_objects_or_said_to_be_none() {
        for piece in [1, 7, 1000] {
            let read = |text: &str| all(text.as_bytes(), piece, |source, seen| source.json(|record| note(record, seen)));
            assert_eq!(read("{\"a\":1}\r\n\n {\"b\":[\"x\"]}"), ["{\"a\":1}", "{\"b\":[\"x\"]}"]);
            assert_eq!(read("{}\n[1]\n{}"), ["{}", "! line 2 is Array, expected a JSON object: \"[1]\""]);
            assert_eq!(read("\n{\"a\":"), ["! line 2 is no JSON, expected an object such as {\"key\":\"value\"}: \"{\\\"a\\\":\""]);
        }
    }

    #[test]
    fn values_are_maps_with_or_without_a_time() {
        for piece in [1, 3, 1000] {
            let read = |bytes: &[u8]| all(bytes, piece, |source, seen| source.msgpack(|record| note(record, seen)));
            assert_eq!(read(b"\x81\xa1a\x01\x92\x05\x81\xa1b\x02\x80"), ["{\"a\":1}", "{\"b\":2}", "{}"]);
            assert_eq!(read(b"\x80\x07\x80"), ["{}", "! value 2 is Integer, expected a map"]);
            assert_eq!(read(b"\x80\x81\xa1"), ["{}", "! value 2 ends too early, expected a map"]);
            assert_eq!(read(b"\xc1"), ["! value 1 is no msgpack, expected a map"]);
        }
    }

    #[test]
    fn lines_have_a_bound() {
        let long = vec![b'x'; MAX_BYTES + 2];
        let read = all(&long, 1 << 20, |source, seen| source.line("m", |record| note(record, seen)));
        assert_eq!(read, ["! line 1 is longer than 16 MiB, expected at most that"]);
    }
}
