//! Reading times.

use super::harness::{EVENTS, measure};
use flumen::event::{TimeOptions, TimeParser};
use std::hint::black_box;

/// Format, zone for times without one, and a time that has the form; `None` for what Ruby's `Time.parse` guesses.
const FORMS: &[(Option<&str>, Option<&str>, &str)] = &[
    (Some("%d/%b/%Y:%H:%M:%S %z"), None, "14/Nov/2023:22:13:20 +0000"),
    (Some("%Y-%m-%dT%H:%M:%S.%L%z"), None, "2023-11-14T22:13:20.123+0000"),
    (Some("%Y-%m-%d %H:%M:%S"), Some("+0900"), "2023-11-14 22:13:20"),
    (Some("%Y-%m-%d %H:%M:%S"), Some("Europe/Berlin"), "2023-11-14 22:13:20"),
    (Some("%Y-%m-%dT%H:%M:%S.%N"), Some("+0000"), "2023-11-14T22:13:20.123456789"),
    (Some("%b %d %H:%M:%S"), None, "Nov 14 22:13:20"),
    (Some("%a, %d %b %Y %H:%M:%S %Z"), None, "Tue, 14 Nov 2023 22:13:20 GMT"),
    (Some("%s"), None, "1700000000"),
    (Some("%iso8601"), None, "2023-11-14T22:13:20Z"),
    (Some("%iso8601"), None, "2023-11-14T22:13:20.123456+09:00"),
    (None, None, "2023-11-14 22:13:20 +0000"),
];

/// All steps.
pub fn run() {
    for &(format, zone, text) in FORMS {
        let options = TimeOptions { format: format.map(str::to_owned), timezone: zone.map(str::to_owned), ..TimeOptions::default() };
        let parser = TimeParser::new(&options).expect("a format");
        let zone = zone.map_or_else(String::new, |zone| format!(", in {zone}"));
        measure("time", &format!("{}: {text}{zone}", format.unwrap_or("guessed")), text.len(), || {
            for _ in 0..EVENTS {
                black_box(parser.parse_text(black_box(text.as_bytes()))).expect("a time");
            }
        });
    }
}
