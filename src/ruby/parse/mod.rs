//! Reads Ruby code. Ruby cannot be cut into words without knowing where in an expression one is, so there is no separate lexer.
//!
//! What is not understood is a [`SyntaxError`] with its place; a construct that Ruby has and we have not is marked as such.

mod call;
mod control;
mod expression;
mod literal;
mod primary;
mod strings;

use super::ast::{Node, Slot};

/// Code longer than this is not written by people.
const MAX_CODE_BYTES: usize = 64 << 10;
/// Brackets, blocks and operators within one another; each level costs stack.
const MAX_DEPTH: usize = 100;
/// Links of chains (`a.b.c`, `a + b + c`) in one piece of code: they make the tree deep without making the reader recurse.
const MAX_LINKS: usize = 2000;

/// Why code could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// What is wrong.
    pub message: String,
    /// At which byte of the code.
    pub at: usize,
    /// Whether Ruby knows the construct and this evaluator does not.
    pub unsupported: bool,
}

impl std::fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at character {}", self.message, self.at + 1)
    }
}

pub(super) type Parsed<T> = Result<T, SyntaxError>;

/// What reading gives.
#[derive(Debug)]
pub(super) struct Code {
    pub body: Node,
    pub slots: usize,
    /// Names of the instance variables, by slot.
    pub instance: Vec<String>,
}

/// Reads a whole text as statements. `given` are the variables that exist already, in slots from 0.
pub(super) fn program(code: &str, given: &[&str], instance: &[String]) -> Parsed<Code> {
    let mut parser = Parser::new(code, given, instance)?;
    let body = parser.statements()?;
    parser.blank_lines();
    if parser.pos < parser.bytes.len() {
        return Err(parser.unexpected());
    }
    Ok(Code { body, slots: parser.slots, instance: parser.instance })
}

/// Reads a text as the inside of a string with `#{...}` in it. `close` is the character that would end the string, `open` its counterpart.
pub(super) fn string(text: &str, open: Option<u8>, close: u8, given: &[&str], instance: &[String]) -> Parsed<Code> {
    let mut parser = Parser::new(text, given, instance)?;
    let parts = parser.string_parts(open, Some(close), strings::Style::Double, true)?;
    if parser.pos < parser.bytes.len() {
        return Err(parser.unexpected());
    }
    Ok(Code { body: strings::joined(parts), slots: parser.slots, instance: parser.instance })
}

/// The reader: a place in the code, and the variables known there.
pub(super) struct Parser<'c> {
    pub bytes: &'c [u8],
    pub pos: usize,
    names: Vec<(String, Slot)>,
    slots: usize,
    instance: Vec<String>,
    depth: usize,
    links: usize,
    /// `do` belongs to an outer `while`.
    pub no_do: bool,
    /// Slots of `_1` and `_2` of the blocks around, and whether they were used.
    implicit: Vec<(Slot, [bool; 2])>,
}

impl<'c> Parser<'c> {
    fn new(code: &'c str, given: &[&str], instance: &[String]) -> Parsed<Parser<'c>> {
        let names = given.iter().enumerate().map(|(slot, name)| ((*name).to_owned(), slot)).collect();
        let parser = Parser {
            bytes: code.as_bytes(),
            pos: 0,
            names,
            slots: given.len(),
            instance: instance.to_vec(),
            depth: 0,
            links: 0,
            no_do: false,
            implicit: Vec::new(),
        };
        if code.len() > MAX_CODE_BYTES {
            return Err(parser.error(format!("the code has {} bytes, expected at most {MAX_CODE_BYTES}", code.len())));
        }
        Ok(parser)
    }

    pub fn error(&self, message: impl Into<String>) -> SyntaxError {
        SyntaxError { message: message.into(), at: self.pos, unsupported: false }
    }

    pub fn unsupported(&self, what: &str) -> SyntaxError {
        SyntaxError { message: format!("{what} is not supported in embedded Ruby"), at: self.pos, unsupported: true }
    }

    pub fn unexpected(&self) -> SyntaxError {
        match self.rest().chars().next() {
            Some(found) => self.error(format!("syntax error, unexpected '{found}'")),
            None => self.error("syntax error, unexpected end-of-input"),
        }
    }

    /// Reads something one level deeper.
    pub fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= MAX_DEPTH {
            return Err(self.error(format!("the code is nested deeper than {MAX_DEPTH} levels")));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    /// Counts one more link of a chain.
    pub fn link(&mut self) -> Parsed<()> {
        self.links += 1;
        if self.links > MAX_LINKS { Err(self.error("the code is too long")) } else { Ok(()) }
    }

    /// What is left, as text.
    pub fn rest(&self) -> &'c str {
        std::str::from_utf8(&self.bytes[self.pos.min(self.bytes.len())..]).unwrap_or("")
    }

    pub fn peek(&self) -> Option<u8> {
        self.bytes.get(self.pos).copied()
    }

    pub fn peek_at(&self, offset: usize) -> Option<u8> {
        self.bytes.get(self.pos + offset).copied()
    }

    pub fn starts(&self, text: &str) -> bool {
        self.bytes[self.pos..].starts_with(text.as_bytes())
    }

    /// Steps over `text` where it is here.
    pub fn skip(&mut self, text: &str) -> bool {
        let found = self.starts(text);
        if found {
            self.pos += text.len();
        }
        found
    }

    pub fn expect(&mut self, text: &str) -> Parsed<()> {
        if self.skip(text) {
            return Ok(());
        }
        let found = self.rest().chars().next().map_or("end-of-input".to_owned(), |c| format!("'{c}'"));
        Err(self.error(format!("syntax error, unexpected {found}, expecting '{text}'")))
    }

    /// Blanks within a line.
    pub fn blanks(&mut self) {
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\r') => self.pos += 1,
                Some(b'\\') if self.peek_at(1) == Some(b'\n') => self.pos += 2,
                _ => return,
            }
        }
    }

    /// Blanks, line ends and comments.
    pub fn lines(&mut self) {
        loop {
            self.blanks();
            match self.peek() {
                Some(b'\n') => self.pos += 1,
                Some(b'#') => {
                    while self.peek().is_some_and(|b| b != b'\n') {
                        self.pos += 1;
                    }
                }
                _ => return,
            }
        }
    }

    /// As [`Parser::lines`], and semicolons.
    pub fn blank_lines(&mut self) {
        loop {
            self.lines();
            if self.peek() != Some(b';') {
                return;
            }
            self.pos += 1;
        }
    }

    /// The word at the place, without stepping.
    pub fn word(&self) -> &'c str {
        let rest = self.rest();
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let end = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
        if rest.starts_with(|c: char| c.is_ascii_digit()) { "" } else { &rest[..end] }
    }

    /// Whether this keyword is here: the word and nothing that would make it a method's name or a label.
    pub fn at_keyword(&self, keyword: &str) -> bool {
        let next = self.peek_at(keyword.len());
        let label = next == Some(b':') && self.peek_at(keyword.len() + 1) != Some(b':');
        self.word() == keyword && !label && next != Some(b'?') && next != Some(b'!')
    }

    /// Steps over a keyword where it is here.
    pub fn keyword(&mut self, keyword: &str) -> bool {
        let found = self.at_keyword(keyword);
        if found {
            self.pos += keyword.len();
        }
        found
    }

    pub fn new_slot(&mut self) -> Slot {
        self.slots += 1;
        self.slots - 1
    }

    /// The slot of a variable that is assigned to, made where it is new.
    pub fn declare(&mut self, name: &str) -> Slot {
        if let Some(slot) = self.lookup(name) {
            return slot;
        }
        self.shadow(name)
    }

    /// A new variable that hides others of its name.
    pub fn shadow(&mut self, name: &str) -> Slot {
        let slot = self.new_slot();
        self.names.push((name.to_owned(), slot));
        slot
    }

    pub fn lookup(&mut self, name: &str) -> Option<Slot> {
        if let ("_1" | "_2", Some((first, used))) = (name, self.implicit.last_mut()) {
            let at = usize::from(name == "_2");
            used[at] = true;
            return Some(*first + at);
        }
        self.names.iter().rev().find(|(known, _)| known == name).map(|(_, slot)| *slot)
    }

    pub fn instance_slot(&mut self, name: &str) -> Slot {
        if let Some(at) = self.instance.iter().position(|known| known == name) {
            return at;
        }
        self.instance.push(name.to_owned());
        self.instance.len() - 1
    }
}
