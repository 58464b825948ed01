//! Routing: patterns, labels, copies, errors, what nothing matches.

use crate::support::forward::packed;
use crate::support::{Daemon, FORWARD_SOURCE, Sender, Value};

/// A `<match>` that prints what it takes under a name, by `inject`.
fn printer(pattern: &str, name: &str) -> String {
    format!("<match {pattern}>\n@type stdout\n<inject>\nhostname_key via\nhostname {name}\n</inject>\n</match>\n")
}

fn quiet() -> &'static str {
    "<label @FLUENT_LOG>\n<match **>\n@type null\n</match>\n</label>\n"
}

fn via(daemon: &Daemon, count: usize) -> Vec<String> {
    daemon.wait_for_events(count).iter().map(|event| format!("{} {}", event.tag, event.record["via"].as_str().unwrap_or("-"))).collect()
}

#[test]
fn the_first_match_takes_the_event() {
    let config =
        [FORWARD_SOURCE, &printer("web.*", "one"), &printer("web.** {db,cache}.{a,b}", "two"), &printer("**", "rest"), quiet()].concat();
    let daemon = Daemon::start(&config);
    let mut sender = Sender::connect(daemon.port("FORWARD_PORT"));
    let tags = ["web.a", "web", "web.a.b", "db.b", "db.c", "x"];
    tags.iter().for_each(|tag| sender.event(tag, "{\"m\":1}"));
    assert_eq!(via(&daemon, 6), ["web.a one", "web two", "web.a.b two", "db.b two", "db.c rest", "x rest"]);
}

#[test]
fn labels_have_routers_of_their_own() {
    let config = [
        "<source>\n@type forward\nport \"#{ENV['FORWARD_PORT']}\"\nbind 127.0.0.1\n@label @IN\n</source>\n",
        "<label @IN>\n<match a>\n@type relabel\n@label @NEXT\n</match>\n<match b>\n@type relabel\n@label @ROOT\n</match>\n",
        &printer("**", "in"),
        "</label>\n<label @NEXT>\n",
        &printer("**", "next"),
        "</label>\n",
        &printer("**", "root"),
        quiet(),
    ]
    .concat();
    let daemon = Daemon::start(&config);
    let mut sender = Sender::connect(daemon.port("FORWARD_PORT"));
    ["a", "b", "c"].iter().for_each(|tag| sender.event(tag, "{\"m\":1}"));
    assert_eq!(via(&daemon, 3), ["a next", "b root", "c in"]);
}

#[test]
fn copies_keep_the_order_of_each_event_where_they_end_in_one_place() {
    let config = [
        FORWARD_SOURCE,
        "<match **>\n@type copy\n<store>\n@type relabel\n@label @A\n</store>\n<store>\n@type relabel\n@label @B\n</store>\n</match>\n<label @A>\n",
        &printer("**", "A"),
        "</label>\n<label @B>\n",
        &printer("**", "B"),
        "</label>\n",
        quiet(),
    ]
    .concat();
    let daemon = Daemon::start(&config);
    let mut sender = Sender::connect(daemon.port("FORWARD_PORT"));
    // In one write, so that the messages arrive together.
    let messages: Vec<u8> =
        (0..5).flat_map(|n| crate::support::forward::message("t", Value::Int(n), Value::json("{\"m\":1}"), None)).collect();
    sender.send(&messages);
    assert_eq!(via(&daemon, 10), ["t A", "t B"].repeat(5));
    sender.send(&packed("p", &[(Value::Int(1), Value::json("{}")), (Value::Int(2), Value::json("{}"))], None));
    assert_eq!(via(&daemon, 14)[10..], ["p A", "p A", "p B", "p B"]);
}

#[test]
fn round_robin_turns_with_each_message() {
    let store = |label: &str, weight: u32| format!("<store>\n@type relabel\n@label {label}\nweight {weight}\n</store>\n");
    let config = [
        FORWARD_SOURCE,
        "<match **>\n@type roundrobin\n",
        &store("@A", 1),
        &store("@B", 1),
        "</match>\n<label @A>\n",
        &printer("**", "A"),
        "</label>\n<label @B>\n",
        &printer("**", "B"),
        "</label>\n",
        quiet(),
    ]
    .concat();
    let daemon = Daemon::start(&config);
    let mut sender = Sender::connect(daemon.port("FORWARD_PORT"));
    let messages: Vec<u8> = (0..4).flat_map(|n| crate::support::forward::message("t", Value::Int(n), Value::json("{}"), None)).collect();
    sender.send(&messages);
    assert_eq!(via(&daemon, 4), ["t A", "t B", "t A", "t B"]);
}

#[test]
fn what_cannot_be_parsed_goes_to_the_error_label_and_does_not_come_back() {
    let parser = "<filter **>\n@type parser\nkey_name m\nreserve_time true\n<parse>\n@type json\n</parse>\n</filter>\n";
    let config =
        [FORWARD_SOURCE, parser, &printer("**", "ok"), "<label @ERROR>\n", parser, &printer("**", "never"), "</label>\n", quiet()].concat();
    let daemon = Daemon::start(&config);
    let mut sender = Sender::connect(daemon.port("FORWARD_PORT"));
    sender.event("t", "{\"m\":\"{broken\"}");
    sender.event("t", "{\"m\":\"{\\\"x\\\":1}\"}");
    assert_eq!(via(&daemon, 1), ["t ok"]);
    let log = daemon.wait_for_log("the dump", |lines| lines.iter().any(|line| line.contains("dump an error event")));
    assert!(log.iter().any(|line| line.contains("send an error event to @ERROR") && line.contains("pattern not matched")), "{log:?}");
    assert!(log.iter().any(|line| line.contains("dump an error event") && line.contains("{broken")), "{log:?}");
}

#[test]
fn labels_in_a_circle_cost_the_events_and_not_the_daemon() {
    let config = [
        FORWARD_SOURCE,
        "<match round>\n@type relabel\n@label @A\n</match>\n<label @A>\n<match **>\n@type relabel\n@label @B\n</match>\n</label>\n",
        "<label @B>\n<match **>\n@type relabel\n@label @A\n</match>\n</label>\n",
        &printer("**", "rest"),
        quiet(),
    ]
    .concat();
    let daemon = Daemon::start(&config);
    Sender::connect(daemon.port("FORWARD_PORT")).event("round", "{}");
    daemon.wait_for_log("the circle", |lines| lines.iter().any(|line| line.contains("go in circles")));
    Sender::connect(daemon.port("FORWARD_PORT")).event("fine", "{}");
    assert_eq!(via(&daemon, 1), ["fine rest"]);
}

#[test]
fn unmatched_tags_are_warned_about_at_growing_intervals() {
    let config = [FORWARD_SOURCE, &printer("a", "a"), "<label @FLUENT_LOG>\n", &printer("fluent.warn", "log"), "</label>\n"].concat();
    let daemon = Daemon::start(&config);
    let mut sender = Sender::connect(daemon.port("FORWARD_PORT"));
    (0..5).for_each(|_| sender.event("b", "{}"));
    sender.event("a", "{}");
    assert_eq!(via(&daemon, 1), ["a a"]);
    daemon.wait_for("the warnings as events", |lines| lines.iter().filter(|line| line.contains(" fluent.warn: {")).count() == 3);
    let warnings = |lines: &[String]| lines.iter().filter(|line| line.contains("no patterns matched tag=\"b\"")).count();
    daemon.wait_for_log("the warnings", |lines| warnings(lines) >= 3);
    assert_eq!(warnings(&daemon.log()), 3, "at the first, second and fourth event");
}

#[test]
fn rejected_messages_keep_their_place_among_those_that_pass() {
    let parser = "<filter **>\n@type parser\nkey_name m\nreserve_time true\n<parse>\n@type json\n</parse>\n</filter>\n";
    let config =
        [FORWARD_SOURCE, parser, &printer("**", "ok"), "<label @ERROR>\n", &printer("**", "error"), "</label>\n", quiet()].concat();
    let daemon = Daemon::start(&config);
    let mut sender = Sender::connect(daemon.port("FORWARD_PORT"));
    let texts = ["{}", "broken", "{}", "broken", "broken", "{}"];
    // In one write, so that the messages arrive together.
    let message = |text: &str| crate::support::forward::message("t", Value::Int(1), Value::json(&format!("{{\"m\":\"{text}\"}}")), None);
    sender.send(&texts.iter().flat_map(|text| message(text)).collect::<Vec<u8>>());
    let wanted: Vec<&str> = texts.iter().map(|text| if *text == "{}" { "t ok" } else { "t error" }).collect();
    assert_eq!(via(&daemon, texts.len()), wanted);
}

/// What a chunk of 3,000 events becomes behind filters that change, drop and reject some of them.
fn filtered_by(threads: usize) -> Vec<String> {
    let config = [
        &format!("<system>\nthreads {threads}\n</system>\n"),
        FORWARD_SOURCE,
        "<filter **>\n@type parser\nkey_name log\nreserve_data true\n<parse>\n@type regexp\nexpression /^line (?<number>\\d*[0-8])$/\ntypes number:integer\n</parse>\n</filter>\n",
        "<filter **>\n@type grep\n<exclude>\nkey number\npattern /7$/\n</exclude>\n</filter>\n",
        "<filter **>\n@type record_transformer\n<record>\nfull ${tag}-${record[\"number\"]}\n</record>\n</filter>\n",
        &printer("**", "root"),
        "<label @ERROR>\n",
        &printer("**", "error"),
        "</label>\n",
        quiet(),
    ]
    .concat();
    let daemon = Daemon::start(&config);
    let mut sender = Sender::connect(daemon.port("FORWARD_PORT"));
    let entry = |number: i64| (Value::Int(1_700_000_000 + number), Value::json(&format!("{{\"log\":\"line {number}\"}}")));
    let entries: Vec<_> = (0..3000).map(entry).collect();
    sender.send(&packed("big", &entries, None));
    // Of ten numbers one is dropped; one is rejected and goes on as it was, as data is reserved.
    daemon.wait_for_events(3000).iter().map(|event| format!("{} {}", event.tag, event.text)).collect()
}

#[test]
fn several_threads_filter_a_chunk_as_one_does() {
    let alone = filtered_by(1);
    assert_eq!(alone.len(), 3000);
    assert!(alone[0].ends_with(r#"{"log":"line 9","via":"error"}"#), "{}", alone[0]);
    assert!(alone[300].ends_with(r#"{"log":"line 0","number":0,"full":"big-0","via":"root"}"#), "{}", alone[300]);
    assert_eq!(filtered_by(4), alone);
}
