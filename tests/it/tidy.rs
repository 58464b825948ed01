//! The house rules that a program can check: who may import whom, and what must not be in the sources.

use std::fs;
use std::path::{Path, PathBuf};

/// Rooms from the bottom up; rooms on one line do not see each other.
const LEVELS: &[&[&str]] = &[
    &["log", "metrics"],
    &["event", "regex"],
    &["ruby"],
    &["config"],
    &["plugin", "net"],
    &["parser", "formatter", "buffer", "forward", "console", "modifier", "process"],
    &["input", "filter", "output"],
    &["pipeline", "manual"],
    &["check", "supervisor"],
    &["lsp"],
    &["cli"],
];

fn level(room: &str) -> Option<usize> {
    LEVELS.iter().position(|rooms| rooms.contains(&room))
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            found.push(path);
        }
    }
}

fn all_sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.len() > 30, "the sources were not found");
    found
}

/// The room a file belongs to: the first folder, or the file's own name, below `src`.
fn room_of(path: &Path) -> String {
    let inside = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap();
    inside.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

/// The rooms that a text names as `crate::ROOM`, comments and macros left out.
fn rooms_named(text: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for line in text.lines().map(str::trim_start).filter(|line| !line.starts_with("//")) {
        for (at, _) in line.match_indices("crate::") {
            let rest = &line[at + "crate::".len()..];
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            if !rest[end..].starts_with('!') {
                rooms.push(rest[..end].to_owned());
            }
        }
    }
    rooms
}

#[test]
fn imports_go_strictly_downward() {
    let mut wrong = Vec::new();
    for path in all_sources() {
        let room = room_of(&path);
        if room == "main" || room == "lib" {
            continue;
        }
        let own = level(&room).unwrap_or_else(|| panic!("room {room} is not in the table of levels"));
        for other in rooms_named(&fs::read_to_string(&path).unwrap()) {
            if other != room && level(&other).is_some_and(|theirs| theirs >= own) {
                wrong.push(format!("{} names crate::{other}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "imports that go up or sideways:\n{}", wrong.join("\n"));
}

#[test]
fn nothing_is_left_open() {
    let mut wrong = Vec::new();
    for path in all_sources() {
        let text = fs::read_to_string(&path).unwrap();
        for word in ["TODO", "FIXME", "todo!(", "unimplemented!(", "#[ignore", "allow(dead_code"] {
            if text.contains(word) {
                wrong.push(format!("{} has {word}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent: Vec<String> = all_sources()
        .into_iter()
        .filter(|path| !fs::read_to_string(path).unwrap().starts_with("//!"))
        .map(|path| path.display().to_string())
        .collect();
    assert!(silent.is_empty(), "files without a //! header: {silent:?}");
}

#[test]
fn only_the_supervisor_touches_signals_and_only_config_reads_configurations() {
    for path in all_sources() {
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains("signal::unix") || room_of(&path) == "supervisor", "{} touches signals", path.display());
    }
}

#[test]
fn blocks_of_the_readmes_are_closed() {
    for name in ["README.md", "benches/README.md"] {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap();
        let mut open = None;
        for (number, line) in text.lines().enumerate().filter(|(_, line)| line.starts_with("```")) {
            assert!(open.is_none() || line.trim_end() == "```", "{name}:{}: the block of line {open:?} is not closed", number + 1);
            open = if open.is_none() { Some(number + 1) } else { None };
        }
        assert_eq!(open, None, "{name}: the last block is not closed");
    }
}
