//! The sender's side: one message of packed entries, and the answer to it.

use crate::event::msgpack::{Head, Invalid, Reader, skip, write_array_head, write_bin, write_map_head, write_str, write_uint};

/// An ack is a map of two short texts; what is longer is none.
const MAX_ANSWER_BYTES: usize = 64 << 10;

/// Appends entries of one tag as one message, to be acknowledged by its name `chunk`.
pub fn write_packed(tag: &str, entries: &[u8], records: usize, chunk: &str, out: &mut Vec<u8>) {
    write_array_head(3, out);
    write_str(tag.as_bytes(), out);
    write_bin(entries, out);
    write_map_head(2, out);
    write_str(b"size", out);
    write_uint(records as u64, out);
    write_str(b"chunk", out);
    write_str(chunk.as_bytes(), out);
}

/// What a receiver says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It has the message of this name.
    Ack(Vec<u8>),
    /// It wants a handshake first.
    Hello,
    /// Nothing that is known.
    Other,
}

/// The answer at the start of what was received; `None` while it is not wholly there.
pub fn read_answer(received: &[u8]) -> Option<Answer> {
    match skip(received, 0) {
        Ok(_) => {}
        Err(Invalid::Truncated) if received.len() < MAX_ANSWER_BYTES => return None,
        Err(_) => return Some(Answer::Other),
    }
    let mut reader = Reader::new(received);
    let answer = match reader.head() {
        Ok(Head::Array(_)) if reader.str() == Ok(b"HELO") => Some(Answer::Hello),
        Ok(Head::Map(count)) => acked(&mut reader, count).map(|chunk| Answer::Ack(chunk.to_vec())),
        _ => None,
    };
    Some(answer.unwrap_or(Answer::Other))
}

fn acked<'a>(reader: &mut Reader<'a>, count: usize) -> Option<&'a [u8]> {
    for _ in 0..count {
        match reader.str().ok()? {
            b"ack" => return reader.str().ok(),
            _ => reader.skip().ok()?,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_the_shape_of_the_protocol() {
        let mut message = Vec::new();
        write_packed("a.b", b"\x92\x01\x80", 1, "c:1", &mut message);
        assert_eq!(message, b"\x93\xa3a.b\xc4\x03\x92\x01\x80\x82\xa4size\x01\xa5chunk\xa3c:1");
    }

    #[test]
    fn answers_are_told_apart_once_they_are_whole() {
        let ack = b"\x81\xa3ack\xa3c:1";
        for length in 0..ack.len() {
            assert_eq!(read_answer(&ack[..length]), None);
        }
        assert_eq!(read_answer(ack), Some(Answer::Ack(b"c:1".to_vec())));
        assert_eq!(read_answer(b"\x92\xa4HELO\x80"), Some(Answer::Hello));
        for other in [&b"\xc1"[..], b"\xc0", b"\x81\xa1x\x01", b"\x80"] {
            assert_eq!(read_answer(other), Some(Answer::Other));
        }
        assert_eq!(read_answer(&[&b"\xdb\x7f\xff\xff\xff"[..], &vec![0; 70_000]].concat()), Some(Answer::Other));
    }
}
