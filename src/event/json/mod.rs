//! JSON as Fluentd's libraries read and write it: straight from msgpack, from records, and into records.
//!
//! Reading borrows the text; writing needs no tree. What is neither text nor number of JSON (bin, extensions, other keys than texts) has
//! the form that Ruby's `to_s` gives it.

mod expected;
mod float;
mod number;
mod read;
mod scan;
mod spelled;
mod string;
mod text;
mod transcode;
mod write;

pub use float::{write_oj_float, write_ruby_float};
pub use read::{Document, Engine, Unreadable, read};
pub use spelled::Spelled;
pub use text::{write_text, write_text_field};
pub use transcode::{transcode_map, transcode_value};
pub use write::{write_record, write_value};

/// Whose JSON is written: the two libraries differ in floats and in the case of `\u001f`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// Oj's: `1000000000000000.0`, `\u001f`. What most plugins use.
    #[default]
    Oj,
    /// Yajl's: `1.0e+15`, `\u001F`. The `out_file` format, and `json` with `json_parser yajl`.
    Yajl,
}

#[cfg(test)]
mod read_tests;
#[cfg(test)]
mod tests;
