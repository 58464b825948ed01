//! Filters that hold events from batch to batch: they are asked once a second what has waited for too long, and emptied at the end.

use super::router::Step;
use crate::net::Loops;
use crate::plugin::{Emitter, Stop};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
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
pub struct Holders {
    all: Arc<Vec<Holder>>,
    stop: watch::Sender<bool>,
}

impl Holders {
    /// Asks them once a second until the end; without any there is no task.
    pub fn start(holders: Vec<Holder>, loops: &Loops) -> Holders {
        let all = Arc::new(holders);
        let (stop, mut stopped) = Stop::new();
        if !all.is_empty() {
            let asked = Arc::clone(&all);
            loops.spawn(async move {
                let mut ticks = interval(TICK);
                ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
                loop {
                    tokio::select! {
                        () = stopped.wait() => return,
                        _ = ticks.tick() => {}
                    }
                    for holder in asked.iter() {
                        holder.step.log.enter(|| holder.step.filter.tick(Instant::now(), &holder.emitter));
                        holder.step.settle();
                    }
                }
            });
        }
        Holders { all, stop }
    }

    /// How many events are held.
    pub fn held(&self) -> usize {
        self.all.iter().filter_map(|holder| holder.step.filter.held()).sum()
    }

    /// Asks them no more, and empties them: what one lets go may be held by another, so that each gets as many turns as there are.
    pub fn end(&self) {
        let _ = self.stop.send(true);
        for _ in 0..self.all.len() {
            if self.held() == 0 {
                return;
            }
            for holder in self.all.iter() {
                holder.step.log.enter(|| holder.step.filter.drain(&holder.emitter));
                holder.step.settle();
            }
        }
    }
}
