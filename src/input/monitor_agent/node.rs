//! What is shown, as a tree whose maps keep their order, and its forms: JSON as Ruby writes it, LTSV, a record.

use crate::event::{Record, Scope, Value};
use bumpalo::collections::Vec as BumpVec;

/// A value that is shown.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// null
    Null,
    /// true or false
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Another number.
    Float(f64),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map in this order.
    Map(Vec<(String, Node)>),
}

impl Node {
    /// Text.
    pub fn text(text: &str) -> Node {
        Node::Text(text.to_owned())
    }

    /// A count.
    pub fn count(number: u64) -> Node {
        Node::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }

    /// Text, or null where there is none.
    pub fn optional(text: Option<String>) -> Node {
        text.map_or(Node::Null, Node::Text)
    }

    /// The same from JSON.
    pub fn from_json(value: &serde_json::Value) -> Node {
        use serde_json::Value as Json;
        match value {
            Json::Null => Node::Null,
            Json::Bool(truth) => Node::Bool(*truth),
            Json::Number(number) => number.as_i64().map_or_else(|| Node::Float(number.as_f64().unwrap_or(0.0)), Node::Int),
            Json::String(text) => Node::text(text),
            Json::Array(items) => Node::List(items.iter().map(Node::from_json).collect()),
            Json::Object(fields) => Node::Map(fields.iter().map(|(key, value)| (key.clone(), Node::from_json(value))).collect()),
        }
    }

    /// As JSON, in one line or as `JSON.pretty_generate` lays it out.
    pub fn to_json(&self, is_pretty: bool) -> String {
        let mut out = String::new();
        self.write(is_pretty.then_some(0), &mut out);
        out
    }

    fn write(&self, depth: Option<usize>, out: &mut String) {
        match self {
            Node::List(items) => {
                let inner: Vec<(Option<&str>, &Node)> = items.iter().map(|item| (None, item)).collect();
                write_inner(('[', ']'), &inner, depth, out);
            }
            Node::Map(fields) => {
                let inner: Vec<(Option<&str>, &Node)> = fields.iter().map(|(key, value)| (Some(key.as_str()), value)).collect();
                write_inner(('{', '}'), &inner, depth, out);
            }
            Node::Text(text) => out.push_str(&serde_json::Value::from(text.as_str()).to_string()),
            scalar => out.push_str(&scalar.plain().unwrap_or_else(|| "null".to_owned())),
        }
    }

    /// As text; `None` for null, and for maps, which have no such form.
    fn plain(&self) -> Option<String> {
        match self {
            Node::Null | Node::Map(_) => None,
            Node::Bool(truth) => Some(truth.to_string()),
            Node::Int(number) => Some(number.to_string()),
            Node::Float(number) => Some(format!("{number:?}")),
            Node::Text(text) => Some(text.clone()),
            Node::List(items) => Some(items.iter().map(|item| item.plain().unwrap_or_default()).collect::<Vec<_>>().join(",")),
        }
    }

    /// A map as a record.
    pub fn to_record<'a>(&self, scope: &Scope<'a>) -> Record<'a> {
        let fields = if let Node::Map(fields) = self { fields.as_slice() } else { &[] };
        let mut record = Record::with_capacity(scope.bump(), fields.len());
        for (key, value) in fields {
            record.set(scope.bytes(key.as_bytes()), value.to_value(scope));
        }
        record
    }

    fn to_value<'a>(&self, scope: &Scope<'a>) -> Value<'a> {
        match self {
            Node::Null => Value::Nil,
            Node::Bool(truth) => Value::Bool(*truth),
            Node::Int(number) => Value::Int(*number),
            Node::Float(number) => Value::Float(*number),
            Node::Text(text) => Value::Str(scope.bytes(text.as_bytes())),
            Node::List(items) => {
                let mut values = BumpVec::with_capacity_in(items.len(), scope.bump());
                values.extend(items.iter().map(|item| item.to_value(scope)));
                Value::Array(values.into_bump_slice())
            }
            Node::Map(_) => self.to_record(scope).to_value(scope.bump()),
        }
    }
}

fn write_inner(brackets: (char, char), inner: &[(Option<&str>, &Node)], depth: Option<usize>, out: &mut String) {
    let line = |depth: usize, out: &mut String| {
        out.push('\n');
        out.push_str(&"  ".repeat(depth));
    };
    out.push(brackets.0);
    for (number, (key, value)) in inner.iter().enumerate() {
        if number > 0 {
            out.push(',');
        }
        depth.iter().for_each(|depth| line(depth + 1, out));
        if let Some(key) = key {
            out.push_str(&serde_json::Value::from(*key).to_string());
            out.push_str(if depth.is_some() { ": " } else { ":" });
        }
        value.write(depth.map(|depth| depth + 1), out);
    }
    if let (Some(depth), false) = (depth, inner.is_empty()) {
        line(depth, out);
    }
    out.push(brackets.1);
}

/// Maps as LTSV, a line each: lists with commas, maps within left out, as Fluentd does. Tabs and line ends in values would break a line
/// into others, so they become spaces.
pub fn ltsv(maps: &[Node]) -> String {
    let mut out = String::new();
    for map in maps {
        let fields = if let Node::Map(fields) = map { fields.as_slice() } else { &[] };
        let shown = fields.iter().filter(|(_, value)| !matches!(value, Node::Map(_)));
        let cells = shown.map(|(key, value)| format!("{key}:{}", value.plain().unwrap_or_default().replace(['\t', '\n', '\r'], " ")));
        out.push_str(&cells.collect::<Vec<_>>().join("\t"));
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Node {
        let field = |key: &str, value: Node| (key.to_owned(), value);
        Node::Map(vec![
            field("b", Node::Int(1)),
            field("a", Node::List(vec![Node::Int(1), Node::Float(2.0)])),
            field("none", Node::Null),
            field("m", Node::Map(vec![field("k", Node::text("v\"\t"))])),
            field("e", Node::Map(vec![])),
            field("l", Node::List(vec![])),
            field("t", Node::text("x\ty")),
            field("y", Node::Bool(true)),
        ])
    }

    #[test]
    fn json_is_as_ruby_writes_it() {
        let line = r#"{"b":1,"a":[1,2.0],"none":null,"m":{"k":"v\"\t"},"e":{},"l":[],"t":"x\ty","y":true}"#;
        assert_eq!(sample().to_json(false), line);
        let pretty = "{\n  \"b\": 1,\n  \"a\": [\n    1,\n    2.0\n  ],\n  \"none\": null,\n  \"m\": {\n    \"k\": \"v\\\"\\t\"\n  },\n  \"e\": {},\n  \"l\": [],\n  \
                      \"t\": \"x\\ty\",\n  \"y\": true\n}";
        assert_eq!(sample().to_json(true), pretty);
        assert_eq!(Node::from_json(&serde_json::from_str(line).unwrap()).to_json(false).len(), line.len());
    }

    #[test]
    fn ltsv_leaves_maps_out_and_keeps_lines_whole() {
        assert_eq!(ltsv(&[sample(), Node::Map(vec![])]), "b:1\ta:1,2.0\tnone:\tl:\tt:x y\ty:true\n\n");
    }
}
