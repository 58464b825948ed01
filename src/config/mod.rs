//! The configuration language: the only room that reads configuration text.
//!
//! Text becomes a lossless tree ([`v1`], [`v0`]; YAML has a reader of its own), the tree is lowered to [`Element`]s (includes read,
//! embedded Ruby evaluated), old flat parameters are moved to their sections, and [`section!`](crate::section) turns an element into a
//! plugin's typed parameters while the same declaration, as data, serves the checker and the manual. All faults go into [`Diagnostics`];
//! nothing stops at the first.

pub mod compat;
mod diagnostics;
mod dump;
mod element;
mod encoding;
pub mod format;
mod glob;
mod include;
mod json;
mod json_scan;
mod lexer;
mod literal;
mod load;
mod lower;
mod number;
mod overlay;
mod read;
mod render;
pub mod ruby;
mod schema;
mod system;
pub mod tree;
mod unused;
pub mod v0;
pub mod v1;
mod variables;
mod yaml;

#[cfg(test)]
pub(crate) mod tests;

pub use compat::Compat;
pub use diagnostics::{Diagnostics, Finding, Refused, Severity, Source, Span};
pub use dump::dump;
pub use element::{Element, Param, ParamValue};
pub use glob::glob;
pub use include::included_files;
pub use json::Json;
pub use lexer::code_stop;
pub use literal::{FromLiteral, Map, Octal, Seconds, Size, Symbol};
pub use load::{FileType, LoadOptions, load, load_despite_faults, load_for_workers};
pub use overlay::Overlay;
pub use read::{check, none_of, read_param};
pub use render::{place, render, render_finding};
pub use schema::{Declared, Kind, Section, Sub, plain_name};
pub use system::{
    CounterClient, CounterServer, DeadLetter, LogFormat, LogLevel, MAX_WORKERS, Metrics, RotateAge, SourceOnlyBuffer, System, SystemLog,
};
pub use unused::warn_unused;
pub use variables::{shown_params, variables};
pub use yaml::plain_yaml;
