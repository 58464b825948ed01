//! What happens after failures.

use super::rig::{Act, Rig, pass};
use crate::buffer::CHUNK_COST_BYTES;
use crate::metrics::Buffered;
use std::time::Duration;

const ONE_A_CHUNK: &str = "flush_interval 1h\nchunk_limit_records 1\nretry_randomize false";

#[tokio::test(start_paused = true)]
async fn a_failed_chunk_waits_and_the_others_go_on() {
    let config = format!("<buffer>\n{ONE_A_CHUNK}\n</buffer>");
    let rig = Rig::start(&config, |nth, numbers| if numbers == [2] && nth < 20 { Act::Fail } else { Act::Take });
    rig.emit("t", 0..10).unwrap();
    pass(0.5).await;
    assert_eq!(rig.taken(), [0, 1, 3, 4, 5, 6, 7, 8, 9]);
    pass(20.0).await;
    let of_two: Vec<i64> = rig.attempts().iter().filter(|a| a.numbers == [2]).map(|a| a.at.round() as i64).collect();
    assert_eq!(of_two, [0, 1, 3, 7, 15]);
    assert_eq!(rig.delivery.counters().retry_count.get(), 5);
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_server_is_probed_by_one_chunk_at_growing_distances() {
    let config = format!("<buffer>\n{ONE_A_CHUNK}\nflush_thread_count 4\n</buffer>");
    let rig = Rig::start(&config, |nth, _| if nth < 7 { Act::Unreachable } else { Act::Take });
    rig.emit("t", 0..50).unwrap();
    pass(0.5).await;
    let at_first = rig.attempts().len();
    assert!(at_first <= 4, "{at_first}");
    pass(200.0).await;
    let probes: Vec<i64> = rig.times().into_iter().skip(at_first).take(8 - at_first).collect();
    let mut expected = vec![1, 3, 7, 15, 31, 63, 127];
    expected.truncate(probes.len());
    assert_eq!(probes, expected);
    let mut taken = rig.taken();
    taken.sort_unstable();
    assert_eq!(taken, (0..50).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn order_survives_a_short_outage() {
    let config = format!("<buffer>\n{ONE_A_CHUNK}\n</buffer>");
    let rig = Rig::start(&config, |nth, _| if (3..5).contains(&nth) { Act::Unreachable } else { Act::Take });
    rig.emit("t", 0..10).unwrap();
    pass(10.0).await;
    assert_eq!(rig.taken(), (0..10).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_chunk_that_breaks_connections_does_not_stop_the_others() {
    let config = format!("<buffer>\n{ONE_A_CHUNK}\nretry_max_times 6\n</buffer>");
    let rig = Rig::start(&config, |_, numbers| if numbers == [0] { Act::Break } else { Act::Take });
    rig.emit("t", 0..20).unwrap();
    pass(10.0).await;
    assert_eq!(rig.taken(), (1..20).collect::<Vec<_>>());
    pass(300.0).await;
    assert_eq!(rig.backed_up(), [0]);
    assert!(rig.attempts().iter().filter(|a| a.numbers == [0]).count() <= 12);
}

#[tokio::test(start_paused = true)]
async fn at_the_limit_only_the_chunk_concerned_is_given_up() {
    let config = format!("<buffer>\n{ONE_A_CHUNK}\nretry_max_times 3\n</buffer>");
    let rig = Rig::start(&config, |_, numbers| if numbers == [1] { Act::Fail } else { Act::Take });
    rig.emit("t", 0..4).unwrap();
    pass(30.0).await;
    assert_eq!(rig.taken(), [0, 2, 3]);
    assert_eq!(rig.backed_up(), [1]);
    assert_eq!(rig.attempts().iter().filter(|a| a.numbers == [1]).map(|a| a.at.round() as i64).collect::<Vec<_>>(), [0, 1, 3, 7]);
    assert_eq!(rig.delivery.counters().backup_records.get(), 1);
    assert_eq!(rig.limit().unwrap().used(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_is_tried_once_more_at_its_very_end() {
    let config = format!("<buffer>\n{ONE_A_CHUNK}\nretry_timeout 10s\n</buffer>");
    let rig = Rig::start(&config, |_, _| Act::Fail);
    rig.emit("t", [5]).unwrap();
    pass(60.0).await;
    assert_eq!(rig.times(), [0, 1, 3, 7, 10]);
    assert_eq!(rig.backed_up(), [5]);
}

#[tokio::test(start_paused = true)]
async fn an_outage_gives_up_what_has_waited_too_long_and_nothing_younger() {
    let config = format!("<buffer>\n{ONE_A_CHUNK}\nretry_max_times 3\n</buffer>");
    let rig = Rig::start(&config, |_, _| Act::Unreachable);
    rig.emit("t", 0..3).unwrap();
    pass(5.0).await;
    rig.emit("t", [3]).unwrap();
    pass(4.0).await;
    assert_eq!(rig.backed_up(), [0, 1, 2]);
    assert_eq!(rig.delivery.usage().queue_length, 1);
    pass(300.0).await;
    assert_eq!(rig.backed_up(), [0, 1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn forever_is_forever_and_periodic_is_periodic() {
    let config = format!("<buffer>\n{ONE_A_CHUNK}\nretry_forever true\nretry_max_times 2\nretry_type periodic\nretry_wait 10s\n</buffer>");
    let rig = Rig::start(&config, |nth, _| if nth < 100 { Act::Unreachable } else { Act::Take });
    rig.emit("t", [1]).unwrap();
    pass(995.0).await;
    assert_eq!(rig.attempts().len(), 100);
    pass(10.0).await;
    assert_eq!(rig.taken(), [1]);
}

#[tokio::test(start_paused = true)]
async fn outages_last_longer_than_any_timeout_without_a_storm() {
    let config = "<buffer>\nflush_interval 1s\nretry_timeout 20s\nretry_randomize false\nretry_max_interval 30s\n</buffer>";
    let rig = Rig::start(config, |_, _| Act::Unreachable);
    for n in 0..600 {
        rig.emit("t", [n]).unwrap();
        pass(1.0).await;
    }
    assert!(rig.attempts().len() < 40, "{}", rig.attempts().len());
    rig.stop(5).await;
    assert_eq!(rig.backed_up(), (0..600).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn the_rest_of_a_chunk_is_retried_alone() {
    let rig = Rig::start("<buffer>\nflush_mode immediate\nretry_randomize false\n</buffer>", |nth, _| match nth {
        0 => Act::TakeFirst(4),
        1 => Act::TakeFirst(0),
        2 => Act::TakeFirst(3),
        _ => Act::Take,
    });
    rig.emit("t", 0..10).unwrap();
    let held = rig.limit().unwrap().used() - CHUNK_COST_BYTES;
    pass(0.5).await;
    assert_eq!(rig.limit().unwrap().used() - CHUNK_COST_BYTES, held * 6 / 10);
    pass(20.0).await;
    assert_eq!(rig.taken(), (0..10).collect::<Vec<_>>());
    assert_eq!(rig.times(), [0, 1, 3, 4]);
    assert_eq!((rig.limit().unwrap().used(), rig.delivery.counters().delivered_records.get()), (0, 10));
}

#[tokio::test(start_paused = true)]
async fn what_can_never_be_delivered_is_kept_at_once() {
    let config = format!("<buffer>\n{ONE_A_CHUNK}\n</buffer>");
    let rig = Rig::start(&config, |_, numbers| match numbers {
        [1] => Act::Never,
        [2] => Act::Panic,
        _ => Act::Take,
    });
    rig.emit("t", 0..4).unwrap();
    pass(1.0).await;
    assert_eq!((rig.taken(), rig.backed_up()), (vec![0, 3], vec![1, 2]));
}

#[tokio::test(start_paused = true)]
async fn backups_can_be_switched_off() {
    let rig = Rig::start("<buffer>\nflush_mode immediate\ndisable_chunk_backup true\n</buffer>", |_, _| Act::Never);
    rig.emit("t", 0..4).unwrap();
    pass(1.0).await;
    assert!(rig.backed_up().is_empty());
    assert_eq!((rig.delivery.counters().lost_records.get(), rig.limit().unwrap().used()), (4, 0));
}

#[tokio::test(start_paused = true)]
async fn the_secondary_takes_what_the_output_cannot() {
    let secondary = "<secondary>\n@type null\n</secondary>";
    let rig = Rig::start(&format!("<buffer>\n{ONE_A_CHUNK}\nretry_max_times 4\n</buffer>\n{secondary}"), |_, numbers| match numbers {
        [1] => Act::Never,
        [2] => Act::Fail,
        _ => Act::Take,
    });
    rig.emit("t", 0..4).unwrap();
    pass(60.0).await;
    assert_eq!((rig.taken(), rig.backed_up()), (vec![0, 3], vec![]));
    let counters = rig.delivery.counters();
    assert_eq!((counters.write_secondary_count.get(), counters.delivered_records.get(), rig.limit().unwrap().used()), (2, 4, 0));
    // One, two, four, eight seconds in all: the secondary takes over after four fifths of that.
    assert!(rig.attempts().iter().filter(|a| a.numbers == [2]).all(|a| a.at < 12.0));
}

#[tokio::test(start_paused = true)]
async fn slow_deliveries_are_counted() {
    let rig = Rig::start("slow_flush_log_threshold 2.5\n<buffer>\nflush_mode immediate\n</buffer>", |_, _| {
        Act::TakeAfter(Duration::from_secs(3))
    });
    rig.emit("t", [1]).unwrap();
    pass(5.0).await;
    let counters = rig.delivery.counters();
    assert_eq!((counters.slow_flush_count.get(), counters.flush_time_count.get()), (1, 3000));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_refuses_everything_is_not_stormed() {
    let config = format!("<buffer tag>\n{ONE_A_CHUNK}\nflush_thread_count 4\n</buffer>");
    let rig = Rig::start(&config, |nth, _| if nth < 30 { Act::Fail } else { Act::Take });
    for n in 0..100 {
        rig.emit(&format!("t{n}"), [n]).unwrap();
    }
    pass(20.0).await;
    assert!(rig.attempts().len() < 20, "{}", rig.attempts().len());
    pass(1000.0).await;
    let mut taken = rig.taken();
    taken.sort_unstable();
    assert_eq!(taken, (0..100).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn chunks_that_are_always_refused_do_not_keep_good_ones_waiting_for_long() {
    let config = format!("<buffer>\n{ONE_A_CHUNK}\n</buffer>");
    let rig = Rig::start(&config, |_, numbers| if numbers[0] < 5 { Act::Fail } else { Act::Take });
    rig.emit("t", 0..5).unwrap();
    pass(4000.0).await;
    rig.emit("t", [5]).unwrap();
    pass(31.0).await;
    assert_eq!(rig.taken(), [5]);
    for n in 6..100 {
        rig.emit("t", [n]).unwrap();
        pass(10.0).await;
    }
    pass(60.0).await;
    assert_eq!(rig.taken(), (5..100).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn random_trouble_loses_and_repeats_nothing() {
    let config = "<buffer tag>\nflush_interval 1s\nchunk_limit_records 7\nflush_thread_count 3\nretry_max_interval 5s\n</buffer>";
    let rig = Rig::start(config, |nth, numbers| match (nth as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 61 {
        0 => Act::Fail,
        1 => Act::Unreachable,
        2 => Act::Break,
        3 => Act::TakeFirst(numbers.len() / 2),
        4 => Act::TakeAfter(Duration::from_millis(300)),
        _ => Act::Take,
    });
    for n in 0..2000 {
        rig.emit(&format!("t{}", n % 5), [n]).unwrap();
        if n % 10 == 0 {
            pass(0.1).await;
        }
    }
    pass(600.0).await;
    let mut taken = rig.taken();
    taken.sort_unstable();
    assert_eq!(taken, (0..2000).collect::<Vec<_>>());
    assert_eq!((rig.limit().unwrap().used(), rig.delivery.counters().delivered_records.get()), (0, 2000));
}
