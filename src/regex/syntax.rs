//! Ruby's grammar of regular expressions: text to tree. What Ruby refuses is refused here, in Ruby's words.
//!
//! Escapes are in `escape`, bracket expressions in `bracket`. Whether a tree makes sense as a whole is `check`'s business.

use super::ast::{Assert, Class, Greed, Item, Named, Node, Posix};
use super::{Flags, RegexError};

/// Groups within groups; deeper ones are refused rather than recursed into.
const MAX_DEPTH: usize = 250;
/// Ruby's own limit of `{n}`.
const MAX_REPEAT: u32 = 100_000;

/// Which characters `\w` and the POSIX brackets mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Charset {
    /// `\w` is ASCII, the brackets are Unicode.
    Default,
    /// `(?a)`: all is ASCII.
    Ascii,
    /// `(?u)`: all is Unicode.
    Unicode,
}

/// The options in force at some place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options {
    pub ignore_case: bool,
    pub multi_line: bool,
    pub extended: bool,
    pub charset: Charset,
}

/// A tree with its groups.
pub(super) struct Syntax {
    /// The whole expression.
    pub root: Node,
    /// The name of each group; the first is group 1.
    pub groups: Vec<Option<String>>,
    /// Whether an unnamed group is referred to by its number.
    pub numbered_reference: Option<usize>,
}

/// Reads an expression.
pub(super) fn parse(source: &str, flags: Flags) -> Result<Syntax, RegexError> {
    let options =
        Options { ignore_case: flags.ignore_case, multi_line: flags.multi_line, extended: flags.extended, charset: Charset::Default };
    let mut parser = Parser { source, at: 0, options, groups: Vec::new(), depth: 0, numbered_reference: None, pending: Vec::new() };
    let root = parser.alternation()?;
    match parser.peek() {
        None => Ok(Syntax { root, groups: parser.groups, numbered_reference: parser.numbered_reference }),
        Some(_) => Err(parser.error("unmatched close parenthesis")),
    }
}

/// Reads a text from left to right.
pub(super) struct Parser<'s> {
    pub(super) source: &'s str,
    pub(super) at: usize,
    pub(super) options: Options,
    pub(super) groups: Vec<Option<String>>,
    pub(super) depth: usize,
    pub(super) numbered_reference: Option<usize>,
    /// Further characters of a `\u{...}` within brackets.
    pub(super) pending: Vec<char>,
}

impl Parser<'_> {
    pub(super) fn peek(&self) -> Option<char> {
        self.source[self.at..].chars().next()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let char = self.peek()?;
        self.at += char.len_utf8();
        Some(char)
    }

    pub(super) fn eat(&mut self, text: &str) -> bool {
        let found = self.source[self.at..].starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    pub(super) fn error(&self, message: impl Into<String>) -> RegexError {
        RegexError { message: message.into(), at: self.at }
    }

    pub(super) fn enter(&mut self) -> Result<(), RegexError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error(format!("too deep nest level: groups within more than {MAX_DEPTH} others")));
        }
        Ok(())
    }

    fn alternation(&mut self) -> Result<Node, RegexError> {
        let mut branches = vec![self.branch()?];
        while self.eat("|") {
            branches.push(self.branch()?);
        }
        Ok(if branches.len() == 1 { branches.remove(0) } else { Node::Alternate(branches) })
    }

    fn branch(&mut self) -> Result<Node, RegexError> {
        let mut nodes = Vec::new();
        loop {
            self.skip_trivia()?;
            match self.peek() {
                None | Some('|' | ')') => break,
                Some('*' | '+' | '?') => return Err(self.error("target of repeat operator is not specified")),
                Some('{') if self.interval()?.is_some() => return Err(self.error("target of repeat operator is not specified")),
                Some(_) => {}
            }
            let first = nodes.len();
            self.atom(&mut nodes)?;
            if nodes.len() > first {
                self.quantifiers(&mut nodes)?;
            }
        }
        Ok(match nodes.len() {
            0 => Node::Empty,
            1 => nodes.remove(0),
            _ => Node::Concat(nodes),
        })
    }

    /// Skips comments, and blanks under `/x`.
    fn skip_trivia(&mut self) -> Result<(), RegexError> {
        loop {
            if self.source[self.at..].starts_with("(?#") {
                self.comment()?;
                continue;
            }
            match self.peek() {
                Some(' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c') if self.options.extended => self.at += 1,
                Some('#') if self.options.extended => {
                    let rest = &self.source[self.at..];
                    self.at += rest.find('\n').map_or(rest.len(), |end| end + 1);
                }
                _ => return Ok(()),
            }
        }
    }

    fn comment(&mut self) -> Result<(), RegexError> {
        self.at += 3;
        loop {
            match self.next() {
                None => return Err(self.error("end pattern in group")),
                Some('\\') => _ = self.next(),
                Some(')') => return Ok(()),
                Some(_) => {}
            }
        }
    }

    /// Reads one atom; several characters where it is a `\u{...}` list, none where it is an option that holds to the end of the group.
    fn atom(&mut self, into: &mut Vec<Node>) -> Result<(), RegexError> {
        let node = match self.next() {
            Some('(') => return self.group(into),
            Some('[') => {
                let class = self.bracket()?;
                Node::Class { class, fold: self.options.ignore_case }
            }
            Some('.') => Node::Any { newline: self.options.multi_line },
            Some('^') => Node::Assert(Assert::LineStart),
            Some('$') => Node::Assert(Assert::LineEnd),
            Some('\\') => return self.escape(into),
            Some(char) => self.char(char),
            None => Node::Empty,
        };
        into.push(node);
        Ok(())
    }

    pub(super) fn char(&self, char: char) -> Node {
        Node::Char { char, fold: self.options.ignore_case }
    }

    /// The set of `\w` and the like under the present options.
    pub(super) fn shorthand(&self, set: Posix) -> Named {
        if self.options.charset == Charset::Unicode && set != Posix::XDigit { Named::Unicode(set) } else { Named::Ascii(set) }
    }

    pub(super) fn class_of(&self, set: Named, negative: bool) -> Node {
        Node::Class { class: Class::of(Item::Named { set, negative }), fold: self.options.ignore_case }
    }

    /// Applies what quantifiers follow to the last node.
    fn quantifiers(&mut self, nodes: &mut Vec<Node>) -> Result<(), RegexError> {
        loop {
            self.skip_trivia()?;
            let start = self.at;
            let (min, max, fixed) = match self.peek() {
                Some('*') => (0, None, None),
                Some('+') => (1, None, None),
                Some('?') => (0, Some(1), None),
                Some('{') => match self.interval()? {
                    Some((min, max, end)) => {
                        self.at = end;
                        (min, max, Some(max == Some(min)))
                    }
                    None => return Ok(()),
                },
                _ => return Ok(()),
            };
            if fixed.is_none() {
                self.at += 1;
            }
            let Some(node) = nodes.pop() else { return Ok(()) };
            let repeat = |node, min, max, greed| Node::Repeat { node: Box::new(node), min, max, greed };
            nodes.push(match fixed {
                // Ruby reads `{n}?` as a greedy option of the whole.
                Some(true) if self.eat("?") => repeat(repeat(node, min, max, Greed::Greedy), 0, Some(1), Greed::Greedy),
                _ if self.eat("?") => repeat(node, min, max, Greed::Lazy),
                None if self.eat("+") => repeat(node, min, max, Greed::Possessive),
                _ => repeat(node, min, max, Greed::Greedy),
            });
            self.depth_of_quantifiers(start)?;
        }
    }

    /// A row of quantifiers nests as groups do.
    fn depth_of_quantifiers(&self, start: usize) -> Result<(), RegexError> {
        const MAX_ROW: usize = 20;
        let row = self.source[..start].bytes().rev().take_while(|byte| b"*+?".contains(byte)).count();
        if row > MAX_ROW {
            return Err(self.error(format!("too many quantifiers in a row, expected at most {MAX_ROW}")));
        }
        Ok(())
    }

    /// The `{n,m}` that starts here and where it ends; `None` where the brace is only a brace.
    fn interval(&self) -> Result<Option<(u32, Option<u32>, usize)>, RegexError> {
        let inner = &self.source[self.at + 1..];
        let Some(end) = inner.find('}') else { return Ok(None) };
        let (low, high) = match inner[..end].split_once(',') {
            Some((low, high)) => (low, Some(high)),
            None => (&inner[..end], None),
        };
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let empty = low.is_empty() && high.is_none_or(str::is_empty);
        if empty || !digits(low) || !high.is_none_or(digits) {
            return Ok(None);
        }
        let number = |text: &str| match text.parse::<u32>() {
            Ok(number) if number <= MAX_REPEAT => Ok(number),
            _ => Err(self.error("too big number for repeat range")),
        };
        let min = if low.is_empty() { 0 } else { number(low)? };
        let max = match high {
            None => Some(min),
            Some("") => None,
            Some(high) => Some(number(high)?),
        };
        if max.is_some_and(|max| max < min) {
            return Err(self.error("upper is smaller than lower in repeat range"));
        }
        Ok(Some((min, max, self.at + 1 + end + 1)))
    }

    /// What follows an opening parenthesis.
    fn group(&mut self, into: &mut Vec<Node>) -> Result<(), RegexError> {
        self.enter()?;
        let at = self.at - 1;
        let outer = self.options;
        let look = |behind, negative, node| Node::Look { behind, negative, node, at };
        let node = if !self.eat("?") {
            self.capture(None)?
        } else if self.eat(":") {
            Node::Group(self.inner()?)
        } else if self.eat("=") {
            look(false, false, self.inner()?)
        } else if self.eat("!") {
            look(false, true, self.inner()?)
        } else if self.eat(">") {
            Node::Atomic(self.inner()?)
        } else if self.eat("~") {
            Node::Absent(self.inner()?, at)
        } else if self.eat("<=") {
            look(true, false, self.inner()?)
        } else if self.eat("<!") {
            look(true, true, self.inner()?)
        } else if self.eat("<") {
            let name = self.name('>')?;
            self.capture(Some(name))?
        } else if self.eat("'") {
            let name = self.name('\'')?;
            self.capture(Some(name))?
        } else if self.eat("(") {
            self.conditional(at)?
        } else if self.options()? {
            Node::Group(self.inner()?)
        } else {
            // An option that holds to the end of the group, alternatives included.
            let rest = self.alternation()?;
            self.options = outer;
            self.depth -= 1;
            into.push(Node::Group(Box::new(rest)));
            return Ok(());
        };
        self.options = outer;
        self.depth -= 1;
        into.push(node);
        Ok(())
    }

    /// The rest of a group and its closing parenthesis.
    fn inner(&mut self) -> Result<Box<Node>, RegexError> {
        let node = self.alternation()?;
        if self.eat(")") { Ok(Box::new(node)) } else { Err(self.error("end pattern with unmatched parenthesis")) }
    }

    fn capture(&mut self, name: Option<String>) -> Result<Node, RegexError> {
        self.groups.push(name);
        let number = self.groups.len();
        Ok(Node::Capture(number, self.inner()?))
    }

    /// The name of a group up to `end`.
    fn name(&mut self, end: char) -> Result<String, RegexError> {
        let rest = &self.source[self.at..];
        let length = rest.find([end, ')']).unwrap_or(rest.len());
        let name = rest[..length].to_owned();
        if rest.is_empty() {
            return Err(self.error("end pattern in group"));
        }
        if name.is_empty() && rest.starts_with(end) {
            return Err(self.error("group name is empty"));
        }
        if !rest[length..].starts_with(end) || name.starts_with(|first: char| first.is_ascii_digit() || first == '-') {
            return Err(self.error(format!("invalid group name <{name}>")));
        }
        self.at += length + 1;
        Ok(name)
    }

    /// `(?(1)yes|no)` behind its second parenthesis.
    fn conditional(&mut self, at: usize) -> Result<Node, RegexError> {
        let rest = &self.source[self.at..];
        let invalid = || RegexError { message: "invalid conditional pattern".to_owned(), at };
        let end = rest.find(')').ok_or_else(invalid)?;
        let inner = &rest[..end];
        let quoted =
            inner.strip_prefix('<').and_then(|name| name.strip_suffix('>')).or(inner.strip_prefix('\'').and_then(|n| n.strip_suffix('\'')));
        let groups = match (quoted, inner.parse::<usize>()) {
            (None, Ok(number)) => self.numbered(number)?,
            (Some(name), _) => self.referred(name)?,
            _ => return Err(invalid()),
        };
        self.at += end + 1;
        let (yes, no) = match *self.inner()? {
            Node::Alternate(mut branches) if branches.len() == 2 => {
                let no = branches.pop().unwrap_or(Node::Empty);
                (branches.pop().unwrap_or(Node::Empty), no)
            }
            Node::Alternate(_) => return Err(invalid()),
            yes => (yes, Node::Empty),
        };
        Ok(Node::Conditional { groups, yes: Box::new(yes), no: Box::new(no), at })
    }

    /// The letters of `(?im-x:` or `(?im-x)`. True where a colon ends them.
    fn options(&mut self) -> Result<bool, RegexError> {
        let mut on = true;
        let mut any = false;
        loop {
            match self.next() {
                None => return Err(self.error("end pattern in group")),
                Some('-') => on = false,
                Some('i') => self.options.ignore_case = on,
                Some('m') => self.options.multi_line = on,
                Some('x') => self.options.extended = on,
                Some('a') if on => self.options.charset = Charset::Ascii,
                Some('u') if on => self.options.charset = Charset::Unicode,
                Some('d') if on => self.options.charset = Charset::Default,
                Some(':') if any => return Ok(true),
                Some(')') if any => return self.end_of_options(),
                Some(_) => return Err(self.error("undefined group option")),
            }
            any = true;
        }
    }

    /// The group's own parenthesis is closed; what it changes ends with the group around it.
    fn end_of_options(&mut self) -> Result<bool, RegexError> {
        Ok(false)
    }
}
