//! Old forms in their modern ones: flat parameters of version 0.12 in sections, names with their `@`, numbered rules as sections.
//!
//! What the flat parameters become, the tables of the configuration say; here they are moved in the text, with the comments above and behind
//! them.

use super::doc::{Item, Param, Section, Value};
use super::renamed;
use crate::check::known;
use crate::check::subject::{kind_of, value as text_of};
use crate::config::compat::modern;
use crate::config::{Element, Span};
use std::collections::HashMap;

/// Flat parameters that only say how others are to be read.
const AIDES: [&str; 8] = [
    "types_delimiter",
    "types_label_delimiter",
    "localtime",
    "utc",
    "include_time_key",
    "include_tag_key",
    "time_as_epoch",
    "time_slice_format",
];
/// The names without `@` that sections of plugins may have.
const NAMES: [(&str, &str); 3] = [("type", "@type"), ("id", "@id"), ("log_level", "@log_level")];
const PLUGINS: [&str; 8] = ["source", "filter", "match", "store", "secondary", "parse", "format", "buffer"];

/// A section that flat parameters become.
#[derive(Clone, Debug)]
pub struct Made {
    name: String,
    arg: String,
    /// Names and values; a value is that of a flat parameter, by its place, or is derived from one.
    params: Vec<(String, Source)>,
    /// The sub-sections that go along, by their places.
    children: Vec<Span>,
}

#[derive(Clone, Debug)]
enum Source {
    Flat(Span),
    Derived(String, Span),
}

/// What becomes of the flat parameters of a section.
#[derive(Clone, Debug, Default)]
pub struct Change {
    made: Vec<Made>,
    /// The parameters that go.
    gone: Vec<Span>,
}

/// The changes of a whole configuration by the places of the sections: `before` as it is written, `after` with its flat parameters moved.
pub fn changes(before: &Element, after: &Element, into: &mut HashMap<Span, Change>) {
    let change = change(before, after);
    if !change.made.is_empty() {
        into.insert(before.span, change);
    }
    for child in &before.children {
        if let Some(other) =
            after.children.iter().find(|other| other.span == child.span && other.name == child.name && !is_made(other, before))
        {
            changes(child, other, into);
        }
    }
}

/// Whether a section was made of flat parameters of `around`.
fn is_made(section: &Element, around: &Element) -> bool {
    section.plain && !around.children.iter().any(|child| child.span == section.span)
}

/// The parameters of a section that the sections made of them replace.
pub fn moved<'e>(before: &'e Element, after: &Element) -> Vec<&'e crate::config::Param> {
    let made: Vec<&Element> = after.children.iter().filter(|child| is_made(child, before)).collect();
    let Some((own, kinds)) = known::row(before, kind_of(before)).filter(|_| !made.is_empty()) else { return Vec::new() };
    let is_moved = |param: &&crate::config::Param| {
        let is_numbered = param.key.strip_prefix("format").is_some_and(|number| number.parse::<u8>().is_ok());
        let is_in_table = modern(kinds, &param.key).is_some_and(|(section, _)| made.iter().any(|made| made.name == section));
        let is_copied = made.iter().any(|made| made.params.iter().any(|copy| copy.span == param.span));
        own.declared(&param.key).is_none() && (is_in_table || is_copied || is_numbered || AIDES.contains(&param.key.as_str()))
    };
    before.params.iter().filter(is_moved).collect()
}

fn change(before: &Element, after: &Element) -> Change {
    let gone = moved(before, after).iter().map(|param| param.span).collect();
    let has = |key: &str| before.param(key).is_some();
    let made = after.children.iter().filter(|child| is_made(child, before)).map(|section| {
        let source = |param: &crate::config::Param| {
            let text = text_of(param).unwrap_or_default();
            let origin = before.params.iter().find(|flat| flat.span == param.span || flat.value_span == param.value_span);
            match origin {
                Some(flat) if flat.span == param.span && flat.value == param.value => Source::Flat(flat.span),
                Some(flat) if text_of(flat) == Some(text) => Source::Flat(flat.span),
                // Expressions stay between their slashes, and types with their commas.
                Some(flat) if param.key == "expression" && text_of(flat).is_some_and(|flat| flat == format!("/{text}/")) => {
                    Source::Flat(flat.span)
                }
                Some(flat) if param.key == "types" && !has("types_delimiter") && !has("types_label_delimiter") => Source::Flat(flat.span),
                Some(flat) => Source::Derived(text.to_owned(), flat.span),
                None => Source::Derived(text.to_owned(), param.span),
            }
        };
        let mut params: Vec<(String, Source)> = section.params.iter().map(|param| (param.key.clone(), source(param))).collect();
        params.sort_by_key(|(key, _)| ["@type", "expression"].iter().position(|first| key == first).unwrap_or(2));
        let children = section.children.iter().map(|child| child.span).collect();
        Made { name: section.name.clone(), arg: section.arg.clone(), params, children }
    });
    Change { made: made.collect(), gone }
}

/// Something that cannot be brought into its modern form, and why.
pub type Stays = (Span, String);

/// Makes comments of parameters that are given again below: the last one counts.
pub fn drop_repeated(items: &mut [Item]) {
    for at in 0..items.len() {
        let (first, rest) = items.split_at_mut(at + 1);
        match &mut first[at] {
            Item::Section(section) => drop_repeated(&mut section.items),
            Item::Param(param) => {
                if !param.key.is_empty() && rest.iter().any(|item| matches!(item, Item::Param(other) if other.key == param.key)) {
                    let written = param.value.written.clone().or_else(|| param.value.text()).unwrap_or_default();
                    let comment = format!("# {} {}", param.key, written.replace(['\r', '\n'], " "));
                    first[at] = Item::Comment(comment.trim_end().to_owned());
                }
            }
            Item::Gap | Item::Comment(_) | Item::Include(_) => {}
        }
    }
}

/// Brings items into their modern form; what stays as it is, is said.
pub fn modernise(items: &mut [Item], changes: &HashMap<Span, Change>, stays: &mut Vec<Stays>) {
    for item in items {
        let Item::Section(section) = item else { continue };
        if let Some(change) = changes.get(&section.span)
            && let Err(why) = apply(section, change)
        {
            stays.push(why);
        }
        if PLUGINS.contains(&section.name.as_str()) {
            names(section);
            renamed::rename(section);
        }
        if let Err(why) = renamed::conditions(section) {
            stays.push(why);
        }
        if let Err(why) = rewrite_rules(section) {
            stays.push(why);
        }
        modernise(&mut section.items, changes, stays);
    }
}

fn names(section: &mut Section) {
    for (old, new) in NAMES {
        let is = |item: &Item, name: &str| matches!(item, Item::Param(param) if param.key == name);
        if section.items.iter().any(|item| is(item, new)) {
            continue;
        }
        for item in &mut section.items {
            match item {
                Item::Param(param) if param.key == old => (param.key, param.written_key) = (new.to_owned(), None),
                _ => {}
            }
        }
    }
}

fn find(section: &Section, span: Span) -> Option<&Param> {
    section.items.iter().find_map(|item| match item {
        Item::Param(param) if param.span == span => Some(param),
        _ => None,
    })
}

/// Takes out an item with the comments above it.
pub fn take(items: &mut Vec<Item>, is_it: impl Fn(&Item) -> bool) -> Vec<Item> {
    let Some(at) = items.iter().position(is_it) else { return Vec::new() };
    let comments = items[..at].iter().rev().take_while(|item| matches!(item, Item::Comment(_))).count();
    // What stands at the top of a section is most likely about all of it.
    let from = if comments == at { at } else { at - comments };
    items.drain(from..=at).collect()
}

fn apply(section: &mut Section, change: &Change) -> Result<(), Stays> {
    for (_, source) in change.made.iter().flat_map(|made| &made.params) {
        let (Source::Flat(span) | Source::Derived(_, span)) = source;
        let Some(param) = find(section, *span) else {
            return Err((
                *span,
                "a flat parameter of an included file stays flat: the section that it goes to would be elsewhere".to_owned(),
            ));
        };
        if matches!(source, Source::Derived(..)) && param.value.text().is_none() {
            return Err((*span, format!("'{}' stays flat: what it becomes depends on embedded Ruby", param.key)));
        }
    }
    let mut sections = Vec::new();
    for made in &change.made {
        let mut items = Vec::new();
        for (key, source) in &made.params {
            match source {
                Source::Flat(span) if change.gone.contains(span) => {
                    let first = take(&mut section.items, |item| matches!(item, Item::Param(param) if param.span == *span));
                    if first.is_empty() {
                        // It went into another section already, which is beside this one.
                        let copy =
                            sections.iter().chain([]).find_map(|other: &Section| find(other, *span)).or_else(|| find_in(&items, *span));
                        items.extend(
                            copy.map(|param| Item::Param(Param { key: key.clone(), written_key: None, behind: None, ..param.clone() })),
                        );
                        continue;
                    }
                    items.extend(first.into_iter().map(|item| match item {
                        Item::Param(param) => Item::Param(Param { key: key.clone(), written_key: None, ..param }),
                        other => other,
                    }));
                }
                Source::Flat(span) => {
                    items.extend(
                        find(section, *span)
                            .map(|param| Item::Param(Param { key: key.clone(), written_key: None, behind: None, ..param.clone() })),
                    );
                }
                Source::Derived(text, span) => {
                    items.push(Item::Param(Param {
                        key: key.clone(),
                        written_key: None,
                        value: Value::of(text),
                        span: *span,
                        behind: None,
                    }));
                }
            }
        }
        for child in &made.children {
            items.extend(take(&mut section.items, |item| matches!(item, Item::Section(section) if section.span == *child)));
        }
        let arg = (!made.arg.is_empty()).then(|| Value::of(&made.arg));
        // It stands where the first of its parameters stood.
        let span = made.params.first().map_or_else(Span::default, |(_, Source::Flat(span) | Source::Derived(_, span))| *span);
        sections.push(Section { name: made.name.clone(), arg, items, span, behind: None, after: None });
    }
    for span in &change.gone {
        // Those that others were derived from; the comments above stay.
        if let Some(at) = section.items.iter().position(|item| matches!(item, Item::Param(param) if param.span == *span)) {
            let Item::Param(param) = section.items.remove(at) else { continue };
            if let Some(comment) = param.behind {
                section.items.insert(at, Item::Comment(comment));
            }
        }
    }
    section.items.extend(sections.into_iter().map(Item::Section));
    Ok(())
}

fn find_in(items: &[Item], span: Span) -> Option<&Param> {
    items.iter().find_map(|item| match item {
        Item::Param(param) if param.span == span => Some(param),
        _ => None,
    })
}

/// The number of a `rewriterule1` and its like.
fn rule_number(key: &str) -> Option<u64> {
    key.strip_prefix("rewriterule").and_then(|digits| digits.parse().ok())
}

/// Key, expression, tag, and whether the expression is not to match.
pub fn rule_of(text: &str) -> Option<[String; 4]> {
    let (key, rest) = text.split_once(char::is_whitespace)?;
    let (written, tag) = rest.trim().rsplit_once(char::is_whitespace)?;
    let written = written.trim();
    let inner = written.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(written);
    let pattern = inner.strip_prefix('!').unwrap_or(inner);
    let invert = written.starts_with('!');
    // Between slashes a pattern would be read as such.
    (!key.is_empty() && !pattern.is_empty() && !pattern.starts_with('/') && invert == inner.starts_with('!'))
        .then(|| [key.to_owned(), pattern.to_owned(), tag.to_owned(), invert.to_string()])
}

fn rewrite_rules(section: &mut Section) -> Result<(), Stays> {
    let is_rewrite = section.items.iter().any(
        |item| matches!(item, Item::Param(param) if param.key == "@type" && param.value.text().as_deref() == Some("rewrite_tag_filter")),
    );
    let mut rules: Vec<(u64, Param)> = Vec::new();
    for item in &section.items {
        if let Item::Param(param) = item
            && let Some(number) = rule_number(&param.key).filter(|_| is_rewrite)
        {
            rules.push((number, param.clone()));
        }
    }
    rules.sort_by_key(|(number, _)| *number);
    let has_rules = section.items.iter().any(|item| matches!(item, Item::Section(inner) if inner.name == "rule"));
    for (_, param) in &rules {
        if has_rules || param.value.text().and_then(|text| rule_of(&text)).is_none() {
            return Err((param.span, format!("'{}' stays as it is: it has no exact counterpart in <rule>", param.key)));
        }
    }
    for (_, param) in rules {
        let Some([key, pattern, tag, invert]) = param.value.text().and_then(|text| rule_of(&text)) else { continue };
        let taken = take(&mut section.items, |item| matches!(item, Item::Param(other) if other.span == param.span));
        section.items.extend(taken.into_iter().filter(|item| matches!(item, Item::Comment(_))));
        let line = |key: &str, value: &str| {
            Item::Param(Param { key: key.to_owned(), written_key: None, value: Value::of(value), span: param.span, behind: None })
        };
        let mut items =
            vec![line("key", &key), line("pattern", &format!("/{}/", pattern.replace("\\/", "/").replace('/', "\\/"))), line("tag", &tag)];
        if invert == "true" {
            items.push(line("invert", "true"));
        }
        let span = param.span;
        section.items.push(Item::Section(Section { name: "rule".to_owned(), arg: None, items, span, behind: param.behind, after: None }));
    }
    Ok(())
}
