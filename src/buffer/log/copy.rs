//! Copying what is alive out of the oldest segment, so that a few chunks that wait for long do not keep on the disk everything that was
//! written after them.

use super::Shared;
use super::frame::{Found, Frames, Kind};
use crate::buffer::SegmentName;

/// Copies the live events of the oldest segment to the end of the log, where that pays.
pub(super) fn copy_oldest(shared: &Shared) {
    let (segment, chunks) = {
        let state = shared.lock();
        // While the disk takes nothing there is no use in giving it more.
        let Some(segment) = state.worth_copying().filter(|_| !state.is_stopping) else { return };
        (segment, state.chunks_in(segment.number))
    };
    for chunk in chunks {
        if let Err(error) = copy_chunk(shared, segment, chunk) {
            let path = shared.location.segment(segment);
            crate::warning!("cannot copy what is still to be delivered out of an old part of the buffer path={path:?} error=\"{error}\"");
            return;
        }
    }
    let mut state = shared.lock();
    state.free();
    state.is_urgent = true;
}

fn copy_chunk(shared: &Shared, segment: SegmentName, chunk: u64) -> std::io::Result<()> {
    let places = {
        let state = shared.lock();
        let Some(live) = state.chunks.get(&chunk) else { return Ok(()) };
        live.places.iter().filter(|place| place.segment == segment.number).copied().collect::<Vec<_>>()
    };
    let mut copies = Vec::with_capacity(places.len());
    for place in &places {
        copies.push(shared.read_place(place)?);
    }
    let mut frames = Vec::new();
    for (place, (bytes, salt)) in places.iter().zip(&copies) {
        for found in Frames::new(bytes, *salt) {
            match found {
                Found::Frame(frame) if frame.header.kind == Kind::Events && frame.header.chunk == chunk => frames.push(frame),
                Found::Frame(_) => {}
                Found::Damage(range, _) => shared.report_damage(place, &bytes[range.clone()], range.start),
            }
        }
    }
    let mut state = shared.lock();
    // It may be delivered by now.
    if state.chunks.contains_key(&chunk) {
        state.move_here(chunk, segment.number, &frames);
    }
    Ok(())
}
