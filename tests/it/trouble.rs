//! A server that behaves badly, in every way there is: each event is stored, or kept with the reason why it is not, or still held, and
//! the counters say so to the event.

use crate::support::forward::{chunk_option, forward};
use crate::support::metrics::{MONITOR_SOURCE, Metrics, wait_for_metrics};
use crate::support::{Answer, BulkServer, Daemon, FORWARD_SOURCE, Item, PATIENCE, Sender, TempDir, Value, free_port, wait_until};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

mod node;

/// Events of a message.
const EVENTS: u64 = 20;
/// The mix is the same in each run; another number gives another one.
const SEED: u64 = 0x5eed_0f70_0b1e_0001;
/// How long the daemon waits for an answer, in seconds.
const REQUEST_TIMEOUT: &str = "0.25";

/// Numbers that look random and are the same each time: the next of xorshift64*.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % limit
    }
}

fn busy() -> Item {
    Item::Refused(429, "es_rejected_execution_exception", "queue full")
}

fn bad() -> Item {
    Item::Refused(400, "mapper_parsing_exception", "failed to parse field [n]")
}

fn text(status: u16, body: &str) -> Answer {
    Answer::Status(status, body.to_owned())
}

/// Every kind of trouble of one request, by name.
fn kinds() -> Vec<(&'static str, Answer)> {
    let late = Duration::from_millis(50);
    vec![
        ("429", text(429, r#"{"error":{"type":"circuit_breaking_exception","reason":"too many requests"},"status":429}"#)),
        ("503 without JSON", text(503, "<html>busy</html>")),
        ("500 without a body", text(500, "")),
        ("502 of something in between", text(502, "Bad Gateway")),
        ("items of all fates", Answer::Items(vec![Item::Created, busy(), bad(), busy(), Item::Created, bad()])),
        ("all items too early", Answer::Items(vec![busy(); 400])),
        ("reset after the request", Answer::Reset),
        ("reset in the request", Answer::ResetInBody),
        ("reset in the answer", Answer::ResetHalfway),
        ("an answer cut short", Answer::CutShort),
        ("taken, and no answer", Answer::TakeThenClose),
        ("an answer that never comes", Answer::Silence),
        ("an answer that is late", Answer::Delay(late, Box::new(Answer::Items(Vec::new())))),
        ("no HTTP", Answer::Raw("SSH-2.0-OpenSSH_9.2\r\n")),
        ("a head cut short", Answer::Raw("HTTP/1.1 200 OK\r\ncontent-le")),
        ("no JSON", text(200, "<html>please log in</html>")),
        ("JSON cut short", text(200, r#"{"took":1,"errors":fal"#)),
        ("JSON of something else", text(200, r#"{"acknowledged":true}"#)),
        ("JSON that is no object", text(200, "[1,2,3]")),
        ("errors, and no items", text(200, r#"{"took":1,"errors":true,"items":[]}"#)),
        ("items that say nothing", Answer::Items(vec![Item::Custom(serde_json::json!({"index": {}})), Item::Created])),
    ]
}

/// An output of this id to a server, with a retry every few milliseconds.
fn search(server: u16, more: &str, buffer: &str) -> String {
    format!(
        "<match t.**>\n@type elasticsearch\n@id search\nhost 127.0.0.1\nport {server}\nrequest_timeout {REQUEST_TIMEOUT}\n{more}\n\
         <buffer tag>\nflush_interval 0.02\nflush_thread_interval 0.01\nflush_thread_count 3\nretry_wait 0.01\nretry_max_interval 0.05\n\
         {buffer}\n</buffer>\n</match>\n<label @FLUENT_LOG>\n<match **>\n@type null\n</match>\n</label>\n"
    )
}

fn dead_letters(folder: &Path) -> String {
    format!("<system>\n<dead_letter>\npath {}\n</dead_letter>\n</system>\n", folder.display())
}

/// The event of this number; some are large, so that requests do not fit into the buffers of a socket.
fn event(n: u64, dice: &mut Dice) -> (Value, Value) {
    let pad = if dice.below(40) == 0 { "x".repeat(30_000) } else { "x".repeat(dice.below(200) as usize) };
    (Value::Int(1_700_000_000), Value::json(&format!("{{\"n\":{n},\"pad\":\"{pad}\"}}")))
}

/// Sends so many messages with acks to a few tags, numbering the events from `first` on; the number after the last one.
fn send(sender: &mut Sender, messages: u64, first: u64, dice: &mut Dice) -> u64 {
    let mut next = first;
    for _ in 0..messages {
        let events: Vec<_> = (next..next + EVENTS).map(|n| event(n, dice)).collect();
        let chunk = format!("m{next}");
        sender.send(&forward(&format!("t.{}", dice.below(4)), &events, chunk_option(&chunk)));
        assert_eq!(sender.ack(), chunk.as_bytes());
        next += EVENTS;
    }
    next
}

/// The numbers of the events that a server took, with how often it did.
fn stored(server: &BulkServer) -> BTreeMap<u64, usize> {
    let mut stored = BTreeMap::new();
    for (_, document) in server.documents() {
        *stored.entry(document["n"].as_u64().unwrap()).or_default() += 1;
    }
    stored
}

/// The numbers and reasons of the events in the dead letters, chunks included.
fn letters(folder: &Path) -> Vec<(u64, String)> {
    let mut found = Vec::new();
    for path in std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            let letter: serde_json::Value = serde_json::from_str(line).unwrap();
            let reason = letter["reason"].as_str().unwrap_or_default().to_owned();
            match letter["file"].as_str() {
                Some(chunk) => found.extend(numbers_in(&std::fs::read(folder.join(chunk)).unwrap()).map(|n| (n, reason.clone()))),
                None => found.push((letter["record"]["n"].as_u64().unwrap(), reason)),
            }
        }
    }
    found
}

/// The numbers of the events of a chunk: entries of msgpack.
fn numbers_in(chunk: &[u8]) -> impl Iterator<Item = u64> {
    use serde::Deserialize;
    let mut reader = rmp_serde::Deserializer::from_read_ref(chunk);
    std::iter::from_fn(move || Value::deserialize(&mut reader).ok()).map(|entry| match entry {
        Value::Array(entry) => match &entry[1] {
            Value::Map(record) => match record[0].1 {
                Value::Int(n) => n as u64,
                ref other => panic!("no number: {other:?}"),
            },
            other => panic!("no record: {other:?}"),
        },
        other => panic!("no entry: {other:?}"),
    })
}

/// The books at rest: how many were delivered, rejected, backed up.
fn books(metrics: &Metrics) -> [u64; 3] {
    metrics.check_books();
    ["delivered", "rejected", "backup"].map(|what| metrics.of_plugin(&format!("flumen_output_{what}_records_total"), "search"))
}

fn held(metrics: &Metrics) -> u64 {
    metrics.of_plugin("flumen_output_held_records", "search")
}

fn wait_for_rest(daemon: &Daemon) -> Metrics {
    wait_for_metrics(daemon, "everything to be settled", |metrics| held(metrics) == 0 && metrics.unbalanced().is_empty())
}

/// Checks that each of the events from 0 on is stored or has a letter with a reason, and that the counters agree to the event.
fn account_for(count: u64, stored: &BTreeMap<u64, usize>, letters: &[(u64, String)], metrics: &Metrics) {
    let [delivered, rejected, backup] = books(metrics);
    let kept: BTreeSet<u64> = letters.iter().map(|(n, _)| *n).collect();
    let missing: Vec<u64> = (0..count).filter(|n| !stored.contains_key(n) && !kept.contains(n)).collect();
    assert!(missing.is_empty(), "neither stored nor kept: {missing:?}");
    assert_eq!(kept.len(), letters.len(), "nothing is kept twice");
    assert!(letters.iter().all(|(_, reason)| !reason.is_empty()), "{letters:?}");
    assert_eq!((delivered + rejected + backup, rejected + backup), (count, letters.len() as u64));
}

#[test]
fn each_kind_of_trouble_costs_no_event() {
    let (server, dir) = (BulkServer::start(), TempDir::new());
    let dead = dir.path().join("dead");
    let daemon = Daemon::start(&[MONITOR_SOURCE, FORWARD_SOURCE, &dead_letters(&dead), &search(server.port(), "", "")].concat());
    let (mut sender, mut dice, mut next) = (Sender::connect(daemon.port("FORWARD_PORT")), Dice(SEED), 0);
    for (kind, answer) in kinds() {
        let before = (stored(&server).len(), letters(&dead).len());
        server.script([answer.clone(), answer]);
        next = send(&mut sender, 3, next, &mut dice);
        let metrics = wait_until(kind, PATIENCE, || {
            let metrics = Metrics::of(&daemon);
            (held(&metrics) == 0 && server.script_left() == 0 && metrics.unbalanced().is_empty()).then_some(metrics)
        });
        let letters = letters(&dead);
        account_for(next, &stored(&server), &letters, &metrics);
        let rejects = ["items of all fates", "errors, and no items", "items that say nothing"].contains(&kind);
        assert_eq!(letters.len() > before.1, rejects, "{kind}");
        assert!(stored(&server).len() > before.0, "{kind}: nothing of it was stored");
    }
    let reasons: BTreeSet<String> = letters(&dead).into_iter().map(|(_, reason)| reason).collect();
    for wanted in ["failed to parse field [n]", "do not match the number returned 0", "no status in the response"] {
        assert!(reasons.iter().any(|reason| reason.contains(wanted)), "{wanted} is not in {reasons:?}");
    }
}

/// A long series of answers, most of them bad, in storms of one kind and alone.
fn storms(dice: &mut Dice, count: usize) -> Vec<Answer> {
    let kinds = kinds();
    let mut answers = Vec::new();
    while answers.len() < count {
        let (kind, answer) = &kinds[dice.below(kinds.len() as u64) as usize];
        // What costs time comes alone.
        let is_slow = matches!(answer, Answer::Silence);
        let length = if is_slow { 1 } else { 1 + dice.below(6) };
        answers.extend((0..length).map(|_| match *kind {
            "items of all fates" => Answer::Items(fates(dice)),
            _ => answer.clone(),
        }));
        if dice.below(3) == 0 {
            answers.push(Answer::Items(Vec::new()));
        }
    }
    answers
}

fn fates(dice: &mut Dice) -> Vec<Item> {
    let one = |dice: &mut Dice| match dice.below(8) {
        0 => bad(),
        1 => Item::Refused(503, "unavailable_shards_exception", "primary shard is not active"),
        2..4 => busy(),
        _ => Item::Created,
    };
    (0..300).map(|_| one(dice)).collect()
}

/// Down at the start, then trouble of all kinds, down in between for a while, and well in the end.
fn play(server: &BulkServer, daemon: &Daemon, dice: &mut Dice) -> u64 {
    let mut sender = Sender::connect(daemon.port("FORWARD_PORT"));
    let mut next = send(&mut sender, 10, 0, dice);
    let metrics = wait_for_metrics(daemon, "a first try", |metrics| metrics.of_plugin("fluentd_output_status_retry_count", "search") > 3);
    assert_eq!((books(&metrics), held(&metrics)), ([0; 3], next), "down at the start");
    server.script(storms(dice, 40));
    server.greet([text(503, ""), Answer::Reset, text(200, "no version"), Answer::Silence]);
    server.come_up();
    next = send(&mut sender, 20, next, dice);
    wait_until("the first half of the trouble", PATIENCE, || (server.script_left() < 20).then_some(()));
    server.go_down();
    next = send(&mut sender, 10, next, dice);
    wait_for_metrics(daemon, "the books while it is down", |metrics| held(metrics) > 0 && metrics.unbalanced().is_empty());
    server.script(storms(dice, 40));
    server.come_up();
    next = send(&mut sender, 20, next, dice);
    wait_for_rest(daemon);
    // Whatever is left of the trouble.
    while server.script_left() > 0 {
        next = send(&mut sender, 1, next, dice);
        wait_for_rest(daemon);
    }
    next
}

#[test]
fn trouble_of_all_kinds_at_random_leaves_nothing_unaccounted_for() {
    let (server, dir, mut dice) = (BulkServer::down_on(free_port()), TempDir::new(), Dice(SEED));
    let dead = dir.path().join("dead");
    let daemon = Daemon::start(&[MONITOR_SOURCE, FORWARD_SOURCE, &dead_letters(&dead), &search(server.port(), "", "")].concat());
    let count = play(&server, &daemon, &mut dice);
    let metrics = Metrics::of(&daemon);
    account_for(count, &stored(&server), &letters(&dead), &metrics);
    assert_eq!(books(&metrics)[2], 0, "no chunk was given up");
}

#[test]
fn what_is_rejected_in_trouble_goes_to_the_error_label_and_the_rest_survives_on_disk() {
    let (server, dir, mut dice) = (BulkServer::down_on(free_port()), TempDir::new(), Dice(SEED ^ 0xffff));
    let label = "<label @ERROR>\n<match **>\n@type stdout\n</match>\n</label>\n";
    let buffer = format!("@type file\npath {}", dir.path().join("buffer").display());
    let config = [MONITOR_SOURCE, FORWARD_SOURCE, label, &search(server.port(), "generate_id true", &buffer)].concat();
    let daemon = Daemon::start(&config);
    let count = play(&server, &daemon, &mut dice);
    let metrics = Metrics::of(&daemon);
    let rejected = |daemon: &Daemon| -> Vec<(u64, String)> {
        let labelled = Metrics::of(daemon).sum("flumen_error_records_total", &[("destination", "label")]);
        let events = daemon.wait_for_events(labelled as usize);
        events.iter().map(|event| (event.record["n"].as_u64().unwrap(), "in the log".to_owned())).collect()
    };
    account_for(count, &stored(&server), &rejected(&daemon), &metrics);
    // Sent more than once or not, each event has one document.
    let ids: BTreeSet<String> = server.documents().iter().map(|(action, _)| action["index"]["_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), stored(&server).len());
    // What is held when the daemon ends is held when it comes back.
    server.go_down();
    let before = books(&Metrics::of(&daemon));
    let mut sender = Sender::connect(daemon.port("FORWARD_PORT"));
    let more = send(&mut sender, 10, count, &mut dice) - count;
    let metrics = Metrics::of(&daemon);
    assert_eq!((books(&metrics), held(&metrics)), (before, more));
    assert_eq!(daemon.stop().code, 0);
    let daemon = Daemon::start(&config);
    assert_eq!(held(&Metrics::of(&daemon)), more);
    server.come_up();
    wait_until("the rest", PATIENCE, || (stored(&server).range(count..).count() as u64 == more).then_some(()));
}

#[test]
fn chunks_beyond_their_retries_are_kept_with_the_reason() {
    let (server, dir, mut dice) = (BulkServer::start(), TempDir::new(), Dice(SEED + 2));
    let dead = dir.path().join("dead");
    let config = [MONITOR_SOURCE, FORWARD_SOURCE, &dead_letters(&dead), &search(server.port(), "", "retry_max_times 2")].concat();
    let daemon = Daemon::start(&config);
    let mut sender = Sender::connect(daemon.port("FORWARD_PORT"));
    server.script(storms(&mut dice, 60));
    let mut count = 0;
    let metrics = loop {
        count = send(&mut sender, 5, count, &mut dice);
        let metrics = wait_for_rest(&daemon);
        if server.script_left() == 0 {
            break metrics;
        }
    };
    account_for(count, &stored(&server), &letters(&dead), &metrics);
    let [delivered, _, backup] = books(&metrics);
    assert!(delivered > 0 && backup > 0, "{delivered} delivered, {backup} given up");
}

#[test]
fn a_server_that_does_not_manage_large_requests_in_time_gets_smaller_ones() {
    let (server, mut dice) = (BulkServer::start(), Dice(SEED + 3));
    server.tire_at(300_000);
    let slow = "chunk_limit_size 4m\nflush_at_shutdown false".to_owned();
    let config =
        [MONITOR_SOURCE, FORWARD_SOURCE, &search(server.port(), "", &slow).replace("flush_interval 0.02", "flush_interval 1")].concat();
    let daemon = Daemon::start(&config);
    let mut sender = Sender::connect(daemon.port("FORWARD_PORT"));
    // Within one interval, so that the chunks of four tags are far larger than that.
    let large = |n: u64| (Value::Int(1_700_000_000), Value::json(&format!("{{\"n\":{n},\"pad\":\"{}\"}}", "x".repeat(10_000))));
    for message in 0..20 {
        let events: Vec<_> = (message * EVENTS..(message + 1) * EVENTS).map(large).collect();
        sender.send(&forward(&format!("t.{}", dice.below(4)), &events, None));
    }
    wait_until("all documents", PATIENCE, || (stored(&server).len() as u64 == 20 * EVENTS).then_some(()));
    let metrics = wait_for_rest(&daemon);
    assert_eq!(books(&metrics), [20 * EVENTS, 0, 0]);
    daemon.wait_for_log("why", |lines| lines.iter().any(|line| line.contains("no answer in time to a request of")));
}
