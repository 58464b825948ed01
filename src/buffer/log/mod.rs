//! The log of a file buffer: all chunks of one output in one sequence of segments that are only appended to.
//!
//! A segment is a run of [frames](frame). Frames of all chunks interleave; a chunk is the list of the places of its frames. What is done
//! is said by further frames, and segments are removed from the oldest on, once nothing in them is alive: a frame that says "done"
//! never goes before the events that it speaks of.

pub mod disk;
pub mod frame;
mod head;
mod survey;

pub use head::{Head, MAX_RANGES, Remaining};
pub use survey::{Damage, FoundChunk, FoundSegment, Place, Survey, content, read_segment, segments, survey};
