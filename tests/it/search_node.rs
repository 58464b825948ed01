//! Documents that a real search engine indexed: found by search, with the types it gave them, and with what it refused.

use crate::support::forward::{forward, message};
use crate::support::{Daemon, Engine, FORWARD_SOURCE, STDOUT_MATCH, SearchNode, Sender, Value};
use serde_json::json;
use std::sync::Mutex;

/// What the service `post` logs: JSON. `REQUEST` stands for the request that a test makes up.
const POST_LOG: &str = r#"{"addr": "172.18.0.3", "event": "find_all_posts", "level": "info", "message": "Successfully retrieved all posts", "method": "GET", "params": {}, "path": "/posts?", "request_id": "REQUEST", "response_status": 200, "service": "post", "timestamp": "2016-07-14 12:31:06"}"#;
/// What the service `ui` logs: Ruby's logger, with two kinds of message inside.
const UI_LOGS: [&str; 2] = [
    "I, [2016-07-14T12:31:07.451822 #17]  INFO -- : service=ui | event=cart_add | request_id=REQUEST | message='Added item 42 to cart'",
    "I, [2016-07-14T12:31:07.460021 #17]  INFO -- : service=ui | event=request | path=/post/42/vote | request_id=REQUEST | remote_addr=172.18.0.1 | method= POST | response_status=303",
];

/// The records of the logs above.
fn records(request: &str) -> [serde_json::Value; 3] {
    let post = serde_json::from_str(&POST_LOG.replace("REQUEST", request)).unwrap();
    let logger = json!({"pid": "17", "loglevel": "INFO", "progname": "", "service": "ui", "request_id": request});
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

/// Runs one of the services' configurations, has `log` send lines under a tag, and finds by search what came of them.
fn services_logs_are_found(node: &SearchNode, config: &str, request: &str, log: impl Fn(&Daemon, &str, &str)) {
    // All share the index of today, and the first document decides the types of its fields: it is one of `post` each time.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let setup = Daemon::with_file(config).env("FORWARD_BIND", "127.0.0.1");
    let daemon = setup.env("ELASTICSEARCH_HOST", "127.0.0.1").env("ELASTICSEARCH_PORT", node.port()).start();
    let query = json!({"term": {"request_id.keyword": request}});
    log(&daemon, "service.post", &POST_LOG.replace("REQUEST", request));
    node.wait_for_hits("fluentd-*", query.clone(), 1);
    UI_LOGS.iter().for_each(|line| log(&daemon, "service.ui", &line.replace("REQUEST", request)));
    let events = daemon.wait_for_events(3);
    let hits = node.wait_for_hits("fluentd-*", query, 3);
    assert_eq!((events.len(), hits.len()), (3, 3), "{events:?} {hits:?}");
    for (event, record) in events.iter().zip(records(request)) {
        assert_eq!(event.record, record);
        let mut document = record;
        document["@timestamp"] = json!(event.time.replacen(' ', "T", 1).replace(" +0000", "+00:00"));
        document["@log_name"] = json!(event.tag);
        let hit = hits.iter().find(|hit| hit["_source"] == document).unwrap_or_else(|| panic!("no {document} in {hits:?}"));
        let index = format!("fluentd-{}", event.time[..10].replace('-', ""));
        assert_eq!(hit["_index"], index);
        types_are_right(node, &index);
    }
    searches_find(node, request);
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

fn types_are_right(node: &SearchNode, index: &str) {
    let mapping = node.ask("GET", &format!("/{index}/_mapping"), "");
    let properties = &mapping[index]["mappings"]["properties"];
    for (name, kind) in [("@timestamp", "date"), ("response_status", "long"), ("@log_name", "text"), ("message", "text")] {
        assert_eq!(properties[name]["type"], kind, "{name} in {mapping}");
    }
    assert!(properties["log"].is_null() && properties["container_id"].is_null(), "the parsed record replaces Docker's: {mapping}");
}

fn searches_find(node: &SearchNode, request: &str) {
    let count = |query: serde_json::Value| {
        let both = json!({"query": {"bool": {"must": [{"term": {"request_id.keyword": request}}, query]}}});
        let answer = node.ask("POST", "/fluentd-*/_count", &both.to_string());
        answer["count"].as_u64().unwrap_or_else(|| panic!("{answer}"))
    };
    assert_eq!(count(json!({"term": {"@log_name.keyword": "service.ui"}})), 2);
    assert_eq!(count(json!({"match": {"message": "cart"}})), 1);
    assert_eq!(count(json!({"range": {"response_status": {"gte": 300}}})), 1);
    assert_eq!(count(json!({"range": {"@timestamp": {"lte": "now+1m"}}})), 3);
}

#[test]
fn the_services_logs_are_found_by_search() {
    let Some(node) = SearchNode::shared() else { return };
    for (config, request) in [("conf/reddit-v0.12.conf", "sent-old"), ("conf/reddit-v1.conf", "sent-new")] {
        services_logs_are_found(node, config, request, |daemon, tag, line| {
            Sender::connect(daemon.port("FORWARD_PORT")).send(&message(tag, Value::Int(1_700_000_000), docker_record(line), None));
            daemon.wait_for_event(line, |event| event.tag == tag);
        });
    }
}

#[test]
fn the_containers_logs_are_found_by_search() {
    let (Some(engine), Some(node)) = (Engine::shared(), SearchNode::shared()) else { return };
    services_logs_are_found(node, "conf/reddit-v0.12.conf", "contained", |daemon, tag, line| {
        let address = format!("fluentd-address=127.0.0.1:{}", daemon.port("FORWARD_PORT"));
        let tag = format!("tag={tag}");
        let options = ["run", "--rm", "--network=none", "--log-driver=fluentd", "--log-opt", &address, "--log-opt", &tag];
        engine.docker(&[&options[..], &[Engine::IMAGE, "echo", line]].concat());
    });
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
