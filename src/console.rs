//! The one way to standard output: a bounded queue of whole lines and a thread that may be stuck.
//!
//! Whoever prints never waits. Inputs wait for the queue's limit before they read on, so a stuck reader holds up only what is printed.

use crate::metrics::{Queue, Waiting};
use crate::plugin::Limit;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Bytes that wait for a slow reader before the senders of events have to wait.
const QUEUE_BYTES: u64 = 8 << 20;
/// A queue that grew past this is given back once it is empty.
const KEPT_BYTES: usize = 1 << 20;
/// How long the end of the process waits for a stuck reader.
const DRAIN_WAIT: Duration = Duration::from_secs(3);

/// What is written at a time: as much as a pipe holds, so that it shows whether somebody reads.
const WRITE_BYTES: usize = 64 << 10;
/// A reader that has taken nothing for so long, with something there to take, does not read.
const STUCK_AFTER: Duration = Duration::from_secs(3);
/// Whether what is printed goes nowhere.
static IS_SILENT: AtomicBool = AtomicBool::new(false);

/// From now on what is printed goes nowhere: the process has something else to say.
pub fn silence() {
    IS_SILENT.store(true, Ordering::Relaxed);
}

/// Where printed lines go.
pub struct Pipe {
    queue: Mutex<Vec<u8>>,
    /// Whether somebody takes what is printed.
    reader: Mutex<Reader>,
    filled: Condvar,
    limit: Arc<Limit>,
    emptied: Notify,
}

/// What is known of whoever takes what is printed.
struct Reader {
    /// When it last took something, or had taken all there was.
    last_seen: Instant,
    /// Why nothing can be written, where that is so.
    fault: Option<String>,
}

impl Queue for Pipe {
    fn waiting(&self) -> Waiting {
        let bytes = self.limit.used();
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let silence = reader.last_seen.elapsed();
        let stuck = match &reader.fault {
            Some(fault) => Some(format!("standard output cannot be written: {fault}")),
            None if bytes == 0 || silence < STUCK_AFTER => None,
            None => Some(format!("nobody has read standard output for {} seconds: {bytes} bytes wait", silence.as_secs())),
        };
        Waiting { bytes, stuck }
    }
}

impl Pipe {
    /// The process's standard output.
    pub fn standard_output() -> Arc<Pipe> {
        static PIPE: OnceLock<Arc<Pipe>> = OnceLock::new();
        Arc::clone(PIPE.get_or_init(|| Pipe::start(write_all)))
    }

    /// The daemon's log file.
    pub fn log() -> Arc<Pipe> {
        static PIPE: OnceLock<Arc<Pipe>> = OnceLock::new();
        Arc::clone(PIPE.get_or_init(|| {
            Pipe::start(|lines| {
                crate::log::write_raw(lines);
                Ok(())
            })
        }))
    }

    fn start(write: fn(&[u8]) -> io::Result<()>) -> Arc<Pipe> {
        let limit = Arc::new(Limit::new(QUEUE_BYTES));
        let reader = Mutex::new(Reader { last_seen: Instant::now(), fault: None });
        let pipe = Arc::new(Pipe { queue: Mutex::default(), reader, filled: Condvar::new(), limit, emptied: Notify::new() });
        let ours = Arc::clone(&pipe);
        let started = std::thread::Builder::new().name("stdout".to_owned()).spawn(move || ours.write_lines(write));
        if let Err(error) = started {
            crate::error!("no thread for standard output: error={error}");
        }
        pipe
    }

    /// Queues whole lines; what comes back is an empty buffer, though perhaps not the same one.
    pub fn print(&self, lines: &mut Vec<u8>) {
        if lines.is_empty() {
            return;
        }
        if IS_SILENT.load(Ordering::Relaxed) {
            return lines.clear();
        }
        if self.limit.used() == 0 {
            self.reader.lock().unwrap_or_else(PoisonError::into_inner).last_seen = Instant::now();
        }
        self.limit.take(lines.len() as u64);
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.is_empty() {
            std::mem::swap(&mut *queue, lines);
        } else {
            queue.extend_from_slice(lines);
        }
        drop(queue);
        lines.clear();
        self.filled.notify_one();
    }

    /// What has to have room before more events are read.
    pub fn limit(&self) -> Arc<Limit> {
        Arc::clone(&self.limit)
    }

    /// Waits until everything queued is written, for a bounded time.
    pub async fn drain(&self) {
        let emptied = async {
            loop {
                let notified = self.emptied.notified();
                if self.limit.used() == 0 {
                    return;
                }
                notified.await;
            }
        };
        if tokio::time::timeout(DRAIN_WAIT, emptied).await.is_err() {
            crate::error!("nobody reads standard output: {} bytes of events were not printed", self.limit.used());
        }
    }

    fn write_lines(&self, write: fn(&[u8]) -> io::Result<()>) {
        let mut lines = Vec::new();
        loop {
            {
                let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
                while queue.is_empty() {
                    queue = self.filled.wait(queue).unwrap_or_else(PoisonError::into_inner);
                }
                std::mem::swap(&mut *queue, &mut lines);
            }
            for part in lines.chunks(WRITE_BYTES) {
                let result = write(part);
                self.note(result);
                self.limit.give_back(part.len() as u64);
            }
            self.emptied.notify_waiters();
            lines.clear();
            if lines.capacity() > KEPT_BYTES {
                lines = Vec::new();
            }
        }
    }
}

impl Pipe {
    /// Notes that somebody took something, or that nobody can.
    fn note(&self, result: io::Result<()>) {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        reader.last_seen = Instant::now();
        let fault = result.err().map(|error| error.to_string());
        let is_new = reader.fault.is_none();
        reader.fault.clone_from(&fault);
        drop(reader);
        if let (true, Some(error)) = (is_new, fault) {
            crate::error!("standard output cannot be written, events are not printed: error={error}");
        }
    }
}

fn write_all(lines: &[u8]) -> io::Result<()> {
    // Through a handle of its own: std's standard output would hold back what follows the last newline.
    static FILE: OnceLock<Option<File>> = OnceLock::new();
    let file = FILE.get_or_init(|| io::stdout().as_fd().try_clone_to_owned().map(File::from).ok());
    match file {
        Some(file) => (&mut &*file).write_all(lines),
        None => Err(io::Error::other("standard output is closed")),
    }
}
