//! `<secondary>` with `secondary_file`: what an output cannot deliver ends in files, chunk by chunk.

use crate::support::forward::gzip;
use crate::support::{Daemon, FORWARD_SOURCE, PATIENCE, Sender, free_port, wait_until};
use std::path::Path;

/// An output whose server is not there, and its secondary.
fn config(buffer: &str, secondary: &str) -> String {
    format!(
        "{FORWARD_SOURCE}<match app.**>\n  @type elasticsearch\n  host 127.0.0.1\n  port {}\n  <buffer{buffer}>\n    flush_mode immediate\n    retry_max_times 0\n  </buffer>\n  <secondary>\n    @type secondary_file\n{secondary}  </secondary>\n</match>\n",
        free_port()
    )
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn wait_for_names(folder: &Path, count: usize) -> Vec<String> {
    wait_until("the files", PATIENCE, || Some(names(folder)).filter(|names| names.len() >= count))
}

#[test]
fn each_chunk_is_a_file_with_a_number_named_by_the_keys_of_the_output_before_it() {
    // The chunk key is the output's own default.
    let setup = Daemon::with(&config("", "    directory kept/${tag[1]}\n    basename dump\n"));
    let folder = setup.dir().join("kept/web");
    let daemon = setup.start();
    let mut sender = Sender::connect(daemon.port("FORWARD_PORT"));
    sender.event("app.web", "{\"n\":1}");
    wait_for_names(&folder, 1);
    sender.event("app.web", "{\"n\":2}");
    assert_eq!(wait_for_names(&folder, 2), ["dump.0", "dump.1"]);
    for (number, name) in [(1, "dump.0"), (2, "dump.1")] {
        wait_until("the content", PATIENCE, || {
            std::fs::read(folder.join(name)).unwrap().ends_with(&[0x81, 0xa1, b'n', number]).then_some(())
        });
    }
    daemon.wait_for_log("success", |log| log.iter().any(|line| line.contains("Hit limit for retries")));
}

#[test]
fn chunks_are_appended_and_compressed_where_that_is_asked_for() {
    let setup = Daemon::with(&config("", "    directory kept\n    append true\n    compress gzip\n"));
    let folder = setup.dir().join("kept");
    let daemon = setup.start();
    let mut sender = Sender::connect(daemon.port("FORWARD_PORT"));
    let unpacked = |wanted: usize| {
        wait_until("the events", PATIENCE, || {
            let mut bytes = Vec::new();
            let file = std::fs::File::open(folder.join("dump.bin.gz")).ok()?;
            std::io::Read::read_to_end(&mut flate2::read::MultiGzDecoder::new(file), &mut bytes).ok()?;
            (bytes.windows(3).filter(|three| three.starts_with(b"\x81\xa1n")).count() == wanted).then_some(bytes)
        })
    };
    sender.event("app.web", "{\"n\":1}");
    let first = unpacked(1);
    sender.event("app.db", "{\"n\":2}");
    assert!(unpacked(2).starts_with(&first));
    assert_eq!(names(&folder), ["dump.bin.gz"]);
    assert_ne!(gzip(&first), first);
}

#[test]
fn faults_of_its_section_are_said_in_fluentds_words() {
    let refused = |buffer: &str, secondary: &str, wanted: &str| {
        let finished = Daemon::with(&config(buffer, secondary)).argument("--dry-run").run();
        let log = finished.stderr.join("\n");
        assert!(finished.code == 1 && log.contains(wanted), "{wanted:?} is not in:\n{log}");
    };
    refused("", "", "'directory' parameter is required");
    refused("", "    directory d\n    basename a/b\n", "basename should not include `/`");
    refused("", "    directory d\n    basename %Y\n", "remove time formats, like `%Y%m%d`, from basename or directory");
    refused(
        "",
        "    directory d\n    basename ${k}\n",
        "has an incompatible placeholder k, remove variable placeholder, like `${varname}`",
    );
    let finished = Daemon::with("<match **>\n  @type secondary_file\n  directory d\n</match>\n").argument("--dry-run").run();
    assert!(finished.stderr.join("\n").contains("This plugin can only be used in the <secondary> section"));
}
