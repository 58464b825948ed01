//! The constructs that end with `end`.

use super::{Parsed, Parser};
use crate::ruby::ast::{Begin, Case, Node, Rescue};

impl Parser<'_> {
    fn end(&mut self) -> Parsed<()> {
        self.blank_lines();
        if self.keyword("end") { Ok(()) } else { Err(self.error("syntax error, expecting 'end'")) }
    }

    fn then(&mut self) {
        self.blank_lines();
        self.keyword("then");
    }

    /// `if` and `unless`, behind the word.
    pub fn if_then(&mut self, negate: bool) -> Parsed<Node> {
        let condition = self.deeper(Self::words)?;
        self.then();
        let yes = self.statements()?;
        self.blank_lines();
        let no = if self.keyword("elsif") {
            let rest = self.deeper(|parser| parser.if_then(false))?;
            return Ok(choose(negate, condition, yes, rest));
        } else if self.keyword("else") {
            self.statements()?
        } else {
            Node::Nil
        };
        self.end()?;
        Ok(choose(negate, condition, yes, no))
    }

    /// `case`, behind the word.
    pub fn case(&mut self) -> Parsed<Node> {
        self.blanks();
        let subject = if self.peek() == Some(b'\n') || self.at_keyword("when") { None } else { Some(self.deeper(Self::words)?) };
        let mut branches = Vec::new();
        self.blank_lines();
        if self.at_keyword("in") {
            return Err(self.unsupported("pattern matching"));
        }
        while self.keyword("when") {
            let mut values = Vec::new();
            loop {
                self.lines();
                let splat = self.peek() == Some(b'*');
                self.pos += usize::from(splat);
                let value = self.expression()?;
                values.push(if splat { Node::Splat(Box::new(value)) } else { value });
                self.blanks();
                if !self.skip(",") {
                    break;
                }
            }
            self.then();
            let body = self.statements()?;
            branches.push((values, body));
            self.blank_lines();
        }
        if branches.is_empty() {
            return Err(self.unexpected());
        }
        let otherwise = if self.keyword("else") { self.statements()? } else { Node::Nil };
        self.end()?;
        Ok(Node::Case(Box::new(Case { subject, branches, otherwise })))
    }

    /// `begin`, behind the word.
    pub fn begin(&mut self) -> Parsed<Node> {
        let node = self.guarded()?;
        self.end()?;
        Ok(node)
    }

    /// Statements with `rescue`, `else` and `ensure` behind them.
    pub fn guarded(&mut self) -> Parsed<Node> {
        let body = self.statements()?;
        let mut rescues = Vec::new();
        self.blank_lines();
        while self.keyword("rescue") {
            rescues.push(self.rescue()?);
            self.blank_lines();
        }
        let otherwise = if self.keyword("else") { Some(self.statements()?) } else { None };
        self.blank_lines();
        let ensure = if self.keyword("ensure") { Some(self.statements()?) } else { None };
        if rescues.is_empty() && otherwise.is_none() && ensure.is_none() {
            return Ok(body);
        }
        Ok(Node::Begin(Box::new(Begin { body, rescues, otherwise, ensure })))
    }

    fn rescue(&mut self) -> Parsed<Rescue> {
        let mut classes = Vec::new();
        self.blanks();
        while self.word().starts_with(char::is_uppercase) {
            classes.push(self.primary()?);
            self.blanks();
            if !self.skip(",") {
                break;
            }
            self.blanks();
        }
        let mut name = None;
        if self.skip("=>") {
            self.blanks();
            let word = self.word().to_owned();
            if word.is_empty() {
                return Err(self.unexpected());
            }
            self.pos += word.len();
            name = Some(self.declare(&word));
        }
        self.then();
        Ok(Rescue { classes, name, body: self.statements()? })
    }

    /// `while` and `until`, behind the word.
    pub fn loop_while(&mut self, wanted: bool) -> Parsed<Node> {
        let no_do = std::mem::replace(&mut self.no_do, true);
        let condition = self.deeper(Self::words)?;
        self.no_do = no_do;
        self.blank_lines();
        self.keyword("do");
        let body = self.statements()?;
        self.end()?;
        Ok(Node::While(Box::new(condition), Box::new(body), wanted))
    }

    /// The value behind `break`, `next` and `return`.
    pub fn jump_value(&mut self) -> Parsed<Option<Box<Node>>> {
        self.blanks();
        let none = self.peek().is_none_or(|b| matches!(b, b'}' | b')' | b';' | b'\n'))
            || ["if", "unless", "end"].iter().any(|word| self.at_keyword(word));
        if none { Ok(None) } else { self.expression().map(|value| Some(Box::new(value))) }
    }
}

fn choose(negate: bool, condition: Node, yes: Node, no: Node) -> Node {
    let (yes, no) = if negate { (no, yes) } else { (yes, no) };
    Node::If(Box::new(condition), Box::new(yes), Box::new(no))
}
