//! JSON-RPC: what a body means, and the forms of answers.

use serde_json::{Value, json};

/// Codes of answers that are no results.
pub const PARSE_ERROR: i64 = -32700;
/// No request in the state that the server is in.
pub const INVALID_REQUEST: i64 = -32600;
/// A method that is not there.
pub const METHOD_NOT_FOUND: i64 = -32601;
/// Parameters that are missing or of another type.
pub const INVALID_PARAMS: i64 = -32602;
/// A request before `initialize`.
pub const NOT_INITIALIZED: i64 = -32002;
/// The client has taken the request back.
pub const CANCELLED: i64 = -32800;

/// A message of the client.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// It waits for an answer.
    Request {
        /// A number or a text.
        id: Value,
        /// What is asked for.
        method: String,
        /// Null where there are none.
        params: Value,
    },
    /// It waits for none.
    Notification {
        /// What has happened.
        method: String,
        /// Null where there are none.
        params: Value,
    },
    /// It is answered by an error.
    Broken {
        /// Null where it is not known.
        id: Value,
        /// One of the codes above.
        code: i64,
        /// What is wrong.
        why: String,
    },
    /// An answer to something that the server has asked: nothing waits for those.
    Answer,
}

impl Message {
    /// Reads a body.
    pub fn read(body: &[u8]) -> Message {
        let broken = |id: &Value, code, why: String| Message::Broken { id: id.clone(), code, why };
        let value: Value = match serde_json::from_slice(body) {
            Ok(value) => value,
            Err(error) => return broken(&Value::Null, PARSE_ERROR, format!("the message is no JSON: {error}")),
        };
        let Value::Object(mut fields) = value else {
            return broken(&Value::Null, INVALID_REQUEST, "a message is a JSON object".to_owned());
        };
        let id = fields.remove("id");
        let has_good_id = id.as_ref().is_none_or(|id| id.is_number() || id.is_string());
        let params = fields.remove("params").unwrap_or(Value::Null);
        match (fields.remove("method"), id) {
            (Some(Value::String(method)), None) => Message::Notification { method, params },
            (Some(Value::String(method)), Some(id)) if has_good_id => Message::Request { id, method, params },
            (None, _) if fields.contains_key("result") || fields.contains_key("error") => Message::Answer,
            (_, id) => {
                let id = id.filter(|_| has_good_id).unwrap_or(Value::Null);
                broken(&id, INVALID_REQUEST, "a message has a method, and an id that is a number or a text".to_owned())
            }
        }
    }
}

/// The answer to a request.
pub fn answer(id: &Value, result: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "result": result })
}

/// The answer that something went wrong.
pub fn error(id: &Value, code: i64, why: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": why } })
}

/// A message that wants no answer.
pub fn notification(method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "method": method, "params": params })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_become_messages() {
        assert!(matches!(Message::read(b"{\"id\":1,\"method\":\"a\"}"), Message::Request { .. }));
        assert!(matches!(Message::read(b"{\"method\":\"a\",\"params\":[]}"), Message::Notification { .. }));
        assert_eq!(Message::read(b"{\"id\":1,\"result\":null}"), Message::Answer);
        for (body, code) in [
            (&b"{"[..], PARSE_ERROR),
            (b"\xff", PARSE_ERROR),
            (b"[]", INVALID_REQUEST),
            (b"{\"id\":{},\"method\":\"a\"}", INVALID_REQUEST),
            (b"{\"id\":1,\"method\":5}", INVALID_REQUEST),
            (b"{}", INVALID_REQUEST),
        ] {
            assert!(matches!(Message::read(body), Message::Broken { code: found, .. } if found == code), "{body:?}");
        }
        let deep = "[".repeat(100_000);
        assert!(matches!(Message::read(deep.as_bytes()), Message::Broken { .. }));
    }
}
