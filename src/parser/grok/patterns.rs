//! The grok patterns that are built in: the table of the `grok` crate and our own files in `patterns/`, whose README says how they read.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

crate::choice! {
    /// A set of built-in patterns, which differ in the names of their fields.
    pub enum Series { Legacy = "legacy", EcsV1 = "ecs-v1" }
}

/// Expressions by name.
pub(super) type Patterns = HashMap<String, Arc<str>>;

const LEGACY: &str = include_str!("../../../patterns/legacy.grok");
const ECS_V1_FIELDS: &str = include_str!("../../../patterns/ecs-v1/fields");
const ECS_V1: &[&str] = &[
    include_str!("../../../patterns/ecs-v1/general.grok"),
    include_str!("../../../patterns/ecs-v1/web.grok"),
    include_str!("../../../patterns/ecs-v1/apps.grok"),
    include_str!("../../../patterns/ecs-v1/zeek.grok"),
    include_str!("../../../patterns/ecs-v1/firewalls.grok"),
    include_str!("../../../patterns/ecs-v1/bacula.grok"),
];

/// Names of the crate's table that the legacy series does not have.
const NOT_LEGACY: &[&str] =
    &["IPTABLES", "IPTABLES4_FRAG", "IPTABLES4_PART", "IPTABLES6_PART", "IPTABLES_TCP_FLAGS", "IPTABLES_TCP_PART", "SFW2_LOG_PREFIX"];
/// Names that the ecs-v1 series has from the crate's table, not from the legacy series.
const ECS_V1_FROM_TABLE: &[&str] = &["EMAILLOCALPART", "IPTABLES4_FRAG", "IPTABLES_TCP_FLAGS", "SFW2", "SFW2_LOG_PREFIX", "SHOREWALL"];

/// The patterns of a series, read at its first use.
pub(super) fn series(series: Series) -> &'static Patterns {
    static LEGACY_PATTERNS: OnceLock<Patterns> = OnceLock::new();
    static ECS_V1_PATTERNS: OnceLock<Patterns> = OnceLock::new();
    match series {
        Series::Legacy => LEGACY_PATTERNS.get_or_init(legacy),
        Series::EcsV1 => ECS_V1_PATTERNS.get_or_init(ecs_v1),
    }
}

fn legacy() -> Patterns {
    let left_out: HashSet<&str> = NOT_LEGACY.iter().copied().collect();
    let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    let table = grok::patterns().iter().filter(|(name, _)| is_name(name) && !left_out.contains(name));
    let mut patterns: Patterns = table.map(|(name, expression)| ((*name).to_owned(), Arc::from(*expression))).collect();
    read_file(LEGACY, &mut patterns);
    patterns
}

fn ecs_v1() -> Patterns {
    let mut patterns = series(Series::Legacy).clone();
    for line in ECS_V1_FIELDS.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split(' ');
        if let Some(name) = words.next()
            && let Some(expression) = patterns.get(name)
        {
            let renamed = with_fields(expression, words);
            patterns.insert(name.to_owned(), Arc::from(renamed));
        }
    }
    for (name, expression) in grok::patterns() {
        if ECS_V1_FROM_TABLE.contains(name) {
            patterns.insert((*name).to_owned(), Arc::from(*expression));
        }
    }
    for file in ECS_V1 {
        read_file(file, &mut patterns);
    }
    patterns
}

/// An expression whose references and named groups get these fields in their order, `-` for none.
fn with_fields<'f>(expression: &str, mut fields: impl Iterator<Item = &'f str>) -> String {
    let mut out = String::new();
    let mut rest = expression;
    while let Some((at, is_reference)) = next_name(rest) {
        let end = rest[at..].find(if is_reference { '}' } else { '>' }).map_or(rest.len(), |end| at + end);
        let field = fields.next().unwrap_or("-");
        out.push_str(&rest[..at]);
        if is_reference {
            let name = rest[at..end].split(':').next().unwrap_or_default();
            out.push_str(name);
            if field != "-" {
                out.extend([":", field]);
            }
        } else {
            out.push_str(field);
        }
        rest = &rest[end..];
    }
    out + rest
}

/// Where the next reference's name, or the next group's, starts; and whether it is a reference.
fn next_name(text: &str) -> Option<(usize, bool)> {
    let reference = text.find("%{").map(|at| (at + 2, true));
    let group = text.match_indices("(?<").map(|(at, _)| at + 3).find(|at| !text[*at..].starts_with(['=', '!'])).map(|at| (at, false));
    match (reference, group) {
        (Some(reference), Some(group)) => Some(reference.min(group)),
        (one, other) => one.or(other),
    }
}

/// Reads one of our files into `patterns`.
fn read_file(text: &str, patterns: &mut Patterns) {
    let mut words: Vec<(String, String)> = Vec::new();
    for entry in entries(text) {
        let Some((name, rest)) = entry.split_once(' ') else { continue };
        let mut expression = rest.to_owned();
        for (word, meaning) in &words {
            expression = expression.replace(word.as_str(), meaning);
        }
        if let Some(word) = name.strip_prefix('&') {
            let meaning = expression.strip_prefix("= ").unwrap_or(&expression).to_owned();
            // The newest first: a word may be given a new meaning further down.
            words.insert(0, (format!("&{word};"), meaning));
            continue;
        }
        if let Some(columns) = expression.strip_prefix("columns ") {
            expression = as_columns(columns);
        }
        let expression = expression.replace("~{", "\0").split('\0').enumerate().fold(String::new(), |mut out, (at, part)| {
            match part.split_once('}').filter(|_| at > 0) {
                Some((reference, after)) => out.extend(["(?:-|%{", reference, "})", after]),
                None => out.push_str(part),
            }
            out
        });
        patterns.insert(name.to_owned(), Arc::from(expression));
    }
}

/// The lines of a file, each with the indented ones after it.
fn entries(text: &str) -> Vec<String> {
    let mut entries: Vec<String> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        match (line.strip_prefix(' '), entries.last_mut()) {
            (Some(more), Some(entry)) => {
                if entry.split(' ').nth(1) == Some("columns") {
                    entry.push(' ');
                }
                entry.push_str(more);
            }
            _ => entries.push(line.to_owned()),
        }
    }
    entries
}

/// `SEPARATOR a b ? c`: columns, of which those behind `?` may be missing.
fn as_columns(text: &str) -> String {
    let mut words = text.split(' ');
    let separator = words.next().unwrap_or_default();
    let mut out = String::new();
    let mut open = false;
    for word in words {
        if word == "?" {
            open = true;
            out.push_str("(?:");
            continue;
        }
        if !out.is_empty() {
            out.push_str(separator);
        }
        let (dash, name) = word.strip_prefix('~').map_or((false, word), |name| (true, name));
        let is_reference = name.split(':').next().is_some_and(|name| {
            name.starts_with(|first: char| first.is_ascii_uppercase())
                && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
        });
        match (is_reference, dash) {
            (true, true) => out.extend(["~{", name, "}"]),
            (true, false) => out.extend(["%{", name, "}"]),
            _ => out.push_str(word),
        }
    }
    if open {
        out.push_str(")?");
    }
    out
}
