//! Configuration and entries in, requests and error events out.

mod answers;
mod bodies;
mod config;
mod dynamic;
mod server;

use super::{Blocks, Portion, Search, Settings};
use crate::buffer::{Chunk, ChunkKeys};
use crate::config::{Diagnostics, Element, LoadOptions, Refused, load};
use crate::event::json;
use crate::event::msgpack::{write_array_head, write_record, write_time};
use crate::event::{Batch, EventTime, Scope, Scratch, Tag};
use crate::output::WriteError;
use crate::output::elasticsearch::version::Product;
use crate::plugin::{EmitError, Emitter, Limit, Route};
use jiff::tz::{Offset, TimeZone};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// Reads the parameters of a `<match>` section.
fn settings(product: Product, params: &str) -> (Result<Settings, Refused>, Diagnostics) {
    let diagnostics = Diagnostics::new();
    let element = element(params, &diagnostics);
    let settings = Settings::read(&element, product, &diagnostics);
    (settings, diagnostics)
}

fn element(params: &str, diagnostics: &Diagnostics) -> Element {
    let text = format!("<match **>\n@type elasticsearch\n{params}\n</match>\n");
    let root = load(&LoadOptions::for_text("test.conf", &text), diagnostics).unwrap();
    root.children.into_iter().next().unwrap()
}

/// The same of a section of `elasticsearch_dynamic`.
fn dynamic_settings(params: &str) -> (Result<Settings, Refused>, Diagnostics) {
    let diagnostics = Diagnostics::new();
    let element = element(params, &diagnostics);
    let settings = Settings::read_dynamic(&element, &diagnostics);
    (settings, diagnostics)
}

/// What came to `@ERROR`: tag, class, message and record as JSON.
type Errors = Arc<Mutex<Vec<(String, String, String, String)>>>;

struct Collect(Errors);

impl Route for Collect {
    fn emit<'a>(&self, _: &Scope<'a>, _: &Tag, _: Batch<'a>) -> Result<(), EmitError> {
        Ok(())
    }

    fn reject<'a>(&self, scope: &Scope<'a>) {
        for rejected in scope.take_rejected() {
            let mut record = Vec::new();
            json::write_record(&rejected.record, json::Style::Oj, &mut record);
            let record = String::from_utf8(record).unwrap();
            self.0.lock().unwrap().push((rejected.tag.to_string(), rejected.class.to_owned(), rejected.message, record));
        }
    }

    fn limits(&self, _: Option<&Tag>, _: &mut Vec<Arc<Limit>>) {}
}

/// An output as a configuration makes it, on a machine in the zone +09:00.
struct Bench {
    search: Search,
    errors: Errors,
    _route: Arc<dyn Route>,
}

impl Bench {
    fn new(params: &str) -> Bench {
        Bench::of(Product::Elasticsearch, params)
    }

    fn of(product: Product, params: &str) -> Bench {
        Bench::with(settings(product, params))
    }

    fn dynamic(params: &str) -> Bench {
        Bench::with(dynamic_settings(params))
    }

    fn with((settings, diagnostics): (Result<Settings, Refused>, Diagnostics)) -> Bench {
        let mut settings = settings.unwrap_or_else(|_| panic!("{:?}", diagnostics.findings()));
        settings.rules.zone = TimeZone::fixed(Offset::from_seconds(9 * 3600).unwrap());
        let errors = Errors::default();
        let route: Arc<dyn Route> = Arc::new(Collect(Arc::clone(&errors)));
        let emitter = Emitter::default();
        emitter.lead_to(Arc::downgrade(&route));
        Bench {
            search: Search {
                id: Arc::from("out"),
                settings,
                errors: emitter,
                clusters: Mutex::new(HashMap::new()),
                blocks: Blocks::new(),
                portion: Portion::default(),
            },
            errors,
            _route: route,
        }
    }

    fn write(&self, chunk: &Chunk) -> Result<(), WriteError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(self.search.deliver(chunk))
    }

    fn errors(&self) -> Vec<(String, String, String, String)> {
        std::mem::take(&mut self.errors.lock().unwrap())
    }
}

/// A chunk of one tag; each event is its time in seconds and its record as JSON.
fn chunk(tag: &str, events: &[(i64, &str)]) -> Chunk {
    let mut bytes = Vec::new();
    for (sec, record) in events {
        bytes.extend_from_slice(&entry(EventTime { sec: *sec, nsec: 250_000_000 }, record));
    }
    let keys = ChunkKeys { tag: Some(Tag::new(tag)), ..ChunkKeys::default() };
    Chunk { bytes, records: events.len(), ..Chunk::new(keys) }
}

fn entry(time: EventTime, record: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_array_head(2, &mut bytes);
    write_time(time, &mut bytes);
    let scratch = Scratch::take();
    let json::Document::Record(record) = json::read(scratch.scope().bump(), record.as_bytes(), json::Engine::Json).unwrap() else {
        panic!("{record} is no record");
    };
    write_record(&record, &mut bytes);
    bytes
}
