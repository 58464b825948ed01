//! Appending to staged chunks, in memory and in a log on disk that is not synced: what the thread of the connection pays. What the log's own
//! thread writes is no part of it.

use super::formats::docker;
use super::harness::{EVENTS, measure};
use flumen::buffer::log::disk::RealDisk;
use flumen::buffer::log::{Fsync, Log, LogLimits, Options, open};
use flumen::buffer::{ChunkKeys, ChunkLimits, Closed, Compress, InLog, Location, Run, Stage, Wanted};
use flumen::event::Tag;
use flumen::event::msgpack::Entries;
use flumen::log::PluginLog;
use flumen::plugin::Limit;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const CHUNK_BYTES: usize = 8 << 20;

/// All steps.
pub fn run() {
    let entries = docker();
    let lengths: Vec<usize> = Entries::new(&entries).map(|entry| entry.expect("valid").whole.len()).collect();
    appended("memory, 1,000 events at once", None, &entries, &[entries.len()]);
    appended("memory, one event at once", None, &entries, &lengths);
    let folder = std::env::temp_dir().join(format!("flumen-bench-{}", std::process::id()));
    let log = open_log(&folder);
    appended("file, not synced, 1,000 events at once", Some(&log), &entries, &[entries.len()]);
    appended("file, not synced, one event at once", Some(&log), &entries, &lengths);
    log.shut();
    std::fs::remove_dir_all(&folder).expect("a folder of our own");
}

fn open_log(folder: &Path) -> Arc<Log> {
    let path = folder.to_string_lossy();
    let wanted = Wanted { path: Some(&path), suffix: ".log", root: None, worker: None, is_single: false, modes: (0o644, 0o755) };
    let location = Location::resolve(&wanted).expect("a place");
    let retry_wait = Duration::from_secs(1);
    let options = Options { fsync: Fsync::Never, compress: Compress::Text, segment_bytes: 64 << 20, part_bytes: 8 << 20, retry_wait };
    let limits = LogLimits { disk: Arc::new(Limit::new(u64::MAX)), memory: Arc::new(Limit::new(u64::MAX)) };
    let report = Box::new(|damage: &_| panic!("{damage:?}"));
    open(Arc::new(RealDisk), location, options, limits, &PluginLog::default(), report).expect("a log").0
}

/// Appends the events in parts of these lengths; chunks that are full are done with at once.
fn appended(name: &str, log: Option<&Arc<Log>>, entries: &[u8], lengths: &[usize]) {
    let limits = ChunkLimits { bytes: CHUNK_BYTES, records: None, full_threshold: 0.95 };
    let stage = Stage::new(limits, Arc::new(Limit::new(u64::MAX)));
    if let Some(log) = log {
        stage.keep_in(InLog { log: Arc::clone(log), output: "bench".to_owned(), is_packed: true });
    }
    let keys = ChunkKeys { tag: Some(Tag::new("docker.shop")), ..ChunkKeys::default() };
    let records = EVENTS / lengths.len();
    measure("buffer", name, entries.len() / EVENTS, || {
        let (mut full, mut rest) = (Vec::new(), entries);
        for length in lengths {
            let (bytes, after) = rest.split_at(*length);
            rest = after;
            let run = Run { bytes, records, ends: None, formatted: false, origin: None };
            let too_large = stage.append(&[(keys.clone(), run)], None, &mut |closed| full.push(closed)).expect("memory");
            assert!(too_large.is_empty());
        }
        full.into_iter().for_each(|closed| finish(&stage, closed));
    });
}

fn finish(stage: &Stage, closed: Closed) {
    match closed.body {
        Some(body) => body.done(),
        None => stage.recycle(closed.chunk.bytes),
    }
}
