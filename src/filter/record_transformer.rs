//! `record_transformer`: sets fields from placeholders or Ruby, removes and keeps fields, and takes the event's time from one.

mod expand;
mod ruby_fields;
mod template;

use super::Filter;
use crate::config::{Element, Refused};
use crate::event::{Accessor, Batch, Event, EventTime, Record, Rejected, Scope, Tag, Value, ruby};
use crate::modifier::{Failure, accessors};
use crate::plugin::Context;
use bumpalo::collections::Vec as BumpVec;
use expand::Expander;
use ruby_fields::RubyFields;

crate::section! {
    /// Sets, removes and keeps fields.
    pub struct Params {
        /// The fields that are removed, last of all; `$.a.b` and `$['a']['b']` lead into nested ones.
        pub remove_keys: Option<Vec<String>>,
        /// With `renew_record`, the fields that are kept.
        pub keep_keys: Option<Vec<String>>,
        /// Whether the new fields make a record of their own, without the old ones.
        pub renew_record: bool = "false",
        /// The field that holds the event's new time, in seconds since 1970.
        pub renew_time_key: Option<String>,
        /// Whether `${...}` holds Ruby.
        pub enable_ruby: bool = "false",
        /// Whether a value that is one placeholder keeps its type; else all new fields are texts.
        pub auto_typecast: bool = "true",
    }
    sections { "record": many }
}

/// What sets the fields.
enum Fields {
    Plain(Expander),
    Ruby(RubyFields),
}

struct RecordTransformer {
    params: Params,
    removed: Vec<Accessor>,
    fields: Fields,
}

/// Makes the filter.
pub fn build(element: &Element, context: &Context<'_>) -> Result<Box<dyn Filter>, Refused> {
    let params = Params::read(element, context.diagnostics)?;
    if params.keep_keys.is_some() && !params.renew_record {
        return Err(context.refuse("FLM0440", element.span, "`renew_record` must be true to use `keep_keys`"));
    }
    let removed = accessors(params.remove_keys.as_deref(), element, context)?;
    let map = template::read(element, context)?;
    let fields = if params.enable_ruby {
        Fields::Ruby(RubyFields::new(&map, params.auto_typecast, context)?)
    } else {
        Fields::Plain(Expander::new(&map, params.auto_typecast, element, context)?)
    };
    Ok(Box::new(RecordTransformer { params, removed, fields }))
}

impl Filter for RecordTransformer {
    fn is_stateless(&self) -> bool {
        matches!(self.fields, Fields::Plain(_))
    }

    fn filter<'a>(&self, scope: &Scope<'a>, tag: &Tag, batch: &mut Batch<'a>) {
        let events = batch.events_mut(scope);
        let room = BumpVec::with_capacity_in(events.len(), scope.bump());
        let before = std::mem::replace(events, room);
        let mut work = match &self.fields {
            Fields::Plain(expander) => Work::Plain(expander.start(scope, tag)),
            Fields::Ruby(fields) => Work::Ruby(fields.start(tag)),
        };
        for event in before {
            match self.transformed(scope, &mut work, &event) {
                Ok(event) => events.push(event),
                Err(Failure { class, message }) => {
                    scope.reject(Rejected { tag: tag.clone(), time: event.time, record: event.record, class, message })
                }
            }
        }
    }
}

/// The work on one batch.
enum Work<'s, 'a> {
    Plain(expand::Run<'s, 'a>),
    Ruby(ruby_fields::Run<'s>),
}

impl RecordTransformer {
    fn transformed<'a>(&self, scope: &Scope<'a>, work: &mut Work<'_, 'a>, event: &Event<'a>) -> Result<Event<'a>, Failure> {
        let mut record = if self.params.renew_record { Record::with_capacity(scope.bump(), 8) } else { event.record.clone() };
        for key in self.params.keep_keys.iter().flatten().filter(|_| self.params.renew_record) {
            if let Some(value) = event.record.get(key.as_bytes()) {
                record.set(crate::event::intern(key).as_bytes(), value);
            }
        }
        match work {
            Work::Plain(run) => run.set_fields(event, &mut record),
            Work::Ruby(run) => run.set_fields(scope, event, &mut record)?,
        }
        let mut time = event.time;
        if let Some(value) = self.params.renew_time_key.as_ref().and_then(|key| record.get(key.as_bytes())) {
            time = time_of(&value)?;
        }
        self.removed.iter().for_each(|accessor| accessor.delete(&mut record, scope.bump()));
        Ok(Event { time, record })
    }
}

/// `Time.at(value.to_f)`.
fn time_of(value: &Value<'_>) -> Result<EventTime, Failure> {
    let seconds = match value {
        Value::Nil => 0.0,
        Value::Int(number) => *number as f64,
        Value::UInt(number) => *number as f64,
        Value::Float(number) => *number,
        Value::Big(digits) => digits.parse().unwrap_or(f64::INFINITY),
        Value::Str(text) | Value::Bin(text) => ruby::leading_float(text),
        other => {
            let mut shown = Vec::new();
            ruby::inspect(other, &mut shown);
            let message = format!("undefined method `to_f' for {}:{}", String::from_utf8_lossy(&shown), ruby::class(other));
            return Err(Failure { class: "NoMethodError", message });
        }
    };
    if seconds.is_finite() {
        Ok(EventTime::from_f64(seconds))
    } else {
        Err(Failure { class: "FloatDomainError", message: if seconds.is_nan() { "NaN" } else { "Infinity" }.to_owned() })
    }
}
