//! From a chunk to the bodies of `_bulk` requests.
//!
//! On the usual way nothing is decoded: an entry's msgpack becomes the document's JSON, `@timestamp` and the tag are appended, and what
//! stands before it is a copy of what stood before its neighbour. A record that has one of these fields already, or parameters that look
//! into records, take the slower way of [`super::document`].

use super::blocks::Blocks;
use super::document::{self, Action, Fault, Site, write_plain_action};
use super::dynamic::Looks;
use super::index::Dated;
use super::plan::{Body, Op, Plan, Problem, Trouble};
use super::rules::Rules;
use super::timestamp::{Moment, Stamps};
use crate::buffer::Chunk;
use crate::buffer::names::Names;
use crate::event::json::{Spelled, Style, transcode_value, write_text, write_text_field};
use crate::event::msgpack::{Entries, Entry, Head, Invalid, Reader, read_record, write_value};
use crate::event::{EventTime, Record, Value, append_short};
use bumpalo::Bump;
use std::collections::HashMap;
use std::ops::Range;

/// Room for an event's action line, time and punctuation, beside its msgpack, when a body is begun.
const ROOM_AN_EVENT: usize = 160;
/// Room for the first events of a body that may stay small.
const LEAST_ROOM: usize = 1 << 10;
/// Room for the event that makes a body full.
const ROOM_BEYOND: usize = 64 << 10;
/// What an event takes of a body where it takes little, so that there is room for what is noted of each.
const LEAST_EVENT_BYTES: usize = 128;
const TIMESTAMP: &[u8] = b"@timestamp";

/// Makes the bodies for a chunk, a part of it after another: the memory of a body that is sent serves the next one while it is still in the
/// processor's cache. A body that is larger than `threshold` is not added to.
pub struct Planner<'s>(Writer<'s>);

impl<'s> Planner<'s> {
    /// At the beginning of a chunk.
    pub fn new(site: &'s Site<'s>, chunk: &'s Chunk, dated: Dated, threshold: Option<u64>, blocks: &'s Blocks) -> Planner<'s> {
        let tail = tail(site);
        Planner(Writer {
            site,
            reader: Reader::new(&chunk.bytes),
            events: chunk.records.min(chunk.bytes.len()),
            blocks,
            dated,
            looks: Looks::default(),
            threshold: threshold.map_or(usize::MAX, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX)),
            stamps: Stamps::new(&site.rules.zone, site.rules.precision, b"\"@timestamp\":\"", [b"\"", tail.as_slice()].concat()),
            tail,
            action: Vec::new(),
            names: site.rules.generate_id.then(|| Names::new(chunk)),
            name: String::new(),
            last_second: None,
            plan: Plan::default(),
            open: HashMap::new(),
            current: 0,
            spelled: Spelled::default(),
            bump: Bump::new(),
        })
    }

    /// What comes next; `None` at the end of the chunk, and behind what cannot be read.
    pub fn next(&mut self) -> Option<Plan> {
        let Planner(writer) = self;
        if writer.reader.is_at_end() || writer.plan.unreadable.is_some() {
            return None;
        }
        writer.run();
        writer.open.clear();
        let unreadable = writer.plan.unreadable;
        let mut plan = std::mem::replace(&mut writer.plan, Plan { unreadable, ..Plan::default() });
        plan.bodies.retain(|body| !body.ops.is_empty());
        Some(plan)
    }

    /// Where in the chunk that begins which has not been looked at yet.
    pub fn position(&self) -> usize {
        self.0.reader.position()
    }
}

/// What ends each document on the usual way, behind its other fields: the tag's field.
fn tail(site: &Site<'_>) -> Vec<u8> {
    let mut tail = Vec::new();
    if let Some(key) = &site.rules.tag_key {
        if site.rules.timestamps {
            tail.push(b',');
        }
        write_text(key.as_bytes(), Style::Oj, &mut tail);
        tail.push(b':');
        match site.tag {
            Some(tag) => write_text(tag.as_bytes(), Style::Oj, &mut tail),
            None => tail.extend_from_slice(b"null"),
        }
    }
    tail.extend_from_slice(b"}\n");
    tail
}

/// The action's line of a document that the record says nothing about, with an id; and the document's beginning, as in `action`.
fn write_action_with_id(action: &[u8], id: &str, out: &mut Vec<u8>) {
    let fields = action.strip_suffix(b"}}\n{").unwrap_or(action);
    out.extend_from_slice(fields);
    if !fields.ends_with(b"{") {
        out.push(b',');
    }
    out.extend_from_slice(b"\"_id\":\"");
    out.extend_from_slice(id.as_bytes());
    out.extend_from_slice(b"\"}}\n{");
}

/// Appends so many pairs, each with a comma behind it; `false` where one of them has to be looked into. What was appended then means nothing.
#[inline]
fn plain_fields(rules: &Rules, reader: &mut Reader<'_>, count: usize, out: &mut Vec<u8>) -> Result<bool, Invalid> {
    let tag_key = rules.tag_key.as_deref().unwrap_or_default().as_bytes();
    for _ in 0..count {
        let key = match reader.usual_text() {
            Some(key) => key,
            None => reader.str()?,
        };
        if (rules.timestamps && key == TIMESTAMP) || (rules.tag_key.is_some() && key == tag_key) {
            return Ok(false);
        }
        match reader.usual_text() {
            Some(text) => write_text_field(key, text, Style::Oj, out),
            None => {
                write_text(key, Style::Oj, out);
                out.push(b':');
                transcode_value(reader, Style::Oj, out)?;
                out.push(b',');
            }
        }
    }
    Ok(true)
}

struct Writer<'s> {
    site: &'s Site<'s>,
    reader: Reader<'s>,
    /// How many events are left at most.
    events: usize,
    blocks: &'s Blocks,
    dated: Dated,
    looks: Looks,
    threshold: usize,
    stamps: Stamps<'s>,
    tail: Vec<u8>,
    action: Vec<u8>,
    /// Names the documents, where they get ids; the one at hand.
    names: Option<Names<'s>>,
    name: String,
    last_second: Option<i64>,
    plan: Plan,
    /// The body that is added to, by index, where paths name the index.
    open: HashMap<String, usize>,
    current: usize,
    /// The keys of the records before, none of which needs a look.
    spelled: Spelled,
    bump: Bump,
}

impl Writer<'_> {
    /// Makes bodies up to the end of the chunk, or until the one body is full.
    fn run(&mut self) {
        let plain = self.site.dynamic.is_none() && self.site.rules.are_plain();
        let fixed = plain && !self.site.rules.logstash;
        let room = self.reader.remaining() + self.events * ROOM_AN_EVENT + LEAST_ROOM;
        self.begin_body(None, room.min(self.threshold.saturating_add(ROOM_BEYOND)));
        if fixed {
            self.turn_to(self.site.index_name.to_owned());
        }
        while !self.reader.is_at_end() {
            if !self.site.rules.index_in_url && self.is_full() {
                return;
            }
            let entry = self.reader.position();
            if let Some(names) = &mut self.names {
                names.write(entry, &mut self.name);
            }
            self.split_if_full();
            self.events = self.events.saturating_sub(1);
            let mut reader = self.reader;
            if plain && self.plain_entry(&mut reader) == Ok(true) {
                self.reader = reader;
                let body = &mut self.plan.bodies[self.current];
                body.ops.push(Op { entry, entry_end: reader.position(), body_end: body.bytes.len() });
                continue;
            }
            let body = self.body();
            body.bytes.truncate(body.ops.last().map_or(0, |op| op.body_end));
            let entries = self.reader.bytes();
            let mut rest = Entries::new(&entries[entry..]);
            let Some(Ok(found)) = rest.next() else {
                self.plan.unreadable = Some(entry);
                return;
            };
            self.reader = Reader::starting_at(entries, entry + found.whole.len());
            self.general_entry(entry, found);
            if fixed {
                self.turn_to(self.site.index_name.to_owned());
            }
        }
    }

    fn body(&mut self) -> &mut Body {
        &mut self.plan.bodies[self.current]
    }

    fn begin_body(&mut self, index: Option<String>, room: usize) {
        self.current = self.plan.bodies.len();
        let ops = Vec::with_capacity(if self.plan.bodies.is_empty() { self.events.min(room / LEAST_EVENT_BYTES) } else { 0 });
        self.plan.bodies.push(Body { index, bytes: self.blocks.take(room), ops });
    }

    fn is_full(&self) -> bool {
        self.plan.bodies[self.current].bytes.len() > self.threshold
    }

    /// Begins another body for the index at hand, where paths name the index and this one's body is full.
    fn split_if_full(&mut self) {
        if self.is_full() {
            let index = self.plan.bodies[self.current].index.clone();
            if let Some(index) = &index {
                self.open.insert(index.clone(), self.plan.bodies.len());
            }
            self.begin_body(index, LEAST_ROOM);
        }
    }

    /// Makes what comes next go to this index.
    fn turn_to(&mut self, index: String) {
        self.choose_body(&index);
        self.action.clear();
        write_plain_action(self.site, &index, &mut self.action);
        self.action.push(b'{');
    }

    /// Where paths name the index, each index has a body of its own.
    fn choose_body(&mut self, index: &str) {
        if !self.site.rules.index_in_url || self.body().index.as_deref() == Some(index) {
            return;
        }
        if let Some(body) = self.open.get(index) {
            self.current = *body;
            return self.split_if_full();
        }
        self.open.insert(index.to_owned(), self.plan.bodies.len());
        self.begin_body(Some(index.to_owned()), LEAST_ROOM);
    }

    /// Appends the entry at the cursor; `false` where its record has to be looked into, or something is odd. What was appended then means nothing.
    #[inline]
    fn plain_entry(&mut self, reader: &mut Reader<'_>) -> Result<bool, Invalid> {
        let Ok(time) = reader.entry_time() else { return Ok(false) };
        let Head::Map(count) = reader.head()? else { return Ok(false) };
        let rules = self.site.rules;
        if rules.logstash {
            let changed = self.find_dated(time);
            if changed {
                // The body may be another now, with nothing of this event in it.
                self.split_if_full();
            }
        }
        let body = &mut self.plan.bodies[self.current];
        let out = &mut body.bytes;
        match self.names {
            None => append_short(&self.action, out),
            Some(_) => write_action_with_id(&self.action, &self.name, out),
        }
        let (pairs, length) = (*reader, out.len());
        if !self.spelled.fields(reader, count, Style::Oj, out)? {
            *reader = pairs;
            out.truncate(length);
            if !plain_fields(rules, reader, count, out)? {
                return Ok(false);
            }
            self.spelled.missed(pairs, count);
        }
        if rules.timestamps {
            append_short(self.stamps.text(time), out);
        } else {
            if count > 0 && rules.tag_key.is_none() {
                out.pop();
            }
            out.extend_from_slice(&self.tail);
        }
        Ok(true)
    }

    /// Makes the next event go to the index of its date; whether that is another than the last one's.
    #[inline]
    fn find_dated(&mut self, time: EventTime) -> bool {
        let rules = self.site.rules;
        if self.last_second == Some(time.sec) && !self.action.is_empty() && !self.dated.differs_within_seconds() {
            return false;
        }
        self.last_second = Some(time.sec);
        let moment = if rules.utc_index { Moment { sec: time.sec, nsec: time.nsec, offset: 0 } } else { Moment::of(time, &rules.zone) };
        let (name, changed) = self.dated.name(moment);
        if changed || self.action.is_empty() {
            let name = name.to_owned();
            self.turn_to(name);
        }
        changed
    }

    fn general_entry(&mut self, start: usize, entry: Entry<'_>) {
        let time = entry.time.exact().or_else(|| entry.time.meant(EventTime::now()));
        let Some(time) = time.filter(|_| entry.is_event()) else { return };
        let range = start..start + entry.whole.len();
        self.bump.reset();
        let bump = std::mem::take(&mut self.bump);
        let result = self.general(&bump, time, &entry, range.clone());
        self.bump = bump;
        self.action.clear();
        if let Err(fault) = result {
            self.plan.problems.push(Problem { entry: range, what: Trouble::Rejected(fault.class, fault.message) });
        }
    }

    fn general(&mut self, bump: &Bump, time: EventTime, entry: &Entry<'_>, range: Range<usize>) -> Result<(), Fault> {
        let unreadable = |invalid: Invalid| Fault { class: "MessagePack::UnpackError", message: invalid.to_string() };
        let mut record = read_record(bump, &mut Reader::new(entry.record)).map_err(unreadable)?;
        let site = self.site;
        let Some(dynamic) = site.dynamic else {
            let action = document::prepare(site, bump, time, &mut record, &mut self.dated)?;
            return self.append(site, bump, action, record, range);
        };
        // They go and come back, as the look is of them and the writer is changed meanwhile.
        let mut looks = std::mem::take(&mut self.looks);
        let result = match looks.of(dynamic, site, time, &record) {
            Ok(look) => {
                let (own, dated) = look.site(site);
                let action = document::prepare(&own, bump, time, &mut record, dated);
                action.and_then(|action| self.append(&own, bump, action, record, range))
            }
            Err(Fault { class, message }) => {
                self.plan.problems.push(Problem { entry: range, what: Trouble::Unevaluated(class, message) });
                Ok(())
            }
        };
        self.looks = looks;
        result
    }

    fn append<'b>(
        &mut self,
        site: &Site<'_>,
        bump: &'b Bump,
        mut action: Action<'b>,
        mut record: Record<'b>,
        range: Range<usize>,
    ) -> Result<(), Fault> {
        let rules = site.rules;
        if let Some(value) = &action.unreadable_time {
            let mut packed = Vec::new();
            write_value(value, &mut packed);
            self.plan.problems.push(Problem { entry: range.clone(), what: Trouble::Time(packed) });
        }
        if self.names.is_some() {
            action.set_id_if_none(Value::Str(bump.alloc_slice_copy(self.name.as_bytes())));
        }
        if !action.is_possible(rules) {
            if !rules.missing_id_is_error {
                self.plan.dropped += 1;
                return Ok(());
            }
            let message = format!("Missing '_id' field. Write operation is {}", rules.operation_word);
            return Err(Fault { class: site.dialect.missing_id_class(), message });
        }
        self.choose_body(action.index());
        let body = self.body();
        let before = body.bytes.len();
        action.write(site, &mut body.bytes);
        if let Err(fault) = document::write_document(rules, &mut record, &mut body.bytes) {
            body.bytes.truncate(before);
            return Err(fault);
        }
        body.ops.push(Op { entry: range.start, entry_end: range.end, body_end: body.bytes.len() });
        Ok(())
    }
}
