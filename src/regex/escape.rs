//! What a backslash means outside and inside brackets.

use super::RegexError;
use super::ast::{Assert, Item, Named, Node, Posix, Target};
use super::class;
use super::syntax::{Charset, Parser};

/// An escape that stands for characters: one, or the list of a `\u{...}`.
pub(super) enum Escaped {
    /// Characters.
    Chars(Vec<char>),
    /// A set.
    Set(Named, bool),
}

impl Parser<'_> {
    /// An escape outside brackets, behind its backslash.
    pub(super) fn escape(&mut self, into: &mut Vec<Node>) -> Result<(), RegexError> {
        let at = self.at - 1;
        let ascii = self.options.charset == Charset::Ascii;
        let start = self.at;
        let node = match self.next() {
            Some('A') => Node::Assert(Assert::TextStart),
            Some('z') => Node::Assert(Assert::TextEnd),
            Some('Z') => Node::Assert(Assert::TextEndOrNewline),
            Some('G') => Node::Assert(Assert::SearchStart),
            Some('b') => Node::Assert(Assert::WordBoundary { negative: false, ascii }),
            Some('B') => Node::Assert(Assert::WordBoundary { negative: true, ascii }),
            Some('K') => Node::Keep,
            Some('R') => Node::LineBreak,
            Some('X') => Node::Grapheme,
            Some('k') => match self.quoted_name()? {
                Some(name) => Node::BackRef { groups: self.referred(&name)?, fold: self.options.ignore_case, at },
                None => self.char('k'),
            },
            Some('g') => match self.quoted_name()? {
                Some(name) => Node::Call { target: self.callee(&name)?, at },
                None => self.char('g'),
            },
            Some('1'..='9') => match self.back_number(start) {
                Some(number) => Node::BackRef { groups: self.numbered(number)?, fold: self.options.ignore_case, at },
                None => {
                    self.at = start;
                    return self.simple_escape(into);
                }
            },
            _ => {
                self.at = start;
                return self.simple_escape(into);
            }
        };
        into.push(node);
        Ok(())
    }

    fn simple_escape(&mut self, into: &mut Vec<Node>) -> Result<(), RegexError> {
        match self.escaped()? {
            Escaped::Set(set, negative) => into.push(self.class_of(set, negative)),
            Escaped::Chars(chars) => {
                for char in chars {
                    into.push(self.char(char));
                }
            }
        }
        Ok(())
    }

    /// The number of `\12` where it is a reference: up to 9, or one of the groups so far.
    fn back_number(&mut self, start: usize) -> Option<usize> {
        let rest = &self.source[start..];
        let length = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number = rest[..length].parse::<usize>().ok()?;
        if number > 9 && number > self.groups.len() {
            return None;
        }
        self.at = start + length;
        Some(number)
    }

    /// The `<name>` or `'name'` that follows; `None` where neither does.
    fn quoted_name(&mut self) -> Result<Option<String>, RegexError> {
        let end = match self.peek() {
            Some('<') => '>',
            Some('\'') => '\'',
            _ => return Ok(None),
        };
        let rest = &self.source[self.at + 1..];
        let length = rest.find([end, ')']).unwrap_or(rest.len());
        let name = rest[..length].to_owned();
        if !rest[length..].starts_with(end) {
            return Err(self.error(format!("invalid group name <{name}>")));
        }
        if name.is_empty() {
            return Err(self.error("group name is empty"));
        }
        self.at += length + 2;
        Ok(Some(name))
    }

    /// The groups that a reference by this number means.
    pub(super) fn numbered(&mut self, number: usize) -> Result<Vec<usize>, RegexError> {
        self.numbered_reference = self.numbered_reference.max(Some(number));
        if number == 0 { Err(self.error("invalid backref number/name")) } else { Ok(vec![number]) }
    }

    /// The groups that `\k<name>` means: those of that name that stand before it.
    pub(super) fn referred(&mut self, name: &str) -> Result<Vec<usize>, RegexError> {
        if let Some(number) = self.relative(name)? {
            return self.numbered(number);
        }
        let groups = self.named(name);
        if !groups.is_empty() {
            return Ok(groups);
        }
        let level = name.rfind(['+', '-']).filter(|at| name[at + 1..].bytes().all(|byte| byte.is_ascii_digit()) && at + 1 < name.len());
        match level.map(|at| self.named(&name[..at])) {
            Some(groups) if !groups.is_empty() => {
                Err(self.error(format!("a back reference with a recursion level cannot be expressed: <{name}>")))
            }
            _ => Err(self.error(format!("undefined name <{name}> reference"))),
        }
    }

    fn named(&self, name: &str) -> Vec<usize> {
        (1..).zip(&self.groups).filter(|(_, known)| known.as_deref() == Some(name)).map(|(number, _)| number).collect()
    }

    /// What `\g<name>` calls; names are looked up when all groups are known.
    fn callee(&mut self, name: &str) -> Result<Target, RegexError> {
        match self.relative(name)? {
            Some(number) => {
                if number > 0 {
                    self.numbered_reference = self.numbered_reference.max(Some(number));
                }
                Ok(Target::Number(number))
            }
            None => Ok(Target::Name(name.to_owned())),
        }
    }

    /// The number that `2`, `-1` or `+1` means here; `None` where it is a name.
    fn relative(&self, name: &str) -> Result<Option<usize>, RegexError> {
        let invalid = || self.error(format!("invalid group name <{name}>"));
        let (sign, digits) = match name.as_bytes() {
            [b'-', ..] => (-1, &name[1..]),
            [b'+', b'0'..=b'9', ..] => (1, &name[1..]),
            [b'0'..=b'9', ..] => (0, name),
            _ => return Ok(None),
        };
        let number = digits.parse::<usize>().map_err(|_| invalid())?;
        match sign {
            0 => Ok(Some(number)),
            1 => Ok(Some(self.groups.len() + number)),
            _ => (self.groups.len() + 1).checked_sub(number).filter(|number| *number > 0).map(Some).ok_or_else(invalid),
        }
    }

    /// An escape that stands for characters or a set, behind its backslash; the same inside and outside brackets.
    pub(super) fn escaped(&mut self) -> Result<Escaped, RegexError> {
        let Some(char) = self.next() else { return Err(self.error("too short escape sequence")) };
        let set = |set, negative| Ok(Escaped::Set(set, negative));
        let one = |char| Ok(Escaped::Chars(vec![char]));
        match char {
            'w' => set(self.shorthand(Posix::Word), false),
            'W' => set(self.shorthand(Posix::Word), true),
            'd' => set(self.shorthand(Posix::Digit), false),
            'D' => set(self.shorthand(Posix::Digit), true),
            's' => set(self.shorthand(Posix::Space), false),
            'S' => set(self.shorthand(Posix::Space), true),
            'h' => set(self.shorthand(Posix::XDigit), false),
            'H' => set(self.shorthand(Posix::XDigit), true),
            'p' | 'P' if self.peek() == Some('{') => self.property(char == 'P'),
            't' => one('\t'),
            'n' => one('\n'),
            'r' => one('\r'),
            'f' => one('\x0c'),
            'v' => one('\x0b'),
            'a' => one('\x07'),
            'e' => one('\x1b'),
            'u' => self.unicode_escape(),
            'x' | '0'..='7' | 'c' | 'C' | 'M' => {
                let first = self.byte(char)?;
                self.character(first).map(|char| Escaped::Chars(vec![char]))
            }
            other => one(other),
        }
    }

    fn property(&mut self, negative: bool) -> Result<Escaped, RegexError> {
        let at = self.at;
        let rest = &self.source[at + 1..];
        let end = rest.find('}').unwrap_or(0);
        let (name, negative) = match rest[..end].strip_prefix('^') {
            Some(name) => (name, !negative),
            None => (&rest[..end], negative),
        };
        let set = class::property(name).map_err(|message| RegexError { message, at })?;
        self.at += end + 2;
        Ok(Escaped::Set(set, negative))
    }

    /// `\u00e9`, or `\u{e9 41}`.
    fn unicode_escape(&mut self) -> Result<Escaped, RegexError> {
        let rest = &self.source[self.at..];
        if rest.is_empty() {
            return Err(self.error("too short escape sequence"));
        }
        let (digits, length) = match rest.strip_prefix('{') {
            Some(list) => {
                let end = list.find('}').ok_or_else(|| self.error("invalid Unicode list"))?;
                (&list[..end], end + 2)
            }
            None => (rest.get(..4).ok_or_else(|| self.error("invalid Unicode escape"))?, 4),
        };
        if length == 4 && !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(self.error("invalid Unicode escape"));
        }
        let mut chars = Vec::new();
        for code in digits.split_ascii_whitespace() {
            if !code.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Err(self.error("invalid Unicode list"));
            }
            let char = u32::from_str_radix(code, 16).ok().and_then(char::from_u32);
            chars.push(char.ok_or_else(|| self.error("invalid Unicode range"))?);
        }
        if chars.is_empty() {
            return Err(self.error("invalid Unicode list"));
        }
        self.at += length;
        Ok(Escaped::Chars(chars))
    }

    /// The byte of a hexadecimal, octal, control or meta escape whose letter was `kind`.
    fn byte(&mut self, kind: char) -> Result<u8, RegexError> {
        let rest = &self.source[self.at..];
        match kind {
            'x' => {
                let length = rest.bytes().take(2).take_while(u8::is_ascii_hexdigit).count();
                let byte = u8::from_str_radix(&rest[..length], 16).map_err(|_| self.error("invalid hex escape"))?;
                self.at += length;
                Ok(byte)
            }
            '0'..='7' => {
                self.at -= 1;
                let rest = &self.source[self.at..];
                let length = rest.bytes().take(3).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
                let byte = u8::from_str_radix(&rest[..length], 8).map_err(|_| self.error("invalid escape code"))?;
                self.at += length;
                Ok(byte)
            }
            'c' => Ok(self.controlled("too short control escape")? & 0x1f),
            'C' if self.eat("-") => Ok(self.controlled("too short control escape")? & 0x1f),
            'M' if self.eat("-") => Ok(self.controlled("too short meta escape")? | 0x80),
            'C' => Err(self.error("too short control escape")),
            _ => Err(self.error("too short meta escape")),
        }
    }

    /// The character that `\c` or `\M-` changes.
    fn controlled(&mut self, too_short: &str) -> Result<u8, RegexError> {
        match self.next() {
            Some('\\') => Err(self.error("an escape within a control or meta escape cannot be expressed")),
            Some(char) if char.is_ascii() => Ok(char as u8),
            _ => Err(self.error(too_short)),
        }
    }

    /// The character that starts with this byte; the bytes after it are escapes too.
    fn character(&mut self, first: u8) -> Result<char, RegexError> {
        let length = match first {
            0..=0x7f => return Ok(char::from(first)),
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => return Err(self.error("invalid multibyte escape")),
        };
        let mut bytes = vec![first];
        while bytes.len() < length {
            let next = self.eat("\\").then(|| self.next()).flatten();
            match next {
                Some(kind @ ('x' | '0'..='7' | 'c' | 'C' | 'M')) => bytes.push(self.byte(kind)?),
                _ => return Err(self.error("too short escaped multibyte character")),
            }
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| self.error("invalid multibyte escape"))?;
        text.chars().next().ok_or_else(|| self.error("invalid multibyte escape"))
    }

    /// An escape as an item of a bracket expression.
    pub(super) fn escaped_item(&mut self) -> Result<Option<Item>, RegexError> {
        if self.eat("b") {
            self.pending.push('\x08');
            return Ok(None);
        }
        match self.escaped()? {
            Escaped::Set(set, negative) => Ok(Some(Item::Named { set, negative })),
            Escaped::Chars(chars) => {
                self.pending.extend(chars.into_iter().rev());
                Ok(None)
            }
        }
    }
}
