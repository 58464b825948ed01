//! Copies of short texts, of which events are made: without a call, and without a loop over single bytes.

/// Longer texts are worth a call.
const SHORT_BYTES: usize = 64;
/// The most that is written past the end of what counts.
const SLACK: usize = 16;

/// Appends bytes.
#[inline]
pub(super) fn append(bytes: &[u8], out: &mut Vec<u8>) {
    let length = bytes.len();
    if !(8..=SHORT_BYTES).contains(&length) {
        return out.extend_from_slice(bytes);
    }
    out.reserve(length + SLACK);
    // SAFETY: there is room for `length` and sixteen bytes more behind what is there. Both ways read and write within `length` bytes of
    // either side: the last block overlaps those before it.
    unsafe {
        let (from, to) = (bytes.as_ptr(), out.as_mut_ptr().add(out.len()));
        if length < 16 {
            let (first, last) = (from.cast::<u64>().read_unaligned(), from.add(length - 8).cast::<u64>().read_unaligned());
            to.cast::<u64>().write_unaligned(first);
            to.add(length - 8).cast::<u64>().write_unaligned(last);
        } else {
            let mut at = 0;
            while at + 16 < length {
                to.add(at).cast::<u128>().write_unaligned(from.add(at).cast::<u128>().read_unaligned());
                at += 16;
            }
            let last = from.add(length - 16).cast::<u128>().read_unaligned();
            to.add(length - 16).cast::<u128>().write_unaligned(last);
        }
        out.set_len(out.len() + length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_lengths_are_copied_whole() {
        let text: Vec<u8> = (0..=255).collect();
        for length in 0..100 {
            for start in 0..8 {
                let mut out = b"before".to_vec();
                append(&text[start..start + length], &mut out);
                append(b"behind", &mut out);
                assert_eq!(out, [b"before", &text[start..start + length], b"behind"].concat());
            }
        }
    }
}
