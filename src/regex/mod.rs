//! Ruby regular expressions: Ruby's syntax read into a tree of our own, and the choice of the engine that runs it.
//!
//! Matching is on bytes that are nearly always UTF-8, and the work per match is bounded. The way of an expression: `syntax` (with
//! `escape` and `bracket`) reads it, `check` refuses what makes no sense as a whole, `literal` looks for a text that every match
//! contains, `emit` writes the tree in the engine's syntax, `engine` runs it. What cannot be expressed is refused by name.

mod ast;
mod bracket;
mod check;
mod class;
mod doubts;
mod emit;
mod engine;
mod escape;
mod gate;
mod literal;
mod none_of;
mod pieces;
mod searches;
mod syntax;
#[cfg(test)]
mod tests;

pub use doubts::{Doubt, doubts};
pub use engine::{Counters, counters, within};
pub use none_of::NoneOf;
pub use pieces::{Piece, alternatives, inside};
pub use searches::Searches;

use engine::{Code, Found};
use memchr::memmem::Finder;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The letters behind the last slash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// `/i`.
    pub ignore_case: bool,
    /// `/m`: the dot matches newlines.
    pub multi_line: bool,
    /// `/x`.
    pub extended: bool,
}

/// Why an expression was refused: what is wrong and at which byte of its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegexError {
    /// What is wrong; names the construct that cannot be expressed.
    pub message: String,
    /// Byte offset into the source.
    pub at: usize,
}

impl std::fmt::Display for RegexError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for RegexError {}

/// What came of a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matched {
    /// It matches.
    Yes,
    /// It does not.
    No,
    /// Undecided: the bound on the work or the stack was hit. Counted and said; the caller goes on as with `No`.
    Bounded,
}

/// What the bytes of a text are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextKind {
    /// ASCII.
    Ascii,
    /// UTF-8.
    Utf8,
    /// Neither.
    Bytes,
}

impl TextKind {
    /// Looks at a text, once for all expressions that it is searched by.
    pub fn of(text: &[u8]) -> TextKind {
        match text {
            _ if is_ascii(text) => TextKind::Ascii,
            _ if simdutf8::basic::from_utf8(text).is_ok() => TextKind::Utf8,
            _ => TextKind::Bytes,
        }
    }
}

/// A compiled expression; shared between threads.
#[derive(Clone, Debug)]
pub struct Regex(Arc<Program>);

#[derive(Debug)]
struct Program {
    source: String,
    flags: Flags,
    names: Vec<String>,
    /// For each name the engine's groups that carry it.
    groups: Vec<Numbers>,
    /// The groups that Ruby numbers, and the engine's groups that each became.
    numbered: Vec<Vec<usize>>,
    numbered_names: Vec<Option<String>>,
    required: Option<Finder<'static>>,
    ascii: Code,
    utf: Code,
    /// How often a match was given up.
    bounded: AtomicU64,
}

/// The engine's groups that carry one name.
#[derive(Debug)]
enum Numbers {
    One(usize),
    /// The last first.
    Several(Vec<usize>),
}

impl Numbers {
    fn new(mut numbers: Vec<usize>) -> Numbers {
        if let [one] = numbers[..] {
            return Numbers::One(one);
        }
        numbers.sort_unstable_by(|a, b| b.cmp(a));
        Numbers::Several(numbers)
    }

    /// Where the last of them is that took part.
    #[inline]
    fn find(&self, groups: &engine::Groups) -> Option<(usize, usize)> {
        match self {
            Numbers::One(number) => groups.get(*number),
            Numbers::Several(numbers) => numbers.iter().find_map(|number| groups.get(*number)),
        }
    }
}

/// Where the named groups matched: byte ranges by the index of the name. Reused from match to match.
#[derive(Clone, Debug, Default)]
pub struct Captures {
    /// One entry a name of [`Regex::names`]; `None` where the group took no part.
    pub groups: Vec<Option<(usize, usize)>>,
}

impl Regex {
    /// Compiles Ruby syntax.
    pub fn new(source: &str, flags: Flags) -> Result<Regex, RegexError> {
        Regex::of_syntax(source, flags, syntax::parse(source, flags)?)
    }

    /// Compiles Ruby syntax so that groups without names can be asked for too, by [`Searches::next_from`].
    pub fn with_groups(source: &str, flags: Flags) -> Result<Regex, RegexError> {
        let mut syntax = syntax::parse(source, flags)?;
        if !syntax.groups.is_empty() && syntax.groups.iter().all(Option::is_none) {
            // As though the expression itself referred to them: else they need not be told apart.
            syntax.numbered_reference = syntax.numbered_reference.max(Some(1));
        }
        Regex::of_syntax(source, flags, syntax)
    }

    fn of_syntax(source: &str, flags: Flags, syntax: syntax::Syntax) -> Result<Regex, RegexError> {
        check::check(&syntax)?;
        let mut minds_start = false;
        check::visit(&syntax.root, &mut |node| minds_start |= *node == ast::Node::Assert(ast::Assert::SearchStart));
        let ascii = emit::emit(&syntax, true)?;
        let utf = emit::emit(&syntax, false)?;
        let mut names: Vec<String> = Vec::new();
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for (name, numbers) in syntax.groups.iter().zip(&utf.numbers[1..]) {
            let Some(name) = name else { continue };
            let at = names.iter().position(|known| known == name).unwrap_or_else(|| {
                names.push(name.clone());
                groups.push(Vec::new());
                names.len() - 1
            });
            groups[at].extend(numbers);
        }
        // Where groups have names, those without are not numbered.
        let numbered = syntax.groups.iter().zip(&utf.numbers[1..]).filter(|(name, _)| names.is_empty() || name.is_some());
        let (numbered_names, numbered) = numbered.map(|(name, numbers)| (name.clone(), numbers.clone())).unzip();
        let groups = groups.into_iter().map(Numbers::new).collect();
        Ok(Regex(Arc::new(Program {
            source: source.to_owned(),
            flags,
            names,
            groups,
            numbered,
            numbered_names,
            required: literal::required(&syntax.root),
            ascii: Code::new(&ascii.pattern, false, minds_start, ascii.count)?,
            utf: Code::new(&utf.pattern, true, minds_start, utf.count)?,
            bounded: AtomicU64::new(0),
        })))
    }

    /// Compiles a parameter of type `regexp`: `/re/im`, or a bare expression.
    pub fn from_literal(text: &str) -> Result<Regex, RegexError> {
        let (source, flags) = split_literal(text)?;
        Regex::new(source, flags)
    }

    /// The source, without slashes.
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// The letters it was compiled with.
    pub fn flags(&self) -> Flags {
        self.0.flags
    }

    /// The names of the groups in order of first appearance, each once.
    pub fn names(&self) -> &[String] {
        &self.0.names
    }

    /// Whether it matches anywhere.
    pub fn is_match(&self, text: &[u8]) -> Matched {
        self.find(text).1
    }

    /// Finds the leftmost match: the bytes of the whole of it.
    pub fn find(&self, text: &[u8]) -> (Option<(usize, usize)>, Matched) {
        let mut whole = None;
        let matched = self.search(text, 0, |groups| whole = groups.get(0));
        (whole, matched)
    }

    /// Finds the leftmost match and where its named groups are (a repeated name: the last group that took part).
    pub fn captures(&self, text: &[u8], into: &mut Captures) -> Matched {
        into.groups.clear();
        self.search(text, 0, |groups| {
            into.groups.extend(self.0.groups.iter().map(|numbers| numbers.find(groups)));
        })
    }

    /// Finds the leftmost match in a text of known kind, and hands over where each of its named groups is, by the index of the name;
    /// `None` where it took no part. In what is no text any byte is a character, so that what is no UTF-8 can match too.
    pub fn named_groups(&self, text: &[u8], kind: TextKind, mut group: impl FnMut(usize, Option<(usize, usize)>)) -> Matched {
        let by_bytes = || kind == TextKind::Ascii || (kind == TextKind::Bytes && self.0.source.is_ascii());
        self.search_by(text, 0, by_bytes, |groups| {
            for (at, numbers) in self.0.groups.iter().enumerate() {
                group(at, numbers.find(groups));
            }
        })
    }

    /// Finds the leftmost match at or behind the byte `from` and where all its groups are, as [`Searches::next_from`] does.
    pub fn groups_from(&self, text: &[u8], from: usize, into: &mut Vec<Option<(usize, usize)>>) -> Matched {
        self.searches(text).next_from(from, into)
    }

    /// Searches one text again and again, for all its matches.
    pub fn searches<'s>(&'s self, text: &'s [u8]) -> Searches<'s> {
        Searches::new(&self.0, text)
    }

    /// The names of the groups that [`Searches::next_from`] gives behind the whole match; `None` for those without.
    pub fn numbered_names(&self) -> &[Option<String>] {
        &self.0.numbered_names
    }

    fn search(&self, text: &[u8], from: usize, groups: impl FnOnce(&engine::Groups)) -> Matched {
        self.search_by(text, from, || is_ascii(text), groups)
    }

    fn search_by(&self, text: &[u8], from: usize, by_bytes: impl FnOnce() -> bool, groups: impl FnOnce(&engine::Groups)) -> Matched {
        let program = &*self.0;
        if let Some(required) = &program.required
            && required.find(text).is_none()
        {
            return Matched::No;
        }
        let code = if by_bytes() { &program.ascii } else { &program.utf };
        match code.search(text, from, groups) {
            Found::Yes => Matched::Yes,
            Found::No => Matched::No,
            Found::Bounded => {
                program.say_bounded(text.len());
                Matched::Bounded
            }
        }
    }
}

impl Program {
    /// Warns at the first time and then ever more rarely: a hostile sender must not fill the log too.
    fn say_bounded(&self, length: usize) {
        let times = self.bounded.fetch_add(1, Ordering::Relaxed) + 1;
        if times.is_power_of_two() {
            crate::warning!(
                "a regular expression took too long and was given up, which counts as no match: expression=/{}/ text_bytes={length} times={times}",
                self.source
            );
        }
    }
}

/// Looks at all bytes at once, without a way out in the middle, which the compiler makes vector code of.
fn is_ascii(text: &[u8]) -> bool {
    text.iter().fold(0, |all, byte| all | byte) < 0x80
}

/// The expression and the letters of a parameter of type `regexp`; refused where its last slash is missing.
pub fn split_literal(text: &str) -> Result<(&str, Flags), RegexError> {
    if !text.starts_with('/') {
        return Ok((text, Flags::default()));
    }
    let slash = text.rfind('/').unwrap_or(0);
    let letters = &text[slash + 1..];
    if letters.chars().count() > 2 {
        return Err(RegexError { message: format!("invalid regexp: missing right slash: {text}"), at: 0 });
    }
    // Fluentd: other letters are passed over.
    let flags = Flags { ignore_case: letters.contains('i'), multi_line: letters.contains('m'), extended: false };
    Ok((text.get(1..slash).unwrap_or(""), flags))
}
