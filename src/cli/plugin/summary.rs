//! All plugins in one table: what each takes, and what of it is refused or has no effect. For the README; the whole manual is the other formats.

use crate::config::{Declared, Section};
use crate::manual::{Entry, rows};

/// One table, a row an entry; plugins that take the same are one row.
pub(super) fn summary(entries: &[Entry]) -> String {
    let mut lines: Vec<(&Entry, Vec<&str>)> = Vec::new();
    for entry in entries {
        match lines.last_mut() {
            Some((last, names)) if last.kind == entry.kind && std::ptr::eq(last.section, entry.section) => names.push(entry.name),
            _ => lines.push((entry, vec![entry.name])),
        }
    }
    let mut text = "| | parameters | refused, or said to have no effect |\n|---|---|---|\n".to_owned();
    for (entry, names) in lines {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        let mut others = Vec::new();
        let cell = |names: Vec<String>| names.join(", ").replace('|', "\\|");
        let taken = cell(taken(entry.section, "", &mut others));
        text.push_str(&format!("| {} {} | {taken} | {} |\n", entry.kind, names.join(", "), cell(others)));
    }
    text
}

/// What a section takes; what of it and of those within it is not taken goes to `others`.
fn taken(section: &Section, path: &str, others: &mut Vec<String>) -> Vec<String> {
    let is_taken = |param: &Declared| param.refused.is_none() && param.obsoleted.is_none() && param.idle.is_none();
    let mut all = Vec::new();
    for (name, param) in rows(section) {
        match is_taken(param) {
            true => all.push(format!("`{name}`")),
            false => others.push(format!("{path}`{name}`")),
        }
    }
    for sub in section.sections {
        let name = format!("`<{}>`", sub.name);
        // Without parameters of its own it holds names of fields, or those of the plugin that its `@type` names.
        let inner = sub.section.map(|inner| taken(inner, &format!("{path}{name} "), others)).unwrap_or_default();
        all.push(if inner.is_empty() { name } else { format!("{name} ({})", inner.join(", ")) });
    }
    all
}
