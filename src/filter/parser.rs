//! `parser`: takes a field apart and puts what it holds in its place, or beside it.

use super::Filter;
use crate::config::{Element, Refused};
use crate::event::{Accessor, Batch, Event, EventTime, Record, Rejected, Scope, Tag, Value, intern, ruby};
use crate::parser::{self, ARGUMENT_ERROR, INVALID_UTF8, PARSER_ERROR, ParseError, Parsed, Parser};
use crate::plugin::Context;
use bumpalo::collections::Vec as BumpVec;

crate::section! {
    /// Parses a field of each record.
    pub struct Params {
        /// The field.
        pub key_name: Accessor,
        /// Whether the other fields stay.
        pub reserve_data: bool = "false",
        /// Whether the event's time stays; else it is the parsed one, or the present.
        pub reserve_time: bool = "false",
        /// Whether the field goes where it could be parsed.
        pub remove_key_name_field: bool = "false",
        /// What is put before the names of the parsed fields.
        pub inject_key_prefix: Option<String>,
        /// Whether text that is no UTF-8 is parsed with question marks in the place of what is wrong with it.
        pub replace_invalid_sequence: bool = "false",
        /// The field that holds the parsed fields.
        pub hash_value_field: Option<String>,
        /// Whether events that cannot be parsed go to `@ERROR`.
        pub emit_invalid_record_to_error: bool = "true",
    }
    sections { "parse": one }
}

/// The filter.
struct ParserFilter {
    params: Params,
    hash_value_field: Option<&'static str>,
    parser: Box<dyn Parser>,
}

/// Makes the filter.
pub fn build(element: &Element, context: &Context<'_>) -> Result<Box<dyn Filter>, Refused> {
    let params = Params::read(element, context.diagnostics);
    let parser = match element.section("parse") {
        Some(section) => parser::build(section, context),
        None => Err(context.refuse("FLM0420", element.span, "<parse> section is required.")),
    };
    let (params, parser) = (params?, parser?);
    let hash_value_field = params.hash_value_field.as_deref().map(intern);
    Ok(Box::new(ParserFilter { params, hash_value_field, parser }))
}

impl ParserFilter {
    /// Whether the parsed fields get other names or another place.
    fn changes_fields(&self) -> bool {
        self.hash_value_field.is_some() || self.params.inject_key_prefix.is_some()
    }
}

impl Filter for ParserFilter {
    fn is_stateless(&self) -> bool {
        true
    }

    fn filter<'a>(&self, scope: &Scope<'a>, tag: &Tag, batch: &mut Batch<'a>) {
        let events = batch.events_mut(scope);
        let room = BumpVec::with_capacity_in(events.len(), scope.bump());
        let before = std::mem::replace(events, room);
        let mut step = Step { filter: self, scope, tag, parsed: Parsed::default(), after: events };
        for event in before {
            step.event(event);
        }
    }
}

/// The work on one batch.
struct Step<'s, 'a> {
    filter: &'s ParserFilter,
    scope: &'s Scope<'a>,
    tag: &'s Tag,
    parsed: Parsed<'a>,
    after: &'s mut BumpVec<'a, Event<'a>>,
}

impl<'a> Step<'_, 'a> {
    fn event(&mut self, event: Event<'a>) {
        let params = &self.filter.params;
        match params.key_name.dig(&event.record) {
            Err(why) => self.reject(event, "TypeError", why),
            Ok(None | Some(Value::Nil)) => {
                let before = self.outcomes();
                if params.reserve_data {
                    let kept = event.record.clone();
                    self.emit(event.time, kept, None);
                }
                self.reject(event, ARGUMENT_ERROR, format!("{} does not exist", params.key_name.source()));
                self.note_added(before);
            }
            Ok(Some(value)) => self.value(event, value),
        }
    }

    fn value(&mut self, mut event: Event<'a>, value: Value<'a>) {
        self.parsed.clear();
        let mut result = self.filter.parser.parse_value(self.scope, value, &mut self.parsed);
        if let (true, Some(text)) = (self.filter.params.replace_invalid_sequence && is_invalid_text(&result), value.as_bytes()) {
            let clean = self.scope.bytes(&ruby::scrub(text));
            result = self.filter.parser.parse_value(self.scope, Value::Str(clean), &mut self.parsed);
        }
        if let (Ok(()), 1, true) = (&result, self.parsed.events.len(), self.parsed.unmatched.is_empty()) {
            if self.filter.changes_fields() {
                if let Some((time, fields)) = self.parsed.events.pop() {
                    self.matched(event, time, fields);
                }
            } else {
                self.matched_one(event);
            }
            return;
        }
        let before = self.outcomes();
        let events = std::mem::take(&mut self.parsed.events);
        let unmatched = std::mem::take(&mut self.parsed.unmatched);
        let mut missed = unmatched.iter().peekable();
        for (at, (time, fields)) in events.into_iter().enumerate() {
            while missed.next_if(|place| **place == at).is_some() {
                self.unmatched(event.clone(), value);
            }
            if self.filter.params.remove_key_name_field {
                self.filter.params.key_name.delete(&mut event.record, self.scope.bump());
            }
            self.matched(event.clone(), time, fields);
        }
        missed.for_each(|_| self.unmatched(event.clone(), value));
        match result {
            Ok(()) => {}
            Err(ParseError::NoMatch) => self.unmatched(event, value),
            Err(ParseError::Failed { class, message }) if class == PARSER_ERROR || class == ARGUMENT_ERROR => {
                self.reject(event, class, message)
            }
            Err(ParseError::Failed { message, .. }) => self.reject(event, PARSER_ERROR, format!("parse failed {message}")),
        }
        self.note_added(before);
    }

    /// What has come of the events so far.
    fn outcomes(&self) -> usize {
        self.after.len() + self.scope.rejected_len()
    }

    /// Of one event more than one may have come.
    fn note_added(&self, before: usize) {
        self.scope.note_added((self.outcomes() - before).saturating_sub(1));
    }

    /// The usual case of [`Step::matched`]: one event was parsed, whose fields stay as they are. It is changed in the place where it stays: a
    /// processor waits where what was written in one way is read in another.
    fn matched_one(&mut self, mut event: Event<'a>) {
        let (params, bump) = (&self.filter.params, self.scope.bump());
        let Some((time, fields)) = self.parsed.events.first_mut() else { return };
        if params.remove_key_name_field && params.reserve_data {
            params.key_name.delete(&mut event.record, bump);
        }
        self.after.push(event);
        let Some(event) = self.after.last_mut() else { return };
        if let Some(time) = time.filter(|_| !params.reserve_time) {
            event.time = time;
        }
        if params.reserve_data {
            event.record.merge(fields);
        } else {
            event.record = std::mem::replace(fields, Record::with_capacity(bump, 0));
        }
    }

    fn matched(&mut self, mut event: Event<'a>, time: Option<EventTime>, fields: Record<'a>) {
        let params = &self.filter.params;
        let time = if params.reserve_time { event.time } else { time.unwrap_or(event.time) };
        if params.remove_key_name_field && params.reserve_data {
            params.key_name.delete(&mut event.record, self.scope.bump());
        }
        self.emit(time, event.record, Some(fields));
    }

    fn unmatched(&mut self, event: Event<'a>, value: Value<'a>) {
        let params = &self.filter.params;
        if params.emit_invalid_record_to_error {
            let mut data = Vec::new();
            ruby::to_s(&value, &mut data);
            let message = format!("pattern not matched with data '{}'", String::from_utf8_lossy(&data));
            self.reject(event.clone(), PARSER_ERROR, message);
        }
        if params.reserve_data {
            self.emit(event.time, event.record, None);
        }
    }

    /// Emits the record with the parsed fields; `None` where nothing was parsed.
    fn emit(&mut self, time: EventTime, mut record: Record<'a>, fields: Option<Record<'a>>) {
        let bump = self.scope.bump();
        let params = &self.filter.params;
        let mut fields = fields.unwrap_or_else(|| Record::with_capacity(bump, 0));
        if let Some(prefix) = params.inject_key_prefix.as_deref().filter(|prefix| !prefix.is_empty()) {
            fields = self.prefixed(prefix, &fields);
        }
        if let Some(name) = self.filter.hash_value_field {
            let value = fields.to_value(bump);
            fields = Record::with_capacity(bump, 1);
            fields.push(Value::text(name), value);
        }
        if params.reserve_data {
            record.merge(&fields);
        } else {
            record = fields;
        }
        self.after.push(Event { time, record });
    }

    fn prefixed(&self, prefix: &str, fields: &Record<'a>) -> Record<'a> {
        let mut renamed = Record::with_capacity(self.scope.bump(), fields.len());
        for (key, value) in fields.fields() {
            let mut name = BumpVec::with_capacity_in(prefix.len() + 32, self.scope.bump());
            name.extend_from_slice_copy(prefix.as_bytes());
            name.extend_from_slice_copy(key.as_bytes().unwrap_or_default());
            match key.as_bytes() {
                Some(_) => renamed.push(Value::Str(name.into_bump_slice()), *value),
                // All that are no texts have the prefix for their name.
                None => renamed.set(name.into_bump_slice(), *value),
            }
        }
        renamed
    }

    fn reject(&self, event: Event<'a>, class: &'static str, message: String) {
        if self.filter.params.emit_invalid_record_to_error {
            self.scope.reject(Rejected { tag: self.tag.clone(), time: event.time, record: event.record, class, message });
        }
    }
}

fn is_invalid_text(result: &Result<(), ParseError>) -> bool {
    matches!(result, Err(ParseError::Failed { class, message }) if *class == ARGUMENT_ERROR && message == INVALID_UTF8)
}

#[cfg(test)]
mod tests;
