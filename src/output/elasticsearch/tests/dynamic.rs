//! Parameters that are evaluated for each event.

use super::server::{Reply, Server, dead_port, refused};
use super::{Bench, chunk, dynamic_settings};
use crate::output::WriteError;

fn bench(server: &Server, more: &str) -> Bench {
    Bench::dynamic(&format!("host 127.0.0.1\nport {}\n{more}", server.port))
}

/// The lines of all requests that these events of the tag `app.web.1` become.
fn lines(more: &str, events: &[(i64, &str)]) -> Vec<String> {
    let server = Server::start([]);
    bench(&server, more).write(&chunk("app.web.1", events)).unwrap();
    server.requests().iter().flat_map(|request| request.body.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}

#[test]
fn each_event_has_its_index_type_and_id() {
    let params = "index_name Ix-${tag_parts[1]}-${record['team'] || 'None'}\nid_key ${record['by']}\nrouting_key ${'r' + tag_parts[-1]}\nremove_keys by";
    assert_eq!(
        lines(params, &[(1, r#"{"team":"A","by":"n","n":7,"r1":"x"}"#), (2, r#"{"by":"m","n":8}"#), (3, r#"{"team":"A","by":"n","n":9}"#)]),
        [
            r#"{"index":{"_index":"ix-web-a","_type":"_doc","_id":7,"routing":"x"}}"#,
            r#"{"team":"A","n":7,"r1":"x"}"#,
            r#"{"index":{"_index":"ix-web-none","_type":"_doc"}}"#,
            r#"{"n":8}"#,
            r#"{"index":{"_index":"ix-web-a","_type":"_doc","_id":9}}"#,
            r#"{"team":"A","n":9}"#,
        ]
    );
    let params = "index_name i\nwrite_operation ${record['op']}\nid_key id\ndelimiter w\ninclude_tag_key true\ntag_key ${tag_parts[1]}";
    assert_eq!(
        lines(params, &[(1, r#"{"op":"create","id":1}"#), (1, r#"{"op":"delete","id":2}"#), (1, r#"{"op":"update","id":3}"#)]),
        [
            r#"{"create":{"_index":"i","_type":"_doc","_id":1}}"#,
            r#"{"op":"create","id":1,"eb.1":"app.web.1"}"#,
            r#"{"update":{"_index":"i","_type":"_doc","_id":3}}"#,
            r#"{"doc":{"op":"update","id":3,"eb.1":"app.web.1"}}"#,
        ]
    );
}

#[test]
fn indexes_can_have_a_date_too() {
    let params =
        "logstash_format true\nlogstash_prefix ${record['p']}\nlogstash_dateformat ${record['d'] || '%Y'}\ntime_key t\ntime_precision 0";
    assert_eq!(
        lines(params, &[(1_700_000_000, r#"{"p":"A","t":"2020-02-03 04:05:06 +0000"}"#), (1_700_000_000, r#"{"p":"b","d":"%m.%d"}"#)]),
        [
            r#"{"index":{"_index":"a-2020","_type":"_doc"}}"#,
            r#"{"p":"A","t":"2020-02-03 04:05:06 +0000","@timestamp":"2020-02-03 04:05:06 +0000"}"#,
            r#"{"index":{"_index":"b-11.14","_type":"_doc"}}"#,
            r#"{"p":"b","d":"%m.%d","@timestamp":"2023-11-15T07:13:20+09:00"}"#,
        ]
    );
    // There are no placeholders of chunk keys, and nothing to evaluate.
    assert_eq!(lines("index_name a-%Y", &[(1, "{}")])[0], r#"{"index":{"_index":"a-%y","_type":"_doc"}}"#);
}

#[test]
fn what_cannot_be_evaluated_is_rejected_as_it_came() {
    let server = Server::start([]);
    let bench = bench(&server, "index_name i-${record['team'].downcase}\nlogstash_format false\ninclude_timestamp true");
    let chunk = chunk("t", &[(1, r#"{"n":1}"#), (1, r#"{"team":"A"}"#)]);
    bench.write(&chunk).unwrap();
    assert_eq!(server.requests()[0].body.lines().next(), Some(r#"{"index":{"_index":"i-a","_type":"_doc"}}"#));
    let errors = bench.errors();
    assert_eq!((errors.len(), errors[0].1.as_str(), errors[0].3.as_str()), (1, "NoMethodError", r#"{"n":1}"#));
    assert_eq!(chunk.rejected.get(), 1);
    let bench = self::bench(&server, "index_name ${record['n']}");
    bench.write(&self::chunk("t", &[(1, r#"{"n":1}"#)])).unwrap();
    assert_eq!(bench.errors()[0].2, "no implicit conversion of Integer into String");
}

#[test]
fn events_can_name_their_servers() {
    let (one, two) = (Server::start([]), Server::start([Reply::Items(vec![refused(429, "es_rejected_execution_exception", "full")])]));
    let bench = Bench::dynamic("hosts 127.0.0.1:${record['port']}\nindex_name i");
    let record = |port: u16, n: u8| format!(r#"{{"port":"{port}","n":{n}}}"#);
    let records = [record(one.port, 1), record(two.port, 2), record(one.port, 3), "{}".to_owned(), record(dead_port(), 4)];
    let events: Vec<(i64, &str)> = records.iter().map(|record| (1, record.as_str())).collect();
    let chunk = chunk("t", &events);
    let Err(WriteError::Partial { remaining, records: 2, .. }) = bench.write(&chunk) else { panic!("two are left") };
    let left: Vec<u8> = remaining.iter().flat_map(|range| chunk.bytes[range.clone()].to_vec()).collect();
    let part = |at: usize| super::chunk("t", &events[at..=at]).bytes;
    assert_eq!(left, [part(1), part(4)].concat());
    assert_eq!(one.requests().len(), 1);
    assert_eq!(one.requests()[0].body.lines().count(), 4);
    assert_eq!((bench.errors().len(), chunk.rejected.get()), (1, 1));
}

#[test]
fn code_that_cannot_be_read_is_refused() {
    let messages = |params: &str| {
        let (settings, diagnostics) = dynamic_settings(params);
        let messages: Vec<String> = diagnostics.findings().into_iter().map(|finding| finding.message).collect();
        (settings.is_ok(), messages.join("; "))
    };
    let (is_ok, text) = messages("index_name a-${record['x'}");
    assert!(!is_ok && text.starts_with("index_name: ${record['x'}"), "{text}");
    let (is_ok, text) = messages("target_index_key x");
    assert!(is_ok && text.contains("'target_index_key' has no effect in elasticsearch_dynamic"), "{text}");
    assert!(!messages("host ${record['h']}\ngenerate_id true").0);
}
