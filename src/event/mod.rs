//! Events and nothing else: tag, time, value, record, batch, and their msgpack and JSON forms.
//!
//! This room knows no configuration (beyond the types a parameter can have) and does no I/O.

mod accessor;
mod batch;
mod bytes;
mod civil;
mod clock;
mod fields;
mod intern;
pub mod json;
mod keys;
pub mod msgpack;
mod patience;
mod receipt;
mod record;
pub mod ruby;
mod scratch;
mod sent;
mod strftime;
pub mod strptime;
mod tag;
mod time;
mod time_formatter;
mod time_parser;
mod value;
mod zone;

pub use accessor::Accessor;
pub use batch::{Batch, Event, PART_EVENTS};
pub use bytes::{append, append_short, drop_front};
pub use clock::Clock;
pub use intern::intern;
pub use receipt::{Answer, Claim, Receipt};
pub use record::Record;
pub use scratch::{Origin, Rejected, Scope, Scratch, give_back_buffer, take_buffer};
pub use sent::{Sent, digest};
pub use strftime::Strftime;
pub use tag::Tag;
pub use time::EventTime;
pub use time_formatter::TimeFormatter;
pub use time_parser::{TimeOptions, TimeParser, TimeType};
pub use value::Value;
pub use zone::Zone;
