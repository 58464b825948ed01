//! The daemon's own log, in Fluentd's format, on standard error or in a file.
//!
//! Lines go through a bounded queue to a thread of their own, so that a stuck terminal or pipe stops nobody. This is not where events go.

mod repeats;
mod rotation;

pub use repeats::set_intervals;
pub use rotation::{Period, Rotation};

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

/// Lines that wait for a slow standard error; beyond that they are counted and dropped.
const QUEUE_LINES: usize = 4096;
/// The time at the start of a line, unless the configuration says otherwise.
const USUAL_TIME: &str = "%Y-%m-%d %H:%M:%S %z";
/// How long the end of the process waits for the last lines.
const FLUSH_WAIT: Duration = Duration::from_secs(2);

/// Severity, in Fluentd's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// Every detail.
    Trace = 0,
    /// For debugging.
    Debug = 1,
    /// What happens.
    Info = 2,
    /// What may be wrong.
    Warn = 3,
    /// What is wrong.
    Error = 4,
    /// What ends the process.
    Fatal = 5,
}

impl Level {
    /// The word in log lines and in `log_level`.
    pub fn name(self) -> &'static str {
        ["trace", "debug", "info", "warn", "error", "fatal"][self as usize]
    }

    /// The level of a word.
    pub fn parse(word: &str) -> Option<Level> {
        [Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error, Level::Fatal]
            .into_iter()
            .find(|level| level.name().eq_ignore_ascii_case(word))
    }
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `2026-01-02 03:04:05 +0000 [info]: message`.
    Text,
    /// One JSON object a line.
    Json,
}

enum Message {
    Line(Vec<u8>),
    Flush(SyncSender<()>),
    Target(Box<dyn Write + Send>),
}

/// Who else wants the log's lines: the pipeline, for `@FLUENT_LOG`. Gets the level, the fields and the whole message.
pub type Hook = Box<dyn Fn(Level, &[(&str, &str)], &str) + Send + Sync>;

/// The name and the level under which a plugin logs (`@id`, `@log_level`).
#[derive(Clone, Debug, Default)]
pub struct PluginLog {
    id: Option<Arc<str>>,
    level: Option<Level>,
}

thread_local! {
    /// The plugin that runs on this thread at the moment.
    static PLUGIN: RefCell<PluginLog> = const { RefCell::new(PluginLog { id: None, level: None }) };
    /// Whether a hook runs on this thread: what it logs is not handed to it again.
    static IN_HOOK: Cell<bool> = const { Cell::new(false) };
}

impl PluginLog {
    /// A name (the configured `@id`, if any) and a level of its own (if any).
    pub fn new(id: Option<&str>, level: Option<Level>) -> PluginLog {
        PluginLog { id: id.map(Arc::from), level }
    }

    /// Does something under this plugin's name and level.
    pub fn enter<T>(&self, work: impl FnOnce() -> T) -> T {
        if self.id.is_none() && self.level.is_none() {
            return work();
        }
        let before = PLUGIN.replace(self.clone());
        let result = work();
        PLUGIN.set(before);
        result
    }

    /// Runs a future under this plugin's name and level, on whatever thread it is polled.
    pub async fn run<F: Future>(self, future: F) -> F::Output {
        let mut future = std::pin::pin!(future);
        std::future::poll_fn(|context| self.enter(|| future.as_mut().poll(context))).await
    }
}

static LEVEL: AtomicU8 = AtomicU8::new(Level::Info as u8);
static JSON: AtomicU8 = AtomicU8::new(0);
static IS_FILE: AtomicBool = AtomicBool::new(false);
static DROPPED: AtomicU64 = AtomicU64::new(0);
static QUEUE: OnceLock<SyncSender<Message>> = OnceLock::new();
static TIME_FORMAT: Mutex<Option<String>> = Mutex::new(None);
static ROTATION: Mutex<Option<Rotation>> = Mutex::new(None);
static HOOK: Mutex<Option<Hook>> = Mutex::new(None);

/// Sets the least severe level that is written.
pub fn set_level(level: Level) {
    LEVEL.store(level as u8, Ordering::Relaxed);
}

/// Sets the form of the lines.
pub fn set_format(format: Format) {
    JSON.store(u8::from(format == Format::Json), Ordering::Relaxed);
}

/// Sets how the time at the start of a line is written, in the words of `strftime`.
pub fn set_time_format(format: &str) {
    if let Ok(mut slot) = TIME_FORMAT.lock() {
        *slot = Some(format.to_owned());
    }
}

/// Sends all further lines to a file in place of standard error, which is rotated if [`set_rotation`] says so.
pub fn set_file(path: &Path, file: std::fs::File) {
    IS_FILE.store(true, Ordering::Relaxed);
    let target: Box<dyn Write + Send> = match ROTATION.lock().ok().and_then(|rotation| *rotation) {
        Some(rotation) => Box::new(rotation::Rotating::new(path, file, rotation, &jiff::Zoned::now())),
        None => Box::new(file),
    };
    let _ = queue().send(Message::Target(target));
}

/// Sets when the file is rotated, from the next time on that it is opened.
pub fn set_rotation(rotation: Option<Rotation>) {
    if let Ok(mut slot) = ROTATION.lock() {
        *slot = rotation;
    }
}

/// Whether the log goes to a file.
pub fn is_file() -> bool {
    IS_FILE.load(Ordering::Relaxed)
}

/// Writes whole lines as they are; waits where the queue is full.
pub fn write_raw(lines: &[u8]) {
    let _ = queue().send(Message::Line(lines.to_vec()));
}

/// Hands every line to `hook` too, or to nobody.
pub fn set_hook(hook: Option<Hook>) {
    if let Ok(mut slot) = HOOK.lock() {
        *slot = hook;
    }
}

/// Whether lines of this level are written.
pub fn enabled(level: Level) -> bool {
    let plugins = PLUGIN.with_borrow(|plugin| plugin.level);
    level as u8 >= plugins.map_or_else(|| LEVEL.load(Ordering::Relaxed), |plugins| plugins as u8)
}

/// Lines dropped because nobody read the log.
pub fn dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// Writes a line; the macros of this room call it.
pub fn write(level: Level, message: fmt::Arguments<'_>) {
    if enabled(level) {
        say(level, &message.to_string(), &[]);
    }
}

/// Writes a line of a message and named values: `message name="value"`.
pub fn write_with(level: Level, message: &str, fields: &[(&str, &str)]) {
    if enabled(level) {
        say(level, message, fields);
    }
}

fn say(level: Level, message: &str, fields: &[(&str, &str)]) {
    let mut message = message.to_owned();
    for (name, value) in fields {
        message.push_str(&format!(" {name}={value:?}"));
    }
    let id = PLUGIN.with_borrow(|plugin| plugin.id.as_ref().map_or_else(String::new, |id| format!("[{id}] ")));
    let line = if JSON.load(Ordering::Relaxed) == 1 { json_line(level, &id, &message) } else { text_line(level, &id, &message) };
    // Lines of other levels are other lines.
    if repeats::is_left_out(&format!("{}{id}{message}", level.name()), Instant::now()) {
        return;
    }
    if queue().try_send(Message::Line(line.into_bytes())).is_err() {
        DROPPED.fetch_add(1, Ordering::Relaxed);
    }
    if IN_HOOK.get() {
        return;
    }
    if let Ok(hook) = HOOK.try_lock()
        && let Some(hook) = hook.as_ref()
    {
        hook(level, fields, &message);
    }
}

/// Does something whose own log lines are not handed to the hook: what handles the log's lines must not make new ones.
pub fn unhooked<T>(work: impl FnOnce() -> T) -> T {
    let before = IN_HOOK.replace(true);
    let result = work();
    IN_HOOK.set(before);
    result
}

/// Waits, for a bounded time, until all lines so far are written.
pub fn flush() {
    let (done, wait) = sync_channel(1);
    if queue().try_send(Message::Flush(done)).is_ok() {
        let _ = wait.recv_timeout(FLUSH_WAIT);
    }
}

fn text_line(level: Level, id: &str, message: &str) -> String {
    format!("{} [{}]: {id}{message}\n", now(), level.name())
}

fn json_line(level: Level, id: &str, message: &str) -> String {
    let message = serde_json::Value::from(format!("{id}{message}"));
    format!("{{\"time\":\"{}\",\"level\":\"{}\",\"message\":{message}}}\n", now(), level.name())
}

fn now() -> String {
    let format = TIME_FORMAT.lock().ok().and_then(|format| format.clone());
    let now = jiff::Zoned::now();
    let mut text = String::new();
    // What jiff cannot write is left out of the line rather than the line.
    let written = std::fmt::Write::write_fmt(&mut text, format_args!("{}", now.strftime(format.as_deref().unwrap_or(USUAL_TIME))));
    if written.is_ok() { text } else { now.strftime(USUAL_TIME).to_string() }
}

fn queue() -> &'static SyncSender<Message> {
    QUEUE.get_or_init(|| {
        let (sender, receiver) = sync_channel(QUEUE_LINES);
        // Without the thread every line is counted as dropped: the daemon itself goes on.
        let _ = std::thread::Builder::new().name("log".to_owned()).spawn(move || write_lines(receiver));
        sender
    })
}

fn write_lines(receiver: Receiver<Message>) {
    let mut target: Box<dyn Write + Send> = Box::new(std::io::stderr());
    for message in receiver {
        match message {
            Message::Line(line) => {
                if target.write_all(&line).is_err() {
                    DROPPED.fetch_add(1, Ordering::Relaxed);
                }
            }
            Message::Flush(done) => {
                let _ = target.flush();
                let _ = done.send(());
            }
            Message::Target(new) => target = new,
        }
    }
}

/// Logs at level trace.
#[macro_export]
macro_rules! trace { ($($arg:tt)*) => { $crate::log::write($crate::log::Level::Trace, format_args!($($arg)*)) }; }
/// Logs at level debug.
#[macro_export]
macro_rules! debug { ($($arg:tt)*) => { $crate::log::write($crate::log::Level::Debug, format_args!($($arg)*)) }; }
/// Logs at level info.
#[macro_export]
macro_rules! info { ($($arg:tt)*) => { $crate::log::write($crate::log::Level::Info, format_args!($($arg)*)) }; }
/// Logs at level warn.
#[macro_export]
macro_rules! warning { ($($arg:tt)*) => { $crate::log::write($crate::log::Level::Warn, format_args!($($arg)*)) }; }
/// Logs at level error.
#[macro_export]
macro_rules! error { ($($arg:tt)*) => { $crate::log::write($crate::log::Level::Error, format_args!($($arg)*)) }; }
