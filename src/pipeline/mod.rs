//! From a configuration to a running graph: inputs, routers with their filters, outputs and their buffers.

mod aides;
mod build;
mod catch;
pub mod delivery;
mod errors;
mod holders;
mod identity;
mod in_memory;
mod inputs;
mod known;
pub mod letters;
mod own_log;
mod pattern;
mod reentry;
mod rehearsal;
mod reload;
mod router;
mod split;
mod watched;
mod workers;

pub use aides::allow as allow_aides;
pub use build::{build, build_workers, convert_old_parameters};
pub use catch::{Catcher, Caught, End, Fate};
pub use identity::Predecessor;
pub use in_memory::keep_in_memory;
pub use pattern::Patterns;
pub use reentry::{Outcome, Reentry};
pub use rehearsal::{Rehearsal, Source};

use crate::log::Level;
use crate::metrics::Overview;
use crate::net::Loops;
use crate::output::SyncOutput;
use crate::plugin::{Emitter, Limit, Route};
use delivery::Delivery;
use holders::{Holder, Holders};
use identity::Placed;
use inputs::{Idle, Live};
use reload::Leaving;
use router::Router;
use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;
use watched::Shown;

/// Everything that one configuration describes, built and not yet started.
pub struct Pipeline {
    inputs: Vec<Idle>,
    wiring: Vec<Wiring>,
    outputs: Vec<Placed>,
    sync_outputs: Vec<Arc<dyn SyncOutput>>,
    holders: Vec<Holder>,
    own_log: Option<(Arc<Router>, Level)>,
    overview: Arc<Overview>,
    shown: Shown,
    memory: Arc<Limit>,
    memory_max: u64,
}

/// The routers of one worker, and the ways that lead to them.
struct Wiring {
    worker: i64,
    ways: HashMap<String, Emitter>,
    routers: HashMap<String, Arc<Router>>,
}

/// A pipeline at work.
pub struct Running {
    inputs: Vec<Live>,
    wiring: Vec<Wiring>,
    outputs: Vec<Placed>,
    sync_outputs: Vec<Arc<dyn SyncOutput>>,
    holders: Holders,
    own_log: Option<own_log::Tap>,
    overview: Arc<Overview>,
    memory: Arc<Limit>,
    leaving: Vec<Leaving>,
}

impl Wiring {
    /// Leads the ways to the routers, from the next batch on.
    fn connect(&self) {
        for (name, way) in &self.ways {
            if let Some(router) = self.routers.get(name) {
                let route: Arc<dyn Route> = Arc::clone(router) as Arc<dyn Route>;
                let weak: Weak<dyn Route> = Arc::downgrade(&route);
                way.lead_to(weak);
            }
        }
    }
}

impl Pipeline {
    /// The way to the root router of the first worker, connected though nothing runs: for tests and measurements, which have no input.
    pub fn root(&self) -> Option<Emitter> {
        let wiring = self.wiring.first()?;
        wiring.connect();
        let router = Arc::clone(wiring.routers.get("@ROOT")?) as Arc<dyn Route>;
        let way = Emitter::default();
        way.lead_to(Arc::downgrade(&router));
        Some(way)
    }

    /// An empty one, whose memory buffers may hold so many bytes together.
    fn upon(before: Option<&Predecessor>, memory_max: Option<u64>) -> Pipeline {
        let memory_max = memory_max.unwrap_or(u64::MAX);
        Pipeline {
            inputs: Vec::new(),
            wiring: Vec::new(),
            outputs: Vec::new(),
            sync_outputs: Vec::new(),
            holders: Vec::new(),
            own_log: None,
            overview: before.map(|before| Arc::clone(&before.overview)).unwrap_or_default(),
            shown: Shown::default(),
            memory: before.map_or_else(|| Arc::new(Limit::new(memory_max)), |before| Arc::clone(&before.memory)),
            memory_max,
        }
    }

    /// What can be seen of it from outside.
    pub fn overview(&self) -> &Arc<Overview> {
        &self.overview
    }

    /// Binds all listeners, starts deliveries and then inputs. Fails where an address cannot be bound.
    pub fn start(mut self, loops: &Arc<Loops>) -> anyhow::Result<Running> {
        for idle in &mut self.inputs {
            idle.prepare()?;
            idle.bind()?;
        }
        self.wiring.iter().for_each(Wiring::connect);
        self.shown.show(&self.overview);
        for placed in &self.outputs {
            placed.delivery.prepare()?;
        }
        self.outputs.iter().for_each(|placed| Delivery::start(&placed.delivery, loops));
        let own_log = self.own_log.map(|(router, from)| own_log::Tap::start(router, from, loops));
        Ok(Running {
            inputs: self.inputs.into_iter().map(|idle| idle.start(loops)).collect(),
            wiring: self.wiring,
            outputs: self.outputs,
            sync_outputs: self.sync_outputs,
            holders: Holders::start(self.holders, loops),
            own_log,
            overview: self.overview,
            memory: self.memory,
            leaving: Vec::new(),
        })
    }
}

impl Running {
    /// Stops in order: inputs, then what is in the buffers is delivered for up to `wait`, then the rest.
    pub async fn stop(self, wait: Duration) {
        self.overview.stop();
        Live::stop(self.inputs).await;
        self.holders.end();
        if let Some(tap) = self.own_log {
            tap.stop().await;
        }
        let flushes: Vec<_> = self.outputs.iter().map(|placed| placed.delivery.stop(wait)).collect();
        let leaving: Vec<_> = self.leaving.into_iter().map(|leaving| tokio::spawn(leaving.finish(wait))).collect();
        for flush in flushes {
            flush.await;
        }
        for leaving in leaving {
            let _ = leaving.await;
        }
        // What outputs have given back meanwhile; nobody delivers it any more, so that buffers keep it.
        self.holders.end();
        for output in &self.sync_outputs {
            output.drain().await;
        }
    }

    /// How many events the filters hold at the moment.
    pub fn held(&self) -> usize {
        self.holders.held()
    }

    /// Flushes all buffers now.
    pub fn flush(&self) {
        self.outputs.iter().for_each(|placed| placed.delivery.flush_all());
    }
}
