//! Which of Fluentd's chunks there are: their names and `.meta` files are read, the events in them are not.

use super::meta::{MAX_META_BYTES, Meta};
use super::name::{Name, Written};
use crate::buffer::ChunkKeys;
use crate::event::Tag;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A chunk that Fluentd left.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The file of its events.
    pub path: PathBuf,
    /// The file beside it; `None` where there is none.
    pub meta_path: Option<PathBuf>,
    /// What its name says.
    pub name: Name,
    /// What its `.meta` says, or the name where there is none.
    pub meta: Meta,
    /// What is wrong with the `.meta`.
    pub meta_fault: Option<String>,
    /// Bytes of the file.
    pub bytes: u64,
}

/// The names that one buffer gives to its chunks.
#[derive(Clone, Copy, Debug)]
pub struct Names<'n> {
    /// What they begin with.
    pub prefix: &'n str,
    /// What they end in.
    pub suffix: &'n str,
}

/// The chunks in a folder in the order in which they were to be delivered; of one buffer, or all that there are. A folder that is not
/// there has none.
pub fn find(folder: &Path, names: Option<Names<'_>>) -> io::Result<Vec<Found>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let file_name = entry.file_name();
        let Some(file_name) = file_name.to_str() else { continue };
        if names.is_some_and(|names| !Name::fits(file_name, names.prefix, names.suffix)) {
            continue;
        }
        let Some(name) = Name::parse(file_name) else { continue };
        if names.is_some() && name.written == Written::Backup {
            continue;
        }
        found.extend(look_at(entry.path(), name)?);
    }
    sort(&mut found);
    Ok(found)
}

/// The chunk in one file; `None` where its name is no chunk's, or there is no file.
pub fn find_one(path: &Path) -> io::Result<Option<Found>> {
    let name = path.file_name().and_then(|name| name.to_str()).and_then(Name::parse);
    name.map_or(Ok(None), |name| look_at(path.to_owned(), name))
}

/// Queued chunks first, as they were last written to, then the others.
pub fn sort(found: &mut [Found]) {
    found.sort_by(|a, b| {
        let key = |found: &Found| (!found.name.is_queued, found.meta.modified);
        key(a).cmp(&key(b)).then_with(|| a.name.id.cmp(&b.name.id))
    });
}

fn look_at(path: PathBuf, name: Name) -> io::Result<Option<Found>> {
    let about = match fs::metadata(&path) {
        Ok(about) if about.is_file() => about,
        Ok(_) => return Ok(None),
        // Somebody has just delivered it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut file_name = path.as_os_str().to_owned();
    file_name.push(".meta");
    let meta_path = PathBuf::from(file_name);
    let (meta, meta_fault, meta_path) = match read_meta(&meta_path) {
        Ok(Some(Ok(meta))) => (meta, None, Some(meta_path)),
        Ok(Some(Err(why))) => (of_name(&name), Some(why), Some(meta_path)),
        Ok(None) => (of_name(&name), None, None),
        Err(error) => (of_name(&name), Some(error.to_string()), Some(meta_path)),
    };
    let meta = Meta { modified: if meta.modified == 0 { about.mtime() } else { meta.modified }, ..meta };
    Ok(Some(Found { path, meta_path, name, meta, meta_fault, bytes: about.len() }))
}

fn read_meta(path: &Path) -> io::Result<Option<Result<Meta, String>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(MAX_META_BYTES).read_to_end(&mut bytes)?;
    Ok(Some(Meta::parse(&bytes).map_err(|invalid| invalid.to_string())))
}

/// What is known without a `.meta`: the key in the name is the tag, unless somebody knows better.
fn of_name(name: &Name) -> Meta {
    let keys = ChunkKeys { tag: name.key.as_deref().map(Tag::new), ..ChunkKeys::default() };
    Meta { keys, id: Some(name.id.clone()), ..Meta::default() }
}

impl Found {
    /// The sixteen bytes that name it; those of 0.12 have zeros behind their eight.
    pub fn id(&self) -> [u8; 16] {
        let mut id = [0; 16];
        let known = self.meta.id.as_deref().filter(|known| known.len() == 16).unwrap_or(&self.name.id);
        known.iter().take(16).enumerate().for_each(|(at, byte)| id[at] = *byte);
        id
    }

    /// Whether its keys are known: those of a `file` chunk stand in its `.meta` only.
    pub fn knows_keys(&self) -> bool {
        self.meta_fault.is_none() && (self.meta_path.is_some() || matches!(self.name.written, Written::Single | Written::Old))
    }

    /// Removes its files: the events first, so that nothing is ever left without its keys.
    pub fn remove(&self) -> io::Result<()> {
        let gone = |result: io::Result<()>| match result {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        };
        gone(fs::remove_file(&self.path))?;
        self.meta_path.as_ref().map_or(Ok(()), |path| gone(fs::remove_file(path)))
    }
}
