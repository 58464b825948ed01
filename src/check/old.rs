//! The forms of version 0.12, with those of today; and which of them Fluentd 1.x refuses.

use super::known;
use super::subject::{Subject, kind_of, text_of, value, walk};
use crate::config::compat::modern;
use crate::config::{Element, Param};

/// Looks at all plugins. `fluentd` asks what Fluentd 1.x would do with the file.
pub fn check(subject: &Subject<'_>, fluentd: bool) {
    walk(subject.written, &mut |element, _| {
        flat(subject, element);
        flat_grok(subject, element, fluentd);
        rewrite_rules(subject, element, fluentd);
        bad_types(subject, element, fluentd);
    });
}

/// The flat parameters of one plugin, by the sections that they belong to.
fn flat(subject: &Subject<'_>, element: &Element) {
    let Some((own, takes)) = known::row(element, kind_of(element)) else { return };
    let mut sections: Vec<(&str, Vec<(&Param, &str)>)> = Vec::new();
    for param in element.params.iter().filter(|param| own.declared(&param.key).is_none()) {
        let Some((section, name)) = modern(takes, &param.key).filter(|(section, _)| !element.has_section(section)) else { continue };
        match sections.iter_mut().find(|(known, _)| *known == section) {
            Some((_, params)) => params.push((param, name)),
            None => sections.push((section, vec![(param, name)])),
        }
    }
    for (section, params) in sections {
        let moved: Vec<String> = params
            .iter()
            .map(|(param, name)| if param.key == *name { format!("'{name}'") } else { format!("'{}' (now '{name}')", param.key) })
            .collect();
        let message = format!("the form of version 0.12: today there is a <{section}> section for {}", moved.join(", "));
        subject.note("FLM0751", params[0].0.span, message, "move them into that section");
    }
}

/// Says what Fluentd 1.x refuses and Flumen runs.
fn refused(subject: &Subject<'_>, fluentd: bool, code: &'static str, span: crate::config::Span, message: String, help: &str) {
    if fluentd {
        subject.error(code, span, message, help);
    } else {
        subject.note(code, span, format!("Fluentd 1.x refuses this, flumen runs it: {message}"), help);
    }
}

/// `format grok` beside its patterns: Fluentd 1.x moves the one and not the other.
fn flat_grok(subject: &Subject<'_>, element: &Element, fluentd: bool) {
    let Some(param) = element.param("format").filter(|_| matches!(element.name.as_str(), "source" | "filter")) else { return };
    if matches!(value(param), Some("grok" | "multiline_grok")) && !element.has_section("parse") {
        let message = "no grok patterns: the flat form does not take them along".to_owned();
        refused(subject, fluentd, "FLM0752", param.span, message, "write <parse> with '@type grok' and the patterns inside");
    }
}

/// `rewriterule1 key pattern tag`.
fn rewrite_rules(subject: &Subject<'_>, element: &Element, fluentd: bool) {
    if kind_of(element) != "rewrite_tag_filter" {
        return;
    }
    let numbered =
        |key: &str| key.strip_prefix("rewriterule").is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()));
    if let Some(param) = element.params.iter().find(|param| numbered(&param.key)) {
        let message = "\"rewriterule<num>\" support has been dropped. Use <rule> section instead.".to_owned();
        refused(subject, fluentd, "FLM0753", param.span, message, "write <rule> sections with key, pattern and tag");
    }
}

/// A grok parser all of whose patterns have `:int`, which makes Fluentd leave each of them out.
fn bad_types(subject: &Subject<'_>, element: &Element, fluentd: bool) {
    if element.name != "parse" || !matches!(kind_of(element), "grok" | "multiline_grok") {
        return;
    }
    let sections = element.children.iter().filter(|child| child.name == "grok").filter_map(|section| text_of(section, "pattern"));
    let patterns: Vec<&str> = match text_of(element, "grok_pattern") {
        Some(pattern) => vec![pattern],
        None => sections.collect(),
    };
    if !patterns.is_empty() && patterns.iter().all(|pattern| pattern.contains(":int}")) {
        let message = "grok has no type 'int', and all patterns with it are left out: no grok patterns".to_owned();
        refused(subject, fluentd, "FLM0754", element.span, message, "write :integer");
    }
}
