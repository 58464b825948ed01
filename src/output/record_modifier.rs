//! `record_modifier`: modifies events as the filter of this name does, gives them a new tag, and sends them through the router again.

use super::{Output, SyncOutput};
use crate::config::{Element, Refused};
use crate::event::{Batch, Event, Rejected, Scope, Tag, Value, ruby};
use crate::modifier::{Asked, Expander, Failure, Modifier, Removed, Replace, Run};
use crate::plugin::{Context, EmitError, Emitter, Limit};
use bumpalo::collections::Vec as BumpVec;
use std::sync::Arc;

/// A new tag that is longer is a fault of the event: fields can be of any size, and tags are remembered.
const MAX_TAG_BYTES: usize = 64 << 10;

crate::section! {
    /// Sets, removes, keeps and replaces fields, and sends the events on under a new tag.
    pub struct Params {
        /// The new tag; `${...}` holds Ruby, as in `<record>`, and sees the record as it has become.
        pub tag: String,
        /// Ruby that runs once, to prepare instance variables for the fields and the tag.
        pub prepare_value: Option<String>,
        /// The encoding of texts, or `from:to` to convert them.
        pub char_encoding: Option<String>,
        /// The fields that are removed, with commas between; not with `whitelist_keys`.
        pub remove_keys: Option<String>,
        /// The only fields that are kept, besides the new ones; not with `remove_keys`.
        pub whitelist_keys: Option<String>,
    }
    sections { "record": many, "replace": many(Replace) }
}

/// How the new tag is made.
enum NewTag {
    /// One for all events.
    Fixed(Tag),
    /// From the old tag, once a batch.
    OfTag(Expander),
    /// For each event.
    OfEvent(Expander),
}

struct RecordModifier {
    modifier: Modifier,
    tag: NewTag,
    emitter: Emitter,
}

/// Makes the output.
pub fn build(element: &Element, context: &Context<'_>) -> Result<Output, Refused> {
    let params = Params::read(element, context.diagnostics)?;
    let names = |keys: &str| keys.split(',').map(|key| key.trim().to_owned()).collect();
    let prepare_value = params.prepare_value.as_deref();
    let asked = Asked {
        prepare_value,
        char_encoding: params.char_encoding.as_deref(),
        removed: params.remove_keys.as_deref().map(names).map(Removed::Names),
        whitelist_keys: params.whitelist_keys.as_deref(),
    };
    let modifier = Modifier::new(asked, element, context);
    let tag = new_tag(params.tag, prepare_value, element, context);
    let emitter = match element.text("@label") {
        Some(label) => context.host.emitter(Some(label), element.span),
        None => Ok(context.host.own_router()),
    };
    Ok(Output::Sync(Box::new(RecordModifier { modifier: modifier?, tag: tag?, emitter: emitter? })))
}

fn new_tag(text: String, prepare_value: Option<&str>, element: &Element, context: &Context<'_>) -> Result<NewTag, Refused> {
    if !text.contains("${") {
        return Ok(NewTag::Fixed(Tag::new(&text)));
    }
    let depends_on_tag = depends_on_tag(&text);
    let span = |name: &str| element.param(name).map_or(element.span, |param| param.value_span);
    let expander = Expander::new(&[("tag".to_owned(), Some(text))], prepare_value, span("prepare_value"), element, context)?;
    Ok(if depends_on_tag { NewTag::OfTag(expander) } else { NewTag::OfEvent(expander) })
}

/// Whether all placeholders stand for the old tag or a part of it: then the new one is the same for all events of a batch, and what is
/// behind it can be asked before there is an event.
fn depends_on_tag(text: &str) -> bool {
    text.split("${").skip(1).all(|rest| {
        let inside = rest.split_once('}').map_or("", |(inside, _)| inside);
        let index = inside.strip_prefix("tag_parts[").and_then(|rest| rest.strip_suffix(']'));
        inside == "tag" || index.is_some_and(|index| index.parse::<i64>().is_ok())
    })
}

/// The new tag from what Ruby gave.
fn tag_of(value: Result<Value<'_>, Failure>) -> Result<Tag, Failure> {
    match value? {
        Value::Str(text) | Value::Bin(text) if text.len() <= MAX_TAG_BYTES => Ok(Tag::from_bytes(text)),
        Value::Str(text) | Value::Bin(text) => {
            let message = format!("the new tag has {} bytes, expected at most {MAX_TAG_BYTES}", text.len());
            Err(Failure { class: "ArgumentError", message })
        }
        other => {
            let mut shown = Vec::new();
            ruby::inspect(&other, &mut shown);
            let message = format!("the new tag is {}, expected a text", String::from_utf8_lossy(&shown));
            Err(Failure { class: "TypeError", message })
        }
    }
}

/// The tags of one batch.
enum Tags<'o> {
    One(Result<Tag, Failure>),
    Each(Run<'o>),
}

impl NewTag {
    fn start<'a>(&self, scope: &Scope<'a>, old: &Tag) -> Tags<'_> {
        match self {
            NewTag::Fixed(tag) => Tags::One(Ok(tag.clone())),
            NewTag::OfTag(expander) => Tags::One(tag_of(expander.start(old).first(scope, None))),
            NewTag::OfEvent(expander) => Tags::Each(expander.start(old)),
        }
    }
}

impl Tags<'_> {
    fn of<'a>(&mut self, scope: &Scope<'a>, event: &Event<'a>) -> Result<Tag, Failure> {
        match self {
            Tags::One(tag) => tag.clone(),
            Tags::Each(run) => tag_of(run.first(scope, Some(event))),
        }
    }
}

impl RecordModifier {
    /// The events of a batch by their new tags: groups in order of their first events, or runs of events where each came for itself.
    fn groups<'a>(&self, scope: &Scope<'a>, tag: &Tag, batch: &Batch<'a>) -> Vec<(Tag, BumpVec<'a, Event<'a>>)> {
        let mut groups: Vec<(Tag, BumpVec<'a, Event<'a>>)> = Vec::new();
        let mut work = self.modifier.start(tag);
        let mut tags = self.tag.start(scope, tag);
        for old in batch.events(scope) {
            let mut event = old.clone();
            let new = match work.modify(scope, &mut event).and_then(|()| tags.of(scope, &event)) {
                Ok(new) => new,
                // Fluentd: all the events that came with this one would go to @ERROR too.
                Err(Failure { class, message }) => {
                    scope.reject(Rejected { tag: tag.clone(), time: old.time, record: old.record.clone(), class, message });
                    continue;
                }
            };
            let known = match batch.is_coalesced() {
                true => groups.last_mut().filter(|(known, _)| *known == new),
                false => groups.iter_mut().find(|(known, _)| *known == new),
            };
            match known {
                Some((_, events)) => events.push(event),
                None => groups.push((new, bumpalo::vec![in scope.bump(); event])),
            }
        }
        groups
    }
}

impl SyncOutput for RecordModifier {
    fn emit<'a>(&self, scope: &Scope<'a>, tag: &Tag, batch: &Batch<'a>) -> Result<(), EmitError> {
        for (new, events) in self.groups(scope, tag, batch) {
            let events = Batch::decoded(events);
            self.emitter.emit(scope, &new, if batch.is_coalesced() { events.coalesced() } else { events })?;
        }
        Ok(())
    }

    fn passes_on(&self) -> bool {
        true
    }

    fn limits(&self, tag: Option<&Tag>, into: &mut Vec<Arc<Limit>>) {
        let Some(route) = self.emitter.route() else { return };
        let new = match &self.tag {
            NewTag::Fixed(tag) => Some(tag.clone()),
            NewTag::OfTag(expander) => tag.and_then(|tag| {
                let scratch = crate::event::Scratch::take();
                tag_of(expander.start(tag).first(&scratch.scope(), None)).ok()
            }),
            // What a field says cannot be known before: then anything behind the router may be reached.
            NewTag::OfEvent(_) => None,
        };
        route.limits(new.as_ref(), into);
    }
}

#[cfg(test)]
mod tests;
