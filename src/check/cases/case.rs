//! What a case file holds: cases, what happens in them, and what is expected of it.

use super::data::{Data, Pattern};
use crate::config::Span;
use crate::event::EventTime;
use std::time::Duration;

/// The time at which cases start where nothing says another: noon, 2024-01-01, UTC.
pub const START: EventTime = EventTime::from_secs(1_704_110_400);

/// What a case file holds.
#[derive(Debug, Default)]
pub struct Suite {
    /// The configuration that it is about, relative to its own folder.
    pub config: Option<(String, Span)>,
    /// Variables for embedded Ruby.
    pub env: Vec<(String, String)>,
    /// What time it is at the start of cases that do not say.
    pub now: Option<EventTime>,
    /// The cases in order.
    pub cases: Vec<Case>,
}

/// One case.
#[derive(Debug)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// The node.
    pub span: Span,
    /// What time it is at the start, where it says.
    pub now: Option<EventTime>,
    /// What happens, in order.
    pub steps: Vec<Step>,
    /// What is to have come of it once everything has been let go; `None` where nothing is said.
    pub expect: Option<Expect>,
}

/// Something that happens.
#[derive(Debug)]
pub enum Step {
    /// Events come.
    Events {
        /// The node.
        span: Span,
        /// From where.
        from: From,
        /// Their tag.
        tag: String,
        /// Their times, where given, and records.
        events: Vec<(Option<EventTime>, Data)>,
    },
    /// Texts come to a source.
    Raw {
        /// The node.
        span: Span,
        /// The source.
        source: (String, Span),
        /// The lines, or the body of a request.
        text: Vec<u8>,
        /// The file, or the path of the request.
        path: Option<String>,
        /// The peer.
        peer: Option<String>,
        /// The request's headers.
        headers: Vec<(String, String)>,
    },
    /// Time passes.
    Advance(Duration),
    /// What has come of it since the last look.
    Expect(Expect),
}

/// Where events come from.
#[derive(Debug)]
pub enum From {
    /// From where the sources of the configuration lead, if that is one router.
    Sources,
    /// From a source.
    Source(String, Span),
    /// From a label, or `@ROOT`.
    Label(String, Span),
}

/// What is expected.
#[derive(Debug)]
pub struct Expect {
    /// The node.
    pub span: Span,
    /// By place.
    pub wanted: Vec<Wanted>,
    /// Whether places that are not named may get anything.
    pub ignores_others: bool,
    /// How many events filters take out or join to others, where that is said.
    pub dropped: Option<(u64, Span)>,
}

/// What is expected at a place.
#[derive(Debug)]
pub struct Wanted {
    /// The place: an output, `tag PATTERN`, `@ERROR`, `unmatched`.
    pub key: String,
    /// Where it stands.
    pub key_span: Span,
    /// Where the value stands.
    pub span: Span,
    /// What.
    pub what: What,
}

/// Events, or their number.
#[derive(Debug)]
pub enum What {
    /// So many.
    Count(u64),
    /// These.
    Events {
        /// One by one.
        events: Vec<WantedEvent>,
        /// Whether they may come in any order.
        any_order: bool,
        /// Where the list stands.
        list: Span,
    },
}

/// An event that is expected.
#[derive(Debug)]
pub struct WantedEvent {
    /// The node.
    pub span: Span,
    /// Its tag, where that matters.
    pub tag: Option<String>,
    /// Its time, where that matters.
    pub time: Option<EventTime>,
    /// Its record, and whether there may be no other fields.
    pub record: Option<(Pattern, bool)>,
    /// A part of the message with which it was rejected.
    pub error: Option<String>,
}
