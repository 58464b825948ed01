//! How far a pattern gets in a line that it does not match: its longest leading part that does, and what comes next.

use crate::parser::grok::Library;
use crate::regex::{Flags, Matched, Piece, Regex, alternatives, inside};
use std::collections::HashMap;

/// So many cuts are tried for one line; what is found until then is said.
const MAX_TRIES: usize = 300;
/// References and groups are opened so deep.
const MAX_DEPTH: usize = 8;
/// Compiled beginnings that are kept for the next lines.
const MAX_KEPT: usize = 2000;

/// Where a pattern stops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// The beginning of the pattern that matches; references that it stops in are opened. May be empty.
    pub leading: String,
    /// What stands behind it in the pattern and does not match.
    pub next: String,
    /// The byte of the line behind the match of the beginning.
    pub at: usize,
}

/// Looks for the stops of one pattern in one line after the other.
pub struct Longest<'p> {
    source: &'p str,
    flags: Flags,
    /// Where the references of a grok pattern lead to; `None` for an expression.
    library: Option<&'p Library>,
    compiled: HashMap<String, Option<Regex>>,
    tries: usize,
}

impl<'p> Longest<'p> {
    /// For a pattern or an expression without slashes.
    pub fn new(source: &'p str, flags: Flags, library: Option<&'p Library>) -> Longest<'p> {
        Longest { source, flags, library, compiled: HashMap::new(), tries: 0 }
    }

    /// Where the pattern stops in a line that it does not match.
    pub fn stop(&mut self, line: &[u8]) -> Stop {
        self.tries = MAX_TRIES;
        if self.compiled.len() > MAX_KEPT {
            self.compiled.clear();
        }
        self.within("", 0, self.source, line, 0)
    }

    /// As [`Longest::stop`], for `text` behind a beginning that matches up to `at`. Of several alternatives the one that comes furthest.
    fn within(&mut self, base: &str, at: usize, text: &str, line: &[u8], depth: usize) -> Stop {
        let mut best: Option<Stop> = None;
        for pieces in alternatives(text) {
            let stop = self.along(base, at, text, &pieces, line, depth);
            if best.as_ref().is_none_or(|best| stop.at > best.at) {
                best = Some(stop);
            }
        }
        best.unwrap_or_else(|| Stop { leading: base.to_owned(), next: text.to_owned(), at })
    }

    /// Along one alternative: a beginning that matches has only beginnings that match, so that the longest is found by halving.
    fn along(&mut self, base: &str, mut at: usize, text: &str, pieces: &[Piece], line: &[u8], depth: usize) -> Stop {
        let Some(first) = pieces.first().map(|piece| piece.start) else {
            return Stop { leading: base.to_owned(), next: String::new(), at };
        };
        let (mut low, mut high) = (0, pieces.len());
        while low < high {
            let middle = (low + high).div_ceil(2);
            match self.end_of(format!("{base}{}", &text[first..pieces[middle - 1].end]), line) {
                Some(end) => (low, at) = (middle, end),
                None => high = middle - 1,
            }
        }
        let Some(piece) = pieces.get(low) else {
            return Stop { leading: format!("{base}{}", &text[first..pieces[low - 1].end]), next: String::new(), at };
        };
        let leading = format!("{base}{}", &text[first..piece.start]);
        let next = &text[piece.start..piece.end];
        // Opened only where that brings it further: otherwise the reference says more than what it stands for.
        if depth < MAX_DEPTH
            && !piece.repeated
            && let Some(opened) = self.open(next)
        {
            let deeper = self.within(&leading, at, &opened, line, depth + 1);
            if deeper.at > at {
                return deeper;
            }
        }
        Stop { leading, next: next.to_owned(), at }
    }

    /// What a reference or a group holds. In a grok pattern only what has references of its own.
    fn open(&self, piece: &str) -> Option<String> {
        let Some(library) = self.library else { return inside(piece).map(str::to_owned) };
        let reference = piece.strip_prefix("%{").and_then(|rest| rest.strip_suffix('}'));
        let opened = match reference {
            Some(reference) => library.meaning(reference.split(':').next().unwrap_or_default())?,
            None => inside(piece)?,
        };
        opened.contains("%{").then(|| opened.to_owned())
    }

    /// The end of the match of a beginning; `None` where it does not match, compile, or may not be tried any more.
    fn end_of(&mut self, beginning: String, line: &[u8]) -> Option<usize> {
        self.tries = self.tries.checked_sub(1)?;
        let (library, flags) = (self.library, self.flags);
        let regex = self.compiled.entry(beginning).or_insert_with_key(|beginning| {
            let expression = match library {
                Some(library) => library.expand(beginning).ok()?.expression,
                None => beginning.clone(),
            };
            Regex::new(&expression, flags).ok()
        });
        match regex.as_ref()?.find(line) {
            (Some((_, end)), Matched::Yes) => Some(end),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parser::grok::Series;

    fn stop(pattern: &str, library: Option<&Library>, line: &str) -> (String, String, usize) {
        let Stop { leading, next, at } = Longest::new(pattern, Flags::default(), library).stop(line.as_bytes());
        (leading, next, at)
    }

    fn is(leading: &str, next: &str, at: usize) -> (String, String, usize) {
        (leading.to_owned(), next.to_owned(), at)
    }

    #[test]
    fn expressions_stop_at_their_first_element_that_fails() {
        assert_eq!(stop(r"^\d+ (?<a>\w+)=x", None, "12 ab=y"), is(r"^\d+ (?<a>\w+)=", "x", 6));
        assert_eq!(stop(r"^\d+ (?<a>abc)x", None, "12 abd"), is(r"^\d+ ab", "c", 5));
        assert_eq!(stop(r"^a(?:x|by|bcd)$", None, "abce"), is("^abc", "d", 3));
        assert_eq!(stop(r"^z", None, "abc"), is("^", "z", 0));
        assert_eq!(stop(r"ax|abz", None, "aby"), is("ab", "z", 2));
    }

    #[test]
    fn grok_patterns_stop_at_references_and_within_them() {
        let library = Library::new(Series::Legacy);
        let stop = |pattern, line| stop(pattern, Some(&library), line);
        assert_eq!(stop("^%{IP:ip} %{WORD:w} %{INT:n}", "1.2.3.4 GET x"), is("^%{IP:ip} %{WORD:w} ", "%{INT:n}", 12));
        assert_eq!(stop("%{IP:ip} x", "nothing"), is("", "%{IP:ip}", 0));
        let (leading, next, at) = stop("^%{HTTPDATE:t}$", "10/Oct/2000:13:55:36");
        assert!(leading.starts_with("^%{MONTHDAY}/%{MONTH}/%{YEAR}:") && !next.is_empty() && at > 11, "{leading} {next} {at}");
    }

    #[test]
    fn hostile_patterns_are_given_up_after_some_tries() {
        let pattern = "(?:a|".repeat(30) + "b" + &")c".repeat(30);
        let mut longest = Longest::new(&pattern, Flags::default(), None);
        longest.stop(b"aaaa");
        assert!(longest.compiled.len() <= MAX_TRIES);
    }
}
