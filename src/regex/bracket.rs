//! Bracket expressions: `[a-z&&[^aeiou]]`, `[[:alpha:]_-]`, with Ruby's rules of where a hyphen is a hyphen.

use super::RegexError;
use super::ast::{Class, Item, Named, Posix};
use super::syntax::{Charset, Parser};

/// What was read last, so that a hyphen can be told from a range.
enum State {
    Start,
    /// A character that may begin a range.
    Char(char),
    /// `\d` and the like, which may not.
    Set,
    /// A character and a hyphen.
    Range(char),
    /// A whole range, or a set within the set.
    Complete,
}

enum Token {
    Close,
    Open,
    And,
    Hyphen,
    Char(char),
    Set(Item),
}

impl Parser<'_> {
    /// A bracket expression behind its `[`.
    pub(super) fn bracket(&mut self) -> Result<Class, RegexError> {
        self.enter()?;
        let mut class = Class { negative: self.eat("^"), operands: Vec::new() };
        let mut items = Vec::new();
        let mut state = State::Start;
        if self.peek() == Some(']') {
            if !self.closes_later() {
                return Err(self.error("empty char-class"));
            }
            self.at += 1;
            state = State::Char(']');
        }
        loop {
            let token = self.bracket_token()?;
            state = match (token, state) {
                (Token::Close, last) => {
                    finish(last, &mut items);
                    class.operands.push(items);
                    self.depth -= 1;
                    return Ok(class);
                }
                (Token::And, last) => {
                    finish(last, &mut items);
                    class.operands.push(std::mem::take(&mut items));
                    State::Start
                }
                (Token::Open, last) => {
                    // Fluentd: not its doing but Ruby's: `a-` before a set within the set is forgotten.
                    if !matches!(last, State::Range(_)) {
                        finish(last, &mut items);
                    }
                    items.push(Item::Nested(self.bracket()?));
                    State::Complete
                }
                (Token::Set(_), State::Range(_)) => return Err(self.error("char-class value at end of range")),
                (Token::Set(item), last) => {
                    finish(last, &mut items);
                    items.push(item);
                    State::Set
                }
                (Token::Char(char), State::Range(first)) => self.range(first, char, &mut items)?,
                (Token::Char(char), last) => {
                    finish(last, &mut items);
                    State::Char(char)
                }
                (Token::Hyphen, last) => self.hyphen(last, &mut items)?,
            };
        }
    }

    fn range(&self, first: char, last: char, items: &mut Vec<Item>) -> Result<State, RegexError> {
        if last < first {
            return Err(self.error("empty range in char class"));
        }
        items.push(Item::Range(first, last));
        Ok(State::Complete)
    }

    fn hyphen(&self, last: State, items: &mut Vec<Item>) -> Result<State, RegexError> {
        let at_end = self.source[self.at..].starts_with(']') || self.source[self.at..].starts_with("&&");
        Ok(match last {
            State::Start => State::Char('-'),
            State::Range(first) => self.range(first, '-', items)?,
            State::Char(char) if at_end => {
                items.push(Item::Range(char, char));
                State::Char('-')
            }
            State::Char(char) => State::Range(char),
            State::Set if !at_end => return Err(self.error("unmatched range specifier in char-class")),
            State::Set | State::Complete => State::Char('-'),
        })
    }

    fn bracket_token(&mut self) -> Result<Token, RegexError> {
        if let Some(char) = self.pending.pop() {
            return Ok(Token::Char(char));
        }
        if self.eat("&&") {
            return Ok(Token::And);
        }
        if self.source[self.at..].starts_with("[:")
            && let Some(set) = self.posix()?
        {
            return Ok(Token::Set(set));
        }
        match self.next() {
            None => Err(self.error("premature end of char-class")),
            Some(']') => Ok(Token::Close),
            Some('[') => Ok(Token::Open),
            Some('-') => Ok(Token::Hyphen),
            Some('\\') => match self.escaped_item()? {
                Some(item) => Ok(Token::Set(item)),
                None => self.bracket_token(),
            },
            Some(char) => Ok(Token::Char(char)),
        }
    }

    /// `[:name:]`; `None` where it is a set within the set that starts with a colon.
    fn posix(&mut self) -> Result<Option<Item>, RegexError> {
        /// So far Ruby looks for the end before it takes the colon for a colon.
        const LONGEST: usize = 20;
        let rest = &self.source[self.at + 2..];
        let (name, negative) = match rest.strip_prefix('^') {
            Some(name) => (name, true),
            None => (rest, false),
        };
        let Some(length) = name.find(|char: char| !char.is_ascii_alphanumeric()) else { return Ok(None) };
        if !name[length..].starts_with(":]") {
            let near = name.char_indices().take(LONGEST).take_while(|(_, char)| *char != ']').any(|(at, _)| name[at..].starts_with(":]"));
            return if near { Err(self.error("invalid POSIX bracket type")) } else { Ok(None) };
        }
        let set = Posix::parse(&name[..length]).ok_or_else(|| self.error("invalid POSIX bracket type"))?;
        self.at += 2 + usize::from(negative) + length + 2;
        let set = if self.options.charset == Charset::Ascii { Named::Ascii(set) } else { Named::Unicode(set) };
        Ok(Some(Item::Named { set, negative }))
    }

    /// Whether some later `]` closes the bracket, so that the one here is a character.
    fn closes_later(&self) -> bool {
        let mut escaped = false;
        self.source[self.at + 1..].chars().any(|char| {
            let closes = char == ']' && !escaped;
            escaped = char == '\\' && !escaped;
            closes
        })
    }
}

/// Takes a character that began no range.
fn finish(last: State, items: &mut Vec<Item>) {
    match last {
        State::Char(char) => items.push(Item::Range(char, char)),
        // Only reached at the end of the text's last bracket, where a hyphen was taken as a character already.
        State::Range(first) => items.extend([Item::Range(first, first), Item::Range('-', '-')]),
        State::Start | State::Set | State::Complete => {}
    }
}
