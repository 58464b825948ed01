//! The parser of the v1 syntax: text into a lossless [`Tree`], all faults into the diagnostics, never stopping at the first.
//!
//! After a fault it goes on at the next line, or where the broken value seems to end, so that one mistake gives one message.

mod quoted;
mod tags;

use super::lexer::Scanner;
use super::tree::{IncludeNode, Literal, Node, ParamNode, Tree};
use super::{Diagnostics, Span};
use std::cell::Cell;
use tags::Open;

/// Parameters whose names may start with `@` everywhere.
const RESERVED: [&str; 4] = ["@type", "@id", "@label", "@log_level"];

/// Sections in which any other `@` is refused.
const STRICT_SECTIONS: [&str; 4] = ["match", "source", "filter", "system"];

/// Reads source number `file`, whose text is `text`.
pub fn parse(text: &str, file: u32, diagnostics: &Diagnostics) -> Tree {
    let mut parser = Parser {
        scanner: Scanner::new(text),
        file,
        diagnostics,
        given_up: false,
        faults: Cell::new(0),
        open: Vec::new(),
        closing: None,
        behind_closing: Vec::new(),
    };
    let mut nodes = Vec::new();
    // A stray `</x>` ends a level; at the top there is none, so reading goes on behind it.
    while !parser.scanner.at_end() {
        parser.level(&mut nodes);
    }
    Tree { file, nodes }
}

/// The state of one run.
struct Parser<'a> {
    scanner: Scanner<'a>,
    file: u32,
    diagnostics: &'a Diagnostics,
    /// Whether the rest of the text has been left unread.
    given_up: bool,
    /// How many errors there were.
    faults: Cell<usize>,
    open: Vec<Open>,
    /// A closing tag that ends this many levels, with its place.
    closing: Option<(usize, Span)>,
    /// What stands behind that tag: it belongs to the section around.
    behind_closing: Vec<Node>,
}

impl Parser<'_> {
    /// A span of this text.
    fn span(&self, start: usize, end: usize) -> Span {
        Span { file: self.file, start: start as u32, end: end as u32 }
    }

    /// Records an error at a place.
    fn fault(&self, code: &'static str, start: usize, end: usize, message: impl Into<String>) {
        self.faults.set(self.faults.get() + 1);
        self.diagnostics.error(code, Some(self.span(start, end)), message);
    }

    /// Reads nodes up to the end of the text or the closing tag of the innermost open section.
    fn level(&mut self, nodes: &mut Vec<Node>) {
        loop {
            self.spacing(nodes);
            let start = self.scanner.pos;
            if self.scanner.at_end() {
                if let Some(open) = self.open.last().filter(|_| !self.given_up) {
                    let message = format!("expected end tag '</{}>' but got end of file", open.name);
                    self.diagnostics.error("FLM0102", Some(open.span), message);
                }
                return;
            }
            if self.scanner.skip("</") {
                self.closing_tag(start, nodes);
                if self.closing.is_some() {
                    return;
                }
            } else if self.scanner.skip("<") {
                self.section(start, nodes);
                if self.closing.is_some() {
                    return;
                }
            } else if self.open.is_empty() && self.at_include() {
                self.include_at_top(start, nodes);
            } else {
                self.param(start, nodes);
            }
        }
    }

    /// Blanks, line ends and comments.
    fn spacing(&mut self, nodes: &mut Vec<Node>) {
        loop {
            let start = self.scanner.pos;
            match self.scanner.peek() {
                Some(b' ' | b'\t' | b'\r' | b'\n') => {
                    self.scanner.pos = self.scanner.after_white(start);
                    nodes.push(Node::Blank(self.span(start, self.scanner.pos)));
                }
                Some(b'#') => {
                    self.scanner.pos = self.scanner.comment_stop(start);
                    nodes.push(Node::Comment(self.span(start, self.scanner.pos)));
                }
                _ => return,
            }
        }
    }

    /// The rest of a line behind a value or a tag, with the blank lines and comments below it. `false` where there is something else.
    fn line_end(&mut self, nodes: &mut Vec<Node>) -> bool {
        let mut some = false;
        while self.scanner.line_ends(self.scanner.pos) && !(some && self.scanner.at_end()) {
            some = true;
            let start = self.scanner.pos;
            let behind = self.scanner.after_blanks(start);
            // Unlike elsewhere, a carriage return does not end a comment here.
            let stop = if self.scanner.byte(behind) == Some(b'#') { self.scanner.line_stop(behind) } else { behind };
            let end = stop + usize::from(stop < self.scanner.text().len());
            for (from, to, comment) in [(start, behind, false), (behind, stop, true), (stop, end, false)] {
                if from < to {
                    let span = self.span(from, to);
                    nodes.push(if comment { Node::Comment(span) } else { Node::Blank(span) });
                }
            }
            self.scanner.pos = end;
        }
        some
    }

    /// Steps over the rest of the line; `nodes` gets it as broken, from `start` on.
    fn skip_line(&mut self, start: usize, nodes: &mut Vec<Node>) {
        self.scanner.pos = self.scanner.line_stop(self.scanner.pos);
        nodes.push(Node::Broken(self.span(start, self.scanner.pos)));
    }

    /// Whether an include with or without `@` is here, as it is read at the top of a file.
    fn at_include(&self) -> bool {
        let rest = self.scanner.rest();
        let behind = rest.strip_prefix("@include").or_else(|| rest.strip_prefix("include"));
        behind.is_some_and(|behind| matches!(behind.as_bytes().first(), None | Some(b' ' | b'\t' | b'\r' | b'\n' | b'#')))
    }

    fn include_at_top(&mut self, start: usize, nodes: &mut Vec<Node>) {
        let old = !self.scanner.skip("@include");
        if old {
            self.scanner.skip("include");
        }
        // At the top, blank lines and comments may stand between the key and what is included.
        self.scanner.pos = self.scanner.after_spacing(self.scanner.pos);
        self.include_value(start, old, nodes);
    }

    fn include_value(&mut self, start: usize, old: bool, nodes: &mut Vec<Node>) {
        let uri = if self.scanner.at_end() { None } else { self.string(Boundary::Value) };
        let span = self.span(start, self.scanner.pos);
        nodes.push(Node::Include(IncludeNode { span, uri, old }));
        // What follows a quoted name on its line is read as a parameter; most likely it is a slip.
        if !self.line_end(nodes) {
            let at = self.scanner.pos;
            let rest = self.span(at, self.scanner.line_stop(at));
            self.diagnostics.warn("FLM0104", Some(rest), "expected end of line behind what is included; this is read as a parameter");
        }
    }

    fn expect_line_end(&mut self, behind: Span, nodes: &mut Vec<Node>) {
        if self.line_end(nodes) {
            return;
        }
        let at = self.scanner.pos;
        let stop = self.scanner.line_stop(at);
        let rest = excerpt(&self.scanner.text()[at..stop]);
        let value = excerpt(&self.scanner.text()[behind.start as usize..behind.end as usize]);
        self.fault("FLM0104", at, stop, format!("expected end of line behind {value}, but got {rest}"));
        self.skip_line(at, nodes);
    }

    fn param(&mut self, start: usize, nodes: &mut Vec<Node>) {
        let faults = self.faults.get();
        let Some(key) = self.string(Boundary::Key) else {
            return self.skip_line(start, nodes);
        };
        let key_end = self.scanner.pos;
        let value_start = self.scanner.after_white(key_end);
        let ends = value_start >= self.scanner.text().len() || self.scanner.text()[key_end..value_start].contains('\n');
        if ends {
            nodes.push(Node::Param(ParamNode { span: self.span(start, key_end), key, value: None }));
            return;
        }
        if value_start == key_end {
            if self.faults.get() == faults {
                self.fault(
                    "FLM0104",
                    key_end,
                    self.scanner.line_stop(key_end),
                    "expected a blank or the end of the line behind the quoted name of a parameter",
                );
            }
            return self.skip_line(start, nodes);
        }
        self.scanner.pos = value_start;
        if key.plain_text() == Some("@include") {
            return self.include_value(start, false, nodes);
        }
        self.check_reserved(&key);
        let value = self.literal();
        if self.quote_ran_on(value_start) {
            return self.give_up_quote(start, value_start, nodes);
        }
        let span = self.span(start, self.scanner.pos);
        let value_span = self.span(value_start, self.scanner.pos);
        nodes.push(Node::Param(ParamNode { span, key, value }));
        if self.faults.get() == faults || self.scanner.line_ends(self.scanner.pos) {
            self.expect_line_end(value_span, nodes);
        } else {
            // The value was broken and that has been said.
            let at = self.scanner.pos;
            self.skip_line(at, nodes);
        }
    }

    /// Whether a double-quoted value goes over line ends and something follows it: most likely its quote was forgotten, and it
    /// has run on to the one that opens another value.
    fn quote_ran_on(&self, start: usize) -> bool {
        let pos = self.scanner.pos;
        let value = &self.scanner.text()[start..pos];
        value.starts_with('"') && value.contains('\n') && !self.scanner.line_ends(pos)
    }

    fn give_up_quote(&mut self, start: usize, value_start: usize, nodes: &mut Vec<Node>) {
        let stop = self.scanner.line_stop(value_start);
        let value = excerpt(&self.scanner.text()[value_start..stop]);
        let message = format!("expected end of line behind the quote that ends {value}: most likely a \" is missing on this line");
        self.fault("FLM0104", value_start, stop, message);
        self.scanner.pos = stop;
        nodes.push(Node::Broken(self.span(start, stop)));
    }

    fn check_reserved(&self, key: &Literal) {
        let Some(name) = key.plain_text().filter(|name| name.starts_with('@') && !RESERVED.contains(name)) else { return };
        let parent = self.open.last().map(|open| open.name.as_str());
        if parent.is_none_or(|parent| STRICT_SECTIONS.contains(&parent)) {
            let message = format!("'@' is the system reserved prefix. Don't use '@' prefix parameter in the configuration: {name}");
            self.diagnostics.error("FLM0109", Some(key.span), message);
        } else {
            let message =
                format!("'@' is the system reserved prefix. It works in the nested configuration for now but it will be rejected: {name}");
            self.diagnostics.warn("FLM0119", Some(key.span), message);
        }
    }

    /// A value: JSON, quoted, or plain.
    fn literal(&mut self) -> Option<Literal> {
        match self.scanner.peek() {
            Some(b'[' | b'{') => Some(quoted::json(self)),
            _ => self.string(Boundary::Value),
        }
    }

    /// A quoted or a plain string; `None` where it would be empty without quotes.
    fn string(&mut self, boundary: Boundary) -> Option<Literal> {
        match self.scanner.peek() {
            Some(b'"') => Some(quoted::double(self)),
            Some(b'\'') => Some(quoted::single(self)),
            _ => {
                let start = self.scanner.pos;
                let stop = match boundary {
                    Boundary::Key => self.scanner.plain_key_stop(start),
                    Boundary::Arg => self.scanner.plain_arg_stop(start),
                    Boundary::Value => self.scanner.plain_value_stop(start),
                };
                self.scanner.pos = stop;
                (stop > start).then(|| quoted::plain(self, start, stop))
            }
        }
    }
}

/// What ends an unquoted string.
#[derive(Clone, Copy)]
enum Boundary {
    Key,
    Arg,
    Value,
}

/// The start of a text, for messages.
fn excerpt(text: &str) -> String {
    const SHOWN: usize = 40;
    let first = text.lines().next().unwrap_or("").trim();
    if first.chars().count() > SHOWN { format!("{}...", first.chars().take(SHOWN).collect::<String>()) } else { first.to_owned() }
}
