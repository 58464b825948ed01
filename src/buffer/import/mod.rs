//! Chunks in Fluentd's own files: which there are, what is in them, and how such files are written for the way back.
//!
//! Nothing here is ever appended to or renamed: what Fluentd left is read, and removed by whoever has delivered it.

mod content;
mod find;
mod holder;
mod meta;
mod name;
mod stored;
mod take_over;

pub use content::{Content, Form, Packed, compression};
pub use find::{Found, Names, find, find_one, sort};
pub use holder::{Holder, holder};
pub use meta::{MAX_META_BYTES, Meta, meta_of, micros_of};
pub use name::{Name, Written};
pub use stored::{Imported, OnDamage};
pub use take_over::{Fate, Heir, chunks_of, fate, folders_of_workers, held_by, left_by_fluentd};

#[cfg(test)]
mod tests;
