//! `flumen replay`: dead letters, backups and buffers sent again, to a forward input and into a configuration's outputs.

use crate::support::{Answer, BulkServer, Daemon, FORWARD_SOURCE, Item, PATIENCE, STDOUT_MATCH, Sender, TempDir, wait_until};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const REFUSED: Item = Item::Refused(400, "mapper_parsing_exception", "failed to parse field [n]");

fn recorded(buffer: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fluentd-buffers").join(buffer).join("buffer")
}

fn copy_of(buffer: &str) -> TempDir {
    let folder = TempDir::new();
    for entry in std::fs::read_dir(recorded(buffer)).unwrap().map(Result::unwrap) {
        std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    folder
}

fn replay(folder: &Path, arguments: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flumen"));
    command.arg("replay").arg(folder).args(arguments).env("TZ", "UTC");
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.code().unwrap(), format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)))
}

/// A daemon whose server refuses two of three events, and the folder of its dead letters.
fn refused_events(server: &BulkServer, filter: &str) -> (Daemon, PathBuf) {
    server.script([Answer::Items(vec![REFUSED, Item::Created, REFUSED])]);
    let config = format!(
        "<system>\n  <dead_letter>\n    path dead\n  </dead_letter>\n</system>\n{FORWARD_SOURCE}{filter}{}",
        search(server.port(), "")
    );
    let setup = Daemon::with(&config);
    let folder = setup.dir().join("dead");
    let daemon = setup.start();
    let mut sender = Sender::connect(daemon.port("FORWARD_PORT"));
    let entries: Vec<_> = (0..3)
        .map(|n| (crate::support::Value::Int(1_700_000_000), crate::support::Value::json(&format!("{{\"n\":{n},\"k\":\"v\"}}"))))
        .collect();
    sender.send(&crate::support::forward::forward("app.web", &entries, None));
    server.wait_for_documents(1);
    wait_until("the letters", PATIENCE, || (letters(&folder) == 2).then_some(()));
    (daemon, folder)
}

fn search(port: u16, more: &str) -> String {
    format!(
        "<match app.**>\n  @type elasticsearch\n  @id search\n  host 127.0.0.1\n  port {port}\n  remove_keys k\n  <buffer tag>\n    flush_mode immediate\n{more}  </buffer>\n</match>\n"
    )
}

fn letters(folder: &Path) -> usize {
    let files = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    let segments =
        files.filter(|path| path.extension() == Some("jsonl".as_ref()) && !path.file_name().unwrap().to_str().unwrap().starts_with('.'));
    segments.map(|path| std::fs::read_to_string(path).unwrap().lines().count()).sum()
}

#[test]
fn dead_letters_go_to_a_forward_input_once() {
    let server = BulkServer::start();
    let (_daemon, folder) = refused_events(&server, "");
    let receiver = Daemon::start(&format!("{FORWARD_SOURCE}{STDOUT_MATCH}"));
    let url = format!("forward://127.0.0.1:{}", receiver.port("FORWARD_PORT"));
    let (code, said) = replay(&folder, &["--to", &url]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("sent 2 events of 0 chunks and 2 dead letters; 0 sent before, 0 left out, 0 damaged"), "{said}");
    // The events are as they came, with the field that the output removes, and to the nanosecond.
    let events = receiver.wait_for_events(2);
    assert_eq!(
        events.iter().map(|event| (event.tag.as_str(), event.text.as_str())).collect::<Vec<_>>(),
        [("app.web", "{\"n\":0,\"k\":\"v\"}"), ("app.web", "{\"n\":2,\"k\":\"v\"}")]
    );
    let (code, said) = replay(&folder, &["--to", &url]);
    assert!(code == 0 && said.contains("sent 0 events"), "{said}");
    assert_eq!(receiver.events().len(), 2);
}

#[test]
fn what_an_output_gave_up_goes_to_it_again_past_the_filters() {
    let server = BulkServer::start();
    let filter = "<filter app.**>\n  @type record_transformer\n  enable_ruby true\n  <record>\n    n ${record['n'].to_i + 10}\n  </record>\n</filter>\n";
    let (_daemon, folder) = refused_events(&server, filter);
    let config = folder.with_file_name("replay.conf");
    // Another output of the same tag stands before it; what the daemon has in its file buffer is its own.
    let other = "<match app.web>\n  @type stdout\n</match>\n";
    let buffer = "    @type file\n    path /nonexistent/buffer\n";
    std::fs::write(&config, format!("{FORWARD_SOURCE}{filter}{other}{}", search(server.port(), buffer))).unwrap();
    let (code, said) = replay(&folder, &["-c", config.to_str().unwrap()]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("2 delivered by buffered outputs, 0 rejected again"), "{said}");
    let mut numbers: Vec<i64> = server.wait_for_documents(3).iter().map(|(_, document)| document["n"].as_i64().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [10, 11, 12]);
}

#[test]
fn what_is_refused_again_is_a_new_letter_and_no_endless_loop() {
    let server = BulkServer::start();
    let (_daemon, folder) = refused_events(&server, "");
    server.script([Answer::Items(vec![REFUSED, REFUSED])]);
    let config = folder.with_file_name("replay.conf");
    let system = format!("<system>\n  <dead_letter>\n    path {}\n  </dead_letter>\n</system>\n", folder.display());
    std::fs::write(&config, format!("{system}{}", search(server.port(), ""))).unwrap();
    let (code, said) = replay(&folder, &["-c", config.to_str().unwrap()]);
    assert!(code == 0 && said.contains("2 rejected again"), "{said}");
    assert_eq!(letters(&folder), 4);
    let (code, said) = replay(&folder, &["-c", config.to_str().unwrap()]);
    assert!(code == 0 && said.contains("sent 2 events") && said.contains("2 delivered"), "{said}");
}

#[test]
fn what_filters_gave_up_goes_through_them() {
    let filter =
        |with: &str| format!("<filter app.**>\n  @type parser\n  key_name log\n  <parse>\n    @type {with}\n  </parse>\n</filter>\n");
    let system = "<system>\n  <dead_letter>\n    path dead\n  </dead_letter>\n</system>\n";
    let setup = Daemon::with(&format!("{system}{FORWARD_SOURCE}{}{STDOUT_MATCH}", filter("json")));
    let folder = setup.dir().join("dead");
    let daemon = setup.start();
    Sender::connect(daemon.port("FORWARD_PORT")).event("app.web", "{\"log\":\"a:1\"}");
    wait_until("the letter", PATIENCE, || (letters(&folder) == 1).then_some(()));
    let config = folder.with_file_name("mended.conf");
    std::fs::write(&config, format!("{}{STDOUT_MATCH}", filter("ltsv"))).unwrap();
    let (code, said) = replay(&folder, &["-c", config.to_str().unwrap()]);
    assert!(code == 0 && said.contains("app.web: {\"a\":\"1\"}"), "{said}");
}

#[test]
fn formatted_chunks_go_whole_to_an_output_of_their_type() {
    let folder = copy_of("file-output-formatted");
    let (code, said) = replay(folder.path(), &["--to", &format!("forward://127.0.0.1:{}", Sink::start(usize::MAX).port)]);
    assert!(code == 1 && said.contains("2 left out") && said.contains("use -c"), "{said}");
    let out = TempDir::new();
    let config = out.path().join("replay.conf");
    let text = format!(
        "<match t.**>\n  @type file\n  path {}/f\n  <buffer time>\n    timekey 1d\n    timekey_use_utc true\n  </buffer>\n</match>\n",
        out.path().display()
    );
    std::fs::write(&config, text).unwrap();
    let (code, said) = replay(folder.path(), &["-c", config.to_str().unwrap(), "--remove"]);
    assert!(code == 0 && said.contains("of 2 chunks"), "{said}");
    let lines: usize = ["f.20231114_0.log", "f.20231115_0.log"]
        .iter()
        .map(|name| std::fs::read_to_string(out.path().join(name)).unwrap().lines().count())
        .sum();
    assert_eq!(lines, 30);
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, [".flumen-replay.jsonl"]);
}

/// A forward input that acknowledges so many messages, and then goes away.
struct Sink {
    port: u16,
    names: std::sync::Arc<std::sync::Mutex<Vec<String>>>,
}

impl Sink {
    fn start(acks: usize) -> Sink {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let sink = Sink { port: listener.local_addr().unwrap().port(), names: std::sync::Arc::default() };
        let names = std::sync::Arc::clone(&sink.names);
        std::thread::spawn(move || {
            let Ok((mut stream, _)) = listener.accept() else { return };
            let (mut received, mut buffer) = (Vec::new(), [0; 4096]);
            while names.lock().unwrap().len() < acks {
                let count = stream.read(&mut buffer).unwrap_or(0);
                if count == 0 {
                    return;
                }
                received.extend_from_slice(&buffer[..count]);
                // A message ends with the name under which it is to be acknowledged.
                let Some(at) = received.windows(6).position(|six| six == b"\xa5chunk") else { continue };
                let name = received[at + 8..].to_vec();
                if name.len() < usize::from(received[at + 7]) {
                    continue;
                }
                let ack = [b"\x81\xa3ack\xd9", &received[at + 7..=at + 7], &name].concat();
                received.clear();
                names.lock().unwrap().push(String::from_utf8(name).unwrap());
                if stream.write_all(&ack).is_err() {
                    return;
                }
            }
        });
        sink
    }

    fn names(&self) -> Vec<String> {
        self.names.lock().unwrap().clone()
    }
}

#[test]
fn a_replay_that_is_cut_off_goes_on_where_it_was() {
    let folder = copy_of("file-time-keys");
    let chunks = std::fs::read_dir(folder.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().path().extension() == Some("log".as_ref()))
        .count();
    let first = Sink::start(3);
    let (code, said) = replay(folder.path(), &["--to", &format!("forward://127.0.0.1:{}", first.port)]);
    assert!(code == 2 && said.contains("of 3 chunks"), "{said}");
    let second = Sink::start(usize::MAX);
    let (code, said) = replay(folder.path(), &["--to", &format!("forward://127.0.0.1:{}", second.port)]);
    assert!(code == 0 && said.contains("3 sent before"), "{said}");
    let mut names = [first.names(), second.names()].concat();
    assert_eq!(names.len(), chunks);
    names.sort();
    names.dedup();
    assert_eq!(names.len(), chunks);
}

#[test]
fn backups_know_their_tags() {
    let server = BulkServer::start();
    server.script((0..5).map(|_| Answer::Status(500, "{}".to_owned())));
    let setup =
        Daemon::with(&format!("{FORWARD_SOURCE}{}", search(server.port(), "    retry_max_times 0\n"))).env("FLUENT_BACKUP_DIR", "kept");
    let folder = setup.dir().join("kept/backup");
    let daemon = setup.start();
    Sender::connect(daemon.port("FORWARD_PORT")).event("app.web", "{\"n\":1}");
    daemon.wait_for_log("the backup", |log| log.iter().any(|line| line.contains("bad chunk is moved to")));
    let receiver = Daemon::start(&format!("{FORWARD_SOURCE}{STDOUT_MATCH}"));
    let (code, said) = replay(&folder, &["--to", &format!("forward://127.0.0.1:{}", receiver.port("FORWARD_PORT"))]);
    assert!(code == 0 && said.contains("sent 1 events of 1 chunks"), "{said}");
    let event = &receiver.wait_for_events(1)[0];
    assert_eq!((event.tag.as_str(), &event.record), ("app.web", &serde_json::json!({"n": 1})));
}

#[test]
fn faults_are_said() {
    let folder = copy_of("file-single");
    for (arguments, code, wanted) in [
        (&[][..], 1, "where to is missing"),
        (&["--to", "forward://h", "-c", "x"], 1, "exclude each other"),
        (&["--to", "http://h"], 2, "expected forward://HOST[:PORT]"),
        (&["--to", "forward://127.0.0.1:1"], 2, "cannot connect to 127.0.0.1:1"),
        (&["-c", "/nonexistent.conf"], 2, "/nonexistent.conf"),
    ] {
        let (got, said) = replay(folder.path(), arguments);
        assert!(got == code && said.contains(wanted), "{arguments:?}: {got} {said}");
    }
    let chunk = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension() == Some("buf".as_ref()))
        .unwrap();
    let _open = std::fs::File::open(chunk).unwrap();
    let (code, said) = replay(folder.path(), &["--to", "forward://127.0.0.1:1"]);
    assert!(code == 2 && said.contains(&format!("process {} (", std::process::id())), "{said}");
}
