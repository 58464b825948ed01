//! What documents look like.

use super::{Bench, chunk};
use crate::output::elasticsearch::bulk::Planner;
use crate::output::elasticsearch::plan::{Plan, Trouble};
use crate::output::elasticsearch::version::{Dialect, Product};

fn planned(product: Product, major: u32, params: &str, events: &[(i64, &str)]) -> Plan {
    let bench = Bench::of(product, params);
    let chunk = chunk("app.web", events);
    let texts = bench.search.texts(&chunk);
    let site = bench.search.site(&chunk, &texts, Dialect::assumed(product, major));
    let mut planner = Planner::new(&site, &chunk, bench.search.dated(&texts), bench.search.settings.threshold, &bench.search.blocks);
    let mut whole = Plan::default();
    while let Some(plan) = planner.next() {
        for body in &plan.bodies {
            assert_eq!(body.ops.last().map(|op| op.body_end), Some(body.bytes.len()));
        }
        whole.bodies.extend(plan.bodies);
        whole.problems.extend(plan.problems);
        whole.dropped += plan.dropped;
        whole.unreadable = whole.unreadable.or(plan.unreadable);
    }
    whole
}

fn lines(params: &str, events: &[(i64, &str)]) -> Vec<String> {
    let plan = planned(Product::Elasticsearch, 7, params, events);
    plan.bodies
        .iter()
        .flat_map(|body| String::from_utf8(body.bytes.clone()).unwrap().lines().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

/// The one event's two lines.
fn one(params: &str, record: &str) -> (String, String) {
    let lines = lines(params, &[(1_700_000_000, record)]);
    assert_eq!(lines.len(), 2, "{lines:?}");
    (lines[0].clone(), lines[1].clone())
}

#[test]
fn records_go_as_they_are() {
    let record = r#"{"s":"a \"b\" \u0001 é","n":-5,"big":18446744073709551615,"f":1.5,"l":[1,null,{}],"m":{"x":{}},"":0}"#;
    assert_eq!(one("index_name I-1", record), (r#"{"index":{"_index":"i-1","_type":"_doc"}}"#.to_owned(), record.to_owned()));
    assert_eq!(one("index_name i", "{}").1, "{}");
}

#[test]
fn timestamp_and_tag_are_appended() {
    let params = "logstash_format true\ninclude_tag_key true\ntag_key @log_name";
    let (action, document) = one(params, r#"{"a":1}"#);
    assert_eq!(action, r#"{"index":{"_index":"logstash-2023.11.14","_type":"_doc"}}"#);
    assert_eq!(document, r#"{"a":1,"@timestamp":"2023-11-15T07:13:20.250000000+09:00","@log_name":"app.web"}"#);
    assert_eq!(one(params, "{}").1, r#"{"@timestamp":"2023-11-15T07:13:20.250000000+09:00","@log_name":"app.web"}"#);
    let local = one("logstash_format true\nutc_index false\ntime_precision 0\nlogstash_prefix App\nlogstash_prefix_separator _", "{}");
    assert_eq!(local.0, r#"{"index":{"_index":"app_2023.11.15","_type":"_doc"}}"#);
    assert_eq!(local.1, r#"{"@timestamp":"2023-11-15T07:13:20+09:00"}"#);
}

#[test]
fn fields_that_are_there_keep_their_place() {
    let params = "include_timestamp true\ninclude_tag_key true\nindex_name i";
    let events =
        [(0, r#"{"a":1}"#), (0, r#"{"tag":"own","a":1}"#), (0, r#"{"@timestamp":"2024-01-05T10:00:00Z","a":1}"#), (0, r#"{"a":2}"#)];
    let documents: Vec<String> = lines(params, &events).into_iter().skip(1).step_by(2).collect();
    assert_eq!(documents[3], r#"{"a":2,"@timestamp":"1970-01-01T09:00:00.250000000+09:00","tag":"app.web"}"#);
    assert_eq!(documents[1], r#"{"tag":"app.web","a":1,"@timestamp":"1970-01-01T09:00:00.250000000+09:00"}"#);
    assert_eq!(documents[2], r#"{"@timestamp":"2024-01-05T10:00:00Z","a":1,"tag":"app.web"}"#);
}

#[test]
fn the_index_follows_the_date_of_each_event() {
    let events = [(1_700_006_399, "{}"), (1_700_006_400, "{}"), (1_700_006_399, "{}")];
    let indexes: Vec<String> = lines("logstash_format true\nlogstash_dateformat %Y%m%d", &events).into_iter().step_by(2).collect();
    let name = |date: &str| format!(r#"{{"index":{{"_index":"logstash-{date}","_type":"_doc"}}}}"#);
    assert_eq!(indexes, [name("20231114"), name("20231115"), name("20231114")]);
    let seconds: Vec<String> = lines("logstash_format true\nlogstash_dateformat %H%M%S", &events).into_iter().step_by(2).collect();
    assert_eq!(seconds, [name("235959"), name("000000"), name("235959")]);
    let fractions: Vec<String> = lines("logstash_format true\nlogstash_dateformat %L", &events).into_iter().step_by(2).collect();
    assert_eq!(fractions, [name("250"), name("250"), name("250")]);
}

#[test]
fn indexes_in_the_path_have_bodies_of_their_own() {
    let events =
        [(1_700_006_399, r#"{"n":1}"#), (1_700_006_400, r#"{"n":2}"#), (1_700_006_398, r#"{"n":3}"#), (0, r#"{"@timestamp":1700006400}"#)];
    for more in ["", "id_key none"] {
        let plan = planned(Product::Elasticsearch, 8, &format!("logstash_format true\ninclude_index_in_url true\n{more}"), &events);
        let bodies: Vec<(Option<&str>, usize)> = plan.bodies.iter().map(|body| (body.index.as_deref(), body.ops.len())).collect();
        assert_eq!(bodies, [(Some("logstash-2023.11.14"), 2), (Some("logstash-2023.11.15"), 2)]);
        assert!(plan.bodies[0].bytes.starts_with(b"{\"index\":{}}\n"), "{}", String::from_utf8_lossy(&plan.bodies[0].bytes));
    }
}

#[test]
fn bodies_beyond_the_threshold_are_not_added_to() {
    let events: Vec<(i64, &str)> = (0..5).map(|at| (at, r#"{"n":1}"#)).collect();
    let plan = planned(Product::Elasticsearch, 8, "index_name i\nbulk_message_request_threshold 40", &events);
    let sizes: Vec<usize> = plan.bodies.iter().map(|body| body.ops.len()).collect();
    assert_eq!(sizes, [2, 2, 1]);
}

#[test]
fn ids_and_their_like_come_from_the_record() {
    let params = "index_name i\nid_key id\nparent_key p\nrouting_key $.r.x\npipeline p-${tag[1]}\nremove_keys id , b";
    let (action, document) = one(params, r#"{"id":5,"p":"up","r":{"x":"way"},"b":1,"c":2}"#);
    assert_eq!(action, r#"{"index":{"_index":"i","_type":"_doc","pipeline":"p-web","_id":5,"_parent":"up","routing":"way"}}"#);
    assert_eq!(document, r#"{"p":"up","r":{"x":"way"},"c":2}"#);
    assert_eq!(one("index_name i\nid_key id", r#"{"id":false}"#).0, r#"{"index":{"_index":"i","_type":"_doc"}}"#);
    assert_eq!(one("index_name i\nid_key a.b", r#"{"a":{"b":"n"}}"#).0, r#"{"index":{"_index":"i","_type":"_doc","_id":"n"}}"#);
}

#[test]
fn updates_have_doc_around_them() {
    let document = |params: &str, record: &str| one(&format!("index_name i\nid_key id\n{params}"), record);
    let record = r#"{"id":"x","a":1,"b":2}"#;
    assert_eq!(document("write_operation update", record).1, r#"{"doc":{"id":"x","a":1,"b":2}}"#);
    assert!(document("write_operation update", record).0.starts_with(r#"{"update":{"_index""#));
    assert_eq!(document("write_operation upsert", record).1, r#"{"doc":{"id":"x","a":1,"b":2},"doc_as_upsert":true}"#);
    let partly = document("write_operation upsert\nremove_keys_on_update a,no", record).1;
    assert_eq!(partly, r#"{"doc":{"id":"x","b":2},"upsert":{"id":"x","a":1,"b":2}}"#);
    assert_eq!(
        document("write_operation upsert\nremove_keys_on_update no", record).1,
        r#"{"doc":{"id":"x","a":1,"b":2},"doc_as_upsert":true}"#
    );
    assert_eq!(document("write_operation update\nsuppress_doc_wrap true", record).1, record);
    let listed =
        document("write_operation upsert\nremove_keys_on_update b\nremove_keys_on_update_key s", r#"{"id":"x","s":["a"],"a":1,"b":2}"#).1;
    assert_eq!(listed, r#"{"doc":{"id":"x","b":2},"upsert":{"id":"x","a":1,"b":2}}"#);
}

#[test]
fn what_needs_an_id_and_has_none_is_dropped_or_an_error() {
    let events = [(0, r#"{"id":"x"}"#), (0, r#"{"a":1}"#)];
    let plan = planned(Product::Elasticsearch, 7, "index_name i\nid_key id\nwrite_operation create", &events);
    assert_eq!((plan.bodies[0].ops.len(), plan.dropped, plan.problems.len()), (1, 1, 0));
    let plan =
        planned(Product::Elasticsearch, 7, "index_name i\nid_key id\nwrite_operation create\nemit_error_for_missing_id true", &events);
    let [problem] = &plan.problems[..] else { panic!("{:?}", plan.problems) };
    let expected = "Missing '_id' field. Write operation is create";
    assert!(matches!(&problem.what, Trouble::Rejected(class, why) if class.ends_with("MissingIdFieldError") && why == expected));
}

#[test]
fn a_record_can_name_its_index() {
    let action = |params: &str, record: &str| one(params, record);
    let (named, document) = action("index_name d\ntarget_index_key a.b", r#"{"a":{"b":"Mine","c":1}}"#);
    assert_eq!((named.as_str(), document.as_str()), (r#"{"index":{"_index":"mine","_type":"_doc"}}"#, r#"{"a":{"c":1}}"#));
    for record in [r#"{"a":{"b":null}}"#, r#"{"a":{}}"#, r#"{"a":"b"}"#, r#"{"a":null}"#, r#"{"x":1}"#] {
        let (default, document) = action("index_name d\ntarget_index_key a.b", record);
        assert_eq!((default.as_str(), document.as_str()), (r#"{"index":{"_index":"d","_type":"_doc"}}"#, record));
    }
    let plan = planned(Product::Elasticsearch, 7, "target_index_key a", &[(0, r#"{"a":5}"#)]);
    assert!(matches!(&plan.problems[0].what, Trouble::Rejected("NoMethodError", why) if why.contains("downcase")));
}

#[test]
fn nested_fields_are_flattened() {
    let record = r#"{"a":{"b":{"c":1},"e":{}},"l":[{"x":1}],"s":2}"#;
    assert_eq!(one("index_name i\nflatten_hashes true", record).1, r#"{"a_b_c":1,"l":[{"x":1}],"s":2}"#);
    let twice = one("index_name i\nflatten_hashes true\nflatten_hashes_separator .", r#"{"a":{"b":1},"x":0,"a.b":2}"#);
    assert_eq!(twice.1, r#"{"a.b":2,"x":0}"#);
}

#[test]
fn the_chunk_can_be_named() {
    let (_, document) = one("index_name i\n<metadata>\ninclude_chunk_id true\n</metadata>", r#"{"a":1}"#);
    assert!(document.starts_with(r#"{"a":1,"chunk_id":""#) && document.len() == r#"{"a":1,"chunk_id":""}"#.len() + 32, "{document}");
}

#[test]
fn times_come_from_the_record() {
    let params = "logstash_format true\ntime_key when";
    let (action, document) = one(params, r#"{"when":"2024-01-01T01:00:00+09:00"}"#);
    assert_eq!(action, r#"{"index":{"_index":"logstash-2023.12.31","_type":"_doc"}}"#);
    assert_eq!(document, r#"{"when":"2024-01-01T01:00:00+09:00","@timestamp":"2024-01-01T01:00:00.000000000+09:00"}"#);
    let number = one(params, r#"{"when":1704448800.25}"#);
    assert_eq!(number.1, r#"{"when":1704448800.25,"@timestamp":"2024-01-05T19:00:00.250000000+09:00"}"#);
    let only = one(&format!("{params}\ntime_key_exclude_timestamp true"), r#"{"when":"2024-01-05T10:00:00Z"}"#);
    assert_eq!(only.1, r#"{"when":"2024-01-05T10:00:00Z"}"#);
    let format = one(&format!("{params}\ntime_key_format %d/%m/%Y %H:%M:%S.%N%z"), r#"{"when":"05/01/2024 10:00:00.5+0200"}"#);
    assert_eq!(format.1, r#"{"when":"05/01/2024 10:00:00.5+0200","@timestamp":"2024-01-05T10:00:00.500000000+02:00"}"#);
}

#[test]
fn a_time_that_is_none_is_told_and_the_events_own_is_used() {
    let plan = planned(Product::Elasticsearch, 7, "logstash_format true\ntime_key when", &[(1_700_000_000, r#"{"when":"whenever"}"#)]);
    assert_eq!(plan.bodies[0].ops.len(), 1);
    assert!(matches!(&plan.problems[0].what, Trouble::Time(value) if value == b"\xa8whenever"));
    let body = String::from_utf8(plan.bodies[0].bytes.clone()).unwrap();
    assert!(
        body.contains("2023.11.14") && body.contains(r#"{"when":"whenever","@timestamp":"2023-11-15T07:13:20.250000000+09:00"}"#),
        "{body}"
    );
}

#[test]
fn types_depend_on_the_version() {
    let action = |product, major, params: &str, record: &str| {
        let plan = planned(product, major, &format!("index_name i\n{params}"), &[(0, record)]);
        String::from_utf8(plan.bodies[0].bytes.clone()).unwrap().lines().next().unwrap().to_owned()
    };
    let with = |kind: &str| format!("{{\"index\":{{\"_index\":\"i\"{kind}}}}}");
    let es = |major, params: &str, record: &str| action(Product::Elasticsearch, major, params, record);
    assert_eq!(es(5, "", "{}"), with(r#","_type":"fluentd""#));
    assert_eq!(es(6, "type_name doc", "{}"), with(r#","_type":"doc""#));
    assert_eq!(es(6, "routing_key r", r#"{"r":1}"#), with(r#","_type":"fluentd","_routing":1"#));
    assert_eq!(es(7, "suppress_type_name true", "{}"), with(r#","_type":null"#));
    assert_eq!(es(8, "type_name doc", "{}"), with(""));
    assert_eq!(es(5, "target_type_key t", r#"{"t":"mine"}"#), with(r#","_type":"mine""#));
    assert_eq!(es(6, "target_type_key t", r#"{"t":"mine"}"#), with(r#","_type":"fluentd""#));
    assert_eq!(action(Product::OpenSearch, 1, "", "{}"), with(r#","_type":"_doc""#));
    assert_eq!(action(Product::OpenSearch, 2, "", "{}"), with(""));
}

#[test]
fn odd_keys_and_bytes_do_no_harm() {
    let bench = Bench::new("index_name i");
    let mut chunk = chunk("t", &[]);
    // [0, {1: "a\xff"}], [0, {"b": bin}], what is no event, and a torn end.
    chunk.bytes = b"\x92\x00\x81\x01\xa2a\xff\x92\x00\x81\xa1b\xc4\x01c\x92\x00\xc0\x92\x00\x81\xa1".to_vec();
    let texts = bench.search.texts(&chunk);
    let site = bench.search.site(&chunk, &texts, Dialect::assumed(Product::Elasticsearch, 8));
    let plan = Planner::new(&site, &chunk, bench.search.dated(&texts), None, &bench.search.blocks).next().unwrap();
    let body = String::from_utf8(plan.bodies[0].bytes.clone()).unwrap();
    let documents: Vec<&str> = body.lines().skip(1).step_by(2).collect();
    assert_eq!(plan.unreadable, Some(18));
    assert_eq!(documents, ["{\"1\":\"a\u{fffd}\"}", r#"{"b":"c"}"#]);
}

#[test]
fn the_short_way_writes_what_the_long_one_does() {
    let texts =
        ["", "a", "caf\u{e9} \u{1f600}", "say \\\"no\\\"", "tab\\tline\\n", "exactly sixteen!", "seventeen letters", "\\u0000\\u001f"];
    let records: Vec<String> = (0..200)
        .map(|at: usize| {
            let long = "x".repeat(at) + texts[at % texts.len()];
            let (one, other) = (texts[at / 7 % texts.len()], texts[at / 3 % texts.len()]);
            format!(r#"{{"log":"{long}","{at}{one}":"{other}","n":{at},"f":-{at}.5,"l":[{at},null,true,{{"{other}":"{long}"}}],"m":{{}}}}"#)
        })
        .collect();
    let events: Vec<(i64, &str)> =
        records.iter().enumerate().map(|(at, record)| (1_700_000_000 + at as i64 / 3, record.as_str())).collect();
    for params in
        ["index_name i", "logstash_format true", "logstash_format true\ninclude_tag_key true", "include_tag_key true\nindex_name i"]
    {
        // A field to be removed sends each record the long way, and there is none of that name.
        let long = format!("{params}\nremove_keys no_such_field");
        assert_eq!(lines(params, &events), lines(&long, &events), "{params}");
    }
}
