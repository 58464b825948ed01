//! Fields from placeholders: `${tag}`, `${tag_parts[1]}`, `${record["key"]}`, `${time}`, ... Nothing is allocated an event but in the arena.

use super::template::{Field, Fixed};
use crate::config::{Element, Refused};
use crate::event::{Event, Record, Scope, Tag, TimeFormatter, Value, intern, ruby};
use crate::plugin::Context;
use crate::ruby::Environment;
use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;
use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};

thread_local! {
    static TEXT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What a placeholder stands for.
#[derive(Debug)]
enum Source {
    Tag,
    Hostname,
    Time,
    TagPart(i64),
    TagPrefix(i64),
    TagSuffix(i64),
    /// A field of the record by its name.
    Field(String),
    Unknown,
}

/// A placeholder as it was written, and how often it was unknown.
#[derive(Debug)]
struct Placeholder {
    written: String,
    source: Source,
    misses: AtomicU64,
}

#[derive(Debug)]
enum Piece {
    Text(String),
    Placeholder(Placeholder),
}

/// A value to be made.
#[derive(Debug)]
enum Template {
    /// Text without placeholders; lives as long as the process, so that records can point at it.
    Constant(&'static str),
    /// One placeholder whose value keeps its type.
    Whole(Placeholder),
    Text(Vec<Piece>),
    List(Vec<Template>),
    Map(Vec<(Template, Template)>),
    Fixed(Fixed),
}

/// The fields to set.
pub(super) struct Expander {
    fields: Vec<(Template, Template)>,
    hostname: &'static str,
    time: TimeFormatter,
}

impl Expander {
    pub(super) fn new(map: &[(String, Field)], typecast: bool, element: &Element, context: &Context<'_>) -> Result<Expander, Refused> {
        let fields = map.iter().map(|(key, field)| (text(key, false), template(field, typecast))).collect();
        let time =
            TimeFormatter::new(Some("%Y-%m-%d %H:%M:%S %z"), true, None).map_err(|why| context.refuse("FLM0443", element.span, why))?;
        Ok(Expander { fields, hostname: intern(&Environment::of_process().hostname), time })
    }

    /// Begins the work on a batch.
    pub(super) fn start<'s, 'a>(&'s self, scope: &Scope<'a>, tag: &Tag) -> Run<'s, 'a> {
        let bump = scope.bump();
        let tag: &'a str = bump.alloc_str(tag);
        let mut parts = BumpVec::new_in(bump);
        parts.extend(tag.split('.'));
        while parts.last().is_some_and(|part: &&str| part.is_empty()) {
            parts.pop();
        }
        Run { expander: self, bump, tag, parts }
    }
}

/// Splits a text at `${...}` and `__NAME__`.
fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        match placeholder_length(rest) {
            Some(length) => {
                if !plain.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut plain)));
                }
                let (written, behind) = rest.split_at(length);
                pieces.push(Piece::Placeholder(Placeholder {
                    written: written.to_owned(),
                    source: source(written),
                    misses: AtomicU64::new(0),
                }));
                rest = behind;
            }
            None => {
                plain.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    if !plain.is_empty() {
        pieces.push(Piece::Text(plain));
    }
    pieces
}

/// How long the placeholder at the start is: `${` up to the next `}` with something between, or capitals between double underscores.
fn placeholder_length(text: &str) -> Option<usize> {
    if let Some(inside) = text.strip_prefix("${") {
        return inside.find('}').filter(|end| *end > 0).map(|end| end + 3);
    }
    let inside = text.strip_prefix("__")?;
    let run = inside.bytes().take_while(|byte| byte.is_ascii_uppercase() || *byte == b'_').count();
    // The longest run that still has two underscores at its end.
    let end = inside[..run].rfind("__").filter(|end| *end > 0)?;
    Some(2 + end + 2)
}

fn source(written: &str) -> Source {
    let Some(inside) = written.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) else { return Source::Unknown };
    let index = |name: &str| -> Option<i64> {
        let digits = inside.strip_prefix(name)?.strip_prefix('[')?.strip_suffix(']')?;
        digits.parse::<i64>().ok().filter(|number| number.to_string() == digits)
    };
    match inside {
        "tag" => return Source::Tag,
        "hostname" => return Source::Hostname,
        "time" => return Source::Time,
        _ => {}
    }
    if let Some(at) = index("tag_parts") {
        return Source::TagPart(at);
    }
    if let Some(at) = index("tag_prefix") {
        return Source::TagPrefix(at);
    }
    if let Some(at) = index("tag_suffix") {
        return Source::TagSuffix(at);
    }
    match inside.strip_prefix("record[\"").and_then(|rest| rest.strip_suffix("\"]")) {
        Some(key) => Source::Field(key.to_owned()),
        None => Source::Unknown,
    }
}

fn text(written: &str, typecast: bool) -> Template {
    let mut pieces = pieces(written);
    match pieces.as_slice() {
        [] => Template::Constant(""),
        [Piece::Text(text)] => Template::Constant(intern(text)),
        [Piece::Placeholder(_)] if typecast => match pieces.pop() {
            Some(Piece::Placeholder(placeholder)) => Template::Whole(placeholder),
            _ => Template::Constant(""),
        },
        _ => Template::Text(pieces),
    }
}

fn template(field: &Field, typecast: bool) -> Template {
    match field {
        Field::Text(written) => text(written, typecast),
        Field::List(items) => Template::List(items.iter().map(|item| template(item, typecast)).collect()),
        Field::Map(pairs) => Template::Map(pairs.iter().map(|(key, field)| (text(key, false), template(field, typecast))).collect()),
        Field::Fixed(fixed) => Template::Fixed(fixed.clone()),
    }
}

/// The work on one batch: what all its events share.
pub(super) struct Run<'s, 'a> {
    expander: &'s Expander,
    bump: &'a Bump,
    tag: &'a str,
    parts: BumpVec<'a, &'a str>,
}

impl<'a> Run<'_, 'a> {
    /// Sets the fields of one event. Placeholders see the record as it was.
    pub(super) fn set_fields(&self, event: &Event<'a>, record: &mut Record<'a>) {
        for (key, template) in &self.expander.fields {
            let key = match key {
                Template::Constant(key) => Value::Str(key.as_bytes()),
                key => self.value(key, event),
            };
            let value = self.value(template, event);
            match key {
                Value::Str(key) => record.set(key, value),
                key => record.set_value(key, value),
            }
        }
    }

    fn value(&self, template: &Template, event: &Event<'a>) -> Value<'a> {
        match template {
            Template::Constant(text) => Value::Str(text.as_bytes()),
            Template::Fixed(fixed) => fixed.value(self.bump),
            Template::Whole(placeholder) => self.look_up(placeholder, event),
            Template::Text(pieces) => TEXT.with_borrow_mut(|out| {
                out.clear();
                for piece in pieces {
                    match piece {
                        Piece::Text(text) => out.extend_from_slice(text.as_bytes()),
                        Piece::Placeholder(placeholder) => ruby::to_s(&self.look_up(placeholder, event), out),
                    }
                }
                Value::Str(self.bump.alloc_slice_copy(out))
            }),
            Template::List(items) => {
                let mut values = BumpVec::with_capacity_in(items.len(), self.bump);
                values.extend(items.iter().map(|item| self.value(item, event)));
                Value::Array(values.into_bump_slice())
            }
            Template::Map(pairs) => {
                let mut made = Record::with_capacity(self.bump, pairs.len());
                for (key, value) in pairs {
                    made.set_value(self.value(key, event), self.value(value, event));
                }
                made.to_value(self.bump)
            }
        }
    }

    fn look_up(&self, placeholder: &Placeholder, event: &Event<'a>) -> Value<'a> {
        let found = match &placeholder.source {
            Source::Tag => Some(Value::text(self.tag)),
            Source::Hostname => Some(Value::text(self.expander.hostname)),
            Source::Time => Some(self.time(event)),
            Source::TagPart(at) => self.part(*at).map(|at| Value::text(self.parts[at])),
            Source::TagPrefix(at) => self.part(*at).map(|at| self.joined(0, at + 1)),
            Source::TagSuffix(at) => self.part(*at).map(|at| self.joined(at, self.parts.len())),
            Source::Field(key) => event.record.get(key.as_bytes()),
            Source::Unknown => None,
        };
        found.unwrap_or_else(|| {
            // Said at the first time and then ever more rarely: an event without a field is nothing special.
            let misses = placeholder.misses.fetch_add(1, Ordering::Relaxed) + 1;
            if misses.is_power_of_two() {
                crate::warning!("unknown placeholder `{}` found", placeholder.written);
            }
            Value::Nil
        })
    }

    fn part(&self, index: i64) -> Option<usize> {
        let count = self.parts.len();
        let at = if index < 0 { usize::try_from(index + i64::try_from(count).ok()?).ok()? } else { usize::try_from(index).ok()? };
        (at < count).then_some(at)
    }

    /// Parts of the tag with their dots, as they stand in it.
    fn joined(&self, from: usize, to: usize) -> Value<'a> {
        let start: usize = self.parts[..from].iter().map(|part| part.len() + 1).sum();
        let length: usize = self.parts[from..to].iter().map(|part| part.len() + 1).sum();
        Value::text(&self.tag[start..start + length - 1])
    }

    fn time(&self, event: &Event<'a>) -> Value<'a> {
        let mut out = Vec::with_capacity(32);
        self.expander.time.write(event.time, &mut out);
        Value::Str(self.bump.alloc_slice_copy(&out))
    }
}
