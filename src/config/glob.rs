//! File names by pattern, as Ruby's `Dir.glob` finds them: `*`, `?`, `[a-z]`, `{a,b}`, `**/`, sorted by name.

use std::path::{Path, PathBuf};

/// Folders below `**` are followed this deep.
const MAX_DEPTH: usize = 32;

/// Patterns that one pattern with braces may become.
const MAX_ALTERNATIVES: usize = 1000;

/// The paths that exist and match, sorted; links to folders are not followed below `**`.
pub fn glob(pattern: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for pattern in expand_braces(pattern) {
        let (root, rest) =
            if let Some(rest) = pattern.strip_prefix('/') { (PathBuf::from("/"), rest) } else { (PathBuf::new(), pattern.as_str()) };
        let parts: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
        walk(root, &parts, 0, &mut found);
    }
    found.sort();
    found.dedup();
    found
}

fn walk(dir: PathBuf, parts: &[&str], depth: usize, found: &mut Vec<PathBuf>) {
    let Some((first, rest)) = parts.split_first() else {
        if !dir.as_os_str().is_empty() && dir.symlink_metadata().is_ok() {
            found.push(dir);
        }
        return;
    };
    if *first == "**" && !rest.is_empty() {
        walk(dir.clone(), rest, depth, found);
        if depth < MAX_DEPTH {
            for name in names_in(&dir) {
                let below = dir.join(&name);
                let real_folder = below.symlink_metadata().is_ok_and(|meta| meta.is_dir());
                if real_folder && !name.starts_with('.') {
                    walk(below, parts, depth + 1, found);
                }
            }
        }
    } else if first.contains(['*', '?', '[', '\\']) {
        for name in names_in(&dir) {
            if matches(first, &name) {
                let below = dir.join(&name);
                if rest.is_empty() || below.is_dir() {
                    walk(below, rest, depth, found);
                }
            }
        }
    } else {
        walk(dir.join(first), rest, depth, found);
    }
}

fn names_in(dir: &Path) -> Vec<String> {
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// Whether a file name matches a pattern without slashes. A leading dot is only matched by a dot.
pub fn matches(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    // The usual two-pointer walk: on a mismatch the last `*` takes one character more.
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        if pattern.get(p) == Some(&'*') {
            star = Some((p, n));
            p += 1;
        } else if let Some(width) = one(&pattern[p..], name[n]) {
            p += width;
            n += 1;
        } else if let Some((at, taken)) = star {
            star = Some((at, taken + 1));
            (p, n) = (at + 1, taken + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// How many characters of the pattern match this one character; `None` where it does not match.
fn one(pattern: &[char], c: char) -> Option<usize> {
    match pattern.first()? {
        '?' => Some(1),
        '[' => {
            let close = pattern.iter().skip(2).position(|p| *p == ']')? + 2;
            let (negated, set) = match pattern[1] {
                '!' | '^' => (true, &pattern[2..close]),
                _ => (false, &pattern[1..close]),
            };
            (in_set(set, c) != negated).then_some(close + 1)
        }
        '\\' if pattern.len() > 1 => (pattern[1] == c).then_some(2),
        literal => (*literal == c).then_some(1),
    }
}

fn in_set(set: &[char], c: char) -> bool {
    let mut at = 0;
    while at < set.len() {
        if at + 2 < set.len() && set[at + 1] == '-' {
            if (set[at]..=set[at + 2]).contains(&c) {
                return true;
            }
            at += 3;
        } else {
            if set[at] == c {
                return true;
            }
            at += 1;
        }
    }
    false
}

/// `a{b,c}d` as `abd` and `acd`; nested braces too.
fn expand_braces(pattern: &str) -> Vec<String> {
    let mut done = Vec::new();
    let mut todo = vec![pattern.to_owned()];
    while let Some(pattern) = todo.pop() {
        match braces(&pattern) {
            Some((open, close, commas)) if done.len() + todo.len() < MAX_ALTERNATIVES => {
                let mut cuts = vec![open];
                cuts.extend(commas);
                cuts.push(close);
                todo.extend(
                    cuts.windows(2).map(|cut| format!("{}{}{}", &pattern[..open], &pattern[cut[0] + 1..cut[1]], &pattern[close + 1..])),
                );
            }
            _ => done.push(pattern),
        }
    }
    done
}

/// The first outermost pair of braces and the commas directly in it.
fn braces(pattern: &str) -> Option<(usize, usize, Vec<usize>)> {
    let open = pattern.find('{')?;
    let mut commas = Vec::new();
    let mut depth = 0;
    for (at, byte) in pattern.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' => {
                depth -= 1;
                if depth == 0 {
                    return Some((open, at, commas));
                }
            }
            b',' if depth == 1 => commas.push(at),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_as_in_a_shell() {
        for (pattern, name, expected) in [
            ("*.conf", "a.conf", true),
            ("*.conf", ".a.conf", false),
            (".*", ".a", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("*a*b*c", "xaybzc", true),
            ("*a*b*c", "xaybz", false),
            ("\\*", "*", true),
            ("日*", "日本", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn braces_become_alternatives() {
        let mut expanded = expand_braces("x{a,b{1,2}}.c");
        expanded.sort();
        assert_eq!(expanded, ["xa.c", "xb1.c", "xb2.c"]);
        assert_eq!(expand_braces("x{a"), ["x{a"]);
    }

    #[test]
    fn hostile_patterns_end() {
        assert!(!matches(&"*a".repeat(2000), &"a".repeat(1999)));
        assert!(expand_braces(&"{a,b}".repeat(40)).len() <= 2 * MAX_ALTERNATIVES);
    }
}
