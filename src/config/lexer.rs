//! The small steps through a configuration text: blanks, comments, line ends, and where each kind of literal ends.
//!
//! Positions are bytes. Nothing here reports faults or builds nodes.

/// A place in a text, and the steps from it.
#[derive(Clone, Debug)]
pub struct Scanner<'a> {
    text: &'a str,
    /// The byte that is looked at.
    pub pos: usize,
}

impl<'a> Scanner<'a> {
    /// At the start of a text.
    pub fn new(text: &'a str) -> Scanner<'a> {
        Scanner { text, pos: 0 }
    }

    /// The whole text.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// What is left.
    pub fn rest(&self) -> &'a str {
        self.text.get(self.pos..).unwrap_or("")
    }

    /// Whether nothing is left.
    pub fn at_end(&self) -> bool {
        self.pos >= self.text.len()
    }

    /// The byte here.
    pub fn peek(&self) -> Option<u8> {
        self.byte(self.pos)
    }

    /// The byte at `pos`.
    pub fn byte(&self, pos: usize) -> Option<u8> {
        self.text.as_bytes().get(pos).copied()
    }

    /// The character here, stepping over it.
    pub fn next_char(&mut self) -> Option<char> {
        let found = self.rest().chars().next()?;
        self.pos += found.len_utf8();
        Some(found)
    }

    /// Steps over `what` if it is here.
    pub fn skip(&mut self, what: &str) -> bool {
        let found = self.rest().starts_with(what);
        if found {
            self.pos += what.len();
        }
        found
    }

    /// Steps over a section's name; empty where there is none.
    pub fn name(&mut self) -> &'a str {
        let start = self.pos;
        while self.peek().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_') {
            self.pos += 1;
        }
        &self.text[start..self.pos]
    }

    /// The position behind blanks (no line ends) at `pos`.
    pub fn after_blanks(&self, mut pos: usize) -> usize {
        while matches!(self.byte(pos), Some(b' ' | b'\t')) {
            pos += 1;
        }
        pos
    }

    /// The end of the line at `pos`, before its `\n`.
    pub fn line_stop(&self, pos: usize) -> usize {
        let rest = self.text.as_bytes().get(pos..).unwrap_or(&[]);
        memchr::memchr(b'\n', rest).map_or(self.text.len(), |at| pos + at)
    }

    /// Whether only blanks and a comment are between `pos` and the end of its line.
    pub fn line_ends(&self, pos: usize) -> bool {
        matches!(self.byte(self.after_blanks(pos)), None | Some(b'#' | b'\r' | b'\n'))
    }

    /// The position behind blanks, line ends and comments at `pos`. A comment ends at a carriage return, too.
    pub fn after_spacing(&self, mut pos: usize) -> usize {
        loop {
            match self.byte(pos) {
                Some(b' ' | b'\t' | b'\r' | b'\n') => pos += 1,
                Some(b'#') => pos = self.comment_stop(pos),
                _ => return pos,
            }
        }
    }

    /// The end of the comment at `pos`, before its line end.
    pub fn comment_stop(&self, pos: usize) -> usize {
        let rest = self.text.as_bytes().get(pos..).unwrap_or(&[]);
        memchr::memchr2(b'\r', b'\n', rest).map_or(self.text.len(), |at| pos + at)
    }

    /// The position behind blanks and line ends at `pos`.
    pub fn after_white(&self, mut pos: usize) -> usize {
        while matches!(self.byte(pos), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            pos += 1;
        }
        pos
    }

    /// The end of an unquoted value that starts at `pos`: trailing blanks and a comment that stands behind a blank are no part of it.
    pub fn plain_value_stop(&self, start: usize) -> usize {
        let mut pos = start;
        loop {
            match self.byte(pos) {
                None | Some(b'\r' | b'\n') => return pos,
                Some(b' ' | b'\t') if self.line_ends(pos) => return pos,
                Some(b' ' | b'\t') => pos = self.after_blanks(pos),
                Some(_) => pos += 1,
            }
        }
    }

    /// The end of an unquoted key that starts at `pos`. A `#` is part of it.
    pub fn plain_key_stop(&self, start: usize) -> usize {
        let mut pos = start;
        while !matches!(self.byte(pos), None | Some(b' ' | b'\t' | b'\r' | b'\n')) {
            pos += 1;
        }
        pos
    }

    /// The end of an unquoted section argument that starts at `pos`: before spacing and `>`, or at the end of its line.
    pub fn plain_arg_stop(&self, start: usize) -> usize {
        let mut pos = start;
        loop {
            match self.byte(pos) {
                None | Some(b'\n' | b'>') => return pos,
                Some(b' ' | b'\t' | b'\r') if self.byte(self.after_spacing(pos)) == Some(b'>') => return pos,
                Some(b' ' | b'\t') => pos = self.after_blanks(pos),
                Some(_) => pos += 1,
            }
        }
    }
}

/// Where embedded Ruby that starts at `start` (behind `#{`) ends: at the `}` that closes it. `None` where none does.
///
/// Quotes, nested braces, interpolation, comments and regular expressions are stepped over, so that what is found is the shortest
/// end at which the code can be complete.
pub fn code_stop(text: &str, start: usize) -> Option<usize> {
    // Fluentd: the first bracket at which the code is complete. What cannot be read at all is bounded by its brackets, to be refused as a whole.
    if let Some(end) = super::ruby::code_end(text, start) {
        return Some(end);
    }
    let bytes = text.as_bytes();
    let mut closers = vec![b'}'];
    let mut pos = start;
    while let Some(&byte) = bytes.get(pos) {
        match (*closers.last()?, byte) {
            (quote @ (b'"' | b'`' | b'/' | b'\''), byte) => match byte {
                b'\\' => pos += 1,
                _ if byte == quote => drop(closers.pop()),
                b'#' if quote != b'\'' && bytes.get(pos + 1) == Some(&b'{') => {
                    closers.push(b'}');
                    pos += 1;
                }
                _ => {}
            },
            (closer, byte) if byte == closer => {
                closers.pop();
                if closers.is_empty() {
                    return Some(pos);
                }
            }
            (_, b'{') => closers.push(b'}'),
            (_, b'(') => closers.push(b')'),
            (_, b'[') => closers.push(b']'),
            (_, quote @ (b'"' | b'\'' | b'`')) if !is_character_literal(bytes, start, pos) => closers.push(quote),
            (_, b'/') if starts_expression(bytes, start, pos) => closers.push(b'/'),
            _ => {}
        }
        // Deeper code than this is not written by people; the bound keeps hostile texts cheap.
        if closers.len() > 100 {
            return None;
        }
        pos += 1;
    }
    None
}

/// Whether the quote at `pos` is the character of a literal such as `?"`.
fn is_character_literal(bytes: &[u8], start: usize, pos: usize) -> bool {
    pos > start
        && bytes[pos - 1] == b'?'
        && (pos - 1 == start || matches!(bytes[pos - 2], b' ' | b'(' | b',' | b'['))
        && !matches!(bytes.get(pos + 1), None | Some(b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/'))
}

/// Whether a slash at `pos` starts a regular expression rather than divides.
fn starts_expression(bytes: &[u8], start: usize, pos: usize) -> bool {
    let before = bytes[start..pos].iter().rposition(|b| !b.is_ascii_whitespace()).map(|at| bytes[start + at]);
    match before {
        None => true,
        Some(b'(' | b',' | b'=' | b'~' | b'!' | b'[' | b'{' | b'|' | b'&' | b'?' | b':' | b';') => true,
        // `split /,/`: a blank before and none behind.
        Some(b'a'..=b'z') => bytes[pos - 1] == b' ' && bytes.get(pos + 1).is_some_and(|b| *b != b' '),
        Some(_) => false,
    }
}
