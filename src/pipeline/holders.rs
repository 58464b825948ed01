//! Filters that hold events from batch to batch: they are asked once a second what has waited for too long, and emptied at the end.

use super::router::Step;
use crate::net::Loops;
use crate::plugin::{Emitter, Stop};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// How often filters are asked.
const TICK: Duration = Duration::from_secs(1);

/// A filter that holds events.
pub struct Holder {
    /// The filter.
    pub step: Arc<Step>,
    /// The way to the router that it stands in.
    pub emitter: Emitter,
}

/// All of them, at work.
pub struct Holders(Arc<Vec<Holder>>);

impl Holders {
    /// Asks them once a second until the stop; without any there is no task.
    pub fn start(holders: Vec<Holder>, loops: &Loops, mut stop: Stop) -> Holders {
        let holders = Arc::new(holders);
        if !holders.is_empty() {
            let asked = Arc::clone(&holders);
            loops.spawn(async move {
                let mut ticks = interval(TICK);
                ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
                loop {
                    tokio::select! {
                        () = stop.wait() => return,
                        _ = ticks.tick() => {}
                    }
                    for holder in asked.iter() {
                        holder.step.log.enter(|| holder.step.filter.tick(Instant::now(), &holder.emitter));
                    }
                }
            });
        }
        Holders(holders)
    }

    /// How many events are held.
    pub fn held(&self) -> usize {
        self.0.iter().filter_map(|holder| holder.step.filter.held()).sum()
    }

    /// Empties them: what one lets go may be held by another, so that each gets as many turns as there are.
    pub fn drain(&self) {
        for _ in 0..self.0.len() {
            if self.held() == 0 {
                return;
            }
            for holder in self.0.iter() {
                holder.step.log.enter(|| holder.step.filter.drain(&holder.emitter));
            }
        }
    }
}
