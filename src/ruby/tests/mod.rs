//! Code in, results out.

mod expressions;

use super::{Environment, Program, Value, code_end};
use std::time::{Duration, Instant};

const RECORD: &str = r#"{"msg"=>"  Hello World 42  ","level"=>"error","n"=>7,"f"=>3.14159,"path"=>"/api/v1/users/123/orders/9","list"=>[3,1,2],"h"=>{"a"=>{"b"=>1}},"ok"=>true,"nil"=>nil}"#;

fn environment() -> Environment {
    Environment {
        variables: vec![("HOME".to_owned(), "/root".to_owned())],
        hostname: "host".to_owned(),
        worker_id: String::new(),
        trusted: false,
    }
}

fn given(environment: &Environment) -> Vec<Value> {
    let record = Program::new(RECORD, &[], &[]).expect("syntax").run(environment, &[]).expect("a hash");
    vec![record, Value::text("a.b.c"), Value::list(vec![Value::text("a"), Value::text("b")])]
}

fn result(code: &str) -> String {
    let environment = environment();
    match Program::new(code, &["record", "tag", "tag_parts"], &[]) {
        Err(why) => format!("S {why}"),
        Ok(program) => match program.run(&environment, &given(&environment)) {
            Ok(value) => value.inspect(),
            Err(why) => format!("E {why}"),
        },
    }
}

#[test]
fn results_are_those_of_ruby() {
    let wrong: Vec<String> = expressions::ROWS
        .iter()
        .map(|(code, expected)| (code, expected, result(code)))
        .filter(|(_, expected, found)| expected != &found)
        .map(|(code, expected, found)| format!("{code}\n  expected {expected}\n  found    {found}"))
        .collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), expressions::ROWS.len(), wrong.join("\n"));
}

#[test]
fn groups_without_names_are_numbered_unless_there_are_names() {
    assert_eq!(result(r#""k=v; a=b".scan(/(\w)=(\w)/)"#), r#"[["k", "v"], ["a", "b"]]"#);
    assert_eq!(result(r#""k=v"[/(?<key>\w)=(\w)/, 1]"#), r#""k""#);
    assert_eq!(result(r#""k=v".match(/(?<key>\w)=(\w)/).captures"#), r#"["k"]"#);
    assert_eq!(result(r#""ab" =~ /(b)/; [$1, $~[0], $2]"#), r#"["b", "b", nil]"#);
    assert_eq!(result(r#""aXbX".gsub(/(?<=a)X/, "-")"#), r#""a-bX""#);
}

#[test]
fn what_cannot_be_read_says_where() {
    assert!(result("1 + ").starts_with("S syntax error, unexpected end-of-input"), "{}", result("1 + "));
    assert!(result("[1, 2").starts_with("S syntax error, unexpected end-of-input"), "{}", result("[1, 2"));
    assert!(result("class X; end").contains("'class' is not supported in embedded Ruby at character 1"));
    assert!(result("/(/").starts_with("S "));
    assert!(Program::new("def a; end", &[], &[]).is_err_and(|why| why.unsupported));
    assert!(Program::new("1 +", &[], &[]).is_err_and(|why| !why.unsupported));
}

#[test]
fn code_ends_at_the_first_bracket_that_completes_it() {
    let end = |text: &'static str| code_end(text, 0).map(|at| &text[..at]);
    assert_eq!(end("ENV['A']} and }"), Some("ENV['A']"));
    assert_eq!(end("'}' + \"#{1}\"} rest"), Some("'}' + \"#{1}\""));
    assert_eq!(end("[1].map { |x| x }.join}\""), Some("[1].map { |x| x }.join"));
    assert_eq!(end("x =~ /}/ }"), Some("x =~ /}/ "));
    assert_eq!(end("1 + }"), None);
    assert_eq!(end("no bracket"), None);
}

#[test]
fn work_is_bounded() {
    for code in [
        "loop { }",
        "x = 'a'; loop { x += x }",
        "'a' * 10**12",
        "(1..10**12).to_a",
        "x = []; loop { x << x.dup }",
        "Array.new(10**9) { 1 }",
    ] {
        let start = Instant::now();
        let found = result(code);
        assert!(start.elapsed() < Duration::from_secs(60), "{code} took {:?}", start.elapsed());
        assert!(found.starts_with('E') || found.starts_with('S'), "{code}: {}", &found[..found.len().min(100)]);
    }
    let deep = format!("{}1{}", "(".repeat(5000), ")".repeat(5000));
    assert!(result(&deep).contains("nested deeper"));
}

#[test]
fn many_matches_in_a_long_text_cost_no_more_each_than_in_a_short_one() {
    let code = |length: usize| format!("x = 'a' * {length}; [x.gsub(/a/, 'bb').length, x.scan(/a/).size, x.split(/b?a/, -1).size]");
    let start = Instant::now();
    assert_eq!(result(&code(100_000)), "[200000, 100000, 100001]");
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

#[test]
fn a_container_cannot_hold_itself() {
    assert!(result("record['me'] = record").contains("holds itself"));
    assert!(result("a = []; a << [a]").contains("holds itself"));
    assert!(result("h = {}; h[:x] = [h]").contains("holds itself"));
}

/// A cheap source of numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit.max(1)
    }
}

#[test]
fn changed_code_never_panics_or_hangs() {
    const PIECES: &[&str] = &[
        "}",
        "{",
        "(",
        ")",
        "[",
        "]",
        "|x|",
        ".map",
        "&.",
        "::",
        "\"",
        "'",
        "#{",
        "/",
        "%",
        "?",
        ":",
        "end",
        "if ",
        "-",
        "**",
        "<<",
        "=",
        "\\",
        "é",
        "\n",
        "9999999999",
        "record",
        "nil",
        "*",
        "..",
        "$1",
        "@x",
        "->",
    ];
    let mut dice = Dice(7);
    for round in 0..4000 {
        let (code, _) = expressions::ROWS[dice.below(expressions::ROWS.len())];
        let mut characters: Vec<char> = code.chars().collect();
        for _ in 0..=dice.below(4) {
            let at = dice.below(characters.len() + 1);
            match dice.below(4) {
                0 if at < characters.len() => drop(characters.remove(at)),
                1 if at < characters.len() => {
                    let other = dice.below(characters.len());
                    characters.swap(at, other);
                }
                2 => drop(characters.drain(at.min(characters.len())..(at + dice.below(5)).min(characters.len()))),
                _ => {
                    let piece = PIECES[dice.below(PIECES.len())];
                    characters.splice(at..at, piece.chars());
                }
            }
        }
        let code: String = characters.into_iter().collect();
        let start = Instant::now();
        let _ = result(&code);
        let _ = code_end(&code, 0);
        assert!(start.elapsed() < Duration::from_secs(60), "round {round}: {code} took {:?}", start.elapsed());
    }
}
