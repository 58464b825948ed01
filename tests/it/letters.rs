//! What cannot be delivered: it is kept whole, by default in the backup folder, and with `<dead_letter>` there.

use crate::support::{Answer, BulkServer, Daemon, FORWARD_SOURCE, Item, PATIENCE, Sender, http, wait_until};
use serde_json::Value;
use std::path::{Path, PathBuf};

const REFUSED: Item = Item::Refused(400, "mapper_parsing_exception", "failed to parse field [n]");

/// Sends what the forward port gets to this server at once.
fn search_match(server: &BulkServer, more: &str) -> String {
    format!(
        "<match app.**>\n  @type elasticsearch\n  @id search\n  host 127.0.0.1\n  port {}\n  remove_keys secret\n  <buffer tag>\n    flush_mode immediate\n  {more}</buffer>\n</match>\n",
        server.port()
    )
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// The letters below a folder, once there are so many.
fn wait_for_letters(folder: &Path, count: usize) -> Vec<Value> {
    wait_until("the letters", PATIENCE, || {
        let segments = files(folder).into_iter().filter(|path| path.extension().is_some_and(|suffix| suffix == "jsonl"));
        let text: String = segments.map(|path| std::fs::read_to_string(path).unwrap()).collect();
        let letters: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        (letters.len() >= count).then_some(letters)
    })
}

#[test]
fn without_an_error_label_what_the_server_refuses_goes_whole_to_the_backup_folder() {
    let server = BulkServer::start();
    server.script([Answer::Items(vec![REFUSED])]);
    let setup = Daemon::with(&format!("{FORWARD_SOURCE}{}", search_match(&server, ""))).env("FLUENT_BACKUP_DIR", "kept");
    let folder = setup.dir().join("kept/backup/worker0/search");
    let daemon = setup.start();
    Sender::connect(daemon.port("FORWARD_PORT")).event("app.web", "{\"n\":\"x\",\"secret\":\"s\"}");
    let letters = wait_for_letters(&folder, 1);
    assert_eq!(letters.len(), 1);
    let letter = &letters[0];
    assert_eq!((&letter["output"], &letter["tag"], &letter["status"]), (&"search".into(), &"app.web".into(), &400.into()));
    assert!(letter["reason"].as_str().unwrap().contains("failed to parse field [n]"), "{letter}");
    assert_eq!(letter["kind"], "event");
    // The document is what the server saw; the msgpack is the event as it came, the removed key included.
    assert_eq!(letter["record"]["n"], "x");
    let log = daemon.stop().stderr.join("\n");
    assert!(log.contains("dump an error event: error_class=Fluent::Plugin::ElasticsearchErrorHandler::ElasticsearchError"), "{log}");
    assert!(log.contains("rejected events are kept whole in kept/backup/worker0/search"), "{log}");
}

#[test]
fn with_an_error_label_nothing_is_kept_twice() {
    let server = BulkServer::start();
    server.script([Answer::Items(vec![REFUSED])]);
    let label = "<label @ERROR>\n  <match **>\n    @type stdout\n  </match>\n</label>\n";
    let setup = Daemon::with(&format!("{FORWARD_SOURCE}{}{label}", search_match(&server, ""))).env("FLUENT_BACKUP_DIR", "kept");
    let folder = setup.dir().join("kept");
    let daemon = setup.start();
    Sender::connect(daemon.port("FORWARD_PORT")).event("app.web", "{\"n\":\"x\"}");
    assert_eq!(daemon.wait_for_events(1)[0].record["n"], "x");
    daemon.signal(libc::SIGTERM);
    assert_eq!(files(&folder), Vec::<PathBuf>::new());
}

#[test]
fn what_filters_reject_is_a_dead_letter_only_where_there_is_a_folder_for_those() {
    let watch = "<source>\n  @type monitor_agent\n  bind 127.0.0.1\n  port \"#{ENV['MONITOR_PORT']}\"\n</source>\n";
    let filter = "<filter app.**>\n  @type parser\n  key_name log\n  <parse>\n    @type json\n  </parse>\n</filter>\n";
    let routes = format!("{FORWARD_SOURCE}{filter}<match **>\n  @type stdout\n</match>\n");
    let setup = Daemon::with(&routes).env("FLUENT_BACKUP_DIR", "kept");
    let folder = setup.dir().join("kept");
    let daemon = setup.start();
    let send = |daemon: &Daemon| Sender::connect(daemon.port("FORWARD_PORT")).event("app.web", "{\"log\":\"no json\"}");
    send(&daemon);
    daemon.wait_for_log("the dump", |log| log.iter().any(|line| line.contains("dump an error event")));
    assert_eq!(files(&folder), Vec::<PathBuf>::new());
    drop(daemon);

    let setup = Daemon::with(&format!("<system>\n  <dead_letter>\n    path dead\n  </dead_letter>\n</system>\n{watch}{routes}"));
    let folder = setup.dir().join("dead");
    let daemon = setup.start();
    send(&daemon);
    let letters = wait_for_letters(&folder, 1);
    assert_eq!((&letters[0]["output"], &letters[0]["record"]["log"]), (&Value::Null, &"no json".into()));
    assert_eq!(letters[0]["class"], "Fluent::Plugin::Parser::ParserError");
    wait_until("the count", PATIENCE, || {
        let page = http::request(daemon.port("MONITOR_PORT"), "GET", "/metrics", "", "")?.1;
        page.contains("flumen_dead_letter_records_total 1\n").then_some(())
    });
}

#[test]
fn chunks_that_cannot_be_delivered_are_dead_letters_too_with_their_keys() {
    let server = BulkServer::start();
    let system = "<system>\n  <dead_letter>\n    path dead\n    max_size 1m\n  </dead_letter>\n</system>\n";
    server.script((0..20).map(|_| Answer::Status(500, "{}".to_owned())));
    let setup = Daemon::with(&format!("{system}{FORWARD_SOURCE}{}", search_match(&server, "retry_max_times 0\n")));
    let folder = setup.dir().join("dead");
    let daemon = setup.start();
    Sender::connect(daemon.port("FORWARD_PORT")).event("app.web", "{\"n\":1}");
    let letters = wait_for_letters(&folder, 1);
    assert_eq!((&letters[0]["kind"], &letters[0]["records"]), (&"chunk".into(), &1.into()));
    let chunk = folder.join(letters[0]["file"].as_str().unwrap());
    assert!(chunk.starts_with(folder.join("chunks/search")), "{chunk:?}");
    assert!(std::fs::read(&chunk).unwrap().ends_with(b"\x81\xa1n\x01"));
    assert!(std::fs::metadata(format!("{}.meta", chunk.display())).unwrap().len() > 20);
    drop(daemon);
}

#[test]
fn a_dead_letter_folder_needs_a_path_and_a_size() {
    let check = |section: &str| {
        let finished =
            Daemon::with(&format!("<system>\n  <dead_letter>\n    {section}\n  </dead_letter>\n</system>\n")).argument("--dry-run").run();
        (finished.code, finished.stderr.join("\n"))
    };
    let (code, log) = check("path dead\n    max_size 0");
    assert!(code == 1 && log.contains("line 4") && log.contains("'max_size' of <dead_letter> is 0"), "{log}");
    let (code, log) = check("max_size 1g");
    assert!(code == 1 && log.contains("'path' parameter is required"), "{log}");
    assert_eq!(check("path dead").0, 0);
}
