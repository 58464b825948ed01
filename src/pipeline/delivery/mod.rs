//! Between a router and a buffered output: the stage that takes events, the queue of chunks, the tasks that deliver them, and what
//! becomes of chunks that cannot be delivered.
//!
//! What a chunk is and how its bytes are kept, in memory or on disk, is the buffer's business, how a chunk is delivered the output's. Nothing here knows tags
//! or records beyond the chunk keys.

mod backup;
mod flush;
mod inherit;
pub(super) mod on_disk;
mod order;
mod outage;
mod queue;
mod retry;
mod seats;
pub(super) mod secondary;
mod stage;
mod take_over;
mod usage;
mod waiting;
mod write;

use super::letters::Letters;
use crate::buffer::{CHUNK_COST_BYTES, Chunk, Closed, FlushMode, OverflowAction, Settings, Stage};
use crate::config::{Element, Refused};
use crate::event::{Batch, Event, Receipt, Scope, Tag};
use crate::log::PluginLog;
use crate::metrics::OutputCounters;
use crate::net::Loops;
use crate::output::BufferedOutput;
use crate::plugin::{BoxFuture, Context, EmitError, Limit, Sink};
use backup::Backup;
use on_disk::OnDisk;
use queue::Queue;
use seats::Crew;
use secondary::Secondary;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

/// After the time of a stop is over, deliveries have so long to let go of their chunks.
const LET_GO_WAIT: Duration = Duration::from_secs(1);
/// A full buffer is spoken of no more often than this.
const OVERFLOW_LINE_PAUSE: Duration = Duration::from_secs(1);

/// How far the end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    /// What waits is delivered, once.
    Ending,
    /// The time is over: what is not delivered by now is left.
    Abandoned,
}

/// What a stop could not deliver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Remaining {
    /// Chunks that went to the backup folder (or nowhere, if even that failed).
    pub chunks: usize,
    /// Their events.
    pub records: usize,
    /// Chunks that an output has not let go of.
    pub stuck: usize,
    /// Events that stay on disk.
    pub kept: usize,
}

/// A buffered output with its buffer.
pub struct Delivery {
    id: Arc<str>,
    log: PluginLog,
    output: Box<dyn BufferedOutput>,
    secondary: Option<Secondary>,
    settings: Settings,
    /// Whether the bytes of what is emitted are counted, as `enable_size_metrics` asks.
    counts_sizes: bool,
    plugin: String,
    backup: Backup,
    overflow_line: Pace,
    // From here on what a successor takes over.
    limit: Arc<Limit>,
    /// Where the buffer is on disk, if it is.
    disk: Option<OnDisk>,
    stage: Arc<Stage>,
    queue: Arc<Queue>,
    counters: Arc<OutputCounters>,
    /// Since when no delivery has succeeded, where the last one failed.
    failing_since: Arc<Mutex<Option<Instant>>>,
    /// Told of each emit, where a writer waits for that.
    emitted: Arc<Notify>,
    phase: Arc<watch::Sender<Phase>>,
    has_ended: Arc<AtomicBool>,
    tasks: Arc<Mutex<Vec<JoinHandle<()>>>>,
    /// Whether somebody waits for the delivery of what is staged.
    is_awaited: AtomicBool,
    /// Whether a Fluentd that runs keeps its chunks from being taken over.
    is_held_up: AtomicBool,
    /// Whether a successor has taken over.
    replaced: watch::Sender<bool>,
    crew: Crew,
}

impl Delivery {
    /// Puts a buffer before an output, as the `<buffer>` and `<secondary>` sections of its element say. Nothing runs yet.
    pub fn new(output: Box<dyn BufferedOutput>, element: &Element, context: &Context<'_>) -> Result<Arc<Delivery>, Refused> {
        let settings = Settings::read(element, &output.buffer_defaults(), context.diagnostics);
        let secondary = Secondary::build(element, output.as_ref(), context);
        let (settings, secondary) = (settings?, secondary?);
        if secondary.is_some() && settings.retry.forever {
            let message = "<secondary> with 'retry_forever', only unrecoverable errors are moved to secondary";
            context.diagnostics.warn("FLM0523", Some(element.span), message);
        }
        let disk = OnDisk::resolve(&settings, element, context)?;
        let memory = context.host.memory_limit();
        let limit = Arc::new(if disk.is_some() { Limit::new(settings.total_bytes) } else { Limit::within(settings.total_bytes, &memory) });
        Ok(Arc::new(Delivery {
            id: Arc::from(context.id),
            log: context.log.clone(),
            secondary,
            counts_sizes: context.system.enable_size_metrics == Some(true),
            plugin: element.plugin_type().unwrap_or_default().to_owned(),
            disk,
            stage: Arc::new(Stage::new(settings.chunk, Arc::clone(&limit))),
            queue: Arc::default(),
            backup: Backup::new(context.system.root_dir.as_deref(), context.id, element.plugin_type(), output.is_packed()),
            counters: Arc::default(),
            failing_since: Arc::default(),
            overflow_line: Pace::default(),
            emitted: Arc::default(),
            phase: Arc::new(watch::channel(Phase::Running).0),
            has_ended: Arc::default(),
            tasks: Arc::default(),
            is_awaited: AtomicBool::new(false),
            is_held_up: AtomicBool::new(false),
            replaced: watch::channel(false).0,
            crew: Crew::new(settings.flush_threads),
            output,
            settings,
            limit,
        }))
    }

    /// The name by which the configuration calls the output.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Keeps what cannot be delivered there, and no longer in the backup folder.
    pub fn keep_dead_letters(&self, letters: &Arc<Letters>) {
        self.backup.prefer(letters);
    }

    /// Whether it takes chunks that a formatter wrote for an output of this type.
    pub fn takes_formatted(&self, plugin: Option<&str>) -> bool {
        !self.output.is_packed() && plugin.is_none_or(|plugin| plugin == self.plugin)
    }

    /// Queues a chunk as it is, whatever its keys.
    pub fn take_back(&self, chunk: Chunk) {
        let bytes = chunk.bytes.len() as u64;
        self.limit.take(bytes + CHUNK_COST_BYTES);
        self.push(Closed { chunk, since: Instant::now(), bytes, body: None, receipts: Vec::new() });
    }

    /// What it has done so far.
    pub fn counters(&self) -> &Arc<OutputCounters> {
        &self.counters
    }

    /// Takes up what waits on disk, before it is started. Blocks; fails where the folder of a file buffer cannot be used.
    pub fn prepare(&self) -> anyhow::Result<()> {
        self.log.enter(|| self.open_log())
    }

    /// Starts the tasks.
    pub fn start(this: &Arc<Self>, loops: &Loops) {
        this.start_on(&loops.quietest_first(), |thread, task| loops.spawn_on(thread, task));
    }

    /// There are writers on two threads at least, so that one can be found where no chunk is being filled, though only as many as there are
    /// flush threads write at once.
    fn start_on(self: &Arc<Self>, threads: &[usize], spawn: impl Fn(usize, BoxFuture<'static, ()>) -> JoinHandle<()>) {
        let run = |thread, task: BoxFuture<'static, ()>| spawn(thread, Box::pin(self.log.clone().run(task)));
        let mut tasks = vec![run(threads[0], Box::pin(flush::look_for_due(Arc::clone(self), self.phase.subscribe())))];
        if let Some(disk) = &self.disk {
            let location = disk.location.clone();
            tasks.push(run(threads[0], Box::pin(take_over::look_again(Arc::clone(self), location, self.phase.subscribe()))));
        }
        let (writers, has_others) = (self.settings.flush_threads.max(threads.len().min(2)), threads.len() > 1);
        for thread in threads.iter().cycle().take(writers) {
            tasks.push(run(*thread, Box::pin(flush::write_chunks(Arc::clone(self), has_others, self.phase.subscribe()))));
        }
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).extend(tasks);
    }

    /// Queues everything that is staged, whatever its age.
    pub fn flush_all(&self) {
        self.queue_staged();
    }

    /// Ends the delivery: at once no more waiting for intervals and retries, and everything gets one more try, unless it is on disk and
    /// may stay there. What is not delivered within `wait` stays on disk, or goes to the backup folder. The end begins with the call; the future tells when it is reached.
    pub fn stop(self: &Arc<Self>, wait: Duration) -> BoxFuture<'static, Remaining> {
        self.end(wait, self.settings.flush_at_shutdown)
    }

    /// As [`Delivery::stop`], for an output that does not come again: what is on disk is delivered too, as far as it can be.
    pub fn drain(self: &Arc<Self>, wait: Duration) -> BoxFuture<'static, Remaining> {
        self.end(wait, true)
    }

    fn end(self: &Arc<Self>, wait: Duration, delivers_all: bool) -> BoxFuture<'static, Remaining> {
        let deadline = Instant::now() + wait;
        self.phase.send_if_modified(|phase| {
            let begins = *phase == Phase::Running;
            if begins {
                *phase = Phase::Ending;
            }
            begins
        });
        if delivers_all {
            self.queue_staged();
        }
        self.queue.end(self.disk.is_some() && !delivers_all);
        let this = Arc::clone(self);
        Box::pin(this.log.clone().run(async move { this.finish(deadline).await }))
    }

    /// The time of a stop is over now: what is not delivered yet goes to the backup folder.
    pub fn abandon(&self) {
        self.phase.send_replace(Phase::Abandoned);
    }

    async fn finish(self: Arc<Self>, deadline: Instant) -> Remaining {
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        let mut all = std::pin::pin!(async {
            for task in tasks {
                let _ = task.await;
            }
            // Other outputs may have emitted their last events here after the writers had gone.
            flush::write_chunks(Arc::clone(&self), false, self.phase.subscribe()).await;
        });
        if timeout_at(deadline, all.as_mut()).await.is_err() {
            self.phase.send_replace(Phase::Abandoned);
            let _ = timeout(LET_GO_WAIT, all).await;
        }
        self.has_ended.store(true, Ordering::SeqCst);
        let staged = self.stage.leave_log();
        self.queue_staged();
        let left = self.queue.take_all();
        let mut remaining = Remaining { stuck: self.queue.in_hand() - left.len(), ..Remaining::default() };
        let reason = anyhow::anyhow!("the process ends");
        for waiting in left {
            if waiting.body.is_some() {
                remaining.kept += waiting.records();
                waiting.receipts.iter().for_each(Receipt::refuse);
                continue;
            }
            remaining.chunks += 1;
            remaining.records += waiting.chunk.records;
            self.give_up(waiting, &reason).await;
        }
        if let Some((log, records)) = staged {
            remaining.kept += records as usize;
            let _ = tokio::task::spawn_blocking(move || log.log.shut()).await;
        }
        if remaining.kept > 0 {
            crate::info!("events stay in the buffer on disk: records={} plugin_id={:?}", remaining.kept, self.id);
        }
        if (remaining.chunks, remaining.stuck) != (0, 0) {
            let Remaining { chunks, records, stuck, .. } = remaining;
            crate::error!(
                "not delivered before the end: chunks={chunks} records={records} still_being_written={stuck} plugin_id={:?}",
                self.id
            );
        }
        remaining
    }

    fn queue_staged(&self) {
        self.stage.close(
            |_| true,
            |_, _| true,
            |closed| {
                self.push(closed);
                true
            },
        );
    }

    fn push(&self, closed: Closed) {
        self.queue.push(closed);
        self.pace();
    }

    /// Makes senders pause while more chunks wait than the writers have in hand: what is only waiting takes memory, and its turn comes
    /// no sooner by it. In an outage chunks wait for the server, and the buffer is there to be filled.
    fn pace(&self) {
        if self.disk.is_some() {
            return;
        }
        let settings = &self.settings;
        let plenty = (settings.chunk.bytes as u64).saturating_mul(settings.flush_threads.max(1) as u64);
        self.limit.set_crowded(self.queue.flowing_bytes() > plenty);
    }

    fn is_chunk_an_emit(&self) -> bool {
        self.settings.flush_mode == FlushMode::Immediate && self.output.shows_chunks()
    }

    /// After events have been staged: those who wait for that, and the end, have to know.
    fn after_append(&self, receipt: Option<&Receipt>) {
        if receipt.is_some_and(Receipt::until_delivered) {
            self.is_awaited.store(true, Ordering::SeqCst);
            self.queue_due();
        }
        if self.is_chunk_an_emit() {
            self.queue_staged();
        } else if self.settings.flush_mode == FlushMode::Immediate {
            self.queue_due();
        }
        if self.settings.burst_interval.is_some() {
            self.emitted.notify_waiters();
        }
        if *self.phase.borrow() != Phase::Running {
            if self.has_ended.load(Ordering::SeqCst) {
                self.keep_staged();
            } else if self.settings.flush_at_shutdown {
                self.queue_staged();
            }
        }
    }
}

impl Sink for Delivery {
    fn emit<'a>(&self, scope: &Scope<'a>, tag: &Tag, batch: &Batch<'a>) -> Result<(), EmitError> {
        if !batch.is_coalesced() || !self.is_chunk_an_emit() {
            return self.take(scope, tag, batch);
        }
        let one = |event: &Event<'a>| self.take(scope, tag, &Batch::single(scope, event.time, event.record.clone()));
        batch.events(scope).iter().map(one).fold(Ok(()), Result::and)
    }

    fn takes_packed(&self, _tag: &Tag) -> bool {
        // Events that have names of their own get them by their places in the messages, which filters may change.
        self.is_verbatim() && !self.output.names_events() && !self.is_chunk_an_emit()
    }

    fn limits(&self, _tag: Option<&Tag>, into: &mut Vec<Arc<Limit>>) {
        if self.settings.overflow_action == OverflowAction::Block {
            into.extend(self.all_limits().cloned());
        }
    }
}

/// Lets something happen once in a while.
#[derive(Debug, Default)]
struct Pace(Mutex<Option<Instant>>);

impl Pace {
    fn is_due(&self, now: Instant) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last.is_none_or(|last| now.duration_since(last) >= OVERFLOW_LINE_PAUSE);
        if due {
            *last = Some(now);
        }
        due
    }
}

#[cfg(test)]
mod tests;
