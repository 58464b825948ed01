//! Inputs that read texts from sockets: tcp, udp, syslog.

use crate::support::{Daemon, is_listening};
use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::time::Duration;

const OUTPUT: &str = "<label @FLUENT_LOG>\n<match **>\n@type null\n</match>\n</label>\n<match **>\n@type stdout\n</match>\n";

fn source(kind: &str, lines: &str) -> String {
    let port = if lines.contains("UDP_PORT") { "UDP_PORT" } else { "TCP_PORT" };
    let lines = lines.replace("UDP_PORT", "");
    format!("<source>\n@type {kind}\nbind 127.0.0.1\nport \"#{{ENV['{port}']}}\"\n{lines}\n</source>\n{OUTPUT}")
}

fn seen(daemon: &Daemon, count: usize) -> Vec<String> {
    daemon.wait_for_events(count).iter().map(|event| format!("{} {}", event.tag, event.text)).collect()
}

fn connect(daemon: &Daemon) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", daemon.port("TCP_PORT"))).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

/// Sends a datagram again and again until it is certain that the socket is bound: nobody says when it is.
fn datagrams(daemon: &Daemon, texts: &[&[u8]]) {
    daemon.wait_for_log("the socket to be bound", |lines| lines.iter().any(|line| line.contains("listening ")));
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    texts.iter().for_each(|text| {
        socket.send_to(text, ("127.0.0.1", daemon.port("UDP_PORT"))).unwrap();
    });
}

#[test]
fn tcp_texts_end_at_their_delimiter_and_know_their_sender() {
    let lines =
        "tag t\nsource_address_key from\nmessage_length_limit 20\n<parse>\n@type regexp\nexpression /^(?<n>\\d+) (?<m>.*)$/\n</parse>";
    let daemon = Daemon::start(&source("tcp", lines));
    let mut stream = connect(&daemon);
    stream.write_all(b"1 one\nno number\n2 t").unwrap();
    stream.write_all(b"wo\n3 this one is longer than twenty bytes\n4 four\nrest").unwrap();
    let expected = |n: u32, m: &str| format!("t {{\"n\":\"{n}\",\"m\":\"{m}\",\"from\":\"127.0.0.1\"}}");
    assert_eq!(seen(&daemon, 3), [expected(1, "one"), expected(2, "two"), expected(4, "four")]);
    drop(stream);
    daemon.wait_for_log("what was dropped", |lines| {
        let has = |words: &str| lines.iter().any(|line| line.contains(words));
        has("pattern not matched message=\"no number\"") && has("larger than 'message_length_limit'") && has("ended within a message")
    });
}

#[test]
fn tcp_takes_tags_from_records_and_old_flat_parameters() {
    let lines = "tag t\ndelimiter \\0\nformat json\n<extract>\ntag_key tag\n</extract>";
    let daemon = Daemon::start(&source("tcp", &lines.replace("\\0", "\"\\0\"")));
    connect(&daemon).write_all(b"{\"tag\":\"a.b\",\"x\":1}\0{\"x\":2}\0").unwrap();
    assert_eq!(seen(&daemon, 2), ["a.b {\"x\":1}", "t {\"x\":2}"]);
}

#[test]
fn tcp_turns_away_who_may_not_send() {
    let lines = "tag t\n<parse>\n@type none\n</parse>\n<security>\n<client>\nnetwork 10.0.0.0/8\n</client>\n</security>";
    let daemon = Daemon::start(&source("tcp", lines));
    let mut stream = connect(&daemon);
    let _ = stream.write_all(b"a\n");
    assert!(stream.read(&mut [0]).unwrap_or(0) == 0);
    daemon.wait_for_log("the refusal", |lines| lines.iter().any(|line| line.contains("anonymous client '127.0.0.1' denied")));
    let admitted = Daemon::start(&source("tcp", &lines.replace("network 10.0.0.0/8", "host localhost")));
    connect(&admitted).write_all(b"a\n").unwrap();
    assert_eq!(seen(&admitted, 1), ["t {\"message\":\"a\"}"]);
}

#[test]
fn udp_datagrams_are_texts() {
    let lines = "UDP_PORTtag u\nsource_hostname_key name\nmessage_length_limit 5\n<parse>\n@type none\n</parse>";
    let daemon = Daemon::start(&source("udp", lines));
    datagrams(&daemon, &[b"ab\r\n", b"c\nd", b"cut here"]);
    let name = |text: &str| format!("u {{\"message\":\"{text}\",\"name\":\"localhost\"}}");
    assert_eq!(seen(&daemon, 3), [name("ab"), name("c\\nd"), name("cut h")]);
}

#[test]
fn syslog_tags_say_facility_and_severity() {
    let lines = "UDP_PORTtag s\nseverity_key sev\nfacility_key fac\nemit_unmatched_lines true";
    let daemon = Daemon::start(&source("syslog", lines));
    let line = b"<165>Feb  5 17:32:18 web app[7]: it works\n";
    datagrams(&daemon, &[line, b"nonsense", b"<999>Feb  5 17:32:18 web app: odd"]);
    assert_eq!(
        seen(&daemon, 3),
        [
            "s.local4.notice {\"host\":\"web\",\"ident\":\"app\",\"pid\":\"7\",\"message\":\"it works\",\"sev\":\"notice\",\"fac\":\"local4\"}",
            "s.unmatched {\"unmatched_line\":\"nonsense\"}",
            "s..debug {\"host\":\"web\",\"ident\":\"app\",\"message\":\"odd\",\"sev\":\"debug\",\"fac\":null}"
        ]
    );
}

#[test]
fn syslog_over_tcp_counts_octets_and_takes_other_parsers() {
    let lines = "tag s\nframe_type octet_count\n<transport tcp>\n</transport>\n<parse>\n@type json\n</parse>";
    let daemon = Daemon::start(&source("syslog", lines));
    let mut stream = connect(&daemon);
    stream.write_all(b"12 <13>{\"a\":\n1}14 <14>{\"a\": \"b\"}").unwrap();
    stream.write_all(b"x y").unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0, "what has no length ends the connection");
    assert_eq!(seen(&daemon, 1), ["s.user.info {\"a\":\"b\"}"], "an expression without /m ends at the newline, as Fluentd's");
    assert!(is_listening(daemon.port("TCP_PORT")));
}

#[test]
fn faults_are_refused_in_fluentds_words() {
    for (kind, lines, words) in [
        ("tcp", "tag t", "<parse> section is required."),
        ("udp", "<parse>\n@type none\n</parse>", "'tag' parameter is required"),
        ("syslog", "", "'tag' parameter is required"),
        ("syslog", "tag t\nsend_keepalive_packet true", "send_keepalive_packet is available for tcp/tls"),
        ("syslog", "tag t\nsource_hostname_key h\nresolve_hostname false", "resolve_hostname must be true with source_hostname_key"),
        ("syslog", "tag t\n<transport sctp>\n</transport>", "valid options are tcp,udp,tls but got sctp"),
        (
            "tcp",
            "tag t\n<parse>\n@type none\n</parse>\n<security>\n<client>\n</client>\n</security>",
            "Either of 'host' and 'network' must be",
        ),
        (
            "tcp",
            "tag t\n<parse>\n@type none\n</parse>\n<security>\n<client>\nnetwork 1.2\n</client>\n</security>",
            "network '1.2' address format",
        ),
    ] {
        let finished = Daemon::with(&source(kind, lines)).argument("--dry-run").run();
        assert_eq!(finished.code, 1, "{kind} {lines}");
        assert!(finished.stderr.iter().any(|line| line.contains(words)), "{words}\n{}", finished.stderr.join("\n"));
    }
}
