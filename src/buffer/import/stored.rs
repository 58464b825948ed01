//! One of Fluentd's chunks on its way to an output: read in parts, left as it is, removed when all of it is delivered.
//!
//! How far its delivery has come is remembered in memory only, because nothing is ever written into Fluentd's files: after a crash a
//! chunk of which a part was delivered is delivered again from its start.

use super::content::{Content, Packed, unpacked};
use super::find::Found;
use super::take_over::unclaim;
use crate::buffer::{Chunk, Stored};
use crate::event::msgpack::Entries;
use std::fmt;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// A chunk of entries is delivered in parts of about this size: what a delivery takes of memory is bounded.
const PART_BYTES: u64 = 8 << 20;
/// Damaged bytes that are shown to whoever keeps them; a chunk is no larger in Fluentd.
const MAX_DAMAGE_BYTES: u64 = 256 << 20;

/// Told of damage: the file, where in it (unpacked) the damage begins, the bytes to keep, and words.
pub type OnDamage = Arc<dyn Fn(&Path, u64, &[u8], &str) + Send + Sync>;

/// A chunk that Fluentd left, for a delivery.
pub struct Imported {
    found: Found,
    /// Whether it may be delivered in parts.
    is_packed: bool,
    /// The most bytes of a formatted chunk, or of one entry.
    max_bytes: u64,
    report: OnDamage,
    progress: Mutex<Progress>,
}

/// How far the delivery has come, in bytes of the unpacked file.
#[derive(Default)]
struct Progress {
    /// What was read last.
    part: Range<u64>,
    /// What of its entries is still to be delivered; `None` for all of them.
    kept: Option<Vec<Range<usize>>>,
    /// Whether damage has been told of.
    is_reported: bool,
}

/// What was read of a file.
struct Part {
    packed: Packed,
    /// Bytes of the file that it took.
    length: u64,
    has_more: bool,
}

impl fmt::Debug for Imported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Imported").field("path", &self.found.path).finish_non_exhaustive()
    }
}

impl Imported {
    /// The chunk in a file; `is_packed` is whether it holds entries. Damage goes to `report`, once.
    pub fn new(found: Found, is_packed: bool, max_bytes: u64, report: OnDamage) -> Imported {
        Imported { found, is_packed, max_bytes, report, progress: Mutex::default() }
    }

    /// About how many events it has, where nothing says so: those of the first part, and as many in each part of that size.
    pub fn estimate(&self) -> usize {
        if !self.is_packed {
            return 1;
        }
        let Ok(part) = self.read_part(0) else { return 0 };
        let factor = if part.has_more { self.found.bytes as f64 / part.length.max(1) as f64 } else { 1.0 };
        (part.packed.records as f64 * factor.max(1.0)).round() as usize
    }

    /// Reads from a place on: whole entries of about the size of a part, or all of a formatted chunk.
    fn read_part(&self, from: u64) -> io::Result<Part> {
        let mut source = unpacked(&self.found.path)?;
        let skipped = io::copy(&mut (&mut source.bytes).take(from), &mut io::sink());
        if skipped.is_err() || !self.is_packed {
            return self.read_all(source.bytes, source.is_compressed);
        }
        let mut limit = PART_BYTES;
        let mut bytes = Vec::new();
        loop {
            let read = (&mut source.bytes).take(limit - bytes.len() as u64).read_to_end(&mut bytes);
            let is_end = match read {
                Ok(_) => (bytes.len() as u64) < limit,
                // What was unpacked before the fault is good.
                Err(error) if source.is_compressed && error.raw_os_error().is_none() => true,
                Err(error) => return Err(error),
            };
            let packed = match Content::of(bytes.clone()) {
                Content::Packed(packed) => packed,
                Content::Tagged(_) | Content::Formatted(_) => Packed { damaged_bytes: bytes.len(), ..Packed::default() },
            };
            if is_end {
                return Ok(Part { length: bytes.len() as u64, packed, has_more: false });
            }
            if packed.records > 0 || limit >= self.max_bytes {
                let length = (bytes.len() - packed.damaged_bytes) as u64;
                let has_more = packed.records > 0;
                let damaged_bytes = if has_more { 0 } else { packed.damaged_bytes };
                return Ok(Part { packed: Packed { damaged_bytes, ..packed }, length, has_more });
            }
            limit = (limit * 2).min(self.max_bytes);
        }
    }

    fn read_all(&self, bytes: impl Read, is_compressed: bool) -> io::Result<Part> {
        let mut all = Vec::new();
        let limit = if is_compressed { self.max_bytes } else { self.max_bytes.max(self.found.bytes) };
        bytes.take(limit + 1).read_to_end(&mut all)?;
        if all.len() as u64 > limit {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("unpacked it is larger than {limit} bytes")));
        }
        let records = usize::try_from(self.found.meta.records).unwrap_or(usize::MAX).max(1);
        Ok(Part { length: all.len() as u64, packed: Packed { bytes: all, records, ..Packed::default() }, has_more: false })
    }

    fn tell_of_damage(&self, damaged_bytes: usize, end: u64) {
        // The file itself is shown, as it is: what is compressed may hold more than could be unpacked.
        let mut bytes = Vec::new();
        let read = std::fs::File::open(&self.found.path).and_then(|file| file.take(MAX_DAMAGE_BYTES).read_to_end(&mut bytes));
        let why = read.err().map_or_else(String::new, |error| format!(" ({error})"));
        let what = format!("the last {damaged_bytes} bytes of one of Fluentd's chunks are no events and are left out{why}");
        (self.report)(&self.found.path, end - damaged_bytes as u64, &bytes, &what);
    }
}

impl Stored for Imported {
    fn read(&self, chunk: &mut Chunk) -> io::Result<bool> {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let part = self.read_part(progress.part.start)?;
        progress.part.end = progress.part.start + part.length;
        if part.packed.damaged_bytes > 0 && !std::mem::replace(&mut progress.is_reported, true) {
            self.tell_of_damage(part.packed.damaged_bytes, progress.part.end);
        }
        match &progress.kept {
            None => {
                chunk.bytes = part.packed.bytes;
                chunk.records = part.packed.records;
            }
            Some(kept) => {
                chunk.bytes = kept.iter().flat_map(|range| part.packed.bytes.get(range.clone()).unwrap_or_default()).copied().collect();
                chunk.records = Entries::new(&chunk.bytes).map_while(Result::ok).count();
            }
        }
        Ok(part.has_more)
    }

    fn keep(&self, remaining: &[Range<usize>]) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        if remaining.is_empty() {
            progress.part.start = progress.part.end;
            progress.kept = None;
            return;
        }
        let kept = match &progress.kept {
            None => remaining.to_vec(),
            Some(before) => within(before, remaining),
        };
        progress.kept = Some(kept);
    }

    fn done(&self) {
        match self.found.remove() {
            Ok(()) => unclaim(&self.found.path),
            // It stays claimed, so that it is at least not delivered twice by this process.
            Err(error) => {
                crate::error!("a chunk of Fluentd's is delivered and cannot be removed path={:?} error=\"{error}\"", self.found.path);
            }
        }
    }
}

/// The places of `inner`, which are counted in what `outer` selects.
fn within(outer: &[Range<usize>], inner: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for wanted in inner {
        let mut at = 0;
        for one in outer {
            let (start, end) = (wanted.start.max(at), wanted.end.min(at + one.len()));
            if start < end {
                found.push(one.start + (start - at)..one.start + (end - at));
            }
            at += one.len();
        }
    }
    found
}
