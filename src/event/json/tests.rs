//! Tests of the JSON room.

use super::*;
use crate::event::msgpack::{self, Reader};
use crate::event::{Value, ruby};
use bumpalo::Bump;

fn oj(value: &Value<'_>) -> String {
    let mut out = Vec::new();
    write_value(value, Style::Oj, &mut out);
    let mut packed = Vec::new();
    msgpack::write_value(value, &mut packed);
    let mut again = Vec::new();
    if !matches!(value, Value::Big(_)) {
        transcode_value(&mut Reader::new(&packed), Style::Oj, &mut again).expect("valid");
        assert_eq!(again, out, "transcoded differs from written");
    }
    String::from_utf8(out).expect("UTF-8")
}

fn yajl(value: &Value<'_>) -> String {
    let mut out = Vec::new();
    write_value(value, Style::Yajl, &mut out);
    String::from_utf8(out).expect("UTF-8")
}

#[test]
fn floats_have_the_notation_of_either_library() {
    let rows = [
        (1.0, "1.0", "1.0"),
        (-0.0, "0.0", "-0.0"),
        (0.25, "0.25", "0.25"),
        (1e14, "100000000000000.0", "100000000000000.0"),
        (1e15, "1000000000000000.0", "1.0e+15"),
        (-3e17, "-300000000000000000.0", "-3.0e+17"),
        (2e19, "2.0e+19", "2.0e+19"),
        (1_234_567_890_123_456.8, "1234567890123456.8", "1234567890123456.8"),
        (0.0001, "0.0001", "0.0001"),
        (0.00012, "0.00012", "0.00012"),
        (0.00001, "1.0e-05", "1.0e-05"),
        (1.5e-10, "1.5e-10", "1.5e-10"),
        (5e-324, "5.0e-324", "5.0e-324"),
        (f64::MAX, "1.7976931348623157e+308", "1.7976931348623157e+308"),
        (9_223_372_036_854_775_808.0, "9.223372036854776e+18", "9.223372036854776e+18"),
        (f64::INFINITY, "Infinity", "Infinity"),
        (f64::NEG_INFINITY, "-Infinity", "-Infinity"),
        (f64::NAN, "NaN", "NaN"),
    ];
    for (number, in_oj, in_yajl) in rows {
        assert_eq!((oj(&Value::Float(number)).as_str(), yajl(&Value::Float(number)).as_str()), (in_oj, in_yajl));
    }
}

#[test]
fn floats_read_back_as_the_same_number() {
    let mut bits = 1u64;
    for _ in 0..20_000 {
        bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let number = f64::from_bits(bits);
        if number.is_finite() {
            assert_eq!(oj(&Value::Float(number)).parse::<f64>(), Ok(number));
            assert_eq!(yajl(&Value::Float(number)).parse::<f64>(), Ok(number));
        }
    }
}

#[test]
fn text_is_escaped_wherever_it_stands() {
    assert_eq!(oj(&Value::text("a\"b\\c/d\u{7f}<>&'")), "\"a\\\"b\\\\c/d\u{7f}<>&'\"");
    assert_eq!(oj(&Value::text("\0\u{1}\u{8}\t\n\u{b}\u{c}\r\u{1f}")), r#""\u0000\u0001\b\t\n\u000b\f\r\u001f""#);
    assert_eq!(yajl(&Value::text("\u{b}\u{1f}")), r#""\u000B\u001F""#);
    for special in ["\"", "\\", "\n", "\u{1}", "é", "😀", "\u{2028}"] {
        for length in 0..70 {
            for at in 0..=length {
                let text = format!("{}{special}{}", "x".repeat(at), "y".repeat(length - at));
                assert_eq!(serde_json::from_str::<String>(&oj(&Value::text(&text))).expect("JSON"), text);
                assert_eq!(oj(&Value::text(&text)), serde_json::to_string(&text).expect("JSON"));
            }
        }
    }
}

/// A text in quotes, byte by byte.
fn plainly(text: &[u8]) -> String {
    let mut out = String::from("\"");
    for c in String::from_utf8_lossy(text).chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            '\0'..='\u{1f}' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            _ => out.push(c),
        }
    }
    out + "\""
}

#[test]
fn blocks_are_written_as_single_bytes_are() {
    let mut state = 0x0123_4567_89ab_cdef_u64;
    let mut below = |limit: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % limit
    };
    let odd: [&[u8]; 9] = [b"\"", b"\\", b"\n", b"\x01", b"\x1f", b"\x7f", "\u{e9}".as_bytes(), "\u{1f600}".as_bytes(), b"\xff"];
    for round in 0..30_000 {
        let (length, every) = (if round % 100 == 0 { below(5000) } else { below(150) }, 1 + below(60));
        let kinds = 1 + below(odd.len() as u64);
        let mut text = Vec::new();
        while (text.len() as u64) < length {
            match below(every) {
                0 => text.extend_from_slice(odd[below(kinds) as usize]),
                other => text.push(b'a' + other as u8 % 26),
            }
        }
        let key = &text[..text.len() / 3];
        let mut out = b"[".to_vec();
        write_text(&text, Style::Oj, &mut out);
        write_text_field(key, &text, Style::Oj, &mut out);
        let (written, expected) = (String::from_utf8(out).expect("UTF-8"), plainly(&text));
        assert_eq!(written, format!("[{expected}{}:{expected},", plainly(key)));
    }
}

#[test]
fn what_is_no_utf8_is_replaced() {
    for (bytes, expected) in [
        (&b"a\xffb"[..], "a\u{fffd}b"),
        (b"\xff\xfe", "\u{fffd}\u{fffd}"),
        (b"ab\xe3\x81", "ab\u{fffd}"),
        (b"\xed\xa0\x80", "\u{fffd}\u{fffd}\u{fffd}"),
        (b"\xc0\xaf", "\u{fffd}\u{fffd}"),
        (b"0123456789abcdef\"\xc3\xa9\xc3", "0123456789abcdef\"é\u{fffd}"),
    ] {
        for value in [Value::Str(bytes), Value::Bin(bytes)] {
            assert_eq!(serde_json::from_str::<String>(&oj(&value)).expect("JSON"), expected);
        }
    }
}

#[test]
fn keys_and_values_that_json_lacks_become_text() {
    let bump = Bump::new();
    let list = bump.alloc_slice_copy(&[Value::Int(1), Value::text("x"), Value::Nil]);
    let time = b"\x5f\x5e\x10\x00\x00\x00\x00\x05";
    let fields = bump.alloc_slice_copy(&[
        (Value::Int(1), Value::Big("123456789012345678901234567890")),
        (Value::Nil, Value::Ext(0, time)),
        (Value::Bool(true), Value::Ext(5, b"\x01\xff")),
        (Value::Float(1.5), Value::UInt(u64::MAX)),
        (Value::Array(list), Value::Int(i64::MIN)),
        (Value::Bin(b"k"), Value::Array(&[])),
        (Value::Ext(0, time), Value::Map(&[])),
    ]);
    let expected = concat!(
        r#"{"1":123456789012345678901234567890,"":1600000000,"true":"01ff","1.5":18446744073709551615,"#,
        r#""[1, \"x\", nil]":-9223372036854775808,"k":[],"1600000000":{}}"#
    );
    let mut out = Vec::new();
    write_value(&Value::Map(fields), Style::Oj, &mut out);
    assert_eq!(String::from_utf8_lossy(&out), expected);
    fields[0].1 = Value::Nil;
    assert_eq!(oj(&Value::Map(fields)), expected.replacen("123456789012345678901234567890", "null", 1));
}

#[test]
fn ruby_shows_values_as_its_inspect_does() {
    let shown = |value: Value<'_>| {
        let mut out = Vec::new();
        ruby::inspect(&value, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    };
    assert_eq!(shown(Value::text("q\"\\#{b} #$c #@d # \n\t\u{1b}\0\u{7f}")), r##""q\"\\\#{b} \#$c \#@d # \n\t\e\u0000\u007F""##);
    assert_eq!(shown(Value::text("é\u{80}\u{85}😀\u{10ffff}\u{378}")), "\"\\u00E9\\u0080\\u0085\\u{1F600}\\u{10FFFF}\\u0378\"");
    assert_eq!(shown(Value::Str(b"\xff\xc3")), r#""\xFF\xC3""#);
    assert_eq!(shown(Value::Bin(b"a\n\x00\xe9")), r#""a\n\x00\xE9""#);
    let fields = [(Value::text("a"), Value::Nil), (Value::Int(1), Value::Float(1e20))];
    assert_eq!(shown(Value::Map(&fields)), r#"{"a"=>nil, 1=>1.0e+20}"#);
}
