//! The forward protocol: from the bytes of a connection to batches and acks, without any I/O.
//!
//! Only this room knows the wire. It decodes no records: events stay packed, and only their shape is checked.

mod ack;
mod collected;
mod complaints;
mod decoder;
mod entries;
mod frame;
mod handshake;
mod inflate;
mod json;
mod login;
mod message;
mod outgoing;
mod rules;
pub mod spare;
mod stream;

pub use decoder::{Decoder, Next};
pub use handshake::{Client, Guard, Handshake, Refusal, Verdict, digest};
pub use json::JsonFramer;
pub use login::{Greeting, Login};
pub use outgoing::{Answer, read_answer, write_packed};
pub use rules::{CHUNK_SIZE_LIMIT, DECOMPRESSION_SIZE_LIMIT, Fault, Rules};

#[cfg(test)]
mod tests;
