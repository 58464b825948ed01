//! A case file as a tree of YAML nodes, each with its place and its tag.
//!
//! Unquoted scalars are what YAML 1.2 makes of them: `null`, `true`, `false`, numbers, and otherwise texts.

use crate::config::{Diagnostics, Refused, Span};
use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, StrInput, Tag};
use std::collections::HashMap;

/// The code of what is no YAML.
const UNREADABLE: &str = "FLM0901";
/// How deep a file may be nested.
const MAX_DEPTH: usize = 64;
/// Nodes of a file, those behind aliases included.
const MAX_NODES: usize = 500_000;

/// Keys and values in their order.
pub type Entries = Vec<(Node, Node)>;

/// One value.
#[derive(Clone, Debug)]
pub struct Node {
    /// From its first byte to the end of its last scalar or bracket.
    pub span: Span,
    /// The name of its tag, without `!`; empty where it has none of its own.
    pub tag: String,
    /// What it is.
    pub kind: Kind,
}

/// What a value is.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A scalar, and whether it stands without quotes on its line.
    Scalar(String, bool),
    /// A list, and whether it stands in brackets.
    List(Vec<Node>, bool),
    /// A map with its keys in order, and whether it stands in brackets.
    Map(Entries, bool),
}

impl Node {
    /// The text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(text, _) => Some(text),
            _ => None,
        }
    }

    /// Whether there is nothing.
    pub fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar(text, true) if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        match &self.kind {
            Kind::Map(entries, _) => entries.iter().find(|(known, _)| known.text() == Some(key)).map(|(_, value)| value),
            _ => None,
        }
    }

    /// What it is, for messages.
    pub fn what(&self) -> &'static str {
        match &self.kind {
            _ if self.is_null() => "nothing",
            Kind::Scalar(..) => "a text or number",
            Kind::List(..) => "a list",
            Kind::Map(..) => "a map",
        }
    }
}

/// Reads the one document of source number `file`.
pub fn read(text: &str, file: u32, diagnostics: &Diagnostics) -> Result<Node, Refused> {
    let offsets: Vec<u32> = text.char_indices().map(|(at, _)| at as u32).chain([text.len() as u32]).collect();
    let mut reader =
        Reader { text, events: Parser::new_from_str(text), offsets, file, diagnostics, anchors: HashMap::new(), left: MAX_NODES };
    match reader.document() {
        Ok(node) => Ok(node),
        Err(Fault::Said(refused)) => Err(refused),
        Err(Fault::Scan(error)) => {
            let at = reader.offset(error.marker().index());
            Err(diagnostics.error(UNREADABLE, Some(Span { file, start: at, end: at }), format!("no YAML: {}", error.info())))
        }
    }
}

enum Fault {
    Scan(ScanError),
    Said(Refused),
}

impl From<ScanError> for Fault {
    fn from(error: ScanError) -> Fault {
        Fault::Scan(error)
    }
}

impl From<Refused> for Fault {
    fn from(refused: Refused) -> Fault {
        Fault::Said(refused)
    }
}

struct Reader<'r, 'i> {
    text: &'i str,
    events: Parser<'i, StrInput<'i>>,
    /// The byte at which each character starts.
    offsets: Vec<u32>,
    file: u32,
    diagnostics: &'r Diagnostics,
    anchors: HashMap<usize, Node>,
    left: usize,
}

impl<'i> Reader<'_, 'i> {
    fn offset(&self, character: usize) -> u32 {
        self.offsets.get(character).or(self.offsets.last()).copied().unwrap_or(0)
    }

    fn next(&mut self) -> Result<Option<(Event<'i>, Span)>, Fault> {
        let Some(next) = self.events.next_event() else { return Ok(None) };
        let (event, place) = next?;
        let span = Span { file: self.file, start: self.offset(place.start.index()), end: self.offset(place.end.index()) };
        Ok(Some((event, span)))
    }

    fn refuse(&self, span: Span, message: impl Into<String>) -> Fault {
        self.diagnostics.error(UNREADABLE, Some(span), message).into()
    }

    fn document(&mut self) -> Result<Node, Fault> {
        let mut document = None;
        while let Some((event, span)) = self.next()? {
            match event {
                Event::Nothing | Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd => {}
                Event::StreamEnd => break,
                _ if document.is_some() => return Err(self.refuse(span, "a second document: expected all cases in the first")),
                event => document = Some(self.node(event, span, 0)?),
            }
        }
        document.ok_or_else(|| self.refuse(Span { file: self.file, start: 0, end: 0 }, "the file is empty: expected a map with 'cases'"))
    }

    fn node(&mut self, event: Event<'i>, span: Span, depth: usize) -> Result<Node, Fault> {
        if depth > MAX_DEPTH || self.left == 0 {
            return Err(self.refuse(span, format!("nested deeper than {MAX_DEPTH}, or more than {MAX_NODES} values")));
        }
        self.left -= 1;
        let (kind, end, anchor, tag) = match event {
            Event::Alias(anchor) => return self.alias(anchor, span),
            Event::Scalar(text, style, anchor, tag) => {
                let place = self.text.get(span.start as usize..span.end as usize).unwrap_or_default();
                let bare = bare(place);
                let end = span.start + (place.len() - bare.len() + end_of_scalar(bare, style)) as u32;
                (Kind::Scalar(text.into_owned(), style == ScalarStyle::Plain), end, anchor, tag_name(tag.as_deref()))
            }
            Event::SequenceStart(anchor, tag) => {
                let (items, end, is_flow) = self.list(span, depth)?;
                (Kind::List(items, is_flow), end, anchor, tag_name(tag.as_deref()))
            }
            Event::MappingStart(anchor, tag) => {
                let (entries, end, is_flow) = self.map(span, depth)?;
                (Kind::Map(entries, is_flow), end, anchor, tag_name(tag.as_deref()))
            }
            _ => return Err(self.refuse(span, "expected a value")),
        };
        let node = Node { span: Span { end: end.max(span.start), ..span }, tag, kind };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<Node, Fault> {
        let Some(node) = self.anchors.get(&anchor).cloned() else {
            return Err(self.refuse(span, "an alias within the value that it stands for"));
        };
        let size = size(&node);
        if size > self.left {
            return Err(self.refuse(span, format!("more than {MAX_NODES} values, those behind aliases included")));
        }
        self.left -= size;
        Ok(node)
    }

    fn begins_with(&self, span: Span, bracket: u8) -> bool {
        bare(self.text.get(span.start as usize..).unwrap_or_default()).as_bytes().first() == Some(&bracket)
    }

    /// Behind the bracket that a place begins with; the blanks and the comment after it are in the place too.
    fn behind(&self, span: Span) -> u32 {
        (span.start + 1).min(span.end)
    }

    /// The items, where they end, and whether they stand in brackets.
    fn list(&mut self, start: Span, depth: usize) -> Result<(Vec<Node>, u32, bool), Fault> {
        let (mut items, mut end, is_flow) = (Vec::new(), start.end, self.begins_with(start, b'['));
        while let Some((event, span)) = self.next()? {
            if event == Event::SequenceEnd {
                // A list in brackets ends with one; another where its last item does.
                return Ok((items, if is_flow { self.behind(span) } else { end }, is_flow));
            }
            let item = self.node(event, span, depth + 1)?;
            end = end.max(item.span.end);
            items.push(item);
        }
        Ok((items, end, is_flow))
    }

    fn map(&mut self, start: Span, depth: usize) -> Result<(Entries, u32, bool), Fault> {
        let (mut entries, mut end): (Entries, u32) = (Vec::new(), start.end);
        let is_flow = self.begins_with(start, b'{');
        while let Some((event, span)) = self.next()? {
            if event == Event::MappingEnd {
                return Ok((entries, if is_flow { self.behind(span) } else { end }, is_flow));
            }
            let key = self.node(event, span, depth + 1)?;
            let Some(text) = key.text() else { return Err(self.refuse(key.span, "expected a text as the key of a map")) };
            if entries.iter().any(|(known, _)| known.text() == Some(text)) {
                return Err(self.refuse(key.span, format!("the key '{text}' is there twice")));
            }
            let Some((event, span)) = self.next()? else { break };
            let value = self.node(event, span, depth + 1)?;
            end = end.max(key.span.end).max(value.span.end);
            entries.push((key, value));
        }
        Ok((entries, end, is_flow))
    }
}

/// A place without the tag and the anchor that it may begin with.
fn bare(mut place: &str) -> &str {
    while place.starts_with(['!', '&']) {
        let end = place.find(|c: char| c.is_whitespace() || ",]}".contains(c)).unwrap_or(place.len());
        place = place[end..].trim_start();
    }
    place
}

/// How long a scalar is in its place, which has the blanks and the comment behind it too.
fn end_of_scalar(place: &str, style: ScalarStyle) -> usize {
    let mut rest = place.char_indices().skip(1).peekable();
    match style {
        ScalarStyle::SingleQuoted => {
            while let Some((at, c)) = rest.next() {
                if c == '\'' && rest.next_if(|(_, next)| *next == '\'').is_none() {
                    return at + 1;
                }
            }
        }
        ScalarStyle::DoubleQuoted => {
            while let Some((at, c)) = rest.next() {
                match c {
                    '"' => return at + 1,
                    '\\' => drop(rest.next()),
                    _ => {}
                }
            }
        }
        ScalarStyle::Plain | ScalarStyle::Literal | ScalarStyle::Folded => return place.trim_end().len(),
    }
    place.len()
}

fn size(node: &Node) -> usize {
    1 + match &node.kind {
        Kind::Scalar(..) => 0,
        Kind::List(items, _) => items.iter().map(size).sum(),
        Kind::Map(entries, _) => entries.iter().map(|(_, value)| 1 + size(value)).sum(),
    }
}

fn tag_name(tag: Option<&Tag>) -> String {
    tag.map_or_else(String::new, |tag| tag.suffix.trim_start_matches(['!', '/']).to_owned())
}
