//! Requests in; answers and events out.

use super::answer::answer;
use super::*;
use crate::config::{Diagnostics, LoadOptions, Span, System, load};
use crate::event::json::{Style, write_record};
use crate::event::{Batch, Scope, Tag};
use crate::metrics::InputCounters;
use crate::net::http_server::{BodyFault, HeaderMap, Request, Response};
use crate::plugin::{EmitError, Host, Limit, Route, Sink};
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Weak};

/// Collects events, or refuses them; has no room for the tag `full`.
#[derive(Default)]
struct Collector {
    events: Mutex<Vec<String>>,
    refuses: AtomicBool,
    full: Mutex<Option<Arc<Limit>>>,
}

impl Route for Collector {
    fn emit<'a>(&self, scope: &Scope<'a>, tag: &Tag, batch: Batch<'a>) -> Result<(), EmitError> {
        if self.refuses.load(Ordering::Relaxed) {
            return Err(EmitError { class: "SomeError", message: "no room".to_owned(), settled: false });
        }
        for event in batch.events(scope) {
            let time = event.time.sec as f64 + f64::from(event.time.nsec) / 1e9;
            let time = if time > 1.6e9 { "now".to_owned() } else { time.to_string() };
            let mut text = format!("{tag} {time} ").into_bytes();
            write_record(&event.record, Style::Oj, &mut text);
            self.events.lock().unwrap().push(String::from_utf8_lossy(&text).into_owned());
        }
        Ok(())
    }

    fn reject<'a>(&self, _scope: &Scope<'a>) {}

    fn limits(&self, tag: Option<&Tag>, into: &mut Vec<Arc<Limit>>) {
        if tag.is_some_and(|tag| tag.as_str() == "full") {
            into.extend(self.full.lock().unwrap().clone());
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

fn build_with(lines: &str) -> Result<(Box<dyn Input>, Vec<String>), String> {
    let diagnostics = Diagnostics::new();
    let root = load(&LoadOptions::for_text("test", &format!("<source>\n@type http\n{lines}\n</source>\n")), &diagnostics).expect("syntax");
    let system = System::read(&Element::new("system", "", Span::default()), &diagnostics).expect("defaults");
    let context = Context { diagnostics: &diagnostics, system: &system, id: "test", log: &PluginLog::default(), host: &NoHost };
    let built = build(root.sections("source")[0], &context);
    let said: Vec<String> = diagnostics.findings().into_iter().map(|finding| finding.message).collect();
    built.map(|input| (input, said.clone())).map_err(|_| said.join("; "))
}

/// An input that is asked without sockets.
struct Rig {
    place: Arc<Place>,
    collector: Arc<Collector>,
    counters: Arc<InputCounters>,
}

impl Rig {
    fn new(lines: &str) -> Rig {
        let (input, _) = build_with(lines).expect("valid");
        let collector = Arc::new(Collector::default());
        let emitter = Emitter::default();
        let route: Weak<dyn Route> = Arc::downgrade(&(Arc::clone(&collector) as Arc<dyn Route>));
        emitter.lead_to(route);
        let seat: Seat = Arc::new(Place(RwLock::new(None)));
        let counters = Arc::<InputCounters>::default();
        input.take_seat(&seat, emitter.counted(Arc::clone(&counters), true));
        Rig { place: seat.downcast().unwrap_or_else(|_| panic!("it is a place")), collector, counters }
    }

    fn ask(&self, request: Request) -> Response {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let (rules, emitter) = self.place.get().unwrap();
        let (_sender, stop) = Stop::new();
        runtime.block_on(answer(&rules, &emitter, request, "10.0.0.9", stop))
    }

    /// Status, body and the events that came of a POST.
    fn post(&self, uri: &str, kind: &str, body: &[u8]) -> (u16, String, Vec<String>) {
        self.send(request("POST", uri, &[("content-type", kind)], body))
    }

    fn send(&self, request: Request) -> (u16, String, Vec<String>) {
        let response = self.ask(request);
        let events = std::mem::take(&mut *self.collector.events.lock().unwrap());
        (response.status.as_u16(), String::from_utf8_lossy(&response.body).into_owned(), events)
    }

    fn events(&self, uri: &str, kind: &str, body: &[u8]) -> Vec<String> {
        let (status, body, events) = self.post(uri, kind, body);
        assert_eq!((status, body.as_str()), (200, ""));
        events
    }
}

fn request(method: &str, uri: &str, headers: &[(&'static str, &str)], body: &[u8]) -> Request {
    let mut all = HeaderMap::new();
    for (name, value) in headers {
        all.append(*name, value.parse().unwrap());
    }
    let body = Ok(body.to_vec().into());
    Request { method: method.parse().unwrap(), uri: uri.parse().unwrap(), headers: all, keep_alive: true, body }
}

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

#[test]
fn the_path_is_the_tag() {
    let rig = Rig::new("");
    for (path, tag) in [("/a.b", "a.b"), ("/a/b/c.d", "a.b.c.d"), ("/", ""), ("/a/", "a"), ("/a%20b", "a%20b"), ("//host//y/", ".y")] {
        assert_eq!(rig.events(path, JSON, b"{}"), [format!("{tag} now {{}}")], "{path}");
    }
    assert_eq!(Rig::new("add_tag_prefix p").events("/x", JSON, b"{}"), ["p.x now {}"]);
}

#[test]
fn bodies_are_read_by_their_types() {
    let rig = Rig::new("");
    let two = ["t now {\"a\":1}", "t now {\"a\":2}"];
    assert_eq!(rig.events("/t", "application/json; charset=utf-8", b"[{\"a\":1},{\"a\":2}]"), two);
    assert_eq!(rig.events("/t", "application/x-ndjson", b"{\"a\":1}\r\n\r\n{\"a\":2}\n"), two);
    assert_eq!(rig.events("/t", FORM, b"ndjson=%7B%22a%22%3A1%7D%0A{\"a\":2}"), two);
    assert_eq!(rig.events("/t", "application/msgpack", b"\x92\x81\xa1a\x01\x81\xa1a\x02"), two);
    assert_eq!(rig.events("/t", "application/msgpack", b"\x81\xa1a\x01\x81\xa1a\x02"), two);
    assert_eq!(rig.events("/t", FORM, b"json={\"a\":1}&msgpack=%81%A1a%02"), ["t now {\"a\":2}"], "msgpack comes first");
    assert_eq!(rig.events("/t?json={}", FORM, b"json={\"a\":\"x+y%20z\"}"), ["t now {\"a\":\"x y z\"}"]);
    assert_eq!(rig.events("/t?json=%7B%22q%22%3A1%7D", "", b""), ["t now {\"q\":1}"]);
    assert_eq!(rig.events("/t", "application/csp-report", b"{\"csp-report\":{}}"), ["t now {\"csp-report\":{}}"]);
    let parts = b"--B\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n1\r\n--B\r\ncontent-disposition: form-data; name=\"json\"\r\nX: y\r\n\r\n{\"m\":1}\r\n--B--\r\n";
    assert_eq!(rig.events("/t", "multipart/form-data; boundary=\"B\"", parts), ["t now {\"m\":1}"]);
}

#[test]
fn what_is_no_record_is_left_out_and_what_is_no_request_refused() {
    let rig = Rig::new("");
    assert_eq!(rig.events("/t", JSON, b"[{\"a\":1},5,{\"a\":2}]").len(), 2);
    for nothing in [&b"5"[..], b"{\"a\":", b"", b"null", b"[]", b"[[1]]", b"{}x"] {
        assert!(rig.events("/t", JSON, nothing).is_empty());
    }
    assert_eq!(rig.events("/t", "application/x-ndjson", b"{\"a\":1}\nbad\n{\"a\":2}").len(), 2);
    assert!(rig.events("/t", "application/msgpack", b"\x81\xa1a").is_empty());
    let required = "400 Bad Request\n'json', 'ndjson' or 'msgpack' parameter is required\n";
    assert_eq!(rig.post("/t", "text/plain", b"{}"), (400, required.to_owned(), vec![]));
    assert_eq!(rig.post("/t", FORM, b"a=1"), (400, required.to_owned(), vec![]));
    assert_eq!(rig.post("/t", "application/msgpack", b"\xc1"), (400, "400 Bad Request\ninvalid byte\n".to_owned(), vec![]));
    let rig = Rig::new("");
    rig.events("/t", JSON, b"[{\"a\":1},5,6]");
    rig.post("/t", FORM, b"a=1");
    let InputCounters { emit_records, emit_size, invalid_messages, .. } = &*rig.counters;
    assert_eq!((emit_records.get(), emit_size.get(), invalid_messages.get()), (1, 1 + 10 + 4, 3));
}

#[test]
fn times_come_from_the_query_or_the_record() {
    let rig = Rig::new("");
    let time = |uri: &str, body: &str| rig.events(uri, JSON, body.as_bytes())[0].split(' ').nth(1).unwrap().to_owned();
    assert_eq!(time("/t?time=1500000000", "{}"), "1500000000");
    assert_eq!(time("/t?time=1500000000.25", "{}"), "1500000000.25");
    assert_eq!(time("/t?time=abc", "{}"), "now");
    assert_eq!(time("/t?time=", "{}"), "now");
    assert_eq!(time("/t", "{\"time\":1500000001}"), "1500000001");
    assert_eq!(time("/t", "{\"time\":1500000001.5}"), "1500000001.5");
    assert_eq!(time("/t", "{\"time\":null}"), "now");
    assert_eq!(rig.events("/t?time=15", JSON, b"{\"time\":16}"), ["t 15 {\"time\":16}"], "the query's counts, and the field stays");
    assert_eq!(rig.events("/t", JSON, b"{\"time\":false,\"a\":1}"), ["t now {\"a\":1}"]);
    let refused = |body: &str| rig.post("/t", JSON, body.as_bytes()).1.replace("400 Bad Request\n", "");
    assert_eq!(refused("{\"time\":\"15\"}"), "can't convert String into an exact number\n");
    assert_eq!(refused("[{},{\"time\":[]}]"), "can't convert Array into an exact number\n");
    assert_eq!(refused("{\"time\":NaN}"), "NaN\n");
    let formatted = Rig::new("<parse>\ntime_key t\nkeep_time_key true\ntime_format %Y-%m-%d %H:%M:%S\nutc true\nlocaltime false\n</parse>");
    assert_eq!(formatted.events("/t", JSON, b"{\"t\":\"2001-09-09 01:46:40\"}"), ["t 1000000000 {\"t\":\"2001-09-09 01:46:40\"}"]);
    assert_eq!(formatted.post("/t", JSON, b"{\"t\":5}").1, "400 Bad Request\nvalue must be string: 5\n");
}

#[test]
fn a_parser_reads_bodies_of_any_type() {
    let rig = Rig::new("<parse>\n@type regexp\nexpression /^(?<a>\\w+) (?<b>\\w+)$/\n</parse>");
    assert_eq!(rig.events("/t", JSON, b"foo bar"), ["t now {\"a\":\"foo\",\"b\":\"bar\"}"]);
    assert!(rig.events("/t", "", b"foo").is_empty());
    let json = Rig::new("<parse>\n@type json\n</parse>");
    assert_eq!(json.events("/t", "", b"[{\"time\":15},{\"b\":2}]"), ["t 15 {}", "t now {\"b\":2}"]);
    assert_eq!(json.events("/t?time=16", "", b"{\"time\":15}"), ["t 16 {}"]);
    let (_, said) = build_with("<parse>\ntypes a:integer\n</parse>").unwrap();
    assert!(said.iter().any(|line| line.contains("'types' has no effect")), "{said:?}");
}

#[test]
fn records_get_what_is_asked_for_of_the_request() {
    let rig = Rig::new("add_http_headers true\nadd_query_params true\nadd_remote_addr true");
    let headers = [("content-type", FORM), ("x-my-name", "v"), ("x-my-name", "w"), ("x-forwarded-for", "1.2.3.4, 5.6.7.8")];
    let (_, _, events) = rig.send(request("POST", "/t?foo=bar&x-y=1&foo=2", &headers, b"json={\"a\":1}&HTTP_Z=3&k=v"));
    let wanted = r#"t now {"a":1,"HTTP_Z":"3","HTTP_CONTENT_TYPE":"application/x-www-form-urlencoded","HTTP_X_MY_NAME":["v","w"],"HTTP_X_FORWARDED_FOR":"1.2.3.4, 5.6.7.8","QUERY_FOO":"bar","QUERY_X_Y":"1","REMOTE_ADDR":"1.2.3.4"}"#;
    assert_eq!(events, [wanted]);
    let plain = Rig::new("add_remote_addr true");
    assert_eq!(plain.events("/t?q=1", JSON, b"{\"a\":1}"), [r#"t now {"a":1,"REMOTE_ADDR":"10.0.0.9"}"#]);
}

#[test]
fn compressed_bodies_are_unpacked_within_bounds() {
    let rig = Rig::new("decompression_size_limit 1000");
    let gzip = |text: &[u8]| {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(text).unwrap();
        packer.finish().unwrap()
    };
    let sent =
        |encoding: &str, body: &[u8]| rig.send(request("POST", "/t", &[("content-type", JSON), ("content-encoding", encoding)], body));
    assert_eq!(sent("gzip", &gzip(b"{\"z\":1}")).2, ["t now {\"z\":1}"]);
    let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(b"{\"z\":2}").unwrap();
    assert_eq!(sent("deflate", &packer.finish().unwrap()).2, ["t now {\"z\":2}"]);
    assert_eq!(sent("br", b"{\"z\":3}").2, ["t now {\"z\":3}"], "other encodings are taken for none");
    assert_eq!(sent("gzip", b"nope"), (400, String::new(), vec![]));
    assert_eq!(sent("gzip", &gzip(&[b' '; 1001])), (413, "Too large".to_owned(), vec![]));
}

#[test]
fn other_methods_and_expectations_are_answered_without_an_event() {
    let rig = Rig::new("");
    let get = rig.ask(request("GET", "/t?json={}", &[], b""));
    assert!(get.status.as_u16() == 200 && get.close);
    assert_eq!(rig.send(request("OPTIONS", "/t", &[("origin", "http://a"), ("access-control-request-method", "POST")], b"")).0, 403);
    assert_eq!(rig.send(request("POST", "/t", &[("expect", "much")], b"")).0, 417);
    assert_eq!(rig.send(request("PUT", "/t", &[("content-type", JSON)], b"{\"p\":1}")).2, ["t now {\"p\":1}"]);
    let mut large = request("POST", "/t", &[], b"");
    large.body = Err(BodyFault::TooLarge);
    let large = rig.ask(large);
    assert_eq!((large.status.as_u16(), large.reason, large.close), (413, Some("Request Entity Too Large"), true));
}

#[test]
fn browsers_may_send_from_where_they_are_allowed_to() {
    let rig = Rig::new("cors_allow_origins [\"http://a.com\",\"http://*.b.com\"]\ncors_allow_credentials true");
    let asked = |method: &str, origin: &str| {
        let headers = [
            ("content-type", JSON),
            ("origin", origin),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "X-A"),
        ];
        let response = rig.ask(request(method, "/t", &headers, b"{}"));
        let header = |name: &str| response.headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        (
            response.status.as_u16(),
            header("access-control-allow-origin"),
            header("access-control-allow-credentials"),
            header("access-control-allow-headers"),
        )
    };
    let (yes, no) = (
        |status, origin: &str, headers: &str| (status, origin.to_owned(), "true".to_owned(), headers.to_owned()),
        (403, String::new(), String::new(), String::new()),
    );
    assert_eq!(asked("OPTIONS", "http://a.com"), yes(200, "http://a.com", "X-A"));
    assert_eq!(asked("POST", "http://q.b.com"), yes(200, "http://q.b.com", ""));
    assert_eq!(asked("POST", "http://a.com.evil.net"), no);
    assert_eq!(asked("OPTIONS", "http://evil.com"), no);
    assert_eq!(rig.send(request("POST", "/t", &[("content-type", JSON)], b"{}")).0, 403);
    assert_eq!(rig.collector.events.lock().unwrap().len(), 0, "the events of what is refused are not taken");
    let all = Rig::new("cors_allow_origins *");
    let response = all.ask(request("POST", "/t", &[("content-type", JSON)], b"{}"));
    assert_eq!(response.headers.get("access-control-allow-origin").unwrap(), "*");
    let refused = build_with("cors_allow_credentials true").err().unwrap();
    assert_eq!(refused, "Cannot enable cors_allow_credentials without specific origins");
    assert_eq!(build_with("add_tag_prefix \"\"").err().unwrap(), "'add_tag_prefix' parameter must not be empty");
}

#[test]
fn answers_are_what_the_parameters_ask_for() {
    let image = Rig::new("respond_with_empty_img true").ask(request("POST", "/t", &[("content-type", JSON)], b"{}"));
    assert_eq!((image.status.as_u16(), &image.body[..6], image.body.len()), (200, &b"GIF89a"[..], 35));
    assert_eq!(Rig::new("use_204_response true").post("/t", JSON, b"{}").0, 204);
    let rig = Rig::new("");
    rig.collector.refuses.store(true, Ordering::Relaxed);
    assert_eq!(rig.post("/t", JSON, b"{}"), (500, "500 Internal Server Error\nno room\n".to_owned(), vec![]));
}

#[test]
fn a_full_route_holds_the_answer_until_there_is_room_or_the_end() {
    let rig = Rig::new("");
    let limit = Arc::new(Limit::new(1));
    limit.take(1);
    *rig.collector.full.lock().unwrap() = Some(Arc::clone(&limit));
    let (rules, emitter) = rig.place.get().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let full = || request("POST", "/full", &[("content-type", JSON)], b"{}");
    let (sender, stop) = Stop::new();
    runtime.block_on(async {
        let mut waiting = std::pin::pin!(answer(&rules, &emitter, full(), "a", stop.clone()));
        assert!(tokio::time::timeout(Duration::from_secs(3600), waiting.as_mut()).await.is_err());
        limit.give_back(1);
        assert_eq!(waiting.await.status.as_u16(), 200);
        limit.take(1);
        let mut waiting = std::pin::pin!(answer(&rules, &emitter, full(), "a", stop.clone()));
        assert!(tokio::time::timeout(Duration::from_secs(3600), waiting.as_mut()).await.is_err());
        sender.send(true).unwrap();
        assert_eq!(waiting.await.status.as_u16(), 200);
    });
    assert_eq!(rig.collector.events.lock().unwrap().len(), 2);
}

#[test]
fn requests_come_by_tls_too() {
    use crate::net::http::{Client, Endpoint, Limits, Request as Sent};
    use crate::net::tls::{ClientTls, Settings};
    let pki = |name: &str| std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/net/tls/pki").join(name);
    let (cert, key) = (pki("server.pem"), pki("server.key"));
    let transport = format!("<transport tls>\ncert_path {}\nprivate_key_path {}\n</transport>", cert.display(), key.display());
    let (input, port) = (0..20)
        .find_map(|_| {
            let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let (mut input, _) = build_with(&format!("bind 127.0.0.1\nport {port}\n{transport}")).unwrap();
            input.prepare().unwrap();
            input.bind().ok().map(|()| (input, port))
        })
        .expect("a free port");
    let collector = Arc::new(Collector::default());
    let emitter = Emitter::default();
    let route: Weak<dyn Route> = Arc::downgrade(&(Arc::clone(&collector) as Arc<dyn Route>));
    emitter.lead_to(route);
    let (_stop, stopped) = Stop::new();
    let loops = Arc::new(Loops::start(1).unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answer = runtime.block_on(async {
        let running = tokio::spawn(input.run(emitter, Arc::clone(&loops), stopped));
        let tls = Arc::new(ClientTls::new(Settings { ca_file: Some(pki("ca.pem")), ..Settings::default() }));
        let limits = Limits { connect: Duration::from_secs(20), silence: Duration::from_secs(20), answer_bytes: 1000 };
        let client = Client::new(Endpoint { host: "localhost".to_owned(), port, tls: Some(tls), proxy: None }, limits);
        let mut headers = HeaderMap::new();
        headers.insert("content-type", JSON.parse().unwrap());
        let sent = Sent { method: "POST".parse().unwrap(), path: "/t".to_owned(), headers, body: b"{}".to_vec().into() };
        let answer = client.send(sent).await;
        running.abort();
        answer
    });
    assert_eq!(answer.expect("an answer").status, 200);
    assert_eq!(*collector.events.lock().unwrap(), ["t now {}"]);
    let refused = build_with("<transport tls>\n</transport>").err().unwrap();
    assert!(refused.contains("no valid cert options configured"), "{refused}");
}
