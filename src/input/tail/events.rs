//! From lines to events: one each, or several lines that belong together.

use super::lines::{Encoding, Lines};
use crate::event::{Event, EventTime, Record, Scope, Value};
use crate::parser::{ParseError, Parsed, Parser};
use bumpalo::collections::Vec as BumpVec;
use tokio::time::Instant;

/// Lines of one event that are held; more are parsed as they are, so that lines without an end do not fill the memory.
const MAX_HELD_BYTES: usize = 16 << 20;
/// The same where each line is tried together with all before it.
const MAX_TRIED_BYTES: usize = 1 << 20;
/// How much of a line is shown in the log, in bytes.
const SHOWN_BYTES: usize = 1024;

/// How lines become events.
pub struct Events {
    /// Takes lines apart.
    pub parser: Box<dyn Parser>,
    /// Whether several lines may be one event.
    pub is_multiline: bool,
    /// Whether lines that cannot be parsed become events.
    pub emit_unmatched: bool,
    /// The field that gets the path.
    pub path_key: Option<String>,
}

/// Lines of a file that wait for others of their event.
#[derive(Clone, Debug, Default)]
pub struct Held {
    lines: Vec<u8>,
    since: Option<Instant>,
}

impl Held {
    /// How many bytes of the file these are.
    pub fn len(&self) -> u64 {
        self.lines.len() as u64
    }

    /// Since when they have waited in vain, where they wait for a first line.
    pub fn since(&self) -> Option<Instant> {
        self.since.filter(|_| !self.lines.is_empty())
    }
}

/// The work on the lines of one file.
pub struct Step<'s, 'a> {
    events: &'s Events,
    scope: &'s Scope<'a>,
    path: &'s str,
    encoding: Encoding,
    parsed: Parsed<'a>,
    /// What has come of them.
    pub found: BumpVec<'a, Event<'a>>,
    /// How many lines are no events.
    pub invalid: usize,
}

impl<'s, 'a> Step<'s, 'a> {
    /// For a file.
    pub fn new(events: &'s Events, scope: &'s Scope<'a>, path: &'s str, encoding: Encoding) -> Step<'s, 'a> {
        Step { events, scope, path, encoding, parsed: Parsed::default(), found: BumpVec::new_in(scope.bump()), invalid: 0 }
    }

    /// Takes lines; those that may not be a whole event stay in `held`.
    pub fn lines(&mut self, lines: &Lines, held: &mut Held) {
        let all = (0..lines.len()).map(|at| lines.get(at));
        if !self.events.is_multiline {
            all.for_each(|line| self.line(line));
        } else if self.events.parser.begins(b"").is_some() {
            held.since = Some(Instant::now());
            all.for_each(|line| self.by_first_line(line, held));
        } else {
            all.for_each(|line| self.by_trial(line, held));
        }
    }

    fn by_first_line(&mut self, line: &[u8], held: &mut Held) {
        if self.events.parser.begins(line) == Some(true) {
            let whole = std::mem::replace(&mut held.lines, line.to_vec());
            if !whole.is_empty() {
                self.line(&whole);
            }
        } else if held.lines.is_empty() {
            if self.events.emit_unmatched {
                self.line(line);
            }
            crate::warning!("got incomplete line before first line from {}: {}", self.path, shown(line));
        } else {
            held.lines.extend_from_slice(line);
            if held.lines.len() > MAX_HELD_BYTES {
                let whole = std::mem::take(&mut held.lines);
                crate::warning!("lines of one event have more than {MAX_HELD_BYTES} bytes: path={:?}", self.path);
                self.line(&whole);
            }
        }
    }

    /// Without a first line to know an event by, it has ended as soon as it can be parsed.
    fn by_trial(&mut self, line: &[u8], held: &mut Held) {
        held.lines.extend_from_slice(line);
        let text = self.text(&held.lines, false);
        let is_whole = self.parse(text).is_ok() && self.parsed.events.iter().any(|(time, _)| time.is_some());
        if is_whole || held.lines.len() > MAX_TRIED_BYTES {
            let whole = std::mem::take(&mut held.lines);
            self.line(&whole);
        }
    }

    /// Parses what waits, because nothing more comes in time.
    pub fn flush(&mut self, held: &mut Held) {
        held.since = None;
        let whole = std::mem::take(&mut held.lines);
        if whole.is_empty() {
            return;
        }
        let before = self.found.len();
        self.line(&whole);
        if self.found.len() == before {
            crate::warning!("got incomplete line at shutdown from {}: {}", self.path, shown(&whole));
        }
    }

    /// Parses what is taken for one event.
    pub fn line(&mut self, line: &[u8]) {
        let text = self.text(line, true);
        let result = self.parse(text);
        let events = std::mem::take(&mut self.parsed.events);
        let mut missed = std::mem::take(&mut self.parsed.unmatched).len();
        for (time, record) in events {
            match time {
                Some(time) => self.push(time, record),
                None => missed += 1,
            }
        }
        match result {
            Ok(()) => {}
            Err(ParseError::NoMatch) => missed += 1,
            Err(ParseError::Failed { message, .. }) => {
                self.invalid += 1;
                crate::warning!("invalid line found file={:?} line={} error={message:?}", self.path, shown(text));
            }
        }
        for _ in 0..missed {
            self.invalid += 1;
            if self.events.emit_unmatched {
                let mut record = Record::with_capacity(self.scope.bump(), 2);
                record.set(b"unmatched_line", Value::Str(text));
                self.push(EventTime::now(), record);
            }
            crate::warning!("pattern not matched: {}", shown(text));
        }
    }

    fn parse(&mut self, text: &'a [u8]) -> Result<(), ParseError> {
        self.parsed.clear();
        // Where no encoding is named, lines are bytes that expressions search whatever they are.
        self.parsed.is_binary = !self.encoding.is_text && simdutf8::basic::from_utf8(text).is_err();
        self.events.parser.parse(self.scope, text, &mut self.parsed)
    }

    fn text(&self, line: &[u8], chomp: bool) -> &'a [u8] {
        let line = match line {
            [rest @ .., b'\r', b'\n'] | [rest @ .., b'\n' | b'\r'] if chomp => rest,
            whole => whole,
        };
        match self.encoding.convert(line) {
            Some(converted) => self.scope.bytes(&converted),
            None => self.scope.bytes(line),
        }
    }

    fn push(&mut self, time: EventTime, mut record: Record<'a>) {
        if let Some(key) = &self.events.path_key
            && matches!(record.get(key.as_bytes()), None | Some(Value::Nil | Value::Bool(false)))
        {
            record.set(self.scope.bytes(key.as_bytes()), Value::text(self.scope.text(self.path)));
        }
        self.found.push(Event { time, record });
    }
}

fn shown(text: &[u8]) -> String {
    let cut = text.len().min(SHOWN_BYTES);
    let more = if cut < text.len() { "..." } else { "" };
    format!("{:?}{more}", String::from_utf8_lossy(&text[..cut]))
}
