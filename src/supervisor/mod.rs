//! The life of the process: threads, signals, the order of start and stop. The only room that touches signals.

use crate::net::Loops;
use crate::pipeline::{Pipeline, Running};
use anyhow::Context;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What the process does besides running its pipeline.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The log file, reopened at SIGUSR1.
    pub log: Option<PathBuf>,
    /// Threads; `None` for one a core (the quota of a control group counts).
    pub threads: Option<usize>,
}

/// Runs a pipeline until SIGTERM or SIGINT, then stops it in order.
pub fn serve(pipeline: Pipeline, settings: &Settings) -> anyhow::Result<()> {
    let threads = settings.threads.or_else(|| std::thread::available_parallelism().ok().map(usize::from)).unwrap_or(1);
    let loops = Arc::new(Loops::start(threads).context("cannot start threads")?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start a runtime")?;
    runtime.block_on(async {
        // Before the listeners: whoever sees a port open may send a signal.
        let mut signals = Signals::register().context("cannot listen for signals")?;
        let running = {
            let _runtime = runtime.enter();
            pipeline.start(&loops)?
        };
        crate::log::write_with(crate::log::Level::Info, "fluentd worker is now running", &[("worker", "0")]);
        signals.serve(&running, settings).await;
        crate::info!("fluentd worker is now stopping worker=0");
        running.stop().await;
        anyhow::Ok(())
    })
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    user1: Signal,
    user2: Signal,
    hang_up: Signal,
}

impl Signals {
    fn register() -> std::io::Result<Signals> {
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            user1: signal(SignalKind::user_defined1())?,
            user2: signal(SignalKind::user_defined2())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Answers signals until one says stop.
    async fn serve(&mut self, running: &Running, settings: &Settings) {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return crate::info!("received graceful stop (SIGINT)"),
                _ = self.terminate.recv() => return crate::info!("received graceful stop (SIGTERM)"),
                _ = self.user1.recv() => {
                    crate::info!("force flushing buffered events");
                    running.flush();
                    reopen(settings);
                }
                _ = self.user2.recv() => refuse_reload("SIGUSR2"),
                _ = self.hang_up.recv() => refuse_reload("SIGHUP"),
            }
        }
    }
}

fn refuse_reload(name: &str) {
    crate::error!("{name} came, but reloading is not supported yet: stop and start to use a changed configuration");
}

fn reopen(settings: &Settings) {
    let Some(path) = &settings.log else { return };
    match open_log(path) {
        Ok(file) => crate::log::set_file(file),
        Err(error) => crate::error!("cannot reopen the log: error={:?}", format!("{error:#}")),
    }
}

/// Opens a log file to append to.
pub fn open_log(path: &std::path::Path) -> anyhow::Result<std::fs::File> {
    std::fs::OpenOptions::new().create(true).append(true).open(path).with_context(|| format!("cannot open log file {}", path.display()))
}
