//! What a sender is told when its events have been taken.

use crate::event::json::{Style, transcode_value};
use crate::event::msgpack::Reader;

/// Appends `{"ack": chunk}`; `chunk` is msgpack and is repeated byte for byte, or as the same text where the peer speaks JSON.
pub fn write(chunk: &[u8], as_json: bool, out: &mut Vec<u8>) {
    if !as_json {
        out.extend_from_slice(b"\x81\xa3ack");
        out.extend_from_slice(chunk);
        return;
    }
    let start = out.len();
    out.extend_from_slice(b"{\"ack\":");
    match transcode_value(&mut Reader::new(chunk), Style::Oj, out) {
        Ok(()) => out.push(b'}'),
        // It came as JSON a moment ago, so that it goes back as JSON; were it otherwise, no ack is better than half of one.
        Err(_) => out.truncate(start),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_the_chunk() {
        let mut out = Vec::new();
        write(b"\xd9\x04aa=\n", false, &mut out);
        assert_eq!(out, b"\x81\xa3ack\xd9\x04aa=\n");
        out.clear();
        write(b"\xa5a/\"=\n", true, &mut out);
        assert_eq!(out, br#"{"ack":"a/\"=\n"}"#);
    }
}
