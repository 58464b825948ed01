//! Buffers on disk: what a stop leaves there, and what the next start makes of it.

use super::rig::{Act, Rig, pass};
use std::path::PathBuf;
use std::time::Duration;

/// A folder for buffers, gone with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        Folder(std::env::temp_dir().join(format!("flumen-on-disk-{}-{name}", std::process::id())))
    }

    /// The inside of a `<match>` with a file buffer here.
    fn buffer(&self, keys: &str, more: &str) -> String {
        format!("<buffer {keys}>\n@type file\npath {}\n{more}\n</buffer>", self.0.display())
    }

    fn files(&self) -> usize {
        std::fs::read_dir(&self.0).map_or(0, Iterator::count)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn start(inside: &str, act: Act) -> Rig {
    let rig = Rig::idle(inside, move |_, _| act.clone());
    rig.delivery.prepare().unwrap();
    rig.start_tasks();
    rig
}

#[tokio::test(start_paused = true)]
async fn what_waits_at_the_end_is_there_at_the_next_start() {
    let folder = Folder::new("waits");
    let inside = folder.buffer("tag", "flush_interval 10s");
    let rig = start(&inside, Act::Fail);
    rig.emit("a", [1, 2]).unwrap();
    pass(15.0).await;
    rig.emit("b", [3]).unwrap();
    let remaining = rig.stop(5).await;
    assert_eq!((remaining.chunks, remaining.kept, rig.backed_up()), (0, 3, vec![]));

    let rig = start(&inside, Act::Take);
    // The chunk that still took events goes on doing so.
    rig.emit("b", [4]).unwrap();
    pass(15.0).await;
    assert_eq!(rig.attempts().iter().map(|attempt| attempt.numbers.clone()).collect::<Vec<_>>(), [vec![1, 2], vec![3, 4]]);
    assert_eq!((rig.stop(5).await.kept, folder.files()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn at_the_end_it_is_delivered_where_that_is_asked_for() {
    let folder = Folder::new("flushed");
    let rig = start(&folder.buffer("", "flush_interval 1h\nflush_at_shutdown true"), Act::Take);
    rig.emit("a", [1, 2]).unwrap();
    assert_eq!((rig.stop(5).await.kept, rig.taken(), folder.files()), (0, vec![1, 2], 0));
}

#[tokio::test(start_paused = true)]
async fn the_rest_of_a_chunk_is_all_that_is_left_of_it() {
    let folder = Folder::new("rest");
    let inside = folder.buffer("", "flush_interval 1s\nretry_wait 1h");
    let rig = start(&inside, Act::TakeFirst(2));
    rig.emit("a", 1..=5).unwrap();
    pass(3.0).await;
    assert_eq!((rig.taken(), rig.stop(5).await.kept), (vec![1, 2], 3));
    let rig = start(&inside, Act::Take);
    pass(3.0).await;
    assert_eq!(rig.taken(), [3, 4, 5]);
    rig.stop(5).await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_delivered_leaves_the_disk_for_the_backup_folder() {
    let folder = Folder::new("never");
    let rig = start(&folder.buffer("", "flush_interval 1s"), Act::Never);
    rig.emit("a", [1, 2]).unwrap();
    pass(3.0).await;
    assert_eq!(rig.backed_up(), [1, 2]);
    assert_eq!((rig.stop(5).await.kept, folder.files()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn the_oldest_chunk_makes_room_where_that_is_asked_for() {
    let folder = Folder::new("oldest");
    let more = "flush_interval 1h\nchunk_limit_records 1\ntotal_limit_size 1500\noverflow_action drop_oldest_chunk\nretry_wait 1h";
    let inside = folder.buffer("", more);
    let rig = start(&inside, Act::Fail);
    for n in 0..4 {
        rig.emit("a", [n]).unwrap();
        pass(0.1).await;
    }
    rig.stop(5).await;
    let rig = start(&inside, Act::Take);
    pass(1.0).await;
    assert!(!rig.taken().contains(&0) && rig.taken().ends_with(&[3]), "{:?}", rig.taken());
    rig.stop(5).await;
}

#[tokio::test(start_paused = true)]
async fn chunks_of_another_form_are_set_aside() {
    let folder = Folder::new("form");
    let inside = folder.buffer("", "flush_interval 1h");
    let rig = start(&inside, Act::Take);
    rig.emit("a", [1, 2]).unwrap();
    rig.stop(5).await;
    let rig = Rig::idle_as(&inside, false, |_, _| Act::Take);
    rig.delivery.prepare().unwrap();
    rig.start_tasks();
    pass(2.0).await;
    assert_eq!((rig.attempts().len(), rig.backed_up()), (0, vec![1, 2]));
    rig.stop(5).await;
    assert_eq!(folder.files(), 0);
}

#[tokio::test(start_paused = true)]
async fn other_keys_let_old_chunks_go_as_they_are() {
    let folder = Folder::new("keys");
    let rig = start(&folder.buffer("tag", "flush_interval 1h"), Act::Take);
    rig.emit("a", [1]).unwrap();
    rig.stop(5).await;
    let rig = start(&folder.buffer("", "flush_interval 1h"), Act::Take);
    rig.emit("a", [2]).unwrap();
    pass(Duration::from_secs(2).as_secs_f64()).await;
    assert_eq!(rig.taken(), [1]);
    rig.stop(5).await;
}
