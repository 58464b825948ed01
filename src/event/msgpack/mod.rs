//! MessagePack as the forward protocol and the chunks use it: walking without decoding, decoding that borrows, encoding.
//!
//! Framing of messages on a connection is not here, only what it is built from ([`Skipper`], [`Reader`]).

mod decode;
mod encode;
mod entries;
mod layout;
mod reader;
mod skip;

pub use decode::{decode_record, decode_value, read_canonical_record, read_record, read_value};
pub use encode::{
    write_array_head, write_bin, write_bool, write_entry, write_float, write_int, write_map_head, write_nil, write_record, write_str,
    write_time, write_uint, write_value,
};
pub use entries::{Checked, Entries, Entry, TimeForm, check_entries, check_entries_noting, check_event, event_time, normalize_entries};
pub use layout::{Known, LAYOUTS, Layout, Layouts};
pub use reader::{Head, Reader};
pub use skip::{Skipper, Step, skip};

use std::fmt;

/// The deepest nesting of arrays and maps that is taken. Fluentd's JSON writer gives up at 1,000 (and another of its writers at 256);
/// recursion to this depth fits easily into a thread's stack.
pub const MAX_DEPTH: usize = 512;

/// Why bytes are no msgpack value that we take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// The bytes end within the value.
    Truncated,
    /// 0xc1, which msgpack never uses.
    Marker,
    /// Nested deeper than [`MAX_DEPTH`].
    TooDeep,
    /// Longer than the limit, or than its length can be.
    TooLarge,
    /// Well-formed, but not of the expected type.
    Type,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Invalid::Truncated => f.write_str("msgpack ends within a value"),
            Invalid::Marker => f.write_str("byte 0xc1 where a msgpack value was expected"),
            Invalid::TooDeep => write!(f, "msgpack nested deeper than {MAX_DEPTH} levels"),
            Invalid::TooLarge => f.write_str("msgpack value larger than the limit"),
            Invalid::Type => f.write_str("msgpack value of another type than expected"),
        }
    }
}

impl std::error::Error for Invalid {}

#[cfg(test)]
mod tests;
