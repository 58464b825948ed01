//! The `tcp` input: texts up to a delimiter, taken apart by a parser.

use super::socket::{self, Clients, Emits, Framing, Marks, Origin, Setup, SetupSeat, Shared, Take, Texts, required_parser, shown};
use super::transport::Transport;
use super::{Feed, Input, Seat};
use crate::config::{Element, Refused, Seconds, Size};
use crate::event::{Scope, Tag};
use crate::log::PluginLog;
use crate::net::tls::ServerSettings;
use crate::net::{Listener, Loops, SocketOptions};
use crate::parser::{Extract, Parser, extract};
use crate::plugin::{BoxFuture, Context, Emitter, Stop};
use std::sync::Arc;
use std::time::Duration;

/// How long the end of the process waits for connections to finish what they have received.
pub(super) const STOP_WAIT: Duration = Duration::from_secs(4);

crate::section! {
    /// Takes texts over TCP, each up to a delimiter.
    pub struct Params {
        /// The tag of the events.
        pub tag: String,
        /// The port to listen to.
        pub port: u16 = "5170",
        /// The address to listen on.
        pub bind: String = "0.0.0.0",
        /// The old name of `source_hostname_key`.
        pub source_host_key: Option<String> [deprecated "use source_hostname_key instead."],
        /// The field that gets the peer's name.
        pub source_hostname_key: Option<String>,
        /// The field that gets the peer's address.
        pub source_address_key: Option<String>,
        /// Longer texts are dropped; 16 MiB by default.
        pub message_length_limit: Option<Size>,
        /// How long Fluentd's event loop blocks.
        pub blocking_timeout: Seconds = "0.5" [idle "nothing blocks here"],
        /// What stands behind each text.
        pub delimiter: String = "\n",
        /// Whether idle peers are probed as the kernel's settings say.
        pub send_keepalive_packet: bool = "false",
    }
    sections { "parse": one, "security": one(socket::SecurityParams), "transport": one(Transport), "extract": one(extract::Params) }
}

/// The input, bound or not.
struct Tcp {
    port: u16,
    bind: String,
    sockets: SocketOptions,
    framing: Framing,
    tls: Option<ServerSettings>,
    log: PluginLog,
    seat: Arc<SetupSeat>,
    bound: Option<Listener>,
}

/// What makes events of texts.
struct Taker {
    tag: Tag,
    parser: Box<dyn Parser>,
    marks: Marks,
    extract: Extract,
    clients: Clients,
}

/// Makes the input.
pub fn build(element: &Element, context: &Context<'_>) -> Result<Box<dyn Input>, Refused> {
    let params = Params::read(element, context.diagnostics);
    let parser = required_parser(element, context);
    let transport = read_transport(element, context);
    let clients = Clients::read(element, context);
    let extract = Extract::read(element, context);
    let (params, parser) = (params?, parser?);
    let framing = delimiter(&params.delimiter, params.message_length_limit, element, context)?;
    let (mut sockets, tls) = transport?;
    sockets.keepalive = params.send_keepalive_packet;
    let marks = Marks { address_key: params.source_address_key, hostname_key: params.source_hostname_key.or(params.source_host_key) };
    let taker = Taker { tag: Tag::new(&params.tag), parser, marks, extract: extract?, clients: clients? };
    let seat = Setup::seat(Arc::new(taker), context.log);
    Ok(Box::new(Tcp { port: params.port, bind: params.bind, sockets, framing, tls, log: context.log.clone(), seat, bound: None }))
}

/// Texts up to a delimiter.
pub(super) fn delimiter(text: &str, limit: Option<Size>, element: &Element, context: &Context<'_>) -> Result<Framing, Refused> {
    if text.is_empty() {
        return Err(context.refuse("FLM0672", element.span, "delimiter: expected one character at least, got nothing"));
    }
    Ok(Framing::Delimiter { delimiter: text.as_bytes().to_vec(), limit: limit.map(|limit| limit.0 as usize) })
}

/// What `<transport>` says of sockets that take connections, and of TLS.
pub(super) fn read_transport(element: &Element, context: &Context<'_>) -> Result<(SocketOptions, Option<ServerSettings>), Refused> {
    let (transport, tls) = Transport::of(element, context)?;
    let linger = transport.as_ref().map_or(0, |transport| transport.linger_timeout);
    let receive_buffer = transport.and_then(|transport| transport.receive_buffer_size).map(|size| size.0 as usize);
    Ok((SocketOptions { linger: Some(linger), receive_buffer, ..SocketOptions::default() }, tls))
}

impl Take for Taker {
    fn take<'a>(&self, scope: &Scope<'a>, text: &'a [u8], origin: &Origin, emits: &mut Emits<'a>) {
        // What one read brings is one emit, unless each event may have a tag of its own.
        emits.singly = self.extract.has_tag();
        take_parsed(self.parser.as_ref(), scope, text, &self.tag, (&self.marks, origin), &self.extract, emits);
    }

    fn needs_names(&self) -> bool {
        self.marks.hostname_key.is_some()
    }

    fn clients(&self) -> &Clients {
        &self.clients
    }
}

/// Parses a text and marks its events.
pub(super) fn take_parsed<'a>(
    parser: &dyn Parser,
    scope: &Scope<'a>,
    text: &'a [u8],
    tag: &Tag,
    (marks, origin): (&Marks, &Origin),
    extract: &Extract,
    emits: &mut Emits<'a>,
) {
    let found = match emits.parse(parser, scope, text) {
        Ok(found) => found,
        // Fluentd: the connection would end, and the other texts that came with this one would be lost.
        Err(why) => {
            emits.note_invalid();
            return crate::warning!("invalid message: error={why:?} message={}", shown(text));
        }
    };
    for event in found {
        let Some((time, mut record)) = event else {
            emits.note_invalid();
            crate::warning!("pattern not matched message={}", shown(text));
            continue;
        };
        let own_tag = extract.tag(scope, &mut record).map(|own| Tag::new(&own));
        marks.set(scope, &mut record, origin);
        emits.push(scope, own_tag.as_ref().unwrap_or(tag), time, record);
    }
}

impl Input for Tcp {
    fn prepare(&mut self) -> anyhow::Result<()> {
        socket::load_tls(&self.seat, self.tls.as_ref())
    }

    fn bind(&mut self) -> anyhow::Result<()> {
        self.bound = Some(Listener::tcp(&self.bind, self.port, self.sockets)?);
        self.log.enter(|| crate::info!("listening tcp socket bind={:?} port={}", self.bind, self.port));
        Ok(())
    }

    fn sockets(&self) -> Option<String> {
        Some(format!("tcp {}:{} {:?} {:?}", self.bind, self.port, self.sockets, self.framing))
    }

    fn seat(&self) -> Option<Seat> {
        Some(Arc::clone(&self.seat) as Seat)
    }

    fn take_seat(self: Box<Self>, seat: &Seat, emitter: Emitter) {
        socket::take_seat(seat, &self.seat, emitter);
    }

    fn feed(self: Box<Self>) -> Option<Box<dyn Feed>> {
        Some(Box::new(Texts(self.seat)))
    }

    fn run(mut self: Box<Self>, emitter: Emitter, loops: Arc<Loops>, stop: Stop) -> BoxFuture<'static, anyhow::Result<()>> {
        Box::pin(async move {
            if self.bound.is_none() {
                self.bind()?;
            }
            let Some(listener) = self.bound.take() else { return Ok(()) };
            let shared = Shared::begin(&self.seat, emitter, stop.clone(), self.framing);
            let mut stopped = stop;
            let serve = move |stream, peer| shared.clone().serve(stream, peer);
            listener.serve(loops, async move { stopped.wait().await }, STOP_WAIT, serve).await
        })
    }
}
