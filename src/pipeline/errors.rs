//! Events that could not be handled: to the `@ERROR` label where there is one, otherwise whole into the log and to the dead letters.

use super::catch::{Catcher, Fate};
use super::letters::Keeper;
use crate::event::json::{self, Style};
use crate::event::{Batch, Origin, Record, Rejected, Scope, Tag};
use crate::metrics::ErrorCounters;
use crate::plugin::{EmitError, Emitter, Limit};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

/// Where rejected events go; shared by all routers.
#[derive(Default)]
pub struct ErrorRoute {
    label: OnceLock<Emitter>,
    keeper: Keeper,
    counters: Arc<ErrorCounters>,
    /// For how long failed emits are not logged once one has been (`emit_error_log_interval`).
    log_interval: Duration,
    last_logged: Mutex<Option<Instant>>,
    /// What is told of all of them, in a rehearsal.
    catcher: Option<Arc<Catcher>>,
}

impl ErrorRoute {
    /// Without a label yet; the keeper takes what goes nowhere else.
    pub fn new(keeper: Keeper, counters: &Arc<ErrorCounters>, log_interval: Duration, catcher: Option<Arc<Catcher>>) -> ErrorRoute {
        ErrorRoute { keeper, counters: Arc::clone(counters), log_interval, catcher, ..ErrorRoute::default() }
    }

    /// Leads rejected events to the `@ERROR` label.
    pub fn lead_to(&self, label: Emitter) {
        let _ = self.label.set(label);
    }

    /// Says that no `<match>` was for these events.
    pub fn unmatched<'a>(&self, scope: &Scope<'a>, tag: &Tag, batch: &Batch<'a>) {
        self.catcher.iter().for_each(|catcher| catcher.batch(&Fate::Unmatched, scope, tag, batch));
    }

    /// The limits behind the `@ERROR` label for this tag.
    pub fn limits(&self, tag: &Tag) -> Vec<Arc<Limit>> {
        let mut limits = Vec::new();
        if let Some(route) = self.label.get().and_then(Emitter::route) {
            route.limits(Some(tag), &mut limits);
        }
        limits
    }

    /// Sends on what has been rejected in this scope.
    pub fn send(&self, scope: &Scope<'_>) {
        if !scope.has_rejected() {
            return;
        }
        for (rejected, origin) in scope.take_rejections() {
            self.send_one(scope, rejected, origin);
        }
    }

    fn send_one<'a>(&self, scope: &Scope<'a>, rejected: Rejected<'a>, origin: Option<Origin<'a>>) {
        let Rejected { tag, time, record, class, message } = &rejected;
        self.catcher.iter().for_each(|catcher| catcher.rejected(tag, *time, record, class, message));
        let said = describe(class, message, tag, record);
        match self.label.get() {
            // Fluentd: a fault while handling @ERROR would go to @ERROR again, and round and round.
            Some(label) if !scope.in_error() => {
                crate::warning!("send an error event to @ERROR: {said}");
                let batch = Batch::single(scope, *time, record.clone());
                self.counters.labelled_records.add(1);
                if let Err(error) = scope.as_error(|| label.emit(scope, tag, batch)) {
                    self.counters.logged_records.add(1);
                    crate::error!("unexpected error while handling @ERROR: error_class={} error={:?} {said}", error.class, error.message);
                    self.keep(&rejected, origin.as_ref());
                }
            }
            _ => {
                self.counters.logged_records.add(1);
                crate::warning!("dump an error event: {said} time={}", time.to_f64());
                // Fluentd: what an output rejects is in the log only.
                self.keep(&rejected, origin.as_ref());
            }
        }
    }

    fn keep(&self, rejected: &Rejected<'_>, origin: Option<&Origin<'_>>) {
        if self.keeper.keep(rejected, origin) {
            self.counters.kept_records.add(1);
        }
    }

    /// An emit failed as a whole: its events go to `@ERROR`, or the sender is told.
    pub fn emit_failed<'a>(&self, scope: &Scope<'a>, tag: &Tag, batch: &Batch<'a>, error: EmitError) -> Result<(), EmitError> {
        let is_told = self.label.get().is_some_and(|_| !scope.in_error()) || scope.depth() == 0;
        if let Some(catcher) = self.catcher.as_ref().filter(|_| is_told) {
            catcher.batch(&Fate::Rejected(error.to_string()), scope, tag, batch);
        }
        match self.label.get() {
            Some(label) if !scope.in_error() => {
                crate::warning!("send an error event stream to @ERROR: error_class={} error={:?} tag={tag:?}", error.class, error.message);
                self.counters.labelled_records.add(batch.len() as u64);
                scope.as_error(|| label.emit(scope, tag, batch.duplicate(scope)))
            }
            _ => {
                // Said once, not by each of the routers that the events went through.
                if scope.depth() > 0 {
                    return Err(error);
                }
                if self.is_to_be_logged(Instant::now()) {
                    crate::warning!("emit transaction failed: error_class={} error={:?} tag={tag:?}", error.class, error.message);
                }
                Err(error)
            }
        }
    }

    /// Whether a failed emit is logged, which counts as done if so.
    fn is_to_be_logged(&self, now: Instant) -> bool {
        let Ok(mut last) = self.last_logged.lock() else { return true };
        let is_due = last.is_none_or(|last| now.duration_since(last) >= self.log_interval);
        if is_due {
            *last = Some(now);
        }
        is_due
    }
}

fn describe(class: &str, message: &str, tag: &Tag, record: &Record<'_>) -> String {
    let mut text = Vec::new();
    json::write_record(record, Style::Oj, &mut text);
    format!("error_class={class} error={message:?} tag={tag:?} record={}", String::from_utf8_lossy(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_emits_are_logged_once_an_interval() {
        let errors = ErrorRoute { log_interval: Duration::from_secs(10), ..ErrorRoute::default() };
        let start = Instant::now();
        let logged: Vec<bool> = [0, 5, 10, 11].map(|seconds| errors.is_to_be_logged(start + Duration::from_secs(seconds))).to_vec();
        assert_eq!(logged, [true, false, true, false]);
        let always = ErrorRoute::default();
        assert!(always.is_to_be_logged(start) && always.is_to_be_logged(start));
    }
}
