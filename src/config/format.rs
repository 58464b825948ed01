//! The canonical layout of a configuration in the v1 syntax: two blanks a level, one tag or parameter a line, at most one blank line in a row.
//!
//! It works on the lossless tree and only on what stands between its leaves: keys, values with their quotes, comments and what is
//! within a value that goes over several lines are written as they were. Nothing is evaluated and no include is read.

use super::tree::{IncludeNode, Literal, Node, ParamNode, SectionNode};
use super::{Diagnostics, Severity, Span, v1};

/// Why a text is left as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unformatted {
    /// It has faults; they are in the diagnostics.
    Faults,
    /// What came out would be read differently: a fault of the formatter.
    Changed,
}

/// The canonical form of a text, which is called `name` in the diagnostics.
pub fn format(name: &str, text: &str, diagnostics: &Diagnostics) -> Result<String, Unformatted> {
    let file = diagnostics.add_source(name, text);
    let tree = v1::parse(text, file, diagnostics);
    if diagnostics.findings().iter().any(|finding| finding.severity == Severity::Error) {
        return Err(Unformatted::Faults);
    }
    let mut printer = Printer { text, out: String::with_capacity(text.len()), gap: String::new(), line_end: line_end(text) };
    printer.nodes(&tree.nodes, 0);
    if !printer.out.is_empty() {
        printer.out.push_str(printer.line_end);
    }
    let own = Diagnostics::new();
    let again = v1::parse(&printer.out, 0, &own);
    let same = !own.has_errors() && content(&tree.nodes, text) == content(&again.nodes, &printer.out);
    if same { Ok(printer.out) } else { Err(Unformatted::Changed) }
}

/// How the text ends its lines: as the first one does.
fn line_end(text: &str) -> &'static str {
    let first = text.split_inclusive('\n').next().unwrap_or("");
    if first.ends_with("\r\n") { "\r\n" } else { "\n" }
}

/// Writes the leaves one after the other.
struct Printer<'a> {
    text: &'a str,
    out: String,
    /// The blanks and line ends since the last leaf.
    gap: String,
    line_end: &'static str,
}

impl<'a> Printer<'a> {
    fn raw(&self, span: Span) -> &'a str {
        self.between(span.start, span.end)
    }

    fn between(&self, start: u32, end: u32) -> &'a str {
        self.text.get(start as usize..end as usize).unwrap_or("")
    }

    fn nodes(&mut self, nodes: &[Node], depth: usize) {
        for node in nodes {
            match node {
                Node::Blank(span) => {
                    let blank = self.raw(*span);
                    self.gap.push_str(blank);
                }
                Node::Comment(span) => self.comment(*span, depth),
                Node::Param(param) => {
                    let line = self.param(param);
                    self.line(&line, depth);
                }
                Node::Include(include) => {
                    let line = self.include(include);
                    self.line(&line, depth);
                }
                Node::Section(section) => self.section(section, depth),
                // Without an error there is one only: `</>` at the end, which ends the configuration itself.
                Node::Broken(span) => {
                    let line = self.raw(*span);
                    self.line(line, depth);
                }
            }
        }
    }

    /// Puts a leaf on a line of its own.
    fn line(&mut self, text: &str, depth: usize) {
        let empty_line = self.gap.matches('\n').count() > 1;
        self.gap.clear();
        if !self.out.is_empty() {
            self.out.push_str(self.line_end);
            if empty_line {
                self.out.push_str(self.line_end);
            }
        }
        self.out.push_str(&"  ".repeat(depth));
        self.out.push_str(text);
    }

    /// A comment stays behind what it stands behind, with the blanks before it: it may be one of a column.
    fn comment(&mut self, span: Span, depth: usize) {
        let comment = self.raw(span).trim_end_matches([' ', '\t', '\r']);
        if self.out.is_empty() || self.gap.contains(['\n', '\r']) {
            return self.line(comment, depth);
        }
        self.out.push_str(if self.gap.is_empty() { " " } else { &self.gap });
        self.out.push_str(comment);
        self.gap.clear();
    }

    fn param(&self, param: &ParamNode) -> String {
        self.pair(self.raw(param.key.span), param.value.as_ref(), param.key.span.end)
    }

    fn include(&self, include: &IncludeNode) -> String {
        let whole = self.raw(include.span);
        let Some(uri) = &include.uri else { return whole.trim_end().to_owned() };
        let before = self.between(include.span.start, uri.span.start);
        let key = before.split_whitespace().next().unwrap_or("");
        // At the top of a file comments may stand between the two.
        if before.trim_end() == key { self.pair(key, Some(uri), include.span.start + key.len() as u32) } else { whole.to_owned() }
    }

    /// A key and its value. The blanks between them stay, since values are often written below each other.
    fn pair(&self, key: &str, value: Option<&Literal>, key_end: u32) -> String {
        let Some(value) = value else { return key.to_owned() };
        let gap = self.between(key_end, value.span.start);
        let gap = if gap.contains(['\r', '\n']) { " " } else { gap };
        format!("{key}{gap}{}", self.raw(value.span))
    }

    fn section(&mut self, section: &SectionNode, depth: usize) {
        let open = self.open_tag(section);
        self.line(&open, depth);
        self.nodes(&section.children, depth + 1);
        if let Some(close) = section.close {
            let tag = self.raw(close);
            let inside = tag.trim_start_matches("</").trim_end_matches('>').trim_end();
            let tag = if inside == section.name { format!("</{inside}>") } else { tag.to_owned() };
            self.line(&tag, depth);
        }
    }

    /// `<name argument>`; as it was where a comment is within.
    fn open_tag(&self, section: &SectionNode) -> String {
        let whole = self.raw(section.open).trim_end();
        let name_end = section.open.start + 1 + section.name.len() as u32;
        let behind = section.arg.as_ref().map_or(name_end, |arg| arg.span.end);
        let before = section.arg.as_ref().map_or("", |arg| self.between(name_end, arg.span.start));
        let rest = self.between(behind, section.open.end).trim();
        if !before.trim().is_empty() || rest != ">" {
            return whole.to_owned();
        }
        match &section.arg {
            Some(arg) => format!("<{} {}>", section.name, self.raw(arg.span)),
            None => format!("<{}>", section.name),
        }
    }
}

/// What a text says, comments included, a line for each leaf: the same before and after.
fn content(nodes: &[Node], text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    collect(nodes, text, &mut lines);
    lines
}

fn collect(nodes: &[Node], text: &str, lines: &mut Vec<String>) {
    let raw = |span: Span| text.get(span.start as usize..span.end as usize).unwrap_or("");
    let literal = |literal: &Option<Literal>| literal.as_ref().map_or("", |literal| raw(literal.span));
    for node in nodes {
        match node {
            Node::Blank(_) => {}
            Node::Comment(span) => lines.push(raw(*span).trim_end_matches([' ', '\t', '\r']).to_owned()),
            Node::Param(param) => lines.push(format!("{}\0{}", raw(param.key.span), literal(&param.value))),
            Node::Include(include) => lines.push(format!("include\0{}", literal(&include.uri))),
            Node::Broken(span) => lines.push(format!("broken\0{}", raw(*span))),
            Node::Section(section) => {
                lines.push(format!("<\0{}\0{}", section.name, literal(&section.arg)));
                collect(&section.children, text, lines);
                lines.push(">\0".to_owned());
            }
        }
    }
}
