//! What a real Fluentd left behind, each buffer with the events that it holds.

use super::*;
use crate::buffer::{ChunkKeys, Keys, Location, StoredChunk, TimeSlices, Wanted};
use crate::event::json::{Style, transcode_map};
use crate::event::msgpack::{Entries, Reader};
use crate::event::{EventTime, Tag, Zone};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const BUFFERS: [&str; 11] = [
    "file-default",
    "file-elasticsearch",
    "file-gzip",
    "file-killed",
    "file-one-file",
    "file-output-formatted",
    "file-queued",
    "file-single",
    "file-single-killed",
    "file-time-keys",
    "v012-forward",
];

fn recorded(buffer: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fluentd-buffers").join(buffer)
}

fn found(buffer: &str) -> Vec<Found> {
    let folder = recorded(buffer);
    let below = folder.join("buffer");
    find(if below.is_dir() { &below } else { &folder }, None).unwrap()
}

/// The events that were sent: tag, time in microseconds, record.
fn sent(buffer: &str) -> Vec<(String, i64, Value)> {
    let text = std::fs::read_to_string(recorded(buffer).join("events.json")).unwrap();
    let about: Value = serde_json::from_str(&text).unwrap();
    let event = |event: &Value| {
        let time = (event["time"].as_f64().unwrap() * 1e6).round() as i64;
        (event["tag"].as_str().unwrap().to_owned(), time, event["record"].clone())
    };
    about["events"].as_array().unwrap().iter().map(event).collect()
}

fn micros(time: EventTime) -> i64 {
    time.sec * 1_000_000 + (i64::from(time.nsec) + 500) / 1000
}

fn events_of(found: &Found) -> Vec<(String, i64, Value)> {
    let (bytes, is_cut) = found.read(1 << 30).unwrap();
    assert!(!is_cut);
    let Content::Packed(packed) = Content::of(bytes) else { panic!("{found:?} holds no entries") };
    assert_eq!(packed.damaged_bytes, 0);
    if found.meta.records > 0 {
        assert_eq!(found.meta.records, packed.records as u64);
    }
    let tag = found.meta.keys.tag.as_ref().unwrap().to_string();
    let event = |entry: crate::event::msgpack::Entry<'_>| {
        let mut json = Vec::new();
        transcode_map(&mut Reader::new(entry.record), Style::Oj, &mut json).unwrap();
        (tag.clone(), micros(entry.time.exact().unwrap()), serde_json::from_slice(&json).unwrap())
    };
    Entries::new(&packed.bytes).map(|entry| event(entry.unwrap())).collect()
}

fn by_number(mut events: Vec<(String, i64, Value)>) -> Vec<(String, i64, Value)> {
    events.sort_by_key(|(_, _, record)| record["n"].as_i64());
    events
}

#[test]
fn exactly_the_events_are_in_them() {
    for buffer in BUFFERS {
        let chunks = found(buffer);
        assert!(!chunks.is_empty(), "{buffer}");
        if buffer == "file-output-formatted" {
            continue;
        }
        let events: Vec<_> = chunks.iter().flat_map(events_of).collect();
        assert_eq!(by_number(events), by_number(sent(buffer)), "{buffer}");
    }
}

#[test]
fn formatted_chunks_are_text_in_slices_of_time() {
    let chunks = found("file-output-formatted");
    let mut lines = Vec::new();
    for chunk in &chunks {
        assert!(chunk.meta.keys.timekey.is_some_and(|start| start % 86_400 == 0), "{chunk:?}");
        let Content::Formatted(text) = Content::of(chunk.read(1 << 20).unwrap().0) else { panic!("{chunk:?}") };
        lines.extend(String::from_utf8(text).unwrap().lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
    }
    lines.sort_by_key(|record| record["n"].as_i64());
    let mut records: Vec<Value> = sent("file-output-formatted").into_iter().map(|(_, _, record)| record).collect();
    records.sort_by_key(|record| record["n"].as_i64());
    assert_eq!(lines, records);
}

#[test]
fn queued_ones_come_first_and_keys_are_known() {
    let chunks = found("file-time-keys");
    assert!(chunks[0].name.is_queued && !chunks[1].name.is_queued);
    let ChunkKeys { tag, timekey, variables } = &chunks[0].meta.keys;
    assert!(tag.is_some() && timekey.is_some() && variables[0].0 == "host", "{chunks:?}");
    assert!(chunks.iter().all(Found::knows_keys));
    let old = found("v012-forward");
    assert_eq!(old.iter().map(|chunk| chunk.meta.keys.tag.clone().unwrap()).collect::<Vec<_>>(), ["t.a", "t.b", "t.c"].map(Tag::new));
    assert!(old.iter().all(Found::knows_keys));
}

#[test]
fn only_the_names_of_one_buffer_are_its_own() {
    let folder = recorded("file-one-file");
    let count = |prefix: &str, suffix: &str| find(&folder, Some(Names { prefix, suffix })).unwrap().len();
    assert_eq!((count("buffer.", ".buf"), count("buffer.", ".log"), count("other.", ".buf")), (3, 0, 0));
    assert_eq!(find(Path::new("/nonexistent/folder"), None).unwrap(), []);
}

#[test]
fn chunks_cut_short_keep_what_is_whole() {
    let folder = std::env::temp_dir().join(format!("flumen-import-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let whole = &found("file-gzip")[0];
    let bytes = std::fs::read(&whole.path).unwrap();
    let path = folder.join(whole.path.file_name().unwrap());
    for length in 0..bytes.len() {
        std::fs::write(&path, &bytes[..length]).unwrap();
        let chunk = find_one(&path).unwrap().unwrap();
        let (unpacked, is_cut) = chunk.read(1 << 20).unwrap();
        assert!(is_cut || length < 4 || unpacked.len() < whole.read(1 << 20).unwrap().0.len(), "{length}");
        let _ = Content::of(unpacked);
    }
    std::fs::write(&path, &bytes).unwrap();
    let chunk = find_one(&path).unwrap().unwrap();
    assert!(chunk.read(10).unwrap_err().to_string().contains("decompression_size_limit"));
    chunk.remove().unwrap();
    assert_eq!(find_one(&path).unwrap(), None);
    std::fs::remove_dir_all(folder).unwrap();
}

fn heir(keys: &Keys, is_packed: bool) -> Heir<'_> {
    Heir { keys, is_packed, max_bytes: 1 << 28 }
}

fn by_tag() -> Keys {
    Keys { tag: true, ..Keys::default() }
}

fn location(folder: &Path) -> Location {
    let wanted = Wanted { path: folder.to_str(), suffix: ".log", root: None, worker: None, is_single: false, modes: (0o644, 0o755) };
    Location::resolve(&wanted).unwrap()
}

/// A copy of a recorded buffer that a test may do to as it likes.
fn copy_of(buffer: &str, name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("flumen-import-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    for chunk in found(buffer) {
        for path in std::iter::once(&chunk.path).chain(&chunk.meta_path) {
            std::fs::copy(path, folder.join(path.file_name().unwrap())).unwrap();
        }
    }
    folder
}

fn no_damage() -> OnDamage {
    Arc::new(|path, at, _, what| panic!("{path:?} {at} {what}"))
}

fn deliver(found: Found, heir: &Heir<'_>, report: &OnDamage) -> StoredChunk {
    match fate(found, heir, report).unwrap() {
        Fate::Deliver(stored) => stored,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_taken_over_is_delivered_whole_and_gone_only_then() {
    let keys = by_tag();
    for buffer in ["file-default", "file-gzip", "file-single-killed", "v012-forward"] {
        let folder = copy_of(buffer, "whole");
        let mut records = 0;
        for found in left_by_fluentd(&location(&folder), &folders_of_workers(&folder)).unwrap() {
            let path = found.path.clone();
            let mut stored = deliver(found, &heir(&keys, true), &no_damage());
            let expected = stored.chunk.records;
            assert!(!stored.body.read(&mut stored.chunk).unwrap());
            assert_eq!((stored.chunk.records, stored.chunk.keys.tag.is_some()), (expected, true));
            // A second read is the same again, and part of it may be settled.
            let all = stored.chunk.bytes.clone();
            stored.body.read(&mut stored.chunk).unwrap();
            assert_eq!(stored.chunk.bytes, all);
            let first = Entries::new(&all).next().unwrap().unwrap().whole.len();
            stored.body.keep(std::slice::from_ref(&(first..all.len())));
            stored.body.read(&mut stored.chunk).unwrap();
            assert_eq!((stored.chunk.records, &stored.chunk.bytes[..]), (expected - 1, &all[first..]));
            stored.body.keep(&[0..1, 2..3]);
            stored.body.read(&mut stored.chunk).unwrap();
            assert_eq!(stored.chunk.bytes, [all[first], all[first + 2]]);
            assert!(path.exists());
            stored.body.done();
            assert!(!path.exists());
            records += expected;
        }
        assert_eq!((buffer, records), (buffer, 30));
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "{buffer}");
        std::fs::remove_dir(folder).unwrap();
    }
}

#[test]
fn a_large_chunk_is_read_in_parts() {
    let folder = std::env::temp_dir().join(format!("flumen-import-large-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let entry = [b"\x92\xd7\x00\x65\x53\xf1\x00\x00\x00\x00\x05\x81\xa1m\xda\x40\x00".to_vec(), vec![b'x'; 0x4000]].concat();
    let path = folder.join("fsb.t.a.b660c1607d4885fdeee94af585407b017.buf");
    std::fs::write(&path, entry.repeat(1200)).unwrap();
    let keys = by_tag();
    let mut stored = deliver(find_one(&path).unwrap().unwrap(), &heir(&keys, true), &no_damage());
    assert!((1150..1250).contains(&stored.chunk.records), "{}", stored.chunk.records);
    let mut counts = Vec::new();
    while stored.body.read(&mut stored.chunk).unwrap() {
        assert!(stored.chunk.bytes.len() <= 8 << 20);
        counts.push(stored.chunk.records);
        stored.body.keep(&[]);
    }
    counts.push(stored.chunk.records);
    assert_eq!((counts.len(), counts.iter().sum::<usize>()), (3, 1200));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn torn_ends_are_reported_once_and_the_rest_is_delivered() {
    let folder = copy_of("file-killed", "torn");
    let chunk = find(&folder, None).unwrap().remove(0);
    let bytes = std::fs::read(&chunk.path).unwrap();
    std::fs::write(&chunk.path, &bytes[..bytes.len() - 5]).unwrap();
    let told = Arc::new(std::sync::Mutex::new(Vec::new()));
    let (keys, ears) = (by_tag(), Arc::clone(&told));
    let report: OnDamage = Arc::new(move |_, at, bytes, _| ears.lock().unwrap().push((at, bytes.len())));
    let whole = usize::try_from(chunk.meta.records).unwrap();
    let mut stored = deliver(find_one(&chunk.path).unwrap().unwrap(), &heir(&keys, true), &report);
    for _ in 0..2 {
        assert!(!stored.body.read(&mut stored.chunk).unwrap());
        assert_eq!(stored.chunk.records, whole - 1);
    }
    assert_eq!(*told.lock().unwrap(), [(stored.chunk.bytes.len() as u64, bytes.len() - 5)]);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn chunks_of_another_kind_of_output_are_set_aside() {
    let set_aside = |buffer: &str, keys: &Keys, is_packed: bool| {
        let chunk = found(buffer).remove(0);
        match fate(chunk, &heir(keys, is_packed), &no_damage()).unwrap() {
            Fate::SetAside(found, why) => (chunks_of(&found, &heir(keys, is_packed)).unwrap(), why),
            other => panic!("{other:?}"),
        }
    };
    let (chunks, why) = set_aside("file-output-formatted", &by_tag(), true);
    assert!(why.contains("formatter") && !chunks[0].1 && chunks[0].0.keys.timekey.is_some());
    let (chunks, why) = set_aside("file-default", &by_tag(), false);
    assert!(why.contains("has not formatted") && chunks[0].1 && chunks[0].0.keys.tag.is_some());
    // Formatted ones go whole to the same output.
    let keys = Keys { time: Some(TimeSlices { length: 86_400.0, wait: 600, zone: Zone::Utc }), ..Keys::default() };
    let chunk = found("file-output-formatted").remove(0);
    let bytes = std::fs::read(&chunk.path).unwrap();
    let mut stored = deliver(chunk, &heir(&keys, false), &no_damage());
    assert!(!stored.body.read(&mut stored.chunk).unwrap());
    assert_eq!(stored.chunk.bytes, bytes);
}

#[test]
fn a_chunk_without_its_meta_is_delivered_only_where_no_key_is_needed() {
    let folder = copy_of("file-default", "bare");
    for chunk in find(&folder, None).unwrap() {
        std::fs::write(chunk.meta_path.unwrap(), b"\xc1\x00\x00").unwrap();
    }
    let chunk = || find(&folder, None).unwrap().remove(0);
    let keys = by_tag();
    assert!(matches!(fate(chunk(), &heir(&keys, true), &no_damage()).unwrap(), Fate::SetAside(_, why) if why.contains(".meta")));
    let none = Keys::default();
    assert!(matches!(fate(chunk(), &heir(&none, true), &no_damage()).unwrap(), Fate::Deliver(_)));
    std::fs::write(chunk().path, b"").unwrap();
    assert!(matches!(fate(chunk(), &heir(&keys, true), &no_damage()).unwrap(), Fate::Empty(_)));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn folders_of_workers_and_of_the_other_kind_are_looked_into() {
    let folder = copy_of("file-single", "workers");
    std::fs::create_dir(folder.join("worker0")).unwrap();
    for chunk in found("file-queued") {
        std::fs::copy(&chunk.path, folder.join("worker0").join(chunk.path.file_name().unwrap())).unwrap();
    }
    std::fs::write(folder.join("other.txt"), b"x").unwrap();
    let all = left_by_fluentd(&location(&folder), &folders_of_workers(&folder)).unwrap();
    assert_eq!(all.len(), found("file-single").len() + found("file-queued").len());
    assert!(all[0].name.is_queued && all[0].path.starts_with(folder.join("worker0")));
    // What is on its way to an output is not found again.
    let keys = by_tag();
    let first = all.last().unwrap().clone();
    let stored = deliver(first, &heir(&keys, true), &no_damage());
    assert_eq!(left_by_fluentd(&location(&folder), &[]).unwrap().len(), found("file-single").len() - 1);
    stored.body.done();
    std::fs::remove_dir_all(folder).unwrap();
}
