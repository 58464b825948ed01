//! Which of the chunks that wait comes next, oldest first, and what keeps them waiting: their own failures, or an output that does not work.
//!
//! A chunk whose delivery failed waits for its own time; the others go on. In an outage chunks take turns as probes, and a failure in
//! time counts for all of them, as they would have failed too.

use super::outage::{Failure, Outage, Refused};
use super::waiting::Waiting;
use crate::buffer::RetrySettings;
use std::collections::BTreeMap;
use tokio::time::Instant;

/// What waits, and what is known of the output.
#[derive(Default)]
pub struct Order {
    /// What does not wait for a time of its own, by number.
    pub ready: BTreeMap<u64, Waiting>,
    /// What does.
    pub later: BTreeMap<(Instant, u64), Waiting>,
    /// What failed after the end had begun.
    pub left: Vec<Waiting>,
    /// Set while the output does not work.
    pub outage: Option<Outage>,
    refused: Refused,
    /// What the next chunk is called.
    pub next_number: u64,
    /// Bytes of all that wait or are in somebody's hands, and their events.
    pub bytes: u64,
    pub records: u64,
    /// How many are.
    pub in_hand: usize,
    /// Whether no failed chunk comes back.
    pub is_ending: bool,
    /// Whether what waits stays where it is.
    pub is_left: bool,
}

impl Order {
    /// Chunks whose own time has come wait no longer for it.
    pub fn release_due(&mut self, now: Instant) {
        while let Some(entry) = self.later.first_entry()
            && entry.key().0 <= now
        {
            let waiting = entry.remove();
            self.ready.insert(waiting.number, waiting);
        }
    }

    /// Until when the only chunk that is ready is better delivered by another thread than by this one, which fills the next.
    pub fn left_to_others(&self, now: Instant) -> Option<Instant> {
        let is_quiet = self.outage.is_none() && !self.is_ending && self.ready.len() == 1;
        let (_, only) = self.ready.first_key_value().filter(|_| is_quiet)?;
        only.left_to_others().filter(|until| now < *until)
    }

    /// The number of the chunk that is tried now, if there is one: the oldest, or in an outage the one whose turn it is to be the probe.
    pub fn pick(&mut self, now: Instant) -> Option<u64> {
        let Some(outage) = self.outage.as_ref().filter(|_| !self.is_ending) else { return self.ready.keys().next().copied() };
        let for_secondary = self.ready.values().find(|waiting| waiting.is_for_secondary(now));
        if let Some(waiting) = for_secondary {
            return Some(waiting.number);
        }
        if outage.is_probing || now < outage.due(self.has_fresh()) {
            return None;
        }
        let probe = self.ready.values_mut().min_by_key(|waiting| Outage::turn(waiting))?;
        probe.is_probe = true;
        let number = probe.number;
        self.outage.iter_mut().for_each(|outage| outage.is_probing = true);
        Some(number)
    }

    fn has_fresh(&self) -> bool {
        self.ready.values().any(|waiting| waiting.faults == 0)
    }

    /// When there may be something to try, if time alone brings it.
    pub fn next_time(&self) -> Option<Instant> {
        let later = self.later.keys().next().map(|(at, _)| *at);
        let Some(outage) = &self.outage else { return later };
        let probe = (!outage.is_probing && !self.ready.is_empty()).then(|| outage.due(self.has_fresh()));
        let secondary = self.ready.values().filter_map(|waiting| waiting.retry.as_ref()?.secondary_at()).min();
        [later, probe, secondary].into_iter().flatten().min()
    }

    /// Counts a failure of the output; says whether it is one for every chunk that waits.
    pub fn count(&mut self, waiting: &Waiting, failure: Failure, began: Instant, how: &RetrySettings, now: Instant) -> bool {
        let is_outage = match failure {
            Failure::Secondary => return false,
            Failure::Chunk => self.refused.add(waiting.number),
            Failure::Connection | Failure::Server => true,
        };
        match &mut self.outage {
            Some(outage) => outage.fail(failure, began, now),
            None if is_outage => {
                self.outage = Some(Outage::new(how, failure, now));
                true
            }
            None => false,
        }
    }

    /// A failure for every chunk that waits; gives back those for which it is enough.
    pub fn fail_ready(&mut self, how: &RetrySettings, has_secondary: bool, now: Instant) -> Vec<Waiting> {
        let mut over = Vec::new();
        for (number, waiting) in &mut self.ready {
            waiting.fail(how, has_secondary, now);
            if waiting.is_at_limit(how) && !self.is_ending {
                over.push(*number);
            }
        }
        over.into_iter().filter_map(|number| self.ready.remove(&number)).collect()
    }

    /// A chunk is back, which perhaps was the probe.
    pub fn end_probe(&mut self, was_probe: bool) {
        if let (true, Some(outage)) = (was_probe, &mut self.outage) {
            outage.is_probing = false;
        }
    }

    /// The output works: chunks that only waited for it are as new, those that failed themselves wait for their own time.
    pub fn end_outage(&mut self) {
        self.refused.clear();
        let Some(outage) = self.outage.take().filter(|_| !self.is_ending) else { return };
        let now = Instant::now();
        for (number, mut waiting) in std::mem::take(&mut self.ready) {
            match &waiting.retry {
                Some(retry) if waiting.faults > 0 => {
                    self.later.insert((outage.suspect_due(retry, now), number), waiting);
                }
                _ => {
                    waiting.retry = None;
                    self.ready.insert(number, waiting);
                }
            }
        }
    }

    /// After the end has begun nothing comes back; if the server cannot be reached, none of the others is tried either.
    pub fn leave(&mut self, waiting: Waiting, failure: Failure) {
        self.left.push(waiting);
        if matches!(failure, Failure::Connection | Failure::Server) {
            self.left.extend(std::mem::take(&mut self.ready).into_values());
        }
    }
}
