//! `File` and `Dir`: reading, asking, and taking paths apart. Nothing writes.

use super::machine::Machine;
use super::methods::{Given, bytes as bytes_of, text as text_of};
use super::value::{Outcome, Value, raised};
use std::path::{Component, Path, PathBuf};

/// Entries of a folder that are listed.
const MAX_ENTRIES: usize = 10_000;

/// A method of `File`, `Dir` and their like.
pub(super) fn call(machine: &mut Machine<'_>, class: &str, name: &str, given: &Given<'_>) -> Outcome<Option<Value>> {
    let trusted = machine.environment.trusted;
    Ok(Some(match (name, given.arguments) {
        ("read" | "binread", [path, ..]) if class != "Dir" => Value::text(machine.environment.read(&text_of(path)?)?),
        ("readlines" | "foreach", [path, ..]) if class != "Dir" => {
            let content = machine.environment.read(&text_of(path)?)?;
            Value::list(content.split_inclusive(|byte| *byte == b'\n').map(Value::text).collect())
        }
        ("open" | "new", [path, ..]) if class != "Dir" => {
            // A file that is only read is as good as its content: `read` of a string gives it back.
            let content = Value::text(machine.environment.read(&text_of(path)?)?);
            match given.block {
                Some(block) => machine.call_block(block, vec![content])?,
                None => content,
            }
        }
        ("exist?" | "exists?", [path]) => Value::Bool(trusted && Path::new(&text_of(path)?).exists()),
        ("file?", [path]) => Value::Bool(trusted && Path::new(&text_of(path)?).is_file()),
        ("directory?", [path]) => Value::Bool(trusted && Path::new(&text_of(path)?).is_dir()),
        ("readable?", [path]) => Value::Bool(trusted && std::fs::File::open(text_of(path)?).is_ok()),
        ("size" | "size?", [path]) => match std::fs::metadata(text_of(path)?) {
            Ok(found) if trusted => Value::int(found.len()),
            _ if name == "size?" => Value::Nil,
            _ => return Err(raised("Errno::ENOENT", format!("No such file or directory @ rb_file_s_size - {}", text_of(path)?))),
        },
        ("basename", [path]) => Value::text(basename(&bytes_of(path)?)),
        ("basename", [path, ending]) => {
            let base = basename(&bytes_of(path)?).to_vec();
            let ending = bytes_of(ending)?;
            let cut = if ending == b".*" {
                base.len() - extension(&base).len()
            } else {
                base.strip_suffix(ending.as_slice()).filter(|rest| !rest.is_empty()).map_or(base.len(), <[u8]>::len)
            };
            Value::text(&base[..cut])
        }
        ("dirname", [path]) => Value::text(dirname(&bytes_of(path)?)),
        ("extname", [path]) => Value::text(extension(basename(&bytes_of(path)?))),
        ("split", [path]) => {
            let path = bytes_of(path)?;
            Value::list(vec![Value::text(dirname(&path)), Value::text(basename(&path))])
        }
        ("join", parts) => Value::text(join(parts)?),
        ("expand_path" | "absolute_path" | "realpath", [path, base @ ..]) => {
            let base = base.first().map_or(Ok(None), |base| text_of(base).map(Some))?;
            Value::text(expand(machine, &text_of(path)?, base.as_deref()))
        }
        ("pwd" | "getwd", []) => Value::text(std::env::current_dir().map_or(String::new(), |path| path.display().to_string())),
        ("home", []) => Value::text(machine.environment.variable("HOME").unwrap_or("/")),
        ("children" | "entries", [path]) if class == "Dir" => {
            let found = std::fs::read_dir(text_of(path)?)
                .map_err(|error| raised("Errno::ENOENT", format!("{error} @ dir_initialize - {:?}", text_of(path))))?;
            let mut names: Vec<String> =
                found.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned())).take(MAX_ENTRIES).collect();
            names.sort();
            Value::list(if trusted { names.into_iter().map(Value::text).collect() } else { Vec::new() })
        }
        ("write" | "delete" | "unlink" | "rename" | "glob" | "[]" | "mkdir" | "rmdir" | "chmod", _) => {
            return Err(raised("NotImplementedError", format!("{class}.{name} is not supported in embedded Ruby")));
        }
        _ => return Ok(None),
    }))
}

fn trimmed(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|byte| *byte != b'/').map_or(0, |at| at + 1);
    &path[..end]
}

fn basename(path: &[u8]) -> &[u8] {
    if path.is_empty() {
        return path;
    }
    let path = trimmed(path);
    if path.is_empty() { b"/" } else { path.rsplit(|byte| *byte == b'/').next().unwrap_or(path) }
}

fn dirname(path: &[u8]) -> &[u8] {
    let cut = trimmed(path);
    match cut.iter().rposition(|byte| *byte == b'/') {
        None if cut.is_empty() && !path.is_empty() => b"/",
        None => b".",
        Some(at) => match trimmed(&cut[..at]) {
            [] => b"/",
            folder => folder,
        },
    }
}

/// The last dot and what follows it; none for names that begin or end with their only dot.
fn extension(base: &[u8]) -> &[u8] {
    match base.iter().rposition(|byte| *byte == b'.') {
        Some(at) if base[..at].iter().any(|byte| *byte != b'.') && at + 1 < base.len() => &base[at..],
        _ => b"",
    }
}

fn join(parts: &[Value]) -> Outcome<Vec<u8>> {
    let mut out: Vec<u8> = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        let part = match part {
            Value::Array(inner) => join(&inner.borrow())?,
            part => bytes_of(part)?,
        };
        if at > 0 {
            let kept = trimmed(&out).len();
            out.truncate(kept);
            out.push(b'/');
            out.extend_from_slice(&part[part.iter().take_while(|byte| **byte == b'/').count()..]);
        } else {
            out.extend_from_slice(&part);
        }
    }
    Ok(out)
}

fn expand(machine: &Machine<'_>, path: &str, base: Option<&str>) -> String {
    let home = machine.environment.variable("HOME").unwrap_or("/");
    let path = path.strip_prefix('~').map_or(path.to_owned(), |rest| format!("{home}{rest}"));
    let mut full = std::env::current_dir().unwrap_or_default();
    full.push(base.unwrap_or(""));
    full.push(path);
    let mut clean = PathBuf::new();
    for component in full.components() {
        match component {
            Component::ParentDir => drop(clean.pop()),
            Component::CurDir => {}
            other => clean.push(other),
        }
    }
    clean.display().to_string()
}
