//! What a log needs of a disk, so that tests can stand in for one that fails, loses and tears.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

/// A disk.
pub trait Disk: Send + Sync + fmt::Debug {
    /// Makes a folder, and those above it.
    fn make_folder(&self, folder: &Path, mode: u32) -> io::Result<()>;
    /// The names of the files in a folder; none where there is no folder.
    fn list(&self, folder: &Path) -> io::Result<Vec<String>>;
    /// Makes a file that is not there yet.
    fn create(&self, path: &Path, mode: u32) -> io::Result<Box<dyn DiskFile>>;
    /// Opens a file that is there, to read and to cut.
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Gives a file another name in its folder.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Makes sure that what was created, renamed and removed in a folder stays so.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
    /// Takes a lock that ends with the process or with what this gives; an error of kind `WouldBlock`, with the holder's number, where
    /// another process has it.
    fn lock(&self, path: &Path, mode: u32) -> io::Result<Box<dyn Lock>>;
}

/// A file of a disk.
pub trait DiskFile: Send + fmt::Debug {
    /// Its length in bytes.
    fn length(&self) -> io::Result<u64>;
    /// Fills the buffer from a place.
    fn read_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()>;
    /// Writes all of these bytes at a place.
    fn write_at(&mut self, bytes: &[u8], at: u64) -> io::Result<()>;
    /// Sets blocks aside for bytes that will be written there, and leaves the file as long as it is; whether that was done. It saves the disk
    /// the search for room with each write, and is never needed.
    fn set_aside(&mut self, _from: u64, _length: u64) -> bool {
        false
    }
    /// Makes sure that everything written stays.
    fn sync(&mut self) -> io::Result<()>;
    /// Makes it this long.
    fn cut(&mut self, length: u64) -> io::Result<()>;
}

/// A lock that is held.
pub trait Lock: Send + Sync + fmt::Debug {
    /// Removes the file of the lock, while it is still held: nothing is left where a buffer is empty.
    fn remove(&self);
}

/// The disk of this machine.
#[derive(Clone, Copy, Debug)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn make_folder(&self, folder: &Path, mode: u32) -> io::Result<()> {
        if folder.is_dir() {
            return Ok(());
        }
        DirBuilder::new().recursive(true).mode(mode).create(folder)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    fn create(&self, path: &Path, mode: u32) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(OpenOptions::new().read(true).write(true).create_new(true).mode(mode).open(path)?))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        // Reading needs no more than that: a buffer on a disk that became read-only can still be delivered.
        let writable = OpenOptions::new().read(true).write(true).open(path);
        Ok(Box::new(writable.or_else(|_| File::open(path))?))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }

    fn lock(&self, path: &Path, mode: u32) -> io::Result<Box<dyn Lock>> {
        loop {
            let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(mode).open(path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(fs::TryLockError::WouldBlock) => {
                    let holder = fs::read_to_string(path).unwrap_or_default();
                    return Err(io::Error::new(io::ErrorKind::WouldBlock, holder.trim().to_owned()));
                }
                Err(fs::TryLockError::Error(error)) => return Err(error),
            }
            // The one before may have removed the file between our opening and locking it.
            let is_same = fs::metadata(path).is_ok_and(|there| file.metadata().is_ok_and(|ours| ours.ino() == there.ino()));
            if is_same {
                // Who holds it is only of use to people; a full disk must not keep us from starting.
                let _ = file.set_len(0).and_then(|()| (&file).write_all(format!("{}\n", std::process::id()).as_bytes()));
                return Ok(Box::new(FileLock { _file: file, path: path.to_owned() }));
            }
        }
    }
}

#[derive(Debug)]
struct FileLock {
    _file: File,
    path: std::path::PathBuf,
}

impl Lock for FileLock {
    fn remove(&self) {
        let _ = fs::remove_file(&self.path);
    }
}

impl DiskFile for File {
    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()> {
        self.read_exact_at(bytes, at)
    }

    fn write_at(&mut self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.write_all_at(bytes, at)
    }

    fn set_aside(&mut self, from: u64, length: u64) -> bool {
        let (Ok(from), Ok(length)) = (libc::off_t::try_from(from), libc::off_t::try_from(length)) else { return false };
        // SAFETY: the descriptor is this file's, and nothing of what is in it changes.
        unsafe { libc::fallocate(self.as_raw_fd(), libc::FALLOC_FL_KEEP_SIZE, from, length) == 0 }
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_aside_is_not_in_the_file() {
        let path = std::env::temp_dir().join(format!("flumen-aside-{}", std::process::id()));
        let mut file = RealDisk.create(&path, 0o600).unwrap();
        file.write_at(b"abc", 0).unwrap();
        let blocks = || fs::metadata(&path).unwrap().blocks() * 512;
        if file.set_aside(3, 1 << 20) {
            assert!(blocks() >= 1 << 20, "{}", blocks());
        }
        assert_eq!((file.length().unwrap(), fs::read(&path).unwrap().as_slice()), (3, b"abc".as_slice()));
        file.write_at(b"defg", 3).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"abcdefg");
        assert!(!file.set_aside(u64::MAX, 1));
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_lock_is_held_once() {
        let path = std::env::temp_dir().join(format!("flumen-lock-{}", std::process::id()));
        let held = RealDisk.lock(&path, 0o600).unwrap();
        let refused = RealDisk.lock(&path, 0o600).unwrap_err();
        assert_eq!((refused.kind(), refused.to_string()), (io::ErrorKind::WouldBlock, std::process::id().to_string()));
        held.remove();
        drop(held);
        drop(RealDisk.lock(&path, 0o600).unwrap());
        fs::remove_file(path).unwrap();
    }
}
