//! The one way to standard output: a bounded queue of whole lines and a thread that may be stuck.
//!
//! Whoever prints never waits. Inputs wait for the queue's limit before they read on, so a stuck reader holds up only what is printed.

use crate::plugin::Limit;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Bytes that wait for a slow reader before the senders of events have to wait.
const QUEUE_BYTES: u64 = 8 << 20;
/// A queue that grew past this is given back once it is empty.
const KEPT_BYTES: usize = 1 << 20;
/// How long the end of the process waits for a stuck reader.
const DRAIN_WAIT: Duration = Duration::from_secs(3);

/// Where printed lines go.
pub struct Pipe {
    queue: Mutex<Vec<u8>>,
    filled: Condvar,
    limit: Arc<Limit>,
    emptied: Notify,
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
        let pipe = Arc::new(Pipe { queue: Mutex::default(), filled: Condvar::new(), limit, emptied: Notify::new() });
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
        let mut failing = false;
        loop {
            {
                let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
                while queue.is_empty() {
                    queue = self.filled.wait(queue).unwrap_or_else(PoisonError::into_inner);
                }
                std::mem::swap(&mut *queue, &mut lines);
            }
            match write(&lines) {
                Ok(()) => failing = false,
                Err(error) if !failing => {
                    failing = true;
                    crate::error!("standard output cannot be written, events are not printed: error={error}");
                }
                Err(_) => {}
            }
            self.limit.give_back(lines.len() as u64);
            self.emptied.notify_waiters();
            lines.clear();
            if lines.capacity() > KEPT_BYTES {
                lines = Vec::new();
            }
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
