//! The `syslog` input: lines with a priority over UDP, TCP or TLS; facility and severity are part of the tag.

use super::socket::{self, Emits, Framing, Marks, Origin, Setup, SetupSeat, Shared, Take, Texts, chomp, receive, shown};
use super::tcp::{self, STOP_WAIT};
use super::{Feed, Input, Seat, udp};
use crate::config::{Element, Refused, Seconds, Size};
use crate::event::{EventTime, Record, Scope, Tag, Value, ruby};
use crate::log::PluginLog;
use crate::net::tls::ServerSettings;
use crate::net::{Listener, Loops, SocketOptions, bind_udp};
use crate::parser::{self, Parser};
use crate::plugin::{BoxFuture, Context, Emitter, Stop};
use crate::regex::{Flags, Matched, Regex};
use std::net::UdpSocket;
use std::sync::Arc;

/// The names of facilities by their numbers.
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp", "audit", "alert", "at",
    "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
];
/// The names of severities by their numbers.
const SEVERITIES: [&str; 8] = ["emerg", "alert", "crit", "err", "warn", "notice", "info", "debug"];

crate::choice! {
    /// How messages of a TCP connection are told apart.
    pub enum FrameType { Traditional = "traditional", OctetCount = "octet_count" }
}

crate::choice! {
    /// Over what messages come.
    pub enum Protocol { Tcp = "tcp", Udp = "udp" }
}

crate::section! {
    /// Takes syslog messages over UDP, TCP or TLS.
    pub struct Params {
        /// The port to listen to.
        pub port: u16 = "5140",
        /// The address to listen on.
        pub bind: String = "0.0.0.0",
        /// The beginning of the tag; facility and severity follow.
        pub tag: String,
        /// The old form of `<transport tcp>`.
        pub protocol_type: Option<Protocol> [deprecated "use transport directive"],
        /// How messages of a TCP connection are told apart: by a delimiter, or by a length before each.
        pub frame_type: FrameType = "traditional",
        /// The old way to ask for the peer's address.
        pub include_source_host: bool = "false" [deprecated "use \"source_hostname_key\" or \"source_address_key\" instead."],
        /// The field for it.
        pub source_host_key: String = "source_host",
        /// Whether what cannot be parsed becomes an event too, tagged `unmatched`, the text in `unmatched_line`.
        pub emit_unmatched_lines: bool = "false",
        /// The field that gets the peer's name.
        pub source_hostname_key: Option<String>,
        /// Whether the names of peers are looked up.
        pub resolve_hostname: Option<bool>,
        /// Whether idle peers are probed as the kernel's settings say.
        pub send_keepalive_packet: bool = "false",
        /// The field that gets the peer's address.
        pub source_address_key: Option<String>,
        /// The field that gets the severity.
        pub severity_key: Option<String> [alias "priority_key"],
        /// The field that gets the facility.
        pub facility_key: Option<String>,
        /// Longer datagrams are cut.
        pub message_length_limit: Size = "2048",
        /// How long Fluentd's event loop blocks.
        pub blocking_timeout: Seconds = "0.5" [idle "nothing blocks here"],
        /// What stands behind each message of a TCP connection.
        pub delimiter: String = "\n",
    }
    sections { "parse": one, "transport": one }
}

/// What it listens with.
enum Bound {
    Udp(UdpSocket),
    Tcp(Listener),
}

/// The input, bound or not.
struct Syslog {
    protocol: Protocol,
    port: u16,
    bind: String,
    sockets: SocketOptions,
    framing: Framing,
    max_bytes: usize,
    tls: Option<ServerSettings>,
    log: PluginLog,
    seat: Arc<SetupSeat>,
    bound: Option<Bound>,
}

/// What makes events of messages.
struct Taker {
    tag: String,
    parser: Box<dyn Parser>,
    /// Finds the priority, where the parser does not.
    priority: Option<Regex>,
    marks: Marks,
    resolve: bool,
    severity_key: Option<String>,
    facility_key: Option<String>,
    emit_unmatched: bool,
    /// The tags by facility and severity.
    tags: Vec<Tag>,
    unmatched_tag: Tag,
}

/// Makes the input.
pub fn build(element: &Element, context: &Context<'_>) -> Result<Box<dyn Input>, Refused> {
    let params = Params::read(element, context.diagnostics);
    let parser = build_parser(element, context);
    let transport = read_transport(element, context);
    let (params, (parser, finds_priority), transport) = (params?, parser?, transport?);
    let refuse = |message: &str| Err(context.refuse("FLM0673", element.span, message));
    let mut address_key = params.source_address_key.clone();
    if params.include_source_host {
        if address_key.is_some() {
            return refuse("specify either source_address_key or include_source_host");
        }
        address_key = Some(params.source_host_key.clone());
    }
    if params.source_hostname_key.is_some() && params.resolve_hostname == Some(false) {
        return refuse("resolve_hostname must be true with source_hostname_key");
    }
    let (protocol, mut sockets, tls) = match (params.protocol_type, transport) {
        (Some(protocol), (_, sockets, _)) => (protocol, sockets, None),
        (None, found) => found,
    };
    if params.send_keepalive_packet && protocol == Protocol::Udp {
        return refuse("send_keepalive_packet is available for tcp/tls");
    }
    sockets.keepalive = params.send_keepalive_packet;
    let framing = match params.frame_type {
        FrameType::OctetCount => Framing::OctetCount,
        FrameType::Traditional => tcp::delimiter(&params.delimiter, None, element, context)?,
    };
    let priority = (!finds_priority).then(|| Regex::with_groups(r"^\<([0-9]+)\>(.*)", Flags::default())).transpose();
    let priority = priority.map_err(|error| context.refuse("FLM0673", element.span, error.message))?;
    let tags = (0..192).map(|number| tag_of(&params.tag, number)).collect();
    let taker = Taker {
        parser,
        priority,
        resolve: params.source_hostname_key.is_some(),
        marks: Marks { address_key, hostname_key: params.source_hostname_key },
        severity_key: params.severity_key,
        facility_key: params.facility_key,
        emit_unmatched: params.emit_unmatched_lines,
        tags,
        unmatched_tag: Tag::new(&format!("{}.unmatched", params.tag)),
        tag: params.tag,
    };
    let take: Arc<dyn Take> = match protocol {
        Protocol::Udp => Arc::new(Datagrams(taker)),
        Protocol::Tcp => Arc::new(taker),
    };
    Ok(Box::new(Syslog {
        protocol,
        port: params.port,
        bind: params.bind,
        sockets,
        framing,
        max_bytes: params.message_length_limit.0 as usize,
        tls,
        log: context.log.clone(),
        seat: Setup::seat(take, context.log),
        bound: None,
    }))
}

/// The parser, `syslog` with a priority by default, and whether it finds the priority itself.
fn build_parser(element: &Element, context: &Context<'_>) -> Result<(Box<dyn Parser>, bool), Refused> {
    let made;
    let section = match element.section("parse") {
        Some(section) => section,
        None => {
            made = Element::new("parse", "", element.span);
            &made
        }
    };
    section.set_default("with_priority", "true");
    let finds_priority = !matches!(section.text("with_priority"), Some("false" | "no"));
    match section.plugin_type() {
        Some(name) => Ok((parser::build(section, context)?, finds_priority && name == "syslog")),
        None => Ok((parser::build_with(section, &[("@type".to_owned(), "syslog".to_owned())], context)?, finds_priority)),
    }
}

/// Over what messages come, and how the sockets are set up.
type Listening = (Protocol, SocketOptions, Option<ServerSettings>);

fn read_transport(element: &Element, context: &Context<'_>) -> Result<Listening, Refused> {
    let argument = element.section("transport").map_or("udp", |section| section.arg.as_str());
    match argument {
        "udp" | "" => {
            let receive_buffer = udp::read_transport(element, context)?.map(|size| size.0 as usize);
            Ok((Protocol::Udp, SocketOptions { receive_buffer, ..SocketOptions::default() }, None))
        }
        "tcp" | "tls" => tcp::read_transport(element, context).map(|(sockets, tls)| (Protocol::Tcp, sockets, tls)),
        other => {
            let message = format!("protocol: valid options are tcp,udp,tls but got {other}");
            Err(context.refuse("FLM0204", element.span, message))
        }
    }
}

fn tag_of(prefix: &str, priority: usize) -> Tag {
    let facility = FACILITIES.get(priority >> 3).copied().unwrap_or_default();
    Tag::new(&format!("{prefix}.{facility}.{}", SEVERITIES[priority & 7]))
}

impl Taker {
    fn unmatched<'a>(&self, scope: &Scope<'a>, text: &'a [u8], origin: &Origin, emits: &mut Emits<'a>) {
        emits.note_invalid();
        if self.emit_unmatched {
            let mut record = Record::with_capacity(scope.bump(), 3);
            record.set(b"unmatched_line", Value::Str(text));
            self.marks.set(scope, &mut record, origin);
            emits.push(scope, &self.unmatched_tag, EventTime::now(), record);
        }
    }

    /// The priority and the rest of a message, where the parser does not look at it.
    fn split<'a>(&self, text: &'a [u8]) -> Option<(Option<i64>, &'a [u8])> {
        let Some(regex) = &self.priority else { return Some((None, text)) };
        let mut groups = Vec::new();
        if regex.groups_from(text, 0, &mut groups) != Matched::Yes {
            return None;
        }
        let group = |number: usize| groups.get(number).copied().flatten().and_then(|(start, end)| text.get(start..end));
        Some((group(1).map(ruby::leading_integer), group(2).unwrap_or_default()))
    }

    fn emit<'a>(&self, scope: &Scope<'a>, priority: i64, time: EventTime, mut record: Record<'a>, origin: &Origin, emits: &mut Emits<'a>) {
        let facility = usize::try_from(priority >> 3).ok().and_then(|number| FACILITIES.get(number)).copied();
        let severity = SEVERITIES[(priority & 7) as usize];
        if let Some(key) = &self.severity_key {
            record.set(scope.bytes(key.as_bytes()), Value::text(severity));
        }
        if let Some(key) = &self.facility_key {
            record.set(scope.bytes(key.as_bytes()), facility.map_or(Value::Nil, Value::text));
        }
        self.marks.set(scope, &mut record, origin);
        match usize::try_from(priority).ok().and_then(|number| self.tags.get(number)) {
            Some(tag) => emits.push(scope, tag, time, record),
            None => emits.push(scope, &tag_of(&self.tag, usize::MAX - 7 + (priority & 7) as usize), time, record),
        }
    }
}

impl Take for Taker {
    fn take<'a>(&self, scope: &Scope<'a>, text: &'a [u8], origin: &Origin, emits: &mut Emits<'a>) {
        let Some((found, rest)) = self.split(text) else {
            crate::warning!("invalid syslog message: {}", shown(text));
            return self.unmatched(scope, text, origin, emits);
        };
        let events = match emits.parse(self.parser.as_ref(), scope, rest) {
            Ok(events) => events,
            Err(why) => {
                crate::error!("invalid input data={} error={why:?}", shown(text));
                return self.unmatched(scope, text, origin, emits);
            }
        };
        for event in events {
            let Some((time, mut record)) = event else {
                crate::warning!("failed to parse message data={}", shown(text));
                return self.unmatched(scope, text, origin, emits);
            };
            let priority = found.or_else(|| match record.remove(b"pri") {
                None | Some(Value::Nil) => None,
                Some(value) => Some(ruby::to_i(&value)),
            });
            match priority {
                Some(priority) => self.emit(scope, priority, time, record, origin, emits),
                None => {
                    crate::error!("invalid input data={} error=\"the message has no priority\"", shown(text));
                    return self.unmatched(scope, text, origin, emits);
                }
            }
        }
    }

    fn needs_names(&self) -> bool {
        self.resolve
    }
}

/// A datagram's text is without the newline at its end.
struct Datagrams(Taker);

impl Take for Datagrams {
    fn take<'a>(&self, scope: &Scope<'a>, text: &'a [u8], origin: &Origin, emits: &mut Emits<'a>) {
        self.0.take(scope, chomp(text), origin, emits);
    }

    fn needs_names(&self) -> bool {
        self.0.needs_names()
    }
}

impl Input for Syslog {
    fn prepare(&mut self) -> anyhow::Result<()> {
        socket::load_tls(&self.seat, self.tls.as_ref())
    }

    fn bind(&mut self) -> anyhow::Result<()> {
        let (bound, name) = match self.protocol {
            Protocol::Udp => (Bound::Udp(bind_udp(&self.bind, self.port, self.sockets)?), "udp"),
            Protocol::Tcp => {
                let name = if self.tls.is_some() { "tls" } else { "tcp" };
                (Bound::Tcp(Listener::tcp(&self.bind, self.port, self.sockets)?), name)
            }
        };
        self.bound = Some(bound);
        self.log.enter(|| crate::info!("listening syslog socket on {}:{} with {name}", self.bind, self.port));
        Ok(())
    }

    fn sockets(&self) -> Option<String> {
        Some(format!("syslog {:?} {}:{} {:?} {:?} {}", self.protocol, self.bind, self.port, self.sockets, self.framing, self.max_bytes))
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
            let Some(bound) = self.bound.take() else { return Ok(()) };
            let shared = Shared::begin(&self.seat, emitter, stop.clone(), self.framing);
            match bound {
                Bound::Udp(socket) => receive(socket, self.max_bytes, shared, stop).await,
                Bound::Tcp(listener) => {
                    let mut stopped = stop;
                    let serve = move |stream, peer| shared.clone().serve(stream, peer);
                    listener.serve(loops, async move { stopped.wait().await }, STOP_WAIT, serve).await
                }
            }
        })
    }
}
