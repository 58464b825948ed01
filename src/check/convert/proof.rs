//! What a configuration means, in a form that does not depend on how it is written: two that have the same are the same.

use super::modern::{moved, rule_of};
use super::renamed::{condition_of, numbered, param_name, plugin_name};
use crate::check::subject::kind_of;
use crate::config::{Diagnostics, Element, Json, ParamValue, Span};
use crate::pipeline;

/// One line of the form, and where it comes from.
pub type Line = (String, Span);

/// The form of a configuration: flat parameters moved to their sections, old names replaced, parameters in order of their names.
pub fn form(root: &Element) -> Vec<Line> {
    let mut after = root.clone();
    pipeline::convert_old_parameters(&mut after, &Diagnostics::new());
    let mut lines = Vec::new();
    write(root, &after, 0, &mut lines);
    lines
}

/// The first difference of two forms: the lines, and where the first stands.
pub fn difference(one: &[Line], other: &[Line]) -> Option<(Span, String)> {
    let at = (0..one.len().max(other.len())).find(|at| one.get(*at).map(|line| &line.0) != other.get(*at).map(|line| &line.0))?;
    let show = |line: Option<&Line>| line.map_or("nothing", |line| line.0.trim()).to_owned();
    let span = one.get(at).or(one.last()).map_or_else(Span::default, |line| line.1);
    Some((span, format!("{:?} would become {:?}", show(one.get(at)), show(other.get(at)))))
}

fn write(before: &Element, after: &Element, depth: usize, lines: &mut Vec<Line>) {
    let gone = moved(before, after);
    let margin = "  ".repeat(depth);
    let mut params: Vec<(String, Span)> = Vec::new();
    let is_rewrite = kind_of(after) == "rewrite_tag_filter";
    let is_grep = kind_of(after) == "grep";
    let mut conditions: Vec<(&str, u64, String, Span)> = Vec::new();
    let mut rules: Vec<(u64, String, Span)> = Vec::new();
    for param in after.params.iter().filter(|param| !gone.iter().any(|gone| gone.span == param.span)) {
        let text = match &param.value {
            ParamValue::Text(text) => text.clone(),
            ParamValue::Nil => "nil".to_owned(),
            ParamValue::Default => "default".to_owned(),
        };
        if let Some(number) = param.key.strip_prefix("rewriterule").and_then(|digits| digits.parse().ok()).filter(|_| is_rewrite) {
            rules.push((number, text, param.span));
            continue;
        }
        if let Some((name, number)) = numbered(&param.key).filter(|_| is_grep) {
            conditions.push((name, number, text, param.span));
            continue;
        }
        let key = name_of(after, &param.key);
        let kind = if matches!(param.value, ParamValue::Text(_)) { "" } else { "!" };
        params.push((format!("{margin}{key} {kind}{:?}", canonical(after, key, &text)), param.span));
    }
    params.sort_by(|one, other| one.0.cmp(&other.0));
    lines.extend(params);
    rules.sort_by_key(|(number, ..)| *number);
    for (_, text, span) in rules {
        match rule_of(&text) {
            Some([key, pattern, tag, invert]) => {
                lines.push((format!("{margin}<rule \"\">"), span));
                let margin = "  ".repeat(depth + 1);
                let mut inner =
                    vec![format!("{margin}key {key:?}"), format!("{margin}pattern {:?}", bare(&pattern)), format!("{margin}tag {tag:?}")];
                inner.extend((invert == "true").then(|| format!("{margin}invert \"true\"")));
                inner.sort();
                lines.extend(inner.into_iter().map(|line| (line, span)));
            }
            None => lines.push((format!("{margin}rule {text:?}"), span)),
        }
    }
    conditions.sort_by_key(|(name, number, ..)| (*name, *number));
    for (name, _, text, span) in conditions {
        match condition_of(&text) {
            Some([key, pattern]) => {
                let inner = "  ".repeat(depth + 1);
                let own = [format!("{margin}<{name} \"\">"), format!("{inner}key {key:?}"), format!("{inner}pattern {:?}", bare(&pattern))];
                lines.extend(own.into_iter().map(|line| (line, span)));
            }
            None => lines.push((format!("{margin}{name} {text:?}"), span)),
        }
    }
    // Within a plugin only those of one name have an order.
    let mut children: Vec<&Element> = after.children.iter().collect();
    match after.name.as_str() {
        "label" | "worker" => {}
        // Where <system> stands does not matter.
        "ROOT" => children.sort_by_key(|child| child.name != "system"),
        _ => children.sort_by(|one, other| one.name.cmp(&other.name)),
    }
    for child in children {
        lines.push((format!("{margin}<{} {:?}>", child.name, child.arg), child.span));
        let written = before.children.iter().find(|other| other.span == child.span && other.name == child.name);
        write(written.unwrap_or(child), child, depth + 1, lines);
    }
}

/// `@type` for `type` and its like.
fn name_of<'k>(element: &Element, key: &'k str) -> &'k str {
    const PLUGINS: [&str; 8] = ["source", "filter", "match", "store", "secondary", "parse", "format", "buffer"];
    let modern = match key {
        "type" => "@type",
        "id" => "@id",
        "log_level" => "@log_level",
        _ => {
            let present = param_name(kind_of(element), key);
            return if element.param(present).is_none() { present } else { key };
        }
    };
    if PLUGINS.contains(&element.name.as_str()) && element.param(modern).is_none() { modern } else { key }
}

/// A value in the one form of those that mean the same.
fn canonical(element: &Element, key: &str, text: &str) -> String {
    match key {
        "@type" => plugin_name(&element.name, text).to_owned(),
        "expression" | "pattern" => bare(text),
        "types" if !text.starts_with('{') => {
            let mut entries: Vec<(String, Json)> = Vec::new();
            for pair in text.split(',').filter(|pair| !pair.is_empty()) {
                let (key, value) = pair.split_once(':').map_or((pair, Json::Null), |(key, value)| (key, Json::String(value.to_owned())));
                match entries.iter_mut().find(|(known, _)| known == key) {
                    Some(entry) => entry.1 = value,
                    None => entries.push((key.to_owned(), value)),
                }
            }
            Json::Object(entries).dump()
        }
        _ if text.starts_with(['[', '{']) => Json::parse(text).map_or_else(|| text.to_owned(), |json| json.dump()),
        _ => text.to_owned(),
    }
}

/// A regular expression without the slashes around it and the backslashes that those ask for.
fn bare(text: &str) -> String {
    let inner = text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')).unwrap_or(text);
    inner.replace("\\/", "/")
}
