//! Where a JSON value inside a configuration ends, character by character, as Fluentd finds it by trying after each one.
//!
//! It only follows the grammar: no value is made. The text it lets through is read by [`super::json`].

/// Arrays and objects nested deeper than this are refused, as Ruby's reader does.
const MAX_NESTING: usize = 100;

/// What came of a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The value goes on.
    More,
    /// It ended with this character.
    Done,
    /// No text that goes on from here is JSON.
    Broken,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before a value; `true` where `]` may stand instead.
    Value(bool),
    /// Before a key; `true` where `}` may stand instead.
    Key(bool),
    Colon,
    After,
    /// In a string; `true` where it is a key.
    Text(bool),
    /// Behind a backslash.
    Escape(bool),
    /// Within `\u`, this many digits to come.
    Unicode(bool, u8),
    Number(Number),
    /// Within `true`, `false` or `null`: what is still to come.
    Word(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Number {
    Minus,
    Zero,
    Digits,
    Dot,
    Fraction,
    Mark,
    Sign,
    Exponent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comment {
    None,
    Slash,
    Line,
    Block,
    BlockStar,
}

/// The state between characters.
#[derive(Clone, Debug)]
pub struct JsonScan {
    open: Vec<char>,
    state: State,
    comment: Comment,
    /// Whether a comma at the outermost level is the last thing on this line.
    comma_on_line: bool,
}

impl JsonScan {
    /// Before the opening bracket.
    pub fn new() -> JsonScan {
        JsonScan { open: Vec::new(), state: State::Value(false), comment: Comment::None, comma_on_line: false }
    }

    /// Whether a `#` here starts a comment: what stands before it would be complete with one closing bracket.
    pub fn comment_allowed(&self) -> bool {
        let complete = match self.state {
            State::After | State::Value(true) | State::Key(true) => true,
            State::Value(false) | State::Key(false) => self.comma_on_line,
            State::Number(number) => number.ends(),
            State::Word("") => true,
            _ => false,
        };
        self.open.len() == 1 && self.comment == Comment::None && complete
    }

    /// A comment was stepped over.
    pub fn comment_seen(&mut self) {
        self.end_scalar();
    }

    /// Embedded Ruby was stepped over; its text is not known here.
    pub fn embedded(&mut self) {
        match self.state {
            State::Value(_) | State::Number(_) | State::Word(_) => self.state = State::After,
            State::Key(_) => self.state = State::Colon,
            _ => {}
        }
    }

    /// Takes the next character.
    pub fn step(&mut self, c: char) -> Step {
        if self.comment != Comment::None {
            return self.in_comment(c);
        }
        if !matches!(c, ' ' | '\t' | '\r') {
            self.comma_on_line = false;
        }
        if c == '/' && !matches!(self.state, State::Text(_) | State::Escape(_) | State::Unicode(..)) {
            self.end_scalar();
            self.comment = Comment::Slash;
            return Step::More;
        }
        match self.state {
            State::Text(key) => self.in_text(c, key),
            State::Escape(key) => match c {
                'u' => self.go(State::Unicode(key, 4)),
                c if (c as u32) < 0x20 => Step::Broken,
                _ => self.go(State::Text(key)),
            },
            State::Unicode(key, 1) if c.is_ascii_hexdigit() => self.go(State::Text(key)),
            State::Unicode(key, left) if c.is_ascii_hexdigit() => self.go(State::Unicode(key, left - 1)),
            State::Unicode(..) => Step::Broken,
            State::Number(number) => match number.step(c) {
                Some(next) => self.go(State::Number(next)),
                None if number.ends() => {
                    self.state = State::After;
                    self.between(c)
                }
                None => Step::Broken,
            },
            State::Word("") => {
                self.state = State::After;
                self.between(c)
            }
            State::Word(rest) if rest.starts_with(c) => self.go(State::Word(&rest[1..])),
            State::Word(_) => Step::Broken,
            State::Value(_) | State::Key(_) | State::Colon | State::After => self.between(c),
        }
    }

    fn go(&mut self, state: State) -> Step {
        self.state = state;
        Step::More
    }

    fn end_scalar(&mut self) {
        match self.state {
            State::Number(number) if number.ends() => self.state = State::After,
            State::Word("") => self.state = State::After,
            _ => {}
        }
    }

    fn in_text(&mut self, c: char, key: bool) -> Step {
        match c {
            '"' => self.go(if key { State::Colon } else { State::After }),
            '\\' => self.go(State::Escape(key)),
            c if (c as u32) < 0x20 => Step::Broken,
            _ => Step::More,
        }
    }

    fn in_comment(&mut self, c: char) -> Step {
        self.comment = match (self.comment, c) {
            (Comment::Slash, '/') => Comment::Line,
            (Comment::Slash, '*') => Comment::Block,
            (Comment::Slash, _) => return Step::Broken,
            (Comment::Line, '\n') => Comment::None,
            (Comment::Block | Comment::BlockStar, '*') => Comment::BlockStar,
            (Comment::BlockStar, '/') => Comment::None,
            (Comment::BlockStar, _) => Comment::Block,
            (other, _) => other,
        };
        Step::More
    }

    /// A character between values.
    fn between(&mut self, c: char) -> Step {
        match (self.state, c) {
            (_, ' ' | '\t' | '\r' | '\n') => Step::More,
            (State::Value(_), '[' | '{') => self.open(c),
            (State::Value(_), '"') => self.go(State::Text(false)),
            (State::Value(_), 't') => self.go(State::Word("rue")),
            (State::Value(_), 'f') => self.go(State::Word("alse")),
            (State::Value(_), 'n') => self.go(State::Word("ull")),
            (State::Value(_), c) if Number::start(c).is_some() => self.go(State::Number(Number::start(c).unwrap_or(Number::Minus))),
            (State::Value(true), ']') | (State::Key(true), '}') => self.close(c),
            (State::Key(_), '"') => self.go(State::Text(true)),
            (State::Colon, ':') => self.go(State::Value(false)),
            (State::After, ',') => {
                self.comma_on_line = self.open.len() == 1;
                self.go(if self.open.last() == Some(&'[') { State::Value(false) } else { State::Key(false) })
            }
            (State::After, ']' | '}') => self.close(c),
            _ => Step::Broken,
        }
    }

    fn open(&mut self, c: char) -> Step {
        if self.open.len() >= MAX_NESTING {
            return Step::Broken;
        }
        self.open.push(c);
        self.go(if c == '[' { State::Value(true) } else { State::Key(true) })
    }

    fn close(&mut self, c: char) -> Step {
        let opened = self.open.pop();
        if opened != Some(if c == ']' { '[' } else { '{' }) {
            return Step::Broken;
        }
        self.state = State::After;
        if self.open.is_empty() { Step::Done } else { Step::More }
    }
}

impl Number {
    fn start(c: char) -> Option<Number> {
        match c {
            '-' => Some(Number::Minus),
            '0' => Some(Number::Zero),
            '1'..='9' => Some(Number::Digits),
            _ => None,
        }
    }

    fn step(self, c: char) -> Option<Number> {
        Some(match (self, c) {
            (Number::Minus, '0') => Number::Zero,
            (Number::Minus, '1'..='9') | (Number::Digits, '0'..='9') => Number::Digits,
            (Number::Zero | Number::Digits, '.') => Number::Dot,
            (Number::Dot | Number::Fraction, '0'..='9') => Number::Fraction,
            (Number::Zero | Number::Digits | Number::Fraction, 'e' | 'E') => Number::Mark,
            (Number::Mark, '+' | '-') => Number::Sign,
            (Number::Mark | Number::Sign | Number::Exponent, '0'..='9') => Number::Exponent,
            _ => return None,
        })
    }

    /// Whether the number may end here.
    fn ends(self) -> bool {
        matches!(self, Number::Zero | Number::Digits | Number::Fraction | Number::Exponent)
    }
}
