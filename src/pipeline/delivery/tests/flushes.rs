//! When chunks are delivered, and what they hold.

use super::rig::{Act, Rig, pass};
use crate::buffer::{CHUNK_COST_BYTES, Defaults};
use crate::event::EventTime;
use crate::metrics::Buffered;
use crate::net::Loops;
use crate::pipeline::delivery::{Delivery, Remaining};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::ThreadId;
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn an_interval_after_its_first_event_a_chunk_is_delivered() {
    let rig = Rig::start("<buffer>\nflush_interval 5s\n</buffer>", |_, _| Act::Take);
    pass(2.0).await;
    rig.emit("a", 0..3).unwrap();
    rig.emit("b", 3..5).unwrap();
    pass(4.8).await;
    assert!(rig.attempts().is_empty());
    pass(0.4).await;
    assert_eq!(rig.taken(), [0, 1, 2, 3, 4]);
    assert_eq!((rig.attempts().len(), rig.limit().unwrap().used()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_tag_as_key_makes_chunks_of_one_tag() {
    let rig = Rig::start("<buffer tag>\nflush_interval 1s\n</buffer>", |_, _| Act::Take);
    for n in 0..10 {
        rig.emit(if n % 2 == 0 { "even" } else { "odd" }, [n]).unwrap();
    }
    pass(1.5).await;
    let attempts = rig.attempts();
    assert_eq!(attempts.len(), 2);
    assert_eq!((attempts[0].numbers.as_slice(), attempts[0].chunk.keys.tag.as_deref()), ([0, 2, 4, 6, 8].as_slice(), Some("even")));
    assert_eq!((attempts[1].numbers.as_slice(), attempts[1].chunk.keys.tag.as_deref()), ([1, 3, 5, 7, 9].as_slice(), Some("odd")));
}

#[tokio::test(start_paused = true)]
async fn fields_and_times_as_keys_divide_a_batch() {
    let config = "<buffer time,kind>\ntimekey 60\ntimekey_wait 10\ntimekey_use_utc true\nflush_mode immediate\n</buffer>";
    let rig = Rig::start(config, |_, _| Act::Take);
    rig.emit_decoded("t", &[(120, 1, "x"), (121, 2, "y"), (60, 3, "x"), (179, 4, "x")]).unwrap();
    pass(1.0).await;
    let mut chunks: Vec<_> =
        rig.attempts().into_iter().map(|a| (a.chunk.keys.timekey, a.chunk.keys.variables[0].1.clone(), a.numbers)).collect();
    chunks.sort();
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(chunks, [(Some(60), text("x"), vec![3]), (Some(120), text("x"), vec![1, 4]), (Some(120), text("y"), vec![2])]);
}

#[tokio::test(start_paused = true)]
async fn time_slices_of_the_past_are_delivered_soon_and_those_of_today_are_not() {
    let rig = Rig::start("<buffer time>\ntimekey 1d\ntimekey_wait 1s\n</buffer>", |_, _| Act::Take);
    let now = EventTime::now().sec;
    rig.emit_decoded("t", &[(1_700_000_000, 1, ""), (now + 86_400, 2, "")]).unwrap();
    pass(3.0).await;
    assert_eq!(rig.taken(), [1]);
    assert_eq!(rig.delivery.usage().stage_length, 1);
}

/// Lets time pass on the clock of the machine too.
async fn pass_by_all_clocks(seconds: i64) {
    for _ in 0..seconds {
        pass(1.0).await;
        EventTime::turn_clock(1);
    }
}

#[tokio::test(start_paused = true)]
async fn time_slices_end_in_time_when_the_clock_is_turned() {
    for turn in [-30 * 86_400, -90, 0, 90, 30 * 86_400] {
        let rig = Rig::start("<buffer time>\ntimekey 60\ntimekey_wait 5s\ntimekey_use_utc true\n</buffer>", |_, _| Act::Take);
        rig.emit_decoded("t", &[(EventTime::now().sec, 1, "")]).unwrap();
        pass_by_all_clocks(1).await;
        EventTime::turn_clock(turn);
        rig.emit_decoded("t", &[(EventTime::now().sec, 2, "")]).unwrap();
        assert!(turn > 0 || rig.taken().len() < 2, "{turn}");
        // A slice, the wait, and a look.
        pass_by_all_clocks(60 + 5 + 2).await;
        let mut taken = rig.taken();
        taken.sort_unstable();
        assert_eq!(taken, [1, 2], "turned by {turn} seconds");
        assert_eq!((rig.delivery.usage().stage_length, rig.limit().unwrap().used()), (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn intervals_and_retries_do_not_heed_the_machines_clock() {
    for turn in [-400 * 86_400, 400 * 86_400] {
        let config = "<buffer>\nflush_interval 5s\nretry_wait 1s\nretry_randomize false\nretry_timeout 1h\n</buffer>";
        let rig = Rig::start(config, |attempt, _| if attempt < 3 { Act::Unreachable } else { Act::Take });
        rig.emit("t", [1]).unwrap();
        pass(1.0).await;
        EventTime::turn_clock(turn);
        pass(5.0).await;
        EventTime::turn_clock(-2 * turn);
        pass(8.0).await;
        let times: Vec<u64> = rig.attempts().iter().map(|attempt| attempt.at.round() as u64).collect();
        assert_eq!((times, rig.taken()), (vec![5, 6, 8, 12], vec![1]), "turned by {turn} seconds");
        EventTime::turn_clock(turn);
    }
}

#[tokio::test(start_paused = true)]
async fn immediate_delivers_at_once_and_gathers_while_the_output_is_busy() {
    let rig = Rig::start("<buffer>\nflush_mode immediate\n</buffer>", |_, _| Act::TakeAfter(Duration::from_secs(1)));
    rig.emit("t", [1]).unwrap();
    pass(0.1).await;
    for n in 2..50 {
        rig.emit("t", [n]).unwrap();
    }
    pass(5.0).await;
    assert_eq!(rig.attempts()[0].numbers, [1]);
    assert_eq!(rig.taken(), (1..50).collect::<Vec<_>>());
    assert!(rig.attempts().len() <= 3, "{}", rig.attempts().len());
}

#[tokio::test(start_paused = true)]
async fn where_chunks_show_immediate_makes_one_of_each_emit() {
    let config = "shows_chunks true\n<buffer>\nflush_mode immediate\n</buffer>";
    let rig = Rig::start(config, |_, _| Act::TakeAfter(Duration::from_secs(1)));
    rig.emit("t", [1, 2]).unwrap();
    rig.emit_coalesced("t", [3, 4]).unwrap();
    rig.emit("t", [5]).unwrap();
    pass(10.0).await;
    let chunks: Vec<Vec<i64>> = rig.attempts().into_iter().map(|attempt| attempt.numbers).collect();
    assert_eq!(chunks, [vec![1, 2], vec![3], vec![4], vec![5]]);
}

#[tokio::test(start_paused = true)]
async fn full_chunks_do_not_wait_for_the_interval() {
    let rig = Rig::start("<buffer>\nflush_interval 1h\nchunk_limit_records 3\n</buffer>", |_, _| Act::Take);
    rig.emit("t", 0..8).unwrap();
    pass(0.1).await;
    assert_eq!(rig.attempts().iter().map(|a| a.numbers.len()).collect::<Vec<_>>(), [3, 3]);
    rig.delivery.flush_all();
    pass(0.1).await;
    assert_eq!(rig.taken(), (0..8).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn several_writers_write_at_once_and_one_keeps_the_order() {
    let config = |threads: u32| format!("<buffer>\nflush_thread_count {threads}\nflush_interval 1h\nchunk_limit_records 1\n</buffer>");
    for threads in [1, 4] {
        let rig = Rig::start(&config(threads), |_, _| Act::TakeAfter(Duration::from_millis(100)));
        rig.emit("t", 0..40).unwrap();
        pass(10.0).await;
        assert_eq!(rig.shared.most_at_once.load(Ordering::SeqCst), threads as usize);
        let mut taken = rig.taken();
        if threads > 1 {
            taken.sort_unstable();
        }
        assert_eq!(taken, (0..40).collect::<Vec<_>>());
    }
}

#[tokio::test(start_paused = true)]
async fn many_tags_are_delivered_in_one_round_by_one_writer() {
    let rig = Rig::start("<buffer tag>\nflush_interval 1s\n</buffer>", |_, _| Act::TakeAfter(Duration::from_millis(5)));
    for n in 0..100 {
        rig.emit(&format!("tag.{n}"), [n]).unwrap();
    }
    pass(2.0).await;
    assert_eq!(rig.taken(), (0..100).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn formatted_chunks_hold_what_the_output_wrote() {
    let rig = Rig::start_as("<buffer>\nflush_interval 1s\n</buffer>", false, Defaults::BY_TAG, |_, _| Act::Take);
    rig.emit("t", 0..3).unwrap();
    pass(1.5).await;
    let attempt = &rig.attempts()[0];
    assert_eq!((attempt.chunk.bytes.as_slice(), attempt.chunk.keys.tag.as_deref()), (b"0\n1\n2\n".as_slice(), Some("t")));
}

#[tokio::test(start_paused = true)]
async fn times_in_whole_seconds_where_asked_for() {
    let rig = Rig::start("time_as_integer true\n<buffer>\nflush_mode immediate\n</buffer>", |_, _| Act::Take);
    rig.emit("t", [7]).unwrap();
    rig.emit_decoded("t", &[(5, 8, "")]).unwrap();
    pass(1.0).await;
    assert_eq!(rig.taken(), [7, 8]);
    assert!(rig.attempts().iter().all(|attempt| attempt.chunk.bytes[1] != 0xd7), "{:?}", rig.attempts());
}

#[tokio::test(start_paused = true)]
async fn compressed_chunks_arrive_as_they_were() {
    for how in ["gzip", "zstd"] {
        let config = format!("<buffer>\ncompress {how}\nflush_mode immediate\nretry_wait 20s\nretry_randomize false\n</buffer>");
        let rig = Rig::start(&config, |nth, _| if nth == 0 { Act::Unreachable } else { Act::Take });
        rig.emit_padded("t", 0..200, 100).0.unwrap();
        pass(15.0).await;
        let held = rig.limit().unwrap().used();
        assert!(held > 0 && held < 5000, "{held}");
        assert_eq!(rig.delivery.usage().queue_bytes + CHUNK_COST_BYTES, held);
        pass(10.0).await;
        assert_eq!(rig.taken(), (0..200).collect::<Vec<_>>());
        assert_eq!((rig.limit().unwrap().used(), rig.delivery.usage().queue_bytes), (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_burst_interval_puts_pauses_between_deliveries() {
    let config = "<buffer>\nflush_interval 1h\nchunk_limit_records 1\nflush_thread_burst_interval 2\n</buffer>";
    let rig = Rig::start(config, |_, _| Act::Take);
    rig.emit("t", 0..3).unwrap();
    pass(10.0).await;
    assert_eq!(rig.times(), [0, 2, 4]);
}

/// Ends a delivery whose writers are on threads of their own.
fn stop(rig: &Rig, seconds: u64) -> Remaining {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(rig.stop(seconds))
}

/// Emits from one of the threads that deliver, each chunk when the one before has gone, and gives where that was and where each was delivered.
fn emit_from_a_loop(rig: &Arc<Rig>, loops: &Loops, number: usize) -> (ThreadId, Vec<ThreadId>) {
    let (tell, told) = std::sync::mpsc::channel();
    let emits = Arc::clone(rig);
    loops.spawn_on(number, async move {
        let before = emits.attempts().len();
        for n in 0..20 {
            emits.emit("t", [n]).unwrap();
            while emits.attempts().len() <= before + n as usize {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        let threads = emits.attempts()[before..].iter().map(|attempt| attempt.thread).collect();
        tell.send((std::thread::current().id(), threads)).unwrap();
    });
    told.recv_timeout(Duration::from_secs(20)).unwrap()
}

#[test]
fn a_chunk_is_delivered_by_a_thread_that_does_not_fill_the_next() {
    for threads in [1, 2] {
        let loops = Loops::start(2).unwrap();
        let config = format!("<buffer>\nflush_interval 1h\nflush_thread_count {threads}\nchunk_limit_records 1\n</buffer>");
        let rig = Arc::new(Rig::idle(&config, |_, _| Act::Take));
        Delivery::start(&rig.delivery, &loops);
        for number in [0, 1] {
            let (here, delivered) = emit_from_a_loop(&rig, &loops, number);
            let own = delivered.iter().filter(|thread| **thread == here).count();
            // A machine that is busy elsewhere may let the other one wait for longer than it is waited for.
            assert!(delivered.len() == 20 && own < 16, "{own} of {} on the same thread", delivered.len());
        }
        stop(&rig, 5);
    }
}

#[test]
fn what_a_writer_that_hangs_does_not_take_is_delivered_by_the_other() {
    let loops = Loops::start(2).unwrap();
    let config = "<buffer>\nflush_interval 1h\nflush_thread_count 2\nchunk_limit_records 1\n</buffer>";
    let rig = Arc::new(Rig::idle(config, |nth, _| if nth == 0 { Act::Hang } else { Act::Take }));
    Delivery::start(&rig.delivery, &loops);
    // Mostly the first is not delivered where all are filled, and the others have to be.
    let (_, delivered) = emit_from_a_loop(&rig, &loops, 1);
    assert!(delivered.len() == 20 && delivered[1..].iter().all(|thread| *thread != delivered[0]), "{delivered:?}");
    rig.delivery.abandon();
    stop(&rig, 1);
}

#[test]
fn as_many_write_at_once_as_there_are_flush_threads_wherever_chunks_are_filled() {
    let loops = Loops::start(2).unwrap();
    let config = "<buffer>\nflush_interval 1h\nflush_thread_count 5\nchunk_limit_records 1\n</buffer>";
    for round in 0..20 {
        let rig = Arc::new(Rig::idle(config, |_, _| Act::Hang));
        Delivery::start(&rig.delivery, &loops);
        let emits = Arc::clone(&rig);
        loops.spawn_on(round % 2, async move {
            for n in 0..7 {
                emits.emit("t", [n]).unwrap();
            }
        });
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        while rig.attempts().len() < 5 && std::time::Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(rig.attempts().len(), 5, "no fewer, and after a while no more");
        rig.delivery.abandon();
        stop(&rig, 1);
    }
}

#[test]
fn with_writers_on_several_threads_no_more_write_at_once_than_flush_threads() {
    let loops = Loops::start(3).unwrap();
    let rig = Rig::idle("<buffer>\nflush_interval 1h\nflush_thread_count 1\nchunk_limit_records 1\n</buffer>", |_, _| {
        Act::TakeAfter(Duration::from_millis(1))
    });
    Delivery::start(&rig.delivery, &loops);
    rig.emit("t", 0..200).unwrap();
    let remaining = stop(&rig, 20);
    assert_eq!((remaining.chunks, rig.taken()), (0, (0..200).collect()), "one after another, in order");
    assert_eq!(rig.shared.most_at_once.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_successor_does_not_wait_for_a_write_that_hangs() {
    let config = "<buffer>\nflush_interval 1s\nflush_thread_count 1\n</buffer>";
    let old = Rig::start(config, |_, _| Act::Hang);
    old.emit("t", [1]).unwrap();
    pass(3.0).await;
    assert_eq!(old.attempts().len(), 1);
    let mut new = Rig::idle(config, |_, _| Act::Take);
    new.take_over(&old);
    new.emit("t", [2]).unwrap();
    pass(3.0).await;
    assert_eq!(new.taken(), [2]);
}

/// Threads that emit, threads that deliver, and trouble in between, on the machine's own clock.
#[test]
fn many_threads_lose_and_repeat_nothing() {
    let loops = Loops::start(2).unwrap();
    let config = "<buffer tag>\nflush_interval 0s\nflush_thread_interval 0.01\nflush_thread_count 3\nchunk_limit_records 50\nretry_wait 0.01\n</buffer>";
    let rig = Rig::idle(config, |nth, numbers| match nth % 7 {
        3 => Act::Fail,
        5 => Act::TakeFirst(numbers.len() / 3),
        _ => Act::Take,
    });
    Delivery::start(&rig.delivery, &loops);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let rig = &rig;
            scope.spawn(move || {
                for n in 0..2000 {
                    rig.emit(&format!("t{}", n % 3), [thread * 2000 + n]).unwrap();
                }
            });
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while rig.delivery.counters().delivered_records.get() < 8000 && std::time::Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    runtime.block_on(rig.stop(5));
    let mut all = rig.taken();
    all.sort_unstable();
    assert_eq!(all, (0..8000).collect::<Vec<_>>());
    assert_eq!(rig.limit().unwrap().used(), 0);
}
