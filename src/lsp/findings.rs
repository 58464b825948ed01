//! Findings of the checker as the protocol's diagnostics.

use super::session::Client;
use crate::check::{Found, Place, codes};
use crate::config::Severity;
use serde_json::{Value, json};

/// Codes about names that have newer ones: shown as such.
const DEPRECATED: &[&str] = &["FLM0114", "FLM0121", "FLM0205"];
/// Codes about sections that nothing reaches.
const UNREACHED: &[&str] = &["FLM0710", "FLM0711", "FLM0715"];

/// One finding as a diagnostic; `uri` gives the URI of a file.
pub fn diagnostic(found: &Found, client: &Client, uri: &dyn Fn(&str) -> String) -> Value {
    let mut message = found.message.clone();
    for help in &found.help {
        message.push_str(&format!("\nhelp: {help}"));
    }
    let severity = match found.severity {
        Severity::Error => 1,
        Severity::Warning => 2,
        Severity::Note => 3,
    };
    let at = found.place.as_ref().map_or_else(top, |place| range(place, client));
    let mut diagnostic = json!({ "range": at, "severity": severity, "code": found.code, "source": "flumen", "message": message });
    let tags: Vec<u8> =
        [(UNREACHED, 1), (DEPRECATED, 2)].iter().filter(|(codes, _)| codes.contains(&found.code)).map(|(_, tag)| *tag).collect();
    if !tags.is_empty() {
        diagnostic["tags"] = json!(tags);
    }
    if client.takes_related && !found.included_from.is_empty() {
        let related = found
            .included_from
            .iter()
            .map(|place| json!({ "location": { "uri": uri(&place.file), "range": range(place, client) }, "message": "included here" }));
        diagnostic["relatedInformation"] = related.collect();
    }
    diagnostic
}

/// Where what has no place is shown.
fn top() -> Value {
    json!({ "start": { "line": 0, "character": 0 }, "end": { "line": 0, "character": 0 } })
}

/// The range of a place: its first line.
pub fn range(place: &Place, client: &Client) -> Value {
    let line = place.line.saturating_sub(1);
    let byte = |characters: usize| place.text.char_indices().nth(characters).map_or(place.text.len(), |(at, _)| at);
    let (start, end) = (byte(place.column - 1), byte(place.column - 1 + place.width));
    let units = |at: usize| client.encoding.width(&place.text[..at]);
    json!({ "start": { "line": line, "character": units(start) }, "end": { "line": line, "character": units(end) } })
}

/// What a code means, as Markdown.
pub fn explanation(code: &str) -> Option<String> {
    let row = codes::find(code)?;
    Some(format!("**{}: {}**\n\n{}\n\n```\n{}\n```", row.code, row.title, row.explanation, row.example))
}
