//! Times from text by a format, as Ruby reads them.
//!
//! Fluentd tries a small, fast library first ([`Fast`]), and where that does not know a directive of the format, Ruby's own ([`Full`]). The two
//! differ in what they take; which one it is follows from the format alone.

mod fast;
mod fields;
mod fixed;
mod full;
mod guess;
mod plain;

use super::EventTime;

pub use fast::Fast;
pub use fields::Fields;
pub use full::Full;
pub use guess::{guess, iso8601};

/// What a text was read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read {
    /// The time.
    pub time: EventTime,
    /// Seconds east of UTC of the zone it was read in.
    pub offset: i64,
    /// Whether the text named that zone; else it is the local one.
    pub zoned: bool,
}

/// Why a text is no time: Ruby's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoTime(pub String);

impl NoTime {
    pub(in crate::event) fn out_of_range() -> NoTime {
        NoTime("argument out of range".to_owned())
    }
}

/// Names of the months.
pub(in crate::event) const MONTHS: [&str; 12] =
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
/// Names of the days of the week.
pub(in crate::event) const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// The index of the name, in full or its first three letters, that the text begins with, and its length. Full names are tried first.
pub(in crate::event) fn name(names: &[&str], text: &[u8]) -> Option<(usize, usize)> {
    let starts = |name: &str| text.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes()));
    let first = word(text)?;
    let short = names.iter().position(|name| word(name.as_bytes()) == Some(first) && starts(&name[..3]))?;
    Some((short, if starts(names[short]) { names[short].len() } else { 3 }))
}

/// The first three letters, whatever their case, as one number.
#[inline]
fn word(text: &[u8]) -> Option<u32> {
    let [a, b, c] = *text.first_chunk()?;
    Some(u32::from_le_bytes([a, b, c, 0]) | 0x0020_2020)
}

#[cfg(test)]
mod tests;
