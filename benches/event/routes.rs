//! From a tag to its route, one batch of one event after another: the tag known, or new to a router of 200 patterns.

use super::harness::{EVENTS, measure};
use flumen::config::{Diagnostics, Element, LoadOptions, System, load};
use flumen::event::msgpack::{write_array_head, write_map_head, write_time};
use flumen::event::{Batch, EventTime, Scratch, Tag};
use flumen::pipeline::{self, Patterns};
use std::hint::black_box;

const PATTERNS: usize = 200;
/// More than a router remembers, so that each is forgotten when it comes again.
const TAGS: usize = 5000;

const TAG: &str = "service.ui";

/// All steps.
pub fn run() {
    let mut entry = Vec::new();
    write_array_head(2, &mut entry);
    write_time(EventTime::from_secs(1_700_000_000), &mut entry);
    write_map_head(0, &mut entry);
    routed("one pattern, a known tag", 1, 1, &entry);
    routed("200 patterns, a known tag", PATTERNS, 1, &entry);
    routed("200 patterns, 1,000 known tags in turn", PATTERNS, 1000, &entry);
    routed("one pattern, a new tag", 1, TAGS, &entry);
    routed("200 patterns, a new tag that the last takes", PATTERNS, TAGS, &entry);
    for text in ["service.*", "service.**", "{web,db}.{access,error}", "/^service\\.(?:ui|post)$/"] {
        let patterns = Patterns::parse(text).expect("a pattern");
        measure("route", &format!("match of {text}"), TAG.len(), || {
            (0..EVENTS).for_each(|_| {
                black_box(patterns.matches(black_box(TAG)));
            });
        });
    }
}

fn routed(name: &str, patterns: usize, tags: usize, entry: &[u8]) {
    let others: String = (1..patterns).map(|number| format!("<match other.{number}.**>\n@type null\n</match>\n")).collect();
    let diagnostics = Diagnostics::new();
    let text = format!("{others}<match **>\n@type null\n</match>\n");
    let mut root = load(&LoadOptions::for_text("bench", &text), &diagnostics).expect("a configuration");
    let system = System::read(&Element::default(), &diagnostics).expect("defaults");
    let pipeline = pipeline::build(&mut root, &system, &diagnostics, None).expect("a pipeline");
    let emitter = pipeline.root().expect("a root router");
    let tags: Vec<Tag> = (0..tags).map(|number| Tag::new(&format!("service.{number}"))).collect();
    let mut next = tags.iter().cycle();
    measure("route", name, entry.len(), || {
        let scratch = Scratch::take();
        let scope = scratch.scope();
        for tag in next.by_ref().take(EVENTS) {
            emitter.emit(&scope, tag, Batch::packed(entry, 1)).expect("a route");
        }
    });
}
