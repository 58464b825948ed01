//! Events that a filter holds: let go when they have waited too long, and at the end.

use crate::support::{Daemon, FORWARD_SOURCE, Sender};

#[test]
fn held_events_go_to_their_label_in_time_and_at_the_end() {
    let config = [
        FORWARD_SOURCE,
        "<filter **>\n@type concat\nkey log\nn_lines 2\nflush_interval 1\ntimeout_label @LATE\n</filter>\n",
        "<filter end>\n@type concat\nkey log\nn_lines 9\nflush_interval 0\n</filter>\n",
        "<match **>\n@type stdout\n</match>\n",
        "<label @LATE>\n<filter>\n@type record_transformer\n<record>\nby label\n</record>\n</filter>\n<match **>\n@type stdout\n</match>\n</label>\n",
        "<label @ERROR>\n<match **>\n@type stdout\n</match>\n</label>\n<label @FLUENT_LOG>\n<match **>\n@type null\n</match>\n</label>\n",
    ]
    .concat();
    let daemon = Daemon::start(&config);
    let mut sender = Sender::connect(daemon.port("FORWARD_PORT"));
    sender.event("late", "{\"log\":\"alone\"}");
    assert_eq!(daemon.wait_for_events(1)[0].text, "{\"log\":\"alone\",\"by\":\"label\"}");
    // Two make one for the first filter; the second holds it until the end and has no label.
    sender.event("end", "{\"log\":\"a\"}");
    sender.event("end", "{\"log\":\"b\"}");
    sender.event("mark", "{\"other\":1}");
    daemon.wait_for_events(2);
    let finished = daemon.stop();
    assert_eq!(finished.code, 0);
    let events: Vec<String> = finished.events().iter().map(|event| format!("{} {}", event.tag, event.text)).collect();
    assert_eq!(events[2..], ["end {\"log\":\"a\\nb\"}"], "{}", finished.stderr.join("\n"));
    assert!(finished.stderr.iter().any(|line| line.ends_with("Flush remaining buffer: end:default")));
}
