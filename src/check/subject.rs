//! What the analyses look at, and where they put what they find.

use crate::config::tree::{Literal, Node, Tree};
use crate::config::{Diagnostics, Element, Param, ParamValue, Severity, Span};
use crate::ruby::Environment;
use std::cell::RefCell;

/// One configuration, read and built as far as it could be.
pub struct Subject<'s> {
    /// As it was written, before old flat parameters are moved to their sections.
    pub written: &'s Element,
    /// As it was built, with marks on what some declaration took.
    pub built: &'s Element,
    /// The texts, and what reading and building found.
    pub diagnostics: &'s Diagnostics,
    /// What embedded Ruby saw.
    pub environment: &'s Environment,
    /// The texts once more, as trees; empty for those in YAML.
    pub trees: Vec<Text>,
    /// What the analyses have found.
    pub found: RefCell<Vec<Raw>>,
    /// Findings of reading and building that an analysis says better: their codes and places.
    pub replaced: RefCell<Vec<(&'static str, Span)>>,
}

/// One text.
pub struct Text {
    /// The text.
    pub text: String,
    /// Its tree.
    pub tree: Tree,
}

/// A finding, before its place is looked up.
#[derive(Clone, Debug)]
pub struct Raw {
    /// How bad.
    pub severity: Severity,
    /// Its code.
    pub code: &'static str,
    /// Where.
    pub span: Option<Span>,
    /// What is wrong.
    pub message: String,
    /// What can be done about it, a suggestion each.
    pub help: Vec<String>,
    /// A change of the text that most likely mends it.
    pub swap: Option<Swap>,
}

/// A piece of a text, and what to write in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swap {
    /// Where it is.
    pub span: Span,
    /// What to write.
    pub text: String,
}

impl Subject<'_> {
    /// Records a warning with a suggestion; an empty one is none.
    pub fn warn(&self, code: &'static str, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.say(Severity::Warning, code, span, message.into(), help.into());
    }

    /// Records a note with a suggestion.
    pub fn note(&self, code: &'static str, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.say(Severity::Note, code, span, message.into(), help.into());
    }

    /// Records an error with a suggestion.
    pub fn error(&self, code: &'static str, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.say(Severity::Error, code, span, message.into(), help.into());
    }

    fn say(&self, severity: Severity, code: &'static str, span: Span, message: String, help: String) {
        let help = if help.is_empty() { Vec::new() } else { vec![help] };
        self.found.borrow_mut().push(Raw { severity, code, span: Some(span), message, help, swap: None });
    }

    /// Gives the last finding a change that mends it: `right` in the place of the first `wrong` in the text of `span`.
    pub fn mend(&self, span: Span, wrong: &str, right: &str) {
        if let Some(last) = self.found.borrow_mut().last_mut() {
            last.swap = self.swap(span, wrong, right);
        }
    }

    /// The change that writes `right` for the first `wrong` in the text of `span`; `None` where that is computed, or written otherwise.
    pub fn swap(&self, span: Span, wrong: &str, right: &str) -> Option<Swap> {
        let at = self.source_text(span).find(wrong).filter(|_| !wrong.is_empty())?;
        let start = span.start + at as u32;
        Some(Swap { span: Span { start, end: start + wrong.len() as u32, ..span }, text: right.to_owned() })
    }

    /// ` at line N` (with the file where it is another one), for messages that point to a second place.
    pub fn at(&self, span: Span, from: Span) -> String {
        let (line, _) = self.diagnostics.line_column(span);
        match self.diagnostics.source(span.file).filter(|_| span.file != from.file) {
            Some(source) => format!("at {} line {line}", source.name),
            None => format!("at line {line}"),
        }
    }

    /// The text at a place, as it is written.
    pub fn source_text(&self, span: Span) -> &str {
        let text = self.trees.get(span.file as usize).map_or("", |text| text.text.as_str());
        text.get(span.start as usize..span.end as usize).unwrap_or("")
    }

    /// Whether the value at a place is computed by embedded Ruby.
    pub fn is_computed(&self, span: Span) -> bool {
        self.source_text(span).contains("#{")
    }
}

/// A parameter's text, without marking it as used.
pub fn text_of<'e>(element: &'e Element, key: &str) -> Option<&'e str> {
    element.param(key).and_then(value)
}

/// The text of a parameter's value.
pub fn value(param: &Param) -> Option<&str> {
    match &param.value {
        ParamValue::Text(text) => Some(text),
        ParamValue::Nil | ParamValue::Default => None,
    }
}

/// The type of the plugin that a section configures, without marking it as used.
pub fn kind_of(element: &Element) -> &str {
    text_of(element, "@type").or_else(|| text_of(element, "type")).unwrap_or_default()
}

/// The label that a section sends to.
pub fn label_of(element: &Element) -> Option<&str> {
    text_of(element, "@label").or_else(|| text_of(element, "label"))
}

/// Calls `visit` for an element and all below it, with the elements around, the outermost first.
pub fn walk<'e>(element: &'e Element, visit: &mut dyn FnMut(&'e Element, &[&'e Element])) {
    fn go<'e>(element: &'e Element, around: &mut Vec<&'e Element>, visit: &mut dyn FnMut(&'e Element, &[&'e Element])) {
        visit(element, around);
        around.push(element);
        element.children.iter().for_each(|child| go(child, around, visit));
        around.pop();
    }
    go(element, &mut Vec::new(), visit);
}

/// Calls `visit` for every list of nodes of a tree.
pub fn levels<'t>(nodes: &'t [Node], visit: &mut dyn FnMut(&'t [Node])) {
    visit(nodes);
    for node in nodes {
        if let Node::Section(section) = node {
            levels(&section.children, visit);
        }
    }
}

/// Calls `visit` for every literal of a tree.
pub fn literals<'t>(nodes: &'t [Node], visit: &mut dyn FnMut(&'t Literal)) {
    levels(nodes, &mut |level| {
        for node in level {
            match node {
                Node::Param(param) => {
                    visit(&param.key);
                    param.value.iter().for_each(&mut *visit);
                }
                Node::Include(include) => include.uri.iter().for_each(&mut *visit),
                Node::Section(section) => section.arg.iter().for_each(&mut *visit),
                Node::Blank(_) | Node::Comment(_) | Node::Broken(_) => {}
            }
        }
    });
}
