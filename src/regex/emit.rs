//! From the tree to the engine's own syntax, once for texts that are all ASCII and once for all others.
//!
//! Nothing of the source is passed on: every character is written anew. Two forms, because most lines are ASCII and the
//! byte-wise form is about twice as fast.

use super::RegexError;
use super::ast::{Assert, Class, Greed, Item, Named, Node, Posix};
use super::check;
use super::class;
use super::gate;
use super::syntax::Syntax;
use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};
use std::fmt::Write;

/// Longer patterns are refused: calls of groups are written out, and could double with each.
const MAX_PATTERN_BYTES: usize = 1 << 20;
/// The engine's limit of `{n}`.
const MAX_REPEAT: u32 = 65_535;

/// An expression in the engine's syntax.
pub(super) struct Emitted {
    /// The text.
    pub pattern: String,
    /// For each group of the source, the numbers of the engine's groups that stand for it.
    pub numbers: Vec<Vec<usize>>,
    /// How many groups the engine has.
    pub count: usize,
}

/// Writes a checked tree.
pub(super) fn emit(syntax: &Syntax, ascii: bool) -> Result<Emitted, RegexError> {
    let groups = syntax.groups.len() + 1;
    let mut emitter = Emitter {
        syntax,
        bodies: check::bodies(syntax),
        recursive: recursive(syntax),
        named: check::has_names(syntax),
        ascii,
        out: String::new(),
        fold: false,
        newline: false,
        looks: 0,
        silent: 0,
        count: 0,
        numbers: vec![Vec::new(); groups],
    };
    emitter.node(&syntax.root)?;
    Ok(Emitted { pattern: emitter.out, numbers: emitter.numbers, count: emitter.count })
}

/// Which groups call themselves, directly or not.
fn recursive(syntax: &Syntax) -> Vec<bool> {
    let bodies = check::bodies(syntax);
    let direct: Vec<Vec<usize>> = bodies
        .iter()
        .map(|body| {
            let mut called = Vec::new();
            if let Some(body) = body {
                check::visit(body, &mut |node| {
                    if let Node::Call { target, at } = node {
                        called.extend(check::callee(syntax, target, *at));
                    }
                });
            }
            called
        })
        .collect();
    (0..bodies.len())
        .map(|group| {
            let mut seen = vec![false; bodies.len()];
            let mut open = direct[group].clone();
            while let Some(next) = open.pop() {
                if !std::mem::replace(&mut seen[next], true) {
                    open.extend(&direct[next]);
                }
            }
            seen[group]
        })
        .collect()
}

struct Emitter<'s> {
    syntax: &'s Syntax,
    bodies: Vec<Option<&'s Node>>,
    recursive: Vec<bool>,
    named: bool,
    ascii: bool,
    out: String,
    /// Whether the text written so far has left case ignored.
    fold: bool,
    /// Whether it has left the dot matching newlines.
    newline: bool,
    /// Look-arounds that are open.
    looks: usize,
    /// Places whose groups do not capture that are open.
    silent: usize,
    count: usize,
    numbers: Vec<Vec<usize>>,
}

impl Emitter<'_> {
    fn node(&mut self, node: &Node) -> Result<(), RegexError> {
        if self.out.len() > MAX_PATTERN_BYTES {
            return Err(RegexError { message: format!("the expression is too big, expected at most {MAX_PATTERN_BYTES} bytes"), at: 0 });
        }
        match node {
            Node::Empty => {}
            Node::Char { char, fold } => self.char(*char, *fold),
            Node::Any { newline } => self.any(*newline),
            Node::Class { class, fold } => self.class(class, *fold),
            Node::Assert(assert) => self.assert(*assert),
            Node::LineBreak => self.out.push_str(r"\R"),
            Node::Grapheme => self.out.push_str(if self.ascii { r"(?>\r\n|(?s:.))" } else { r"\X" }),
            Node::Keep if self.looks > 0 => {
                return Err(RegexError { message: r"\K within a look-around cannot be expressed".to_owned(), at: 0 });
            }
            Node::Keep => self.out.push_str(r"\K"),
            Node::Concat(nodes) => self.concat(nodes)?,
            Node::Alternate(nodes) => self.grouped("(?:", |this| this.alternatives(nodes))?,
            Node::Capture(number, body) => self.capture(*number, body)?,
            Node::Group(node) => self.body("(?:", node)?,
            Node::Atomic(node) => self.body("(?>", node)?,
            Node::Look { behind, negative, node, .. } => {
                self.looks += 1;
                self.body(["(?=", "(?!", "(?<=", "(?<!"][usize::from(*behind) * 2 + usize::from(*negative)], node)?;
                self.looks -= 1;
            }
            Node::Absent(node, at) => self.absent(node, *at)?,
            Node::Repeat { node, min, max, greed } => self.repeat(node, *min, *max, *greed)?,
            Node::BackRef { groups, fold, .. } => self.back_reference(groups, *fold),
            Node::Call { target, at } => {
                let number = check::callee(self.syntax, target, *at)?;
                self.call(number)?;
            }
            Node::Conditional { groups, yes, no, at } => self.conditional(groups, yes, no, *at)?,
        }
        Ok(())
    }

    /// Something between an opening text and `)`; options that it sets end there.
    fn grouped(&mut self, open: &str, inner: impl FnOnce(&mut Self) -> Result<(), RegexError>) -> Result<(), RegexError> {
        let (fold, newline) = (self.fold, self.newline);
        self.out.push_str(open);
        inner(self)?;
        self.out.push(')');
        (self.fold, self.newline) = (fold, newline);
        Ok(())
    }

    /// A group whose alternatives need no group of their own.
    fn body(&mut self, open: &str, node: &Node) -> Result<(), RegexError> {
        self.grouped(open, |this| match node {
            Node::Alternate(nodes) => this.alternatives(nodes),
            other => this.node(other),
        })
    }

    fn alternatives(&mut self, nodes: &[Node]) -> Result<(), RegexError> {
        // What looks behind takes alternatives at its top only.
        if let Some(beginnings) = gate::beginnings(nodes).filter(|_| self.looks == 0) {
            self.grouped("(?=", |this| {
                for (at, beginning) in beginnings.iter().enumerate() {
                    if at > 0 {
                        this.out.push('|');
                    }
                    beginning.iter().try_for_each(|node| this.node(node))?;
                }
                Ok(())
            })?;
            return self.grouped("(?:", |this| this.branches(nodes));
        }
        self.branches(nodes)
    }

    fn branches(&mut self, nodes: &[Node]) -> Result<(), RegexError> {
        for (at, node) in nodes.iter().enumerate() {
            if at > 0 {
                self.out.push('|');
            }
            self.node(node)?;
        }
        Ok(())
    }

    fn concat(&mut self, nodes: &[Node]) -> Result<(), RegexError> {
        let mut rest = nodes;
        while let Some((first, after)) = rest.split_first() {
            rest = after;
            // `ss` without regard to case is also one character in German.
            if let (false, Node::Char { char: 's' | 'S', fold: true }, Some(Node::Char { char: 's' | 'S', fold: true })) =
                (self.ascii, first, after.first())
            {
                self.set_fold(true);
                self.out.push_str(r"(?:ss|\x{df}|\x{1e9e})");
                rest = &after[1..];
                continue;
            }
            self.node(first)?;
        }
        Ok(())
    }

    fn set_fold(&mut self, fold: bool) {
        if self.fold != fold {
            self.out.push_str(if fold { "(?i)" } else { "(?-i)" });
            self.fold = fold;
        }
    }

    /// The dot by an option, not by `\N`, which the engine makes slower code of.
    fn any(&mut self, newline: bool) {
        if self.newline != newline {
            self.out.push_str(if newline { "(?s)" } else { "(?-s)" });
            self.newline = newline;
        }
        self.out.push('.');
    }

    fn char(&mut self, char: char, fold: bool) {
        if fold && matches!(char, 'ß' | 'ẞ') {
            self.set_fold(true);
            self.out.push_str(if self.ascii { "(?:ss)" } else { r"(?:\x{df}|\x{1e9e}|ss)" });
        } else if self.ascii && !char.is_ascii() {
            self.class(&Class::of(Item::Range(char, char)), fold);
        } else {
            // What has no case leaves the option as it is.
            if char.is_ascii_alphabetic() || !char.is_ascii() {
                self.set_fold(fold);
            }
            escape(&mut self.out, char);
        }
    }

    fn assert(&mut self, assert: Assert) {
        /// Below 256 Ruby also counts the raised digits and the fractions.
        const WORD: &str = r"\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{b2}\x{b3}\x{b9}\x{bc}-\x{be}";
        let (negative, ascii) = match assert {
            Assert::WordBoundary { negative, ascii } => (negative, ascii),
            other => {
                return self.out.push_str(match other {
                    Assert::LineStart => "^",
                    Assert::LineEnd => "$",
                    Assert::TextStart => r"\A",
                    Assert::TextEnd => r"\z",
                    Assert::TextEndOrNewline => r"\Z",
                    _ => r"\G",
                });
            }
        };
        if self.ascii {
            return self.out.push_str(if negative { r"\B" } else { r"\b" });
        }
        // The engine's own idea of a word character is not Ruby's.
        let set = if ascii { "0-9A-Z_a-z" } else { WORD };
        self.set_fold(false);
        let _ = if negative {
            write!(self.out, "(?:(?<=[{set}])(?=[{set}])|(?<![{set}])(?![{set}]))")
        } else {
            write!(self.out, "(?:(?<=[{set}])(?![{set}])|(?<![{set}])(?=[{set}]))")
        };
    }

    fn capture(&mut self, number: usize, body: &Node) -> Result<(), RegexError> {
        let silent = self.silent > 0 || (self.named && self.syntax.groups[number - 1].is_none());
        if silent || (!self.named && self.syntax.numbered_reference.is_none() && !self.recursive[number]) {
            return self.body("(?:", body);
        }
        if self.recursive[number] && !self.numbers[number].is_empty() {
            let _ = write!(self.out, "(?&r{number})");
            return Ok(());
        }
        self.count += 1;
        self.numbers[number].push(self.count);
        let open = if self.recursive[number] { format!("(?<r{number}>") } else { "(".to_owned() };
        self.body(&open, body)
    }

    fn call(&mut self, number: usize) -> Result<(), RegexError> {
        match self.bodies[number] {
            _ if number == 0 => self.out.push_str("(?R)"),
            _ if self.recursive[number] => _ = write!(self.out, "(?&r{number})"),
            // Written out, because what a called group captures stays in Ruby.
            Some(body) => self.capture(number, body)?,
            None => {}
        }
        Ok(())
    }

    fn back_reference(&mut self, groups: &[usize], fold: bool) {
        self.set_fold(fold);
        let mut numbers: Vec<usize> = groups.iter().flat_map(|group| self.numbers[*group].iter().copied()).collect();
        if numbers.is_empty() {
            // A group that comes later: then nothing has been written out before it, and its number is its own.
            numbers.extend(groups);
        }
        let alternatives: Vec<String> = numbers.iter().rev().map(|number| format!(r"\g{{{number}}}")).collect();
        let _ = write!(self.out, "(?:{})", alternatives.join("|"));
    }

    fn conditional(&mut self, groups: &[usize], yes: &Node, no: &Node, at: usize) -> Result<(), RegexError> {
        let numbers: Vec<usize> = groups.iter().flat_map(|group| self.numbers[*group].iter().copied()).collect();
        let [number] = numbers[..] else {
            return Err(RegexError { message: "a condition on a group that stands more than once cannot be expressed".to_owned(), at });
        };
        self.grouped(&format!("(?({number})"), |this| {
            this.body("(?:", yes)?;
            this.out.push('|');
            this.body("(?:", no)
        })
    }

    /// `(?~X)`: the longest text that holds no X. A walk to the next X, and from there to just before its end.
    fn absent(&mut self, node: &Node, at: usize) -> Result<(), RegexError> {
        let node = match node {
            // What holds several holds the fewest.
            Node::Repeat { node, min: min @ 1.., .. } => {
                &Node::Repeat { node: node.clone(), min: *min, max: Some(*min), greed: Greed::Greedy }
            }
            other => other,
        };
        if check::can_be_empty(self.syntax, node) {
            self.out.push_str("(?!)");
            return Ok(());
        }
        let width = check::fixed_width(self.syntax, node).ok_or_else(|| RegexError {
            message: "an absent operator (?~...) whose content has no fixed length cannot be expressed".to_owned(),
            at,
        })?;
        self.silent += 1;
        self.looks += 1;
        self.grouped("(?:", |this| {
            this.out.push_str("(?:");
            this.body("(?!", node)?;
            this.out.push_str("(?s:.))*(?:");
            this.body("(?=", node)?;
            let _ = write!(this.out, "(?s:.){{0,{}}})?", width - 1);
            Ok(())
        })?;
        self.silent -= 1;
        self.looks -= 1;
        Ok(())
    }

    fn repeat(&mut self, node: &Node, min: u32, max: Option<u32>, greed: Greed) -> Result<(), RegexError> {
        if min.max(max.unwrap_or(0)) > MAX_REPEAT {
            return Err(RegexError { message: format!("a repetition of more than {MAX_REPEAT} cannot be expressed"), at: 0 });
        }
        let single = match node {
            Node::Char { char, fold } => !(self.ascii && !char.is_ascii() || *fold && matches!(char, 'ß' | 'ẞ')),
            Node::Class { class, fold } => self.ascii_set(class, *fold).is_none_or(|set| !set.ranges().is_empty()),
            Node::Any { .. } | Node::Capture(..) | Node::Group(_) | Node::Atomic(_) | Node::Alternate(_) => true,
            _ => false,
        };
        if single {
            self.node(node)?;
        } else {
            self.body("(?:", node)?;
        }
        let _ = match (min, max) {
            (0, None) => write!(self.out, "*"),
            (1, None) => write!(self.out, "+"),
            (0, Some(1)) => write!(self.out, "?"),
            (min, None) => write!(self.out, "{{{min},}}"),
            (min, Some(max)) if min == max => write!(self.out, "{{{min}}}"),
            (min, Some(max)) => write!(self.out, "{{{min},{max}}}"),
        };
        self.out.push_str(match greed {
            Greed::Greedy => "",
            Greed::Lazy => "?",
            Greed::Possessive => "+",
        });
        Ok(())
    }

    /// The ASCII part of a set, where only that counts.
    fn ascii_set(&self, class: &Class, fold: bool) -> Option<ClassUnicode> {
        self.ascii.then(|| {
            let mut set = class::set(class, fold);
            set.intersect(&ClassUnicode::new([ClassUnicodeRange::new('\0', '\x7f')]));
            set
        })
    }

    fn class(&mut self, class: &Class, fold: bool) {
        if let [items] = class.operands.as_slice()
            && let [Item::Named { set: Named::Ascii(posix @ (Posix::Word | Posix::Digit | Posix::Space)), negative }] = items.as_slice()
        {
            // The option for bytes and the engine's option for ASCII make these Ruby's, but not under `(?i)`, were it a set.
            let at = usize::from(*negative != class.negative);
            return self.out.push_str(match posix {
                Posix::Word if !self.ascii => {
                    self.set_fold(false);
                    return self.out.push_str(["[0-9A-Z_a-z]", "[^0-9A-Z_a-z]"][at]);
                }
                Posix::Word => [r"\w", r"\W"][at],
                Posix::Digit => [r"\d", r"\D"][at],
                _ => [r"\s", r"\S"][at],
            });
        }
        if let Some(mut set) = self.ascii_set(class, fold) {
            let mut rest = ClassUnicode::new([ClassUnicodeRange::new('\0', '\x7f')]);
            rest.difference(&set);
            if set.ranges().is_empty() {
                return self.out.push_str("(?!)");
            }
            if rest.ranges().is_empty() {
                return self.out.push_str("(?s:.)");
            }
            self.set_fold(false);
            let turned = rest.ranges().len() < set.ranges().len();
            if turned {
                set = rest;
            }
            return self.ranges(&set, turned);
        }
        self.set_fold(fold);
        if let Some(text) = symbolic(class, fold) {
            return self.out.push_str(&text);
        }
        let set = class::set(class, fold);
        match set.ranges().is_empty() {
            true => self.out.push_str("(?!)"),
            false => self.ranges(&set, false),
        }
    }

    fn ranges(&mut self, set: &ClassUnicode, negative: bool) {
        self.out.push_str(if negative { "[^" } else { "[" });
        for range in set.ranges() {
            push_range(&mut self.out, range.start(), range.end());
        }
        self.out.push(']');
    }
}

/// A set in the engine's own words, which are shorter and faster than ranges; `None` where it has none.
fn symbolic(class: &Class, fold: bool) -> Option<String> {
    let [items] = class.operands.as_slice() else { return None };
    if items.is_empty() {
        return None;
    }
    let mut out = String::from(if class.negative { "[^" } else { "[" });
    for item in items {
        match item {
            Item::Range(first, last) => push_range(&mut out, *first, *last),
            Item::Named { set, negative } => out.push_str(symbolic_set(set, *negative, fold)?),
            Item::Nested(_) => return None,
        }
    }
    out.push(']');
    Some(out)
}

fn symbolic_set(set: &Named, negative: bool, fold: bool) -> Option<&'static str> {
    Some(match (set, negative) {
        (Named::Ascii(Posix::Digit), false) => r"\d",
        (Named::Ascii(Posix::Digit), true) => r"\D",
        (Named::Ascii(Posix::Space), false) => r"\s",
        (Named::Ascii(Posix::Space), true) => r"\S",
        (Named::Ascii(Posix::Word), false) if !fold => "0-9A-Z_a-z",
        (Named::Ascii(Posix::XDigit), false) => "0-9A-Fa-f",
        (Named::Unicode(Posix::Alpha), false) => r"\p{Alphabetic}",
        (Named::Unicode(Posix::Alpha), true) => r"\P{Alphabetic}",
        (Named::Unicode(Posix::Alnum), false) => r"\p{Alphabetic}\p{Nd}",
        (Named::Unicode(Posix::Digit), false) => r"\p{Nd}",
        (Named::Unicode(Posix::Digit), true) => r"\P{Nd}",
        (Named::Unicode(Posix::Space), false) => r"\p{White_Space}",
        (Named::Unicode(Posix::Space), true) => r"\P{White_Space}",
        (Named::Unicode(Posix::Punct), false) => r"\p{P}$+<=>\^`|~",
        (Named::Unicode(Posix::Word), false) => r"\p{Alphabetic}\p{M}\p{Nd}\p{Pc}",
        (Named::Property(name), false) if name == "l" => r"\p{L}",
        (Named::Property(name), true) if name == "l" => r"\P{L}",
        (Named::Property(name), false) if name == "n" => r"\p{N}",
        (Named::Property(name), false) if name == "p" => r"\p{P}",
        _ => return None,
    })
}

fn push_range(out: &mut String, first: char, last: char) {
    escape(out, first);
    if first != last {
        out.push('-');
        escape(out, last);
    }
}

/// One character, so that it means itself in any place.
fn escape(out: &mut String, char: char) {
    match char {
        '0'..='9' | 'A'..='Z' | 'a'..='z' => out.push(char),
        '!'..='~' => out.extend(['\\', char]),
        other => _ = write!(out, r"\x{{{:x}}}", u32::from(other)),
    }
}
