//! File buffers of the running daemon: what is acknowledged arrives, whatever happens to the process or its disk in between.

use crate::support::bulk_server::{Answer, BulkServer, Item};
use crate::support::forward::{chunk_option, forward};
use crate::support::load::{self, Load};
use crate::support::{Daemon, FORWARD_SOURCE, PATIENCE, SearchNode, Sender, Value, wait_until};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// A folder for a buffer, that outlives the daemons.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("flumen-durable-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    /// The files in it, but for the lock.
    fn files(&self) -> Vec<PathBuf> {
        let files = std::fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| !path.to_string_lossy().contains("lock")).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// To Elasticsearch through a file buffer in `BUFFER`.
fn config(more: &str) -> String {
    format!(
        "{FORWARD_SOURCE}<match t t.*>\n@type elasticsearch\nport \"#{{ENV['SERVER']}}\"\nindex_name logs\n{more}\n<buffer tag>\n@type file\n\
         path \"#{{ENV['BUFFER']}}\"\nflush_interval 0.05\nflush_thread_interval 0.01\nretry_wait 0.1\nretry_max_interval 1\n</buffer>\n</match>\n"
    )
}

fn start(config: &str, server: u16, folder: &Path) -> Daemon {
    Daemon::with(config).env("SERVER", server).env("BUFFER", folder.display()).start()
}

#[test]
fn only_the_rest_of_a_chunk_is_sent_after_a_restart() {
    let (server, folder) = (BulkServer::start(), Folder::new("rest"));
    let later = || Item::Refused(429, "es_rejected_execution_exception", "busy");
    let config = config("").replace("retry_wait 0.1", "retry_wait 1h");
    // The first and the third are stored, the second has to wait.
    server.script([Answer::Items(vec![Item::Created, later(), Item::Created])]);
    let daemon = start(&config, server.port(), &folder.0);
    let events: Vec<_> = (0..3).map(|n| (Value::Int(1_700_000_000), Value::json(&format!("{{\"n\":{n}}}")))).collect();
    let mut sender = Sender::connect(daemon.port("FORWARD_PORT"));
    sender.send(&forward("t", &events, chunk_option("c")));
    assert_eq!(sender.ack(), b"c");
    daemon.wait_for_log("the failure", |lines| lines.iter().any(|line| line.contains("failed to flush the buffer")));
    let finished = daemon.stop();
    assert!(finished.stderr.iter().any(|line| line.contains("events stay in the buffer on disk: records=1")), "{:?}", finished.stderr);
    let daemon = start(&config, server.port(), &folder.0);
    let documents = server.wait_for_documents(3);
    assert_eq!(documents.iter().map(|(_, document)| document["n"].as_i64().unwrap()).collect::<Vec<_>>(), [0, 2, 1]);
    drop(daemon);
}

#[test]
fn a_second_process_is_refused_with_the_path() {
    let (server, folder) = (BulkServer::start(), Folder::new("lock"));
    let daemon = start(&config(""), server.port(), &folder.0);
    let second = Daemon::with(&config("")).env("SERVER", server.port()).env("BUFFER", folder.0.display()).run();
    assert_ne!(second.code, 0);
    let wanted = format!("the buffer {} is used by another process (pid {})", folder.0.display(), daemon.pid());
    assert!(second.stderr.iter().any(|line| line.contains(&wanted)), "{:?}", second.stderr);
    let twice = format!("{}{}", config("").replace("<match t t.*>", "<match a>"), config("").split_once("</source>\n").unwrap().1);
    let refused = Daemon::with(&twice).env("SERVER", server.port()).env("BUFFER", folder.0.display()).argument("--dry-run").run();
    let wanted = "Other 'elasticsearch' plugin already use same buffer path: type = elasticsearch, buffer path = ";
    assert!(refused.stderr.iter().any(|line| line.contains(wanted)), "{:?}", refused.stderr);
}

#[test]
fn damage_is_reported_and_costs_no_more_than_itself() {
    let (server, folder) = (BulkServer::start(), Folder::new("damage"));
    let config = config("").replace("flush_interval 0.05", "flush_interval 1h");
    let daemon = start(&config, server.port(), &folder.0);
    let mut sender = Sender::connect(daemon.port("FORWARD_PORT"));
    for n in 0..3 {
        let chunk = n.to_string();
        sender.send(&forward("t", &[(Value::Int(1_700_000_000), Value::json(&format!("{{\"n\":{n}}}")))], chunk_option(&chunk)));
        assert_eq!(sender.ack(), chunk.as_bytes());
    }
    daemon.kill();
    let file = folder.files().pop().unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    // In the body of the second event, and at the end as if the last write had been torn.
    let at = bytes.windows(3).position(|some| some == b"\xa1n\x01").unwrap();
    bytes[at + 2] ^= 0x40;
    bytes.extend_from_slice(b"\xc1FL\x01\x02torn");
    std::fs::write(&file, bytes).unwrap();
    let config = config.replace("flush_interval 1h", "flush_interval 0.05");
    let daemon = start(&config, server.port(), &folder.0);
    let documents = server.wait_for_documents(2);
    assert_eq!(documents.iter().map(|(_, document)| document["n"].as_i64().unwrap()).collect::<Vec<_>>(), [0, 2]);
    let log = daemon.log();
    for wanted in ["a damaged frame of 1 events is left out", "bytes at the end were not wholly written and are cut off", "kept_in="] {
        assert!(log.iter().any(|line| line.contains(wanted) && line.contains("[error]")), "{wanted}: {log:?}");
    }
}

/// A small disk of its own, where the test may make one.
struct SmallDisk(Folder);

impl SmallDisk {
    fn new(name: &str) -> Option<SmallDisk> {
        let folder = Folder::new(name);
        mount(&["-t", "tmpfs", "-o", "size=1m", "tmpfs"], &folder.0).then_some(SmallDisk(folder))
    }

    /// One that a file is the device of, and that becomes read-only when it finds an error in itself.
    fn in_file(image: &Path, name: &str) -> Option<SmallDisk> {
        let folder = Folder::new(name);
        mount(&["-o", "loop,errors=remount-ro", image.to_str().unwrap()], &folder.0).then_some(SmallDisk(folder))
    }

    /// Makes it find an error, if the system lets us.
    fn fail(&self) -> bool {
        let mounts = std::fs::read_to_string("/proc/mounts").unwrap();
        let folder = format!(" {} ", self.0.0.display());
        let device = mounts.lines().find(|line| line.contains(&folder)).and_then(|line| line.split(' ').next()).unwrap();
        std::fs::write(format!("/sys/fs/ext4/{}/trigger_fs_error", device.trim_start_matches("/dev/")), "1").is_ok()
    }
}

/// Runs `mount`; whether it could.
fn mount(arguments: &[&str], folder: &Path) -> bool {
    Command::new("mount").args(arguments).arg(folder).output().is_ok_and(|output| output.status.success())
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0.0).status();
    }
}

#[test]
fn a_full_disk_holds_acks_back_until_there_is_room() {
    // Who may not mount has no disk to fill; the log's own tests do it on a simulated one.
    let Some(disk) = SmallDisk::new("full") else { return };
    let server = BulkServer::start();
    let config = config("").replace("flush_interval 0.05", "flush_interval 1h");
    let daemon = start(&config, server.port(), &disk.0.0);
    let ballast = disk.0.0.join("ballast");
    std::fs::write(&ballast, vec![1; 800 << 10]).unwrap();
    let mut sender = Sender::try_connect(daemon.port("FORWARD_PORT"), Duration::from_millis(300)).unwrap();
    // The disk takes a few of them.
    let acked = send_until_refused(&mut sender, 0, 50 << 10);
    assert!((1..10).contains(&acked), "{acked}");
    let wanted =
        format!("cannot write the buffer: events wait in memory and are not acknowledged until it works again path={:?}", disk.0.0);
    daemon.wait_for_log("the full disk", |lines| lines.iter().any(|line| line.contains(&wanted)));
    std::fs::remove_file(ballast).unwrap();
    // The sender has not given up yet: its ack comes now.
    wait_until("the last ack", PATIENCE, || sender.try_ack(&acked.to_string()).then_some(()));
    daemon.wait_for_log("the recovery", |lines| lines.iter().any(|line| line.contains("the buffer can be written again")));
    daemon.kill();
    let daemon = start(&config.replace("flush_interval 1h", "flush_interval 0.05"), server.port(), &disk.0.0);
    assert_eq!(server.wait_for_documents(acked + 1).len(), acked + 1);
    daemon.stop();
}

/// Sends events of so many bytes, numbered from `first` on, until one is not acknowledged; its number.
fn send_until_refused(sender: &mut Sender, first: usize, bytes: usize) -> usize {
    let pad = "x".repeat(bytes);
    for n in first.. {
        let record = Value::json(&format!("{{\"n\":{n},\"pad\":\"{pad}\"}}"));
        sender.send(&forward("t", &[(Value::Int(1_700_000_000), record)], chunk_option(&n.to_string())));
        if !sender.try_ack(&n.to_string()) {
            return n;
        }
    }
    unreachable!("numbers do not end");
}

/// Waits until nothing is acknowledged any more.
fn wait_for_stall(load: &Load) {
    let (mut acked, mut since) = (load.acked(), Instant::now());
    wait_until("the senders to be stopped", PATIENCE, || {
        if load.acked() != acked {
            (acked, since) = (load.acked(), Instant::now());
        }
        // Longer than it takes until the disk is tried again.
        (since.elapsed() > Duration::from_secs(1)).then_some(())
    });
}

#[test]
fn a_real_node_that_is_down_while_the_disk_fills_gets_each_event_once() {
    let (Some(disk), Some(mut node)) = (SmallDisk::new("full-for-node"), SearchNode::own()) else { return };
    node.make_index("full", load::fields());
    node.stop();
    let config = config("generate_id true").replace("index_name logs", "index_name full").replace("t t.*", "load.*");
    let daemon = start(&config, node.port(), &disk.0.0);
    let load = Load::start(daemon.port("FORWARD_PORT"), 4);
    load.wait_for(100);
    let count = |wanted: &str| daemon.log().iter().filter(|line| line.contains(wanted)).count();
    let ballast = disk.0.0.join("ballast");
    let refused = format!("are not acknowledged until it works again path={:?}", disk.0.0);
    let fill = |times| {
        // All that there is, as far as it goes.
        let _ = std::fs::write(&ballast, vec![1; 1 << 20]);
        wait_for_stall(&load);
        assert_eq!(count(&refused), times, "{:?}", daemon.log());
        load.acked()
    };
    let first = fill(1);
    std::fs::remove_file(&ballast).unwrap();
    load.wait_for(100);
    assert_eq!(count("the buffer can be written again"), 1);
    let second = fill(2);
    // The disk stays full: what is delivered makes the room.
    node.start();
    load.wait_for(500);
    std::fs::remove_file(&ballast).unwrap();
    load.wait_for(100);
    let sent = load.finish();
    assert!(sent.iter().all(|sent| !sent.is_lost), "{:?}", daemon.log());
    let acked = load::acked(&sent);
    load::wait_in(&node, "full", &acked);
    assert_eq!(daemon.stop().code, 0);
    let documents = load::check_once_in(&node, "full", &acked);
    println!("real node, full disk: acknowledged={} (when full={first} again={second}) documents={documents} lost=0 twice=0", acked.len());
}

#[test]
fn a_folder_that_turns_read_only_holds_acks_back_until_it_can_be_written() {
    let Some(disk) = SmallDisk::new("turning") else { return };
    let (server, folder) = (BulkServer::start(), disk.0.0.join("buffer"));
    std::fs::create_dir(&folder).unwrap();
    // Small files, so that there is a next one soon.
    let config = config("").replace("flush_interval 0.05", "flush_interval 1h\ntotal_limit_size 1m");
    let daemon = start(&config, server.port(), &folder);
    let mut sender = Sender::try_connect(daemon.port("FORWARD_PORT"), Duration::from_millis(500)).unwrap();
    let record = Value::json("{\"n\":0}");
    sender.send(&forward("t", &[(Value::Int(1_700_000_000), record)], chunk_option("0")));
    wait_until("the first ack", PATIENCE, || sender.try_ack("0").then_some(()));
    // A file system with an open file does not become read-only by hand, but another one can take its place.
    assert!(mount(&["--bind", folder.to_str().unwrap()], &folder) && mount(&["-o", "remount,bind,ro"], &folder));
    let refused = send_until_refused(&mut sender, 1, 5 << 10);
    assert!((2..30).contains(&refused), "{refused}");
    let wanted = format!(
        "cannot make a file in the buffer: events wait in memory and are not acknowledged until it works again path={folder:?} error=\"Read-only"
    );
    daemon.wait_for_log("why", |lines| lines.iter().any(|line| line.contains(&wanted)));
    assert!(!sender.try_ack(&refused.to_string()), "acknowledged and nowhere");
    assert!(Command::new("umount").arg(&folder).status().unwrap().success());
    wait_until("the last ack", PATIENCE, || sender.try_ack(&refused.to_string()).then_some(()));
    daemon.wait_for_log("the recovery", |lines| lines.iter().any(|line| line.contains("the buffer can be written again")));
    daemon.kill();
    let daemon = start(&config.replace("flush_interval 1h", "flush_interval 0.05"), server.port(), &folder);
    assert_eq!(server.wait_for_documents(refused + 1).len(), refused + 1);
    assert_eq!(daemon.stop().code, 0);
}

#[test]
fn a_disk_that_fails_and_becomes_read_only_costs_nothing_that_was_acknowledged() {
    let place = Folder::new("image");
    let image = place.0.join("image");
    std::fs::File::create(&image).unwrap().set_len(8 << 20).unwrap();
    let made = Command::new("mkfs.ext4").arg("-q").arg(&image).output();
    if !made.is_ok_and(|made| made.status.success()) {
        return;
    }
    let Some(disk) = SmallDisk::in_file(&image, "failing") else { return };
    let (server, config) = (BulkServer::start(), config("").replace("flush_interval 0.05", "flush_interval 1h"));
    let folder = disk.0.0.join("buffer");
    let daemon = start(&config, server.port(), &folder);
    let mut sender = Sender::connect(daemon.port("FORWARD_PORT"));
    for n in 0..20 {
        let record = Value::json(&format!("{{\"n\":{n}}}"));
        sender.send(&forward("t", &[(Value::Int(1_700_000_000), record)], chunk_option(&n.to_string())));
        assert_eq!(sender.ack(), n.to_string().as_bytes());
    }
    if !disk.fail() {
        return;
    }
    let mut sender = Sender::try_connect(daemon.port("FORWARD_PORT"), Duration::from_secs(1)).unwrap();
    assert_eq!(send_until_refused(&mut sender, 20, 10), 20, "acknowledged and nowhere");
    let wanted = format!("until it works again path={folder:?} error=\"Read-only");
    daemon.wait_for_log("why", |lines| lines.iter().any(|line| line.contains("cannot write the buffer") && line.contains(&wanted)));
    // It has to be mounted anew, and for that nobody may use it.
    daemon.kill();
    drop(disk);
    let disk = SmallDisk::in_file(&image, "failing").unwrap();
    assert_eq!(disk.0.0.join("buffer"), folder);
    let daemon = start(&config.replace("flush_interval 1h", "flush_interval 0.05"), server.port(), &folder);
    let numbers =
        |documents: Vec<(_, serde_json::Value)>| documents.iter().map(|(_, document)| document["n"].as_i64().unwrap()).collect::<Vec<_>>();
    assert_eq!(numbers(server.wait_for_documents(20)), (0..20).collect::<Vec<_>>());
    assert_eq!(daemon.stop().code, 0);
}

#[test]
fn a_folder_that_cannot_be_written_is_named_at_the_start() {
    // Who may not mount has no file system to make read-only.
    let Some(disk) = SmallDisk::new("read-only") else { return };
    assert!(mount(&["-o", "remount,ro"], &disk.0.0));
    let finished = Daemon::with(&config("")).env("SERVER", 1).env("BUFFER", disk.0.0.join("b").display()).run();
    let said =
        finished.stderr.iter().any(|line| line.contains(&format!("the buffer {}", disk.0.0.display())) && line.contains("Read-only"));
    assert!(finished.code != 0 && said, "{:?}", finished.stderr);
}

#[test]
fn acks_wait_for_the_delivery_where_that_is_asked_for() {
    let server = BulkServer::start();
    server.script([Answer::Delay(Duration::from_millis(300), Box::new(Answer::Items(Vec::new())))]);
    let source = FORWARD_SOURCE.replace("</source>", "ack_at delivered\nack_timeout 20s\n</source>");
    // Without anybody waiting this would take an hour.
    let config =
        format!("{source}<match **>\n@type elasticsearch\nport \"#{{ENV['SERVER']}}\"\n<buffer>\nflush_interval 1h\n</buffer>\n</match>\n");
    let daemon = Daemon::with(&config).env("SERVER", server.port()).start();
    let mut sender = Sender::connect(daemon.port("FORWARD_PORT"));
    sender.send(&forward("t", &[(Value::Int(1_700_000_000), Value::json("{\"n\":1}"))], chunk_option("c")));
    assert_eq!(sender.ack(), b"c");
    assert_eq!(server.documents().len(), 1);
}

#[test]
fn an_ack_that_cannot_be_given_in_time_ends_the_connection() {
    let server = BulkServer::start();
    let source = FORWARD_SOURCE.replace("</source>", "ack_at delivered\nack_timeout 200ms\n</source>").replace("200ms", "0.2");
    let config = format!("{source}<match **>\n@type elasticsearch\nport \"#{{ENV['SERVER']}}\"\n</match>\n");
    server.script((0..20).map(|_| Answer::Status(503, "{}".to_owned())));
    let daemon = Daemon::with(&config).env("SERVER", server.port()).start();
    let mut sender = Sender::connect(daemon.port("FORWARD_PORT"));
    sender.send(&forward("t", &[(Value::Int(1_700_000_000), Value::json("{\"n\":1}"))], chunk_option("c")));
    assert!(sender.read_to_close().is_empty());
    daemon.wait_for_log("why", |lines| lines.iter().any(|line| line.contains("could not be acknowledged within 200ms")));
}
