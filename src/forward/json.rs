//! The protocol as JSON: values one after another on a connection, brought to msgpack so that all else is the same.

use crate::event::json::{Document, Engine, Unreadable, read};
use crate::event::{Scratch, msgpack};

/// Bytes of unreadable text that an error shows.
const SHOWN_BYTES: usize = 200;

/// A resumable scan over one JSON value: brackets are counted, nothing is looked at twice. Whether it is JSON is found out later.
#[derive(Debug, Default)]
pub struct JsonFramer {
    at: usize,
    depth: usize,
    is_text: bool,
    is_escaped: bool,
}

impl JsonFramer {
    /// Goes on with the scan; `message` starts where the value does. The value's length once it is wholly there.
    pub fn scan(&mut self, message: &[u8]) -> Option<usize> {
        while let Some(byte) = message.get(self.at) {
            if self.depth == 0 && self.at > 0 && !self.is_text && ends_scalar(*byte) {
                return Some(self.end());
            }
            self.at += 1;
            if self.is_text {
                self.pass_text(*byte);
            } else {
                match byte {
                    b'"' => self.is_text = true,
                    b'[' | b'{' => self.depth += 1,
                    b']' | b'}' => self.depth = self.depth.saturating_sub(1),
                    _ => continue,
                }
            }
            if self.depth == 0 && !self.is_text {
                return Some(self.end());
            }
        }
        None
    }

    /// How long the value is at least.
    pub fn least_len(&self) -> usize {
        self.at
    }

    /// Whether a value has begun.
    pub fn is_inside(&self) -> bool {
        self.at > 0 || self.depth > 0 || self.is_text
    }

    /// Forgets the first `count` bytes of the value, which will not be offered again.
    pub fn forget(&mut self, count: usize) {
        self.at = self.at.saturating_sub(count);
    }

    fn pass_text(&mut self, byte: u8) {
        match byte {
            _ if self.is_escaped => self.is_escaped = false,
            b'\\' => self.is_escaped = true,
            b'"' => self.is_text = false,
            _ => {}
        }
    }

    fn end(&mut self) -> usize {
        std::mem::take(self).at
    }
}

fn ends_scalar(byte: u8) -> bool {
    matches!(byte, b'[' | b'{' | b'"' | b' ' | b'\t' | b'\r' | b'\n')
}

/// How many blanks these bytes begin with.
pub fn blanks(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count()
}

/// Appends a whole JSON value as msgpack, read as Yajl reads it. The error says what is wrong with it.
pub fn to_msgpack(text: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    let scratch = Scratch::take();
    let scope = scratch.scope();
    match read(scope.bump(), scope.bytes(text), Engine::Yajl) {
        Ok(Document::Record(record)) => _ = msgpack::write_record(&record, out),
        Ok(Document::Value(value)) => _ = msgpack::write_value(&value, out),
        Err(Unreadable) => {
            return Err(format!("not JSON: {}", String::from_utf8_lossy(&text[..text.len().min(SHOWN_BYTES)]).escape_debug()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_ends_of_values_byte_by_byte() {
        let values = [r#"["a]\"\\",{"b":[1,"}"]}]"#, "null", "12", r#""x y""#, "[]", "{}", "true", "[[]]"];
        let stream = values.join("\n") + "\n";
        let (mut framer, mut start, mut found) = (JsonFramer::default(), 0, Vec::new());
        for end in 1..=stream.len() {
            loop {
                if !framer.is_inside() {
                    start += blanks(&stream.as_bytes()[start..end]);
                }
                let Some(len) = framer.scan(&stream.as_bytes()[start..end]) else { break };
                found.push(&stream[start..start + len]);
                start += len;
            }
        }
        assert_eq!(found, values);
    }

    #[test]
    fn values_without_blanks_between_them_are_told_apart() {
        let mut framer = JsonFramer::default();
        assert_eq!(framer.scan(b"[1][2]"), Some(3));
        assert_eq!(framer.scan(b"1[2]"), Some(1));
        assert_eq!(framer.scan(b"]["), Some(1));
    }

    #[test]
    fn values_become_msgpack() {
        let mut out = Vec::new();
        to_msgpack(br#"["t",-1,{"b":"x","a":[1.5,null,true]}]"#, &mut out).unwrap();
        assert_eq!(out, b"\x93\xa1t\xff\x82\xa1b\xa1x\xa1a\x93\xcb\x3f\xf8\0\0\0\0\0\0\xc0\xc3");
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        for broken in ["[1,]", "]", "[\"\\x\"]", "{1:2}", "[1}", &deep] {
            assert!(to_msgpack(broken.as_bytes(), &mut Vec::new()).is_err());
        }
    }
}
