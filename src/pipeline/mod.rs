//! From a configuration to a running graph: inputs, routers with their filters, outputs and their buffers.

mod build;
pub mod delivery;
mod errors;
pub mod letters;
mod own_log;
mod pattern;
mod router;
mod workers;

pub use build::build;

use crate::input::Input;
use crate::log::{Level, PluginLog};
use crate::net::Loops;
use crate::output::SyncOutput;
use crate::plugin::{Emitter, Stop};
use delivery::Delivery;
use router::Router;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long inputs have to finish what they have received, once they are told to stop.
const INPUT_STOP_WAIT: Duration = Duration::from_secs(4);
/// How long outputs have to deliver what is left, once the inputs have stopped; with the rest within the ten seconds after which Docker kills.
const FLUSH_WAIT: Duration = Duration::from_secs(6);

/// An input that has not been started.
struct Idle {
    input: Box<dyn Input>,
    emitter: Emitter,
    log: PluginLog,
}

/// Everything that one configuration describes, built and not yet started.
#[derive(Default)]
pub struct Pipeline {
    inputs: Vec<Idle>,
    routers: Vec<Arc<Router>>,
    deliveries: Vec<Arc<Delivery>>,
    sync_outputs: Vec<Arc<dyn SyncOutput>>,
    own_log: Option<(Arc<Router>, Level)>,
}

/// A pipeline at work.
pub struct Running {
    inputs: Vec<JoinHandle<()>>,
    stop: watch::Sender<bool>,
    own_log: Option<own_log::Tap>,
    deliveries: Vec<Arc<Delivery>>,
    sync_outputs: Vec<Arc<dyn SyncOutput>>,
    _routers: Vec<Arc<Router>>,
}

impl Pipeline {
    /// Binds all listeners, starts deliveries and then inputs. Fails where an address cannot be bound.
    pub fn start(mut self, loops: &Arc<Loops>) -> anyhow::Result<Running> {
        for idle in &mut self.inputs {
            idle.log.clone().enter(|| idle.input.bind())?;
        }
        for delivery in &self.deliveries {
            Delivery::start(delivery, loops);
        }
        let own_log = self.own_log.map(|(router, from)| own_log::Tap::start(router, from, loops));
        let (stop, stopped) = Stop::new();
        let inputs = self.inputs.into_iter().map(|idle| run(idle, loops, stopped.clone())).collect();
        Ok(Running { inputs, stop, own_log, deliveries: self.deliveries, sync_outputs: self.sync_outputs, _routers: self.routers })
    }
}

fn run(idle: Idle, loops: &Arc<Loops>, stop: Stop) -> JoinHandle<()> {
    let Idle { input, emitter, log } = idle;
    let running = input.run(emitter, Arc::clone(loops), stop);
    loops.spawn(log.run(async move {
        if let Err(error) = running.await {
            crate::error!("an input ended: error={:?}", format!("{error:#}"));
        }
    }))
}

impl Running {
    /// Stops in order: inputs, then what is in the buffers is delivered, then the rest.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        let all = async {
            for input in self.inputs {
                let _ = input.await;
            }
        };
        if tokio::time::timeout(INPUT_STOP_WAIT, all).await.is_err() {
            crate::warning!("some inputs did not stop within {INPUT_STOP_WAIT:?}");
        }
        if let Some(tap) = self.own_log {
            tap.stop().await;
        }
        let flushes: Vec<_> = self.deliveries.iter().map(|delivery| delivery.stop(FLUSH_WAIT)).collect();
        for flush in flushes {
            flush.await;
        }
        for output in &self.sync_outputs {
            output.drain().await;
        }
    }

    /// Flushes all buffers now.
    pub fn flush(&self) {
        self.deliveries.iter().for_each(|delivery| delivery.flush_all());
    }
}
