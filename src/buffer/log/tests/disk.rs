//! A disk that can be told to lose, reorder and tear what was not synced, and to refuse.

use super::super::disk::{Disk, DiskFile, Lock};
use crate::buffer::random;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

/// What a disk writes at once, or not at all.
const SECTOR_BYTES: usize = 512;

#[derive(Clone, Debug, Default)]
struct Content {
    /// What stays, whatever happens.
    synced: Vec<u8>,
    /// What was written since, in order.
    writes: Vec<(usize, Vec<u8>)>,
    /// Whether the folder was synced since the file was made.
    is_entry_synced: bool,
    /// What it is still called where the folder was not synced since it was renamed.
    old_name: Option<PathBuf>,
}

impl Content {
    fn now(&self) -> Vec<u8> {
        let mut bytes = self.synced.clone();
        self.writes.iter().for_each(|(at, written)| write(&mut bytes, *at, written));
        bytes
    }
}

fn write(bytes: &mut Vec<u8>, at: usize, written: &[u8]) {
    if bytes.len() < at + written.len() {
        bytes.resize(at + written.len(), 0);
    }
    bytes[at..at + written.len()].copy_from_slice(written);
}

#[derive(Debug, Default)]
struct Inside {
    files: BTreeMap<PathBuf, Content>,
    /// Removed since the folder was synced: they may come back.
    removed: BTreeMap<PathBuf, Content>,
    /// How many bytes can be written before the disk is full.
    room: Option<usize>,
    failing_syncs: usize,
    failing_writes: usize,
    failing_reads: usize,
    is_read_only: bool,
    syncs: usize,
    creates: usize,
    renames: usize,
    is_locked: bool,
    /// After a crash the process before cannot do anything any more.
    generation: usize,
}

/// The disk; clones are the same.
#[derive(Clone, Debug, Default)]
pub struct SimDisk {
    inside: Arc<Mutex<Inside>>,
    generation: usize,
}

impl SimDisk {
    fn lock_inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap()
    }

    fn alive(&self) -> io::Result<MutexGuard<'_, Inside>> {
        let inside = self.lock_inside();
        if inside.generation == self.generation { Ok(inside) } else { Err(io::Error::other("the power is gone")) }
    }

    /// From now on only so many bytes can be written.
    pub fn set_room(&self, bytes: Option<usize>) {
        self.lock_inside().room = bytes;
    }

    /// So many syncs fail, and what they should have synced is lost.
    pub fn fail_syncs(&self, count: usize) {
        self.lock_inside().failing_syncs = count;
    }

    /// So many writes fail (EIO), in the middle.
    pub fn fail_writes(&self, count: usize) {
        self.lock_inside().failing_writes = count;
    }

    /// So many reads fail (EIO).
    pub fn fail_reads(&self, count: usize) {
        self.lock_inside().failing_reads = count;
    }

    /// Whether nothing can be made or written.
    pub fn set_read_only(&self, is_read_only: bool) {
        self.lock_inside().is_read_only = is_read_only;
    }

    /// How many syncs of files there were.
    pub fn syncs(&self) -> usize {
        self.lock_inside().syncs
    }

    /// How many files were made.
    pub fn creates(&self) -> usize {
        self.lock_inside().creates
    }

    /// How many files were renamed.
    pub fn renames(&self) -> usize {
        self.lock_inside().renames
    }

    /// The files with what they hold.
    pub fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        self.lock_inside().files.iter().map(|(path, content)| (path.clone(), content.now())).collect()
    }

    /// A disk that holds these files.
    pub fn with(files: &BTreeMap<PathBuf, Vec<u8>>) -> SimDisk {
        let disk = SimDisk::default();
        let content = |bytes: &Vec<u8>| Content { synced: bytes.clone(), is_entry_synced: true, ..Content::default() };
        disk.lock_inside().files = files.iter().map(|(path, bytes)| (path.clone(), content(bytes))).collect();
        disk
    }

    /// Bytes of all files.
    pub fn used(&self) -> usize {
        self.files().values().map(Vec::len).sum()
    }

    /// The power goes: of what was not synced each sector is there or not. Gives the disk as it is found afterwards.
    pub fn crash(&self) -> SimDisk {
        let mut inside = self.lock_inside();
        inside.generation += 1;
        inside.is_locked = false;
        let coin = || random() & 1 == 0;
        let removed: Vec<_> = std::mem::take(&mut inside.removed).into_iter().filter(|_| coin()).collect();
        inside.files.extend(removed);
        inside.files.retain(|_, content| content.is_entry_synced || coin());
        let renamed = |(path, mut content): (PathBuf, Content)| match content.old_name.take().filter(|_| coin()) {
            Some(old) => (old, content),
            None => (path, content),
        };
        inside.files = std::mem::take(&mut inside.files).into_iter().map(renamed).collect();
        for content in inside.files.values_mut() {
            let writes = std::mem::take(&mut content.writes);
            let all_or_some = random() % 3;
            for (at, bytes) in writes {
                for (number, sector) in bytes.chunks(SECTOR_BYTES).enumerate() {
                    if all_or_some == 0 || (all_or_some == 1 && coin()) {
                        write(&mut content.synced, at + number * SECTOR_BYTES, sector);
                    }
                }
            }
            content.is_entry_synced = true;
        }
        SimDisk { inside: Arc::clone(&self.inside), generation: inside.generation }
    }
}

impl Disk for SimDisk {
    fn make_folder(&self, _folder: &Path, _mode: u32) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let inside = self.alive()?;
        let here = inside.files.keys().filter(|path| path.parent() == Some(folder));
        Ok(here.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect())
    }

    fn create(&self, path: &Path, _mode: u32) -> io::Result<Box<dyn DiskFile>> {
        let mut inside = self.alive()?;
        if inside.is_read_only {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        if inside.files.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        inside.creates += 1;
        inside.files.insert(path.to_owned(), Content::default());
        Ok(Box::new(SimFile { disk: self.clone(), path: path.to_owned() }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        if !self.alive()?.files.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(Box::new(SimFile { disk: self.clone(), path: path.to_owned() }))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut inside = self.alive()?;
        if inside.is_read_only {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        let content = inside.files.remove(path).ok_or(io::ErrorKind::NotFound)?;
        inside.removed.insert(path.to_owned(), content);
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut inside = self.alive()?;
        if inside.is_read_only {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        let mut content = inside.files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        content.old_name.get_or_insert_with(|| from.to_owned());
        inside.renames += 1;
        inside.files.insert(to.to_owned(), content);
        Ok(())
    }

    fn sync_folder(&self, _folder: &Path) -> io::Result<()> {
        let mut inside = self.alive()?;
        inside.files.values_mut().for_each(|content| (content.is_entry_synced, content.old_name) = (true, None));
        inside.removed.clear();
        Ok(())
    }

    fn lock(&self, _path: &Path, _mode: u32) -> io::Result<Box<dyn Lock>> {
        let mut inside = self.alive()?;
        if std::mem::replace(&mut inside.is_locked, true) {
            return Err(io::Error::new(io::ErrorKind::WouldBlock, "1234"));
        }
        Ok(Box::new(SimLock(self.clone())))
    }
}

#[derive(Debug)]
struct SimLock(SimDisk);

impl Lock for SimLock {
    fn remove(&self) {}
}

impl Drop for SimLock {
    fn drop(&mut self) {
        if let Ok(mut inside) = self.0.alive() {
            inside.is_locked = false;
        }
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    path: PathBuf,
}

impl SimFile {
    fn with<T>(&self, work: impl FnOnce(&mut Inside, &Path) -> io::Result<T>) -> io::Result<T> {
        work(&mut *self.disk.alive()?, &self.path)
    }
}

fn content<'i>(inside: &'i mut Inside, path: &Path) -> io::Result<&'i mut Content> {
    let Inside { files, removed, .. } = inside;
    // An open file can be used after it was removed.
    files.get_mut(path).or_else(|| removed.get_mut(path)).ok_or_else(|| io::ErrorKind::NotFound.into())
}

impl DiskFile for SimFile {
    fn length(&self) -> io::Result<u64> {
        self.with(|inside, path| Ok(content(inside, path)?.now().len() as u64))
    }

    fn read_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()> {
        self.with(|inside, path| {
            if inside.failing_reads > 0 {
                inside.failing_reads -= 1;
                return Err(io::Error::from_raw_os_error(libc::EIO));
            }
            let content = content(inside, path)?;
            if !content.writes.is_empty() {
                let now = content.now();
                bytes.copy_from_slice(now.get(at as usize..at as usize + bytes.len()).ok_or(io::ErrorKind::UnexpectedEof)?);
                return Ok(());
            }
            bytes.copy_from_slice(content.synced.get(at as usize..at as usize + bytes.len()).ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        })
    }

    fn write_at(&mut self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.with(|inside, path| {
            if inside.is_read_only {
                return Err(io::ErrorKind::ReadOnlyFilesystem.into());
            }
            if inside.failing_writes > 0 {
                inside.failing_writes -= 1;
                content(inside, path)?.writes.push((at as usize, bytes[..bytes.len() / 2].to_vec()));
                return Err(io::Error::from_raw_os_error(libc::EIO));
            }
            // After a power cut it would be found under that name with what is written now.
            let old_name = content(inside, path)?.old_name.as_ref().filter(|old| !old.to_string_lossy().contains("spare"));
            assert_eq!(old_name, None, "a file is written over that the disk may still know as another segment");
            let room = inside.room.unwrap_or(usize::MAX).min(bytes.len());
            if let Some(left) = &mut inside.room {
                *left -= room;
            }
            content(inside, path)?.writes.push((at as usize, bytes[..room].to_vec()));
            if room < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
        })
    }

    fn sync(&mut self) -> io::Result<()> {
        self.with(|inside, path| {
            inside.syncs += 1;
            let fails = inside.failing_syncs > 0;
            inside.failing_syncs -= usize::from(fails);
            let content = content(inside, path)?;
            if fails {
                // As Linux does: what could not be written is forgotten.
                content.writes.clear();
                return Err(io::Error::from_raw_os_error(libc::EIO));
            }
            content.synced = content.now();
            content.writes.clear();
            Ok(())
        })
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.with(|inside, path| {
            let content = content(inside, path)?;
            content.synced = content.now();
            content.synced.truncate(length as usize);
            content.writes.clear();
            Ok(())
        })
    }
}
