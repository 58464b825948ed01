//! A folder of dead letters: lines appended to segments, and files of whole chunks, within a maximum of bytes.
//!
//! What was kept stays. When the folder is full the newcomer is refused, and the caller finds another place for it: to drop the oldest
//! would lose letters that somebody was promised, and usually those that show how the trouble began. Room comes back when
//! `flumen replay --remove` or a person removes what has been dealt with.

use crate::event::EventTime;
use std::collections::HashMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Segments are removed as wholes once they have been sent again, so they must not be large.
const SEGMENT_BYTES: u64 = 16 << 20;
/// A folder that was found full is measured anew after this: somebody may have made room.
const MEASURE_PAUSE: Duration = Duration::from_secs(5);
/// Folders in folders are looked into this deep: `chunks/ID/FILE`.
const MEASURE_DEPTH: u32 = 3;

/// The start of a segment's name; its number and `.jsonl` follow.
pub const SEGMENT_PREFIX: &str = "letters.";
/// The end of a segment's name.
pub const SEGMENT_SUFFIX: &str = ".jsonl";

/// A folder of dead letters.
#[derive(Debug)]
pub struct Letters {
    folder: PathBuf,
    max_bytes: u64,
    inside: Mutex<Inside>,
    kept: AtomicU64,
    refused: AtomicU64,
}

#[derive(Debug, Default)]
struct Inside {
    segment: Option<Segment>,
    /// Bytes in the folder when it was last measured, and since.
    total: u64,
    measured: Option<Instant>,
    is_syncing: bool,
    is_dirty: bool,
}

#[derive(Debug)]
struct Segment {
    file: Arc<File>,
    number: u64,
    bytes: u64,
    /// Whether its last line may be torn: a new one begins on a line of its own.
    is_torn: bool,
}

/// What became of a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is in the folder.
    Yes,
    /// There is no room for it.
    Full,
}

impl Letters {
    /// The letters of a folder. Within a process there is one for each folder, however many pipelines use it; nothing is touched yet.
    pub fn shared(folder: &Path, max_bytes: u64) -> Arc<Letters> {
        static ALL: Mutex<Option<HashMap<PathBuf, Arc<Letters>>>> = Mutex::new(None);
        let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all.get_or_insert_default();
        match known.get(folder) {
            Some(letters) if letters.max_bytes == max_bytes => Arc::clone(letters),
            _ => {
                let letters = Arc::new(Letters {
                    folder: folder.to_owned(),
                    max_bytes,
                    inside: Mutex::default(),
                    kept: AtomicU64::new(0),
                    refused: AtomicU64::new(0),
                });
                known.insert(folder.to_owned(), Arc::clone(&letters));
                letters
            }
        }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The most bytes it may take.
    pub fn max_bytes(&self) -> u64 {
        self.max_bytes
    }

    /// Letters kept, and letters refused for want of room, since the start of the process.
    pub fn counts(&self) -> (u64, u64) {
        (self.kept.load(Ordering::Relaxed), self.refused.load(Ordering::Relaxed))
    }

    /// Appends a line; blocks for a write, not for a sync, which follows at once on a thread of its own.
    pub fn append(self: &Arc<Self>, line: &[u8]) -> io::Result<Kept> {
        let mut inside = self.lock();
        if !self.has_room(&mut inside, line.len() as u64)? {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return Ok(Kept::Full);
        }
        let segment = self.segment(&mut inside)?;
        let mut bytes = Vec::with_capacity(line.len() + 1);
        if segment.is_torn {
            bytes.push(b'\n');
        }
        bytes.extend_from_slice(line);
        segment.is_torn = true;
        (&*segment.file).write_all(&bytes)?;
        segment.is_torn = false;
        segment.bytes += bytes.len() as u64;
        inside.total += bytes.len() as u64;
        self.kept.fetch_add(1, Ordering::Relaxed);
        self.sync_soon(&mut inside);
        Ok(Kept::Yes)
    }

    /// Asks for room for a file of a chunk; it counts from now on.
    pub fn reserve(&self, bytes: u64) -> io::Result<Kept> {
        let mut inside = self.lock();
        if !self.has_room(&mut inside, bytes)? {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return Ok(Kept::Full);
        }
        inside.total += bytes;
        Ok(Kept::Yes)
    }

    fn has_room(&self, inside: &mut Inside, bytes: u64) -> io::Result<bool> {
        let fits = |inside: &Inside| inside.total.saturating_add(bytes) <= self.max_bytes;
        let now = Instant::now();
        let is_stale = inside.measured.is_none_or(|at| !fits(inside) && now.duration_since(at) >= MEASURE_PAUSE);
        if is_stale {
            inside.total = measure(&self.folder, MEASURE_DEPTH)?;
            inside.measured = Some(now);
        }
        Ok(fits(inside))
    }

    /// The segment that takes lines: the last one found, until it is large, or gone.
    fn segment<'i>(&self, inside: &'i mut Inside) -> io::Result<&'i mut Segment> {
        let limit = SEGMENT_BYTES.min(self.max_bytes / 4).max(1);
        let is_usable = |segment: &Segment| segment.bytes < limit && self.path(segment.number).exists();
        let usable = inside.segment.take().filter(is_usable);
        let segment = match usable {
            Some(segment) => segment,
            None => {
                make_folder(&self.folder)?;
                self.open(limit)?
            }
        };
        Ok(inside.segment.insert(segment))
    }

    fn open(&self, limit: u64) -> io::Result<Segment> {
        let last = segments(&self.folder)?.into_iter().next_back().map_or_else(first_number, |(number, _)| number);
        let mut number = last;
        loop {
            let path = self.path(number);
            let file = OpenOptions::new().create(true).append(true).read(true).mode(0o644).open(&path)?;
            let bytes = file.metadata()?.len();
            if bytes < limit {
                let is_torn = bytes > 0 && last_byte(&file, bytes)? != b'\n';
                return Ok(Segment { file: Arc::new(file), number, bytes, is_torn });
            }
            number += 1;
        }
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{SEGMENT_PREFIX}{number:08}{SEGMENT_SUFFIX}"))
    }

    /// One thread syncs for all lines that come while it does, and ends when none has come.
    fn sync_soon(self: &Arc<Self>, inside: &mut Inside) {
        inside.is_dirty = true;
        if inside.is_syncing {
            return;
        }
        let this = Arc::clone(self);
        let started = std::thread::Builder::new().name("dead-letters".to_owned()).spawn(move || this.sync_all());
        inside.is_syncing = started.is_ok();
    }

    fn sync_all(&self) {
        loop {
            let file = {
                let mut inside = self.lock();
                inside.is_syncing = std::mem::take(&mut inside.is_dirty);
                let Some(segment) = inside.segment.as_ref().filter(|_| inside.is_syncing) else {
                    inside.is_syncing = false;
                    return;
                };
                Arc::clone(&segment.file)
            };
            if let Err(error) = file.sync_data() {
                crate::error!("dead letters cannot be synced path={:?} error=\"{error}\"", self.folder);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes a folder and those above it.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() { Ok(()) } else { DirBuilder::new().recursive(true).mode(0o755).create(folder) }
}

/// The segments of a folder by number.
pub fn segments(folder: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(SEGMENT_PREFIX)?.strip_suffix(SEGMENT_SUFFIX)?.parse().ok());
        if let Some(number) = number {
            found.push((number, entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

/// The number of the first segment of an empty folder: never one that was there before, so that what is remembered of that does not count.
fn first_number() -> u64 {
    EventTime::now().sec.max(1) as u64
}

/// Whether a segment is the one that takes lines, if any does.
pub fn is_newest(path: &Path) -> bool {
    let folder = path.parent().unwrap_or(Path::new("."));
    segments(folder).is_ok_and(|all| all.last().is_some_and(|(_, last)| last.file_name() == path.file_name()))
}

fn last_byte(file: &File, length: u64) -> io::Result<u8> {
    use std::os::unix::fs::FileExt;
    let mut byte = [0];
    file.read_exact_at(&mut byte, length - 1)?;
    Ok(byte[0])
}

/// Bytes of all files; a folder that is not there has none.
fn measure(folder: &Path, depth: u32) -> io::Result<u64> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut total = 0;
    for entry in entries {
        let entry = entry?;
        // What is removed meanwhile counts for nothing.
        let Ok(about) = entry.metadata() else { continue };
        total += if about.is_dir() && depth > 0 { measure(&entry.path(), depth - 1)? } else { about.len() };
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("flumen-letters-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    #[test]
    fn what_was_kept_stays_and_what_does_not_fit_is_refused() {
        let folder = folder("full");
        let letters = Letters::shared(&folder, 100);
        let line = [b"x".repeat(39), vec![b'\n']].concat();
        assert_eq!(letters.append(&line).unwrap(), Kept::Yes);
        assert_eq!(letters.append(&line).unwrap(), Kept::Yes);
        assert_eq!(letters.append(&line).unwrap(), Kept::Full);
        assert_eq!(letters.reserve(20).unwrap(), Kept::Yes);
        assert_eq!(letters.counts(), (2, 1));
        assert_eq!(measure(&folder, 3).unwrap(), 80);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn segments_are_cut_and_torn_lines_left_alone() {
        let folder = folder("torn");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("letters.00000007.jsonl"), b"half a li").unwrap();
        let letters = Letters::shared(&folder, 200);
        for _ in 0..3 {
            letters.append(&[b"y".repeat(29), vec![b'\n']].concat()).unwrap();
        }
        let found = segments(&folder).unwrap();
        assert_eq!(found.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [7, 8]);
        assert_eq!(
            fs::read(&found[0].1).unwrap(),
            [b"half a li\n".to_vec(), b"y".repeat(29), b"\n".to_vec(), b"y".repeat(29), b"\n".to_vec()].concat()
        );
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_an_error() {
        assert!(Letters::shared(Path::new("/dev/null/letters"), 1000).append(b"x\n").is_err());
    }
}
