//! Every plugin: documented, with defaults that can be read, and with an example that ships.

use super::*;
use crate::config::{Diagnostics, Element, LoadOptions, Span, check, load};
use std::collections::HashSet;

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
    const EXPECTED: [&str; 5] = ["is required", "are required", "deprecated", "\"-1\" is read as", "has no effect"];
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

/// The plugins that a configuration names, as kind and name.
fn named(element: &Element, found: &mut HashSet<(&'static str, String)>) {
    for child in &element.children {
        let kind = match child.name.as_str() {
            "source" => "input",
            "filter" => "filter",
            "match" | "store" | "secondary" => "output",
            "parse" => "parser",
            "format" => "formatter",
            _ => "",
        };
        if let Some(name) = child.plugin_type() {
            found.insert((kind, name.to_owned()));
        }
        named(child, found);
    }
}

#[test]
fn every_plugin_has_an_example() {
    let mut found = HashSet::new();
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/conf")).expect("is there") {
        let path = file.expect("is readable").path();
        if path.extension().is_some_and(|extension| extension == "conf") {
            let root = load(&LoadOptions::new(&path), &Diagnostics::new()).expect("is read without fault");
            named(&root, &mut found);
        }
    }
    let missing: Vec<String> = entries()
        .iter()
        .filter(|entry| entry.kind != "section" && !found.contains(&(entry.kind, entry.name.to_owned())))
        .map(|entry| format!("{} {}", entry.kind, entry.name))
        .collect();
    assert!(missing.is_empty(), "no file in conf/ shows {missing:?}");
}

#[test]
fn the_page_is_up_to_date() {
    let page = include_str!("../../../conf/PLUGINS.md");
    assert!(page == markdown(&entries()), "conf/PLUGINS.md is old: flumen plugin --format markdown > conf/PLUGINS.md");
}

#[test]
fn what_is_built_is_not_listed_as_known_only() {
    let built: HashSet<(&str, &str)> = entries().iter().map(|entry| (entry.kind, entry.name)).collect();
    for (kind, table) in known_tables() {
        let names: Vec<&str> = table.all().iter().map(|known| known.name).collect();
        assert_eq!(names.len(), names.iter().collect::<HashSet<_>>().len(), "an entry of {kind} is there twice");
        let both: Vec<&&str> = names.iter().filter(|name| built.contains(&(kind, **name))).collect();
        assert!(both.is_empty(), "built now, so take them out of src/{kind}/known.txt: {both:?}");
    }
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
    assert!(chosen(&["--format", "xml"]).unwrap_err().contains("expected text, markdown, json, summary"));
    assert!(chosen(&["--colour"]).unwrap_err().contains("invalid option: --colour"));
}

#[test]
fn the_readme_has_the_table_of_all_parameters() {
    let readme = include_str!("../../../README.md");
    let table = summary::summary(&entries());
    assert!(readme.contains(&table), "the table of the README is old: flumen plugin --format summary prints it");
    for part in ["| input `forward` | `port`", "`<security>` (`self_hostname`", "| `reuse_record` |", "| output `relabel` |"] {
        assert!(table.contains(part), "{part} is not in the table");
    }
}
