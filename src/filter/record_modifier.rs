//! `record_modifier`: sets fields one after the other from text with Ruby in it, removes or keeps fields, replaces within them.

mod encoding;
mod expander;

use super::Filter;
use super::record_transformer::{Failure, accessors, record_params};
use crate::config::{Element, ParamValue, Refused};
use crate::event::{Accessor, Batch, Event, Record, Rejected, Scope, Tag, Value, intern, ruby};
use crate::plugin::Context;
use crate::regex::{Flags, Matched, Regex};
use bumpalo::collections::Vec as BumpVec;
use encoding::Conversion;
use expander::Expander;

crate::section! {
    /// Sets, removes, keeps and replaces fields.
    pub struct Params {
        /// Ruby that runs once, to prepare instance variables for the fields.
        pub prepare_value: Option<String>,
        /// The encoding of texts, or `from:to` to convert them.
        pub char_encoding: Option<String>,
        /// The fields that are removed; not with `whitelist_keys`.
        pub remove_keys: Option<Vec<String>>,
        /// The only fields that are kept, besides the new ones; not with `remove_keys`.
        pub whitelist_keys: Option<String>,
    }
    sections { "record": many, "replace": many(Replace) }
}

crate::section! {
    /// Replaces what matches in a field.
    pub struct Replace {
        /// The field.
        pub key: String,
        /// The regular expression, between slashes.
        pub expression: String,
        /// What is put in the place of each match; `\1` is the first group.
        pub replace: String,
    }
}

/// A replacement made ready.
struct Replacement {
    key: &'static str,
    pattern: Regex,
    with: String,
}

/// Which of the old fields stay.
enum Keep {
    All,
    But(Vec<Accessor>),
    Only(Vec<&'static str>),
}

struct RecordModifier {
    expander: Expander,
    keep: Keep,
    replacements: Vec<Replacement>,
    conversion: Option<Conversion>,
}

/// Makes the filter.
pub fn build(element: &Element, context: &Context<'_>) -> Result<Box<dyn Filter>, Refused> {
    let params = Params::read(element, context.diagnostics)?;
    let span = |name: &str| element.param(name).map_or(element.span, |param| param.value_span);
    let conversion = params
        .char_encoding
        .as_deref()
        .map(Conversion::parse)
        .transpose()
        .map_err(|why| context.refuse("FLM0460", span("char_encoding"), why))?;
    let map = record_params(element, context)?;
    let expander = Expander::new(&map, params.prepare_value.as_deref(), span("prepare_value"), element, context)?;
    let keep = match (&params.remove_keys, &params.whitelist_keys) {
        (Some(_), Some(_)) => {
            return Err(context.refuse("FLM0461", element.span, "remove_keys and whitelist_keys are exclusive with each other."));
        }
        (Some(keys), None) => Keep::But(accessors(Some(keys), element, context)?),
        (None, Some(keys)) => {
            let mut all: Vec<&'static str> = Vec::new();
            for key in keys.split(',').map(str::trim).chain(map.iter().map(|(key, _)| key.as_str())) {
                if !all.contains(&key) {
                    all.push(intern(key));
                }
            }
            Keep::Only(all)
        }
        (None, None) => Keep::All,
    };
    let replacements = element.sections("replace").into_iter().map(|section| replacement(section, context)).collect::<Result<_, _>>()?;
    Ok(Box::new(RecordModifier { expander, keep, replacements, conversion }))
}

fn replacement(section: &Element, context: &Context<'_>) -> Result<Replacement, Refused> {
    let given = Replace::read(section, context.diagnostics)?;
    let inside = given.expression.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
    let span = section
        .param("expression")
        .filter(|param| matches!(param.value, ParamValue::Text(_)))
        .map_or(section.span, |param| param.value_span);
    if inside.is_none() {
        context.diagnostics.warn(
            "FLM0462",
            Some(span),
            format!("You should use \"pattern /{0}/\" instead of \"pattern {0}\"", given.expression),
        );
    }
    let pattern = Regex::with_groups(inside.unwrap_or(&given.expression), Flags::default())
        .map_err(|why| context.refuse("FLM0463", span, format!("expression: {}", why.message)))?;
    Ok(Replacement { key: intern(&given.key), pattern, with: given.replace })
}

impl Filter for RecordModifier {
    fn filter<'a>(&self, scope: &Scope<'a>, tag: &Tag, batch: &mut Batch<'a>) {
        let events = batch.events_mut(scope);
        let room = BumpVec::with_capacity_in(events.len(), scope.bump());
        let before = std::mem::replace(events, room);
        let mut run = self.expander.start(tag);
        for mut event in before {
            match self.modify(scope, &mut run, &mut event) {
                Ok(()) => events.push(event),
                Err(Failure { class, message }) => {
                    scope.reject(Rejected { tag: tag.clone(), time: event.time, record: event.record, class, message })
                }
            }
        }
    }
}

impl RecordModifier {
    fn modify<'a>(&self, scope: &Scope<'a>, run: &mut expander::Run<'_>, event: &mut Event<'a>) -> Result<(), Failure> {
        run.set_fields(scope, event)?;
        let record = &mut event.record;
        match &self.keep {
            Keep::All => {}
            Keep::But(removed) => removed.iter().for_each(|accessor| accessor.delete(record, scope.bump())),
            Keep::Only(keys) => {
                let mut kept = Record::with_capacity(scope.bump(), keys.len());
                for key in keys {
                    if let Some(value) = record.get(key.as_bytes()) {
                        kept.push(Value::Str(key.as_bytes()), value);
                    }
                }
                *record = kept;
            }
        }
        for replacement in &self.replacements {
            replacement.apply(scope, record)?;
        }
        if let Some(conversion) = &self.conversion {
            conversion.apply(scope, record);
        }
        Ok(())
    }
}

impl Replacement {
    fn apply<'a>(&self, scope: &Scope<'a>, record: &mut Record<'a>) -> Result<(), Failure> {
        let text = match record.get(self.key.as_bytes()) {
            None | Some(Value::Nil) => return Ok(()),
            Some(Value::Str(text) | Value::Bin(text)) => text,
            Some(other) => {
                let message = format!("no implicit conversion of {} into String", ruby::class(&other));
                return Err(Failure { class: "TypeError", message });
            }
        };
        if self.pattern.is_match(text) != Matched::Yes {
            return Ok(());
        }
        let replaced = crate::ruby::gsub(&self.pattern, text, self.with.as_bytes());
        record.set(self.key.as_bytes(), Value::Str(scope.bytes(&replaced)));
        Ok(())
    }
}
