//! When a failed delivery is tried again, when the secondary takes over, and when it is enough: Fluentd's reckoning, a chunk at a time.

use crate::buffer::{RetrySettings, RetryType, random};
use std::time::Duration;
use tokio::time::Instant;

/// Pauses vary by this part of themselves.
const RANDOM_WIDTH: f64 = 0.125;
/// No pause is shorter: a `retry_wait` of 0 must not become a busy loop.
const SHORTEST: Duration = Duration::from_millis(10);
/// No pause is longer, whatever the powers come to.
const LONGEST: Duration = Duration::from_secs(365 * 86_400);

/// The state of something that failed and is tried again.
#[derive(Clone, Debug)]
pub struct Retry {
    /// How many retries have failed; 0 after the first failure.
    pub steps: u64,
    /// When it is tried next.
    pub due: Instant,
    /// When it failed first.
    pub start: Instant,
    timeout_at: Instant,
    has_reached_timeout: bool,
    has_timed_out: bool,
    secondary_at: Option<Instant>,
    secondary_from: Option<u64>,
}

impl Retry {
    /// After the first failure.
    pub fn new(settings: &RetrySettings, has_secondary: bool, now: Instant) -> Retry {
        let secondary_at = (has_secondary && !settings.forever).then(|| now + secondary_after(settings));
        Retry {
            steps: 0,
            due: now + settings.wait.clamp(SHORTEST, LONGEST),
            start: now,
            timeout_at: now + settings.timeout,
            has_reached_timeout: false,
            has_timed_out: false,
            secondary_at,
            secondary_from: None,
        }
    }

    /// After a failed retry.
    pub fn fail(&mut self, settings: &RetrySettings, now: Instant) {
        self.steps += 1;
        if self.secondary_from.is_none() && self.secondary_at.is_some_and(|at| now >= at) {
            self.secondary_from = Some(self.steps);
        }
        self.due = self.next_due(settings, now);
        if self.has_reached_timeout {
            self.has_timed_out = self.due >= self.timeout_at;
        } else {
            self.has_reached_timeout = self.due >= self.timeout_at;
        }
    }

    /// Whether it is enough.
    pub fn is_at_limit(&self, settings: &RetrySettings) -> bool {
        !settings.forever && (self.has_timed_out || settings.max_times.is_some_and(|max| self.steps >= max))
    }

    /// Whether the secondary is to be tried in place of the output.
    pub fn uses_secondary(&self, now: Instant) -> bool {
        self.secondary_from.is_some() || self.secondary_at.is_some_and(|at| now >= at)
    }

    /// From when on the secondary is to be tried.
    pub fn secondary_at(&self) -> Option<Instant> {
        self.secondary_at
    }

    /// When the next retry is due if one failed at `now`.
    pub fn next_due(&self, settings: &RetrySettings, now: Instant) -> Instant {
        let from = self.secondary_from.unwrap_or(0);
        let naive = now + randomized(settings, pause(settings, self.steps - from));
        if settings.forever {
            return naive;
        }
        match (self.secondary_at, self.secondary_from) {
            (Some(at), None) => naive.min(at),
            _ => naive.min(self.timeout_at),
        }
    }
}

fn pause(settings: &RetrySettings, steps: u64) -> Duration {
    let exact = match settings.kind {
        RetryType::Periodic => settings.wait,
        RetryType::ExponentialBackoff => {
            let seconds = settings.wait.as_secs_f64() * settings.base.powf(steps as f64);
            Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST)
        }
    };
    let capped = match settings.kind {
        RetryType::ExponentialBackoff => settings.max_interval.map_or(exact, |max| exact.min(max)),
        RetryType::Periodic => exact,
    };
    capped.clamp(SHORTEST, LONGEST)
}

fn randomized(settings: &RetrySettings, pause: Duration) -> Duration {
    if !settings.randomize {
        return pause;
    }
    let unit = (random() >> 11) as f64 / (1u64 << 53) as f64;
    pause.mul_f64(1.0 + RANDOM_WIDTH * (2.0 * unit - 1.0))
}

/// How long the output has all tries to itself.
fn secondary_after(settings: &RetrySettings) -> Duration {
    let mut whole = settings.timeout;
    if let Some(max) = settings.max_times {
        let mut all = Duration::ZERO;
        for step in 0..max {
            all = all.saturating_add(pause(settings, step));
            if all >= whole {
                break;
            }
        }
        whole = whole.min(all);
    }
    whole.mul_f64(settings.secondary_threshold.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> RetrySettings {
        RetrySettings {
            forever: false,
            timeout: Duration::from_secs(72 * 3600),
            max_times: None,
            secondary_threshold: 0.8,
            kind: RetryType::ExponentialBackoff,
            wait: Duration::from_secs(1),
            base: 2.0,
            max_interval: None,
            randomize: false,
        }
    }

    /// The seconds between failures, each retry failing at its time, until the limit.
    fn pauses(settings: &RetrySettings, has_secondary: bool) -> Vec<f64> {
        let start = Instant::now();
        let mut retry = Retry::new(settings, has_secondary, start);
        let (mut now, mut pauses) = (start, Vec::new());
        while !retry.is_at_limit(settings) && pauses.len() < 100 {
            pauses.push((retry.due - now).as_secs_f64());
            now = retry.due;
            retry.fail(settings, now);
        }
        pauses
    }

    #[test]
    fn pauses_double_until_the_timeout_has_been_tried_once() {
        let mut short = settings();
        short.timeout = Duration::from_secs(20);
        assert_eq!(pauses(&short, false), [1.0, 2.0, 4.0, 8.0, 5.0]);
        assert_eq!(pauses(&settings(), false).len(), 18);
    }

    #[test]
    fn a_number_of_retries_is_a_limit_too() {
        let mut three = settings();
        three.max_times = Some(3);
        assert_eq!(pauses(&three, false), [1.0, 2.0, 4.0]);
        three.max_times = Some(0);
        assert!(pauses(&three, false).is_empty());
        three.forever = true;
        assert_eq!(pauses(&three, false).len(), 100);
    }

    #[test]
    fn periodic_and_longest_pauses_are_constant() {
        let mut periodic = settings();
        (periodic.kind, periodic.max_times, periodic.wait) = (RetryType::Periodic, Some(4), Duration::from_secs(3));
        assert_eq!(pauses(&periodic, false), [3.0; 4]);
        let mut capped = settings();
        (capped.max_interval, capped.max_times) = (Some(Duration::from_secs(5)), Some(5));
        assert_eq!(pauses(&capped, false), [1.0, 2.0, 4.0, 5.0, 5.0]);
    }

    #[test]
    fn the_secondary_takes_over_after_its_part_of_the_time() {
        let mut some = settings();
        some.max_times = Some(5); // 1 + 2 + 4 + 8 + 16 = 31 s in all
        let start = Instant::now();
        let mut retry = Retry::new(&some, true, start);
        assert!(!retry.uses_secondary(start + Duration::from_secs(24)));
        assert!(retry.uses_secondary(start + Duration::from_secs(25)));
        for _ in 0..4 {
            let now = retry.due;
            retry.fail(&some, now);
        }
        assert_eq!(retry.due - start, Duration::from_secs_f64(31.0 * 0.8));
    }

    #[test]
    fn random_pauses_stay_within_an_eighth() {
        let mut random = settings();
        random.randomize = true;
        for _ in 0..1000 {
            let pause = randomized(&random, Duration::from_secs(8)).as_secs_f64();
            assert!((7.0..=9.0).contains(&pause), "{pause}");
        }
        random.base = 1e300;
        assert_eq!(pause(&random, 5), LONGEST);
    }
}
