//! What an event costs on the hot path, step by step: nanoseconds of CPU and allocations an event.
//!
//! `cargo bench --bench event [WORD...]` for all steps, or for those whose line holds one of the words. CPU time of the thread, best of several
//! passes, so that a busy machine disturbs little.

mod buffers;
mod formats;
mod harness;
mod parsers;
#[path = "../paths/mod.rs"]
mod paths;
mod routes;
mod times;

#[global_allocator]
static ALLOCATOR: harness::Counting = harness::Counting;

fn main() {
    flumen::log::set_level(flumen::log::Level::Fatal);
    formats::run();
    parsers::run();
    times::run();
    routes::run();
    buffers::run();
    for name in paths::NAMES {
        let mut path = paths::Path::new(name);
        harness::measure("path", name, path.bytes(), || path.run());
    }
}
