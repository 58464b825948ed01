//! From YAML nodes to elements, by the rules that give sections and parameters their names.

use super::super::json::Json;
use super::super::lexer::code_stop;
use super::super::ruby::{self, Environment};
use super::super::{Diagnostics, Element, Param, ParamValue};
use super::node::{Content, Node};
use super::scalar::Scalar;
use std::cell::Cell;
use std::rc::Rc;

/// Parameters and sections that one file may become: a bound on what aliases multiply.
const MAX_NODES: usize = 200_000;

struct Builder<'a> {
    environment: &'a Environment,
    diagnostics: &'a Diagnostics,
    left: usize,
}

/// Reads `system` and `config` of a document into `root`.
pub(super) fn build_root(document: &Node, environment: &Environment, diagnostics: &Diagnostics, root: &mut Element) {
    let mut builder = Builder { environment, diagnostics, left: MAX_NODES };
    if !matches!(document.content, Content::Map(_)) {
        diagnostics.error("FLM0117", Some(document.span), "expected a map with 'system' and 'config' at the top");
        return;
    }
    let is_given = |node: &&Rc<Node>| !matches!(node.content, Content::Scalar(Scalar::Null | Scalar::Bool(false)));
    if let Some(system) = document.get("system").filter(is_given) {
        builder.section("system", system, None, root);
    }
    if let Some(config) = document.get("config").filter(is_given) {
        builder.config(config, root);
    }
}

impl Builder<'_> {
    /// The list of sections in `config`.
    fn config(&mut self, node: &Node, parent: &mut Element) {
        let Content::List(items) = &node.content else {
            self.fault(node, "'config' is a list of sections");
            return;
        };
        for item in items {
            match &item.content {
                // An included file in the list.
                Content::List(_) => self.config(item, parent),
                Content::Map(entries) => entries.iter().for_each(|(name, node)| self.top_section(name, node, parent)),
                _ => self.fault(item, "expected a section: source, filter, match, label or worker"),
            }
        }
    }

    fn top_section(&mut self, name: &str, node: &Rc<Node>, parent: &mut Element) {
        match name {
            // A section with nothing in it, such as one whose lines are all comments, is none.
            _ if matches!(node.content, Content::Scalar(Scalar::Null | Scalar::Bool(false))) => {}
            "source" => self.section(name, node, None, parent),
            "filter" | "match" => self.section(name, node, Some("$tag"), parent),
            "label" | "worker" => {
                let arg = node.get(if name == "label" { "$name" } else { "$arg" }).map_or(String::new(), |arg| self.arg(arg));
                let mut element = Element::new(name, &arg, node.span);
                match node.get("config") {
                    Some(config) => self.config(config, &mut element),
                    None => self.fault(node, &format!("'{name}' needs a list of sections named 'config'")),
                }
                parent.children.push(element);
            }
            other => self.fault(node, &format!("'{other}' is no section: expected source, filter, match, label or worker")),
        }
    }

    /// A map as a section; `arg_key` is the key that holds its argument.
    fn section(&mut self, name: &str, node: &Node, arg_key: Option<&str>, parent: &mut Element) {
        let Content::Map(entries) = &node.content else {
            self.fault(node, &format!("'{name}' is a section: expected a map"));
            return;
        };
        if !self.count(node) {
            return;
        }
        let arg = arg_key.and_then(|key| node.get(key)).map_or(String::new(), |arg| self.arg(arg));
        let mut element = Element::new(name, &arg, node.span);
        element.stand_in(parent);
        for (key, known) in [("$type", "@type"), ("$label", "@label"), ("$id", "@id"), ("$log_level", "@log_level")] {
            let given = node.get(key).filter(|value| !matches!(value.content, Content::Scalar(Scalar::Null | Scalar::Bool(false))));
            if let Some(value) = given {
                self.param(known, value, &mut element);
            }
        }
        for (key, value) in entries
            .iter()
            .filter(|(key, _)| Some(key.as_str()) != arg_key && !matches!(key.as_str(), "$type" | "$label" | "$id" | "$log_level"))
        {
            match &value.content {
                Content::Map(_) => self.section(key, value, Some("$arg"), &mut element),
                // Fluentd: a list of texts is refused, although there is no other way to write one.
                Content::List(items)
                    if !items.is_empty() && items.iter().all(|item| matches!(item.content, Content::Scalar(_) | Content::Ruby(_))) =>
                {
                    self.param(key, value, &mut element);
                }
                // Fluentd: `$arg` in a list's sections is a parameter that nobody reads.
                Content::List(items) => items.iter().for_each(|item| self.section(key, item, Some("$arg"), &mut element)),
                _ => self.param(key, value, &mut element),
            }
        }
        super::super::lower::accept_old_names(&element, self.diagnostics);
        parent.children.push(element);
    }

    fn param(&mut self, key: &str, node: &Node, element: &mut Element) {
        if !self.count(node) {
            return;
        }
        let value = match &node.content {
            Content::Scalar(Scalar::Null) => ParamValue::Nil,
            Content::Scalar(scalar) => ParamValue::Text(scalar.text()),
            Content::Ruby(text) => self.ruby(text, node),
            _ => ParamValue::Text(self.json(node).dump()),
        };
        let span = node.span;
        element.params.push(Param { key: key.to_owned(), value, span, value_span: span, used: Cell::new(false) });
    }

    /// A section's argument: a text, or a list of them joined by commas.
    fn arg(&mut self, node: &Node) -> String {
        match &node.content {
            Content::List(items) => items.iter().map(|item| self.arg(item)).collect::<Vec<_>>().join(","),
            Content::Ruby(text) => match self.ruby(text, node) {
                ParamValue::Text(text) => text,
                ParamValue::Nil | ParamValue::Default => String::new(),
            },
            Content::Scalar(scalar) => scalar.text(),
            _ => {
                self.fault(node, "expected a text or a list of texts");
                String::new()
            }
        }
    }

    fn json(&mut self, node: &Node) -> Json {
        if !self.count(node) {
            return Json::Null;
        }
        match &node.content {
            Content::Scalar(scalar) => scalar.json(),
            Content::Ruby(text) => match self.ruby(text, node) {
                ParamValue::Text(text) => Json::String(text),
                ParamValue::Nil | ParamValue::Default => Json::Null,
            },
            Content::Json(inner) => self.json(inner),
            Content::List(items) => Json::Array(items.iter().map(|item| self.json(item)).collect()),
            Content::Map(entries) => Json::Object(entries.iter().map(|(key, value)| (key.clone(), self.json(value))).collect()),
        }
    }

    /// A text as the inside of a double-quoted Ruby string.
    fn ruby(&self, text: &str, node: &Node) -> ParamValue {
        let mut out = String::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if let Some(stop) = rest.strip_prefix("#{").and_then(|_| code_stop(rest, 2)) {
                self.diagnostics.note_code(&rest[2..stop]);
                match ruby::evaluate(&rest[2..stop], self.environment) {
                    Ok(ruby::Value::UseNil) => return ParamValue::Nil,
                    Ok(ruby::Value::UseDefault) => return ParamValue::Default,
                    Ok(value) => out.push_str(&value.to_text()),
                    Err(why) => {
                        let message = format!("embedded Ruby {}: {why}", &rest[..=stop]);
                        self.diagnostics.error("FLM0107", Some(node.span), message);
                    }
                }
                rest = &rest[stop + 1..];
                continue;
            }
            rest = &rest[c.len_utf8()..];
            if c != '\\' {
                out.push(c);
                continue;
            }
            let escaped = rest.chars().next().unwrap_or('\\');
            rest = &rest[escaped.len_utf8().min(rest.len())..];
            out.push(match escaped {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                'f' => '\u{c}',
                'b' => '\u{8}',
                's' => ' ',
                'e' => '\u{1b}',
                '0' => '\0',
                other => other,
            });
        }
        ParamValue::Text(out)
    }

    fn count(&mut self, node: &Node) -> bool {
        if self.left == 0 {
            self.fault(node, &format!("the file stands for more than {MAX_NODES} parameters and sections"));
        }
        self.left = self.left.saturating_sub(1);
        self.left > 0
    }

    fn fault(&self, node: &Node, message: &str) {
        self.diagnostics.error("FLM0117", Some(node.span), message);
    }
}
