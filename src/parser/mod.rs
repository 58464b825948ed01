//! Parsers: from a text to a time and a record. Each is one file and one row of [`PARSERS`].

use crate::event::{EventTime, Record, Scope};
use crate::plugin::Plugin;
use std::fmt;

/// What a text was parsed into: usually one event, sometimes several (a JSON array).
#[derive(Default)]
pub struct Parsed<'a> {
    /// The events in order; the time is `None` where the text names none and the parser does not use the present.
    pub events: Vec<(Option<EventTime>, Record<'a>)>,
}

/// Why a text gave no event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParseError {
    /// The text does not have the form that the parser looks for.
    NoMatch,
    /// It has, but something in it is wrong.
    Failed {
        /// Fluentd's class of the error, such as `Fluent::TimeParser::TimeParseError`.
        class: &'static str,
        /// What is wrong.
        message: String,
    },
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ParseError::NoMatch => f.write_str("pattern not matched"),
            ParseError::Failed { message, .. } => f.write_str(message),
        }
    }
}

impl std::error::Error for ParseError {}

/// Makes records from text.
pub trait Parser: Send + Sync {
    /// Parses one text; what it gives borrows the text and the scope's arena.
    fn parse<'a>(&self, scope: &Scope<'a>, text: &'a [u8], out: &mut Parsed<'a>) -> Result<(), ParseError>;
}

/// All parsers.
pub static PARSERS: &[Plugin<Box<dyn Parser>>] = &[];
