//! A real node in the trouble that one can be brought into: it is down, comes and goes, refuses to write, has no room in its queue or its
//! memory, finds requests too large and documents that do not fit.

use super::*;
use crate::support::SearchNode;
use serde_json::{Value as Json, json};
use std::path::PathBuf;
use std::sync::MutexGuard;

/// Several shards an index, so that the parts of one request meet different fates.
const SHARDS: u32 = 3;
/// One thread writes, and one task may wait for it.
const TINY_QUEUE: [&str; 2] = ["thread_pool.write.size=1", "thread_pool.write.queue_size=1"];
/// The largest request that is taken.
const SMALL_REQUESTS: &str = "http.max_content_length=100kb";

/// A node, a daemon that sends to it, and what was sent.
struct Trial {
    node: MutexGuard<'static, SearchNode>,
    daemon: Daemon,
    sender: Sender,
    dice: Dice,
    next: u64,
    /// What the names of its indices begin with.
    index: &'static str,
    dead: PathBuf,
    _dir: TempDir,
}

impl Trial {
    /// With the node down, and an index for each tag.
    fn start(index: &'static str) -> Option<Trial> {
        let (mut node, dir) = (SearchNode::own()?, TempDir::new());
        let fields = json!({"n": {"type": "long"}, "size": {"type": "long"}, "pad": {"type": "text", "index": false}});
        let settings = json!({"settings": {"number_of_shards": SHARDS, "number_of_replicas": 0}, "mappings": {"properties": fields}});
        for tag in 0..4 {
            assert_eq!(node.ask("PUT", &format!("/{index}-{tag}"), &settings.to_string())["acknowledged"], true);
        }
        node.stop();
        let dead = dir.path().join("dead");
        let output = search(node.port(), &format!("index_name {index}-${{tag[1]}}\ngenerate_id true"), "");
        // A real one takes its time, above all on a machine that is busy.
        let output = output.replace(REQUEST_TIMEOUT, "10");
        let daemon = Daemon::start(&[MONITOR_SOURCE, FORWARD_SOURCE, &dead_letters(&dead), &output].concat());
        let sender = Sender::connect(daemon.port("FORWARD_PORT"));
        Some(Trial { node, daemon, sender, dice: Dice(SEED), next: 0, index, dead, _dir: dir })
    }

    fn send(&mut self, messages: u64) {
        self.next = send(&mut self.sender, messages, self.next, &mut self.dice);
    }

    /// Sends one message, whose events have these fields as well.
    fn send_with(&mut self, fields: &[Json]) {
        let event = |(n, fields): (u64, &Json)| {
            let mut record = fields.clone();
            record["n"] = n.into();
            (Value::Int(1_700_000_000), Value::json(&record.to_string()))
        };
        let events: Vec<_> = (self.next..).zip(fields).map(event).collect();
        let chunk = format!("m{}", self.next);
        self.sender.send(&forward("t.0", &events, chunk_option(&chunk)));
        assert_eq!(self.sender.ack(), chunk.as_bytes());
        self.next += fields.len() as u64;
    }

    /// Sends while the node is in trouble that the log tells of in such words, until it does: what is not settled is held.
    fn send_in_trouble(&mut self, said: &str) {
        let times = |lines: &[String]| lines.iter().filter(|line| line.contains(said)).count();
        let before = times(&self.daemon.log());
        self.send(5);
        self.daemon.wait_for_log(said, |lines| times(lines) > before);
        let metrics = wait_for_metrics(&self.daemon, "the books in trouble", |metrics| metrics.unbalanced().is_empty());
        assert_eq!(books(&metrics).iter().sum::<u64>() + held(&metrics), self.next, "{said}");
    }

    /// Waits until nothing is held any more, and looks for each event: it is in the node, once, or has a letter. Gives the letters.
    fn settle(&self) -> Vec<(u64, String)> {
        let metrics = wait_for_rest(&self.daemon);
        let mut stored = BTreeMap::new();
        for n in self.node.values(&format!("{}-*", self.index), "n") {
            *stored.entry(n.as_u64().unwrap()).or_default() += 1;
        }
        assert!(stored.values().all(|count| *count == 1), "stored twice: {stored:?}");
        let letters = letters(&self.dead);
        assert_eq!(stored.len() + letters.len(), self.next as usize);
        account_for(self.next, &stored, &letters, &metrics);
        letters
    }

    /// Lets the indices have this block for a while.
    fn block(&mut self, block: &str, said: &str) {
        let path = format!("/{}-*/_settings", self.index);
        let set = |node: &SearchNode, value: Json| {
            assert_eq!(node.ask("PUT", &path, &json!({ block: value }).to_string())["acknowledged"], true);
        };
        set(&self.node, json!(true));
        self.send_in_trouble(said);
        assert!(held(&Metrics::of(&self.daemon)) > 0, "{block} holds nothing back");
        set(&self.node, json!(null));
        assert!(self.settle().is_empty());
    }

    /// Lets the node refuse all requests but the smallest for a while, as one whose memory is full.
    fn fill_memory(&mut self) {
        let set = |node: &SearchNode, limit: Json| {
            let settings = json!({"transient": {"network.breaker.inflight_requests.limit": limit}}).to_string();
            wait_until("the new limit", PATIENCE, || {
                (node.ask("PUT", "/_cluster/settings", &settings)["acknowledged"] == true).then_some(())
            });
        };
        set(&self.node, json!("1kb"));
        self.send_in_trouble("circuit_breaking_exception");
        set(&self.node, json!(null));
        assert!(self.settle().is_empty());
    }
}

#[test]
fn a_real_node_in_trouble_has_each_event_once_or_the_letters_do() {
    let Some(mut trial) = Trial::start("trouble") else { return };
    // Down at the start.
    trial.send_in_trouble("Connection refused");
    assert_eq!(held(&Metrics::of(&trial.daemon)), trial.next);
    trial.node.start();
    assert!(trial.settle().is_empty());
    // Stopped and started while it is sent to.
    trial.send(5);
    trial.node.stop();
    trial.send_in_trouble("Connection refused");
    trial.node.start();
    trial.send(5);
    assert!(trial.settle().is_empty());
    trial.block("index.blocks.write", "cluster_block_exception");
    trial.block("index.blocks.read_only_allow_delete", "cluster_block_exception");
    trial.fill_memory();
    // Documents that fit and such that do not, in one request.
    let wrong: Vec<u64> = (1..4).map(|n| trial.next + 2 * n).collect();
    let fields: Vec<_> = (0..9).map(|n| if n > 0 && n < 7 && n % 2 == 0 { json!({"size": "large"}) } else { json!({"size": n}) }).collect();
    trial.send_with(&fields);
    let letters = trial.settle();
    assert_eq!(letters.iter().map(|(n, _)| *n).collect::<Vec<_>>(), wrong);
    assert!(letters.iter().all(|(_, reason)| reason.contains("failed to parse field [size]")), "{letters:?}");
    println!("real node, trouble: events={} letters={}", trial.next, letters.len());
}

#[test]
fn a_real_node_that_takes_little_at_a_time_gets_all_but_what_is_too_large_alone() {
    let Some(mut trial) = Trial::start("little") else { return };
    trial.node.start_with(&[&TINY_QUEUE[..], &[SMALL_REQUESTS]].concat());
    trial.send_in_trouble("rejected_execution_exception");
    trial.send(20);
    assert!(trial.settle().is_empty());
    // Three requests at least, and one event that no request has room for.
    let large = trial.next + 4;
    let pads = [60, 60, 60, 60, 200, 60].map(|kilobytes| json!({"pad": "x".repeat(kilobytes << 10)}));
    trial.send_with(&pads);
    let letters = trial.settle();
    assert!(matches!(&letters[..], [(n, reason)] if *n == large && reason.contains("413")), "{letters:?}");
    println!("real node, little at a time: events={} letters={}", trial.next, letters.len());
}
