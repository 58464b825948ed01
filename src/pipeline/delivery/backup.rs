//! The folder for chunks that cannot be delivered: nothing is dropped in silence.
//!
//! A chunk is kept as it is, msgpack mostly, with a `.meta` file beside it, as in Fluentd's own file buffers: its keys and why it is here.
//! With `<dead_letter>` it goes to the folder of that as long as there is room, with a line among the letters.

use super::super::letters::{Cause, Kept, Letters, backup_folder, harmless, make_folder, write_chunk};
use crate::buffer::Chunk;
use crate::buffer::import::meta_of;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// A chunk that is given up again and again, which none should be, is kept so many times at most.
const MAX_COPIES: u32 = 1000;
/// The class that letters about chunks have.
const CLASS: &str = "Fluent::UnrecoverableError";

/// The backup folder of one output.
#[derive(Clone, Debug)]
pub struct Backup {
    folder: PathBuf,
    /// The output's id, type, and whether its chunks are plain events: they stand in the `.meta` files.
    id: String,
    plugin: String,
    is_packed: bool,
    letters: Arc<OnceLock<Arc<Letters>>>,
}

impl Backup {
    /// The folder of the output of this id.
    pub fn new(root_dir: Option<&str>, id: &str, plugin: Option<&str>, is_packed: bool) -> Backup {
        Backup {
            folder: backup_folder(root_dir, id),
            id: id.to_owned(),
            plugin: plugin.unwrap_or_default().to_owned(),
            is_packed,
            letters: Arc::default(),
        }
    }

    /// From now on chunks go there as long as there is room.
    pub fn prefer(&self, letters: &Arc<Letters>) {
        let _ = self.letters.set(Arc::clone(letters));
    }

    /// Where a chunk is kept, if there is room for it.
    pub fn path(&self, chunk: &Chunk) -> PathBuf {
        self.dead_letters().map_or_else(|| self.folder.clone(), |(_, folder)| folder).join(format!("{}.log", chunk.hex()))
    }

    fn dead_letters(&self) -> Option<(&Arc<Letters>, PathBuf)> {
        self.letters.get().map(|letters| (letters, letters.folder().join("chunks").join(harmless(&self.id))))
    }

    /// Keeps a chunk, synced, and says where; blocks.
    pub fn keep(&self, chunk: &Chunk, reason: &str) -> io::Result<PathBuf> {
        self.keep_as(self.is_packed, chunk, reason)
    }

    /// As [`Backup::keep`], for a chunk that may be of another form than the output's.
    pub fn keep_as(&self, is_packed: bool, chunk: &Chunk, reason: &str) -> io::Result<PathBuf> {
        if let Some((letters, folder)) = self.dead_letters() {
            match self.keep_as_letter(letters, &folder, is_packed, chunk, reason) {
                Ok(Some(path)) => return Ok(path),
                Ok(None) => crate::warning!("no room for a chunk path={folder:?} max_size={}", letters.max_bytes()),
                Err(error) => crate::error!("a chunk cannot be kept among the dead letters path={folder:?} error=\"{error}\""),
            }
        }
        self.keep_in(&self.folder, is_packed, chunk, reason)
    }

    fn keep_as_letter(
        &self,
        letters: &Arc<Letters>,
        folder: &Path,
        is_packed: bool,
        chunk: &Chunk,
        reason: &str,
    ) -> io::Result<Option<PathBuf>> {
        if letters.reserve(chunk.bytes.len() as u64)? == Kept::Full {
            return Ok(None);
        }
        let path = self.keep_in(folder, is_packed, chunk, reason)?;
        let file = path.strip_prefix(letters.folder()).unwrap_or(&path).display().to_string();
        let mut line = Vec::new();
        let cause = Cause { output: Some(&self.id), class: CLASS, reason, status: None };
        write_chunk(&cause, chunk.keys.tag.as_deref(), chunk.records, &file, &mut line);
        // Without its line the chunk is there all the same: replay looks at the files, people and `grep` at the lines.
        if letters.append(&line)? == Kept::Full {
            crate::warning!("no room for the line about {file:?} among the dead letters");
        }
        Ok(Some(path))
    }

    /// Keeps bytes of a file buffer that are no frame any more, under the file's name and their place in it; once, however often they are met.
    pub fn keep_damaged(&self, file: &Path, start: u64, bytes: &[u8]) -> io::Result<PathBuf> {
        make_folder(&self.folder)?;
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let path = self.folder.join(format!("{name}.{start}.damaged"));
        if !path.exists() {
            let mut kept = File::create(&path)?;
            kept.write_all(bytes).and_then(|()| kept.sync_data())?;
        }
        Ok(path)
    }

    fn keep_in(&self, folder: &Path, is_packed: bool, chunk: &Chunk, reason: &str) -> io::Result<PathBuf> {
        make_folder(folder)?;
        let (path, mut file) = create(folder, &chunk.hex())?;
        let meta_path = with_meta(&path);
        let written = file.write_all(&chunk.bytes).and_then(|()| self.write_meta(&meta_path, is_packed, chunk, reason)).and_then(|()| {
            file.sync_data()?;
            File::open(folder)?.sync_all()
        });
        if let Err(error) = written {
            // Half a chunk in the folder would be read as a whole one later.
            let _ = fs::remove_file(&path);
            let _ = fs::remove_file(&meta_path);
            return Err(error);
        }
        Ok(path)
    }

    fn write_meta(&self, path: &Path, is_packed: bool, chunk: &Chunk, reason: &str) -> io::Result<()> {
        let form = if is_packed { "packed" } else { "formatted" };
        let facts = [("output", self.id.as_str()), ("plugin", &self.plugin), ("form", form), ("reason", reason)];
        let facts = facts.map(|(name, fact)| (name.to_owned(), fact.to_owned())).to_vec();
        let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o644).open(path)?;
        file.write_all(&meta_of(chunk, facts).encode())?;
        file.sync_data()
    }
}

/// A file of this name that is not there yet.
fn create(folder: &Path, name: &str) -> io::Result<(PathBuf, File)> {
    let mut copy = 0;
    loop {
        let number = if copy == 0 { String::new() } else { format!("_{copy}") };
        let path = folder.join(format!("{name}{number}.log"));
        match OpenOptions::new().create_new(true).write(true).mode(0o644).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && copy < MAX_COPIES => copy += 1,
            opened => return opened.map(|file| (path, file)),
        }
    }
}

fn with_meta(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".meta");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buffer::ChunkKeys;
    use crate::buffer::import::Meta;
    use crate::event::Tag;

    fn root(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("flumen-backup-{name}-{}", std::process::id()))
    }

    fn chunk(bytes: &[u8]) -> Chunk {
        let keys = ChunkKeys { tag: Some(Tag::new("a.b")), ..ChunkKeys::default() };
        Chunk { bytes: bytes.to_vec(), records: 1, ..Chunk::new(keys) }
    }

    #[test]
    fn a_chunk_is_kept_as_it_is_under_a_harmless_name() {
        let root = root("plain");
        let backup = Backup::new(root.to_str(), "out: a/b?", Some("file"), false);
        let chunk = chunk(b"some bytes");
        let kept = backup.keep(&chunk, "no server").unwrap();
        let path = root.join("backup/worker0/out__a_b_").join(format!("{}.log", chunk.hex()));
        assert_eq!((&kept, fs::read(&path).unwrap().as_slice()), (&path, &b"some bytes"[..]));
        assert_eq!(backup.path(&chunk), path);
        let meta = Meta::parse(&fs::read(with_meta(&path)).unwrap()).unwrap();
        assert_eq!((meta.keys, meta.records), (chunk.keys.clone(), 1));
        assert_eq!(meta.more.iter().map(|(_, fact)| fact.as_str()).collect::<Vec<_>>(), ["out: a/b?", "file", "formatted", "no server"]);
        let again = backup.keep(&chunk, "no server").unwrap();
        assert!(again.ends_with(format!("{}_1.log", chunk.hex())), "nothing is written over");
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn dead_letters_take_it_as_long_as_there_is_room() {
        let root = root("dead");
        let letters = Letters::shared(&root.join("dead"), 1000);
        let backup = Backup::new(root.to_str(), "out", Some("file"), false);
        backup.prefer(&letters);
        let kept = backup.keep(&chunk(&[b'x'; 400]), "no server").unwrap();
        assert!(kept.starts_with(root.join("dead/chunks/out")), "{kept:?}");
        let segment = super::super::super::letters::read::segments(&root.join("dead")).unwrap().remove(0);
        let line = fs::read_to_string(segment.1).unwrap();
        assert!(line.contains("\"kind\":\"chunk\"") && line.contains("\"reason\":\"no server\""), "{line}");
        let kept = backup.keep(&chunk(&[b'x'; 600]), "no server").unwrap();
        assert!(kept.starts_with(root.join("backup/worker0/out")), "{kept:?}");
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_an_error() {
        let backup = Backup::new(Some("/dev/null/x"), "id", None, true);
        assert!(backup.keep(&Chunk::new(ChunkKeys::default()), "x").is_err());
    }
}
