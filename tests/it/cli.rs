//! The command line: exit codes, messages, and the configurations that ship.

use crate::support::{Daemon, FORWARD_SOURCE, STDOUT_MATCH, Sender};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

fn flumen(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flumen"));
    command.args(arguments).env_clear().env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
    command.envs(environment.iter().copied()).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn every_configuration_that_ships_dry_runs_without_a_word_of_warning() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/conf");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "conf") {
            continue;
        }
        let output = flumen(&["--dry-run", "-c", path.to_str().unwrap()], &[]);
        let log = stderr(&output);
        assert_eq!(output.status.code(), Some(0), "{}:\n{log}", path.display());
        assert!(log.contains("finished dry run mode"), "{log}");
        assert!(!log.contains("is not used"), "{}:\n{log}", path.display());
        let output = flumen(&["check", "--deny", "warnings", "--no-fs", path.to_str().unwrap()], &[]);
        assert_eq!(output.status.code(), Some(0), "{}:\n{}", path.display(), String::from_utf8_lossy(&output.stdout));
        seen += 1;
    }
    assert!(seen >= 4, "only {seen} configurations in conf/");
}

#[test]
fn without_a_configuration_the_built_in_one_runs_and_says_so() {
    let output = flumen(&["--dry-run"], &[]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stderr(&output).contains("running the built-in configuration"), "{}", stderr(&output));
}

#[test]
fn a_path_that_does_not_exist_is_an_error() {
    for (arguments, environment) in
        [(&["-c", "/nonexistent/fluent.conf"][..], &[][..]), (&[], &[("FLUENT_CONF", "/nonexistent/fluent.conf")])]
    {
        let output = flumen(arguments, environment);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains("/nonexistent/fluent.conf"), "{}", stderr(&output));
    }
}

#[test]
fn wrong_arguments_end_with_code_1() {
    for arguments in [&["--no-such-option"][..], &["-c"], &["stray"], &["--user", "nobody"]] {
        let output = flumen(arguments, &[]);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(!output.stderr.is_empty());
    }
    assert_eq!(flumen(&["--version"], &[]).stdout, format!("flumen {}\n", env!("CARGO_PKG_VERSION")).into_bytes());
    assert!(String::from_utf8(flumen(&["--help"], &[]).stdout).unwrap().contains("--config-file-type TYPE"));
}

#[test]
fn all_faults_are_said_at_once_with_their_places() {
    let config = "<source>\n  @type forward\n  port many\n</source>\n<filter a>\n  @type nosuchfilter\n</filter>\n<match **>\n  @type nosuchoutput\n</match>\n<match b>\n  @type relabel\n  @label @NOWHERE\n</match>\n";
    let finished = Daemon::with(config).argument("--strict-config-value").run();
    let log = finished.stderr.join("\n");
    assert_eq!(finished.code, 1);
    for wanted in [
        "line 3,",
        "Unknown filter plugin 'nosuchfilter'",
        "line 6,",
        "Unknown output plugin 'nosuchoutput'",
        "line 9,",
        "@NOWHERE label not found",
    ] {
        assert!(log.contains(wanted), "{wanted} is not in:\n{log}");
    }
}

#[test]
fn a_configuration_on_the_command_line_is_appended() {
    let daemon = Daemon::with(FORWARD_SOURCE).argument("-i").argument("<match t>\\n@type stdout\\n</match>").start();
    Sender::connect(daemon.port("FORWARD_PORT")).event("t", "{\"a\":1}");
    assert_eq!(daemon.wait_for_events(1)[0].tag, "t");
}

#[test]
fn listens_at_once_and_is_small() {
    let started = Instant::now();
    let daemon = Daemon::start(&format!("{FORWARD_SOURCE}{STDOUT_MATCH}"));
    let ready = started.elapsed();
    // The bound of an unoptimised build on a loaded machine; released builds are measured by the load comparison.
    assert!(ready < Duration::from_secs(5), "listening after {ready:?}");
    let idle = daemon.rss_kb();
    assert!(idle < 30_000, "{idle} kB idle");
}

#[test]
fn runs_in_the_background_with_a_pid_file() {
    let setup = Daemon::with(&format!("{FORWARD_SOURCE}{STDOUT_MATCH}"));
    let pid_file = setup.dir().join("pid");
    let log = setup.dir().join("log");
    let port = setup.port("FORWARD_PORT").to_string();
    let arguments = ["-c", "fluent.conf", "-d", pid_file.to_str().unwrap(), "-o", log.to_str().unwrap()];
    let mut command = Command::new(env!("CARGO_BIN_EXE_flumen"));
    let output = command.args(arguments).current_dir(setup.dir()).env("FORWARD_PORT", &port).env("TZ", "UTC").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let pid: i32 = std::fs::read_to_string(&pid_file).unwrap().trim().parse().unwrap();
    crate::support::wait_until("the port", crate::support::PATIENCE, || crate::support::is_listening(port.parse().unwrap()).then_some(()));
    let mut sender = Sender::connect(port.parse().unwrap());
    sender.event("t", "{\"in\":\"background\"}");
    // With a log file the events go there too, as Fluentd's do.
    crate::support::wait_until("the event in the log", crate::support::PATIENCE, || {
        std::fs::read_to_string(&log).unwrap_or_default().contains("t: {\"in\":\"background\"}").then_some(())
    });
    // SAFETY: a signal to the process that this test started.
    unsafe { libc::kill(pid, libc::SIGTERM) };
    crate::support::wait_until("the end", crate::support::PATIENCE, || {
        (!std::path::Path::new(&format!("/proc/{pid}")).exists()).then_some(())
    });
}
