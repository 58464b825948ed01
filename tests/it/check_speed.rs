//! How long `flumen check` takes on a large configuration: 5,000 lines in 200 included files.

use crate::support::TempDir;
use flumen::check::{Settings, check};
use flumen::config::LoadOptions;
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

const FILES: usize = 200;
/// On a machine of its own, in a build as it ships; one for tests, on a machine that does other things, is allowed forty times that.
const MOST: Duration = Duration::from_millis(if cfg!(debug_assertions) { 8000 } else { 200 });

/// One included file of 25 lines: a service's own filters, and where its events go.
fn part(number: usize) -> String {
    let mut text =
        format!("# service {number}\n<filter service{number}.**>\n  @type parser\n  key_name log\n  reserve_data true\n  <parse>\n");
    match number % 4 {
        0 => text += "    @type json\n    time_key at\n",
        1 => text += "    @type grok\n    grok_pattern %{IPORHOST:host} %{NUMBER:took:float} %{GREEDYDATA:message}\n",
        2 => text += "    @type regexp\n    expression /^(?<level>[A-Z]+) (?<message>.*)$/\n",
        _ => text += "    @type ltsv\n    types status:integer,size:integer\n",
    }
    write!(
        text,
        "  </parse>\n</filter>\n<filter service{number}.**>\n  @type grep\n  <exclude>\n    key message\n    pattern /health/\n  </exclude>\n</filter>\n\
         <match service{number}.**>\n  @type elasticsearch\n  index_name service{number}\n  <buffer tag>\n    @type file\n    path /var/spool/{number}\n  </buffer>\n</match>\n"
    )
    .unwrap();
    text
}

/// Writes the configuration into a folder; the lines that it has in all.
fn write(folder: &Path) -> usize {
    let mut main = "<source>\n  @type forward\n</source>\n".to_owned();
    let mut lines = 0;
    for number in 0..FILES {
        let text = part(number);
        lines += text.lines().count() + 1;
        std::fs::write(folder.join(format!("service{number}.conf")), text).unwrap();
        writeln!(main, "@include service{number}.conf").unwrap();
    }
    std::fs::write(folder.join("fluent.conf"), main).unwrap();
    lines + 3
}

/// What this thread has worked: waiting for a busy machine does not count.
fn processor_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes the time into what it is given.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[test]
fn five_thousand_lines_in_two_hundred_files_are_checked_quickly() {
    let folder = TempDir::new();
    let lines = write(folder.path());
    assert!(lines >= 5000, "{lines} lines");
    flumen::log::set_level(flumen::log::Level::Fatal);
    let start = processor_time();
    let report = check(&LoadOptions::new(folder.path().join("fluent.conf")), &Settings { files: false, ..Settings::default() });
    let taken = processor_time() - start;
    assert_eq!(report.included.len(), FILES);
    assert!(!report.has_errors(), "{:?}", report.findings.first());
    println!("{lines} lines in {FILES} files: {taken:?} of processor time");
    assert!(taken < MOST, "{lines} lines took {taken:?}");
}
