//! The work on one batch: each event is held, passed on, or the last piece of what was held.

use super::mode::Mode;
use super::streams::{NewPiece, Stream, Streams};
use super::{Concat, Overflow};
use crate::event::{Event, Record, Rejected, Scope, Tag, Value, ruby};
use crate::parser::{ARGUMENT_ERROR, INVALID_UTF8};
use crate::regex::{Matched, Regex};
use bumpalo::collections::Vec as BumpVec;
use tokio::time::Instant;

/// Ruby's class and words for what is wrong with an event.
type Fault = (&'static str, String);

/// The work on one batch.
pub struct Step<'s, 'a> {
    concat: &'s Concat,
    scope: &'s Scope<'a>,
    tag: &'s Tag,
    streams: &'s mut Streams,
    after: &'s mut BumpVec<'a, Event<'a>>,
    now: Instant,
    identity: Vec<u8>,
    text: Vec<u8>,
}

/// What was held, put together.
struct Flushed<'a> {
    time: crate::event::EventTime,
    record: Record<'a>,
}

impl<'s, 'a> Step<'s, 'a> {
    /// For the events of a batch.
    pub fn new(
        concat: &'s Concat,
        scope: &'s Scope<'a>,
        tag: &'s Tag,
        streams: &'s mut Streams,
        after: &'s mut BumpVec<'a, Event<'a>>,
    ) -> Step<'s, 'a> {
        Step { concat, scope, tag, streams, after, now: Instant::now(), identity: Vec::new(), text: Vec::new() }
    }

    /// An event that goes on as it is.
    pub fn pass(&mut self, event: Event<'a>) {
        self.after.push(event);
    }

    /// A piece.
    pub fn event(&mut self, event: Event<'a>) {
        self.identify(&event.record);
        self.streams.touch(&self.identity, self.now);
        let result = match &self.concat.mode {
            Mode::Lines(count) => self.line(&event, *count),
            Mode::Regexp { start, end, continuous } => self.by_regexps(&event, start.as_ref(), end.as_ref(), continuous.as_ref()),
            Mode::Partial { key, value } => self.partial(&event, key, value),
            Mode::Metadata(fields) => {
                self.hold(&event);
                match event.record.get(fields.last.as_bytes()) {
                    Some(Value::Str(b"true")) => self.flush(&event),
                    _ => Ok(()),
                }
            }
            Mode::Cri(key) => self.cri(&event, key.as_deref()),
        };
        if let Err((class, message)) = result {
            let Event { time, record } = event;
            self.scope.reject(Rejected { tag: self.tag.clone(), time, record, class, message });
        }
    }

    /// Finds the name of the stream: the tag, the value of the identity key, and the id of Docker's message.
    fn identify(&mut self, record: &Record<'a>) {
        let id = &mut self.identity;
        id.clear();
        id.extend_from_slice(self.tag.as_bytes());
        id.push(b':');
        let mut add = |key: &str| {
            if let Some(value) = record.get(key.as_bytes()) {
                ruby::to_s(&value, id);
            }
        };
        match (&self.concat.params.stream_identity_key, &self.concat.mode) {
            (None, Mode::Metadata(fields)) => add(fields.id),
            (Some(key), Mode::Metadata(fields)) => {
                add(key);
                add(fields.id);
            }
            (Some(key), _) => add(key),
            (None, _) => id.extend_from_slice(b"default"),
        }
    }

    fn line(&mut self, event: &Event<'a>, count: usize) -> Result<(), Fault> {
        if self.hold(event) >= count { self.flush(event) } else { Ok(()) }
    }

    fn cri(&mut self, event: &Event<'a>, key: Option<&str>) -> Result<(), Fault> {
        self.hold(event);
        let logtag = key.and_then(|key| event.record.get(key.as_bytes())).unwrap_or(Value::Nil);
        match logtag {
            Value::Str(text) | Value::Bin(text) => {
                if text.split(|byte| *byte == b':').next() == Some(b"F") {
                    self.flush(event)
                } else {
                    Ok(())
                }
            }
            // As in Fluentd the piece is held all the same: what follows it may still be put to it.
            other => {
                let mut shown = Vec::new();
                ruby::inspect(&other, &mut shown);
                let (shown, class) = (String::from_utf8_lossy(&shown), ruby::class(&other));
                Err(("NoMethodError", format!("undefined method `split' for {shown}:{class}")))
            }
        }
    }

    fn partial(&mut self, event: &Event<'a>, key: &str, value: &str) -> Result<(), Fault> {
        let is_last = event.record.get(key.as_bytes()).and_then(|found| found.as_bytes()) != Some(value.as_bytes());
        let size = size_of_record(&event.record);
        let counted = self.streams.get_mut(&self.identity).map_or(0, |stream| stream.counted);
        let overflows = counted + size > self.concat.params.buffer_limit_size.0;
        let method = self.concat.params.buffer_overflow_method;
        if !overflows || method == Overflow::Ignore {
            self.hold(event);
            self.count(if overflows { 0 } else { counted + size });
            return if is_last { self.flush(event) } else { Ok(()) };
        }
        if method == Overflow::Drop {
            let dropped = self.streams.take(&self.identity).map_or(0, |stream| stream.len()) + 1;
            crate::warning!("concat: buffer_limit_size is exceeded, pieces are dropped: tag={:?} events={dropped}", self.tag);
            return if is_last { self.flush(event) } else { Ok(()) };
        }
        if method == Overflow::Truncate {
            crate::warning!("concat: buffer_limit_size is exceeded, an event is cut: tag={:?}", self.tag);
        }
        self.flush(event)?;
        if method == Overflow::New {
            self.hold(event);
            self.count(size);
            if is_last {
                self.flush(event)?;
            }
        }
        Ok(())
    }

    fn count(&mut self, bytes: u64) {
        if let Some(stream) = self.streams.get_mut(&self.identity) {
            stream.counted = bytes;
        }
    }

    fn by_regexps(
        &mut self,
        event: &Event<'a>,
        start: Option<&Regex>,
        end: Option<&Regex>,
        continuous: Option<&Regex>,
    ) -> Result<(), Fault> {
        let value = event.record.get(self.concat.params.key.as_bytes()).unwrap_or(Value::Nil);
        let is = |regex: Option<&Regex>| regex.map_or(Ok(false), |regex| matches(regex, &value));
        let is_held = self.streams.get_mut(&self.identity).is_some();
        if is(start)? {
            let is_last = is(end)?;
            if is_held {
                // Before the new piece takes its place.
                self.flush(event)?;
            }
            self.hold(event);
            return if is_last { self.flush(event) } else { Ok(()) };
        }
        if is(end)? {
            self.hold(event);
            return self.flush(event);
        }
        if !is_held && start.is_some() {
            self.after.push(event.clone());
            return Ok(());
        }
        if !is_held || continuous.map_or(Ok(true), |regex| matches(regex, &value))? {
            self.hold(event);
            return Ok(());
        }
        self.flush(event)?;
        // What does not belong to it goes on by itself, at the time of the one before.
        let time = self.after.last().map_or(event.time, |last| last.time);
        self.after.push(Event { time, record: event.record.clone() });
        Ok(())
    }

    /// Adds an event to its stream; how many pieces that has then.
    fn hold(&mut self, event: &Event<'a>) -> usize {
        let params = &self.concat.params;
        let value = event.record.get(params.key.as_bytes()).unwrap_or(Value::Nil);
        let text = match value {
            Value::Str(text) | Value::Bin(text) => text,
            other => {
                self.text.clear();
                join(&other, params.separator.as_bytes(), &mut self.text);
                &self.text
            }
        };
        let ordinal = match &self.concat.mode {
            Mode::Metadata(fields) => event.record.get(fields.ordinal.as_bytes()).map_or(0, |value| ruby::to_i(&value)),
            _ => 0,
        };
        let piece = NewPiece {
            tag: self.tag,
            time: event.time,
            record: &event.record,
            key: params.key.as_bytes(),
            text,
            is_binary: matches!(value, Value::Bin(_)),
            ordinal,
            now: self.now,
        };
        self.streams.push(&self.identity, piece)
    }

    /// Emits what is held of the stream: the fields of the last event, those of the first over them.
    fn flush(&mut self, last: &Event<'a>) -> Result<(), Fault> {
        let Some(stream) = self.streams.take(&self.identity) else {
            return Err(("NoMethodError", "undefined method `merge' for nil:NilClass".to_owned()));
        };
        let params = &self.concat.params;
        let flushed = self.put_together(stream);
        let time = if params.use_first_timestamp { flushed.time } else { last.time };
        let mut record = last.record.clone();
        for (key, value) in flushed.record.fields() {
            record.set_value(*key, *value);
        }
        match &self.concat.mode {
            Mode::Partial { key, .. } if !params.keep_partial_key => drop(record.remove(key.as_bytes())),
            Mode::Metadata(fields) if !params.keep_partial_metadata => {
                for name in [fields.message, fields.id, fields.ordinal, fields.last] {
                    record.remove(name.as_bytes());
                }
            }
            Mode::Cri(key) => {
                if let Some(key) = key.as_deref().filter(|_| !params.keep_partial_key) {
                    record.remove(key.as_bytes());
                }
                record.remove(params.partial_cri_stream_key.as_bytes());
            }
            _ => {}
        }
        self.after.push(Event { time, record });
        Ok(())
    }

    fn put_together(&self, stream: Stream) -> Flushed<'a> {
        let by_ordinal = matches!(self.concat.mode, Mode::Metadata(_));
        let held = stream.join(self.concat.params.separator.as_bytes(), by_ordinal);
        let mut record = self.concat.record_of(self.scope, &held);
        // The last piece says what these are in the end.
        match &self.concat.mode {
            Mode::Partial { key, .. } | Mode::Cri(Some(key)) => drop(record.remove(key.as_bytes())),
            _ => {}
        }
        Flushed { time: held.time, record }
    }
}

/// Whether a line looks like that; errors as Ruby's `match?` raises them.
fn matches(regex: &Regex, value: &Value<'_>) -> Result<bool, Fault> {
    match value {
        Value::Nil => Ok(false),
        Value::Str(text) if simdutf8::basic::from_utf8(text).is_err() => Err((ARGUMENT_ERROR, INVALID_UTF8.to_owned())),
        Value::Str(text) | Value::Bin(text) => Ok(regex.is_match(text) == Matched::Yes),
        other => Err(("TypeError", format!("no implicit conversion of {} into String", ruby::class(other)))),
    }
}

/// A value as `Array#join` writes it: arrays are joined themselves.
fn join(value: &Value<'_>, separator: &[u8], out: &mut Vec<u8>) {
    let Value::Array(elements) = value else { return ruby::to_s(value, out) };
    for (at, element) in elements.iter().enumerate() {
        if at > 0 {
            out.extend_from_slice(separator);
        }
        join(element, separator, out);
    }
}

/// The bytes of a record's keys and values as text.
fn size_of_record(record: &Record<'_>) -> u64 {
    let mut text = Vec::new();
    let size = |value: &Value<'_>, text: &mut Vec<u8>| match value {
        Value::Str(bytes) | Value::Bin(bytes) => bytes.len() as u64,
        other => {
            text.clear();
            ruby::to_s(other, text);
            text.len() as u64
        }
    };
    record.fields().iter().map(|(key, value)| size(key, &mut text) + size(value, &mut text)).sum()
}
