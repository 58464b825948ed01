//! Files of segments that nothing lives in any more, kept to be written over: they have their blocks on the disk and their pages in memory
//! already, which is half of what writing a buffer costs.

use super::Shared;
use super::disk::DiskFile;
use super::state::Removable;
use crate::buffer::SegmentName;
use std::io;

/// So many are kept at most.
const MOST: usize = 8;

/// A file under its name as a spare one.
#[derive(Clone, Copy, Debug)]
struct Spare {
    name: SegmentName,
    length: u64,
}

/// The files that wait to be written over.
#[derive(Debug, Default)]
pub(super) struct Spares {
    files: Vec<Spare>,
    /// Whether the disk may still know the last ones under the names of their segments.
    is_unsynced: bool,
}

impl Spares {
    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Keeps the file of a segment, where that may pay: one out of which nothing was copied, as nobody can still be reading it, that is of
    /// a good size, while there is room on the disk for more than the buffer holds.
    pub(super) fn keep(&mut self, shared: &Shared, segment: &Removable) -> bool {
        let (disk, least) = (&shared.limits.disk, shared.options().segment_bytes as u64 / 4);
        let spare: u64 = self.files.iter().map(|file| file.length).sum();
        let has_room = self.files.len() < MOST && disk.used() + spare + segment.length <= disk.max() / 2;
        if segment.after > 0 || segment.length < least || !has_room || shared.lock().is_stopping {
            return false;
        }
        let location = &shared.location;
        if shared.disk.rename(&location.segment(segment.name), &location.spare(segment.name)).is_err() {
            return false;
        }
        self.files.push(Spare { name: segment.name, length: segment.length });
        self.is_unsynced = true;
        true
    }

    /// A file for a new segment, under its name, and how long it is; `None` where there is none, or it cannot be had.
    ///
    /// It must not be written over while the disk may still know it as the segment that it was: after a power cut events would seem
    /// undelivered, or be damaged.
    pub(super) fn take_for(&mut self, shared: &Shared, segment: SegmentName) -> Option<(Box<dyn DiskFile>, u64)> {
        let spare = self.files.pop()?;
        match self.rename(shared, spare, segment) {
            Ok(found) => Some(found),
            Err(_) => {
                // A new file may be made where this one cannot be had.
                remove(shared, spare);
                None
            }
        }
    }

    fn rename(&mut self, shared: &Shared, spare: Spare, segment: SegmentName) -> io::Result<(Box<dyn DiskFile>, u64)> {
        let location = &shared.location;
        if std::mem::take(&mut self.is_unsynced) {
            shared.disk.sync_folder(&location.folder)?;
        }
        let path = location.segment(segment);
        shared.disk.rename(&location.spare(spare.name), &path)?;
        let file = shared.disk.open(&path)?;
        let length = file.length()?;
        Ok((file, length))
    }

    /// Removes all.
    pub(super) fn give_up(&mut self, shared: &Shared) {
        self.files.drain(..).for_each(|spare| remove(shared, spare));
    }
}

fn remove(shared: &Shared, spare: Spare) {
    let path = shared.location.spare(spare.name);
    match shared.disk.remove(&path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => crate::warning!("cannot remove a delivered part of the buffer path={path:?} error=\"{error}\""),
    }
}
