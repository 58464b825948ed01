//! The life of the process: threads, signals, the order of start and stop, reloading. The only room that touches signals.

mod footprint;
mod notify;
mod rpc;
mod signals;

pub use rpc::{Dump, Endpoint};

use crate::net::Loops;
use crate::pipeline::{Pipeline, Predecessor, Running};
use anyhow::Context;
use notify::Notify;
use rpc::{Asked, Call, Rpc};
use signals::{Command, Signals};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

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
    /// Where commands are taken by HTTP.
    pub rpc: Option<Endpoint>,
    /// What is shown of the configuration.
    pub dump: Dump,
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
    let threads = settings.threads.or_else(|| std::thread::available_parallelism().ok().map(usize::from)).unwrap_or(1).max(1);
    // The thread of a connection takes part in its own batch.
    crate::pipeline::allow_aides(threads - 1);
    let loops = Arc::new(Loops::start(threads).context("cannot start threads")?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start a runtime")?;
    runtime.block_on(async {
        // Before the listeners: whoever sees a port open may send a signal.
        let mut signals = Signals::register().context("cannot listen for signals")?;
        let notify = Notify::from_environment();
        let running = pipeline.start(&loops)?;
        let mut life = Life::begin(running, settings, loader, &loops, notify.clone())?;
        crate::log::write_with(crate::log::Level::Info, "fluentd worker is now running", &[("worker", "0")]);
        footprint::forget_start();
        notify.ready();
        tokio::spawn(notify.clone().watch(Arc::clone(&loops)));
        life.answer(&mut signals).await;
        crate::info!("fluentd worker is now stopping worker=0");
        notify.stopping();
        tokio::select! {
            () = life.end() => {}
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
    notify: Notify,
    rpc: Option<Rpc>,
    /// What callers are shown.
    dump: watch::Sender<Dump>,
    calls: (mpsc::Sender<Call>, mpsc::Receiver<Call>),
}

impl Life {
    fn begin(running: Running, settings: Settings, loader: Loader, loops: &Arc<Loops>, notify: Notify) -> anyhow::Result<Life> {
        let dump = watch::channel(settings.dump.clone()).0;
        let mut life = Life { running, settings, loader, loops: Arc::clone(loops), notify, rpc: None, dump, calls: rpc::calls() };
        life.rpc = life.listen(&life.settings)?;
        Ok(life)
    }

    /// The server for commands, where a configuration asks for one.
    fn listen(&self, settings: &Settings) -> anyhow::Result<Option<Rpc>> {
        let Some(endpoint) = &settings.rpc else { return Ok(None) };
        Rpc::start(endpoint, self.dump.subscribe(), self.calls.0.clone(), &self.loops).map(Some)
    }

    /// Does what signals and calls ask for until one says stop.
    async fn answer(&mut self, signals: &mut Signals) {
        loop {
            let (asked, caller) = tokio::select! {
                command = signals.next() => (Asked::Command(command), None),
                Some(call) = self.calls.1.recv() => (call.what, Some(call.answer)),
            };
            let mut result = Ok(());
            let mut is_over = false;
            match asked {
                Asked::Command(Command::Stop) => is_over = true,
                Asked::Command(Command::Flush) => self.flush(),
                Asked::FlushAndStop => {
                    self.flush();
                    is_over = true;
                }
                Asked::Dump => crate::info!("{}", self.settings.dump.text.trim_end()),
                Asked::Command(Command::Reload) => {
                    result = tokio::select! {
                        result = self.reload() => result,
                        () = signals.stop() => return,
                    }
                }
            }
            if let Some(caller) = caller {
                // A caller that is gone needs no answer.
                let _ = caller.send(result);
            }
            if is_over {
                return;
            }
        }
    }

    fn flush(&self) {
        crate::info!("force flushing buffered events");
        self.running.flush();
        self.reopen_log();
    }

    async fn end(self) {
        self.running.stop(self.settings.shutdown_timeout).await;
        if let Some(rpc) = self.rpc {
            rpc.stop().await;
        }
    }

    /// Reads the configuration anew and runs it; where that cannot be, all stays as it was, and the reason is given.
    async fn reload(&mut self) -> Result<(), String> {
        crate::info!("reloading the configuration");
        self.notify.reloading();
        let result = self.try_reload().await;
        self.notify.ready();
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
        let is_same = self.rpc.as_ref().map(Rpc::endpoint) == next.settings.rpc.as_ref();
        let rpc = if is_same { None } else { self.listen(&next.settings).map_err(|error| format!("{error:#}"))? };
        self.running.reload(next.pipeline, &self.loops).map_err(|error| format!("{error:#}"))?;
        if !is_same && let Some(old) = std::mem::replace(&mut self.rpc, rpc) {
            // Not waited for: the call that asked for this may have come by it.
            tokio::spawn(old.stop());
        }
        self.dump.send_replace(next.settings.dump.clone());
        self.settings = next.settings;
        (next.commit)();
        Ok(())
    }

    fn reopen_log(&self) {
        let Some(path) = &self.settings.log else { return };
        match open_log(path) {
            Ok(file) => crate::log::set_file(path, file),
            Err(error) => crate::error!("cannot reopen the log: error={:?}", format!("{error:#}")),
        }
    }
}

/// Opens a log file to append to.
pub fn open_log(path: &std::path::Path) -> anyhow::Result<std::fs::File> {
    std::fs::OpenOptions::new().create(true).append(true).open(path).with_context(|| format!("cannot open log file {}", path.display()))
}
