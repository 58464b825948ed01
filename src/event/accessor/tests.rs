//! Tests of accessors: notation, record before, record after.

use super::*;
use crate::event::json::{Document, Engine, Style, read, write_record};

fn record<'a>(bump: &'a Bump, text: &'a str) -> Record<'a> {
    match read(bump, text.as_bytes(), Engine::Oj) {
        Ok(Document::Record(record)) => record,
        other => panic!("{other:?}"),
    }
}

fn shown(record: &Record<'_>) -> String {
    let mut out = Vec::new();
    write_record(record, Style::Oj, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

#[test]
fn fields_are_read_set_and_removed_at_any_depth() {
    const RECORD: &str = r#"{"list":[1,{"b":2}],"map":{"x":{"y":3}},"text":"t","nil":null}"#;
    // Notation, value, record after setting 9, record after removing.
    let rows = [
        (
            "text",
            r#""t""#,
            r#"{"list":[1,{"b":2}],"map":{"x":{"y":3}},"text":9,"nil":null}"#,
            r#"{"list":[1,{"b":2}],"map":{"x":{"y":3}},"nil":null}"#,
        ),
        (
            "$.list[0]",
            "1",
            r#"{"list":[9,{"b":2}],"map":{"x":{"y":3}},"text":"t","nil":null}"#,
            r#"{"list":[{"b":2}],"map":{"x":{"y":3}},"text":"t","nil":null}"#,
        ),
        (
            "$.list[-1].b",
            "2",
            r#"{"list":[1,{"b":9}],"map":{"x":{"y":3}},"text":"t","nil":null}"#,
            r#"{"list":[1,{}],"map":{"x":{"y":3}},"text":"t","nil":null}"#,
        ),
        (
            "$['map']['x']['y']",
            "3",
            r#"{"list":[1,{"b":2}],"map":{"x":{"y":9}},"text":"t","nil":null}"#,
            r#"{"list":[1,{"b":2}],"map":{"x":{}},"text":"t","nil":null}"#,
        ),
        ("$.map.new", "none", r#"{"list":[1,{"b":2}],"map":{"x":{"y":3},"new":9},"text":"t","nil":null}"#, RECORD),
        ("$.list[3]", "none", r#"{"list":[1,{"b":2},null,9],"map":{"x":{"y":3}},"text":"t","nil":null}"#, RECORD),
        ("$.map.no.z", "none", RECORD, RECORD),
        ("$.nil.z", "none", RECORD, RECORD),
        ("$.list[-5]", "none", RECORD, RECORD),
        ("$.list[99999999999]", "none", RECORD, RECORD),
        ("$.list.b", "no implicit conversion of String into Integer", RECORD, RECORD),
        ("$.text.b", "String does not have #dig method", RECORD, RECORD),
    ];
    for (notation, value, set, deleted) in rows {
        let bump = Bump::new();
        let accessor = Accessor::parse(notation).expect("valid");
        let mut one = record(&bump, RECORD);
        let found = accessor.dig(&one).map(|found| {
            found.map_or("none".to_owned(), |found| {
                let mut out = Vec::new();
                crate::event::json::write_value(&found, Style::Oj, &mut out);
                String::from_utf8_lossy(&out).into_owned()
            })
        });
        assert_eq!(found.unwrap_or_else(|why| why), value, "{notation}");
        accessor.set(&mut one, Value::Int(9), &bump);
        assert_eq!(shown(&one), set, "{notation} set");
        let mut other = record(&bump, RECORD);
        accessor.delete(&mut other, &bump);
        assert_eq!(shown(&other), deleted, "{notation} removed");
    }
}

#[test]
fn wrong_notations_are_refused_in_the_known_words() {
    let rows = [
        ("$.", "empty keys in dot notation"),
        ("$.a b", "whitespace character is not allowed in dot notation. Use bracket notation: a b"),
        ("$.a[0", "'[' found but ']' not found. Invalid syntax: $.a[0"),
        ("$.a[]", "missing array index in '[]'. Invalid syntax: $.a[]"),
        ("$.a[0]b", "found more characters after ']'. Invalid syntax: $.a[0]b"),
        ("$.a[b]", "invalid value for Integer(): \"b\""),
        ("$['a", "Incomplete bracket. Invalid syntax: $['a"),
        ("$['a\"]", "Mismatched quotes. Invalid syntax: $['a\"]"),
        ("$['a']b", "found more characters after ']'. Invalid syntax: $['a']b"),
        ("$[", "empty keys in bracket notation"),
    ];
    for (notation, message) in rows {
        assert_eq!(Accessor::parse(notation), Err(message.to_owned()), "{notation}");
    }
    for plain in ["$", "$a", "", "a.b", "a[0]"] {
        assert_eq!(Accessor::parse(plain).expect("valid").top_name(), Some(plain));
    }
}
