//! A small HTTP/1.1 client for one server: connections kept open, bounded answers, time limits; what to do about failures is the caller's.
//!
//! The name is resolved again for every new connection.

mod kept;

use super::proxy::Proxy;
use super::resolve;
use super::tls::ClientTls;
use anyhow::{Context as _, anyhow};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::http::{HeaderMap, HeaderValue, Method, Request as HyperRequest, Uri, header};
use hyper_util::rt::TokioIo;
use kept::Kept;
pub use kept::{SKIMMED_BYTES, Skim};
use rustls::pki_types::ServerName;
use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::thread::ThreadId;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};

/// Idle connections kept to one server: as many as flush threads usually are.
const MAX_IDLE: usize = 16;
/// An idle connection older than this is not used again: servers and balancers in between close theirs after 60 seconds and more.
const IDLE_TIME: Duration = Duration::from_secs(30);
/// Bytes of a body that are handed over at once: each marks progress for the time limit.
const FRAME_BYTES: usize = 256 << 10;
/// The least time that one of several addresses gets to answer.
const LEAST_CONNECT_TIME: Duration = Duration::from_secs(1);

/// Where a server is.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Set where TLS is spoken.
    pub tls: Option<Arc<ClientTls>>,
    /// Set where it is reached through a proxy.
    pub proxy: Option<Arc<Proxy>>,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", if self.tls.is_some() { "https" } else { "http" }, self.host, self.port)
    }
}

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// Headers; `Host` and `Content-Length` are added.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// One answer, whole.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Failure {
    /// Nothing was sent: another server may be asked at once.
    Connect(anyhow::Error),
    /// The server may have acted on the request.
    Broken(anyhow::Error),
    /// The answer is larger than the limit; the server has acted.
    TooLarge,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Connect(error) | Failure::Broken(error) => write!(f, "{error:#}"),
            Failure::TooLarge => f.write_str("the answer is too large"),
        }
    }
}

impl std::error::Error for Failure {}

/// The time and size limits of a client.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For a connection, TLS included.
    pub connect: Duration,
    /// Without any progress: neither a part of the request taken nor a part of the answer come.
    pub silence: Duration,
    /// Bytes of an answer's body.
    pub answer_bytes: usize,
}

struct Idle {
    sender: SendRequest<Sent>,
    since: Instant,
    /// The thread that drives it: from another one each of its parts would have to wait for that.
    thread: ThreadId,
}

/// A client of one server; shared by all who send to it.
pub struct Client {
    endpoint: Endpoint,
    limits: Limits,
    /// Whether connections are kept for the next request.
    keeps: bool,
    skim: Option<Skim>,
    idle: Mutex<Vec<Idle>>,
}

impl Client {
    /// Connects to nothing yet.
    pub fn new(endpoint: Endpoint, limits: Limits) -> Client {
        Client { endpoint, limits, keeps: true, skim: None, idle: Mutex::new(Vec::new()) }
    }

    /// As [`Client::new`], with a connection for each request.
    pub fn without_reuse(endpoint: Endpoint, limits: Limits) -> Client {
        Client { keeps: false, ..Client::new(endpoint, limits) }
    }

    /// Keeps of answers no more than they tell.
    pub fn skimming(self, skim: Skim) -> Client {
        Client { skim: Some(skim), ..self }
    }

    /// Where it sends to.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Closes the connections that nobody uses.
    pub fn close_idle(&self) {
        self.idle().clear();
    }

    /// Sends a request, over an open connection of this thread where there is one.
    pub async fn send(&self, request: Request) -> Result<Answer, Failure> {
        if let Some(sender) = self.take_idle() {
            match self.exchange(sender, &request).await {
                // The server closed it while it was idle, before it took anything: that tells nothing about the server.
                Err(Exchange::Unsent) => {}
                other => return other.map_err(Exchange::into_failure),
            }
        }
        let sender = self.connect().await?;
        self.exchange(sender, &request).await.map_err(Exchange::into_failure)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn take_idle(&self) -> Option<SendRequest<Sent>> {
        let mut idle = self.idle();
        idle.retain(|one| one.since.elapsed() < IDLE_TIME && !one.sender.is_closed());
        let here = std::thread::current().id();
        // The last one given back: the others grow old and are closed.
        let at = idle.iter().rposition(|one| one.thread == here && one.sender.is_ready())?;
        Some(idle.remove(at).sender)
    }

    fn give_back(&self, sender: SendRequest<Sent>) {
        let mut idle = self.idle();
        if !self.keeps || sender.is_closed() {
            return;
        }
        if idle.len() >= MAX_IDLE {
            idle.remove(0);
        }
        idle.push(Idle { sender, since: Instant::now(), thread: std::thread::current().id() });
    }

    async fn connect(&self) -> Result<SendRequest<Sent>, Failure> {
        let limit = self.limits.connect;
        match timeout(limit, self.open()).await {
            Ok(opened) => opened.with_context(|| format!("cannot connect to {}", self.endpoint)),
            Err(_) => Err(late(format!("no connection to {} within {limit:?}", self.endpoint))),
        }
        .map_err(Failure::Connect)
    }

    async fn open(&self) -> anyhow::Result<SendRequest<Sent>> {
        let Endpoint { host, port, tls, proxy } = &self.endpoint;
        let (to, at) = proxy.as_ref().map_or((host, *port), |proxy| (&proxy.host, proxy.port));
        let addresses = resolve(to, at).await?;
        let mut stream = open_one_of(&addresses, self.limits.connect).await?;
        stream.set_nodelay(true)?;
        let Some(tls) = tls else { return start(stream).await };
        if let Some(proxy) = proxy {
            stream = proxy.tunnel(stream, host, *port).await?;
        }
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(bare.to_owned()).with_context(|| format!("{host:?} is no name that a certificate can have"))?;
        let stream = tokio_rustls::TlsConnector::from(tls.config()?).connect(name, stream).await.context("the TLS handshake failed")?;
        start(stream).await
    }

    async fn exchange(&self, mut sender: SendRequest<Sent>, request: &Request) -> Result<Answer, Exchange> {
        let progress = Progress::new();
        progress.mark(request.body.is_empty());
        let body = Sent { rest: request.body.clone(), progress: progress.clone() };
        let request = self.to_hyper(request, body).map_err(Exchange::Invalid)?;
        let limit = self.limits.silence;
        let answer = async {
            let answer = match sender.try_send_request(request).await {
                Ok(answer) => answer,
                Err(mut error) => {
                    let unsent = error.take_message().is_some();
                    return Err(if unsent { Exchange::Unsent } else { Exchange::Broken(anyhow::Error::new(error.into_error())) });
                }
            };
            let whole = progress.is_taken();
            progress.mark(whole);
            self.collect(answer, &progress).await.map(|answer| (answer, whole))
        };
        let (answer, whole) = tokio::select! {
            answer = answer => answer?,
            () = progress.stalled(limit) => return Err(Exchange::Broken(late(format!("no answer within {limit:?}")))),
        };
        // A server that answers before it has read the request mostly closes the connection.
        if whole {
            self.give_back(sender);
        }
        Ok(answer)
    }

    async fn collect(&self, answer: hyper::Response<Incoming>, progress: &Progress) -> Result<Answer, Exchange> {
        let (head, body) = answer.into_parts();
        let mut body = Limited::new(body, self.limits.answer_bytes);
        let mut kept = Kept::new(self.skim.filter(|_| head.status.is_success()));
        while let Some(frame) = body.frame().await {
            progress.mark(true);
            let frame = frame.map_err(|error| match error.downcast::<LengthLimitError>() {
                Ok(_) => Exchange::TooLarge,
                Err(error) => Exchange::Broken(anyhow!("the answer is cut short: {error}")),
            })?;
            if let Ok(data) = frame.into_data() {
                kept.add(data);
            }
        }
        Ok(Answer { status: head.status.as_u16(), headers: head.headers, body: kept.whole() })
    }

    fn to_hyper(&self, request: &Request, body: Sent) -> anyhow::Result<HyperRequest<Sent>> {
        let mut built = HyperRequest::new(body);
        *built.method_mut() = request.method.clone();
        let Endpoint { host, port, tls, proxy } = &self.endpoint;
        // A proxy that sees the request is told where it goes.
        let proxy = proxy.as_ref().filter(|_| tls.is_none());
        let uri = proxy.map_or_else(|| request.path.clone(), |_| format!("{}{}", self.endpoint, request.path));
        *built.uri_mut() = uri.parse::<Uri>().with_context(|| format!("{:?} is no path of a URL", request.path))?;
        *built.headers_mut() = request.headers.clone();
        if let Some(login) = proxy.and_then(|proxy| proxy.authorization()) {
            built.headers_mut().insert(header::PROXY_AUTHORIZATION, login);
        }
        let host = HeaderValue::from_str(&format!("{host}:{port}")).with_context(|| format!("{host:?} is no host name"))?;
        built.headers_mut().entry(header::HOST).or_insert(host);
        Ok(built)
    }
}

/// The failures of one connection.
enum Exchange {
    Unsent,
    Broken(anyhow::Error),
    Invalid(anyhow::Error),
    TooLarge,
}

impl Exchange {
    fn into_failure(self) -> Failure {
        match self {
            Exchange::Unsent => {
                let closed = io::Error::new(io::ErrorKind::NotConnected, "the connection was closed before the request was sent");
                Failure::Connect(anyhow::Error::new(closed))
            }
            Exchange::Broken(error) => Failure::Broken(error),
            Exchange::Invalid(error) => Failure::Connect(error),
            Exchange::TooLarge => Failure::TooLarge,
        }
    }
}

/// Silence, as an error of the connection: callers tell those from others by `std::io::Error`.
fn late(message: String) -> anyhow::Error {
    anyhow::Error::new(io::Error::new(io::ErrorKind::TimedOut, message))
}

async fn open_one_of(addresses: &[SocketAddr], limit: Duration) -> anyhow::Result<TcpStream> {
    let each = (limit / addresses.len().max(1) as u32).max(LEAST_CONNECT_TIME);
    let mut last = anyhow!("there is no address");
    for address in addresses {
        match timeout(each, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = anyhow::Error::new(error).context(address.to_string()),
            Err(_) => last = late(format!("{address} did not answer within {each:?}")),
        }
    }
    Err(last)
}

async fn start(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> anyhow::Result<SendRequest<Sent>> {
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    // What becomes of the connection is seen by whoever sends over it.
    tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok(sender)
}

/// When something moved last, and whether the whole request was taken.
#[derive(Clone)]
struct Progress(Arc<Mutex<(Instant, bool)>>);

impl Progress {
    fn new() -> Progress {
        Progress(Arc::new(Mutex::new((Instant::now(), false))))
    }

    fn state(&self) -> MutexGuard<'_, (Instant, bool)> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn mark(&self, taken: bool) {
        *self.state() = (Instant::now(), taken);
    }

    fn is_taken(&self) -> bool {
        self.state().1
    }

    /// Ends when nothing has moved for that long.
    async fn stalled(&self, limit: Duration) {
        loop {
            let due = self.state().0 + limit;
            if due <= Instant::now() {
                return;
            }
            sleep_until(due).await;
        }
    }
}

/// A body of known bytes that marks progress whenever a part of it is taken.
struct Sent {
    rest: Bytes,
    progress: Progress,
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let length = self.rest.len().min(FRAME_BYTES);
        let frame = self.rest.split_to(length);
        self.progress.mark(self.rest.is_empty());
        Poll::Ready(Some(Ok(Frame::data(frame))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

#[cfg(test)]
mod tests;
