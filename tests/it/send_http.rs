//! The http output of a running daemon: chunks that are tried again, given up, and accounted for.

use crate::support::http::Request;
use crate::support::{Daemon, FORWARD_SOURCE, PATIENCE, Sender, wait_until};
use std::io::{BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

type Seen = Arc<Mutex<Vec<Request>>>;

/// A server that gives these statuses in turn, then 200.
fn server(statuses: &[u16]) -> (u16, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (seen, statuses) = (Seen::default(), statuses.to_vec());
    let shared = Arc::clone(&seen);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            while let Some(request) = Request::read(&mut reader) {
                let mut seen = shared.lock().unwrap();
                let status = statuses.get(seen.len()).copied().unwrap_or(200);
                seen.push(request);
                let _ = stream.write_all(format!("HTTP/1.1 {status} Status\r\ncontent-length: 0\r\n\r\n").as_bytes());
            }
        }
    });
    (port, seen)
}

#[test]
fn chunks_come_again_while_the_server_is_busy_and_go_to_the_secondary_when_it_refuses_them() {
    let (port, seen) = server(&[503, 503, 200, 400]);
    let output = "@type http\nendpoint \"http://127.0.0.1:#{ENV['SERVER_PORT']}/in/${tag}\"\nheaders {\"x-team\":\"web\"}\n\
                  <buffer tag>\nflush_mode immediate\nretry_wait 0.05\nretry_max_interval 0.1\n</buffer>\n\
                  <secondary>\n@type secondary_file\ndirectory \"#{ENV['OUT_DIR']}/kept\"\nbasename ${tag}\n</secondary>\n";
    let setup = Daemon::with(&format!("{FORWARD_SOURCE}<match app.**>\n{output}</match>\n")).env("SERVER_PORT", port);
    let kept = setup.dir().join("kept/app.b.0");
    let daemon = setup.start();
    let mut sender = Sender::connect(daemon.port("FORWARD_PORT"));
    sender.event("app.a", r#"{"n":1}"#);
    let requests =
        |count: usize| wait_until("requests", PATIENCE, || Some(seen.lock().unwrap().clone()).filter(|seen| seen.len() >= count));
    for request in requests(3) {
        assert_eq!((request.path.as_str(), request.text().as_str()), ("/in/app.a", "{\"n\":1}\n"));
        assert_eq!((request.header("content-type"), request.header("x-team")), (Some("application/x-ndjson"), Some("web")));
    }
    sender.event("app.b", r#"{"n":2}"#);
    assert_eq!(requests(4)[3].path, "/in/app.b");
    wait_until("the refused chunk", PATIENCE, || std::fs::read_to_string(&kept).ok().filter(|text| text == "{\"n\":2}\n"));
    daemon.wait_for_log("the reason", |log| log.iter().any(|line| line.contains("400 Bad Request")));
}
