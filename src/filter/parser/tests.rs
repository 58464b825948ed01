//! Tests of the filter and of the parsers behind it: configuration and events in, events out.

use crate::config::{Diagnostics, Element, LoadOptions, Refused, Span, System, load};
use crate::event::json::{Document, Engine, Style, read, write_record};
use crate::event::{Batch, EventTime, Record, Scope, Scratch, Tag, Value};
use crate::filter::{FILTERS, Filter};
use crate::log::PluginLog;
use crate::plugin::{Context, Emitter, Host, Sink};
use std::sync::Arc;

struct NoHost;

impl Host for NoHost {
    fn build_output(&self, _element: &Element) -> Result<Arc<dyn Sink>, Refused> {
        Err(Refused)
    }
    fn emitter(&self, _label: Option<&str>, _span: Span) -> Result<Emitter, Refused> {
        Err(Refused)
    }
    fn errors(&self) -> Emitter {
        Emitter::default()
    }
    fn own_router(&self) -> Emitter {
        Emitter::default()
    }
}

fn build(lines: &str) -> Result<Box<dyn Filter>, String> {
    let diagnostics = Diagnostics::new();
    let text = format!("<filter **>\n@type parser\n{lines}\n</filter>\n");
    let root = load(&LoadOptions::for_text("test", &text), &diagnostics).expect("syntax");
    let system = System::read(&Element::new("system", "", Span::default()), &diagnostics).expect("defaults");
    let context = Context { diagnostics: &diagnostics, system: &system, id: "test", log: &PluginLog::default(), host: &NoHost };
    let row = FILTERS.iter().find(|row| row.name == "parser").expect("registered");
    (row.build)(root.sections("filter")[0], &context)
        .map_err(|_| diagnostics.findings().into_iter().map(|f| f.message).collect::<Vec<_>>().join("; "))
}

/// What comes out of the filter for one record at second 100: events as `seconds record`, then rejected ones as `! class: message`.
fn run(lines: &str, record: &str) -> Vec<String> {
    run_bytes(lines, record.as_bytes())
}

fn run_bytes(lines: &str, record: &[u8]) -> Vec<String> {
    let scratch = Scratch::take();
    let scope = scratch.scope();
    match read(scope.bump(), scope.bytes(record), Engine::Oj) {
        Ok(Document::Record(record)) => run_record(lines, &scope, record),
        other => panic!("{other:?}"),
    }
}

fn run_record<'a>(lines: &str, scope: &Scope<'a>, record: Record<'a>) -> Vec<String> {
    let filter = build(lines).expect("valid");
    let mut batch = Batch::single(scope, EventTime::from_secs(100), record);
    filter.filter(scope, &Tag::new("t"), &mut batch);
    let mut seen: Vec<String> = Vec::new();
    for event in batch.events(scope) {
        let mut text = Vec::new();
        write_record(&event.record, Style::Oj, &mut text);
        let now = EventTime::now().sec - event.time.sec < 100;
        let time = if now { "now".to_owned() } else { event.time.sec.to_string() };
        seen.push(format!("{time} {}", String::from_utf8_lossy(&text)));
    }
    seen.extend(scope.take_rejected().into_iter().map(|rejected| format!("! {}: {}", rejected.class, rejected.message)));
    seen
}

const PARSER_ERROR: &str = "! Fluent::Plugin::Parser::ParserError: ";

#[test]
fn parsed_fields_take_the_place_of_the_record_or_join_it() {
    let parse = "<parse>\n@type json\n</parse>";
    let record = r#"{"log":"{\"b\":2,\"a\":3}","a":1}"#;
    let rows = [
        ("key_name log", r#"now {"b":2,"a":3}"#),
        ("key_name log\nreserve_time true", r#"100 {"b":2,"a":3}"#),
        ("key_name log\nreserve_data true", r#"now {"log":"{\"b\":2,\"a\":3}","a":3,"b":2}"#),
        ("key_name log\nreserve_data true\nremove_key_name_field true", r#"now {"a":3,"b":2}"#),
        ("key_name log\ninject_key_prefix p.", r#"now {"p.b":2,"p.a":3}"#),
        ("key_name log\nhash_value_field h", r#"now {"h":{"b":2,"a":3}}"#),
        ("key_name log\nreserve_data true\nhash_value_field log", r#"now {"log":{"b":2,"a":3},"a":1}"#),
    ];
    for (lines, expected) in rows {
        assert_eq!(run(&format!("{lines}\n{parse}"), record), [expected], "{lines}");
    }
}

#[test]
fn what_cannot_be_parsed_is_rejected_and_kept_only_with_its_data() {
    let parse = "<parse>\n@type json\n</parse>";
    let miss = format!("{PARSER_ERROR}pattern not matched with data 'x'");
    assert_eq!(run(&format!("key_name log\n{parse}"), r#"{"log":"x"}"#), [miss.as_str()]);
    assert_eq!(run(&format!("key_name log\nreserve_data true\n{parse}"), r#"{"log":"x"}"#), [r#"100 {"log":"x"}"#, &miss]);
    assert_eq!(
        run(&format!("key_name log\nhash_value_field h\nreserve_data true\n{parse}"), r#"{"log":"x"}"#),
        [r#"100 {"log":"x","h":{}}"#, &miss]
    );
    let quiet = format!("key_name log\nemit_invalid_record_to_error false\n{parse}");
    assert!(run(&quiet, r#"{"log":"x"}"#).is_empty());
    let absent = "! ArgumentError: log does not exist";
    assert_eq!(run(&format!("key_name log\n{parse}"), r#"{"a":1}"#), [absent]);
    assert_eq!(run(&format!("key_name log\nreserve_data true\n{parse}"), r#"{"log":null}"#), [r#"100 {"log":null}"#, absent]);
    assert_eq!(run(&format!("key_name $.a.b\n{parse}"), r#"{"a":"s"}"#), ["! TypeError: String does not have #dig method"]);
    assert_eq!(run(&format!("key_name log\n{parse}"), r#"{"log":5}"#), [format!("{PARSER_ERROR}pattern not matched with data '5'")]);
}

#[test]
fn an_array_gives_an_event_for_each_object() {
    let parse = "key_name log\nreserve_data true\nremove_key_name_field true\n<parse>\n@type json\n</parse>";
    let miss = format!("{PARSER_ERROR}pattern not matched with data '[{{\"a\":1}},7,{{\"a\":2}}]'");
    assert_eq!(
        run(parse, r#"{"log":"[{\"a\":1},7,{\"a\":2}]","z":0}"#),
        [r#"now {"z":0,"a":1}"#, r#"100 {"z":0}"#, r#"now {"z":0,"a":2}"#, &miss]
    );
    assert!(run(parse, r#"{"log":"[]"}"#).is_empty());
}

#[test]
fn times_are_taken_from_the_parsed_fields() {
    let json = |lines: &str| format!("key_name log\n<parse>\n@type json\n{lines}\n</parse>");
    assert_eq!(run(&json(""), r#"{"log":"{\"time\":\"1500000000.5\",\"a\":1}"}"#), [r#"1500000000 {"a":1}"#]);
    assert_eq!(run(&json("keep_time_key true"), r#"{"log":"{\"time\":5}"}"#), [r#"5 {"time":5}"#]);
    assert_eq!(
        run(&json("time_key at\ntime_format %d/%m/%Y"), r#"{"log":"{\"at\":\"14/07/2017\",\"time\":1}"}"#),
        [r#"1499990400 {"time":1}"#]
    );
    assert_eq!(run(&json("estimate_current_event false"), r#"{"log":"{\"a\":1}"}"#), [r#"100 {"a":1}"#]);
    let refused = format!("{PARSER_ERROR}value must be a string or a number: (NilClass)");
    assert_eq!(run(&json(""), r#"{"log":"{\"time\":null}"}"#), [refused]);
}

#[test]
fn values_are_converted_and_made_nil() {
    let regexp = |lines: &str| format!("key_name m\nreserve_time true\n<parse>\n@type regexp\nexpression /^(?<v>.*)$/m\n{lines}\n</parse>");
    let rows = [
        ("types v:integer", "12abc", "12"),
        ("types v:integer", "1_000", "1000"),
        ("types v:integer", "-99999999999999999999x", "-99999999999999999999"),
        ("types v:float", "1.5e-3x", "0.0015"),
        ("types v:float", "5.", "5.0"),
        ("types v:float", "0x10", "0.0"),
        ("types v:bool", "YES", "true"),
        ("types v:bool", "on", "false"),
        ("types v:array", "a,,b,,", r#"["a","","b"]"#),
        ("types v:array:|", "a|b", r#"["a","b"]"#),
        ("types v:array::", "a:b", r#"["a","b"]"#),
        ("types v:time:%Y-%m-%d", "2015-06-07", "1433635200"),
        ("types v:time:+0900:%Y-%m-%d", "2015-06-07", "1433602800"),
        ("types v:time:unixtime", "15.9", "15"),
        ("types v:time:%Y", "x", "null"),
        ("null_value_pattern /^-$/", "-", "null"),
        ("null_value_pattern /^-$/\ntypes v:integer", "7", "7"),
        ("null_empty_string true", "", "null"),
        ("", "", r#""""#),
    ];
    for (lines, text, expected) in rows {
        let record = format!("{{\"m\":{}}}", serde_json::Value::from(text));
        assert_eq!(run(&regexp(lines), &record), [format!("100 {{\"v\":{expected}}}")], "{lines} of {text:?}");
    }
}

#[test]
fn groups_of_an_expression_become_fields() {
    let lines = r"key_name m
reserve_time true
<parse>
  @type regexp
  expression /^(?<verb>[A-Z]+) (?<path>\S+)(?: (?<ms>\d+))?$/
  types ms:integer
</parse>";
    assert_eq!(run(lines, r#"{"m":"GET /a 17"}"#), [r#"100 {"verb":"GET","path":"/a","ms":17}"#]);
    assert_eq!(run(lines, r#"{"m":"GET /a"}"#), [r#"100 {"verb":"GET","path":"/a"}"#]);
    assert_eq!(run(lines, r#"{"m":"get"}"#), [format!("{PARSER_ERROR}pattern not matched with data 'get'")]);
    assert_eq!(run(lines, r#"{"m":5}"#), [format!("{PARSER_ERROR}parse failed no implicit conversion of Integer into String")]);
}

#[test]
fn wrong_parameters_are_refused_in_the_known_words() {
    let rows = [
        ("key_name m", "<parse> section is required."),
        ("key_name m\n<parse>\n@type nothing\n</parse>", "Unknown parser plugin 'nothing'"),
        ("key_name m\n<parse>\n@type json\ntypes a:int\n</parse>", "unknown value conversion for key:'a', type:'int'"),
        ("key_name m\n<parse>\n@type json\ntimezone JST\n</parse>", "Unsupported timezone 'JST'"),
        (
            "key_name m\n<parse>\n@type json\ntime_type mixed\n</parse>",
            "time_type is :mixed but time_format and time_format_fallbacks is empty.",
        ),
        (
            "key_name m\n<parse>\n@type json\nutc true\nlocaltime true\n</parse>",
            "both of utc and localtime are specified, use only one of them",
        ),
        ("key_name m\n<parse>\n@type regexp\nexpression /(.*)/\n</parse>", "No named captures in 'expression' parameter"),
        ("key_name $.a b\n<parse>\n@type json\n</parse>", "whitespace character is not allowed in dot notation"),
        ("<parse>\n@type json\n</parse>", "'key_name' parameter is required"),
    ];
    for (lines, message) in rows {
        let why = build(lines).err().unwrap_or_default();
        assert!(why.contains(message), "{lines}: {why}");
    }
}

#[test]
fn text_that_is_no_utf8_is_refused_or_mended_and_bytes_are_bytes() {
    let lines = "key_name m\nreserve_time true\n<parse>\n@type regexp\nexpression /^(?<k>[^=]+)=(?<v>.*)$/\n</parse>";
    let mended = format!("replace_invalid_sequence true\n{lines}");
    let invalid = b"{\"m\":\"k=\xff\xfe!\"}";
    assert_eq!(run_bytes(lines, invalid), ["! ArgumentError: invalid byte sequence in UTF-8"]);
    assert_eq!(run_bytes(&mended, invalid), [r#"100 {"k":"k","v":"??!"}"#]);
    let scratch = Scratch::take();
    let scope = scratch.scope();
    let mut record = Record::with_capacity(scope.bump(), 1);
    record.push(Value::text("m"), Value::Bin(b"k=\xff!"));
    assert_eq!(run_record(lines, &scope, record), ["100 {\"k\":\"k\",\"v\":\"\u{fffd}!\"}"]);
}

/// Matches in the end, but only after some ten million steps.
const LATE: &str = "@type regexp\nexpression /^(?<word>(?:a?){23}a{23})$/";

#[test]
fn a_timeout_replaces_the_usual_bound() {
    let word = "a".repeat(23);
    let record = format!(r#"{{"log":"{word}"}}"#);
    let parse = |timeout: &str| run(&format!("key_name log\nreserve_time true\n<parse>\n{LATE}\n{timeout}\n</parse>"), &record);
    assert_eq!(parse("timeout 60"), [format!(r#"100 {{"word":"{word}"}}"#)]);
    let gave_up = [format!("! Fluent::Plugin::Parser::ParserError: pattern not matched with data '{word}'")];
    assert_eq!(parse(""), gave_up);
    assert_eq!(parse("timeout 0.001"), gave_up);
}

#[test]
fn a_timeout_does_not_change_what_is_in_time() {
    let lines = "key_name log\nreserve_time true\n<parse>\n@type regexp\nexpression /^(?<word>a+)$/\ntimeout 0.001\n</parse>";
    assert_eq!(run(lines, r#"{"log":"aaa"}"#), [r#"100 {"word":"aaa"}"#]);
}
