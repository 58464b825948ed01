//! Any text as a configuration: checked for both programs, explained, drawn and laid out. Whatever it is, nothing panics or hangs.

#![no_main]

use flumen::check::explain::{Picture, Plan, explain, graph};
use flumen::check::render::{Format, render};
use flumen::check::{Settings, Target, check};
use flumen::config::{Diagnostics, FileType, LoadOptions, format};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((kind, text)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    flumen::log::set_level(flumen::log::Level::Fatal);
    let file_type = if kind % 4 == 0 { FileType::Yaml } else { FileType::Usual };
    let mut source = LoadOptions { file_type, v0: kind % 4 == 1, ..LoadOptions::for_text("fuzz.conf", text) };
    source.environment.trusted = false;
    let target = if kind & 4 == 0 { Target::Fluentd } else { Target::Either };
    let report = check(&source, &Settings { files: false, target, ..Settings::default() });
    render(&[report], Format::Human, false);
    if let Ok(plan) = Plan::read(&source, Diagnostics::new()) {
        graph(&plan, Picture::Mermaid);
        let _ = explain(&plan, "a.b", Some(r#"{"log":"x","level":"error"}"#));
    }
    let diagnostics = Diagnostics::new();
    if let Ok(first) = format::format("fuzz.conf", text, &diagnostics) {
        // What was laid out once stays as it is.
        let second = format::format("fuzz.conf", &first, &Diagnostics::new()).ok();
        assert_eq!(second.as_deref(), Some(first.as_str()));
    }
});
