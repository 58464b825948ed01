//! How far a text goes on without anything that JSON escapes, sixteen bytes at a time, and copying it that far.
//!
//! Whether there is something in a block is a branch that is nearly always foreseen, so that the next block is begun before that is known: a
//! place that followed from what was found would have each block wait for the one before.

/// The most that is written past the end of what counts, by copying whole blocks.
pub(super) const SLACK: usize = 16;

/// How many bytes come before the first quote, backslash or control character.
#[inline]
pub(super) fn plain_length(text: &[u8]) -> usize {
    // SAFETY: nothing is copied.
    unsafe { walk::<false, false, false>(text, text.len(), std::ptr::null_mut()) }
}

/// Copies bytes up to the first that has to be escaped, or with `STOP` is no ASCII, and gives their number. `LONG` is for texts in which
/// there is hardly any.
///
/// # Safety
/// There is room for the text and [`SLACK`] bytes more at `to`.
#[inline]
pub(super) unsafe fn copy_plain<const STOP: bool, const LONG: bool>(text: &[u8], to: *mut u8) -> usize {
    // SAFETY: the caller's promise.
    unsafe { walk::<STOP, true, LONG>(text, text.len(), to) }
}

/// The same for a text that is `length` bytes of these: where others are behind it, a short one need not be put together.
///
/// # Safety
/// As for [`copy_plain`]; there are so many bytes.
#[inline]
pub(super) unsafe fn copy_plain_first<const STOP: bool>(bytes: &[u8], length: usize, to: *mut u8) -> usize {
    // SAFETY: the caller's promise.
    unsafe { walk::<STOP, true, true>(bytes, length, to) }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline]
unsafe fn walk<const STOP: bool, const COPY: bool, const LONG: bool>(bytes: &[u8], length: usize, to: *mut u8) -> usize {
    let text = &bytes[..length];
    let special = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\' || (STOP && byte >= 0x80);
    let plain = text.iter().position(|byte| special(*byte)).unwrap_or(text.len());
    if COPY {
        // SAFETY: the caller has room for the whole text.
        unsafe { std::ptr::copy_nonoverlapping(text.as_ptr(), to, plain) };
    }
    plain
}

#[cfg(target_arch = "x86_64")]
pub(super) use blocks::{Block, walk};

#[cfg(target_arch = "x86_64")]
mod blocks {
    use std::arch::x86_64::{
        __m128i, _mm_cmpeq_epi8, _mm_cmplt_epi8, _mm_loadu_si128, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x,
        _mm_set1_epi8, _mm_setzero_si128, _mm_storeu_si128,
    };

    /// Bytes of a block.
    const BYTES: usize = 16;
    /// Blocks that a long text is looked at in at once.
    const AT_ONCE: usize = 4;

    /// Sixteen bytes of a text.
    #[derive(Clone, Copy)]
    pub(in crate::event::json) struct Block(__m128i);

    impl Block {
        /// The bytes from there on.
        ///
        /// # Safety
        /// Sixteen bytes can be read there.
        #[inline(always)]
        pub(in crate::event::json) unsafe fn load(from: *const u8) -> Block {
            // SAFETY: the caller's promise.
            Block(unsafe { _mm_loadu_si128(from.cast()) })
        }

        /// Puts all of it there.
        ///
        /// # Safety
        /// Sixteen bytes can be written there.
        #[inline(always)]
        pub(in crate::event::json) unsafe fn store(self, to: *mut u8) {
            // SAFETY: the caller's promise.
            unsafe { _mm_storeu_si128(to.cast(), self.0) }
        }

        /// A bit for each byte that has to be escaped, or with `STOP` is no ASCII.
        #[inline(always)]
        pub(in crate::event::json) fn special<const STOP: bool>(self) -> u32 {
            // SAFETY: SSE2 is part of x86-64.
            unsafe { _mm_movemask_epi8(special_bytes::<STOP>(self.0)) as u32 }
        }
    }

    /// The place of the first special byte. A call, so that a text without any has its length known before it is looked at: what follows
    /// need not wait then.
    #[cold]
    #[inline(never)]
    fn place_in_short(special: u32) -> usize {
        special.trailing_zeros() as usize
    }

    /// See [`super::copy_plain_first`]; without `COPY` nothing is written.
    #[inline(always)]
    pub(in crate::event::json) unsafe fn walk<const STOP: bool, const COPY: bool, const LONG: bool>(
        bytes: &[u8],
        length: usize,
        to: *mut u8,
    ) -> usize {
        let from = bytes.as_ptr();
        // SAFETY: what is read lies within `bytes`, and what is written within the length of the text and sixteen bytes more: blocks begin within the
        // text, and one that does not end there is the only one of a text that is shorter than a block.
        unsafe {
            if length < BYTES {
                if length == 0 {
                    return 0;
                }
                let block = if bytes.len() >= BYTES { Block::load(from) } else { short_block(from, length) };
                if COPY {
                    block.store(to);
                }
                let special = block.special::<STOP>() & ((1 << length) - 1);
                return if special == 0 { length } else { place_in_short(special) };
            }
            let mut at = 0;
            while LONG && length - at >= AT_ONCE * BYTES && walk_several::<STOP, COPY>(from.add(at), to.wrapping_add(at)) {
                at += AT_ONCE * BYTES;
            }
            while at < length {
                // The last block overlaps the one before.
                let start = at.min(length - BYTES);
                let block = Block::load(from.add(start));
                if COPY {
                    block.store(to.add(start));
                }
                let special = block.special::<STOP>();
                if special != 0 {
                    return start + special.trailing_zeros() as usize;
                }
                at += BYTES;
            }
            length
        }
    }

    /// Copies a few blocks and says whether there is nothing special in them.
    #[inline(always)]
    unsafe fn walk_several<const STOP: bool, const COPY: bool>(from: *const u8, to: *mut u8) -> bool {
        // SAFETY: the caller has so many blocks on both sides; SSE2 is part of x86-64.
        unsafe {
            let mut any = _mm_setzero_si128();
            for at in 0..AT_ONCE {
                let block = Block::load(from.add(at * BYTES));
                if COPY {
                    block.store(to.add(at * BYTES));
                }
                any = _mm_or_si128(any, special_bytes::<STOP>(block.0));
            }
            _mm_movemask_epi8(any) == 0
        }
    }

    /// All ones where a byte is special.
    #[inline(always)]
    fn special_bytes<const STOP: bool>(block: __m128i) -> __m128i {
        // SAFETY: SSE2 is part of x86-64.
        unsafe {
            let quotes = _mm_or_si128(_mm_cmpeq_epi8(block, _mm_set1_epi8(b'"' as i8)), _mm_cmpeq_epi8(block, _mm_set1_epi8(b'\\' as i8)));
            // Signed, bytes that are no ASCII are below the space too.
            let control = if STOP {
                _mm_cmplt_epi8(block, _mm_set1_epi8(0x20))
            } else {
                _mm_cmpeq_epi8(_mm_min_epu8(block, _mm_set1_epi8(0x1f)), block)
            };
            _mm_or_si128(quotes, control)
        }
    }

    /// A text that is shorter than a block and not empty, with zeros behind it.
    #[inline(always)]
    unsafe fn short_block(from: *const u8, length: usize) -> Block {
        // SAFETY: the caller has `length` bytes there; each read is within them.
        let (low, high) = unsafe {
            if length >= 8 {
                let low = from.cast::<u64>().read_unaligned();
                let end = from.add(length - 8).cast::<u64>().read_unaligned();
                // Bytes that both hold fall off; a shift by 64 would be none.
                (low, if length == 8 { 0 } else { end >> (8 * (16 - length)) })
            } else if length >= 4 {
                let start = u64::from(from.cast::<u32>().read_unaligned());
                let end = u64::from(from.add(length - 4).cast::<u32>().read_unaligned());
                (start | end << (8 * (length - 4)), 0)
            } else {
                let (first, middle, last) = (u64::from(*from), u64::from(*from.add(length / 2)), u64::from(*from.add(length - 1)));
                (first | middle << (8 * (length / 2)) | last << (8 * (length - 1)), 0)
            }
        };
        // SAFETY: SSE2 is part of x86-64.
        Block(unsafe { _mm_set_epi64x(high as i64, low as i64) })
    }
}
