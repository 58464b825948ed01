//! Bounds: of a chunk, of all chunks, and what happens at them.

use super::rig::{Act, Rig, pass};
use crate::buffer::CHUNK_COST_BYTES;
use crate::metrics::Buffered;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn chunks_stay_below_their_limit_and_nothing_is_lost() {
    let rig = Rig::start("<buffer>\nflush_interval 1s\nchunk_limit_size 1k\n</buffer>", |_, _| Act::Take);
    for start in 0..20 {
        rig.emit_padded("t", start * 25..(start + 1) * 25, 40).0.unwrap();
    }
    pass(5.0).await;
    assert_eq!(rig.taken(), (0..500).collect::<Vec<_>>());
    assert!(rig.attempts().iter().all(|attempt| attempt.chunk.bytes.len() <= 1024));
    assert!(rig.attempts().iter().filter(|attempt| attempt.chunk.bytes.len() > 700).count() > 10);
}

#[tokio::test(start_paused = true)]
async fn a_record_larger_than_a_chunk_is_rejected_alone() {
    let rig = Rig::start("<buffer>\nflush_mode immediate\nchunk_limit_size 100\n</buffer>", |_, _| Act::Take);
    let (result, rejected) = rig.emit_padded("t", 0..3, 200);
    assert_eq!(rejected.len(), 3);
    assert!(rejected[1].ends_with(" bytes record (nth: 1) is larger than buffer chunk limit size (100)"), "{}", rejected[1]);
    assert!(rejected[1].starts_with("Fluent::Plugin::Buffer::BufferChunkOverflowError: a "));
    let error = result.unwrap_err();
    assert!(error.settled && error.class.ends_with("BufferChunkOverflowError"));
    rig.emit("t", [9]).unwrap();
    pass(1.0).await;
    assert_eq!(rig.taken(), [9]);
}

#[tokio::test(start_paused = true)]
async fn senders_wait_at_the_limit_and_go_on_when_there_is_room() {
    let is_up = Arc::new(AtomicBool::new(false));
    let up = Arc::clone(&is_up);
    let config = "<buffer>\nflush_interval 1s\nchunk_limit_size 1k\ntotal_limit_size 8k\nretry_max_interval 2s\n</buffer>";
    let rig = Rig::start(
        config,
        move |_, _| if up.load(Ordering::SeqCst) { Act::TakeAfter(Duration::from_millis(10)) } else { Act::Unreachable },
    );
    let limit = rig.limit().unwrap();
    let send = async {
        for n in 0..300 {
            limit.wait_for_room().await;
            rig.emit_padded("t", [n], 90).0.unwrap();
            assert!(limit.used() < 8192 + 200 + CHUNK_COST_BYTES);
        }
    };
    let repair = async {
        pass(60.0).await;
        assert!(limit.is_full());
        is_up.store(true, Ordering::SeqCst);
    };
    tokio::join!(send, repair);
    pass(10.0).await;
    assert_eq!(rig.taken(), (0..300).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn throw_exception_tells_the_sender() {
    let config = "<buffer>\nflush_interval 1s\nchunk_limit_size 200\ntotal_limit_size 4k\noverflow_action throw_exception\n</buffer>";
    let rig = Rig::start(config, |_, _| Act::Unreachable);
    assert!(rig.limit().is_none());
    let mut accepted = 0;
    let error = loop {
        match rig.emit_padded("t", [accepted], 50).0 {
            Ok(()) => accepted += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(
        (error.class, error.message.as_str(), error.settled),
        ("Fluent::Plugin::Buffer::BufferOverflowError", "buffer space has too many data", false)
    );
    rig.stop(1).await;
    assert_eq!(rig.backed_up(), (0..accepted).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn the_oldest_chunks_make_room_where_that_is_asked_for() {
    let config = "<buffer>\nflush_interval 1h\nchunk_limit_records 1\ntotal_limit_size 5k\noverflow_action drop_oldest_chunk\nretry_wait 1h\n</buffer>";
    let rig = Rig::start(config, |_, _| Act::Unreachable);
    for n in 0..100 {
        rig.emit_padded("t", [n], 50).0.unwrap();
        pass(0.01).await;
    }
    rig.stop(1).await;
    let kept = rig.backed_up();
    assert_eq!(kept.last(), Some(&99));
    assert_eq!(kept, (kept[0]..100).collect::<Vec<_>>());
    let dropped = rig.delivery.counters().drop_oldest_chunk_count.get();
    assert_eq!(dropped + kept.len() as u64, 100);
}

#[tokio::test(start_paused = true)]
async fn drop_oldest_chunk_fails_where_nothing_is_queued() {
    let config = "<buffer>\nflush_interval 1h\ntotal_limit_size 100\noverflow_action drop_oldest_chunk\n</buffer>";
    let rig = Rig::start(config, |_, _| Act::Take);
    rig.emit_padded("t", [0], 200).0.unwrap();
    assert!(rig.emit("t", [1]).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_leaves_younger_chunks_staged() {
    let config = "<buffer tag>\nflush_interval 1s\nretry_wait 1h\n</buffer>";
    let rig = Rig::start(config, |_, _| Act::Unreachable);
    for round in 0..10 {
        for tag in ["a", "b", "c"] {
            rig.emit(tag, [round]).unwrap();
        }
        pass(1.0).await;
    }
    let usage = rig.delivery.usage();
    assert!(usage.queue_length <= 2, "{usage:?}");
    let chunks = (usage.stage_length + usage.queue_length) as u64;
    assert_eq!(usage.stage_bytes + usage.queue_bytes + chunks * CHUNK_COST_BYTES, rig.limit().unwrap().used());
}

#[tokio::test(start_paused = true)]
async fn an_event_that_cannot_be_formatted_is_rejected_alone() {
    let rig = Rig::start_as("<buffer kind>\nflush_mode immediate\n</buffer>", false, Default::default(), |_, _| Act::Take);
    rig.emit_decoded("t", &[(1, 1, "x"), (1, 2, "x")]).unwrap();
    pass(0.1).await;
    assert_eq!(rig.taken(), [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn events_that_cannot_wait_have_a_share_and_then_the_backup_folder() {
    let rig = Rig::start("<buffer>\nflush_interval 1h\ntotal_limit_size 1m\n</buffer>", |_, _| Act::Unreachable);
    let mut sent = 0;
    while rig.delivery.counters().backup_records.get() == 0 {
        rig.emit_padded("t", [sent], 1 << 20).0.unwrap();
        sent += 1;
        assert!(sent < 100);
    }
    let used = rig.limit().unwrap().used();
    assert!((64 << 20..68 << 20).contains(&used), "{used}");
    assert_eq!(rig.backed_up(), [sent - 1]);
    rig.stop(1).await;
    assert_eq!(rig.backed_up(), (0..sent).collect::<Vec<_>>());
}
