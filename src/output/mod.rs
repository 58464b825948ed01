//! Outputs: where events go. Each is one file and one row of [`OUTPUTS`].

pub mod copy;
pub mod elasticsearch;
pub mod exec;
pub mod file;
pub mod forward;
pub mod http;
pub mod null;
pub mod record_modifier;
pub mod relabel;
pub mod rewrite_tag_filter;
pub mod roundrobin;
pub mod secondary_file;
pub mod stdout;

use crate::buffer::{Chunk, Defaults};
use crate::config::Compat;
use crate::event::{Batch, Event, Scope, Tag};
use crate::formatter::FormatError;
use crate::metrics::Queue;
use crate::plugin::known::KnownPlugins;
use crate::plugin::{BoxFuture, EmitError, Limit, Plugin};
use std::ops::Range;
use std::sync::Arc;

/// An output: it takes batches at once, or has a buffer before it.
pub enum Output {
    /// Takes batches as they come.
    Sync(Box<dyn SyncOutput>),
    /// Is handed chunks by the delivery.
    Buffered(Box<dyn BufferedOutput>),
}

/// An output without a buffer.
pub trait SyncOutput: Send + Sync {
    /// Takes the events of a batch.
    fn emit<'a>(&self, scope: &Scope<'a>, tag: &Tag, batch: &Batch<'a>) -> Result<(), EmitError>;

    /// Adds the limits that have to have room before events of this tag are read; of any tag for `None`.
    fn limits(&self, _tag: Option<&Tag>, _into: &mut Vec<Arc<Limit>>) {}

    /// Where it puts events for somebody else to take away, if it does.
    fn queue(&self) -> Option<Arc<dyn Queue>> {
        None
    }

    /// Whether events go on from here to other outputs or routers; otherwise they leave.
    fn passes_on(&self) -> bool {
        false
    }

    /// As [`Sink::takes_packed`](crate::plugin::Sink::takes_packed).
    fn takes_packed(&self, _tag: &Tag) -> bool {
        false
    }

    /// Waits until everything taken is where it belongs; the end is near.
    fn drain(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

/// An output behind a buffer.
pub trait BufferedOutput: Send + Sync {
    /// Whether chunks hold plain msgpack entries; if not, [`BufferedOutput::format`] writes them.
    fn is_packed(&self) -> bool {
        true
    }

    /// Appends one event in the output's own form; called only where `is_packed` is false.
    fn format<'a>(&self, _scope: &Scope<'a>, _tag: &Tag, _event: &Event<'a>, _out: &mut Vec<u8>) -> Result<(), FormatError> {
        Err(FormatError { class: "NotImplementedError", message: "this output takes packed chunks".to_owned() })
    }

    /// What its `<buffer>` section holds where the configuration says nothing.
    fn buffer_defaults(&self) -> Defaults {
        Defaults::default()
    }

    /// Whether it shows from outside which events shared a chunk, as where each becomes a file of its own. If so, `flush_mode immediate`
    /// makes a chunk of each emit; otherwise it gathers what comes while the output is busy.
    fn shows_chunks(&self) -> bool {
        false
    }

    /// Frees memory that was kept for the next chunk and of no use lately; called every now and then.
    fn trim(&self) {}

    /// Whether it names events by the messages that they came in, so that they have the same names when they are sent again.
    fn names_events(&self) -> bool {
        false
    }

    /// Where it puts events for somebody else to take away, if it does.
    fn queue(&self) -> Option<Arc<dyn Queue>> {
        None
    }

    /// Delivers a chunk.
    fn write<'a>(&'a self, chunk: &'a Chunk) -> BoxFuture<'a, Result<(), WriteError>>;
}

/// Why a chunk was not delivered.
#[derive(Debug)]
pub enum WriteError {
    /// Later, the same chunk again. A `std::io::Error` or `tokio::time::error::Elapsed` among the causes says that the server was not
    /// reached: no other chunk is tried before a probe gets through. Without one it is this chunk's trouble, unless others have it too.
    Retry(anyhow::Error),
    /// Some of it was delivered or rejected for good; the rest later again.
    Partial {
        /// What is still to be delivered: ranges of the chunk's bytes, in order.
        remaining: Vec<Range<usize>>,
        /// How many events that is.
        records: usize,
        /// Why.
        reason: anyhow::Error,
    },
    /// Never: the chunk goes to the secondary or the backup folder.
    Unrecoverable(anyhow::Error),
}

impl WriteError {
    /// What was wrong.
    pub fn into_reason(self) -> anyhow::Error {
        match self {
            WriteError::Retry(reason) | WriteError::Unrecoverable(reason) | WriteError::Partial { reason, .. } => reason,
        }
    }
}

/// The outputs that are known and not run.
pub static KNOWN: KnownPlugins = KnownPlugins::new("output", include_str!("known.txt"));

/// All outputs.
pub static OUTPUTS: &[Plugin<Output>] = &[
    Plugin { name: "copy", section: &copy::Params::SECTION, compat: &[], build: copy::build },
    Plugin {
        name: "elasticsearch",
        section: &elasticsearch::Params::SECTION,
        compat: &[Compat::Buffer],
        build: elasticsearch::build_elasticsearch,
    },
    Plugin {
        name: "elasticsearch_dynamic",
        section: &elasticsearch::DYNAMIC,
        compat: &[Compat::Buffer],
        build: elasticsearch::build_dynamic,
    },
    Plugin {
        name: "exec",
        section: &exec::Params::SECTION,
        compat: &[Compat::Formatter, Compat::TimeSlicedBuffer, Compat::Inject],
        build: exec::build,
    },
    Plugin {
        name: "file",
        section: &file::Params::SECTION,
        compat: &[Compat::Formatter, Compat::TimeSlicedBuffer, Compat::Inject],
        build: file::build,
    },
    Plugin { name: "forward", section: &forward::Params::SECTION, compat: &[Compat::Buffer], build: forward::build },
    Plugin { name: "http", section: &http::Params::SECTION, compat: &[Compat::Buffer, Compat::Formatter], build: http::build },
    Plugin { name: "null", section: &null::Params::SECTION, compat: &[], build: null::build },
    Plugin {
        name: "opensearch",
        section: &elasticsearch::Params::SECTION,
        compat: &[Compat::Buffer],
        build: elasticsearch::build_opensearch,
    },
    Plugin { name: "record_modifier", section: &record_modifier::Params::SECTION, compat: &[], build: record_modifier::build },
    Plugin { name: "relabel", section: &relabel::Params::SECTION, compat: &[], build: relabel::build },
    Plugin { name: "rewrite_tag_filter", section: &rewrite_tag_filter::Params::SECTION, compat: &[], build: rewrite_tag_filter::build },
    Plugin { name: "roundrobin", section: &roundrobin::Params::SECTION, compat: &[], build: roundrobin::build },
    Plugin { name: "secondary_file", section: &secondary_file::Params::SECTION, compat: &[], build: secondary_file::build },
    Plugin { name: "stdout", section: &stdout::Params::SECTION, compat: &[Compat::Inject, Compat::Formatter], build: stdout::build },
];
