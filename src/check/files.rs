//! Files and folders that the configuration names: whether they are there, and can be written. Left out by `--no-fs`.

use super::subject::{Subject, kind_of, value, walk};
use crate::config::{Element, Param};
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Parameters that name files which have to be there.
const NEEDED: &[&str] = &[
    "cert_path",
    "private_key_path",
    "ca_path",
    "ca_cert_path",
    "ca_private_key_path",
    "client_cert_path",
    "client_private_key_path",
    "tls_cert_path",
    "tls_ca_cert_path",
    "tls_client_cert_path",
    "tls_client_private_key_path",
    "template_file",
];

/// What plugins say themselves of files that are not there.
pub const OF_PLUGINS: &[&str] = &["FLM0608"];

/// Looks at all paths.
pub fn check(subject: &Subject<'_>) {
    walk(subject.built, &mut |element, around| {
        for param in &element.params {
            let Some(text) = value(param).filter(|text| !text.is_empty() && !text.contains("${")) else { continue };
            match param.key.as_str() {
                key if NEEDED.contains(&key) => needed(subject, param, text),
                "path" if element.name == "source" && kind_of(element) == "tail" => followed(subject, param, text),
                "pos_file" => written(subject, param, &folder(Path::new(text))),
                "path" if writes(element, around) => written(subject, param, &folder(Path::new(before_placeholders(text)))),
                "directory" if kind_of(element) == "secondary_file" => written(subject, param, Path::new(text)),
                "root_dir" if element.name == "system" => written(subject, param, Path::new(text)),
                _ => {}
            }
        }
    });
}

fn writes(element: &Element, around: &[&Element]) -> bool {
    match element.name.as_str() {
        "match" | "store" | "secondary" => kind_of(element) == "file",
        "buffer" => kind_of(element).starts_with("file") && !around.is_empty(),
        _ => false,
    }
}

/// The part of a path that is the same for every chunk.
fn before_placeholders(text: &str) -> &str {
    let end = text.find(['%', '*']).unwrap_or(text.len());
    &text[..end]
}

fn folder(path: &Path) -> PathBuf {
    path.parent().map_or_else(PathBuf::new, Path::to_owned)
}

fn needed(subject: &Subject<'_>, param: &Param, text: &str) {
    let text = text.trim_matches(['[', ']', '"']);
    if !text.contains(',') && !Path::new(text).exists() {
        subject.warn("FLM0761", param.value_span, format!("{}: there is no file {text}", param.key), "--no-fs leaves such checks out");
    }
}

/// A file that is followed may appear later; a folder that is not there is mostly a slip.
fn followed(subject: &Subject<'_>, param: &Param, text: &str) {
    for path in text.split(',').map(str::trim) {
        let start = before_placeholders(path);
        let folder = folder(Path::new(start));
        if !folder.as_os_str().is_empty() && !folder.exists() {
            subject.note(
                "FLM0763",
                param.value_span,
                format!("path: there is no folder {} here", folder.display()),
                "--no-fs leaves such checks out",
            );
        }
    }
}

/// Whether this user could write below a folder, which may have to be made first.
fn written(subject: &Subject<'_>, param: &Param, folder: &Path) {
    let Some(existing) = folder.ancestors().find(|path| path.exists()) else { return };
    let why = if !existing.is_dir() {
        "is no folder"
    } else if !may_write(existing) {
        "cannot be written by this user"
    } else {
        return;
    };
    subject.note("FLM0762", param.value_span, format!("{}: {} {why}", param.key, existing.display()), "--no-fs leaves such checks out");
}

fn may_write(path: &Path) -> bool {
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else { return false };
    // SAFETY: the string ends with a zero and lives during the call, which only reads it.
    unsafe { libc::access(path.as_ptr(), libc::W_OK) == 0 }
}
