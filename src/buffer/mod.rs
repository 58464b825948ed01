//! Buffers: events between an output's `emit` and its `write`, and how durable they are there.
//!
//! [`Settings`] is a `<buffer>` section checked, [`Stage`] holds the chunks that still take events, [`Template`] fills placeholders
//! from a chunk's keys. When chunks are delivered, and how often they are tried, is the pipeline's business.

mod chunk;
mod compress;
pub mod entries;
pub mod import;
mod keys;
mod location;
pub mod log;
pub mod names;
mod params;
pub mod placeholders;
mod pool;
mod settings;
mod split;
mod stage;
mod stored;

pub use chunk::{Chunk, ChunkKeys, random};
pub use compress::{pack, unpack};
pub use keys::{FieldKey, Keys, TimeSlices};
pub use location::{Location, SegmentName, Wanted};
pub use params::{Compress, Defaults, FlushMode, OutputParams, OverflowAction, Params, RetryType};
pub use placeholders::Template;
pub use pool::Pool;
pub use settings::{FileSettings, RetrySettings, Settings};
pub use split::{ChunkLimits, Fill};
pub use stage::{CHUNK_COST_BYTES, Closed, InLog, Run, Stage, TooLarge};
pub use stored::{Stored, StoredChunk};
