//! `stdout`: prints events.

use super::{BufferedOutput, Output, SyncOutput, WriteError};
use crate::buffer::{Chunk, Defaults};
use crate::config::{Element, Refused};
use crate::console::Pipe;
use crate::event::msgpack::Reader;
use crate::event::{Batch, Event, Scope, Tag};
use crate::formatter::{FormatError, Formatter, Inject, build_formatter, inject};
use crate::metrics::Queue;
use crate::plugin::{BoxFuture, Context, EmitError, Limit};
use std::cell::RefCell;
use std::sync::Arc;

/// A line buffer that grew past this is given back rather than kept: one huge batch must not pin memory.
const KEPT_LINE_BYTES: usize = 1 << 20;

crate::section! {
    /// Prints events to standard output, a line each.
    pub struct Params {
        /// Where the daemon logs to a file (`-o`), print events there too and not to standard output.
        pub use_logger: bool = "true",
    }
    sections { "buffer": one, "format": one, "inject": one(inject::Params) }
}

struct Stdout {
    formatter: Box<dyn Formatter>,
    inject: Option<Inject>,
    pipe: Arc<Pipe>,
}

/// Makes the output: buffered where there is a `<buffer>` section.
pub fn build(element: &Element, context: &Context<'_>) -> Result<Output, Refused> {
    let params = Params::read(element, context.diagnostics)?;
    let formatter = build_formatter(element, "stdout", context)?;
    let inject = Inject::read(element, context)?;
    let pipe = if params.use_logger && crate::log::is_file() { Pipe::log() } else { Pipe::standard_output() };
    let stdout = Stdout { formatter, inject, pipe };
    Ok(if element.has_section("buffer") { Output::Buffered(Box::new(stdout)) } else { Output::Sync(Box::new(stdout)) })
}

thread_local! {
    static LINES: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Stdout {
    /// Appends one event, always ended by one newline.
    fn line<'a>(&self, scope: &Scope<'a>, tag: &Tag, event: &Event<'a>, out: &mut Vec<u8>) -> Result<(), FormatError> {
        let injected;
        let event = match &self.inject {
            Some(inject) => {
                injected = inject.apply(scope, tag, event);
                &injected
            }
            None => event,
        };
        self.formatter.format(scope, tag, event, out)?;
        end_line(out);
        Ok(())
    }

    /// Appends the lines of packed events without unpacking them; whether that can be done.
    fn packed_lines(&self, tag: &Tag, batch: &Batch<'_>, out: &mut Vec<u8>) -> bool {
        let Some((entries, formatter)) = batch.as_packed().zip(self.formatter.packed()).filter(|_| self.inject.is_none()) else {
            return false;
        };
        let start = out.len();
        let mut reader = Reader::new(entries);
        while !reader.is_at_end() {
            let line = reader.entry_time().and_then(|time| formatter.format_packed(tag, time, &mut reader, out));
            if line.is_err() {
                out.truncate(start);
                return false;
            }
            end_line(out);
        }
        true
    }
}

fn end_line(out: &mut Vec<u8>) {
    if out.last() != Some(&b'\n') {
        out.push(b'\n');
    }
}

impl SyncOutput for Stdout {
    fn emit<'a>(&self, scope: &Scope<'a>, tag: &Tag, batch: &Batch<'a>) -> Result<(), EmitError> {
        // Taken out of its cell: an output that formats may log, and a log line may be printed by this thread.
        let mut lines = LINES.take();
        let mut failed = None;
        let is_written = self.packed_lines(tag, batch, &mut lines);
        for event in if is_written { &[] } else { batch.events(scope) } {
            let start = lines.len();
            if let Err(error) = self.line(scope, tag, event, &mut lines) {
                lines.truncate(start);
                failed = Some(error);
            }
        }
        self.pipe.print(&mut lines);
        if lines.capacity() <= KEPT_LINE_BYTES {
            LINES.set(lines);
        }
        failed.map_or(Ok(()), |error| Err(EmitError { class: error.class, message: error.message, settled: false }))
    }

    fn limits(&self, _tag: Option<&Tag>, into: &mut Vec<Arc<Limit>>) {
        into.push(self.pipe.limit());
    }

    fn queue(&self) -> Option<Arc<dyn Queue>> {
        Some(Arc::clone(&self.pipe) as Arc<dyn Queue>)
    }

    fn drain(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.pipe.drain())
    }
}

impl BufferedOutput for Stdout {
    fn is_packed(&self) -> bool {
        false
    }

    fn format<'a>(&self, scope: &Scope<'a>, tag: &Tag, event: &Event<'a>, out: &mut Vec<u8>) -> Result<(), FormatError> {
        self.line(scope, tag, event, out)
    }

    fn buffer_defaults(&self) -> Defaults {
        Defaults { chunk_keys: &["tag"], params: &[("flush_at_shutdown", "true"), ("chunk_limit_size", "10240")], path_from: None }
    }

    fn queue(&self) -> Option<Arc<dyn Queue>> {
        Some(Arc::clone(&self.pipe) as Arc<dyn Queue>)
    }

    fn write<'a>(&'a self, chunk: &'a Chunk) -> BoxFuture<'a, Result<(), WriteError>> {
        Box::pin(async {
            self.pipe.limit().wait_for_room().await;
            self.pipe.print(&mut chunk.bytes.clone());
            self.pipe.drain().await;
            Ok(())
        })
    }
}
