//! Documents that a real search engine indexed: found by search, with the types it gave them, and with what it refused.

use crate::support::forward::{forward, message};
use crate::support::{Daemon, Engine, FORWARD_SOURCE, STDOUT_MATCH, SearchNode, Sender, Value};
use serde_json::json;

/// What the service `post` logs: JSON.
const POST_LOG: &str = r#"{"addr": "172.18.0.3", "event": "find_all_posts", "level": "info", "message": "Successfully retrieved all posts", "method": "GET", "params": {}, "path": "/posts?", "request_id": "8f3e-10", "response_status": 200, "service": "post", "timestamp": "2016-07-14 12:31:06"}"#;
/// What the service `ui` logs: Ruby's logger, with two kinds of message inside.
const UI_LOGS: [&str; 2] = [
    "I, [2016-07-14T12:31:07.451822 #17]  INFO -- : service=ui | event=cart_add | request_id=8f3e-11 | message='Added item 42 to cart'",
    "I, [2016-07-14T12:31:07.460021 #17]  INFO -- : service=ui | event=request | path=/post/42/vote | request_id=8f3e-11 | remote_addr=172.18.0.1 | method= POST | response_status=303",
];

/// The documents of the logs above but for `@timestamp`, which depends on when they were sent.
fn documents() -> [serde_json::Value; 3] {
    let mut post: serde_json::Value = serde_json::from_str(POST_LOG).unwrap();
    post["@log_name"] = json!("service.post");
    let logger =
        json!({"@log_name": "service.ui", "pid": "17", "loglevel": "INFO", "progname": "", "service": "ui", "request_id": "8f3e-11"});
    let (mut cart, mut vote) = (logger.clone(), logger);
    for (key, value) in [("timestamp", "2016-07-14T12:31:07.451822"), ("event", "cart_add"), ("message", "Added item 42 to cart")] {
        cart[key] = json!(value);
    }
    for (key, value) in [("timestamp", "2016-07-14T12:31:07.460021"), ("event", "request"), ("message", "POST")] {
        vote[key] = json!(value);
    }
    for (key, value) in [("path", "/post/42/vote"), ("remote_addr", "172.18.0.1"), ("response_status", "303")] {
        vote[key] = json!(value);
    }
    [post, cart, vote]
}

/// A collector that sends to the node, with these lines in its store and everything it gives up on on standard output.
fn collector(node: &SearchNode, store: &str) -> Daemon {
    let store = format!("<match log.**>\n{store}\n  host 127.0.0.1\n  port {}\n</match>\n", node.port());
    let errors = format!("<label @ERROR>\n{STDOUT_MATCH}</label>\n");
    Daemon::start(&format!("{FORWARD_SOURCE}{store}{errors}<match **>\n  @type null\n</match>\n"))
}

fn docker_record(log: &str) -> Value {
    let pairs = [("container_id", "3f1c"), ("container_name", "/one"), ("source", "stdout"), ("log", log)];
    Value::Map(pairs.iter().map(|(key, value)| (Value::str(key), Value::str(value))).collect())
}

/// Events of one second as one message, so that they share a bulk request.
fn together(tag: &str, seconds: i64, records: &[&str]) -> Vec<u8> {
    let entries: Vec<_> = records.iter().map(|record| (Value::Int(seconds), Value::json(record))).collect();
    forward(tag, &entries, None)
}

/// The values of a field in the documents of an index, once there are as many as `count`.
fn field(node: &SearchNode, index: &str, field: &str, count: usize) -> Vec<serde_json::Value> {
    node.wait_for_documents(index, count).iter().map(|document| document[field].clone()).collect()
}

#[test]
fn the_services_logs_are_found_by_search() {
    let Some(node) = SearchNode::shared() else { return };
    // A day of its own for each form of the configuration, and so an index of its own.
    let cases = [("conf/reddit-v0.12.conf", 1_700_000_000, "fluentd-20231114"), ("conf/reddit-v1.conf", 1_700_086_400, "fluentd-20231115")];
    for (config, seconds, index) in cases {
        let setup = Daemon::with_file(config).env("FORWARD_BIND", "127.0.0.1");
        let daemon = setup.env("ELASTICSEARCH_HOST", "127.0.0.1").env("ELASTICSEARCH_PORT", node.port()).start();
        let mut sender = Sender::connect(daemon.port("FORWARD_PORT"));
        sender.send(&message("service.post", Value::Int(seconds), docker_record(POST_LOG), None));
        // The first document decides the types of its fields, so it has to be there before the others.
        node.wait_for_documents(index, 1);
        for (log, offset) in UI_LOGS.iter().zip(1..) {
            sender.send(&message("service.ui", Value::Int(seconds + offset), docker_record(log), None));
        }
        let found = node.wait_for_documents(index, 3);
        let date = jiff::Timestamp::from_second(seconds).unwrap();
        for (document, (mut wanted, offset)) in found.into_iter().zip(documents().into_iter().zip(0..)) {
            let time = date + jiff::SignedDuration::from_secs(offset);
            wanted["@timestamp"] = json!(time.strftime("%Y-%m-%dT%H:%M:%S.000000000+00:00").to_string());
            assert_eq!(document, wanted);
        }
        types_are_right(node, index);
        searches_find(node, index);
        assert_eq!(daemon.wait_for_events(3).len(), 3, "the other store printed the same events");
    }
}

fn types_are_right(node: &SearchNode, index: &str) {
    let mapping = node.ask("GET", &format!("/{index}/_mapping"), "");
    let properties = &mapping[index]["mappings"]["properties"];
    for (name, kind) in [("@timestamp", "date"), ("response_status", "long"), ("@log_name", "text"), ("message", "text")] {
        assert_eq!(properties[name]["type"], kind, "{name} in {mapping}");
    }
    assert!(properties["log"].is_null() && properties["container_id"].is_null(), "the parsed record replaces Docker's: {mapping}");
}

fn searches_find(node: &SearchNode, index: &str) {
    let count = |query: serde_json::Value| {
        let answer = node.ask("POST", &format!("/{index}/_count"), &json!({"query": query}).to_string());
        answer["count"].as_u64().unwrap_or_else(|| panic!("{answer}"))
    };
    assert_eq!(count(json!({"term": {"@log_name.keyword": "service.ui"}})), 2);
    assert_eq!(count(json!({"match": {"message": "cart"}})), 1);
    assert_eq!(count(json!({"range": {"response_status": {"gte": 300}}})), 1);
    assert_eq!(count(json!({"range": {"@timestamp": {"lt": "2023-11-16"}}})), 3);
}

#[test]
fn containers_logs_go_from_docker_to_the_index_of_their_day() {
    let (Some(engine), Some(node)) = (Engine::shared(), SearchNode::shared()) else { return };
    let setup = Daemon::with_file("conf/reddit-v0.12.conf").env("FORWARD_BIND", "127.0.0.1");
    let daemon = setup.env("ELASTICSEARCH_HOST", "127.0.0.1").env("ELASTICSEARCH_PORT", node.port()).start();
    let address = format!("fluentd-address=127.0.0.1:{}", daemon.port("FORWARD_PORT"));
    let run = |tag: &str, lines: &[&str]| {
        let tag = format!("tag={tag}");
        let mut arguments = vec!["run", "--rm", "--network=none", "--log-driver=fluentd", "--log-opt", &address, "--log-opt", &tag];
        arguments.extend([Engine::IMAGE, "printf", "%s\\n"]);
        arguments.extend(lines);
        engine.docker(&arguments);
    };
    // Today's index also has the daemon's own log, because the configuration matches everything; and midnight may fall in between.
    let (indices, query) = ("fluentd-*,-fluentd-2023*", json!({"prefix": {"@log_name.keyword": "service."}}));
    run("service.post", &[POST_LOG]);
    node.wait_for_hits(indices, query.clone(), 1);
    run("service.ui", &UI_LOGS);
    let mut times: Vec<String> = daemon.wait_for_events(3).into_iter().map(|event| event.time).collect();
    times.sort();
    let mut found = Vec::new();
    for (mut hit, time) in node.wait_for_hits(indices, query, 3).into_iter().zip(times) {
        assert_eq!(hit["_index"], format!("fluentd-{}", time[..10].replace('-', "")));
        let stamp = hit["_source"].as_object_mut().unwrap().remove("@timestamp").unwrap();
        assert_eq!(stamp, time.replacen(' ', "T", 1).replace(" +0000", "+00:00"));
        found.push(hit["_source"].take());
    }
    found.sort_by_key(|document| document["timestamp"].to_string());
    assert_eq!(found, documents());
}

#[test]
fn only_the_document_that_does_not_fit_the_mapping_is_refused() {
    let Some(node) = SearchNode::shared() else { return };
    node.ask("PUT", "/numbers", r#"{"mappings":{"dynamic":"strict","properties":{"@timestamp":{"type":"date"},"n":{"type":"long"}}}}"#);
    let store = "  @type opensearch\n  index_name numbers\n  include_timestamp true\n  log_es_400_reason true\n  flush_interval 1s";
    let daemon = collector(node, store);
    let records = [r#"{"n":1}"#, r#"{"n":"many"}"#, r#"{"n":3}"#, r#"{"other":4}"#, r#"{"n":"5"}"#];
    Sender::connect(daemon.port("FORWARD_PORT")).send(&together("log.numbers", 1_700_000_000, &records));
    assert_eq!(field(node, "numbers", "n", 3), [json!(1), json!(3), json!("5")]);
    let refused = daemon.wait_for_events(2);
    let values: Vec<_> = refused.iter().map(|event| (&event.record["n"], &event.record["other"])).collect();
    assert_eq!(values, [(&json!("many"), &json!(null)), (&json!(null), &json!(4))], "alone and in order");
    assert!(refused.iter().all(|event| event.tag == "log.numbers" && event.time == "2023-11-14 22:13:20.000000000 +0000"));
    daemon.wait_for_log("the server's reason for each", |lines| {
        let log = lines.join("\n");
        log.contains("failed to parse field [n] of type [long]") && log.contains("introduction of [other] within [_doc] is not allowed")
    });
    assert_eq!(daemon.stop().code, 0);
    assert_eq!(node.wait_for_documents("numbers", 3).len(), 3, "nothing was sent twice");
}

#[test]
fn a_blocked_index_only_delays_its_documents() {
    let Some(node) = SearchNode::shared() else { return };
    let daemon = {
        node.ask("PUT", "/blocked", "");
        node.ask("PUT", "/blocked/_settings", r#"{"index.blocks.write":true}"#);
        let buffer = "  <buffer tag>\n    flush_mode immediate\n    retry_wait 0.1\n    retry_max_interval 1s\n  </buffer>";
        collector(node, &format!("  @type elasticsearch\n  index_name ${{tag[1]}}\n  include_timestamp true\n{buffer}"))
    };
    let mut sender = Sender::connect(daemon.port("FORWARD_PORT"));
    sender.send(&together("log.blocked", 1_700_000_000, &[r#"{"n":1}"#, r#"{"n":2}"#]));
    sender.send(&together("log.open", 1_700_000_000, &[r#"{"n":3}"#]));
    assert_eq!(field(node, "open", "n", 1), [json!(3)]);
    daemon.wait_for_log("a word on the block", |lines| lines.iter().any(|line| line.contains("cluster_block_exception")));
    node.ask("PUT", "/blocked/_settings", r#"{"index.blocks.write":null}"#);
    assert_eq!(field(node, "blocked", "n", 2), [json!(1), json!(2)]);
    assert_eq!(daemon.events(), [], "nothing was given up");
}

#[test]
fn documents_with_ids_are_created_once() {
    let Some(node) = SearchNode::shared() else { return };
    let ids = "  id_key id\n  write_operation create\n  remove_keys id\n  compression_level best_speed";
    let store = format!("  @type elasticsearch\n  index_name once\n  include_timestamp true\n  flush_interval 1s\n{ids}");
    let daemon = collector(node, &store);
    let mut sender = Sender::connect(daemon.port("FORWARD_PORT"));
    let records = [r#"{"id":"a","n":1}"#, r#"{"id":"b","n":2}"#];
    sender.send(&together("log.once", 1_700_000_000, &records));
    assert_eq!(field(node, "once", "n", 2), [json!(1), json!(2)]);
    sender.send(&together("log.once", 1_700_000_000, &[records[0], r#"{"id":"c","n":3}"#, records[1]]));
    assert_eq!(field(node, "once", "n", 3), [json!(1), json!(2), json!(3)]);
    assert_eq!(node.ask("GET", "/once/_doc/c", "")["_source"]["n"], 3);
    assert_eq!(daemon.events(), [], "a document that is there already is no error");
}
