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
