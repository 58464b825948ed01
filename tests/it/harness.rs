//! The harness tested against itself, so that a failing test elsewhere points at the daemon.

use crate::support::forward::{chunk_option, concatenated, forward, message, packed, packed_gzip, packed_zstd};
use crate::support::{Answer, BulkServer, Event, Item, Sender, TempDir, Value, free_port, http, is_listening};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::time::Duration;

#[test]
fn values_are_encoded_in_their_shortest_form() {
    let cases: [(&str, &[u8]); 9] = [
        ("[null,true,false]", b"\x93\xc0\xc3\xc2"),
        ("[127,128,256,65536,4294967296]", b"\x95\x7f\xcc\x80\xcd\x01\x00\xce\x00\x01\x00\x00\xcf\0\0\0\x01\0\0\0\0"),
        ("[-1,-33,-129,-32769]", b"\x94\xff\xd0\xdf\xd1\xff\x7f\xd2\xff\xff\x7f\xff"),
        ("-2147483649", b"\xd3\xff\xff\xff\xff\x7f\xff\xff\xff"),
        ("18446744073709551615", b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff"),
        ("1.5", b"\xcb\x3f\xf8\0\0\0\0\0\0"),
        ("\"ab\"", b"\xa2ab"),
        ("{\"z\":1,\"a\":{}}", b"\x82\xa1z\x01\xa1a\x80"),
        ("[]", b"\x90"),
    ];
    for (text, bytes) in cases {
        assert_eq!(Value::json(text).encode(), bytes, "{text}");
    }
    let long = Value::Str(vec![b'x'; 300]).encode();
    assert_eq!(&long[..3], b"\xda\x01\x2c");
    assert_eq!(Value::event_time(1, 2).encode(), b"\xd7\0\0\0\0\x01\0\0\0\x02");
    assert_eq!(Value::Raw(vec![0xc1]).encode(), b"\xc1");
}

#[test]
fn every_mode_has_the_shape_of_the_protocol() {
    let entries = [(Value::Int(1), Value::json("{\"a\":1}")), (Value::Int(2), Value::json("{}"))];
    assert_eq!(message("t", Value::Int(1), Value::json("{}"), None), b"\x93\xa1t\x01\x80");
    assert_eq!(message("t", Value::Nil, Value::json("{}"), chunk_option("c")), b"\x94\xa1t\xc0\x80\x81\xa5chunk\xa1c");
    assert_eq!(forward("t", &entries, None), b"\x92\xa1t\x92\x92\x01\x81\xa1a\x01\x92\x02\x80");
    assert_eq!(packed("t", &entries, None), b"\x92\xa1t\xc4\x09\x92\x01\x81\xa1a\x01\x92\x02\x80");
    let gzip = packed_gzip("t", &entries, &[("size", Value::Int(2))]);
    let start = gzip.windows(2).position(|bytes| bytes == b"\x1f\x8b").unwrap();
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&gzip[start..]).read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked, concatenated(&entries));
    assert!(gzip.ends_with(b"\x82\xaacompressed\xa4gzip\xa4size\x02"));
    assert!(packed_zstd("t", &entries, &[]).ends_with(b"\x81\xaacompressed\xa4zstd"));
}

#[test]
fn acks_are_read_byte_for_byte() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut sender = Sender::connect(listener.local_addr().unwrap().port());
    let (mut peer, _) = listener.accept().unwrap();
    sender.event("t", "{\"a\":1}");
    let mut received = [0; 12];
    peer.read_exact(&mut received).unwrap();
    assert_eq!(&received, b"\x93\xa1t\xce\x65\x53\xf1\x00\x81\xa1a\x01");
    peer.write_all(b"\x81\xa3ack\xa3a=\n{\"ack\":\"b\"}").unwrap();
    assert_eq!(sender.ack(), b"a=\n");
    assert_eq!(sender.json_ack(), "b");
    assert!(sender.try_send(b"x"));
    // The unread byte makes this close a reset, which counts as closed too.
    drop(peer);
    assert!(sender.read_to_close().is_empty());
}

#[test]
fn a_unix_socket_carries_the_same_bytes() {
    let folder = TempDir::new();
    let path = folder.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let mut sender = Sender::connect_unix(&path);
    let (mut peer, _) = listener.accept().unwrap();
    sender.send(b"\xc0");
    assert_eq!(peer.read(&mut [0; 2]).unwrap(), 1);
}

#[test]
fn the_stand_in_plays_its_script_and_then_takes_everything() {
    let server = BulkServer::start();
    let send = || http::request(server.port(), "POST", "/_bulk", "application/x-ndjson", "{\"index\":{\"_index\":\"i\"}}\n{\"n\":1}\n");
    let refused = Item::Refused(400, "mapper_parsing_exception", "no number");
    server.script([
        Answer::Items(vec![refused]),
        Answer::Items(vec![Item::Custom(serde_json::json!({"index": {}}))]),
        Answer::Status(503, "{}".to_string()),
        Answer::Reset,
        Answer::TakeThenClose,
        Answer::Delay(Duration::from_millis(1), Box::new(Answer::Items(vec![Item::Created]))),
    ]);
    let (status, body) = send().unwrap();
    assert_eq!(status, 200);
    assert!(body.contains("\"status\":400") && body.contains("no number") && body.contains("\"errors\":true"), "{body}");
    assert!(send().unwrap().1.contains("\"items\":[{\"index\":{}}]"));
    assert_eq!(send().unwrap().0, 503);
    assert!(send().is_none());
    assert!(server.documents().is_empty());
    assert!(send().is_none());
    assert_eq!(server.wait_for_documents(1).len(), 1);
    assert!(send().unwrap().1.contains("\"errors\":false"));
    assert!(send().unwrap().1.contains("\"errors\":false"));
    assert_eq!(server.wait_for_bulk_requests(7)[0].header("content-type"), Some("application/x-ndjson"));
    assert_eq!(server.documents().len(), 3);
    assert!(server.requests().iter().all(|request| request.method == "POST" && request.path == "/_bulk"));
}

#[test]
fn the_stand_in_says_what_it_is() {
    let server = BulkServer::start_on(free_port());
    assert!(is_listening(server.port()));
    server.identify("2.19.1", Some("opensearch"));
    let (_, body) = http::request(server.port(), "GET", "/", "application/json", "").unwrap();
    assert!(body.contains("\"distribution\":\"opensearch\"") && body.contains("2.19.1"), "{body}");
}

#[test]
fn events_are_read_from_lines() {
    let event = Event::parse("2026-01-02 03:04:05.000000006 +0000 a.b: {\"z\":1,\"a\":\"x: y\"}").unwrap();
    assert_eq!((event.time.as_str(), event.tag.as_str()), ("2026-01-02 03:04:05.000000006 +0000", "a.b"));
    assert_eq!(event.text, "{\"z\":1,\"a\":\"x: y\"}");
    assert_eq!(event.record["a"], "x: y");
    assert!(Event::parse("2026-01-02 03:04:05 +0000 [info]: fluentd worker is now running").is_none());
}
