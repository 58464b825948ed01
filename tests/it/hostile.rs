//! Peers that break the protocol, by accident or on purpose: each costs its own connection, and memory stays bounded.

use crate::support::forward::{gzip, message, packed_gzip_body};
use crate::support::{Daemon, FORWARD_SOURCE, STDOUT_MATCH, Sender, Value};
use std::net::TcpStream;

fn daemon() -> Daemon {
    Daemon::start(&format!("{FORWARD_SOURCE}{STDOUT_MATCH}"))
}

/// A well-behaved sender is served.
fn assert_serves(daemon: &Daemon, mark: &str) {
    Sender::connect(daemon.port("FORWARD_PORT")).event("good", &format!("{{\"mark\":\"{mark}\"}}"));
    daemon.wait_for_event(mark, |event| event.tag == "good" && event.record["mark"] == mark);
}

/// Pseudo-random bytes, the same in each run.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn garbage_and_truncated_messages() {
    let daemon = daemon();
    let whole = message(
        "t",
        Value::event_time(1, 2),
        Value::json("{\"a\":[1,{\"b\":null}],\"c\":\"text\"}"),
        Some(Value::json("{\"chunk\":\"x\"}")),
    );
    for cut in 1..whole.len() {
        Sender::connect(daemon.port("FORWARD_PORT")).try_send(&whole[..cut]);
    }
    for seed in 0..300 {
        Sender::connect(daemon.port("FORWARD_PORT")).try_send(&noise(seed, 1 + (seed as usize * 37) % 4096));
    }
    assert_serves(&daemon, "after garbage");
}

#[test]
fn lengths_of_four_gigabytes_take_no_memory() {
    let daemon = daemon();
    let before = daemon.rss_kb();
    let mut open = Vec::new();
    for head in [
        &b"\xdd\xff\xff\xff\xff"[..],
        b"\x92\xa1t\xc6\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\x92\xa1t\xdd\xff\xff\xff\xff",
        b"\x93\xa1t\x01\xdf\xff\xff\xff\xff",
    ] {
        for _ in 0..20 {
            let mut sender = Sender::connect(daemon.port("FORWARD_PORT"));
            sender.try_send(head);
            sender.try_send(&[0xc0; 1000]);
            open.push(sender);
        }
    }
    assert_serves(&daemon, "beside huge lengths");
    assert!(daemon.rss_kb() < before + 20_000, "{} kB, before {before}", daemon.rss_kb());
}

#[test]
fn nesting_of_ten_thousand_levels() {
    let daemon = daemon();
    let mut deep = b"\x93\xa1t\x01\x81\xa1k".to_vec();
    deep.extend([0x91; 10_000]);
    deep.push(0xc0);
    Sender::connect(daemon.port("FORWARD_PORT")).try_send(&deep);
    let mut json = b"[\"t\",1,{\"k\":".to_vec();
    json.extend([b'['; 10_000]);
    json.extend([b']'; 10_000]);
    json.extend(b"}]");
    Sender::connect(daemon.port("FORWARD_PORT")).try_send(&json);
    assert_serves(&daemon, "after nesting");
}

#[test]
fn a_gzip_bomb_stops_at_its_limit() {
    let config = format!(
        "<source>\n@type forward\nbind 127.0.0.1\nport \"#{{ENV['FORWARD_PORT']}}\"\ndecompression_size_limit 4m\n</source>\n{STDOUT_MATCH}"
    );
    let daemon = Daemon::start(&config);
    let before = daemon.peak_rss_kb();
    // An entry with a string of 64 MiB, in one member for each of them, because packing as much anew takes long.
    let mut body = gzip(b"\x92\x01\x81\xa1k\xdb\x04\x00\x00\x00");
    body.extend(gzip(&[b'0'; 1 << 20]).repeat(64));
    let bomb = packed_gzip_body("t", body);
    assert!(bomb.len() < 200_000);
    Sender::connect(daemon.port("FORWARD_PORT")).try_send(&bomb);
    assert_serves(&daemon, "after the bomb");
    assert!(daemon.peak_rss_kb() < before + 40_000, "{} kB, before {before}", daemon.peak_rss_kb());
}

#[test]
fn text_that_is_not_utf8_arrives_replaced() {
    let daemon = daemon();
    let record = Value::Map(vec![(Value::str("k"), Value::Str(b"a\xffb".to_vec()))]);
    Sender::connect(daemon.port("FORWARD_PORT")).send(&message("t", Value::Int(1), record, None));
    let event = daemon.wait_for_event("the record", |event| event.tag == "t");
    assert_eq!(event.record["k"], "a\u{fffd}b");
}

#[test]
fn a_thousand_idle_connections_cost_little() {
    let daemon = daemon();
    assert_serves(&daemon, "before");
    let before = daemon.rss_kb();
    let idle: Vec<TcpStream> = (0..900).map(|_| TcpStream::connect(("127.0.0.1", daemon.port("FORWARD_PORT"))).unwrap()).collect();
    assert_serves(&daemon, "beside idle connections");
    let after = daemon.rss_kb();
    assert!(after < before + 900 * 20, "{} bytes a connection", (after - before) * 1024 / 900);
    drop(idle);
}

#[test]
fn a_stuck_reader_of_standard_output_stops_only_what_is_printed() {
    let config = format!(
        "{FORWARD_SOURCE}<match printed>\n@type stdout\n</match>\n<match **>\n@type relabel\n@label @LOG\n</match>\n<label @LOG>\n<match **>\n@type null\n</match>\n</label>\n"
    );
    let mut daemon = Daemon::with(&config).leave_stdout_unread().start();
    let before = daemon.rss_kb();
    let text = "x".repeat(1000);
    let mut printed = Sender::connect(daemon.port("FORWARD_PORT"));
    let port = daemon.port("FORWARD_PORT");
    let total = 40_000;
    let flood = std::thread::spawn(move || {
        for _ in 0..total {
            printed.event("printed", &format!("{{\"text\":\"{text}\"}}"));
        }
    });
    // Others are served meanwhile: their acks come back.
    let mut other = Sender::connect(port);
    for number in 0..50 {
        let chunk = format!("c{number}");
        other.send(&message("other", Value::Int(1), Value::json("{}"), crate::support::forward::chunk_option(&chunk)));
        assert_eq!(other.ack(), chunk.as_bytes());
    }
    assert!(daemon.rss_kb() < before + 40_000, "{} kB, before {before}", daemon.rss_kb());
    daemon.read_stdout();
    flood.join().unwrap();
    assert_eq!(daemon.wait_for_events(total).len(), total, "nothing is lost");
}
