//! The life of the process: what stops leave, what systemd is told, what callers by HTTP are told.

use crate::support::daemon::binary;
use crate::support::load::{self, Load};
use crate::support::{Answer, BulkServer, Daemon, FORWARD_SOURCE, PATIENCE, SearchNode, Sender, TempDir, free_port, wait_until};
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

/// The same for an index of a real node, which may be down for a while.
fn search_node(node: &SearchNode, index: &str, buffer: &str) -> String {
    search(node.port(), &format!("retry_wait 0.1\nretry_max_interval 0.5\n{buffer}"))
        .replace("host ", &format!("index_name {index}\ngenerate_id true\nhost "))
}

fn shutdown_timeout(seconds: &str) -> String {
    format!("<system>\nshutdown_timeout {seconds}\n</system>\n")
}

/// So many stops, unless `STOP_ROUNDS` says otherwise.
fn rounds(usual: u64) -> u64 {
    std::env::var("STOP_ROUNDS").map_or(usual, |rounds| rounds.parse().unwrap())
}

fn names(server: &BulkServer) -> HashSet<String> {
    server.documents().iter().filter_map(|(_, document)| document["name"].as_str().map(str::to_owned)).collect()
}

#[test]
fn stops_under_load_lose_no_acknowledged_event() {
    let server = BulkServer::start();
    for round in 0..rounds(20) {
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
        let acked = load::acked(&sent);
        let missing: Vec<_> = acked.difference(&there).collect();
        assert!(missing.is_empty(), "round {round}: {} acknowledged and not there\n{:?}", missing.len(), finished.stderr);
        server.forget_documents();
    }
}

#[test]
fn stops_under_load_leave_on_disk_what_a_dead_server_does_not_take() {
    let (server, dir) = (BulkServer::start(), TempDir::new());
    let mut acked = HashSet::new();
    let buffer = format!("@type file\npath {}\nretry_wait 0.1", dir.path().join("buffer").display());
    let dead = free_port();
    for round in 0..rounds(5) {
        let daemon = Daemon::start(&[FORWARD_SOURCE, &shutdown_timeout("0.2"), &search(dead, &buffer), QUIET].concat());
        let load = Load::start(daemon.port("FORWARD_PORT"), 3);
        load.wait_for(10 + round * 7 % 40);
        let (finished, took) = daemon.stop_timed();
        assert_eq!(finished.code, 0, "{:?}", finished.stderr);
        assert!(took < Duration::from_secs(15), "{took:?}");
        let sent = load.finish();
        acked.extend(load::acked(&sent));
    }
    let daemon = Daemon::start(&[FORWARD_SOURCE, &search(server.port(), &buffer), QUIET].concat());
    wait_until("all events", PATIENCE, || acked.is_subset(&names(&server)).then_some(()));
    drop(daemon);
}

#[test]
fn a_real_node_has_what_was_acknowledged_before_stops_and_by_replay_what_it_missed() {
    let Some(mut node) = SearchNode::own() else { return };
    node.make_index("stops", load::fields());
    let dir = TempDir::new();
    let dead = dir.path().join("dead");
    let system = format!("<system>\n<dead_letter>\npath {}\n</dead_letter>\n</system>\n", dead.display());
    let config = [FORWARD_SOURCE, &system, &search_node(&node, "stops", ""), QUIET].concat();
    let (rounds, mut acked, mut down) = (rounds(6), HashSet::new(), 0);
    for round in 0..rounds {
        let daemon = Daemon::start(&config);
        let load = Load::start(daemon.port("FORWARD_PORT"), 3);
        load.wait_for(5);
        if round % 5 == 3 {
            node.stop();
            down += 1;
        }
        load.wait_for(10 + round * 7 % 40);
        assert_eq!(daemon.stop().code, 0);
        acked.extend(load::acked(&load.finish()));
        node.start();
    }
    let before = node.count("stops");
    assert!(before < acked.len() as u64 || down == 0, "the node missed nothing");
    let path = dir.path().join("replay.conf");
    std::fs::write(&path, &config).unwrap();
    let replay = Command::new(binary()).arg("replay").arg(&dead).arg("-c").arg(&path).output().unwrap();
    assert!(replay.status.success(), "{replay:?}");
    let documents = load::check_once_in(&node, "stops", &acked) as u64;
    let by_replay = documents - before;
    println!(
        "real node, memory: stops={rounds} (node down={down}) acknowledged={} documents={documents} (by replay={by_replay}) lost=0 twice=0",
        acked.len()
    );
}

#[test]
fn a_real_node_that_is_stopped_meanwhile_gets_what_stops_left_on_disk() {
    let Some(mut node) = SearchNode::own() else { return };
    node.make_index("stops-on-disk", load::fields());
    let (dir, rounds) = (TempDir::new(), rounds(6));
    let buffer = format!("@type file\npath {}", dir.path().join("buffer").display());
    let search = search_node(&node, "stops-on-disk", &buffer);
    let config = [FORWARD_SOURCE, &shutdown_timeout("0.2"), &search, QUIET].concat();
    let (mut acked, mut down) = (HashSet::new(), 0);
    for round in 0..rounds {
        let daemon = Daemon::start(&config);
        let load = Load::start(daemon.port("FORWARD_PORT"), 3);
        load.wait_for(5);
        // Down under load for two stops, and back under load.
        match round % 5 {
            1 => node.stop(),
            3 => node.start(),
            _ => {}
        }
        down += usize::from(matches!(round % 5, 1 | 2));
        load.wait_for(10 + round * 7 % 40);
        assert_eq!(daemon.stop().code, 0);
        acked.extend(load::acked(&load.finish()));
    }
    node.start();
    let daemon = Daemon::start(&config.replace("timeout 0.2", "timeout 60"));
    load::wait_in(&node, "stops-on-disk", &acked);
    assert_eq!(daemon.stop().code, 0);
    let documents = load::check_once_in(&node, "stops-on-disk", &acked);
    println!("real node, disk: stops={rounds} (node down={down}) acknowledged={} documents={documents} lost=0 twice=0", acked.len());
}

#[test]
fn a_second_signal_ends_at_once() {
    let server = BulkServer::start();
    server.script([Answer::Delay(Duration::from_secs(20), Box::new(Answer::Items(Vec::new())))]);
    let mut daemon = Daemon::start(&[FORWARD_SOURCE, &shutdown_timeout("60"), &search(server.port(), ""), QUIET].concat());
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
