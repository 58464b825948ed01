//! What is said of the thing below the pointer: the manual of a plugin, a section or a parameter, what a grok pattern stands for, what a
//! label holds; and what the findings there mean.

use super::cursor::{At, Spot, find, kind_of, near, plain, value};
use super::documents::Document;
use super::findings::{explanation, range};
use super::navigation::{Named, label_at, labels};
use super::position::Lines;
use super::project::{Project, Text};
use super::session::Client;
use crate::check::Found;
use crate::config::compat::modern;
use crate::config::tree::{Literal, Node, ParamNode, SectionNode};
use crate::config::{Declared, FromLiteral, Section, Span};
use crate::manual::{self, Near, Takes, kind_of_section, takes};
use crate::parser::grok::{Library, Series};
use serde_json::{Value, json};
use std::path::Path;

/// Expressions are cut here.
const MAX_EXPRESSION: usize = 1_500;
/// Parameters, senders and the like that are listed.
const MAX_LISTED: usize = 80;

/// The answer; null where there is nothing to say.
pub fn hover(project: &Project<'_>, document: &Document, offset: usize, client: &Client, found: &[&Found]) -> Value {
    let texts = project.around(&document.uri);
    let Some(own) = texts.first() else { return Value::Null };
    let spot = find(&own.tree, offset);
    let (mut text, span) = match said(&spot, &texts, own, offset) {
        Some((text, span)) => (text, Some(span)),
        None => (String::new(), None),
    };
    let mut codes: Vec<&str> = found.iter().map(|found| found.code).collect();
    codes.dedup();
    for page in codes.into_iter().filter_map(explanation) {
        if !text.is_empty() {
            text.push_str("\n\n---\n\n");
        }
        text.push_str(&page);
    }
    if text.is_empty() {
        return Value::Null;
    }
    let mut hover = json!({ "contents": { "kind": "markdown", "value": text } });
    let place = || found.iter().find_map(|found| found.place.as_ref()).map(|place| range(place, client));
    if let Some(range) = span.map(|span| Lines::new(&own.text, client.encoding).span(span)).or_else(place) {
        hover["range"] = range;
    }
    hover
}

/// What is said of a place, and of which bytes.
fn said(spot: &Spot<'_>, texts: &[Text], own: &Text, offset: usize) -> Option<(String, Span)> {
    if let Some(label) = label_at(&own.tree, offset) {
        let span = match spot.at {
            At::Value(_, value) => value.span,
            At::Argument(_, arg) => arg.span,
            _ => return None,
        };
        return Some((about_label(label, texts), span));
    }
    match spot.at {
        At::Name(section) => {
            let mut path = near(&spot.around);
            path.push(Near { name: section.name.clone(), kind: kind_of(section).to_owned() });
            about_section(&path).map(|text| (text, section.open))
        }
        At::Key(param) => about_param(&takes(&near(&spot.around)), param.key.plain_text()?).map(|text| (text, param.key.span)),
        At::Value(param, value) => about_value(spot, param, value, own, offset),
        At::Include(include) => {
            let span = include.uri.as_ref().map_or(include.span, |uri| uri.span);
            Some(("`@include`: the files that match are read in this place, in the order of their names.".to_owned(), span))
        }
        At::Argument(..) | At::Nothing => None,
    }
}

/// The manual of a section, and of its plugin.
fn about_section(path: &[Near]) -> Option<String> {
    let last = path.last()?;
    if let (Some(kind), false) = (kind_of_section(&last.name), last.kind.is_empty()) {
        return about_plugin(path, kind, &last.kind);
    }
    let takes = takes(path);
    let lead = match (last.name.as_str(), takes.declared.first()) {
        ("label", _) => "A way of its own for events: what names it by `@label` sends its events here, past everything outside.".to_owned(),
        ("worker", _) => "What only some of the workers run.".to_owned(),
        ("source", _) => "Where events come from. `@type` names the plugin.".to_owned(),
        ("filter", _) => "What is done to events whose tags match, before the next section sees them. `@type` names the plugin.".to_owned(),
        ("match" | "store" | "secondary", _) => {
            "Where events go. The first `<match>` whose pattern fits takes them. `@type` names the plugin.".to_owned()
        }
        (_, Some(section)) => manual::doc(section.doc),
        _ => return None,
    };
    Some(page(&format!("`<{}>`", last.name), &lead, &takes))
}

fn about_plugin(path: &[Near], kind: &'static str, name: &str) -> Option<String> {
    let takes = takes(path);
    let known = manual::known_of(kind).iter().find(|known| known.name == name);
    let lead = match known {
        Some(known) => format!("Comes in `{}`. Its parameters are checked; flumen does not run it.", known.gem),
        None if kind == "buffer" => manual::doc(takes.declared.first()?.doc),
        None => manual::doc(manual::entries().iter().find(|entry| entry.kind == kind && entry.name == name)?.section.doc),
    };
    let flat = manual::flat(takes.compat).map_or_else(String::new, |flat| format!("\n\n{}", flat.replace('<', "`<").replace('>', ">`")));
    Some(page(&format!("{kind} `{name}`"), &format!("{lead}{flat}"), &takes))
}

/// A head, a text, and a line for each parameter and section.
fn page(head: &str, lead: &str, takes: &Takes) -> String {
    let mut text = format!("**{head}**\n\n{lead}\n");
    let rows: Vec<(String, &Declared)> = takes.declared.iter().flat_map(|section| manual::rows(section)).collect();
    for (name, param) in rows.iter().take(MAX_LISTED) {
        text.push_str(&format!("\n- `{name}` {}", brief(param)));
    }
    if rows.len() > MAX_LISTED {
        text.push_str(&format!("\n- ... and {} more", rows.len() - MAX_LISTED));
    }
    for sub in &takes.sections {
        text.push_str(&format!("\n- `<{}>`{}", sub.name, manual::multiplicity(sub.many, sub.required)));
    }
    text
}

/// Type, default and the like in one line.
pub fn brief(param: &Declared) -> String {
    let mut parts = vec![manual::type_name(param.kind)];
    parts.extend(manual::remarks(param));
    parts.join("; ")
}

fn about_param(takes: &Takes, key: &str) -> Option<String> {
    if let Some(param) = takes.param(key) {
        return Some(format!("**`{}`** {}\n\n{}", param.name, brief(param), manual::doc(param.doc)));
    }
    let (section, name) = modern(takes.compat, key)?;
    let inner: Vec<&'static Section> =
        manual::entries().into_iter().filter(|entry| entry.kind == "section" && entry.name == section).map(|entry| entry.section).collect();
    let declared = inner.iter().find_map(|section| section.declared(name));
    let doc = declared.map_or_else(String::new, |param| format!("\n\n{}: {}", brief(param), manual::doc(param.doc)));
    Some(format!("**`{key}`** is the name of version 0.12 for `{name}` in a `<{section}>` section.{doc}"))
}

fn about_value(spot: &Spot<'_>, param: &ParamNode, value: &Literal, own: &Text, offset: usize) -> Option<(String, Span)> {
    let key = param.key.plain_text()?;
    let path = near(&spot.around);
    let kind = path.last().and_then(|last| kind_of_section(&last.name));
    if let (true, Some(kind), Some(name)) = (matches!(key, "@type" | "type"), kind, plain(param)) {
        return about_plugin(&path, kind, name).map(|text| (text, value.span));
    }
    if let Some((name, span)) = reference_at(own, value, offset) {
        return about_pattern(&library(&spot.around), name).map(|text| (text, span));
    }
    about_param(&takes(&path), key).map(|text| (text, value.span))
}

/// The name in the `%{...}` at a place of a value.
fn reference_at<'t>(own: &'t Text, value: &Literal, offset: usize) -> Option<(&'t str, Span)> {
    let start = value.span.start as usize;
    let text = own.slice(value.span);
    let open = text.get(..offset.checked_sub(start)?)?.rfind("%{")?;
    let end = open + text[open..].find('}')? + 1;
    if offset > start + end {
        return None;
    }
    let inside = &text[open + 2..end - 1];
    let span = Span { start: (start + open) as u32, end: (start + end) as u32, ..value.span };
    Some((inside.split(':').next().unwrap_or_default(), span))
}

/// The grok patterns that can be named in a section.
pub fn library(around: &[&SectionNode]) -> Library {
    let given = |key: &str| around.iter().rev().find_map(|section| value(section, &[key]));
    let series = given("grok_pattern_series").and_then(|text| Series::from_literal(text, false).ok());
    let mut library = Library::new(series.unwrap_or(Series::Legacy));
    if let Some(path) = given("custom_pattern_path") {
        // What cannot be read is said by the checker.
        let _ = library.add(Path::new(path));
    }
    library
}

fn about_pattern(library: &Library, name: &str) -> Option<String> {
    let meaning = library.meaning(name)?;
    let mut text = format!("**grok pattern `{name}`**\n\n```\n{}\n```", cut(meaning));
    match library.expand(&format!("%{{{name}}}")) {
        Ok(expansion) if expansion.expression != format!("(?:{meaning})") => {
            text.push_str(&format!("\n\nExpanded:\n\n```\n{}\n```", cut(&expansion.expression)));
            if !expansion.types.is_empty() {
                let fields: Vec<String> = expansion.types.iter().map(|(field, kind)| format!("`{field}` {kind}")).collect();
                text.push_str(&format!("\n\nFields: {}", fields.join(", ")));
            }
        }
        _ => {}
    }
    Some(text)
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_EXPRESSION) {
        Some((at, _)) => format!("{} ...", &text[..at]),
        None => text.to_owned(),
    }
}

fn about_label(label: &str, texts: &[Text]) -> String {
    let named: Vec<Named<'_>> = labels(texts).into_iter().filter(|named| named.label == label).collect();
    let mut text = format!("**label `{label}`**\n");
    let place = |named: &Named<'_>| {
        let line = named.text.text.get(..named.span.start as usize).map_or(0, |before| before.matches('\n').count()) + 1;
        let file = named.text.path.file_name().map_or_else(|| named.text.uri.clone(), |name| name.to_string_lossy().into_owned());
        format!("{file}:{line}")
    };
    let sections: Vec<_> = named.iter().filter_map(|named| Some((named, named.section?))).collect();
    if sections.is_empty() {
        text.push_str("\nThere is no such `<label>`.\n");
    }
    for (named, section) in sections {
        text.push_str(&format!("\nHolds ({}):\n", place(named)));
        for node in &section.children {
            if let Node::Section(inner) = node {
                let arg = inner.arg.as_ref().map_or_else(String::new, |arg| format!(" {}", named.text.slice(arg.span)));
                text.push_str(&format!("\n- `<{}{arg}>` {}", inner.name, kind_of(inner)));
            }
        }
        text.push('\n');
    }
    let senders: Vec<_> = named.iter().filter(|named| named.section.is_none()).collect();
    if !senders.is_empty() {
        text.push_str("\nNamed by:\n");
    }
    for named in senders.iter().take(MAX_LISTED) {
        let from = named.within.map_or_else(String::new, |section| format!("`<{}>` {}, ", section.name, kind_of(section)));
        text.push_str(&format!("\n- {from}{}", place(named)));
    }
    text
}
