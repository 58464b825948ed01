//! From the tree to elements: embedded Ruby evaluated, includes read and parsed where they stand.

use super::include::{self, Target};
use super::json::Json;
use super::overlay::Overlay;
use super::ruby::{self, Environment};
use super::tree::{Form, IncludeNode, Literal, Node, ParamNode, Part, SectionNode};
use super::{Diagnostics, Element, Param, ParamValue, Span, v0, v1};
use std::cell::Cell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Includes nested deeper than this are a mistake.
const MAX_INCLUDE_DEPTH: usize = 32;

/// Files that one configuration may consist of; a bound for patterns that match themselves.
const MAX_FILES: usize = 10_000;

/// Which of the two older syntaxes a text is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// The one before version 0.12's end.
    V0,
    /// Today's.
    V1,
}

/// Reads texts into one element.
pub(super) struct Lowerer<'a> {
    environment: &'a Environment,
    overlay: &'a Overlay,
    diagnostics: &'a Diagnostics,
    syntax: Syntax,
    /// The files that are being read, the innermost last.
    reading: Vec<PathBuf>,
    /// The include that asks for the text that comes next.
    asked_by: Option<Span>,
    files: usize,
    /// How many sections are open.
    sections: usize,
    /// Where the text that is being read has errors.
    broken: Vec<Span>,
    /// How many faults evaluation has found.
    errors: usize,
}

/// A literal's value.
pub(super) enum Evaluated {
    /// Text.
    Text(String),
    /// `use_nil`.
    Nil,
    /// `use_default`.
    Default,
}

impl<'a> Lowerer<'a> {
    /// Ready for the first text.
    pub(super) fn new(environment: &'a Environment, overlay: &'a Overlay, diagnostics: &'a Diagnostics, syntax: Syntax) -> Lowerer<'a> {
        Lowerer {
            environment,
            overlay,
            diagnostics,
            syntax,
            reading: Vec::new(),
            asked_by: None,
            files: 0,
            sections: 0,
            broken: Vec::new(),
            errors: 0,
        }
    }

    /// Reads a text into `element`. `name` is what messages call it, `dir` what its includes are relative to.
    pub(super) fn text(&mut self, name: &str, text: &str, dir: &Path, element: &mut Element) {
        let file = self.diagnostics.add_source(name, text);
        if let Some(span) = self.asked_by.take() {
            self.diagnostics.set_include(file, span);
        }
        let tree = match self.syntax {
            Syntax::V1 => v1::parse(text, file, self.diagnostics),
            Syntax::V0 => v0::parse(text, file, self.diagnostics, self.sections == 0),
        };
        let outer = std::mem::replace(&mut self.broken, self.diagnostics.errors_in(file));
        self.nodes(&tree.nodes, element, dir);
        self.broken = outer;
    }

    /// Reads the main file's text, noting its path so that no include comes back to it.
    pub(super) fn main(&mut self, path: &Path, name: &str, text: &str, dir: &Path, element: &mut Element) {
        self.reading.push(path.canonicalize().unwrap_or_else(|_| path.to_owned()));
        self.text(name, text, dir, element);
        self.reading.pop();
    }

    /// Reads a file into `element`; `span` is the include that asks for it.
    pub(super) fn file(&mut self, path: &Path, element: &mut Element, span: Option<Span>) {
        let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        self.files += 1;
        let why = if self.reading.contains(&real) {
            Some("it includes itself".to_owned())
        } else if self.reading.len() >= MAX_INCLUDE_DEPTH {
            Some(format!("includes are nested deeper than {MAX_INCLUDE_DEPTH}"))
        } else if self.files > MAX_FILES {
            Some(format!("there are more than {MAX_FILES} files"))
        } else {
            None
        };
        if let Some(why) = why {
            self.diagnostics.error("FLM0110", span, format!("include error {} - {why}", path.display()));
            return;
        }
        let checked = if self.environment.trusted { Ok(()) } else { can_be_read(path) };
        match checked.and_then(|()| read_text(path, "utf-8", self.overlay)) {
            Ok(text) => {
                self.reading.push(real);
                let dir = path.parent().map_or_else(PathBuf::new, Path::to_owned);
                self.asked_by = span;
                self.text(&path.display().to_string(), &text, &dir, element);
                self.reading.pop();
            }
            Err(why) => drop(self.diagnostics.error("FLM0110", span, format!("include error {} - {why}", path.display()))),
        }
    }

    fn nodes(&mut self, nodes: &[Node], element: &mut Element, dir: &Path) {
        let places = |element: &Element| element.params.iter().enumerate().map(|(at, param)| (param.key.clone(), at)).collect();
        // Where each parameter is: looking for it among all of them takes long where a file has very many.
        let mut known: HashMap<String, usize> = places(element);
        for node in nodes {
            match node {
                Node::Blank(_) | Node::Comment(_) => {}
                Node::Broken(_) => element.damage(),
                Node::Param(param) => self.param(param, element, &mut known),
                Node::Include(include) => {
                    self.include(include, element, dir);
                    known = places(element);
                }
                Node::Section(section) => self.section(section, element, dir),
            }
        }
    }

    fn section(&mut self, node: &SectionNode, parent: &mut Element, dir: &Path) {
        let errors = self.errors;
        let arg = match node.arg.as_ref().map(|arg| self.literal(arg)) {
            Some(Evaluated::Text(text)) => text,
            _ => String::new(),
        };
        let mut element = Element::new(&node.name, &arg, node.open);
        element.stand_in(parent);
        if self.errors > errors || self.is_broken(node.open) {
            element.damage();
        }
        self.sections += 1;
        self.nodes(&node.children, &mut element, dir);
        self.sections -= 1;
        accept_old_names(&element, self.diagnostics);
        parent.children.push(element);
    }

    /// Whether the parser has found an error here, or right behind.
    fn is_broken(&self, span: Span) -> bool {
        self.broken.iter().any(|error| error.start <= span.end && error.end >= span.start)
    }

    fn param(&mut self, node: &ParamNode, element: &mut Element, known: &mut HashMap<String, usize>) {
        if self.is_broken(node.span) {
            element.damage();
        }
        let errors = self.errors;
        let Evaluated::Text(key) = self.literal(&node.key) else {
            self.diagnostics.error("FLM0122", Some(node.key.span), "the name of a parameter is nil");
            return;
        };
        let (value, value_span) = match &node.value {
            None => (ParamValue::Text(String::new()), node.key.span),
            Some(literal) => (
                match self.literal(literal) {
                    Evaluated::Text(text) => ParamValue::Text(text),
                    Evaluated::Nil => ParamValue::Nil,
                    Evaluated::Default => ParamValue::Default,
                },
                literal.span,
            ),
        };
        let given = Param { key, value, span: node.span, value_span, used: Cell::new(false) };
        match known.get(&given.key).copied() {
            Some(at) => {
                let message = format!("'{}' is given more than once in {}: the last value counts", given.key, element.tag_text());
                self.diagnostics.warn("FLM0120", Some(given.span), message);
                element.params[at] = given;
            }
            None => {
                known.insert(given.key.clone(), element.params.len());
                element.params.push(given);
            }
        }
        if self.errors > errors {
            element.damage();
        }
    }

    /// Evaluates what is embedded in a literal.
    fn literal(&mut self, literal: &Literal) -> Evaluated {
        let errors = self.errors;
        let mut text = String::new();
        let (mut nil, mut default) = (false, false);
        for part in &literal.parts {
            match part {
                Part::Text(piece) => text.push_str(piece),
                Part::Code(code, span) => match self.evaluate(code, *span) {
                    ruby::Value::UseNil => nil = true,
                    ruby::Value::UseDefault => default = true,
                    value => text.push_str(&value.to_text()),
                },
            }
        }
        if literal.form == Form::Json && self.errors == errors && !literal.parts.is_empty() {
            return self.json(literal, &text, nil || default);
        }
        match (nil, default) {
            (true, _) => Evaluated::Nil,
            (_, true) => Evaluated::Default,
            _ => Evaluated::Text(text),
        }
    }

    fn evaluate(&mut self, code: &str, span: Span) -> ruby::Value {
        self.diagnostics.note_code(code);
        ruby::evaluate(code, self.environment).unwrap_or_else(|why| {
            self.errors += 1;
            self.diagnostics.error("FLM0107", Some(span), format!("embedded Ruby #{{{code}}}: {why}"));
            ruby::Value::Text(String::new())
        })
    }

    fn json(&mut self, literal: &Literal, text: &str, not_text: bool) -> Evaluated {
        match Json::parse(text) {
            Some(json) if !not_text => Evaluated::Text(json.dump()),
            _ => {
                let kind = if text.starts_with('[') { "array" } else { "hash" };
                let embedded = literal.parts.iter().any(|part| matches!(part, Part::Code(..)));
                let why = match (not_text, embedded) {
                    (true, _) => "use_nil and use_default cannot be in it",
                    (_, true) => "with its embedded Ruby evaluated it is not JSON",
                    _ => "half of a surrogate pair is no character",
                };
                self.errors += 1;
                self.diagnostics.error("FLM0108", Some(literal.span), format!("got incomplete JSON {kind} configuration: {why}"));
                Evaluated::Text(String::new())
            }
        }
    }

    fn include(&mut self, node: &IncludeNode, element: &mut Element, dir: &Path) {
        if node.old && self.syntax == Syntax::V1 {
            self.diagnostics.warn("FLM0114", Some(node.span), "'include' is deprecated. Use '@include' instead");
        }
        let uri = match node.uri.as_ref().map(|uri| self.literal(uri)) {
            Some(Evaluated::Text(uri)) => uri,
            _ => {
                self.diagnostics.error("FLM0110", Some(node.span), "include error - what to include is missing");
                return;
            }
        };
        let span = Some(node.span);
        match include::resolve(&uri, dir) {
            Err(why) => drop(self.diagnostics.error("FLM0110", span, format!("include error {uri} - {why}"))),
            Ok(Target::Remote(scheme)) => {
                let message =
                    format!("include error {uri} - files are not fetched by {scheme}: copy the file beside this one and include its path");
                self.diagnostics.error("FLM0112", span, message);
            }
            Ok(Target::Files(files)) => {
                if files.is_empty() {
                    // Fluentd: says nothing.
                    let message = format!(
                        "'@include {uri}' matches no file in {}",
                        if dir.as_os_str().is_empty() { ".".into() } else { dir.display().to_string() }
                    );
                    self.diagnostics.warn("FLM0111", span, message);
                }
                for file in files {
                    if include::looks_like_backup(&uri, &file) {
                        let message = format!(
                            "There is a possibility that '@include {uri}' includes duplicated backed-up config file such as <{}>",
                            file.display()
                        );
                        self.diagnostics.warn("FLM0123", span, message);
                    }
                    self.file(&file, element, span);
                }
            }
        }
    }
}

/// Says which of the names without `@` a plugin's section uses; they work.
pub(super) fn accept_old_names(element: &Element, diagnostics: &Diagnostics) {
    const SECTIONS: [&str; 8] = ["source", "filter", "match", "store", "secondary", "parse", "format", "buffer"];
    const NAMES: [(&str, &str); 3] = [("@type", "type"), ("@id", "id"), ("@log_level", "log_level")];
    if !SECTIONS.contains(&element.name.as_str()) {
        return;
    }
    for (name, old) in NAMES {
        if let (None, Some(param)) = (element.param(name), element.param(old)) {
            param.used.set(true);
            let message = format!("'{old}' is deprecated parameter name. use '{name}' instead.");
            diagnostics.warn("FLM0121", Some(param.span), message);
        }
    }
}

/// Larger files are no configurations; what only looks at one does not read them.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// Whether a file that somebody else's configuration names can be read: a device or a pipe may never end.
fn can_be_read(path: &Path) -> Result<(), String> {
    match path.metadata() {
        Ok(meta) if !meta.is_file() && !meta.is_dir() => Err("not a file, and nothing else is read while checking".to_owned()),
        Ok(meta) if meta.len() > MAX_FILE_BYTES => Err(format!("it is larger than {MAX_FILE_BYTES} bytes")),
        // What is not there is said by whoever reads it.
        _ => Ok(()),
    }
}

/// The text of a file, or what stands for it.
pub(super) fn read_text(path: &Path, encoding: &str, overlay: &Overlay) -> Result<String, String> {
    if let Some(text) = overlay.get(path) {
        return Ok(text.to_owned());
    }
    let bytes = std::fs::read(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::IsADirectory => "Is a directory".to_owned(),
        std::io::ErrorKind::NotFound => "No such file or directory".to_owned(),
        std::io::ErrorKind::PermissionDenied => "Permission denied".to_owned(),
        _ => error.to_string(),
    })?;
    super::encoding::decode(&bytes, encoding)
}
