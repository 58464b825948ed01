//! The daemon killed again and again under load: at any moment, in the middle of a sync, in the middle of a stop, and `flumen replay` in the
//! middle of a replay. What was acknowledged arrives, and where documents have names of their events, once.

use crate::support::daemon::binary;
use crate::support::forward::{chunk_option, forward};
use crate::support::{Answer, BulkServer, Daemon, FORWARD_SOURCE, Item, PATIENCE, Sender, TempDir, Value, wait_until};
use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Rounds of all tests here together, unless `FLUMEN_CRASH_ROUNDS` says otherwise.
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
fn rounds(share: f64) -> usize {
    let all = std::env::var("FLUMEN_CRASH_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS);
    (all as f64 * share).ceil() as usize
}

/// When a daemon is killed.
#[derive(Clone, Copy, Debug)]
enum Moment {
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

/// To Elasticsearch through a file buffer.
fn config(server: u16, buffer: &Path, more: &str) -> String {
    format!(
        "{FORWARD_SOURCE}<match t t.*>\n@type elasticsearch\n@id search\nport {server}\nindex_name logs\ngenerate_id true\n{more}\n<buffer tag>\n@type file\n\
         path {}\nflush_interval 0.05\nflush_thread_interval 0.01\nretry_wait 0.1\nretry_max_interval 1\n</buffer>\n</match>\n",
        buffer.display()
    )
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
struct Clients(Vec<Client>);

impl Clients {
    fn new() -> Clients {
        Clients((0..CLIENTS).map(|number| Client { number, ..Client::default() }).collect())
    }

    /// Sends to a daemon that is killed meanwhile; whether that was at the moment that was wanted.
    fn send_until_killed(&mut self, daemon: Daemon, moment: Moment) -> bool {
        let port = daemon.port("FORWARD_PORT");
        self.send(port, false, || kill_at(daemon, moment))
    }

    /// Sends until nothing is left that is not acknowledged; how many events are.
    fn send_the_rest(&mut self, daemon: &Daemon) -> u64 {
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

    /// All events that they made, in order: client and number.
    fn events(&self) -> Vec<(i64, i64)> {
        self.0.iter().flat_map(|client| (0..client.next * EVENTS).map(|n| (client.number as i64, n as i64))).collect()
    }
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

/// Small numbers that differ from run to run.
fn chance(below: u64) -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    RandomState::new().build_hasher().finish() % below
}

#[test]
fn acknowledged_events_survive_kills_at_any_moment() {
    let (server, dir, rounds) = (BulkServer::start(), TempDir::new(), rounds(0.8));
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
