//! What a real Fluentd left behind, each buffer with the events that it holds.

use super::*;
use crate::buffer::ChunkKeys;
use crate::event::json::{Style, transcode_map};
use crate::event::msgpack::{Entries, Reader};
use crate::event::{EventTime, Tag};
use serde_json::Value;
use std::path::{Path, PathBuf};

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
