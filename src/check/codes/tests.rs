//! The table of codes and the sources, held to each other.

use super::*;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The codes that the sources use, with the places; the table itself and tests do not count.
fn used() -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(&root).unwrap().display().to_string();
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".rs") && !name.starts_with("check/codes") && !name.contains("test") {
                let text = std::fs::read_to_string(&path).unwrap();
                for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
                    for (at, _) in line.match_indices("\"FLM0") {
                        found.entry(line.get(at + 1..at + 8).unwrap_or_default().to_owned()).or_default().push(name.clone());
                    }
                }
            }
        }
    }
    found
}

#[test]
fn every_code_in_use_has_its_row_and_every_row_is_used() {
    let used = used();
    let rows: BTreeSet<&str> = all().map(|row| row.code).collect();
    let missing: Vec<_> = used.iter().filter(|(code, _)| !rows.contains(code.as_str())).collect();
    assert!(missing.is_empty(), "codes without a row in src/check/codes: add one (code, title, explanation, example): {missing:?}");
    let idle: Vec<_> = rows.iter().filter(|code| !used.contains_key(**code)).collect();
    assert!(idle.is_empty(), "rows in src/check/codes that nothing uses any more: {idle:?}");
}

#[test]
fn rows_say_something_and_are_there_once() {
    let mut seen = BTreeSet::new();
    for row in all() {
        assert!(seen.insert(row.code), "{} is there twice", row.code);
        assert!(!row.title.is_empty() && row.explanation.len() > 15 && !row.example.is_empty(), "{}", row.code);
        assert!(row.explanation.ends_with('.') && !row.title.ends_with('.'), "{}", row.code);
        assert!(page(row).contains(row.example.lines().next().unwrap()), "{}", row.code);
    }
}

#[test]
fn plugins_do_not_share_codes() {
    // Codes of parameters and of the language (below FLM0400) are for all; those of plugins are for one each.
    let plugin = |name: &String| name.split('/').take(2).collect::<Vec<_>>().join("/").trim_end_matches(".rs").to_owned();
    let of_plugins = ["input/", "filter/", "output/"];
    for (code, places) in used().iter().filter(|(code, _)| code.as_str() >= "FLM0430") {
        let plugins: BTreeSet<String> =
            places.iter().filter(|name| of_plugins.iter().any(|room| name.starts_with(room))).map(plugin).collect();
        assert!(plugins.len() <= 1, "{code} is used by {plugins:?}: choose a number that is free for one of them");
    }
}
