//! Warnings about what nobody reads: parameters and sections that no declaration took.

use super::{Diagnostics, Element, dump};

/// The longest section text that a warning repeats, in bytes: the rest is cut.
const MAX_SHOWN: usize = 4096;

/// Warns about every unused parameter and section below `root`, in Fluentd's words, once the pipeline is built.
pub fn warn_unused(root: &Element, diagnostics: &Diagnostics) {
    visit(root, "", diagnostics);
}

fn visit(element: &Element, plugin: &str, diagnostics: &Diagnostics) {
    let plugin = plugin_of(element).unwrap_or(plugin);
    let mut text: Option<String> = None;
    for param in element.params.iter().filter(|param| !param.used.get() && !reserved(&param.key)) {
        // Once for all of them: a section may have very many.
        let text = text.get_or_insert_with(|| shown(element));
        diagnostics.warn("FLM0301", Some(param.span), format!("parameter '{}' in {text} is not used.", param.key));
    }
    for child in &element.children {
        if child.used.get() || is_structure(element, child) {
            visit(child, plugin, diagnostics);
        } else {
            let of = if plugin.is_empty() { String::new() } else { format!(" of {plugin} plugin") };
            let message = format!("section <{}> is not used in {}{of}", child.name, element.tag_text());
            diagnostics.warn("FLM0302", Some(child.span), message);
        }
    }
}

/// The text of a section, cut where it is long.
fn shown(element: &Element) -> String {
    let mut text = dump(element).trim().to_owned();
    if text.len() > MAX_SHOWN {
        let cut = (0..=MAX_SHOWN).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(cut);
        text.push_str("...");
    }
    text
}

/// The type of the plugin that a section configures.
fn plugin_of(element: &Element) -> Option<&str> {
    let param = element
        .param("@type")
        .or_else(|| matches!(element.name.as_str(), "source" | "filter" | "match").then(|| element.param("type")).flatten())?;
    match &param.value {
        super::ParamValue::Text(text) => Some(text),
        _ => None,
    }
}

fn reserved(key: &str) -> bool {
    matches!(key, "@type" | "@id" | "@label" | "@log_level")
}

/// Whether a section is part of the skeleton rather than of a plugin.
fn is_structure(parent: &Element, child: &Element) -> bool {
    let skeleton: &[&str] = match parent.name.as_str() {
        "ROOT" => &["source", "filter", "match", "label", "worker", "system"],
        "label" => &["filter", "match"],
        "worker" => &["source", "filter", "match", "label"],
        _ => &[],
    };
    skeleton.contains(&child.name.as_str())
}
