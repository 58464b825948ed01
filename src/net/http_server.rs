//! A small HTTP/1.1 server side: one connection at a time is served to its end, with bounds on heads, bodies, silence and memory.
//!
//! Requests are whole when the handler sees them, answers are whole too. What paths and bodies mean is the handler's business.

use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::http::request::Parts;
use hyper::http::{Uri, Version};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep_until};

/// A request's line and headers together; what is longer is answered with 431. Cookies of browsers stay below 16 KB.
const MAX_HEAD_BYTES: usize = 64 << 10;
/// What request bodies of all connections may take together; beyond that a large one is answered with 503.
const MAX_HELD_BYTES: usize = 512 << 20;
/// A body smaller than this is taken even when all together take too much.
const FAIR_BYTES: usize = 1 << 20;
/// How much of a body that is too large is read and thrown away, so that its sender gets to read the answer.
const MAX_DISCARDED_BYTES: usize = 64 << 20;
/// At the end, for the request in hand.
const LAST_ANSWER_WAIT: Duration = Duration::from_secs(3);

static HELD_BYTES: AtomicUsize = AtomicUsize::new(0);

pub use hyper::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

/// The bounds of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// A connection on which nothing has moved for so long is closed, unless its request is being handled.
    pub silence: Duration,
    /// Bytes of a request's body.
    pub body_bytes: usize,
}

/// A request as the handler gets it.
#[derive(Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// What was asked for.
    pub uri: Uri,
    /// The headers in the order in which they came.
    pub headers: HeaderMap,
    /// Whether the peer goes on with the connection.
    pub keep_alive: bool,
    /// The body, or why there is none.
    pub body: Result<Bytes, BodyFault>,
}

/// Why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFault {
    /// It is longer than the bound.
    TooLarge,
    /// All connections together hold too much.
    NoMemory,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The words behind it, where they are not the usual ones.
    pub reason: Option<&'static str>,
    /// The headers; `Content-Length` and, where none is given, `Content-Type: text/plain` are added.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// Whether the connection ends with it.
    pub close: bool,
}

impl Response {
    /// An answer of plain text.
    pub fn new(status: StatusCode, body: impl Into<Bytes>) -> Response {
        Response { status, reason: None, headers: HeaderMap::new(), body: body.into(), close: false }
    }

    /// The same, and the connection ends with it.
    pub fn closing(mut self) -> Response {
        self.close = true;
        self
    }

    /// The same with a header.
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Response {
        self.headers.insert(name, value);
        self
    }

    fn into_hyper(self) -> hyper::Response<Full<Bytes>> {
        let length = self.body.len();
        let mut response = hyper::Response::new(Full::new(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        let headers = response.headers_mut();
        headers.entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static("text/plain"));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        if self.close {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some(reason) = self.reason {
            response.extensions_mut().insert(hyper::ext::ReasonPhrase::from_static(reason.as_bytes()));
        }
        response
    }
}

/// Serves a connection until its peer ends it, it is silent for too long, or `stopped`: then the request in hand is answered.
pub async fn serve<F: Future<Output = Response>>(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    bounds: Bounds,
    stopped: impl Future<Output = ()>,
    handle: impl Fn(Request) -> F,
) {
    let activity = Activity::default();
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let (activity, handle) = (&activity, &handle);
        async move {
            let (head, body) = request.into_parts();
            let (held, body) = read_body(&head, body, bounds.body_bytes).await;
            activity.set_busy(true);
            let keep_alive = keeps_alive(&head);
            let Parts { method, uri, headers, .. } = head;
            let response = handle(Request { method, uri, headers, keep_alive, body }).await;
            activity.set_busy(false);
            drop(held);
            Ok::<_, Infallible>(response.into_hyper())
        }
    });
    let stream = TokioIo::new(Watched { stream, activity: activity.clone() });
    let mut server = http1::Builder::new();
    server.max_buf_size(MAX_HEAD_BYTES).title_case_headers(true).auto_date_header(false);
    let mut connection = std::pin::pin!(server.serve_connection(stream, service));
    tokio::select! {
        // Faults of a connection are the peer's, who is told as far as that is possible.
        _ = connection.as_mut() => return,
        () = activity.silent_for(bounds.silence) => return,
        () = stopped => connection.as_mut().graceful_shutdown(),
    }
    let _ = tokio::time::timeout(LAST_ANSWER_WAIT, connection).await;
}

/// HTTP/1.1 goes on unless it says otherwise, HTTP/1.0 only where it says so.
fn keeps_alive(head: &Parts) -> bool {
    let says = |word: &str| {
        let values = head.headers.get_all(header::CONNECTION).iter();
        values.filter_map(|value| value.to_str().ok()).any(|value| value.to_ascii_lowercase().contains(word))
    };
    if says("close") { false } else { head.version == Version::HTTP_11 || says("keep-alive") }
}

/// Memory that a body takes.
struct Held(usize);

impl Held {
    fn grow(&mut self, bytes: usize) -> Result<(), BodyFault> {
        let all = HELD_BYTES.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.0 += bytes;
        if all > MAX_HELD_BYTES && self.0 > FAIR_BYTES { Err(BodyFault::NoMemory) } else { Ok(()) }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        HELD_BYTES.fetch_sub(self.0, Ordering::Relaxed);
    }
}

async fn read_body(head: &Parts, mut body: Incoming, limit: usize) -> (Held, Result<Bytes, BodyFault>) {
    let mut held = Held(0);
    let expects = head.headers.contains_key(header::EXPECT);
    let announced = body.size_hint().lower();
    if announced > limit as u64 {
        // Whoever waits for leave to send gets the answer instead; others are already at it.
        if !expects {
            discard(&mut body).await;
        }
        return (held, Err(BodyFault::TooLarge));
    }
    let mut bytes = Vec::with_capacity(announced.min(FAIR_BYTES as u64) as usize);
    while let Some(frame) = body.frame().await {
        // A body that breaks off ends the connection; what the handler answers goes nowhere.
        let Ok(frame) = frame else { break };
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > limit {
            drop(bytes);
            discard(&mut body).await;
            return (held, Err(BodyFault::TooLarge));
        }
        if let Err(fault) = held.grow(data.len()) {
            drop(bytes);
            discard(&mut body).await;
            return (held, Err(fault));
        }
        bytes.extend_from_slice(&data);
    }
    (held, Ok(Bytes::from(bytes)))
}

async fn discard(body: &mut Incoming) {
    let mut discarded = 0;
    while let Some(Ok(frame)) = body.frame().await {
        discarded += frame.data_ref().map_or(0, Bytes::len);
        if discarded > MAX_DISCARDED_BYTES {
            return;
        }
    }
}

/// When something moved last on a connection, and whether a request is being handled.
#[derive(Clone)]
struct Activity(Arc<Mutex<(Instant, bool)>>);

impl Default for Activity {
    fn default() -> Activity {
        Activity(Arc::new(Mutex::new((Instant::now(), false))))
    }
}

impl Activity {
    fn set_busy(&self, busy: bool) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (Instant::now(), busy);
    }

    fn mark(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0 = Instant::now();
    }

    async fn silent_for(&self, limit: Duration) {
        loop {
            let (last, busy) = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let due = if busy { now } else { last } + limit;
            if due <= now && !busy {
                return;
            }
            sleep_until(due.max(now + Duration::from_millis(1))).await;
        }
    }
}

/// A stream that notes when something moves.
struct Watched<S> {
    stream: S,
    activity: Activity,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(context, into);
        if polled.is_ready() {
            self.activity.mark();
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        if polled.is_ready() {
            self.activity.mark();
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests;
