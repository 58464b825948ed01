//! Sending the events that are not stored, and those about times that could not be read, to `@ERROR`.

use super::document::{Site, prepare};
use super::dynamic::Looks;
use super::index::Dated;
use super::plan::{Problem, Trouble};
use super::rules::Operation;
use super::version::Product;
use crate::event::msgpack::{Entries, Reader, TimeForm, decode_value, read_record};
use crate::event::{EventTime, Origin, Record, Rejected, Scope, Scratch, Tag, Value};
use crate::plugin::Emitter;
use std::sync::Arc;

/// Events that are sent on together.
const TOGETHER: usize = 512;

/// The class of what a server rejects.
pub fn rejected_class(product: Product) -> &'static str {
    match product {
        Product::Elasticsearch => "Fluent::Plugin::ElasticsearchErrorHandler::ElasticsearchError",
        Product::OpenSearch => "Fluent::Plugin::OpenSearchErrorHandler::OpenSearchError",
    }
}

/// Sends the events concerned on their way; `output` is the id of the output that they come from.
pub fn report(site: &Site<'_>, entries: &[u8], mut problems: Vec<Problem>, errors: &Emitter, output: &Arc<str>, dated: impl Fn() -> Dated) {
    problems.sort_by_key(|problem| problem.entry.start);
    for some in problems.chunks(TOGETHER) {
        let scratch = Scratch::take();
        let scope = scratch.scope();
        let mut dated = dated();
        for problem in some {
            let entry = &entries[problem.entry.clone()];
            let Some(rejected) = event_of(site, &scope, entry, &problem.what, &mut dated) else { continue };
            match &problem.what {
                Trouble::Rejected(_, why) | Trouble::Unevaluated(_, why) => {
                    let origin = Origin { output: Arc::clone(output), status: status(why), entry: Some(scope.bytes(entry)) };
                    scope.reject_from(rejected, origin);
                }
                // The event itself is stored.
                Trouble::Time(_) => scope.reject(rejected),
            }
        }
        errors.send_rejected(&scope);
    }
}

/// The status at the start of a server's reason.
fn status(why: &str) -> Option<u16> {
    why.split(' ').next()?.parse().ok()
}

fn event_of<'a>(site: &Site<'_>, scope: &Scope<'a>, entry: &[u8], what: &Trouble, dated: &mut Dated) -> Option<Rejected<'a>> {
    let entry = Entries::new(scope.bytes(entry)).next()?.ok()?;
    let time = entry.time.exact().or_else(|| entry.time.meant(EventTime::now()))?;
    match what {
        Trouble::Rejected(class, message) => {
            let mut record = read_record(scope.bump(), &mut Reader::new(entry.record)).ok()?;
            // Fluentd: the error event is the document, `@timestamp` and tag included, not the record as it came.
            match site.dynamic {
                None => drop(prepare(site, scope.bump(), time, &mut record, dated)),
                Some(dynamic) => {
                    let mut looks = Looks::default();
                    if let Ok(look) = looks.of(dynamic, site, time, &record) {
                        let (own, dated) = look.site(site);
                        drop(prepare(&own, scope.bump(), time, &mut record, dated));
                    }
                }
            }
            if let (Operation::Update | Operation::Upsert, Some(key)) = (site.rules.operation, &site.rules.remove_on_update_key) {
                record.remove(key.as_bytes());
            }
            let tag = site.tag.cloned().unwrap_or_else(|| Tag::new(""));
            Some(Rejected { tag, time, record, class, message: message.clone() })
        }
        Trouble::Unevaluated(class, message) => {
            let record = read_record(scope.bump(), &mut Reader::new(entry.record)).ok()?;
            let tag = site.tag.cloned().unwrap_or_else(|| Tag::new(""));
            Some(Rejected { tag, time, record, class, message: message.clone() })
        }
        Trouble::Time(value) => {
            let value = decode_value(scope.bump(), scope.bytes(value)).unwrap_or(Value::Nil);
            let record = time_error(site, scope, entry.time, value);
            let tag = site.rules.time_error_tag.clone();
            Some(Rejected { tag, time: EventTime::now(), record, class: "Date::Error", message: "invalid date".to_owned() })
        }
    }
}

/// What Fluentd says about a value that is no time.
fn time_error<'a>(site: &Site<'_>, scope: &Scope<'a>, time: TimeForm, value: Value<'a>) -> Record<'a> {
    let time = match time {
        TimeForm::Event(at) => {
            let mut body = (at.sec as u32).to_be_bytes().to_vec();
            body.extend_from_slice(&at.nsec.to_be_bytes());
            Value::Ext(0, scope.bytes(&body))
        }
        other => other.exact().map_or(Value::Nil, |at| Value::Int(at.sec)),
    };
    let text = |text: &str| Value::Str(scope.bytes(text.as_bytes()));
    let mut record = Record::with_capacity(scope.bump(), 4);
    record.push(Value::Str(b"tag"), site.tag.map_or(Value::Nil, |tag| text(tag)));
    record.push(Value::Str(b"time"), time);
    record.push(Value::Str(b"format"), site.rules.time_parser.format().map_or(Value::Nil, text));
    record.push(Value::Str(b"value"), value);
    record
}
