//! `flumen grok` and `flumen regex`: what they print of lines that match and of those that do not, and what they answer.

use crate::support::TempDir;
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

fn flumen(arguments: &[&str], input: &[u8]) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_flumen"))
        .args(arguments)
        .env_remove("NO_COLOR")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may end before it has read anything.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn fields_are_printed_with_their_types() {
    let pattern = "^%{IP:ip} %{WORD:verb} %{INT:n:integer} %{NUMBER:took:float} %{WORD:on:bool}$";
    let (code, out, err) = flumen(&["grok", pattern], b"1.2.3.4 GET 12 0.5 yes\r\n");
    let expected = "1: matches: 1.2.3.4 GET 12 0.5 yes\n  ip    \"1.2.3.4\"  string\n  verb  \"GET\"  string\n  n     12  integer\n  took  0.5  float\n  on    true  bool\n";
    assert_eq!((code, out.as_str(), err.as_str()), (0, expected, ""));
}

#[test]
fn a_line_that_does_not_match_says_how_far_the_pattern_gets() {
    let (code, out, _) = flumen(&["grok", "^%{IP:ip} %{WORD:verb} %{INT:n}"], "1.2.3.4 GET 12\n1.2.3.4 GET \u{1b}é\n".as_bytes());
    assert_eq!(code, 1);
    let expected =
        "2: does not match: 1.2.3.4 GET \u{fffd}é\n  fits:      '^%{IP:ip} %{WORD:verb} '\n  stops at:  %{INT:n}\n  column 13: \u{fffd}é\n";
    assert!(out.starts_with("1: matches") && out.ends_with(expected), "{out}");
    let (code, out, _) = flumen(&["regex", r"/^(?<a>\w+)=(?<b>\d+);/i"], b"ab=12");
    assert_eq!(code, 1);
    assert_eq!(out, "1: does not match: ab=12\n  fits:      ^(?<a>\\w+)=(?<b>\\d+)\n  stops at:  ;\n  column 6: the end of the line\n");
}

#[test]
fn a_pattern_that_is_one_reference_is_opened() {
    let line = br#"127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /a.gif HTTP/1.0" 200 x"#;
    let (code, out, _) = flumen(&["grok", "--json", "%{COMMONAPACHELOG}"], line);
    assert_eq!(code, 1);
    let answer: serde_json::Value = serde_json::from_str(&out).unwrap();
    let byte = answer["byte"].as_u64().unwrap() as usize;
    assert!(byte >= line.len() - 2 && answer["fits"].as_str().unwrap().contains("%{HTTPDATE:"), "{out}");
    assert_eq!(answer["matched"], false);
}

#[test]
fn groups_without_names_have_their_numbers() {
    let (code, out, err) = flumen(&["regex", "(a+)(b)?(c)"], b"xaac");
    assert_eq!((code, out.as_str()), (0, "1: matches: xaac\n  1  \"aa\"  string\n  3  \"c\"  string\n"));
    assert!(err.contains("a parser would refuse it"), "{err}");
}

#[test]
fn json_has_one_object_a_line() {
    let folder = TempDir::new();
    let file = folder.path().join("lines");
    fs::write(&file, b"k=1 \"q\"\n\xff\nno\n").unwrap();
    let (code, out, _) = flumen(&["grok", "--json", "--time", "k=%{INT:k:integer} %{QS:q}", file.to_str().unwrap()], b"");
    assert_eq!(code, 1);
    let answers: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), 3, "{out}");
    assert_eq!((&answers[0]["fields"]["k"], &answers[0]["types"]["k"]), (&1.into(), &"integer".into()));
    assert_eq!(answers[0]["fields"]["q"], "\"q\"");
    assert!(answers.iter().all(|answer| answer["microseconds"].as_f64().is_some_and(|took| took >= 0.0)), "{out}");
    assert_eq!(answers[1]["reason"], "it is not UTF-8");
    assert_eq!((&answers[2]["line"], &answers[2]["stops_at"]), (&3.into(), &"k".into()));
}

#[test]
fn series_and_own_patterns_are_expanded() {
    let folder = TempDir::new();
    fs::write(folder.path().join("own"), "# mine\nTEAM [a-z]{3}\n").unwrap();
    let own = folder.path().to_str().unwrap();
    let (code, out, _) = flumen(&["grok", "--patterns", own, "--expand", "%{TEAM:team:string} x"], b"");
    assert_eq!((code, out.as_str()), (0, "(?<team>[a-z]{3}) x\n"));
    let (_, legacy, _) = flumen(&["grok", "--expand", "%{COMMONAPACHELOG}"], b"");
    let (code, ecs, _) = flumen(&["grok", "--expand", "--series", "ecs-v1", "%{COMMONAPACHELOG}"], b"");
    assert!(code == 0 && legacy.contains("(?<clientip>") && ecs.contains("(?<source.address>"), "{legacy}\n{ecs}");
}

#[test]
fn patterns_that_do_not_compile_end_with_code_2() {
    for (arguments, word) in [
        (&["grok", "%{NUMBR:n}"][..], "grok pattern not found: %{NUMBR}, did you mean %{NUMBER}?"),
        (&["grok", "(%{INT:n}"], "end pattern with unmatched parenthesis"),
        (&["regex", "a(b"], "\n  a(b\n"),
        (&["regex", "/abc"], "missing right slash"),
        (&["regex", "--expand", "a"], "invalid option: --expand"),
        (&["grok", "--series", "old", "a"], "expected legacy or ecs-v1"),
        (&["grok", "--patterns", "/nonexistent", "a"], "/nonexistent"),
        (&["regex", "a", "/nonexistent"], "cannot read /nonexistent"),
        (&["regex"], "which pattern?"),
    ] {
        let (code, out, err) = flumen(arguments, b"a\n");
        assert!(code == 2 && out.is_empty() && err.contains(word), "{arguments:?}: {code} {err}");
    }
}
