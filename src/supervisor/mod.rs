//! The life of the process: threads, signals, the order of start and stop, reloading. The only room that touches signals.

mod footprint;
mod signals;

use crate::net::Loops;
use crate::pipeline::{Pipeline, Predecessor, Running};
use anyhow::Context;
use signals::{Command, Signals};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// A configuration is read on a stack of this size, as the first one was.
const LOADER_STACK_BYTES: usize = 8 << 20;

/// What the process does besides running its pipeline.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The log file, reopened at SIGUSR1.
    pub log: Option<PathBuf>,
    /// Threads; `None` for one a core (the quota of a control group counts).
    pub threads: Option<usize>,
    /// How long the end may take to deliver what the buffers hold.
    pub shutdown_timeout: Duration,
}

/// A configuration that is to take the place of the running one.
pub struct Next {
    /// Built upon the running one.
    pub pipeline: Pipeline,
    /// What else changes.
    pub settings: Settings,
    /// To be called once it runs.
    pub commit: Box<dyn FnOnce() + Send>,
}

/// Reads the configuration anew; gives the first fault where it cannot be used.
pub type Loader = Arc<dyn Fn(&Predecessor) -> Result<Next, String> + Send + Sync>;

/// Runs a pipeline until SIGTERM or SIGINT, then stops it in order.
pub fn serve(pipeline: Pipeline, settings: Settings, loader: Loader) -> anyhow::Result<()> {
    let threads = settings.threads.or_else(|| std::thread::available_parallelism().ok().map(usize::from)).unwrap_or(1);
    let loops = Arc::new(Loops::start(threads).context("cannot start threads")?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start a runtime")?;
    runtime.block_on(async {
        // Before the listeners: whoever sees a port open may send a signal.
        let mut signals = Signals::register().context("cannot listen for signals")?;
        let running = pipeline.start(&loops)?;
        crate::log::write_with(crate::log::Level::Info, "fluentd worker is now running", &[("worker", "0")]);
        footprint::forget_start();
        let mut life = Life { running, settings, loader, loops: Arc::clone(&loops) };
        life.answer(&mut signals).await;
        crate::info!("fluentd worker is now stopping worker=0");
        tokio::select! {
            () = life.running.stop(life.settings.shutdown_timeout) => {}
            () = signals.stop() => crate::error!("a second signal to stop came: ending at once, what is in memory is lost"),
        }
        anyhow::Ok(())
    })
}

/// The running process.
struct Life {
    running: Running,
    settings: Settings,
    loader: Loader,
    loops: Arc<Loops>,
}

impl Life {
    /// Does what signals ask for until one says stop.
    async fn answer(&mut self, signals: &mut Signals) {
        loop {
            match signals.next().await {
                Command::Stop => return,
                Command::Flush => {
                    crate::info!("force flushing buffered events");
                    self.running.flush();
                    self.reopen_log();
                }
                Command::Reload => {
                    tokio::select! {
                        _ = self.reload() => {}
                        () = signals.stop() => return,
                    }
                }
            }
        }
    }

    /// Reads the configuration anew and runs it; where that cannot be, all stays as it was, and the reason is given.
    async fn reload(&mut self) -> Result<(), String> {
        crate::info!("reloading the configuration");
        let result = self.try_reload().await;
        match &result {
            Ok(()) => crate::info!("the new configuration is running"),
            Err(why) => crate::error!("reload refused, the configuration stays as it was: {why}"),
        }
        result
    }

    async fn try_reload(&mut self) -> Result<(), String> {
        let (done, loaded) = oneshot::channel();
        let (loader, before) = (Arc::clone(&self.loader), self.running.predecessor());
        // Embedded Ruby may take its time, and signals are to be heard meanwhile.
        let load = move || drop(done.send(loader(&before)));
        let thread = std::thread::Builder::new().name("reload".to_owned()).stack_size(LOADER_STACK_BYTES).spawn(load);
        thread.map_err(|error| format!("no thread to read it: {error}"))?;
        let next = loaded.await.map_err(|_| "reading it failed".to_owned())??;
        self.running.reload(next.pipeline, &self.loops).map_err(|error| format!("{error:#}"))?;
        self.settings = next.settings;
        (next.commit)();
        Ok(())
    }

    fn reopen_log(&self) {
        let Some(path) = &self.settings.log else { return };
        match open_log(path) {
            Ok(file) => crate::log::set_file(file),
            Err(error) => crate::error!("cannot reopen the log: error={:?}", format!("{error:#}")),
        }
    }
}

/// Opens a log file to append to.
pub fn open_log(path: &std::path::Path) -> anyhow::Result<std::fs::File> {
    std::fs::OpenOptions::new().create(true).append(true).open(path).with_context(|| format!("cannot open log file {}", path.display()))
}
