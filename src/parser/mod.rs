//! Parsers: from a text to a time and a record. Each is one file and one row of [`PARSERS`].

pub mod apache;
mod base;
pub mod csv;
pub mod extract;
pub mod grok;
pub mod json;
pub mod ltsv;
pub mod msgpack;
pub mod multiline;
pub mod none;
pub mod regexp;
pub mod syslog;
mod timed;
pub mod tsv;
mod types;
pub mod weblog;

pub use base::{Base, BaseParams, Defaults};
pub use extract::Extract;

use crate::config::{Element, Refused};
use crate::event::{EventTime, Record, Scope, Value, ruby};
use crate::plugin::known::{KnownPlugins, type_span};
use crate::plugin::{Context, Plugin};
use crate::regex::TextKind;
use std::fmt;

/// What texts were parsed into: usually one event each, sometimes several (a JSON array).
#[derive(Default)]
pub struct Parsed<'a> {
    /// The events in order; the time is `None` where the text names none and the parser does not use the present.
    pub events: Vec<(Option<EventTime>, Record<'a>)>,
    /// Where in `events` something was that is no event (in a JSON array): that many events came before it.
    pub unmatched: Vec<usize>,
    /// Whether the sender called the text binary, so that it need not be UTF-8.
    pub is_binary: bool,
    /// The present, asked for once.
    now: Option<EventTime>,
    /// The text whose time was read last, that time, and the address of who read it.
    last_time: Option<(usize, &'a [u8], EventTime)>,
}

impl Parsed<'_> {
    /// The present, the same for all texts that are parsed into this.
    pub fn now(&mut self) -> EventTime {
        *self.now.get_or_insert_with(EventTime::now)
    }

    /// Forgets the events, to parse the next text.
    pub fn clear(&mut self) {
        self.events.clear();
        self.unmatched.clear();
    }
}

/// Why a text gave no event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParseError {
    /// The text does not have the form that the parser looks for.
    NoMatch,
    /// It has, but something in it is wrong.
    Failed {
        /// Fluentd's class of the error, such as `Fluent::Plugin::Parser::ParserError`.
        class: &'static str,
        /// What is wrong.
        message: String,
    },
}

/// Fluentd's class for most faults of parsing.
pub const PARSER_ERROR: &str = "Fluent::Plugin::Parser::ParserError";
/// Ruby's class for text that is not in its encoding; a filter may mend the text and try again.
pub const ARGUMENT_ERROR: &str = "ArgumentError";
/// What Ruby says of such text.
pub const INVALID_UTF8: &str = "invalid byte sequence in UTF-8";

impl ParseError {
    /// A fault in Fluentd's own class.
    pub fn failed(message: impl Into<String>) -> ParseError {
        ParseError::Failed { class: PARSER_ERROR, message: message.into() }
    }

    /// The text is no UTF-8.
    pub fn invalid_utf8() -> ParseError {
        ParseError::Failed { class: ARGUMENT_ERROR, message: INVALID_UTF8.to_owned() }
    }
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

    /// Whether a line is the first of an event that has several; `None` where the parser does not say what such lines look like.
    fn begins(&self, _line: &[u8]) -> Option<bool> {
        None
    }

    /// Parses the value of a field, which nearly always is a text.
    fn parse_value<'a>(&self, scope: &Scope<'a>, value: Value<'a>, out: &mut Parsed<'a>) -> Result<(), ParseError> {
        out.is_binary = matches!(value, Value::Bin(_));
        match value {
            Value::Str(text) | Value::Bin(text) => self.parse(scope, text, out),
            other => Err(ParseError::failed(format!("parse failed no implicit conversion of {} into String", ruby::class(&other)))),
        }
    }
}

/// Whether the text may be searched by expressions and taken apart: it is UTF-8, or nobody says that it is text.
pub fn check_text(text: &[u8], out: &Parsed<'_>) -> Result<TextKind, ParseError> {
    match TextKind::of(text) {
        TextKind::Bytes if !out.is_binary => Err(ParseError::invalid_utf8()),
        kind => Ok(kind),
    }
}

/// The parsers that are known and not run.
pub static KNOWN: KnownPlugins = KnownPlugins::new("parser", include_str!("known.txt"));

/// All parsers.
pub static PARSERS: &[Plugin<Box<dyn Parser>>] = &[
    Plugin { name: "apache", section: &weblog::Params::SECTION, compat: &[], build: weblog::build_apache },
    Plugin { name: "apache2", section: &apache::Params::SECTION, compat: &[], build: apache::build },
    Plugin { name: "apache_error", section: &weblog::Params::SECTION, compat: &[], build: weblog::build_apache_error },
    Plugin { name: "csv", section: &csv::Params::SECTION, compat: &[], build: csv::build },
    Plugin { name: "grok", section: &grok::Params::SECTION, compat: &[], build: grok::build },
    Plugin { name: "json", section: &json::Params::SECTION, compat: &[], build: json::build },
    Plugin { name: "ltsv", section: &ltsv::Params::SECTION, compat: &[], build: ltsv::build },
    Plugin { name: "msgpack", section: &msgpack::Params::SECTION, compat: &[], build: msgpack::build },
    Plugin { name: "multiline", section: &multiline::Params::SECTION, compat: &[], build: multiline::build },
    Plugin { name: "multiline_grok", section: &grok::MultilineParams::SECTION, compat: &[], build: grok::build_multiline },
    Plugin { name: "nginx", section: &weblog::Params::SECTION, compat: &[], build: weblog::build_nginx },
    Plugin { name: "none", section: &none::Params::SECTION, compat: &[], build: none::build },
    Plugin { name: "regexp", section: &regexp::Params::SECTION, compat: &[], build: regexp::build },
    Plugin { name: "syslog", section: &syslog::Params::SECTION, compat: &[], build: syslog::build },
    Plugin { name: "tsv", section: &tsv::Params::SECTION, compat: &[], build: tsv::build },
];

/// Builds the parser that a `<parse>` section describes.
pub fn build(section: &Element, context: &Context<'_>) -> Result<Box<dyn Parser>, Refused> {
    if !section.arg.is_empty() {
        // Fluentd looks for sections by what they are used for, and nobody asks for this one.
        let message = format!("BUG: both type and conf are not specified: <parse> takes no argument here, but got '{}'", section.arg);
        return Err(context.refuse("FLM0419", section.span, message));
    }
    let Some(name) = section.plugin_type() else {
        return Err(context.refuse("FLM0420", section.span, "'@type' parameter is required, in section parse"));
    };
    match PARSERS.iter().find(|row| row.name == name) {
        Some(row) => Ok(timed::bound((row.build)(section, context)?, row.name, section)),
        None => Err(match KNOWN.find(name) {
            Some(known) => KNOWN.check(known, section, context.diagnostics),
            None => context.refuse("FLM0421", type_span(section), format!("Unknown parser plugin '{name}': flumen does not have it")),
        }),
    }
}

/// As [`build`], with these parameters in the section besides, or in place of those that are there.
pub fn build_with(section: &Element, given: &[(String, String)], context: &Context<'_>) -> Result<Box<dyn Parser>, Refused> {
    let mut changed = section.clone();
    given.iter().for_each(|(key, value)| changed.set(key, value, section.span));
    let built = build(&changed, context);
    note_used(section, &changed);
    built
}

/// Notes what has been read of a copy.
fn note_used(section: &Element, copy: &Element) {
    for param in &section.params {
        param.used.set(param.used.get() || copy.param(&param.key).is_some_and(|other| other.used.get()));
    }
    for (child, other) in section.children.iter().zip(&copy.children) {
        child.used.set(child.used.get() || other.used.get());
        note_used(child, other);
    }
    copy.declarations().into_iter().for_each(|declared| section.declare(declared));
}
