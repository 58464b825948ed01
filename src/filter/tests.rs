//! Tests of the small filters: configuration and events in, events out.

use crate::config::{Diagnostics, Element, LoadOptions, Refused, Span, System, load};
use crate::event::json::{Document, Engine, Style, read, write_record};
use crate::event::{Batch, Event, EventTime, Scratch, Tag};
use crate::filter::{FILTERS, Filter};
use crate::log::PluginLog;
use crate::plugin::{Context, Emitter, Host, Sink};
use bumpalo::collections::Vec as BumpVec;
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

pub(super) fn build(name: &str, lines: &str) -> Result<Box<dyn Filter>, String> {
    let diagnostics = Diagnostics::new();
    let text = format!("<filter **>\n@type {name}\n{lines}\n</filter>\n");
    let root = load(&LoadOptions::for_text("test", &text), &diagnostics).expect("syntax");
    let system = System::read(&Element::new("system", "", Span::default()), &diagnostics).expect("defaults");
    let context = Context { diagnostics: &diagnostics, system: &system, id: "test", log: &PluginLog::default(), host: &NoHost };
    let row = FILTERS.iter().find(|row| row.name == name).expect("registered");
    (row.build)(root.sections("filter")[0], &context)
        .map_err(|_| diagnostics.findings().into_iter().map(|f| f.message).collect::<Vec<_>>().join("; "))
}

/// What comes out for these records at second 100 under the tag `app.web.1`: events as `seconds record`, then rejected ones as
/// `! class: message`.
pub(super) fn run(name: &str, lines: &str, records: &[&str]) -> Vec<String> {
    let filter = build(name, lines).expect("valid");
    let scratch = Scratch::take();
    let scope = scratch.scope();
    let mut events = BumpVec::new_in(scope.bump());
    for record in records {
        match read(scope.bump(), scope.bytes(record.as_bytes()), Engine::Oj) {
            Ok(Document::Record(record)) => events.push(Event { time: EventTime { sec: 100, nsec: 250_000_000 }, record }),
            other => panic!("{other:?}"),
        }
    }
    let mut batch = Batch::decoded(events);
    filter.filter(&scope, &Tag::new("app.web.1"), &mut batch);
    let mut seen: Vec<String> = Vec::new();
    for event in batch.events(&scope) {
        let mut text = Vec::new();
        write_record(&event.record, Style::Oj, &mut text);
        seen.push(format!("{} {}", event.time.sec, String::from_utf8_lossy(&text)));
    }
    seen.extend(scope.take_rejected().into_iter().map(|rejected| format!("! {}: {}", rejected.class, rejected.message)));
    seen
}

fn transformed(lines: &str, record: &str) -> String {
    run("record_transformer", lines, &[record]).join("\n")
}

#[test]
fn grep_keeps_by_all_conditions_and_drops_by_any() {
    let records = [r#"{"l":"warn","c":500}"#, r#"{"l":"info","c":200}"#, r#"{"c":500}"#, r#"{"l":["warn"],"c":5.5}"#];
    let kept = |lines: &str| run("grep", lines, &records).len();
    assert_eq!(kept("<regexp>\nkey l\npattern /warn/\n</regexp>"), 2);
    assert_eq!(kept("<regexp>\nkey l\npattern /^\\[\"warn\"\\]$/\n</regexp>"), 1);
    assert_eq!(kept("<regexp>\nkey l\npattern /warn/\n</regexp>\n<regexp>\nkey c\npattern /^5\\d/\n</regexp>"), 1);
    assert_eq!(kept("<exclude>\nkey l\npattern /^$/\n</exclude>"), 3);
    assert_eq!(kept("<or>\n<regexp>\nkey l\npattern /info/\n</regexp>\n<regexp>\nkey c\npattern /^5\\./\n</regexp>\n</or>"), 2);
    assert_eq!(kept("<and>\n<exclude>\nkey l\npattern /warn/\n</exclude>\n<exclude>\nkey c\npattern /500/\n</exclude>\n</and>"), 3);
    assert_eq!(kept("regexp1 l warn|info\nexclude1 c 200"), 2);
    assert_eq!(kept(""), 4);
}

#[test]
fn grep_keeps_events_whose_field_cannot_be_reached() {
    let lines = "<exclude>\nkey $.a.b\npattern /x/\n</exclude>";
    assert_eq!(run("grep", lines, &[r#"{"a":"text"}"#, r#"{"a":{"b":"x"}}"#, r#"{"a":{}}"#]), [r#"100 {"a":"text"}"#, r#"100 {"a":{}}"#]);
}

#[test]
fn grep_refuses_contradictions() {
    let condition = |name: &str| format!("<{name}>\nkey a\npattern /x/\n</{name}>\n");
    let refused = |lines: &str| build("grep", lines).err().unwrap_or_default();
    assert!(refused(&[condition("regexp"), condition("regexp")].concat()).contains("Duplicate key: a"));
    assert!(
        refused(&format!("<or>\n{}{}</or>", condition("regexp"), condition("exclude")))
            .contains("Do not specify both <regexp> and <exclude> in <or>")
    );
    assert!(refused("regexp3 lonely").contains("regexp3 does not contain 2 parameters"));
    assert!(refused("<regexp>\nkey a\n</regexp>").contains("'pattern' parameter is required"));
}

#[test]
fn placeholders_keep_types_alone_and_are_text_among_text() {
    let record = r#"{"n":5,"l":[1,null],"s":"x"}"#;
    assert_eq!(
        transformed("<record>\nm ${record[\"n\"]}\nt n=${record[\"n\"]}!\n</record>", record),
        r#"100 {"n":5,"l":[1,null],"s":"x","m":5,"t":"n=5!"}"#
    );
    assert_eq!(
        transformed("auto_typecast false\nrenew_record true\n<record>\nm ${record[\"l\"]}\n</record>", record),
        r#"100 {"m":"[1, nil]"}"#
    );
    assert_eq!(
        transformed(
            "renew_record true\n<record>\na ${tag_parts[-1]}\nb ${tag_prefix[1]}\nc ${tag_suffix[1]}\nd ${tag_parts[7]}\n${tag} k\n</record>",
            record
        ),
        r#"100 {"a":"1","b":"app.web","c":"web.1","d":null,"app.web.1":"k"}"#
    );
    assert_eq!(
        transformed("renew_record true\n<record>\nj {\"k\":[\"${record[\\\"n\\\"]}\",2]}\nu __A_B__z ${\n</record>", record),
        r#"100 {"j":{"k":[5,2]},"u":"z ${"}"#
    );
}

#[test]
fn fields_are_kept_removed_and_taken_for_the_time() {
    assert_eq!(transformed("renew_record true\nkeep_keys b,a", r#"{"a":1,"b":2,"c":3}"#), r#"100 {"b":2,"a":1}"#);
    assert_eq!(transformed("remove_keys $.a.b,c", r#"{"a":{"b":1,"x":2},"c":3}"#), r#"100 {"a":{"x":2}}"#);
    assert_eq!(transformed("renew_time_key at\nremove_keys at", r#"{"at":"1700000000.5"}"#), "1700000000 {}");
    assert_eq!(transformed("renew_time_key at", r#"{"at":true}"#), "! NoMethodError: undefined method `to_f' for true:TrueClass");
    assert!(build("record_transformer", "keep_keys a").is_err_and(|why| why.contains("`renew_record` must be true to use `keep_keys`")));
}

#[test]
fn ruby_sees_and_changes_the_record() {
    let ruby = |lines: &str, record: &str| transformed(&format!("enable_ruby true\n<record>\n{lines}\n</record>"), record);
    assert_eq!(ruby("m ${record[\"n\"] * 2}\nt ${tag_parts.last}/${time.to_i}", r#"{"n":5}"#), r#"100 {"n":5,"m":10,"t":"1/100"}"#);
    assert_eq!(ruby("h ${record[\"h\"][\"x\"] = 1; record[\"h\"].size}", r#"{"h":{}}"#), r#"100 {"h":1}"#);
    assert_eq!(ruby("s ${record[\"h\"][\"x\"] = 1; \"done\"}", r#"{"h":{}}"#), r#"100 {"h":{"x":1},"s":"done"}"#);
    assert_eq!(
        ruby("big ${2**70}\nsym ${:a}\nr ${1..2}\nq say \\\"#{1}\\\"", "{}"),
        r#"100 {"big":1180591620717411303424,"sym":"a","r":"1..2","q":"say \"1\""}"#
    );
    assert!(
        ruby("x ${record[\"no\"].size}", "{}")
            .starts_with("! RuntimeError: failed to expand `record[\"no\"].size` : error = undefined method `size' for nil:NilClass")
    );
    assert!(ruby("x ${1 +}", "{}").starts_with("! SyntaxError: "));
    assert!(
        build("record_transformer", "enable_ruby true\n<record>\nx ${def a; end}\n</record>")
            .is_err_and(|why| why.contains("'def' is not supported"))
    );
}

#[test]
fn record_modifier_sets_one_field_after_the_other() {
    let modified = |lines: &str, record: &str| run("record_modifier", lines, &[record]).join("\n");
    assert_eq!(modified("<record>\na 1\nb ${record['a']}-${tag_parts[1]}\n</record>", r#"{"x":0}"#), r#"100 {"x":0,"a":"1","b":"1-web"}"#);
    assert_eq!(
        modified("whitelist_keys y, x\n<record>\nz ${time.to_i}\n</record>", r#"{"w":1,"x":2,"y":3}"#),
        r#"100 {"y":3,"x":2,"z":100}"#
    );
    assert_eq!(modified("remove_keys x,$.m.n", r#"{"x":1,"m":{"n":1}}"#), r#"100 {"m":{}}"#);
    assert_eq!(
        modified("<replace>\nkey s\nexpression /(\\w+)=(\\w+)/\nreplace \\2=\\1\n</replace>", r#"{"s":"a=b, c=d"}"#),
        r#"100 {"s":"b=a, d=c"}"#
    );
    assert_eq!(modified("char_encoding iso-8859-1:utf-8", r#"{"s":"plain"}"#), r#"100 {"s":"plain"}"#);
    assert!(modified("<record>\na ${record['no'].size}\n</record>", "{}").starts_with("! NoMethodError: undefined method `size'"));
}

#[test]
fn record_modifier_keeps_what_was_prepared_from_event_to_event() {
    let counted = run("record_modifier", "prepare_value @seen = 0\n<record>\nn ${@seen += 1}\n</record>", &["{}", "{}", "{}"]);
    assert_eq!(counted, [r#"100 {"n":1}"#, r#"100 {"n":2}"#, r#"100 {"n":3}"#]);
}

#[test]
fn record_modifier_refuses_contradictions() {
    let refused = |lines: &str| build("record_modifier", lines).err().unwrap_or_default();
    assert!(refused("remove_keys a\nwhitelist_keys b").contains("exclusive"));
    assert!(refused("<record>\na ${1 +}\n</record>").contains("Pass invalid syntax parameter : key = a"));
    assert!(refused("char_encoding utf-8:koi8-r").contains("koi8-r"));
}
