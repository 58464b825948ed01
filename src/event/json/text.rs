//! Text as a JSON string: copied sixteen bytes at a time up to what has to be escaped; what is no UTF-8 is replaced.

use super::Style;

/// The most that is written past the end of what counts, by copying whole blocks.
const SLACK: usize = 16;

/// Appends text in quotes. Sequences that are no UTF-8 become U+FFFD, one for each maximal part.
#[inline]
pub fn write_text(text: &[u8], style: Style, out: &mut Vec<u8>) {
    out.reserve(text.len() + 2 + SLACK);
    out.push(b'"');
    let plain = copy::<true>(text, style, out);
    if plain < text.len() {
        write_non_ascii(&text[plain..], style, out);
    }
    out.push(b'"');
}

#[inline(never)]
fn write_non_ascii(text: &[u8], style: Style, out: &mut Vec<u8>) {
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
#[inline]
fn copy<const STOP: bool>(text: &[u8], style: Style, out: &mut Vec<u8>) -> usize {
    let mut at = 0;
    loop {
        out.reserve(text.len() - at + SLACK);
        at += copy_plain::<STOP>(&text[at..], out);
        match text.get(at) {
            None => return at,
            Some(byte) if STOP && *byte >= 0x80 => return at,
            Some(byte) => write_escape(*byte, style, out),
        }
        at += 1;
    }
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

#[inline]
fn is_special<const STOP: bool>(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\' || (STOP && byte >= 0x80)
}

/// Copies bytes up to the first special one and gives their number.
#[cfg(not(target_arch = "x86_64"))]
fn copy_plain<const STOP: bool>(text: &[u8], out: &mut Vec<u8>) -> usize {
    let plain = text.iter().position(|byte| is_special::<STOP>(*byte)).unwrap_or(text.len());
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
    while at + 16 <= text.len() {
        // SAFETY: the 16 bytes read end within `text`; the 16 written end within the room that the assertion has made sure of.
        let special = unsafe {
            let block = _mm_loadu_si128(text.as_ptr().add(at).cast::<__m128i>());
            _mm_storeu_si128(to.add(at).cast::<__m128i>(), block);
            _mm_movemask_epi8(special_bytes::<STOP>(block))
        };
        if special != 0 {
            at += special.trailing_zeros() as usize;
            // SAFETY: `at` bytes of the spare room are written.
            unsafe { out.set_len(out.len() + at) };
            return at;
        }
        at += 16;
    }
    let mut rest = &text[at..];
    // SAFETY: at most 15 bytes are left, and `to` has room for them.
    unsafe {
        if let Some(block) = rest.first_chunk::<8>() {
            let word = u64::from_le_bytes(*block);
            if !has_special::<STOP>(word) {
                to.add(at).cast::<u64>().write_unaligned(word.to_le());
                at += 8;
                rest = &rest[8..];
            }
        }
        if let Some(block) = rest.first_chunk::<4>() {
            let word = u32::from_le_bytes(*block);
            if !has_special::<STOP>(u64::from(word) | 0x2020_2020_0000_0000) {
                to.add(at).cast::<u32>().write_unaligned(word.to_le());
                at += 4;
                rest = &rest[4..];
            }
        }
        for byte in rest {
            if is_special::<STOP>(*byte) {
                break;
            }
            to.add(at).write(*byte);
            at += 1;
        }
        out.set_len(out.len() + at);
    }
    at
}

/// How many bytes come before the first quote, backslash or control character.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn plain_length(text: &[u8]) -> usize {
    text.iter().position(|byte| is_special::<false>(*byte)).unwrap_or(text.len())
}

/// How many bytes come before the first quote, backslash or control character.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(super) fn plain_length(text: &[u8]) -> usize {
    use std::arch::x86_64::{__m128i, _mm_loadu_si128, _mm_movemask_epi8};
    let mut at = 0;
    while at + 16 <= text.len() {
        // SAFETY: the 16 bytes read end within `text`.
        let special = unsafe { _mm_movemask_epi8(special_bytes::<false>(_mm_loadu_si128(text.as_ptr().add(at).cast::<__m128i>()))) };
        if special != 0 {
            return at + special.trailing_zeros() as usize;
        }
        at += 16;
    }
    let rest = &text[at..];
    at + rest.iter().position(|byte| is_special::<false>(*byte)).unwrap_or(rest.len())
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

/// Whether any of eight bytes is special; may say so of bytes that are not, where one before them is.
#[cfg(target_arch = "x86_64")]
#[inline]
fn has_special<const STOP: bool>(word: u64) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let zero_byte = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    let control = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
    let quote = zero_byte(word ^ (ONES * b'"' as u64)) | zero_byte(word ^ (ONES * b'\\' as u64));
    (control | quote | if STOP { word & HIGHS } else { 0 }) != 0
}
