//! The character encodings that a configuration can be written in (`--conf-encoding`).

/// The text of bytes in an encoding; the error says what is wrong with them.
pub fn decode(bytes: &[u8], encoding: &str) -> Result<String, String> {
    match encoding.to_ascii_lowercase().replace('_', "-").as_str() {
        "" | "utf-8" | "utf8" => match String::from_utf8(bytes.to_vec()) {
            Ok(text) => Ok(text),
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let line = bytes[..at].iter().filter(|b| **b == b'\n').count() + 1;
                Err(format!("invalid byte sequence in UTF-8 on line {line}: 0x{:02x}", bytes[at]))
            }
        },
        "utf-8-bom" | "bom|utf-8" => decode(bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes), "utf-8"),
        "us-ascii" | "ascii" => match bytes.iter().position(|b| !b.is_ascii()) {
            None => decode(bytes, "utf-8"),
            Some(at) => Err(format!("invalid byte in US-ASCII: 0x{:02x}", bytes[at])),
        },
        "iso-8859-1" | "iso8859-1" | "latin1" => Ok(bytes.iter().map(|b| char::from(*b)).collect()),
        "utf-16le" => utf16(bytes, u16::from_le_bytes),
        "utf-16be" => utf16(bytes, u16::from_be_bytes),
        other => Err(format!("unknown encoding {other:?}, expected utf-8, us-ascii, iso-8859-1, utf-16le or utf-16be")),
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, String> {
    let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
    String::from_utf16(&units).map_err(|_| "invalid UTF-16".to_owned())
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn bytes_are_read_in_their_encoding() {
        assert_eq!(decode("é".as_bytes(), "utf-8").as_deref(), Ok("é"));
        assert_eq!(decode(b"\xe9", "ISO-8859-1").as_deref(), Ok("é"));
        assert_eq!(decode(b"a\0b\0", "UTF-16LE").as_deref(), Ok("ab"));
        assert!(decode(b"a\n\xe9", "utf-8").is_err_and(|why| why.contains("line 2: 0xe9")));
        assert!(decode(b"\xe9", "us-ascii").is_err());
        assert!(decode(b"a", "ebcdic").is_err_and(|why| why.contains("ebcdic")));
    }
}
