//! Tests of reading JSON: generated documents against another implementation, and a table of what each engine takes.

use super::*;
use crate::event::{Value, ruby};
use bumpalo::Bump;

fn shown(text: &[u8], engine: Engine) -> Option<String> {
    let bump = Bump::new();
    let mut out = Vec::new();
    match read(&bump, bump.alloc_slice_copy(text), engine) {
        Ok(Document::Record(record)) => ruby::inspect_fields(record.fields(), &mut out),
        Ok(Document::Value(value)) => ruby::inspect(&value, &mut out),
        Err(Unreadable) => return None,
    }
    Some(String::from_utf8_lossy(&out).into_owned())
}

struct Generator(u64);

impl Generator {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn text(&mut self) -> String {
        const PIECES: [&str; 14] = ["a", "xyz", "é", "😀", "\"", "\\", "\n", "\u{1}", "/", "0123456789abcdef", " ", "{", "\u{2028}", "k"];
        (0..self.below(6)).map(|_| PIECES[self.below(14) as usize]).collect()
    }

    fn value(&mut self, depth: u64) -> serde_json::Value {
        match self.below(if depth > 4 { 6 } else { 9 }) {
            0 => serde_json::Value::Null,
            1 => (self.below(2) == 0).into(),
            2 => (self.below(u64::MAX) as i64 >> self.below(64)).into(),
            3 => self.below(u64::MAX).into(),
            4 => serde_json::Number::from_f64(f64::from_bits(self.below(u64::MAX))).map_or(1.5.into(), Into::into),
            5 => self.text().into(),
            6 => (0..self.below(5)).map(|_| self.value(depth + 1)).collect(),
            _ => serde_json::Value::Object((0..self.below(6)).map(|_| (self.text(), self.value(depth + 1))).collect()),
        }
    }
}

fn same(ours: &Value<'_>, theirs: &serde_json::Value) -> bool {
    match (ours, theirs) {
        (Value::Nil, serde_json::Value::Null) => true,
        (Value::Bool(a), serde_json::Value::Bool(b)) => a == b,
        (Value::Str(a), serde_json::Value::String(b)) => *a == b.as_bytes(),
        (Value::Array(a), serde_json::Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Map(a), serde_json::Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.iter().any(|(name, b)| key.as_bytes() == Some(name.as_bytes()) && same(a, b)))
        }
        (Value::Int(a), serde_json::Value::Number(b)) => b.as_i64() == Some(*a),
        (Value::UInt(a), serde_json::Value::Number(b)) => b.as_u64() == Some(*a),
        (Value::Float(a), serde_json::Value::Number(b)) => b.is_f64() && b.as_f64() == Some(*a),
        _ => false,
    }
}

#[test]
fn generated_documents_read_as_another_implementation_reads_them() {
    let mut generator = Generator(0x0dd0_5eed_cafe_f00d);
    for round in 0..6000 {
        let document = generator.value(0);
        let compact = document.to_string();
        let pretty = serde_json::to_string_pretty(&document).expect("JSON");
        let spaced = pretty.lines().map(str::trim_start).collect::<Vec<_>>().join(" ");
        for text in [&compact, &pretty, &spaced] {
            for engine in [Engine::Oj, Engine::Yajl, Engine::Json] {
                let bump = Bump::new();
                let ours = match read(&bump, text.as_bytes(), engine) {
                    Ok(Document::Record(record)) => record.to_value(&bump),
                    Ok(Document::Value(value)) => value,
                    Err(Unreadable) => panic!("{round}: {engine:?} refuses {text}"),
                };
                assert!(same(&ours, &document), "{round}: {engine:?} reads {text} as {ours:?}");
                let mut written = Vec::new();
                write_value(&ours, Style::Yajl, &mut written);
                assert_eq!(shown(&written, engine), shown(text.as_bytes(), engine));
            }
        }
        // Damaged documents: what the strict implementation takes is taken; nothing panics.
        let mut damaged = compact.into_bytes();
        if !damaged.is_empty() {
            let at = generator.below(damaged.len() as u64) as usize;
            match generator.below(3) {
                0 => damaged.truncate(at),
                1 => damaged[at] = generator.below(256) as u8,
                _ => damaged.insert(at, b",:{}[]\"\\0-.e "[generator.below(13) as usize]),
            }
            let strict = serde_json::from_slice::<serde_json::Value>(&damaged).is_ok();
            for engine in [Engine::Oj, Engine::Yajl, Engine::Json] {
                assert!(!strict || shown(&damaged, engine).is_some(), "{engine:?} refuses {:?}", String::from_utf8_lossy(&damaged));
            }
        }
    }
}

#[test]
fn each_engine_takes_what_its_library_takes() {
    // Text, then what Oj, Yajl and Ruby's own make of it; `-` where they refuse it.
    let rows = [
        (r#"{"a":-}"#, r#"{"a"=>0}"#, "-", "-"),
        (r#"{"a":000}"#, r#"{"a"=>0}"#, "-", "-"),
        (r#"{"a":012}"#, "-", "-", "-"),
        (r#"{"a":2.}"#, "-", "-", "-"),
        (r#"{"a":.2}"#, "-", "-", "-"),
        (r#"{"a":2e}"#, "-", "-", "-"),
        (r#"{"a":NaN}"#, r#"{"a"=>NaN}"#, "-", r#"{"a"=>NaN}"#),
        (r#"{"a":nan}"#, r#"{"a"=>NaN}"#, "-", "-"),
        (r#"{"a":-Infinity}"#, r#"{"a"=>-Infinity}"#, "-", r#"{"a"=>-Infinity}"#),
        (r#"{"a":2e999}"#, r#"{"a"=>Infinity}"#, r#"{"a"=>Infinity}"#, r#"{"a"=>Infinity}"#),
        (
            r#"{"a":98765432109876543210}"#,
            r#"{"a"=>98765432109876543210}"#,
            r#"{"a"=>98765432109876543210}"#,
            r#"{"a"=>98765432109876543210}"#,
        ),
        (r#"{"a":"\z\'"}"#, r#"{"a"=>"z'"}"#, "-", r#"{"a"=>"z'"}"#),
        (r#"{"a":"\u12"}"#, "-", "-", "-"),
        (r#"{"a":"\ud83d\u0041"}"#, r#"{"a"=>"\u{1F441}"}"#, r#"{"a"=>"\u{1F441}"}"#, r#"{"a"=>"\u{1F441}"}"#),
        (r#"{"a":"\ud83d longer text"}"#, "-", r#"{"a"=>"? longer text"}"#, r#"{"a"=>"?longer text"}"#),
        (r#"{"a":"\ude00"}"#, "-", r#"{"a"=>"\xED\xB8\x80"}"#, r#"{"a"=>"\xED\xB8\x80"}"#),
        ("{\"a\":\"x\ny\"}", r#"{"a"=>"x\ny"}"#, "-", "-"),
        ("{\"a\":\"x\0y\"}", "-", "-", "-"),
        ("{\"a\":1}\0rest", r#"{"a"=>1}"#, "-", "-"),
        ("/* c */ {\"a\": // d\n 1 /**/ }", r#"{"a"=>1}"#, r#"{"a"=>1}"#, r#"{"a"=>1}"#),
        ("{\"a\":1} /* c */", "-", r#"{"a"=>1}"#, r#"{"a"=>1}"#),
        ("\x0c{\"a\":1}\x0c", r#"{"a"=>1}"#, r#"{"a"=>1}"#, "-"),
        (r#"{"a":1,}"#, "-", "-", "-"),
        (r#"{"a":1}{"b":2}"#, "-", "-", "-"),
        (r#"{"a":1}x"#, "-", "-", "-"),
        (r#"{"a":1}}"#, "-", "-", "-"),
        (r#"{'a':1}"#, "-", "-", "-"),
        (r#"{"a":1 "b":2}"#, "-", "-", "-"),
        (r#"{"a":tru}"#, "-", "-", "-"),
        (r#"{"a":{"b":1,"b":2},"c":0,"a":3}"#, r#"{"a"=>3, "c"=>0}"#, r#"{"a"=>3, "c"=>0}"#, r#"{"a"=>3, "c"=>0}"#),
        // Yajl gives what it has.
        (r#"{"a":{"b":1"#, "-", r#"{"b"=>1}"#, "-"),
        (r#"{"a":{"b":1}"#, "-", r#"{"a"=>{"b"=>1}}"#, "-"),
        (r#"{"a":1,"b"#, "-", r#"{"a"=>1}"#, "-"),
        (r#"{"a":1,"b""#, "-", r#""b""#, "-"),
        (r#"{"a":1}{"b":2"#, "-", r#"{"b"=>2}"#, "-"),
        (r#"[{"a":1},"#, "-", r#"[{"a"=>1}]"#, "-"),
    ];
    for (text, oj, yajl, json) in rows {
        for (engine, expected) in [(Engine::Oj, oj), (Engine::Yajl, yajl), (Engine::Json, json)] {
            assert_eq!(shown(text.as_bytes(), engine).as_deref().unwrap_or("-"), expected, "{engine:?} on {text:?}");
        }
    }
    assert_eq!(shown(b"{\"a\":\"\xff\"}", Engine::Oj).as_deref(), Some(r#"{"a"=>"\xFF"}"#));
    assert_eq!(shown(b"{\"a\":\"\xff\"}", Engine::Yajl), None);
}

#[test]
fn nesting_is_bounded_and_wide_objects_keep_the_last_of_equal_keys() {
    for opening in ["[", "{\"a\":", "[{\"a\":"] {
        assert_eq!(shown(opening.repeat(100_000).as_bytes(), Engine::Oj), None);
    }
    let deep = format!("{}1{}", "{\"a\":".repeat(400), "}".repeat(400));
    assert!(shown(deep.as_bytes(), Engine::Oj).is_some());
    for count in [3usize, 16, 17, 18, 100, 129, 5000] {
        let fields: Vec<String> = (0..count).map(|at| format!("\"key-{at}-with-more\":{at}")).collect();
        let text = format!("{{{},\"key-1-with-more\":-1}}", fields.join(","));
        let bump = Bump::new();
        let Ok(Document::Record(record)) = read(&bump, text.as_bytes(), Engine::Oj) else { panic!("refused {count}") };
        assert_eq!(record.len(), count);
        assert_eq!(record.fields()[1].1, Value::Int(-1));
    }
}
