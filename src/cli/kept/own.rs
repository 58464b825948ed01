//! Chunks in our own file buffers, read without their lock: a daemon may be writing to them.

use super::{Body, Part};
use crate::buffer::Location;
use crate::buffer::log::disk::RealDisk;
use crate::buffer::log::frame::{Found, Frames, Kind};
use crate::buffer::log::{Damage, FoundChunk, Head, Place, content, segments, survey};
use crate::event::msgpack::Entries;
use anyhow::Context;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::rc::Rc;

/// A daemon removes segments while we look at them; so often we begin anew.
const TRIES: u32 = 5;

/// A chunk in a buffer of ours.
#[derive(Debug)]
pub struct Own {
    /// The buffer.
    pub location: Rc<Location>,
    /// Its number in the log.
    pub number: u64,
    /// What it is.
    pub head: Option<Head>,
    /// Where its events are.
    pub chunk: FoundChunk,
}

/// The buffers whose segments are in a folder.
pub fn locations(folder: &Path) -> io::Result<Vec<Location>> {
    let mut found: BTreeMap<(String, String), Location> = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name();
        let Some((prefix, suffix)) = name.to_str().and_then(names_of) else { continue };
        let location = Location {
            given: folder.display().to_string(),
            folder: folder.to_owned(),
            prefix: prefix.to_owned(),
            suffix: suffix.to_owned(),
            is_single: false,
            file_mode: 0o644,
            dir_mode: 0o755,
            is_folder: true,
        };
        found.insert((prefix.to_owned(), suffix.to_owned()), location);
    }
    Ok(found.into_values().collect())
}

/// What is before and behind the sixteen digits of a segment's name.
fn names_of(name: &str) -> Option<(&str, &str)> {
    let inner = name.strip_suffix(".flumen")?;
    let is_number = |part: &str| part.len() == 16 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut at = 0;
    for part in inner.split('.') {
        if is_number(part) {
            return Some((&inner[..at], &inner[at + 16..]));
        }
        at += part.len() + 1;
    }
    None
}

/// The chunks of a buffer that are not done with.
pub fn of_location(location: Location) -> anyhow::Result<Vec<Own>> {
    let found = look(&location)?;
    let location = Rc::new(location);
    let own = |(number, chunk): (u64, FoundChunk)| Own { location: Rc::clone(&location), number, head: chunk.head.clone(), chunk };
    Ok(found.chunks.into_iter().map(own).collect())
}

fn look(location: &Location) -> anyhow::Result<crate::buffer::log::Survey> {
    let mut tries = 0;
    loop {
        tries += 1;
        match survey(&RealDisk, location) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && tries < TRIES => {}
            found => return found.with_context(|| format!("cannot read the buffer in {}", location.folder.display())),
        }
    }
}

impl Own {
    /// What is wrong with a buffer as a whole.
    pub fn damage_of(location: &Location) -> anyhow::Result<Vec<Damage>> {
        Ok(look(location)?.damage)
    }

    /// All that is still to be delivered of it.
    pub fn read(&self) -> anyhow::Result<Body> {
        let mut body = Body::default();
        let mut bytes = Vec::new();
        let mut records = 0;
        for place in &self.chunk.places {
            self.read_place(place, &mut bytes, &mut records, &mut body.damage)?;
        }
        let is_formatted = self.head.as_ref().is_some_and(|head| !head.is_packed);
        if self.head.is_none() {
            body.damage.push("what it is stands in damaged frames only".to_owned());
        }
        if !is_formatted {
            records = Entries::new(&bytes).map_while(Result::ok).count();
        }
        let tag = self.head.as_ref().and_then(|head| head.keys.tag.as_ref().map(ToString::to_string));
        body.parts.push(Part { tag, bytes, records, is_formatted });
        Ok(body)
    }

    fn read_place(&self, place: &Place, bytes: &mut Vec<u8>, records: &mut usize, damage: &mut Vec<String>) -> anyhow::Result<()> {
        let names = segments(&RealDisk, &self.location)?;
        let Some(name) = names.into_iter().find(|name| name.number == place.segment) else {
            damage.push(format!("segment {} is gone: a daemon may have delivered it", place.segment));
            return Ok(());
        };
        let start = place.start as usize;
        let mut part = vec![0; place.length as usize];
        let read = File::open(self.location.segment(name)).and_then(|file| file.read_exact_at(&mut part, u64::from(place.start)));
        if let Err(error) = read {
            damage.push(format!("segment {} cannot be read at byte {start}: {error}", place.segment));
            return Ok(());
        }
        for found in Frames::new(&part, name.salt) {
            match found {
                Found::Frame(frame) if frame.header.kind == Kind::Events && frame.header.chunk == self.number => {
                    let events = content(&frame)?;
                    let from = frame.header.at;
                    match &self.chunk.remaining {
                        None => bytes.extend_from_slice(&events),
                        Some(remaining) => {
                            for range in &remaining.0 {
                                let (start, end) = (range.start.max(from), range.end.min(from + events.len() as u64));
                                if start < end {
                                    bytes.extend_from_slice(&events[(start - from) as usize..(end - from) as usize]);
                                }
                            }
                        }
                    }
                    *records += frame.header.records as usize;
                }
                Found::Frame(_) => {}
                Found::Damage(range, _) => {
                    damage.push(format!("bytes {}..{} of segment {} are no frame", start + range.start, start + range.end, place.segment));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_segments_show_the_buffer() {
        assert_eq!(names_of("buffer.0000001100000abc.log.flumen"), Some(("buffer.", ".log")));
        assert_eq!(names_of("a.b.0000001100000abc.x.y.flumen"), Some(("a.b.", ".x.y")));
        assert_eq!(names_of("buffer.lock.log.flumen"), None);
        assert_eq!(names_of("buffer.0000001100000abc.log"), None);
    }
}
