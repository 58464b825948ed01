//! A `<buffer>` section, checked: what its parameters come to, and Fluentd's complaints where they contradict each other.

use super::keys::{self, FieldKey, Keys, TimeSlices};
use super::log::Fsync;
use super::params::{self, Compress, Defaults, FlushMode, FsyncMode, OutputParams, OverflowAction, Params, RetryType};
use super::split::ChunkLimits;
use crate::config::{Diagnostics, Element, FromLiteral, Refused, Seconds};
use crate::event::{Accessor, Zone};
use std::time::Duration;

/// More chunk keys than this make too many chunks.
const MANY_KEYS: usize = 4;
/// More delivering tasks than this help no server.
const MAX_FLUSH_THREADS: i64 = 1024;
/// The longest time that is reckoned with: ten years, so that sums with the present always exist.
const FOREVER: Duration = Duration::from_secs(10 * 365 * 86_400);

/// How an output's buffer works.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The chunk keys.
    pub keys: Keys,
    /// When chunks are queued; never `Default`.
    pub flush_mode: FlushMode,
    /// The age at which chunks are queued, in mode `interval`.
    pub flush_interval: Duration,
    /// How many chunks are delivered at the same time.
    pub flush_threads: usize,
    /// The least pause between two looks for chunks that are due.
    pub flush_thread_interval: Duration,
    /// A pause between deliveries.
    pub burst_interval: Option<Duration>,
    /// Whether what waits is delivered at the end.
    pub flush_at_shutdown: bool,
    /// For outputs that learn of success later.
    pub delayed_commit_timeout: Duration,
    /// What happens when the buffer is full.
    pub overflow_action: OverflowAction,
    /// The limits of one chunk.
    pub chunk: ChunkLimits,
    /// Bytes of all chunks.
    pub total_bytes: u64,
    /// How many chunks may be queued before younger ones keep collecting events.
    pub queued_chunks: usize,
    /// How chunks wait.
    pub compress: Compress,
    /// The largest chunk that is compressed.
    pub compress_up_to: u64,
    /// Whether undeliverable chunks are thrown away.
    pub disable_chunk_backup: bool,
    /// Where chunks wait, if not in memory.
    pub file: Option<FileSettings>,
    /// How deliveries are retried.
    pub retry: RetrySettings,
    /// Whether times are kept in whole seconds.
    pub time_as_integer: bool,
    /// A delivery that takes longer is warned about.
    pub slow_flush_threshold: Duration,
}

/// What a file buffer's parameters say.
#[derive(Clone, Debug)]
pub struct FileSettings {
    /// `path`.
    pub path: Option<String>,
    /// The path where there is none, and no `root_dir` with an `@id` either.
    pub path_otherwise: Option<String>,
    /// `path_suffix`.
    pub path_suffix: String,
    /// Permissions of files.
    pub file_permission: Option<u32>,
    /// Permissions of folders.
    pub dir_permission: Option<u32>,
    /// Whether it is a `file_single`.
    pub is_single: bool,
    /// When it is synced.
    pub fsync: Fsync,
}

/// How deliveries are retried.
#[derive(Clone, Debug)]
pub struct RetrySettings {
    /// Without end.
    pub forever: bool,
    /// For how long.
    pub timeout: Duration,
    /// How often.
    pub max_times: Option<u64>,
    /// After which part of that the secondary takes over.
    pub secondary_threshold: f64,
    /// How the pauses grow.
    pub kind: RetryType,
    /// The first pause.
    pub wait: Duration,
    /// The base of their growth.
    pub base: f64,
    /// The longest pause.
    pub max_interval: Option<Duration>,
    /// Whether they vary.
    pub randomize: bool,
}

impl Settings {
    /// Reads the `<buffer>` section of an output's element, or what stands in for one. May be called more than once for an element:
    /// outputs do, for the chunk keys that their own parameters refer to.
    pub fn read(output: &Element, defaults: &Defaults, diagnostics: &Diagnostics) -> Result<Settings, Refused> {
        let sections = output.sections("buffer");
        if let Some(second) = sections.get(1) {
            let message = format!("'<buffer>' section cannot be written twice or more, in section {}", output.tag_text());
            return Err(diagnostics.error("FLM0208", Some(second.span), message));
        }
        let absent = Element::new("buffer", "", output.span);
        let buffer = sections.first().copied().unwrap_or(&absent);
        let params = params::read(buffer, defaults, diagnostics);
        let of_output = OutputParams::read(output, diagnostics)?;
        let reader = Reader { output, buffer, diagnostics, params: params? };
        let file = reader.file(defaults)?;
        let keys = reader.keys(defaults)?;
        let flush_mode = reader.flush_mode(&keys)?;
        Ok(reader.settings(keys, flush_mode, file, &of_output))
    }
}

struct Reader<'r> {
    output: &'r Element,
    buffer: &'r Element,
    diagnostics: &'r Diagnostics,
    params: Params,
}

impl Reader<'_> {
    fn refuse(&self, code: &'static str, message: impl Into<String>) -> Refused {
        self.diagnostics.error(code, Some(self.buffer.span), message)
    }

    fn warn(&self, code: &'static str, message: impl Into<String>) {
        self.diagnostics.warn(code, Some(self.buffer.span), message);
    }

    fn file(&self, defaults: &Defaults) -> Result<Option<FileSettings>, Refused> {
        let params = &self.params;
        let is_single = match params.r#type.as_str() {
            "memory" => {
                for name in ["path", "path_suffix", "file_permission", "dir_permission", "fsync", "calc_num_records", "chunk_format"] {
                    if self.buffer.param(name).is_some() {
                        self.warn("FLM0501", format!("parameter '{name}' in <buffer> is not used: the buffer is in memory"));
                    }
                }
                return Ok(None);
            }
            "file" => false,
            "file_single" => true,
            other => {
                let message = format!("Unknown buffer plugin '{other}'. Run 'gem search -rd fluent-plugin' to find plugins");
                return Err(self.refuse("FLM0502", message));
            }
        };
        let otherwise = defaults.path_from.and_then(|name| self.output.text(name));
        let fsync = match params.fsync {
            None => Fsync::Acked,
            Some(FsyncMode::Always) => Fsync::Always,
            Some(FsyncMode::Interval) => Fsync::Interval,
            Some(FsyncMode::Never) => Fsync::Never,
        };
        Ok(Some(FileSettings {
            path: params.path.clone().filter(|path| !path.is_empty()),
            path_otherwise: otherwise.map(str::to_owned),
            path_suffix: params.path_suffix.clone(),
            file_permission: params.file_permission.map(|mode| mode.0),
            dir_permission: params.dir_permission.map(|mode| mode.0),
            is_single,
            fsync,
        }))
    }

    fn keys(&self, defaults: &Defaults) -> Result<Keys, Refused> {
        let mut names: Vec<String> = if self.buffer.arg.is_empty() {
            defaults.chunk_keys.iter().map(|&key| key.to_owned()).collect()
        } else {
            let names: Vec<String> =
                FromLiteral::from_literal(&self.buffer.arg, self.diagnostics.strict()).map_err(|why| self.refuse("FLM0503", why))?;
            names
        };
        let before = names.len();
        names.retain(|name| name != "time");
        let has_time = names.len() < before;
        let before = names.len();
        names.retain(|name| name != "tag");
        let tag = names.len() < before;
        let fields = names.iter().map(|name| self.field(name)).collect::<Result<Vec<_>, _>>()?;
        let time = if has_time { Some(self.time_slices()?) } else { None };
        if usize::from(tag) + fields.len() >= MANY_KEYS {
            self.warn("FLM0504", "many chunk keys specified, and it may cause too many chunks on your system.");
        }
        Ok(Keys { tag, time, fields })
    }

    fn field(&self, name: &str) -> Result<FieldKey, Refused> {
        if name.starts_with("$[") {
            return Err(self.refuse("FLM0503", "in chunk_keys: in chunk_keys: bracket notation is not allowed"));
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
        if !name.starts_with("$.") && (name.is_empty() || !name.chars().all(plain)) {
            return Err(self.refuse(
                "FLM0503",
                format!("chunk_keys specification includes invalid char: '{name}', expected letters, digits and '-_.@'"),
            ));
        }
        let accessor = Accessor::parse(name).map_err(|why| self.refuse("FLM0503", format!("in chunk_keys: {why}")))?;
        Ok(FieldKey { name: name.to_owned(), accessor })
    }

    fn time_slices(&self) -> Result<TimeSlices, Refused> {
        let Some(Seconds(timekey)) = self.params.timekey else {
            return Err(self.refuse("FLM0505", "<buffer ...> argument includes 'time', but timekey is not configured"));
        };
        let zone = match &self.params.timekey_zone {
            Some(name) => Zone::parse(name).map_err(|why| self.refuse("FLM0506", why))?,
            None => keys::local_zone(),
        };
        if timekey <= 0.0 {
            return Err(self.refuse("FLM0505", format!("timekey should be greater than 0. current timekey: {timekey:?}")));
        }
        let zone = if self.params.timekey_use_utc { Zone::Utc } else { zone };
        Ok(TimeSlices { length: timekey.max(1.0), wait: self.params.timekey_wait.0 as i64, zone })
    }

    fn flush_mode(&self, keys: &Keys) -> Result<FlushMode, Refused> {
        let flat_interval = self.output.text("flush_interval").is_some();
        let mode = match self.params.flush_mode {
            FlushMode::Default if flat_interval || keys.time.is_none() => FlushMode::Interval,
            FlushMode::Default => FlushMode::Lazy,
            given => given,
        };
        if flat_interval && self.params.flush_mode == FlushMode::Default {
            let message =
                "'flush_interval' is configured at out side of <buffer>. 'flush_mode' is set to 'interval' to keep existing behaviour";
            self.diagnostics.note("FLM0507", Some(self.output.span), message);
        }
        if mode != FlushMode::Interval && self.buffer.param("flush_interval").is_some() {
            let word = mode_word(mode);
            if self.buffer.param("flush_mode").is_some() {
                let message = format!("'flush_interval' can't be specified when 'flush_mode' is not 'interval' explicitly: '{word}'");
                return Err(self.refuse("FLM0508", message));
            }
            self.warn("FLM0508", format!("'flush_interval' is ignored because default 'flush_mode' is not 'interval': '{word}'"));
        }
        Ok(mode)
    }

    fn settings(&self, keys: Keys, flush_mode: FlushMode, file: Option<FileSettings>, of_output: &OutputParams) -> Settings {
        let params = &self.params;
        if params.flush_at_shutdown == Some(false) && file.is_none() {
            self.warn("FLM0509", "'flush_at_shutdown' is false, and buffer plugin 'memory' is not persistent buffer.");
            self.warn("FLM0509", "your configuration will lose buffered data at shutdown. please confirm your configuration again.");
        }
        let flush_threads = self.flush_threads();
        let chunk_bytes = params.chunk_limit_size.0;
        let total_bytes = match params.queue_limit_length {
            Some(length) => chunk_bytes.saturating_mul(length.max(0) as u64),
            None => params.total_limit_size.0,
        };
        if chunk_bytes == 0 || total_bytes == 0 {
            self.warn(
                "FLM0510",
                "a limit of 0 bytes lets no event into the buffer: see chunk_limit_size, total_limit_size and queue_limit_length",
            );
        }
        Settings {
            keys,
            flush_mode,
            flush_interval: bounded(params.flush_interval),
            flush_threads,
            flush_thread_interval: float_seconds(params.flush_thread_interval),
            burst_interval: params.flush_thread_burst_interval.map(float_seconds),
            flush_at_shutdown: params.flush_at_shutdown.unwrap_or(file.is_none()),
            file,
            delayed_commit_timeout: bounded(params.delayed_commit_timeout),
            // Fluentd: `throw_exception`, and with it the sender's events are gone.
            overflow_action: params.overflow_action.unwrap_or(OverflowAction::Block),
            chunk: ChunkLimits {
                bytes: usize::try_from(chunk_bytes).unwrap_or(usize::MAX),
                records: params.chunk_limit_records.map(|records| records.max(0) as usize),
                full_threshold: params.chunk_full_threshold,
            },
            total_bytes,
            queued_chunks: params.queued_chunks_limit_size.map_or(flush_threads, |chunks| chunks.max(1) as usize),
            compress: params.compress,
            compress_up_to: params.decompression_size_limit.0,
            disable_chunk_backup: params.disable_chunk_backup,
            retry: self.retry(),
            time_as_integer: of_output.time_as_integer,
            slow_flush_threshold: float_seconds(of_output.slow_flush_log_threshold),
        }
    }

    fn flush_threads(&self) -> usize {
        let asked = self.params.flush_thread_count;
        let given = asked.clamp(1, MAX_FLUSH_THREADS);
        if given != asked {
            self.warn("FLM0511", format!("flush_thread_count {asked} is out of range, expected 1 to {MAX_FLUSH_THREADS}: {given} is used"));
        }
        given as usize
    }

    fn retry(&self) -> RetrySettings {
        let params = &self.params;
        RetrySettings {
            forever: params.retry_forever,
            timeout: bounded(params.retry_timeout),
            max_times: params.retry_max_times.map(|times| times.max(0) as u64),
            secondary_threshold: params.retry_secondary_threshold,
            kind: params.retry_type,
            wait: bounded(params.retry_wait),
            base: params.retry_exponential_backoff_base,
            max_interval: params.retry_max_interval.map(bounded),
            randomize: params.retry_randomize,
        }
    }
}

fn bounded(seconds: Seconds) -> Duration {
    seconds.duration().min(FOREVER)
}

fn float_seconds(seconds: f64) -> Duration {
    bounded(Seconds(seconds))
}

fn mode_word(mode: FlushMode) -> &'static str {
    match mode {
        FlushMode::Default => "default",
        FlushMode::Lazy => "lazy",
        FlushMode::Interval => "interval",
        FlushMode::Immediate => "immediate",
    }
}
