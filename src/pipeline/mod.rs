//! From a configuration to a running graph: inputs, routers with their filters, outputs and their buffers.

mod build;
pub mod delivery;
mod errors;
mod holders;
pub mod letters;
mod own_log;
mod pattern;
mod router;
mod watched;
mod workers;

pub use build::build;

use crate::input::Input;
use crate::log::{Level, PluginLog};
use crate::metrics::{Activity, Overview};
use crate::net::Loops;
use crate::output::SyncOutput;
use crate::plugin::{Emitter, Stop};
use delivery::Delivery;
use holders::{Holder, Holders};
use router::Router;
use std::sync::{Arc, Mutex, PoisonError};
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
    activity: Arc<Mutex<Activity>>,
}

/// Everything that one configuration describes, built and not yet started.
#[derive(Default)]
pub struct Pipeline {
    inputs: Vec<Idle>,
    routers: Vec<Arc<Router>>,
    deliveries: Vec<Arc<Delivery>>,
    sync_outputs: Vec<Arc<dyn SyncOutput>>,
    holders: Vec<Holder>,
    own_log: Option<(Arc<Router>, Level)>,
    overview: Arc<Overview>,
}

/// A pipeline at work.
pub struct Running {
    inputs: Vec<JoinHandle<()>>,
    stop: watch::Sender<bool>,
    own_log: Option<own_log::Tap>,
    overview: Arc<Overview>,
    holders: Holders,
    deliveries: Vec<Arc<Delivery>>,
    sync_outputs: Vec<Arc<dyn SyncOutput>>,
    _routers: Vec<Arc<Router>>,
}

impl Pipeline {
    /// What can be seen of it from outside.
    pub fn overview(&self) -> &Arc<Overview> {
        &self.overview
    }

    /// Binds all listeners, starts deliveries and then inputs. Fails where an address cannot be bound.
    pub fn start(mut self, loops: &Arc<Loops>) -> anyhow::Result<Running> {
        for idle in &mut self.inputs {
            idle.log.clone().enter(|| idle.input.bind())?;
            set(&idle.activity, Activity::Running);
        }
        for delivery in &self.deliveries {
            Delivery::start(delivery, loops);
        }
        let own_log = self.own_log.map(|(router, from)| own_log::Tap::start(router, from, loops));
        let (stop, stopped) = Stop::new();
        let holders = Holders::start(self.holders, loops, stopped.clone());
        let inputs = self.inputs.into_iter().map(|idle| run(idle, loops, stopped.clone())).collect();
        let overview = self.overview;
        Ok(Running {
            inputs,
            stop,
            own_log,
            overview,
            holders,
            deliveries: self.deliveries,
            sync_outputs: self.sync_outputs,
            _routers: self.routers,
        })
    }
}

fn run(idle: Idle, loops: &Arc<Loops>, stop: Stop) -> JoinHandle<()> {
    let Idle { input, emitter, log, activity } = idle;
    let running = input.run(emitter, Arc::clone(loops), stop);
    loops.spawn(log.run(async move {
        let end = match running.await {
            Ok(()) => "it has stopped".to_owned(),
            Err(error) => {
                crate::error!("an input ended: error={:?}", format!("{error:#}"));
                format!("{error:#}")
            }
        };
        set(&activity, Activity::Ended(end));
    }))
}

fn set(activity: &Mutex<Activity>, to: Activity) {
    *activity.lock().unwrap_or_else(PoisonError::into_inner) = to;
}

impl Running {
    /// Stops in order: inputs, then what is in the buffers is delivered, then the rest.
    pub async fn stop(self) {
        self.overview.stop();
        let _ = self.stop.send(true);
        let all = async {
            for input in self.inputs {
                let _ = input.await;
            }
        };
        if tokio::time::timeout(INPUT_STOP_WAIT, all).await.is_err() {
            crate::warning!("some inputs did not stop within {INPUT_STOP_WAIT:?}");
        }
        self.holders.drain();
        if let Some(tap) = self.own_log {
            tap.stop().await;
        }
        let flushes: Vec<_> = self.deliveries.iter().map(|delivery| delivery.stop(FLUSH_WAIT)).collect();
        for flush in flushes {
            flush.await;
        }
        // What outputs have given back meanwhile; nobody delivers it any more, so that buffers keep it.
        self.holders.drain();
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
        self.deliveries.iter().for_each(|delivery| delivery.flush_all());
    }
}
