//! Files that are written over.

use super::*;
use std::collections::VecDeque;

/// Appends and delivers so much that files are written over, with a few chunks alive at a time; the events of those.
fn go_round(rig: &Rig, rounds: i64, alive: usize) -> VecDeque<(u64, Vec<i64>)> {
    let mut held = VecDeque::new();
    for round in 0..rounds {
        let chunk = rig.log.begin(&head("t"));
        let events: Vec<i64> = (round * 100..round * 100 + 60).collect();
        acked(&rig.append_acked(chunk, events.clone()));
        held.push_back((chunk, events));
        if held.len() > alive {
            rig.chunk(held.pop_front().unwrap().0).done();
        }
    }
    held
}

fn events(held: VecDeque<(u64, Vec<i64>)>) -> Vec<i64> {
    held.into_iter().flat_map(|(_, events)| events).collect()
}

#[test]
fn files_of_what_is_delivered_are_written_over() {
    let disk = SimDisk::default();
    let rig = open(&disk);
    let held = go_round(&rig, 100, 6);
    assert!(disk.renames() > 10 && disk.creates() < disk.renames(), "{} new, {} renamed", disk.creates(), disk.renames());
    for (chunk, events) in &held {
        assert_eq!(rig.read(*chunk), *events);
    }
    // As after a kill: what stands in the files is all there is.
    let rig = open(&SimDisk::with(&disk.files()));
    // That the last one is delivered may not be written yet.
    let (found, held) = (rig.read_all(), events(held));
    assert!(found.ends_with(&held) && found.len() <= held.len() + 60, "{found:?}");
    assert!(rig.damage.lock().unwrap().is_empty());
}

#[test]
fn files_that_nobody_needs_go_when_there_is_nothing_to_do_and_at_the_start() {
    let disk = SimDisk::default();
    let rig = open(&disk);
    go_round(&rig, 30, 0);
    let spares = |disk: &SimDisk| disk.files().keys().filter(|path| path.to_string_lossy().contains("spare")).count();
    let mut left = disk.files();
    until("a file to be kept", || {
        left = disk.files();
        spares(&SimDisk::with(&left)) > 0
    });
    until("the files to go", || spares(&disk) == 0);
    let after_a_kill = SimDisk::with(&left);
    let _rig = open(&after_a_kill);
    assert_eq!(spares(&after_a_kill), 0);
    drop(rig);
    assert!(disk.files().is_empty());
}

/// How many files are kept at most when ten segments are delivered at once, with such a limit.
fn most_kept(limit: usize) -> usize {
    let disk = SimDisk::default();
    let rig = open(&disk);
    rig.limits.disk.set_max(limit as u64);
    go_round(&rig, 60, 60).into_iter().for_each(|(chunk, _)| rig.chunk(chunk).done());
    let mut most = 0;
    until("all files to go", || {
        let files = disk.files();
        most = most.max(files.keys().filter(|path| path.to_string_lossy().contains("spare")).count());
        files.is_empty()
    });
    most
}

#[test]
fn files_are_kept_only_while_the_buffer_has_room_for_more() {
    assert_eq!(most_kept(1 << 20), 8);
    assert!((1..=3).contains(&most_kept(6 * SEGMENT_BYTES)));
}

#[test]
fn a_flipped_byte_of_a_file_that_was_written_over_costs_one_frame_at_most() {
    let disk = SimDisk::default();
    let rig = open(&disk);
    let held = events(go_round(&rig, 40, 4));
    let files = disk.files();
    // That the last chunk is delivered may not be written yet.
    let all = open(&SimDisk::with(&files)).read_all();
    assert!(all.ends_with(&held));
    let count = |these: &[i64], those: &[i64]| these.iter().filter(|n| !those.contains(n)).count();
    let (mut silent, mut told) = (0, 0);
    for (path, bytes) in files.iter().filter(|(path, _)| !path.to_string_lossy().contains("spare")) {
        for at in (0..bytes.len()).step_by(3) {
            let mut damaged = files.clone();
            damaged.get_mut(path).unwrap()[at] ^= 0x55;
            let rig = open(&SimDisk::with(&damaged));
            let found = rig.read_all();
            let damage = rig.damage.lock().unwrap().len();
            // A frame can be the events of a chunk, or the word that they are delivered.
            let (missing, more) = (count(&all, &found), count(&found, &all));
            assert!(missing + more <= 60 && damage <= 1, "byte {at}: {missing} missing, {more} more, {damage} damaged");
            // Only what was there before can be damaged without a word.
            assert!(damage == 1 || found == all, "byte {at}");
            *(if damage == 0 { &mut silent } else { &mut told }) += 1;
        }
    }
    assert!(silent > 0 && told > 0, "{silent} {told}");
}

#[test]
fn what_is_acknowledged_survives_power_cuts_while_files_are_written_over() {
    for _ in 0..60 {
        let mut disk = SimDisk::default();
        let mut undelivered: Vec<i64> = Vec::new();
        for _ in 0..4 {
            let rig = open(&disk);
            let found = rig.read_all();
            let lost: Vec<&i64> = undelivered.iter().filter(|n| !found.contains(n)).collect();
            assert!(lost.is_empty(), "lost {lost:?}");
            let rounds = 5 + (crate::buffer::random() % 30) as i64;
            let held = go_round(&rig, rounds, (crate::buffer::random() % 4) as usize);
            let chunk = rig.log.begin(&head("last"));
            let claim = rig.append_acked(chunk, 1_000_000..1_000_100);
            if crate::buffer::random().is_multiple_of(2) {
                acked(&claim);
            }
            disk = disk.crash();
            undelivered = events(held);
            if claim.answer() == Answer::Ack {
                undelivered.extend(1_000_000..1_000_100);
            }
        }
    }
}
