//! Senders that outlive the daemons that they send to, and the moments at which daemons are killed.

use super::forward::{chunk_option, forward};
use super::{Daemon, Sender, Value};
use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Rounds of all crash tests together, unless `FLUMEN_CRASH_ROUNDS` says otherwise.
const ROUNDS: usize = 30;
/// Senders at the same time.
const CLIENTS: usize = 4;
/// Messages that a sender has under way.
const WINDOW: usize = 4;
/// Events of a message.
const EVENTS: u64 = 10;
/// A sync is waited for no longer than this.
const SYNC_WAIT: Duration = Duration::from_millis(300);

/// The share of one test of all rounds.
pub fn rounds(share: f64) -> usize {
    let all = std::env::var("FLUMEN_CRASH_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS);
    (all as f64 * share).ceil() as usize
}

/// When a daemon is killed.
#[derive(Clone, Copy, Debug)]
pub enum Moment {
    /// After a while: at the start, in the middle of the work.
    Any,
    /// While the thread of the buffer is in a sync.
    Sync,
    /// A few milliseconds after it was told to stop.
    Stop,
}

/// Kills it at such a moment, and says whether it was one.
fn kill_at(daemon: Daemon, moment: Moment) -> bool {
    std::thread::sleep(Duration::from_millis(chance(150)));
    let mut has_come = true;
    match moment {
        Moment::Any => {}
        Moment::Sync => has_come = wait_for_sync(daemon.pid()),
        Moment::Stop => {
            daemon.signal(libc::SIGTERM);
            std::thread::sleep(Duration::from_millis(chance(40)));
        }
    }
    daemon.kill();
    has_come
}

/// Waits for a moment in which a buffer's thread syncs; whether there was one.
fn wait_for_sync(pid: u32) -> bool {
    let syncs = [libc::SYS_fdatasync, libc::SYS_fsync].map(|number| format!("{number} "));
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten().map(|thread| thread.path());
    let is_of_buffer = |thread: &Path| std::fs::read_to_string(thread.join("comm")).is_ok_and(|name| name == "buffer\n");
    let Some(thread) = threads.into_iter().find(|thread| is_of_buffer(thread)) else { return false };
    let deadline = Instant::now() + SYNC_WAIT;
    while Instant::now() < deadline {
        // Empty where the thread is running, an error where it is gone.
        let Ok(call) = std::fs::read_to_string(thread.join("syscall")) else { return false };
        if syncs.iter().any(|sync| call.starts_with(sync)) {
            return true;
        }
    }
    false
}

/// One sender, that sends again what was not acknowledged.
#[derive(Default)]
struct Client {
    number: usize,
    next: u64,
    waiting: VecDeque<(String, Vec<u8>)>,
    acked: u64,
}

impl Client {
    fn message(&mut self) {
        let chunk = format!("client {} message {}", self.number, self.next);
        let event = |n: u64| (Value::Int(1_700_000_000), Value::json(&format!("{{\"client\":{},\"n\":{n}}}", self.number)));
        let events: Vec<_> = (self.next * EVENTS..(self.next + 1) * EVENTS).map(event).collect();
        let tag = format!("t.{}", self.next % 3);
        self.waiting.push_back((chunk.clone(), forward(&tag, &events, chunk_option(&chunk))));
        self.next += 1;
    }

    /// Sends and reads acks until the other side is gone, or `enough` says so and nothing waits.
    fn run(&mut self, port: u16, enough: &AtomicBool) {
        let Some(mut sender) = Sender::try_connect(port, Duration::from_secs(10)) else { return };
        let mut sent = 0;
        loop {
            while sent < WINDOW {
                if sent >= self.waiting.len() {
                    if enough.load(Ordering::SeqCst) {
                        break;
                    }
                    self.message();
                }
                if !sender.try_send(&self.waiting[sent].1) {
                    return;
                }
                sent += 1;
            }
            let Some((chunk, _)) = self.waiting.front() else { return };
            if !sender.try_ack(chunk) {
                return;
            }
            self.waiting.pop_front();
            self.acked += 1;
            sent -= 1;
        }
    }
}

/// Senders that outlive the daemons that they send to.
pub struct Clients(Vec<Client>);

impl Clients {
    /// Nothing is sent yet.
    pub fn new() -> Clients {
        Clients((0..CLIENTS).map(|number| Client { number, ..Client::default() }).collect())
    }

    /// Sends to a daemon that is killed meanwhile; whether that was at the moment that was wanted.
    pub fn send_until_killed(&mut self, daemon: Daemon, moment: Moment) -> bool {
        let port = daemon.port("FORWARD_PORT");
        self.send(port, false, || kill_at(daemon, moment))
    }

    /// Sends until nothing is left that is not acknowledged; how many events are.
    pub fn send_the_rest(&mut self, daemon: &Daemon) -> u64 {
        self.send(daemon.port("FORWARD_PORT"), true, || {});
        assert!(self.0.iter().all(|client| client.waiting.is_empty()), "not everything was acknowledged");
        self.0.iter().map(|client| client.acked * EVENTS).sum()
    }

    fn send<T>(&mut self, port: u16, enough: bool, meanwhile: impl FnOnce() -> T) -> T {
        let enough = AtomicBool::new(enough);
        std::thread::scope(|scope| {
            for client in &mut self.0 {
                let enough = &enough;
                scope.spawn(move || client.run(port, enough));
            }
            meanwhile()
        })
    }

    /// How many events each of them made; they are numbered from 0 on.
    pub fn events_of_each(&self) -> Vec<u64> {
        self.0.iter().map(|client| client.next * EVENTS).collect()
    }

    /// All events that they made, in order: client and number.
    pub fn events(&self) -> Vec<(i64, i64)> {
        self.0.iter().flat_map(|client| (0..client.next * EVENTS).map(|n| (client.number as i64, n as i64))).collect()
    }
}

/// Small numbers that differ from run to run.
pub fn chance(below: u64) -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    RandomState::new().build_hasher().finish() % below
}
