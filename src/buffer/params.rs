//! The parameters of a `<buffer>` section, as they are written; [`Settings`](super::Settings) says what they come to.

use crate::config::{Diagnostics, Element, Octal, Refused, Seconds, Size};

crate::choice! {
    /// When staged chunks are queued for delivery.
    pub enum FlushMode { Default = "default", Lazy = "lazy", Interval = "interval", Immediate = "immediate" }
}

crate::choice! {
    /// What happens to events that come when the buffer is full.
    pub enum OverflowAction { ThrowException = "throw_exception", Block = "block", DropOldestChunk = "drop_oldest_chunk" }
}

crate::choice! {
    /// How waiting chunks are kept.
    pub enum Compress { Text = "text", Gzip = "gzip", Zstd = "zstd" }
}

crate::choice! {
    /// When what waits in files is synced to the disk.
    pub enum FsyncMode { Always = "always", Interval = "interval", Never = "never" }
}

crate::choice! {
    /// What a `file_single` buffer of Fluentd's holds; told by the output here.
    pub enum ChunkFormat { Msgpack = "msgpack", Text = "text", Auto = "auto" }
}

crate::choice! {
    /// How the pauses between retries grow.
    pub enum RetryType { ExponentialBackoff = "exponential_backoff", Periodic = "periodic" }
}

crate::section! {
    /// How events wait before they are delivered: in chunks of common keys, given behind the section's name (`<buffer tag, time>`).
    pub struct Params {
        /// Where the events wait: `memory` or `file`; `file_single` is read as `file`.
        pub r#type: String = "memory" [name "@type", alias "type"],
        /// The folder of a file buffer, or a pattern of file names `PREFIX.*.SUFFIX`.
        pub path: Option<String>,
        /// What the names of Fluentd's chunks in that folder end in.
        pub path_suffix: String = ".log",
        /// Permissions of the files of a file buffer; those of `<system>`, or 0644, by default.
        pub file_permission: Option<Octal>,
        /// Permissions of its folder; those of `<system>`, or 0755, by default.
        pub dir_permission: Option<Octal>,
        /// When a file buffer is synced: `always`, once a second (`interval`), or `never`. Without the parameter what a sender wants acks
        /// for is synced before they are sent, and the rest once a second.
        pub fsync: Option<FsyncMode>,
        /// Whether events are counted when Fluentd's chunks are taken over; they are.
        pub calc_num_records: bool = "true" [idle "events are counted in any case"],
        /// What those chunks hold.
        pub chunk_format: ChunkFormat = "auto" [idle "the form of a chunk is found out by looking at it"],
        /// The length of a time slice, where `time` is a chunk key.
        pub timekey: Option<Seconds>,
        /// How long a time slice waits for late events after its end.
        pub timekey_wait: Seconds = "600",
        /// Whether time slices are those of UTC.
        pub timekey_use_utc: bool = "false",
        /// The time zone of time slices, such as `+0900` or `Asia/Tokyo`; that of the machine by default.
        pub timekey_zone: Option<String>,
        /// Whether what waits is delivered at the end of the process; true by default in memory.
        pub flush_at_shutdown: Option<bool>,
        /// When chunks are queued: by age (`interval`), when their time slice is over (`lazy`), at once (`immediate`).
        pub flush_mode: FlushMode = "default",
        /// The age at which chunks are queued.
        pub flush_interval: Seconds = "60",
        /// How many chunks are delivered at the same time.
        pub flush_thread_count: i64 = "1",
        /// The least pause between two looks for chunks that are due.
        pub flush_thread_interval: f64 = "1.0",
        /// A pause between deliveries while chunks are queued, unless new events end it. Without the parameter there is none.
        pub flush_thread_burst_interval: Option<f64>,
        /// How long an output that learns of success later waits for it.
        pub delayed_commit_timeout: Seconds = "60" [idle "no output commits later than it writes; see ack_response_timeout for the output forward"],
        /// What happens when the buffer is full; `block` by default.
        pub overflow_action: Option<OverflowAction>,
        /// Whether retries never end.
        pub retry_forever: bool = "false",
        /// How long a chunk is retried.
        pub retry_timeout: Seconds = "72h",
        /// How often a chunk is retried.
        pub retry_max_times: Option<i64>,
        /// The part of the time of retries after which the secondary takes over.
        pub retry_secondary_threshold: f64 = "0.8",
        /// How the pauses between retries grow.
        pub retry_type: RetryType = "exponential_backoff",
        /// The first pause, and the factor of the others.
        pub retry_wait: Seconds = "1",
        /// The base of the growth of pauses.
        pub retry_exponential_backoff_base: f64 = "2",
        /// The longest pause.
        pub retry_max_interval: Option<Seconds>,
        /// Whether pauses vary by an eighth, so that many senders do not come back at the same moment.
        pub retry_randomize: bool = "true",
        /// Bytes of a chunk, uncompressed.
        pub chunk_limit_size: Size = "8m",
        /// Bytes of all chunks together.
        pub total_limit_size: Size = "512m",
        /// Instead of `total_limit_size`: how many chunks of the full size may wait.
        pub queue_limit_length: Option<i64>,
        /// Events of a chunk.
        pub chunk_limit_records: Option<i64>,
        /// The part of a chunk's limit at which it counts as full.
        pub chunk_full_threshold: f64 = "0.95",
        /// How many chunks may be queued before younger ones keep collecting events; `flush_thread_count` by default.
        pub queued_chunks_limit_size: Option<i64>,
        /// How chunks are kept while they wait.
        pub compress: Compress = "text",
        /// The most bytes that a compressed chunk may come to.
        pub decompression_size_limit: Size = "256m",
        /// Whether chunks that cannot be delivered are thrown away in place of being kept in the backup folder.
        pub disable_chunk_backup: bool = "false",
    }
}

crate::section! {
    /// What every output takes beside its own parameters.
    pub struct OutputParams {
        /// Whether events wait with times in whole seconds.
        pub time_as_integer: bool = "false",
        /// A delivery that takes longer is warned about, in seconds.
        pub slow_flush_log_threshold: f64 = "20.0",
    }
}

/// What an output's `<buffer>` holds where the configuration says nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Defaults {
    /// The chunk keys.
    pub chunk_keys: &'static [&'static str],
    /// Parameters by name, in the configuration's own syntax.
    pub params: &'static [(&'static str, &'static str)],
    /// The output's parameter that stands in for the path of a file buffer, where there is no other way to one.
    pub path_from: Option<&'static str>,
}

impl Defaults {
    /// As most outputs of files and forwarders: one chunk a tag.
    pub const BY_TAG: Defaults = Defaults { chunk_keys: &["tag"], params: &[], path_from: None };
}

/// Reads a section with an output's own defaults under it.
pub(super) fn read(buffer: &Element, defaults: &Defaults, diagnostics: &Diagnostics) -> Result<Params, Refused> {
    let own_type = || defaults.params.iter().find(|(name, _)| *name == "@type").map(|(_, value)| *value);
    if matches!(buffer.plugin_type().or_else(own_type), Some("file" | "file_single")) {
        buffer.set_default("chunk_limit_size", "256m");
        buffer.set_default("total_limit_size", "64g");
    }
    for (name, value) in defaults.params {
        buffer.set_default(name, value);
    }
    Params::read(buffer, diagnostics)
}
