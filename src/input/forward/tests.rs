//! The input on real sockets, into a route that collects.

use super::super::{INPUTS, Input};
use crate::config::{Diagnostics, Element, LoadOptions, Refused, Span, System, load};
use crate::event::json::{Style, write_record};
use crate::event::{Batch, Scope, Tag};
use crate::forward::digest;
use crate::log::PluginLog;
use crate::net::Loops;
use crate::plugin::{Context, EmitError, Emitter, Host, Limit, Route, Sink, Stop};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

/// Long enough for a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(20);

/// Collects events, refuses them, or has no room, as the test says.
struct Collector {
    events: Mutex<Vec<String>>,
    refuses: AtomicBool,
    limit: Arc<Limit>,
}

impl Route for Collector {
    fn emit<'a>(&self, scope: &Scope<'a>, tag: &Tag, batch: Batch<'a>) -> Result<(), EmitError> {
        if self.refuses.load(Ordering::Relaxed) {
            return Err(EmitError { class: "BufferOverflowError", message: "no".to_owned(), settled: false });
        }
        for event in batch.events(scope) {
            let mut text = format!("{tag} {} ", event.time.sec).into_bytes();
            write_record(&event.record, Style::Oj, &mut text);
            self.events.lock().unwrap().push(String::from_utf8(text).unwrap());
        }
        Ok(())
    }

    fn reject<'a>(&self, _scope: &Scope<'a>) {}

    fn limits(&self, tag: Option<&Tag>, into: &mut Vec<Arc<Limit>>) {
        if tag.is_some_and(|tag| tag.as_str() == "blocked") {
            into.push(Arc::clone(&self.limit));
        }
    }
}

struct NoHost;

impl Host for NoHost {
    fn build_output(&self, _element: &Element) -> Result<Arc<dyn Sink>, Refused> {
        Err(Refused)
    }
    fn emitter(&self, _label: Option<&str>, _span: Span) -> Result<Emitter, Refused> {
        Err(Refused)
    }
    fn errors(&self) -> Emitter {
        Emitter::default()
    }
    fn own_router(&self) -> Emitter {
        Emitter::default()
    }
}

/// Builds the input that a `<source>` with these lines describes.
fn build(lines: &str) -> Result<Box<dyn Input>, String> {
    let diagnostics = Diagnostics::new();
    let root = load(&LoadOptions::for_text("test", &format!("<source>\n{lines}\n</source>\n")), &diagnostics).expect("syntax");
    let system = System::read(&Element::new("system", "", Span::default()), &diagnostics).expect("defaults");
    let source = &root.sections("source")[0];
    let name = source.plugin_type().expect("a type");
    let row = INPUTS.iter().find(|row| row.name == name).expect("an input of that type");
    let context = Context { diagnostics: &diagnostics, system: &system, id: "test", log: &PluginLog::default(), host: &NoHost };
    (row.build)(source, &context)
        .map_err(|_| diagnostics.findings().into_iter().map(|finding| finding.message).collect::<Vec<_>>().join("; "))
}

/// A running input.
struct Running {
    port: u16,
    collector: Arc<Collector>,
    stop: Option<tokio::sync::watch::Sender<bool>>,
    thread: Option<std::thread::JoinHandle<anyhow::Result<()>>>,
}

impl Running {
    /// An input of type forward on a free port, with these further lines.
    fn forward(lines: &str) -> Running {
        // Another process may take the port in between; then another one is tried.
        for _ in 0..20 {
            let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let mut input = build(&format!("@type forward\nport {port}\nbind 127.0.0.1\n{lines}")).unwrap();
            if input.bind().is_ok() {
                return Running::start(input, port);
            }
        }
        panic!("no free port");
    }

    fn start(mut input: Box<dyn Input>, port: u16) -> Running {
        input.prepare().unwrap();
        let collector = Arc::new(Collector { events: Mutex::default(), refuses: AtomicBool::new(false), limit: Arc::new(Limit::new(1)) });
        let emitter = Emitter::default();
        let route: Weak<dyn Route> = Arc::downgrade(&(Arc::clone(&collector) as Arc<dyn Route>));
        emitter.lead_to(route);
        let (stop, stopped) = Stop::new();
        let loops = Arc::new(Loops::start(2).unwrap());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(input.run(emitter, loops, stopped))
        });
        Running { port, collector, stop: Some(stop), thread: Some(thread) }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Waits until so many events are there, and gives them all.
    fn events(&self, count: usize) -> Vec<String> {
        let end = Instant::now() + PATIENCE;
        loop {
            let events = self.collector.events.lock().unwrap().clone();
            if events.len() >= count {
                return events;
            }
            assert!(Instant::now() < end, "{count} events did not come, but {events:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn stop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap().unwrap();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// `[tag, 1, {"k": 1}, {"chunk": chunk}]`
fn message(tag: &str, chunk: &str) -> Vec<u8> {
    let mut bytes = vec![0x94, 0xa0 | tag.len() as u8];
    bytes.extend_from_slice(tag.as_bytes());
    bytes.extend_from_slice(b"\x01\x81\xa1k\x01");
    if chunk.is_empty() {
        bytes.push(0x80);
    } else {
        bytes.extend_from_slice(b"\x81\xa5chunk");
        bytes.push(0xa0 | chunk.len() as u8);
        bytes.extend_from_slice(chunk.as_bytes());
    }
    bytes
}

fn ack(chunk: &str) -> Vec<u8> {
    [b"\x81\xa3ack".as_slice(), &[0xa0 | chunk.len() as u8], chunk.as_bytes()].concat()
}

/// Reads as many bytes as are expected, or until the end.
fn read_up_to(stream: &mut impl Read, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    let mut filled = 0;
    while filled < count {
        match stream.read(&mut bytes[filled..]) {
            Ok(0) | Err(_) => break,
            Ok(more) => filled += more,
        }
    }
    bytes.truncate(filled);
    bytes
}

#[test]
fn takes_events_and_answers_acks_and_heartbeats() {
    let running = Running::forward("");
    let mut stream = running.connect();
    stream.write_all(&[message("a.b", "c1"), message("a.b", "c2")].concat()).unwrap();
    let expected = [ack("c1"), ack("c2")].concat();
    assert_eq!(read_up_to(&mut stream, expected.len()), expected);
    assert_eq!(running.events(2), [r#"a.b 1 {"k":1}"#; 2]);
    let mut json = running.connect();
    json.write_all(br#"["j",1,{"k":1},{"chunk":"x"}]"#).unwrap();
    assert_eq!(read_up_to(&mut json, 11), br#"{"ack":"x"}"#);
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.set_read_timeout(Some(PATIENCE)).unwrap();
    udp.send_to(&[0], ("127.0.0.1", running.port)).unwrap();
    let mut answer = [7; 8];
    assert_eq!((udp.recv(&mut answer).unwrap(), answer[0]), (1, 0));
}

#[test]
fn a_message_in_pieces_and_a_large_one_arrive() {
    let running = Running::forward("");
    let mut stream = running.connect();
    let mut large = b"\x93\xa1t\x01\x81\xa1k\xdb\x00\x08\x00\x00".to_vec();
    large.resize(large.len() + (512 << 10), b'x');
    for piece in [&message("p", "")[..3], &message("p", "")[3..], &large[..5], &large[5..5000], &large[5000..]] {
        stream.write_all(piece).unwrap();
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(running.events(2)[1].len(), "t 1 {\"k\":\"\"}".len() + (512 << 10));
}

#[test]
fn parameters_change_tags_and_records() {
    let running = Running::forward("tag x\nadd_tag_prefix p.q\nsource_address_key addr\nsource_hostname_key k");
    running.connect().write_all(&message("a", "")).unwrap();
    let event = running.events(1).remove(0);
    assert!(event.starts_with(r#"p.q.x 1 {"k":""#) && event.ends_with(r#"","addr":"127.0.0.1"}"#), "{event}");
}

#[test]
fn deny_keepalive_ends_after_the_first_message() {
    let running = Running::forward("deny_keepalive true");
    let mut stream = running.connect();
    stream.write_all(&message("a", "c")).unwrap();
    assert_eq!(read_up_to(&mut stream, 100), ack("c"));
    running.events(1);
}

#[test]
fn refused_events_cost_the_connection_and_get_no_ack() {
    let running = Running::forward("");
    running.collector.refuses.store(true, Ordering::Relaxed);
    let mut stream = running.connect();
    stream.write_all(&message("a", "c")).unwrap();
    assert!(read_up_to(&mut stream, 100).is_empty());
    running.collector.refuses.store(false, Ordering::Relaxed);
    let mut other = running.connect();
    other.write_all(&message("a", "d")).unwrap();
    assert_eq!(read_up_to(&mut other, 7), ack("d"));
}

#[test]
fn a_blocked_route_stops_its_own_connection_only() {
    let running = Running::forward("");
    running.collector.limit.take(1);
    let (mut blocked, mut free) = (running.connect(), running.connect());
    blocked.write_all(&message("blocked", "b")).unwrap();
    free.write_all(&message("free", "f")).unwrap();
    assert_eq!(read_up_to(&mut free, 7), ack("f"));
    assert_eq!(running.events(1).len(), 1);
    running.collector.limit.give_back(1);
    assert_eq!(read_up_to(&mut blocked, 7), ack("b"));
}

#[test]
fn nothing_is_read_that_there_is_no_room_for_and_peers_that_are_gone_are_noticed() {
    let running = Running::forward("");
    let (mut blocked, mut gone) = (running.connect(), running.connect());
    for (stream, name) in [(&mut blocked, "b"), (&mut gone, "g")] {
        stream.write_all(&message("blocked", name)).unwrap();
        assert_eq!(read_up_to(stream, 7), ack(name));
    }
    running.collector.limit.take(1);
    // Much more than the sockets hold: it is not taken into memory instead.
    let mut sender = blocked.try_clone().unwrap();
    let sent = std::thread::spawn(move || {
        let many = message("blocked", "").repeat(1_000_000);
        sender.write_all(&many).unwrap();
        sender.write_all(&message("blocked", "last")).unwrap();
    });
    gone.shutdown(Shutdown::Write).unwrap();
    assert!(read_up_to(&mut gone, 1).is_empty());
    assert!(!sent.is_finished());
    assert_eq!(running.events(2).len(), 2);
    running.collector.limit.give_back(1);
    assert_eq!(read_up_to(&mut blocked, 10), ack("last"));
    sent.join().unwrap();
}

#[test]
fn hostile_peers_end_and_others_go_on() {
    let running = Running::forward("");
    let mut good = running.connect();
    for garbage in [b"\xc1".as_slice(), &[0x91; 10_000], b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"[1}"] {
        let mut stream = running.connect();
        stream.write_all(garbage).unwrap();
        assert!(read_up_to(&mut stream, 1).is_empty());
    }
    let mut huge = running.connect();
    huge.write_all(b"\x93\xa1t\xdb\xff\xff\xff\xff").unwrap();
    good.write_all(&message("good", "g")).unwrap();
    assert_eq!(read_up_to(&mut good, 7), ack("g"));
}

#[test]
fn at_the_end_what_was_sent_is_taken() {
    let mut running = Running::forward("");
    let mut stream = running.connect();
    let half = message("h", "");
    running.connect().write_all(&half[..4]).unwrap();
    for _ in 0..1000 {
        stream.write_all(&message("a", "")).unwrap();
    }
    stream.write_all(&message("z", "last")).unwrap();
    running.stop();
    assert_eq!(running.events(1001).len(), 1001);
    assert_eq!(read_up_to(&mut stream, 100), ack("last"));
    assert!(TcpStream::connect(("127.0.0.1", running.port)).is_err());
}

#[test]
fn the_end_does_not_wait_for_a_blocked_route() {
    let mut running = Running::forward("");
    running.collector.limit.take(1);
    running.connect().write_all(&message("blocked", "")).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    running.stop();
    assert_eq!(running.events(1).len(), 1);
}

/// HELO and PING on a connection; the answer.
fn shake_hands(stream: &mut (impl Read + Write), key: &str, password: &str) -> Vec<u8> {
    let helo = read_up_to(stream, 65);
    assert!(helo.starts_with(b"\x92\xa4HELO\x83\xa5nonce\xc4\x10") && helo.ends_with(b"\xa9keepalive\xc3"), "{helo:?}");
    let (nonce, salt) = (&helo[15..31], &helo[38..54]);
    let shared = digest(&[b"s", b"me", nonce, key.as_bytes()]);
    let mut ping = vec![0x96];
    for part in ["PING", "me", "s", &shared, "ann", &digest(&[salt, b"ann", password.as_bytes()])] {
        ping.extend_from_slice(&[0xd9, part.len() as u8]);
        ping.extend_from_slice(part.as_bytes());
    }
    stream.write_all(&ping).unwrap();
    let proof = digest(&[b"s", b"server", nonce, key.as_bytes()]);
    let pong = read_up_to(stream, 6 + 1 + 1 + 7 + 2 + 128);
    if pong[6] == 0xc3 {
        assert_eq!(pong[17..], *proof.as_bytes());
    }
    pong
}

const SECURITY: &str =
    "<security>\nself_hostname server\nshared_key k\nuser_auth true\n<user>\nusername ann\npassword p\n</user>\n</security>\n";

#[test]
fn who_knows_the_key_may_send_and_others_hear_why_not() {
    let running = Running::forward(SECURITY);
    let mut stream = running.connect();
    assert_eq!(shake_hands(&mut stream, "k", "p")[..7], *b"\x95\xa4PONG\xc3");
    stream.write_all(&message("a", "c")).unwrap();
    assert_eq!(read_up_to(&mut stream, 7), ack("c"));
    for (key, password, why) in [("wrong", "p", "shared_key mismatch"), ("k", "wrong", "username/password mismatch")] {
        let mut stream = running.connect();
        let pong = shake_hands(&mut stream, key, password);
        let expected = [b"\x95\xa4PONG\xc2".as_slice(), &[0xa0 | why.len() as u8], why.as_bytes(), b"\xa0\xa0"].concat();
        assert_eq!(pong, expected, "{why}");
    }
    // One that sends without a word of greeting.
    let mut stream = running.connect();
    stream.write_all(&message("rude", "c")).unwrap();
    assert!(read_up_to(&mut stream, 200).ends_with(b"\xb4invalid ping message\xa0\xa0"));
    assert_eq!(running.events(1), [r#"a 1 {"k":1}"#]);
}

#[test]
fn a_message_may_follow_the_ping_at_once() {
    let running = Running::forward("<security>\nself_hostname server\nshared_key k\n</security>\n");
    let mut stream = running.connect();
    let nonce = read_up_to(&mut stream, 65)[15..31].to_vec();
    let mut bytes = vec![0x96];
    for part in ["PING", "me", "s", &digest(&[b"s", b"me", &nonce, b"k"]), "", ""] {
        bytes.extend_from_slice(&[0xd9, part.len() as u8]);
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes.extend_from_slice(&message("a", "c"));
    stream.write_all(&bytes).unwrap();
    assert!(read_up_to(&mut stream, 145 + 7).ends_with(&ack("c")));
}

#[test]
fn peers_that_nobody_knows_are_denied() {
    let lines = "<security>\nself_hostname server\nshared_key k\nallow_anonymous_source false\n<client>\nnetwork 10.0.0.0/8\n</client>\n</security>\n";
    let running = Running::forward(lines);
    let mut stream = running.connect();
    let pong = shake_hands(&mut stream, "k", "");
    assert!(pong.ends_with(b"anonymous source host '127.0.0.1' denied\xa0\xa0"), "{pong:?}");
    let running = Running::forward(&lines.replace("network 10.0.0.0/8", "host localhost\nshared_key own"));
    assert_eq!(shake_hands(&mut running.connect(), "own", "")[6], 0xc3);
}

fn pki(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/net/tls/pki").join(name)
}

/// A connection by TLS that trusts the test's authority; with our certificate, if we are to show one.
fn connect_tls(
    running: &Running,
    shows: bool,
    version: &'static rustls::SupportedProtocolVersion,
) -> StreamOwned<ClientConnection, TcpStream> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(pki("ca.pem")).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[version]).unwrap().with_root_certificates(roots);
    let config = if shows {
        let chain = vec![CertificateDer::from_pem_file(pki("client.pem")).unwrap()];
        builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(pki("client.key")).unwrap()).unwrap()
    } else {
        builder.with_no_client_auth()
    };
    let connection = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    StreamOwned::new(connection, running.connect())
}

fn tls_lines(lines: &str) -> String {
    let (cert, key) = (pki("server.pem"), pki("server.key"));
    format!("<transport tls>\ncert_path {}\nprivate_key_path {}\n{lines}\n</transport>\n", cert.display(), key.display())
}

#[test]
fn events_come_by_tls_with_a_handshake_of_the_protocol_inside() {
    let running = Running::forward(&[tls_lines("").as_str(), SECURITY].concat());
    let mut stream = connect_tls(&running, false, &rustls::version::TLS12);
    assert_eq!(shake_hands(&mut stream, "k", "p")[6], 0xc3);
    stream.write_all(&message("a", "c")).unwrap();
    assert_eq!(read_up_to(&mut stream, 7), ack("c"));
    // The default is version 1.2 alone, and plain text gets nothing.
    let mut newer = connect_tls(&running, false, &rustls::version::TLS13);
    assert!(newer.write_all(&message("a", "c")).and_then(|()| newer.read(&mut [0; 1])).is_err());
    let mut plain = running.connect();
    plain.write_all(&message("plain", "c")).unwrap();
    assert!(!read_up_to(&mut plain, 100).windows(3).any(|window| window == b"ack"));
    assert_eq!(running.events(1).len(), 1);
}

#[test]
fn clients_are_asked_for_a_certificate() {
    let lines = format!("client_cert_auth true\nca_path {}\nmin_version TLSv1_2\nmax_version TLSv1_3", pki("ca.pem").display());
    let running = Running::forward(&tls_lines(&lines));
    let mut stream = connect_tls(&running, true, &rustls::version::TLS13);
    stream.write_all(&message("a", "c")).unwrap();
    assert_eq!(read_up_to(&mut stream, 7), ack("c"));
    let mut stream = connect_tls(&running, false, &rustls::version::TLS13);
    assert!(stream.write_all(&message("b", "c")).and_then(|()| stream.read_exact(&mut [0; 7])).is_err());
    assert_eq!(running.events(1), [r#"a 1 {"k":1}"#]);
}

#[test]
fn a_port_in_use_is_named() {
    let running = Running::forward("");
    let mut second = build(&format!("@type forward\nport {}\nbind 127.0.0.1", running.port)).unwrap();
    let error = format!("{:#}", second.bind().unwrap_err());
    assert!(error.contains(&format!("127.0.0.1:{} (tcp)", running.port)) && error.contains("in use"), "{error}");
}

#[test]
fn unix_sockets_speak_the_same() {
    let folder = std::env::temp_dir().join(format!("flumen-unix-{}", std::process::id()));
    let path = folder.join("deep/er.sock");
    let lines = format!("@type unix\npath {}\ntag u", path.display());
    for _ in 0..2 {
        let mut input = build(&lines).unwrap();
        input.bind().unwrap();
        let running = Running::start(input, 0);
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(&message("a", "c")).unwrap();
        assert_eq!(read_up_to(&mut stream, 7), ack("c"));
        assert_eq!(running.events(1), [r#"u 1 {"k":1}"#]);
    }
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "precious").unwrap();
    assert!(build(&lines).unwrap().bind().is_err());
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_is_not_supported_is_refused() {
    let refusal = |lines: &str| build(lines).err().unwrap_or_default();
    let security = |lines: &str| refusal(&format!("@type forward\n<security>\nself_hostname h\nshared_key k\n{lines}\n</security>"));
    assert!(security("user_auth true").contains("<user> sections required if user_auth enabled"));
    assert!(security("allow_anonymous_source false").contains("<client> sections required if allow_anonymous_source disabled"));
    assert!(security("<client>\n</client>").contains("Either of 'host' and 'network' must be specified for client"));
    assert!(security("<client>\nhost h\nnetwork ::/0\n</client>").contains("both of 'host' and 'network' are specified for client"));
    assert!(security("<client>\nnetwork 10.0.0.0/99\n</client>").contains("network '10.0.0.0/99' address format is invalid"));
    let tls = |lines: &str| refusal(&format!("@type forward\n<transport tls>\n{lines}\n</transport>"));
    assert!(tls("").contains("no valid cert options configured"));
    assert!(tls("cert_path /c").contains("private_key_path is required when cert_path is specified"));
    assert!(tls("cert_path /c\nmin_version TLSv1_2").contains("must set max_version together"));
    assert!(tls("cert_path /c\nversion TLSv1_1").contains("TLS versions before TLSv1_2 are not supported"));
    assert!(tls("insecure true").contains("'insecure' without cert_path is not supported"));
    assert!(tls("ca_cert_path /c").contains("'ca_cert_path' is not supported"));
    assert!(tls("ciphers RC4").contains("'ciphers' is not supported"));
    assert!(refusal("@type forward\n<transport udp>\n</transport>").contains("valid options are tcp,tls but got udp"));
    assert!(refusal("@type forward\ntag ''").contains("'tag' parameter must not be empty"));
    assert!(refusal("@type forward\nsend_keepalive_packet true\ndeny_keepalive true").contains("both 'send_keepalive_packet'"));
    assert!(refusal("@type forward\nresolve_hostname false\nsource_hostname_key h").contains("resolve_hostname must be true"));
    assert!(build("@type unix").is_ok());
    assert!(build("@type forward\n<transport tcp>\nlinger_timeout 5\n</transport>\nblocking_timeout 1").is_ok());
}

#[test]
fn where_it_is_crowded_connections_by_tls_pause_too() {
    let running = Running::forward(&tls_lines(""));
    let mut stream = connect_tls(&running, false, &rustls::version::TLS12);
    stream.write_all(&message("blocked", "a")).unwrap();
    assert_eq!(read_up_to(&mut stream, 7), ack("a"));
    running.collector.limit.set_crowded(true);
    let start = Instant::now();
    stream.write_all(&message("blocked", "b")).unwrap();
    assert_eq!(read_up_to(&mut stream, 7), ack("b"));
    assert!(start.elapsed() > Duration::from_millis(80), "{:?}", start.elapsed());
}
