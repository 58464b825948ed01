//! The log on a disk that does what a test tells it.

mod crash;
mod disk;
mod spares;
mod trouble;

use super::disk::Disk;
use super::frame::Origin;
use super::{Damaged, Fsync, Head, Log, LogChunk, LogLimits, Options, Recovered};
use crate::buffer::{Chunk, ChunkKeys, Compress, Location, Stored, Wanted};
use crate::event::msgpack::{Entries, decode_record, write_entry};
use crate::event::{Answer, Claim, EventTime, Receipt, Record, Scratch, Tag, Value};
use crate::log::PluginLog;
use crate::plugin::Limit;
use disk::SimDisk;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Small segments, so that there are several.
const SEGMENT_BYTES: usize = 4096;

struct Rig {
    log: Arc<Log>,
    found: Vec<Recovered>,
    damage: Arc<Mutex<Vec<Damaged>>>,
    limits: LogLimits,
}

fn location() -> Location {
    let wanted = Wanted { path: Some("/simulated"), suffix: ".log", root: None, worker: None, is_single: false, modes: (0o644, 0o755) };
    Location::resolve(&wanted).unwrap()
}

fn try_open(disk: &SimDisk, fsync: Fsync, compress: Compress) -> anyhow::Result<Rig> {
    let retry_wait = Duration::from_millis(5);
    open_with(disk, Options { fsync, compress, segment_bytes: SEGMENT_BYTES, part_bytes: 8 << 20, retry_wait })
}

fn open_with(disk: &SimDisk, options: Options) -> anyhow::Result<Rig> {
    let damage: Arc<Mutex<Vec<Damaged>>> = Arc::default();
    let reported = Arc::clone(&damage);
    let limits = LogLimits { disk: Arc::new(Limit::new(1 << 20)), memory: Arc::new(Limit::new(1 << 20)) };
    let report = Box::new(move |one: &Damaged| reported.lock().unwrap().push(one.clone()));
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let (log, found) = super::open(disk, location(), options, limits.clone(), &PluginLog::default(), report)?;
    Ok(Rig { log, found, damage, limits })
}

fn open(disk: &SimDisk) -> Rig {
    try_open(disk, Fsync::Acked, Compress::Text).unwrap()
}

fn head(tag: &str) -> Head {
    let keys = ChunkKeys { tag: Some(Tag::new(tag)), ..ChunkKeys::default() };
    Head { id: Chunk::new(keys.clone()).id, created: 0, is_packed: true, output: "test".to_owned(), keys }
}

/// Packed entries with these numbers.
fn entries(numbers: impl IntoIterator<Item = i64>) -> Vec<u8> {
    padded(numbers, 0)
}

/// The same, each with so many bytes more.
fn padded(numbers: impl IntoIterator<Item = i64>, pad: usize) -> Vec<u8> {
    let pad = vec![b'x'; pad];
    let scratch = Scratch::take();
    let scope = scratch.scope();
    let mut bytes = Vec::new();
    for number in numbers {
        let mut record = Record::with_capacity(scope.bump(), 1);
        record.set(b"n", Value::Int(number));
        if !pad.is_empty() {
            record.set(b"p", Value::Str(&pad));
        }
        write_entry(EventTime::from_secs(1_700_000_000), &record, &mut bytes);
    }
    bytes
}

fn numbers(entries: &[u8]) -> Vec<i64> {
    let scratch = Scratch::take();
    let scope = scratch.scope();
    let number = |bytes| match decode_record(scope.bump(), bytes).unwrap().get(b"n") {
        Some(Value::Int(number)) => number,
        other => panic!("{other:?}"),
    };
    Entries::new(entries).map(|entry| number(entry.unwrap().record)).collect()
}

impl Rig {
    fn chunk(&self, number: u64) -> LogChunk {
        LogChunk::new(Arc::clone(&self.log), number, true)
    }

    /// Everything that is to be delivered of a chunk.
    fn read(&self, number: u64) -> Vec<i64> {
        let mut chunk = Chunk::new(ChunkKeys::default());
        assert!(!self.chunk(number).read(&mut chunk).unwrap());
        let found = numbers(&chunk.bytes);
        assert_eq!(found.len(), chunk.records);
        found
    }

    /// Everything that is to be delivered of all chunks that were found.
    fn read_all(&self) -> Vec<i64> {
        self.found.iter().flat_map(|found| self.read(found.number)).collect()
    }

    fn append(&self, chunk: u64, numbers: impl IntoIterator<Item = i64>, origin: Option<Origin>) {
        let bytes = entries(numbers);
        self.log.append(chunk, &bytes, Entries::new(&bytes).count(), origin, None);
    }

    /// Appends with a wish for an ack.
    fn append_acked(&self, chunk: u64, numbers: impl IntoIterator<Item = i64>) -> Claim {
        let bytes = entries(numbers);
        let (receipt, claim) = Receipt::new(false, &Arc::new(Notify::new()));
        self.log.append(chunk, &bytes, Entries::new(&bytes).count(), None, Some(&receipt));
        claim
    }
}

fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < end, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn acked(claim: &Claim) {
    until("an ack", || claim.answer() == Answer::Ack);
}

#[test]
fn chunks_are_read_back_before_and_after_they_are_written() {
    let disk = SimDisk::default();
    let rig = open(&disk);
    let (one, two) = (rig.log.begin(&head("one")), rig.log.begin(&head("two")));
    for round in 0..50 {
        rig.append(one, round * 10..round * 10 + 5, None);
        rig.append(two, [round], Some(Origin { digest: [7; 16], first: 0 }));
    }
    acked(&rig.append_acked(two, [50, 51]));
    rig.append(two, [52], None);
    assert_eq!(rig.read(two), (0..53).collect::<Vec<_>>());
    assert_eq!(rig.read(one), (0..50).flat_map(|round| round * 10..round * 10 + 5).collect::<Vec<_>>());
    assert!(disk.files().len() > 1, "{:?}", disk.files().keys());
}

#[test]
fn one_sync_is_enough_for_many_chunks() {
    let disk = SimDisk::default();
    let options = Options {
        fsync: Fsync::Acked,
        compress: Compress::Text,
        segment_bytes: 1 << 20,
        part_bytes: 8 << 20,
        retry_wait: Duration::from_millis(5),
    };
    let rig = open_with(&disk, options).unwrap();
    let chunks: Vec<u64> = (0..200).map(|tag| rig.log.begin(&head(&tag.to_string()))).collect();
    let before = disk.syncs();
    chunks.iter().for_each(|chunk| rig.append(*chunk, [1], None));
    acked(&rig.append_acked(chunks[0], [2]));
    // Perhaps a round began early.
    assert!(disk.syncs() - before <= 2, "{}", disk.syncs());
}

#[test]
fn what_is_left_is_found_again_and_what_is_done_is_gone() {
    let disk = SimDisk::default();
    let rig = open(&disk);
    let chunks: Vec<u64> = (0..5).map(|tag| rig.log.begin(&head(&tag.to_string()))).collect();
    for round in 0..40 {
        chunks.iter().enumerate().for_each(|(at, chunk)| rig.append(*chunk, [at as i64 * 1000 + round], None));
    }
    rig.log.close_chunk(chunks[1]);
    rig.chunk(chunks[0]).done();
    rig.chunk(chunks[3]).done();
    drop(rig);
    let rig = open(&disk);
    assert!(rig.damage.lock().unwrap().is_empty());
    let tags: Vec<_> = rig.found.iter().map(|found| found.head.keys.tag.as_deref().unwrap().to_owned()).collect();
    assert_eq!(tags, ["1", "2", "4"]);
    assert_eq!(rig.found.iter().map(|found| (found.records, found.is_closed)).collect::<Vec<_>>(), [(40, true), (40, false), (40, false)]);
    assert_eq!(rig.read_all(), [1000..1040, 2000..2040, 4000..4040].into_iter().flatten().collect::<Vec<_>>());
    // A chunk that takes events again goes on where it was.
    rig.append(chunks[2], [7], None);
    drop(rig);
    let rig = open(&disk);
    assert_eq!(rig.read(chunks[2]), (2000..2040).chain([7]).collect::<Vec<_>>());
    rig.found.iter().for_each(|found| rig.chunk(found.number).done());
    let limits = rig.limits.clone();
    drop(rig);
    assert_eq!((disk.files().len(), limits.disk.used()), (0, 0));
}

#[test]
fn progress_is_kept() {
    let disk = SimDisk::default();
    let rig = open(&disk);
    let number = rig.log.begin(&head("t"));
    (0..100).for_each(|n| rig.append(number, [n * 2, n * 2 + 1], None));
    let one = entries([1]).len();
    let chunk = rig.chunk(number);
    let mut read = Chunk::new(ChunkKeys::default());
    chunk.read(&mut read).unwrap();
    let at = |text: &[u8], n: i64| {
        let ends = crate::buffer::entries::ends(text, 200);
        let nth = numbers(text).iter().position(|found| *found == n).unwrap();
        (if nth == 0 { 0 } else { ends[nth - 1] })..ends[nth]
    };
    assert!(one >= 10);
    chunk.keep(&[at(&read.bytes, 3), at(&read.bytes, 10).start..at(&read.bytes, 20).end, at(&read.bytes, 199)]);
    let rest: Vec<i64> = [3].into_iter().chain(10..=20).chain([199]).collect();
    assert_eq!(rig.read(number), rest);
    chunk.read(&mut read).unwrap();
    let some = at(&read.bytes, 10).start..at(&read.bytes, 12).end;
    chunk.keep(std::slice::from_ref(&some));
    assert_eq!(rig.read(number), [10, 11, 12]);
    drop((rig, chunk));
    let rig = open(&disk);
    assert_eq!((rig.read_all(), rig.found[0].records, rig.found[0].is_closed), (vec![10, 11, 12], 3, true));
}

#[test]
fn a_chunk_that_waits_does_not_keep_what_came_after_it() {
    let disk = SimDisk::default();
    let rig = open(&disk);
    let stuck = rig.log.begin(&head("stuck"));
    rig.append(stuck, 0..20, None);
    rig.log.close_chunk(stuck);
    for round in 0..300 {
        let chunk = rig.log.begin(&head("other"));
        rig.append(chunk, 0..20, None);
        acked(&rig.append_acked(chunk, [round]));
        rig.chunk(chunk).done();
    }
    until("old segments to go", || disk.used() < 5 * SEGMENT_BYTES);
    assert!(rig.limits.disk.used() < 5 * SEGMENT_BYTES as u64, "{}", rig.limits.disk.used());
    assert_eq!(rig.read(stuck), (0..20).collect::<Vec<_>>());
    drop(rig);
    let rig = open(&disk);
    assert_eq!((rig.read_all(), rig.found.len(), rig.found[0].is_closed), ((0..20).collect(), 1, true));
}

#[test]
fn a_chunk_that_is_copied_while_it_is_read_is_read_where_it_went() {
    let disk = SimDisk::default();
    let rig = open(&disk);
    let stuck = rig.log.begin(&head("stuck"));
    rig.append(stuck, 0..20, None);
    rig.log.close_chunk(stuck);
    let chunk = rig.chunk(stuck);
    let before = chunk.snapshot().unwrap();
    for round in 0..300 {
        let chunk = rig.log.begin(&head("other"));
        rig.append(chunk, 0..20, None);
        acked(&rig.append_acked(chunk, [round]));
        rig.chunk(chunk).done();
    }
    until("the old segments to go", || disk.used() < 5 * SEGMENT_BYTES);
    let mut read = Chunk::new(ChunkKeys::default());
    assert_eq!(chunk.read_from(&mut read, &before).map_err(|error| error.kind()), Err(std::io::ErrorKind::Interrupted));
    assert!(rig.damage.lock().unwrap().is_empty());
    assert_eq!(rig.read(stuck), (0..20).collect::<Vec<_>>());
}

#[test]
fn compressed_events_come_back() {
    for compress in [Compress::Gzip, Compress::Zstd] {
        let disk = SimDisk::default();
        let rig = try_open(&disk, Fsync::Acked, compress).unwrap();
        let chunk = rig.log.begin(&head("t"));
        rig.append(chunk, 0..500, None);
        rig.append(chunk, [500], None);
        drop(rig);
        assert!(disk.used() < entries(0..500).len() / 2);
        let rig = open(&disk);
        assert_eq!(rig.read_all(), (0..501).collect::<Vec<_>>());
        assert_eq!((rig.found[0].bytes, rig.found[0].records), (entries(0..501).len() as u64, 501));
    }
}

#[test]
fn long_chunks_come_in_parts_and_make_room_as_they_go() {
    // Places of one frame, and places of many windows.
    for segment_bytes in [SEGMENT_BYTES, 200 << 10] {
        let disk = SimDisk::default();
        let options = Options {
            fsync: Fsync::Acked,
            compress: Compress::Text,
            segment_bytes,
            part_bytes: 128 << 10,
            retry_wait: Duration::from_millis(5),
        };
        let rig = open_with(&disk, options).unwrap();
        let number = rig.log.begin(&head("t"));
        let total = 24;
        let bytes = |n: i64| padded([n], 1000).repeat(20);
        (0..total).for_each(|n| rig.log.append(number, &bytes(n), 20, None, None));
        rig.log.close_chunk(number);
        let claim = rig.append_acked(rig.log.begin(&head("t")), [0]);
        acked(&claim);
        let before = rig.limits.disk.used();
        let chunk = rig.chunk(number);
        let mut read = Chunk::new(ChunkKeys::default());
        let (mut found, mut parts) = (Vec::new(), 0);
        loop {
            let has_more = chunk.read(&mut read).unwrap();
            let mut some: Vec<i64> = numbers(&read.bytes);
            assert_eq!(some.len(), read.records);
            some.dedup();
            found.extend(some);
            parts += 1;
            if !has_more {
                break;
            }
            assert!(read.bytes.len() < 200 << 10);
            chunk.keep(&[]);
        }
        assert_eq!((found, parts > 1), ((0..total).collect(), true));
        let last = rig.log.begin(&head("t"));
        rig.append(last, [1], None);
        rig.chunk(last).done();
        assert!(rig.limits.disk.used() < before * 3 / 4, "{} of {before}", rig.limits.disk.used());
    }
}
