//! Which lines are left out because they were said a moment ago (`ignore_repeated_log_interval`, `ignore_same_log_interval`).

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Lines that are remembered: beyond that all are forgotten, and one of them may be said once too often.
const MAX_REMEMBERED: usize = 1000;

/// What has been said, and for how long it is not said again.
#[derive(Debug, Default)]
struct Repeats {
    /// For how long a line is not said again right after itself.
    repeated: Option<Duration>,
    /// For how long a line is not said again, whatever came between.
    same: Option<Duration>,
    last: Option<(String, Instant)>,
    said: HashMap<String, Instant>,
}

static IS_ON: AtomicBool = AtomicBool::new(false);
static REPEATS: Mutex<Option<Repeats>> = Mutex::new(None);

/// Sets for how long a line is not said again: right after itself, and at all.
pub fn set_intervals(repeated: Option<Duration>, same: Option<Duration>) {
    if let Ok(mut slot) = REPEATS.lock() {
        *slot = Some(Repeats { repeated, same, ..Repeats::default() });
    }
    IS_ON.store(repeated.is_some() || same.is_some(), Ordering::Relaxed);
}

/// Whether a line is left out.
pub(super) fn is_left_out(line: &str, now: Instant) -> bool {
    if !IS_ON.load(Ordering::Relaxed) {
        return false;
    }
    REPEATS.lock().ok().and_then(|mut slot| slot.as_mut().map(|repeats| repeats.leaves_out(line, now))).unwrap_or(false)
}

impl Repeats {
    fn leaves_out(&mut self, line: &str, now: Instant) -> bool {
        let within = |interval: Option<Duration>, then: Instant| interval.is_some_and(|interval| now.duration_since(then) <= interval);
        if self.last.as_ref().is_some_and(|(last, then)| last == line && within(self.repeated, *then)) {
            return true;
        }
        if self.said.get(line).is_some_and(|then| within(self.same, *then)) {
            return true;
        }
        if self.repeated.is_some() {
            self.last = Some((line.to_owned(), now));
        }
        if self.same.is_some() {
            if self.said.len() >= MAX_REMEMBERED {
                self.said.clear();
            }
            self.said.insert(line.to_owned(), now);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_again_after_their_interval() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut repeated = Repeats { repeated: Some(Duration::from_secs(10)), ..Repeats::default() };
        let left_out: Vec<bool> =
            [("a", 0), ("a", 5), ("a", 11), ("b", 12), ("a", 13)].map(|(line, time)| repeated.leaves_out(line, at(time))).to_vec();
        assert_eq!(left_out, [false, true, false, false, false]);
        let mut same = Repeats { same: Some(Duration::from_secs(10)), ..Repeats::default() };
        let left_out: Vec<bool> =
            [("a", 0), ("b", 1), ("a", 5), ("b", 12), ("a", 12)].map(|(line, time)| same.leaves_out(line, at(time))).to_vec();
        assert_eq!(left_out, [false, false, true, false, false]);
    }

    #[test]
    fn no_more_is_remembered_than_is_useful() {
        let mut same = Repeats { same: Some(Duration::from_secs(10)), ..Repeats::default() };
        for number in 0..3 * MAX_REMEMBERED {
            same.leaves_out(&number.to_string(), Instant::now());
        }
        assert!(same.said.len() <= MAX_REMEMBERED);
    }
}
