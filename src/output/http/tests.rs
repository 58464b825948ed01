//! Chunks in, requests out; answers in, the fate of the chunk out.

use super::build;
use crate::buffer::{Chunk, ChunkKeys};
use crate::config::{Diagnostics, Element, LoadOptions, Refused, Span, System, load};
use crate::event::json::{Document, Engine, read};
use crate::event::{Event, EventTime, Scratch, Tag};
use crate::log::PluginLog;
use crate::output::{BufferedOutput, Output, WriteError};
use crate::plugin::{Context, Emitter, Host, Sink};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

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

/// The output, or all that is wrong with it.
fn output(lines: &str) -> Result<Box<dyn BufferedOutput>, String> {
    let diagnostics = Diagnostics::new();
    // No proxy of the environment that the tests run in.
    let text = format!("<match **>\n@type http\nproxy \"\"\n{lines}\n</match>\n").replace("proxy \"\"\nproxy", "proxy");
    let root = load(&LoadOptions::for_text("test", &text), &diagnostics).expect("syntax");
    let system = System::read(&Element::new("system", "", Span::default()), &diagnostics).expect("defaults");
    let context = Context { diagnostics: &diagnostics, system: &system, id: "test", log: &PluginLog::default(), host: &NoHost };
    match build(root.sections("match")[0], &context) {
        Ok(Output::Buffered(output)) => Ok(output),
        Ok(Output::Sync(_)) => panic!("it has a buffer"),
        Err(_) => Err(diagnostics.findings().into_iter().map(|finding| finding.message).collect::<Vec<_>>().join("; ")),
    }
}

/// A chunk of these records as the output formats them, at second 7.
fn chunk(output: &dyn BufferedOutput, tag: &str, records: &[&str]) -> Chunk {
    let scratch = Scratch::take();
    let scope = scratch.scope();
    let tag = Tag::new(tag);
    let mut bytes = Vec::new();
    for text in records {
        let Ok(Document::Record(record)) = read(scope.bump(), text.as_bytes(), Engine::Json) else { panic!("{text}") };
        output.format(&scope, &tag, &Event { time: EventTime::from_secs(7), record }, &mut bytes).unwrap();
    }
    let variables = vec![("k".to_owned(), Some("v w".to_owned()))];
    let keys = ChunkKeys { tag: Some(tag.clone()), timekey: Some(86_400), variables };
    Chunk { bytes, records: records.len(), ..Chunk::new(keys) }
}

fn write(output: &dyn BufferedOutput, chunk: &Chunk) -> Result<(), WriteError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(output.write(chunk))
}

/// A request as it came: the connection, the head, the body.
type Seen = Arc<Mutex<Vec<(usize, String, Vec<u8>)>>>;

/// A server that gives these answers in turn, then 200.
fn server(answers: &'static [(u16, &'static str)]) -> (u16, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Seen::default();
    let shared = Arc::clone(&seen);
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().flatten().enumerate() {
            let seen = Arc::clone(&shared);
            std::thread::spawn(move || while serve(&stream, number, answers, &seen).is_some() {});
        }
    });
    (port, seen)
}

/// One request; `None` where the connection is over.
fn serve(mut stream: &TcpStream, number: usize, answers: &[(u16, &str)], seen: &Mutex<Vec<(usize, String, Vec<u8>)>>) -> Option<()> {
    let mut reader = BufReader::with_capacity(1, stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        (reader.read_line(&mut head).ok()? > 0).then_some(())?;
    }
    if head.starts_with("CONNECT ") {
        seen.lock().unwrap().push((number, head, Vec::new()));
        stream.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").ok()?;
        return None;
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let mut seen = seen.lock().unwrap();
    let (status, text) = answers.get(seen.len()).copied().unwrap_or((200, ""));
    seen.push((number, head, body));
    stream.write_all(format!("HTTP/1.1 {status} Any\r\ncontent-length: {}\r\n\r\n{text}", text.len()).as_bytes()).ok()
}

fn taken(seen: &Seen) -> Vec<(usize, String, Vec<u8>)> {
    std::mem::take(&mut seen.lock().unwrap())
}

/// Sends one chunk of two records and gives the head and the body of the request.
fn request_of(lines: &str) -> (String, String) {
    let (port, seen) = server(&[]);
    let output = output(&lines.replace("PORT", &port.to_string())).unwrap();
    write(output.as_ref(), &chunk(output.as_ref(), "a.b", &[r#"{"x":1,"y":"s"}"#, r#"{"x":2}"#])).unwrap();
    let (_, head, body) = taken(&seen).remove(0);
    (head, String::from_utf8_lossy(&body).into_owned())
}

#[test]
fn a_chunk_is_the_body_of_a_request() {
    let (head, body) = request_of("endpoint http://127.0.0.1:PORT/logs?x=1");
    assert!(head.starts_with("POST /logs?x=1 HTTP/1.1\r\n"), "{head}");
    for line in ["host: 127.0.0.1:", "content-type: application/x-ndjson\r\n", "content-length: 24\r\n"] {
        assert!(head.contains(line), "{line}: {head}");
    }
    assert_eq!(body, "{\"x\":1,\"y\":\"s\"}\n{\"x\":2}\n");
    let (head, body) = request_of("endpoint http://127.0.0.1:PORT\nhttp_method put\njson_array true");
    assert!(head.starts_with("PUT / HTTP/1.1\r\n") && head.contains("content-type: application/json\r\n"), "{head}");
    assert_eq!(body, "[{\"x\":1,\"y\":\"s\"}\n,{\"x\":2}\n]");
    let (head, body) = request_of("endpoint http://127.0.0.1:PORT\n<format>\n@type csv\nfields x,y\n</format>");
    assert!(head.contains("content-type: text/csv\r\n"));
    assert_eq!(body, "\"1\",\"s\"\n\"2\",\"\"\n");
    let (head, _) = request_of("endpoint http://127.0.0.1:PORT\ncontent_type text/x\n<format>\n@type ltsv\n</format>");
    assert!(head.contains("content-type: text/x\r\n"));
}

#[test]
fn placeholders_and_headers_are_filled_in() {
    let lines = "endpoint http://127.0.0.1:PORT/${tag[1]}/%Y%m%d?t=${tag}\nheaders {\"x-a\":\"1\",\"Content-Type\":\"no\",\"Host\":\"h.example\"}\n\
                 headers_from_placeholders {\"x-k\":\"k=${k}\",\"x-a\":\"${tag}\"}\n<auth>\nusername me\npassword s:t\n</auth>\n\
                 <buffer tag,time,k>\ntimekey 1d\ntimekey_use_utc true\n</buffer>";
    let (head, _) = request_of(lines);
    assert!(head.starts_with("POST /b/19700102?t=a.b HTTP/1.1\r\n"), "{head}");
    let wanted = ["x-k: k=v w", "x-a: a.b", "content-type: application/x-ndjson", "host: h.example", "authorization: Basic bWU6czp0"];
    for line in wanted {
        assert!(head.contains(&format!("{line}\r\n")), "{line}: {head}");
    }
}

#[test]
fn bodies_can_be_compressed() {
    let (port, seen) = server(&[]);
    let output = output(&format!("endpoint http://127.0.0.1:{port}\ncompress gzip\njson_array true")).unwrap();
    write(output.as_ref(), &chunk(output.as_ref(), "a", &["{}", "{}"])).unwrap();
    let (_, head, body) = taken(&seen).remove(0);
    let mut text = String::new();
    flate2::read::GzDecoder::new(&body[..]).read_to_string(&mut text).unwrap();
    assert!(head.contains("content-encoding: gzip\r\n"));
    assert_eq!(text, "[{}\n,{}\n]");
}

#[test]
fn the_answer_decides() {
    fn fate(lines: &str, answers: &'static [(u16, &'static str)]) -> (String, u64) {
        let (port, _) = server(answers);
        let output = output(&format!("endpoint http://127.0.0.1:{port}/\n{lines}")).unwrap();
        let chunk = chunk(output.as_ref(), "a", &["{}", "{}"]);
        let fate = match write(output.as_ref(), &chunk) {
            Ok(()) => "delivered".to_owned(),
            Err(WriteError::Retry(why)) => format!("again: {why:#}"),
            Err(WriteError::Unrecoverable(why)) => format!("given up: {why:#}"),
            Err(WriteError::Partial { .. }) => panic!("it is all or nothing"),
        };
        (fate, chunk.dropped.get())
    }
    assert_eq!(fate("", &[(204, "")]), ("delivered".to_owned(), 0));
    assert_eq!(fate("", &[(503, "\n busy")]), ("again: 503 Service Unavailable busy".to_owned(), 0));
    assert_eq!(fate("", &[(500, "")]), ("given up: 500 Internal Server Error ".to_owned(), 0));
    assert_eq!(fate("", &[(302, "")]), ("given up: 302 Found ".to_owned(), 0));
    assert_eq!(fate("retryable_response_codes 500, 429", &[(429, "")]), ("again: 429 Too Many Requests ".to_owned(), 0));
    assert_eq!(fate("retryable_response_codes 500, 429", &[(503, "")]), ("given up: 503 Service Unavailable ".to_owned(), 0));
    assert_eq!(fate("error_response_as_unrecoverable false", &[(400, "no")]), ("delivered".to_owned(), 2));
    assert_eq!(fate("error_response_as_unrecoverable false", &[(503, "no")]), ("again: 503 Service Unavailable no".to_owned(), 0));
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let output = output(&format!("endpoint http://127.0.0.1:{nobody}/")).unwrap();
    let failure = write(output.as_ref(), &chunk(output.as_ref(), "a", &["{}"]));
    assert!(matches!(&failure, Err(WriteError::Retry(why)) if why.chain().any(|cause| cause.is::<std::io::Error>())), "{failure:?}");
}

#[test]
fn connections_are_used_again_where_that_is_asked_for() {
    for (lines, wanted) in [("", vec![0, 1, 2]), ("reuse_connections true", vec![0, 0, 0])] {
        let (port, seen) = server(&[(200, ""), (200, ""), (200, "")]);
        let output = output(&format!("endpoint http://127.0.0.1:{port}/\n{lines}")).unwrap();
        let chunk = chunk(output.as_ref(), "a", &["{}"]);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        (0..3).for_each(|_| runtime.block_on(output.write(&chunk)).unwrap());
        assert_eq!(taken(&seen).into_iter().map(|(connection, ..)| connection).collect::<Vec<_>>(), wanted, "{lines}");
    }
}

#[test]
fn a_proxy_is_told_where_a_request_goes() {
    let (port, seen) = server(&[]);
    let through = format!("proxy http://u:p@127.0.0.1:{port}");
    let plain = output(&format!("{through}\nendpoint http://far.example/x")).unwrap();
    write(plain.as_ref(), &chunk(plain.as_ref(), "a", &["{}"])).unwrap();
    let (_, head, _) = taken(&seen).remove(0);
    assert!(head.starts_with("POST http://far.example:80/x HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("host: far.example\r\n") && head.contains("proxy-authorization: Basic dTpw\r\n"), "{head}");
    let secure = output(&format!("{through}\nendpoint https://far.example/x")).unwrap();
    let failure = write(secure.as_ref(), &chunk(secure.as_ref(), "a", &["{}"]));
    assert!(matches!(&failure, Err(WriteError::Retry(why)) if format!("{why:#}").contains("407 Proxy Authentication")), "{failure:?}");
    let (_, head, _) = taken(&seen).remove(0);
    assert!(head.starts_with("CONNECT far.example:443 HTTP/1.1\r\n") && head.contains("Proxy-Authorization: Basic dTpw\r\n"), "{head}");
}

#[test]
fn a_url_that_is_none_ends_the_chunk() {
    let output = output("endpoint http://127.0.0.1:1/${k}\n<buffer k>\n</buffer>").unwrap();
    let failure = write(output.as_ref(), &chunk(output.as_ref(), "a", &["{}"]));
    assert!(matches!(&failure, Err(WriteError::Unrecoverable(why)) if why.to_string().contains("' ' must not stand")), "{failure:?}");
}

#[test]
fn what_cannot_be_is_refused() {
    let refused = |lines: &str| output(&format!("endpoint https://a.example/\n{lines}")).err().expect("is refused");
    assert!(
        refused("json_array true\n<format>\n@type csv\nfields a\n</format>")
            .contains("json_array option could be used with json formatter only")
    );
    assert!(refused("<auth>\nmethod aws_sigv4\naws_service es\naws_region r\n</auth>").contains("'method aws_sigv4' is not supported"));
    assert!(refused("tls_ciphers AES").contains("'tls_ciphers' is not supported"));
    assert!(refused("tls_version TLSv1_1").contains("expected TLSv1_2 or TLSv1_3"));
    assert!(refused("headers {\"a b\":\"c\"}").contains("no HTTP header"));
    assert!(refused("proxy nowhere").contains("there is no scheme"));
    assert!(output("http_method put").err().expect("is refused").contains("'endpoint' parameter is required"));
    assert!(output("endpoint http://a.example/\ntls_ciphers AES\ntls_version TLSv1_1").is_ok(), "TLS is not spoken");
}
