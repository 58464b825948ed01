//! Which configuration a file belongs to: the files that include it, and those that are included beside it.
//!
//! Everything is read anew when it is asked for; configurations are small. Files and folders that are looked at are bounded.

use super::cursor::text_of;
use super::documents::{Documents, MAX_TEXT_BYTES, real, uri_of};
use super::position::{Encoding, Lines};
use crate::config::tree::{IncludeNode, Node, Tree};
use crate::config::{Diagnostics, Span, included_files, v1};
use crate::ruby::Environment;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Files of one configuration, and files that may be one.
const MAX_FILES: usize = 2_000;
/// Entries of folders that are looked at in search of configurations.
const MAX_ENTRIES: usize = 20_000;
/// Folders below that of the workspace are followed this deep.
const MAX_DEPTH: usize = 8;
/// How many configurations a file is checked as a part of.
const MAX_ROOTS: usize = 8;
/// Folders that hold other people's files.
const NOT_OURS: &[&str] = &["node_modules", "target", "vendor"];

/// A text of a configuration.
pub struct Text {
    /// The path of its file, links resolved.
    pub path: PathBuf,
    /// As the client writes it, where it is open.
    pub uri: String,
    /// The text.
    pub text: String,
    /// What is in it.
    pub tree: Tree,
}

impl Text {
    /// A text without a place in the file system, or with one.
    pub fn new(path: PathBuf, uri: String, text: String) -> Text {
        // Its faults are said by the checker.
        let tree = v1::parse(&text, 0, &Diagnostics::new());
        Text { path, uri, text, tree }
    }

    /// A place in it, as the protocol writes it.
    pub fn location(&self, span: Span, encoding: Encoding) -> Value {
        json!({ "uri": self.uri, "range": Lines::new(&self.text, encoding).span(span) })
    }

    /// The text of a span.
    pub fn slice(&self, span: Span) -> &str {
        text_of(&self.text, span)
    }
}

/// The files as they are now.
pub struct Project<'s> {
    /// What is open.
    pub documents: &'s Documents,
    /// What embedded Ruby in the names of includes sees.
    pub environment: &'s Environment,
    /// The folders that the client works in.
    pub folders: &'s [PathBuf],
}

impl Project<'_> {
    /// A file, as it is in the editor or on the disk; `None` where it cannot be a configuration.
    fn read(&self, path: &Path) -> Option<String> {
        if let Some(document) = self.documents.of_path(path) {
            return Some(document.text.clone());
        }
        let meta = path.metadata().ok()?;
        // Anything but a file may never end, or never begin.
        let can_be_read = meta.is_file() && meta.len() <= MAX_TEXT_BYTES as u64;
        if can_be_read { std::fs::read_to_string(path).ok() } else { None }
    }

    /// The files that a text includes, links resolved.
    fn includes(&self, path: &Path, tree: &Tree) -> Vec<PathBuf> {
        let dir = path.parent().unwrap_or(Path::new(""));
        let mut found = Vec::new();
        each_include(&tree.nodes, &mut |include| found.extend(self.targets(include, dir)));
        found
    }

    /// The files that an include in a file of `dir` stands for.
    pub fn targets(&self, include: &IncludeNode, dir: &Path) -> Vec<PathBuf> {
        let files = include.uri.as_ref().map(|uri| included_files(uri, dir, self.environment));
        files.unwrap_or_default().iter().map(|path| real(path)).collect()
    }

    /// The texts of the configuration that begins with a file, each once.
    fn texts(&self, root: &Path) -> Vec<Text> {
        let mut texts: Vec<Text> = Vec::new();
        let mut waiting = vec![root.to_owned()];
        let mut seen: BTreeSet<PathBuf> = waiting.iter().cloned().collect();
        while let Some(path) = waiting.pop() {
            let Some(text) = self.read(&path) else { continue };
            let uri = self.documents.of_path(&path).map_or_else(|| uri_of(&path), |document| document.uri.clone());
            let text = Text::new(path, uri, text);
            for file in self.includes(&text.path, &text.tree).into_iter().rev() {
                if seen.len() < MAX_FILES && seen.insert(file.clone()) {
                    waiting.push(file);
                }
            }
            texts.push(text);
        }
        texts
    }

    /// The texts of all configurations that an open text belongs to, itself first.
    pub fn around(&self, uri: &str) -> Vec<Text> {
        let Some(document) = self.documents.get(uri) else { return Vec::new() };
        let Some(path) = &document.path else {
            return vec![Text::new(PathBuf::new(), uri.to_owned(), document.text.clone())];
        };
        let mut all: Vec<Text> = Vec::new();
        for root in self.roots(path) {
            for text in self.texts(&root) {
                if !all.iter().any(|known| known.path == text.path) {
                    all.push(text);
                }
            }
        }
        match all.iter().position(|text| text.path == *path) {
            Some(at) => all[..=at].rotate_right(1),
            None => all.insert(0, Text::new(path.clone(), uri.to_owned(), document.text.clone())),
        }
        all
    }

    /// The configurations that include a file, by their main files; itself where none does.
    pub fn roots(&self, path: &Path) -> Vec<PathBuf> {
        let included_by = self.included_by(path);
        let mut roots = BTreeSet::new();
        let mut seen: BTreeSet<&Path> = BTreeSet::new();
        let mut waiting = vec![path];
        while let Some(at) = waiting.pop().filter(|_| roots.len() < MAX_ROOTS) {
            if !seen.insert(at) {
                continue;
            }
            match included_by.get(at) {
                Some(parents) => waiting.extend(parents.iter().map(PathBuf::as_path)),
                None => _ = roots.insert(at.to_owned()),
            }
        }
        // Files that include each other have no beginning.
        if roots.is_empty() { vec![path.to_owned()] } else { roots.into_iter().collect() }
    }

    /// Which files are included by which, among those that are near a file.
    fn included_by(&self, path: &Path) -> BTreeMap<PathBuf, Vec<PathBuf>> {
        let mut included_by: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
        let mut waiting = self.near(path);
        waiting.extend(self.documents.all().filter_map(|document| document.path.clone()));
        let mut seen: BTreeSet<PathBuf> = BTreeSet::new();
        while let Some(at) = waiting.pop().filter(|_| seen.len() < MAX_FILES) {
            if !seen.insert(at.clone()) {
                continue;
            }
            let Some(text) = self.read(&at).filter(|text| text.contains("include")) else { continue };
            let tree = v1::parse(&text, 0, &Diagnostics::new());
            for file in self.includes(&at, &tree) {
                let parents = included_by.entry(file.clone()).or_default();
                if !parents.contains(&at) {
                    parents.push(at.clone());
                }
                waiting.push(file);
            }
        }
        included_by
    }

    /// Configurations that might include a file: those of its workspace, or of its folder and the two around that.
    fn near(&self, path: &Path) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut entries = MAX_ENTRIES;
        match self.folders.iter().find(|folder| path.starts_with(folder)) {
            Some(folder) => configurations(folder, MAX_DEPTH, &mut entries, &mut found),
            None => path.ancestors().skip(1).take(3).for_each(|folder| configurations(folder, 0, &mut entries, &mut found)),
        }
        found
    }
}

/// Adds the configurations of a folder.
fn configurations(folder: &Path, depth: usize, entries: &mut usize, found: &mut Vec<PathBuf>) {
    let Ok(listed) = std::fs::read_dir(folder) else { return };
    for entry in listed.flatten() {
        if *entries == 0 {
            return;
        }
        *entries -= 1;
        let name = entry.file_name();
        let path = entry.path();
        let is_hidden = name.as_encoded_bytes().starts_with(b".");
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            if depth > 0 && !is_hidden && !NOT_OURS.iter().any(|other| name == *other) {
                configurations(&path, depth - 1, entries, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "conf") {
            found.push(real(&path));
        }
    }
}

/// Calls `visit` for every include of a tree.
fn each_include<'t>(nodes: &'t [Node], visit: &mut dyn FnMut(&'t IncludeNode)) {
    for node in nodes {
        match node {
            Node::Include(include) => visit(include),
            Node::Section(section) => each_include(&section.children, visit),
            _ => {}
        }
    }
}
