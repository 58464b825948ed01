//! A configuration between two languages: sections, parameters and includes in their order, with their comments, and values both as they were
//! written and as what they mean.

use crate::config::Span;
use crate::config::tree::{Form, Literal, Node, Part};

/// One thing of a configuration.
#[derive(Clone, Debug)]
pub enum Item {
    /// An empty line.
    Gap,
    /// A comment on a line of its own, with its `#`.
    Comment(String),
    /// `key value`.
    Param(Param),
    /// An include.
    Include(Include),
    /// A section.
    Section(Section),
}

/// A parameter.
#[derive(Clone, Debug)]
pub struct Param {
    /// Its name; empty where embedded Ruby says it.
    pub key: String,
    /// The name as it is written, where it has quotes.
    pub written_key: Option<String>,
    /// Its value.
    pub value: Value,
    /// Where it stands.
    pub span: Span,
    /// The comment behind it.
    pub behind: Option<String>,
}

/// An include.
#[derive(Clone, Debug)]
pub struct Include {
    /// What is included.
    pub uri: Value,
    /// Where it stands.
    pub span: Span,
    /// The comment behind it.
    pub behind: Option<String>,
}

/// A section.
#[derive(Clone, Debug)]
pub struct Section {
    /// Its name.
    pub name: String,
    /// What stands behind the name.
    pub arg: Option<Value>,
    /// What it holds.
    pub items: Vec<Item>,
    /// Where its opening tag stands.
    pub span: Span,
    /// The comment behind the opening tag.
    pub behind: Option<String>,
    /// The comment behind the closing tag.
    pub after: Option<String>,
}

/// A value.
#[derive(Clone, Debug, Default)]
pub struct Value {
    /// As it is written in the v1 syntax, where it comes from there.
    pub written: Option<String>,
    /// Texts and embedded Ruby.
    pub parts: Vec<Part>,
    /// Whether it is JSON.
    pub is_json: bool,
}

impl Value {
    /// A text.
    pub fn of(text: &str) -> Value {
        Value { parts: vec![Part::Text(text.to_owned())], ..Value::default() }
    }

    /// The text, where there is no embedded Ruby in it.
    pub fn text(&self) -> Option<String> {
        let mut all = String::new();
        for part in &self.parts {
            let Part::Text(text) = part else { return None };
            all.push_str(text);
        }
        Some(all)
    }

    fn read(literal: &Literal, source: &str, is_v0: bool) -> Value {
        let raw = source.get(literal.span.start as usize..literal.span.end as usize).unwrap_or_default();
        Value { written: (!is_v0).then(|| raw.to_owned()), parts: literal.parts.clone(), is_json: literal.form == Form::Json }
    }
}

/// The items of a tree whose text this is; the old syntax has no quotes.
pub fn read(nodes: &[Node], source: &str, is_v0: bool) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    // What stands since the last item, and whether that was on this line.
    let mut gap = String::new();
    let value = |literal: &Option<Literal>| literal.as_ref().map(|literal| Value::read(literal, source, is_v0));
    for node in nodes {
        let item = match node {
            Node::Blank(span) => {
                gap.push_str(raw(source, *span));
                continue;
            }
            Node::Comment(span) => {
                let text = raw(source, *span).trim_end().to_owned();
                let is_behind = !gap.contains('\n');
                match items.last_mut() {
                    Some(Item::Param(Param { behind, .. }) | Item::Include(Include { behind, .. })) if is_behind => *behind = Some(text),
                    Some(Item::Section(section)) if is_behind => section.after = Some(text),
                    _ => {
                        add_gap(&mut items, &gap);
                        items.push(Item::Comment(text));
                    }
                }
                gap.clear();
                continue;
            }
            Node::Param(param) => Item::Param(Param {
                key: param.key.plain_text().unwrap_or_default().to_owned(),
                written_key: (param.key.form != Form::Plain && !is_v0).then(|| raw(source, param.key.span).to_owned()),
                value: value(&param.value).unwrap_or_else(|| Value { written: Some(String::new()), ..Value::default() }),
                span: param.span,
                behind: None,
            }),
            Node::Include(include) => {
                Item::Include(Include { uri: value(&include.uri).unwrap_or_default(), span: include.span, behind: None })
            }
            Node::Section(section) => {
                let mut inner = read(&section.children, source, is_v0);
                let is_behind = section.children.iter().find(|child| !matches!(child, Node::Blank(_)));
                let before = section.children.iter().take_while(|child| matches!(child, Node::Blank(_)));
                let newline = before.into_iter().any(|child| matches!(child, Node::Blank(span) if raw(source, *span).contains('\n')));
                let behind = match (is_behind, inner.first()) {
                    (Some(Node::Comment(_)), Some(Item::Comment(text))) if !newline && !raw(source, section.open).contains('\n') => {
                        Some(text.clone())
                    }
                    _ => None,
                };
                if behind.is_some() {
                    inner.remove(0);
                }
                Item::Section(Section {
                    name: section.name.clone(),
                    arg: value(&section.arg),
                    items: inner,
                    span: section.open,
                    behind,
                    after: None,
                })
            }
            // Without a fault there is none that says anything.
            Node::Broken(_) => continue,
        };
        add_gap(&mut items, &gap);
        gap.clear();
        items.push(item);
    }
    items
}

fn add_gap(items: &mut Vec<Item>, gap: &str) {
    if gap.matches('\n').count() > 1 && !items.is_empty() {
        items.push(Item::Gap);
    }
}

fn raw(source: &str, span: Span) -> &str {
    source.get(span.start as usize..span.end as usize).unwrap_or_default()
}
