//! The `<system>` section.

use super::{Diagnostics, Element, Octal, Refused, Seconds, Size};
use std::collections::BTreeMap;

/// Threads beyond this are a mistake.
pub const MAX_THREADS: i64 = 512;

/// Workers are logical: more than this are a mistake, and each is a pipeline.
pub const MAX_WORKERS: i64 = 1024;

crate::choice! {
    /// The least severe level that is logged.
    pub enum LogLevel { Trace = "trace", Debug = "debug", Info = "info", Warn = "warn", Error = "error", Fatal = "fatal" }
}

crate::choice! {
    /// The level of all stack traces.
    pub enum StacktraceLevel {
        None = "none", Trace = "trace", Debug = "debug", Info = "info", Warn = "warn", Error = "error", Fatal = "fatal"
    }
}

/// The plugin that keeps the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricsPlugin;

impl super::FromLiteral for MetricsPlugin {
    const KIND: super::Kind = super::Kind::String;

    fn from_literal(text: &str, _strict: bool) -> Result<MetricsPlugin, String> {
        if text == "local" { Ok(MetricsPlugin) } else { Err(format!("Unknown metrics plugin '{text}': expected local")) }
    }
}

crate::choice! {
    /// How Flumen's own log lines are written.
    pub enum LogFormat { Text = "text", Json = "json" }
}

crate::choice! {
    /// What a full buffer does with more events.
    pub enum SourceOnlyOverflow { ThrowException = "throw_exception", Block = "block", DropOldestChunk = "drop_oldest_chunk" }
}

crate::choice! {
    /// How chunks are stored.
    pub enum SourceOnlyCompress { Text = "text", Gzip = "gzip" }
}

crate::section! {
    /// What concerns the whole process.
    pub struct System {
        /// How many workers there are.
        pub workers: i64 = "1",
        /// How long a worker that died is down before it is started again; workers are not processes here.
        pub restart_worker_interval: Seconds = "0",
        /// Where buffers without a path of their own and backups are kept.
        pub root_dir: Option<String>,
        /// The least severe level that is logged; info by default.
        pub log_level: LogLevel = "info",
        /// Whether the stack trace of an error that repeats is left out; no stack traces are logged here.
        pub suppress_repeated_stacktrace: Option<bool>,
        /// How long the same line after itself is not logged again.
        pub ignore_repeated_log_interval: Option<Seconds>,
        /// How long the same line is not logged again.
        pub ignore_same_log_interval: Option<Seconds>,
        /// How long an emit error is not logged again.
        pub emit_error_log_interval: Option<Seconds>,
        /// Whether the configuration is not printed at start.
        pub suppress_config_dump: Option<bool>,
        /// Whether events of the log carry more fields.
        pub log_event_verbose: Option<bool>,
        /// Whether inputs are not started.
        pub without_source: Option<bool>,
        /// Whether only inputs are started, with buffers of their own.
        pub with_source_only: Option<bool>,
        /// Where commands are taken by HTTP.
        pub rpc_endpoint: Option<String>,
        /// Whether the configuration can be fetched by HTTP.
        pub enable_get_dump: Option<bool>,
        /// The name of the process.
        pub process_name: Option<String>,
        /// Whether values that do not have the form of their type are errors.
        pub strict_config_value: Option<bool>,
        /// Whether times are packed by msgpack's own type.
        pub enable_msgpack_time_support: Option<bool>,
        /// Whether workers do not share their listening sockets.
        pub disable_shared_socket: Option<bool>,
        /// Whether inputs count their events.
        pub enable_input_metrics: Option<bool>,
        /// Whether plugins count bytes.
        pub enable_size_metrics: Option<bool>,
        /// Ruby's just-in-time compiler; there is no Ruby here.
        pub enable_jit: bool = "false",
        /// The permissions of files that are made, in octal.
        pub file_permission: Option<Octal>,
        /// The permissions of folders that are made, in octal.
        pub dir_permission: Option<Octal>,
        /// Permission bits that new files do not get, in octal.
        pub umask: Option<Octal>,
        /// What the memory buffers of all outputs may hold together; without it each has only its own limit.
        pub memory_limit: Option<Size>,
        /// How many threads receive, filter and send; as many as there are processors by default, a limit set from outside included.
        pub threads: Option<i64>,
        /// How long the end of the process may take to deliver what the buffers hold.
        pub shutdown_timeout: Seconds = "6s",
        /// A folder whose configuration files are read behind this one; empty for none.
        pub config_include_dir: Option<String>,
    }
    sections {
        "log": one(SystemLog),
        "dead_letter": one(DeadLetter),
        "counter_server": one(CounterServer),
        "counter_client": one(CounterClient),
        "metrics": one(Metrics),
        "source_only_buffer": one(SourceOnlyBuffer),
    }
}

crate::section! {
    /// Flumen's own log.
    pub struct SystemLog {
        /// The file; standard error without one.
        pub path: Option<String>,
        /// How lines are written.
        pub format: LogFormat = "text",
        /// The time at the start of a line.
        pub time_format: String = "%Y-%m-%d %H:%M:%S %z",
        /// How many old files are kept, or daily, weekly, monthly.
        pub rotate_age: Option<RotateAge>,
        /// From which size on a file is rotated.
        pub rotate_size: Option<Size>,
        /// From which level on stack traces are logged.
        pub forced_stacktrace_level: Option<StacktraceLevel> [idle "there are no stack traces"],
    }
}

crate::section! {
    /// Where events and chunks are kept that cannot be delivered; without it, in the backup folder.
    pub struct DeadLetter {
        /// The folder.
        pub path: String,
        /// How large it may become. What was kept stays: what comes when it is full goes to the backup folder or, event by event, into the log.
        pub max_size: Size = "1g",
    }
}

crate::section! {
    /// Counters that processes share.
    pub struct CounterServer {
        /// Its name.
        pub scope: String,
        /// Port.
        pub port: Option<i64>,
        /// Address.
        pub bind: Option<String>,
        /// Where the counters are kept.
        pub backup_path: String,
    }
}

crate::section! {
    /// The way to counters that processes share.
    pub struct CounterClient {
        /// Port.
        pub port: Option<i64>,
        /// Host.
        pub host: String,
        /// How long an operation may take.
        pub timeout: Option<Seconds>,
    }
}

crate::section! {
    /// Where counters go.
    pub struct Metrics {
        /// The plugin that keeps them.
        pub r#type: MetricsPlugin = "local" [name "@type"],
        /// Labels of each counter.
        pub labels: BTreeMap<String, String> = "{}",
    }
}

crate::section! {
    /// The buffer while only inputs run.
    pub struct SourceOnlyBuffer {
        /// How many threads flush.
        pub flush_thread_count: i64 = "1",
        /// What happens when it is full.
        pub overflow_action: SourceOnlyOverflow = "drop_oldest_chunk",
        /// Where its chunks are.
        pub path: Option<String>,
        /// How often it is flushed.
        pub flush_interval: Option<Seconds>,
        /// The size of a chunk.
        pub chunk_limit_size: Option<Size>,
        /// The size of all chunks.
        pub total_limit_size: Option<Size>,
        /// How chunks are stored.
        pub compress: Option<SourceOnlyCompress>,
    }
}

/// When the log file is rotated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RotateAge {
    /// By size, keeping this many old files.
    Files(u32),
    /// `daily`, `weekly` or `monthly`.
    Period(String),
}

impl super::FromLiteral for RotateAge {
    // Shown without quotes.
    const KIND: super::Kind = super::Kind::Integer;

    fn from_literal(text: &str, _strict: bool) -> Result<RotateAge, String> {
        match text {
            "daily" | "weekly" | "monthly" => Ok(RotateAge::Period(text.to_owned())),
            number => number
                .parse()
                .map(RotateAge::Files)
                .map_err(|_| format!("invalid value for Integer(): {number:?}, expected a number, daily, weekly or monthly")),
        }
    }
}

impl LogLevel {
    /// The word in the configuration.
    pub fn word(self) -> &'static str {
        match self {
            LogLevel::Trace => "trace",
            LogLevel::Debug => "debug",
            LogLevel::Info => "info",
            LogLevel::Warn => "warn",
            LogLevel::Error => "error",
            LogLevel::Fatal => "fatal",
        }
    }
}

impl System {
    /// Reads the `<system>` section of a whole configuration; the defaults where there is none.
    ///
    /// From here on `diagnostics` is strict where the section says so. What one process cannot do is noted.
    pub fn of(root: &Element, diagnostics: &Diagnostics) -> Result<System, Refused> {
        let sections = root.sections("system");
        if let Some(second) = sections.get(1) {
            return Err(diagnostics.error("FLM0130", Some(second.span), "<system> is duplicated. <system> should be only one"));
        }
        let Some(element) = sections.first() else { return System::read(&Element::new("system", "", root.span), diagnostics) };
        let strict = element.text("strict_config_value").is_some_and(|text| matches!(text, "true" | "yes" | "") || text.starts_with('#'));
        diagnostics.set_strict(diagnostics.strict() || strict);
        let system = System::read(element, diagnostics);
        let log = SystemLog::of(root, diagnostics);
        for (name, read) in [
            ("counter_server", CounterServer::check as fn(&Element, &Diagnostics)),
            ("counter_client", CounterClient::check),
            ("metrics", Metrics::check),
            ("source_only_buffer", SourceOnlyBuffer::check),
        ] {
            if let Some(section) = element.section(name) {
                read(section, diagnostics);
                diagnostics.note(
                    "FLM0132",
                    Some(section.span),
                    format!("<{name}> is accepted and has no effect: there is one process, and it counts by itself"),
                );
            }
        }
        let system = system?;
        if system.workers < 1 {
            return Err(diagnostics.error(
                "FLM0131",
                element.param("workers").map(|param| param.value_span),
                format!("invalid number of workers (must be > 0):{}", system.workers),
            ));
        }
        if system.workers > MAX_WORKERS {
            let span = element.param("workers").map(|param| param.value_span);
            return Err(diagnostics.error(
                "FLM0131",
                span,
                format!("workers: {} is too many, expected at most {MAX_WORKERS}", system.workers),
            ));
        }
        if let Some(threads) = system.threads.filter(|threads| !(1..=MAX_THREADS).contains(threads)) {
            let span = element.param("threads").map(|param| param.value_span);
            return Err(diagnostics.error("FLM0136", span, format!("threads is {threads}, expected 1 to {MAX_THREADS}")));
        }
        log?;
        system.note_differences(element, diagnostics);
        Ok(system)
    }

    /// Says which parameters do nothing here, a line each.
    fn note_differences(&self, element: &Element, diagnostics: &Diagnostics) {
        const WITHOUT_EFFECT: &[(&str, &str)] = &[
            ("log_event_verbose", "events of the log have all fields that there are"),
            ("enable_input_metrics", "the events of inputs are always counted"),
            ("restart_worker_interval", "workers are threads of this process and do not die alone"),
            ("suppress_repeated_stacktrace", "no stack traces are logged"),
            ("enable_jit", "there is no Ruby"),
            ("enable_msgpack_time_support", "times are always read and written in both forms"),
            ("disable_shared_socket", "there is one process, which owns all sockets"),
            ("process_name", "the process keeps its name"),
            ("with_source_only", "inputs and outputs start together"),
        ];
        for (name, why) in WITHOUT_EFFECT {
            let off = |text: &super::ParamValue| matches!(text, super::ParamValue::Text(text) if text == "false" || text == "no");
            // Counting is on by itself: to turn it off has no effect; the others have none where they are on.
            if let Some(param) = element.param(name).filter(|param| off(&param.value) == (*name == "enable_input_metrics")) {
                diagnostics.note("FLM0133", Some(param.span), format!("'{name}' in <system> has no effect: {why}"));
            }
        }
    }
}

impl DeadLetter {
    /// Reads `<dead_letter>` in the `<system>` section; `None` where there is none.
    pub fn of(root: &Element, diagnostics: &Diagnostics) -> Result<Option<DeadLetter>, Refused> {
        let Some(element) = root.section("system").and_then(|system| system.section("dead_letter")) else { return Ok(None) };
        let read = DeadLetter::read(element, diagnostics)?;
        let refuse = |name: &str, message: &str| {
            let span = element.param(name).map_or(element.span, |param| param.value_span);
            Err(diagnostics.error("FLM0134", Some(span), message))
        };
        if read.path.is_empty() {
            return refuse("path", "'path' of <dead_letter> is empty, expected a folder");
        }
        if read.max_size.0 == 0 {
            return refuse("max_size", "'max_size' of <dead_letter> is 0: nothing could be kept, expected a size such as 1g");
        }
        Ok(Some(read))
    }
}

macro_rules! checked {
    ($($name:ident),*) => { $(impl $name {
        fn check(element: &Element, diagnostics: &Diagnostics) {
            // Its faults are in the diagnostics; the values are of no use.
            let _ = $name::read(element, diagnostics);
        }
    })* };
}

checked!(CounterServer, CounterClient, Metrics, SourceOnlyBuffer);

impl SystemLog {
    /// Notes what is said about a file that is not written: there is none in the section, nor, as far as the caller knows, elsewhere.
    pub fn note_idle(root: &Element, diagnostics: &Diagnostics) {
        let Some(element) = root.section("system").and_then(|system| system.section("log")) else { return };
        if element.text("path").is_some() {
            return;
        }
        for name in ["rotate_age", "rotate_size"] {
            if let Some(param) = element.param(name) {
                let message =
                    format!("'{name}' has no effect: the log goes to standard error, where neither 'path' nor the option -o names a file");
                diagnostics.note("FLM0303", Some(param.span), message);
            }
        }
    }

    /// Reads `<log>` in the `<system>` section; the defaults where there is none.
    pub fn of(root: &Element, diagnostics: &Diagnostics) -> Result<SystemLog, Refused> {
        let element = root.section("system").and_then(|system| system.section("log"));
        match element {
            Some(element) => SystemLog::read(element, diagnostics),
            None => SystemLog::read(&Element::new("log", "", root.span), diagnostics),
        }
    }
}
