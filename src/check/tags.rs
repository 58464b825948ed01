//! Sets of tags, as match patterns describe them, and whether one holds the other. Exact for globs; a `/regexp/` stays opaque.
//!
//! A pattern becomes a small automaton. Whether all tags of some patterns are among those of others is found by walking both at once
//! over the characters that occur in them and one that stands for all others.

use std::collections::{HashSet, VecDeque};

/// How many pairs of states a comparison may visit; beyond that nothing is claimed.
const MAX_STEPS: usize = 20_000;
/// States of one automaton: longer patterns stay opaque.
const MAX_STATES: usize = 2_000;
/// Stands for every character that no pattern names.
const OTHER: char = '\u{10ffff}';

/// A set of tags.
#[derive(Clone, Debug, Default)]
pub struct Tags {
    states: Vec<State>,
    starts: Vec<usize>,
    accepts: Vec<usize>,
    /// Regular expressions that are part of the set, as they are written.
    opaque: Vec<String>,
}

#[derive(Clone, Debug, Default)]
struct State {
    steps: Vec<(On, usize)>,
    free: Vec<(When, usize)>,
}

/// Which characters an edge takes.
#[derive(Clone, Copy, Debug)]
enum On {
    Char(char),
    NotDot,
    Any,
}

/// Under which condition an edge without a character can be taken.
#[derive(Clone, Copy, Debug, PartialEq)]
enum When {
    Always,
    AtStart,
    /// The next character is a dot, or there is none.
    DotNext,
}

/// Where a walk can be: a state, and whether the next character has to be a dot.
type Position = (usize, bool);

impl Tags {
    /// What the argument of a `<match>` or `<filter>` takes.
    pub fn of_patterns(argument: &str) -> Tags {
        let mut tags = Tags::default();
        let argument = if argument.trim().is_empty() { "**" } else { argument };
        for pattern in argument.split_whitespace() {
            match pattern.strip_prefix('/') {
                Some(_) => tags.opaque.push(pattern.to_owned()),
                None => tags.add_glob(pattern),
            }
        }
        tags
    }

    /// All tags.
    pub fn all() -> Tags {
        Tags::of_patterns("**")
    }

    /// What a text becomes whose placeholders can stand for anything: `a.${tag}`, `a.$1`, `__TAG__`.
    pub fn of_template(text: &str) -> Tags {
        let mut tags = Tags::default();
        let mut builder = Builder::new(&mut tags);
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let skipped = placeholder(rest);
            if skipped > 0 {
                builder.repeat(On::Any);
                rest = &rest[skipped..];
            } else {
                builder.step(On::Char(c));
                rest = &rest[c.len_utf8()..];
            }
        }
        builder.end();
        tags
    }

    /// What starts with a text.
    pub fn starting_with(text: &str) -> Tags {
        Tags::of_template(&format!("{text}${{tag}}"))
    }

    /// Adds the tags of another set.
    pub fn add(&mut self, other: &Tags) {
        let shift = self.states.len();
        self.states.extend(other.states.iter().map(|state| State {
            steps: state.steps.iter().map(|(on, to)| (*on, to + shift)).collect(),
            free: state.free.iter().map(|(when, to)| (*when, to + shift)).collect(),
        }));
        self.starts.extend(other.starts.iter().map(|at| at + shift));
        self.accepts.extend(other.accepts.iter().map(|at| at + shift));
        self.opaque.extend(other.opaque.iter().cloned());
    }

    /// Whether regular expressions are part of it, about which little is known.
    pub fn is_opaque(&self) -> bool {
        !self.opaque.is_empty()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty() && self.opaque.is_empty()
    }

    fn add_glob(&mut self, pattern: &str) {
        if pattern.len() >= MAX_STATES / 4 {
            self.opaque.push(pattern.to_owned());
            return;
        }
        Builder::new(self).glob(pattern);
    }

    fn start(&self) -> Vec<Position> {
        self.close(self.starts.iter().map(|at| (*at, false)).collect(), true)
    }

    /// Follows the edges that take no character.
    fn close(&self, from: Vec<Position>, at_start: bool) -> Vec<Position> {
        let mut seen: HashSet<Position> = from.iter().copied().collect();
        let mut open = from;
        while let Some((at, dot)) = open.pop() {
            for (when, to) in &self.states[at].free {
                let next = match when {
                    When::Always => (*to, dot),
                    When::AtStart if at_start => (*to, dot),
                    When::AtStart => continue,
                    When::DotNext => (*to, true),
                };
                if seen.insert(next) {
                    open.push(next);
                }
            }
        }
        let mut closed: Vec<Position> = seen.into_iter().collect();
        closed.sort_unstable();
        closed
    }

    fn after(&self, from: &[Position], c: char) -> Vec<Position> {
        let mut reached: Vec<Position> = Vec::new();
        for (at, dot) in from {
            if *dot && c != '.' {
                continue;
            }
            for (on, to) in &self.states[*at].steps {
                let takes = match on {
                    On::Char(own) => *own == c,
                    On::NotDot => c != '.',
                    On::Any => true,
                };
                if takes && !reached.contains(&(*to, false)) {
                    reached.push((*to, false));
                }
            }
        }
        self.close(reached, false)
    }

    /// The one character that every way from here takes first; `None` where there are several.
    fn only(&self, at: &[Position]) -> Option<char> {
        let mut steps = at.iter().flat_map(|(state, _)| &self.states[*state].steps);
        let (On::Char(first), _) = steps.next()? else { return None };
        steps.all(|(on, _)| matches!(on, On::Char(c) if c == first)).then_some(*first)
    }

    fn accepts(&self, at: &[Position]) -> bool {
        at.iter().any(|(state, _)| self.accepts.contains(state))
    }

    fn characters(&self, into: &mut Vec<char>) {
        for (on, _) in self.states.iter().flat_map(|state| &state.steps) {
            if let On::Char(c) = on
                && !into.contains(c)
            {
                into.push(*c);
            }
        }
    }
}

/// Whether two sets can have a tag in common, as far as the characters tell that their tags begin with.
fn may_meet(one: &Tags, other: &Tags) -> bool {
    if one.is_opaque() || other.is_opaque() {
        return true;
    }
    let (mut left, mut right) = (one.start(), other.start());
    loop {
        if one.accepts(&left) || other.accepts(&right) {
            return true;
        }
        let (Some(c), Some(d)) = (one.only(&left), other.only(&right)) else { return true };
        if c != d {
            return false;
        }
        (left, right) = (one.after(&left, c), other.after(&right, c));
    }
}

/// Whether every tag that is in all of `all` is in one of `any`. `None` where that cannot be told.
pub fn included(all: &[&Tags], any: &[&Tags]) -> Option<bool> {
    let opaque_known = |text: &String| any.iter().any(|tags| tags.opaque.contains(text));
    if let [one] = all
        && one.is_opaque()
        && !one.opaque.iter().all(opaque_known)
    {
        // Only what takes everything holds what an expression matches, as far as is known here.
        return if included(&[&Tags::all()], any)? { Some(true) } else { None };
    }
    if all.len() > 1 && all.iter().any(|tags| tags.is_opaque()) {
        return None;
    }
    // What begins otherwise holds none of them, and is the bulk of it in a large configuration.
    let any: Vec<&Tags> = any.iter().copied().filter(|tags| all.iter().all(|other| may_meet(tags, other))).collect();
    let any = any.as_slice();
    let mut characters = vec!['.', OTHER];
    all.iter().chain(any).for_each(|tags| tags.characters(&mut characters));
    let sides = |tags: &[&Tags]| tags.iter().map(|tags| tags.start()).collect::<Vec<_>>();
    let first = (sides(all), sides(any));
    let mut seen = HashSet::from([first.clone()]);
    let mut open = VecDeque::from([first]);
    while let Some((left, right)) = open.pop_front() {
        let in_all = left.iter().zip(all).all(|(at, tags)| tags.accepts(at));
        if in_all && !right.iter().zip(any).any(|(at, tags)| tags.accepts(at)) {
            return Some(false);
        }
        for c in &characters {
            let step =
                |side: &[Vec<Position>], tags: &[&Tags]| side.iter().zip(tags).map(|(at, tags)| tags.after(at, *c)).collect::<Vec<_>>();
            let next = (step(&left, all), step(&right, any));
            if next.0.iter().any(Vec::is_empty) || seen.contains(&next) {
                continue;
            }
            if seen.len() >= MAX_STEPS {
                return None;
            }
            seen.insert(next.clone());
            open.push_back(next);
        }
    }
    Some(true)
}

/// Whether some tag is in all of these. `None` where that cannot be told.
pub fn overlap(all: &[&Tags]) -> Option<bool> {
    if all.iter().any(|tags| tags.is_opaque()) {
        return None;
    }
    included(all, &[]).map(|included| !included)
}

/// The length of the placeholder at the start of a text; 0 where there is none.
fn placeholder(text: &str) -> usize {
    if let Some(inside) = text.strip_prefix("${") {
        return inside.find('}').map_or(0, |end| end + 3);
    }
    if let Some(inside) = text.strip_prefix('$') {
        let digits = inside.bytes().take_while(u8::is_ascii_digit).count();
        return if digits > 0 { digits + 1 } else { 0 };
    }
    for word in ["__TAG__", "__HOSTNAME__", "%{hostname}"] {
        if text.starts_with(word) {
            return word.len();
        }
    }
    if let Some(inside) = text.strip_prefix("__TAG_PARTS[") {
        return inside.find("]__").map_or(0, |end| end + "__TAG_PARTS[".len() + 3);
    }
    0
}

/// Makes the automaton of one pattern.
struct Builder<'t> {
    tags: &'t mut Tags,
    at: usize,
    /// Where each open brace began, and where its alternatives ended.
    braces: Vec<(usize, Vec<usize>)>,
}

impl<'t> Builder<'t> {
    fn new(tags: &'t mut Tags) -> Builder<'t> {
        tags.states.push(State::default());
        let at = tags.states.len() - 1;
        tags.starts.push(at);
        Builder { tags, at, braces: Vec::new() }
    }

    fn state(&mut self) -> usize {
        self.tags.states.push(State::default());
        self.tags.states.len() - 1
    }

    fn step(&mut self, on: On) {
        let next = self.state();
        self.tags.states[self.at].steps.push((on, next));
        self.at = next;
    }

    fn free(&mut self, when: When) {
        let next = self.state();
        self.tags.states[self.at].free.push((when, next));
        self.at = next;
    }

    fn repeat(&mut self, on: On) {
        self.free(When::Always);
        let at = self.at;
        self.tags.states[at].steps.push((on, at));
    }

    fn end(self) {
        self.tags.accepts.push(self.at);
    }

    /// As the pipeline reads a pattern: a dot waits for what follows, because `.**` matches nothing at all too.
    fn glob(mut self, pattern: &str) {
        let mut rest = pattern;
        let mut dot = false;
        while let Some(c) = rest.chars().next() {
            if let Some(behind) = rest.strip_prefix("**") {
                if std::mem::take(&mut dot) {
                    self.free(When::DotNext);
                }
                rest = match behind.strip_prefix('.') {
                    Some(behind) => {
                        self.parts_before_a_dot();
                        behind
                    }
                    None => {
                        self.repeat(On::Any);
                        behind
                    }
                };
                continue;
            }
            rest = &rest[c.len_utf8()..];
            if std::mem::take(&mut dot) {
                self.step(On::Char('.'));
            }
            match c {
                '.' => dot = true,
                '*' => self.repeat(On::NotDot),
                '\\' => {
                    if let Some(escaped) = rest.chars().next() {
                        rest = &rest[escaped.len_utf8()..];
                        self.step(On::Char(escaped));
                    }
                }
                '{' => self.braces.push((self.at, Vec::new())),
                '}' if !self.braces.is_empty() => self.close_brace(),
                ',' if !self.braces.is_empty() => {
                    let at = self.at;
                    if let Some((start, ends)) = self.braces.last_mut() {
                        ends.push(at);
                        self.at = *start;
                    }
                }
                other => self.step(On::Char(other)),
            }
        }
        while !self.braces.is_empty() {
            self.close_brace();
        }
        self.end();
    }

    /// `**.`: anything that ends with a dot, or nothing at the start of the tag.
    fn parts_before_a_dot(&mut self) {
        let from = self.at;
        self.repeat(On::Any);
        self.step(On::Char('.'));
        let end = self.at;
        self.tags.states[from].free.push((When::AtStart, end));
    }

    fn close_brace(&mut self) {
        let Some((_, mut ends)) = self.braces.pop() else { return };
        ends.push(self.at);
        let join = self.state();
        for end in ends {
            self.tags.states[end].free.push((When::Always, join));
        }
        self.at = join;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn within(inner: &str, outer: &[&str]) -> Option<bool> {
        let outer: Vec<Tags> = outer.iter().map(|pattern| Tags::of_patterns(pattern)).collect();
        included(&[&Tags::of_patterns(inner)], &outer.iter().collect::<Vec<_>>())
    }

    #[test]
    fn patterns_hold_each_other() {
        for (inner, outer) in [
            ("a.b", "a.*"),
            ("a.*", "a.**"),
            ("a", "a.**"),
            ("a.b.c", "a.**.c"),
            ("a.c", "a.**.c"),
            ("x.error", "**.error"),
            ("error", "**.error"),
            ("{a,b}.c", "a.c b.c"),
            ("a.** b", "**"),
            ("*.**", "**"),
            ("**", "*.**"),
            ("a\\*", "a*"),
        ] {
            assert_eq!(within(inner, &[outer]), Some(true), "{inner} in {outer}");
        }
        for (inner, outer) in
            [("a.**", "a.*"), ("ax", "a.**"), ("a.b", "a"), ("**", "a.**"), ("a.*.c", "a.b.*"), ("xerror", "**.error"), ("a*", "a")]
        {
            assert_eq!(within(inner, &[outer]), Some(false), "{inner} in {outer}");
        }
    }

    #[test]
    fn several_patterns_hold_one_together() {
        assert_eq!(within("{a,b}", &["a", "b"]), Some(true));
        assert_eq!(within("a.**", &["a", "a.*", "a.*.**"]), Some(true));
        assert_eq!(within("{a,b,c}", &["a", "b"]), Some(false));
    }

    #[test]
    fn expressions_are_known_by_their_text_only() {
        assert_eq!(within("/a+/", &["/a+/"]), Some(true));
        assert_eq!(within("/a+/", &["**"]), Some(true));
        assert_eq!(within("/a+/", &["a"]), None);
        assert_eq!(within("a", &["/a+/"]), Some(false));
    }

    #[test]
    fn sets_overlap() {
        let overlap = |a: &str, b: &str| overlap(&[&Tags::of_patterns(a), &Tags::of_patterns(b)]);
        assert_eq!(overlap("a.**", "**.b"), Some(true));
        assert_eq!(overlap("a.*", "b.*"), Some(false));
        assert_eq!(overlap("a.*", "*.b"), Some(true));
        assert_eq!(overlap("a", "/a/"), None);
    }

    #[test]
    fn placeholders_stand_for_anything() {
        let within = |template: &str, pattern: &str| included(&[&Tags::of_template(template)], &[&Tags::of_patterns(pattern)]);
        assert_eq!(within("a.${tag}", "a.**"), Some(true));
        assert_eq!(within("a.$1", "a.*"), Some(false));
        assert_eq!(within("b.__TAG__", "a.**"), Some(false));
        assert_eq!(within("${tag_parts[1]}", "**"), Some(true));
    }

    #[test]
    fn patterns_without_end_are_given_up() {
        let long = "{a,b}*".repeat(60);
        assert!(matches!(within(&long, &["**.x"]), Some(false) | None));
    }
}
