//! The `http` input on its sockets.

use crate::support::http::request;
use crate::support::{Daemon, PATIENCE};
use std::io::{Read, Write};
use std::net::TcpStream;

const CONFIG: &str = "<source>\n@type http\nbind 127.0.0.1\nport \"#{ENV['HTTP_PORT']}\"\nbody_size_limit 1k\nkeepalive_timeout 1\n</source>\n\
                      <match **>\n@type stdout\n</match>\n<label @FLUENT_LOG>\n<match **>\n@type null\n</match>\n</label>\n";

#[test]
fn events_come_by_http_and_connections_are_kept_for_a_while() {
    let daemon = Daemon::start(CONFIG);
    let port = daemon.port("HTTP_PORT");
    assert_eq!(request(port, "POST", "/a/b?time=1500000000", "application/json", "[{\"n\":1},{\"n\":2}]"), Some((200, String::new())));
    let events = daemon.wait_for_events(2);
    let seen: Vec<_> = events.iter().map(|event| format!("{} {} {}", event.time, event.tag, event.text)).collect();
    let time = "2017-07-14 02:40:00.000000000 +0000";
    assert_eq!(seen, [format!("{time} a.b {{\"n\":1}}"), format!("{time} a.b {{\"n\":2}}")]);
    assert_eq!(request(port, "POST", "/a", "application/json", &"x".repeat(2000)), Some((413, "Too large".to_owned())));
    // Two requests on one connection, which ends by itself once it is silent.
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let post = "POST /c HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{\"n\":3}";
    stream.write_all([post, post].concat().as_bytes()).unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).unwrap();
    assert_eq!(answers.matches("HTTP/1.1 200 OK\r\n").count(), 2, "{answers}");
    assert!(answers.contains("Connection: Keep-Alive\r\n"), "{answers}");
    assert_eq!(daemon.wait_for_events(4)[3].text, "{\"n\":3}");
}

#[test]
fn a_reload_changes_what_open_connections_do() {
    let daemon = Daemon::start(CONFIG);
    let mut stream = TcpStream::connect(("127.0.0.1", daemon.port("HTTP_PORT"))).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut post = || {
        let body = "{\"n\":1}";
        let head = format!("POST /t HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all((head + body).as_bytes()).unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        let mut rest = Vec::new();
        while !rest.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            rest.push(byte[0]);
        }
        String::from_utf8(answer.to_vec()).unwrap()
    };
    assert_eq!(post(), "HTTP/1.1 200");
    daemon.rewrite(&CONFIG.replace("keepalive_timeout 1\n", "keepalive_timeout 1\nuse_204_response true\nadd_tag_prefix new\n"));
    daemon.signal(libc::SIGUSR2);
    crate::support::wait_until("the reload", PATIENCE, || (post() == "HTTP/1.1 204").then_some(()));
    assert_eq!(daemon.wait_for_event("a tag with the prefix", |event| event.tag == "new.t").text, "{\"n\":1}");
}
