//! Values without operators: literals, names, brackets, and the words that start a construct.

use super::{Parsed, Parser};
use crate::ruby::ast::Node;
use std::sync::Arc;

/// What Ruby has and this evaluator has not.
const UNSUPPORTED: &[&str] = &["def", "class", "module", "for", "yield", "super", "alias", "undef", "redo", "retry", "BEGIN", "END"];

impl Parser<'_> {
    /// A value with everything that follows it by dots and brackets.
    pub fn primary(&mut self) -> Parsed<Node> {
        let node = self.deeper(Self::value)?;
        self.postfix(node)
    }

    fn value(&mut self) -> Parsed<Node> {
        self.blanks();
        let Some(byte) = self.peek() else { return Err(self.unexpected()) };
        match byte {
            b'0'..=b'9' => self.number(),
            b'"' | b'\'' => self.quoted(),
            b'`' => {
                self.pos += 1;
                let parts = self.string_parts(None, Some(b'`'), super::strings::Style::Double, false)?;
                Ok(Node::Command(parts))
            }
            b':' if self.starts("::") => {
                self.pos += 2;
                self.value()
            }
            b':' => self.symbol()?.ok_or_else(|| self.unexpected()),
            b'[' => self.array(),
            b'{' => self.hash(),
            b'(' => self.brackets(),
            b'/' => self.regexp(None, b'/'),
            b'%' => self.percent()?.ok_or_else(|| self.unexpected()),
            b'@' => self.instance_variable(),
            b'$' => self.global(),
            b'?' => self.character(),
            b'-' if self.starts("->") => self.arrow(),
            b'.' if self.starts("..") => self.unary_range(),
            b'<' if self.starts("<<") => Err(self.unsupported("a here-document")),
            _ if byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80 => self.named(),
            _ => Err(self.unexpected()),
        }
    }

    fn unary_range(&mut self) -> Parsed<Node> {
        let exclusive = self.starts("...");
        self.pos += if exclusive { 3 } else { 2 };
        let to = self.deeper(Self::unary)?;
        Ok(Node::Range(None, Some(Box::new(to)), exclusive))
    }

    fn brackets(&mut self) -> Parsed<Node> {
        self.pos += 1;
        let no_do = std::mem::take(&mut self.no_do);
        let inside = self.statements()?;
        self.no_do = no_do;
        self.blank_lines();
        self.expect(")")?;
        // What stands in brackets is no bare name: it cannot be assigned to.
        Ok(match inside {
            Node::Local(_) | Node::Call(_) | Node::Instance(_) => Node::Sequence(vec![inside]),
            other => other,
        })
    }

    /// `?x`.
    fn character(&mut self) -> Parsed<Node> {
        let Some(found) = self.rest().chars().nth(1).filter(|c| !c.is_whitespace() && *c != '\\') else { return Err(self.unexpected()) };
        self.pos += 1 + found.len_utf8();
        Ok(Node::Str(found.to_string().into_bytes().into()))
    }

    pub fn instance_variable(&mut self) -> Parsed<Node> {
        self.pos += 1;
        if self.peek() == Some(b'@') {
            return Err(self.unsupported("a class variable"));
        }
        let name = self.word().to_owned();
        if name.is_empty() {
            return Err(self.unexpected());
        }
        self.pos += name.len();
        let slot = self.instance_slot(&name);
        Ok(Node::Instance(slot))
    }

    fn global(&mut self) -> Parsed<Node> {
        self.pos += 1;
        match self.peek() {
            Some(b'~') => {
                self.pos += 1;
                Ok(Node::LastMatch)
            }
            Some(b'&') => {
                self.pos += 1;
                Ok(Node::Group(0))
            }
            Some(digit @ b'1'..=b'9') => {
                self.pos += 1;
                Ok(Node::Group(usize::from(digit - b'0')))
            }
            _ => Err(self.unsupported("a global variable")),
        }
    }

    /// `->(x) { ... }`.
    fn arrow(&mut self) -> Parsed<Node> {
        self.pos += 2;
        self.blanks();
        let known = self.names.len();
        let parameters = if self.skip("(") { self.parameters(b')')? } else { Vec::new() };
        self.blanks();
        let close = if self.skip("{") {
            "}"
        } else if self.keyword("do") {
            "end"
        } else {
            return Err(self.unexpected());
        };
        let block = self.block_body(Some(parameters), known, close, true)?;
        Ok(Node::Lambda(Arc::new(block)))
    }

    /// A keyword, a constant, a variable or a call.
    fn named(&mut self) -> Parsed<Node> {
        if let Some(node) = self.keyword_value()? {
            return Ok(node);
        }
        let mut name = self.word().to_owned();
        if UNSUPPORTED.iter().any(|word| self.at_keyword(word)) {
            return Err(self.unsupported(&format!("'{name}'")));
        }
        const RESERVED: &[&str] = &["end", "else", "elsif", "when", "in", "then", "do", "rescue", "ensure", "and", "or", "not"];
        if RESERVED.iter().any(|word| self.at_keyword(word)) || name.is_empty() {
            return Err(self.unexpected());
        }
        self.pos += name.len();
        if let Some(mark @ (b'?' | b'!')) = self.peek()
            && (self.peek_at(1) != Some(b'=') || self.peek_at(2) == Some(b'='))
        {
            self.pos += 1;
            name.push(mark as char);
            return self.call_rest(None, name, false);
        }
        if name.starts_with(char::is_uppercase) {
            // `Integer("1")` is a call, `Time.now` a constant with a method.
            if self.peek() == Some(b'(') {
                return self.call_rest(None, name, false);
            }
            return Ok(Node::Const(name.into()));
        }
        if self.peek() != Some(b'(')
            && let Some(slot) = self.lookup(&name)
        {
            return Ok(Node::Local(slot));
        }
        self.call_rest(None, name, false)
    }

    fn keyword_value(&mut self) -> Parsed<Option<Node>> {
        let word = self.word();
        if !self.at_keyword(word) {
            return Ok(None);
        }
        let start = self.pos;
        self.pos += word.len();
        let node = match word {
            "nil" => Node::Nil,
            "true" => Node::True,
            "false" => Node::False,
            "self" => Node::Myself,
            "__FILE__" | "__method__" => Node::Str(Box::from(&b"(embedded)"[..])),
            "__LINE__" => Node::Int(1),
            "if" => self.if_then(false)?,
            "unless" => self.if_then(true)?,
            "case" => self.case()?,
            "begin" => self.begin()?,
            "while" => self.loop_while(true)?,
            "until" => self.loop_while(false)?,
            "break" => Node::Break(self.jump_value()?),
            "next" => Node::Next(self.jump_value()?),
            "return" => Node::Return(self.jump_value()?),
            _ => {
                self.pos = start;
                return Ok(None);
            }
        };
        Ok(Some(node))
    }
}
