//! Senders that go on sending, one acknowledged message after another, while a test does something to the daemon.

use super::Sender;
use super::forward::{chunk_option, message};
use super::msgpack::Value;
use super::{PATIENCE, SearchNode};
use std::collections::HashSet;
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
            // Here and not in its thread: a daemon may be stopped before that gets its turn.
            let connection = Sender::connect(port);
            std::thread::spawn(move || run(connection, (load, sender), &stop, &acked))
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
        super::wait_until("more acknowledged messages", PATIENCE, || {
            (self.acked() >= wanted || self.senders.iter().all(JoinHandle::is_finished)).then_some(())
        });
    }

    /// Ends the senders after the message each is at.
    pub fn finish(self) -> Vec<Sent> {
        self.stop.store(true, Ordering::Relaxed);
        self.senders.into_iter().map(|sender| sender.join().unwrap()).collect()
    }
}

/// The names of all events that were acknowledged.
pub fn acked(sent: &[Sent]) -> HashSet<String> {
    sent.iter().flat_map(|sent| sent.acked.iter().cloned()).collect()
}

/// The fields of events, for the index of a search node.
pub fn fields() -> serde_json::Value {
    serde_json::json!({"name": {"type": "keyword"}})
}

/// Waits until a search node has all of these events.
pub fn wait_in(node: &SearchNode, index: &str, acked: &HashSet<String>) {
    super::wait_until("all events in the search node", 3 * PATIENCE, || {
        (node.count(index) >= acked.len() as u64 && acked.is_subset(&names_in(node, index).into_iter().collect())).then_some(())
    });
}

/// Checks, when nothing is under way any more, that a search node has each of these events and none twice; how many documents it has.
pub fn check_once_in(node: &SearchNode, index: &str, acked: &HashSet<String>) -> usize {
    let names = names_in(node, index);
    let there: HashSet<String> = names.iter().cloned().collect();
    let missing: Vec<_> = acked.difference(&there).collect();
    assert!(missing.is_empty(), "{index}: {} of {} acknowledged events are not there: {missing:?}", missing.len(), acked.len());
    assert_eq!(names.len(), there.len(), "{index}: some events are there twice");
    names.len()
}

fn names_in(node: &SearchNode, index: &str) -> Vec<String> {
    node.values(index, "name").iter().filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

fn run(mut connection: Sender, (load, sender): (u64, usize), stop: &AtomicBool, acked: &AtomicU64) -> Sent {
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
