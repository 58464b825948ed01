//! From a record to a document and the action before it, for parameters that look into the record. The usual ones take the way of
//! [`super::bulk`], which looks into nothing.

use super::dynamic::Dynamic;
use super::index::Dated;
use super::rules::{Operation, Rules};
use super::timestamp::Moment;
use super::version::{Dialect, TypeField};
use crate::event::json::{Style, write_record, write_text, write_value};
use crate::event::{EventTime, Record, Tag, Value};
use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;

/// Why a record makes no document; Fluentd's class and words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The class.
    pub class: &'static str,
    /// The message.
    pub message: String,
}

/// What the documents of one chunk have in common.
#[derive(Clone, Copy)]
pub struct Site<'s> {
    /// How documents are made.
    pub rules: &'s Rules,
    /// What the server understands.
    pub dialect: Dialect,
    /// The index, where no date is in its name.
    pub index_name: &'s str,
    /// What the names of indexes with a date begin with, without what stands between both.
    pub prefix: &'s str,
    /// The form of that date.
    pub date: &'s str,
    /// Parameters that are evaluated for each event.
    pub dynamic: Option<&'s Dynamic>,
    /// The type for old servers.
    pub type_name: &'s str,
    /// The ingest pipeline.
    pub pipeline: Option<&'s str>,
    /// The tag, where it is a chunk key.
    pub tag: Option<&'s Tag>,
    /// The chunk's name.
    pub chunk_id: &'s str,
}

/// What of a record goes into the action before the document.
pub struct Action<'a> {
    index: String,
    kind: TypeField,
    id: Option<Value<'a>>,
    parent: Option<Value<'a>>,
    routing: Option<Value<'a>>,
    /// The value that should have been a time and was none.
    pub unreadable_time: Option<Value<'a>>,
}

/// Makes the record the document that is sent, and the action. `dated` names the index where its name has a date.
pub fn prepare<'a>(
    site: &Site<'_>,
    bump: &'a Bump,
    time: EventTime,
    record: &mut Record<'a>,
    dated: &mut Dated,
) -> Result<Action<'a>, Fault> {
    let rules = site.rules;
    if let Some(key) = &rules.chunk_id_key {
        record.set(bump.alloc_slice_copy(key.as_bytes()), Value::Str(bump.alloc_slice_copy(site.chunk_id.as_bytes())));
    }
    if let Some(separator) = &rules.flatten {
        *record = flatten(bump, record, separator);
    }
    let mut unreadable_time = None;
    let moment =
        if rules.timestamps { add_timestamp(rules, bump, time, record, &mut unreadable_time) } else { Moment::of(time, &rules.zone) };
    let index = index_of(site, bump, record, moment, dated)?;
    if let Some(key) = &rules.tag_key {
        let tag = site.tag.map_or(Value::Nil, |tag| Value::Str(bump.alloc_slice_copy(tag.as_bytes())));
        record.set(bump.alloc_slice_copy(key.as_bytes()), tag);
    }
    let chosen = rules.target_type.as_deref().map_or(Ok(None), |path| take(bump, record, path))?;
    let chosen = chosen.map(|value| String::from_utf8_lossy(value.as_bytes().unwrap_or_default()).into_owned());
    let truthy = |accessor: &Option<crate::event::Accessor>| accessor.as_ref().and_then(|at| at.get(record)).filter(is_truthy);
    let action = Action {
        index,
        kind: site.dialect.type_field(rules, site.type_name, chosen.as_deref()),
        id: truthy(&rules.id),
        parent: truthy(&rules.parent),
        routing: truthy(&rules.routing),
        unreadable_time,
    };
    remove_all(record, rules.remove.iter().map(|key| key.as_bytes()));
    Ok(action)
}

/// Sets `@timestamp` where it has to be, and gives the moment that names the index.
fn add_timestamp<'a>(
    rules: &Rules,
    bump: &'a Bump,
    time: EventTime,
    record: &mut Record<'a>,
    unreadable: &mut Option<Value<'a>>,
) -> Moment {
    const FIELD: &[u8] = b"@timestamp";
    let mut read = |value: Value<'a>| {
        rules.time_parser.parse(&value, &rules.zone).unwrap_or_else(|| {
            *unreadable = Some(value);
            Moment::of(time, &rules.zone)
        })
    };
    if let Some(value) = record.get(FIELD) {
        return read(value);
    }
    let given = rules.time_key.as_ref().and_then(|key| record.get(key.as_bytes()));
    let moment = given.map_or_else(|| Moment::of(time, &rules.zone), &mut read);
    if let (Some(text), true) = (rules.time_key.as_ref().and_then(|key| record.get(key.as_bytes())), rules.keeps_time_text) {
        if !rules.time_key_only {
            record.set(FIELD, text);
        }
        return moment;
    }
    if given.is_none() || !rules.time_key_only {
        let mut text = Vec::with_capacity(40);
        moment.write(rules.precision, &mut text);
        record.set(FIELD, Value::Str(bump.alloc_slice_copy(&text)));
    }
    moment
}

fn index_of<'a>(site: &Site<'_>, bump: &'a Bump, record: &mut Record<'a>, moment: Moment, dated: &mut Dated) -> Result<String, Fault> {
    let chosen = site.rules.target_index.as_deref().map_or(Ok(None), |path| take(bump, record, path))?;
    match chosen {
        Some(Value::Str(name) | Value::Bin(name)) => Ok(String::from_utf8_lossy(name).to_lowercase()),
        Some(other) => {
            Err(Fault { class: "NoMethodError", message: format!("undefined method `downcase' for an instance of {}", ruby_class(&other)) })
        }
        None if site.rules.logstash => Ok(dated.name(moment).0.to_owned()),
        None => Ok(site.index_name.to_owned()),
    }
}

/// Removes the value at a path, where it is there and neither nil nor false.
fn take<'a>(bump: &'a Bump, record: &mut Record<'a>, path: &[String]) -> Result<Option<Value<'a>>, Fault> {
    let Some((first, rest)) = path.split_first() else { return Ok(None) };
    let Some(top) = record.get(first.as_bytes()) else { return Ok(None) };
    if rest.is_empty() {
        return Ok(is_truthy(&top).then(|| record.remove(first.as_bytes())).flatten());
    }
    let (taken, left) = take_within(bump, top, rest)?;
    if taken.is_some() {
        record.set(bump.alloc_slice_copy(first.as_bytes()), left);
    }
    Ok(taken)
}

fn take_within<'a>(bump: &'a Bump, value: Value<'a>, path: &[String]) -> Result<(Option<Value<'a>>, Value<'a>), Fault> {
    let (Some((first, rest)), Value::Map(fields)) = (path.split_first(), value) else {
        // Fluentd asks the parent of the last part for it as for a field, whatever the parent is.
        let fault = || Fault { class: "TypeError", message: "no implicit conversion of String into Integer".to_owned() };
        return if path.len() == 1 && matches!(value, Value::Array(_) | Value::Int(_)) { Err(fault()) } else { Ok((None, value)) };
    };
    let Some(at) = fields.iter().position(|(key, _)| key.as_bytes() == Some(first.as_bytes())) else { return Ok((None, value)) };
    let (taken, left) = match rest.is_empty() {
        true => (is_truthy(&fields[at].1).then_some(fields[at].1), None),
        false => take_within(bump, fields[at].1, rest).map(|(taken, left)| (taken, Some(left)))?,
    };
    if taken.is_none() {
        return Ok((None, value));
    }
    let mut changed = BumpVec::with_capacity_in(fields.len(), bump);
    changed.extend_from_slice(fields);
    match left {
        Some(left) => changed[at].1 = left,
        None => drop(changed.remove(at)),
    }
    Ok((taken, Value::Map(changed.into_bump_slice())))
}

/// Fields within fields as fields of the record, their names joined; arrays stay as they are, and an empty map gives nothing.
fn flatten<'a>(bump: &'a Bump, record: &Record<'a>, separator: &str) -> Record<'a> {
    let mut flat = Record::with_capacity(bump, record.len());
    flatten_into(bump, record.fields(), &mut Vec::new(), separator, &mut flat);
    flat
}

fn flatten_into<'a>(bump: &'a Bump, fields: &[(Value<'a>, Value<'a>)], prefix: &mut Vec<u8>, separator: &str, flat: &mut Record<'a>) {
    for (key, value) in fields {
        let before = prefix.len();
        crate::event::ruby::to_s(key, prefix);
        match value {
            Value::Map(inner) => {
                prefix.extend_from_slice(separator.as_bytes());
                flatten_into(bump, inner, prefix, separator, flat);
            }
            other => flat.set(bump.alloc_slice_copy(prefix), *other),
        }
        prefix.truncate(before);
    }
}

impl<'a> Action<'a> {
    /// The index, for requests that name it in their path.
    pub fn index(&self) -> &str {
        &self.index
    }

    /// Whether the operation can be done: most need an id.
    pub fn is_possible(&self, rules: &Rules) -> bool {
        match rules.operation {
            Operation::Index => true,
            Operation::Create | Operation::Update | Operation::Upsert => self.id.is_some(),
            Operation::Unknown => false,
        }
    }

    /// Sets the id of a document whose record names none.
    pub fn set_id_if_none(&mut self, id: Value<'a>) {
        self.id.get_or_insert(id);
    }

    /// Appends the action's line.
    pub fn write(&self, site: &Site<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"");
        out.extend_from_slice(site.rules.operation.action().as_bytes());
        out.extend_from_slice(b"\":{");
        let mut fields = Fields { out, any: false };
        if !site.rules.index_in_url {
            fields.text("_index", &self.index);
        }
        match &self.kind {
            TypeField::Absent => {}
            TypeField::Null => fields.value("_type", &Value::Nil),
            TypeField::Named(name) => fields.text("_type", name),
        }
        if let Some(pipeline) = site.pipeline {
            fields.text("pipeline", pipeline);
        }
        for (key, value) in [("_id", &self.id), ("_parent", &self.parent), (site.dialect.routing_key(), &self.routing)] {
            if let Some(value) = value {
                fields.value(key, value);
            }
        }
        out.extend_from_slice(b"}}\n");
    }
}

/// Appends the action's line of documents whose records say nothing about it.
pub fn write_plain_action(site: &Site<'_>, index: &str, out: &mut Vec<u8>) {
    let kind = site.dialect.type_field(site.rules, site.type_name, None);
    Action { index: index.to_owned(), kind, id: None, parent: None, routing: None, unreadable_time: None }.write(site, out);
}

struct Fields<'o> {
    out: &'o mut Vec<u8>,
    any: bool,
}

impl Fields<'_> {
    fn key(&mut self, key: &str) {
        if std::mem::replace(&mut self.any, true) {
            self.out.push(b',');
        }
        write_text(key.as_bytes(), Style::Oj, self.out);
        self.out.push(b':');
    }

    fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        write_text(value.as_bytes(), Style::Oj, self.out);
    }

    fn value(&mut self, key: &str, value: &Value<'_>) {
        self.key(key);
        write_value(value, Style::Oj, self.out);
    }
}

/// Appends the document's line: the record, or what an update of it is.
pub fn write_document<'a>(rules: &Rules, record: &mut Record<'a>, out: &mut Vec<u8>) -> Result<(), Fault> {
    match rules.operation {
        Operation::Update | Operation::Upsert => write_update(rules, record, out)?,
        _ => write_record(record, Style::Oj, out),
    }
    out.push(b'\n');
    Ok(())
}

fn write_update<'a>(rules: &Rules, record: &mut Record<'a>, out: &mut Vec<u8>) -> Result<(), Fault> {
    let listed = rules.remove_on_update_key.as_ref().and_then(|key| record.remove(key.as_bytes())).filter(is_truthy);
    let mut update = record.clone();
    match listed {
        None => remove_all(&mut update, rules.remove_on_update.iter().map(|key| key.as_bytes())),
        Some(Value::Array(keys)) => remove_all(&mut update, keys.iter().filter_map(Value::as_bytes)),
        Some(Value::Map(_)) => {}
        Some(other) => {
            return Err(Fault {
                class: "NoMethodError",
                message: format!("undefined method `any?' for an instance of {}", ruby_class(&other)),
            });
        }
    }
    if rules.bare_updates {
        write_record(&update, Style::Oj, out);
        return Ok(());
    }
    out.extend_from_slice(b"{\"doc\":");
    write_record(&update, Style::Oj, out);
    if rules.operation == Operation::Upsert {
        if update.len() == record.len() {
            out.extend_from_slice(b",\"doc_as_upsert\":true");
        } else {
            out.extend_from_slice(b",\"upsert\":");
            write_record(record, Style::Oj, out);
        }
    }
    out.push(b'}');
    Ok(())
}

fn remove_all<'k>(record: &mut Record<'_>, keys: impl Iterator<Item = &'k [u8]>) {
    for key in keys {
        record.remove(key);
    }
}

fn is_truthy(value: &Value<'_>) -> bool {
    !matches!(value, Value::Nil | Value::Bool(false))
}

fn ruby_class(value: &Value<'_>) -> &'static str {
    match value {
        Value::Nil => "NilClass",
        Value::Bool(true) => "TrueClass",
        Value::Bool(false) => "FalseClass",
        Value::Int(_) | Value::UInt(_) | Value::Big(_) => "Integer",
        Value::Float(_) => "Float",
        Value::Str(_) | Value::Bin(_) => "String",
        Value::Ext(..) => "Fluent::EventTime",
        Value::Array(_) => "Array",
        Value::Map(_) => "Hash",
    }
}
