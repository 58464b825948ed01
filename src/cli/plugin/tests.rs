//! Every plugin: documented, with defaults that can be read, and with an example that ships.

use super::*;
use crate::config::{Diagnostics, Element, Span, check};

/// Visits a section and all in it.
fn walk(section: &'static Section, path: &str, visit: &mut dyn FnMut(&'static Section, &str)) {
    visit(section, path);
    for sub in section.sections {
        if let Some(inner) = sub.section {
            walk(inner, &format!("{path} <{}>", sub.name), visit);
        }
    }
}

#[test]
fn everything_is_documented() {
    let mut silent = Vec::new();
    for entry in entries() {
        walk(entry.section, &format!("{} {}", entry.kind, entry.name), &mut |section, path| {
            if section.doc.is_empty() {
                silent.push(path.to_owned());
            }
            let without = section.params.iter().filter(|param| param.doc.is_empty());
            silent.extend(without.map(|param| format!("{path} {}", param.name)));
        });
    }
    assert!(silent.is_empty(), "without documentation: {silent:#?}");
}

/// The faults of a section's defaults, read as if they were written.
fn faults(section: &'static Section) -> Vec<String> {
    let mut element = Element::new("match", "", Span::default());
    for param in section.params.iter().filter(|param| !param.required && param.obsoleted.is_none()) {
        if let Some(default) = param.default {
            element.set(param.name, default, Span::default());
        }
    }
    let diagnostics = Diagnostics::new();
    check(&element, section, &diagnostics);
    let faults = diagnostics.findings().into_iter().map(|finding| finding.message);
    // What is missing is missing on purpose; -1 stands for no limit.
    const EXPECTED: [&str; 4] = ["is required", "are required", "deprecated", "\"-1\" is read as"];
    faults.filter(|message| !EXPECTED.iter().any(|expected| message.contains(expected))).collect()
}

#[test]
fn defaults_are_values() {
    let mut wrong = Vec::new();
    let known: Vec<&'static Section> = known_tables().iter().flat_map(|(_, table)| table.all()).map(|known| known.section).collect();
    for section in entries().iter().map(|entry| entry.section).chain(known) {
        walk(section, "", &mut |section, path| wrong.extend(faults(section).into_iter().map(|fault| format!("{path}: {fault}"))));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn plugins_are_chosen_by_kind_and_name() {
    let chosen = |arguments: &[&str]| {
        let arguments: Vec<String> = arguments.iter().map(|argument| argument.to_string()).collect();
        chosen(&arguments).map(|(entries, format)| render(&entries, &format))
    };
    let text = chosen(&["grep"]).expect("is there");
    assert!(
        text.starts_with("filter grep: ") && text.contains("<regexp> (any number)") && text.contains("pattern  regexp (required)"),
        "{text}"
    );
    let json: Value = serde_json::from_str(&chosen(&["stdout", "--format", "json"]).expect("is there")).expect("is JSON");
    assert_eq!(
        json.as_array().map(|all| all.iter().map(|one| one["kind"].as_str().unwrap_or_default()).collect::<Vec<_>>().join(" ")).as_deref(),
        Some("filter formatter output")
    );
    let page = chosen(&["parser", "--format=markdown"]).expect("is there");
    assert!(page.contains("### parser `regexp`") && !page.contains("## Outputs"), "{page}");
    assert!(chosen(&["nosuch"]).unwrap_err().contains("there is no plugin 'nosuch'"));
    assert!(chosen(&["kafka2"]).unwrap_err().contains("fluent-plugin-kafka"));
    assert!(chosen(&["--format", "xml"]).unwrap_err().contains("expected text, markdown, json"));
    assert!(chosen(&["--colour"]).unwrap_err().contains("invalid option: --colour"));
}
