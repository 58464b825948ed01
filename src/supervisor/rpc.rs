//! Commands by HTTP, where `<system> rpc_endpoint` says so: Fluentd's calls, with its answers.

use super::signals::Command;
use crate::net::http_server::{self, Bounds, HeaderValue, Request, Response, StatusCode, header};
use crate::net::{Listener, Loops, SocketOptions};
use crate::plugin::Stop;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

/// A call is one short request.
const BOUNDS: Bounds = Bounds { silence: Duration::from_secs(60), body_bytes: 64 << 10 };
/// At the end, for answers on their way.
const STOP_WAIT: Duration = Duration::from_secs(1);
/// Commands that wait for those before them; a reload may take a moment.
const QUEUE_CALLS: usize = 16;

/// Where commands are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    host: String,
    port: u16,
}

/// What is shown of the configuration, and whether it is shown to callers.
#[derive(Clone, Debug, Default)]
pub struct Dump {
    /// The configuration in Fluentd's form, secrets masked.
    pub text: Arc<str>,
    /// Whether `/api/config.getDump` is there.
    pub is_open: bool,
}

/// A call: what to do, and where the answer goes.
pub struct Call {
    /// What to do.
    pub what: Asked,
    /// What came of it.
    pub answer: oneshot::Sender<Result<(), String>>,
}

/// What a call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// What a signal could ask for too.
    Command(Command),
    /// Flush, then stop.
    FlushAndStop,
    /// Write the configuration into the log.
    Dump,
}

/// The server at work.
pub struct Rpc {
    endpoint: Endpoint,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Endpoint {
    /// Reads `host:port`, with an IPv6 address in brackets or not; otherwise what is wrong, in Fluentd's words.
    pub fn parse(text: &str) -> Result<Endpoint, String> {
        let invalid = || format!("Invalid rpc_endpoint: {text}");
        let (host, port) = text.rsplit_once(':').ok_or_else(invalid)?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let is_host = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || ":-.".contains(c));
        let port = port.parse().ok().filter(|_| is_host).ok_or_else(invalid)?;
        Ok(Endpoint { host: host.to_owned(), port })
    }
}

/// The calls and where they come in.
pub fn calls() -> (mpsc::Sender<Call>, mpsc::Receiver<Call>) {
    mpsc::channel(QUEUE_CALLS)
}

impl Rpc {
    /// Listens there, and sends what is asked for to `calls`.
    pub fn start(endpoint: &Endpoint, dump: watch::Receiver<Dump>, calls: mpsc::Sender<Call>, loops: &Arc<Loops>) -> anyhow::Result<Rpc> {
        let listener = Listener::tcp(&endpoint.host, endpoint.port, SocketOptions::default())?;
        crate::debug!("listening RPC http server on http://{}:{}/", endpoint.host, endpoint.port);
        let (stop, stopped) = Stop::new();
        let mut end = stopped.clone();
        let all = Arc::clone(loops);
        let task = loops.spawn(async move {
            let handle = move |stream, _| {
                let (mut stopped, dump, calls) = (stopped.clone(), dump.clone(), calls.clone());
                async move {
                    let handle = |request: Request| answer(request, dump.clone(), calls.clone());
                    http_server::serve(stream, BOUNDS, async move { stopped.wait().await }, handle).await;
                }
            };
            if let Err(error) = listener.serve(all, async move { end.wait().await }, STOP_WAIT, handle).await {
                crate::error!("commands by HTTP are not taken: error={:?}", format!("{error:#}"));
            }
        });
        Ok(Rpc { endpoint: endpoint.clone(), stop, task })
    }

    /// Where it listens.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Ends once answers on their way are written.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        let _ = self.task.await;
    }
}

fn asked(path: &str) -> Option<Asked> {
    match path {
        "/api/processes.interruptWorkers" | "/api/processes.killWorkers" => Some(Asked::Command(Command::Stop)),
        "/api/processes.flushBuffersAndKillWorkers" => Some(Asked::FlushAndStop),
        "/api/plugins.flushBuffers" => Some(Asked::Command(Command::Flush)),
        "/api/config.reload" | "/api/config.gracefulReload" | "/api/processes.zeroDowntimeRestart" => Some(Asked::Command(Command::Reload)),
        "/api/config.dump" => Some(Asked::Dump),
        _ => None,
    }
}

async fn answer(request: Request, dump: watch::Receiver<Dump>, calls: mpsc::Sender<Call>) -> Response {
    let path = request.uri.path();
    let dump = dump.borrow().clone();
    if path == "/api/config.getDump" && dump.is_open {
        return reply(StatusCode::OK, json!({"conf": dump.text.as_ref(), "ok": true}));
    }
    let Some(what) = asked(path) else {
        return reply(StatusCode::NOT_FOUND, json!({"error": format!("no such call: {path}"), "ok": false}));
    };
    let (sender, done) = oneshot::channel();
    let sent = calls.send(Call { what, answer: sender }).await;
    let result = if sent.is_ok() { done.await } else { Ok(Err("the process ends".to_owned())) };
    match result.unwrap_or_else(|_| Err("the process ends".to_owned())) {
        Ok(()) => reply(StatusCode::OK, json!({"ok": true})),
        // Fluentd: says that all is well before it has looked.
        Err(why) => reply(StatusCode::INTERNAL_SERVER_ERROR, json!({"message": "Internal Server Error", "error": why, "ok": false})),
    }
}

fn reply(status: StatusCode, body: serde_json::Value) -> Response {
    Response::new(status, body.to_string()).with(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_read_as_fluentd_does() {
        let endpoint = |host: &str, port| Ok(Endpoint { host: host.to_owned(), port });
        assert_eq!(Endpoint::parse("127.0.0.1:24444"), endpoint("127.0.0.1", 24444));
        assert_eq!(Endpoint::parse("[::1]:1"), endpoint("::1", 1));
        assert_eq!(Endpoint::parse("localhost:1"), endpoint("localhost", 1));
        for wrong in ["24444", ":1", "a b:1", "h:", "h:65536", "http://h:1"] {
            assert_eq!(Endpoint::parse(wrong), Err(format!("Invalid rpc_endpoint: {wrong}")));
        }
    }
}
