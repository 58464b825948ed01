//! The lossless syntax tree of one configuration text: every byte belongs to one node, comments and faults included.
//!
//! It knows no values: embedded Ruby stays a node of its own, and files that are included are only named.

use super::Span;

/// One text as it was written.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// Number of its source.
    pub file: u32,
    /// What stands at its top.
    pub nodes: Vec<Node>,
}

/// One thing in a text.
#[derive(Clone, Debug)]
pub enum Node {
    /// Blanks and line ends.
    Blank(Span),
    /// `# ...` up to the end of its line.
    Comment(Span),
    /// `key value`.
    Param(ParamNode),
    /// `@include uri`.
    Include(IncludeNode),
    /// `<name arg> ... </name>`.
    Section(SectionNode),
    /// What could not be read; said in the diagnostics.
    Broken(Span),
}

/// A parameter.
#[derive(Clone, Debug)]
pub struct ParamNode {
    /// From the key to the end of the value.
    pub span: Span,
    /// Its name.
    pub key: Literal,
    /// Its value; `None` where the line ends behind the key.
    pub value: Option<Literal>,
}

/// An include.
#[derive(Clone, Debug)]
pub struct IncludeNode {
    /// From the key to the end of the value.
    pub span: Span,
    /// What is included; `None` where nothing follows the key.
    pub uri: Option<Literal>,
    /// Whether the old form without `@` was used.
    pub old: bool,
}

/// A section.
#[derive(Clone, Debug)]
pub struct SectionNode {
    /// The opening tag.
    pub open: Span,
    /// Its name; empty for `<>`.
    pub name: String,
    /// What stands behind the name.
    pub arg: Option<Literal>,
    /// What it holds.
    pub children: Vec<Node>,
    /// The closing tag; `None` where it is missing.
    pub close: Option<Span>,
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As it is, up to the end of the line.
    Plain,
    /// `'...'`.
    Single,
    /// `"..."`.
    Double,
    /// `[...]` or `{...}`.
    Json,
}

/// A key, an argument or a value.
#[derive(Clone, Debug)]
pub struct Literal {
    /// With its quotes.
    pub span: Span,
    /// How it is written.
    pub form: Form,
    /// Its text, escapes resolved, and the embedded Ruby within. JSON that is broken has none.
    pub parts: Vec<Part>,
}

/// A piece of a literal.
#[derive(Clone, Debug)]
pub enum Part {
    /// Text.
    Text(String),
    /// The inside of `#{...}`.
    Code(String, Span),
}

impl Literal {
    /// The text where there is no embedded Ruby in it.
    pub fn plain_text(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }
}

impl Tree {
    /// The spans of all leaves in the order of the text: together they are the whole text.
    pub fn leaves(&self) -> Vec<Span> {
        let mut leaves = Vec::new();
        collect_leaves(&self.nodes, &mut leaves);
        leaves
    }
}

fn collect_leaves(nodes: &[Node], into: &mut Vec<Span>) {
    for node in nodes {
        match node {
            Node::Blank(span) | Node::Comment(span) | Node::Broken(span) => into.push(*span),
            Node::Param(param) => into.push(param.span),
            Node::Include(include) => into.push(include.span),
            Node::Section(section) => {
                into.push(section.open);
                collect_leaves(&section.children, into);
                into.extend(section.close);
            }
        }
    }
}
