//! `secondary_file`: chunks that an output could not deliver, as they are, in files. For `<secondary>` only.

use super::file::{escaping, write};
use super::{BufferedOutput, Output, WriteError};
use crate::buffer::{Chunk, Keys, Settings, Template};
use crate::config::{Element, Octal, Refused};
use crate::event::{EventTime, Strftime, Zone};
use crate::plugin::{BoxFuture, Context};
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// How every complaint begins.
const NAME: &str = "out_secondary_file:";

crate::choice! {
    /// How files are compressed.
    pub enum Compress { Text = "text", Gzip = "gzip" }
}

crate::section! {
    /// Keeps the chunks that an output could not deliver in files.
    pub struct Params {
        /// The folder, with placeholders of the chunk keys.
        pub directory: String,
        /// The name of the files, with placeholders; a number follows.
        pub basename: String = "dump.bin",
        /// Whether chunks are appended to a file that exists; otherwise each is a file of its own, numbered.
        pub append: bool = "false",
        /// How files are compressed.
        pub compress: Compress = "text",
    }
}

struct SecondaryFile {
    path: Template,
    is_numbered: bool,
    options: write::Options,
}

/// Makes the output.
pub fn build(element: &Element, context: &Context<'_>) -> Result<Output, Refused> {
    let params = Params::read(element, context.diagnostics)?;
    let refuse = |message: String| context.refuse("FLM0535", element.span, message);
    if element.name != "secondary" {
        return Err(refuse("This plugin can only be used in the <secondary> section".to_owned()));
    }
    if params.basename.contains('/') {
        return Err(refuse("basename should not include `/`".to_owned()));
    }
    let settings = Settings::read(element, &super::Defaults::default(), context.diagnostics)?;
    let path = format!("{}/{}", params.directory.trim_end_matches('/'), params.basename);
    check_placeholders(&path, &settings.keys).map_err(refuse)?;
    if !is_writable(Path::new(&path)) {
        return Err(refuse(format!("{NAME} `{}` should be writable", params.directory)));
    }
    let octal = |mode: Option<Octal>, usual: u32| mode.map_or(usual, |mode| mode.0);
    Ok(Output::Buffered(Box::new(SecondaryFile {
        path: Template::new(&path, &settings.keys),
        is_numbered: !params.append,
        options: write::Options {
            gzip: params.compress == Compress::Gzip,
            file_mode: octal(context.system.file_permission, 0o644),
            dir_mode: octal(context.system.dir_permission, 0o755),
        },
    })))
}

/// Whether every placeholder is filled in by a chunk key; other chunk keys need none.
fn check_placeholders(path: &str, keys: &Keys) -> Result<(), String> {
    let incompatible = "basename or directory has an incompatible placeholder";
    if keys.time.is_none() && Strftime::new(path).text(EventTime::now(), &Zone::Utc) != path {
        return Err(format!("{NAME} {incompatible}, remove time formats, like `%Y%m%d`, from basename or directory"));
    }
    let placeholders: Vec<&str> = placeholders(path).collect();
    let is_tag = |name: &&str| name.starts_with("tag") && matches!(name.as_bytes().get(3), None | Some(b'['));
    if let Some(name) = placeholders.iter().copied().find(is_tag).filter(|_| !keys.tag) {
        return Err(format!("{NAME} {incompatible} {name}, remove tag placeholder, like `${{tag}}`, from basename or directory"));
    }
    let is_known = |name: &str| name == "chunk_id" || keys.fields.iter().any(|field| field.name == name);
    match placeholders.into_iter().find(|name| !is_tag(name) && !is_known(name)) {
        Some(name) => {
            Err(format!("{NAME} {incompatible} {name}, remove variable placeholder, like `${{varname}}`, from basename or directory"))
        }
        None => Ok(()),
    }
}

/// What stands between `${` and `}`, where it can be a placeholder.
fn placeholders(path: &str) -> impl Iterator<Item = &str> {
    let plain = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "_.@-".contains(c));
    let piece = |name: &str| {
        let digits = name.strip_prefix("tag[").and_then(|rest| rest.strip_suffix(']'));
        digits.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
    };
    path.split("${").skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name).filter(move |name| plain(name) || piece(name))
}

/// Whether a file can be written, or made: the folder above it that is there counts.
fn is_writable(path: &Path) -> bool {
    let Some(there) = path.ancestors().find(|path| path.as_os_str().is_empty() || path.exists()) else { return false };
    let there = if there.as_os_str().is_empty() { Path::new(".") } else { there };
    let Ok(name) = CString::new(there.as_os_str().as_bytes()) else { return false };
    // SAFETY: `name` is a text with an end, and lives until the call is over.
    unsafe { libc::access(name.as_ptr(), libc::W_OK) == 0 }
}

impl BufferedOutput for SecondaryFile {
    fn write<'a>(&'a self, chunk: &'a Chunk) -> BoxFuture<'a, Result<(), WriteError>> {
        Box::pin(async {
            if let Some(value) = escaping(&chunk.keys) {
                let reason = anyhow::anyhow!("{value:?} would lead out of the folder, expected no /../ and no leading /");
                return Err(WriteError::Unrecoverable(reason));
            }
            let path = self.path.expand(chunk);
            let suffix = if self.options.gzip { ".gz" } else { "" };
            let written = match self.is_numbered {
                true => write::write_new(|number| format!("{path}.{number}{suffix}"), &chunk.bytes, &self.options).await.map(drop),
                false => write::append(&format!("{path}{suffix}"), &chunk.bytes, &self.options).await,
            };
            written.map_err(WriteError::Retry)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buffer::{FieldKey, TimeSlices};
    use crate::event::Accessor;

    fn keys(tag: bool, time: bool, field: Option<&str>) -> Keys {
        let field = field.map(|name| FieldKey { name: name.to_owned(), accessor: Accessor::parse(name).unwrap() });
        Keys { tag, time: time.then_some(TimeSlices { length: 60.0, wait: 0, zone: Zone::Utc }), fields: field.into_iter().collect() }
    }

    #[test]
    fn placeholders_need_a_key_and_keys_need_none() {
        let check = |path: &str, keys: &Keys| check_placeholders(path, keys);
        let none = keys(false, false, None);
        assert_eq!(check("/d/dump.bin", &keys(true, true, Some("k"))), Ok(()));
        assert_eq!(check("/d/${chunk_id}", &none), Ok(()));
        assert_eq!(check("/d/${tag}/${tag[1]}-%Y-${k}", &keys(true, true, Some("k"))), Ok(()));
        assert!(check("/d/%Y%m%d", &none).unwrap_err().contains("remove time formats, like `%Y%m%d`"));
        assert!(check("/d/${tag[0]}", &none).unwrap_err().contains("placeholder tag[0], remove tag placeholder, like `${tag}`"));
        assert!(check("/d/${k}", &none).unwrap_err().contains("placeholder k, remove variable placeholder, like `${varname}`"));
        assert!(check("/d/${tagged}", &keys(true, false, None)).unwrap_err().contains("placeholder tagged,"));
    }

    #[test]
    fn folders_to_be_made_count_by_the_one_above() {
        assert!(is_writable(&std::env::temp_dir().join("not/there/yet")));
        assert!(is_writable(Path::new("not-there-yet/either")));
        assert!(!is_writable(Path::new("/proc/nowhere/dump.bin")) || is_writable(Path::new("/proc")));
    }
}
