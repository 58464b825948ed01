//! The text of a configuration as it is printed at start: `<ROOT>...</ROOT>`, secrets masked.

use super::literal::{Seconds, Size};
use super::{Declared, Element, FromLiteral, Kind, ParamValue};

/// What a secret value is shown as.
pub(super) const MASK: &str = "xxxxxx";

/// The text of an element and all below it, each line with its end. What is a secret and what is quoted follows from the declarations
/// that have read the elements, so the pipeline is built first.
pub fn dump(element: &Element) -> String {
    let mut out = String::new();
    write(element, 0, true, &mut out);
    out
}

fn write(element: &Element, depth: usize, plugin: bool, out: &mut String) {
    let indent = "  ".repeat(depth);
    out.push_str(&format!("{indent}{}\n", element.tag_text()));
    for param in element.params.iter().filter(|param| !element.is_quiet(&param.key)) {
        out.push_str(&format!("{indent}  {} {}\n", param.key, shown(element, &param.key, &param.value, plugin)));
    }
    for (key, value) in element.given() {
        let value = ParamValue::Text(value);
        out.push_str(&format!("{indent}  {key} {}\n", shown(element, &key, &value, plugin)));
    }
    for child in element.children.iter().chain(element.shown_sections().iter()) {
        let top = matches!(child.name.as_str(), "source" | "filter" | "match");
        write(child, depth + 1, top, out);
    }
    out.push_str(&format!("{indent}</{}>\n", element.name));
}

fn shown(element: &Element, key: &str, value: &ParamValue, plugin: bool) -> String {
    let declared = element.declarations().iter().find_map(|section| section.params.iter().find(|param| param.name == key));
    // By its alias a secret is as secret.
    let secret = element.declarations().iter().any(|section| section.declared(key).is_some_and(|param| param.secret));
    if secret {
        return MASK.to_owned();
    }
    match value {
        ParamValue::Nil => String::new(),
        ParamValue::Default => declared.map_or(String::new(), |declared| default_text(declared, element.default_of(key).as_deref())),
        ParamValue::Text(text) if is_string(element, key, declared, plugin) => format!("\"{}\"", escaped(text)),
        ParamValue::Text(text) => text.clone(),
    }
}

/// Whether the value is a declared string, which is shown in quotes.
fn is_string(element: &Element, key: &str, declared: Option<&Declared>, plugin: bool) -> bool {
    if element.plain || element.declarations().is_empty() {
        return false;
    }
    if element.name == "system" && matches!(key, "@type" | "@log_level" | "config_include_dir") {
        // Nothing of Fluentd's declares them there.
        return false;
    }
    match key {
        // A sub-section's type is a declared string of the plugin around it; that of a plugin's own section is not.
        "@type" => !plugin,
        "@log_level" => true,
        // Old flat parameters are nobody's in Fluentd.
        "@id" | "@label" | "time_slice_format" => false,
        _ => declared.is_some_and(|declared| matches!(declared.kind, Kind::String | Kind::Accessor)),
    }
}

fn default_text(declared: &Declared, own: Option<&str>) -> String {
    let Some(text) = own.or(declared.default) else { return String::new() };
    match declared.kind {
        Kind::Size => Size::from_literal(text, false).map_or_else(|_| text.to_owned(), |size| size.0.to_string()),
        Kind::Time => Seconds::from_literal(text, false).map_or_else(|_| text.to_owned(), |seconds| seconds.0.to_string()),
        _ => text.to_owned(),
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\'' => out.push_str("\\'"),
            '\\' => out.push_str("\\\\"),
            '\r' => out.push_str("\\r"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\u{c}' => out.push_str("\\f"),
            '\u{8}' => out.push_str("\\b"),
            c => out.push(c),
        }
    }
    out
}
