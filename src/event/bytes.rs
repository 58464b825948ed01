//! Copies: of short texts, of which events are made, without a call and without a loop over single bytes; of long runs in steps.

/// Longer texts are worth a call.
const SHORT_BYTES: usize = 128;

/// Longer runs the C library copies by an instruction of the processor's (`rep movsb`) that takes its time where other threads use the
/// caches too: some AMD processors then spend more than twice as long on it as on a plain loop.
const STEP_BYTES: usize = 2 << 10;

/// Appends bytes, however many.
#[inline]
pub fn append(bytes: &[u8], out: &mut Vec<u8>) {
    out.reserve(bytes.len());
    bytes.chunks(STEP_BYTES).for_each(|step| out.extend_from_slice(step));
}

/// Appends bytes that are mostly few.
#[inline]
pub fn append_short(bytes: &[u8], out: &mut Vec<u8>) {
    out.reserve(bytes.len());
    // SAFETY: there is room for all of them, and they are another's: `out` is borrowed alone.
    unsafe {
        copy(bytes, out.as_mut_ptr().add(out.len()));
        out.set_len(out.len() + bytes.len());
    }
}

/// Drops so many bytes at the start.
pub fn drop_front(bytes: &mut Vec<u8>, count: usize) {
    let rest = bytes.len().saturating_sub(count);
    for at in (0..rest).step_by(STEP_BYTES) {
        bytes.copy_within(count + at..count + rest.min(at + STEP_BYTES), at);
    }
    bytes.truncate(rest);
}

/// Copies bytes that do not overlap.
///
/// # Safety
/// There is room for all of them at `to`.
#[inline]
pub(super) unsafe fn copy(bytes: &[u8], to: *mut u8) {
    let (from, length) = (bytes.as_ptr(), bytes.len());
    // SAFETY: there is room for `length` bytes. Every way reads and writes within `length` bytes of either side: where blocks do not fill it,
    // the last one overlaps those before it.
    unsafe {
        match length {
            0 => {}
            1..=3 => {
                let (first, middle, last) = (*from, *from.add(length / 2), *from.add(length - 1));
                to.write(first);
                to.add(length / 2).write(middle);
                to.add(length - 1).write(last);
            }
            4..=7 => {
                let (first, last) = (from.cast::<u32>().read_unaligned(), from.add(length - 4).cast::<u32>().read_unaligned());
                to.cast::<u32>().write_unaligned(first);
                to.add(length - 4).cast::<u32>().write_unaligned(last);
            }
            8..=15 => {
                let (first, last) = (from.cast::<u64>().read_unaligned(), from.add(length - 8).cast::<u64>().read_unaligned());
                to.cast::<u64>().write_unaligned(first);
                to.add(length - 8).cast::<u64>().write_unaligned(last);
            }
            16..=SHORT_BYTES => {
                let mut at = 0;
                while at + 16 < length {
                    to.add(at).cast::<u128>().write_unaligned(from.add(at).cast::<u128>().read_unaligned());
                    at += 16;
                }
                let last = from.add(length - 16).cast::<u128>().read_unaligned();
                to.add(length - 16).cast::<u128>().write_unaligned(last);
            }
            _ => std::ptr::copy_nonoverlapping(from, to, length),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_runs_are_appended_and_dropped_whole() {
        let bytes: Vec<u8> = (0..10_000u32).map(|at| (at % 251) as u8).collect();
        for length in [0, 1, STEP_BYTES - 1, STEP_BYTES, STEP_BYTES + 1, 3 * STEP_BYTES, 10_000] {
            let mut out = vec![7];
            append(&bytes[..length], &mut out);
            assert_eq!(out, [b"\x07", &bytes[..length]].concat());
            let mut rest = bytes.clone();
            drop_front(&mut rest, length);
            assert_eq!(rest, bytes[length..]);
        }
    }

    #[test]
    fn all_lengths_are_copied_whole() {
        let text: Vec<u8> = (0..=255).collect();
        for length in 0..200 {
            for start in 0..8 {
                let mut out = vec![0xaa; length + 2];
                // SAFETY: there is room for `length` bytes between the first and the last.
                unsafe { copy(&text[start..start + length], out.as_mut_ptr().add(1)) };
                assert_eq!(out, [b"\xaa", &text[start..start + length], b"\xaa"].concat());
                let mut out = vec![0xaa];
                append_short(&text[start..start + length], &mut out);
                assert_eq!(out, [b"\xaa", &text[start..start + length]].concat());
            }
        }
    }
}
