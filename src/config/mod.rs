//! The configuration language: the only room that reads configuration text.
//!
//! Text becomes a lossless tree, the tree is lowered to [`Element`]s (includes read, embedded Ruby evaluated, old flat
//! parameters moved to their sections), and [`section!`](crate::section) turns an element into a plugin's typed parameters while the same
//! declaration, as data, serves the checker and the manual. All faults go into [`Diagnostics`]; nothing stops at the first.

mod diagnostics;
mod element;
mod literal;
mod schema;
mod system;

pub use diagnostics::{Diagnostics, Finding, Refused, Severity, Source, Span};
pub use element::{Element, Param, ParamValue};
pub use literal::{FromLiteral, Octal, Seconds, Size};
pub use schema::{Declared, Kind, Section, Sub, plain_name, read_param};
pub use system::System;
