//! `stdout`: prints events and passes them on.

use super::Filter;
use crate::config::{Element, Refused};
use crate::console::Pipe;
use crate::event::{Batch, Rejected, Scope, Tag};
use crate::formatter::{Formatter, Inject, build_formatter, inject};
use crate::metrics::Queue;
use crate::plugin::{Context, Limit};
use std::cell::RefCell;
use std::sync::Arc;

/// A line buffer that grew past this is given back rather than kept: one huge batch must not pin memory.
const KEPT_LINE_BYTES: usize = 1 << 20;

crate::section! {
    /// Prints events to standard output, a line each, and passes them on.
    pub struct Params {}
    sections { "format": one, "inject": one(inject::Params) }
}

struct Stdout {
    formatter: Box<dyn Formatter>,
    inject: Option<Inject>,
    pipe: Arc<Pipe>,
}

/// Makes the filter.
pub fn build(element: &Element, context: &Context<'_>) -> Result<Box<dyn Filter>, Refused> {
    Params::read(element, context.diagnostics)?;
    let formatter = build_formatter(element, "stdout", context)?;
    let inject = Inject::read(element, context)?;
    let pipe = if crate::log::is_file() { Pipe::log() } else { Pipe::standard_output() };
    Ok(Box::new(Stdout { formatter, inject, pipe }))
}

thread_local! {
    static LINES: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Filter for Stdout {
    fn filter<'a>(&self, scope: &Scope<'a>, tag: &Tag, batch: &mut Batch<'a>) {
        // Taken out of its cell: what formats may log, and a log line may be printed by this thread.
        let mut lines = LINES.take();
        for event in batch.events(scope) {
            let start = lines.len();
            let injected = self.inject.as_ref().map(|inject| inject.apply(scope, tag, event));
            if let Err(error) = self.formatter.format(scope, tag, injected.as_ref().unwrap_or(event), &mut lines) {
                lines.truncate(start);
                scope.reject(Rejected {
                    tag: tag.clone(),
                    time: event.time,
                    record: event.record.clone(),
                    class: error.class,
                    message: error.message,
                });
            } else if lines.last() != Some(&b'\n') {
                lines.push(b'\n');
            }
        }
        self.pipe.print(&mut lines);
        if lines.capacity() <= KEPT_LINE_BYTES {
            LINES.set(lines);
        }
    }

    fn limits(&self, into: &mut Vec<Arc<Limit>>) {
        into.push(self.pipe.limit());
    }

    fn queue(&self) -> Option<Arc<dyn Queue>> {
        Some(Arc::clone(&self.pipe) as Arc<dyn Queue>)
    }
}
