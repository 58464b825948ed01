//! The tree of a Ruby regular expression, as its grammar has it: options are resolved, names are not yet.

/// One element of an expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    /// Matches the empty text.
    Empty,
    /// One character; `fold` ignores its case.
    Char {
        /// The character.
        char: char,
        /// Whether case is ignored.
        fold: bool,
    },
    /// The dot.
    Any {
        /// Whether it matches a newline too.
        newline: bool,
    },
    /// One character of a set.
    Class {
        /// The set.
        class: Class,
        /// Whether case is ignored.
        fold: bool,
    },
    /// A place, not a character.
    Assert(Assert),
    /// `\R`.
    LineBreak,
    /// `\X`.
    Grapheme,
    /// `\K`.
    Keep,
    /// One after the other.
    Concat(Vec<Node>),
    /// The first that fits.
    Alternate(Vec<Node>),
    /// A group with a number of its own; plain groups stop capturing where the expression has a name.
    Capture(usize, Box<Node>),
    /// `(?:...)` and the scope of options: only a bracket.
    Group(Box<Node>),
    /// `(?>...)`.
    Atomic(Box<Node>),
    /// `(?=...)`, `(?!...)`, `(?<=...)`, `(?<!...)`.
    Look {
        /// Whether it looks to the left.
        behind: bool,
        /// Whether it must not match.
        negative: bool,
        /// What is looked for.
        node: Box<Node>,
        /// Where it stands.
        at: usize,
    },
    /// `(?~...)`.
    Absent(Box<Node>, usize),
    /// A quantifier.
    Repeat {
        /// What is repeated.
        node: Box<Node>,
        /// At least so often.
        min: u32,
        /// At most so often.
        max: Option<u32>,
        /// Which number is tried first.
        greed: Greed,
    },
    /// `\k<name>`, `\1`.
    BackRef {
        /// The groups of that name or number that stood before it.
        groups: Vec<usize>,
        /// Whether case is ignored.
        fold: bool,
        /// Where it stands.
        at: usize,
    },
    /// `\g<name>`.
    Call {
        /// Which group.
        target: Target,
        /// Where it stands.
        at: usize,
    },
    /// `(?(1)yes|no)`.
    Conditional {
        /// One of these groups must have taken part.
        groups: Vec<usize>,
        /// Then this.
        yes: Box<Node>,
        /// Else this.
        no: Box<Node>,
        /// Where it stands.
        at: usize,
    },
}

/// Which number of repetitions is tried first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Greed {
    /// The most.
    Greedy,
    /// The least.
    Lazy,
    /// The most, and nothing else.
    Possessive,
}

/// A group that is referred to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// By its number, from 1; 0 is the whole expression.
    Number(usize),
    /// By its name.
    Name(String),
}

/// A place in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Assert {
    /// `^`.
    LineStart,
    /// `$`.
    LineEnd,
    /// `\A`.
    TextStart,
    /// `\z`.
    TextEnd,
    /// `\Z`.
    TextEndOrNewline,
    /// `\G`.
    SearchStart,
    /// `\b`; `ascii` under `(?a)`.
    WordBoundary {
        /// Whether it is the opposite, `\B`.
        negative: bool,
        /// Whether only ASCII counts as a word.
        ascii: bool,
    },
}

/// A set of characters: the intersection of unions, perhaps turned round.
#[derive(Clone, Debug, PartialEq, Default)]
pub(super) struct Class {
    /// Whether it is everything else.
    pub negative: bool,
    /// What stands between `&&`.
    pub operands: Vec<Vec<Item>>,
}

impl Class {
    /// A set of one item.
    pub(super) fn of(item: Item) -> Class {
        Class { negative: false, operands: vec![vec![item]] }
    }
}

/// One item of a set.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Item {
    /// From the first to the last, both included.
    Range(char, char),
    /// `\w`, `[:alpha:]`, `\p{Lu}`, or its opposite.
    Named {
        /// Which.
        set: Named,
        /// Whether it is everything else.
        negative: bool,
    },
    /// A set within a set.
    Nested(Class),
}

/// A set with a name.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Named {
    /// Only ASCII: `\w`, `\d`, `\s`, `\h`, and POSIX brackets under `(?a)`.
    Ascii(Posix),
    /// Of all of Unicode.
    Unicode(Posix),
    /// A Unicode property under a name that the tables know.
    Property(String),
}

/// The names of POSIX brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub(super) enum Posix {
    Alnum,
    Alpha,
    Ascii,
    Blank,
    Cntrl,
    Digit,
    Graph,
    Lower,
    Print,
    Punct,
    Space,
    Upper,
    Word,
    XDigit,
}

impl Posix {
    /// The set of a name as it stands in `[:name:]`.
    pub(super) fn parse(name: &str) -> Option<Posix> {
        Some(match name {
            "alnum" => Posix::Alnum,
            "alpha" => Posix::Alpha,
            "ascii" => Posix::Ascii,
            "blank" => Posix::Blank,
            "cntrl" => Posix::Cntrl,
            "digit" => Posix::Digit,
            "graph" => Posix::Graph,
            "lower" => Posix::Lower,
            "print" => Posix::Print,
            "punct" => Posix::Punct,
            "space" => Posix::Space,
            "upper" => Posix::Upper,
            "word" => Posix::Word,
            "xdigit" => Posix::XDigit,
            _ => return None,
        })
    }
}
