//! Places as the protocol counts them, lines and characters from 0, and as bytes of a text.

use crate::config::Span;
use serde_json::{Value, json};

/// In which units characters are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// Bytes.
    Utf8,
    /// What the protocol counts in where nothing else was agreed on.
    #[default]
    Utf16,
}

impl Encoding {
    /// How long a text is.
    pub fn width(self, text: &str) -> usize {
        match self {
            Encoding::Utf8 => text.len(),
            Encoding::Utf16 => text.chars().map(char::len_utf16).sum(),
        }
    }

    /// The byte at which that many units are over; the end of the text where it is shorter.
    fn bytes(self, text: &str, units: usize) -> usize {
        let mut left = units;
        for (at, c) in text.char_indices() {
            let width = if self == Encoding::Utf8 { c.len_utf8() } else { c.len_utf16() };
            if left < width {
                // Within a character counts as before it.
                return at;
            }
            left -= width;
        }
        text.len()
    }
}

/// A text with the starts of its lines.
pub struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
    encoding: Encoding,
}

impl<'t> Lines<'t> {
    /// Of a text. Lines end in `\n`, or `\r\n`.
    pub fn new(text: &'t str, encoding: Encoding) -> Lines<'t> {
        let starts = std::iter::once(0).chain(memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at + 1)).collect();
        Lines { text, starts, encoding }
    }

    /// A line without its end, by its number from 0; empty behind the last.
    pub fn line(&self, number: usize) -> &'t str {
        let Some(start) = self.starts.get(number) else { return "" };
        let end = self.starts.get(number + 1).map_or(self.text.len(), |next| next - 1);
        let line = &self.text[*start..end];
        line.strip_suffix('\r').filter(|_| end < self.text.len()).unwrap_or(line)
    }

    /// The byte at a position; what is behind the end of a line is its end.
    pub fn offset(&self, position: &Value) -> Option<usize> {
        let number = |key: &str| position[key].as_u64().map(|number| usize::try_from(number).unwrap_or(usize::MAX));
        let (line, character) = (number("line")?, number("character")?);
        let Some(start) = self.starts.get(line) else { return Some(self.text.len()) };
        Some(start + self.encoding.bytes(self.line(line), character))
    }

    /// The bytes of a range, in their order.
    pub fn offsets(&self, range: &Value) -> Option<(usize, usize)> {
        let (start, end) = (self.offset(&range["start"])?, self.offset(&range["end"])?);
        Some((start.min(end), start.max(end)))
    }

    /// The line that a byte is in, from 0.
    pub fn line_of(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset) - 1
    }

    /// The position of a byte.
    pub fn position(&self, offset: usize) -> Value {
        let offset = floor(self.text, offset);
        let line = self.line_of(offset);
        let before = &self.text[self.starts[line]..offset];
        json!({ "line": line, "character": self.encoding.width(before) })
    }

    /// The range of some bytes.
    pub fn range(&self, start: usize, end: usize) -> Value {
        json!({ "start": self.position(start), "end": self.position(end.max(start)) })
    }

    /// The range of a span.
    pub fn span(&self, span: Span) -> Value {
        self.range(span.start as usize, span.end as usize)
    }
}

/// The place itself, or the start of the character it is within.
pub fn floor(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_counted_in_the_units_agreed_on() {
        let text = "a\r\né😀x\n";
        for (encoding, offset, line, character) in
            [(Encoding::Utf16, 9, 1, 3), (Encoding::Utf8, 9, 1, 6), (Encoding::Utf16, 3, 1, 0), (Encoding::Utf16, 11, 2, 0)]
        {
            let lines = Lines::new(text, encoding);
            let position = json!({ "line": line, "character": character });
            assert_eq!(lines.position(offset), position, "{encoding:?} {offset}");
            assert_eq!(lines.offset(&position), Some(offset), "{encoding:?} {offset}");
        }
    }

    #[test]
    fn positions_outside_of_the_text_are_its_ends() {
        let lines = Lines::new("ab\r\ncd", Encoding::Utf16);
        for (line, character, offset) in [(0, 99, 2), (1, u64::MAX, 6), (7, 0, 6), (u64::MAX, 0, 6)] {
            assert_eq!(lines.offset(&json!({ "line": line, "character": character })), Some(offset), "{line}:{character}");
        }
        assert_eq!(Lines::new("😀", Encoding::Utf16).offset(&json!({ "line": 0, "character": 1 })), Some(0));
        assert_eq!(lines.offset(&json!({ "line": -1, "character": 0 })), None);
        assert_eq!(lines.position(99), json!({ "line": 1, "character": 2 }));
    }
}
