//! Regular expressions as values, and what they match.

use super::value::{Outcome, raised};
use crate::regex::{Flags, Matched, Regex, Searches};
use std::rc::Rc;
use std::sync::Arc;

/// A compiled regular expression with its source and letters.
#[derive(Debug)]
pub struct Regexp {
    regex: Regex,
    /// The source, without slashes.
    pub source: String,
    flags: Flags,
}

/// The byte ranges of all groups of a match; the first is the whole match.
pub type Groups = Vec<Option<(usize, usize)>>;

impl Regexp {
    /// Compiles an expression with the letters behind its last slash.
    pub fn new(source: &str, letters: &str) -> Result<Regexp, String> {
        let flags = Flags { ignore_case: letters.contains('i'), multi_line: letters.contains('m'), extended: letters.contains('x') };
        let regex = Regex::with_groups(source, flags).map_err(|error| format!("{}: /{source}/", error.message))?;
        Ok(Regexp { regex, source: source.to_owned(), flags })
    }

    /// One that is compiled already.
    pub fn of(regex: Regex) -> Regexp {
        Regexp { source: regex.source().to_owned(), flags: regex.flags(), regex }
    }

    /// Finds the leftmost match at or behind `from`.
    pub fn search(&self, text: &[u8], from: usize) -> Outcome<Option<Groups>> {
        self.next_of(&self.searches(text), from)
    }

    /// For all matches in a text, one after another by [`Regexp::next_of`].
    pub fn searches<'s>(&'s self, text: &'s [u8]) -> Searches<'s> {
        self.regex.searches(text)
    }

    /// Finds the leftmost match at or behind `from`.
    pub fn next_of(&self, searches: &Searches<'_>, from: usize) -> Outcome<Option<Groups>> {
        let mut groups = Vec::new();
        match searches.next_from(from, &mut groups) {
            Matched::Yes => Ok(Some(groups)),
            Matched::No => Ok(None),
            Matched::Bounded => Err(raised("RegexpError", format!("/{}/ takes too long", self.source))),
        }
    }

    /// Names of groups with their numbers, in order.
    pub fn names(&self) -> Vec<(String, usize)> {
        let names = self.regex.numbered_names().iter().enumerate();
        names.filter_map(|(at, name)| Some((name.clone()?, at + 1))).collect()
    }

    /// `inspect`: `/source/im`.
    pub fn inspect(&self) -> String {
        format!("/{}/{}", self.source, self.letters())
    }

    /// `to_s`: `(?i-mx:source)`.
    pub fn to_s(&self) -> String {
        let (on, off) = (self.letters(), self.missing());
        let dash = if off.is_empty() { "" } else { "-" };
        format!("(?{on}{dash}{off}:{})", self.source)
    }

    fn letters(&self) -> String {
        let all = [('m', self.flags.multi_line), ('i', self.flags.ignore_case), ('x', self.flags.extended)];
        all.iter().filter(|(_, on)| *on).map(|(letter, _)| letter).collect()
    }

    fn missing(&self) -> String {
        let all = [('m', self.flags.multi_line), ('i', self.flags.ignore_case), ('x', self.flags.extended)];
        all.iter().filter(|(_, on)| !*on).map(|(letter, _)| letter).collect()
    }
}

/// A match: the text as it was, and where the groups are.
#[derive(Debug)]
pub struct MatchData {
    /// The text that was searched.
    pub text: Rc<[u8]>,
    /// Where the groups are.
    pub groups: Groups,
    /// What was searched for.
    pub regexp: Arc<Regexp>,
}

impl MatchData {
    /// The text of a group by its number.
    pub fn group(&self, number: usize) -> Option<&[u8]> {
        let (start, end) = (*self.groups.get(number)?)?;
        self.text.get(start..end)
    }

    /// The text of a group by its name: of several of one name, the last that took part.
    pub fn named(&self, name: &str) -> Outcome<Option<&[u8]>> {
        let names = self.regexp.names();
        let mut known = names.iter().filter(|(other, _)| other == name).peekable();
        if known.peek().is_none() {
            return Err(raised("IndexError", format!("undefined group name reference: {name}")));
        }
        Ok(known.rev().find_map(|(_, number)| self.group(*number)))
    }
}
