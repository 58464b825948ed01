//! The `http` input: events in the bodies of requests, the tag in their path.
//!
//! This file is about the listener and its parameters; [`answer`] says what a request is answered with, [`payload`] what its body holds,
//! [`records`] how records are found in it.

mod answer;
mod feed;
mod payload;
mod records;

use super::transport::Transport;
use super::{Feed, Input, Seat};
use crate::config::{Element, Refused, Seconds, Size};
use crate::log::PluginLog;
use crate::net::http_server::{Bounds, serve};
use crate::net::tls::ServerSettings;
use crate::net::{Listener, Loops, SocketOptions, Stream};
use crate::plugin::{BoxFuture, Context, Emitter, Stop};
use answer::{Cors, Rules};
use records::Format;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// How long the end of the process waits for answers under way.
const STOP_WAIT: Duration = Duration::from_secs(4);
/// How long a peer may take for its part of a TLS handshake.
const HANDSHAKE_WAIT: Duration = Duration::from_secs(10);

crate::section! {
    /// Takes events by HTTP: the path is the tag, the body holds the records.
    pub struct Params {
        /// The port to listen to.
        pub port: u16 = "9880",
        /// The address to listen on.
        pub bind: String = "0.0.0.0",
        /// Bodies longer than this are refused.
        pub body_size_limit: Size = "32m",
        /// Compressed bodies that are longer than this once decompressed are refused.
        pub decompression_size_limit: Size = "256m",
        /// A connection on which nothing comes for so long is closed.
        pub keepalive_timeout: Seconds = "10",
        /// How many connections may wait to be accepted; 1024 by default.
        pub backlog: Option<u32>,
        /// Whether records get the request's headers, as `HTTP_NAME`.
        pub add_http_headers: bool = "false",
        /// Whether records get the sender's address, as `REMOTE_ADDR`.
        pub add_remote_addr: bool = "false",
        /// How long Fluentd's event loop blocks.
        pub blocking_timeout: Seconds = "0.5" [idle "nothing blocks here"],
        /// From which pages browsers may send: `*`, or addresses in which one `*` stands for anything.
        pub cors_allow_origins: Option<Vec<String>>,
        /// Whether browsers may send credentials.
        pub cors_allow_credentials: bool = "false",
        /// Whether answers are an empty image.
        pub respond_with_empty_img: bool = "false",
        /// Whether answers have the status 204.
        pub use_204_response: bool = "false",
        /// Whether requests that fail are logged as errors.
        pub dump_error_log: bool = "true",
        /// Whether records get the parameters of the query, as `QUERY_NAME`.
        pub add_query_params: bool = "false",
        /// What is put before the tag, with a dot.
        pub add_tag_prefix: Option<String>,
    }
    sections { "parse": one, "transport": one(Transport) }
}

/// The input, bound or not.
struct Http {
    port: u16,
    bind: String,
    sockets: SocketOptions,
    rules: Rules,
    tls: Option<ServerSettings>,
    seat: Arc<Place>,
    log: PluginLog,
    bound: Option<Listener>,
}

/// What the connections of an input share, and a successor changes.
struct Place(RwLock<Option<(Arc<Rules>, Emitter)>>);

impl Place {
    fn set(&self, rules: Rules, emitter: Emitter) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some((Arc::new(rules), emitter));
    }

    fn get(&self) -> Option<(Arc<Rules>, Emitter)> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Makes the input.
pub fn build(element: &Element, context: &Context<'_>) -> Result<Box<dyn Input>, Refused> {
    let params = Params::read(element, context.diagnostics);
    let format = Format::build(element.section("parse"), element.span, context);
    let transport = Transport::of(element, context);
    let (params, format, (transport, tls)) = (params?, format?, transport?);
    check(&params, element, context)?;
    let sockets = SocketOptions {
        backlog: params.backlog,
        // Fluentd: by default connections end with a reset, which may overtake the answer.
        linger: transport.as_ref().filter(|_| asks_for_linger(element)).map(|section| section.linger_timeout),
        receive_buffer: transport.and_then(|section| section.receive_buffer_size).map(|size| size.0 as usize),
        ..SocketOptions::default()
    };
    let rules = Rules {
        bounds: Bounds { silence: params.keepalive_timeout.duration(), body_bytes: params.body_size_limit.0 as usize },
        decompressed_bytes: params.decompression_size_limit.0 as usize,
        cors: params.cors_allow_origins.map(|origins| Cors { origins, credentials: params.cors_allow_credentials }),
        empty_image: params.respond_with_empty_img,
        no_content: params.use_204_response,
        logs_errors: params.dump_error_log,
        add_http_headers: params.add_http_headers,
        add_remote_addr: params.add_remote_addr,
        add_query_params: params.add_query_params,
        add_tag_prefix: params.add_tag_prefix,
        format,
        tls: None,
    };
    let seat = Arc::new(Place(RwLock::new(None)));
    Ok(Box::new(Http { port: params.port, bind: params.bind, sockets, rules, tls, seat, log: context.log.clone(), bound: None }))
}

fn asks_for_linger(element: &Element) -> bool {
    element.section("transport").is_some_and(|section| section.param("linger_timeout").is_some())
}

/// What parameters must not be together or empty, in Fluentd's words.
fn check(params: &Params, element: &Element, context: &Context<'_>) -> Result<(), Refused> {
    let mut result = Ok(());
    let is_anybody = params.cors_allow_origins.as_ref().is_none_or(|origins| origins.iter().any(|origin| origin == "*"));
    if params.cors_allow_credentials && is_anybody {
        let message = "Cannot enable cors_allow_credentials without specific origins";
        result = Err(context.refuse("FLM0620", element.span, message));
    }
    if params.add_tag_prefix.as_deref() == Some("") {
        result = Err(context.refuse("FLM0624", element.span, "'add_tag_prefix' parameter must not be empty"));
    }
    result
}

impl Input for Http {
    fn prepare(&mut self) -> anyhow::Result<()> {
        self.rules.tls = self.tls.as_ref().map(ServerSettings::load).transpose()?;
        Ok(())
    }

    fn bind(&mut self) -> anyhow::Result<()> {
        let listener = Listener::tcp(&self.bind, self.port, self.sockets)?;
        let port = listener.port().unwrap_or(self.port);
        self.log.enter(|| crate::debug!("listening http bind={:?} port={port}", self.bind));
        self.bound = Some(listener);
        Ok(())
    }

    fn sockets(&self) -> Option<String> {
        let protocol = if self.tls.is_some() { "tls" } else { "tcp" };
        Some(format!("http {protocol} {}:{} {:?}", self.bind, self.port, self.sockets))
    }

    fn seat(&self) -> Option<Seat> {
        Some(Arc::clone(&self.seat) as Seat)
    }

    fn take_seat(self: Box<Self>, seat: &Seat, emitter: Emitter) {
        if let Some(seat) = seat.downcast_ref::<Place>() {
            seat.set(self.rules, emitter);
        }
    }

    fn feed(self: Box<Self>) -> Option<Box<dyn Feed>> {
        Some(Box::new(feed::Requests(self.rules)))
    }

    fn run(mut self: Box<Self>, emitter: Emitter, loops: Arc<Loops>, stop: Stop) -> BoxFuture<'static, anyhow::Result<()>> {
        Box::pin(async move {
            if self.bound.is_none() {
                self.bind()?;
            }
            let Some(listener) = self.bound.take() else { return Ok(()) };
            let Http { seat, log, rules, .. } = *self;
            seat.set(rules, emitter);
            let mut stopped = stop.clone();
            let connections = listener.serve(loops, async move { stopped.wait().await }, STOP_WAIT, move |stream, peer| {
                let (seat, log, stop) = (Arc::clone(&seat), log.clone(), stop.clone());
                log.run(async move {
                    let Some((rules, _)) = seat.get() else { return };
                    let address = peer.address();
                    let Some(stream) = secured(stream, &rules, &address).await else { return };
                    let mut ended = stop.clone();
                    let answer = |request| {
                        let (now, stop, address) = (seat.get(), stop.clone(), address.as_str());
                        async move {
                            match now {
                                Some((rules, emitter)) => answer::answer(&rules, &emitter, request, address, stop).await,
                                None => answer::closing(),
                            }
                        }
                    };
                    serve(stream, rules.bounds, async move { ended.wait().await }, answer).await;
                })
            });
            connections.await
        })
    }
}

/// The connection, after a handshake where TLS is spoken; `None` where that fails.
async fn secured(stream: Stream, rules: &Rules, address: &str) -> Option<Stream> {
    let Some(tls) = &rules.tls else { return Some(stream) };
    let why = match tokio::time::timeout(HANDSHAKE_WAIT, stream.accept_tls(Arc::clone(tls))).await {
        Ok(Ok(stream)) => return Some(stream),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no handshake within {HANDSHAKE_WAIT:?}"),
    };
    crate::warning!("unexpected error before accepting TLS connection host={address:?} error={why:?}");
    None
}

#[cfg(test)]
mod tests;
