//! From names to what they stand for: labels to their sections and back, includes to their files.

use super::cursor::{At, find, params, plain};
use super::documents::Document;
use super::position::Encoding;
use super::project::{Project, Text};
use crate::config::Span;
use crate::config::tree::{Node, SectionNode, Tree};
use serde_json::{Value, json};
use std::path::Path;

/// A place that names a label.
pub struct Named<'t> {
    /// The text that it is in.
    pub text: &'t Text,
    /// Where the name stands.
    pub span: Span,
    /// The label's own section, where it is that which names it.
    pub section: Option<&'t SectionNode>,
    /// The name.
    pub label: &'t str,
    /// The section that the name stands in, for those that send to it.
    pub within: Option<&'t SectionNode>,
}

/// All places that name a label: its sections, and the parameters that send to it.
pub fn labels(texts: &[Text]) -> Vec<Named<'_>> {
    let mut found = Vec::new();
    texts.iter().for_each(|text| collect(text, &text.tree.nodes, None, &mut found));
    found
}

fn collect<'t>(text: &'t Text, nodes: &'t [Node], within: Option<&'t SectionNode>, found: &mut Vec<Named<'t>>) {
    for param in params(nodes) {
        let Some(value) = &param.value else { continue };
        let is_name = param.key.plain_text().is_some_and(|key| !matches!(key, "@type" | "@id" | "type" | "id"));
        if let Some(label) = plain(param).filter(|label| is_name && label.starts_with('@')) {
            found.push(Named { text, span: value.span, section: None, label, within });
        }
    }
    for node in nodes {
        if let Node::Section(section) = node {
            let arg = section.arg.as_ref().filter(|_| section.name == "label");
            if let Some((arg, label)) = arg.and_then(|arg| Some((arg, arg.plain_text()?))) {
                found.push(Named { text, span: arg.span, section: Some(section), label, within });
            }
            collect(text, &section.children, Some(section), found);
        }
    }
}

/// The label that is named at a place.
pub fn label_at(tree: &Tree, offset: usize) -> Option<&str> {
    let label = match find(tree, offset).at {
        At::Value(param, _) => plain(param),
        At::Argument(section, arg) if section.name == "label" => arg.plain_text(),
        _ => None,
    };
    label.filter(|label| label.starts_with('@'))
}

/// Where what is at a place is defined.
pub fn definition(project: &Project<'_>, document: &Document, offset: usize, encoding: Encoding) -> Value {
    let texts = project.around(&document.uri);
    let Some(own) = texts.first() else { return Value::Null };
    if let At::Include(include) = find(&own.tree, offset).at {
        let dir = own.path.parent().unwrap_or(Path::new(""));
        let start = json!({ "line": 0, "character": 0 });
        let place = |path: &Path| {
            let uri = project.documents.of_path(path).map_or_else(|| super::documents::uri_of(path), |document| document.uri.clone());
            json!({ "uri": uri, "range": { "start": start, "end": start } })
        };
        return project.targets(include, dir).iter().map(|path| place(path)).collect();
    }
    let Some(label) = label_at(&own.tree, offset) else { return Value::Null };
    let sections = labels(&texts).into_iter().filter(|named| named.section.is_some() && named.label == label);
    sections.map(|named| named.text.location(named.span, encoding)).collect()
}

/// All places that name the label at a place.
pub fn references(project: &Project<'_>, document: &Document, offset: usize, with_declaration: bool, encoding: Encoding) -> Value {
    let texts = project.around(&document.uri);
    let Some(label) = texts.first().and_then(|own| label_at(&own.tree, offset)) else { return Value::Null };
    let named = labels(&texts).into_iter().filter(|named| named.label == label && (with_declaration || named.section.is_none()));
    named.map(|named| named.text.location(named.span, encoding)).collect()
}
