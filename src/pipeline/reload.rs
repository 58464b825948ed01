//! A running pipeline becomes that of another configuration, without a gap.
//!
//! First everything that can fail: files are read, addresses bound; a failure leaves the running pipeline as it was. Then the switch,
//! during which nothing waits. What is not wanted any more ends behind it, in the background.

use super::delivery::Delivery;
use super::holders::Holders;
use super::identity::{Origin, Predecessor};
use super::inputs::{Idle, Live, is_in_use};
use super::{Pipeline, Running, Wiring, own_log};
use crate::log;
use crate::net::Loops;
use crate::output::SyncOutput;
use crate::plugin::Stop;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// How long an output that is not in the new configuration has to deliver what it holds.
const DRAIN_WAIT: Duration = Duration::from_secs(60);

/// Where a new input starts.
enum Start {
    /// It is there already.
    Kept(usize),
    /// In the place of one with the same sockets.
    Seat(usize),
    /// On sockets of its own.
    Bound,
    /// On an address that one of those which end holds.
    Late,
}

/// What is not in the new configuration, on its way out.
pub(super) struct Leaving {
    deliveries: Vec<Arc<Delivery>>,
    task: JoinHandle<()>,
}

impl Running {
    /// What a configuration that is to take this one's place is built upon.
    pub fn predecessor(&self) -> Predecessor {
        Predecessor {
            ways: self.wiring.iter().map(|wiring| (wiring.worker, wiring.ways.clone())).collect(),
            inputs: self.inputs.iter().map(|live| live.known.clone()).collect(),
            outputs: self.outputs.clone(),
            memory: Arc::clone(&self.memory),
            overview: Arc::clone(&self.overview),
        }
    }

    /// Becomes `new`, which was built upon this one's [`Running::predecessor`]. On an error nothing has changed.
    pub fn reload(&mut self, mut new: Pipeline, loops: &Arc<Loops>) -> anyhow::Result<()> {
        for placed in new.outputs.iter().filter(|placed| matches!(placed.origin, Origin::New)) {
            placed.delivery.prepare()?;
        }
        let starts = self.find_places(&mut new.inputs)?;
        for placed in &new.outputs {
            match &placed.origin {
                Origin::Kept => {}
                Origin::New => Delivery::start(&placed.delivery, loops),
                Origin::Replaces(old) => {
                    placed.delivery.replace(old);
                    Delivery::start(&placed.delivery, loops);
                }
            }
        }
        self.memory.set_max(new.memory_max);
        new.wiring.iter().for_each(Wiring::connect);
        new.shown.show(&self.overview);
        let (gone, gone_by) = Stop::new();
        let leaving_inputs = self.switch_inputs(starts, new.inputs, loops, &gone_by);
        let old_tap = self.own_log.take();
        self.own_log = new.own_log.map(|(router, from)| own_log::Tap::start(router, from, loops));
        if self.own_log.is_none() {
            log::set_hook(None);
        }
        let old_wiring = std::mem::replace(&mut self.wiring, new.wiring);
        let old_outputs = std::mem::replace(&mut self.outputs, new.outputs);
        let old_holders = std::mem::replace(&mut self.holders, Holders::start(new.holders, loops));
        let old_sync = std::mem::replace(&mut self.sync_outputs, new.sync_outputs);
        let is_left = |old: &Arc<Delivery>| !self.outputs.iter().any(|placed| placed.is_or_was(old));
        let deliveries: Vec<_> = old_outputs.into_iter().map(|placed| placed.delivery).filter(is_left).collect();
        for delivery in &deliveries {
            crate::info!("output {:?} is not in the new configuration: it delivers what it holds and ends", delivery.id());
        }
        // From here on they are what the end of the process has to look after.
        self.outputs.iter_mut().for_each(|placed| placed.origin = Origin::Kept);
        self.leaving.retain(|leaving| !leaving.task.is_finished());
        let draining = deliveries.clone();
        let task = loops.spawn(async move {
            Live::stop(leaving_inputs).await;
            drop(gone);
            old_holders.end();
            if let Some(tap) = old_tap {
                tap.finish().await;
            }
            drop(old_wiring);
            drain(&draining, &old_sync).await;
        });
        self.leaving.push(Leaving { deliveries, task });
        Ok(())
    }

    /// Finds out where each new input starts; binds those that have no predecessor.
    fn find_places(&self, inputs: &mut [Idle]) -> anyhow::Result<Vec<Start>> {
        for idle in inputs.iter_mut() {
            idle.prepare()?;
        }
        let some_end = inputs.iter().filter(|idle| idle.place.is_some()).count() < self.inputs.len();
        let places = inputs.iter_mut().map(|idle| match (idle.place, idle.input.sockets()) {
            (Some(at), Some(_)) => Ok(Start::Seat(at)),
            (Some(at), None) => Ok(Start::Kept(at)),
            (None, _) => match idle.bind() {
                Ok(()) => Ok(Start::Bound),
                Err(error) if some_end && is_in_use(&error) => Ok(Start::Late),
                Err(error) => Err(error),
            },
        });
        places.collect()
    }

    /// Starts the new inputs and lets the same go on; gives those that are to end.
    fn switch_inputs(&mut self, starts: Vec<Start>, inputs: Vec<Idle>, loops: &Arc<Loops>, gone: &Stop) -> Vec<Live> {
        let mut before: Vec<Option<Live>> = std::mem::take(&mut self.inputs).into_iter().map(Some).collect();
        for (start, idle) in starts.into_iter().zip(inputs) {
            let live = match start {
                Start::Kept(at) => before[at].take(),
                Start::Seat(at) => before[at].take().map(|mut live| {
                    live.known.text = idle.text;
                    if let Some(seat) = &live.seat {
                        idle.input.take_seat(seat, idle.emitter);
                    }
                    live
                }),
                Start::Bound => Some(idle.start(loops)),
                Start::Late => Some(idle.start_after(loops, Some(gone.clone()))),
            };
            self.inputs.extend(live);
        }
        before.into_iter().flatten().collect()
    }
}

impl Leaving {
    /// Ends within `wait`, and a little more where an output does not let go.
    pub async fn finish(mut self, wait: Duration) {
        if tokio::time::timeout(wait, &mut self.task).await.is_err() {
            self.deliveries.iter().for_each(|delivery| delivery.abandon());
            let _ = tokio::time::timeout(Duration::from_secs(2), self.task).await;
        }
    }
}

async fn drain(deliveries: &[Arc<Delivery>], outputs: &[Arc<dyn SyncOutput>]) {
    let flushes: Vec<_> = deliveries.iter().map(|delivery| delivery.drain(DRAIN_WAIT)).collect();
    for flush in flushes {
        flush.await;
    }
    for output in outputs {
        output.drain().await;
    }
}
