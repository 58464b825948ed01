//! Every crate that is linked in has a licence of the list in `deny.toml`, and there are not too many of them.

use serde_json::Value;
use std::process::Command;

/// The aim for the lock file: what is more is paid by everyone who builds or audits.
const PACKAGES_AT_MOST: usize = 200;

#[test]
fn every_dependency_has_an_allowed_licence() {
    let allowed = allowed_licences();
    let packages = packages();
    assert!(packages.len() > 50, "cargo metadata found only {} packages", packages.len());
    for package in &packages {
        let licence = package["license"].as_str().unwrap_or_else(|| panic!("{} names no licence", package["name"]));
        assert!(is_allowed(licence, &allowed), "{} has the licence {licence}, of which deny.toml allows nothing", package["name"]);
    }
}

#[test]
fn the_lock_file_stays_small() {
    let lock = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.lock")).unwrap();
    let count = lock.lines().filter(|line| *line == "[[package]]").count();
    assert!((1..=PACKAGES_AT_MOST).contains(&count), "{count} packages in Cargo.lock, the aim is {PACKAGES_AT_MOST} at most");
}

#[test]
fn licence_expressions_are_understood() {
    let allowed = ["MIT", "Apache-2.0", "Unicode-3.0"].map(String::from);
    let cases = [
        ("MIT", true),
        ("MIT/Apache-2.0", true),
        ("GPL-3.0 OR MIT", true),
        ("(GPL-3.0 OR MIT) AND Unicode-3.0", true),
        ("(MIT OR Apache-2.0) AND GPL-3.0", false),
        ("MIT AND GPL-3.0 OR Apache-2.0", true),
        ("Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT", true),
        ("GPL-2.0-only", false),
    ];
    for (licence, wanted) in cases {
        assert_eq!(is_allowed(licence, &allowed), wanted, "{licence}");
    }
}

fn allowed_licences() -> Vec<String> {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/deny.toml")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("allow = ")).expect("deny.toml has a list `allow` on one line");
    serde_json::from_str(line).expect("the list `allow` reads as JSON too")
}

/// The packages of the build for this machine's kind. Those for other systems need not even be downloaded.
fn packages() -> Vec<Value> {
    let target = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let mut command = Command::new(env!("CARGO"));
    command.args(["metadata", "--format-version=1", "--locked", "--filter-platform", &platform, "--manifest-path", target]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

/// Whether the allowed licences satisfy an SPDX expression; `/` is the older way to write OR.
fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = &words[..];
    any_of(&mut rest, allowed)
}

fn any_of(words: &mut &[&str], allowed: &[String]) -> bool {
    let mut satisfied = all_of(words, allowed);
    while words.first() == Some(&"OR") {
        *words = &words[1..];
        satisfied |= all_of(words, allowed);
    }
    satisfied
}

fn all_of(words: &mut &[&str], allowed: &[String]) -> bool {
    let mut satisfied = one(words, allowed);
    while words.first() == Some(&"AND") {
        *words = &words[1..];
        satisfied &= one(words, allowed);
    }
    satisfied
}

fn one(words: &mut &[&str], allowed: &[String]) -> bool {
    let Some((first, rest)) = words.split_first() else { return false };
    *words = rest;
    if *first == "(" {
        let satisfied = any_of(words, allowed);
        *words = words.get(1..).unwrap_or_default();
        return satisfied;
    }
    let with_exception = words.first() == Some(&"WITH");
    if with_exception {
        *words = words.get(2..).unwrap_or_default();
    }
    // An exception is a licence of its own; nothing here needs one.
    !with_exception && allowed.iter().any(|licence| licence == first)
}
