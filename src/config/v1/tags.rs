//! Sections: opening and closing tags, and which section a closing tag is taken for when it does not fit.

use super::super::Span;
use super::super::tree::{Node, SectionNode};
use super::{Boundary, Parser};

/// How deep sections can be nested: far beyond real files, and small enough for the stack.
const MAX_DEPTH: usize = 64;

/// An open section: its name and the column of its tag.
pub(super) struct Open {
    pub(super) name: String,
    column: usize,
    pub(super) span: Span,
}

impl Parser<'_> {
    /// Reads the rest of a closing tag; `closing` is set where it ends a section.
    pub(super) fn closing_tag(&mut self, start: usize, nodes: &mut Vec<Node>) {
        let name = self.scanner.name();
        self.scanner.pos = self.scanner.after_spacing(self.scanner.pos);
        if !self.scanner.skip(">") {
            self.fault("FLM0103", start, self.scanner.pos, format!("expected character in tag name: '</{name}' is not followed by '>'"));
            self.scanner.pos = self.scanner.pos.min(self.scanner.line_stop(start));
            self.scanner.pos = self.scanner.line_stop(self.scanner.pos);
        }
        let span = self.span(start, self.scanner.pos);
        let mut tail = Vec::new();
        if !self.line_end(&mut tail) {
            let at = self.scanner.pos;
            self.fault("FLM0104", at, self.scanner.line_stop(at), "expected end of line after end tag");
            self.skip_line(at, &mut tail);
        }
        self.match_closing(name, span);
        if self.closing.is_none() {
            nodes.push(Node::Broken(span));
            nodes.append(&mut tail);
        }
        self.behind_closing = tail;
    }

    /// Decides which open section a closing tag ends.
    fn match_closing(&mut self, name: &str, span: Span) {
        let Some(innermost) = self.open.last() else {
            if name.is_empty() && self.scanner.at_end() {
                return; // The end of a section without a name, which the top is, too.
            }
            let what =
                if name.is_empty() { "expected EOF".to_owned() } else { format!("unmatched end tag '</{name}>': no section is open") };
            self.diagnostics.error("FLM0101", Some(span), what);
            return;
        };
        if innermost.name == name {
            self.closing = Some((1, span));
            return;
        }
        let message = format!("unmatched end tag '</{name}>': <{}> is open", innermost.name);
        self.diagnostics.error("FLM0101", Some(span), message);
        let column = self.column(span.start as usize);
        let outer = self.open.iter().rev().position(|open| open.name == name);
        // A tag that stands below its opening tag closes it, whatever its name: a slip of the pen. Otherwise it closes the
        // section of its name, and the inner ones with it, unless it is a stray one.
        self.closing = match outer {
            _ if innermost.column == column && outer.is_none() => Some((1, span)),
            Some(outer) if self.open[self.open.len() - 1 - outer].column >= column || innermost.column > column => Some((outer + 1, span)),
            _ => None,
        };
    }

    fn column(&self, pos: usize) -> usize {
        let before = &self.scanner.text().as_bytes()[..pos];
        pos - before.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1)
    }

    /// Reads a section behind its `<`.
    pub(super) fn section(&mut self, start: usize, nodes: &mut Vec<Node>) {
        let name = self.scanner.name().to_owned();
        self.scanner.pos = self.scanner.after_spacing(self.scanner.pos);
        let mut arg = self.string(Boundary::Arg);
        let before = self.scanner.pos;
        let behind = self.scanner.after_spacing(before);
        let mut tail = Vec::new();
        self.scanner.pos = behind;
        if self.scanner.skip(">") {
            self.expect_line_end_after_tag(&name, &mut tail);
        } else {
            // Whatever was read from later lines was not meant for the tag.
            let stop = self.scanner.line_stop(start);
            self.fault("FLM0118", before.min(stop), stop, format!("expected '>' to end '<{name}'"));
            arg = arg.filter(|arg| (arg.span.end as usize) <= stop);
            self.scanner.pos = stop;
        }
        let open_end = tail.first().map_or(self.scanner.pos, first_byte);
        let open = self.span(start, open_end);
        let closed_on_line = matches!(tail.last(), Some(Node::Broken(_))) && self.closing.take().is_some();
        let mut section = SectionNode { open, name: name.clone(), arg, children: tail, close: None };
        if !closed_on_line {
            if self.open.len() >= MAX_DEPTH {
                self.fault("FLM0113", start, open_end, format!("sections are nested deeper than {MAX_DEPTH}"));
                self.scanner.pos = self.scanner.text().len();
                self.given_up = true;
                section.children.push(Node::Broken(self.span(open_end, self.scanner.pos)));
            } else {
                self.open.push(Open { name, column: self.column(start), span: open });
                self.level(&mut section.children);
                self.open.pop();
                section.close = self.take_closing();
            }
        }
        let closed = section.close.is_some();
        nodes.push(Node::Section(section));
        if closed {
            nodes.append(&mut self.behind_closing);
        }
    }

    /// Reads the rest of the line behind an opening tag. A whole section on one line sets `closing`.
    fn expect_line_end_after_tag(&mut self, name: &str, tail: &mut Vec<Node>) {
        if self.line_end(tail) {
            return;
        }
        let at = self.scanner.pos;
        let stop = self.scanner.line_stop(at);
        self.fault("FLM0104", at, stop, "expected end of line after tag");
        if self.scanner.text()[at..stop].contains(&format!("</{name}>")) {
            self.closing = Some((1, self.span(stop, stop)));
        }
        self.skip_line(at, tail);
    }

    /// The closing tag, if the level that just ended was ended by it.
    fn take_closing(&mut self) -> Option<Span> {
        match self.closing.take() {
            Some((1, span)) => Some(span),
            Some((levels, span)) => {
                self.closing = Some((levels - 1, span));
                None
            }
            None => None,
        }
    }
}

fn first_byte(node: &Node) -> usize {
    match node {
        Node::Blank(span) | Node::Comment(span) | Node::Broken(span) => span.start as usize,
        Node::Param(param) => param.span.start as usize,
        Node::Include(include) => include.span.start as usize,
        Node::Section(section) => section.open.start as usize,
    }
}
