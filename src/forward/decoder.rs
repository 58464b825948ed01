//! A connection's messages become batches and acks: single events are collected into batches, and the order is kept.
//!
//! The caller reads, asks for [`Decoder::next`] until it wants more bytes, and emits each batch that it is told of. There is no I/O here.

use super::collected::Collected;
use super::complaints::{Complaints, shown};
use super::entries::{Origin, admit};
use super::inflate::{Compression, inflate};
use super::message::{Body, Message, Options, Quick, text};
use super::rules::{Fault, Rules, Tags};
use super::stream::{Found, Place, Stream};
use super::{ack, spare};
use crate::event::{Batch, Scope, Sent, Tag};
use std::sync::Arc;

/// Values that are no messages before the connection is given up: a port scanner's text is one such value a byte.
const MAX_STRAYS: u32 = 16;

/// Marks that a silent connection keeps room for.
const KEPT_MARKS: usize = 16;

/// What is to be done next.
#[derive(Debug)]
pub enum Next {
    /// Read on: all whole messages have been handled.
    More,
    /// Get leave for this tag, take [`Decoder::batch`], emit it, and say so with [`Decoder::emitted`].
    Emit(Tag),
}

/// What waits to be emitted.
#[derive(Debug)]
enum Work {
    Nothing,
    Collected,
    List(Place),
    Packed(Place, Compression),
}

/// What became of a message.
enum Outcome {
    /// It is dealt with.
    Taken,
    /// It waits for what was collected before it.
    Later,
    /// It waits to be emitted itself.
    Emit,
}

/// The state of one connection between reads.
#[derive(Debug)]
pub struct Decoder {
    rules: Arc<Rules>,
    complaints: Complaints,
    stream: Stream,
    tags: Tags,
    /// The tag of the work, or of the collected events.
    tag: Option<Tag>,
    work: Work,
    collected: Collected,
    inflated: Vec<u8>,
    /// Where the parts of the batch begin.
    marks: Vec<usize>,
    /// What the message to be emitted is called.
    chunk: Vec<u8>,
    acks: Vec<u8>,
    /// How much of the acks belongs to events that have been taken.
    confirmed: usize,
    messages: u64,
    strays: u32,
    fault: Option<Fault>,
}

impl Decoder {
    /// For a connection from `host`, as the log shall call it.
    pub fn new(rules: Arc<Rules>, host: String) -> Decoder {
        Decoder {
            stream: Stream::new(rules.chunk_size_limit),
            rules,
            complaints: Complaints::new(host),
            tags: Tags::default(),
            tag: None,
            work: Work::Nothing,
            collected: Collected::default(),
            inflated: Vec::new(),
            marks: Vec::new(),
            chunk: Vec::new(),
            acks: Vec::new(),
            confirmed: 0,
            messages: 0,
            strays: 0,
            fault: None,
        }
    }

    /// Goes on by other rules, if these are others; between messages only.
    pub fn follow(&mut self, rules: &Arc<Rules>) {
        if !Arc::ptr_eq(&self.rules, rules) {
            self.rules = Arc::clone(rules);
            self.stream.set_limit(rules.chunk_size_limit);
            self.tags = Tags::default();
        }
    }

    /// Goes on over `input`, which holds all bytes that came and were not [taken away](Decoder::take_consumed).
    pub fn next(&mut self, input: &[u8]) -> Result<Next, Fault> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        match self.walk(input) {
            Ok(true) => {}
            Ok(false) if self.collected.count > 0 => {}
            Ok(false) => {
                self.confirmed = self.acks.len();
                return Ok(Next::More);
            }
            // What came before the fault was good.
            Err(fault) if self.collected.count > 0 => self.fault = Some(fault),
            Err(fault) => return Err(fault),
        }
        if matches!(self.work, Work::Nothing) {
            self.work = Work::Collected;
        }
        match &self.tag {
            Some(tag) => Ok(Next::Emit(tag.clone())),
            None => unreachable!("events are collected, and work is made, together with their tag"),
        }
    }

    /// The events that [`Next::Emit`] spoke of; there may be none left of them.
    pub fn batch<'a>(&'a mut self, input: &'a [u8], scope: &Scope<'a>) -> Result<Batch<'a>, Fault> {
        let Decoder { work, rules, complaints, stream, inflated, collected, tag, chunk, marks, .. } = self;
        if !collected.chunks.is_empty() {
            collected.chunk_ends.resize(collected.count, collected.chunks.len() as u32);
        }
        let is_collected = matches!(work, Work::Collected);
        let (run, origin) = match work {
            Work::Nothing => (&[] as &[u8], Origin::Packed),
            Work::Collected if !collected.chunks.is_empty() && !collected.is_odd => {
                scope.name(Sent::Each { chunks: &collected.chunks, ends: &collected.chunk_ends });
                return Ok(collected.batch());
            }
            Work::Collected if !collected.is_odd => return Ok(collected.batch()),
            Work::Collected => (collected.entries.as_slice(), Origin::Listed),
            Work::List(place) => (stream.bytes(input, place), Origin::Listed),
            Work::Packed(place, Compression::None) => (stream.bytes(input, place), Origin::Packed),
            Work::Packed(place, compression) => {
                inflate(*compression, stream.bytes(input, place), rules.decompression_size_limit, inflated).map_err(Fault::Inflate)?;
                (inflated.as_slice(), Origin::Packed)
            }
        };
        let admitted = admit(scope, run, origin, marks).map_err(Fault::Msgpack)?;
        let tag = tag.as_deref().unwrap_or_default();
        match admitted.skipped {
            0 => {}
            _ if !rules.skip_invalid_event => return Err(Fault::InvalidEvent(shown(admitted.first_skipped))),
            others if is_collected => complaints.invalid_message(others, admitted.first_skipped),
            others => complaints.invalid(tag, others, admitted.first_skipped),
        }
        if admitted.tail > 0 {
            complaints.cut_off(tag, admitted.tail);
        }
        if is_collected && !collected.chunks.is_empty() && admitted.skipped == 0 {
            scope.name(Sent::Each { chunks: &collected.chunks, ends: &collected.chunk_ends });
        } else if !is_collected && !chunk.is_empty() {
            scope.name(Sent::Whole { chunk, body: run });
        }
        let batch = Batch::packed(admitted.bytes, admitted.count).marked(marks);
        Ok(if is_collected { batch.coalesced() } else { batch })
    }

    /// Says that the last batch has been emitted, or refused: then its acks are forgotten.
    pub fn emitted(&mut self, taken: bool) {
        self.work = Work::Nothing;
        self.tag = None;
        self.collected.clear();
        self.chunk.clear();
        if taken {
            self.confirmed = self.acks.len();
        } else {
            self.acks.truncate(self.confirmed);
        }
    }

    /// How many bytes at the start of the input are done with; the next input starts behind them.
    pub fn take_consumed(&mut self) -> usize {
        self.stream.take_consumed()
    }

    /// Whether the sender of what is to be emitted now, or of some of it, wants to know that it was taken.
    pub fn is_ack_wanted(&self) -> bool {
        self.acks.len() > self.confirmed
    }

    /// The acks to be written now.
    pub fn acks(&self) -> &[u8] {
        &self.acks[..self.confirmed]
    }

    /// Says that the acks are written.
    pub fn acks_written(&mut self) {
        self.acks.drain(..self.confirmed);
        self.confirmed = 0;
    }

    /// How many events, or messages that no events are known of, were left out since this was last asked.
    pub fn take_left_out(&mut self) -> u64 {
        self.complaints.take_left_out()
    }

    /// How many messages have been handled.
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// The tag of the message that has begun, as soon as it is known, which it never is in JSON.
    pub fn begun_tag(&mut self, input: &[u8]) -> Option<Tag> {
        let sent = self.stream.begun(input).and_then(text)?;
        self.tags.get(Some(sent), &self.rules)
    }

    /// How many bytes the message that has begun has at least; no more than it may have.
    pub fn begun_len(&self) -> usize {
        self.stream.least_len().min(self.rules.chunk_size_limit)
    }

    /// Whether a message has begun and is not wholly there.
    pub fn is_inside(&self) -> bool {
        self.stream.is_inside()
    }

    /// Gives back the memory that is only needed while there is something to do: after [`Next::More`], the acks being written.
    pub fn rest(&mut self) {
        self.stream.rest();
        for buffer in [&mut self.collected.entries, &mut self.inflated, &mut self.acks] {
            spare::give(std::mem::take(buffer));
        }
        for marks in [&mut self.collected.marks, &mut self.marks] {
            marks.clear();
            marks.shrink_to(KEPT_MARKS);
        }
    }

    /// Handles messages until something has to be emitted (true) or bytes are wanted (false).
    fn walk(&mut self, input: &[u8]) -> Result<bool, Fault> {
        loop {
            if !self.collect_quick(input) {
                return Ok(true);
            }
            let Some(found) = self.stream.find(input, &mut self.complaints)? else { return Ok(false) };
            let json = self.stream.lend_json();
            let outcome = self.handle(self.stream.message(input, &json, &found), &found);
            self.stream.take_back_json(json);
            let outcome = outcome?;
            if let Outcome::Later = outcome {
                self.stream.put_back(found);
                return Ok(true);
            }
            self.messages += 1;
            self.stream.pass(found.len);
            if let Outcome::Emit = outcome {
                return Ok(true);
            }
        }
    }

    /// Collects messages of one event each as long as they come in the usual form; false where those of another tag have to go first.
    fn collect_quick(&mut self, input: &[u8]) -> bool {
        let limit = self.rules.chunk_size_warn_limit.unwrap_or(usize::MAX).min(self.rules.chunk_size_limit);
        while let Some(quick) = self.stream.fresh(input).and_then(Quick::read) {
            if quick.len > limit {
                break;
            }
            if !self.is_collectable(quick.tag) {
                return false;
            }
            self.collected.begin();
            self.collected.entries.extend_from_slice(quick.event);
            if let Some(chunk) = self.note_ack(quick.options) {
                self.collected.name(chunk);
            }
            self.messages += 1;
            self.stream.pass(quick.len);
        }
        true
    }

    /// Whether an event of this tag can join those that are collected, or start a new collection.
    #[inline]
    fn is_collectable(&mut self, tag: &[u8]) -> bool {
        let collected = &mut self.collected;
        if collected.count > 0 {
            return collected.sent_tag == tag;
        }
        if collected.entries.capacity() == 0 {
            collected.entries = spare::take();
        }
        collected.sent_tag.clear();
        collected.sent_tag.extend_from_slice(tag);
        self.tag = self.tags.get(Some(tag), &self.rules);
        true
    }

    fn handle(&mut self, bytes: &[u8], found: &Found) -> Result<Outcome, Fault> {
        if bytes == b"\xc0" {
            return Ok(Outcome::Taken);
        }
        if !found.frame.is_array {
            self.complaints.broken(bytes);
            self.strays += 1;
            return if self.strays > MAX_STRAYS { Err(Fault::NoMessages) } else { Ok(Outcome::Taken) };
        }
        let message = Message::of(&found.frame, bytes);
        if !self.has_right_size(&message, found.len) {
            return Ok(Outcome::Taken);
        }
        let Some(tag) = self.tags.get(message.tag, &self.rules) else { return self.without_tag(&message, bytes) };
        let (place, is_packed) = match message.body {
            Body::One { time, record } => return Ok(self.collect(message.tag.unwrap_or_default(), time, record, message.options)),
            _ if self.collected.count > 0 => return Ok(Outcome::Later),
            Body::List(run) => (self.stream.place(bytes, run), false),
            Body::Packed(body) => (self.stream.place(bytes, body), true),
        };
        let options = Options::read(message.options);
        if options.signal != 0 {
            self.complaints.signal(&tag, options.signal);
            self.note_ack(message.options);
            return Ok(Outcome::Taken);
        }
        self.work = if is_packed { Work::Packed(place, compression(&options)?) } else { Work::List(place) };
        self.tag = Some(tag);
        if let Some(chunk) = self.note_ack(message.options) {
            self.chunk.extend_from_slice(chunk);
        }
        Ok(Outcome::Emit)
    }

    /// Collects an event that is not in the usual form.
    fn collect(&mut self, tag: &[u8], time: &[u8], record: &[u8], options: &[u8]) -> Outcome {
        if !self.is_collectable(tag) {
            return Outcome::Later;
        }
        self.collected.begin();
        self.collected.entries.extend_from_slice(time);
        self.collected.entries.extend_from_slice(record);
        self.collected.is_odd = true;
        if let Some(chunk) = self.note_ack(options) {
            self.collected.name(chunk);
        }
        Outcome::Taken
    }

    fn without_tag(&mut self, message: &Message<'_>, bytes: &[u8]) -> Result<Outcome, Fault> {
        if !self.rules.skip_invalid_event {
            return Err(Fault::InvalidEvent(shown(bytes)));
        }
        self.complaints.invalid_message(1, bytes);
        self.note_ack(message.options);
        Ok(Outcome::Taken)
    }

    /// Whether a message may be so long; says so where it may not, or hardly.
    fn has_right_size(&mut self, message: &Message<'_>, size: usize) -> bool {
        let limit = self.rules.chunk_size_limit;
        let warn_limit = self.rules.chunk_size_warn_limit.unwrap_or(usize::MAX);
        if size > limit.min(warn_limit) {
            let tag = String::from_utf8_lossy(message.tag.unwrap_or_default());
            if size > limit {
                self.complaints.too_large(&tag, limit, size);
            } else {
                self.complaints.large(&tag, warn_limit, size);
            }
        }
        size <= limit
    }

    /// Notes the ack that a message asks for; what the message is called.
    #[inline]
    fn note_ack<'o>(&mut self, options: &'o [u8]) -> Option<&'o [u8]> {
        if options.len() <= 1 {
            return None;
        }
        let chunk = Options::read(options).chunk?;
        ack::write(chunk, self.stream.is_json(), &mut self.acks);
        Some(chunk)
    }
}

fn compression(options: &Options<'_>) -> Result<Compression, Fault> {
    let word = options.compressed;
    Compression::of(word).ok_or_else(|| Fault::Compression(String::from_utf8_lossy(word.unwrap_or_default()).chars().take(40).collect()))
}
