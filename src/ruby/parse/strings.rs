//! The inside of quoted things: escapes, embedded code, nested brackets.

use super::{Parsed, Parser};
use crate::ruby::ast::Node;

/// How a quoted thing treats backslashes and code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// `'...'`: only the closing character and the backslash itself are escaped.
    Single,
    /// `"..."`: escapes and code.
    Double,
    /// `/.../`: escapes are the expression's own business; code is evaluated.
    Regexp,
}

/// Parts as one node.
pub(super) fn joined(mut parts: Vec<Node>) -> Node {
    match parts.len() {
        0 => Node::Str(Box::default()),
        1 if matches!(parts[0], Node::Str(_)) => parts.pop().unwrap_or(Node::Nil),
        _ => Node::Interpolated(parts),
    }
}

impl Parser<'_> {
    /// The parts up to `close` (stepped over), or up to the end where `to_end`. Counterparts of brackets nest.
    pub(super) fn string_parts(&mut self, open: Option<u8>, close: Option<u8>, style: Style, to_end: bool) -> Parsed<Vec<Node>> {
        let start = self.pos;
        let mut parts = Vec::new();
        let mut text = Vec::new();
        let mut nested = 0usize;
        loop {
            let Some(byte) = self.peek() else {
                if to_end {
                    break;
                }
                self.pos = start;
                return Err(self.error("syntax error, unterminated string meets end of file"));
            };
            self.pos += 1;
            if Some(byte) == close && nested == 0 {
                if to_end {
                    self.pos -= 1;
                    return Err(self.unexpected());
                }
                break;
            }
            match byte {
                b'\\' => self.escape(open, close, style, &mut text)?,
                b'#' if style != Style::Single && self.peek() == Some(b'{') => {
                    self.pos += 1;
                    if !text.is_empty() {
                        parts.push(Node::Str(std::mem::take(&mut text).into()));
                    }
                    parts.push(self.deeper(Self::embedded)?);
                }
                b'#' if style != Style::Single && self.peek() == Some(b'@') && self.peek_at(1).is_some_and(|b| b.is_ascii_alphabetic()) => {
                    if !text.is_empty() {
                        parts.push(Node::Str(std::mem::take(&mut text).into()));
                    }
                    parts.push(self.instance_variable()?);
                }
                _ => {
                    nested += usize::from(Some(byte) == open);
                    nested -= usize::from(Some(byte) == close);
                    text.push(byte);
                }
            }
        }
        if !text.is_empty() {
            parts.push(Node::Str(text.into()));
        }
        Ok(parts)
    }

    /// The code behind `#{`, its closing bracket included.
    fn embedded(&mut self) -> Parsed<Node> {
        let no_do = std::mem::take(&mut self.no_do);
        let code = self.statements()?;
        self.no_do = no_do;
        self.blank_lines();
        self.expect("}")?;
        // A lone string would be taken for text of the literal itself, which is the same thing.
        Ok(code)
    }

    fn escape(&mut self, open: Option<u8>, close: Option<u8>, style: Style, text: &mut Vec<u8>) -> Parsed<()> {
        let Some(byte) = self.peek() else { return Err(self.unexpected()) };
        self.pos += 1;
        match style {
            Style::Single => {
                if byte != b'\\' && Some(byte) != close && Some(byte) != open {
                    text.push(b'\\');
                }
                text.push(byte);
            }
            Style::Regexp => {
                if byte != b'/' {
                    text.push(b'\\');
                }
                text.push(byte);
            }
            Style::Double => self.double_escape(byte, text)?,
        }
        Ok(())
    }

    fn double_escape(&mut self, byte: u8, text: &mut Vec<u8>) -> Parsed<()> {
        match byte {
            b'n' => text.push(b'\n'),
            b't' => text.push(b'\t'),
            b'r' => text.push(b'\r'),
            b'e' => text.push(0x1b),
            b'a' => text.push(7),
            b'b' => text.push(8),
            b'f' => text.push(0xc),
            b'v' => text.push(0xb),
            b's' => text.push(b' '),
            b'\n' => {}
            b'0'..=b'7' => {
                let mut number = u32::from(byte - b'0');
                for _ in 0..2 {
                    let Some(digit @ b'0'..=b'7') = self.peek() else { break };
                    number = number * 8 + u32::from(digit - b'0');
                    self.pos += 1;
                }
                text.push(number as u8);
            }
            b'x' => {
                let number = self.hexadecimal(2);
                text.push(number.ok_or_else(|| self.error("invalid hex escape"))? as u8);
            }
            b'u' => self.unicode_escape(text)?,
            other => text.push(other),
        }
        Ok(())
    }

    fn unicode_escape(&mut self, text: &mut Vec<u8>) -> Parsed<()> {
        let mut write = |number: u32| char::from_u32(number).map(|c| text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()));
        if !self.skip("{") {
            let number = self.hexadecimal_exact(4);
            return number.and_then(&mut write).ok_or_else(|| self.error("invalid Unicode escape"));
        }
        loop {
            self.blanks();
            if self.skip("}") {
                return Ok(());
            }
            let number = self.hexadecimal(6);
            number.and_then(&mut write).ok_or_else(|| self.error("invalid Unicode escape"))?;
        }
    }

    fn hexadecimal_exact(&mut self, digits: usize) -> Option<u32> {
        let start = self.pos;
        self.hexadecimal(digits).filter(|_| self.pos == start + digits)
    }

    fn hexadecimal(&mut self, digits: usize) -> Option<u32> {
        let mut number = None;
        for _ in 0..digits {
            let Some(digit) = self.peek().and_then(|b| (b as char).to_digit(16)) else { break };
            number = Some(number.unwrap_or(0) * 16 + digit);
            self.pos += 1;
        }
        number
    }
}
