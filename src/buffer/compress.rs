//! Chunks that wait compressed: packed when they are queued, unpacked right before they are delivered.

use super::Compress;
use flate2::read::{GzDecoder, GzEncoder};
use std::io::{self, Read};

/// As `compress` asks; `None` for text, and where the packed form is no smaller.
pub fn pack(how: Compress, bytes: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let packed = match how {
        Compress::Text => return Ok(None),
        Compress::Gzip => {
            let mut packed = Vec::with_capacity(bytes.len() / 4);
            GzEncoder::new(bytes, flate2::Compression::fast()).read_to_end(&mut packed)?;
            packed
        }
        Compress::Zstd => zstd::bulk::compress(bytes, 0)?,
    };
    Ok((packed.len() < bytes.len()).then_some(packed))
}

/// The bytes that [`pack`] was given; `length` is how many they were.
pub fn unpack(how: Compress, packed: &[u8], length: usize) -> io::Result<Vec<u8>> {
    match how {
        Compress::Text => Ok(packed.to_vec()),
        Compress::Gzip => {
            let mut bytes = Vec::with_capacity(length);
            GzDecoder::new(packed).take(length as u64).read_to_end(&mut bytes)?;
            Ok(bytes)
        }
        Compress::Zstd => zstd::bulk::decompress(packed, length),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_back() {
        let text = b"the same words, ".repeat(500);
        for how in [Compress::Gzip, Compress::Zstd] {
            let packed = pack(how, &text).unwrap().unwrap();
            assert!(packed.len() < text.len() / 10);
            assert_eq!(unpack(how, &packed, text.len()).unwrap(), text);
        }
        assert_eq!(pack(Compress::Text, &text).unwrap(), None);
        assert_eq!(pack(Compress::Gzip, b"x").unwrap(), None);
    }
}
