//! Tailing files: through rotation, truncation and restarts, line by line and several lines an event.

use crate::support::{Daemon, PATIENCE, TempDir, wait_until};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

const OUTPUT: &str = "<label @FLUENT_LOG>\n<match **>\n@type null\n</match>\n</label>\n<match **>\n@type stdout\n</match>\n";

fn source(dir: &TempDir, lines: &str) -> String {
    let dir = dir.path().display();
    let parse = if lines.contains("<parse>") { "" } else { "<parse>\n@type none\n</parse>\n" };
    format!("<source>\n@type tail\n{}\n{parse}</source>\n{OUTPUT}", lines.replace("DIR", &dir.to_string()))
}

fn append(path: &Path, text: &str) {
    OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

fn seen(daemon: &Daemon, count: usize) -> Vec<String> {
    daemon.wait_for_events(count).iter().map(|event| format!("{} {}", event.tag, event.text)).collect()
}

fn messages(daemon: &Daemon, count: usize) -> Vec<String> {
    daemon.wait_for_events(count).iter().map(|event| event.record["message"].as_str().unwrap_or("-").to_owned()).collect()
}

fn follows(daemon: &Daemon, path: &Path) {
    let words = format!("following tail of {}", path.display());
    daemon.wait_for_log("the file to be followed", |lines| lines.iter().any(|line| line.ends_with(&words)));
}

#[test]
fn files_are_followed_from_their_end_or_their_beginning() {
    let dir = TempDir::new();
    let (old, new) = (dir.path().join("old.log"), dir.path().join("new.log"));
    append(&old, "before\n");
    let config = source(&dir, "path DIR/*.log\ntag t.*.x\npath_key file\nrefresh_interval 0.1\nexclude_path [\"DIR/no*.log\"]");
    let daemon = Daemon::start(&config);
    follows(&daemon, &old);
    append(&old, "af");
    append(&old, "ter\r\n");
    append(&dir.path().join("not.log"), "excluded\n");
    let tag = |path: &Path| format!("t.{}.x", path.display().to_string().trim_start_matches('/').replace('/', "."));
    let line = |path: &Path, text: &str| format!("{} {{\"message\":\"{text}\",\"file\":\"{}\"}}", tag(path), path.display());
    assert_eq!(seen(&daemon, 1), [line(&old, "after")]);
    append(&new, "appeared later\n");
    assert_eq!(seen(&daemon, 2)[1], line(&new, "appeared later"));
    assert!(daemon.log().iter().any(|line| line.contains("'pos_file PATH' parameter is not set")));
}

#[test]
fn a_restart_goes_on_where_the_last_one_stopped_and_reads_fluentds_positions() {
    let dir = TempDir::new();
    let (log, pos) = (dir.path().join("a.log"), dir.path().join("sub/pos"));
    append(&log, "one\ntwo\nthree\npart");
    let inode = fs::metadata(&log).unwrap().ino();
    fs::create_dir(dir.path().join("sub")).unwrap();
    // As Fluentd leaves it after the first line, with a file that is gone.
    fs::write(&pos, format!("{}\t0000000000000004\t{inode:016x}\n/gone.log\t0000000000000001\t0000000000000001\n", log.display())).unwrap();
    let config = source(&dir, "path DIR/a.log\ntag t\npos_file DIR/sub/pos\nread_from_head true");
    let daemon = Daemon::start(&config);
    assert_eq!(messages(&daemon, 2), ["two", "three"]);
    assert_eq!(daemon.stop().code, 0);
    assert_eq!(fs::read_to_string(&pos).unwrap(), format!("{}\t{:016x}\t{inode:016x}\n", log.display(), 14));
    append(&log, "ial\nfour\n");
    let daemon = Daemon::start(&config);
    assert_eq!(messages(&daemon, 2), ["partial", "four"]);
}

#[test]
fn rotated_files_are_read_to_their_end() {
    let dir = TempDir::new();
    let (log, moved) = (dir.path().join("a.log"), dir.path().join("a.log.1"));
    let pos = dir.path().join("pos");
    append(&log, "one\n");
    let daemon = Daemon::start(&source(&dir, "path DIR/a.log\ntag t\npos_file DIR/pos\nread_from_head true\nrotate_wait 1"));
    assert_eq!(messages(&daemon, 1), ["one"]);
    fs::rename(&log, &moved).unwrap();
    append(&moved, "late\n");
    assert_eq!(messages(&daemon, 2)[1], "late");
    append(&log, "new\n");
    append(&moved, "last without newline");
    let mut all = messages(&daemon, 4);
    all.sort();
    assert_eq!(all, ["last without newline", "late", "new", "one"]);
    let inode = fs::metadata(&log).unwrap().ino();
    assert_eq!(fs::read_to_string(&pos).unwrap(), format!("{}\t{:016x}\t{inode:016x}\n", log.display(), 4));
    // Copied and truncated, as logrotate does it.
    fs::write(&log, "").unwrap();
    wait_until("the truncation to be noted", PATIENCE, || fs::read_to_string(&pos).unwrap().contains("\t0000000000000000\t").then_some(()));
    append(&log, "n\n");
    assert_eq!(messages(&daemon, 5)[4], "n");
}

#[test]
fn inodes_are_followed_through_patterns_that_meet_rotated_files() {
    let dir = TempDir::new();
    let (log, moved) = (dir.path().join("a.log"), dir.path().join("a.log.1"));
    append(&log, "one\n");
    let lines = "path DIR/a.log*\ntag t\npos_file DIR/pos\nread_from_head true\nfollow_inodes true\nrefresh_interval 0.1\nrotate_wait 0.3";
    let daemon = Daemon::start(&source(&dir, lines));
    assert_eq!(messages(&daemon, 1), ["one"]);
    fs::rename(&log, &moved).unwrap();
    append(&log, "two\n");
    assert_eq!(messages(&daemon, 2), ["one", "two"]);
    append(&moved, "late\n");
    assert_eq!(messages(&daemon, 3)[2], "late", "and nothing twice");
    append(&log, "three\n");
    assert_eq!(messages(&daemon, 4)[3], "three");
}

#[test]
fn lines_are_put_together_by_their_first_one() {
    let dir = TempDir::new();
    let log = dir.path().join("a.log");
    append(&log, "noise\nE one\n  at a\n  at b\nE two\nE thr");
    let parse = "<parse>\n@type multiline\nformat_firstline /^E /\nformat1 /^E (?<m>\\w+)/\nformat2 /(?<rest>.*)/\n</parse>";
    let lines = format!("path DIR/a.log\ntag t\nread_from_head true\npos_file DIR/pos\n{parse}");
    let daemon = Daemon::start(&source(&dir, &lines));
    assert_eq!(seen(&daemon, 1), ["t {\"m\":\"one\",\"rest\":\"\\n  at a\\n  at b\"}"]);
    append(&log, "ee\n");
    assert_eq!(seen(&daemon, 2)[1], "t {\"m\":\"two\",\"rest\":\"\"}");
    let finished = daemon.stop();
    assert_eq!(finished.events().last().unwrap().text, "{\"m\":\"three\",\"rest\":\"\"}", "what waits is emitted at the end");
    assert!(finished.stderr.iter().any(|line| line.contains("got incomplete line before first line")));
    let size = fs::metadata(&log).unwrap().len();
    assert!(fs::read_to_string(dir.path().join("pos")).unwrap().contains(&format!("\t{size:016x}\t")));
}

#[test]
fn lines_wait_no_longer_than_they_may() {
    let dir = TempDir::new();
    let log = dir.path().join("a.log");
    append(&log, "a=1\nb=2\n");
    // The old flat form.
    let flat = "path DIR/a.log\ntag t\nread_from_head true\nmultiline_flush_interval 0.2s\nformat multiline\nformat_firstline /^a/\nformat1 /^a=(?<a>\\d)\\nb=(?<b>\\d)/";
    let daemon = Daemon::start(&source(&dir, &format!("{flat}\n# <parse>")));
    assert_eq!(seen(&daemon, 1), ["t {\"a\":\"1\",\"b\":\"2\"}"]);
}

#[test]
fn what_cannot_be_used_is_said_and_may_become_an_event() {
    let dir = TempDir::new();
    let log = dir.path().join("a.log");
    append(&log, "{\"a\":1}\nno json\nthis line is longer than twenty bytes\n{\"a\":2}\n");
    let lines = "path DIR/a.log\ntag t\nread_from_head true\nemit_unmatched_lines true\nmax_line_size 20\npath_key p\n<parse>\n@type json\n</parse>";
    let daemon = Daemon::start(&source(&dir, lines));
    let path = log.display();
    assert_eq!(
        seen(&daemon, 3),
        [
            format!("t {{\"a\":1,\"p\":\"{path}\"}}"),
            format!("t {{\"unmatched_line\":\"no json\",\"p\":\"{path}\"}}"),
            format!("t {{\"a\":2,\"p\":\"{path}\"}}")
        ]
    );
    daemon.wait_for_log("what was wrong", |lines| {
        let has = |words: &str| lines.iter().any(|line| line.contains(words));
        has("pattern not matched: \"no json\"") && has("received line length is longer than 20")
    });
}

#[test]
fn rates_are_kept() {
    let dir = TempDir::new();
    let log = dir.path().join("web_prod.log");
    append(&log, &"x\n".repeat(100));
    let group =
        "<group>\npattern /(?<pod>\\w+)_(?<ns>\\w+)\\.log$/\nrate_period 1s\n<rule>\nmatch {\"ns\":\"/prod/\"}\nlimit 0\n</rule>\n</group>";
    let lines = format!("path DIR/*.log\ntag t\nread_from_head true\nrefresh_interval 0.1\n{group}");
    let daemon = Daemon::start(&source(&dir, &lines));
    follows(&daemon, &log);
    append(&dir.path().join("web_dev.log"), "free\n");
    assert_eq!(messages(&daemon, 1), ["free"], "of the limited group nothing comes");
}

#[test]
fn faults_are_refused_in_fluentds_words() {
    let dir = TempDir::new();
    let refused = |config: &str| {
        let finished = Daemon::with(config).argument("--dry-run").run();
        assert_eq!(finished.code, 1, "{config}");
        finished.stderr.join("\n")
    };
    for (lines, words) in [
        ("tag t", "'path' parameter is required"),
        ("path /x", "'tag' parameter is required"),
        (
            "path /x\ntag t\nenable_watch_timer false\nenable_stat_watcher false",
            "either of enable_watch_timer or enable_stat_watcher must be true",
        ),
        ("path /x\ntag t\nglob_policy always", "cannot use glob_policy as always with the default path_delimitor: `,\""),
        ("path /x\ntag t\npath_delimiter *", "are reserved words: *"),
        ("path /x\ntag t\nfollow_inodes true", "Can't follow inodes without pos_file configuration parameter"),
        ("path /x\ntag t\nfrom_encoding utf-8", "'from_encoding' parameter must be specified with 'encoding' parameter."),
        ("path /x\ntag t\nencoding ebcdic", "unknown encoding name - ebcdic"),
    ] {
        let log = refused(&source(&dir, lines));
        assert!(log.contains(words), "{words}\n{log}");
    }
    assert!(
        refused("<source>\n@type tail\npath /x\ntag t\n</source>\n<match **>\n@type null\n</match>")
            .contains("<parse> section is required.")
    );
    let one = source(&dir, "path /x\ntag t\npos_file DIR/pos\n@id first");
    let both = format!("{}{one}", one.replace("first", "second").replace(OUTPUT, ""));
    assert!(refused(&both).contains("Other 'in_tail' plugin already use same pos_file path: plugin_id = second"));
    let workers = format!("<system>\nworkers 2\n</system>\n{one}");
    assert!(refused(&workers).contains("Plugin 'tail' does not support multi workers configuration (Fluent::Plugin::TailInput)"));
}
