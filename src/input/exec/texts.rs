//! What a command prints, as texts: lines, JSON documents or msgpack values, as the parser takes them.

use crate::event::msgpack::{Skipper, Step};
use crate::forward::JsonFramer;

/// The longest text: a command that never ends its line must not fill the memory.
const MAX_TEXT_BYTES: usize = 16 << 20;

/// How texts are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Each ends with its line.
    Lines,
    /// JSON documents one after another, over any number of lines.
    Json,
    /// msgpack values one after another.
    Msgpack,
}

impl Form {
    /// What the parser of this name takes.
    pub fn of(parser: &str) -> Form {
        match parser {
            "json" => Form::Json,
            "msgpack" => Form::Msgpack,
            _ => Form::Lines,
        }
    }
}

/// What was printed and is not a whole text yet.
pub struct Texts {
    form: Form,
    bytes: Vec<u8>,
    /// How far the bytes have been searched in vain for the end of a line.
    searched: usize,
    json: JsonFramer,
    msgpack: Skipper,
    /// Nothing more can be told apart.
    is_broken: bool,
}

impl Texts {
    /// Before anything was printed.
    pub fn new(form: Form) -> Texts {
        let msgpack = Skipper::new(MAX_TEXT_BYTES);
        Texts { form, bytes: Vec::new(), searched: 0, json: JsonFramer::default(), msgpack, is_broken: false }
    }

    /// Adds what was printed.
    pub fn add(&mut self, bytes: &[u8]) {
        if !self.is_broken {
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// Hands over the texts that are whole, at the end the rest too; how many were given up.
    pub fn take(&mut self, is_end: bool, mut text: impl FnMut(&[u8])) -> u64 {
        let mut start = 0;
        let mut dropped = 0;
        while let Some((length, end)) = self.next(start, &mut dropped) {
            let found = &self.bytes[start..start + length];
            // What stands between documents is none.
            if self.form != Form::Json || !found.iter().all(u8::is_ascii_whitespace) {
                text(found);
            }
            start += end;
        }
        self.bytes.drain(..start);
        if self.bytes.len() > MAX_TEXT_BYTES {
            crate::warning!("a text of the command is too long, dropped: limit={MAX_TEXT_BYTES}");
            self.give_up();
            dropped += 1;
        }
        if is_end && !self.bytes.is_empty() {
            match self.form {
                Form::Lines => text(&self.bytes),
                Form::Json if self.bytes.iter().all(u8::is_ascii_whitespace) => {}
                Form::Json => text(&self.bytes),
                Form::Msgpack => dropped += 1,
            }
            self.bytes.clear();
        }
        dropped
    }

    /// The length of the next text, and where what follows it begins.
    fn next(&mut self, start: usize, dropped: &mut u64) -> Option<(usize, usize)> {
        let rest = &self.bytes[start..];
        match self.form {
            Form::Lines => {
                let from = std::mem::take(&mut self.searched);
                let Some(found) = memchr::memchr(b'\n', rest.get(from..).unwrap_or_default()) else {
                    self.searched = rest.len();
                    return None;
                };
                let end = from + found;
                // As Ruby's `chomp`.
                Some((if rest[..end].ends_with(b"\r") { end - 1 } else { end }, end + 1))
            }
            Form::Json => self.json.scan(rest).map(|length| (length, length)),
            Form::Msgpack if rest.is_empty() => None,
            Form::Msgpack => match self.msgpack.step(rest) {
                Ok(Step::Done(length)) => {
                    self.msgpack.reset();
                    Some((length, length))
                }
                Ok(Step::NeedMore(_)) => None,
                Err(why) => {
                    crate::warning!("what the command prints is no msgpack: {why}");
                    *dropped += 1;
                    self.is_broken = true;
                    self.bytes.truncate(start);
                    None
                }
            },
        }
    }

    fn give_up(&mut self) {
        self.bytes = Vec::new();
        self.searched = 0;
        self.json = JsonFramer::default();
        self.is_broken = self.form != Form::Lines;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The texts that come of some reads; what was given up.
    fn texts(form: Form, reads: &[&[u8]]) -> (Vec<String>, u64) {
        let mut texts = Texts::new(form);
        let (mut found, mut dropped) = (Vec::new(), 0);
        for read in reads {
            texts.add(read);
            dropped += texts.take(false, |text| found.push(String::from_utf8_lossy(text).into_owned()));
        }
        dropped += texts.take(true, |text| found.push(String::from_utf8_lossy(text).into_owned()));
        (found, dropped)
    }

    #[test]
    fn lines_are_whole_whatever_the_reads() {
        let lines = ["a", "b c", "", "end"].map(str::to_owned).to_vec();
        assert_eq!(texts(Form::Lines, &[b"a\nb c\r\n\nend"]), (lines.clone(), 0));
        assert_eq!(texts(Form::Lines, &[b"a", b"\nb", b" c\r", b"\n\ne", b"nd"]), (lines, 0));
        assert_eq!(texts(Form::Lines, &[b"a\n"]), (vec!["a".to_owned()], 0));
    }

    #[test]
    fn documents_and_values_are_whole_too() {
        let (found, dropped) = texts(Form::Json, &[b"{\"a\":\n 1}\n{\"b", b"\":\"}\"}[{}]\n"]);
        let trimmed: Vec<&str> = found.iter().map(|text| text.trim()).collect();
        assert_eq!((trimmed, dropped), (vec!["{\"a\":\n 1}", "{\"b\":\"}\"}", "[{}]"], 0));
        assert_eq!(texts(Form::Msgpack, &[b"\x81\xa1", b"a\x01\x81\xa1b\x02"]).0.len(), 2);
        assert_eq!(texts(Form::Msgpack, &[b"\x80\xc1\x80", b"\x80"]), (vec!["\u{fffd}".to_owned()], 1));
        assert_eq!(texts(Form::Msgpack, &[b"\x81\xa1"]).1, 1);
    }
}
