//! The forward output: from one daemon to another, through security and compression, and while the other one is away.

use crate::support::{Daemon, FORWARD_SOURCE, Sender};

const QUIET: &str = "<label @FLUENT_LOG>\n<match **>\n@type null\n</match>\n</label>\n";

fn aggregator(security: &str) -> String {
    let source = FORWARD_SOURCE.replace("</source>", &format!("{security}</source>"));
    format!("{source}{QUIET}<match **>\n@type stdout\n</match>\n")
}

fn agent(port: u16, more: &str) -> String {
    let server = format!("<server>\nhost 127.0.0.1\nport {port}\n</server>\n");
    let buffer = "<buffer tag>\nflush_mode immediate\nretry_wait 0.1\nretry_max_interval 0.2\n</buffer>\n";
    format!("{FORWARD_SOURCE}{QUIET}<match **>\n@type forward\nrequire_ack_response true\n{more}{server}{buffer}</match>\n")
}

#[test]
fn events_go_from_daemon_to_daemon_as_they_are() {
    let security = "<security>\nself_hostname NAME\nshared_key between us\n</security>\n";
    let second = Daemon::start(&aggregator(&security.replace("NAME", "aggregator")));
    let more = format!("compress gzip\nkeepalive true\n{}", security.replace("NAME", "agent"));
    let first = Daemon::start(&agent(second.port("FORWARD_PORT"), &more));
    let mut sender = Sender::connect(first.port("FORWARD_PORT"));
    for number in 0..20 {
        sender.event(&format!("app.{}", number % 2), &format!("{{\"n\":{number},\"z\":null,\"a\":[1.5,{{\"b\":\"\u{e4}\"}}]}}"));
    }
    let events = second.wait_for_events(20);
    let mut seen: Vec<String> = events.iter().map(|event| format!("{} {}", event.tag, event.text)).collect();
    seen.sort();
    let mut sent: Vec<String> =
        (0..20).map(|n| format!("app.{} {{\"n\":{n},\"z\":null,\"a\":[1.5,{{\"b\":\"\u{e4}\"}}]}}", n % 2)).collect();
    sent.sort();
    assert_eq!(seen, sent);
    assert!(events.iter().all(|event| event.time == "2023-11-14 22:13:20.000000000 +0000"));
}

#[test]
fn what_is_sent_while_nobody_is_there_arrives_later() {
    let setup = Daemon::with(&aggregator(""));
    let first = Daemon::start(&agent(setup.port("FORWARD_PORT"), "heartbeat_interval 0.2\n"));
    let mut sender = Sender::connect(first.port("FORWARD_PORT"));
    sender.event("early", "{\"n\":1}");
    first.wait_for_log("a try that fails", |lines| lines.iter().any(|line| line.contains("failed to flush the buffer")));
    let second = setup.start();
    assert_eq!(second.wait_for_events(1)[0].text, "{\"n\":1}");
    sender.event("late", "{\"n\":2}");
    assert_eq!(second.wait_for_events(2)[1].tag, "late");
}
