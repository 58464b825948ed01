//! Power cuts, and damage of every byte.

use super::*;
use std::collections::{BTreeMap, HashSet};

/// Appends and delivers until the power goes at some point; gives what was acknowledged, and what was surely not delivered.
fn live_a_little(rig: &Rig, next: &mut i64, acknowledged: &mut Vec<i64>, delivered: &mut HashSet<i64>) {
    let mut claims = Vec::new();
    let mut open: Vec<(u64, Vec<i64>)> = rig.found.iter().map(|found| (found.number, rig.read(found.number))).collect();
    for _ in 0..crate::buffer::random() % 40 {
        match crate::buffer::random() % 8 {
            0 | 1 => open.push((rig.log.begin(&head(&format!("tag {next}"))), Vec::new())),
            2 if !open.is_empty() => {
                let (number, held) = open.swap_remove(0);
                delivered.extend(held);
                rig.chunk(number).done();
            }
            3 if !open.is_empty() => {
                rig.log.close_chunk(open[0].0);
            }
            _ => {
                let Some((number, held)) = open.last_mut() else { continue };
                let some: Vec<i64> = (*next..*next + 1 + (crate::buffer::random() % 30) as i64).collect();
                *next += some.len() as i64;
                held.extend(&some);
                claims.push((rig.append_acked(*number, some.clone()), some));
            }
        }
        if crate::buffer::random().is_multiple_of(4)
            && let Some((claim, _)) = claims.last()
        {
            acked(claim);
        }
    }
    for (claim, some) in claims {
        if claim.answer() == Answer::Ack {
            acknowledged.extend(some);
        }
    }
}

#[test]
fn what_is_acknowledged_survives_power_cuts() {
    for _ in 0..40 {
        let mut disk = SimDisk::default();
        let (mut next, mut acknowledged, mut delivered) = (0, Vec::new(), HashSet::new());
        for _ in 0..6 {
            let rig = open(&disk);
            live_a_little(&rig, &mut next, &mut acknowledged, &mut delivered);
            disk = disk.crash();
            drop(rig);
        }
        let rig = open(&disk);
        let found: HashSet<i64> = rig.read_all().into_iter().collect();
        let lost: Vec<i64> = acknowledged.iter().copied().filter(|n| !found.contains(n) && !delivered.contains(n)).collect();
        assert!(lost.is_empty(), "lost {lost:?}");
    }
}

/// A small buffer: two chunks over two segments, some of it delivered. Gives the files and what they hold.
fn small() -> (BTreeMap<std::path::PathBuf, Vec<u8>>, Vec<i64>) {
    let disk = SimDisk::default();
    let rig = open(&disk);
    let (one, two) = (rig.log.begin(&head("one")), rig.log.begin(&head("two")));
    for n in 0..3 {
        rig.append(one, [n], None);
        rig.append(two, [10 + n], Some(Origin { digest: [1; 16], first: 5 }));
    }
    rig.log.close_chunk(one);
    drop(rig);
    (disk.files(), vec![0, 1, 2, 10, 11, 12])
}

#[test]
fn a_flipped_byte_costs_one_frame_at_most_and_is_reported() {
    let (files, all) = small();
    for (path, bytes) in &files {
        for at in 0..bytes.len() {
            let mut damaged = files.clone();
            damaged.get_mut(path).unwrap()[at] ^= 0x55;
            let rig = open(&SimDisk::with(&damaged));
            let mut found = rig.read_all();
            found.sort_unstable();
            assert!(found.iter().all(|n| all.contains(n)) && found.len() + 1 >= all.len(), "byte {at}: {found:?}");
            assert_eq!(rig.damage.lock().unwrap().len(), 1, "byte {at}");
        }
    }
}

#[test]
fn a_cut_file_gives_what_it_holds_and_is_taken_up_again() {
    let (files, all) = small();
    for (path, bytes) in &files {
        let mut before = 0;
        for length in 0..bytes.len() {
            let mut damaged = files.clone();
            damaged.get_mut(path).unwrap().truncate(length);
            let disk = SimDisk::with(&damaged);
            let rig = open(&disk);
            let found = rig.read_all();
            assert!(found.iter().all(|n| all.contains(n)), "{found:?}");
            assert!(found.len() >= before, "{length}: {found:?}");
            before = found.len();
            let chunk = rig.log.begin(&head("more"));
            rig.append(chunk, [77], None);
            drop(rig);
            // The torn end is cut: it is not met again.
            let rig = open(&disk);
            assert!(rig.damage.lock().unwrap().is_empty());
            assert_eq!(rig.read_all().len(), found.len() + 1);
        }
    }
}
