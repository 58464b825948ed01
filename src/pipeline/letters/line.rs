//! One dead letter as a line of JSON: to be read by people and `grep`, and exactly by `flumen replay`.
//!
//! An event stands in it twice: as JSON to look at, and as msgpack in base64, because JSON tells neither bytes from text nor nanoseconds
//! from floats. `crc`, always last, is the CRC-32 of everything before it, so that a torn or damaged line is found out.

use crate::event::json::{self, Style};
use crate::event::msgpack::{Entries, check_entries};
use crate::event::{EventTime, Record};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Crc;
use serde::Deserialize;
use std::borrow::Cow;

/// What ends a line before the eight digits.
const CRC: &[u8] = b",\"crc\":\"";
/// Its whole length, with the digits and `"}`.
const CRC_BYTES: usize = CRC.len() + 10;

/// Why something was given up, and by whom.
#[derive(Clone, Debug)]
pub struct Cause<'c> {
    /// The id of the output; `None` for filters and inputs.
    pub output: Option<&'c str>,
    /// Fluentd's class of the error.
    pub class: &'c str,
    /// What was wrong.
    pub reason: &'c str,
    /// What the server answered.
    pub status: Option<u16>,
}

/// Writes the line of one event; `entry` is its msgpack.
pub fn write_event(cause: &Cause<'_>, tag: &str, time: EventTime, record: &Record<'_>, entry: &[u8], out: &mut Vec<u8>) {
    let from = out.len();
    write_head("event", cause, out);
    write_text("tag", tag, out);
    write_text("time", &moment(time), out);
    out.extend_from_slice(b",\"record\":");
    json::write_record(record, Style::Oj, out);
    write_text("msgpack", &STANDARD.encode(entry), out);
    seal(from, out);
}

/// Writes the line of a chunk, which is kept in a file of its own.
pub fn write_chunk(cause: &Cause<'_>, tag: Option<&str>, records: usize, file: &str, out: &mut Vec<u8>) {
    let from = out.len();
    write_head("chunk", cause, out);
    if let Some(tag) = tag {
        write_text("tag", tag, out);
    }
    out.extend_from_slice(format!(",\"records\":{records}").as_bytes());
    write_text("file", file, out);
    seal(from, out);
}

fn write_head(kind: &str, cause: &Cause<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"at\":\"");
    out.extend_from_slice(moment(EventTime::now()).as_bytes());
    out.push(b'"');
    write_text("kind", kind, out);
    match cause.output {
        Some(output) => write_text("output", output, out),
        None => out.extend_from_slice(b",\"output\":null"),
    }
    write_text("class", cause.class, out);
    write_text("reason", cause.reason, out);
    if let Some(status) = cause.status {
        out.extend_from_slice(format!(",\"status\":{status}").as_bytes());
    }
}

fn write_text(name: &str, text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(format!(",\"{name}\":").as_bytes());
    json::write_text(text.as_bytes(), Style::Oj, out);
}

fn seal(from: usize, out: &mut Vec<u8>) {
    let crc = crc_of(&out[from..]);
    out.extend_from_slice(CRC);
    out.extend_from_slice(format!("{crc:08x}\"}}\n").as_bytes());
}

fn crc_of(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// A time as people and programs read it, to the nanosecond.
fn moment(time: EventTime) -> String {
    let stamp = jiff::Timestamp::new(time.sec, time.nsec as i32);
    stamp.map_or_else(|_| format!("{}.{:09}", time.sec, time.nsec), |stamp| stamp.to_string())
}

/// A line, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// The id of the output that gave it up; `None` for filters and inputs.
    pub output: Option<String>,
    /// What was wrong.
    pub reason: String,
    /// The tag, where it is known.
    pub tag: Option<String>,
    /// What was given up.
    pub what: What,
}

/// What a letter is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// One event: its packed entry.
    Event(Vec<u8>),
    /// A chunk, in this file of the folder.
    Chunk(String),
}

/// The fields that are read back; the record in JSON is for people.
#[derive(Deserialize)]
struct Fields<'l> {
    kind: Cow<'l, str>,
    output: Option<String>,
    #[serde(default)]
    reason: String,
    tag: Option<String>,
    msgpack: Option<Cow<'l, str>>,
    file: Option<String>,
}

impl Letter {
    /// Reads a line, with or without its end. An error says what is wrong with it.
    pub fn parse(line: &[u8]) -> Result<Letter, String> {
        let line = line.trim_ascii_end();
        let (body, end) = line.split_at_checked(line.len().saturating_sub(CRC_BYTES)).ok_or("it is too short")?;
        let digits = end.strip_prefix(CRC).and_then(|rest| rest.strip_suffix(b"\"}")).and_then(|digits| std::str::from_utf8(digits).ok());
        let crc = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()).ok_or("it does not end with a checksum")?;
        if crc_of(body) != crc {
            return Err("its checksum is not that of its contents".to_owned());
        }
        let fields: Fields<'_> = serde_json::from_slice(line).map_err(|error| error.to_string())?;
        let what = match (fields.kind.as_ref(), fields.msgpack, fields.file) {
            ("event", Some(entry), _) => What::Event(decode(&entry)?),
            ("chunk", _, Some(file)) => What::Chunk(file),
            (kind, ..) => return Err(format!("kind {kind:?} is unknown, or lacks its contents")),
        };
        Ok(Letter { output: fields.output, reason: fields.reason, tag: fields.tag, what })
    }
}

fn decode(text: &str) -> Result<Vec<u8>, String> {
    let entry = STANDARD.decode(text).map_err(|error| format!("its msgpack is no base64: {error}"))?;
    let one = check_entries(&entry).is_ok_and(|checked| checked.count == 1);
    let is_event = Entries::new(&entry).next().is_some_and(|entry| entry.is_ok_and(|entry| entry.is_event()));
    if one && is_event { Ok(entry) } else { Err("its msgpack is no event".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::msgpack::write_entry;
    use crate::event::{Scratch, Value};

    fn line() -> (Vec<u8>, Vec<u8>) {
        let scratch = Scratch::take();
        let scope = scratch.scope();
        let record = Record::from_fields(scope.bump(), &[(Value::text("bad"), Value::Str(b"\xff\n")), (Value::text("n"), Value::Int(1))]);
        let time = EventTime { sec: 1_700_000_000, nsec: 5 };
        let (mut entry, mut line) = (Vec::new(), Vec::new());
        write_entry(time, &record, &mut entry);
        let cause = Cause { output: Some("es"), class: "Some::Error", reason: "400 - \"no\"", status: Some(400) };
        write_event(&cause, "app.web", time, &record, &entry, &mut line);
        (line, entry)
    }

    #[test]
    fn an_event_comes_back_to_the_byte() {
        let (line, entry) = line();
        assert_eq!(line.iter().filter(|&&byte| byte == b'\n').count(), 1, "one line");
        let text = String::from_utf8(line.clone()).unwrap();
        for part in
            ["\"time\":\"2023-11-14T22:13:20.000000005Z\"", "\"status\":400", "\"tag\":\"app.web\"", "\"n\":1", "\"kind\":\"event\""]
        {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        let letter = Letter::parse(&line).unwrap();
        assert_eq!(letter.what, What::Event(entry));
        assert_eq!((letter.output.as_deref(), letter.tag.as_deref()), (Some("es"), Some("app.web")));
        assert_eq!(letter.reason, "400 - \"no\"");
    }

    #[test]
    fn damage_is_found_wherever_it_is() {
        let (line, _) = line();
        for at in 0..line.len() - 1 {
            let mut broken = line.clone();
            broken[at] ^= 0x01;
            assert!(Letter::parse(&broken).is_err(), "byte {at}");
            assert!(Letter::parse(&line[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_chunk_is_named_by_its_file() {
        let cause = Cause { output: Some("out"), class: "E", reason: "r", status: None };
        let mut line = Vec::new();
        write_chunk(&cause, None, 12, "chunks/out/ab.log", &mut line);
        assert_eq!(Letter::parse(&line).unwrap().what, What::Chunk("chunks/out/ab.log".to_owned()));
    }
}
