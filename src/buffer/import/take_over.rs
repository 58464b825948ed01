//! Taking over what Fluentd left at the path of a buffer: what each chunk becomes for the output that now has that path.

use super::content::{Content, Form};
use super::find::{Found, Names, find, sort};
use super::holder::{Holder, holder};
use super::name::Written;
use super::stored::{Imported, OnDamage};
use crate::buffer::{Chunk, ChunkKeys, Keys, Location, StoredChunk, TimeSlices};
use crate::event::Tag;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Folders of workers below a buffer's that are looked for; Fluentd numbers them from 0.
const MAX_WORKERS: u32 = 1024;

/// What is known of the output that takes over.
#[derive(Clone, Copy, Debug)]
pub struct Heir<'h> {
    /// Its chunk keys.
    pub keys: &'h Keys,
    /// Whether its chunks are entries; otherwise what its formatter wrote.
    pub is_packed: bool,
    /// The most bytes of a chunk that is unpacked whole.
    pub max_bytes: u64,
}

/// Chunks that wait for delivery in this process: nobody takes them over again, at a reload or a second look.
static CLAIMED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

fn claims() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    CLAIMED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A chunk is delivered, and its files are gone.
pub(super) fn unclaim(path: &Path) {
    claims().remove(path);
}

/// What becomes of one of Fluentd's chunks.
#[derive(Debug)]
pub enum Fate {
    /// It can be delivered.
    Deliver(StoredChunk),
    /// It cannot, by this output; it is to be kept elsewhere.
    SetAside(Found, String),
    /// There is nothing in it.
    Empty(Found),
}

/// The chunks that Fluentd left at a location and in `others`, folders of the same buffer, in the order of their delivery. Those that wait
/// for delivery in this process are not among them.
pub fn left_by_fluentd(location: &Location, others: &[PathBuf]) -> io::Result<Vec<Found>> {
    let names = Names { prefix: &location.prefix, suffix: &location.suffix };
    let mut found = find(&location.folder, Some(names))?;
    // A buffer may have been of the other kind before.
    let own = location.is_folder.then_some(&location.folder);
    for folder in own.into_iter().chain(others) {
        let chunks = find(folder, None)?.into_iter().filter(|one| one.name.written != Written::Backup);
        found.extend(chunks.filter(|one| is_usual(&one.path)));
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found.dedup_by(|a, b| a.path == b.path);
    let claimed = claims();
    found.retain(|one| !claimed.contains(&one.path));
    sort(&mut found);
    Ok(found)
}

/// The folders of workers below that of a buffer.
pub fn folders_of_workers(folder: &Path) -> Vec<PathBuf> {
    (0..MAX_WORKERS).map(|worker| folder.join(format!("worker{worker}"))).take_while(|folder| folder.is_dir()).collect()
}

/// Whether a file has one of the names that Fluentd gives where `path` is a folder.
fn is_usual(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    (name.starts_with("buffer.") && name.ends_with(".log")) || (name.starts_with("fsb.") && name.ends_with(".buf"))
}

/// Another process that has one of these open: they are its own, as long as it runs.
pub fn held_by(found: &[Found]) -> Option<Holder> {
    holder(found.iter().map(|one| one.path.as_path()))
}

/// What becomes of a chunk.
pub fn fate(found: Found, heir: &Heir<'_>, report: &OnDamage) -> io::Result<Fate> {
    if found.bytes == 0 {
        return Ok(Fate::Empty(found));
    }
    let form = Form::of_file(&found.path)?;
    let why = match (form, heir.is_packed) {
        (Form::Tagged, _) => Some("its events carry tags of their own"),
        (Form::Formatted, true) => Some("it was written by the formatter of another output"),
        (Form::Packed, false) => Some("it holds events that the output has not formatted"),
        _ if !found.knows_keys() && !heir.keys.are_none() => {
            Some("its .meta file is missing or damaged, so that its chunk keys are unknown")
        }
        _ => None,
    };
    if let Some(why) = why {
        return Ok(Fate::SetAside(found, why.to_owned()));
    }
    let keys = keys_of(&found, heir.keys);
    claims().insert(found.path.clone());
    let (id, bytes, counted) = (found.id(), found.bytes, found.meta.records);
    let body = Imported::new(found, heir.is_packed, heir.max_bytes, Arc::clone(report));
    let records = if counted > 0 { usize::try_from(counted).unwrap_or(usize::MAX) } else { body.estimate() };
    let chunk = Chunk { id, records, ..Chunk::new(keys) };
    Ok(Fate::Deliver(StoredChunk { chunk, bytes, body: Box::new(body) }))
}

/// The chunks in which one that cannot be delivered is kept: by tag, where its events carry one.
pub fn chunks_of(found: &Found, heir: &Heir<'_>) -> io::Result<Vec<(Chunk, bool)>> {
    let (bytes, _) = found.read(heir.max_bytes)?;
    let keys = keys_of(found, heir.keys);
    let of = |keys: ChunkKeys, bytes: Vec<u8>, records: usize| Chunk { id: found.id(), bytes, records, ..Chunk::new(keys) };
    Ok(match Content::of(bytes) {
        Content::Formatted(bytes) => vec![(of(keys, bytes, found.meta.records as usize), false)],
        Content::Packed(packed) => vec![(of(keys, packed.bytes, packed.records), true)],
        Content::Tagged(by_tag) => by_tag
            .into_iter()
            .map(|packed| {
                let keys = ChunkKeys { tag: packed.tag.as_deref().map(Tag::new), ..keys.clone() };
                (of(keys, packed.bytes, packed.records), true)
            })
            .collect(),
    })
}

/// The keys of a chunk: those in its `.meta`, or what the key in its name is for this output.
fn keys_of(found: &Found, keys: &Keys) -> ChunkKeys {
    if found.meta_path.is_some() && found.meta_fault.is_none() {
        return found.meta.keys.clone();
    }
    let Some(key) = &found.name.key else { return ChunkKeys::default() };
    let slice = keys.time.as_ref().filter(|_| found.name.written == Written::Old).and_then(|slices| slice_of(key, slices));
    match (slice, keys.fields.first()) {
        (Some(start), _) => ChunkKeys { timekey: Some(start), ..ChunkKeys::default() },
        (None, Some(field)) if !keys.tag => ChunkKeys { variables: vec![(field.name.clone(), Some(key.clone()))], ..ChunkKeys::default() },
        (None, _) => ChunkKeys { tag: Some(Tag::new(key)), ..ChunkKeys::default() },
    }
}

/// The start of a time slice as 0.12 wrote it into names: `20160714`, with hours, minutes and seconds behind where slices are short.
fn slice_of(key: &str, slices: &TimeSlices) -> Option<i64> {
    if !key.bytes().all(|byte| byte.is_ascii_digit()) || ![8, 10, 12, 14].contains(&key.len()) {
        return None;
    }
    let number = |range: std::ops::Range<usize>| key.get(range).map_or(Some(0), |digits| digits.parse::<i64>().ok());
    let (year, month, day) = (number(0..4)?, number(4..6)?, number(6..8)?);
    let date = jiff::civil::Date::new(year as i16, month as i8, day as i8).ok()?;
    let days = date.since((jiff::Unit::Day, jiff::civil::date(1970, 1, 1))).ok()?.get_days();
    let clock = number(8..10)? * 3600 + number(10..12)? * 60 + number(12..14)?;
    let shown = i64::from(days) * 86_400 + clock;
    Some(shown - i64::from(slices.zone.offset_at(shown)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Zone;

    #[test]
    fn old_time_slices_are_read_in_the_zone_of_the_buffer() {
        let slices = |zone: &str| TimeSlices { length: 3600.0, wait: 0, zone: Zone::parse(zone).unwrap() };
        assert_eq!(slice_of("20160714", &slices("+00:00")), Some(1_468_454_400));
        assert_eq!(slice_of("2016071413", &slices("+09:00")), Some(1_468_454_400 + 4 * 3600));
        assert_eq!(slice_of("20160732", &slices("+00:00")), None);
        assert_eq!(slice_of("app.web", &slices("+00:00")), None);
    }
}
