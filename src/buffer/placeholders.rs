//! `${tag}`, `${tag[1]}`, `${key}`, `${$.a.b}`, `${chunk_id}` and strftime in parameters of outputs: checked against the chunk keys when
//! the configuration is read, filled in from a chunk's keys when it is delivered.

use super::keys::TimeSlices;
use super::{Chunk, ChunkKeys, Keys};
use crate::event::{EventTime, Strftime, Zone};
use std::sync::atomic::{AtomicBool, Ordering};

/// Time units that a format can show: seconds, Fluentd's word for them, and an example.
const UNITS: [(i64, &str, &str); 4] = [(1, "second", "%S"), (60, "minute", "%M"), (3600, "hour", "%H"), (86_400, "day", "%d")];
/// 2016-01-01 00:00:00 UTC: adding each unit to it changes that unit alone, or with it larger ones.
const CHECKED_AT: i64 = 1_451_606_400;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Tag,
    PieceOfTag(i64),
    ChunkId,
    Key(String),
}

/// Which placeholders a text has.
#[derive(Clone, Debug)]
pub struct Placeholders {
    parts: Vec<Part>,
    time: Option<(i64, &'static str, &'static str)>,
}

impl Placeholders {
    /// Looks for them.
    pub fn of(text: &str) -> Placeholders {
        let format = Strftime::new(text);
        let shown = |sec: i64| format.text(EventTime::from_secs(sec), &Zone::Utc);
        let at_rest = shown(CHECKED_AT);
        let time = UNITS.into_iter().find(|(sec, ..)| shown(CHECKED_AT + sec) != at_rest);
        Placeholders { parts: parse(text), time }
    }

    /// The smallest unit of time that the text shows: its seconds, Fluentd's word for it, an example.
    pub fn time(&self) -> Option<(i64, &'static str, &'static str)> {
        self.time
    }

    /// Whether the tag or a part of it is among them.
    pub fn has_tag(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Tag | Part::PieceOfTag(_)))
    }

    /// The names of other keys, in order.
    pub fn keys(&self) -> Vec<&str> {
        self.parts.iter().filter_map(|part| if let Part::Key(name) = part { Some(name.as_str()) } else { None }).collect()
    }

    /// Whether there is none at all.
    pub fn are_none(&self) -> bool {
        self.time.is_none() && self.parts.iter().all(|part| matches!(part, Part::Text(_)))
    }
}

/// Checks that the text of a parameter and the chunk keys ask for the same things; the error is in Fluentd's words.
pub fn validate(name: &str, text: &str, keys: &Keys) -> Result<(), String> {
    let found = Placeholders::of(text);
    check_time(&found, keys.time.as_ref())
        .and_then(|()| check_tag(&found, keys.tag))
        .and_then(|()| check_keys(&found, keys))
        .map_err(|why| format!("Parameter '{name}: {text}' {why}"))
}

/// As [`validate`], for the formats of time alone.
pub fn validate_time(name: &str, text: &str, keys: &Keys) -> Result<(), String> {
    check_time(&Placeholders::of(text), keys.time.as_ref()).map_err(|why| format!("Parameter '{name}: {text}' {why}"))
}

fn check_time(found: &Placeholders, slices: Option<&TimeSlices>) -> Result<(), String> {
    match (found.time, slices) {
        (None, Some(slices)) => Err(format!("doesn't have timestamp placeholders for timekey {}", slices.length)),
        (Some(_), None) => Err("has timestamp placeholders, but chunk key 'time' is not configured".to_owned()),
        (Some((sec, title, example)), Some(slices)) if (slices.length as i64) < sec => {
            Err(format!("doesn't have timestamp placeholder for {title}('{example}') for timekey {}", slices.length))
        }
        _ => Ok(()),
    }
}

fn check_tag(found: &Placeholders, is_key: bool) -> Result<(), String> {
    match (found.has_tag(), is_key) {
        (false, true) => Err("doesn't have tag placeholder".to_owned()),
        (true, false) => Err("has tag placeholders, but chunk key 'tag' is not configured".to_owned()),
        _ => Ok(()),
    }
}

fn check_keys(found: &Placeholders, keys: &Keys) -> Result<(), String> {
    let mut named = found.keys();
    named.sort_unstable();
    let mut configured: Vec<&str> = keys.fields.iter().map(|field| field.name.as_str()).collect();
    configured.sort_unstable();
    let without = |all: &[&str], known: &[&str]| all.iter().filter(|key| !known.contains(key)).copied().collect::<Vec<_>>().join(",");
    let missing = without(&configured, &named);
    if !missing.is_empty() {
        return Err(format!("doesn't have enough placeholders for keys {missing}"));
    }
    let unknown = without(&named, &configured);
    if !unknown.is_empty() {
        return Err(format!("has placeholders, but chunk keys doesn't have keys {unknown}"));
    }
    Ok(())
}

/// A text with placeholders, compiled.
#[derive(Debug)]
pub struct Template {
    text: String,
    /// Text among them is a format where `time` is a chunk key.
    parts: Vec<(Part, Option<Strftime>)>,
    keys: Keys,
    warned: AtomicBool,
}

impl Template {
    /// Compiles a text for chunks of these keys. Nothing is checked: see [`validate`].
    pub fn new(text: &str, keys: &Keys) -> Template {
        let format = |part: &Part| match part {
            Part::Text(text) if keys.time.is_some() && text.contains('%') => Some(Strftime::new(text)),
            _ => None,
        };
        let parts = parse(text)
            .into_iter()
            .map(|part| {
                let format = format(&part);
                (part, format)
            })
            .collect();
        Template { text: text.to_owned(), parts, keys: keys.clone(), warned: AtomicBool::new(false) }
    }

    /// The text when it is the same for every chunk.
    pub fn constant(&self) -> Option<&str> {
        let plain = self.parts.iter().all(|part| matches!(part, (Part::Text(_), None)));
        plain.then_some(&self.text)
    }

    /// The text for one chunk. What no key stands behind is empty, and warned about once.
    pub fn expand(&self, chunk: &Chunk) -> String {
        if self.keys.are_none() {
            return self.expand_without_keys(chunk);
        }
        let mut out = String::with_capacity(self.text.len() + 32);
        for (part, format) in &self.parts {
            match part {
                Part::Text(text) => match (format, &self.keys.time, chunk.keys.timekey) {
                    (Some(format), Some(slices), Some(start)) => out.push_str(&format.text(EventTime::from_secs(start), &slices.zone)),
                    _ => out.push_str(text),
                },
                Part::ChunkId => out.push_str(&chunk.hex()),
                Part::Tag if self.keys.tag => out.push_str(chunk.keys.tag.as_deref().unwrap_or_default()),
                Part::PieceOfTag(at) if self.keys.tag => out.push_str(self.tag_part(*at, &chunk.keys)),
                Part::Tag => out.push_str("${tag}"),
                Part::PieceOfTag(at) => out.push_str(&format!("${{tag[{at}]}}")),
                Part::Key(name) => self.push_key(name, &chunk.keys, &mut out),
            }
        }
        out
    }

    fn expand_without_keys(&self, chunk: &Chunk) -> String {
        if self.parts.iter().any(|(part, _)| *part == Part::ChunkId) {
            self.text.replace("${chunk_id}", &chunk.hex())
        } else {
            self.text.clone()
        }
    }

    fn tag_part<'k>(&self, at: i64, keys: &'k ChunkKeys) -> &'k str {
        let Some(tag) = &keys.tag else { return "" };
        let parts = tag.parts();
        let at = if at < 0 { at + parts.len() as i64 } else { at };
        let found = usize::try_from(at).ok().and_then(|at| parts.get(at).copied());
        if found.is_none() && !self.warned.swap(true, Ordering::Relaxed) {
            crate::warning!("tag placeholder '${{tag[{at}]}}' not replaced. tag:{tag}, template:{}", self.text);
        }
        found.unwrap_or_default()
    }

    fn push_key(&self, name: &str, keys: &ChunkKeys, out: &mut String) {
        match keys.variables.iter().find(|(key, _)| key == name) {
            Some((_, value)) => out.push_str(value.as_deref().unwrap_or_default()),
            None => {
                if !self.warned.swap(true, Ordering::Relaxed) {
                    crate::warning!("chunk key placeholder '{name}' not replaced. template:{}", self.text);
                }
                // Fluentd: with no field among the chunk keys the placeholder stays as it is.
                if self.keys.fields.is_empty() {
                    out.push_str(&format!("${{{name}}}"));
                }
            }
        }
    }
}

fn parse(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = text;
    let mut plain = String::new();
    while let Some(at) = rest.find("${") {
        plain.push_str(&rest[..at]);
        let inner = &rest[at + 2..];
        match inner.find('}').and_then(|end| placeholder(&inner[..end]).map(|part| (part, end))) {
            Some((part, end)) => {
                if !plain.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut plain)));
                }
                parts.push(part);
                rest = &inner[end + 1..];
            }
            None => {
                plain.push_str("${");
                rest = inner;
            }
        }
    }
    plain.push_str(rest);
    if !plain.is_empty() || parts.is_empty() {
        parts.push(Part::Text(plain));
    }
    parts
}

fn placeholder(name: &str) -> Option<Part> {
    if name == "tag" {
        return Some(Part::Tag);
    }
    if name == "chunk_id" {
        return Some(Part::ChunkId);
    }
    if let Some(index) = name.strip_prefix("tag[").and_then(|rest| rest.strip_suffix(']')) {
        let digits = index.strip_prefix('-').unwrap_or(index);
        let good = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        return good.then(|| Part::PieceOfTag(index.parse().unwrap_or(i64::MAX)));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.@$".contains(c);
    (!name.is_empty() && name.chars().all(allowed)).then(|| Part::Key(name.to_owned()))
}

#[cfg(test)]
mod tests;
