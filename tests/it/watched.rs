//! The daemon as it is seen from outside: the books balance to the event, answers by HTTP, health.

use crate::support::forward::packed;
use crate::support::http::request;
use crate::support::metrics::{MONITOR_SOURCE, Metrics, wait_for_metrics};
use crate::support::{Answer, BulkServer, Daemon, FORWARD_SOURCE, Item, PATIENCE, Sender, Value, wait_until};
use std::process::Command;

#[test]
fn the_books_balance_to_the_event() {
    let server = BulkServer::start();
    // Of eleven documents: the third is rejected, the fifth has to wait and comes again alone; the others are taken.
    let busy = || Item::Refused(429, "es_rejected_execution_exception", "busy");
    let mut items = vec![Item::Created; 11];
    items[2] = Item::Refused(400, "mapper_parsing_exception", "no");
    items[4] = busy();
    server.script([Answer::Items(items), Answer::Items(vec![busy()])]);
    let config = [
        MONITOR_SOURCE,
        "<source>\n@type forward\n@id in\nbind 127.0.0.1\nport \"#{ENV['FORWARD_PORT']}\"\n</source>\n",
        "<filter app.**>\n@type grep\n@id grep\n<exclude>\nkey drop\npattern /y/\n</exclude>\n</filter>\n",
        // An event that cannot be parsed is rejected and stays; an array of two is two.
        "<filter app.**>\n@type parser\n@id parser\nkey_name m\nreserve_data true\nreserve_time true\n<parse>\n@type json\n</parse>\n</filter>\n",
        "<match app.**>\n@type copy\n@id copy\n<store>\n@type relabel\n@id relabel\n@label @A\n</store>\n",
        "<store>\n@type null\n@id never\nnever_flush true\n<buffer>\nflush_mode immediate\nretry_max_times 1\nretry_wait 0.01\n</buffer>\n</store>\n",
        "<store>\n@type null\n@id held\nnever_flush true\n<buffer>\nflush_mode interval\nflush_interval 1h\nflush_at_shutdown false\n</buffer>\n</store>\n</match>\n",
        "<match es>\n@type elasticsearch\n@id es\nhost 127.0.0.1\nport \"#{ENV['ES_PORT']}\"\n<buffer>\nflush_mode interval\nflush_interval 0.1\nretry_wait 0.05\n</buffer>\n</match>\n",
        "<label @A>\n<filter>\n@type grep\n@id grep_a\n<regexp>\nkey k\npattern /./\n</regexp>\n</filter>\n<match app.keep>\n@type stdout\n@id out\n</match>\n</label>\n",
        "<label @ERROR>\n<match es>\n@type null\n@id es_errors\n</match>\n<match **>\n@type null\n@id other_errors\n</match>\n</label>\n",
        "<label @FLUENT_LOG>\n<match **>\n@type null\n</match>\n</label>\n",
    ]
    .concat();
    let backup = std::env::temp_dir().join(format!("flumen-books-{}", std::process::id()));
    let daemon = Daemon::with(&config).env("ES_PORT", server.port()).env("FLUENT_BACKUP_DIR", backup.display()).start();
    let mut sender = Sender::connect(daemon.port("FORWARD_PORT"));
    let mut send = |tag: &str, records: &[&str]| {
        let entries: Vec<(Value, Value)> = records.iter().map(|record| (Value::Int(1), Value::json(record))).collect();
        sender.send(&packed(tag, &entries, None));
    };
    let keep =
        [r#"{"k":1,"m":"{}"}"#, r#"{"k":2,"drop":"y","m":"{}"}"#, r#"{"m":"{}"}"#, r#"{"k":3,"m":"bad"}"#, r#"{"k":4,"m":"[{},{}]"}"#];
    send("app.keep", &keep);
    send("app.other", &keep);
    send("es", &[r#"{"n":1}"#; 11]);
    send("nobody", &["{}", "{}", "{}"]);
    let at_rest = |metrics: &Metrics| {
        let held = |id| metrics.of_plugin("flumen_output_held_records", id);
        metrics.of_plugin("flumen_output_delivered_records_total", "es") == 10
            && held("es") == 0
            && held("never") == 0
            && held("held") == 10
    };
    let metrics = wait_for_metrics(&daemon, "the outputs to come to rest", at_rest);
    metrics.check_books();
    let of = |name: &str, id: &str| metrics.of_plugin(name, id);
    let router = |what: &str, name: &str| metrics.sum(&format!("flumen_router_{what}_records_total"), &[("router", name)]);
    assert_eq!((of("flumen_input_emit_records_total", "in"), router("received", "@ROOT")), (24, 24));
    assert_eq!(of("flumen_filter_dropped_records_total", "grep"), 2);
    let parser =
        ["received", "added", "emit", "dropped", "rejected"].map(|what| of(&format!("flumen_filter_{what}_records_total"), "parser"));
    assert_eq!(parser, [8, 4, 10, 0, 2]);
    assert_eq!((router("matched", "@ROOT"), router("unmatched", "@ROOT")), (10 + 11, 3));
    for store in ["copy", "relabel", "never", "held"] {
        assert_eq!(of("fluentd_output_status_emit_records", store), 10, "{store}");
    }
    assert_eq!((router("received", "@A"), of("flumen_filter_dropped_records_total", "grep_a")), (10, 2));
    assert_eq!((router("unmatched", "@A"), of("fluentd_output_status_emit_records", "out")), (4, 4));
    assert_eq!(of("flumen_output_backup_records_total", "never"), 10);
    assert_eq!((of("flumen_output_rejected_records_total", "es"), of("fluentd_output_status_emit_records", "es_errors")), (1, 1));
    assert_eq!((router("received", "@ERROR"), metrics.sum("flumen_error_records_total", &[("destination", "label")])), (3, 3));
    let retries = ["es", "never"].map(|id| of("fluentd_output_status_retry_count", id));
    assert!(retries[0] >= 1 && retries[1] >= 2, "{retries:?}");
    assert_eq!(server.documents().len(), 10);
    drop(daemon);
    let _ = std::fs::remove_dir_all(backup);
}

#[test]
fn plugins_and_health_are_asked_for_by_http() {
    let config = [
        MONITOR_SOURCE,
        FORWARD_SOURCE,
        "<source>\n@type sample\ntag s\nrate 0\n@label @L\n</source>\n",
        "<match app.**>\n@type null\n@id out\nnever_flush true\n<buffer>\ntotal_limit_size 1k\noverflow_action block\nflush_mode interval\nflush_interval 1h\nflush_at_shutdown false\n</buffer>\n</match>\n",
        "<label @L>\n<match **>\n@type stdout\n</match>\n</label>\n",
    ]
    .concat();
    let daemon = Daemon::start(&config);
    let port = daemon.port("MONITOR_PORT");
    let get = |path: &str| request(port, "GET", path, "", "").expect("an answer");
    let plugins = |path: &str| -> Vec<serde_json::Value> {
        let (status, body) = get(path);
        assert_eq!(status, 200);
        let mut parsed: serde_json::Value = serde_json::from_str(&body).unwrap();
        serde_json::from_value(parsed["plugins"].take()).unwrap()
    };
    let types: Vec<_> = plugins("/api/plugins.json").iter().map(|plugin| plugin["type"].as_str().unwrap().to_owned()).collect();
    assert_eq!(types, ["monitor_agent", "forward", "sample", "null", "stdout"]);
    assert_eq!(get("/readyz"), (200, r#"{"status":"ready"}"#.to_owned()));
    Sender::connect(daemon.port("FORWARD_PORT")).event("app.x", &format!("{{\"a\":\"{}\"}}", "x".repeat(2000)));
    let (status, body) = wait_until("the full buffer to show", PATIENCE, || Some(get("/readyz")).filter(|(status, _)| *status != 200));
    assert!(status == 503 && body.contains(r#""plugin_id":"out""#) && body.contains("the buffer is full"), "{body}");
    let found = plugins("/api/plugins.json?tag=app.x");
    assert_eq!(
        (found.len(), &found[0]["buffer_stage_length"], &found[0]["emit_records"]),
        (1, &serde_json::json!(1), &serde_json::json!(1))
    );
    assert_eq!(get("/healthz"), (200, r#"{"status":"ok"}"#.to_owned()));
    let health = |arguments: &[&str]| {
        let output =
            Command::new(env!("CARGO_BIN_EXE_flumen")).args(["health", "--port", &port.to_string()]).args(arguments).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(health(&[]), (Some(0), "200 {\"status\":\"ok\"}\n".to_owned()));
    let (code, line) = health(&["--ready"]);
    assert!(code == Some(1) && line.starts_with("503 {\"status\":\"not ready\"") && line.ends_with("}\n"), "{line}");
    assert!(get("/api/config.json").1.contains(&format!("\"pid\":{},", daemon.pid())));
}

#[test]
fn what_plugins_have_done_comes_as_events() {
    let config = [
        "<source>\n@type monitor_agent\nbind 127.0.0.1\nport \"#{ENV['MONITOR_PORT']}\"\ntag monitor\nemit_interval 0.2\n</source>\n",
        "<match monitor>\n@type stdout\n@id out\n</match>\n",
    ]
    .concat();
    let daemon = Daemon::start(&config);
    let event = daemon.wait_for_event("the output's numbers", |event| {
        event.record["plugin_id"] == "out" && event.record["emit_records"].as_i64().is_some_and(|records| records >= 2)
    });
    assert_eq!(event.tag, "monitor");
    let start = r#"{"plugin_id":"out","plugin_category":"output","type":"stdout","output_plugin":true,"retry_count":0,"emit_records":"#;
    assert!(event.text.starts_with(start) && !event.text.contains("config"), "{}", event.text);
}

#[test]
fn what_is_no_event_is_counted_at_the_input_it_came_by() {
    let config = [
        MONITOR_SOURCE,
        "<source>\n@type forward\n@id tcp\nbind 127.0.0.1\nport \"#{ENV['FORWARD_PORT']}\"\nchunk_size_limit 1k\n</source>\n",
        "<source>\n@type forward\n@id strict\nbind 127.0.0.1\nport \"#{ENV['TCP_PORT']}\"\nskip_invalid_event false\n</source>\n",
        "<source>\n@type unix\n@id unix\npath \"#{ENV['OUT_DIR']}/in.sock\"\n</source>\n",
        "<match t>\n@type null\n@id out\n</match>\n",
    ]
    .concat();
    let setup = Daemon::with(&config);
    let socket = setup.dir().join("in.sock");
    let daemon = setup.start();
    wait_until("the unix socket", PATIENCE, || socket.exists().then_some(()));
    let entry = |time: Value, record: Value| (time, record);
    let good = || entry(Value::Int(1), Value::json("{}"));
    let no_record = || entry(Value::Int(1), Value::str("text"));
    let no_time = || entry(Value::str("soon"), Value::json("{}"));
    let send = |mut sender: Sender| {
        // Two of four entries; one message whose record is none; one without a tag; one value that is no message.
        sender.send(&packed("t", &[good(), no_record(), good(), no_time()], None));
        sender.send(&Value::Array(vec![Value::str("t"), Value::Int(1), Value::str("text")]).encode());
        sender.send(&Value::Array(vec![Value::Int(7), Value::Int(1), Value::json("{}")]).encode());
        sender.send(&Value::Int(5).encode());
        sender
    };
    // Metrics of Fluent Bit, a message that is too long, entries that end in the middle of one: one each.
    let mut tcp = send(Sender::connect(daemon.port("FORWARD_PORT")));
    tcp.send(&packed("t", &[good()], Some(Value::json(r#"{"fluent_signal":1}"#))));
    tcp.send(&packed("t", &[entry(Value::Int(1), Value::json(&format!("{{\"a\":\"{}\"}}", "x".repeat(2000))))], None));
    tcp.send(&Value::Array(vec![Value::str("t"), Value::Bin(b"\x92\x01\x80\x92\x01".to_vec())]).encode());
    tcp.event("t", "{}");
    send(Sender::connect_unix(&socket));
    // The first ends the connection.
    let mut strict = Sender::connect(daemon.port("TCP_PORT"));
    strict.send(&packed("t", &[good(), no_record(), no_time()], None));
    strict.read_to_close();
    let invalid = |metrics: &Metrics| ["tcp", "unix", "strict"].map(|id| metrics.of_plugin("flumen_input_invalid_messages_total", id));
    let metrics = wait_for_metrics(&daemon, "what came to be counted", |metrics| invalid(metrics) == [8, 5, 1]);
    let emitted = ["tcp", "unix", "strict"].map(|id| metrics.of_plugin("flumen_input_emit_records_total", id));
    assert_eq!(emitted, [2 + 1 + 1, 2, 0]);
    assert_eq!(metrics.of_plugin("fluentd_output_status_emit_records", "out"), 6);
}

#[test]
fn a_reader_of_standard_output_that_does_not_read_makes_it_not_ready() {
    let config = [
        MONITOR_SOURCE,
        FORWARD_SOURCE,
        "<filter shown>\n@type stdout\n@id tee\n</filter>\n",
        "<match printed>\n@type stdout\n@id out\n</match>\n<match **>\n@type null\n@id none\n</match>\n",
    ]
    .concat();
    let mut daemon = Daemon::with(&config).leave_stdout_unread().start();
    let port = daemon.port("MONITOR_PORT");
    let ready = || request(port, "GET", "/readyz", "", "").expect("an answer");
    let mut sender = Sender::connect(daemon.port("FORWARD_PORT"));
    sender.event("shown", r#"{"a":1}"#);
    wait_for_metrics(&daemon, "the event to pass", |metrics| metrics.of_plugin("fluentd_output_status_emit_records", "none") == 1);
    assert_eq!(ready().0, 200);
    // More than a pipe holds, and far less than the daemon would.
    let text = format!("{{\"a\":\"{}\"}}", "x".repeat(1000));
    (0..300).for_each(|_| sender.event("printed", &text));
    let (_, body) = wait_until("the stuck reader to show", PATIENCE, || Some(ready()).filter(|(status, _)| *status == 503));
    for id in ["out", "tee"] {
        assert!(
            body.contains(&format!("{{\"plugin_id\":\"{id}\",\"type\":\"stdout\",\"reason\":\"nobody has read standard output for ")),
            "{body}"
        );
    }
    let metrics = Metrics::of(&daemon);
    assert!(metrics.of_plugin("flumen_stdout_waiting_bytes", "out") > 100_000);
    assert_eq!((metrics.of_plugin("flumen_output_stuck", "out"), metrics.of_plugin("flumen_output_stuck", "none")), (1, 0));
    daemon.read_stdout();
    wait_until("the reader to show", PATIENCE, || Some(ready()).filter(|(status, _)| *status == 200));
    wait_for_metrics(&daemon, "all of it to be read", |metrics| {
        (metrics.of_plugin("flumen_stdout_waiting_bytes", "out"), metrics.of_plugin("flumen_output_stuck", "out")) == (0, 0)
    });
}
