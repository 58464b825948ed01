//! Statements and operators, from the loosest to the tightest.

use super::{Parsed, Parser};
use crate::ruby::ast::{Begin, Call, Node, Rescue};

/// Binary operators that are method calls, loosest first; those on one line bind alike.
const LEVELS: &[&[&str]] =
    &[&["<=>", "===", "==", "=~", "!=", "!~"], &["<=", ">=", "<", ">"], &["|", "^"], &["&"], &["<<", ">>"], &["+", "-"], &["*", "/", "%"]];
/// Operators of `x op= y`.
const UPDATES: &[&str] = &["||", "&&", "**", "<<", ">>", "+", "-", "*", "/", "%", "|", "&", "^"];
/// Words that end a run of statements.
const ENDS: &[&str] = &["end", "else", "elsif", "when", "in", "rescue", "ensure", "then", "do"];

/// A call without block.
pub(super) fn call(receiver: Option<Node>, name: &str, arguments: Vec<Node>) -> Node {
    Node::Call(Box::new(Call { receiver, name: name.into(), arguments, block: None, safe: false, bare: false }))
}

impl Parser<'_> {
    /// Statements up to a closing bracket, a word that ends them, or the end.
    pub fn statements(&mut self) -> Parsed<Node> {
        let mut all = Vec::new();
        loop {
            self.blank_lines();
            if self.peek().is_none_or(|b| matches!(b, b'}' | b')' | b']')) || ENDS.iter().any(|word| self.at_keyword(word)) {
                break;
            }
            self.link()?;
            all.push(self.deeper(Self::statement)?);
            self.blanks();
            let closed = self.peek().is_none_or(|b| matches!(b, b'}' | b')' | b']' | b';' | b'\n' | b'#'));
            if !closed && !ENDS.iter().any(|word| self.at_keyword(word)) {
                return Err(self.unexpected());
            }
        }
        Ok(match all.len() {
            0 => Node::Nil,
            1 => all.pop().unwrap_or(Node::Nil),
            _ => Node::Sequence(all),
        })
    }

    /// An expression with `and`, `or` and modifiers behind it.
    pub fn statement(&mut self) -> Parsed<Node> {
        let mut node = self.words()?;
        loop {
            self.blanks();
            self.link()?;
            if self.keyword("if") {
                let condition = self.words()?;
                node = Node::If(Box::new(condition), Box::new(node), Box::new(Node::Nil));
            } else if self.keyword("unless") {
                let condition = self.words()?;
                node = Node::If(Box::new(condition), Box::new(Node::Nil), Box::new(node));
            } else if self.keyword("while") {
                let condition = self.words()?;
                node = Node::While(Box::new(condition), Box::new(node), true);
            } else if self.keyword("until") {
                let condition = self.words()?;
                node = Node::While(Box::new(condition), Box::new(node), false);
            } else if self.keyword("rescue") {
                node = self.rescue_modifier(node)?;
            } else {
                return Ok(node);
            }
        }
    }

    fn rescue_modifier(&mut self, body: Node) -> Parsed<Node> {
        let instead = self.words()?;
        let rescues = vec![Rescue { classes: Vec::new(), name: None, body: instead }];
        Ok(Node::Begin(Box::new(Begin { body, rescues, otherwise: None, ensure: None })))
    }

    /// `not`, `and`, `or`.
    pub fn words(&mut self) -> Parsed<Node> {
        let mut left = self.negated()?;
        loop {
            self.blanks();
            let and = self.at_keyword("and");
            if !self.keyword("and") && !self.keyword("or") {
                return Ok(left);
            }
            self.link()?;
            self.lines();
            let right = self.negated()?;
            left = if and { Node::And(Box::new(left), Box::new(right)) } else { Node::Or(Box::new(left), Box::new(right)) };
        }
    }

    fn negated(&mut self) -> Parsed<Node> {
        self.blanks();
        if self.keyword("not") {
            return Ok(Node::Not(Box::new(self.deeper(Self::negated)?)));
        }
        if let Some(node) = self.many()? {
            return Ok(node);
        }
        self.expression()
    }

    /// `a, b = ...`.
    fn many(&mut self) -> Parsed<Option<Node>> {
        let start = self.pos;
        let mut names = Vec::new();
        loop {
            let name = self.word();
            if name.is_empty() || !name.starts_with(|c: char| c.is_lowercase() || c == '_') {
                break;
            }
            self.pos += name.len();
            names.push(name);
            self.blanks();
            if !self.skip(",") {
                break;
            }
            self.blanks();
        }
        if names.len() < 2 || self.peek() != Some(b'=') || matches!(self.peek_at(1), Some(b'=' | b'~' | b'>')) {
            self.pos = start;
            return Ok(None);
        }
        self.pos += 1;
        self.lines();
        let mut values = vec![self.expression()?];
        while self.skip_comma() {
            values.push(self.expression()?);
        }
        let value = if values.len() == 1 { values.pop().unwrap_or(Node::Nil) } else { Node::Array(values) };
        let targets = names.into_iter().map(|name| Node::Local(self.declare(name))).collect();
        Ok(Some(Node::SetMany(targets, Box::new(value))))
    }

    fn skip_comma(&mut self) -> bool {
        self.blanks();
        let found = self.skip(",");
        if found {
            self.lines();
        }
        found
    }

    /// Assignments and everything that binds tighter.
    pub fn expression(&mut self) -> Parsed<Node> {
        self.deeper(|parser| {
            parser.blanks();
            let left = parser.ternary()?;
            parser.blanks();
            if parser.peek() == Some(b'=') && !matches!(parser.peek_at(1), Some(b'=' | b'~' | b'>')) {
                let target = parser.target(left)?;
                parser.pos += 1;
                parser.lines();
                let value = parser.expression()?;
                let value = parser.rescued(value)?;
                return Ok(assign(target, value));
            }
            let update = UPDATES
                .iter()
                .find(|op| parser.starts(op) && parser.peek_at(op.len()) == Some(b'=') && parser.peek_at(op.len() + 1) != Some(b'='));
            let Some(update) = update else { return Ok(left) };
            let target = parser.target(left)?;
            parser.pos += update.len() + 1;
            parser.lines();
            let value = parser.expression()?;
            Ok(Node::Update(Box::new(target), (*update).into(), Box::new(value)))
        })
    }

    /// `x = value rescue other`: the `rescue` belongs to the value.
    fn rescued(&mut self, value: Node) -> Parsed<Node> {
        self.blanks();
        if self.keyword("rescue") { self.rescue_modifier(value) } else { Ok(value) }
    }

    /// What can stand left of `=`.
    fn target(&mut self, node: Node) -> Parsed<Node> {
        match node {
            Node::Local(_) | Node::Instance(_) => Ok(node),
            Node::Call(call) if call.receiver.is_none() && call.bare && !call.name.ends_with(['?', '!']) => {
                let slot = self.declare(&call.name);
                Ok(Node::Local(slot))
            }
            Node::Call(call)
                if call.receiver.is_some() && call.block.is_none() && (&*call.name == "[]" || (call.bare && call.arguments.is_empty())) =>
            {
                Ok(Node::Call(call))
            }
            _ => Err(self.unexpected()),
        }
    }

    fn ternary(&mut self) -> Parsed<Node> {
        let condition = self.range()?;
        self.blanks();
        if self.peek() != Some(b'?') {
            return Ok(condition);
        }
        self.pos += 1;
        self.lines();
        let yes = self.deeper(Self::ternary_side)?;
        self.lines();
        self.expect(":")?;
        self.lines();
        let no = self.deeper(Self::ternary_side)?;
        Ok(Node::If(Box::new(condition), Box::new(yes), Box::new(no)))
    }

    fn ternary_side(&mut self) -> Parsed<Node> {
        self.expression()
    }

    /// `from..to` and everything that binds tighter.
    pub fn range(&mut self) -> Parsed<Node> {
        if self.starts("..") {
            let exclusive = self.skip("...");
            if !exclusive {
                self.pos += 2;
            }
            let to = self.or()?;
            return Ok(Node::Range(None, Some(Box::new(to)), exclusive));
        }
        let from = self.or()?;
        self.blanks();
        if !self.starts("..") {
            return Ok(from);
        }
        let exclusive = self.skip("...");
        if !exclusive {
            self.pos += 2;
        }
        self.blanks();
        let endless = self.peek().is_none_or(|b| matches!(b, b')' | b']' | b'}' | b',' | b';' | b'\n')) || self.at_keyword("then");
        let to = if endless { None } else { Some(Box::new(self.or()?)) };
        Ok(Node::Range(Some(Box::new(from)), to, exclusive))
    }

    fn or(&mut self) -> Parsed<Node> {
        let mut left = self.and()?;
        loop {
            self.blanks();
            if !self.starts("||") || self.peek_at(2) == Some(b'=') {
                return Ok(left);
            }
            self.pos += 2;
            self.link()?;
            self.lines();
            left = Node::Or(Box::new(left), Box::new(self.and()?));
        }
    }

    fn and(&mut self) -> Parsed<Node> {
        let mut left = self.defined()?;
        loop {
            self.blanks();
            if !self.starts("&&") || self.peek_at(2) == Some(b'=') {
                return Ok(left);
            }
            self.pos += 2;
            self.link()?;
            self.lines();
            left = Node::And(Box::new(left), Box::new(self.defined()?));
        }
    }

    fn defined(&mut self) -> Parsed<Node> {
        self.blanks();
        // The whole name with its question mark: `defined?` is no method.
        if self.word() == "defined" && self.peek_at(7) == Some(b'?') {
            self.pos += 8;
            return Ok(Node::Defined(Box::new(self.deeper(Self::unary)?)));
        }
        self.binary(0)
    }

    fn binary(&mut self, level: usize) -> Parsed<Node> {
        let Some(operators) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.binary(level + 1)?;
        loop {
            self.blanks();
            let Some(operator) = operators.iter().find(|op| self.at_operator(op)) else { return Ok(left) };
            self.pos += operator.len();
            self.link()?;
            self.lines();
            let right = self.binary(level + 1)?;
            left = match *operator {
                "!=" => Node::Not(Box::new(call(Some(left), "==", vec![right]))),
                "!~" => Node::Not(Box::new(call(Some(left), "=~", vec![right]))),
                name => call(Some(left), name, vec![right]),
            };
        }
    }

    /// Whether this very operator is here, and not a longer one that starts alike.
    fn at_operator(&self, operator: &str) -> bool {
        let (next, after) = (self.peek_at(operator.len()), self.peek_at(operator.len() + 1));
        self.starts(operator)
            && match operator {
                "<" => next != Some(b'<') && next != Some(b'='),
                ">" => next != Some(b'>') && next != Some(b'='),
                "<=" => next != Some(b'>'),
                "==" => next != Some(b'='),
                "&" => !matches!(next, Some(b'&' | b'.' | b'=')),
                "|" => !matches!(next, Some(b'|' | b'=')),
                "*" => !matches!(next, Some(b'*' | b'=')),
                "+" | "-" | "/" | "%" | "^" => next != Some(b'='),
                "<<" | ">>" => next != Some(b'='),
                "!=" | "!~" | "=~" | "<=>" | "===" | ">=" => true,
                _ => after.is_some(),
            }
    }

    /// Signs, `!`, `~` and powers.
    pub fn unary(&mut self) -> Parsed<Node> {
        self.blanks();
        match self.peek() {
            Some(b'!') => {
                self.pos += 1;
                let inner = self.deeper(Self::unary)?;
                Ok(Node::Not(Box::new(inner)))
            }
            Some(b'~') => {
                self.pos += 1;
                let inner = self.deeper(Self::unary)?;
                Ok(call(Some(inner), "~", Vec::new()))
            }
            Some(b'-') if self.peek_at(1) == Some(b'>') => self.power(),
            // A number's sign belongs to it, but not before a power: -2 ** 2 is -(2 ** 2).
            Some(b'-') if self.peek_at(1).is_some_and(|b| b.is_ascii_digit()) => {
                self.pos += 1;
                let number = self.number()?;
                self.blanks();
                if self.starts("**") {
                    let power = self.power_of(number)?;
                    return Ok(call(Some(power), "-@", Vec::new()));
                }
                let negative = match number {
                    Node::Int(number) => Node::Int(-number),
                    Node::Float(number) => Node::Float(-number),
                    other => other,
                };
                let whole = self.postfix(negative)?;
                self.power_of(whole)
            }
            Some(sign @ (b'-' | b'+')) => {
                self.pos += 1;
                let inner = self.deeper(Self::unary)?;
                Ok(call(Some(inner), if sign == b'-' { "-@" } else { "+@" }, Vec::new()))
            }
            _ => self.power(),
        }
    }

    fn power(&mut self) -> Parsed<Node> {
        let base = self.primary()?;
        self.power_of(base)
    }

    fn power_of(&mut self, base: Node) -> Parsed<Node> {
        self.blanks();
        if !self.starts("**") || self.peek_at(2) == Some(b'=') {
            return Ok(base);
        }
        self.pos += 2;
        self.lines();
        let exponent = self.deeper(Self::unary)?;
        Ok(call(Some(base), "**", vec![exponent]))
    }
}

/// An assignment to what [`Parser::target`] has checked.
fn assign(target: Node, value: Node) -> Node {
    match target {
        Node::Local(slot) => Node::SetLocal(slot, Box::new(value)),
        Node::Instance(slot) => Node::SetInstance(slot, Box::new(value)),
        Node::Call(mut target) => {
            target.name = if &*target.name == "[]" { "[]=".into() } else { format!("{}=", target.name).into() };
            target.arguments.push(value);
            target.bare = false;
            Node::Call(target)
        }
        other => other,
    }
}
