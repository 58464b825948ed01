//! The daemon killed again and again under load: at any moment, in the middle of a sync, in the middle of a stop, and `flumen replay` in the
//! middle of a replay. What was acknowledged arrives, and where documents have names of their events, once.

use crate::support::crashes::{Clients, Moment, chance, rounds};
use crate::support::daemon::binary;
use crate::support::forward::forward;
use crate::support::{Answer, BulkServer, Daemon, FORWARD_SOURCE, Item, PATIENCE, SearchNode, Sender, TempDir, Value, wait_until};
use serde_json::json;
use std::collections::HashMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// To Elasticsearch through a file buffer.
fn config(server: u16, buffer: &Path, more: &str) -> String {
    format!(
        "{FORWARD_SOURCE}<match t t.*>\n@type elasticsearch\n@id search\nport {server}\nindex_name logs\ngenerate_id true\n{more}\n<buffer tag>\n@type file\n\
         path {}\nflush_interval 0.05\nflush_thread_interval 0.01\nretry_wait 0.1\nretry_max_interval 1\n</buffer>\n</match>\n",
        buffer.display()
    )
}

/// What a stand-in server holds as a real one would: by id, each document once, however often it was sent.
#[derive(Default)]
struct Stored {
    documents: HashMap<String, (i64, i64)>,
    seen: usize,
}

impl Stored {
    /// Waits until there are so many; all of them in order, and how many were sent more than once.
    fn wait_for(mut self, server: &BulkServer, count: u64) -> (Vec<(i64, i64)>, u64) {
        wait_until("all events", PATIENCE, || {
            for (action, document) in server.documents_from(self.seen) {
                let event = (document["client"].as_i64().unwrap(), document["n"].as_i64().unwrap());
                let id = action["index"]["_id"].as_str().unwrap().to_owned();
                assert_eq!(*self.documents.entry(id).or_insert(event), event, "one id for two events");
                self.seen += 1;
            }
            (self.documents.len() as u64 >= count).then_some(())
        });
        let more = self.seen as u64 - self.documents.len() as u64;
        let mut events: Vec<_> = self.documents.into_values().collect();
        events.sort_unstable();
        (events, more)
    }
}

#[test]
fn acknowledged_events_survive_kills_at_any_moment() {
    let (server, dir, rounds) = (BulkServer::start(), TempDir::new(), rounds(0.7));
    let (mut clients, mut hits) = (Clients::new(), [0; 3]);
    let config = config(server.port(), &dir.path().join("buffer"), "");
    for round in 0..rounds {
        let moment = [Moment::Any, Moment::Sync, Moment::Stop][round % 3];
        hits[round % 3] += usize::from(clients.send_until_killed(Daemon::start(&config), moment));
    }
    let daemon = Daemon::start(&config);
    let acked = clients.send_the_rest(&daemon);
    let (events, more) = Stored::default().wait_for(&server, acked);
    assert!(acked > 0 && events == clients.events(), "{} of {acked} events, some of them twice", events.len());
    let [any, syncs, stops] = hits;
    println!(
        "rounds={rounds} (any moment={any} in a sync={syncs} in a stop={stops}) acknowledged={acked} lost=0 sent_more_than_once={more} stored_more_than_once=0"
    );
    // Where there is a disk at all, some syncs take their time.
    assert!(syncs > 0 || std::fs::read_to_string("/proc/mounts").unwrap().contains(" /tmp tmpfs"), "no sync was hit");
    daemon.stop();
    let left: Vec<_> = std::fs::read_dir(dir.path().join("buffer")).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert!(left.iter().all(|file| file.to_string_lossy().contains("lock")), "{left:?}");
}

/// Two ways of sending dead letters again.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// Over the network to a daemon, with acks.
    Forward,
    /// Into the outputs of a configuration.
    Config,
}

fn replay(folder: &Path, way: &[&str]) -> Child {
    let mut command = Command::new(binary());
    command.arg("replay").arg(folder).args(way).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

/// A daemon whose server refuses all events, or does not take a chunk: they become dead letters.
struct Refuser {
    server: BulkServer,
    sender: Sender,
    daemon: Daemon,
    next: u64,
}

impl Refuser {
    fn start(dead: &Path) -> Refuser {
        let server = BulkServer::start();
        let system = format!("<system>\n<dead_letter>\npath {}\n</dead_letter>\n</system>\n", dead.display());
        let config = format!(
            "{system}{FORWARD_SOURCE}<match t>\n@type elasticsearch\n@id search\nport {}\n<buffer tag>\nflush_mode immediate\nretry_max_times 0\n\
             retry_wait 0.01\n</buffer>\n</match>\n<label @FLUENT_LOG>\n<match **>\n@type null\n</match>\n</label>\n",
            server.port()
        );
        let daemon = Daemon::start(&config);
        let sender = Sender::connect(daemon.port("FORWARD_PORT"));
        Refuser { server, sender, daemon, next: 0 }
    }

    /// Makes letters of so many events more, a few of them as one chunk.
    fn refuse(&mut self, count: u64, in_chunks: bool) {
        let one = Item::Refused(400, "mapper_parsing_exception", "no");
        let answers = if in_chunks { vec![Answer::Status(500, String::new())] } else { vec![Answer::Items(vec![one; count as usize])] };
        self.server.script(answers);
        let event = |n: u64| (Value::Int(1_700_000_000), Value::json(&format!("{{\"client\":0,\"n\":{n}}}")));
        let events: Vec<_> = (self.next..self.next + count).map(event).collect();
        self.sender.send(&forward("t", &events, None));
        self.next += count;
        wait_until("the letters", PATIENCE, || (self.server.script_left() == 0).then_some(()));
    }

    /// Waits until all of it is kept, and ends.
    fn finish(self) -> u64 {
        assert_eq!(self.daemon.stop().code, 0);
        assert!(self.server.documents().is_empty());
        self.next
    }
}

fn kill_replays(way: Way) {
    let (server, dir, rounds) = (BulkServer::start(), TempDir::new(), rounds(0.1));
    let (dead, progress, path) = (dir.path().join("dead"), dir.path().join("progress"), dir.path().join("replay.conf"));
    let mut refuser = Refuser::start(&dead);
    let config = config(server.port(), &dir.path().join("buffer"), "");
    std::fs::write(&path, &config).unwrap();
    let mut receiver = Daemon::start(&config);
    let (mut in_the_middle, mut kills_of_receivers) = (0, 0);
    for round in 0..rounds {
        refuser.refuse(2000, round % 2 == 1);
        let url = format!("forward://127.0.0.1:{}", receiver.port("FORWARD_PORT"));
        let arguments = ["--progress", progress.to_str().unwrap()];
        let mut replaying = match way {
            Way::Forward => replay(&dead, &[&["--to", &url], &arguments[..]].concat()),
            Way::Config => replay(&dead, &[&["-c", path.to_str().unwrap()], &arguments[..]].concat()),
        };
        let seen = server.document_count();
        // In every other round not before it has got somewhere.
        let is_due = || round % 2 == 0 || server.document_count() > seen;
        let deadline = Instant::now() + PATIENCE;
        while !is_due() && replaying.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "a replay gets nowhere");
        }
        std::thread::sleep(Duration::from_millis(chance(60)));
        if matches!(way, Way::Forward) && round % 3 == 0 {
            receiver.kill();
            kills_of_receivers += 1;
            receiver = Daemon::start(&config);
        }
        in_the_middle += usize::from(replaying.try_wait().unwrap().is_none());
        let _ = replaying.kill();
        replaying.wait().unwrap();
    }
    let count = refuser.finish();
    let url = format!("forward://127.0.0.1:{}", receiver.port("FORWARD_PORT"));
    let target = match way {
        Way::Forward => ["--to", &url],
        Way::Config => ["-c", path.to_str().unwrap()],
    };
    let code = replay(&dead, &[&target[..], &["--progress", progress.to_str().unwrap()]].concat()).wait().unwrap().code();
    assert_eq!(code, Some(0));
    let (events, more) = Stored::default().wait_for(&server, count);
    let wanted: Vec<_> = (0..count as i64).map(|n| (0, n)).collect();
    assert!(events == wanted, "{way:?}: {} of {count} events, or some of them twice", events.len());
    println!(
        "replay {way:?}: rounds={rounds} (killed in the middle={in_the_middle} receivers killed={kills_of_receivers}) events={count} lost=0 sent_more_than_once={more} stored_more_than_once=0"
    );
    // A replay that nobody disturbs has nothing left to send.
    assert_eq!(replay(&dead, &[&target[..], &["--progress", progress.to_str().unwrap()]].concat()).wait().unwrap().code(), Some(0));
    receiver.stop();
    assert_eq!(server.document_count() as u64, count + more);
}

#[test]
fn replays_to_a_daemon_survive_kills() {
    kill_replays(Way::Forward);
}

#[test]
fn replays_into_a_configuration_survive_kills() {
    kill_replays(Way::Config);
}

#[test]
fn a_real_node_holds_each_acknowledged_event_once_whatever_is_killed_or_stopped() {
    let Some(mut node) = SearchNode::own() else { return };
    node.make_index("crash", json!({}));
    let (dir, rounds, mut clients) = (TempDir::new(), rounds(0.1), Clients::new());
    let config = config(node.port(), &dir.path().join("buffer"), "").replace("index_name logs", "index_name crash");
    for round in 0..rounds {
        let daemon = Daemon::start(&config);
        // Stopped under load before the daemon is killed, started while the next one is at work.
        if round % 3 == 1 {
            node.stop();
        }
        clients.send_until_killed(daemon, [Moment::Any, Moment::Sync, Moment::Stop][round % 3]);
        if round % 3 == 2 {
            node.start();
        }
    }
    node.start();
    let daemon = Daemon::start(&config);
    let acked = clients.send_the_rest(&daemon);
    let (deadline, mut count) = (Instant::now() + 3 * PATIENCE, 0);
    while count < acked {
        assert!(Instant::now() < deadline, "{count} documents of {acked} acknowledged events: {:?}", daemon.log());
        count = node.count("crash");
    }
    // The buffer is empty when nothing is under way any more.
    assert_eq!(daemon.stop().code, 0);
    let count = node.count("crash");
    for (client, events) in clients.events_of_each().into_iter().enumerate() {
        assert_eq!(node.numbers("crash", json!({"term": {"client": client}})), [events, 0, events - 1, 1], "client {client}");
    }
    println!("real node: rounds={rounds} acknowledged={acked} documents={count}");
    assert_eq!(count, acked);
}
