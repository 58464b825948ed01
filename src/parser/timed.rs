//! The `timeout` that every parser takes: a bound on what its expressions may take for one text.
//!
//! Without it each search has a bound of its own, which is smaller than any useful time-out; with it a text may take longer,
//! as its author wants.

use super::{ParseError, Parsed, Parser};
use crate::config::{Element, FromLiteral, Seconds};
use crate::event::{Scope, Value};
use crate::regex;
use std::time::Duration;

/// So much of a text is shown in the log when its time is over: a sender of long ones must not fill the log.
const SHOWN_BYTES: usize = 1024;

struct Timed {
    inner: Box<dyn Parser>,
    name: &'static str,
    limit: Duration,
}

/// The parser itself, or within the time of the section's `timeout`.
pub fn bound(inner: Box<dyn Parser>, name: &'static str, section: &Element) -> Box<dyn Parser> {
    // What is wrong with the value has been said where the common parameters are read.
    let seconds = section.text("timeout").and_then(|text| Seconds::from_literal(text, false).ok());
    match seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds.0).ok()) {
        Some(limit) => Box::new(Timed { inner, name, limit }),
        None => inner,
    }
}

impl Timed {
    fn watch(&self, text: &[u8], parse: impl FnOnce() -> Result<(), ParseError>) -> Result<(), ParseError> {
        let (result, is_over) = regex::within(self.limit, parse);
        if is_over {
            let text = String::from_utf8_lossy(&text[..text.len().min(SHOWN_BYTES)]);
            crate::warning!("parsing timed out with {}: timeout={}s text = {text}", self.name, self.limit.as_secs_f64());
            return Err(ParseError::NoMatch);
        }
        result
    }
}

impl Parser for Timed {
    fn parse<'a>(&self, scope: &Scope<'a>, text: &'a [u8], out: &mut Parsed<'a>) -> Result<(), ParseError> {
        let before = out.events.len();
        let result = self.watch(text, || self.inner.parse(scope, text, out));
        if result.is_err() {
            out.events.truncate(before);
        }
        result
    }

    fn parse_value<'a>(&self, scope: &Scope<'a>, value: Value<'a>, out: &mut Parsed<'a>) -> Result<(), ParseError> {
        let before = out.events.len();
        let result = self.watch(value.as_bytes().unwrap_or_default(), || self.inner.parse_value(scope, value, out));
        if result.is_err() {
            out.events.truncate(before);
        }
        result
    }
}
