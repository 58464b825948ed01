//! Servers that misbehave: nothing is lost, nothing is stored twice, the guilty document alone goes to `@ERROR`.

use super::server::{Reply, Server, dead_port, identity, refused};
use super::{Bench, chunk};
use crate::buffer::names::{Source, SourceRun};
use crate::output::WriteError;
use serde_json::json;
use std::time::Duration;

const THREE: [(i64, &str); 3] = [(1, r#"{"n":1}"#), (2, r#"{"n":2}"#), (3, r#"{"n":3}"#)];

fn bench(server: &Server, more: &str) -> Bench {
    Bench::new(&format!("host 127.0.0.1\nport {}\nindex_name i\n{more}", server.port))
}

fn retried(result: Result<(), WriteError>) -> String {
    match result {
        Err(WriteError::Retry(error)) => format!("{error:#}"),
        other => panic!("{other:?}"),
    }
}

/// The documents of a request.
fn documents(server: &Server, request: usize) -> Vec<String> {
    server.requests()[request].body.lines().skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn all_is_well() {
    let server = Server::start([]);
    let bench = bench(&server, "");
    bench.write(&chunk("t", &THREE)).unwrap();
    bench.write(&chunk("t", &THREE[..1])).unwrap();
    assert_eq!(documents(&server, 0), [r#"{"n":1}"#, r#"{"n":2}"#, r#"{"n":3}"#]);
    assert_eq!(server.requests().len(), 2);
    assert!(bench.errors().is_empty());
}

#[test]
fn ids_stay_the_same_when_documents_are_sent_again() {
    for (more, head) in
        [("", r#"{"index":{"_index":"i","_type":"_doc","_id":""#), ("include_index_in_url true", r#"{"index":{"_type":"_doc","_id":""#)]
    {
        let server = Server::start([Reply::Items(vec![json!({"status": 201}), refused(429, "es_rejected_execution_exception", "full")])]);
        let bench = bench(&server, &format!("generate_id true\n{more}"));
        let mut sent = chunk("t", &THREE[..2]);
        let Err(WriteError::Partial { remaining, .. }) = bench.write(&sent) else { panic!("not partial") };
        sent.sources = crate::buffer::names::cut(&[SourceRun { start: 0, source: Source::Place(0) }], &sent.bytes, &remaining);
        (sent.bytes, sent.records) = (rest_of(&sent, &remaining), 1);
        bench.write(&sent).unwrap();
        let actions = |request: usize| server.requests()[request].body.lines().step_by(2).map(str::to_owned).collect::<Vec<_>>();
        let first = actions(0);
        assert!(first.iter().all(|action| action.starts_with(head) && action.ends_with("\"}}")), "{first:?}");
        assert_ne!(first[0], first[1]);
        assert_eq!(actions(1), first[1..]);
    }
    // Records that have to be looked into get the same ids, unless they bring their own.
    let server = Server::start([]);
    let bench = bench(&server, "generate_id true\nid_key n");
    let sent = chunk("t", &[(1, r#"{"n":7}"#), (2, r#"{"m":1}"#)]);
    bench.write(&sent).unwrap();
    let body = &server.requests()[0].body;
    assert!(body.contains(r#""_id":7}"#) && body.contains("\"_id\":\"") && body.contains("-15\"}}"), "{body}");
}

#[test]
fn connections_are_kept_open() {
    let server = Server::start([]);
    let bench = bench(&server, "");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for _ in 0..5 {
            bench.search.deliver(&chunk("t", &THREE)).await.unwrap();
        }
    });
    assert_eq!(server.connections(), 1);
}

#[test]
fn each_document_has_its_own_fate() {
    let mixed = vec![
        refused(429, "es_rejected_execution_exception", "queue is full"),
        refused(400, "mapper_parsing_exception", "failed to parse field [n]"),
        json!({"status": 201}),
        refused(403, "cluster_block_exception", "disk is full"),
    ];
    let server = Server::start([Reply::Items(mixed)]);
    let bench = bench(&server, "include_tag_key true\nlogstash_format true");
    let events = [(1, r#"{"n":1}"#), (2, r#"{"n":"x"}"#), (3, r#"{"n":3}"#), (4, r#"{"n":4}"#)];
    let sent = chunk("app.web", &events);
    let Err(WriteError::Partial { remaining, records, reason }) = bench.write(&sent) else { panic!("not partial") };
    let bytes = rest_of(&sent, &remaining);
    assert_eq!(records, 2);
    assert_eq!(bytes, chunk("", &[events[0], events[3]]).bytes);
    assert!(format!("{reason:#}").contains("disk is full"), "{reason:#}");
    let message = "400 - Rejected by Elasticsearch [error type]: mapper_parsing_exception [reason]: 'failed to parse field [n]'";
    let record = r#"{"n":"x","@timestamp":"1970-01-01T09:00:02.250000000+09:00","tag":"app.web"}"#;
    let class = "Fluent::Plugin::ElasticsearchErrorHandler::ElasticsearchError";
    assert_eq!(bench.errors(), [("app.web".to_owned(), class.to_owned(), message.to_owned(), record.to_owned())]);
}

#[test]
fn a_storm_of_429_sends_the_same_chunk_again() {
    let full = || refused(429, "es_rejected_execution_exception", "queue is full");
    let server = Server::start([Reply::Items(vec![full(), full(), full()]), Reply::Answer(429, "slow down".to_owned())]);
    let bench = bench(&server, "");
    assert!(retried(bench.write(&chunk("t", &THREE))).contains("queue is full"));
    assert!(retried(bench.write(&chunk("t", &THREE))).contains("[429] slow down"));
    bench.write(&chunk("t", &THREE)).unwrap();
    assert!(bench.errors().is_empty());
}

#[test]
fn whole_refusals_are_retried() {
    let html = "<html>Service Unavailable</html>".to_owned();
    let denied = r#"{"error":{"type":"security_exception","reason":"no permission"}}"#.to_owned();
    let odd = "<html>please log in</html>".to_owned();
    let server =
        Server::start([Reply::Answer(503, html), Reply::Answer(401, denied), Reply::Answer(200, odd), Reply::CutShort, Reply::Reset]);
    let bench = bench(&server, "");
    let expected = [
        "[503] <html>Service Unavailable</html>",
        "[401] security_exception: no permission",
        "please log in",
        "cut short",
        "could not push",
    ];
    for why in expected {
        let error = retried(bench.write(&chunk("t", &THREE)));
        assert!(error.contains(why), "{error} has no {why}");
        assert!(error.contains("could not push logs to Elasticsearch cluster (http://127.0.0.1:"), "{error}");
    }
    assert!(bench.errors().is_empty());
}

#[test]
fn a_lost_connection_counts_as_an_unreached_server_and_a_busy_one_does_not() {
    let server = Server::start([Reply::Reset, Reply::Silence(Duration::from_secs(3)), Reply::Answer(503, String::new())]);
    let bench = bench(&server, "request_timeout 0.2s");
    let unreached = |result: Result<(), WriteError>| match result {
        Err(WriteError::Retry(error)) => {
            error.chain().any(|cause| cause.is::<std::io::Error>() || cause.is::<tokio::time::error::Elapsed>())
        }
        other => panic!("{other:?}"),
    };
    assert!(unreached(bench.write(&chunk("t", &THREE))));
    assert!(unreached(bench.write(&chunk("t", &THREE))), "silence");
    assert!(!unreached(bench.write(&chunk("t", &THREE))));
    let nobody = Bench::new(&format!("host 127.0.0.1\nport {}", dead_port()));
    assert!(unreached(nobody.write(&chunk("t", &THREE))));
}

#[test]
fn too_large_requests_are_halved() {
    let large = || Reply::Answer(413, String::new());
    let server = Server::start([large(), Reply::Good, large(), large(), Reply::Good]);
    let bench = bench(&server, "");
    bench.write(&chunk("t", &[(1, r#"{"n":1}"#), (2, r#"{"n":2}"#), (3, r#"{"n":3}"#), (4, r#"{"n":4}"#)])).unwrap();
    let sizes: Vec<usize> = (0..5).map(|request| documents(&server, request).len()).collect();
    assert_eq!(sizes, [4, 2, 2, 1, 1]);
    assert_eq!(documents(&server, 4), [r#"{"n":4}"#]);
    let errors = bench.errors();
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].3, r#"{"n":3}"#);
    assert!(errors[0].2.starts_with("413"), "{}", errors[0].2);
}

#[test]
fn a_413_that_comes_before_the_body_was_read_halves_too() {
    let server = Server::start([Reply::Early(413), Reply::Good, Reply::Good]);
    let bench = bench(&server, "");
    let long = format!(r#"{{"text":"{}"}}"#, "x".repeat(200_000));
    let events: Vec<(i64, &str)> = (0..20).map(|at| (at, long.as_str())).collect();
    bench.write(&chunk("t", &events)).unwrap();
    assert_eq!((documents(&server, 0).len(), documents(&server, 1).len()), (10, 10));
}

#[test]
fn one_bad_action_does_not_hold_up_the_others() {
    let malformed =
        r#"{"error":{"type":"illegal_argument_exception","reason":"Malformed action/metadata line [3], expected a simple value"}}"#;
    let bad = || Reply::Answer(400, malformed.to_owned());
    let server = Server::start([bad(), Reply::Good, bad(), Reply::Good, bad()]);
    let bench = bench(&server, "");
    bench.write(&chunk("t", &[(1, r#"{"n":1}"#), (2, r#"{"n":2}"#), (3, r#"{"n":3}"#), (4, r#"{"n":4}"#)])).unwrap();
    let errors = bench.errors();
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].3, r#"{"n":4}"#);
}

#[test]
fn what_a_server_refuses_after_the_first_of_two_requests_is_kept() {
    let server = Server::start([Reply::Good, Reply::Answer(503, String::new())]);
    let bench = bench(&server, "bulk_message_request_threshold 0");
    let sent = chunk("t", &THREE);
    let Err(WriteError::Partial { remaining, records, .. }) = bench.write(&sent) else { panic!("not partial") };
    let bytes = rest_of(&sent, &remaining);
    assert_eq!((records, bytes), (2, chunk("", &THREE[1..]).bytes));
    assert_eq!(server.requests().len(), 2, "the third is not sent to a server that is busy");
}

#[test]
fn answers_that_match_no_document_are_not_sent_again() {
    let server = Server::start([Reply::Items(vec![refused(400, "x", "y")])]);
    let bench = bench(&server, "");
    bench.write(&chunk("t", &THREE)).unwrap();
    let errors = bench.errors();
    assert_eq!(errors.len(), 3);
    assert!(errors[0].2.contains("submitted 3 do not match the number returned 1"), "{}", errors[0].2);
}

#[test]
fn a_dead_server_is_passed_over_and_left_alone() {
    let server = Server::start([]);
    let bench = Bench::new(&format!("hosts 127.0.0.1:{},127.0.0.1:{}\nindex_name i", dead_port(), server.port));
    for _ in 0..4 {
        bench.write(&chunk("t", &THREE)).unwrap();
    }
    assert_eq!(server.requests().len(), 4);
}

#[test]
fn servers_take_turns() {
    let (one, two) = (Server::start([]), Server::start([]));
    let bench = Bench::new(&format!("hosts 127.0.0.1:{},http://127.0.0.1:{}/\nverify_es_version_at_startup false", one.port, two.port));
    for _ in 0..4 {
        bench.write(&chunk("t", &THREE)).unwrap();
    }
    assert_eq!((one.requests().len(), two.requests().len()), (2, 2));
}

#[test]
fn or_the_first_serves_while_it_is_there() {
    let (one, two) = (Server::start([]), Server::start([]));
    let hosts = format!("hosts 127.0.0.1:{},127.0.0.1:{}", one.port, two.port);
    let bench = Bench::new(&format!("{hosts}\nselector_class_name Fluent::Plugin::ElasticseatchFallbackSelector"));
    for _ in 0..3 {
        bench.write(&chunk("t", &THREE)).unwrap();
    }
    assert_eq!((one.requests().len(), two.requests().len()), (3, 0));
}

#[test]
fn a_chunk_that_cannot_be_read_is_given_up_whole() {
    let server = Server::start([]);
    let mut torn = chunk("t", &THREE);
    torn.bytes.pop();
    assert!(matches!(bench(&server, "").write(&torn), Err(WriteError::Unrecoverable(_))));
    assert!(server.requests().is_empty());
}

#[test]
fn what_cannot_be_read_is_left_where_the_events_before_it_are_stored_already() {
    let server = Server::start([]);
    let mut torn = chunk("t", &THREE);
    torn.bytes.pop();
    let Err(WriteError::Partial { remaining, records, .. }) = bench(&server, "bulk_message_request_threshold 0").write(&torn) else {
        panic!("not partial")
    };
    let rest = chunk("", &THREE[2..]).bytes;
    assert_eq!((records, rest_of(&torn, &remaining)), (1, rest[..rest.len() - 1].to_vec()));
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn the_server_is_asked_what_it_is() {
    for (reply, kind) in [
        (identity("6.8.1", None), r#","_type":"doc""#),
        (identity("7.10.2", None), r#","_type":"_doc""#),
        (identity("8.1.0", None), ""),
        (identity("1.3.0", Some("opensearch")), r#","_type":"_doc""#),
        (identity("2.11.0", Some("opensearch")), ""),
        (Reply::Answer(404, "no such page".to_owned()), r#","_type":"doc""#),
    ] {
        let server = Server::start([]);
        server.identify(reply);
        bench(&server, "type_name doc").write(&chunk("t", &THREE)).unwrap();
        let expected = format!("{{\"index\":{{\"_index\":\"i\"{kind}}}}}");
        assert_eq!(server.requests()[0].body.lines().next(), Some(expected.as_str()));
    }
}

#[test]
fn a_server_that_cannot_say_its_version_yet_is_asked_again() {
    let server = Server::start([]);
    server.identify(Reply::Answer(503, String::new()));
    let bench = bench(&server, "");
    assert!(retried(bench.write(&chunk("t", &THREE))).contains("could not ask the version"));
    bench.write(&chunk("t", &THREE)).unwrap();
}

#[test]
fn requests_carry_what_the_configuration_says() {
    let server = Server::start([]);
    let more = r#"
        user joe
        password p%{a:b}
        path /proxy/es/
        custom_headers {"X-Team": "a"}
        compression_level best_speed
        include_index_in_url true
    "#;
    bench(&server, more).write(&chunk("t", &THREE)).unwrap();
    let request = &server.requests()[0];
    assert_eq!(request.path, "/proxy/es/i/_bulk");
    let head = request.head.to_lowercase();
    for line in ["authorization: basic am9lome6yg==", "x-team: a", "content-encoding: gzip", "content-type: application/x-ndjson"] {
        assert!(head.contains(line), "{line} in {head}");
    }
    assert!(request.body.starts_with("{\"index\":{\"_type\":\"_doc\"}}\n{\"n\":1}\n"), "{}", request.body);
}

#[test]
fn an_api_key_goes_before_a_user() {
    let server = Server::start([]);
    bench(&server, "api_key id:key\nuser u\npassword p").write(&chunk("t", &THREE)).unwrap();
    assert!(server.requests()[0].head.contains("ApiKey aWQ6a2V5"));
}

fn rest_of(chunk: &crate::buffer::Chunk, remaining: &[std::ops::Range<usize>]) -> Vec<u8> {
    remaining.iter().flat_map(|range| chunk.bytes[range.clone()].to_vec()).collect()
}
