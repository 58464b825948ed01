//! An event becomes the same document however it travels: in big chunks that several threads share, in messages that arrive together, or alone on one
//! thread; and the document that the test makes of it by itself. With the configurations of the load runs.

use crate::support::forward::{chunk_option, message, packed};
use crate::support::{BulkServer, Daemon, FORWARD_SOURCE, PATIENCE, STDOUT_MATCH, Sender, Value, wait_until};
use serde_json::{Map, json};
use std::collections::BTreeMap;

const EVENTS: usize = 5000;
/// Events of one tag in a row, and of a chunk.
const RUN: usize = 1000;
const START: u32 = 1_700_000_000;
const TEXTS: [&str; 9] = [
    "plain words of a line",
    "a \"quoted\" word",
    "back\\slash \\\" and \\n",
    "tab\tnew\nline\r",
    "ünïcödé ✓ 🦀",
    "\u{1}\u{1f}\u{7f}\u{80}",
    "</script> & <b>",
    "{\"json\":[1,null]}",
    "",
];

/// An event, and what its document is to hold; its time, unless that is the present, as where a parser finds none.
struct Sent {
    tag: &'static str,
    record: Vec<(&'static str, String)>,
    document: serde_json::Value,
}

/// How events are sent, and to how many threads.
#[derive(Clone, Copy)]
enum Way {
    /// Chunks of packed entries, and four threads that filter parts of them.
    Packed,
    /// One event a message, those of a chunk in one write.
    Together,
    /// One event a message, the next one once it is acknowledged, on one thread.
    Alone,
}

fn padded(text: &str, number: usize) -> String {
    format!("{text}{} #{number}#", "x".repeat(number * 7 % 131))
}

fn container(log: String, number: usize) -> Vec<(&'static str, String)> {
    let id = format!("{:064x}", number as u128 * 0x9e37_79b9_7f4a_7c15);
    vec![("container_id", id), ("container_name", "/shop_1".to_owned()), ("source", "stdout".to_owned()), ("log", log)]
}

fn as_object(record: &[(&'static str, String)]) -> Map<String, serde_json::Value> {
    record.iter().map(|(key, value)| (key.to_string(), json!(value))).collect()
}

fn docker(number: usize) -> Sent {
    let record = container(padded(TEXTS[number % TEXTS.len()], number), number);
    let mut document = as_object(&record);
    document.insert("@timestamp".to_owned(), json!(timestamp(i64::from(second(number)), nanosecond(number))));
    Sent { tag: "docker.shop", record, document: document.into() }
}

/// Lines of an access log, some without a size, some with a quote in the agent, some that are none.
fn apache(number: usize) -> Sent {
    if number % 13 == 5 {
        // What no pattern of grok matches is a message, of the present.
        let Sent { record, mut document, .. } = docker(number);
        let fields = document.as_object_mut().unwrap();
        fields.insert("message".to_owned(), json!(record[3].1));
        fields.remove("@timestamp");
        return Sent { tag: "web.access", record, document };
    }
    let (minute, second, status) = (number / 60 % 60, number % 60, [200, 304, 404][number % 3]);
    let size = if number % 7 == 3 { "-".to_owned() } else { (number * 37).to_string() };
    let agent = if number.is_multiple_of(5) { r#""Mozilla \"5.0\" ünï""# } else { r#""Mozilla/5.0 (X11; Linux x86_64)""# };
    let (client, request) = (format!("10.0.{}.{}", number / 250, number % 250), format!("/cart/{number:x}?#{number}#"));
    let line = format!(
        "{client} - ada [14/Nov/2023:22:{minute:02}:{second:02} -0730] \"GET {request} HTTP/1.1\" {status} {size} \"http://example.com/\" {agent}"
    );
    let record = container(line, number);
    let parsed = json!({
        "clientip": client, "ident": "-", "auth": "ada", "verb": "GET", "request": request, "httpversion": "1.1",
        // Types that a pattern names win over the parameter `types`, and without one a field is a string.
        "response": status.to_string(),
        "referrer": "\"http://example.com/\"", "agent": agent,
        // 22:13:20 UTC is START.
        "@timestamp": timestamp(i64::from(START) - 13 * 60 - 20 + (minute * 60 + second) as i64 + 7 * 3600 + 30 * 60, 0),
    });
    let mut document = as_object(&record);
    document.extend(parsed.as_object().cloned().unwrap_or_default());
    if size != "-" {
        document.insert("bytes".to_owned(), json!(size));
    }
    Sent { tag: "web.access", record, document: document.into() }
}

fn service(number: usize) -> Sent {
    if (number / RUN).is_multiple_of(2) { post(number) } else { ui(number) }
}

/// A line of JSON.
fn post(number: usize) -> Sent {
    let text = TEXTS[number % TEXTS.len()];
    let mut document = json!({
        "addr": format!("10.0.1.{}", number % 255), "event": "find_post", "message": text, "request_id": format!("#{number}#"),
        "params": {"page": number % 9, "query": [text, null, true], "empty": {}}, "took": number as f64 / 8.0, "size": number as u64 * 0x1_0001_0001,
        "below": -(number as i64), "error": null, "service": "post",
    });
    let record = container(document.to_string(), number);
    document["@log_name"] = json!("service.post");
    Sent { tag: "service.post", record, document }
}

/// A line of Ruby's logger, with a message of one of two forms or of none.
fn ui(number: usize) -> Sent {
    let time = format!("2019-12-10T19:{:02}:{:02}.{:06}", number / 60 % 60, number % 60, number * 31 % 1_000_000);
    let mark = format!("#{number}#");
    let (message, parsed) = match number % 3 {
        0 => (
            format!("service=ui | event=show_all_posts | request_id={mark} | message='Showed \"all\" ünï'"),
            json!({"service": "ui", "event": "show_all_posts", "request_id": mark, "message": "Showed \"all\" ünï"}),
        ),
        1 => (
            format!(
                "service=ui | event=request | path=/post/{number:x} | request_id={mark} | remote_addr=10.0.2.7 | method= GET | response_status=200"
            ),
            json!({"service": "ui", "event": "request", "path": format!("/post/{number:x}"), "request_id": mark, "remote_addr": "10.0.2.7",
                "message": "GET", "response_status": "200"}),
        ),
        _ => (format!("nothing of the kind {mark}"), json!({"message": format!("nothing of the kind {mark}")})),
    };
    let mut document = json!({"timestamp": time, "pid": "1", "loglevel": "INFO", "progname": "", "@log_name": "service.ui"});
    let fields = document.as_object_mut().unwrap();
    fields.extend(parsed.as_object().cloned().unwrap_or_default());
    Sent { tag: "service.ui", record: container(format!("I, [{time} #1]  INFO -- : {message}"), number), document }
}

fn second(number: usize) -> u32 {
    START + number as u32 / 100
}

fn nanosecond(number: usize) -> u32 {
    number as u32 % 100 * 10_000_019
}

/// Logstash's form.
fn timestamp(second: i64, nanosecond: u32) -> String {
    let time = jiff::Timestamp::new(second, nanosecond as i32).unwrap();
    time.strftime("%Y-%m-%dT%H:%M:%S.%9f+00:00").to_string()
}

/// The number that is written between two hashes somewhere in a document.
fn number_in(document: &str) -> usize {
    let is_number = |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = document.split('#').skip(1).find(is_number).unwrap_or_else(|| panic!("no number in {document}"));
    number.parse().unwrap()
}

/// Sends all events, and waits for the acks where some are asked for.
fn send(port: u16, events: &[Sent], way: Way, acks: bool) {
    let mut sender = Sender::connect(port);
    let value = |record: &[(&str, String)]| Value::Map(record.iter().map(|(key, value)| (Value::str(key), Value::str(value))).collect());
    let time = |number| Value::event_time(second(number), nanosecond(number));
    for (at, run) in events.chunks(RUN).enumerate() {
        let entries: Vec<_> = run.iter().enumerate().map(|(inner, sent)| (time(at * RUN + inner), value(&sent.record))).collect();
        let tag = run[0].tag;
        let name = format!("chunk {at}");
        match way {
            Way::Packed => {
                sender.send(&packed(tag, &entries, chunk_option(&name).filter(|_| acks)));
                assert!(!acks || sender.ack() == name.as_bytes());
            }
            Way::Together => {
                let option = |inner| chunk_option(&format!("{name} {inner}")).filter(|_| acks);
                let bytes = entries.into_iter().enumerate().flat_map(|(inner, (time, record))| message(tag, time, record, option(inner)));
                sender.send(&bytes.collect::<Vec<u8>>());
                (0..if acks { RUN } else { 0 }).for_each(|inner| assert_eq!(sender.ack(), format!("{name} {inner}").as_bytes()));
            }
            Way::Alone => entries.into_iter().for_each(|(time, record)| {
                sender.send(&message(tag, time, record, chunk_option(&name)));
                assert_eq!(sender.ack(), name.as_bytes());
            }),
        }
    }
}

/// The configuration of a load run, for so many threads and with the ports of this test.
fn config(workload: &str, threads: usize, server: u16) -> String {
    let path = format!("{}/benches/load/conf/flumen-{workload}.conf", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let text = text.replace("port 24224", "port \"#{ENV['FORWARD_PORT']}\"").replace("port 9209", &format!("port {server}"));
    let text = text.replace("@WORK@", "#{ENV['OUT_DIR']}").replace("path #", "path \"#").replace("/buffer\n", "/buffer\"\n");
    format!("<system>\nthreads {threads}\n</system>\n{}", text.replace("flush_interval 1s", "flush_interval 0.1"))
}

/// The documents by number, as they were written, each with the action before it.
fn documents(workload: &str, events: &[Sent], way: Way) -> BTreeMap<usize, (String, String)> {
    let server = BulkServer::start();
    let threads = if matches!(way, Way::Alone) { 1 } else { 4 };
    let daemon = Daemon::start(&config(workload, threads, server.port()));
    send(daemon.port("FORWARD_PORT"), events, way, workload == "durable");
    wait_until("all documents", PATIENCE, || (server.document_count() >= events.len()).then_some(()));
    assert!(daemon.stop().stderr.iter().all(|line| !line.contains("[error]")), "nothing went wrong");
    let mut found = BTreeMap::new();
    for request in server.bulk_requests() {
        let text = request.text();
        let lines: Vec<&str> = text.lines().collect();
        for pair in lines.chunks(2) {
            let twice = found.insert(number_in(pair[1]), (pair[0].to_owned(), pair[1].to_owned()));
            assert!(twice.is_none(), "{} came twice", pair[1]);
        }
    }
    assert_eq!(found.len(), events.len());
    found
}

/// A document without its time.
fn without_time(document: &str) -> String {
    let (before, rest) = document.split_once("\"@timestamp\":\"").unwrap();
    let (time, after) = rest.split_once('"').unwrap();
    assert_eq!((time.len(), &time[29..]), (35, "+00:00"), "{time}");
    format!("{before}{after}")
}

impl Sent {
    fn has_time(&self) -> bool {
        self.document.get("@timestamp").is_some()
    }
}

/// What is the same whatever the way, and what was sent.
fn compare(workload: &str, make: fn(usize) -> Sent) {
    let events: Vec<Sent> = (0..EVENTS).map(make).collect();
    let alone = documents(workload, &events, Way::Alone);
    for (number, (action, document)) in &alone {
        let mut found: serde_json::Value = serde_json::from_str(document).unwrap();
        let day = found["@timestamp"].as_str().unwrap()[..10].replace('-', ".");
        assert!(action.contains(&format!("\"logstash-{day}\"")), "{action} {document}");
        if !events[*number].has_time() {
            found.as_object_mut().unwrap().remove("@timestamp");
        }
        assert_eq!(found, events[*number].document, "event {number}");
    }
    for (name, way) in [("packed", Way::Packed), ("together", Way::Together)] {
        let found = documents(workload, &events, way);
        for (number, sent) in events.iter().enumerate() {
            let text = |(action, document): &(String, String)| match sent.has_time() {
                true => format!("{action}{document}"),
                false => without_time(document),
            };
            assert_eq!(text(&found[&number]), text(&alone[&number]), "event {number}, {name}");
        }
    }
    compare_with_printed(workload, &events, &alone);
}

/// Standard output writes records through another path than documents.
fn compare_with_printed(workload: &str, events: &[Sent], documents: &BTreeMap<usize, (String, String)>) {
    let text = config(workload, 4, 1);
    let filters = text.split_once("</source>\n").unwrap().1.split_once("<match **>").unwrap().0;
    let daemon = Daemon::start(&format!("{FORWARD_SOURCE}{filters}{STDOUT_MATCH}"));
    send(daemon.port("FORWARD_PORT"), events, Way::Packed, false);
    for event in daemon.wait_for_events(events.len()) {
        let number = number_in(&event.text);
        let mut document: serde_json::Value = serde_json::from_str(&documents[&number].1).unwrap();
        let fields = document.as_object_mut().unwrap();
        let time = fields.remove("@timestamp").unwrap();
        if events[number].has_time() {
            assert_eq!(time.as_str().unwrap(), event.time.replacen(' ', "T", 1).replace(" +0000", "+00:00"));
        }
        assert!(fields.remove("@log_name").is_none_or(|tag| tag == event.tag.as_str()));
        assert_eq!(document, event.record, "event {number}");
    }
}

#[test]
fn docker_events_become_the_same_documents_on_all_ways() {
    compare("plain", docker);
}

#[test]
fn events_of_services_become_the_same_documents_on_all_ways() {
    compare("services", service);
}

#[test]
fn lines_of_access_logs_become_the_same_documents_on_all_ways() {
    compare("apache", apache);
}

#[test]
fn acknowledged_events_become_the_same_documents_on_all_ways() {
    compare("durable", docker);
}
