//! Text as a JSON string: copied in blocks up to what has to be escaped; what is no UTF-8 is replaced.

use super::Style;
use super::scan::{SLACK, copy_plain, copy_plain_first};
use super::spelled::{KEY_BYTES, Spelling};

/// Text with escapes is written in parts of so many bytes, for each of which there is room at its worst: six bytes for one.
const PART_BYTES: usize = 1 << 10;
const WORST_ESCAPE: usize = 6;

/// Appends text in quotes. Sequences that are no UTF-8 become U+FFFD, one for each maximal part.
#[inline]
pub fn write_text(text: &[u8], style: Style, out: &mut Vec<u8>) {
    out.reserve(text.len() + 2 + SLACK);
    // SAFETY: there is room for the text between two quotes and for what is copied past its end; all that is counted is written.
    let plain = unsafe {
        let to = out.as_mut_ptr().add(out.len());
        to.write(b'"');
        let plain = copy_plain::<true, true>(text, to.add(1));
        to.add(plain + 1).write(b'"');
        out.set_len(out.len() + 1 + plain + usize::from(plain == text.len()));
        plain
    };
    if plain < text.len() {
        write_rest(&text[plain..], style, out);
        out.push(b'"');
    }
}

/// Appends a field whose value is a text, and a comma.
#[inline]
pub fn write_text_field(key: &[u8], text: &[u8], style: Style, out: &mut Vec<u8>) {
    const BETWEEN: &[u8; 3] = b"\":\"";
    out.reserve(key.len() + text.len() + 6 + SLACK);
    // SAFETY: there is room for both texts, two times three bytes around them and what is copied past the end; all that is counted is written.
    let plain = unsafe {
        let to = out.as_mut_ptr().add(out.len());
        to.write(b'"');
        if copy_plain::<true, false>(key, to.add(1)) == key.len() {
            to.add(1 + key.len()).cast::<[u8; 3]>().write(*BETWEEN);
            let to = to.add(1 + key.len() + BETWEEN.len());
            let plain = copy_plain::<true, true>(text, to);
            to.add(plain).cast::<[u8; 2]>().write(*b"\",");
            out.set_len(out.len() + 1 + key.len() + BETWEEN.len() + plain + if plain == text.len() { 2 } else { 0 });
            Some(plain)
        } else {
            None
        }
    };
    match plain {
        Some(plain) if plain == text.len() => return,
        Some(plain) => write_rest(&text[plain..], style, out),
        None => {
            write_text(key, style, out);
            out.push(b':');
            write_text(text, style, out);
            return out.push(b',');
        }
    }
    out.extend_from_slice(b"\",");
}

/// As [`write_text_field`], with a key that is spelled already and a text that is `length` bytes of these.
#[inline]
pub(super) fn write_spelled_field(key: &Spelling, bytes: &[u8], length: usize, style: Style, out: &mut Vec<u8>) {
    let text = &bytes[..length];
    out.reserve(KEY_BYTES + text.len() + 2 + SLACK);
    // SAFETY: there is room for the whole of the spelling, or what counts of it and the text with two bytes behind, and for what is copied past
    // the end; all that is counted is written.
    let plain = unsafe {
        let to = out.as_mut_ptr().add(out.len());
        to.cast::<[u8; KEY_BYTES]>().write(key.bytes);
        let to = to.add(key.length);
        let plain = copy_plain_first::<true>(bytes, length, to);
        to.add(plain).cast::<[u8; 2]>().write(*b"\",");
        out.set_len(out.len() + key.length + plain + if plain == text.len() { 2 } else { 0 });
        plain
    };
    if plain < text.len() {
        write_rest(&text[plain..], style, out);
        out.extend_from_slice(b"\",");
    }
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
    let escapes = if style == Style::Oj { &LOWER } else { &UPPER };
    let mut done = 0;
    for part in text.chunks(PART_BYTES) {
        out.reserve(part.len() * WORST_ESCAPE + SLACK);
        // SAFETY: there is room for the part at its worst, and for what is copied past the end.
        let (read, written) = unsafe { copy_part::<STOP>(part, escapes, out.as_mut_ptr().add(out.len())) };
        // SAFETY: so many bytes are written.
        unsafe { out.set_len(out.len() + written) };
        done += read;
        if read < part.len() {
            break;
        }
    }
    done
}

/// How many bytes were read, and how many written.
///
/// # Safety
/// There is room for six times the part and [`SLACK`] bytes more at `to`.
unsafe fn copy_part<const STOP: bool>(part: &[u8], escapes: &Escapes, to: *mut u8) -> (usize, usize) {
    // SAFETY: what was written is at most six times what was read, so that there is room for the rest at its worst.
    unsafe {
        let (mut at, mut written) = copy_blocks::<STOP>(part, escapes, to);
        loop {
            let plain = copy_plain::<STOP, false>(&part[at..], to.add(written));
            (at, written) = (at + plain, written + plain);
            match part.get(at) {
                Some(byte) if byte.is_ascii() => written += escapes.write(*byte, to.add(written)),
                _ => return (at, written),
            }
            at += 1;
        }
    }
}

/// Copies whole blocks as long as there is another one behind them. All that is special in a block is found at once.
///
/// # Safety
/// As for [`copy_part`].
#[cfg(target_arch = "x86_64")]
#[inline]
unsafe fn copy_blocks<const STOP: bool>(part: &[u8], escapes: &Escapes, to: *mut u8) -> (usize, usize) {
    use super::scan::Block;
    let from = part.as_ptr();
    let (mut at, mut written) = (0, 0);
    // SAFETY: blocks that are read begin at most sixteen bytes behind `at`, and the part goes on for 32. What is written is at most six times
    // what was read, and a block that is copied past that is followed by at least as much of the part.
    unsafe {
        while part.len() - at >= 32 {
            let block = Block::load(from.add(at));
            block.store(to.add(written));
            let mut special = block.special::<STOP>();
            let mut done = 0;
            while special != 0 {
                let place = special.trailing_zeros() as usize;
                let byte = *from.add(at + place);
                written += place - done;
                if STOP && !byte.is_ascii() {
                    return (at + place, written);
                }
                written += escapes.write(byte, to.add(written));
                done = place + 1;
                Block::load(from.add(at + done)).store(to.add(written));
                special &= special - 1;
            }
            written += 16 - done;
            at += 16;
        }
    }
    (at, written)
}

#[cfg(not(target_arch = "x86_64"))]
unsafe fn copy_blocks<const STOP: bool>(_: &[u8], _: &Escapes, _: *mut u8) -> (usize, usize) {
    (0, 0)
}

/// What stands for each byte that is escaped, which all are below this.
const ESCAPED: usize = 0x60;

/// The escapes of a style: their bytes, and in the last one how many they are.
struct Escapes([[u8; 8]; ESCAPED]);

static LOWER: Escapes = Escapes::new(b"0123456789abcdef");
static UPPER: Escapes = Escapes::new(b"0123456789ABCDEF");

impl Escapes {
    const fn new(digits: &[u8; 16]) -> Escapes {
        let mut all = [[0; 8]; ESCAPED];
        let mut byte = 0;
        while byte < ESCAPED {
            let short = match byte as u8 {
                b'"' | b'\\' => byte as u8,
                0x08 => b'b',
                0x09 => b't',
                0x0a => b'n',
                0x0c => b'f',
                0x0d => b'r',
                _ => 0,
            };
            all[byte] = match short {
                0 => [b'\\', b'u', b'0', b'0', digits[byte >> 4], digits[byte & 15], 0, 6],
                short => [b'\\', short, 0, 0, 0, 0, 0, 2],
            };
            byte += 1;
        }
        Escapes(all)
    }

    /// Writes what stands for a byte and gives how long that is.
    ///
    /// # Safety
    /// There is room for eight bytes at `to`.
    #[inline(always)]
    unsafe fn write(&self, byte: u8, to: *mut u8) -> usize {
        let escape = self.0[byte as usize];
        // SAFETY: the caller's promise.
        unsafe { to.cast::<[u8; 8]>().write(escape) };
        escape[7] as usize
    }
}
