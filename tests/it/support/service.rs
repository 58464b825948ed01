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
use std::sync::OnceLock;
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
    is_running: bool,
    process: Service,
}

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

    /// A node of a test's own, which it may stop; as [`SearchNode::shared`] where it cannot run.
    pub fn own() -> Option<SearchNode> {
        required("search node", SearchNode::launch("search-own"))
    }

    fn launch(folder: &str) -> Result<SearchNode, String> {
        let (port, folder) = (free_port(), make_folder(folder));
        let process = start("search-node", &[port.to_string().as_ref(), folder.as_os_str()])?;
        Ok(SearchNode { port, is_running: true, process })
    }

    /// Stops it; its data stay.
    pub fn stop(&mut self) {
        self.process.tell("stop", "stopped");
        self.is_running = false;
    }

    /// Starts it again where it was stopped.
    pub fn start(&mut self) {
        self.process.tell("start", "ready");
        self.is_running = true;
    }

    /// Whether it was not stopped.
    pub fn is_running(&self) -> bool {
        self.is_running
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
