//! The folder for chunks that cannot be delivered: nothing is dropped in silence.

use crate::buffer::Chunk;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Where backups go when neither `root_dir` nor `$FLUENT_BACKUP_DIR` is set.
const DEFAULT_FOLDER: &str = "/tmp/fluent";

/// The backup folder of one output.
#[derive(Clone, Debug)]
pub struct Backup {
    folder: PathBuf,
}

impl Backup {
    /// The folder of the output of this id.
    pub fn new(root_dir: Option<&str>, id: &str) -> Backup {
        let from_environment = std::env::var("FLUENT_BACKUP_DIR").ok().filter(|folder| !folder.is_empty());
        let root = root_dir.map(str::to_owned).or(from_environment).unwrap_or_else(|| DEFAULT_FOLDER.to_owned());
        let id: String = id.chars().map(|c| if " \"/\\:;|*<>?".contains(c) { '_' } else { c }).collect();
        Backup { folder: Path::new(&root).join("backup").join("worker0").join(id) }
    }

    /// Where a chunk is kept.
    pub fn path(&self, chunk: &Chunk) -> PathBuf {
        self.folder.join(format!("{}.log", chunk.hex()))
    }

    /// Keeps a chunk; blocks. The file is the chunk as it is, msgpack mostly.
    pub fn keep(&self, chunk: &Chunk) -> io::Result<()> {
        let path = self.path(chunk);
        if !self.folder.is_dir() {
            DirBuilder::new().recursive(true).mode(0o755).create(&self.folder)?;
        }
        let mut file = OpenOptions::new().create(true).append(true).mode(0o644).open(&path)?;
        let before = file.metadata()?.len();
        let written = file.write_all(&chunk.bytes).and_then(|()| file.sync_data());
        if written.is_err() {
            // Half a chunk in the folder would be read as a whole one later.
            let _ = if before == 0 { fs::remove_file(&path) } else { file.set_len(before) };
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buffer::ChunkKeys;

    #[test]
    fn a_chunk_is_kept_as_it_is_under_a_harmless_name() {
        let root = std::env::temp_dir().join(format!("flumen-backup-{}", std::process::id()));
        let backup = Backup::new(root.to_str(), "out: a/b?");
        let chunk = Chunk { bytes: b"some bytes".to_vec(), records: 1, ..Chunk::new(ChunkKeys::default()) };
        backup.keep(&chunk).unwrap();
        let path = root.join("backup/worker0/out__a_b_").join(format!("{}.log", chunk.hex()));
        assert_eq!(fs::read(&path).unwrap(), b"some bytes");
        assert_eq!(backup.path(&chunk), path);
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_an_error() {
        let backup = Backup::new(Some("/dev/null/x"), "id");
        assert!(backup.keep(&Chunk::new(ChunkKeys::default())).is_err());
    }
}
