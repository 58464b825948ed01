//! Formatters: from an event to the bytes of an output. Each is one file and one row of [`FORMATTERS`].

pub mod csv;
pub mod hash;
pub mod inject;
pub mod json;
pub mod ltsv;
pub mod msgpack;
mod newline;
pub mod out_file;
pub mod single_value;
pub mod stdout;
pub mod tsv;

pub use inject::Inject;

use crate::config::{Element, Refused};
use crate::event::msgpack::{Invalid, Reader};
use crate::event::{Event, EventTime, Scope, Tag};
use crate::plugin::known::{KnownPlugins, type_span};
use crate::plugin::{Context, Plugin};

/// Why an event cannot be written in this form; Fluentd's class and words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormatError {
    /// Fluentd's class of the error.
    pub class: &'static str,
    /// What is wrong.
    pub message: String,
}

/// Writes events as bytes.
pub trait Formatter: Send + Sync {
    /// Appends one event to `out`; nothing is appended where it fails.
    fn format<'a>(&self, scope: &Scope<'a>, tag: &Tag, event: &Event<'a>, out: &mut Vec<u8>) -> Result<(), FormatError>;
    /// The same for events that are packed, where it needs no record to write one.
    fn packed(&self) -> Option<&dyn PackedFormatter> {
        None
    }
}

/// Writes packed events as bytes; what it writes is what [`Formatter::format`] does.
pub trait PackedFormatter: Send + Sync {
    /// Appends one event, whose record is at the cursor, to `out`. Where it fails, what was appended means nothing.
    fn format_packed(&self, tag: &Tag, time: EventTime, record: &mut Reader<'_>, out: &mut Vec<u8>) -> Result<(), Invalid>;
}

/// The formatters that are known and not run.
pub static KNOWN: KnownPlugins = KnownPlugins::new("formatter", include_str!("known.txt"));

/// All formatters.
pub static FORMATTERS: &[Plugin<Box<dyn Formatter>>] = &[
    Plugin { name: "csv", section: &csv::Params::SECTION, compat: &[], build: csv::build },
    Plugin { name: "hash", section: &hash::Params::SECTION, compat: &[], build: hash::build },
    Plugin { name: "json", section: &json::Params::SECTION, compat: &[], build: json::build },
    Plugin { name: "ltsv", section: &ltsv::Params::SECTION, compat: &[], build: ltsv::build },
    Plugin { name: "msgpack", section: &msgpack::Params::SECTION, compat: &[], build: msgpack::build },
    Plugin { name: "out_file", section: &out_file::Params::SECTION, compat: &[], build: out_file::build },
    Plugin { name: "single_value", section: &single_value::Params::SECTION, compat: &[], build: single_value::build },
    Plugin { name: "stdout", section: &stdout::Params::SECTION, compat: &[], build: stdout::build },
    Plugin { name: "tsv", section: &tsv::Params::SECTION, compat: &[], build: tsv::build },
];

/// Builds the formatter of an output's `<format>` section, or the default one where there is no section or no `@type` in it.
pub fn build_formatter(owner: &Element, default: &str, context: &Context<'_>) -> Result<Box<dyn Formatter>, Refused> {
    match owner.section("format") {
        Some(section) if !section.arg.is_empty() => {
            // Fluentd looks for sections by what they are used for, and nobody asks for this one.
            let message = format!("BUG: both type and conf are not specified: <format> takes no argument here, but got '{}'", section.arg);
            Err(context.refuse("FLM0419", section.span, message))
        }
        Some(section) => build_named(section.plugin_type().unwrap_or(default), section, context),
        None => build_named(default, &Element::new("format", "", owner.span), context),
    }
}

/// Builds a formatter by its name; its parameters are in `section`.
pub fn build_named(name: &str, section: &Element, context: &Context<'_>) -> Result<Box<dyn Formatter>, Refused> {
    match FORMATTERS.iter().find(|row| row.name == name) {
        Some(row) => (row.build)(section, context),
        None => Err(match KNOWN.find(name) {
            Some(known) => KNOWN.check(known, section, context.diagnostics),
            None => context.refuse("FLM0410", type_span(section), format!("Unknown formatter plugin '{name}': flumen does not have it")),
        }),
    }
}
