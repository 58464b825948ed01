//! The `forward` input: Fluentd's own protocol, as Docker's driver, Fluent Bit and other Fluentds speak it.

pub(super) mod connection;
mod heartbeat;
mod held;
mod owed;
mod security;

use super::transport::Transport;
use super::{Input, Seat};
use crate::config::{Element, Refused, Seconds, Size};
use crate::forward::{CHUNK_SIZE_LIMIT, Rules};
use crate::log::PluginLog;
use crate::net::tls::ServerSettings;
use crate::net::{Listener, Loops, SocketOptions, bind_udp};
use crate::plugin::{BoxFuture, Context, Emitter, Stop};
use connection::{Options, Setup, SetupSeat, Shared, serve};
use owed::AckAt;
use std::sync::Arc;
use std::time::Duration;

/// How long the end of the process waits for connections to finish what they have received.
pub(super) const STOP_WAIT: Duration = Duration::from_secs(4);

crate::section! {
    /// Takes events by the forward protocol, over TCP; UDP heartbeats on the same port are answered.
    pub struct Params {
        /// The port to listen to.
        pub port: u16 = "24224",
        /// The address to listen on.
        pub bind: String = "0.0.0.0",
        /// How many connections may wait to be accepted; 1024 by default.
        pub backlog: Option<u32>,
        /// SO_LINGER of connections in seconds; 0, a reset at the end, by default.
        pub linger_timeout: Option<u32> [deprecated "use transport directive"],
        /// How long Fluentd's event loop blocks.
        pub blocking_timeout: Seconds = "0.5" [idle "nothing blocks here"],
        /// Whether the names of peers are looked up.
        pub resolve_hostname: Option<bool>,
        /// Whether a connection ends after its first message.
        pub deny_keepalive: bool = "false",
        /// Whether idle peers are probed as the kernel's settings say; they are after two hours otherwise.
        pub send_keepalive_packet: bool = "false",
        /// Messages longer than this are warned about.
        pub chunk_size_warn_limit: Option<Size>,
        /// Messages longer than this are dropped; 64m by default.
        pub chunk_size_limit: Option<Size>,
        /// Compressed entries that are longer than this once decompressed end the connection.
        pub decompression_size_limit: Size = "256m",
        /// Whether events that are none are skipped; otherwise they end the connection.
        pub skip_invalid_event: bool = "true",
        /// The field that gets the peer's address.
        pub source_address_key: Option<String>,
        /// The field that gets the peer's name.
        pub source_hostname_key: Option<String>,
        /// The tag in place of the one that was sent.
        pub tag: Option<String>,
        /// What is put before the tag, with a dot.
        pub add_tag_prefix: Option<String>,
        /// When a sender that asks for it gets its ack: at once (`received`), when all buffers on the way of its events hold them as
        /// durably as they can (`buffered`), or when all outputs have delivered them (`delivered`).
        pub ack_at: AckAt = "buffered",
        /// An ack that cannot be sent within this time is none: the connection is closed, and the sender has to send again.
        pub ack_timeout: Seconds = "190",
    }
    sections { "security": one(security::Security), "transport": one(Transport) }
}

/// The input, bound or not.
pub struct Forward {
    port: u16,
    bind: String,
    sockets: SocketOptions,
    log: PluginLog,
    seat: Arc<SetupSeat>,
    security: Option<security::Rules>,
    tls: Option<ServerSettings>,
    bound: Option<(Listener, std::net::UdpSocket)>,
}

impl Forward {
    /// From its section.
    pub fn build(element: &Element, context: &Context<'_>) -> Result<Box<dyn Input>, Refused> {
        let transport = Transport::of(element, context);
        let params = Params::read(element, context.diagnostics);
        let security = security::Rules::of(element, context);
        let ((transport, tls), params, security) = (transport?, params?, security?);
        check(&params, element, context)?;
        let sockets = SocketOptions {
            backlog: params.backlog,
            linger: Some(params.linger_timeout.or(transport.as_ref().map(|section| section.linger_timeout)).unwrap_or(0)),
            keepalive: params.send_keepalive_packet,
            receive_buffer: transport.and_then(|section| section.receive_buffer_size).map(|size| size.0 as usize),
        };
        let rules = Rules {
            tag: params.tag,
            add_tag_prefix: params.add_tag_prefix,
            chunk_size_limit: params.chunk_size_limit.map_or(CHUNK_SIZE_LIMIT, |size| size.0 as usize),
            chunk_size_warn_limit: params.chunk_size_warn_limit.map(|size| size.0 as usize),
            decompression_size_limit: params.decompression_size_limit.0 as usize,
            skip_invalid_event: params.skip_invalid_event,
        };
        let options = Options {
            ack_at: params.ack_at,
            ack_timeout: params.ack_timeout.duration(),
            deny_keepalive: params.deny_keepalive,
            resolve_hostname: params.resolve_hostname.unwrap_or(params.source_hostname_key.is_some()),
            source_address_key: params.source_address_key,
            source_hostname_key: params.source_hostname_key,
        };
        let setup = Setup::new(rules, options, context.log);
        Ok(Box::new(Forward {
            port: params.port,
            bind: params.bind,
            sockets,
            log: context.log.clone(),
            seat: setup.seat(),
            security,
            tls,
            bound: None,
        }))
    }
}

/// What parameters must not be together or empty, in Fluentd's words.
fn check(params: &Params, element: &Element, context: &Context<'_>) -> Result<(), Refused> {
    let refuse = |message: &str| Err(context.refuse("FLM0651", element.span, message));
    let mut result = Ok(());
    if params.source_hostname_key.is_some() && params.resolve_hostname == Some(false) {
        result = refuse("resolve_hostname must be true with source_hostname_key");
    }
    if params.tag.as_deref() == Some("") {
        result = refuse("'tag' parameter must not be empty");
    }
    if params.add_tag_prefix.as_deref() == Some("") {
        result = refuse("'add_tag_prefix' parameter must not be empty");
    }
    if params.send_keepalive_packet && params.deny_keepalive {
        result = refuse("both 'send_keepalive_packet' and 'deny_keepalive' cannot be set to true");
    }
    result
}

impl Input for Forward {
    fn prepare(&mut self) -> anyhow::Result<()> {
        let guard = self.security.as_ref().map(security::Rules::resolve).transpose()?.map(Arc::new);
        let tls = self.tls.as_ref().map(ServerSettings::load).transpose()?;
        self.seat.send_modify(|setup| *setup = Arc::new(Setup { guard, tls, ..Setup::clone(setup) }));
        Ok(())
    }

    fn bind(&mut self) -> anyhow::Result<()> {
        let listener = Listener::tcp(&self.bind, self.port, self.sockets)?;
        // A port of the system's choice has to be the same for both.
        let port = listener.port().unwrap_or(self.port);
        let heartbeats = bind_udp(&self.bind, port, SocketOptions { receive_buffer: None, ..self.sockets })?;
        self.log.enter(|| crate::info!("listening port port={port} bind={:?}", self.bind));
        self.bound = Some((listener, heartbeats));
        Ok(())
    }

    fn sockets(&self) -> Option<String> {
        let protocol = if self.tls.is_some() { "tls" } else { "tcp" };
        Some(format!("forward {protocol} {}:{} {:?}", self.bind, self.port, self.sockets))
    }

    fn seat(&self) -> Option<Seat> {
        Some(Arc::clone(&self.seat) as Seat)
    }

    fn take_seat(self: Box<Self>, seat: &Seat, emitter: Emitter) {
        connection::take_seat(seat, &self.seat, emitter);
    }

    fn run(mut self: Box<Self>, emitter: Emitter, loops: Arc<Loops>, stop: Stop) -> BoxFuture<'static, anyhow::Result<()>> {
        Box::pin(async move {
            if self.bound.is_none() {
                self.bind()?;
            }
            let Some((listener, heartbeats)) = self.bound.take() else { return Ok(()) };
            let shared = Shared::begin(&self.seat, emitter, stop.clone());
            let mut stopped = stop.clone();
            let connections = listener
                .serve(loops, async move { stopped.wait().await }, STOP_WAIT, move |stream, peer| serve(stream, peer, shared.clone()));
            let (connections, heartbeats) = tokio::join!(connections, heartbeat::answer(heartbeats, stop));
            connections.and(heartbeats)
        })
    }
}

#[cfg(test)]
mod tests;
