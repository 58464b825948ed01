//! What is said in the log about a peer's messages: in Fluentd's words, shortened, and not without end. What is left out of them is counted.

use crate::event::json::{Style, transcode_value};
use crate::event::msgpack::Reader;
use crate::log::{self, Level};

/// Lines about one connection; what comes after them is counted. A broken sender would otherwise fill the disk with our log.
const LINES: u32 = 20;
/// Bytes of a sender's data that a line shows.
const SHOWN_BYTES: usize = 512;

/// The log lines about one connection.
#[derive(Debug)]
pub struct Complaints {
    host: String,
    said: u32,
    unsaid: u64,
    /// Events and messages that were left out, and that nobody has asked for yet.
    left_out: u64,
}

impl Complaints {
    /// For a peer that lines call `host`.
    pub fn new(host: String) -> Complaints {
        Complaints { host, said: 0, unsaid: 0, left_out: 0 }
    }

    /// How many events, or messages that no events are known of, were left out since this was last asked.
    pub fn take_left_out(&mut self) -> u64 {
        std::mem::take(&mut self.left_out)
    }

    /// A value that is no message.
    pub fn broken(&mut self, message: &[u8]) {
        self.left_out += 1;
        self.say("incoming chunk is broken:", &[("msg", &shown(message))]);
    }

    /// Entries of a message that are no events.
    pub fn invalid(&mut self, tag: &str, count: usize, first: &[u8]) {
        self.left_out += count as u64;
        let also = count.saturating_sub(1).to_string();
        let fields = [("tag", tag), ("entry", &shown(first)), ("and_others", &also)];
        self.say("skip invalid event:", if count > 1 { &fields } else { &fields[..2] });
    }

    /// A message whose tag is no text, or whose one event is none.
    pub fn invalid_message(&mut self, count: usize, first: &[u8]) {
        self.left_out += count as u64;
        let also = count.saturating_sub(1).to_string();
        let fields = [("msg", shown(first)), ("and_others", also)];
        let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
        self.say("got invalid event and drop it:", if count > 1 { &fields } else { &fields[..1] });
    }

    /// Packed entries that end in the middle of one.
    pub fn cut_off(&mut self, tag: &str, bytes: usize) {
        self.left_out += 1;
        self.say("packed entries are cut off, the last one is dropped:", &[("tag", tag), ("bytes", &bytes.to_string())]);
    }

    /// A payload of Fluent Bit that holds no logs.
    pub fn signal(&mut self, tag: &str, signal: i64) {
        self.left_out += 1;
        let kind = if signal == 1 { "metrics" } else { "traces" };
        self.say("only logs are taken, dropped:", &[("tag", tag), ("payload", kind)]);
    }

    /// A message longer than allowed.
    pub fn too_large(&mut self, tag: &str, limit: usize, size: usize) {
        self.left_out += 1;
        let fields = [("tag", tag), ("limit", &limit.to_string()), ("size", &size.to_string())];
        self.say("Input chunk size is larger than 'chunk_size_limit', dropped:", &fields);
    }

    /// A message longer than usual.
    pub fn large(&mut self, tag: &str, limit: usize, size: usize) {
        let fields = [("tag", tag), ("limit", &limit.to_string()), ("size", &size.to_string())];
        self.say("Input chunk size is larger than 'chunk_size_warn_limit':", &fields);
    }

    fn say(&mut self, message: &str, fields: &[(&str, &str)]) {
        if self.said >= LINES {
            self.unsaid += 1;
            return;
        }
        self.said += 1;
        let mut all = vec![("host", self.host.as_str())];
        all.extend_from_slice(fields);
        log::write_with(Level::Warn, message, &all);
        if self.said == LINES {
            log::write_with(Level::Warn, "further warnings about this connection are only counted", &[("host", &self.host)]);
        }
    }
}

impl Drop for Complaints {
    fn drop(&mut self) {
        if self.unsaid > 0 {
            log::write_with(
                Level::Warn,
                "warnings about a connection that were not written:",
                &[("host", &self.host), ("count", &self.unsaid.to_string())],
            );
        }
    }
}

/// msgpack as a line shows it: as JSON, shortened.
pub fn shown(value: &[u8]) -> String {
    let mut text = Vec::new();
    if value.len() > 8 * SHOWN_BYTES || transcode_value(&mut Reader::new(value), Style::Oj, &mut text).is_err() {
        text.clear();
        text.extend(value.iter().take(SHOWN_BYTES).flat_map(|byte| std::ascii::escape_default(*byte)));
    }
    let mut text = String::from_utf8_lossy(&text).into_owned();
    if text.len() > SHOWN_BYTES {
        let end = (0..=SHOWN_BYTES).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text.push_str("...");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_values_shortened() {
        assert_eq!(shown(b"\x92\x01\x81\xa1a\xa1b"), r#"[1,{"a":"b"}]"#);
        let long = [b"\xda\x02\x58".as_slice(), "\u{e9}".repeat(300).as_bytes()].concat();
        assert!(shown(&long).len() <= SHOWN_BYTES + 3);
        assert!(shown(&vec![0xff; 100_000]).len() <= SHOWN_BYTES + 3);
    }

    #[test]
    fn stops_after_some_lines() {
        let mut complaints = Complaints::new("peer".to_owned());
        (0..LINES + 5).for_each(|_| complaints.broken(b"\x01"));
        assert_eq!((complaints.said, complaints.unsaid), (LINES, 5));
    }
}
