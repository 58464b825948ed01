//! Chunks in Fluentd's own files: what stands in them and beside them.
//!
//! Nothing here is ever appended to or renamed: what Fluentd left is read, and removed by whoever has delivered it.

mod meta;

pub use meta::{MAX_META_BYTES, Meta, meta_of, micros_of};
