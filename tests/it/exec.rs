//! Commands as sources and outputs, and the link to the file written last.

use crate::support::{Daemon, FORWARD_SOURCE, PATIENCE, Sender, wait_until};
use std::time::Duration;

#[test]
fn what_a_command_prints_is_handed_to_another_command() {
    let config = "<source>\n@type exec\ntag cmd\ncommand echo \"a 1\"; sleep 600\n<parse>\n@type regexp\nexpression /^(?<k>\\S+) (?<v>\\d+)$/\ntypes v:integer\n</parse>\n</source>\n\
                  <match cmd>\n@type exec\ncommand \"sh -c 'cat \\\"$0\\\" >> \\\"$OUT_DIR/taken\\\"; test -e \\\"$OUT_DIR/good\\\"'\"\n<format>\n@type json\n</format>\n\
                  <inject>\ntag_key t\n</inject>\n<buffer>\nflush_mode immediate\nretry_wait 0.1\nretry_max_interval 0.1\n</buffer>\n</match>\n";
    let setup = Daemon::with(config);
    let (taken, good) = (setup.dir().join("taken"), setup.dir().join("good"));
    let daemon = setup.start();
    let lines = || std::fs::read_to_string(&taken).unwrap_or_default().lines().map(str::to_owned).collect::<Vec<_>>();
    // The command says that it has failed: the chunk comes again, until it says otherwise.
    wait_until("another try", PATIENCE, || (lines().len() >= 2).then_some(()));
    std::fs::write(&good, "").unwrap();
    daemon.wait_for_log("success", |log| log.iter().any(|line| line.contains("retry succeeded")));
    assert!(lines().iter().all(|line| line == r#"{"k":"a","v":1,"t":"cmd"}"#), "{:?}", lines());
    daemon.wait_for_log("the reason", |log| log.iter().any(|line| line.contains("command exits with error code")));
    let (_, time) = daemon.stop_timed();
    assert!(time < Duration::from_secs(10), "the command that sleeps is ended: {time:?}");
}

#[test]
fn a_link_leads_to_the_file_written_last() {
    let output = "@type file\npath \"#{ENV['OUT_DIR']}/log/${tag}\"\nsymlink_path \"#{ENV['OUT_DIR']}/current.${tag}\"\n\
                  <format>\n@type json\n</format>\n<buffer tag>\n@type memory\nflush_mode immediate\n</buffer>\n";
    let setup = Daemon::with(&format!("{FORWARD_SOURCE}<match app.*>\n{output}</match>\n"));
    let link = setup.dir().join("current.app.a");
    let daemon = setup.start();
    let mut sender = Sender::connect(daemon.port("FORWARD_PORT"));
    for n in 1..3 {
        sender.event("app.a", &format!("{{\"n\":{n}}}"));
        let wanted = format!("{{\"n\":{n}}}\n");
        wait_until("the link", PATIENCE, || std::fs::read_to_string(&link).ok().filter(|text| *text == wanted));
    }
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
}
