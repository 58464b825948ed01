//! Reading JSON text into values that borrow it, as strictly or laxly as the library that a configuration names.

use super::{expected, number, string};
use crate::event::fields::keep_last;
use crate::event::keys::Keys;
use crate::event::msgpack::MAX_DEPTH;
use crate::event::{Record, Value};
use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;

/// Whose reading of JSON: they differ in what beyond the standard they take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Engine {
    /// Oj in its `compat` mode: takes comments, control characters in texts, `NaN`, `-` as 0, and ends at a NUL.
    #[default]
    Oj,
    /// Yajl: takes comments, and gives what it has where the text ends too early.
    Yajl,
    /// Ruby's own: takes comments and `NaN`.
    Json,
}

/// A whole text.
#[derive(Debug)]
pub enum Document<'a> {
    /// An object.
    Record(Record<'a>),
    /// Anything else.
    Value(Value<'a>),
}

/// The text is no JSON, or nested deeper than [`MAX_DEPTH`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

/// Why reading stopped.
#[derive(Debug)]
pub(super) enum Stop<'a> {
    /// Something stands where it must not.
    Syntax,
    /// The text ends too early.
    End,
    /// The text ends too early, and this is what Yajl gives then: the innermost open container, or the key whose value is missing.
    Partial(Value<'a>),
}

/// Reads a whole text.
pub fn read<'a>(bump: &'a Bump, text: &'a [u8], engine: Engine) -> Result<Document<'a>, Unreadable> {
    let mut reader = TextReader { bump, text, at: 0, engine };
    if engine == Engine::Yajl {
        return read_yajl(&mut reader);
    }
    reader.pass_space().map_err(|_| Unreadable)?;
    let document = reader.document().map_err(|_| Unreadable)?;
    let ended = match engine {
        Engine::Oj => {
            reader.pass_blanks();
            matches!(reader.peek(), None | Some(0))
        }
        _ => reader.pass_space().is_ok() && reader.peek().is_none(),
    };
    if ended { Ok(document) } else { Err(Unreadable) }
}

fn read_yajl<'a>(reader: &mut TextReader<'a>) -> Result<Document<'a>, Unreadable> {
    let first = match reader.pass_space().and_then(|()| reader.document()) {
        Ok(document) => document,
        Err(Stop::Partial(value)) => return Ok(from_value(reader.bump, value)),
        Err(Stop::End) => return Ok(Document::Value(Value::Nil)),
        Err(Stop::Syntax) => return Err(Unreadable),
    };
    match reader.pass_space() {
        Ok(()) if reader.peek().is_none() => return Ok(first),
        Err(Stop::End) => return Ok(first),
        _ => {}
    }
    // More text: a second whole value is a fault, one that is cut off takes the place of the first.
    match reader.document() {
        Err(Stop::Partial(value)) => Ok(from_value(reader.bump, value)),
        Err(Stop::End) => Ok(first),
        _ => Err(Unreadable),
    }
}

fn from_value<'a>(bump: &'a Bump, value: Value<'a>) -> Document<'a> {
    match value {
        Value::Map(fields) => Document::Record(Record::from_fields(bump, fields)),
        other => Document::Value(other),
    }
}

/// Fields of an object, in order.
pub(super) type Fields<'a> = BumpVec<'a, (Value<'a>, Value<'a>)>;

/// A cursor over JSON text.
pub(super) struct TextReader<'a> {
    pub(super) bump: &'a Bump,
    pub(super) text: &'a [u8],
    pub(super) at: usize,
    pub(super) engine: Engine,
}

impl<'a> TextReader<'a> {
    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// White space without comments.
    #[inline]
    fn pass_blanks(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' | b'\n' | b'\r' => {}
                0x0c if self.engine != Engine::Json => {}
                0x0b if self.engine == Engine::Yajl => {}
                _ => return,
            }
            self.at += 1;
        }
    }

    /// White space and comments.
    #[inline]
    pub(super) fn pass_space(&mut self) -> Result<(), Stop<'a>> {
        self.pass_blanks();
        if self.peek() == Some(b'/') { self.pass_comments() } else { Ok(()) }
    }

    #[cold]
    fn pass_comments(&mut self) -> Result<(), Stop<'a>> {
        while self.peek() == Some(b'/') {
            let rest = &self.text[self.at..];
            let length = match rest.get(1) {
                Some(b'*') => memchr::memmem::find(&rest[2..], b"*/").map(|end| end + 4),
                Some(b'/') => memchr::memchr(b'\n', rest).map(|end| end + 1),
                Some(_) => return Err(Stop::Syntax),
                None => None,
            };
            self.at += length.ok_or(Stop::End)?;
            self.pass_blanks();
        }
        Ok(())
    }

    fn document(&mut self) -> Result<Document<'a>, Stop<'a>> {
        if self.peek() == Some(b'{') {
            self.at += 1;
            return expected::record(self).map(|fields| Document::Record(Record::from_vec(fields)));
        }
        self.value(0).map(Document::Value)
    }

    pub(super) fn value(&mut self, depth: usize) -> Result<Value<'a>, Stop<'a>> {
        match self.peek().ok_or(Stop::End)? {
            b'"' => string::read(self).map(Value::Str),
            b'0'..=b'9' | b'-' => number::read(self),
            b'{' | b'[' if depth >= MAX_DEPTH => Err(Stop::Syntax),
            b'{' => {
                self.at += 1;
                self.fields(4, depth + 1).map(|fields| Value::Map(fields.into_bump_slice()))
            }
            b'[' => {
                self.at += 1;
                self.elements(depth + 1)
            }
            b't' => self.word(b"true", Value::Bool(true)),
            b'f' => self.word(b"false", Value::Bool(false)),
            b'n' if self.text.get(self.at + 1) != Some(&b'a') => self.word(b"null", Value::Nil),
            _ => self.number_word(1.0),
        }
    }

    fn word(&mut self, word: &[u8], value: Value<'a>) -> Result<Value<'a>, Stop<'a>> {
        let rest = &self.text[self.at..];
        if rest.starts_with(word) {
            self.at += word.len();
            Ok(value)
        } else {
            Err(if word.starts_with(rest) { Stop::End } else { Stop::Syntax })
        }
    }

    /// `NaN` and `Infinity`, where the engine takes them.
    #[cold]
    pub(super) fn number_word(&mut self, sign: f64) -> Result<Value<'a>, Stop<'a>> {
        let rest = &self.text[self.at..];
        let (length, number) = match (self.engine, rest) {
            (Engine::Oj, [b'n' | b'N', b'a', b'n' | b'N', ..]) => (3, f64::NAN),
            (Engine::Json, [b'N', b'a', b'N', ..]) if sign > 0.0 => (3, f64::NAN),
            (Engine::Oj | Engine::Json, _) if rest.starts_with(b"Infinity") => (8, f64::INFINITY),
            _ => return Err(Stop::Syntax),
        };
        self.at += length;
        Ok(Value::Float(sign * number))
    }

    fn elements(&mut self, depth: usize) -> Result<Value<'a>, Stop<'a>> {
        let mut elements = BumpVec::new_in(self.bump);
        match self.fill_elements(&mut elements, depth) {
            Ok(()) => Ok(Value::Array(elements.into_bump_slice())),
            Err(Stop::End) => Err(Stop::Partial(Value::Array(elements.into_bump_slice()))),
            Err(stop) => Err(stop),
        }
    }

    fn fill_elements(&mut self, elements: &mut BumpVec<'a, Value<'a>>, depth: usize) -> Result<(), Stop<'a>> {
        self.pass_space()?;
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            elements.push(self.value(depth)?);
            self.pass_space()?;
            if self.separator(b']')? {
                return Ok(());
            }
            self.pass_space()?;
        }
    }

    /// Passes a comma or the closing bracket, and says whether it was the bracket.
    #[inline]
    pub(super) fn separator(&mut self, close: u8) -> Result<bool, Stop<'a>> {
        let byte = self.peek().ok_or(Stop::End)?;
        if byte != b',' && byte != close {
            return Err(Stop::Syntax);
        }
        self.at += 1;
        Ok(byte == close)
    }

    fn fields(&mut self, room: usize, depth: usize) -> Result<Fields<'a>, Stop<'a>> {
        self.more_fields(BumpVec::with_capacity_in(room, self.bump), depth)
    }

    /// The rest of an object of which some fields are read, with different keys: behind the last one's value, or the opening bracket.
    pub(super) fn more_fields(&mut self, mut fields: Fields<'a>, depth: usize) -> Result<Fields<'a>, Stop<'a>> {
        let mut keys = Keys::new();
        let mut repeated = false;
        for (key, _) in &fields {
            repeated |= key.as_bytes().is_none_or(|key| keys.add_one_more(key, self.bump));
        }
        match self.fill_fields(&mut fields, &mut keys, &mut repeated, depth) {
            Ok(()) => {}
            Err(Stop::End) => {
                keep_last(&mut fields);
                return Err(Stop::Partial(Value::Map(fields.into_bump_slice())));
            }
            Err(stop) => return Err(stop),
        }
        if repeated {
            keep_last(&mut fields);
        }
        Ok(fields)
    }

    #[inline]
    fn fill_fields(&mut self, fields: &mut Fields<'a>, keys: &mut Keys<'a, 'a>, repeated: &mut bool, depth: usize) -> Result<(), Stop<'a>> {
        self.pass_space()?;
        if fields.is_empty() {
            if self.peek() == Some(b'}') {
                self.at += 1;
                return Ok(());
            }
        } else {
            if self.separator(b'}')? {
                return Ok(());
            }
            self.pass_space()?;
        }
        loop {
            let key = match string::plain(self) {
                Some(key) => key,
                None => self.rare_key()?,
            };
            *repeated |= keys.add_one_more(key, self.bump);
            // Most values are plain texts. They do not pass through memory on their way, where a whole value waits for its parts.
            if let Some(text) = self.plain_value() {
                fields.push((Value::Str(key), Value::Str(text)));
                if self.passes_comma() {
                    continue;
                }
                self.pass_space()?;
                if self.separator(b'}')? {
                    return Ok(());
                }
                self.pass_space()?;
                continue;
            }
            match self.field_value(depth) {
                Ok(value) => fields.push((Value::Str(key), value)),
                Err(Stop::End) => return Err(Stop::Partial(Value::Str(key))),
                Err(stop) => return Err(stop),
            }
            self.pass_space()?;
            if self.separator(b'}')? {
                return Ok(());
            }
            self.pass_space()?;
        }
    }

    #[cold]
    fn rare_key(&mut self) -> Result<&'a [u8], Stop<'a>> {
        match self.peek() {
            Some(b'"') => string::read(self),
            Some(_) => Err(Stop::Syntax),
            None => Err(Stop::End),
        }
    }

    /// The text behind a colon, where nothing but a space stands between; else the cursor stays.
    #[inline]
    fn plain_value(&mut self) -> Option<&'a [u8]> {
        let colon = self.at;
        self.at += match self.text.get(colon..)? {
            [b':', b'"', ..] => 1,
            [b':', b' ', b'"', ..] => 2,
            _ => return None,
        };
        let text = string::plain(self);
        if text.is_none() {
            self.at = colon;
        }
        text
    }

    /// Passes a comma where the next key follows it, with nothing but a space between.
    #[inline]
    fn passes_comma(&mut self) -> bool {
        match self.text.get(self.at..) {
            Some([b',', b'"', ..]) => self.at += 1,
            Some([b',', b' ', b'"', ..]) => self.at += 2,
            _ => return false,
        }
        true
    }

    #[inline]
    fn field_value(&mut self, depth: usize) -> Result<Value<'a>, Stop<'a>> {
        if self.peek() != Some(b':') {
            self.pass_space()?;
        }
        match self.peek() {
            Some(b':') => self.at += 1,
            Some(_) => return Err(Stop::Syntax),
            None => return Err(Stop::End),
        }
        self.pass_space()?;
        self.value(depth)
    }
}
