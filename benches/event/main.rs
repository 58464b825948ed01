//! What an event costs on the hot path: walking, transcoding, decoding, JSON, times. Prints nanoseconds of CPU and allocations an event.
//!
//! `cargo bench --bench event`. CPU time of the thread, best of several passes, so that a busy machine disturbs little.

use flumen::event::json::{Document, Engine, Style, read, transcode_map, write_record};
use flumen::event::msgpack::{Reader, check_entries, write_array_head, write_entry, write_map_head, write_str, write_time};
use flumen::event::{Batch, EventTime, Scratch, TimeOptions, TimeParser};
use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: everything is handed to the system's allocator as it is; only a count is kept beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(at, layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const EVENTS: usize = 1000;
const PASSES: usize = 60;

fn cpu_nanoseconds() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec of our own.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Runs `pass` several times and prints what the best cost an event; `bytes` is the size of an event.
fn measure(name: &str, bytes: usize, mut pass: impl FnMut()) {
    pass();
    let mut best = u64::MAX;
    let mut allocations = u64::MAX;
    for _ in 0..PASSES {
        let (start, before) = (cpu_nanoseconds(), ALLOCATIONS.load(Ordering::Relaxed));
        pass();
        best = best.min(cpu_nanoseconds() - start);
        allocations = allocations.min(ALLOCATIONS.load(Ordering::Relaxed) - before);
    }
    let nanoseconds = best as f64 / EVENTS as f64;
    println!(
        "{name:<44} {nanoseconds:>8.1} ns  {:>6.2} GB/s  {:>6.3} allocations",
        bytes as f64 / nanoseconds,
        allocations as f64 / EVENTS as f64
    );
}

/// Events as Docker's driver sends them, about 294 bytes each.
fn docker() -> Vec<u8> {
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

fn main() {
    let entries = docker();
    let size = entries.len() / EVENTS;
    println!("docker events of {size} bytes, {EVENTS} a batch");
    measure("check_entries", size, || assert!(check_entries(black_box(&entries)).is_ok_and(|checked| checked.canonical)));
    let mut out = Vec::with_capacity(entries.len() * 2);
    measure("msgpack to JSON, without records", size, || {
        out.clear();
        let mut reader = Reader::new(black_box(&entries));
        while !reader.is_at_end() {
            let _ = reader.head();
            let _ = reader.skip();
            transcode_map(&mut reader, Style::Oj, &mut out).expect("valid");
            out.push(b'\n');
        }
    });
    measure("decode into records", size, || {
        let scratch = Scratch::take();
        let scope = scratch.scope();
        assert_eq!(Batch::packed(scope.bytes(&entries), EVENTS).events(&scope).len(), EVENTS);
    });
    measure("decode, and write JSON", size, || {
        out.clear();
        let scratch = Scratch::take();
        let scope = scratch.scope();
        for event in Batch::packed(scope.bytes(&entries), EVENTS).events(&scope) {
            write_record(&event.record, Style::Oj, &mut out);
        }
    });
    measure("decode, and write msgpack", size, || {
        out.clear();
        let scratch = Scratch::take();
        let scope = scratch.scope();
        for event in Batch::packed(scope.bytes(&entries), EVENTS).events(&scope) {
            write_entry(event.time, &event.record, &mut out);
        }
    });
    let lines = json_lines();
    let size = lines.iter().map(String::len).sum::<usize>() / EVENTS;
    measure("read JSON, 12 keys", size, || {
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
    measure("write JSON, 12 keys", size, || {
        out.clear();
        records.iter().for_each(|record| write_record(black_box(record), Style::Oj, &mut out));
    });
    for (format, text) in
        [("%d/%b/%Y:%H:%M:%S %z", "14/Nov/2023:22:13:20 +0000"), ("%Y-%m-%dT%H:%M:%S.%L%z", "2023-11-14T22:13:20.123+0000")]
    {
        let options = TimeOptions { format: Some(format.to_owned()), ..TimeOptions::default() };
        let parser = TimeParser::new(&options).expect("a format");
        measure(&format!("read time {format}"), text.len(), || {
            for _ in 0..EVENTS {
                black_box(parser.parse_text(black_box(text.as_bytes()))).expect("a time");
            }
        });
    }
}
