//! A YAML document as a tree of nodes with their places: anchors and merge keys resolved, includes read.

use super::super::Span;
use super::{Yaml, scalar};
use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Tag};
use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;

/// How deep a document may be nested.
const MAX_DEPTH: usize = 64;

/// One value.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Where it stands.
    pub span: Span,
    /// What it is.
    pub content: Content,
    /// How many levels there are in it, those behind aliases included.
    pub height: usize,
}

/// What a value is.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// A scalar.
    Scalar(scalar::Scalar),
    /// A text with embedded Ruby (`!fluent/s`).
    Ruby(String),
    /// What is to be shown as JSON (`!fluent/json`).
    Json(Rc<Node>),
    /// A list.
    List(Vec<Rc<Node>>),
    /// A map in the order of its keys; a repeated key has its last value at its first place.
    Map(Vec<(String, Rc<Node>)>),
}

impl Node {
    /// A node with these contents.
    pub(super) fn new(span: Span, content: Content) -> Node {
        let height = 1 + match &content {
            Content::Scalar(_) | Content::Ruby(_) => 0,
            Content::Json(inner) => inner.height,
            Content::List(items) => items.iter().map(|item| item.height).max().unwrap_or(0),
            Content::Map(entries) => entries.iter().map(|(_, node)| node.height).max().unwrap_or(0),
        };
        Node { span, content, height }
    }

    /// The value of a key, where this is a map.
    pub(super) fn get(&self, key: &str) -> Option<&Rc<Node>> {
        match &self.content {
            Content::Map(entries) => entries.iter().find(|(known, _)| known == key).map(|(_, node)| node),
            _ => None,
        }
    }
}

/// Reads the first document of a text.
pub(super) fn parse(text: &str, file: u32, yaml: &mut Yaml<'_>, dir: &Path) -> Option<Rc<Node>> {
    let offsets: Vec<u32> = text.char_indices().map(|(at, _)| at as u32).chain([text.len() as u32]).collect();
    let mut builder = Builder { events: Parser::new_from_str(text), offsets, file, yaml, dir, anchors: HashMap::new() };
    match builder.document() {
        Ok(node) => node,
        Err(Fault::Scan(error)) => {
            let at = builder.offset(error.marker().index());
            let span = Span { file, start: at, end: at };
            builder.yaml.diagnostics.error("FLM0117", Some(span), format!("YAML cannot be read: {}", error.info()));
            None
        }
        Err(Fault::Said) => None,
    }
}

/// Why reading stopped.
enum Fault {
    Scan(ScanError),
    /// It is in the diagnostics.
    Said,
}

impl From<ScanError> for Fault {
    fn from(error: ScanError) -> Fault {
        Fault::Scan(error)
    }
}

struct Builder<'b, 'a, 'i> {
    events: Parser<'i, saphyr_parser::StrInput<'i>>,
    /// The byte at which each character starts.
    offsets: Vec<u32>,
    file: u32,
    yaml: &'b mut Yaml<'a>,
    dir: &'b Path,
    anchors: HashMap<usize, Rc<Node>>,
}

impl<'i> Builder<'_, '_, 'i> {
    fn offset(&self, character: usize) -> u32 {
        self.offsets.get(character).or(self.offsets.last()).copied().unwrap_or(0)
    }

    fn next(&mut self) -> Result<Option<(Event<'i>, Span)>, Fault> {
        let Some(next) = self.events.next_event() else { return Ok(None) };
        let (event, place) = next?;
        let span = Span { file: self.file, start: self.offset(place.start.index()), end: self.offset(place.end.index()) };
        Ok(Some((event, span)))
    }

    fn document(&mut self) -> Result<Option<Rc<Node>>, Fault> {
        while let Some((event, span)) = self.next()? {
            match event {
                Event::Nothing | Event::StreamStart | Event::DocumentStart(_) => {}
                Event::StreamEnd | Event::DocumentEnd => break,
                event => {
                    let node = self.node(event, span, 0)?;
                    // The rest is read for its faults only.
                    while self.next()?.is_some() {}
                    return Ok(Some(node));
                }
            }
        }
        let start = Span { file: self.file, start: 0, end: 0 };
        self.yaml.diagnostics.error("FLM0117", Some(start), "the YAML text is empty: expected a map with 'system' and 'config'");
        Ok(None)
    }

    fn node(&mut self, event: Event<'i>, span: Span, depth: usize) -> Result<Rc<Node>, Fault> {
        if depth > MAX_DEPTH {
            self.yaml.diagnostics.error("FLM0113", Some(span), format!("YAML is nested deeper than {MAX_DEPTH}"));
            return Err(Fault::Said);
        }
        let (content, anchor, tag) = match event {
            Event::Alias(anchor) => {
                return Ok(self.anchors.get(&anchor).cloned().unwrap_or_else(|| {
                    self.yaml.diagnostics.error("FLM0117", Some(span), "an alias within the value that it stands for");
                    Rc::new(Node::new(span, Content::List(Vec::new())))
                }));
            }
            Event::Scalar(text, style, anchor, tag) => (self.scalar(&text, style, tag.as_deref(), span), anchor, tag),
            Event::SequenceStart(anchor, tag) => (self.list(depth)?, anchor, tag),
            Event::MappingStart(anchor, tag) => (self.map(depth)?, anchor, tag),
            _ => {
                self.yaml.diagnostics.error("FLM0117", Some(span), "expected a value");
                return Err(Fault::Said);
            }
        };
        let mut node = Rc::new(Node::new(span, content));
        if tag.as_deref().is_some_and(|tag| name_of(tag) == "fluent/json") {
            node = Rc::new(Node::new(span, Content::Json(node)));
        }
        if node.height > MAX_DEPTH {
            self.yaml.diagnostics.error("FLM0113", Some(span), format!("YAML is nested deeper than {MAX_DEPTH}, aliases included"));
            return Err(Fault::Said);
        }
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Content {
        let plain = style == ScalarStyle::Plain;
        match tag.map(|tag| (name_of(tag), tag.is_yaml_core_schema())) {
            Some(("fluent/s", _)) => Content::Ruby(text.to_owned()),
            Some(("include", _)) => self.yaml.include(text, self.dir, span).content,
            Some(("str", true)) => Content::Scalar(scalar::Scalar::Text(text.to_owned())),
            _ if plain => Content::Scalar(scalar::resolve(text)),
            _ => Content::Scalar(scalar::Scalar::Text(text.to_owned())),
        }
    }

    fn list(&mut self, depth: usize) -> Result<Content, Fault> {
        let mut items = Vec::new();
        while let Some((event, span)) = self.next()? {
            if event == Event::SequenceEnd {
                break;
            }
            items.push(self.node(event, span, depth + 1)?);
        }
        Ok(Content::List(items))
    }

    fn map(&mut self, depth: usize) -> Result<Content, Fault> {
        let mut entries: Vec<(String, Rc<Node>)> = Vec::new();
        while let Some((event, span)) = self.next()? {
            if event == Event::MappingEnd {
                break;
            }
            let key = self.node(event, span, depth + 1)?;
            let Some((event, span)) = self.next()? else { break };
            let value = self.node(event, span, depth + 1)?;
            let key = match &key.content {
                Content::Scalar(scalar) => scalar.text(),
                _ => {
                    self.yaml.diagnostics.error("FLM0117", Some(key.span), "the name of a parameter or section is a text");
                    continue;
                }
            };
            match &value.content {
                Content::Map(merged) if key == "<<" => merged.iter().for_each(|(key, value)| set(&mut entries, key, value.clone())),
                _ => set(&mut entries, &key, value),
            }
        }
        Ok(Content::Map(entries))
    }
}

fn set(entries: &mut Vec<(String, Rc<Node>)>, key: &str, value: Rc<Node>) {
    match entries.iter_mut().find(|(known, _)| known == key) {
        Some(entry) => entry.1 = value,
        None => entries.push((key.to_owned(), value)),
    }
}

/// A tag's name without its leading `!`.
fn name_of(tag: &Tag) -> &str {
    tag.suffix.trim_start_matches(['!', '/'])
}
