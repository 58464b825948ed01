//! msgpack and JSON: checking, decoding, writing, and from one to the other.

use super::harness::{EVENTS, measure};
use flumen::event::json::{Document, Engine, Style, read, transcode_map, write_record};
use flumen::event::msgpack::{Reader, check_entries, write_array_head, write_entry, write_map_head, write_str, write_time};
use flumen::event::{Batch, EventTime, Scratch};
use std::hint::black_box;

/// Events as Docker's driver sends them, about 294 bytes each.
pub fn docker() -> Vec<u8> {
    let mut out = Vec::new();
    for at in 0..EVENTS {
        write_array_head(2, &mut out);
        write_time(EventTime { sec: 1_700_000_000 + at as i64, nsec: 123_456_789 }, &mut out);
        write_map_head(4, &mut out);
        let log = format!(
            "172.18.0.{} - - [14/Nov/2023:22:13:20 +0000] GET /cart/{at} HTTP/1.1 200 {} - Mozilla/5.0 X11 Linux x86_64 Firefox/{at:05}",
            at % 255,
            at * 7
        );
        let id = format!("{:064x}", at as u128 * 0x9e37_79b9_7f4a_7c15);
        for (key, value) in [("container_id", id.as_str()), ("container_name", "/service_ui_1"), ("source", "stdout"), ("log", &log)] {
            write_str(key.as_bytes(), &mut out);
            write_str(value.as_bytes(), &mut out);
        }
    }
    out
}

/// A line of a service's log, 12 keys.
fn json_lines() -> Vec<String> {
    let line = |at: usize| {
        format!(
            concat!(
                r#"{{"addr":"172.18.0.{}","event":"find_all_posts","level":"info","message":"Successfully retrieved \"all\" posts from the database","#,
                r#""method":"GET","params":{{}},"path":"/posts?","request_id":"8f3e1d5c-{:06}","response_status":200,"service":"post","#,
                r#""timestamp":"2016-07-14 12:31:06","took":{}.25}}"#
            ),
            at % 255,
            at,
            at
        )
    };
    (0..EVENTS).map(line).collect()
}

/// All steps.
pub fn run() {
    msgpack();
    json();
}

fn msgpack() {
    let entries = docker();
    let size = entries.len() / EVENTS;
    let mut out = Vec::with_capacity(entries.len() * 2);
    measure("msgpack", "check entries", size, || assert!(check_entries(black_box(&entries)).is_ok_and(|checked| checked.canonical)));
    measure("msgpack", "to JSON, without records", size, || {
        out.clear();
        let mut reader = Reader::new(black_box(&entries));
        while !reader.is_at_end() {
            let _ = reader.head();
            let _ = reader.skip();
            transcode_map(&mut reader, Style::Oj, &mut out).expect("valid");
            out.push(b'\n');
        }
    });
    measure("msgpack", "decode into records", size, || {
        let scratch = Scratch::take();
        let scope = scratch.scope();
        assert_eq!(Batch::packed(scope.bytes(&entries), EVENTS).events(&scope).len(), EVENTS);
    });
    measure("msgpack", "decode, and write JSON", size, || {
        out.clear();
        let scratch = Scratch::take();
        let scope = scratch.scope();
        for event in Batch::packed(scope.bytes(&entries), EVENTS).events(&scope) {
            write_record(&event.record, Style::Oj, &mut out);
        }
    });
    measure("msgpack", "decode, and write msgpack", size, || {
        out.clear();
        let scratch = Scratch::take();
        let scope = scratch.scope();
        for event in Batch::packed(scope.bytes(&entries), EVENTS).events(&scope) {
            write_entry(event.time, &event.record, &mut out);
        }
    });
}

fn json() {
    let lines = json_lines();
    let size = lines.iter().map(String::len).sum::<usize>() / EVENTS;
    measure("json", "read, 12 keys", size, || {
        let scratch = Scratch::take();
        let scope = scratch.scope();
        for line in &lines {
            let Ok(Document::Record(record)) = read(scope.bump(), black_box(line.as_bytes()), Engine::Oj) else { panic!("{line}") };
            black_box(record.len());
        }
    });
    let scratch = Scratch::take();
    let scope = scratch.scope();
    let records: Vec<_> = lines
        .iter()
        .map(|line| match read(scope.bump(), line.as_bytes(), Engine::Oj) {
            Ok(Document::Record(record)) => record,
            other => panic!("{other:?}"),
        })
        .collect();
    let mut out = Vec::new();
    measure("json", "write, 12 keys", size, || {
        out.clear();
        records.iter().for_each(|record| write_record(black_box(record), Style::Oj, &mut out));
    });
}
