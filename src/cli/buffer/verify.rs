//! `flumen buffer verify`: is everything whole?

use super::{Asked, kept, quoted};
use crate::cli::EXIT_RUN;
use crate::cli::kept::{Own, Source};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;

/// Exit code where something is damaged.
const EXIT_DAMAGED: u8 = 1;

/// Looks through everything. 0: whole; 1: damage; 2: something could not be read.
pub fn run(asked: &Asked, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let sources = kept::collect(&asked.path)?;
    let (mut damaged, mut unread, mut events) = (0, 0, 0);
    let say = |place: &str, what: &[String], out: &mut dyn Write| {
        if asked.json {
            let what: Vec<String> = what.iter().map(|what| quoted(what)).collect();
            writeln!(out, "{{\"place\":{},\"damage\":[{}]}}", quoted(place), what.join(","))
        } else if what.is_empty() {
            writeln!(out, "whole    {place}")
        } else {
            what.iter().try_for_each(|what| writeln!(out, "damaged  {place}: {what}"))
        }
    };
    for source in &sources {
        match source.read() {
            Ok(body) => {
                damaged += usize::from(!body.damage.is_empty());
                events += body.parts.iter().map(|part| part.records).sum::<usize>();
                say(&source.place(), &body.damage, out)?;
            }
            Err(error) => {
                unread += 1;
                say(&source.place(), &[format!("{error:#}")], out)?;
            }
        }
    }
    for (place, what) in segments(&asked.path, &sources)? {
        damaged += 1;
        say(&place, &what, out)?;
    }
    if !asked.json {
        writeln!(out, "{} chunks and segments, {events} events, {damaged} damaged, {unread} not readable", sources.len())?;
    }
    Ok(match (unread, damaged) {
        (0, 0) => ExitCode::SUCCESS,
        (0, _) => ExitCode::from(EXIT_DAMAGED),
        _ => ExitCode::from(EXIT_RUN),
    })
}

/// Damage in the segments of our own buffers, whichever chunk it was of. The last bytes of one in use are being written.
fn segments(path: &std::path::Path, sources: &[Source]) -> anyhow::Result<BTreeMap<String, Vec<String>>> {
    let mut locations: BTreeMap<PathBuf, Rc<crate::buffer::Location>> = BTreeMap::new();
    for own in sources.iter().filter_map(|source| if let Source::Own(own) = source { Some(own) } else { None }) {
        locations.insert(own.location.lock(), Rc::clone(&own.location));
    }
    for location in kept::locations_below(path) {
        locations.entry(location.lock()).or_insert_with(|| Rc::new(location));
    }
    let is_used = kept::held_by(sources).is_some();
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for location in locations.values() {
        for damage in Own::damage_of(location)? {
            if damage.is_tail && is_used {
                continue;
            }
            let place = location.segment(damage.segment).display().to_string();
            found.entry(place).or_default().push(format!("bytes {}..{} are no frame", damage.range.start, damage.range.end));
        }
    }
    Ok(found)
}
