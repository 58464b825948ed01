//! From YAML to items, comments included: those on lines of their own stand before what follows them, the others behind what they stand behind.

use super::doc::{Include, Item, Param, Section, Value};
use super::modern::Stays;
use crate::check::cases::yaml::{Entries, Kind, Node};
use crate::config::tree::Part;
use crate::config::{Json, Span, code_stop, plain_yaml};
use std::collections::BTreeMap;

/// The items of a document whose text this is, or what the v1 syntax cannot say.
pub fn read(root: &Node, text: &str) -> Result<Vec<Item>, Vec<Stays>> {
    let mut reader = Reader { text, comments: comments(root, text), faults: Vec::new() };
    let mut items = Vec::new();
    if let Kind::Map(entries, _) = &root.kind {
        for (key, value) in entries.iter().filter(|(_, value)| !is_nothing(value)) {
            match key.text() {
                Some("system") => {
                    reader.above(key.span, &mut items);
                    reader.section("system", key, value, None, &mut items);
                }
                Some("config") => {
                    reader.above(key.span, &mut items);
                    reader.list(value, &mut items);
                }
                // Others are not looked at.
                _ => {}
            }
            items.push(Item::Gap);
        }
    }
    let rest = std::mem::take(&mut reader.comments);
    items.extend(rest.into_values().map(|(comment, _)| Item::Comment(comment)));
    if reader.faults.is_empty() { Ok(items) } else { Err(reader.faults) }
}

/// The comments by the bytes at which they stand, each with whether it has a line of its own.
fn comments(root: &Node, text: &str) -> BTreeMap<usize, (String, bool)> {
    let mut scalars = Vec::new();
    collect(root, &mut scalars);
    scalars.sort_unstable();
    let mut found = BTreeMap::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let within = |at: usize| scalars.iter().any(|(from, to)| *from <= at && at < *to);
        let comment = line
            .char_indices()
            .find(|(at, c)| *c == '#' && line[..*at].chars().next_back().is_none_or(char::is_whitespace) && !within(start + at));
        if let Some((at, _)) = comment {
            found.insert(start + at, (line[at..].trim_end().to_owned(), line[..at].trim().is_empty()));
        }
        start += line.len();
    }
    found
}

fn collect(node: &Node, scalars: &mut Vec<(usize, usize)>) {
    match &node.kind {
        Kind::Scalar(..) => scalars.push((node.span.start as usize, node.span.end as usize)),
        Kind::List(items, _) => items.iter().for_each(|item| collect(item, scalars)),
        Kind::Map(entries, _) => entries.iter().for_each(|(key, value)| {
            collect(key, scalars);
            collect(value, scalars);
        }),
    }
}

fn is_nothing(node: &Node) -> bool {
    node.is_null() || matches!(&node.kind, Kind::Scalar(text, true) if plain_yaml(text).as_deref() == Some("false"))
}

struct Reader<'r> {
    text: &'r str,
    comments: BTreeMap<usize, (String, bool)>,
    faults: Vec<Stays>,
}

impl Reader<'_> {
    /// Puts the comments before a place into items.
    fn above(&mut self, span: Span, items: &mut Vec<Item>) {
        let rest = self.comments.split_off(&(span.start as usize));
        let before = std::mem::replace(&mut self.comments, rest);
        items.extend(before.into_values().map(|(comment, _)| Item::Comment(comment)));
    }

    /// The comment behind a place on its line.
    fn behind(&mut self, span: Span) -> Option<String> {
        let end = span.end as usize;
        let stop = self.text.get(end..)?.find('\n').map_or(self.text.len(), |at| end + at);
        let at = *self.comments.range(end..stop).next().filter(|(_, (_, own_line))| !own_line)?.0;
        self.comments.remove(&at).map(|(comment, _)| comment)
    }

    fn fault(&mut self, span: Span, why: impl Into<String>) {
        self.faults.push((span, why.into()));
    }

    /// Whether there is an empty line above a place.
    fn has_gap(&self, span: Span) -> bool {
        let before = self.text.get(..span.start as usize).unwrap_or_default();
        let mut lines = before.rsplit('\n').skip(1).skip_while(|line| line.trim_start().starts_with('#'));
        lines.next().is_some_and(|line| line.trim().is_empty())
    }

    fn list(&mut self, node: &Node, items: &mut Vec<Item>) {
        match &node.kind {
            Kind::List(list, _) => list.iter().for_each(|item| self.list_item(item, items)),
            _ => self.include(node, items),
        }
    }

    fn list_item(&mut self, node: &Node, items: &mut Vec<Item>) {
        if self.has_gap(node.span) {
            items.push(Item::Gap);
        }
        match &node.kind {
            Kind::Map(entries, _) => {
                for (key, value) in merged(entries).into_iter().filter(|(_, value)| !is_nothing(value)) {
                    self.above(key.span, items);
                    let name = key.text().unwrap_or_default();
                    match name {
                        "label" | "worker" => self.router(name, &key, &value, items),
                        "source" => self.section(name, &key, &value, None, items),
                        _ => self.section(name, &key, &value, Some("$tag"), items),
                    }
                }
            }
            Kind::List(..) => self.list(node, items),
            Kind::Scalar(..) => self.include(node, items),
        }
    }

    fn include(&mut self, node: &Node, items: &mut Vec<Item>) {
        if node.tag != "include" {
            return self.fault(node.span, "expected a list of sections, or !include");
        }
        self.above(node.span, items);
        let uri = Value::of(node.text().unwrap_or_default());
        items.push(Item::Include(Include { uri, span: node.span, behind: None }));
        self.fault(node.span, "a file that is included has to be in the same language: put it in here, or convert it by itself");
    }

    fn router(&mut self, name: &str, key: &Node, node: &Node, items: &mut Vec<Item>) {
        let arg = node.get(if name == "label" { "$name" } else { "$arg" }).map(|arg| self.arg(arg));
        let mut inner = Vec::new();
        if let Some(config) = node.get("config") {
            self.list(config, &mut inner);
        }
        let section = Section { name: name.to_owned(), arg, items: inner, span: key.span, behind: None, after: None };
        items.push(Item::Section(section));
    }

    fn section(&mut self, name: &str, key: &Node, node: &Node, arg_key: Option<&str>, items: &mut Vec<Item>) {
        let Kind::Map(entries, _) = &node.kind else {
            return self.fault(node.span, format!("'{name}' is a section: expected a map"));
        };
        let entries = merged(entries);
        let mut inner = Vec::new();
        let arg = arg_key.and_then(|key| entries.iter().find(|(known, _)| known.text() == Some(key))).map(|(_, arg)| self.arg(arg));
        for (key, value) in entries.iter().filter(|(key, _)| key.text() != arg_key) {
            self.above(key.span, &mut inner);
            let name = key.text().unwrap_or_default();
            let is_value = |item: &Node| matches!(item.kind, Kind::Scalar(..));
            match &value.kind {
                Kind::Map(..) if value.tag != "fluent/json" => self.section(name, key, value, Some("$arg"), &mut inner),
                Kind::List(list, _) if value.tag != "fluent/json" && (list.is_empty() || !list.iter().all(is_value)) => {
                    list.iter().for_each(|item| {
                        self.above(item.span, &mut inner);
                        self.section(name, key, item, Some("$arg"), &mut inner);
                    });
                }
                _ => {
                    let key_text = match name {
                        "$type" => "@type",
                        "$label" => "@label",
                        "$id" => "@id",
                        "$log_level" => "@log_level",
                        name => name,
                    };
                    let is_special = name.starts_with('$') && is_nothing(value);
                    let converted = self.value(value);
                    let behind = self.behind(value.span);
                    if !is_special {
                        inner.push(Item::Param(Param {
                            key: key_text.to_owned(),
                            written_key: None,
                            value: converted,
                            span: value.span,
                            behind,
                        }));
                    }
                }
            }
        }
        items.push(Item::Section(Section { name: name.to_owned(), arg, items: inner, span: key.span, behind: None, after: None }));
    }

    fn arg(&mut self, node: &Node) -> Value {
        match &node.kind {
            Kind::List(items, _) => {
                let mut parts = Vec::new();
                for (at, item) in items.iter().enumerate() {
                    parts.extend((at > 0).then(|| Part::Text(",".to_owned())));
                    parts.extend(self.value(item).parts);
                }
                Value { parts, ..Value::default() }
            }
            _ => self.value(node),
        }
    }

    fn value(&mut self, node: &Node) -> Value {
        match (&node.kind, node.tag.as_str()) {
            (Kind::Scalar(text, _), "fluent/s") => Value { parts: ruby_parts(text), ..Value::default() },
            (Kind::Scalar(..), "include") => {
                self.fault(node.span, "!include stands for a list of sections, not for a value");
                Value::default()
            }
            // nil.
            (Kind::Scalar(..), _) if node.is_null() => {
                Value { parts: vec![Part::Code("use_nil".to_owned(), node.span)], ..Value::default() }
            }
            (Kind::Scalar(text, true), "") => Value::of(&plain_yaml(text).unwrap_or_default()),
            (Kind::Scalar(text, _), _) => Value::of(text),
            _ => {
                let mut parts = vec![Part::Text(String::new())];
                self.json(node, &mut parts);
                Value { parts, is_json: true, ..Value::default() }
            }
        }
    }

    /// A value as JSON, with embedded Ruby in its strings.
    fn json(&mut self, node: &Node, parts: &mut Vec<Part>) {
        let mut text = |piece: &str| match parts.last_mut() {
            Some(Part::Text(last)) => last.push_str(piece),
            _ => parts.push(Part::Text(piece.to_owned())),
        };
        match &node.kind {
            Kind::List(items, _) => {
                text("[");
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        push(parts, ",");
                    }
                    self.json(item, parts);
                }
                push(parts, "]");
            }
            Kind::Map(entries, _) => {
                text("{");
                for (at, (key, value)) in entries.iter().enumerate() {
                    push(parts, if at > 0 { "," } else { "" });
                    push(parts, &format!("{}:", json_text(key.text().unwrap_or_default())));
                    self.json(value, parts);
                }
                push(parts, "}");
            }
            Kind::Scalar(content, _) if node.tag == "fluent/s" => {
                text("\"");
                for part in ruby_parts(content) {
                    match part {
                        Part::Text(piece) => push(parts, json_text(&piece).trim_matches('"')),
                        code => parts.push(code),
                    }
                }
                push(parts, "\"");
            }
            Kind::Scalar(_, true) if node.is_null() => text("null"),
            Kind::Scalar(content, true) if node.tag.is_empty() => {
                let plain = plain_yaml(content).unwrap_or_default();
                let is_json = Json::parse(&format!("[{plain}]")).is_some() && !plain.starts_with(['"', '[', '{']) && plain != *"null";
                text(&if is_json { plain } else { json_text(&plain) });
            }
            Kind::Scalar(content, _) => text(&json_text(content)),
        }
    }
}

fn push(parts: &mut Vec<Part>, piece: &str) {
    match parts.last_mut() {
        Some(Part::Text(last)) => last.push_str(piece),
        _ => parts.push(Part::Text(piece.to_owned())),
    }
}

fn json_text(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

/// The entries of a map, those of `<<` among them.
fn merged(entries: &Entries) -> Entries {
    let mut all: Entries = Vec::new();
    let mut set = |key: &Node, value: &Node| match all.iter_mut().find(|(known, _)| known.text() == key.text()) {
        Some(entry) => entry.1 = value.clone(),
        None => all.push((key.clone(), value.clone())),
    };
    for (key, value) in entries {
        match &value.kind {
            Kind::Map(inner, _) if key.text() == Some("<<") => inner.iter().for_each(|(key, value)| set(key, value)),
            _ => set(key, value),
        }
    }
    all
}

/// The inside of a double-quoted Ruby string: texts, escapes resolved, and code.
fn ruby_parts(text: &str) -> Vec<Part> {
    let mut parts = vec![Part::Text(String::new())];
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(stop) = rest.strip_prefix("#{").and_then(|_| code_stop(rest, 2)) {
            parts.push(Part::Code(rest[2..stop].to_owned(), Span::default()));
            rest = &rest[stop + 1..];
            continue;
        }
        rest = &rest[c.len_utf8()..];
        let mut piece = c;
        if c == '\\' {
            let escaped = rest.chars().next().unwrap_or('\\');
            rest = &rest[escaped.len_utf8().min(rest.len())..];
            piece = match escaped {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                'f' => '\u{c}',
                'b' => '\u{8}',
                's' => ' ',
                'e' => '\u{1b}',
                '0' => '\0',
                other => other,
            };
        }
        push(&mut parts, &piece.to_string());
    }
    parts
}
