//! What an `@include` names: the path or URI in it, and the files that it stands for.

use super::glob::glob;
use super::ruby::{self, Environment};
use super::tree::{Literal, Part};
use std::path::{Path, PathBuf};

/// What was named.
#[derive(Debug, PartialEq, Eq)]
pub enum Target {
    /// Files by pattern, sorted by name.
    Files(Vec<PathBuf>),
    /// Something on another machine; this is its scheme.
    Remote(String),
}

/// Resolves what stands behind `@include` in a file of `dir`.
pub fn resolve(uri: &str, dir: &Path) -> Result<Target, String> {
    let uri = uri.replace(' ', "+");
    if !uri.is_ascii() {
        return Err(format!("URI must be ascii only {uri:?}"));
    }
    let bad = |c: char| !(c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@/%?#[]".contains(c));
    if let Some(c) = uri.chars().find(|c| bad(*c)) {
        return Err(format!("bad URI(is not URI?): {uri:?}: {c:?} cannot be in it"));
    }
    let path = match scheme(&uri) {
        Some(("file", rest)) => rest.strip_prefix("//").map_or(rest, |rest| rest.find('/').map_or("", |at| &rest[at..])).to_owned(),
        Some((scheme, _)) => return Ok(Target::Remote(scheme.to_owned())),
        None => uri,
    };
    if let Some(c) = path.chars().find(|c| "?#[]".contains(*c)) {
        return Err(format!("{c:?} cannot be in the name of a file to include: {path:?}"));
    }
    let path = decode(&path)?;
    let pattern = match path.starts_with('/') || dir.as_os_str().is_empty() {
        true => path,
        false => format!("{}/{path}", dir.display()),
    };
    Ok(Target::Files(glob(&expand(&pattern))))
}

/// The files that an include in a file of `dir` stands for; none where it names none, or cannot be evaluated.
pub fn included_files(uri: &Literal, dir: &Path, environment: &Environment) -> Vec<PathBuf> {
    let mut text = String::new();
    for part in &uri.parts {
        match part {
            Part::Text(piece) => text.push_str(piece),
            Part::Code(code, _) => match ruby::evaluate(code, environment) {
                Ok(value) => text.push_str(&value.to_text()),
                Err(_) => return Vec::new(),
            },
        }
    }
    match resolve(&text, dir) {
        Ok(Target::Files(files)) => files,
        _ => Vec::new(),
    }
}

/// The scheme of a URI and what follows its colon.
fn scheme(uri: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = uri.split_once(':')?;
    let valid =
        scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    valid.then_some((scheme, rest))
}

/// `%41` and `+` as in a form.
fn decode(path: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits: Vec<u8> = rest.by_ref().take(2).collect();
                let digits = std::str::from_utf8(&digits).ok().filter(|digits| digits.len() == 2);
                digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).ok_or_else(|| format!("invalid %-encoding ({path})"))?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| format!("{path} is not UTF-8 once decoded"))
}

/// Without `.` and `..`, as far as the text tells.
fn expand(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let absolute = path.starts_with('/');
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            ".." if absolute => {}
            other => parts.push(other),
        }
    }
    let joined = parts.join("/");
    if absolute { format!("/{joined}") } else { joined }
}

/// Whether a file that `*.conf` found looks like a copy that somebody kept.
pub fn looks_like_backup(pattern: &str, path: &Path) -> bool {
    const MARKS: [&str; 10] = ["bak", "old", "backup", "orig", "prev", "conf", "tmp", "temp", "debug", "wip"];
    let Some(stem) = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".conf")) else { return false };
    let mark = stem.rfind(['.', '_']).map(|at| &stem[at + 1..]);
    pattern.ends_with("*.conf") && mark.is_some_and(|mark| MARKS.contains(&mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(uri: &str) -> Vec<PathBuf> {
        match resolve(uri, Path::new("/proc/self")) {
            Ok(Target::Files(files)) => files,
            other => panic!("{uri}: {other:?}"),
        }
    }

    #[test]
    fn paths_are_relative_to_the_including_file() {
        assert_eq!(files("status"), [PathBuf::from("/proc/self/status")]);
        assert_eq!(files("./../self/stat%75s"), [PathBuf::from("/proc/self/status")]);
        assert_eq!(files("file:///proc/self/status"), [PathBuf::from("/proc/self/status")]);
        assert_eq!(files("/proc/self/stat?s".replace('?', "*").as_str()).last(), Some(&PathBuf::from("/proc/self/status")));
        assert!(files("no such file").is_empty());
    }

    #[test]
    fn a_file_without_a_folder_is_in_the_present_one() {
        assert_eq!(resolve("Cargo.toml", Path::new("")), Ok(Target::Files(vec![PathBuf::from("Cargo.toml")])));
    }

    #[test]
    fn what_is_no_path_is_refused() {
        assert_eq!(resolve("http://h/x.conf", Path::new("/")), Ok(Target::Remote("http".to_owned())));
        for uri in ["{a,b}.conf", "a?.conf", "[ab].conf", "é.conf", "a|b", "%4"] {
            assert!(resolve(uri, Path::new("/")).is_err(), "{uri}");
        }
    }

    #[test]
    fn copies_are_noticed() {
        for (name, expected) in [("a.bak.conf", true), ("a_old.conf", true), ("a.conf", false), ("bak.conf", false), ("a.bak", false)] {
            assert_eq!(looks_like_backup("conf.d/*.conf", Path::new(name)), expected, "{name}");
        }
        assert!(!looks_like_backup("conf.d/*", Path::new("a.bak.conf")));
    }
}
