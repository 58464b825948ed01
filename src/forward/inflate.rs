//! Packed entries out of gzip (several members) or zstd (several frames), never more bytes than allowed.

use std::io::{self, Read};

/// How the packed entries of a message are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all; senders say `text`, or nothing.
    None,
    /// gzip; a chunk that was appended to several times has several members.
    Gzip,
    /// Zstandard.
    Zstd,
}

impl Compression {
    /// The meaning of the option's word; `None` for one we do not know.
    pub fn of(word: Option<&[u8]>) -> Option<Compression> {
        match word {
            None | Some(b"text" | b"") => Some(Compression::None),
            Some(b"gzip") => Some(Compression::Gzip),
            Some(b"zstd") => Some(Compression::Zstd),
            Some(_) => None,
        }
    }
}

/// Why entries could not be had.
#[derive(Debug)]
pub enum InflateError {
    /// They are more than so many bytes.
    TooLarge(usize),
    /// They are broken or cut off.
    Broken(io::Error),
}

/// Decompresses `body` into `out`, which is emptied first; at most `limit` bytes.
pub fn inflate(compression: Compression, body: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), InflateError> {
    out.clear();
    if body.is_empty() {
        return Ok(());
    }
    match compression {
        Compression::None => {
            out.extend_from_slice(body);
            Ok(())
        }
        Compression::Gzip => read_all(flate2::bufread::MultiGzDecoder::new(body), limit, out),
        Compression::Zstd => read_all(zstd::stream::read::Decoder::with_buffer(body).map_err(InflateError::Broken)?, limit, out),
    }
}

fn read_all(from: impl Read, limit: usize, out: &mut Vec<u8>) -> Result<(), InflateError> {
    let read = from.take(limit as u64 + 1).read_to_end(out).map_err(InflateError::Broken)?;
    if read > limit { Err(InflateError::TooLarge(limit)) } else { Ok(()) }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::io::Write;

    /// One gzip member.
    pub fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn inflated(compression: Compression, body: &[u8], limit: usize) -> Result<Vec<u8>, InflateError> {
        let mut out = b"left over".to_vec();
        inflate(compression, body, limit, &mut out).map(|()| out)
    }

    #[test]
    fn joins_members_and_frames() {
        let gzipped = [gzip(b"one"), gzip(b""), gzip(b"two")].concat();
        assert_eq!(inflated(Compression::Gzip, &gzipped, 100).unwrap(), b"onetwo");
        let frames = [zstd::encode_all(b"one".as_slice(), 3).unwrap(), zstd::encode_all(b"two".as_slice(), 19).unwrap()].concat();
        assert_eq!(inflated(Compression::Zstd, &frames, 100).unwrap(), b"onetwo");
        assert_eq!(inflated(Compression::Gzip, b"", 100).unwrap(), b"");
        assert_eq!(inflated(Compression::None, b"abc", 100).unwrap(), b"abc");
    }

    #[test]
    fn bombs_stop_at_the_limit() {
        let zeros = vec![0; 2 << 20];
        for (compression, bomb) in [(Compression::Gzip, gzip(&zeros)), (Compression::Zstd, zstd::encode_all(zeros.as_slice(), 3).unwrap())]
        {
            let mut out = Vec::new();
            assert!(matches!(inflate(compression, &bomb, 1 << 16, &mut out), Err(InflateError::TooLarge(_))));
            assert!(out.len() <= (1 << 16) + 1 && out.capacity() <= 1 << 18);
            assert!(inflate(compression, &bomb, 2 << 20, &mut out).is_ok());
        }
    }

    #[test]
    fn broken_and_cut_off_bodies_are_errors() {
        let gzipped = gzip(b"something that is long enough to cut");
        let frame = zstd::encode_all(b"something that is long enough to cut".as_slice(), 3).unwrap();
        for (compression, body) in [(Compression::Gzip, gzipped), (Compression::Zstd, frame)] {
            for cut in 1..body.len() {
                assert!(matches!(inflated(compression, &body[..cut], 1000), Err(InflateError::Broken(_))), "{compression:?} cut at {cut}");
            }
            let tail = [body.as_slice(), b"garbage behind it"].concat();
            assert!(inflated(compression, &tail, 1000).is_err());
            assert!(inflated(compression, b"no compressed data at all", 1000).is_err());
        }
    }

    #[test]
    fn words_have_a_meaning_or_none() {
        assert_eq!(Compression::of(Some(b"text")), Some(Compression::None));
        assert_eq!(Compression::of(Some(b"zstd")), Some(Compression::Zstd));
        assert_eq!(Compression::of(Some(b"snappy")), None);
    }
}
