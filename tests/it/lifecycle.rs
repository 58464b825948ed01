//! The life of the process: what stops leave, what systemd is told, what callers by HTTP are told.

use crate::support::load::Load;
use crate::support::{Answer, BulkServer, Daemon, FORWARD_SOURCE, PATIENCE, Sender, TempDir, free_port, wait_until};
use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

const QUIET: &str = "<label @FLUENT_LOG>\n<match **>\n@type null\n</match>\n</label>\n";

fn search(port: u16, buffer: &str) -> String {
    format!("<match **>\n@type elasticsearch\nhost 127.0.0.1\nport {port}\n<buffer>\nflush_interval 0.05\n{buffer}\n</buffer>\n</match>\n")
}

fn names(server: &BulkServer) -> HashSet<String> {
    server.documents().iter().filter_map(|(_, document)| document["name"].as_str().map(str::to_owned)).collect()
}

#[test]
fn stops_under_load_lose_no_acknowledged_event() {
    let rounds = std::env::var("STOP_ROUNDS").map_or(20, |rounds| rounds.parse().unwrap());
    let server = BulkServer::start();
    for round in 0..rounds {
        // Some stop while the server is slow.
        if round % 4 == 3 {
            server.script([Answer::Delay(Duration::from_millis(200), Box::new(Answer::Items(Vec::new())))]);
        }
        let daemon = Daemon::start(&[FORWARD_SOURCE, &search(server.port(), ""), QUIET].concat());
        let load = Load::start(daemon.port("FORWARD_PORT"), 3);
        load.wait_for(10 + round * 7 % 40);
        let finished = daemon.stop();
        assert_eq!(finished.code, 0, "{:?}", finished.stderr);
        let sent = load.finish();
        assert!(sent.iter().all(|sent| sent.is_lost), "a connection outlived the daemon");
        let there = names(&server);
        let acked: HashSet<String> = sent.into_iter().flat_map(|sent| sent.acked).collect();
        let missing: Vec<_> = acked.difference(&there).collect();
        assert!(missing.is_empty(), "round {round}: {} acknowledged and not there\n{:?}", missing.len(), finished.stderr);
        server.forget_documents();
    }
}

#[test]
fn stops_under_load_leave_on_disk_what_a_dead_server_does_not_take() {
    let rounds = std::env::var("STOP_ROUNDS").map_or(5, |rounds| rounds.parse().unwrap());
    let (server, dir) = (BulkServer::start(), TempDir::new());
    let mut acked = HashSet::new();
    let buffer = format!("@type file\npath {}\nretry_wait 0.1", dir.path().join("buffer").display());
    let dead = free_port();
    for round in 0..rounds {
        let daemon =
            Daemon::start(&[FORWARD_SOURCE, "<system>\nshutdown_timeout 0.2\n</system>\n", &search(dead, &buffer), QUIET].concat());
        let load = Load::start(daemon.port("FORWARD_PORT"), 3);
        load.wait_for(10 + round * 7 % 40);
        let (finished, took) = daemon.stop_timed();
        assert_eq!(finished.code, 0, "{:?}", finished.stderr);
        assert!(took < Duration::from_secs(15), "{took:?}");
        let sent = load.finish();
        acked.extend(sent.into_iter().flat_map(|sent| sent.acked));
    }
    let daemon = Daemon::start(&[FORWARD_SOURCE, &search(server.port(), &buffer), QUIET].concat());
    wait_until("all events", PATIENCE, || acked.is_subset(&names(&server)).then_some(()));
    drop(daemon);
}

#[test]
fn a_second_signal_ends_at_once() {
    let server = BulkServer::start();
    server.script([Answer::Delay(Duration::from_secs(20), Box::new(Answer::Items(Vec::new())))]);
    let mut daemon =
        Daemon::start(&[FORWARD_SOURCE, "<system>\nshutdown_timeout 60\n</system>\n", &search(server.port(), ""), QUIET].concat());
    Sender::connect(daemon.port("FORWARD_PORT")).event("t", "{}");
    server.wait_for_bulk_requests(1);
    daemon.signal(libc::SIGTERM);
    daemon.wait_for_log("the stop", |lines| lines.iter().any(|line| line.contains("worker is now stopping")));
    daemon.signal(libc::SIGINT);
    let began = std::time::Instant::now();
    assert_eq!(daemon.wait_for_exit(), 0);
    assert!(began.elapsed() < Duration::from_secs(10));
    daemon.wait_for_log("the word", |lines| lines.iter().any(|line| line.contains("a second signal to stop came")));
}

#[test]
fn systemd_is_told_that_we_are_ready_reload_are_alive_and_stop() {
    let dir = TempDir::new();
    let path = dir.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let wait_for = |wanted: &str| loop {
        let mut bytes = [0; 256];
        let length = socket.recv(&mut bytes).unwrap_or_else(|error| panic!("{wanted} did not come: {error}"));
        if String::from_utf8_lossy(&bytes[..length]).lines().any(|line| line.starts_with(wanted)) {
            return;
        }
    };
    let config = [FORWARD_SOURCE, "<match **>\n@type null\n</match>\n"].concat();
    let daemon = Daemon::with(&config).env("NOTIFY_SOCKET", path.display()).env("WATCHDOG_USEC", 200_000).start();
    wait_for("READY=1");
    wait_for("WATCHDOG=1");
    wait_for("WATCHDOG=1");
    daemon.signal(libc::SIGUSR2);
    wait_for("RELOADING=1");
    wait_for("READY=1");
    daemon.signal(libc::SIGTERM);
    wait_for("STOPPING=1");
}

/// One call; status and body.
fn call(port: u16, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.to_lowercase().contains("content-type: application/json"), "{head}");
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

#[test]
fn commands_come_by_http() {
    let system = |more: &str| format!("<system>\nrpc_endpoint \"127.0.0.1:#{{ENV['HTTP_PORT']}}\"\n{more}\n</system>\n");
    let server = BulkServer::start();
    let rest = [FORWARD_SOURCE, &search(server.port(), "flush_interval 1000"), QUIET].concat();
    let mut daemon = Daemon::start(&(system("") + &rest));
    let port = daemon.port("HTTP_PORT");
    let ok = (200, "{\"ok\":true}".to_owned());
    Sender::connect(daemon.port("FORWARD_PORT")).event("t", "{}");
    wait_until("the event by a flush", PATIENCE, || {
        assert_eq!(call(port, "/api/plugins.flushBuffers"), ok);
        (!server.documents().is_empty()).then_some(())
    });
    assert_eq!(call(port, "/api/config.dump"), ok);
    assert_eq!(call(port, "/api/config.getDump").0, 404);
    assert_eq!(call(port, "/nothing").0, 404);
    daemon.rewrite(&(system("enable_get_dump true") + &rest));
    assert_eq!(call(port, "/api/config.reload"), ok);
    let (status, body) = call(port, "/api/config.getDump");
    let dump: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert!(status == 200 && dump["ok"] == true && dump["conf"].as_str().unwrap().contains("@type elasticsearch"), "{body}");
    let flumen = |arguments: &[&str]| Command::new(env!("CARGO_BIN_EXE_flumen")).args(arguments).output().unwrap();
    let endpoint = format!("127.0.0.1:{port}");
    assert_eq!(flumen(&["reload", "--rpc", &endpoint]).status.code(), Some(0));
    daemon.rewrite(&rest.replace("elasticsearch", "nosuch"));
    let (status, body) = call(port, "/api/config.gracefulReload");
    assert!(status == 500 && body.contains("Unknown output plugin 'nosuch'") && body.contains("\"ok\":false"), "{body}");
    let refused = flumen(&["reload", "--rpc", &endpoint]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("Unknown output plugin 'nosuch'"), "{refused:?}");
    assert_eq!(call(port, "/api/processes.flushBuffersAndKillWorkers"), ok);
    assert_eq!(daemon.wait_for_exit(), 0);
    assert_eq!(flumen(&["reload", "--rpc", &endpoint]).status.code(), Some(2));
}

#[test]
fn the_process_of_a_pid_file_is_asked_to_reload() {
    let config = [FORWARD_SOURCE, "<match **>\n@type null\n</match>\n"].concat();
    let daemon = Daemon::start(&config);
    let dir = TempDir::new();
    let pid_file = dir.path().join("pid");
    std::fs::write(&pid_file, format!("{}\n", daemon.pid())).unwrap();
    let flumen = || Command::new(env!("CARGO_BIN_EXE_flumen")).arg("reload").arg(&pid_file).output().unwrap();
    assert_eq!(flumen().status.code(), Some(0));
    daemon.wait_for_log("the reload", |lines| lines.iter().any(|line| line.contains("the new configuration is running")));
    std::fs::write(&pid_file, "nonsense").unwrap();
    assert_eq!(flumen().status.code(), Some(1));
}
