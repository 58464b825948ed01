//! What can be written at a place: sections, parameters, and values by what they are values of.

use super::cursor::{Pen, find, pen};
use super::documents::Document;
use super::hover::{brief, library};
use super::navigation::labels;
use super::position::Lines;
use super::project::{Project, Text};
use super::session::Client;
use crate::check::names_of_plugins;
use crate::config::{Declared, Kind, Sub};
use crate::manual::{self, Takes, takes};
use serde_json::{Value, json};
use std::path::Path;

/// Entries of a folder that are offered.
const MAX_PATHS: usize = 500;

/// Kinds of items, as the protocol numbers them.
const FUNCTION: u8 = 3;
const CLASS: u8 = 7;
const MODULE: u8 = 9;
const PROPERTY: u8 = 10;
const VALUE: u8 = 12;
const KEYWORD: u8 = 14;
const FILE: u8 = 17;
const REFERENCE: u8 = 18;
const FOLDER: u8 = 19;
const ENUM_MEMBER: u8 = 20;

/// What types a grok reference can have.
const GROK_TYPES: [&str; 6] = ["string", "integer", "float", "bool", "time", "array"];

/// One thing that can be written.
#[derive(Default)]
struct Item {
    label: String,
    kind: u8,
    detail: String,
    doc: String,
    /// What is written where that is not the label.
    text: Option<String>,
    /// The same with places to fill in.
    snippet: Option<String>,
    /// What comes first.
    rank: u8,
    is_old: bool,
}

impl Item {
    fn new(label: &str, kind: u8) -> Item {
        Item { label: label.to_owned(), kind, rank: 1, ..Item::default() }
    }
}

/// A place to write at.
struct Desk<'d> {
    project: &'d Project<'d>,
    texts: &'d [Text],
    pen: &'d Pen,
    /// Where it is in its text.
    offset: usize,
}

/// What can be written, and how many bytes before the place it takes the place of.
type Offer = (Vec<Item>, usize);

/// The answer.
pub fn completion(project: &Project<'_>, document: &Document, offset: usize, client: &Client) -> Value {
    let none = json!([]);
    let Some(pen) = pen(&document.text, offset) else { return none };
    let line_end = document.text[offset..].find('\n').map_or(document.text.len(), |at| offset + at);
    let (before, behind) = (&document.text[pen.line_start..offset], document.text[offset..line_end].trim_end());
    let texts = project.around(&document.uri);
    let (items, taken) = Desk { project, texts: &texts, pen: &pen, offset }.offer(before);
    // An editor may have closed the bracket by itself.
    let end = if behind.trim() == ">" { line_end } else { offset };
    let lines = Lines::new(&document.text, client.encoding);
    let typed = &document.text[offset - taken..offset];
    let range = |item: &Item| lines.range(offset - taken, if item.kind == MODULE { end } else { offset });
    items.iter().map(|item| item_of(item, range(item), typed, behind.is_empty(), client)).collect()
}

fn item_of(item: &Item, range: Value, typed: &str, at_line_end: bool, client: &Client) -> Value {
    let snippet = item.snippet.as_ref().filter(|_| client.takes_snippets);
    let plain = item.text.as_deref().unwrap_or(&item.label);
    let text = snippet.map_or(plain, String::as_str);
    let text = if at_line_end { text } else { text.trim_end() };
    // Editors compare with what stands in the range.
    let filter = if item.kind == MODULE && !typed.starts_with('<') { item.label.trim_matches(['<', '>']) } else { item.label.as_str() };
    let mut json = json!({
        "label": item.label,
        "kind": item.kind,
        "filterText": filter,
        "sortText": format!("{}{}", item.rank, item.label),
        "textEdit": { "range": range, "newText": text },
    });
    if !item.detail.is_empty() {
        json["detail"] = item.detail.as_str().into();
    }
    if !item.doc.is_empty() {
        json["documentation"] = json!({ "kind": "markdown", "value": item.doc });
    }
    if snippet.is_some() {
        json["insertTextFormat"] = 2.into();
        json["insertTextMode"] = 2.into();
    }
    if item.is_old {
        json["tags"] = json!([1]);
    }
    json
}

impl Desk<'_> {
    fn offer(&self, before: &str) -> Offer {
        let line = before.trim_start();
        if line.starts_with('#') {
            return (Vec::new(), 0);
        }
        if let Some(name) = line.strip_prefix("</") {
            let open = self.pen.around.last();
            let close =
                open.map(|near| Item { text: Some(format!("</{}>", near.name)), ..Item::new(&format!("</{}>", near.name), MODULE) });
            return (close.into_iter().collect(), name.len() + 2);
        }
        if let Some(tag) = line.strip_prefix('<') {
            return match tag.split_once([' ', '\t']) {
                None => (self.sections(), line.len()),
                Some((name, arg)) => self.argument(name, arg.trim_start()),
            };
        }
        let Some((key, value)) = line.split_once([' ', '\t']) else {
            let takes = takes(&self.pen.around);
            let mut items = self.params(&takes);
            items.extend(self.sections());
            if "@include".starts_with(line) || line.is_empty() {
                items.push(Item {
                    text: Some("@include ".to_owned()),
                    doc: "The files that match are read in this place, in the order of their names.".to_owned(),
                    rank: 3,
                    ..Item::new("@include", KEYWORD)
                });
            }
            return (items, line.len());
        };
        let value = value.trim_start();
        match key {
            "@include" => self.paths(value.trim_start_matches(['"', '\''])),
            _ => self.value(key, value.trim_start_matches(['"', '\''])),
        }
    }

    /// Parameters that the section does not have yet.
    fn params(&self, takes: &Takes) -> Vec<Item> {
        let is_given = |name: &str| self.pen.given.iter().any(|given| given == name);
        let fits = |param: &&&Declared| {
            param.obsoleted.is_none() && param.refused.is_none() && !is_given(param.name) && !param.alias.is_some_and(is_given)
        };
        let item = |param: &&Declared| Item {
            detail: brief(param),
            doc: manual::doc(param.doc),
            text: Some(format!("{} ", param.name)),
            rank: u8::from(!param.required),
            is_old: param.deprecated.is_some(),
            ..Item::new(param.name, PROPERTY)
        };
        takes.params().iter().filter(fits).map(item).collect()
    }

    /// Sections that may stand here.
    fn sections(&self) -> Vec<Item> {
        let fits = |sub: &&Sub| sub.many || !self.pen.held.iter().any(|held| held == sub.name);
        let item = |sub: &Sub| Item {
            detail: manual::multiplicity(sub.many, sub.required).trim().trim_matches(['(', ')']).to_owned(),
            doc: sub.section.map_or_else(String::new, |section| manual::doc(section.doc)),
            text: Some(format!("<{}>", sub.name)),
            snippet: Some(snippet(sub.name)),
            rank: if sub.required { 0 } else { 2 },
            ..Item::new(&format!("<{}>", sub.name), MODULE)
        };
        takes(&self.pen.around).sections.iter().filter(fits).map(item).collect()
    }

    /// What may stand behind the name in an opening tag.
    fn argument(&self, name: &str, arg: &str) -> Offer {
        let named = labels(self.texts);
        let words = |words: &[&str], kind: u8| words.iter().map(|word| Item::new(word, kind)).collect::<Vec<Item>>();
        match name {
            "label" => {
                // Those that are sent to and are not there come first.
                let mut found: Vec<&str> = named.iter().filter(|one| one.section.is_none()).map(|one| one.label).collect();
                found.retain(|label| !named.iter().any(|one| one.section.is_some() && one.label == *label));
                found.extend(["@ERROR", "@FLUENT_LOG"]);
                found.sort_unstable();
                found.dedup();
                (words(&found, REFERENCE), arg.len())
            }
            "buffer" => {
                let last = arg.rsplit([',', ' ']).next().unwrap_or_default();
                (words(&["tag", "time"], VALUE), last.len())
            }
            _ => (Vec::new(), 0),
        }
    }

    fn value(&self, key: &str, value: &str) -> Offer {
        let around = takes(&self.pen.around);
        if let (true, Some(kind)) = (matches!(key, "@type" | "type"), around.plugin) {
            return (plugins(kind), value.len());
        }
        if key == "label" || key.ends_with("label") && value.starts_with('@') || key == "@label" {
            let named = labels(self.texts);
            let mut found: Vec<&str> = named.iter().filter(|one| one.section.is_some()).map(|one| one.label).collect();
            found.push("@ROOT");
            found.sort_unstable();
            found.dedup();
            return (found.iter().map(|label| Item::new(label, REFERENCE)).collect(), value.len());
        }
        if let Some(open) = value.rfind("%{").filter(|open| !value[*open..].contains('}')) {
            return self.pattern(key, &value[open + 2..]);
        }
        let Some(param) = around.param(key) else { return (Vec::new(), 0) };
        let words: &[&str] = match param.kind {
            Kind::Enum(words) => words,
            Kind::Bool => &["true", "false"],
            _ => &[],
        };
        let item = |word: &&str| {
            let detail = if param.default == Some(*word) { "default" } else { "" };
            Item { detail: detail.to_owned(), doc: manual::doc(param.doc), ..Item::new(word, ENUM_MEMBER) }
        };
        (words.iter().map(item).collect(), value.len())
    }

    /// The inside of `%{...}`: a pattern, a field, a type.
    fn pattern(&self, key: &str, inside: &str) -> Offer {
        let is_grok = key.contains("grok") || self.pen.around.iter().any(|near| near.name == "grok" || near.kind.contains("grok"));
        let parts: Vec<&str> = inside.split(':').collect();
        match parts.as_slice() {
            _ if !is_grok => (Vec::new(), 0),
            [name] => {
                let around = self.texts.first().map(|own| find(&own.tree, self.offset).around);
                let library = library(&around.unwrap_or_default());
                let item = |name: &str| Item {
                    doc: library.meaning(name).map_or_else(String::new, |meaning| format!("```\n{meaning}\n```")),
                    ..Item::new(name, FUNCTION)
                };
                let mut names: Vec<&str> = library.names().collect();
                names.sort_unstable();
                (names.into_iter().map(item).collect(), name.len())
            }
            [_, _, kind] => (GROK_TYPES.iter().map(|word| Item::new(word, ENUM_MEMBER)).collect(), kind.len()),
            _ => (Vec::new(), 0),
        }
    }

    /// Files and folders that can be included.
    fn paths(&self, typed: &str) -> Offer {
        let own = self.texts.first().map(|own| own.path.as_path()).filter(|path| path.is_absolute());
        let (folder, name) = typed.rsplit_once('/').map_or(("", typed), |(folder, name)| (&typed[..folder.len() + 1], name));
        let base = own.and_then(Path::parent).map_or_else(|| Path::new(folder).to_owned(), |dir| dir.join(folder));
        if !base.is_absolute() {
            return (Vec::new(), 0);
        }
        let mut items = Vec::new();
        let entries = std::fs::read_dir(&base).into_iter().flatten().flatten().take(MAX_PATHS);
        for entry in entries {
            let Ok(entry_name) = entry.file_name().into_string() else { continue };
            let path = entry.path();
            if entry_name.starts_with('.') && !name.starts_with('.')
                || self.project.documents.of_path(&path).is_some() && own == Some(&path)
            {
                continue;
            }
            if path.is_dir() {
                items.push(Item { text: Some(format!("{entry_name}/")), ..Item::new(&format!("{entry_name}/"), FOLDER) });
            } else if path.is_file() {
                items.push(Item::new(&entry_name, FILE));
            }
        }
        items.sort_by(|a, b| a.label.cmp(&b.label));
        (items, name.len())
    }
}

/// The plugins of a kind: those that are run, then those that are known.
fn plugins(kind: &'static str) -> Vec<Item> {
    if kind == "buffer" {
        return names_of_plugins(kind).iter().map(|name| Item::new(name, CLASS)).collect();
    }
    let built = manual::entries().into_iter().filter(|entry| entry.kind == kind);
    let mut items: Vec<Item> =
        built.map(|entry| Item { doc: manual::doc(entry.section.doc), detail: kind.to_owned(), ..Item::new(entry.name, CLASS) }).collect();
    let known = manual::known_of(kind).iter().filter(|known| !items.iter().any(|item| item.label == known.name));
    let known: Vec<Item> = known
        .map(|known| Item {
            detail: format!("{kind} of {}: checked, not run by flumen", known.gem),
            rank: 2,
            ..Item::new(known.name, CLASS)
        })
        .collect();
    items.extend(known);
    items
}

/// A section with what is always in it, and places to fill in.
fn snippet(name: &str) -> String {
    match name {
        "match" | "filter" => format!("<{name} ${{1:**}}>\n  @type $0\n</{name}>"),
        "source" | "store" | "parse" | "format" | "secondary" => format!("<{name}>\n  @type $0\n</{name}>"),
        "label" => "<label ${1:@NAME}>\n  $0\n</label>".to_owned(),
        "worker" => "<worker ${1:0}>\n  $0\n</worker>".to_owned(),
        _ => format!("<{name}>\n  $0\n</{name}>"),
    }
}
