//! `elasticsearch_dynamic`: parameters with Ruby in them, evaluated for each event.
//!
//! What an event's parameters come to is a [`Look`]; events with the same texts share one. Parameters without `${` are as they are for
//! the output `elasticsearch`, but for placeholders of chunk keys, which this output does not have.

use super::document::{Fault, Site};
use super::index::Dated;
use super::params::Params;
use super::rules::{Operation, Rules, accessor_of};
use crate::config::{Diagnostics, Element, Refused, Section};
use crate::event::{EventTime, Record, Tag};
use crate::ruby::{Environment, Moment, Program, Raised, Value, from_record};
use std::collections::HashMap;

/// The variables that code can use.
const GIVEN: &[&str] = &["tag", "time", "record", "tag_parts"];
/// Looks that are kept at a time: where each event has its own, keeping them is of no use.
const MAX_LOOKS: usize = 256;
/// The longest text that code may make.
const MAX_TEXT_BYTES: usize = 4096;

crate::section! {
    /// What `elasticsearch_dynamic` has beside the parameters of `elasticsearch`.
    pub struct Own {
        /// What parts of a tag are split by for `tag_parts`.
        pub delimiter: String = ".",
    }
}

const OWN: usize = Own::SECTION.params.len();
const ALL: [crate::config::Declared; Params::SECTION.params.len() + OWN] = {
    let mut all = [Own::SECTION.params[0]; Params::SECTION.params.len() + OWN];
    let mut at = 0;
    while at < Params::SECTION.params.len() {
        all[at] = Params::SECTION.params[at];
        at += 1;
    }
    all
};

/// The parameters and sections of `elasticsearch_dynamic`.
pub static SECTION: Section = Section {
    doc: &[" Sends events as documents to Elasticsearch, as `elasticsearch` does, with Ruby in parameters, evaluated for each event: \
             `${record['team']}`, `${tag_parts[1]}`, `${time}`. It may stand in hosts, host, index_name, logstash_prefix, logstash_dateformat, \
             type_name, time_key, tag_key, id_key, parent_key, routing_key and write_operation."],
    params: &ALL,
    sections: Params::SECTION.sections,
};

/// What a parameter with code in it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Hosts,
    Index,
    Prefix,
    Date,
    Type,
    TimeKey,
    TagKey,
    Id,
    Parent,
    Routing,
    Operation,
}

enum Part {
    Text(String),
    Code(Program),
}

/// The parameters that have code in them.
pub struct Dynamic {
    params: Vec<(Role, Vec<Part>)>,
    delimiter: String,
    environment: Environment,
}

/// What the parameters come to for an event.
pub struct Look {
    hosts: Option<String>,
    index: Option<String>,
    kind: Option<String>,
    rules: Option<Box<Rules>>,
    dated: Dated,
}

/// Looks that have been made already.
#[derive(Default)]
pub struct Looks(HashMap<Vec<String>, Look>);

impl Dynamic {
    /// From the parameters of a section; `None` where none has code in it.
    pub fn read(params: &Params, element: &Element, diagnostics: &Diagnostics) -> Result<Option<Dynamic>, Refused> {
        let own = Own::read(element, diagnostics)?;
        let hosts = params.hosts.as_ref().map_or(("host", Some(&params.host)), |hosts| ("hosts", Some(hosts)));
        let texts = [
            (Role::Hosts, hosts),
            (Role::Index, ("index_name", Some(&params.index_name))),
            (Role::Prefix, ("logstash_prefix", Some(&params.logstash_prefix))),
            (Role::Date, ("logstash_dateformat", Some(&params.logstash_dateformat))),
            (Role::Type, ("type_name", Some(&params.type_name))),
            (Role::TimeKey, ("time_key", params.time_key.as_ref())),
            (Role::TagKey, ("tag_key", Some(&params.tag_key))),
            (Role::Id, ("id_key", params.id_key.as_ref())),
            (Role::Parent, ("parent_key", params.parent_key.as_ref())),
            (Role::Routing, ("routing_key", params.routing_key.as_ref())),
            (Role::Operation, ("write_operation", Some(&params.write_operation))),
        ];
        let mut found = Vec::new();
        for (role, (name, text)) in texts {
            let Some(text) = text.filter(|text| text.contains("${")) else { continue };
            let parts = parse(text).map_err(|why| {
                let span = element.param(name).map_or(element.span, |param| param.value_span);
                diagnostics.error("FLM0611", Some(span), format!("{name}: {why}"))
            })?;
            found.push((role, parts));
        }
        let dynamic = Dynamic { params: found, delimiter: own.delimiter, environment: Environment::of_process() };
        Ok(Some(dynamic).filter(|dynamic| !dynamic.params.is_empty()))
    }

    /// Whether events may go to different servers.
    pub fn chooses_hosts(&self) -> bool {
        self.params.iter().any(|(role, _)| *role == Role::Hosts)
    }

    /// What each of the parameters comes to.
    fn texts(&self, tag: Option<&Tag>, time: EventTime, record: &Record<'_>) -> Result<Vec<String>, Fault> {
        let tag = tag.map(|tag| tag.as_str()).unwrap_or_default();
        let parts = if self.delimiter.is_empty() {
            tag.chars().map(|c| Value::text(c.to_string())).collect()
        } else {
            tag.split(self.delimiter.as_str()).map(Value::text).collect()
        };
        let given = [Value::text(tag), Value::time(Moment::event(time)), from_record(record.fields()), Value::list(parts)];
        self.params.iter().map(|(_, parts)| self.text(parts, &given)).collect()
    }

    fn text(&self, parts: &[Part], given: &[Value]) -> Result<String, Fault> {
        let mut text = String::new();
        for part in parts {
            match part {
                Part::Text(plain) => text.push_str(plain),
                Part::Code(program) => match program.run(&self.environment, given) {
                    Ok(value @ Value::Str(_)) => text.push_str(&value.to_text()),
                    Ok(other) => {
                        let what = if other.is_nil() { "nil" } else { other.class() };
                        return Err(Fault { class: "TypeError", message: format!("no implicit conversion of {what} into String") });
                    }
                    Err(Raised::Error(error)) => return Err(Fault { class: class(&error.class), message: error.message.clone() }),
                    Err(other) => return Err(Fault { class: "NameError", message: other.to_string() }),
                },
            }
            if text.len() > MAX_TEXT_BYTES {
                let message = format!("a parameter comes to more than {MAX_TEXT_BYTES} bytes");
                return Err(Fault { class: "ArgumentError", message });
            }
        }
        Ok(text)
    }

    fn look(&self, site: &Site<'_>, texts: &[String]) -> Result<Look, Fault> {
        let text = |wanted: Role| self.params.iter().position(|(role, _)| *role == wanted).map(|at| texts[at].as_str());
        let rules = site.rules;
        let prefix = text(Role::Prefix).unwrap_or(site.prefix);
        let dated = Dated::new(format!("{prefix}{}", rules.separator), text(Role::Date).unwrap_or(site.date), rules.utc_index);
        let in_rules = [Role::TimeKey, Role::TagKey, Role::Id, Role::Parent, Role::Routing, Role::Operation];
        let mut own = None;
        if in_rules.iter().any(|role| text(*role).is_some()) {
            let mut changed = Box::new(rules.clone());
            if let Some(key) = text(Role::TimeKey) {
                changed.time_key = Some(key.to_owned());
            }
            if let (Some(key), true) = (text(Role::TagKey), rules.tag_key.is_some()) {
                changed.tag_key = Some(key.to_owned());
            }
            for (role, slot) in [(Role::Id, &mut changed.id), (Role::Parent, &mut changed.parent), (Role::Routing, &mut changed.routing)] {
                if let Some(key) = text(role) {
                    *slot = Some(accessor_of(key).map_err(|message| Fault { class: "Fluent::ConfigError", message })?);
                }
            }
            if let Some(word) = text(Role::Operation) {
                changed.operation = Operation::parse(word);
                changed.operation_word = word.to_owned();
            }
            own = Some(changed);
        }
        Ok(Look {
            hosts: text(Role::Hosts).map(str::to_owned),
            index: text(Role::Index).map(str::to_lowercase),
            kind: text(Role::Type).map(str::to_owned),
            rules: own,
            dated,
        })
    }
}

impl Looks {
    /// What the parameters of an event come to.
    pub fn of(&mut self, dynamic: &Dynamic, site: &Site<'_>, time: EventTime, record: &Record<'_>) -> Result<&mut Look, Fault> {
        let texts = dynamic.texts(site.tag, time, record)?;
        if self.0.len() >= MAX_LOOKS && !self.0.contains_key(&texts) {
            self.0.clear();
        }
        match self.0.entry(texts) {
            std::collections::hash_map::Entry::Occupied(known) => Ok(known.into_mut()),
            std::collections::hash_map::Entry::Vacant(place) => {
                let look = dynamic.look(site, place.key())?;
                Ok(place.insert(look))
            }
        }
    }
}

impl Look {
    /// The site as an event of this look sees it, and the names of its indexes.
    pub fn site<'l>(&'l mut self, site: &Site<'l>) -> (Site<'l>, &'l mut Dated) {
        let Look { index, kind, rules, dated, .. } = self;
        let own = Site {
            rules: rules.as_deref().unwrap_or(site.rules),
            index_name: index.as_deref().unwrap_or(site.index_name),
            type_name: kind.as_deref().unwrap_or(site.type_name),
            dynamic: None,
            ..*site
        };
        (own, dated)
    }

    /// The servers, where the event names them.
    pub fn hosts(&self) -> Option<&str> {
        self.hosts.as_deref()
    }
}

/// Text and code: what stands between `${` and the next `}` is code.
fn parse(text: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        // As the original's expression asks: one character at least.
        let inner = &rest[start + 2..];
        let Some(end) = inner.char_indices().skip(1).find(|(_, c)| *c == '}').map(|(at, _)| at) else { break };
        if start > 0 {
            parts.push(Part::Text(rest[..start].to_owned()));
        }
        let code = &inner[..end];
        parts.push(Part::Code(Program::new(code, GIVEN, &[]).map_err(|why| format!("${{{code}}}: {why}"))?));
        rest = &inner[end + 1..];
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    Ok(parts)
}

/// The class as a name that lives long enough.
fn class(name: &str) -> &'static str {
    const KNOWN: &[&str] = &["NoMethodError", "NameError", "TypeError", "ArgumentError", "KeyError", "IndexError", "ZeroDivisionError"];
    KNOWN.iter().find(|known| **known == name).copied().unwrap_or("RuntimeError")
}
