//! A delivery before an output that does what a test tells it, on a clock that the test turns.

use super::super::{Delivery, Remaining};
use crate::buffer::{Chunk, Defaults};
use crate::config::{Diagnostics, Element, LoadOptions, Refused, Span, System, load};
use crate::event::msgpack::{Entries, decode_record, write_entry};
use crate::event::{Batch, Event, EventTime, Record, Scope, Scratch, Tag, Value};
use crate::formatter::FormatError;
use crate::log::PluginLog;
use crate::output::{BufferedOutput, WriteError};
use crate::plugin::{BoxFuture, Context, EmitError, Emitter, Host, Limit, Sink};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// What the output does with one delivery.
#[derive(Clone, Debug)]
pub enum Act {
    Take,
    TakeAfter(Duration),
    /// The server answers with an error.
    Fail,
    /// No server.
    Unreachable,
    /// The connection breaks.
    Break,
    Never,
    Panic,
    Hang,
    /// Only so many records.
    TakeFirst(usize),
}

/// One delivery.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Seconds since the test began.
    pub at: f64,
    /// The field `n` of each record.
    pub numbers: Vec<i64>,
    pub chunk: Chunk,
    pub act: Act,
    /// Where it was made.
    pub thread: ThreadId,
}

type Script = dyn Fn(usize, &[i64]) -> Act + Send + Sync;

pub struct Shared {
    script: Box<Script>,
    began: Instant,
    attempts: Mutex<Vec<Attempt>>,
    at_once: AtomicUsize,
    pub most_at_once: AtomicUsize,
}

struct Scripted {
    shared: Arc<Shared>,
    is_packed: bool,
    defaults: Defaults,
    shows_chunks: bool,
}

impl BufferedOutput for Scripted {
    fn is_packed(&self) -> bool {
        self.is_packed
    }

    fn format<'a>(&self, _scope: &Scope<'a>, _tag: &Tag, event: &Event<'a>, out: &mut Vec<u8>) -> Result<(), FormatError> {
        match event.record.get(b"n") {
            Some(Value::Int(number)) => out.extend_from_slice(format!("{number}\n").as_bytes()),
            _ => return Err(FormatError { class: "ArgumentError", message: "no number".to_owned() }),
        }
        Ok(())
    }

    fn shows_chunks(&self) -> bool {
        self.shows_chunks
    }

    fn buffer_defaults(&self) -> Defaults {
        self.defaults
    }

    fn write<'a>(&'a self, chunk: &'a Chunk) -> BoxFuture<'a, Result<(), WriteError>> {
        Box::pin(async move {
            let now_at_once = self.shared.at_once.fetch_add(1, Ordering::SeqCst) + 1;
            self.shared.most_at_once.fetch_max(now_at_once, Ordering::SeqCst);
            let numbers = if self.is_packed { numbers(&chunk.bytes) } else { lines(&chunk.bytes) };
            assert_eq!(numbers.len(), chunk.records);
            let act = {
                let mut attempts = self.shared.attempts.lock().unwrap();
                let act = (self.shared.script)(attempts.len(), &numbers);
                let at = self.shared.began.elapsed().as_secs_f64();
                let thread = std::thread::current().id();
                attempts.push(Attempt { at, numbers, chunk: chunk.clone(), act: act.clone(), thread });
                act
            };
            let result = perform(act, chunk).await;
            self.shared.at_once.fetch_sub(1, Ordering::SeqCst);
            result
        })
    }
}

async fn perform(act: Act, chunk: &Chunk) -> Result<(), WriteError> {
    match act {
        Act::Take => Ok(()),
        Act::TakeAfter(pause) => {
            sleep(pause).await;
            Ok(())
        }
        Act::Fail => Err(WriteError::Retry(anyhow::anyhow!("the server says 503"))),
        Act::Unreachable => {
            let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
            Err(WriteError::Retry(anyhow::Error::from(refused).context("cannot connect")))
        }
        Act::Break => Err(WriteError::Retry(std::io::Error::from(std::io::ErrorKind::ConnectionReset).into())),
        Act::Never => Err(WriteError::Unrecoverable(anyhow::anyhow!("what is this"))),
        Act::Panic => panic!("a fault in the output"),
        Act::Hang => std::future::pending().await,
        Act::TakeFirst(count) => {
            let taken: usize = Entries::new(&chunk.bytes).take(count).map(|entry| entry.unwrap().whole.len()).sum();
            let remaining = std::iter::once(taken..chunk.bytes.len()).collect();
            Err(WriteError::Partial { remaining, records: chunk.records.saturating_sub(count), reason: anyhow::anyhow!("429 for some") })
        }
    }
}

/// The field `n` of each packed record.
pub fn numbers(entries: &[u8]) -> Vec<i64> {
    let scratch = Scratch::take();
    let scope = scratch.scope();
    let number = |bytes| match decode_record(scope.bump(), bytes).unwrap().get(b"n") {
        Some(Value::Int(number)) => number,
        other => panic!("{other:?}"),
    };
    Entries::new(entries).map(|entry| number(entry.unwrap().record)).collect()
}

fn lines(text: &[u8]) -> Vec<i64> {
    String::from_utf8_lossy(text).lines().map(|line| line.parse().unwrap()).collect()
}

struct NoHost;

impl Host for NoHost {
    fn build_output(&self, _element: &Element) -> Result<Arc<dyn Sink>, Refused> {
        Err(Refused)
    }
    fn emitter(&self, _label: Option<&str>, _span: Span) -> Result<Emitter, Refused> {
        Err(Refused)
    }
    fn errors(&self) -> Emitter {
        Emitter::default()
    }
    fn own_router(&self) -> Emitter {
        Emitter::default()
    }
}

/// A started delivery and its output.
pub struct Rig {
    pub delivery: Arc<Delivery>,
    pub shared: Arc<Shared>,
    root: PathBuf,
}

/// Reads `<match>` with this inside.
pub fn element(inside: &str, diagnostics: &Diagnostics) -> Element {
    let text = format!("<match **>\n@type scripted\n{inside}\n</match>\n");
    load(&LoadOptions::for_text("test", &text), diagnostics).unwrap().children.remove(0)
}

/// The findings that building a delivery with this configuration gives.
pub fn findings(inside: &str) -> Vec<String> {
    let diagnostics = Diagnostics::new();
    let element = element(inside, &diagnostics);
    let _ = build(&element, &diagnostics, Box::new(|_, _| Act::Take), true, Defaults::default(), &PathBuf::from("/nowhere"));
    diagnostics.findings().into_iter().map(|finding| finding.message).collect()
}

fn build(
    element: &Element,
    diagnostics: &Diagnostics,
    script: Box<Script>,
    is_packed: bool,
    defaults: Defaults,
    root: &std::path::Path,
) -> Result<(Arc<Delivery>, Arc<Shared>), Refused> {
    let mut system = Element::new("system", "", Span::default());
    system.set("root_dir", root.to_str().unwrap(), Span::default());
    let system = System::read(&system, diagnostics)?;
    let log = PluginLog::default();
    let context = Context { diagnostics, system: &system, id: "scripted", log: &log, host: &NoHost };
    let shared = Arc::new(Shared {
        script,
        began: Instant::now(),
        attempts: Mutex::default(),
        at_once: AtomicUsize::new(0),
        most_at_once: AtomicUsize::new(0),
    });
    let shows_chunks = element.text("shows_chunks").is_some();
    let output = Scripted { shared: Arc::clone(&shared), is_packed, defaults, shows_chunks };
    Ok((Delivery::new(Box::new(output), element, &context)?, shared))
}

impl Rig {
    /// Starts a delivery with this inside its `<match>`, before an output that does what `script` says: it gets the number of the attempt
    /// and the records.
    pub fn start(inside: &str, script: impl Fn(usize, &[i64]) -> Act + Send + Sync + 'static) -> Rig {
        Rig::start_as(inside, true, Defaults::default(), script)
    }

    /// As [`Rig::start`], without starting.
    pub fn idle(inside: &str, script: impl Fn(usize, &[i64]) -> Act + Send + Sync + 'static) -> Rig {
        Rig::make(inside, true, Defaults::default(), script)
    }

    /// As [`Rig::idle`], before an output of packed or of formatted chunks.
    pub fn idle_as(inside: &str, is_packed: bool, script: impl Fn(usize, &[i64]) -> Act + Send + Sync + 'static) -> Rig {
        Rig::make(inside, is_packed, Defaults::default(), script)
    }

    /// Starts what was made idle.
    pub fn start_tasks(&self) {
        self.delivery.start_on(&[0], |_, task| tokio::spawn(task));
    }

    /// Takes the place of another one, as at a reload, and starts.
    pub fn take_over(&mut self, old: &Rig) {
        let new = std::mem::replace(&mut self.delivery, Arc::clone(&old.delivery));
        self.delivery = Delivery::inherit(new, &old.delivery);
        self.delivery.replace(&old.delivery);
        self.start_tasks();
    }

    pub fn start_as(
        inside: &str,
        is_packed: bool,
        defaults: Defaults,
        script: impl Fn(usize, &[i64]) -> Act + Send + Sync + 'static,
    ) -> Rig {
        let rig = Rig::make(inside, is_packed, defaults, script);
        rig.start_tasks();
        rig
    }

    fn make(inside: &str, is_packed: bool, defaults: Defaults, script: impl Fn(usize, &[i64]) -> Act + Send + Sync + 'static) -> Rig {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let root = std::env::temp_dir().join(format!("flumen-delivery-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::SeqCst)));
        let diagnostics = Diagnostics::new();
        let built = build(&element(inside, &diagnostics), &diagnostics, Box::new(script), is_packed, defaults, &root);
        let Ok((delivery, shared)) = built else { panic!("{:?}", diagnostics.findings()) };
        Rig { delivery, shared, root }
    }

    /// Emits packed records with these numbers.
    pub fn emit(&self, tag: &str, numbers: impl IntoIterator<Item = i64>) -> Result<(), EmitError> {
        self.emit_padded(tag, numbers, 0).0
    }

    /// Emits packed records with a field of `pad` bytes; gives the messages of rejected ones too.
    pub fn emit_padded(&self, tag: &str, numbers: impl IntoIterator<Item = i64>, pad: usize) -> (Result<(), EmitError>, Vec<String>) {
        let scratch = Scratch::take();
        let scope = scratch.scope();
        let pad = vec![b'x'; pad];
        let mut bytes = Vec::new();
        let mut count = 0;
        for number in numbers {
            let mut record = Record::with_capacity(scope.bump(), 2);
            record.set(b"n", Value::Int(number));
            record.set(b"p", Value::Str(scope.bytes(&pad)));
            write_entry(EventTime::from_secs(1_700_000_000), &record, &mut bytes);
            count += 1;
        }
        let batch = Batch::packed(scope.bytes(&bytes), count);
        let result = self.delivery.emit(&scope, &Tag::new(tag), &batch);
        (result, scope.take_rejected().into_iter().map(|rejected| format!("{}: {}", rejected.class, rejected.message)).collect())
    }

    /// Emits packed records that came in a message each.
    pub fn emit_coalesced(&self, tag: &str, numbers: impl IntoIterator<Item = i64>) -> Result<(), EmitError> {
        let scratch = Scratch::take();
        let scope = scratch.scope();
        let mut bytes = Vec::new();
        let mut count = 0;
        for number in numbers {
            let mut record = Record::with_capacity(scope.bump(), 1);
            record.set(b"n", Value::Int(number));
            write_entry(EventTime::from_secs(1_700_000_000), &record, &mut bytes);
            count += 1;
        }
        self.delivery.emit(&scope, &Tag::new(tag), &Batch::packed(scope.bytes(&bytes), count).coalesced())
    }

    /// Emits decoded events: `(seconds, number, kind)`.
    pub fn emit_decoded(&self, tag: &str, events: &[(i64, i64, &str)]) -> Result<(), EmitError> {
        let scratch = Scratch::take();
        let scope = scratch.scope();
        let mut decoded = bumpalo::collections::Vec::new_in(scope.bump());
        for (sec, number, kind) in events {
            let mut record = Record::with_capacity(scope.bump(), 2);
            record.set(b"n", Value::Int(*number));
            record.set(b"kind", Value::text(scope.text(kind)));
            decoded.push(Event { time: EventTime::from_secs(*sec), record });
        }
        self.delivery.emit(&scope, &Tag::new(tag), &Batch::decoded(decoded))
    }

    /// The deliveries so far.
    pub fn attempts(&self) -> Vec<Attempt> {
        self.shared.attempts.lock().unwrap().clone()
    }

    /// The numbers in deliveries that were taken, in order.
    pub fn taken(&self) -> Vec<i64> {
        let taken = |attempt: Attempt| match attempt.act {
            Act::Take | Act::TakeAfter(_) => attempt.numbers,
            Act::TakeFirst(count) => attempt.numbers.into_iter().take(count).collect(),
            _ => Vec::new(),
        };
        self.attempts().into_iter().flat_map(taken).collect()
    }

    /// The whole seconds of all attempts.
    pub fn times(&self) -> Vec<i64> {
        self.attempts().iter().map(|attempt| attempt.at.round() as i64).collect()
    }

    /// The numbers of all records in the backup folder.
    pub fn backed_up(&self) -> Vec<i64> {
        let Ok(files) = std::fs::read_dir(self.root.join("backup/worker0/scripted")) else { return Vec::new() };
        let chunks = files.map(|file| file.unwrap().path()).filter(|path| path.extension().is_some_and(|suffix| suffix == "log"));
        let mut found: Vec<i64> = chunks.flat_map(|path| numbers(&std::fs::read(path).unwrap())).collect();
        found.sort_unstable();
        found
    }

    pub async fn stop(&self, seconds: u64) -> Remaining {
        self.delivery.stop(Duration::from_secs(seconds)).await
    }

    /// The one limit that senders wait for.
    pub fn limit(&self) -> Option<Arc<Limit>> {
        let mut limits = Vec::new();
        self.delivery.limits(Some(&Tag::new("t")), &mut limits);
        limits.pop()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.root);
    }
}

/// Lets the clock run.
pub async fn pass(seconds: f64) {
    sleep(Duration::from_secs_f64(seconds)).await;
}
