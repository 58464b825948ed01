//! Senders that go on sending, one acknowledged message after another, while a test does something to the daemon.

use super::Sender;
use super::forward::{chunk_option, message};
use super::msgpack::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

/// Senders at work.
pub struct Load {
    stop: Arc<AtomicBool>,
    acked: Arc<AtomicU64>,
    senders: Vec<JoinHandle<Sent>>,
}

/// What one sender has done.
#[derive(Debug, Default)]
pub struct Sent {
    /// The names of the events that were acknowledged, each given once: `load-sender-number`.
    pub acked: Vec<String>,
    /// Whether the connection was lost.
    pub is_lost: bool,
}

impl Load {
    /// Starts so many senders, each with a connection and a tag of its own (`load.N`), to a forward input.
    pub fn start(port: u16, count: usize) -> Load {
        static LOADS: AtomicU64 = AtomicU64::new(0);
        let load = LOADS.fetch_add(1, Ordering::Relaxed);
        let (stop, acked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let senders = (0..count).map(|sender| {
            let (stop, acked) = (Arc::clone(&stop), Arc::clone(&acked));
            std::thread::spawn(move || run(port, (load, sender), &stop, &acked))
        });
        Load { stop: Arc::clone(&stop), acked: Arc::clone(&acked), senders: senders.collect() }
    }

    /// Messages acknowledged so far.
    pub fn acked(&self) -> u64 {
        self.acked.load(Ordering::Relaxed)
    }

    /// Waits until so many more are acknowledged, or no sender is left.
    pub fn wait_for(&self, more: u64) {
        let wanted = self.acked() + more;
        super::wait_until("more acknowledged messages", super::PATIENCE, || {
            (self.acked() >= wanted || self.senders.iter().all(JoinHandle::is_finished)).then_some(())
        });
    }

    /// Ends the senders after the message each is at.
    pub fn finish(self) -> Vec<Sent> {
        self.stop.store(true, Ordering::Relaxed);
        self.senders.into_iter().map(|sender| sender.join().unwrap()).collect()
    }
}

fn run(port: u16, (load, sender): (u64, usize), stop: &AtomicBool, acked: &AtomicU64) -> Sent {
    let mut connection = Sender::connect(port);
    let mut sent = Sent::default();
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let name = format!("{load}-{sender}-{number}");
        let record = Value::json(&format!("{{\"name\":\"{name}\"}}"));
        let bytes = message(&format!("load.{sender}"), Value::Int(1_700_000_000), record, chunk_option(&name));
        if !connection.try_send(&bytes) || !connection.try_ack(&name) {
            sent.is_lost = true;
            break;
        }
        acked.fetch_add(1, Ordering::Relaxed);
        sent.acked.push(name);
    }
    sent
}
