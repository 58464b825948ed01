//! The lines a child process prints, collected by a thread, so that the child never blocks on a full pipe.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The lines of one stream so far.
pub struct Lines {
    shared: Arc<Shared>,
    reader: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    lines: Vec<String>,
    ended: bool,
}

impl Lines {
    /// Starts to read `stream` to its end, line by line; bytes that are no UTF-8 are replaced.
    pub fn read(stream: impl Read + Send + 'static) -> Lines {
        let shared = Arc::new(Shared { state: Mutex::new(State::default()), changed: Condvar::new() });
        let writer = Arc::clone(&shared);
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stream).split(b'\n') {
                let Ok(line) = line else { break };
                writer.state.lock().unwrap().lines.push(String::from_utf8_lossy(&line).into_owned());
                writer.changed.notify_all();
            }
            writer.state.lock().unwrap().ended = true;
            writer.changed.notify_all();
        });
        Lines { shared, reader: Some(reader) }
    }

    /// What has arrived up to now.
    pub fn now(&self) -> Vec<String> {
        self.shared.state.lock().unwrap().lines.clone()
    }

    /// Waits until `wanted` says yes to all lines so far; the lines, or `Err` with them when the time is over or the stream has ended.
    pub fn wait_for(&self, limit: Duration, wanted: impl Fn(&[String]) -> bool) -> Result<Vec<String>, Vec<String>> {
        let deadline = Instant::now() + limit;
        let mut state = self.shared.state.lock().unwrap();
        loop {
            if wanted(&state.lines) {
                return Ok(state.lines.clone());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if state.ended || left.is_zero() {
                return Err(state.lines.clone());
            }
            state = self.shared.changed.wait_timeout(state, left).unwrap().0;
        }
    }

    /// Waits for the stream's end, which comes when the process is gone; all of its lines.
    pub fn read_to_end(&mut self) -> Vec<String> {
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        self.now()
    }
}
