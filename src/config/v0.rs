//! The parser of the version 0 syntax (`--use-v0-config`): line by line, without quotes, escapes, JSON or embedded Ruby.

use super::tree::{Form, IncludeNode, Literal, Node, ParamNode, Part, SectionNode, Tree};
use super::{Diagnostics, Span};

/// How deep sections can be nested.
const MAX_DEPTH: usize = 64;

/// Reads source number `file`. `at_top` says that it is not included inside a section, where `include` is an ordinary name.
pub fn parse(text: &str, file: u32, diagnostics: &Diagnostics, at_top: bool) -> Tree {
    let mut parser = Parser { lines: Lines { text, pos: 0 }, file, diagnostics, at_top };
    let mut nodes = Vec::new();
    parser.level(&mut nodes, None, 0);
    Tree { file, nodes }
}

struct Lines<'a> {
    text: &'a str,
    pos: usize,
}

/// A line's content without its indentation, trailing blanks and comment, at `start..end`; it goes on to `stop`.
struct Line<'a> {
    begin: usize,
    start: usize,
    end: usize,
    stop: usize,
    content: &'a str,
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        let rest = &self.text[self.pos..];
        if rest.is_empty() {
            return None;
        }
        let whole = rest.split_inclusive('\n').next()?;
        let begin = self.pos;
        self.pos += whole.len();
        let trimmed = whole.trim_start_matches(is_blank);
        let start = begin + whole.len() - trimmed.len();
        let content = trimmed.split('#').next().unwrap_or("").trim_end_matches(is_blank);
        Some(Line { begin, start, end: start + content.len(), stop: self.pos, content })
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n' | '\u{b}' | '\u{c}')
}

struct Parser<'a> {
    lines: Lines<'a>,
    file: u32,
    diagnostics: &'a Diagnostics,
    at_top: bool,
}

impl Parser<'_> {
    fn span(&self, start: usize, end: usize) -> Span {
        Span { file: self.file, start: start as u32, end: end as u32 }
    }

    /// Reads up to `</name>`, whose span is returned, or the end of the text.
    fn level(&mut self, nodes: &mut Vec<Node>, name: Option<&str>, depth: usize) -> Option<Span> {
        while let Some(line) = self.lines.next() {
            self.trivia(line.begin, line.start, nodes);
            let span = self.span(line.start, line.end);
            if let Some(name) = name.filter(|name| line.content == format!("</{name}>")) {
                let _ = name;
                // What follows the tag on its line is part of its span, so that the leaves stay in order.
                return Some(self.span(line.start, line.stop));
            }
            if !line.content.is_empty() {
                self.line(&line, span, nodes, depth);
            }
            if !matches!(nodes.last(), Some(Node::Section(section)) if section.open == self.span(line.start, line.stop)) {
                self.trivia(line.end, line.stop, nodes);
            }
        }
        if let Some(name) = name {
            let end = self.lines.text.len();
            let message = format!("'</{name}>' is missing: the section ends with the file");
            self.diagnostics.warn("FLM0102", Some(self.span(end, end)), message);
        }
        None
    }

    fn line(&mut self, line: &Line<'_>, span: Span, nodes: &mut Vec<Node>, depth: usize) {
        let content = line.content;
        let included = content.strip_prefix("<include").and_then(|rest| rest.strip_suffix("/>"));
        if let Some(uri) = included {
            let uri = uri.trim();
            let at = line.start + content.find(uri).unwrap_or(0);
            nodes.push(Node::Include(IncludeNode { span, uri: self.literal(at, uri), old: false }));
            return;
        }
        if let Some((name, arg)) = section_tag(content) {
            let open = self.span(line.start, line.stop);
            let at = line.start + content.len() - 1 - arg.len();
            let arg = self.literal(at, arg);
            let mut section = SectionNode { open, name: name.to_owned(), arg, children: Vec::new(), close: None };
            if depth < MAX_DEPTH {
                let name = section.name.clone();
                section.close = self.level(&mut section.children, Some(&name), depth + 1);
            } else {
                self.diagnostics.error("FLM0113", Some(open), format!("sections are nested deeper than {MAX_DEPTH}"));
                let rest = self.span(self.lines.pos, self.lines.text.len());
                section.children.push(Node::Broken(rest));
                self.lines.pos = self.lines.text.len();
            }
            nodes.push(Node::Section(section));
            return;
        }
        let key_len = content.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
        if key_len == 0 {
            let (number, _) = self.diagnostics.line_column(span);
            let name = self.diagnostics.source(self.file).map_or(String::new(), |source| source.name);
            let message = format!("parse error at {name} line {number}: expected a name, <section> or </section>, but got {content:?}");
            self.diagnostics.error("FLM0116", Some(span), message);
            nodes.push(Node::Broken(span));
            return;
        }
        let (key, rest) = content.split_at(key_len);
        let value = rest.trim_start_matches(is_blank);
        let value = self.literal(line.end - value.len(), value);
        if key == "include" && self.at_top && depth == 0 {
            nodes.push(Node::Include(IncludeNode { span, uri: value, old: false }));
        } else if let Some(key) = self.literal(line.start, key) {
            nodes.push(Node::Param(ParamNode { span, key, value }));
        }
    }

    fn literal(&self, start: usize, text: &str) -> Option<Literal> {
        let part = Part::Text(text.to_owned());
        (!text.is_empty()).then(|| Literal { span: self.span(start, start + text.len()), form: Form::Plain, parts: vec![part] })
    }

    /// Blanks, a comment and a line end between two positions.
    fn trivia(&self, start: usize, end: usize, nodes: &mut Vec<Node>) {
        let text = &self.lines.text[start..end];
        let comment = text.find('#').map_or(end, |at| start + at);
        let comment_end = self.lines.text[comment..end].find(['\r', '\n']).map_or(end, |at| comment + at);
        for (from, to, is_comment) in [(start, comment, false), (comment, comment_end, true), (comment_end, end, false)] {
            if from < to {
                nodes.push(if is_comment { Node::Comment(self.span(from, to)) } else { Node::Blank(self.span(from, to)) });
            }
        }
    }
}

/// The name and the argument of `<name arg>`.
fn section_tag(content: &str) -> Option<(&str, &str)> {
    let inside = content.strip_prefix('<')?.strip_suffix('>')?;
    let name_len = inside.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
    let (name, arg) = inside.split_at(name_len);
    (name_len > 0).then(|| (name, arg.trim_start_matches(is_blank)))
}
