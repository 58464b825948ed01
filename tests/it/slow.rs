//! A server that is far slower than ten senders, for as long as `FLUMEN_SLOW_SECONDS` says: memory stays flat within its limits, and
//! everything arrives once the server recovers.

use crate::support::forward::{chunk_option, packed};
use crate::support::http::Request;
use crate::support::service::Paused;
use crate::support::{Daemon, FORWARD_SOURCE, PATIENCE, SearchNode, Sender, TempDir, Value, free_port, wait_until};
use serde_json::json;
use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long the server is slow, unless `FLUMEN_SLOW_SECONDS` says otherwise; two minutes is the long form.
const SLOW_SECONDS: u64 = 6;
/// How long it takes for a request meanwhile.
const SLOW_ANSWER: Duration = Duration::from_millis(500);
const SENDERS: u64 = 10;
/// Events of a message, and bytes of an event: 200 kB together.
const EVENTS: u64 = 20;
const EVENT_BYTES: usize = 10_000;
/// The buffer's `total_limit_size`, in kilobytes.
const LIMIT_KB: u64 = 24 << 10;
/// What the process may take beyond that and beyond what it takes idle.
const MARGIN_KB: u64 = 64 << 10;
/// What it may take at the end beyond what it took once the buffer was full: memory that only grows would show.
const FLAT_KB: u64 = 8 << 10;
/// To deliver what is buffered, and what the senders had under way.
const RECOVERY: Duration = Duration::from_secs(60);

/// What is slow for a while.
trait Server {
    fn port(&self) -> u16;
    /// Further lines of the output.
    fn lines(&self) -> &str;
    /// Begins to be slow, if it was not from the start.
    fn tire(&mut self);
    fn recover(&mut self);
    /// How many different events it has, as far as it says while it is slow.
    fn stored(&self) -> u64;
    /// How many events it got more than once.
    fn stored_twice(&self) -> u64;
}

/// A server that counts how often it got each event, and keeps nothing else.
struct Counting {
    port: u16,
    is_slow: Arc<AtomicBool>,
    counts: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Counting {
    fn start() -> Counting {
        let server = Counting { port: free_port(), is_slow: Arc::new(AtomicBool::new(true)), counts: Arc::default() };
        server.counts.lock().unwrap().resize(SENDERS as usize, Vec::new());
        let listener = TcpListener::bind(("127.0.0.1", server.port)).unwrap();
        let (is_slow, counts) = (Arc::clone(&server.is_slow), Arc::clone(&server.counts));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (is_slow, counts) = (Arc::clone(&is_slow), Arc::clone(&counts));
                std::thread::spawn(move || serve(stream, &is_slow, &counts));
            }
        });
        server
    }

    fn count(&self, wanted: fn(&u8) -> bool) -> u64 {
        self.counts.lock().unwrap().iter().flatten().filter(|count| wanted(count)).count() as u64
    }
}

impl Server for Counting {
    fn port(&self) -> u16 {
        self.port
    }

    fn lines(&self) -> &str {
        ""
    }

    fn tire(&mut self) {}

    fn recover(&mut self) {
        self.is_slow.store(false, Ordering::Relaxed);
    }

    fn stored(&self) -> u64 {
        self.count(|count| *count > 0)
    }

    fn stored_twice(&self) -> u64 {
        self.count(|count| *count > 1)
    }
}

/// A real node, whose process is stopped in the middle of its work.
struct Pausing {
    node: MutexGuard<'static, SearchNode>,
    index: String,
    lines: String,
    paused: Option<(Paused, u64)>,
}

impl Pausing {
    fn start(index: &str) -> Option<Pausing> {
        let node = SearchNode::own()?;
        node.make_index(index, json!({"pad": {"type": "text", "index": false}}));
        // An event that is sent again because no answer came replaces itself.
        let lines = format!("index_name {index}\ngenerate_id true");
        Some(Pausing { node, index: index.to_owned(), lines, paused: None })
    }
}

impl Server for Pausing {
    fn port(&self) -> u16 {
        self.node.port()
    }

    fn lines(&self) -> &str {
        &self.lines
    }

    fn tire(&mut self) {
        let stored = wait_until("the first documents", PATIENCE, || Some(self.node.count(&self.index)).filter(|count| *count > 0));
        self.paused = Some((self.node.pause(), stored));
    }

    fn recover(&mut self) {
        self.paused = None;
    }

    fn stored(&self) -> u64 {
        self.paused.as_ref().map_or_else(|| self.node.count(&self.index), |(_, stored)| *stored)
    }

    fn stored_twice(&self) -> u64 {
        let twice = |sender| {
            let [count, first, last, most] = self.node.numbers(&self.index, json!({"term": {"s": sender}}));
            assert_eq!((first, last + 1), (0, count), "sender {sender}");
            u64::from(most > 1)
        };
        (0..SENDERS).map(twice).sum()
    }
}

fn serve(stream: TcpStream, is_slow: &AtomicBool, counts: &Mutex<Vec<Vec<u8>>>) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = Request::read(&mut reader) {
        let body = if request.method == "POST" {
            if is_slow.load(Ordering::Relaxed) {
                std::thread::sleep(SLOW_ANSWER);
            }
            request.body.split(|byte| *byte == b'\n').for_each(|line| count(line, counts));
            r#"{"took":1,"errors":false,"items":[]}"#
        } else {
            r#"{"version":{"number":"7.17.0"},"tagline":"You Know, for Search"}"#
        };
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
        if reader.get_mut().write_all(format!("{head}{body}").as_bytes()).is_err() {
            return;
        }
    }
}

/// Counts a document, which begins with its sender and its number.
fn count(line: &[u8], counts: &Mutex<Vec<Vec<u8>>>) {
    let Some(rest) = line.strip_prefix(b"{\"s\":") else { return };
    let text = String::from_utf8_lossy(&rest[..rest.len().min(40)]).into_owned();
    let mut numbers = text.split(|c: char| !c.is_ascii_digit()).filter(|number| !number.is_empty()).map(|number| number.parse().unwrap());
    let (sender, number): (usize, usize) = (numbers.next().unwrap(), numbers.next().unwrap());
    let counts = &mut counts.lock().unwrap()[sender];
    if counts.len() <= number {
        counts.resize(number + 1, 0);
    }
    counts[number] += 1;
}

/// Senders without a pause, each with a few messages under way; what they count is acknowledged.
struct Flood {
    stop: Arc<AtomicBool>,
    acked: Arc<AtomicU64>,
    senders: Vec<JoinHandle<()>>,
}

impl Flood {
    fn start(port: u16) -> Flood {
        let (stop, acked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let senders = (0..SENDERS).map(|sender| {
            let (stop, acked) = (Arc::clone(&stop), Arc::clone(&acked));
            // A sender that the daemon makes wait does so as long as that takes.
            let patience = Duration::from_secs(slow_seconds()) + RECOVERY;
            let connection = Sender::try_connect(port, patience).unwrap();
            std::thread::spawn(move || run(connection, sender, &stop, &acked))
        });
        Flood { stop: Arc::clone(&stop), acked: Arc::clone(&acked), senders: senders.collect() }
    }

    fn finish(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.senders.into_iter().for_each(|sender| sender.join().unwrap());
        self.acked.load(Ordering::Relaxed)
    }
}

fn run(mut connection: Sender, sender: u64, stop: &AtomicBool, acked: &AtomicU64) {
    let pad = "x".repeat(EVENT_BYTES);
    for message in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let event = |n: u64| (Value::Int(1_700_000_000), Value::json(&format!("{{\"s\":{sender},\"n\":{n},\"pad\":\"{pad}\"}}")));
        let events: Vec<_> = (message * EVENTS..(message + 1) * EVENTS).map(event).collect();
        let chunk = message.to_string();
        assert!(connection.try_send(&packed("flood", &events, chunk_option(&chunk))), "the connection of a sender was lost");
        assert!(connection.try_ack(&chunk), "no ack came");
        acked.fetch_add(EVENTS, Ordering::Relaxed);
    }
}

fn slow_seconds() -> u64 {
    std::env::var("FLUMEN_SLOW_SECONDS").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(SLOW_SECONDS)
}

fn outlast(mut server: impl Server, buffer: &str) {
    let config = format!(
        "{FORWARD_SOURCE}<match **>\n@type elasticsearch\nport {}\n{}\nrequest_timeout 30\n<buffer>\n{buffer}\nflush_interval 0.05\n\
         retry_max_interval 2\nchunk_limit_size 512k\ntotal_limit_size {LIMIT_KB}k\n</buffer>\n</match>\n\
         <label @FLUENT_LOG>\n<match **>\n@type null\n</match>\n</label>\n",
        server.port(),
        server.lines()
    );
    let daemon = Daemon::start(&config);
    let idle = daemon.rss_kb();
    let flood = Flood::start(daemon.port("FORWARD_PORT"));
    server.tire();
    let (began, lasts) = (Instant::now(), Duration::from_secs(slow_seconds()));
    // The largest memory in each third of the time.
    let mut peaks = [0; 3];
    wait_until("the time to be over", lasts + PATIENCE, || {
        let third = (began.elapsed().as_secs_f64() / lasts.as_secs_f64() * 3.0) as usize;
        let peak = &mut peaks[third.min(2)];
        *peak = daemon.rss_kb().max(*peak);
        (began.elapsed() >= lasts).then_some(())
    });
    let acked = flood.acked.load(Ordering::Relaxed);
    let stored = server.stored();
    assert!(acked > stored && acked * EVENT_BYTES as u64 > LIMIT_KB << 9, "{acked} acknowledged, {stored} stored: the server was not slow");
    server.recover();
    let acked = flood.finish();
    wait_until("everything", RECOVERY, || (server.stored() >= acked).then_some(()));
    let (stored, twice, peak) = (server.stored(), server.stored_twice(), daemon.peak_rss_kb());
    println!(
        "seconds={} idle_kb={idle} limit_kb={LIMIT_KB} thirds_kb={peaks:?} peak_kb={peak} acknowledged={acked} stored={stored} twice={twice}",
        lasts.as_secs()
    );
    assert_eq!((stored, twice), (acked, 0));
    assert!(peak <= idle + LIMIT_KB + MARGIN_KB, "{peak} kB at most, {idle} idle");
    assert!(peaks[2] <= peaks[1] + FLAT_KB, "memory grows: {peaks:?} kB");
}

fn in_files(dir: &TempDir) -> String {
    format!("@type file\npath {}", dir.path().join("buffer").display())
}

#[test]
fn memory_stays_flat_while_the_server_is_slow() {
    outlast(Counting::start(), "");
}

#[test]
fn memory_stays_flat_while_the_server_is_slow_and_the_buffer_is_on_disk() {
    outlast(Counting::start(), &in_files(&TempDir::new()));
}

#[test]
fn memory_stays_flat_while_a_real_node_hangs() {
    let Some(node) = Pausing::start("slow") else { return };
    outlast(node, "");
}

#[test]
fn memory_stays_flat_while_a_real_node_hangs_and_the_buffer_is_on_disk() {
    let Some(node) = Pausing::start("slow-on-disk") else { return };
    outlast(node, &in_files(&TempDir::new()));
}
