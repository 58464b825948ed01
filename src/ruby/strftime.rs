//! `strftime` of Ruby's times: the event room's, in the zone that the time is shown in.

use super::moment::{Moment, Zone};
use crate::event::{self, Strftime};

/// A moment by a format.
pub fn strftime(moment: &Moment, format: &str) -> String {
    let zone = match moment.zone {
        Zone::Local => event::Zone::Local,
        Zone::Utc => event::Zone::Utc,
        Zone::Fixed(seconds) => event::Zone::Fixed(seconds),
    };
    Strftime::new(format).text(moment.event_time(), &zone)
}
