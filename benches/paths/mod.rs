//! The main paths of an event, each ready to be run again and again: what benches count and tests hold to their budgets.

use flumen::buffer::{Chunk, ChunkKeys};
use flumen::config::{Diagnostics, Element, LoadOptions, System, load};
use flumen::event::msgpack::{write_array_head, write_map_head, write_str, write_time};
use flumen::event::{EventTime, Scratch, Tag};
use flumen::forward::{Decoder, Next, Rules};
use flumen::output::elasticsearch::Bodies;
use flumen::pipeline::{self, Pipeline};
use flumen::plugin::Emitter;
use std::fmt::Write as _;
use std::sync::Arc;

/// Events that one turn of a path takes.
pub const EVENTS: usize = 1000;
const START: i64 = 1_700_000_000;

const PLAIN: &str = "<match **>\n@type elasticsearch\nlogstash_format true\n</match>\n";
const APACHE: &str = "<filter **>\n@type parser\nkey_name log\nreserve_data true\n<parse>\n@type grok\ngrok_pattern %{COMBINEDAPACHELOG}\n\
    time_key timestamp\ntime_format %d/%b/%Y:%H:%M:%S %z\ntypes response:integer,bytes:integer\n</parse>\n</filter>\n";
const JSON: &str = "<filter **>\n@type parser\nkey_name log\n<parse>\n@type json\n</parse>\n</filter>\n";
const GROK: &str = "<filter **>\n@type parser\nkey_name log\n<parse>\n@type grok\ngrok_pattern %{RUBY_LOGGER}\n</parse>\n</filter>\n\
    <filter **>\n@type parser\nkey_name message\nreserve_data true\n<parse>\n@type grok\n\
    <grok>\npattern service=%{WORD:service} \\| event=%{WORD:event} \\| request_id=%{GREEDYDATA:request_id} \\| message='%{GREEDYDATA:message}'\n</grok>\n\
    <grok>\npattern service=%{WORD:service} \\| event=%{WORD:event} \\| path=%{URIPATH:path} \\| status=%{INT:status}\n</grok>\n</parse>\n</filter>\n";

/// A path by name.
pub enum Path {
    /// From the bytes of a connection to staged chunks.
    Emit(Box<Emit>),
    /// From a chunk to the body of a bulk request.
    Body(Box<Bodies>, Chunk),
}

/// The names of all paths.
pub const NAMES: &[&str] = &["packed", "messages", "apache", "json", "grok", "body", "body-apache"];

impl Path {
    /// The path with this name.
    pub fn new(name: &str) -> Path {
        match name {
            "packed" => Path::emit(PLAIN, packed(&plain_line)),
            "messages" => Path::emit(PLAIN, messages(&plain_line)),
            "apache" => Path::emit(&format!("{APACHE}{PLAIN}"), packed(&apache_line)),
            "json" => Path::emit(&format!("{JSON}{PLAIN}"), packed(&json_line)),
            "grok" => Path::emit(&format!("{GROK}{PLAIN}"), packed(&grok_line)),
            "body" => Path::body(&plain_line),
            "body-apache" => Path::body(&apache_line),
            other => panic!("no path is called {other:?}; there are {NAMES:?}"),
        }
    }

    fn emit(config: &str, input: Vec<u8>) -> Path {
        let diagnostics = Diagnostics::new();
        let mut root = load(&LoadOptions::for_text("paths.conf", config), &diagnostics).expect("a configuration");
        let system = System::read(&Element::default(), &diagnostics).expect("defaults");
        let pipeline = pipeline::build(&mut root, &system, &diagnostics, None).expect("a pipeline");
        let emitter = pipeline.root().expect("a root router");
        let decoder = Decoder::new(Arc::new(Rules::default()), "127.0.0.1".to_owned());
        Path::Emit(Box::new(Emit { _pipeline: pipeline, emitter, decoder, input }))
    }

    fn body(line: &dyn Fn(usize) -> String) -> Path {
        let diagnostics = Diagnostics::new();
        let root = load(&LoadOptions::for_text("paths.conf", PLAIN), &diagnostics).expect("a configuration");
        let keys = ChunkKeys { tag: Some(Tag::new("docker.app")), ..ChunkKeys::default() };
        let chunk = Chunk { bytes: entries(line), records: EVENTS, ..Chunk::new(keys) };
        Path::Body(Box::new(Bodies::new(&root.children[0]).expect("parameters")), chunk)
    }

    /// Bytes of an event as it comes in.
    #[allow(dead_code, reason = "not everybody who runs paths asks")]
    pub fn bytes(&self) -> usize {
        match self {
            Path::Emit(emit) => emit.input.len() / EVENTS,
            Path::Body(_, chunk) => chunk.bytes.len() / EVENTS,
        }
    }

    /// Takes [`EVENTS`] events along the path.
    pub fn run(&mut self) {
        match self {
            Path::Emit(emit) => emit.run(),
            Path::Body(bodies, chunk) => assert_eq!(bodies.of(chunk).len(), 1),
        }
    }
}

/// A connection, and where its events go.
pub struct Emit {
    _pipeline: Pipeline,
    emitter: Emitter,
    decoder: Decoder,
    input: Vec<u8>,
}

impl Emit {
    fn run(&mut self) {
        while let Next::Emit(tag) = self.decoder.next(&self.input).expect("messages") {
            self.pass_on(&tag);
            self.decoder.emitted(true);
        }
        assert_eq!(self.decoder.take_consumed(), self.input.len());
        self.decoder.rest();
    }

    fn pass_on(&mut self, tag: &Tag) {
        let scratch = Scratch::take();
        let scope = scratch.scope();
        let batch = self.decoder.batch(&self.input, &scope).expect("events");
        assert_eq!(batch.len(), EVENTS);
        self.emitter.emit(&scope, tag, batch).expect("room");
    }
}

fn event(at: usize, line: &dyn Fn(usize) -> String, out: &mut Vec<u8>) {
    write_time(EventTime { sec: START + at as i64 / 100, nsec: at as u32 % 100 * 10_000_000 }, out);
    let id = format!("{:064x}", at as u128 * 0x9e37_79b9_7f4a_7c15);
    write_map_head(4, out);
    for (key, value) in [("container_id", id.as_str()), ("container_name", "/service_1"), ("source", "stdout"), ("log", &line(at))] {
        write_str(key.as_bytes(), out);
        write_str(value.as_bytes(), out);
    }
}

fn entries(line: &dyn Fn(usize) -> String) -> Vec<u8> {
    let mut out = Vec::new();
    for at in 0..EVENTS {
        write_array_head(2, &mut out);
        event(at, line, &mut out);
    }
    out
}

fn packed(line: &dyn Fn(usize) -> String) -> Vec<u8> {
    let mut out = Vec::new();
    write_array_head(2, &mut out);
    write_str(b"docker.app", &mut out);
    flumen::event::msgpack::write_bin(&entries(line), &mut out);
    out
}

fn messages(line: &dyn Fn(usize) -> String) -> Vec<u8> {
    let mut out = Vec::new();
    for at in 0..EVENTS {
        write_array_head(4, &mut out);
        write_str(b"docker.app", &mut out);
        event(at, line, &mut out);
        write_map_head(0, &mut out);
    }
    out
}

fn plain_line(at: usize) -> String {
    let mut line = format!("request {at}:");
    while line.len() < 190 {
        let _ = write!(line, " word{}", line.len() * (at + 7) % 97);
    }
    line
}

fn apache_line(at: usize) -> String {
    format!(
        "192.168.{}.{} - frank [14/Nov/2023:22:{:02}:{:02} -0700] \"GET /cart/{at}.html HTTP/1.1\" 200 {} \"http://www.example.com/start.html\" \
         \"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\"",
        at % 255,
        at * 7 % 255,
        at / 60 % 60,
        at % 60,
        at * 17 % 90_000 + 1000
    )
}

fn json_line(at: usize) -> String {
    format!(
        r#"{{"addr":"10.0.1.{}","event":"find_post","level":"info","message":"Retrieved \"all\" posts","method":"GET","params":{{"page":{}}},"path":"/posts?","request_id":"8f3e1d5c-{at:06}","response_status":200,"service":"post","took":{at}.25}}"#,
        at % 255,
        at % 9
    )
}

fn grok_line(at: usize) -> String {
    let head = format!("I, [2019-12-10T19:{:02}:{:02}.{at:06} #1]  INFO -- : service=ui | event=", at / 60 % 60, at % 60);
    if at.is_multiple_of(2) {
        format!("{head}show_all_posts | request_id=8f3e1d5c-{at:06} | message='Successfully showed the home page with posts'")
    } else {
        format!("{head}request | path=/post/{at:x} | status=200")
    }
}
