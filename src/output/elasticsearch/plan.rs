//! What the next part of a chunk comes to: requests, and what is to be said about events.

use std::ops::Range;

/// One event in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Op {
    /// Where its entry begins in the chunk.
    pub entry: usize,
    /// Where that ends.
    pub entry_end: usize,
    /// Where its lines end in the body; they begin where those of the one before end.
    pub body_end: usize,
}

/// One request's body.
#[derive(Debug, Default)]
pub struct Body {
    /// The index, where it is named in the path.
    pub index: Option<String>,
    /// The lines.
    pub bytes: Vec<u8>,
    /// The events.
    pub ops: Vec<Op>,
}

/// Something to be said about an event, once it is known that the chunk will not come again whole.
#[derive(Debug)]
pub struct Problem {
    /// Where its entry is in the chunk.
    pub entry: Range<usize>,
    /// What.
    pub what: Trouble,
}

/// What can be wrong with an event.
#[derive(Debug)]
pub enum Trouble {
    /// It is not stored: Fluentd's class and words.
    Rejected(&'static str, String),
    /// Nor is this one, as its parameters cannot be evaluated: it goes on as it came.
    Unevaluated(&'static str, String),
    /// It is stored, but this value (msgpack) should have been its time.
    Time(Vec<u8>),
}

/// What the next part of a chunk comes to.
#[derive(Debug, Default)]
pub struct Plan {
    /// The requests, in order.
    pub bodies: Vec<Body>,
    /// What is to be said.
    pub problems: Vec<Problem>,
    /// Events that have no id although the operation needs one.
    pub dropped: usize,
    /// Where in the chunk something begins that is no msgpack: nothing behind it can be read.
    pub unreadable: Option<usize>,
}
