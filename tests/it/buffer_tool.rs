//! `flumen buffer`: looking into buffers that a real Fluentd left, and writing them anew.

use crate::support::{Daemon, FORWARD_SOURCE, PATIENCE, Sender, TempDir, free_port, wait_until};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn recorded(buffer: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fluentd-buffers").join(buffer)
}

fn tool(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_flumen")).arg("buffer").args(arguments).env("TZ", "UTC").output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn json_lines(arguments: &[&str]) -> Vec<Value> {
    let output = tool(arguments);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Tags and records, in the order of the field `n`.
fn events(path: &Path) -> Vec<(Value, Value)> {
    let mut events: Vec<(Value, Value)> = json_lines(&["cat", "--json", path.to_str().unwrap()])
        .into_iter()
        .map(|event| (event["tag"].clone(), event["record"].clone()))
        .collect();
    events.sort_by_key(|(_, record)| record["n"].as_i64());
    events
}

fn sent(buffer: &str) -> Vec<(Value, Value)> {
    let about: Value = serde_json::from_str(&std::fs::read_to_string(recorded(buffer).join("events.json")).unwrap()).unwrap();
    about["events"].as_array().unwrap().iter().map(|event| (event["tag"].clone(), event["record"].clone())).collect()
}

/// A copy that a test may change.
fn copy_of(buffer: &str) -> TempDir {
    let folder = TempDir::new();
    for entry in std::fs::read_dir(recorded(buffer).join("buffer")).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    folder
}

#[test]
fn fluentds_buffers_are_listed_and_printed() {
    for buffer in ["file-default", "file-gzip", "file-one-file", "file-single", "file-time-keys", "v012-forward"] {
        assert_eq!(events(&recorded(buffer)), sent(buffer), "{buffer}");
        let listed = json_lines(&["ls", "--json", recorded(buffer).to_str().unwrap()]);
        assert_eq!(listed.iter().map(|chunk| chunk["events"].as_u64().unwrap()).sum::<u64>(), 30, "{buffer}");
        assert!(listed.iter().all(|chunk| chunk["tag"].is_string()), "{buffer}: {listed:?}");
    }
    let text = stdout(&tool(&["ls", recorded("file-single").to_str().unwrap()]));
    assert!(text.contains("KIND") && text.contains("tag=t.b") && text.contains("3 chunks and segments, 30 events counted"), "{text}");
    let pattern = recorded("file-one-file").join("buffer.*.buf");
    assert_eq!(events(&pattern), sent("file-one-file"));
    let text = stdout(&tool(&["cat", recorded("file-output-formatted").to_str().unwrap()]));
    assert_eq!(text.lines().count(), 30);
    assert!(text.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{text}");
}

#[test]
fn damage_has_an_exit_code_and_can_be_repaired() {
    let folder = copy_of("file-killed");
    let path = folder.path().to_str().unwrap().to_owned();
    let verify = || tool(&["verify", &path]);
    assert_eq!(verify().status.code(), Some(0));
    let chunk =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).find(|path| path.extension() == Some("log".as_ref()));
    let chunk = chunk.unwrap();
    let bytes = std::fs::read(&chunk).unwrap();
    std::fs::write(&chunk, &bytes[..bytes.len() - 5]).unwrap();
    let output = verify();
    assert!(output.status.code() == Some(1) && stdout(&output).contains("1 damaged"), "{}", stdout(&output));
    let output = tool(&["repair", &path]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(stdout(&verify()).contains("29 events, 0 damaged"), "{}", stdout(&verify()));
    let aside = format!("{}.damaged", chunk.display());
    assert_eq!(std::fs::read(aside).unwrap(), bytes[..bytes.len() - 5]);
    assert_eq!(tool(&["verify", "/nonexistent/folder"]).status.code(), Some(2));
}

#[test]
fn what_somebody_has_open_is_not_repaired() {
    let folder = copy_of("file-single");
    let chunk = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let _open = std::fs::File::open(&chunk).unwrap();
    let output = tool(&["repair", folder.path().to_str().unwrap()]);
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && complaint.contains(&format!("process {}", std::process::id())), "{complaint}");
}

#[test]
fn an_export_holds_the_same_in_fluentds_form() {
    for (buffer, options) in [("file-time-keys", &[][..]), ("v012-forward", &[]), ("file-default", &["--compress", "gzip"])] {
        let folder = TempDir::new();
        let to = folder.path().join("out");
        let source = recorded(buffer);
        let arguments = [&["export", source.to_str().unwrap(), "--to", to.to_str().unwrap()], options].concat();
        let output = tool(&arguments);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(events(&to), sent(buffer), "{buffer}");
        let keys = |path: &Path| {
            let mut keys: Vec<_> = json_lines(&["ls", "--json", path.to_str().unwrap()])
                .into_iter()
                .map(|chunk| [&chunk["tag"], &chunk["timekey"], &chunk["variables"]].map(ToString::to_string))
                .collect();
            keys.sort();
            keys
        };
        assert_eq!(keys(&to), keys(&source), "{buffer}");
        for entry in std::fs::read_dir(&to).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(name.starts_with("buffer.b") && (name.ends_with(".log") || name.ends_with(".log.meta")), "{name}");
        }
    }
}

#[test]
fn wrong_arguments_are_said() {
    for arguments in [&[][..], &["ls"], &["look", "/tmp"], &["ls", "/tmp", "--xml"], &["export", "/tmp"]] {
        let output = tool(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("usage: flumen buffer"), "{arguments:?}");
    }
}

#[test]
fn our_own_buffers_are_looked_into_while_a_daemon_uses_them_and_after() {
    let config = format!(
        "{FORWARD_SOURCE}<match app.**>\n  @type elasticsearch\n  host 127.0.0.1\n  port {}\n  <buffer tag>\n    @type file\n    path \"#{{ENV['OUT_DIR']}}/buffer\"\n    flush_interval 60s\n  </buffer>\n</match>\n",
        free_port()
    );
    let setup = Daemon::with(&config);
    let folder = setup.dir().join("buffer");
    let path = folder.to_str().unwrap().to_owned();
    let mut daemon = setup.start();
    let mut sender = Sender::connect(daemon.port("FORWARD_PORT"));
    for n in 0..6 {
        sender.event(["app.a", "app.b"][n % 2], &format!("{{\"n\":{n}}}"));
    }
    let seen = wait_until("the events on the disk", PATIENCE, || {
        let output = tool(&["cat", "--json", &path]);
        Some(stdout(&output)).filter(|text| text.lines().count() == 6)
    });
    assert!(seen.contains("\"tag\":\"app.b\"") && seen.contains("\"record\":{\"n\":5}"), "{seen}");
    assert_eq!(tool(&["verify", &path]).status.code(), Some(0));
    let output = tool(&["repair", &path]);
    assert_eq!(output.status.code(), Some(2), "{}", stdout(&output));
    assert!(String::from_utf8_lossy(&output.stderr).contains(&format!("process {}", daemon.pid())));
    daemon.signal(libc::SIGKILL);
    daemon.wait_for_exit();

    let listed = json_lines(&["ls", "--json", &path]);
    assert_eq!(listed.iter().map(|chunk| chunk["events"].as_u64().unwrap()).sum::<u64>(), 6);
    assert!(listed.iter().all(|chunk| chunk["kind"] == "flumen"), "{listed:?}");
    let numbers = |path: &Path| events(path).into_iter().map(|(_, record)| record["n"].as_i64().unwrap()).collect::<Vec<_>>();
    let to = folder.with_file_name("out");
    assert_eq!(tool(&["export", &path, "--to", to.to_str().unwrap()]).status.code(), Some(0));
    assert_eq!(numbers(&to), [0, 1, 2, 3, 4, 5]);

    // One flipped byte in the record of one event costs that event, or those that came with it.
    let segment =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).find(|path| path.metadata().unwrap().len() > 100).unwrap();
    let mut bytes = std::fs::read(&segment).unwrap();
    let at = bytes.windows(4).position(|four| four == b"\x81\xa1n\x02").unwrap();
    bytes[at + 3] ^= 0x40;
    std::fs::write(&segment, &bytes).unwrap();
    assert_eq!(tool(&["verify", &path]).status.code(), Some(1));
    let output = tool(&["repair", &path]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let output = tool(&["verify", &path]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    let left = numbers(&folder);
    assert!(!left.contains(&2) && left.contains(&1) && left.contains(&5), "{left:?}");
    assert_eq!(std::fs::read(format!("{}.damaged", segment.display())).unwrap(), bytes);
}
