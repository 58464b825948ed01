//! A session over texts with random damage: every question about every place has an answer, at once and without a panic.

use super::message::Message;
use super::position::{Encoding, Lines};
use super::session::Session;
use super::wire::{self, Frame};
use super::{Options, Settings};
use crate::config::tests::mutation::{Random, damage};
use crate::ruby::Environment;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

const ROUNDS: usize = 150;
const URI: &str = "untitled:1";
const METHODS: [&str; 8] =
    ["hover", "completion", "definition", "references", "documentSymbol", "foldingRange", "formatting", "codeAction"];

/// What the session writes.
#[derive(Clone, Default)]
struct Sink(Rc<RefCell<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Talk {
    session: Session<Sink>,
    sink: Sink,
}

impl Talk {
    fn new() -> Talk {
        crate::log::set_level(crate::log::Level::Fatal);
        let sink = Sink::default();
        let environment = Environment { trusted: false, ..Environment::of_process() };
        let options = Options { settings: Settings { files: false, ..Settings::default() }, environment };
        let mut talk = Talk { session: Session::new(sink.clone(), options, Arc::default()).expect("a thread"), sink };
        talk.ask("initialize", json!({ "capabilities": {} }));
        talk
    }

    fn tell(&mut self, method: &str, params: Value) {
        self.session.handle(Message::Notification { method: method.to_owned(), params }).expect("is written");
    }

    /// What is written meanwhile; the answer is the last of it.
    fn ask(&mut self, method: &str, params: Value) -> Vec<Value> {
        self.session.handle(Message::Request { id: json!(1), method: method.to_owned(), params }).expect("is written");
        self.written()
    }

    fn written(&mut self) -> Vec<Value> {
        let bytes = std::mem::take(&mut *self.sink.0.borrow_mut());
        let mut input = bytes.as_slice();
        let mut messages = Vec::new();
        while let Frame::Body(body) = wire::read(&mut input) {
            messages.push(serde_json::from_slice(&body).expect("is JSON"));
        }
        messages
    }
}

fn samples() -> Vec<String> {
    let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/conf")).expect("is there");
    let mut paths: Vec<_> = folder.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "conf"));
    paths.sort();
    paths.iter().map(|path| std::fs::read_to_string(path).expect("is readable")).collect()
}

/// Whether a range is one of the text.
fn is_in(text: &str, range: &Value) -> bool {
    let lines = Lines::new(text, Encoding::Utf16);
    let exact = |position: &Value| lines.offset(position).is_some_and(|offset| lines.position(offset) == *position);
    exact(&range["start"]) && exact(&range["end"]) && lines.offsets(range).is_some_and(|(start, end)| start <= end)
}

#[test]
fn damaged_texts_are_answered_for_at_once_and_without_a_panic() {
    let samples = samples();
    let mut random = Random::new(0x51ed_270b_0a55_92f3);
    let mut talk = Talk::new();
    for round in 0..ROUNDS {
        let mut text = samples[round % samples.len()].clone();
        for _ in 0..=random.below(6) {
            damage(&mut text, &mut random);
        }
        let start = Instant::now();
        talk.tell("textDocument/didOpen", json!({ "textDocument": { "uri": URI, "version": 1, "text": text } }));
        talk.session.check();
        talk.session.tell(Duration::from_secs(10)).expect("is written");
        let lines = Lines::new(&text, Encoding::Utf16);
        for message in talk.written() {
            for diagnostic in message["params"]["diagnostics"].as_array().expect("diagnostics") {
                assert!(is_in(&text, &diagnostic["range"]), "{diagnostic} in {text:?}");
            }
        }
        for method in METHODS {
            let position = lines.position(random.below(text.len() + 1));
            let range = json!({ "start": position, "end": position });
            let asked = json!({ "textDocument": { "uri": URI }, "position": position, "range": range });
            let answers = talk.ask(&format!("textDocument/{method}"), asked);
            let answer = answers.last().expect("an answer");
            assert!(answer["error"].is_null(), "{method} at {position} of {text:?}: {answer}");
            for item in answer["result"].as_array().into_iter().flatten() {
                let range = if item["textEdit"].is_null() { &item["range"] } else { &item["textEdit"]["range"] };
                assert!(range.is_null() || is_in(&text, range), "{method} at {position} of {text:?}: {item}");
            }
        }
        // The bound of an unoptimised build on a loaded machine.
        assert!(start.elapsed() < Duration::from_secs(10), "{text:?} took {:?}", start.elapsed());
    }
}

#[test]
fn the_layout_is_that_of_the_formatter() {
    let mut talk = Talk::new();
    for text in samples() {
        let rough: String = text.lines().map(|line| format!("   {}\n\n", line.trim_start())).collect();
        let wanted = crate::config::format::format("x", &rough, &crate::config::Diagnostics::new());
        talk.tell("textDocument/didOpen", json!({ "textDocument": { "uri": URI, "version": 1, "text": rough } }));
        let answer = talk.ask("textDocument/formatting", json!({ "textDocument": { "uri": URI } }));
        let Ok(wanted) = wanted else {
            assert_eq!(answer[0]["result"], Value::Null);
            continue;
        };
        let edit = &answer[0]["result"][0];
        let (start, end) = Lines::new(&rough, Encoding::Utf16).offsets(&edit["range"]).expect("a range");
        assert_eq!(format!("{}{}{}", &rough[..start], edit["newText"].as_str().expect("a text"), &rough[end..]), wanted);
    }
}
