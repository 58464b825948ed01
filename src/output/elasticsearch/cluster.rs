//! The servers that serve one set of data: each request goes to the next one, and past those that cannot be reached.

use super::answer::begins_without_errors;
use super::hosts::Server;
use super::version::Dialect;
use crate::net::http::{Answer, Client, Endpoint, Failure, Limits, Request};
use crate::net::tls::ClientTls;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::body::Bytes;
use hyper::http::{HeaderMap, HeaderValue, Method, header};
use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::time::Instant;

/// A server that stays away is left alone for at most so many times as long as at first.
const MAX_PATIENCE: u32 = 64;

/// What all requests have in common.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Headers of every request; one of authorization comes before a server's user.
    pub headers: HeaderMap,
    /// TLS, for servers that speak it.
    pub tls: Arc<ClientTls>,
    /// Time and size limits.
    pub limits: Limits,
    /// How long a server that could not be reached is left alone.
    pub resurrect_after: Duration,
    /// Whether servers take turns; else the first that is there serves.
    pub in_turn: bool,
}

/// Servers and what is known of them.
pub struct Cluster {
    members: Vec<Member>,
    next: AtomicUsize,
    resurrect_after: Duration,
    in_turn: bool,
    dialect: Mutex<Option<Dialect>>,
}

struct Member {
    client: Client,
    path: String,
    headers: HeaderMap,
    down: Mutex<Option<Down>>,
}

#[derive(Clone, Copy)]
struct Down {
    until: Instant,
    patience: u32,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Cluster {
    /// Connects to nothing yet.
    pub fn new(servers: Vec<Server>, connection: &Connection) -> Cluster {
        let members = servers.into_iter().map(|server| Member::new(server, connection)).collect();
        let Connection { resurrect_after, in_turn, .. } = *connection;
        Cluster { members, next: AtomicUsize::new(0), resurrect_after, in_turn, dialect: Mutex::new(None) }
    }

    /// What the servers understand, once they have been asked.
    pub fn dialect(&self) -> Option<Dialect> {
        *lock(&self.dialect)
    }

    /// Keeps that; `None` when it may have changed.
    pub fn set_dialect(&self, dialect: Option<Dialect>) {
        *lock(&self.dialect) = dialect;
    }

    /// The servers, for messages.
    pub fn description(&self) -> String {
        self.members.iter().enumerate().fold(String::new(), |mut text, (at, member)| {
            let _ = write!(text, "{}{}{}", if at > 0 { ", " } else { "" }, member.client.endpoint(), member.path);
            text
        })
    }

    /// Sends a request to one server: the next that is thought to be there, else any. `path` follows the server's own path.
    pub async fn send(&self, method: Method, path: &str, headers: &HeaderMap, body: Bytes) -> Result<Answer, Failure> {
        let mut last = None;
        for member in self.in_order() {
            let mut all = member.headers.clone();
            all.extend(
                headers.iter().filter(|(name, _)| !member.headers.contains_key(*name)).map(|(name, value)| (name.clone(), value.clone())),
            );
            let request = Request { method: method.clone(), path: format!("{}{path}", member.path), headers: all, body: body.clone() };
            match member.client.send(request).await {
                Ok(answer) => {
                    *lock(&member.down) = None;
                    return Ok(answer);
                }
                Err(failure @ Failure::Connect(_)) => {
                    member.is_down(self.resurrect_after);
                    last = Some(failure);
                }
                Err(failure @ Failure::Broken(_)) => {
                    member.is_down(self.resurrect_after);
                    self.set_dialect(None);
                    return Err(failure);
                }
                Err(failure @ Failure::TooLarge) => return Err(failure),
            }
        }
        // It may be another server, or another version of it, that comes back.
        self.set_dialect(None);
        Err(last.unwrap_or_else(|| Failure::Connect(anyhow::anyhow!("there is no server"))))
    }

    /// All servers, those thought to be there first, in turn.
    fn in_order(&self) -> Vec<&Member> {
        let first = if self.in_turn { self.next.fetch_add(1, Ordering::Relaxed) } else { 0 };
        let now = Instant::now();
        let turned = (0..self.members.len()).map(|at| &self.members[(first.wrapping_add(at)) % self.members.len()]);
        let (up, down): (Vec<_>, Vec<_>) = turned.partition(|member| lock(&member.down).is_none_or(|down| down.until <= now));
        up.into_iter().chain(down).collect()
    }
}

impl Member {
    fn new(server: Server, connection: &Connection) -> Member {
        let tls = server.tls.then(|| Arc::clone(&connection.tls));
        let mut headers = connection.headers.clone();
        if let (Some((user, password)), false) = (&server.login, headers.contains_key(header::AUTHORIZATION)) {
            let basic = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
            // Base64 is always a valid header.
            if let Ok(mut value) = HeaderValue::from_str(&basic) {
                value.set_sensitive(true);
                headers.insert(header::AUTHORIZATION, value);
            }
        }
        let endpoint = Endpoint { host: server.host, port: server.port, tls, proxy: None };
        let client = Client::new(endpoint, connection.limits).skimming(begins_without_errors);
        Member { client, path: server.path, headers, down: Mutex::new(None) }
    }

    fn is_down(&self, first_wait: Duration) {
        let mut down = lock(&self.down);
        let patience = down.map_or(1, |before| (before.patience * 2).min(MAX_PATIENCE));
        *down = Some(Down { until: Instant::now() + first_wait.min(Duration::from_secs(3600)) * patience, patience });
        self.client.close_idle();
    }
}
