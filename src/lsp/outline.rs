//! A text as a whole: its sections as symbols, what can be folded, and its canonical layout.

use super::cursor::{end_of, kind_of, name_span, text_of};
use super::documents::Document;
use super::position::{Encoding, Lines};
use super::session::Client;
use crate::config::tree::{Node, SectionNode};
use crate::config::{Diagnostics, Span, format, v1};
use serde_json::{Value, json};

/// Kinds of symbols, as the protocol numbers them.
const NAMESPACE: u8 = 3;
const CLASS: u8 = 5;
const PROPERTY: u8 = 7;
const FUNCTION: u8 = 12;
const EVENT: u8 = 24;

/// The sections of a text.
pub fn symbols(document: &Document, client: &Client) -> Value {
    let tree = v1::parse(&document.text, 0, &Diagnostics::new());
    let lines = Lines::new(&document.text, client.encoding);
    if client.takes_tree {
        return tree_of(&tree.nodes, &document.text, &lines).into();
    }
    let mut flat = Vec::new();
    flatten(&tree.nodes, document, &lines, "", &mut flat);
    flat.into()
}

fn whole(section: &SectionNode) -> Span {
    Span { end: end_of(section), ..section.open }
}

/// `match app.**`.
fn title(section: &SectionNode, text: &str) -> String {
    match &section.arg {
        Some(arg) => format!("{} {}", section.name, text_of(text, arg.span)),
        None if section.name.is_empty() => "<>".to_owned(),
        None => section.name.clone(),
    }
}

fn symbol_kind(section: &SectionNode) -> u8 {
    match section.name.as_str() {
        "label" | "worker" => NAMESPACE,
        "source" => EVENT,
        "filter" => FUNCTION,
        "match" | "store" | "secondary" => CLASS,
        _ => PROPERTY,
    }
}

fn tree_of(nodes: &[Node], text: &str, lines: &Lines<'_>) -> Vec<Value> {
    let sections = nodes.iter().filter_map(|node| match node {
        Node::Section(section) => Some(section),
        _ => None,
    });
    let symbol = |section: &SectionNode| {
        json!({
            "name": title(section, text),
            "detail": kind_of(section),
            "kind": symbol_kind(section),
            "range": lines.span(whole(section)),
            "selectionRange": lines.span(name_span(section)),
            "children": tree_of(&section.children, text, lines),
        })
    };
    sections.map(symbol).collect()
}

fn flatten(nodes: &[Node], document: &Document, lines: &Lines<'_>, around: &str, found: &mut Vec<Value>) {
    for node in nodes {
        if let Node::Section(section) = node {
            let name = title(section, &document.text);
            found.push(json!({
                "name": name,
                "kind": symbol_kind(section),
                "location": { "uri": document.uri, "range": lines.span(whole(section)) },
                "containerName": around,
            }));
            flatten(&section.children, document, lines, &name, found);
        }
    }
}

/// Sections of several lines.
pub fn folds(document: &Document, encoding: Encoding) -> Value {
    let tree = v1::parse(&document.text, 0, &Diagnostics::new());
    let lines = Lines::new(&document.text, encoding);
    let mut found = Vec::new();
    fold(&tree.nodes, &lines, &mut found);
    found.into()
}

fn fold(nodes: &[Node], lines: &Lines<'_>, found: &mut Vec<Value>) {
    for node in nodes {
        if let Node::Section(section) = node {
            let (first, last) = (lines.line_of(section.open.start as usize), lines.line_of(end_of(section).saturating_sub(1) as usize));
            if last > first {
                found.push(json!({ "startLine": first, "endLine": last }));
            }
            fold(&section.children, lines, found);
        }
    }
}

/// The edits that lead to the canonical layout: one, of the lines that change. Null where the text has faults, which are said elsewhere.
pub fn format(document: &Document, encoding: Encoding) -> Value {
    let Ok(formatted) = format::format("text", &document.text, &Diagnostics::new()) else { return Value::Null };
    let (old, new) = (document.text.as_str(), formatted.as_str());
    if old == new {
        return json!([]);
    }
    let (old_lines, new_lines): (Vec<&str>, Vec<&str>) = (old.split_inclusive('\n').collect(), new.split_inclusive('\n').collect());
    let same = |(a, b): &(&&str, &&str)| a == b;
    let head = old_lines.iter().zip(&new_lines).take_while(same).count();
    let tail = old_lines[head..].iter().rev().zip(new_lines[head..].iter().rev()).take_while(same).count();
    let bytes = |lines: &[&str]| lines.iter().map(|line| line.len()).sum::<usize>();
    let start = bytes(&old_lines[..head]);
    let end = old.len() - bytes(&old_lines[old_lines.len() - tail..]);
    let text = &new[start..new.len() - bytes(&new_lines[new_lines.len() - tail..])];
    json!([{ "range": Lines::new(old, encoding).range(start, end), "newText": text }])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str) -> Document {
        Document { uri: "untitled:1".to_owned(), path: None, version: Value::Null, text: text.to_owned() }
    }

    #[test]
    fn only_the_lines_that_change_are_edited() {
        let edits = format(&document("# é\n<a>\nb c\n</a>\n# end\n"), Encoding::Utf16);
        let range = json!({ "start": { "line": 2, "character": 0 }, "end": { "line": 3, "character": 0 } });
        assert_eq!(edits, json!([{ "range": range, "newText": "  b c\n" }]));
        assert_eq!(format(&document("<a>\n</a>\n"), Encoding::Utf16), json!([]));
        assert_eq!(format(&document("<a>\n"), Encoding::Utf16), Value::Null);
    }

    #[test]
    fn symbols_and_folds_of_a_text_that_is_not_finished() {
        let document = document("<label @A>\n  <match **>\n    @type stdout\n");
        let client = Client { takes_tree: true, ..Client::default() };
        let symbols = symbols(&document, &client);
        assert_eq!((symbols[0]["name"].as_str(), symbols[0]["children"][0]["detail"].as_str()), (Some("label @A"), Some("stdout")));
        assert_eq!(super::symbols(&document, &Client::default()).as_array().map(Vec::len), Some(2));
        assert_eq!(folds(&document, Encoding::Utf16).as_array().map(Vec::len), Some(2));
    }
}
