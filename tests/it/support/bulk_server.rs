//! A stand-in for Elasticsearch that takes `_bulk` requests and misbehaves on demand: statuses item by item, resets, silence.
//!
//! It knows nothing of mappings and search; the tests that need those start a real node.

use super::http::Request;
use super::{PATIENCE, wait_until};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What happens to one `_bulk` request.
#[derive(Clone, Debug)]
pub enum Answer {
    /// 200 with these items in order; documents beyond the list are created.
    Items(Vec<Item>),
    /// A whole answer with this status and body, no document taken.
    Status(u16, String),
    /// The connection is reset after the request was read.
    Reset,
    /// The documents are taken, and then the connection is closed without an answer.
    TakeThenClose,
    /// The answer comes that much later.
    Delay(Duration, Box<Answer>),
}

/// What happens to one document of a `_bulk` request.
#[derive(Clone, Debug)]
pub enum Item {
    /// 201
    Created,
    /// Any other status with the error's type and reason.
    Refused(u16, &'static str, &'static str),
    /// This value in place of the item.
    Custom(Value),
}

/// The server; it ends with the test process.
pub struct BulkServer {
    port: u16,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    script: VecDeque<Answer>,
    requests: Vec<Request>,
    documents: Vec<(Value, Value)>,
    version: String,
    distribution: Option<String>,
}

impl BulkServer {
    /// Starts one that says it is Elasticsearch 7.17.0 and takes everything.
    pub fn start() -> BulkServer {
        BulkServer::start_on(super::free_port())
    }

    /// Starts on this port, for a server that appears only after the daemon.
    pub fn start_on(port: u16) -> BulkServer {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let state = Arc::new(Mutex::new(State { version: "7.17.0".to_string(), ..State::default() }));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || serve(stream, &state));
            }
        });
        BulkServer { port, state }
    }

    /// Changes what `GET /` says: the version, and the distribution where it is OpenSearch.
    pub fn identify(&self, version: &str, distribution: Option<&str>) {
        let mut state = self.state.lock().unwrap();
        state.version = version.to_string();
        state.distribution = distribution.map(str::to_string);
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Appends to the script: each `_bulk` request takes the next answer; when there is none left, everything is taken.
    pub fn script(&self, answers: impl IntoIterator<Item = Answer>) {
        self.state.lock().unwrap().script.extend(answers);
    }

    /// All requests so far, `GET /` included.
    pub fn requests(&self) -> Vec<Request> {
        self.state.lock().unwrap().requests.clone()
    }

    /// The `_bulk` requests so far.
    pub fn bulk_requests(&self) -> Vec<Request> {
        self.requests().into_iter().filter(is_bulk).collect()
    }

    /// The documents taken so far: the action line (`{"index": {...}}`) and the document.
    pub fn documents(&self) -> Vec<(Value, Value)> {
        self.state.lock().unwrap().documents.clone()
    }

    /// Forgets the documents taken so far.
    pub fn forget_documents(&self) {
        self.state.lock().unwrap().documents.clear();
    }

    /// Waits for `count` documents; all of them.
    pub fn wait_for_documents(&self, count: usize) -> Vec<(Value, Value)> {
        let enough = || Some(self.documents()).filter(|documents| documents.len() >= count);
        wait_until(&format!("{count} documents"), PATIENCE, enough)
    }

    /// Waits for `count` `_bulk` requests, answered or not; all of them.
    pub fn wait_for_bulk_requests(&self, count: usize) -> Vec<Request> {
        let enough = || Some(self.bulk_requests()).filter(|requests| requests.len() >= count);
        wait_until(&format!("{count} bulk requests"), PATIENCE, enough)
    }
}

fn is_bulk(request: &Request) -> bool {
    request.path.split('?').next().is_some_and(|path| path.ends_with("/_bulk"))
}

/// Serves one connection until it ends.
fn serve(stream: TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = Request::read(&mut reader) {
        let answer = {
            let mut state = state.lock().unwrap();
            state.requests.push(request.clone());
            if is_bulk(&request) { state.script.pop_front().unwrap_or(Answer::Items(Vec::new())) } else { identity(&state) }
        };
        if !give(answer, &request, reader.get_mut(), state) {
            return;
        }
    }
}

fn identity(state: &State) -> Answer {
    let mut version = json!({"number": state.version});
    if let Some(distribution) = &state.distribution {
        version["distribution"] = json!(distribution);
    }
    let tagline = "You Know, for Search";
    Answer::Status(200, json!({"name": "stand-in", "version": version, "tagline": tagline}).to_string())
}

/// Plays one answer; whether the connection goes on.
fn give(answer: Answer, request: &Request, stream: &mut TcpStream, state: &Mutex<State>) -> bool {
    match answer {
        Answer::Items(items) => write_answer(stream, 200, &take(request, &items, state)),
        Answer::Status(status, body) => write_answer(stream, status, &body),
        Answer::Reset => {
            // Closing with a linger time of zero sends RST in place of FIN.
            let _ = socket2::SockRef::from(&*stream).set_linger(Some(Duration::ZERO));
            false
        }
        Answer::TakeThenClose => {
            take(request, &[], state);
            false
        }
        Answer::Delay(time, answer) => {
            std::thread::sleep(time);
            give(*answer, request, stream, state)
        }
    }
}

/// Keeps the documents that are to be created; the body of the answer.
fn take(request: &Request, items: &[Item], state: &Mutex<State>) -> String {
    let text = request.text();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut answers = Vec::new();
    let mut errors = false;
    for (index, pair) in lines.chunks(2).enumerate() {
        let [action, document] = pair else { panic!("an action without a document in {text}") };
        let operation = action.as_object().and_then(|map| map.keys().next()).unwrap();
        let name = &action[operation]["_index"];
        answers.push(match items.get(index).unwrap_or(&Item::Created) {
            Item::Created => {
                state.lock().unwrap().documents.push((action.clone(), document.clone()));
                json!({operation: {"_index": name, "status": 201, "result": "created"}})
            }
            Item::Refused(status, kind, reason) => {
                errors = true;
                json!({operation: {"_index": name, "status": status, "error": {"type": kind, "reason": reason}}})
            }
            Item::Custom(item) => {
                errors = true;
                item.clone()
            }
        });
    }
    json!({"took": 1, "errors": errors, "items": answers}).to_string()
}

fn write_answer(stream: &mut TcpStream, status: u16, body: &str) -> bool {
    let length = body.len();
    let head = format!("HTTP/1.1 {status} Status\r\ncontent-type: application/json; charset=UTF-8\r\ncontent-length: {length}\r\n");
    stream.write_all(format!("{head}x-elastic-product: Elasticsearch\r\n\r\n{body}").as_bytes()).is_ok()
}
