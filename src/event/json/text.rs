//! Text as a JSON string: copied sixteen bytes at a time up to what has to be escaped; what is no UTF-8 is replaced.

use super::Style;

/// The most that is written past the end of what counts, by copying whole blocks.
const SLACK: usize = 16;
/// Text with escapes is written in parts of so many bytes, for each of which there is room at its worst: six bytes for one.
const PART_BYTES: usize = 1 << 10;
const WORST_ESCAPE: usize = 6;

/// Appends text in quotes. Sequences that are no UTF-8 become U+FFFD, one for each maximal part.
#[inline]
pub fn write_text(text: &[u8], style: Style, out: &mut Vec<u8>) {
    out.reserve(text.len() + 2 + SLACK);
    out.push(b'"');
    let plain = copy_plain::<true>(text, out);
    if plain < text.len() {
        write_rest(&text[plain..], style, out);
    }
    out.push(b'"');
}

/// Goes on with text that begins with what has to be escaped, or is no ASCII.
#[inline(never)]
fn write_rest(text: &[u8], style: Style, out: &mut Vec<u8>) {
    let plain = copy::<true>(text, style, out);
    let text = &text[plain..];
    if text.is_empty() {
        return;
    }
    if simdutf8::basic::from_utf8(text).is_ok() {
        copy::<false>(text, style, out);
        return;
    }
    for chunk in text.utf8_chunks() {
        copy::<false>(chunk.valid().as_bytes(), style, out);
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

/// Copies with escapes and gives how many bytes were read: all, or with `STOP` those before the first that is no ASCII.
fn copy<const STOP: bool>(text: &[u8], style: Style, out: &mut Vec<u8>) -> usize {
    let mut done = 0;
    for part in text.chunks(PART_BYTES) {
        out.reserve(part.len() * WORST_ESCAPE + SLACK);
        let mut at = 0;
        loop {
            at += copy_plain::<STOP>(&part[at..], out);
            match part.get(at) {
                None => break,
                Some(byte) if STOP && *byte >= 0x80 => return done + at,
                Some(byte) => write_escape(*byte, style, out),
            }
            at += 1;
        }
        done += part.len();
    }
    done
}

fn write_escape(byte: u8, style: Style, out: &mut Vec<u8>) {
    let short = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        0x09 => b't',
        0x0a => b'n',
        0x0c => b'f',
        0x0d => b'r',
        _ => {
            let digits = if style == Style::Oj { b"0123456789abcdef" } else { b"0123456789ABCDEF" };
            let (high, low) = (digits[(byte >> 4) as usize], digits[(byte & 15) as usize]);
            return out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// Copies bytes up to the first special one and gives their number.
#[cfg(not(target_arch = "x86_64"))]
#[inline]
fn copy_plain<const STOP: bool>(text: &[u8], out: &mut Vec<u8>) -> usize {
    let special = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\' || (STOP && byte >= 0x80);
    let plain = text.iter().position(|byte| special(*byte)).unwrap_or(text.len());
    out.extend_from_slice(&text[..plain]);
    plain
}

/// Copies bytes up to the first special one and gives their number. `out` has room for the text and [`SLACK`] bytes more.
#[cfg(target_arch = "x86_64")]
#[inline]
fn copy_plain<const STOP: bool>(text: &[u8], out: &mut Vec<u8>) -> usize {
    use std::arch::x86_64::{__m128i, _mm_loadu_si128, _mm_movemask_epi8, _mm_storeu_si128};
    let room = out.spare_capacity_mut();
    assert!(room.len() >= text.len() + SLACK);
    let to = room.as_mut_ptr().cast::<u8>();
    let mut at = 0;
    while at < text.len() {
        let left = text.len() - at;
        // SAFETY: what is read ends within `text`, of which `left` bytes are left; the 16 bytes written end within the room that the
        // assertion has made sure of, as `at` is less than the length of the text.
        let special = unsafe {
            let from = text.as_ptr().add(at);
            let block = if left >= 16 { _mm_loadu_si128(from.cast::<__m128i>()) } else { last_block(from, left) };
            _mm_storeu_si128(to.add(at).cast::<__m128i>(), block);
            _mm_movemask_epi8(special_bytes::<STOP>(block)) as u32 | 1 << 16
        };
        // Behind the text a block is zero, which is special too.
        let plain = special.trailing_zeros() as usize;
        at += plain;
        if plain < 16 {
            break;
        }
    }
    // SAFETY: `at` bytes of the spare room are written; a block that is not full ends with zeros, at the first of which `at` stopped.
    unsafe { out.set_len(out.len() + at) };
    at
}

/// The last bytes of a text, fewer than sixteen and at least one, with zeros behind them.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn last_block(from: *const u8, length: usize) -> std::arch::x86_64::__m128i {
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
    unsafe { std::arch::x86_64::_mm_set_epi64x(high as i64, low as i64) }
}

/// How many bytes come before the first quote, backslash or control character.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn plain_length(text: &[u8]) -> usize {
    text.iter().position(|byte| *byte < 0x20 || *byte == b'"' || *byte == b'\\').unwrap_or(text.len())
}

/// How many bytes come before the first quote, backslash or control character.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(super) fn plain_length(text: &[u8]) -> usize {
    use std::arch::x86_64::{__m128i, _mm_loadu_si128, _mm_movemask_epi8};
    let mut at = 0;
    while at < text.len() {
        let left = text.len() - at;
        // SAFETY: what is read ends within `text`, of which `left` bytes are left.
        let special = unsafe {
            let from = text.as_ptr().add(at);
            let block = if left >= 16 { _mm_loadu_si128(from.cast::<__m128i>()) } else { last_block(from, left) };
            _mm_movemask_epi8(special_bytes::<false>(block)) as u32 | 1 << 16
        };
        let plain = special.trailing_zeros() as usize;
        at += plain;
        if plain < 16 {
            break;
        }
    }
    at
}

/// All ones where a byte of the block is special.
#[cfg(target_arch = "x86_64")]
#[inline]
fn special_bytes<const STOP: bool>(block: std::arch::x86_64::__m128i) -> std::arch::x86_64::__m128i {
    use std::arch::x86_64::{_mm_cmpeq_epi8, _mm_cmplt_epi8, _mm_min_epu8, _mm_or_si128, _mm_set1_epi8};
    // SAFETY: SSE2 is part of x86-64.
    unsafe {
        let quotes = _mm_or_si128(_mm_cmpeq_epi8(block, _mm_set1_epi8(b'"' as i8)), _mm_cmpeq_epi8(block, _mm_set1_epi8(b'\\' as i8)));
        // Signed, bytes that are no ASCII are below the space too.
        let control =
            if STOP { _mm_cmplt_epi8(block, _mm_set1_epi8(0x20)) } else { _mm_cmpeq_epi8(_mm_min_epu8(block, _mm_set1_epi8(0x1f)), block) };
        _mm_or_si128(quotes, control)
    }
}
