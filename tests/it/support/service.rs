//! Real servers for the tests, started by the scripts of `tests/services`: one of a kind for the whole test process.
//!
//! A service ends when its standard input does, so it goes away with the test process, however that ends.

use super::streams::Lines;
use super::{PATIENCE, free_port, http};
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// Unpacking, compiling and starting on a loaded machine.
const START: Duration = Duration::from_secs(180);

/// The Docker engine.
pub struct Engine {
    folder: PathBuf,
    _process: Service,
}

/// An OpenSearch node.
pub struct SearchNode {
    port: u16,
    pid: i32,
    is_running: bool,
    has_settings: bool,
    process: Service,
}

/// A node whose process is stopped by a signal.
pub struct Paused(i32);

/// A script that runs, and what it says.
struct Service {
    child: Child,
    stdout: Lines,
}

impl Engine {
    /// The image that containers run: busybox with all its applets.
    pub const IMAGE: &str = "flumen-busybox";

    /// The engine of this process; `None`, with a word on why, where it cannot run and is not required.
    pub fn shared() -> Option<&'static Engine> {
        static ENGINE: OnceLock<Result<Engine, String>> = OnceLock::new();
        let engine = ENGINE.get_or_init(|| {
            let folder = make_folder("docker");
            start("docker-engine", &[folder.as_os_str()]).map(|process| Engine { folder, _process: process })
        });
        required("Docker engine", engine.as_ref().map_err(Clone::clone))
    }

    /// A `docker` command for this engine, to be given arguments.
    pub fn command(&self) -> Command {
        let mut command = Command::new("docker");
        command.env("DOCKER_HOST", format!("unix://{}/docker.sock", self.folder.display()));
        command.env("DOCKER_CONFIG", self.folder.join("config")).env("DOCKER_BUILDKIT", "0");
        command
    }

    /// Runs `docker` with these arguments to its end.
    pub fn try_docker<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Output {
        self.command().args(arguments).stdin(Stdio::null()).output().unwrap()
    }

    /// Runs `docker` with these arguments; what it printed, without the last line's end. Panics with its complaint when it fails.
    pub fn docker<S: AsRef<OsStr>>(&self, arguments: &[S]) -> String {
        let output = self.try_docker(arguments);
        assert!(output.status.success(), "docker failed: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim_end().to_string()
    }
}

impl SearchNode {
    /// The node of this process; `None`, with a word on why, where it cannot run and is not required.
    pub fn shared() -> Option<&'static SearchNode> {
        static NODE: OnceLock<Result<SearchNode, String>> = OnceLock::new();
        required("search node", NODE.get_or_init(|| SearchNode::launch("search")).as_ref().map_err(Clone::clone))
    }

    /// Another node, for the tests that stop and trouble it: one test at a time has it. As [`SearchNode::shared`] where it cannot run.
    pub fn own() -> Option<MutexGuard<'static, SearchNode>> {
        static NODE: OnceLock<Result<Mutex<SearchNode>, String>> = OnceLock::new();
        let node = NODE.get_or_init(|| SearchNode::launch("search-own").map(Mutex::new));
        let mut node = required("search node", node.as_ref().map_err(Clone::clone))?.lock().unwrap_or_else(PoisonError::into_inner);
        // The test before may have failed at any point.
        if node.has_settings {
            node.stop();
        }
        node.start();
        Some(node)
    }

    fn launch(folder: &str) -> Result<SearchNode, String> {
        let (port, folder) = (free_port(), make_folder(folder));
        let process = start("search-node", &[port.to_string().as_ref(), folder.as_os_str()])?;
        let ready = process.stdout.now().into_iter().find(|line| line.starts_with("ready ")).unwrap_or_default();
        let pid = ready.rsplit(' ').next().and_then(|pid| pid.parse().ok()).ok_or(ready)?;
        Ok(SearchNode { port, pid, is_running: true, has_settings: false, process })
    }

    /// Stops it, where it runs; its data stay.
    pub fn stop(&mut self) {
        if self.is_running {
            self.process.tell("stop", "stopped");
        }
        (self.is_running, self.has_settings) = (false, false);
    }

    /// Starts it again, where it was stopped.
    pub fn start(&mut self) {
        self.start_with(&[]);
    }

    /// Starts it again with these settings (`name=value`), which count until it is stopped.
    pub fn start_with(&mut self, settings: &[&str]) {
        if !self.is_running {
            self.process.tell(&[&["start"], settings].concat().join(" "), "ready");
            (self.is_running, self.has_settings) = (true, !settings.is_empty());
        }
    }

    /// Stops its whole process where it is, until what this gives is dropped.
    pub fn pause(&self) -> Paused {
        signal(self.pid, libc::SIGSTOP);
        Paused(self.pid)
    }

    /// Its HTTP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Sends a request with a JSON body (or none); the answer, whatever its status.
    pub fn ask(&self, method: &str, path: &str, body: &str) -> Value {
        let (_, text) = http::request(self.port, method, path, "application/json", body).expect("an answer of the search node");
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON from {method} {path}: {text}"))
    }

    /// Waits until a search of an index (or a pattern of indices) finds at least `count` documents; all hits, oldest `@timestamp` first.
    pub fn wait_for_hits(&self, index: &str, query: Value, count: usize) -> Vec<Value> {
        let search = json!({"size": 1000, "sort": ["@timestamp"], "query": query}).to_string();
        super::wait_until(&format!("{count} documents in {index}"), PATIENCE, || {
            self.ask("POST", &format!("/{index}/_refresh"), "");
            let found = self.ask("POST", &format!("/{index}/_search"), &search);
            found["hits"]["hits"].as_array().filter(|hits| hits.len() >= count).cloned()
        })
    }

    /// Makes an index with these fields, of one shard, so that the node counts exactly.
    pub fn make_index(&self, index: &str, fields: Value) {
        let settings = json!({"settings": {"number_of_shards": 1, "number_of_replicas": 0}, "mappings": {"properties": fields}});
        assert_eq!(self.ask("PUT", &format!("/{index}"), &settings.to_string())["acknowledged"], true, "{index}");
    }

    /// How many documents a search finds in an index now; none while it has no shards to count in, as just after its start.
    pub fn count(&self, index: &str) -> u64 {
        self.ask("POST", &format!("/{index}/_refresh"), "");
        self.ask("GET", &format!("/{index}/_count"), "")["count"].as_u64().unwrap_or(0)
    }

    /// What a query finds in an index, by the field `n`: how many documents, the first and the last number, how often one occurs at most.
    pub fn numbers(&self, index: &str, query: Value) -> [u64; 4] {
        let numbers =
            json!({"first": {"min": {"field": "n"}}, "last": {"max": {"field": "n"}}, "often": {"terms": {"field": "n", "size": 1}}});
        let query = json!({"size": 0, "track_total_hits": true, "query": query, "aggs": numbers});
        let found = self.ask("POST", &format!("/{index}/_search"), &query.to_string());
        let number = |value: &Value| value.as_f64().unwrap_or_else(|| panic!("{found}")) as u64;
        let of = &found["aggregations"];
        [&found["hits"]["total"]["value"], &of["first"]["value"], &of["last"]["value"], &of["often"]["buckets"][0]["doc_count"]].map(number)
    }

    /// The values of a field in all documents of an index, in no order, as often as they occur.
    pub fn values(&self, index: &str, field: &str) -> Vec<Value> {
        self.ask("POST", &format!("/{index}/_refresh"), "");
        let search = json!({"size": 5000, "sort": ["_doc"], "_source": [field]}).to_string();
        let mut page = self.ask("POST", &format!("/{index}/_search?scroll=1m"), &search);
        let mut values = Vec::new();
        while let Some(hits) = page["hits"]["hits"].as_array().filter(|hits| !hits.is_empty()) {
            values.extend(hits.iter().map(|hit| hit["_source"][field].clone()));
            let next = json!({"scroll": "1m", "scroll_id": page["_scroll_id"]}).to_string();
            page = self.ask("POST", "/_search/scroll", &next);
        }
        values
    }

    /// Waits until an index holds at least `count` documents; all of them, oldest `@timestamp` first.
    pub fn wait_for_documents(&self, index: &str, count: usize) -> Vec<Value> {
        let hits = self.wait_for_hits(index, json!({"match_all": {}}), count);
        hits.into_iter().map(|mut hit| hit["_source"].take()).collect()
    }
}

/// Whether a service that cannot be started is a failure, as in continuous integration, and not a reason to skip.
pub fn services_required() -> bool {
    std::env::var_os("FLUMEN_REQUIRE_SERVICES").is_some_and(|value| value == "1")
}

impl Service {
    /// Says a word to it and waits until it answers with another, one time more than before.
    fn tell(&mut self, word: &str, answer: &str) {
        let count = |lines: &[String]| lines.iter().filter(|line| line.starts_with(answer)).count();
        let before = count(&self.stdout.now());
        writeln!(self.child.stdin.as_mut().unwrap(), "{word}").unwrap();
        let answered = self.stdout.wait_for(START, |lines| count(lines) > before);
        answered.unwrap_or_else(|lines| panic!("no {answer:?} after {word:?}: {lines:?}"));
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        signal(self.0, libc::SIGCONT);
    }
}

fn signal(pid: i32, signal: i32) {
    // SAFETY: kill takes two integers; the process is the service's own, which ends only with its input.
    assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
}

impl Drop for Service {
    fn drop(&mut self) {
        // It ends when its input does, and cleans up before that.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn required<T>(what: &str, service: Result<T, String>) -> Option<T> {
    match service {
        Ok(service) => Some(service),
        Err(why) if services_required() => panic!("the {what} is required by FLUMEN_REQUIRE_SERVICES=1, but {why}"),
        Err(why) => {
            skip(&format!("no {what}: {why}"));
            None
        }
    }
}

/// Says that the current test is skipped. Past the test runner's capture, which would hide it from whoever runs the tests.
pub fn skip(why: &str) {
    let thread = std::thread::current();
    let _ = writeln!(std::io::stderr(), "SKIPPED {}: {why}", thread.name().unwrap_or("a test"));
}

/// A folder for a service, which its script removes: only that knows when the service has let go of it.
fn make_folder(service: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("flumen-{service}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Starts a script and waits for its `ready` line; the error is what it said.
fn start(script: &str, arguments: &[&OsStr]) -> Result<Service, String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/services").join(script);
    let mut command = Command::new(path);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // A group of its own: an interrupt from the keyboard must not reach it before it can clean up.
    let mut child = command.process_group(0).spawn().map_err(|error| format!("{script} does not start: {error}"))?;
    let stdout = Lines::read(child.stdout.take().unwrap());
    let mut stderr = Lines::read(child.stderr.take().unwrap());
    let is_ready = |lines: &[String]| lines.iter().any(|line| line.starts_with("ready "));
    match stdout.wait_for(START, is_ready) {
        Ok(_) => Ok(Service { child, stdout }),
        Err(_) => {
            drop(child.stdin.take());
            let _ = child.wait();
            Err(stderr.read_to_end().join(" "))
        }
    }
}
