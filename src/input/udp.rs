//! The `udp` input: each datagram is a text, taken apart by a parser.

use super::socket::{self, Emits, Framing, Marks, Origin, Setup, SetupSeat, Shared, Take, Texts, chomp, receive, required_parser};
use super::tcp::take_parsed;
use super::{Feed, Input, Seat};
use crate::config::{Element, Refused, Seconds, Size};
use crate::event::{Scope, Tag};
use crate::log::PluginLog;
use crate::net::{Loops, SocketOptions, bind_udp};
use crate::parser::{Extract, Parser, extract};
use crate::plugin::{BoxFuture, Context, Emitter, Stop};
use std::net::UdpSocket;
use std::sync::Arc;

crate::section! {
    /// Takes texts over UDP, each a datagram.
    pub struct Params {
        /// The tag of the events.
        pub tag: String,
        /// The port to listen to.
        pub port: u16 = "5160",
        /// The address to listen on.
        pub bind: String = "0.0.0.0",
        /// The old name of `source_hostname_key`.
        pub source_host_key: Option<String> [deprecated "use source_hostname_key instead."],
        /// The field that gets the peer's name.
        pub source_hostname_key: Option<String>,
        /// The field that gets the peer's address.
        pub source_address_key: Option<String>,
        /// The old name of `message_length_limit`.
        pub body_size_limit: Option<Size> [deprecated "use message_length_limit instead."],
        /// Longer datagrams are cut.
        pub message_length_limit: Size = "4096",
        /// Whether a newline at the end is no part of the text.
        pub remove_newline: bool = "true",
        /// The old place of SO_RCVBUF.
        pub receive_buffer_size: Option<Size> [deprecated "use receive_buffer_size in transport section instead."],
        /// How long Fluentd's event loop blocks.
        pub blocking_timeout: Seconds = "0.5" [idle "nothing blocks here"],
    }
    sections { "parse": one, "transport": one(Transport), "extract": one(extract::Params) }
}

crate::section! {
    /// How the socket is set up.
    pub struct Transport {
        /// SO_RCVBUF in bytes.
        pub receive_buffer_size: Option<Size>,
    }
}

/// The input, bound or not.
struct Udp {
    port: u16,
    bind: String,
    sockets: SocketOptions,
    max_bytes: usize,
    log: PluginLog,
    seat: Arc<SetupSeat>,
    bound: Option<UdpSocket>,
}

/// What makes events of datagrams.
struct Taker {
    tag: Tag,
    parser: Box<dyn Parser>,
    marks: Marks,
    extract: Extract,
    remove_newline: bool,
}

/// Makes the input.
pub fn build(element: &Element, context: &Context<'_>) -> Result<Box<dyn Input>, Refused> {
    let params = Params::read(element, context.diagnostics);
    let parser = required_parser(element, context);
    let transport = read_transport(element, context);
    let extract = Extract::read(element, context);
    let (params, parser) = (params?, parser?);
    let receive_buffer = transport?.or(params.receive_buffer_size).map(|size| size.0 as usize);
    let marks = Marks { address_key: params.source_address_key, hostname_key: params.source_hostname_key.or(params.source_host_key) };
    let taker = Taker { tag: Tag::new(&params.tag), parser, marks, extract: extract?, remove_newline: params.remove_newline };
    Ok(Box::new(Udp {
        port: params.port,
        bind: params.bind,
        sockets: SocketOptions { receive_buffer, ..SocketOptions::default() },
        max_bytes: params.body_size_limit.unwrap_or(params.message_length_limit).0 as usize,
        log: context.log.clone(),
        seat: Setup::seat(Arc::new(taker), context.log),
        bound: None,
    }))
}

/// `receive_buffer_size` of a `<transport udp>` section.
pub(super) fn read_transport(element: &Element, context: &Context<'_>) -> Result<Option<Size>, Refused> {
    let Some(section) = element.section("transport") else { return Ok(None) };
    match section.arg.as_str() {
        "" | "udp" => Ok(Transport::read(section, context.diagnostics)?.receive_buffer_size),
        other => Err(context.refuse("FLM0204", section.span, format!("protocol: valid options are udp but got {other}"))),
    }
}

impl Take for Taker {
    fn take<'a>(&self, scope: &Scope<'a>, text: &'a [u8], origin: &Origin, emits: &mut Emits<'a>) {
        let text = if self.remove_newline { chomp(text) } else { text };
        take_parsed(self.parser.as_ref(), scope, text, &self.tag, (&self.marks, origin), &self.extract, emits);
    }

    fn needs_names(&self) -> bool {
        self.marks.hostname_key.is_some()
    }
}

impl Input for Udp {
    fn bind(&mut self) -> anyhow::Result<()> {
        self.bound = Some(bind_udp(&self.bind, self.port, self.sockets)?);
        self.log.enter(|| crate::info!("listening udp socket bind={:?} port={}", self.bind, self.port));
        Ok(())
    }

    fn sockets(&self) -> Option<String> {
        Some(format!("udp {}:{} {:?} {}", self.bind, self.port, self.sockets, self.max_bytes))
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

    fn run(mut self: Box<Self>, emitter: Emitter, _loops: Arc<Loops>, stop: Stop) -> BoxFuture<'static, anyhow::Result<()>> {
        Box::pin(async move {
            if self.bound.is_none() {
                self.bind()?;
            }
            let Some(socket) = self.bound.take() else { return Ok(()) };
            receive(socket, self.max_bytes, Shared::begin(&self.seat, emitter, stop.clone(), Framing::OctetCount), stop).await
        })
    }
}
