//! Disks that refuse.

use super::*;
use std::io;

#[test]
fn a_full_disk_holds_acks_back_and_loses_nothing() {
    let disk = SimDisk::default();
    let rig = open(&disk);
    let chunk = rig.log.begin(&head("t"));
    acked(&rig.append_acked(chunk, [1]));
    disk.set_room(Some(30));
    let claim = rig.append_acked(chunk, [2, 3, 4]);
    until("the disk to be full", || disk.used() > 0 && rig.limits.memory.used() > 0);
    assert_eq!(claim.answer(), Answer::Open);
    assert_eq!(rig.read(chunk), [1, 2, 3, 4]);
    disk.set_room(None);
    acked(&claim);
    drop(rig);
    let rig = open(&disk);
    assert_eq!(rig.read_all(), [1, 2, 3, 4]);
    assert!(rig.damage.lock().unwrap().is_empty());
}

#[test]
fn a_full_disk_is_freed_by_what_is_delivered() {
    let disk = SimDisk::default();
    let rig = open(&disk);
    let chunk = rig.log.begin(&head("t"));
    acked(&rig.append_acked(chunk, 0..1000));
    disk.set_room(Some(0));
    let other = rig.log.begin(&head("t"));
    let claim = rig.append_acked(other, [7]);
    rig.chunk(chunk).done();
    until("the first file to go", || disk.used() < SEGMENT_BYTES);
    disk.set_room(None);
    acked(&claim);
    assert_eq!(rig.read(other), [7]);
}

#[test]
fn a_small_full_disk_is_freed_by_what_is_delivered() {
    let disk = SimDisk::default();
    let rig = open(&disk);
    let chunk = rig.log.begin(&head("t"));
    acked(&rig.append_acked(chunk, [1]));
    disk.set_room(Some(0));
    let claim = rig.append_acked(chunk, [2]);
    until("the disk to refuse", || rig.log.shared.lock().is_refused);
    assert_eq!(claim.answer(), Answer::Open);
    // The file is far from long enough to be followed by another one.
    assert!((1..SEGMENT_BYTES / 4).contains(&disk.used()));
    rig.chunk(chunk).done();
    acked(&claim);
    until("the file to go", || disk.used() == 0);
    assert!(rig.log.shared.lock().is_refused, "nothing says that it can be written");
    disk.set_room(None);
    let other = rig.log.begin(&head("t"));
    acked(&rig.append_acked(other, [3]));
    assert!(!rig.log.shared.lock().is_refused);
}

#[test]
fn what_cannot_be_removed_now_is_removed_later() {
    let disk = SimDisk::default();
    let rig = open(&disk);
    let chunk = rig.log.begin(&head("t"));
    acked(&rig.append_acked(chunk, [1]));
    disk.set_read_only(true);
    let claim = rig.append_acked(chunk, [2]);
    until("the disk to refuse", || rig.log.shared.lock().is_refused);
    rig.chunk(chunk).done();
    acked(&claim);
    assert!(disk.used() > 0);
    disk.set_read_only(false);
    let other = rig.log.begin(&head("t"));
    acked(&rig.append_acked(other, [3]));
    until("the first file to go", || disk.files().len() == 1);
    drop(rig);
    assert_eq!(open(&disk).read_all(), [3]);
}

#[test]
fn a_failed_sync_is_made_good() {
    let mut disk = SimDisk::default();
    let rig = open(&disk);
    let chunk = rig.log.begin(&head("t"));
    disk.fail_syncs(2);
    acked(&rig.append_acked(chunk, [1, 2]));
    disk = disk.crash();
    drop(rig);
    assert_eq!(open(&disk).read_all(), [1, 2]);
}

#[test]
fn a_failed_write_is_made_good() {
    let mut disk = SimDisk::default();
    let rig = open(&disk);
    let chunk = rig.log.begin(&head("t"));
    acked(&rig.append_acked(chunk, [1]));
    disk.fail_writes(3);
    let claim = rig.append_acked(chunk, 2..100);
    acked(&claim);
    disk = disk.crash();
    drop(rig);
    let rig = open(&disk);
    assert_eq!(rig.read_all(), (1..100).collect::<Vec<_>>());
    assert!(rig.damage.lock().unwrap().is_empty());
}

#[test]
fn what_cannot_be_read_now_is_read_later() {
    let disk = SimDisk::default();
    let rig = open(&disk);
    let chunk = rig.log.begin(&head("t"));
    acked(&rig.append_acked(chunk, 0..10));
    drop(rig);
    let rig = open(&disk);
    let found = LogChunk::new(Arc::clone(&rig.log), rig.found[0].number, true);
    let mut read = Chunk::new(ChunkKeys::default());
    disk.fail_reads(1);
    let error = found.read(&mut read).unwrap_err();
    assert!(error.to_string().starts_with("/simulated/"), "the path is said: {error}");
    assert!(rig.damage.lock().unwrap().is_empty(), "nothing is given up");
    found.read(&mut read).unwrap();
    assert_eq!(numbers(&read.bytes), (0..10).collect::<Vec<_>>());
}

#[test]
fn a_read_only_disk_is_waited_for() {
    let disk = SimDisk::default();
    let rig = open(&disk);
    disk.set_read_only(true);
    let chunk = rig.log.begin(&head("t"));
    let claim = rig.append_acked(chunk, [1]);
    assert_eq!(claim.answer(), Answer::Open);
    disk.set_read_only(false);
    acked(&claim);
}

#[test]
fn at_the_end_what_the_disk_does_not_take_is_refused() {
    let disk = SimDisk::default();
    let rig = open(&disk);
    disk.set_room(Some(0));
    let chunk = rig.log.begin(&head("t"));
    let claim = rig.append_acked(chunk, [1]);
    drop(rig);
    assert_eq!(claim.answer(), Answer::No);
}

#[test]
fn a_second_process_is_told_who_is_there() {
    let disk = SimDisk::default();
    let _rig = open(&disk);
    let error = try_open(&disk, Fsync::Acked, Compress::Text).err().unwrap().to_string();
    assert!(error.contains("/simulated is used by another process (pid 1234)"), "{error}");
}

#[test]
fn modes_sync_when_they_say() {
    for (fsync, wants_sync) in [(Fsync::Always, true), (Fsync::Interval, false), (Fsync::Never, false)] {
        let disk = SimDisk::default();
        let rig = try_open(&disk, fsync, Compress::Text).unwrap();
        let chunk = rig.log.begin(&head("t"));
        rig.append(chunk, [1], None);
        if wants_sync {
            until("a sync", || disk.syncs() > 0);
        }
        acked(&rig.append_acked(chunk, [2]));
        assert_eq!(disk.syncs() > 0, wants_sync, "{fsync:?}");
    }
}

#[test]
fn a_mode_that_changes_counts_for_what_is_there_and_what_comes() {
    let (mut disk, retry_wait) = (SimDisk::default(), Duration::from_millis(5));
    let rig = try_open(&disk, Fsync::Never, Compress::Text).unwrap();
    let with = |fsync| Options { fsync, compress: Compress::Zstd, segment_bytes: SEGMENT_BYTES, part_bytes: 8 << 20, retry_wait };
    let chunk = rig.log.begin(&head("t"));
    acked(&rig.append_acked(chunk, [1]));
    assert_eq!(disk.syncs(), 0);
    rig.log.set_options(with(Fsync::Always));
    until("a sync of what was there", || disk.syncs() > 0);
    let syncs = disk.syncs();
    rig.append(chunk, [2], None);
    until("a sync of what comes", || disk.syncs() > syncs);
    rig.log.set_options(with(Fsync::Never));
    let syncs = disk.syncs();
    acked(&rig.append_acked(chunk, [3]));
    assert_eq!(disk.syncs(), syncs);
    rig.log.set_options(with(Fsync::Acked));
    let before = disk.used();
    acked(&rig.append_acked(chunk, 4..2000));
    assert!(disk.used() - before < entries(4..2000).len() / 2, "{} bytes", disk.used() - before);
    disk = disk.crash();
    drop(rig);
    assert_eq!(open(&disk).read_all(), (1..2000).collect::<Vec<_>>());
}

#[test]
fn a_file_that_is_gone_is_reported() {
    let disk = SimDisk::default();
    let rig = open(&disk);
    let chunk = rig.log.begin(&head("t"));
    acked(&rig.append_acked(chunk, [1]));
    drop(rig);
    let rig = open(&disk);
    let path = disk.files().into_keys().next().unwrap();
    Disk::remove(&disk, &path).unwrap();
    assert_eq!(rig.read(chunk), [] as [i64; 0]);
    assert_eq!(rig.damage.lock().unwrap().len(), 1);
    assert_eq!(Disk::open(&disk, &path).unwrap_err().kind(), io::ErrorKind::NotFound);
}
