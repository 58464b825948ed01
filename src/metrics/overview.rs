//! The overview of one pipeline: its plugins in the order in which they are shown, its routers, and whether it is at work.

use super::{ErrorCounters, FilterCounters, InputCounters, OutputCounters, RouterCounters};
use serde_json::Value;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How much waits for an output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Chunks that take events.
    pub stage_length: usize,
    /// Their bytes.
    pub stage_bytes: u64,
    /// Their events.
    pub stage_records: u64,
    /// Chunks that wait for delivery.
    pub queue_length: usize,
    /// Their bytes, and those of chunks being delivered.
    pub queue_bytes: u64,
    /// Events of chunks that wait for delivery.
    pub queue_records: u64,
    /// Events of chunks that are being delivered.
    pub in_flight_records: u64,
    /// The maximum of all bytes.
    pub total_limit: u64,
    /// The time slices of all chunks, oldest first.
    pub timekeys: Vec<i64>,
    /// What is tried again.
    pub retry: Option<RetryState>,
    /// Why it does not get on, where it does not.
    pub stuck: Option<String>,
}

/// Where an output that fails stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryState {
    /// When it began to fail, in seconds since 1970.
    pub start: i64,
    /// Retries so far.
    pub steps: u64,
    /// When it is tried next, in seconds since 1970.
    pub next_time: i64,
}

/// An output with a buffer, as seen from outside.
pub trait Buffered: Send + Sync {
    /// What waits now.
    fn usage(&self) -> Usage;
}

/// What a plugin has put where somebody else takes it away, as a reader of standard output does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Bytes that have not been taken away.
    pub bytes: u64,
    /// Why they stay where they are, if they do.
    pub stuck: Option<String>,
}

/// Such a place, as seen from outside.
pub trait Queue: Send + Sync {
    /// What waits now.
    fn waiting(&self) -> Waiting;
}

/// Whether an input is at work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Activity {
    /// Not started: its listeners are not bound.
    #[default]
    Idle,
    /// Its listeners are bound.
    Running,
    /// Its time is over, or it failed: why.
    Ended(String),
}

/// What there is to know of a plugin beyond its texts.
pub enum Watched {
    /// An input.
    Input(Arc<InputCounters>, Arc<Mutex<Activity>>),
    /// A filter.
    Filter(Arc<FilterCounters>),
    /// An output that hands on to others within it.
    Multiple(Arc<OutputCounters>),
    /// An output without a buffer.
    Direct(Arc<OutputCounters>),
    /// An output with one.
    Buffered(Arc<OutputCounters>, Arc<dyn Buffered>),
}

impl Watched {
    /// Fluentd's word for the kind of plugin.
    pub fn category(&self) -> &'static str {
        match self {
            Watched::Input(..) => "input",
            Watched::Filter(_) => "filter",
            Watched::Multiple(_) | Watched::Direct(_) | Watched::Buffered(..) => "output",
        }
    }
}

/// Says whether a tag is taken.
pub type Takes = Box<dyn Fn(&str) -> bool + Send + Sync>;

/// A plugin, as seen from outside.
pub struct Plugin {
    /// `@id`, or a name made from its place; unique among the plugins of a worker.
    pub id: String,
    /// `@type`.
    pub kind: String,
    /// The router that it stands in, or emits to: `@ROOT` or a label.
    pub router: String,
    /// The logical worker that it belongs to.
    pub worker: i64,
    /// Its own parameters as configured, in order, secrets masked.
    pub config: Vec<(String, String)>,
    /// All parameters that it can have, with the values that they have, secrets masked.
    pub variables: Vec<(String, Value)>,
    /// Says which tags it takes, where it stands in a `<match>` of its own.
    pub takes: Option<Takes>,
    /// Where it puts what somebody else takes away, if it does.
    pub queue: Option<Arc<dyn Queue>>,
    /// Its numbers.
    pub watched: Watched,
}

/// A router, as seen from outside.
pub struct RouterEntry {
    /// `@ROOT` or the label.
    pub name: String,
    /// The logical worker that it belongs to.
    pub worker: i64,
    /// Its numbers.
    pub counters: Arc<RouterCounters>,
}

/// What is known of the process, as Fluentd tells it of its own.
#[derive(Clone, Debug, Default)]
pub struct Process {
    /// The configuration file.
    pub config_path: String,
    /// Where the process number is written.
    pub pid_file: Option<String>,
    /// The log file.
    pub log_path: Option<String>,
    /// `root_dir` of `<system>`.
    pub root_dir: Option<String>,
}

#[derive(Default)]
struct Inside {
    plugins: Vec<Arc<Plugin>>,
    routers: Vec<Arc<RouterEntry>>,
    process: Process,
    is_stopping: bool,
}

/// All that can be seen from outside; filled when a pipeline starts, and anew at a reload.
#[derive(Default)]
pub struct Overview {
    inside: Mutex<Inside>,
    /// Events that could not be handled.
    pub errors: Arc<ErrorCounters>,
}

impl Overview {
    /// Shows these plugins and routers, and no longer those before.
    pub fn show(&self, plugins: Vec<Plugin>, routers: Vec<RouterEntry>) {
        let mut inside = self.lock();
        inside.plugins = plugins.into_iter().map(Arc::new).collect();
        inside.routers = routers.into_iter().map(Arc::new).collect();
    }

    /// All plugins in the order in which Fluentd shows them: inputs, then the outputs and the filters of each router.
    pub fn plugins(&self) -> Vec<Arc<Plugin>> {
        self.lock().plugins.clone()
    }

    /// All routers.
    pub fn routers(&self) -> Vec<Arc<RouterEntry>> {
        self.lock().routers.clone()
    }

    /// What is known of the process.
    pub fn process(&self) -> Process {
        self.lock().process.clone()
    }

    /// Notes what is known of the process.
    pub fn set_process(&self, process: Process) {
        self.lock().process = process;
    }

    /// Whether the end has begun.
    pub fn is_stopping(&self) -> bool {
        self.lock().is_stopping
    }

    /// Notes that the end has begun.
    pub fn stop(&self) {
        self.lock().is_stopping = true;
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
