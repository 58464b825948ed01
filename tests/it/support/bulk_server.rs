//! A stand-in for Elasticsearch that takes `_bulk` requests and misbehaves on demand: statuses item by item, resets, silence.
//!
//! It knows nothing of mappings and search; the tests that need those start a real node.

use super::http::Request;
use super::{PATIENCE, wait_until};
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Requests are taken out of the kernel in small portions, so that a sender notices when nobody reads on.
const RECEIVE_BYTES: usize = 16 << 10;

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
    /// The connection is reset before the request's body was read.
    ResetInBody,
    /// The documents are taken, and half of the answer is sent before the connection ends.
    CutShort,
    /// The documents are taken, and half of the answer is sent before the connection is reset.
    ResetHalfway,
    /// The request is read and never answered; whoever asks has to give up.
    Silence,
    /// These bytes, which need not be HTTP, and then the end of the connection.
    Raw(&'static str),
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
    listener: Mutex<Option<TcpListener>>,
}

#[derive(Default)]
struct State {
    script: VecDeque<Answer>,
    greetings: VecDeque<Answer>,
    most_bytes: Option<usize>,
    /// Open connections, to be ended when the server goes down.
    connections: BTreeMap<u64, TcpStream>,
    accepted: u64,
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
        let server = BulkServer::down_on(port);
        server.come_up();
        server
    }

    /// One that is down: nobody listens on its port until [`BulkServer::come_up`].
    pub fn down_on(port: u16) -> BulkServer {
        let state = Arc::new(Mutex::new(State { version: "7.17.0".to_string(), ..State::default() }));
        BulkServer { port, state, listener: Mutex::default() }
    }

    /// Listens.
    pub fn come_up(&self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).unwrap();
        socket2::SockRef::from(&listener).set_recv_buffer_size(RECEIVE_BYTES).unwrap();
        *self.listener.lock().unwrap() = Some(listener.try_clone().unwrap());
        let shared = Arc::clone(&self.state);
        std::thread::spawn(move || {
            // It ends when the listener is shut down.
            while let Ok((stream, _)) = listener.accept() {
                let state = Arc::clone(&shared);
                let number = state.lock().unwrap().keep(&stream);
                std::thread::spawn(move || {
                    serve(&stream, &state);
                    state.lock().unwrap().connections.remove(&number);
                });
            }
        });
    }

    /// Goes down: connections are refused, and those that are open end.
    pub fn go_down(&self) {
        if let Some(listener) = self.listener.lock().unwrap().take() {
            socket2::SockRef::from(&listener).shutdown(Shutdown::Both).unwrap();
        }
        for stream in std::mem::take(&mut self.state.lock().unwrap().connections).into_values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Appends to what the coming `GET /` are answered; when there is nothing left, with the version.
    pub fn greet(&self, answers: impl IntoIterator<Item = Answer>) {
        self.state.lock().unwrap().greetings.extend(answers);
    }

    /// From now on a `_bulk` request of more bytes is not answered: to take it would last too long.
    pub fn tire_at(&self, bytes: usize) {
        self.state.lock().unwrap().most_bytes = Some(bytes);
    }

    /// How many answers of the script are left.
    pub fn script_left(&self) -> usize {
        self.state.lock().unwrap().script.len()
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

    /// The documents taken so far, but for the first `seen`.
    pub fn documents_from(&self, seen: usize) -> Vec<(Value, Value)> {
        self.state.lock().unwrap().documents[seen..].to_vec()
    }

    /// How many documents were taken so far.
    pub fn document_count(&self) -> usize {
        self.state.lock().unwrap().documents.len()
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

impl State {
    fn keep(&mut self, stream: &TcpStream) -> u64 {
        self.accepted += 1;
        self.connections.insert(self.accepted, stream.try_clone().unwrap());
        self.accepted
    }
}

fn is_bulk(request: &Request) -> bool {
    request.path.split('?').next().is_some_and(|path| path.ends_with("/_bulk"))
}

/// Serves one connection until it ends.
fn serve(mut stream: &TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream);
    // The head is looked at before the body is read: some answers do not wait for that.
    while let Ok(true) = reader.fill_buf().map(|bytes| !bytes.is_empty()) {
        let is_refused = reader.buffer().starts_with(b"POST") && {
            let mut state = state.lock().unwrap();
            let is_next = matches!(state.script.front(), Some(Answer::ResetInBody));
            is_next && state.script.pop_front().is_some()
        };
        if is_refused {
            return reset(stream);
        }
        let Some(request) = Request::read(&mut reader) else { return };
        let answer = {
            let mut state = state.lock().unwrap();
            state.requests.push(request.clone());
            let is_too_much = state.most_bytes.is_some_and(|most| request.body.len() > most).then_some(Answer::Silence);
            let scripted = if is_too_much.is_some() {
                is_too_much
            } else if is_bulk(&request) {
                state.script.pop_front()
            } else {
                state.greetings.pop_front()
            };
            scripted.unwrap_or_else(|| if is_bulk(&request) { Answer::Items(Vec::new()) } else { identity(&state) })
        };
        if !give(answer, &request, &mut stream, state) {
            return;
        }
    }
}

/// Closing with a linger time of zero sends RST in place of FIN, once no copy of the socket is left.
fn reset(stream: &TcpStream) {
    let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
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
fn give(answer: Answer, request: &Request, stream: &mut &TcpStream, state: &Mutex<State>) -> bool {
    match answer {
        Answer::Items(items) => write_answer(stream, 200, &take(request, &items, state)),
        Answer::Status(status, body) => write_answer(stream, status, &body),
        Answer::Reset | Answer::ResetInBody => {
            reset(stream);
            false
        }
        Answer::CutShort => {
            let body = take(request, &[], state);
            let _ = stream.write_all(half_of(&whole_answer(200, &body)));
            false
        }
        Answer::ResetHalfway => {
            let body = take(request, &[], state);
            let _ = stream.write_all(half_of(&whole_answer(200, &body)));
            reset(stream);
            false
        }
        Answer::Silence => {
            let _ = stream.set_read_timeout(Some(PATIENCE));
            let _ = stream.read(&mut [0]);
            false
        }
        Answer::Raw(bytes) => {
            let _ = stream.write_all(bytes.as_bytes());
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

fn write_answer(stream: &mut &TcpStream, status: u16, body: &str) -> bool {
    stream.write_all(&whole_answer(status, body)).is_ok()
}

fn whole_answer(status: u16, body: &str) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status} Status\r\ncontent-type: application/json; charset=UTF-8\r\ncontent-length: {length}\r\n");
    format!("{head}x-elastic-product: Elasticsearch\r\n\r\n{body}").into_bytes()
}

/// The head, and half of the body.
fn half_of(answer: &[u8]) -> &[u8] {
    let body = answer.windows(4).position(|four| four == b"\r\n\r\n").map_or(0, |at| at + 4);
    &answer[..body + (answer.len() - body) / 2]
}
