//! Configurations written in YAML: `system` and `config` at the top, `$type`, `$tag`, `$arg` and their like for what has no name in
//! YAML, and the tags `!include`, `!fluent/s` and `!fluent/json`.

mod node;
mod scalar;
mod section;

use super::include;
use super::{Diagnostics, Element, LoadOptions, Overlay, Span};
use node::{Content, Node};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Includes nested deeper than this are a mistake.
const MAX_INCLUDE_DEPTH: usize = 32;

/// Files that one configuration may consist of.
const MAX_FILES: usize = 10_000;

/// What reading one configuration needs.
pub(super) struct Yaml<'a> {
    diagnostics: &'a Diagnostics,
    overlay: &'a Overlay,
    /// The files that are being read, the innermost last.
    reading: Vec<PathBuf>,
    files: usize,
}

/// The text of an unquoted scalar, as a parameter gets it; `None` for nothing.
pub fn plain_yaml(text: &str) -> Option<String> {
    match scalar::resolve(text) {
        scalar::Scalar::Null => None,
        scalar => Some(scalar.text()),
    }
}

/// Reads a YAML text into `root`. `name` is what messages call it, `dir` what its includes are relative to.
pub(super) fn read(name: &str, text: &str, dir: &Path, options: &LoadOptions, diagnostics: &Diagnostics, root: &mut Element) {
    let reading = vec![Path::new(name).canonicalize().unwrap_or_default()];
    let mut yaml = Yaml { diagnostics, overlay: &options.overlay, reading, files: 0 };
    if let Some(node) = yaml.load(name, text, dir) {
        section::build_root(&node, &options.environment, diagnostics, root);
    }
}

impl Yaml<'_> {
    /// The one document of a text, its includes read. `None` where that is not possible; the faults have been said.
    fn load(&mut self, name: &str, text: &str, dir: &Path) -> Option<Rc<Node>> {
        let file = self.diagnostics.add_source(name, text);
        node::parse(text, file, self, dir)
    }

    /// What `!include` stands for: the lists in all files that match, one behind the other.
    fn include(&mut self, uri: &str, dir: &Path, span: Span) -> Node {
        let pattern = if uri.starts_with('/') { uri.to_owned() } else { dir.join(uri).display().to_string() };
        let files = super::glob(&pattern);
        if files.is_empty() {
            // Fluentd: says nothing.
            self.diagnostics.warn("FLM0111", Some(span), format!("'!include {uri}' matches no file in {}", dir.display()));
        }
        let mut items = Vec::new();
        for path in files {
            if include::looks_like_backup(uri, &path) {
                let message = format!(
                    "There is a possibility that '!include {uri}' includes duplicated backed-up config file such as <{}>",
                    path.display()
                );
                self.diagnostics.warn("FLM0123", Some(span), message);
            }
            match self.included(&path) {
                Ok(Some(node)) => match &node.content {
                    Content::List(list) => items.extend(list.iter().cloned()),
                    _ => drop(self.diagnostics.error(
                        "FLM0117",
                        Some(node.span),
                        format!("an included file holds a list, but {} does not", path.display()),
                    )),
                },
                Ok(None) => {}
                Err(why) => drop(self.diagnostics.error("FLM0110", Some(span), format!("include error {} - {why}", path.display()))),
            }
        }
        Node::new(span, Content::List(items))
    }

    fn included(&mut self, path: &Path) -> Result<Option<Rc<Node>>, String> {
        let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        self.files += 1;
        if self.reading.contains(&real) {
            return Err("it includes itself".to_owned());
        }
        if self.reading.len() >= MAX_INCLUDE_DEPTH || self.files > MAX_FILES {
            return Err(format!("there are more than {MAX_INCLUDE_DEPTH} levels of includes or {MAX_FILES} files"));
        }
        let text = super::lower::read_text(path, "utf-8", self.overlay)?;
        self.reading.push(real);
        let dir = path.parent().map_or_else(PathBuf::new, Path::to_owned);
        let node = self.load(&path.display().to_string(), &text, &dir);
        self.reading.pop();
        Ok(node)
    }
}
