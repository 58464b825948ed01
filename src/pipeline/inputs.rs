//! Inputs before they run, while they run, and on their way out.

use super::identity::{Kept, Known};
use crate::config::Span;
use crate::input::{Input, Seat};
use crate::log::PluginLog;
use crate::metrics::{Activity, InputCounters};
use crate::net::Loops;
use crate::plugin::{BoxFuture, Emitter, Stop};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long inputs have to finish what they have received, once they are told to stop.
const STOP_WAIT: Duration = Duration::from_secs(4);
/// The pause between attempts to bind what the input before it has not let go of.
const BIND_PAUSE: Duration = Duration::from_millis(100);

/// An input that has not been started.
pub(super) struct Idle {
    pub worker: i64,
    /// Where its section stands.
    pub span: Span,
    /// What is written about it.
    pub text: String,
    pub input: Box<dyn Input>,
    pub emitter: Emitter,
    pub log: PluginLog,
    pub counters: Arc<InputCounters>,
    pub activity: Arc<Mutex<Activity>>,
    /// The running input that it takes the place of, or is.
    pub place: Option<usize>,
}

/// An input at work.
pub(super) struct Live {
    /// What a reload knows it by.
    pub known: Known,
    pub seat: Option<Seat>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Idle {
    /// Reads what it needs from files.
    pub fn prepare(&mut self) -> anyhow::Result<()> {
        self.log.clone().enter(|| self.input.prepare())
    }

    /// Binds its listeners.
    pub fn bind(&mut self) -> anyhow::Result<()> {
        self.log.clone().enter(|| self.input.bind())?;
        set(&self.activity, Activity::Running);
        Ok(())
    }

    /// Starts it.
    pub fn start(self, loops: &Arc<Loops>) -> Live {
        self.start_after(loops, None)
    }

    /// Starts it; with `after`, only when that has come, and with the attempt to bind repeated until it works: what was there before holds
    /// the address until then.
    pub fn start_after(self, loops: &Arc<Loops>, after: Option<Stop>) -> Live {
        let (stop, stopped) = Stop::new();
        let (sockets, seat) = (self.input.sockets(), self.input.seat());
        let Idle { worker, text, mut input, emitter, log, counters, activity, .. } = self;
        let known = Known { worker, text, sockets, kept: Kept { counters, activity: Arc::clone(&activity), place: None } };
        let all = Arc::clone(loops);
        let task = loops.spawn(log.run(async move {
            if let Some(after) = after {
                if !bind_late(input.as_mut(), after, stopped.clone()).await {
                    return;
                }
                set(&activity, Activity::Running);
            }
            let end = match input.run(emitter, all, stopped).await {
                Ok(()) => "it has stopped".to_owned(),
                Err(error) => {
                    crate::error!("an input ended: error={:?}", format!("{error:#}"));
                    format!("{error:#}")
                }
            };
            set(&activity, Activity::Ended(end));
        }));
        Live { known, seat, stop, task }
    }
}

fn set(activity: &Mutex<Activity>, to: Activity) {
    *activity.lock().unwrap_or_else(PoisonError::into_inner) = to;
}

impl Live {
    /// Tells all of them to stop at once; the future waits for that, for a bounded time.
    pub fn stop(all: Vec<Live>) -> BoxFuture<'static, ()> {
        for live in &all {
            let _ = live.stop.send(true);
        }
        Box::pin(async move {
            let ends = async {
                for live in all {
                    let _ = live.task.await;
                }
            };
            if tokio::time::timeout(STOP_WAIT, ends).await.is_err() {
                crate::warning!("some inputs did not stop within {STOP_WAIT:?}");
            }
        })
    }
}

/// Whether an address cannot be bound because somebody else has it.
pub(super) fn is_in_use(error: &anyhow::Error) -> bool {
    error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>()).any(|cause| cause.kind() == io::ErrorKind::AddrInUse)
}

/// Binds once `after` has come; `false` where the end comes first.
async fn bind_late(input: &mut dyn Input, mut after: Stop, mut stopped: Stop) -> bool {
    after.wait().await;
    let mut was_said = false;
    loop {
        let Err(error) = input.bind() else { return true };
        if !was_said {
            was_said = true;
            crate::error!("an input cannot start yet, trying on: error={:?}", format!("{error:#}"));
        }
        tokio::select! {
            () = stopped.wait() => return false,
            () = tokio::time::sleep(BIND_PAUSE) => {}
        }
    }
}
