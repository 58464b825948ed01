//! The end of the process.

use super::rig::{Act, Rig, pass};
use crate::pipeline::delivery::Remaining;
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn what_is_staged_is_delivered_at_the_end() {
    let rig = Rig::start("<buffer tag>\nflush_interval 1h\nflush_thread_count 3\n</buffer>", |_, _| Act::TakeAfter(Duration::from_secs(1)));
    for n in 0..9 {
        rig.emit(&format!("t{n}"), [n]).unwrap();
    }
    assert_eq!(rig.stop(20).await, Remaining::default());
    let mut taken = rig.taken();
    taken.sort_unstable();
    assert_eq!(taken, (0..9).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_dead_server_does_not_hold_up_the_end_and_nothing_is_lost() {
    let rig = Rig::start("<buffer>\nflush_interval 1h\nchunk_limit_records 1\n</buffer>", |_, _| Act::Unreachable);
    rig.emit("t", 0..100).unwrap();
    pass(100.0).await;
    let before = (rig.attempts().len(), tokio::time::Instant::now());
    assert_eq!(rig.stop(20).await, Remaining { chunks: 100, records: 100, stuck: 0, kept: 0 });
    assert!(before.1.elapsed() < Duration::from_secs(1));
    assert!(rig.attempts().len() <= before.0 + 2);
    assert_eq!(rig.backed_up(), (0..100).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_hanging_server_holds_up_the_end_for_its_time_only() {
    let rig = Rig::start("<buffer>\nflush_interval 1h\nchunk_limit_records 1\nflush_thread_count 2\n</buffer>", |_, _| Act::Hang);
    rig.emit("t", 0..5).unwrap();
    pass(1.0).await;
    let begin = tokio::time::Instant::now();
    assert_eq!(rig.stop(7).await, Remaining { chunks: 5, records: 5, stuck: 0, kept: 0 });
    assert_eq!(begin.elapsed().as_secs(), 7);
    assert_eq!(rig.backed_up(), (0..5).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn chunks_that_wait_for_a_retry_get_one_at_the_end() {
    let config = "<buffer>\nflush_interval 1h\nchunk_limit_records 1\nretry_wait 1h\n</buffer>";
    let rig = Rig::start(config, |nth, numbers| if nth < 3 || numbers == [3] { Act::Fail } else { Act::Take });
    rig.emit("t", 0..4).unwrap();
    pass(10.0).await;
    assert_eq!(rig.stop(20).await, Remaining { chunks: 1, records: 1, stuck: 0, kept: 0 });
    assert_eq!((rig.taken(), rig.backed_up()), (vec![0, 1, 2], vec![3]));
}

#[tokio::test(start_paused = true)]
async fn without_flush_at_shutdown_the_stage_is_kept_aside() {
    let rig = Rig::start("<buffer>\nflush_interval 1h\nflush_at_shutdown false\n</buffer>", |_, _| Act::Take);
    rig.emit("t", 0..3).unwrap();
    assert_eq!(rig.stop(5).await.records, 3);
    assert_eq!((rig.taken(), rig.backed_up()), (vec![], vec![0, 1, 2]));
}

#[tokio::test(start_paused = true)]
async fn events_that_come_after_the_end_are_kept_too() {
    let rig = Rig::start("<buffer>\nflush_interval 1h\n</buffer>", |_, _| Act::TakeAfter(Duration::from_secs(2)));
    rig.emit("t", [1]).unwrap();
    let stop = rig.delivery.stop(Duration::from_secs(10));
    rig.emit("t", [2]).unwrap();
    assert_eq!(stop.await, Remaining::default());
    assert_eq!(rig.taken(), [1, 2]);
    rig.emit("t", [3]).unwrap();
    assert_eq!(rig.backed_up(), [3]);
    assert_eq!(rig.stop(10).await, Remaining::default());
}

#[tokio::test(start_paused = true)]
async fn an_output_that_was_never_started_delivers_at_the_end() {
    let rig = Rig::idle("<buffer>\nflush_interval 1h\n</buffer>", |_, _| Act::Take);
    rig.emit("t", [1]).unwrap();
    assert_eq!(rig.stop(1).await, Remaining::default());
    assert_eq!(rig.taken(), [1]);
}
