//! Senders that are faster than the servers behind: memory stays within its limits, what does not fit waits with its sender, and nothing else
//! waits with it.

use crate::support::forward::{chunk_option, message, packed};
use crate::support::load::Load;
use crate::support::{Answer, BulkServer, Daemon, FORWARD_SOURCE, PATIENCE, Sender, TempDir, Value, wait_until};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

const QUIET: &str = "<label @FLUENT_LOG>\n<match **>\n@type null\n</match>\n</label>\n";
/// What the process may take beyond its limits, in kilobytes; beside what it takes idle.
const MARGIN_KB: u64 = 64 << 10;

fn search(pattern: &str, port: u16, buffer: &str) -> String {
    format!(
        "<match {pattern}>\n@type elasticsearch\nhost 127.0.0.1\nport {port}\nrequest_timeout 300\n<buffer>\nflush_interval 0.05\n\
         chunk_limit_size 256k\n{buffer}\n</buffer>\n</match>\n"
    )
}

/// A server that answers its first request only after a while.
fn stuck(requests: usize, wait: Duration) -> BulkServer {
    let server = BulkServer::start();
    server.script((0..requests).map(|_| Answer::Delay(wait, Box::new(Answer::Items(Vec::new())))));
    server
}

/// Events in a message of a flood; large ones, because the server of the tests is slow in counting.
const EVENTS: usize = 20;

/// Senders that push messages of 200 kilobytes without a pause, as far as the daemon takes them.
struct Flood {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    senders: Vec<JoinHandle<()>>,
}

impl Flood {
    fn start(port: u16, count: usize, tag: &str) -> Flood {
        let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let record = Value::json(&format!("{{\"log\":\"{}\"}}", "x".repeat(10_000)));
        let bytes = packed(tag, &vec![(Value::Int(1_700_000_000), record); EVENTS], None);
        let senders = (0..count).map(|_| {
            let (stop, sent, bytes) = (Arc::clone(&stop), Arc::clone(&sent), bytes.clone());
            let mut connection = Sender::connect(port);
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) && connection.try_send(&bytes) {
                    sent.fetch_add(1, Ordering::Relaxed);
                }
            })
        });
        Flood { stop: Arc::clone(&stop), sent: Arc::clone(&sent), senders: senders.collect() }
    }

    /// Waits until the daemon has taken nothing for a while.
    fn wait_until_blocked(&self) {
        let (mut last, mut since) = (0, std::time::Instant::now());
        wait_until("the senders to be stopped", PATIENCE, || {
            let now = self.sent.load(Ordering::Relaxed);
            if now != last {
                (last, since) = (now, std::time::Instant::now());
            }
            (now > 0 && since.elapsed() > Duration::from_millis(700)).then_some(())
        });
    }

    /// Ends them; how many messages were sent.
    fn finish(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.senders.into_iter().for_each(|sender| sender.join().unwrap());
        self.sent.load(Ordering::Relaxed)
    }
}

#[test]
fn a_full_buffer_stops_what_feeds_it_and_nothing_else() {
    let (slow, quick) = (stuck(1, Duration::from_secs(8)), BulkServer::start());
    let config = [
        FORWARD_SOURCE,
        &search("flood.**", slow.port(), "total_limit_size 8m"),
        &search("**", quick.port(), "total_limit_size 8m"),
        QUIET,
    ];
    let daemon = Daemon::start(&config.concat());
    let idle = daemon.rss_kb();
    let flood = Flood::start(daemon.port("FORWARD_PORT"), 10, "flood.a");
    slow.wait_for_bulk_requests(1);
    flood.wait_until_blocked();
    // Others go on meanwhile, on connections that were there before and on new ones.
    let load = Load::start(daemon.port("FORWARD_PORT"), 2);
    load.wait_for(200);
    let sent = load.finish();
    quick.wait_for_documents(sent.iter().map(|sent| sent.acked.len()).sum());
    assert!(slow.documents().is_empty(), "the server was not stuck any more");
    let peak = daemon.peak_rss_kb();
    assert!(peak <= idle + 16 * 1024 + MARGIN_KB, "{peak} kB at most, {idle} idle");
    // The server works again, and all that was sent arrives.
    let messages = flood.finish();
    slow.wait_for_documents(messages as usize * EVENTS);
    assert_eq!(slow.documents().len(), messages as usize * EVENTS);
}

#[test]
fn all_memory_buffers_together_stay_within_memory_limit() {
    let (one, two) = (stuck(1, Duration::from_secs(4)), stuck(1, Duration::from_secs(4)));
    let config =
        ["<system>\nmemory_limit 6m\n</system>\n", FORWARD_SOURCE, &search("one", one.port(), ""), &search("two", two.port(), ""), QUIET];
    let daemon = Daemon::start(&config.concat());
    let idle = daemon.rss_kb();
    let floods = ["one", "two"].map(|tag| Flood::start(daemon.port("FORWARD_PORT"), 3, tag));
    floods.iter().for_each(Flood::wait_until_blocked);
    let peak = daemon.peak_rss_kb();
    assert!(peak <= idle + 6 * 1024 + MARGIN_KB, "{peak} kB at most, {idle} idle");
    let sent: Vec<usize> = floods.into_iter().map(|flood| flood.finish() as usize * EVENTS).collect();
    // Far more than the limit would go into one buffer of the usual size.
    one.wait_for_documents(sent[0]);
    two.wait_for_documents(sent[1]);
}

#[test]
fn without_file_descriptors_accepting_waits_and_comes_back() {
    let daemon = Daemon::start(&[FORWARD_SOURCE, "<match **>\n@type null\n</match>\n"].concat());
    let port = daemon.port("FORWARD_PORT");
    let open = std::fs::read_dir(format!("/proc/{}/fd", daemon.pid())).unwrap().count() as u64;
    let limit = libc::rlimit { rlim_cur: open + 5, rlim_max: open + 5 };
    // SAFETY: reads a struct of ours; the process is the test's own.
    assert_eq!(unsafe { libc::prlimit(daemon.pid() as i32, libc::RLIMIT_NOFILE, &limit, std::ptr::null_mut()) }, 0);
    let connections: Vec<TcpStream> = (0..40).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
    let is_said = |line: &&String| line.contains("cannot accept connections on 127.0.0.1") && line.contains("Too many open files");
    daemon.wait_for_log("the trouble", |lines| lines.iter().any(|line| is_said(&line)));
    drop(connections);
    let mut sender = Sender::connect(port);
    sender.send(&message("t", Value::Int(1), Value::json("{}"), chunk_option("c")));
    assert_eq!(sender.ack(), b"c");
    assert_eq!(daemon.log().iter().filter(is_said).count(), 1, "said once: {:?}", daemon.log());
}

/// Lets a process have so many file descriptors from now on; gives how many it might have before.
fn limit_files(pid: u32, files: u64) -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: these write and read a struct of ours; the process is the test's own.
    assert_eq!(unsafe { libc::prlimit(pid as i32, libc::RLIMIT_NOFILE, std::ptr::null(), &mut limit) }, 0);
    let before = std::mem::replace(&mut limit.rlim_cur, files);
    // SAFETY: as above.
    assert_eq!(unsafe { libc::prlimit(pid as i32, libc::RLIMIT_NOFILE, &limit, std::ptr::null_mut()) }, 0);
    before
}

#[test]
fn without_file_descriptors_a_file_buffer_acknowledges_nothing_and_comes_back() {
    let (server, dir) = (BulkServer::start(), TempDir::new());
    let path = dir.path().join("buffer");
    let buffer = format!("@type file\npath {}\nretry_wait 0.1\nretry_max_interval 0.5", path.display());
    let daemon = Daemon::start(&[FORWARD_SOURCE, &search("t", server.port(), &buffer), "<match **>\n@type null\n</match>\n"].concat());
    let mut sender = Sender::try_connect(daemon.port("FORWARD_PORT"), Duration::from_secs(1)).unwrap();
    // Accepted, and known by an ack, before anything is kept.
    sender.send(&message("other", Value::Int(1), Value::json("{}"), chunk_option("0")));
    assert!(sender.try_ack("0"));
    // Those that are open stay so, and there are no others.
    let before = limit_files(daemon.pid(), 3);
    sender.send(&message("t", Value::Int(1), Value::json("{\"n\":1}"), chunk_option("1")));
    assert!(!sender.try_ack("1"), "what cannot be kept was acknowledged");
    let said =
        format!("cannot make a file in the buffer: events wait in memory and are not acknowledged until it works again path={path:?}");
    daemon.wait_for_log("the trouble", |lines| lines.iter().any(|line| line.contains(&said) && line.contains("Too many open files")));
    limit_files(daemon.pid(), before);
    wait_until("the ack", PATIENCE, || sender.try_ack("1").then_some(()));
    assert_eq!(server.wait_for_documents(1)[0].1["n"], 1);
    // What was delivered meanwhile need not be written any more; the next one is, and shows that this works.
    sender.send(&message("t", Value::Int(1), Value::json("{\"n\":2}"), chunk_option("2")));
    wait_until("the next ack", PATIENCE, || sender.try_ack("2").then_some(()));
    daemon.wait_for_log("the recovery", |lines| lines.iter().any(|line| line.contains("the buffer can be written again")));
}

/// What a process has of memory of its own, in bytes: what RLIMIT_DATA counts.
fn data_bytes(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmData:")).expect("the kernel says it");
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

fn limit_data(pid: u32, bytes: u64) {
    let limit = libc::rlimit { rlim_cur: bytes, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: reads a struct of ours; the process is the test's own.
    assert_eq!(unsafe { libc::prlimit(pid as i32, libc::RLIMIT_DATA, &limit, std::ptr::null_mut()) }, 0);
}

#[test]
fn without_memory_a_buffer_acknowledges_nothing_more_and_comes_back() {
    let server = BulkServer::down_on(crate::support::free_port());
    let buffer =
        "chunk_limit_size 8m\ntotal_limit_size 4g\nflush_mode immediate\nretry_wait 0.1\nretry_max_interval 0.5\nretry_forever true";
    let config =
        format!("<match t.**>\n@type elasticsearch\nhost 127.0.0.1\nport {}\n<buffer tag>\n{buffer}\n</buffer>\n</match>\n", server.port());
    let daemon = Daemon::start(&[FORWARD_SOURCE, &config, QUIET].concat());
    let port = daemon.port("FORWARD_PORT");
    let record = |number: usize| Value::json(&format!("{{\"n\":{number},\"log\":\"{}\"}}", "x".repeat(200_000)));
    // Each tag has a chunk of its own. The first is taken before there is a limit.
    let send = |number: usize| {
        let mut sender = Sender::try_connect(port, Duration::from_secs(5)).unwrap();
        let name = format!("chunk {number}");
        sender.try_send(&packed(&format!("t.{number}"), &[(Value::Int(1), record(number))], chunk_option(&name))) && sender.try_ack(&name)
    };
    assert!(send(0));
    limit_data(daemon.pid(), data_bytes(daemon.pid()) + (100 << 20));
    let acknowledged = (1..400).take_while(|number| send(*number)).count();
    assert!(acknowledged < 399, "there is no limit");
    let said = |line: &String| line.contains("no memory for more events in the buffer of ");
    daemon.wait_for_log("the trouble", |lines| lines.iter().any(said));
    assert!(!send(500), "there is none a moment later either");
    server.come_up();
    let seen = server.wait_for_documents(acknowledged + 1);
    let mut numbers: Vec<u64> = seen.iter().map(|(_, document)| document["n"].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..=acknowledged as u64).collect::<Vec<_>>(), "what was acknowledged is there, and nothing else");
    // What was delivered has made room, without a restart.
    wait_until("room", PATIENCE, || send(1000).then_some(()));
}
