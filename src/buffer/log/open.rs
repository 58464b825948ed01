//! Taking up a log where the process before left it: locked, its damage reported, its torn end cut, its chunks given back.

use super::disk::Disk;
use super::state::{Live, LogLimits, State};
use super::survey::{Damage, FoundChunk, read_segment, survey};
use super::{Damaged, Head, Log, Options, Report, Shared, writer};
use crate::buffer::Location;
use crate::event::EventTime;
use crate::log::PluginLog;
use anyhow::{Context, bail};
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Condvar, Mutex, RwLock};

/// A chunk that was there before.
#[derive(Clone, Debug)]
pub struct Recovered {
    /// Its number.
    pub number: u64,
    /// What it is.
    pub head: Head,
    /// Bytes that are still to be delivered, uncompressed.
    pub bytes: u64,
    /// About how many events.
    pub records: u64,
    /// Whether it takes no more events.
    pub is_closed: bool,
}

/// Opens the log at a location, and gives the chunks that wait in it, oldest first. Damage goes to `report` and is no error; a folder
/// that cannot be used is one, and so is another process in it.
pub fn open(
    disk: Arc<dyn Disk>,
    location: Location,
    options: Options,
    limits: LogLimits,
    log: &PluginLog,
    report: Report,
) -> anyhow::Result<(Arc<Log>, Vec<Recovered>)> {
    let folder = location.folder.clone();
    disk.make_folder(&folder, location.dir_mode).with_context(|| format!("cannot make the folder of the buffer {}", folder.display()))?;
    let lock = match disk.lock(&location.lock(), location.file_mode) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            bail!("the buffer {} is used by another process (pid {error}): give each its own path", folder.display());
        }
        Err(error) => return Err(error).with_context(|| format!("cannot lock the buffer {}", location.lock().display())),
    };
    let found = survey(&*disk, &location).with_context(|| format!("cannot read the buffer {}", folder.display()))?;
    remove_spares(&*disk, &location);
    for damage in &found.damage {
        deal_with(&*disk, &location, damage, &report);
    }
    // A number in a damaged frame must never be given out again: the time is beyond all of them, unless the clock was turned back.
    let next = found.next_chunk.max(EventTime::now().sec.max(0) as u64 * 1_000_000);
    let mut state = State::new(limits.clone(), options.segment_bytes, next);
    state.skip_segments(found.next_segment);
    for segment in &found.segments {
        state.add_segment(segment.name, segment.length);
    }
    let mut recovered = Vec::new();
    for (number, chunk) in found.chunks {
        take_up(&mut state, &mut recovered, number, chunk, &location, &*disk, &report);
    }
    state.free();
    let shared =
        Shared { disk, location, options: RwLock::new(options), limits, report, state: Mutex::new(state), work: Condvar::new(), lock };
    let shared = Arc::new(shared);
    let (writers, log) = (Arc::clone(&shared), log.clone());
    let thread = std::thread::Builder::new().name("buffer".to_owned()).spawn(move || log.enter(|| writer::run(writers)));
    let thread = thread.context("cannot start the thread of a buffer")?;
    Ok((Arc::new(Log { shared, thread: Mutex::new(Some(thread)) }), recovered))
}

/// Files that a process before kept to write over them: nothing lives in them.
fn remove_spares(disk: &dyn Disk, location: &Location) {
    let files = disk.list(&location.folder).unwrap_or_default();
    for file in files.iter().filter(|file| location.is_spare(file)) {
        let path = location.folder.join(file);
        if let Err(error) = disk.remove(&path) {
            crate::warning!("cannot remove a delivered part of the buffer path={path:?} error=\"{error}\"");
        }
    }
}

fn take_up(
    state: &mut State,
    recovered: &mut Vec<Recovered>,
    number: u64,
    chunk: FoundChunk,
    location: &Location,
    disk: &dyn Disk,
    report: &Report,
) {
    let Some(head) = chunk.head else {
        let names: HashMap<u32, _> = state.segment_names().map(|name| (name.number, name)).collect();
        for place in &chunk.places {
            let Some(name) = names.get(&place.segment) else { continue };
            let start = place.start as usize;
            let bytes = read_segment(disk, location, *name).ok();
            let bytes = bytes.and_then(|bytes| bytes.get(start..start + place.length as usize).map(<[u8]>::to_vec)).unwrap_or_default();
            let what = "events whose chunk is not known any more are left out".to_owned();
            report(&Damaged { path: location.segment(*name), start: start as u64, bytes, what });
        }
        return;
    };
    let delivered = chunk.remaining.as_ref().map_or(0, |remaining| {
        chunk.end.saturating_sub(remaining.0.iter().map(|range| range.end.min(chunk.end).saturating_sub(range.start)).sum())
    });
    let bytes = chunk.bytes.saturating_sub(delivered);
    let part = if chunk.bytes == 0 { 1.0 } else { bytes as f64 / chunk.bytes as f64 };
    recovered.push(Recovered {
        number,
        bytes,
        records: (chunk.records as f64 * part).round() as u64,
        is_closed: chunk.is_closed || chunk.remaining.is_some(),
        head: head.clone(),
    });
    let live = Live {
        head: head.to_bytes().into(),
        places: chunk.places,
        end: chunk.end,
        remaining: chunk.remaining,
        progress: chunk.progress,
        is_closed: chunk.is_closed,
        head_in: None,
        moves: 0,
    };
    state.add_chunk(number, live);
}

/// Reports what is damaged, and cuts off a torn end so that it is met once only.
fn deal_with(disk: &dyn Disk, location: &Location, damage: &Damage, report: &Report) {
    let path = location.segment(damage.segment);
    let bytes = read_segment(disk, location, damage.segment).unwrap_or_default();
    let bytes = bytes.get(damage.range.clone()).unwrap_or_default().to_vec();
    let start = damage.range.start as u64;
    if !damage.is_tail {
        let what = match &damage.header {
            Some(header) => format!("a damaged frame of {} events is left out", header.records),
            None => "bytes that are no frame are left out".to_owned(),
        };
        return report(&Damaged { path, start, bytes, what });
    }
    // A file can be longer than what was written into it before the power went.
    let is_empty = bytes.iter().all(|byte| *byte == 0);
    let what = format!("{} bytes at the end were not wholly written and are cut off", bytes.len());
    report(&Damaged { path: path.clone(), start, bytes: if is_empty { Vec::new() } else { bytes }, what });
    if let Err(error) = disk.open(&path).and_then(|mut file| file.cut(start)) {
        crate::warning!("cannot cut off the torn end of a buffer path={path:?} error=\"{error}\"");
    }
}
