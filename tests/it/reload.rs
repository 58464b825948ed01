//! Reloading: by signal, under load, with configurations that are wrong, and what becomes of listeners, connections and buffers.

use crate::support::forward::{chunk_option, message};
use crate::support::load::{self, Load, Sent};
use crate::support::{
    Answer, BulkServer, Daemon, FORWARD_SOURCE, PATIENCE, SearchNode, Sender, TempDir, Value, free_port, is_listening, wait_until,
};
use std::collections::HashSet;
use std::time::Duration;

const QUIET: &str = "<label @FLUENT_LOG>\n<match **>\n@type null\n</match>\n</label>\n";

/// An `elasticsearch` output with these further lines, and these in its buffer.
fn search(port: u16, lines: &str, buffer: &str) -> String {
    format!(
        "<match **>\n@type elasticsearch\nhost 127.0.0.1\nport {port}\n{lines}\n<buffer>\nflush_interval 50ms\n{buffer}\n</buffer>\n</match>\n"
    )
    .replace("50ms", "0.05")
}

/// Writes the configuration, sends the signal, and waits for the answer in the log; whether it was taken.
fn reload(daemon: &Daemon, config: &str) -> bool {
    const ANSWERS: [&str; 2] = ["the new configuration is running", "reload refused"];
    let answers = |lines: &[String]| lines.iter().filter(|line| ANSWERS.iter().any(|answer| line.contains(answer))).count();
    let before = answers(&daemon.log());
    daemon.rewrite(config);
    daemon.signal(libc::SIGHUP);
    let log = daemon.wait_for_log("the answer to the reload", |lines| answers(lines) > before);
    log.iter().rfind(|line| ANSWERS.iter().any(|answer| line.contains(answer))).unwrap().contains(ANSWERS[0])
}

fn names(documents: &[(serde_json::Value, serde_json::Value)]) -> HashSet<String> {
    documents.iter().filter_map(|(_, document)| document["name"].as_str().map(str::to_owned)).collect()
}

/// All acknowledged events have come.
fn assert_all_there(server: &BulkServer, sent: &[Sent]) {
    let acked = load::acked(sent);
    server.wait_for_documents(acked.len());
    let there = wait_until("all documents", PATIENCE, || Some(names(&server.documents())).filter(|there| acked.is_subset(there)));
    assert!(there.len() >= acked.len());
}

/// So many reloads, unless `RELOAD_ROUNDS` says otherwise.
fn rounds(usual: usize) -> usize {
    std::env::var("RELOAD_ROUNDS").map_or(usual, |rounds| rounds.parse().unwrap())
}

/// Reloads under load, in turn: another filter, another parameter of the same output, the output without a change, a rule for the input.
fn reload_under_load(port: u16, lines: &str, rounds: usize) -> (Daemon, Vec<Sent>) {
    let config = |round: usize| {
        let filter = format!("<filter **>\n@type record_transformer\n<record>\nround {round}\n</record>\n</filter>\n");
        let id = if round % 4 < 2 { "@id one" } else { "" };
        let buffer = if round.is_multiple_of(2) { "flush_thread_count 2" } else { "chunk_limit_size 100k" };
        let input = if round % 3 == 1 {
            FORWARD_SOURCE.replace("@type forward", "@type forward\nadd_tag_prefix p")
        } else {
            FORWARD_SOURCE.to_owned()
        };
        [input, filter, search(port, &format!("{id}\n{lines}"), buffer), QUIET.to_owned()].concat()
    };
    let daemon = Daemon::start(&config(0));
    let load = Load::start(daemon.port("FORWARD_PORT"), 4);
    for round in 1..=rounds {
        load.wait_for(20);
        assert!(reload(&daemon, &config(round)), "round {round}: {:?}", daemon.log());
    }
    load.wait_for(20);
    let sent = load.finish();
    assert!(sent.iter().all(|sent| !sent.is_lost), "a connection was dropped: {:?}", daemon.log());
    (daemon, sent)
}

#[test]
fn many_reloads_under_load_lose_nothing_and_drop_no_connection() {
    let (server, rounds) = (BulkServer::start(), rounds(20));
    let (_daemon, sent) = reload_under_load(server.port(), "", rounds);
    assert_all_there(&server, &sent);
    let last = server.documents().last().unwrap().1.clone();
    assert_eq!(last["round"].as_str().map(str::to_owned).or(last["round"].as_i64().map(|n| n.to_string())), Some(rounds.to_string()));
}

#[test]
fn a_real_node_has_each_event_once_after_many_reloads_under_load() {
    let Some(node) = SearchNode::shared() else { return };
    node.make_index("reloads", load::fields());
    let rounds = rounds(10);
    let (daemon, sent) = reload_under_load(node.port(), "index_name reloads\ngenerate_id true", rounds);
    assert_eq!(daemon.stop().code, 0);
    let acked = load::acked(&sent);
    let documents = load::check_once_in(node, "reloads", &acked);
    println!("real node: reloads={rounds} acknowledged={} documents={documents} lost=0 twice=0 dropped connections=0", acked.len());
}

#[test]
fn a_wrong_configuration_changes_nothing_and_says_why() {
    let server = BulkServer::start();
    let good = [FORWARD_SOURCE, &search(server.port(), "", ""), QUIET].concat();
    let daemon = Daemon::start(&good);
    let mut sender = Sender::connect(daemon.port("FORWARD_PORT"));
    for (bad, why) in [
        (good.replace("@type elasticsearch", "@type nosuch"), "Unknown output plugin 'nosuch'"),
        (good.replace("</match>", ""), "reload refused"),
        (good.replace("bind 127.0.0.1", "bind 192.0.2.1"), "192.0.2.1"),
    ] {
        assert!(!reload(&daemon, &bad));
        assert!(daemon.log().iter().any(|line| line.contains(why)), "{why} is not in {:?}", daemon.log());
    }
    sender.event("t", "{\"name\":\"after\"}");
    server.wait_for_documents(1);
}

#[test]
fn listeners_come_and_go_and_the_same_port_can_get_another_address() {
    let server = BulkServer::start();
    let (first, second) = (free_port(), free_port());
    let source = |port: u16, bind: &str| format!("<source>\n@type forward\nport {port}\nbind {bind}\n</source>\n");
    let with = |sources: &[String]| [&sources.concat(), &search(server.port(), "", ""), QUIET].concat();
    let daemon = Daemon::with(&with(&[source(first, "127.0.0.1")])).start();
    wait_until("the first port", PATIENCE, || is_listening(first).then_some(()));
    let mut old = Sender::connect(first);
    assert!(reload(&daemon, &with(&[source(first, "127.0.0.1"), source(second, "127.0.0.1")])));
    let mut new = Sender::connect(second);
    assert!(reload(&daemon, &with(&[source(second, "127.0.0.1")])));
    wait_until("the first port to close", PATIENCE, || (!is_listening(first)).then_some(()));
    assert_eq!(old.read_to_close(), b"");
    assert!(reload(&daemon, &with(&[source(second, "0.0.0.0")])));
    new.read_to_close();
    wait_until("the second port to be there again", PATIENCE, || is_listening(second).then_some(()));
    Sender::connect(second).event("t", "{\"name\":\"again\"}");
    server.wait_for_documents(1);
}

#[test]
fn a_stuck_output_passes_what_it_holds_to_the_one_with_its_id() {
    let server = BulkServer::start();
    let dead = free_port();
    let with =
        |port: u16| [FORWARD_SOURCE, &search(port, "@id out", "retry_wait 0.1\ntotal_limit_size 3k\nchunk_limit_size 1k"), QUIET].concat();
    let daemon = Daemon::start(&with(dead));
    let load = Load::start(daemon.port("FORWARD_PORT"), 2);
    // The buffer is full by then, and the senders wait.
    daemon.wait_for_log("a failure", |lines| lines.iter().any(|line| line.contains("failed to flush the buffer")));
    assert!(reload(&daemon, &with(server.port())));
    load.wait_for(50);
    let sent = load.finish();
    assert!(sent.iter().all(|sent| !sent.is_lost), "{:?}", daemon.log());
    assert_all_there(&server, &sent);
}

#[test]
fn an_output_that_is_gone_delivers_what_it_holds() {
    let (server, other) = (BulkServer::start(), BulkServer::start());
    server.script([Answer::Delay(Duration::from_millis(100), Box::new(Answer::Items(Vec::new())))]);
    let with = |port: u16, wait: &str| [FORWARD_SOURCE, &search(port, "", wait), QUIET].concat();
    let daemon = Daemon::start(&with(server.port(), "flush_interval 100"));
    let mut sender = Sender::connect(daemon.port("FORWARD_PORT"));
    sender.send(&message("t", Value::Int(1), Value::json("{\"name\":\"old\"}"), chunk_option("c")));
    sender.ack();
    assert!(reload(&daemon, &with(other.port(), "")));
    sender.event("t", "{\"name\":\"new\"}");
    assert_eq!(names(&other.wait_for_documents(1)), HashSet::from(["new".to_owned()]));
    assert_eq!(names(&server.wait_for_documents(1)), HashSet::from(["old".to_owned()]));
}

#[test]
fn buffers_on_disk_go_on_through_reloads() {
    let (server, dir) = (BulkServer::start(), TempDir::new());
    let path = dir.path().join("buffer");
    let with = |port: u16, more: &str| {
        let buffer = format!("@type file\npath {}\nretry_wait 0.1\n{more}", path.display());
        [FORWARD_SOURCE, &search(port, "", &buffer), QUIET].concat()
    };
    let daemon = Daemon::start(&with(free_port(), ""));
    let load = Load::start(daemon.port("FORWARD_PORT"), 3);
    load.wait_for(100);
    // By its path it is the same, though it sends elsewhere, its chunks are smaller, and it is written in another way.
    let ways = ["chunk_limit_size 64k", "fsync never\ncompress gzip", "total_limit_size 1m", "fsync always", "compress zstd"];
    for way in ways.iter().cycle().take(10) {
        assert!(reload(&daemon, &with(server.port(), way)), "{:?}", daemon.log());
        load.wait_for(30);
    }
    let sent = load.finish();
    assert!(sent.iter().all(|sent| !sent.is_lost), "{:?}", daemon.log());
    assert_all_there(&server, &sent);
    let finished = daemon.stop();
    assert!(!finished.stderr.iter().any(|line| line.contains("[error]")), "{:?}", finished.stderr);
}

#[test]
fn a_buffer_on_disk_compresses_from_a_reload_on() {
    let (server, dir) = (BulkServer::start(), TempDir::new());
    let path = dir.path().join("buffer");
    let with = |port: u16, more: &str| {
        let buffer = format!("@type file\npath {}\nretry_wait 0.1\nretry_max_interval 1\n{more}", path.display());
        [FORWARD_SOURCE, &search(port, "", &buffer), QUIET].concat()
    };
    let (daemon, dead) = (Daemon::start(&with(free_port(), "")), free_port());
    let mut sender = Sender::connect(daemon.port("FORWARD_PORT"));
    let mut send = |name: &str| {
        let record = Value::json(&format!("{{\"name\":\"{name}\",\"pad\":\"{}\"}}", "x".repeat(100_000)));
        sender.send(&message("t", Value::Int(1), record, chunk_option(name)));
        assert_eq!(sender.ack(), name.as_bytes());
        let files = std::fs::read_dir(&path).unwrap().map(|file| file.unwrap().metadata().unwrap().len());
        files.sum::<u64>()
    };
    let plain = send("plain");
    assert!(reload(&daemon, &with(dead, "compress gzip\nfsync always")), "{:?}", daemon.log());
    let packed = send("packed") - plain;
    assert!(plain > 100_000 && packed < 10_000, "{plain} and {packed} bytes");
    assert!(reload(&daemon, &with(dead, "")), "{:?}", daemon.log());
    assert!(send("plain again") > plain + packed + 100_000);
    assert!(reload(&daemon, &with(server.port(), "compress zstd")), "{:?}", daemon.log());
    assert_eq!(names(&server.wait_for_documents(3)), ["plain", "packed", "plain again"].map(str::to_owned).into());
}
