//! Many searches of one text, as replacing and splitting need them: what has to be known of the text is found out once.

use super::engine::{Code, Found, thread_time_ns};
use super::{Matched, Program, is_ascii};
use std::cell::Cell;

/// All searches of one text together may take this much processor time.
const MAX_NS: u64 = 1_000_000_000;
/// The clock is read before each search of this number, so that quick ones do not pay for it.
const CLOCK_EVERY: u32 = 16;

/// Searches in one text.
pub struct Searches<'s> {
    program: &'s Program,
    text: &'s [u8],
    /// `None` where the text lacks something that every match contains.
    code: Option<&'s Code>,
    made: Cell<u32>,
    began_ns: Cell<Option<u64>>,
}

impl<'s> Searches<'s> {
    pub(super) fn new(program: &'s Program, text: &'s [u8]) -> Searches<'s> {
        let lacks = program.required.as_ref().is_some_and(|required| required.find(text).is_none());
        let code = (!lacks).then(|| if is_ascii(text) { &program.ascii } else { &program.utf });
        Searches { program, text, code, made: Cell::new(0), began_ns: Cell::new(None) }
    }

    /// Finds the leftmost match at or behind the byte `from` and where all its groups are: the whole match first, then those that
    /// Ruby numbers, which are the named ones where there are any.
    pub fn next_from(&self, from: usize, into: &mut Vec<Option<(usize, usize)>>) -> Matched {
        into.clear();
        let Some(code) = self.code.filter(|_| from <= self.text.len()) else { return Matched::No };
        if self.is_time_over() {
            self.program.say_bounded(self.text.len());
            return Matched::Bounded;
        }
        let found = code.search(self.text, from, |groups| {
            into.push(groups.get(0));
            into.extend(self.program.numbered.iter().map(|numbers| numbers.iter().rev().find_map(|number| groups.get(*number))));
        });
        match found {
            Found::Yes => Matched::Yes,
            Found::No => Matched::No,
            Found::Bounded => {
                self.program.say_bounded(self.text.len());
                Matched::Bounded
            }
        }
    }

    fn is_time_over(&self) -> bool {
        let made = self.made.get() + 1;
        self.made.set(made % CLOCK_EVERY);
        if made < CLOCK_EVERY {
            return false;
        }
        let now = thread_time_ns();
        match self.began_ns.get() {
            Some(began) => now - began > MAX_NS,
            None => {
                self.began_ns.set(Some(now));
                false
            }
        }
    }
}
