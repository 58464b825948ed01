//! What a server's answer to a `_bulk` request means for each of its documents.
//!
//! Fluentd: gives the whole chunk up when one document meets a full queue (429), and sends documents to be retried through all filters
//! again. Here each document is judged alone, and what may yet succeed is sent again as it is.

use super::version::Product;
use crate::net::http::SKIMMED_BYTES;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value as Json;

/// Of an error's reason and of what cannot be understood, no more is put into messages.
const MESSAGE_CHARS: usize = 2000;

/// What becomes of one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is stored, or was before.
    Stored,
    /// It may be stored later; why it was not now.
    Later(String),
    /// It never will be; Fluentd's words.
    Rejected(String),
}

/// What a whole answer means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every document is stored.
    AllStored,
    /// The documents' fates, in order.
    Each(Vec<Fate>),
    /// The body is too large for the server: half of it may not be.
    TooLarge,
    /// Some document makes the server refuse all of them: which one, smaller requests will show.
    OneIsBad(String),
    /// Nothing is stored; all of it later again.
    Later(String),
    /// As `Later`, until somebody changes a permission.
    Forbidden(String),
    /// Documents and answers cannot be matched; sent again they would be stored twice.
    Unintelligible(String),
}

/// The parameters that the judgement depends on.
#[derive(Clone, Debug)]
pub struct Judge {
    /// Whose words are used.
    pub product: Product,
    /// Error types with which a document is not sent again.
    pub final_types: Vec<String>,
}

#[derive(Deserialize)]
struct Head {
    errors: Option<bool>,
    items: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Whole {
    items: Option<Vec<Json>>,
}

impl Judge {
    /// Judges the answer to a request of so many documents.
    pub fn judge(&self, status: u16, body: &[u8], documents: usize) -> Verdict {
        match status {
            200..=299 => self.success(body, documents),
            413 => Verdict::TooLarge,
            401 | 403 => Verdict::Forbidden(whole_reason(status, body)),
            400 if is_about_one(body) => Verdict::OneIsBad(whole_reason(status, body)),
            _ => Verdict::Later(whole_reason(status, body)),
        }
    }

    fn success(&self, body: &[u8], documents: usize) -> Verdict {
        if says_no_errors(body) {
            return Verdict::AllStored;
        }
        match serde_json::from_slice::<Head>(body) {
            Err(error) => Verdict::Later(format!("the answer is no JSON object as a bulk request gets ({error}): {}", shortened(body))),
            Ok(Head { errors: Some(false), .. }) => Verdict::AllStored,
            Ok(Head { errors: None, items: None }) => {
                Verdict::Later(format!("the answer is not that of a bulk request: {}", shortened(body)))
            }
            Ok(_) => self.items(body, documents),
        }
    }

    fn items(&self, body: &[u8], documents: usize) -> Verdict {
        let Ok(Whole { items: Some(items) }) = serde_json::from_slice::<Whole>(body) else {
            return Verdict::Unintelligible(format!("The response format was unrecognized: {}", shortened(body)));
        };
        if items.len() != documents {
            let message = format!(
                "The number of records submitted {documents} do not match the number returned {}. Unable to process bulk response.",
                items.len()
            );
            return Verdict::Unintelligible(message);
        }
        Verdict::Each(items.iter().map(|item| self.item(item)).collect())
    }

    fn item(&self, item: &Json) -> Fate {
        let Some((action, result)) = item.as_object().and_then(|item| item.iter().next()) else {
            return Fate::Rejected(format!("the response says nothing about the record: {}", shortened(item.to_string().as_bytes())));
        };
        let Some(status) = result.get("status").and_then(Json::as_u64) else {
            return Fate::Rejected(format!("no status in the response: {}", shortened(item.to_string().as_bytes())));
        };
        let error = result.get("error");
        let text = |name: &str| error.and_then(|error| error.get(name)).and_then(Json::as_str);
        let kind = text("type");
        match status {
            200..=299 => Fate::Stored,
            409 if action == "create" => Fate::Stored,
            _ if self.may_succeed(status, action, kind) => Fate::Later(self.reason(status, error)),
            _ => Fate::Rejected(self.reason(status, error)),
        }
    }

    fn may_succeed(&self, status: u64, action: &str, kind: Option<&str>) -> bool {
        // A full queue is never final, although Fluentd's default list says so.
        if status == 429 {
            return true;
        }
        if kind.is_some_and(|kind| self.final_types.iter().any(|known| known == kind)) {
            return false;
        }
        // A full disk makes indexes read-only, which is 403. Two updates of one document at a time are 409.
        status >= 500 || kind == Some("cluster_block_exception") || (status == 409 && action == "update")
    }

    fn reason(&self, status: u64, error: Option<&Json>) -> String {
        let Some(error) = error else { return format!("{status} - No error type provided in the response") };
        if let Some(text) = error.as_str() {
            return format!("{status} - {}", shortened(text.as_bytes()));
        }
        let Some(kind) = error.get("type").and_then(Json::as_str) else {
            return format!("{status} - No error type provided in the response");
        };
        let mut message = format!("{status} - Rejected by {} [error type]: {kind}", self.product.name());
        if let Some(reason) = error.get("reason").and_then(Json::as_str) {
            message.push_str(&format!(" [reason]: '{}'", shortened(reason.as_bytes())));
        }
        message
    }
}

/// Whether the answer begins with `"errors":false`. Nothing after it is looked at, but that the object is closed.
fn says_no_errors(body: &[u8]) -> bool {
    begins_without_errors(&body[..body.len().min(SKIMMED_BYTES)]) && body.trim_ascii_end().last() == Some(&b'}')
}

/// Whether this is the beginning of an answer that says that there were no errors, with other scalar fields before that at most; servers put it
/// first or second. What such an answer says of each document need not be kept.
pub fn begins_without_errors(head: &[u8]) -> bool {
    let head: Vec<u8> = head.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let Some(at) = head.windows(9).position(|window| window == b"\"errors\":") else { return false };
    // A nested `errors` would stand behind another brace.
    let is_top = head.first() == Some(&b'{') && !head[1..at].iter().any(|byte| matches!(byte, b'{' | b'['));
    is_top && head[at + 9..].starts_with(b"false")
}

/// Whether the server refused all documents because of the action of one.
fn is_about_one(body: &[u8]) -> bool {
    let Ok(answer) = serde_json::from_slice::<Json>(body) else { return false };
    let Some(error) = answer.get("error") else { return false };
    let text = |name: &str| error.get(name).and_then(Json::as_str).unwrap_or_default();
    text("type") == "action_request_validation_exception" || text("reason").starts_with("Malformed action/metadata line")
}

/// The status and what the body says about it.
fn whole_reason(status: u16, body: &[u8]) -> String {
    let parsed = serde_json::from_slice::<Json>(body).ok();
    let error = parsed.as_ref().and_then(|answer| answer.get("error"));
    let text = |name: &str| error.and_then(|error| error.get(name)).and_then(Json::as_str);
    match (text("type"), text("reason")) {
        (Some(kind), reason) => format!("[{status}] {kind}: {}", shortened(reason.unwrap_or_default().as_bytes())),
        _ => format!("[{status}] {}", shortened(body)),
    }
}

fn shortened(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(&text[..text.len().min(4 * MESSAGE_CHARS)]);
    let mut short: String = text.trim().chars().take(MESSAGE_CHARS).collect();
    if short.len() < text.trim().len() {
        short.push_str("...");
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(status: u16, body: &str, documents: usize) -> Verdict {
        Judge { product: Product::Elasticsearch, final_types: vec!["index_closed_exception".to_owned(), "odd_failure".to_owned()] }.judge(
            status,
            body.as_bytes(),
            documents,
        )
    }

    fn fates(items: &str, documents: usize) -> Vec<Fate> {
        match judge(200, &format!("{{\"took\":3,\"errors\":true,\"items\":[{items}]}}"), documents) {
            Verdict::Each(fates) => fates,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn no_errors_ends_it_without_a_look_at_the_items() {
        assert_eq!(judge(200, r#"{"took":30,"errors":false,"items":[{"index":{"status":500}}]}"#, 7), Verdict::AllStored);
        assert_eq!(judge(200, r#"{ "ingest_took" : 1, "took" : 3, "errors" : false, "items" : [] }"#, 7), Verdict::AllStored);
        assert_eq!(judge(200, r#"{"items":[],"took":1,"errors":false}"#, 7), Verdict::AllStored);
    }

    #[test]
    fn each_document_has_its_own_fate() {
        let items = r#"{"index":{"status":201}},
            {"index":{"status":400,"error":{"type":"mapper_parsing_exception","reason":"failed to parse field [n]"}}},
            {"index":{"status":429,"error":{"type":"es_rejected_execution_exception","reason":"queue full"}}},
            {"index":{"status":403,"error":{"type":"cluster_block_exception","reason":"read-only"}}},
            {"index":{"status":403,"error":{"type":"security_exception"}}},
            {"index":{"status":503,"error":{"type":"unavailable_shards_exception","reason":"primary"}}},
            {"index":{"status":500,"error":{"type":"odd_failure","reason":"x"}}}"#;
        let fates = fates(items, 7);
        let reason = "400 - Rejected by Elasticsearch [error type]: mapper_parsing_exception [reason]: 'failed to parse field [n]'";
        assert_eq!(fates[0], Fate::Stored);
        assert_eq!(fates[1], Fate::Rejected(reason.to_owned()));
        assert!(matches!(&fates[2], Fate::Later(why) if why.contains("429") && why.contains("queue full")));
        assert!(matches!(&fates[3], Fate::Later(_)));
        assert!(matches!(&fates[4], Fate::Rejected(_)));
        assert!(matches!(&fates[5], Fate::Later(_)));
        assert!(matches!(&fates[6], Fate::Rejected(_)));
    }

    #[test]
    fn a_conflict_is_no_error_for_create_and_passes_for_update() {
        let conflict = |action: &str| {
            fates(&format!("{{\"{action}\":{{\"status\":409,\"error\":{{\"type\":\"version_conflict_engine_exception\"}}}}}}"), 1)
        };
        assert_eq!(conflict("create"), [Fate::Stored]);
        assert!(matches!(conflict("update")[..], [Fate::Later(_)]));
        assert!(matches!(conflict("index")[..], [Fate::Rejected(_)]));
    }

    #[test]
    fn old_and_odd_items_are_rejected_with_what_they_say() {
        assert_eq!(
            fates(r#"{"index":{"status":400,"error":"RemoteException[x]"}}"#, 1),
            [Fate::Rejected("400 - RemoteException[x]".to_owned())]
        );
        let untyped = fates(r#"{"index":{"status":404,"error":{}}}"#, 1);
        assert_eq!(untyped, [Fate::Rejected("404 - No error type provided in the response".to_owned())]);
        assert!(matches!(fates(r#"{"index":{}}"#, 1)[..], [Fate::Rejected(_)]));
        assert!(matches!(fates("null", 1)[..], [Fate::Rejected(_)]));
    }

    #[test]
    fn what_cannot_be_matched_is_not_sent_again() {
        assert!(matches!(judge(200, r#"{"errors":true,"items":[]}"#, 1), Verdict::Unintelligible(why) if why.contains("submitted 1")));
        assert!(matches!(judge(200, r#"{"errors":true}"#, 1), Verdict::Unintelligible(_)));
    }

    #[test]
    fn whole_answers() {
        assert_eq!(judge(413, "", 9), Verdict::TooLarge);
        assert!(
            matches!(judge(401, r#"{"error":{"type":"security_exception","reason":"missing"}}"#, 9), Verdict::Forbidden(why) if why == "[401] security_exception: missing")
        );
        assert!(matches!(judge(503, "<html>busy</html>", 9), Verdict::Later(why) if why == "[503] <html>busy</html>"));
        assert!(matches!(judge(200, "<html>log in</html>", 9), Verdict::Later(_)));
        assert!(matches!(judge(200, r#"{"took":1,"errors":fal"#, 9), Verdict::Later(_)));
        assert!(matches!(judge(200, r#"{"acknowledged":true}"#, 9), Verdict::Later(_)));
        let malformed =
            r#"{"error":{"type":"illegal_argument_exception","reason":"Malformed action/metadata line [3], expected a simple value"}}"#;
        assert!(matches!(judge(400, malformed, 9), Verdict::OneIsBad(_)));
        assert!(matches!(
            judge(400, r#"{"error":{"type":"illegal_argument_exception","reason":"unknown parameter [_type]"}}"#, 9),
            Verdict::Later(_)
        ));
    }
}
