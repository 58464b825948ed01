//! Deprecated names in their modern ones, and the numbered conditions of `grep` as sections. Both the text and the proof go by these tables.

use super::doc::{Item, Param, Section, Value};
use super::modern::{Stays, take};

/// Plugins, a parameter's old name and its present one, which means the same.
const NAMES: [(&[&str], &str, &str); 4] = [
    (&["sample", "dummy"], "dummy", "sample"),
    (&["syslog"], "priority_key", "severity_key"),
    (&["csv", "syslog"], "parser_type", "parser_engine"),
    (&["udp"], "body_size_limit", "message_length_limit"),
];
/// What stands in a condition's section in place of its number.
const CONDITIONS: [&str; 2] = ["exclude", "regexp"];

/// The present name of a plugin in such a section.
pub fn plugin_name<'n>(section: &str, name: &'n str) -> &'n str {
    if section == "source" && name == "dummy" { "sample" } else { name }
}

/// The present name of a plugin's parameter.
pub fn param_name<'k>(plugin: &str, key: &'k str) -> &'k str {
    NAMES.iter().find(|(plugins, old, _)| *old == key && plugins.contains(&plugin)).map_or(key, |(_, _, new)| new)
}

/// The section and the number of a `regexp1` or `exclude1`.
pub fn numbered(key: &str) -> Option<(&'static str, u64)> {
    CONDITIONS.iter().find_map(|name| Some((*name, key.strip_prefix(name)?.parse().ok().filter(|number| (1..=20).contains(number))?)))
}

/// The key and the pattern of a numbered condition; `None` where a section would not mean the same.
pub fn condition_of(text: &str) -> Option<[String; 2]> {
    let (key, pattern) = text.split_once(' ')?;
    // Between slashes a pattern would be read as such, and so would an accessor.
    let is_plain = !key.is_empty() && !key.starts_with('$') && !pattern.is_empty() && !pattern.starts_with([' ', '/']);
    is_plain.then(|| [key.to_owned(), pattern.to_owned()])
}

fn param_of<'s>(section: &'s mut Section, key: &str) -> Option<&'s mut Param> {
    section.items.iter_mut().find_map(|item| match item {
        Item::Param(param) if param.key == key => Some(param),
        _ => None,
    })
}

/// Gives a section's plugin and parameters their present names.
pub fn rename(section: &mut Section) {
    let name = section.name.clone();
    let Some(kind) = param_of(section, "@type") else { return };
    let Some(plugin) = kind.value.text() else { return };
    let present = plugin_name(&name, &plugin);
    if present != plugin {
        kind.value = Value::of(present);
    }
    for (plugins, old, new) in NAMES {
        if plugins.contains(&plugin.as_str())
            && param_of(section, new).is_none()
            && let Some(param) = param_of(section, old)
        {
            (param.key, param.written_key) = (new.to_owned(), None);
        }
    }
}

/// Makes sections of the numbered conditions of `grep`.
pub fn conditions(section: &mut Section) -> Result<(), Stays> {
    if param_of(section, "@type").and_then(|kind| kind.value.text()).as_deref() != Some("grep") {
        return Ok(());
    }
    let mut found: Vec<(&'static str, u64, Param)> = Vec::new();
    for item in &section.items {
        if let Item::Param(param) = item
            && let Some((name, number)) = numbered(&param.key)
        {
            found.push((name, number, param.clone()));
        }
    }
    found.sort_by_key(|(name, number, _)| (*name, *number));
    let has_sections = section.items.iter().any(|item| matches!(item, Item::Section(_)));
    for (.., param) in &found {
        if has_sections || param.value.text().and_then(|text| condition_of(&text)).is_none() {
            return Err((param.span, format!("'{}' stays as it is: it has no exact counterpart in a section", param.key)));
        }
    }
    for (name, _, param) in found {
        let Some([key, pattern]) = param.value.text().and_then(|text| condition_of(&text)) else { continue };
        let taken = take(&mut section.items, |item| matches!(item, Item::Param(other) if other.span == param.span));
        section.items.extend(taken.into_iter().filter(|item| matches!(item, Item::Comment(_))));
        let line = |key: &str, value: &str| {
            Item::Param(Param { key: key.to_owned(), written_key: None, value: Value::of(value), span: param.span, behind: None })
        };
        let items = vec![line("key", &key), line("pattern", &format!("/{}/", pattern.replace("\\/", "/").replace('/', "\\/")))];
        let (name, span, behind) = (name.to_owned(), param.span, param.behind.clone());
        section.items.push(Item::Section(Section { name, arg: None, items, span, behind, after: None }));
    }
    Ok(())
}
