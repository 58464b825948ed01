//! The two older syntaxes: that of version 1 in its canonical layout, and the line-based one of version 0, which has neither quotes nor
//! embedded Ruby.

use super::doc::{Item, Value};
use super::modern::Stays;
use crate::config::Span;
use crate::config::tree::Part;

/// Items in the v1 syntax.
pub fn v1(items: &[Item]) -> String {
    let mut writer = Writer { literal: |value, place| Ok(literal(value, place)), is_v0: false, out: String::new(), faults: Vec::new() };
    writer.items(items, 0);
    writer.out
}

/// Items in the version 0 syntax, or what it cannot say.
pub fn v0(items: &[Item]) -> Result<String, Vec<Stays>> {
    let mut writer = Writer { literal: |value, _| raw(value), is_v0: true, out: String::new(), faults: Vec::new() };
    writer.items(items, 0);
    if writer.faults.is_empty() { Ok(writer.out) } else { Err(writer.faults) }
}

/// Where a value stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Key,
    Argument,
    Value,
}

/// Writes values, or says why it cannot.
type Literal = fn(&Value, Place) -> Result<String, String>;

struct Writer {
    literal: Literal,
    is_v0: bool,
    out: String,
    faults: Vec<Stays>,
}

impl Writer {
    fn text(&mut self, value: &Value, place: Place, span: Span) -> String {
        (self.literal)(value, place).unwrap_or_else(|why| {
            self.faults.push((span, why));
            String::new()
        })
    }

    fn line(&mut self, depth: usize, text: &str, behind: Option<&String>) {
        let behind = behind.map_or_else(String::new, |comment| format!(" {comment}"));
        self.out.push_str(&format!("{}{text}{behind}\n", "  ".repeat(depth)));
    }

    fn items(&mut self, items: &[Item], depth: usize) {
        let (mut is_first, mut gap) = (true, false);
        for item in items {
            if matches!(item, Item::Gap) {
                gap = !is_first;
                continue;
            }
            if std::mem::take(&mut gap) {
                self.out.push('\n');
            }
            is_first = false;
            if let Item::Param(param) = item
                && let Some(old) = old_name(&param.key).filter(|_| self.is_v0)
                && items.iter().any(|item| matches!(item, Item::Param(other) if other.key == old))
            {
                self.faults.push((param.span, format!("'{}' and '{old}' have one name in the version 0 syntax", param.key)));
            }
            self.item(item, depth);
        }
    }

    fn item(&mut self, item: &Item, depth: usize) {
        match item {
            Item::Gap => {}
            Item::Comment(comment) => self.line(depth, comment, None),
            Item::Include(include) => {
                let uri = self.text(&include.uri, Place::Value, include.span);
                let line = match (self.is_v0, depth) {
                    (false, _) => format!("@include {uri}"),
                    (true, 0) => format!("include {uri}"),
                    (true, _) => format!("<include {uri}/>"),
                };
                self.line(depth, &line, include.behind.as_ref());
            }
            Item::Param(param) => {
                let key = if self.is_v0 { old_name(&param.key).unwrap_or(&param.key) } else { &param.key };
                if self.is_v0 && (key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')) {
                    self.faults.push((param.span, format!("'{key}' cannot be a name in the version 0 syntax")));
                }
                let key = match &param.written_key {
                    Some(written) if !self.is_v0 => written.clone(),
                    None if !self.is_v0 => literal(&Value::of(key), Place::Key),
                    _ => key.to_owned(),
                };
                let value = self.text(&param.value, Place::Value, param.span);
                let line = if value.is_empty() { key } else { format!("{key} {value}") };
                self.line(depth, &line, param.behind.as_ref());
            }
            Item::Section(section) => {
                let arg = section.arg.as_ref().map(|arg| self.text(arg, Place::Argument, section.span)).filter(|arg| !arg.is_empty());
                let arg = arg.map_or_else(String::new, |arg| format!(" {arg}"));
                self.line(depth, &format!("<{}{arg}>", section.name), section.behind.as_ref());
                self.items(&section.items, depth + 1);
                self.line(depth, &format!("</{}>", section.name), section.after.as_ref());
            }
        }
    }
}

fn old_name(key: &str) -> Option<&'static str> {
    Some(match key {
        "@type" => "type",
        "@id" => "id",
        "@log_level" => "log_level",
        _ => return None,
    })
}

/// A value as it was written in the v1 syntax, or as it can be.
fn literal(value: &Value, place: Place) -> String {
    if let Some(written) = &value.written {
        return written.clone();
    }
    let text = value.text();
    if value.is_json {
        return code_and_text(value, str::to_owned);
    }
    if let Some(text) = text.as_deref().filter(|text| is_plain(text, place)) {
        return text.to_owned();
    }
    let escaped = |text: &str| {
        let mut out = String::new();
        for (at, c) in text.char_indices() {
            match c {
                '"' | '\\' => out.extend(['\\', c]),
                '#' if text[at + 1..].starts_with('{') => out.push_str("\\#"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\0' => out.push_str("\\0"),
                '\u{c}' => out.push_str("\\f"),
                '\u{8}' => out.push_str("\\b"),
                c => out.push(c),
            }
        }
        out
    };
    format!("\"{}\"", code_and_text(value, escaped))
}

fn code_and_text(value: &Value, text: impl Fn(&str) -> String) -> String {
    let part = |part: &Part| match part {
        Part::Text(piece) => text(piece),
        Part::Code(code, _) => format!("#{{{code}}}"),
    };
    value.parts.iter().map(part).collect()
}

/// Whether a text is itself without quotes.
fn is_plain(text: &str, place: Place) -> bool {
    let is_safe = !text.is_empty()
        && text.trim() == text
        && !text.starts_with(['"', '\'', '[', '{', '#'])
        && !text.contains(" #")
        && !text.contains("\t#")
        && !text.chars().any(char::is_control);
    match place {
        Place::Value => is_safe,
        Place::Argument => is_safe && !text.contains(['>', '#']),
        Place::Key => is_safe && !text.starts_with('<') && !text.contains(char::is_whitespace),
    }
}

/// A value in the version 0 syntax, which takes the line as it is.
fn raw(value: &Value) -> Result<String, String> {
    let Some(text) = value.text() else { return Err("the version 0 syntax has no embedded Ruby".to_owned()) };
    if text.trim() != text || text.contains(['#', '\n', '\r']) {
        return Err(format!("the version 0 syntax cannot say {text:?}: it has no quotes"));
    }
    Ok(text)
}
