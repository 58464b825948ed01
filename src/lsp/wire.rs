//! The frames of the protocol: a head of `Name: value` lines, an empty line, and `Content-Length` bytes of JSON.
//!
//! What a peer sends is bounded here: lines, heads and bodies. What is broken is said once, and reading goes on at the next head.

use std::io::{self, BufRead, Read, Write};

/// Longer bodies are no messages about configurations.
pub const MAX_BODY_BYTES: u64 = 8 << 20;
/// A body that is too long is stepped over up to here; beyond it the number itself is not believed.
const MAX_SKIPPED_BYTES: u64 = 256 << 20;
/// Lines of a head are cut here.
const MAX_LINE_BYTES: u64 = 4096;

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    /// The bytes of a message.
    Body(Vec<u8>),
    /// Something that is no message, and why.
    Broken(String),
    /// Nothing comes any more.
    End,
}

/// Reads the next frame.
pub fn read(input: &mut impl BufRead) -> Frame {
    let mut length: Option<u64> = None;
    let mut why: Option<String> = None;
    let mut line = Vec::new();
    loop {
        line.clear();
        match input.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return Frame::End,
            Ok(_) => {}
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        match (text.is_empty(), length, why.take()) {
            (true, Some(length), _) => return body(input, length),
            (true, None, Some(why)) => return Frame::Broken(why),
            (true, None, None) => {}
            (false, _, before) => match header(text) {
                Ok(Some(found)) => length = Some(found),
                Ok(None) => why = before,
                // A good head may follow what is none: it counts.
                Err(message) => why = before.or(Some(message)),
            },
        }
    }
}

/// The length that a line of a head gives; `None` for the other names.
fn header(line: &str) -> Result<Option<u64>, String> {
    let Some((name, value)) = line.split_once(':') else {
        return Err(format!("expected a header such as 'Content-Length: 2', but got {:?}", line.chars().take(60).collect::<String>()));
    };
    if !name.trim().eq_ignore_ascii_case("content-length") {
        return Ok(None);
    }
    let value = value.trim();
    value
        .parse()
        .map(Some)
        .map_err(|_| format!("Content-Length is not a number of bytes: {:?}", value.chars().take(60).collect::<String>()))
}

fn body(input: &mut impl BufRead, length: u64) -> Frame {
    if length > MAX_BODY_BYTES {
        if length > MAX_SKIPPED_BYTES {
            return Frame::Broken(format!("Content-Length of {length} bytes is not believed, at most {MAX_BODY_BYTES} are taken"));
        }
        return match io::copy(&mut input.take(length), &mut io::sink()) {
            Ok(read) if read == length => Frame::Broken(format!("a message of {length} bytes, at most {MAX_BODY_BYTES} are taken")),
            _ => Frame::End,
        };
    }
    // Memory is taken as the bytes come, not as they are announced.
    let mut body = Vec::new();
    match input.take(length).read_to_end(&mut body) {
        Ok(read) if read as u64 == length => Frame::Body(body),
        _ => Frame::End,
    }
}

/// Writes one message.
pub fn write(output: &mut impl Write, message: &serde_json::Value) -> io::Result<()> {
    let body = message.to_string();
    write!(output, "Content-Length: {}\r\n\r\n{body}", body.len())?;
    output.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(bytes: &[u8]) -> Vec<Frame> {
        let mut input = io::BufReader::new(bytes);
        let mut frames = Vec::new();
        loop {
            match read(&mut input) {
                Frame::End => return frames,
                frame => frames.push(frame),
            }
        }
    }

    #[test]
    fn bodies_are_read_by_their_length() {
        let text = b"Content-Length: 2\r\n\r\n{}content-length:3\nContent-Type: x\n\nabc";
        assert_eq!(frames(text), [Frame::Body(b"{}".to_vec()), Frame::Body(b"abc".to_vec())]);
    }

    #[test]
    fn after_a_broken_head_the_next_one_is_read() {
        for head in ["Content-Length: many\r\n\r\n", "no header\r\n\r\n", "Content-Length: 99999999999999999\r\n\r\n"] {
            let text = format!("{head}Content-Length: 2\r\n\r\n{{}}");
            let frames = frames(text.as_bytes());
            assert!(matches!(frames[..], [Frame::Broken(_), Frame::Body(_)]), "{head}: {frames:?}");
        }
    }

    #[test]
    fn what_is_too_long_is_stepped_over() {
        let mut text = format!("Content-Length: {}\r\n\r\n", MAX_BODY_BYTES + 1).into_bytes();
        text.resize(text.len() + MAX_BODY_BYTES as usize + 1, b' ');
        text.extend_from_slice(b"Content-Length: 2\r\n\r\n{}");
        assert!(matches!(frames(&text)[..], [Frame::Broken(_), Frame::Body(_)]));
        assert_eq!(frames(b"Content-Length: 20\r\n\r\n{}"), []);
        assert_eq!(frames(&vec![b'x'; 100_000]), []);
    }
}
