//! The time of an event.

use super::clock;
use std::time::Duration;

#[cfg(test)]
thread_local! {
    static TURNED_BY: std::cell::Cell<i64> = const { std::cell::Cell::new(0) };
}

/// Seconds since 1970 (may be negative) and nanoseconds within that second (0..1_000_000_000).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventTime {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub sec: i64,
    /// Nanoseconds past `sec`.
    pub nsec: u32,
}

impl EventTime {
    /// A time of whole seconds.
    pub const fn from_secs(sec: i64) -> EventTime {
        EventTime { sec, nsec: 0 }
    }

    /// The time of a float of seconds, as Ruby's `Fluent::EventTime.from_time(Time.at(float))` gives it.
    pub fn from_f64(seconds: f64) -> EventTime {
        let sec = seconds.floor();
        let nsec = ((seconds - sec) * 1e9) as u32;
        EventTime { sec: sec as i64, nsec: nsec.min(999_999_999) }
    }

    /// Now, as the machine's clock has it, which may be turned at any moment.
    pub fn now() -> EventTime {
        let now = clock::now();
        #[cfg(test)]
        let now = EventTime { sec: now.sec + TURNED_BY.get(), ..now };
        now
    }

    /// Turns the clock that this thread sees by so many seconds.
    #[cfg(test)]
    pub fn turn_clock(seconds: i64) {
        TURNED_BY.set(TURNED_BY.get() + seconds);
    }

    /// This time and a duration.
    pub fn later(self, by: Duration) -> EventTime {
        let nsec = self.nsec + by.subsec_nanos();
        let carry = nsec / 1_000_000_000;
        let sec = self.sec.saturating_add(i64::try_from(by.as_secs()).unwrap_or(i64::MAX)).saturating_add(i64::from(carry));
        EventTime { sec, nsec: nsec % 1_000_000_000 }
    }

    /// Seconds as a float, as Ruby's `to_f`.
    pub fn to_f64(self) -> f64 {
        self.sec as f64 + f64::from(self.nsec) / 1e9
    }
}
