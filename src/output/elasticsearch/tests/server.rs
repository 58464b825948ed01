//! A server that plays a script: one reply for each request but `GET /`, then none but good ones.

use serde_json::{Value as Json, json};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What is done with a request.
pub enum Reply {
    /// Every document is created.
    Good,
    /// This status and body.
    Answer(u16, String),
    /// These items, which stand for `{"index": ...}` each.
    Items(Vec<Json>),
    /// A reset, with the request half read.
    Reset,
    /// An answer that ends before its end.
    CutShort,
    /// An answer before the body was read.
    Early(u16),
    /// Nothing for that long.
    Silence(Duration),
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    pub path: String,
    pub head: String,
    pub body: String,
}

#[derive(Default)]
struct State {
    identity: Option<Reply>,
    script: VecDeque<Reply>,
    requests: Vec<Request>,
    connections: usize,
}

pub struct Server {
    pub port: u16,
    state: Arc<Mutex<State>>,
}

impl Server {
    /// One that says it is Elasticsearch 7.
    pub fn start(script: impl IntoIterator<Item = Reply>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State { script: script.into_iter().collect(), ..State::default() }));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                state.lock().unwrap().connections += 1;
                std::thread::spawn(move || while play(&stream, &state).is_some() {});
            }
        });
        Server { port, state }
    }

    /// What the next `GET /` gets.
    pub fn identify(&self, reply: Reply) {
        self.state.lock().unwrap().identity = Some(reply);
    }

    /// The requests so far, `GET /` left out.
    pub fn requests(&self) -> Vec<Request> {
        self.state.lock().unwrap().requests.clone()
    }

    pub fn connections(&self) -> usize {
        self.state.lock().unwrap().connections
    }
}

/// A port where nobody listens.
pub fn dead_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// One answer to `GET /`.
pub fn identity(version: &str, distribution: Option<&str>) -> Reply {
    let mut version = json!({"number": version});
    if let Some(distribution) = distribution {
        version["distribution"] = json!(distribution);
    }
    Reply::Answer(200, json!({"version": version}).to_string())
}

/// One refused item.
pub fn refused(status: u16, kind: &str, reason: &str) -> Json {
    json!({"status": status, "error": {"type": kind, "reason": reason}})
}

/// Plays one request; `None` when the connection is over. A client that gives up is no failure of the test.
fn play(stream: &TcpStream, state: &Mutex<State>) -> Option<()> {
    let mut reader = BufReader::with_capacity(1, stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        (reader.read_line(&mut head).ok()? > 0).then_some(())?;
    }
    let path = head.split(' ').nth(1)?.to_owned();
    let is_identity = head.starts_with("GET ");
    let reply = {
        let mut state = state.lock().unwrap();
        if is_identity {
            state.identity.take().unwrap_or_else(|| identity("7.17.0", None))
        } else {
            state.script.pop_front().unwrap_or(Reply::Good)
        }
    };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |length| length.parse().unwrap());
    match reply {
        Reply::Early(status) => {
            answer(stream, status, "", 0)?;
            std::io::copy(&mut (&mut reader).take(length as u64), &mut std::io::sink()).ok()?;
            return None;
        }
        Reply::Reset => {
            let mut half = vec![0; length / 2];
            reader.read_exact(&mut half).ok()?;
            let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
            return None;
        }
        _ => {}
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let mut text = String::new();
    if head.contains("content-encoding: gzip") {
        flate2::read::GzDecoder::new(&body[..]).read_to_string(&mut text).unwrap();
    } else {
        text = String::from_utf8(body).unwrap();
    }
    let documents = text.lines().count() / 2;
    if !is_identity {
        state.lock().unwrap().requests.push(Request { path, head, body: text });
    }
    match reply {
        Reply::Good => answer(stream, 200, &items(&vec![json!({"status": 201}); documents]), 0),
        Reply::Answer(status, body) => answer(stream, status, &body, 0).filter(|()| status != 413),
        Reply::Items(all) => answer(stream, 200, &items(&all), 0),
        Reply::CutShort => answer(stream, 200, "{\"took\":1,\"errors\":false,", 100).and(None),
        Reply::Silence(time) => {
            std::thread::sleep(time);
            None
        }
        Reply::Early(_) | Reply::Reset => None,
    }
}

fn items(all: &[Json]) -> String {
    let errors = all.iter().any(|item| item.get("error").is_some());
    let all: Vec<Json> = all.iter().map(|item| json!({"index": item})).collect();
    format!("{{\"took\":1,\"errors\":{errors},\"items\":{}}}", Json::from(all))
}

fn answer(mut stream: &TcpStream, status: u16, body: &str, missing: usize) -> Option<()> {
    let length = body.len() + missing;
    // As servers do that answer before they have read it all.
    let end = if status == 413 { "connection: close\r\n" } else { "" };
    stream.write_all(format!("HTTP/1.1 {status} Status\r\n{end}content-length: {length}\r\n\r\n{body}").as_bytes()).ok()
}
