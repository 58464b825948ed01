//! Literals: numbers, strings, symbols, `%`-literals, regular expressions, arrays, hashes.

use super::strings::{Style, joined};
use super::{Parsed, Parser};
use crate::ruby::ast::Node;
use crate::ruby::regexp::Regexp;
use std::sync::Arc;

impl Parser<'_> {
    /// A number without sign.
    pub fn number(&mut self) -> Parsed<Node> {
        let radix = match (self.peek(), self.peek_at(1)) {
            (Some(b'0'), Some(b'x' | b'X')) => 16,
            (Some(b'0'), Some(b'b' | b'B')) => 2,
            (Some(b'0'), Some(b'o' | b'O')) => 8,
            _ => return self.decimal(),
        };
        self.pos += 2;
        let start = self.pos;
        while self.peek().is_some_and(|b| (b as char).is_digit(radix) || b == b'_') {
            self.pos += 1;
        }
        let digits: String = self.bytes[start..self.pos].iter().filter(|b| **b != b'_').map(|b| *b as char).collect();
        i128::from_str_radix(&digits, radix).map(Node::Int).map_err(|_| self.error("numeric literal without digits, or beyond 127 bits"))
    }

    fn decimal(&mut self) -> Parsed<Node> {
        let start = self.pos;
        self.digits();
        let mut float = false;
        if self.peek() == Some(b'.') && self.peek_at(1).is_some_and(|b| b.is_ascii_digit()) {
            float = true;
            self.pos += 1;
            self.digits();
        }
        if let Some(b'e' | b'E') = self.peek() {
            let sign = usize::from(matches!(self.peek_at(1), Some(b'+' | b'-')));
            if self.peek_at(1 + sign).is_some_and(|b| b.is_ascii_digit()) {
                float = true;
                self.pos += 1 + sign;
                self.digits();
            }
        }
        if self.peek().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_') && !self.at_modifier() {
            return Err(self.unexpected());
        }
        let digits: String = self.bytes[start..self.pos].iter().filter(|b| **b != b'_').map(|b| *b as char).collect();
        if float {
            return Ok(Node::Float(digits.parse().unwrap_or(f64::INFINITY)));
        }
        let octal = digits.len() > 1 && digits.starts_with('0');
        i128::from_str_radix(&digits, if octal { 8 } else { 10 })
            .map(Node::Int)
            .map_err(|_| self.error("an integer beyond 127 bits, or invalid octal digit"))
    }

    /// `1if x` and the like are allowed by Ruby.
    fn at_modifier(&self) -> bool {
        ["if", "unless", "and", "or", "then", "rescue"].iter().any(|word| self.at_keyword(word))
    }

    fn digits(&mut self) {
        while self.peek().is_some_and(|b| b.is_ascii_digit())
            || (self.peek() == Some(b'_') && self.peek_at(1).is_some_and(|b| b.is_ascii_digit()))
        {
            self.pos += 1;
        }
    }

    /// A quoted string at the quote, with those that follow it directly: `"a" "b"` is one.
    pub fn quoted(&mut self) -> Parsed<Node> {
        let mut parts = Vec::new();
        loop {
            let quote = self.peek();
            self.pos += 1;
            let style = if quote == Some(b'"') { Style::Double } else { Style::Single };
            parts.extend(self.string_parts(None, quote, style, false)?);
            let behind = self.pos;
            self.blanks();
            if !matches!(self.peek(), Some(b'"' | b'\'')) {
                self.pos = behind;
                return Ok(joined(parts));
            }
        }
    }

    /// `:name`, `:"text"`, `:+`; `None` where the colon starts no symbol.
    pub fn symbol(&mut self) -> Parsed<Option<Node>> {
        const OPERATORS: &[&str] = &[
            "[]=", "[]", "<=>", "===", "==", "=~", "**", "+@", "-@", "<<", ">>", "<=", ">=", "!=", "+", "-", "*", "/", "%", "<", ">", "!",
            "&", "|", "^", "~",
        ];
        match self.peek_at(1) {
            Some(quote @ (b'"' | b'\'')) => {
                self.pos += 2;
                let style = if quote == b'"' { Style::Double } else { Style::Single };
                let parts = self.string_parts(None, Some(quote), style, false)?;
                Ok(Some(symbol_of(joined(parts))))
            }
            Some(_) => {
                self.pos += 1;
                let sigil = if self.starts("@") || self.starts("$") { 1 } else { 0 };
                let start = self.pos;
                self.pos += sigil;
                let word = self.word().len();
                if word > 0 {
                    self.pos += word;
                    if let Some(b'?' | b'!' | b'=') = self.peek()
                        && !matches!(self.peek_at(1), Some(b'=' | b'>' | b'~'))
                    {
                        self.pos += 1;
                    }
                    return Ok(Some(Node::Sym(String::from_utf8_lossy(&self.bytes[start..self.pos]).into())));
                }
                self.pos = start;
                if let Some(operator) = OPERATORS.iter().find(|op| self.starts(op)) {
                    self.pos += operator.len();
                    return Ok(Some(Node::Sym((*operator).into())));
                }
                self.pos = start - 1;
                Ok(None)
            }
            None => Ok(None),
        }
    }

    /// `/.../imx`, at the slash.
    pub fn regexp(&mut self, open: Option<u8>, close: u8) -> Parsed<Node> {
        let at = self.pos;
        self.pos += 1;
        let mut parts = self.string_parts(open, Some(close), Style::Regexp, false)?;
        let start = self.pos;
        while self.peek().is_some_and(|b| b.is_ascii_lowercase()) && matches!(self.peek(), Some(b'i' | b'm' | b'x' | b'o' | b'u' | b'n')) {
            self.pos += 1;
        }
        let letters = String::from_utf8_lossy(&self.bytes[start..self.pos]).into_owned();
        let source = match parts.pop() {
            None => Vec::new(),
            Some(Node::Str(text)) if parts.is_empty() => text.into_vec(),
            Some(last) => {
                parts.push(last);
                return Ok(Node::InterpolatedRegexp(parts, letters.into()));
            }
        };
        let source = String::from_utf8(source).map_err(|_| self.error("a regular expression that is no UTF-8"))?;
        let regexp = Regexp::new(&source, &letters).map_err(|why| {
            self.pos = at;
            self.error(why)
        })?;
        Ok(Node::Regexp(Arc::new(regexp)))
    }

    /// `%w[...]`, `%q(...)`, `%Q{...}`, `%i[...]`, `%r{...}`, `%(...)`; `None` where the percent sign starts no literal.
    pub fn percent(&mut self) -> Parsed<Option<Node>> {
        let letter = self.peek_at(1).filter(u8::is_ascii_alphabetic);
        let at = 1 + usize::from(letter.is_some());
        let Some(open) = self.peek_at(at).filter(u8::is_ascii_punctuation) else { return Ok(None) };
        let (open, close) = match open {
            b'(' => (Some(b'('), b')'),
            b'[' => (Some(b'['), b']'),
            b'{' => (Some(b'{'), b'}'),
            b'<' => (Some(b'<'), b'>'),
            other => (None, other),
        };
        if letter == Some(b'r') {
            self.pos += at;
            return self.regexp(open, close).map(Some);
        }
        let style = match letter {
            None | Some(b'Q' | b'W' | b'I' | b'x') => Style::Double,
            Some(b'q' | b'w' | b'i' | b's') => Style::Single,
            Some(_) => return Ok(None),
        };
        self.pos += at + 1;
        let parts = self.string_parts(open, Some(close), style, false)?;
        Ok(Some(match letter {
            Some(b'w' | b'W') => self.words_of(parts, |text| Node::Str(text.into()))?,
            Some(b'i' | b'I') => self.words_of(parts, |text| Node::Sym(String::from_utf8_lossy(&text).into()))?,
            Some(b's') => symbol_of(joined(parts)),
            Some(b'x') => Node::Command(parts),
            _ => joined(parts),
        }))
    }

    fn words_of(&mut self, parts: Vec<Node>, make: fn(Vec<u8>) -> Node) -> Parsed<Node> {
        let text = match parts.as_slice() {
            [] => return Ok(Node::Array(Vec::new())),
            [Node::Str(text)] => text,
            _ => return Err(self.unsupported("code in a list of words")),
        };
        let words = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        Ok(Node::Array(words.map(|word| make(word.to_vec())).collect()))
    }

    /// `[...]`, at the bracket.
    pub fn array(&mut self) -> Parsed<Node> {
        self.pos += 1;
        let items = self.arguments_until("]")?;
        Ok(Node::Array(items.0))
    }

    /// `{...}`, at the bracket.
    pub fn hash(&mut self) -> Parsed<Node> {
        self.pos += 1;
        let mut pairs = Vec::new();
        loop {
            self.lines();
            if self.skip("}") {
                return Ok(Node::Hash(pairs));
            }
            let pair = self.deeper(Self::pair)?;
            pairs.push(pair);
            self.lines();
            if !self.skip(",") {
                self.expect("}")?;
                return Ok(Node::Hash(pairs));
            }
        }
    }

    /// `key: value`, `"key": value`, `key => value`, `**hash`.
    fn pair(&mut self) -> Parsed<(Option<Node>, Node)> {
        if self.skip("**") {
            return Ok((None, self.unary()?));
        }
        if let Some(label) = self.label()? {
            self.lines();
            return Ok((Some(label), self.expression()?));
        }
        let key = self.expression()?;
        self.lines();
        self.expect("=>")?;
        self.lines();
        Ok((Some(key), self.expression()?))
    }

    /// `name:` or `"text":` as a symbol; stays where neither is here.
    pub fn label(&mut self) -> Parsed<Option<Node>> {
        let start = self.pos;
        if let Some(quote @ (b'"' | b'\'')) = self.peek() {
            self.pos += 1;
            let style = if quote == b'"' { Style::Double } else { Style::Single };
            let parts = self.string_parts(None, Some(quote), style, false)?;
            if self.peek() == Some(b':') && self.peek_at(1) != Some(b':') {
                self.pos += 1;
                return Ok(Some(symbol_of(joined(parts))));
            }
            self.pos = start;
            return Ok(None);
        }
        let mut end = self.word().len();
        end += usize::from(end > 0 && matches!(self.peek_at(end), Some(b'?' | b'!')));
        if end == 0 || self.peek_at(end) != Some(b':') || self.peek_at(end + 1) == Some(b':') {
            return Ok(None);
        }
        let name = String::from_utf8_lossy(&self.bytes[start..start + end]).into();
        self.pos += end + 1;
        Ok(Some(Node::Sym(name)))
    }
}

fn symbol_of(node: Node) -> Node {
    match node {
        Node::Str(text) => Node::Sym(String::from_utf8_lossy(&text).into()),
        Node::Interpolated(parts) => Node::InterpolatedSym(parts),
        other => Node::InterpolatedSym(vec![other]),
    }
}
