//! Configuration and events in; new tags, ways and faults out.

use crate::config::{Diagnostics, Element, LoadOptions, Refused, Span, System, load};
use crate::event::json::{Document, Engine, Style, read, write_record};
use crate::event::{Batch, Event, EventTime, Scope, Scratch, Tag};
use crate::log::PluginLog;
use crate::output::{OUTPUTS, Output, SyncOutput};
use crate::plugin::{Context, EmitError, Emitter, Host, Limit, Route, Sink};
use bumpalo::collections::Vec as BumpVec;
use std::sync::{Arc, Mutex, Weak};

/// A router that notes each emit, and which tags it was asked the limits of.
#[derive(Default)]
struct Notes {
    name: &'static str,
    lines: Mutex<Vec<String>>,
}

impl Route for Notes {
    fn emit<'a>(&self, scope: &Scope<'a>, tag: &Tag, batch: Batch<'a>) -> Result<(), EmitError> {
        let mut line = format!("{}{tag}", self.name);
        for event in batch.events(scope) {
            line.push(' ');
            let mut text = Vec::new();
            write_record(&event.record, Style::Oj, &mut text);
            line.push_str(std::str::from_utf8(&text).unwrap());
        }
        self.lines.lock().unwrap().push(line);
        Ok(())
    }

    fn reject(&self, _scope: &Scope<'_>) {}

    fn limits(&self, tag: Option<&Tag>, _into: &mut Vec<Arc<Limit>>) {
        self.lines.lock().unwrap().push(format!("limits of {}", tag.map_or("all", Tag::as_str)));
    }
}

pub(in crate::output) struct Rig {
    own: Arc<Notes>,
    label: Arc<Notes>,
}

impl Rig {
    /// What came by the way without a label.
    pub(in crate::output) fn notes(&self) -> Vec<String> {
        self.own.lines.lock().unwrap().clone()
    }
}

fn way_to(route: &Arc<Notes>) -> Emitter {
    let route: Arc<dyn Route> = Arc::clone(route) as Arc<dyn Route>;
    let emitter = Emitter::default();
    emitter.lead_to(Arc::downgrade(&route) as Weak<dyn Route>);
    emitter
}

impl Host for Rig {
    fn build_output(&self, _element: &Element) -> Result<Arc<dyn Sink>, Refused> {
        Err(Refused)
    }
    fn emitter(&self, label: Option<&str>, _span: Span) -> Result<Emitter, Refused> {
        if label == Some("@THERE") { Ok(way_to(&self.label)) } else { Err(Refused) }
    }
    fn errors(&self) -> Emitter {
        Emitter::default()
    }
    fn own_router(&self) -> Emitter {
        way_to(&self.own)
    }
}

fn output(rig: &Rig, lines: &str) -> Result<Box<dyn SyncOutput>, String> {
    output_of("rewrite_tag_filter", rig, lines)
}

/// An output of this type that sends events on by the ways of the rig.
pub(in crate::output) fn output_of(kind: &str, rig: &Rig, lines: &str) -> Result<Box<dyn SyncOutput>, String> {
    let diagnostics = Diagnostics::new();
    let text = format!("<match **>\n@type {kind}\n{lines}\n</match>\n");
    let root = load(&LoadOptions::for_text("test", &text), &diagnostics).expect("syntax");
    let system = System::read(&Element::new("system", "", Span::default()), &diagnostics).expect("defaults");
    let context = Context { diagnostics: &diagnostics, system: &system, id: "test", log: &PluginLog::default(), host: rig };
    let row = OUTPUTS.iter().find(|row| row.name == kind).expect("registered");
    match (row.build)(root.sections("match")[0], &context) {
        Ok(Output::Sync(output)) => Ok(output),
        Ok(Output::Buffered(_)) => panic!("it has no buffer"),
        Err(_) => Err(diagnostics.findings().into_iter().map(|finding| finding.message).collect::<Vec<_>>().join("; ")),
    }
}

pub(in crate::output) fn rig() -> Rig {
    Rig { own: Arc::default(), label: Arc::new(Notes { name: "@THERE ", ..Notes::default() }) }
}

/// What comes out for these records, sent as one batch under a tag: emits, then rejected events, then a failure.
fn run_as(lines: &str, tag: &str, coalesced: bool, records: &[&str]) -> Vec<String> {
    run_of("rewrite_tag_filter", lines, tag, coalesced, records)
}

/// The same of an output of this type.
pub(in crate::output) fn run_of(kind: &str, lines: &str, tag: &str, coalesced: bool, records: &[&str]) -> Vec<String> {
    let rig = rig();
    let output = output_of(kind, &rig, lines).expect("valid");
    let scratch = Scratch::take();
    let scope = scratch.scope();
    let mut events = BumpVec::new_in(scope.bump());
    for record in records {
        match read(scope.bump(), scope.bytes(record.as_bytes()), Engine::Oj) {
            Ok(Document::Record(record)) => events.push(Event { time: EventTime::from_secs(100), record }),
            other => panic!("{other:?}"),
        }
    }
    let batch = Batch::decoded(events);
    let batch = if coalesced { batch.coalesced() } else { batch };
    let result = output.emit(&scope, &Tag::new(tag), &batch);
    let mut seen = rig.own.lines.lock().unwrap().clone();
    seen.extend(rig.label.lines.lock().unwrap().clone());
    seen.extend(scope.take_rejected().into_iter().map(|rejected| format!("! {}: {}", rejected.class, rejected.message)));
    seen.extend(result.err().map(|error| format!("!! {error}")));
    seen
}

fn run(lines: &str, tag: &str, records: &[&str]) -> Vec<String> {
    run_as(lines, tag, false, records)
}

fn rule(key: &str, pattern: &str, tag: &str) -> String {
    format!("<rule>\nkey {key}\npattern {pattern}\ntag {tag}\n</rule>\n")
}

#[test]
fn the_first_rule_that_matches_names_the_tag() {
    let rules =
        [rule("a", "/^(x)(-)?/", "got.$1.$2.$3"), rule("$.m.n", "/./i", "nested.${tag_parts[1]}"), rule("a", "/y/", "in.app")].concat();
    let records = [r#"{"a":"x1"}"#, r#"{"m":{"n":7}}"#, r#"{"a":"y"}"#, r#"{"a":""}"#, r#"{"b":1}"#, r#"{"a":"x-"}"#];
    assert_eq!(
        run(&rules, "in.app", &records),
        [r#"got.x.. {"a":"x1"}"#, r#"nested.app {"m":{"n":7}}"#, r#"got.x.-. {"a":"x-"}"#],
        "what no rule takes and what keeps its tag is dropped"
    );
}

#[test]
fn a_batch_is_divided_by_tag_and_messages_keep_their_order() {
    let rules = rule("a", "/(.)/", "t.$1");
    let records = [r#"{"a":"p"}"#, r#"{"a":"q"}"#, r#"{"a":"p"}"#, r#"{"a":"p","n":2}"#];
    assert_eq!(run(&rules, "x", &records), [r#"t.p {"a":"p"} {"a":"p"} {"a":"p","n":2}"#, r#"t.q {"a":"q"}"#]);
    let in_order = [r#"t.p {"a":"p"}"#, r#"t.q {"a":"q"}"#, r#"t.p {"a":"p"} {"a":"p","n":2}"#];
    assert_eq!(run_as(&rules, "x", true, &records), in_order);
    assert_eq!(run(&format!("emit_mode record\n{rules}"), "x", &records), in_order);
}

#[test]
fn inverted_rules_take_what_does_not_match_and_what_is_not_there() {
    let rules = "<rule>\nkey a\npattern /ok/\ntag bad.$1\ninvert true\n</rule>\n";
    assert_eq!(run(rules, "x", &[r#"{"a":"ok"}"#, r#"{"a":"no"}"#, "{}"]), [r#"bad.$1 {"a":"no"} {}"#]);
}

#[test]
fn the_old_tag_is_shortened_before_it_is_written() {
    let tag =
        |lines: &str, tag: &str| run(&format!("{lines}\n{}", rule("a", "/./", "n.${tag}.${tag_parts[0]}")), tag, &[r#"{"a":1}"#]).concat();
    assert_eq!(tag("remove_tag_prefix app.web", "app.web.x.y"), r#"n.x.y.x {"a":1}"#);
    assert_eq!(tag("remove_tag_prefix app", "apple"), r#"n.le.le {"a":1}"#);
    assert_eq!(tag("remove_tag_regexp /^\\w+\\.(w.b)\\./", "app.web.x"), r#"n.x.x {"a":1}"#);
    assert_eq!(tag("remove_tag_prefix other", "app"), r#"n.app.app {"a":1}"#);
}

#[test]
fn placeholders_are_replaced_in_what_was_matched_too() {
    let rules = rule("a", "/(.*)/", "$1.__TAG__._${nothing}.${tag_parts[9]}.${tag_parts[0..1]}");
    assert_eq!(run(&rules, "p.q", &[r#"{"a":"${tag_parts[1]}"}"#]), [r#"q.p.q._..${tag_parts[0..1]} {"a":"${tag_parts[1]}"}"#]);
    let named = format!("hostname_command echo a-name\n{}", rule("a", "/./", "${hostname}.__HOSTNAME__"));
    assert_eq!(run(&named, "x", &[r#"{"a":1}"#]), [r#"a-name.a-name {"a":1}"#]);
}

#[test]
fn captures_are_capitalized_where_that_is_wanted() {
    let rules = format!("capitalize_regex_backreference true\n{}", rule("a", "/^([^ ]+) ?(x)?/", "C.$1$2"));
    assert_eq!(
        run(&rules, "x", &[r#"{"a":"éCOLE x"}"#, r#"{"a":"q"}"#]),
        [r#"C.ÉcoleX {"a":"éCOLE x"}"#, "! NoMethodError: undefined method `capitalize' for nil:NilClass"]
    );
}

#[test]
fn a_label_takes_events_whose_tag_stays() {
    let rules = "<rule>\nkey a\npattern /./\ntag x\nlabel @THERE\n</rule>\n";
    assert_eq!(run(rules, "x", &[r#"{"a":1}"#]), [r#"@THERE x {"a":1}"#]);
    let missing = rules.replace("@THERE", "@NOWHERE");
    assert_eq!(run(&missing, "x", &[r#"{"a":1}"#]), ["!! ArgumentError: @NOWHERE label not found"]);
}

#[test]
fn an_event_that_cannot_be_decided_is_rejected_alone() {
    let rules = rule("$.a.b", "/(.*)/", "t.$1");
    assert_eq!(
        run(&rules, "x", &[r#"{"a":"text"}"#, r#"{"a":{"b":"y"}}"#]),
        [r#"t.y {"a":{"b":"y"}}"#, "! TypeError: String does not have #dig method"]
    );
    let long = format!(r#"{{"a":{{"b":"{}"}}}}"#, "z".repeat(70_000));
    assert_eq!(run(&rules, "x", &[&long]), ["! ArgumentError: the new tag has 70002 bytes, expected at most 65536"]);
}

#[test]
fn rules_of_version_0_12_are_taken() {
    let lines = "rewriterule10 a ^last$ t.last\nrewriterule2 a !^(\\w+) with blanks$ t.not\nrewriterule3 a \"^(\\w+) with\" t.$1\nrewriterule9 b . t.b";
    assert_eq!(
        run(lines, "x", &[r#"{"a":"other"}"#, r#"{"a":"w with blanks"}"#]),
        [r#"t.not {"a":"other"}"#, r#"t.w {"a":"w with blanks"}"#]
    );
    let refused = output(&rig(), "rewriterule1 a ^b$").err().unwrap_or_default();
    assert!(refused.contains("failed to parse rewriterules at rewriterule1 a ^b$"), "{refused}");
}

#[test]
fn faults_are_refused_in_the_plugins_words() {
    let refused = |lines: &str| output(&rig(), lines).err().unwrap_or_default();
    assert!(refused("").contains("missing rewriterules"));
    let twice = [rule("a", "/x/", "one"), rule("a", "/x/", "two")].concat();
    assert!(refused(&twice).contains("duplicated rewriterules found"));
    assert!(output(&rig(), &[rule("a", "/x/", "one"), rule("a", "/x/i", "two")].concat()).is_ok());
    let both = format!("remove_tag_prefix a\nremove_tag_regexp /a/\n{}", rule("a", "/x/", "t"));
    assert!(refused(&both).contains("remove_tag_prefix and remove_tag_regexp are exclusive"));
    assert!(refused("<rule>\nkey a\ntag t\n</rule>\n").contains("'pattern' parameter is required"));
    assert!(refused(&rule("a", "/(/", "t")).contains("pattern"));
    let ranges = rule("a", "/x/", "${tag_parts[0..1]}.__TAG_PARTS[0...1]__");
    assert!(refused(&ranges).contains("placeholder does not support range specify"));
}

#[test]
fn what_is_behind_the_new_tag_holds_senders_back() {
    let rig = rig();
    let rules = [
        rule("a", "/x/", "fixed.${tag}"),
        rule("a", "/(y)/", "by.$1"),
        "<rule>\nkey a\npattern /z/\ntag t\nlabel @THERE\n</rule>".to_owned(),
    ];
    let output = output(&rig, &rules.concat()).unwrap();
    output.limits(Some(&Tag::new("in")), &mut Vec::new());
    assert_eq!(*rig.own.lines.lock().unwrap(), ["limits of fixed.in", "limits of all"]);
    assert_eq!(*rig.label.lines.lock().unwrap(), ["limits of t"]);
}
