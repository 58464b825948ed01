//! Taking over from Fluentd: what it left at the path of a file buffer is delivered, exactly, and removed only then.

use crate::support::{Answer, BulkServer, Daemon, PATIENCE, wait_until};
use serde_json::Value;
use std::path::{Path, PathBuf};

fn recorded(buffer: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fluentd-buffers").join(buffer)
}

fn about(buffer: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(recorded(buffer).join("events.json")).unwrap();
    serde_json::from_str::<Value>(&text).unwrap()["events"].as_array().unwrap().clone()
}

/// Copies a recorded buffer into a folder.
fn put(buffer: &str, folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    let below = recorded(buffer).join("buffer");
    let source = if below.is_dir() { below } else { recorded(buffer) };
    for entry in std::fs::read_dir(source).unwrap().map(Result::unwrap).filter(|entry| entry.file_name() != "events.json") {
        std::fs::copy(entry.path(), folder.join(entry.file_name())).unwrap();
    }
}

/// Names of what Fluentd left.
fn left(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap());
    let names = entries.filter(|entry| entry.path().is_file()).map(|entry| entry.file_name().into_string().unwrap());
    names.filter(|name| !name.ends_with(".flumen")).collect()
}

fn to_search(server: &BulkServer, buffer: &str) -> String {
    format!(
        "<match t.**>\n  @type elasticsearch\n  @id search\n  host 127.0.0.1\n  port {}\n  include_tag_key true\n{buffer}</match>\n",
        server.port()
    )
}

/// Tags and records that arrived, in the order of the field `n`.
fn arrived(server: &BulkServer, count: usize) -> Vec<Value> {
    let documents = server.wait_for_documents(count);
    let mut documents: Vec<Value> = documents.into_iter().map(|(_, document)| document).collect();
    documents.sort_by_key(|document| document["n"].as_i64());
    documents
}

fn expected(buffer: &str) -> Vec<Value> {
    let with_tag = |event: Value| {
        let mut record = event["record"].clone();
        record["tag"] = event["tag"].clone();
        record
    };
    about(buffer).into_iter().map(with_tag).collect()
}

#[test]
fn every_buffer_of_entries_is_delivered_to_the_event_and_then_gone() {
    let file = |keys: &str, more: &str| format!("  <buffer {keys}>\n    @type file\n    path \"#{{ENV['OUT_DIR']}}/{more}\n  </buffer>\n");
    let cases = [
        ("file-default", file("tag", "buffer\"")),
        ("file-elasticsearch", file("tag", "buffer\"")),
        ("file-gzip", file("tag", "buffer\"\n    compress gzip")),
        ("file-killed", file("tag", "buffer\"")),
        ("file-one-file", file("tag", "buffer/buffer.*.buf\"")),
        ("file-queued", file("tag", "buffer\"\n    flush_mode immediate")),
        ("file-single", file("tag", "buffer\"").replace("@type file", "@type file_single")),
        ("file-single-killed", file("tag", "buffer\"")),
        ("file-time-keys", file("tag,time,host", "buffer\"\n    timekey 1h")),
        ("v012-forward", "  buffer_type file\n  buffer_path \"#{ENV['OUT_DIR']}/buffer/buffer.*.log\"\n".to_owned()),
    ];
    for (buffer, section) in cases {
        let server = BulkServer::start();
        let setup = Daemon::with(&to_search(&server, &section));
        let folder = setup.dir().join("buffer");
        put(buffer, &folder);
        let daemon = setup.start();
        assert_eq!(arrived(&server, 30), expected(buffer), "{buffer}");
        wait_until("the removal", PATIENCE, || left(&folder).is_empty().then_some(()));
        let log = daemon.stop().stderr.join("\n");
        assert!(log.contains("chunks of Fluentd's are taken over") && log.contains("records=30"), "{buffer}: {log}");
        assert_eq!(server.documents().len(), 30, "{buffer}");
    }
}

#[test]
fn formatted_chunks_go_whole_to_an_output_of_the_same_type_and_to_no_other() {
    let section = "  <format>\n    @type json\n  </format>\n  <buffer time>\n    @type file\n    path \"#{ENV['OUT_DIR']}/buffer\"\n    timekey 1d\n    timekey_use_utc true\n  </buffer>\n";
    let setup = Daemon::with(&format!("<match t.**>\n  @type file\n  path \"#{{ENV['OUT_DIR']}}/out/f\"\n{section}</match>\n"));
    let (folder, out) = (setup.dir().join("buffer"), setup.dir().join("out"));
    put("file-output-formatted", &folder);
    let daemon = setup.start();
    let lines = wait_until("the files", PATIENCE, || {
        let files = ["f.20231114_0.log", "f.20231115_0.log"].map(|name| std::fs::read_to_string(out.join(name)).unwrap_or_default());
        let lines: Vec<Value> = files.iter().flat_map(|text| text.lines()).map(|line| serde_json::from_str(line).unwrap()).collect();
        (lines.len() == 30).then_some(lines)
    });
    let mut lines = lines;
    lines.sort_by_key(|record| record["n"].as_i64());
    assert_eq!(lines, about("file-output-formatted").into_iter().map(|event| event["record"].clone()).collect::<Vec<_>>());
    wait_until("the removal", PATIENCE, || left(&folder).is_empty().then_some(()));
    drop(daemon);

    let server = BulkServer::start();
    let buffer = "  <buffer tag>\n    @type file\n    path \"#{ENV['OUT_DIR']}/buffer\"\n  </buffer>\n";
    let setup = Daemon::with(&to_search(&server, buffer)).env("FLUENT_BACKUP_DIR", "kept");
    let (folder, kept) = (setup.dir().join("buffer"), setup.dir().join("kept/backup/worker0/search"));
    put("file-output-formatted", &folder);
    let daemon = setup.start();
    daemon.wait_for_log("the complaint", |log| log.iter().filter(|line| line.contains("formatter of another output")).count() == 2);
    wait_until("the removal", PATIENCE, || left(&folder).is_empty().then_some(()));
    let text: String =
        left(&kept).iter().filter(|name| name.ends_with(".log")).map(|name| std::fs::read_to_string(kept.join(name)).unwrap()).collect();
    assert_eq!(text.lines().count(), 30);
    assert_eq!(server.documents().len(), 0);
}

#[test]
fn nothing_is_taken_from_a_process_that_still_has_it_open() {
    let server = BulkServer::start();
    let buffer = "  <buffer tag>\n    @type file\n    path \"#{ENV['OUT_DIR']}/buffer\"\n  </buffer>\n";
    let setup = Daemon::with(&to_search(&server, buffer));
    let folder = setup.dir().join("buffer");
    put("file-default", &folder);
    let open = std::fs::File::open(folder.join(left(&folder).into_iter().find(|name| name.ends_with(".log")).unwrap())).unwrap();
    let before = left(&folder).len();
    let daemon = setup.start();
    daemon.wait_for_log("the refusal", |log| {
        log.iter().any(|line| {
            line.contains(&format!("as long as process {} (", std::process::id())) && line.contains("stop it, and they are delivered")
        })
    });
    assert_eq!((left(&folder).len(), server.documents().len()), (before, 0));
    drop(open);
    assert_eq!(arrived(&server, 30), expected("file-default"));
}

#[test]
fn a_server_that_is_away_leaves_the_files_where_they_are() {
    let server = BulkServer::start();
    server.script((0..3).map(|_| Answer::Status(503, "{}".to_owned())));
    let buffer = "  <buffer tag>\n    @type file\n    path \"#{ENV['OUT_DIR']}/buffer\"\n    retry_wait 0.1\n  </buffer>\n";
    let setup = Daemon::with(&to_search(&server, buffer));
    let folder = setup.dir().join("buffer");
    put("file-default", &folder);
    let before = left(&folder).len();
    let daemon = setup.start();
    server.wait_for_bulk_requests(1);
    assert_eq!(left(&folder).len(), before);
    assert_eq!(arrived(&server, 30), expected("file-default"));
    wait_until("the removal", PATIENCE, || left(&folder).is_empty().then_some(()));
    drop(daemon);
}

#[test]
fn damaged_files_are_reported_kept_and_no_reason_not_to_start() {
    let server = BulkServer::start();
    let buffer = "  <buffer tag>\n    @type file\n    path \"#{ENV['OUT_DIR']}/buffer\"\n  </buffer>\n";
    let setup = Daemon::with(&to_search(&server, buffer)).env("FLUENT_BACKUP_DIR", "kept");
    let (folder, kept) = (setup.dir().join("buffer"), setup.dir().join("kept/backup/worker0/search"));
    put("file-killed", &folder);
    let mut chunks: Vec<String> = left(&folder).into_iter().filter(|name| name.ends_with(".log")).collect();
    chunks.sort();
    let torn = std::fs::read(folder.join(&chunks[0])).unwrap();
    std::fs::write(folder.join(&chunks[0]), &torn[..torn.len() - 5]).unwrap();
    std::fs::write(folder.join(format!("{}.meta", chunks[1])), b"\xc1\x00\x00\x00\x01\x00no map").unwrap();
    let bare = std::fs::read(folder.join(&chunks[1])).unwrap();
    std::fs::write(folder.join("buffer.b00000000000000000000000000000000.log"), b"").unwrap();
    let daemon = setup.start();
    assert_eq!(server.wait_for_documents(19).len(), 19);
    wait_until("the removal", PATIENCE, || left(&folder).is_empty().then_some(()));
    let kept: Vec<Vec<u8>> =
        left(&kept).iter().filter(|name| !name.ends_with(".meta")).map(|name| std::fs::read(kept.join(name)).unwrap()).collect();
    assert!(kept.contains(&torn[..torn.len() - 5].to_vec()) && kept.contains(&bare), "{} files", kept.len());
    let log = daemon.stop().stderr.join("\n");
    for wanted in
        ["bytes of one of Fluentd's chunks are no events", "its .meta file is missing or damaged", "an empty chunk of Fluentd's is removed"]
    {
        assert!(log.contains(wanted), "{wanted:?} is not in:\n{log}");
    }
}
