//! `flumen cat`: standard input sent to a running daemon, and what is said where that cannot be done.

use crate::support::{Daemon, FORWARD_SOURCE, STDOUT_MATCH, TempDir, free_port, is_listening};
use std::io::Write;
use std::process::{Child, Command, Output, Stdio};

fn start(arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flumen"));
    command.arg("cat").args(arguments).env("TZ", "UTC");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn cat(arguments: &[&str], input: &[u8]) -> (i32, String) {
    let mut child = start(arguments);
    // A program that refuses its arguments reads nothing.
    let _ = child.stdin.take().unwrap().write_all(input);
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    (status.code().unwrap(), format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)))
}

fn seen(daemon: &Daemon, count: usize) -> Vec<String> {
    daemon.wait_for_events(count).iter().map(|event| format!("{} {}", event.tag, event.text)).collect()
}

#[test]
fn lines_of_all_formats_arrive() {
    let daemon = Daemon::start(&format!("{FORWARD_SOURCE}{STDOUT_MATCH}"));
    let port = daemon.port("FORWARD_PORT").to_string();
    let done = (0, String::new());
    assert_eq!(cat(&["a.json", "-p", &port], b"{\"n\":1}\n{\"n\":{\"m\":[null]}}\n"), done);
    assert_eq!(cat(&["--port", &port, "--none", "--message-key", "line", "a.none"], b"one\n\nthree"), done);
    assert_eq!(cat(&["-p", &port, "-f", "msgpack", "a.msgpack"], b"\x81\xa1x\xc3\x81\xa1y\x02"), done);
    assert_eq!(cat(&["-p", &port, "nothing"], b""), done);
    // All of it is acknowledged, and so printed already or about to be.
    assert_eq!(
        seen(&daemon, 7),
        [
            "a.json {\"n\":1}",
            "a.json {\"n\":{\"m\":[null]}}",
            "a.none {\"line\":\"one\"}",
            "a.none {\"line\":\"\"}",
            "a.none {\"line\":\"three\"}",
            "a.msgpack {\"x\":true}",
            "a.msgpack {\"y\":2}",
        ]
    );
    let at = ["-p", &port, "--event-time", "2023-11-14 22:13:20.5 +0000", "t"];
    assert_eq!(cat(&at, b"{}"), done);
    assert_eq!(cat(&[&at[..], &["--time-as-integer"]].concat(), b"{}"), done);
    let events = daemon.wait_for_events(9);
    assert!(daemon.stdout()[7].contains("22:13:20.500000000") && daemon.stdout()[8].contains("22:13:20.000000000"), "{events:?}");
}

#[test]
fn what_has_come_is_sent_before_the_end_and_before_a_fault() {
    let daemon = Daemon::start(&format!("{FORWARD_SOURCE}{STDOUT_MATCH}"));
    let port = daemon.port("FORWARD_PORT").to_string();
    let mut child = start(&["-p", &port, "live"]);
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"{\"n\":1}\n{\"n\"").unwrap();
    assert_eq!(seen(&daemon, 1), ["live {\"n\":1}"]);
    input.write_all(b":2}\n{\"n\":3}\nno json\n{\"n\":4}\n").unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("line 4 is no JSON, expected an object such as {\"key\":\"value\"}: \"no json\""), "{said}");
    assert_eq!(seen(&daemon, 3), ["live {\"n\":1}", "live {\"n\":2}", "live {\"n\":3}"]);
}

#[test]
fn a_socket_in_the_file_system_takes_it_too() {
    let folder = TempDir::new();
    let path = folder.path().join("s").display().to_string();
    let daemon = Daemon::start(&format!("<source>\n  @type unix\n  path {path}\n</source>\n{STDOUT_MATCH}"));
    daemon.wait_for_log("the socket", |lines| lines.iter().any(|line| line.contains("listening fluent socket")));
    assert_eq!(cat(&["-u", "-s", &path, "u"], b"{\"n\":1}"), (0, String::new()));
    assert_eq!(seen(&daemon, 1), ["u {\"n\":1}"]);
}

#[test]
fn a_server_that_is_not_there_is_tried_as_often_as_was_asked() {
    let port = free_port();
    assert!(!is_listening(port));
    let (code, said) = cat(&["x", "-p", &port.to_string(), "--retry-limit", "1"], b"{}\n{}");
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("trying again"), "{said}");
    assert!(
        said.contains("events up to line") && said.contains("are not acknowledged after 2 attempts, 0 before them are: cannot connect"),
        "{said}"
    );
    let (code, said) = cat(&["-p", "1"], b"");
    assert!(code == 1 && said.contains("the tag is missing") && said.contains("usage: flumen cat TAG"), "{said}");
    assert!(cat(&["--help"], b"").1.contains("--retry-limit N"));
}
