//! What senders call the messages that events came in, so that events can have names that stay the same when they are sent again.

/// How the events of a batch were sent, where the sender named its messages (the forward protocol's `chunk`).
#[derive(Clone, Copy, Debug)]
pub enum Sent<'a> {
    /// In one message.
    Whole {
        /// Its name, as it was sent.
        chunk: &'a [u8],
        /// What it carried.
        body: &'a [u8],
    },
    /// Each in a message of its own.
    Each {
        /// The names, one after another; empty where a message has none.
        chunks: &'a [u8],
        /// Where each ends.
        ends: &'a [u32],
    },
}

impl<'a> Sent<'a> {
    /// The name of the nth event's message.
    pub fn chunk(&self, nth: usize) -> &'a [u8] {
        match *self {
            Sent::Whole { chunk, .. } => chunk,
            Sent::Each { chunks, ends } => {
                let start = nth.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or(0) as usize;
                let end = ends.get(nth).map_or(start, |end| *end as usize);
                chunks.get(start..end).unwrap_or_default()
            }
        }
    }
}

/// Sixteen bytes for a message: the same for the same name, tag and content. The content is in it because there are senders whose names
/// are mere numbers, which begin anew with each connection.
pub fn digest(tag: &[u8], chunk: &[u8], body: &[u8]) -> [u8; 16] {
    // FNV-1a with 128 bits: short texts, and no secret depends on it.
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    let mut crc = flate2::Crc::new();
    crc.update(body);
    let mut state = BASIS;
    let mut add = |bytes: &[u8]| bytes.iter().for_each(|byte| state = (state ^ u128::from(*byte)).wrapping_mul(PRIME));
    add(&(tag.len() as u64).to_le_bytes());
    add(tag);
    add(chunk);
    add(&crc.sum().to_le_bytes());
    add(&(body.len() as u64).to_le_bytes());
    state.to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_has_its_name() {
        let sent = Sent::Each { chunks: b"abcd", ends: &[1, 1, 4] };
        assert_eq!([sent.chunk(0), sent.chunk(1), sent.chunk(2), sent.chunk(3)], [b"a".as_slice(), b"", b"bcd", b""]);
    }

    #[test]
    fn digests_differ_by_each_part_and_stay() {
        let one = digest(b"t", b"c", b"body");
        assert_eq!(one, digest(b"t", b"c", b"body"));
        for other in [digest(b"u", b"c", b"body"), digest(b"t", b"d", b"body"), digest(b"t", b"c", b"Body"), digest(b"tc", b"", b"body")] {
            assert_ne!(one, other);
        }
    }
}
