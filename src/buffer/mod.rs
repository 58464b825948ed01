//! Buffers: events between an output's `emit` and its `write`, and how durable they are there.

mod chunk;

pub use chunk::{Chunk, ChunkKeys};
