//! `flumen buffer repair`: takes damage out, and keeps it beside what it was in, under a name that ends in `.damaged`.
//!
//! A daemon does the same by itself when it starts; this is for buffers that are to be looked at, exported or sent again before.

use super::{Asked, kept};
use crate::buffer::Location;
use crate::buffer::import::{Found, Meta};
use crate::buffer::log::disk::{Disk, RealDisk};
use crate::buffer::log::frame::{Found as InSegment, Frames};
use crate::cli::kept::{Body, Own, Source};
use anyhow::{Context, bail};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Repairs what is damaged and says what was done.
pub fn run(asked: &Asked, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let sources = kept::collect(&asked.path)?;
    if let Some(holder) = kept::held_by(&sources) {
        bail!("process {} ({}) uses what is there, and must be stopped first", holder.pid, holder.name);
    }
    let mut repaired = 0;
    for source in &sources {
        let body = match source {
            // Its frames are repaired with their segments, below.
            Source::Own(_) => continue,
            _ => source.read()?,
        };
        if body.damage.is_empty() {
            continue;
        }
        let aside = match source {
            Source::File(found) => file(found, &body)?,
            Source::Letters(path) => letters(path)?,
            Source::Own(_) => continue,
        };
        repaired += 1;
        writeln!(out, "repaired {}: {}; what it was is in {}", source.place(), body.damage.join(", "), aside.display())?;
    }
    for location in kept::locations_below(&asked.path) {
        repaired += segments(&location, out)?;
    }
    writeln!(out, "{repaired} repaired")?;
    Ok(ExitCode::SUCCESS)
}

/// A chunk of Fluentd's, or a backup: the whole events take the place of the file, if there are any.
fn file(found: &Found, body: &Body) -> anyhow::Result<PathBuf> {
    let bytes: Vec<u8> = body.parts.iter().flat_map(|part| part.bytes.iter().copied()).collect();
    let aside = set_aside(&found.path, &bytes)?;
    let records = body.parts.iter().map(|part| part.records as u64).sum();
    if let Some(meta_path) = found.meta_path.as_ref().filter(|_| found.meta_fault.is_none() && !bytes.is_empty()) {
        replace(meta_path, &Meta { records, ..found.meta.clone() }.encode())?;
    } else if let Some(meta_path) = &found.meta_path {
        // Without its keys a chunk is taken for what its name says.
        let kept = damaged_name(meta_path);
        fs::rename(meta_path, &kept).with_context(|| format!("cannot rename {}", meta_path.display()))?;
    }
    Ok(aside)
}

/// A segment of dead letters: the whole lines stay.
fn letters(path: &Path) -> anyhow::Result<PathBuf> {
    let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut whole = Vec::with_capacity(text.len());
    let mut start = 0;
    for line in kept::letters(path, 0)? {
        let line = line?;
        let end = usize::try_from(line.end)?.min(text.len());
        if line.letter.is_ok() {
            whole.extend_from_slice(&text[start..end]);
        }
        start = end;
    }
    set_aside(path, &whole)
}

/// The segments of a buffer of ours: the whole frames stay, as if the others had never been.
fn segments(location: &Location, out: &mut dyn Write) -> anyhow::Result<usize> {
    let damage = Own::damage_of(location)?;
    let names: BTreeSet<_> = damage.iter().map(|damage| damage.segment).collect();
    if names.is_empty() {
        return Ok(0);
    }
    let lock = RealDisk
        .lock(&location.lock(), location.file_mode)
        .with_context(|| format!("the buffer in {} is used", location.folder.display()))?;
    for name in &names {
        let path = location.segment(*name);
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut whole = Vec::with_capacity(bytes.len());
        for found in Frames::new(&bytes, name.salt) {
            if let InSegment::Frame(frame) = found {
                whole.extend_from_slice(&bytes[frame.start..frame.end()]);
            }
        }
        let aside = set_aside(&path, &whole)?;
        writeln!(
            out,
            "repaired {}: {} bytes were no frames; what it was is in {}",
            path.display(),
            bytes.len() - whole.len(),
            aside.display()
        )?;
    }
    lock.remove();
    Ok(names.len())
}

/// Puts `whole` in the place of a file and keeps the file beside it. What is empty is not put there.
fn set_aside(path: &Path, whole: &[u8]) -> anyhow::Result<PathBuf> {
    let aside = damaged_name(path);
    fs::copy(path, &aside).and_then(|_| File::open(&aside)?.sync_all()).with_context(|| format!("cannot write {}", aside.display()))?;
    if whole.is_empty() {
        fs::remove_file(path).with_context(|| format!("cannot remove {}", path.display()))?;
    } else {
        replace(path, whole)?;
    }
    Ok(aside)
}

/// A name beside a file's that is free, and that nobody takes for a chunk's.
fn damaged_name(path: &Path) -> PathBuf {
    let numbered = |number: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(if number == 0 { ".damaged".to_owned() } else { format!(".{number}.damaged") });
        PathBuf::from(name)
    };
    (0..).map(numbered).find(|path| !path.exists()).unwrap_or_else(|| numbered(0))
}

/// Replaces a file's contents, whole or not at all.
fn replace(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".repaired");
    let new = PathBuf::from(name);
    let write = || {
        let mut file = File::create(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::set_permissions(&new, fs::metadata(path)?.permissions())?;
        fs::rename(&new, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}
