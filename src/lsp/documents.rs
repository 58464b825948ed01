//! The texts that are open in the editor, as they are there; and the names of files as URIs.

use super::position::{Encoding, Lines};
use crate::config::Overlay;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Larger texts are no configurations that anybody edits.
pub const MAX_TEXT_BYTES: usize = 4 << 20;
/// What all open texts may come to.
const MAX_OPEN_BYTES: usize = 64 << 20;
/// Changes of one message cost their number times the text; what costs more is not followed.
const MAX_CHANGE_BYTES: usize = 1 << 30;

/// One open text.
#[derive(Clone, Debug)]
pub struct Document {
    /// Its URI as the client writes it.
    pub uri: String,
    /// Where its file is, links resolved; `None` where it has none.
    pub path: Option<PathBuf>,
    /// As the client counts.
    pub version: Value,
    /// The text.
    pub text: String,
}

/// All open texts.
#[derive(Default)]
pub struct Documents {
    open: BTreeMap<String, Document>,
}

impl Documents {
    /// The text of a URI.
    pub fn get(&self, uri: &str) -> Option<&Document> {
        self.open.get(uri)
    }

    /// The open text of a file.
    pub fn of_path(&self, path: &Path) -> Option<&Document> {
        self.open.values().find(|document| document.path.as_deref() == Some(path))
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Document> {
        self.open.values()
    }

    /// Takes the text of an item of `didOpen`; the error says why it is not taken.
    pub fn open(&mut self, item: &Value) -> Result<(), String> {
        let (Some(uri), Some(text)) = (item["uri"].as_str(), item["text"].as_str()) else {
            return Err("an item has a uri and a text".to_owned());
        };
        self.open.remove(uri);
        let open: usize = self.open.values().map(|document| document.text.len()).sum();
        if text.len() > MAX_TEXT_BYTES || open + text.len() > MAX_OPEN_BYTES {
            return Err(format!("{uri} is too large: one text may have {MAX_TEXT_BYTES} bytes, all of them {MAX_OPEN_BYTES}"));
        }
        let path = path_of(uri).map(|path| real(&path));
        let document = Document { uri: uri.to_owned(), path, version: item["version"].clone(), text: text.to_owned() };
        self.open.insert(uri.to_owned(), document);
        Ok(())
    }

    /// Takes the changes of `didChange`; the error says why the text is not followed any more.
    pub fn change(&mut self, params: &Value, encoding: Encoding) -> Result<(), String> {
        let uri = params["textDocument"]["uri"].as_str().unwrap_or_default();
        let Some(document) = self.open.get_mut(uri) else { return Err(format!("{uri:?} is not open")) };
        let changes = params["contentChanges"].as_array().map_or(&[][..], Vec::as_slice);
        let result = apply(document, changes, encoding);
        document.version = params["textDocument"]["version"].clone();
        if result.is_err() {
            self.open.remove(uri);
        }
        result
    }

    /// Forgets a text.
    pub fn close(&mut self, uri: &str) -> Option<Document> {
        self.open.remove(uri)
    }

    /// The open texts in the place of their files.
    pub fn overlay(&self) -> Overlay {
        let mut overlay = Overlay::default();
        for document in self.open.values() {
            if let Some(path) = &document.path {
                overlay.insert(path, &document.text);
            }
        }
        overlay
    }
}

fn apply(document: &mut Document, changes: &[Value], encoding: Encoding) -> Result<(), String> {
    let mut cost = 0;
    for change in changes {
        let Some(text) = change["text"].as_str() else { return Err("a change has a text".to_owned()) };
        cost += document.text.len();
        if cost > MAX_CHANGE_BYTES {
            return Err(format!("{}: too many changes at once for a text of this size", document.uri));
        }
        if change["range"].is_null() {
            document.text = text.to_owned();
        } else {
            let offsets = Lines::new(&document.text, encoding).offsets(&change["range"]);
            let (start, end) = offsets.ok_or("a range has a start and an end, each with a line and a character")?;
            document.text.replace_range(start..end, text);
        }
        if document.text.len() > MAX_TEXT_BYTES {
            return Err(format!("{} has become larger than {MAX_TEXT_BYTES} bytes", document.uri));
        }
    }
    Ok(())
}

/// A path with its links resolved, as far as it exists.
pub fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| {
        let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
        folder.zip(path.file_name()).map_or_else(|| path.to_owned(), |(folder, name)| folder.join(name))
    })
}

/// The path of a `file:` URI.
pub fn path_of(uri: &str) -> Option<PathBuf> {
    let rest = uri.strip_prefix("file://")?;
    let path = &rest[rest.find('/')?..];
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    // A path with a NUL in it cannot be opened.
    (!bytes.contains(&0)).then_some(())?;
    Some(PathBuf::from(String::from_utf8(bytes).ok()?))
}

/// The `file:` URI of a path.
pub fn uri_of(path: &Path) -> String {
    let mut uri = "file://".to_owned();
    for byte in path.display().to_string().bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' => uri.push(char::from(byte)),
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_and_uris() {
        for (uri, path) in [
            ("file:///etc/a%20b.conf", Some("/etc/a b.conf")),
            ("file://host/etc/x", Some("/etc/x")),
            ("file:///%E6%97%A5", Some("/日")),
            ("untitled:Untitled-1", None),
            ("file:///%4", None),
            ("file:///%00", None),
            ("file:///%ff", None),
            ("file://", None),
        ] {
            assert_eq!(path_of(uri), path.map(PathBuf::from), "{uri}");
        }
        assert_eq!(uri_of(Path::new("/etc/a b/日")), "file:///etc/a%20b/%E6%97%A5");
    }

    #[test]
    fn changes_are_applied_in_their_order() {
        let mut documents = Documents::default();
        documents.open(&json!({ "uri": "untitled:1", "version": 1, "text": "a\nbé\n" })).expect("is taken");
        let range =
            |a: u32, b: u32, c: u32, d: u32| json!({ "start": { "line": a, "character": b }, "end": { "line": c, "character": d } });
        let mut change = |changes: Value| {
            let params = json!({ "textDocument": { "uri": "untitled:1", "version": 2 }, "contentChanges": changes });
            documents.change(&params, Encoding::Utf16)?;
            Ok::<String, String>(documents.get("untitled:1").expect("is open").text.clone())
        };
        let edits = json!([{ "range": range(1, 1, 1, 2), "text": "x\ny" }, { "range": range(2, 1, 2, 1), "text": "z" }]);
        assert_eq!(change(edits).as_deref(), Ok("a\nbx\nyz\n"));
        assert_eq!(change(json!([{ "range": range(9, 9, 0, 0), "text": "" }, { "text": "new" }])).as_deref(), Ok("new"));
        assert!(change(json!([{ "range": 5, "text": "" }])).is_err());
        assert!(documents.get("untitled:1").is_none(), "it is not known any more what the text is");
    }
}
