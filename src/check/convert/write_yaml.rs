//! YAML: `system` and `config` at the top, `$type`, `$tag` and their like, sections of one name in a list, embedded Ruby behind `!fluent/s`.

use super::doc::{Item, Param, Section, Value};
use super::modern::Stays;
use crate::config::tree::Part;
use crate::config::{Json, Span};

/// Items as YAML, or what YAML cannot say.
pub fn yaml(items: &[Item], notes: &mut Vec<Stays>) -> Result<String, Vec<Stays>> {
    let mut writer = Writer::default();
    let is_system = |item: &Item| matches!(item, Item::Section(section) if section.name == "system");
    let at = items.iter().position(is_system);
    // What stands above <system>, or all that has no other place, comes first.
    let mut rest: Vec<&Item> = Vec::new();
    let mut seen_system = false;
    for (number, item) in items.iter().enumerate() {
        match item {
            Item::Section(section) if is_system(item) && !seen_system => {
                seen_system = true;
                let is_first = rest.iter().all(|item| matches!(item, Item::Comment(_) | Item::Gap));
                let last = rest.iter().rposition(|item| !matches!(item, Item::Comment(_)));
                for item in rest.split_off(if is_first { 0 } else { last.map_or(0, |last| last + 1) }) {
                    match item {
                        Item::Gap => writer.out.push('\n'),
                        comment => writer.comment(comment, 0),
                    }
                }
                writer.comment_text(section.behind.as_deref(), 0);
                writer.line(0, "system:");
                writer.section_body(section, 1, None);
                writer.comment_text(section.after.as_deref(), 0);
            }
            _ if at.is_some_and(|at| number < at) && matches!(item, Item::Gap) && rest.is_empty() => {}
            item => rest.push(item),
        }
    }
    if seen_system {
        writer.out.push('\n');
        rest.drain(..rest.iter().take_while(|item| matches!(item, Item::Gap)).count());
    }
    let leading = rest.iter().take_while(|item| matches!(item, Item::Comment(_) | Item::Gap)).count();
    // A comment that an empty line parts from the first section is about the file.
    let head = rest[..leading].iter().rposition(|item| matches!(item, Item::Gap)).map_or(0, |gap| gap + 1);
    for item in &rest[..head] {
        match item {
            Item::Gap => writer.out.push('\n'),
            item => writer.comment(item, 0),
        }
    }
    writer.line(0, "config:");
    writer.list(&rest[head..], 1);
    notes.append(&mut writer.notes);
    if writer.faults.is_empty() { Ok(writer.out) } else { Err(writer.faults) }
}

#[derive(Default)]
struct Writer {
    out: String,
    faults: Vec<Stays>,
    notes: Vec<Stays>,
}

impl Writer {
    fn line(&mut self, depth: usize, text: &str) {
        self.out.push_str(&format!("{}{text}\n", "  ".repeat(depth)));
    }

    fn comment(&mut self, item: &Item, depth: usize) {
        if let Item::Comment(text) = item {
            self.line(depth, text);
        }
    }

    fn comment_text(&mut self, text: Option<&str>, depth: usize) {
        text.iter().for_each(|text| self.line(depth, text));
    }

    fn fault(&mut self, span: Span, why: impl Into<String>) {
        self.faults.push((span, why.into()));
    }

    /// Sections of a router, each an item of a list.
    fn list(&mut self, items: &[&Item], depth: usize) {
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
            match item {
                Item::Gap => {}
                Item::Comment(_) => self.comment(item, depth),
                Item::Section(section) => self.top_section(section, depth),
                Item::Include(include) => {
                    self.fault(include.span, "a file that is included has to be YAML too: convert with --inline, which puts it in here");
                }
                Item::Param(param) => self.fault(param.span, format!("there is no place in YAML for '{}' outside of a section", param.key)),
            }
        }
        if items.iter().all(|item| matches!(item, Item::Gap | Item::Comment(_))) {
            self.line(depth, "[]");
        }
    }

    fn top_section(&mut self, section: &Section, depth: usize) {
        self.comment_text(section.behind.as_deref(), depth);
        self.line(depth, &format!("- {}:", section.name));
        match section.name.as_str() {
            "source" | "filter" | "match" => {
                let arg_key = if section.name == "source" { None } else { Some("$tag") };
                if let (None, Some(arg)) = (arg_key, section.arg.as_ref().filter(|arg| arg.text().as_deref() != Some(""))) {
                    self.fault(section.span, format!("<source {}> has no place for its argument in YAML", arg.text().unwrap_or_default()));
                }
                self.section_body(section, depth + 2, arg_key);
            }
            "label" | "worker" => {
                let key = if section.name == "label" { "$name" } else { "$arg" };
                let arg = section.arg.as_ref().map_or_else(|| "''".to_owned(), |arg| self.value(arg, section.span));
                self.line(depth + 2, &format!("{key}: {arg}"));
                self.line(depth + 2, "config:");
                let items: Vec<&Item> = section.items.iter().collect();
                self.list(&items, depth + 3);
            }
            other => self.fault(section.span, format!("there is no place in YAML for <{other}> outside of a section")),
        }
        self.comment_text(section.after.as_deref(), depth);
    }

    /// What a section holds, as a map.
    fn section_body(&mut self, section: &Section, depth: usize, arg_key: Option<&str>) {
        let mut lines = 0;
        if let (Some(key), Some(arg)) = (arg_key, &section.arg) {
            let arg = self.value(arg, section.span);
            self.line(depth, &format!("{key}: {arg}"));
            lines += 1;
        }
        let mut written: Vec<&str> = Vec::new();
        let mut above: Vec<&Item> = Vec::new();
        for item in &section.items {
            match item {
                Item::Gap => {}
                Item::Comment(_) => above.push(item),
                Item::Include(include) => {
                    self.fault(include.span, "YAML includes lists of sections only: convert with --inline, which puts the file in here");
                }
                Item::Param(param) => {
                    std::mem::take(&mut above).into_iter().for_each(|comment| self.comment(comment, depth));
                    self.param(param, section, depth);
                    lines += 1;
                }
                Item::Section(inner) => {
                    let comments = std::mem::take(&mut above);
                    if !written.contains(&inner.name.as_str()) {
                        written.push(&inner.name);
                        comments.into_iter().for_each(|comment| self.comment(comment, depth));
                        self.inner(inner, section, depth);
                        lines += 1;
                    }
                }
            }
        }
        above.into_iter().for_each(|comment| self.comment(comment, depth));
        if lines == 0 {
            self.line(depth, "{}");
        }
    }

    fn param(&mut self, param: &Param, section: &Section, depth: usize) {
        let is_same = |item: &Item| matches!(item, Item::Param(other) if other.key == param.key);
        let last = section.items.iter().rfind(|item| is_same(item));
        if !matches!(last, Some(Item::Param(last)) if std::ptr::eq(last, param)) {
            return self.fault(param.span, format!("'{}' is given more than once, and a map has each key once", param.key));
        }
        if section.items.iter().any(|item| matches!(item, Item::Section(inner) if inner.name == param.key)) {
            return self.fault(param.span, format!("'{0}' is beside a section <{0}>, and a map has each key once", param.key));
        }
        if param.key.is_empty() {
            return self.fault(param.span, "in YAML a name is a text: embedded Ruby, or nothing, cannot be one");
        }
        let key = match param.key.as_str() {
            "@type" => "$type",
            "@label" => "$label",
            "@id" => "$id",
            "@log_level" => "$log_level",
            key if key.starts_with('$') || key == "<<" => return self.fault(param.span, format!("'{key}' has another meaning in YAML")),
            key => key,
        };
        let value = self.value(&param.value, param.span);
        let behind = param.behind.as_ref().map_or_else(String::new, |comment| format!(" {comment}"));
        self.line(depth, &format!("{}: {value}{behind}", scalar(key)));
    }

    /// A sub-section, or all of its name as a list.
    fn inner(&mut self, first: &Section, around: &Section, depth: usize) {
        let mut above: Vec<&Item> = Vec::new();
        let mut all: Vec<(&Section, Vec<&Item>)> = Vec::new();
        for item in &around.items {
            match item {
                Item::Comment(_) => above.push(item),
                Item::Section(section) if section.name == first.name => all.push((section, std::mem::take(&mut above))),
                Item::Gap => {}
                _ => above.clear(),
            }
        }
        self.line(depth, &format!("{}:", scalar(&first.name)));
        if let [(only, _)] = all.as_slice() {
            self.comment_text(only.behind.as_deref(), depth + 1);
            self.section_body(only, depth + 1, Some("$arg"));
            return self.comment_text(only.after.as_deref(), depth);
        }
        for (number, (section, comments)) in all.into_iter().enumerate() {
            if number > 0 {
                comments.into_iter().for_each(|comment| self.comment(comment, depth + 1));
            }
            self.comment_text(section.behind.as_deref(), depth + 1);
            if section.arg.is_some() {
                let why = format!("in YAML Fluentd does not read the argument of one of several <{}>; flumen does", section.name);
                self.notes.push((section.span, why));
            }
            let before = self.out.len();
            self.section_body(section, depth + 2, Some("$arg"));
            // The first line that is no comment begins the item.
            let body = self.out.split_off(before);
            let mut is_begun = false;
            for line in body.lines() {
                let inside = line.trim_start();
                if is_begun || inside.starts_with('#') {
                    self.out.push_str(&format!("{line}\n"));
                } else {
                    is_begun = true;
                    self.line(depth + 1, &format!("- {inside}"));
                }
            }
            self.comment_text(section.after.as_deref(), depth + 1);
        }
    }

    fn value(&mut self, value: &Value, span: Span) -> String {
        let Some(text) = value.text() else {
            let part = |part: &Part| match part {
                Part::Text(text) => text.replace('\\', "\\\\").replace('"', "\\\"").replace("#{", "\\#{").replace('\n', "\\n"),
                Part::Code(code, _) => format!("#{{{code}}}"),
            };
            let ruby: String = value.parts.iter().map(part).collect();
            return format!("!fluent/s {}", quoted(&ruby));
        };
        if !value.is_json {
            return scalar(&text);
        }
        match Json::parse(&text) {
            // A list in YAML's own form is refused by Fluentd.
            Some(json) => scalar(&json.dump()),
            None => {
                self.fault(span, format!("{text} is no JSON"));
                String::new()
            }
        }
    }
}

/// A text so that it is read as that text, whatever it looks like.
fn scalar(text: &str) -> String {
    const WORDS: [&str; 9] = ["yes", "no", "on", "off", "y", "n", "null", "nan", "inf"];
    let is_word = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '$')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_./$-".contains(c))
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
        && (!matches!(text.to_ascii_lowercase().as_str(), "true" | "false") || matches!(text, "true" | "false"));
    let digits = text.trim_end_matches(|c: char| "smhdkgtSMHDKGT".contains(c));
    let is_number = !digits.is_empty()
        && digits.len() < 16
        && text.len() - digits.len() <= 1
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && (digits == "0" || !digits.starts_with('0'));
    if is_word || is_number { text.to_owned() } else { quoted(text) }
}

/// In single quotes, or in double quotes where that reads better, with the escapes of JSON where they are needed.
fn quoted(text: &str) -> String {
    if text.chars().any(|c| c.is_control() || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}')) {
        serde_json::to_string(text).unwrap_or_default()
    } else {
        match text.contains('\'') && !text.contains(['"', '\\']) {
            true => format!("\"{text}\""),
            false => format!("'{}'", text.replace('\'', "''")),
        }
    }
}
