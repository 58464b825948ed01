//! The daemon's own log as events, tagged `fluent.info` and the like: for the `@FLUENT_LOG` label.

use super::router::Router;
use crate::event::{Batch, EventTime, Record, Scratch, Tag, Value};
use crate::log::{self, Level};
use crate::net::Loops;
use crate::plugin::Route;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Own log lines that wait to be routed; beyond that they are only in the log itself.
const QUEUE_LINES: usize = 1024;

/// The tags that log lines of each level have.
pub const TAGS: [&str; 6] = ["fluent.trace", "fluent.debug", "fluent.info", "fluent.warn", "fluent.error", "fluent.fatal"];

struct Line {
    level: Level,
    time: EventTime,
    fields: Vec<(String, String)>,
    message: String,
}

/// The connection from the log to a router.
pub struct Tap {
    task: JoinHandle<()>,
}

impl Tap {
    /// Hands the log's lines from a level on to the router from now on.
    pub fn start(router: Arc<Router>, from: Level, loops: &Arc<Loops>) -> Tap {
        let (sender, mut receiver) = mpsc::channel::<Line>(QUEUE_LINES);
        log::set_hook(Some(Box::new(move |level, fields, message| {
            if level < from {
                return;
            }
            let fields = fields.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
            let _ = sender.try_send(Line { level, time: EventTime::now(), fields, message: message.to_owned() });
        })));
        let task = loops.spawn(async move {
            while let Some(line) = receiver.recv().await {
                log::unhooked(|| emit(&router, &line));
            }
        });
        Tap { task }
    }

    /// Routes what has been logged so far and ends.
    pub async fn stop(self) {
        log::set_hook(None);
        self.finish().await;
    }

    /// Ends where another one gets the lines by now.
    pub async fn finish(self) {
        let _ = self.task.await;
    }
}

fn emit(router: &Router, line: &Line) {
    let scratch = Scratch::take();
    let scope = scratch.scope();
    let mut record = Record::with_capacity(scope.bump(), line.fields.len() + 1);
    for (name, value) in &line.fields {
        record.set(name.as_bytes(), Value::text(value));
    }
    record.set(b"message", Value::text(&line.message));
    let tag = Tag::new(TAGS[line.level as usize]);
    // A failure here has been logged by the router; there is no sender to tell.
    let _ = router.emit(&scope, &tag, Batch::single(&scope, line.time, record));
}
