//! Calls: what follows a value or a name, arguments with and without parentheses, blocks.

use super::expression::call;
use super::{Parsed, Parser};
use crate::ruby::ast::{Block, BlockArgument, Call, Node, Parameter};
use std::sync::Arc;

/// Words that an argument without parentheses cannot start with.
const NO_ARGUMENT: &[&str] =
    &["if", "unless", "while", "until", "and", "or", "then", "do", "rescue", "end", "else", "elsif", "when", "in", "ensure"];

/// Arguments, and the value of `&block`.
pub(super) type Arguments = (Vec<Node>, Option<Node>);

impl Parser<'_> {
    /// What follows a value: `.method`, `&.method`, `[index]`, `::Name`.
    pub fn postfix(&mut self, mut node: Node) -> Parsed<Node> {
        loop {
            self.link()?;
            let behind = self.pos;
            if self.peek() == Some(b'[') || (matches!(node, Node::Local(_) | Node::Instance(_)) && self.spaced_bracket()) {
                self.blanks();
                self.pos += 1;
                let (arguments, _) = self.arguments_until("]")?;
                node = call(Some(node), "[]", arguments);
                continue;
            }
            if self.starts("::") {
                self.pos += 2;
                node = match node {
                    Node::Const(outer) if self.word().starts_with(char::is_uppercase) && self.peek_at(self.word().len()) != Some(b'(') => {
                        let name = format!("{outer}::{}", self.word());
                        self.pos += self.word().len();
                        Node::Const(name.into())
                    }
                    receiver => self.method(receiver, false)?,
                };
                continue;
            }
            // A line may start with the dot that continues the one before.
            self.lines();
            let safe = self.starts("&.");
            if !safe && (self.peek() != Some(b'.') || self.peek_at(1) == Some(b'.')) {
                self.pos = behind;
                return Ok(node);
            }
            self.pos += 1 + usize::from(safe);
            self.lines();
            node = self.method(node, safe)?;
        }
    }

    fn spaced_bracket(&self) -> bool {
        let blanks = self.bytes[self.pos..].iter().take_while(|b| **b == b' ').count();
        self.peek_at(blanks) == Some(b'[')
    }

    /// The name behind a dot, with arguments and block.
    fn method(&mut self, receiver: Node, safe: bool) -> Parsed<Node> {
        if self.peek() == Some(b'(') {
            return self.call_rest(Some(receiver), "call".to_owned(), safe);
        }
        let mut name = self.word().to_owned();
        self.pos += name.len();
        if name.is_empty() {
            let operator = ["+", "-", "*", "/", "%", "==", "<<"].iter().find(|op| self.starts(op)).ok_or_else(|| self.unexpected())?;
            self.pos += operator.len();
            name = (*operator).to_owned();
        } else if let Some(mark @ (b'?' | b'!')) = self.peek()
            && (self.peek_at(1) != Some(b'=') || self.peek_at(2) == Some(b'='))
        {
            self.pos += 1;
            name.push(mark as char);
        }
        self.call_rest(Some(receiver), name, safe)
    }

    /// Arguments and block behind a name.
    pub fn call_rest(&mut self, receiver: Option<Node>, name: String, safe: bool) -> Parsed<Node> {
        let mut bare = true;
        let (arguments, passed) = if self.peek() == Some(b'(') {
            self.pos += 1;
            bare = false;
            self.arguments_until(")")?
        } else if self.at_open_argument(receiver.is_none()) {
            bare = false;
            self.blanks();
            self.open_arguments()?
        } else {
            (Vec::new(), None)
        };
        let mut block = passed.map(|value| BlockArgument::Pass(Box::new(value)));
        let behind = self.pos;
        self.blanks();
        let braces = self.peek() == Some(b'{');
        if block.is_none() && (braces || (!self.no_do && self.at_keyword("do"))) {
            let lambda = receiver.is_none() && name == "lambda";
            block = Some(BlockArgument::Literal(Arc::new(self.deeper(|parser| parser.block(lambda))?)));
            bare = false;
        } else {
            self.pos = behind;
        }
        Ok(Node::Call(Box::new(Call { receiver, name: name.into(), arguments, block, safe, bare })))
    }

    /// Whether an argument follows without parentheses: a blank, then something that can only start a value.
    fn at_open_argument(&self, function: bool) -> bool {
        let blanks = self.bytes[self.pos..].iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
        if blanks == 0 {
            return false;
        }
        let (first, second) = (self.peek_at(blanks), self.peek_at(blanks + 1));
        let tight = second.is_some_and(|b| !b.is_ascii_whitespace() && b != b'=');
        match first {
            Some(b'"' | b'\'' | b'@' | b'$' | b'0'..=b'9') => true,
            Some(b':') => second.is_some_and(|b| b.is_ascii_alphabetic() || b == b'"' || b == b'_'),
            Some(b'[') => function,
            Some(b'/' | b'%') => tight,
            Some(b'-') => function && tight,
            Some(b) if b.is_ascii_alphabetic() || b == b'_' || b >= 0x80 => {
                let ahead = &self.bytes[self.pos + blanks..];
                let end = ahead.iter().position(|b| !b.is_ascii_alphanumeric() && *b != b'_').unwrap_or(ahead.len());
                !NO_ARGUMENT.iter().any(|word| word.as_bytes() == &ahead[..end])
            }
            _ => false,
        }
    }

    fn open_arguments(&mut self) -> Parsed<Arguments> {
        let mut all = ArgumentList::default();
        loop {
            self.deeper(|parser| parser.argument(&mut all))?;
            self.blanks();
            if !self.skip(",") {
                return Ok(all.done());
            }
            self.lines();
        }
    }

    /// Arguments or items up to a closing bracket, which is stepped over.
    pub fn arguments_until(&mut self, close: &str) -> Parsed<Arguments> {
        let mut all = ArgumentList::default();
        let no_do = std::mem::take(&mut self.no_do);
        loop {
            self.lines();
            if self.skip(close) {
                break;
            }
            self.deeper(|parser| parser.argument(&mut all))?;
            self.lines();
            if !self.skip(",") {
                self.expect(close)?;
                break;
            }
        }
        self.no_do = no_do;
        Ok(all.done())
    }

    fn argument(&mut self, all: &mut ArgumentList) -> Parsed<()> {
        if self.skip("**") {
            let value = self.unary()?;
            all.pairs.push((None, value));
        } else if self.peek() == Some(b'*') {
            self.pos += 1;
            let value = self.range()?;
            all.items.push(Node::Splat(Box::new(value)));
        } else if self.peek() == Some(b'&') && self.peek_at(1) != Some(b'&') {
            self.pos += 1;
            all.block = Some(self.unary()?);
        } else if let Some(label) = self.label()? {
            self.lines();
            let value = self.expression()?;
            all.pairs.push((Some(label), value));
        } else {
            let value = if self.at_keyword("not") { self.words()? } else { self.expression()? };
            self.blanks();
            if self.skip("=>") {
                self.lines();
                let second = self.expression()?;
                all.pairs.push((Some(value), second));
            } else {
                all.items.push(value);
            }
        }
        Ok(())
    }

    /// A block at its `{` or `do`.
    pub fn block(&mut self, lambda: bool) -> Parsed<Block> {
        let close = if self.skip("{") { "}" } else { "end" };
        if close == "end" {
            self.keyword("do");
        }
        self.lines();
        let known = self.names.len();
        let parameters = if self.skip("||") {
            Some(Vec::new())
        } else if self.skip("|") {
            Some(self.parameters(b'|')?)
        } else {
            None
        };
        self.block_body(parameters, known, close, lambda)
    }

    /// The body of a block or lambda up to `close`.
    pub fn block_body(&mut self, parameters: Option<Vec<Parameter>>, known: usize, close: &str, lambda: bool) -> Parsed<Block> {
        let implicit = parameters.is_none();
        if implicit {
            let first = self.new_slot();
            self.new_slot();
            self.implicit.push((first, [false; 2]));
        }
        let no_do = std::mem::take(&mut self.no_do);
        let body = if close == "end" { self.guarded()? } else { self.statements()? };
        self.no_do = no_do;
        let mut parameters = parameters.unwrap_or_default();
        if implicit && let Some((first, used)) = self.implicit.pop() {
            let count = if used[1] { 2 } else { usize::from(used[0]) };
            parameters.extend((0..count).map(|at| Parameter::Plain(first + at, None)));
        }
        self.blank_lines();
        if close == "end" && !self.keyword("end") {
            return Err(self.error("syntax error, expecting 'end'"));
        }
        if close == "}" {
            self.expect("}")?;
        }
        self.names.truncate(known);
        Ok(Block { parameters, body, lambda })
    }

    /// Parameters up to `close`, which is stepped over.
    pub fn parameters(&mut self, close: u8) -> Parsed<Vec<Parameter>> {
        let mut all = Vec::new();
        loop {
            self.lines();
            if self.peek() == Some(close) {
                self.pos += 1;
                return Ok(all);
            }
            all.push(self.deeper(Self::parameter)?);
            self.lines();
            if !self.skip(",") && self.peek() != Some(close) {
                return Err(self.unexpected());
            }
        }
    }

    fn parameter(&mut self) -> Parsed<Parameter> {
        if self.skip("(") {
            return Ok(Parameter::Tuple(self.parameters(b')')?));
        }
        if self.starts("&") || self.starts("**") {
            return Err(self.unsupported("a block or keyword parameter"));
        }
        let rest = self.skip("*");
        let name = self.word().to_owned();
        self.pos += name.len();
        if rest {
            return Ok(Parameter::Rest((!name.is_empty()).then(|| self.shadow(&name))));
        }
        if name.is_empty() {
            return Err(self.unexpected());
        }
        if self.peek() == Some(b':') {
            return Err(self.unsupported("a keyword parameter"));
        }
        let slot = self.shadow(&name);
        self.blanks();
        let default = if self.skip("=") { Some(self.unary()?) } else { None };
        Ok(Parameter::Plain(slot, default))
    }
}

#[derive(Default)]
struct ArgumentList {
    items: Vec<Node>,
    pairs: Vec<(Option<Node>, Node)>,
    block: Option<Node>,
}

impl ArgumentList {
    fn done(mut self) -> Arguments {
        if !self.pairs.is_empty() {
            self.items.push(Node::Hash(self.pairs));
        }
        (self.items, self.block)
    }
}
