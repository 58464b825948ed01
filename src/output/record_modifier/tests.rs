//! Configuration and events in; modified events under new tags, faults and limits out.

use crate::event::Tag;
use crate::output::rewrite_tag_filter::tests::{output_of, rig, run_of};

fn run(lines: &str, records: &[&str]) -> Vec<String> {
    run_of("record_modifier", lines, "app.web.1", false, records)
}

#[test]
fn fields_are_changed_and_the_tag_is_made_from_what_they_have_become() {
    let lines = "tag out.${tag_parts[1]}.${record['to']}\nremove_keys gone, $.a.b\n<record>\nto ${record['n'] + 1}\nwas ${tag}\n</record>";
    assert_eq!(
        run(lines, &[r#"{"n":1,"gone":2,"a":{"b":3}}"#, r#"{"n":5}"#, r#"{"n":1}"#]),
        [
            r#"out.web.2 {"n":1,"a":{"b":3},"to":2,"was":"app.web.1"} {"n":1,"to":2,"was":"app.web.1"}"#,
            r#"out.web.6 {"n":5,"to":6,"was":"app.web.1"}"#
        ],
        "the keys that are removed are names, no ways"
    );
    let kept = "tag all\nwhitelist_keys b, a\n<record>\nz 1\n</record>\n<replace>\nkey a\nexpression /x+/\nreplace -\n</replace>";
    assert_eq!(run(kept, &[r#"{"a":"oxxo","b":1,"c":2}"#]), [r#"all {"b":1,"a":"o-o","z":"1"}"#]);
}

#[test]
fn messages_keep_their_order() {
    let lines = "tag t.${record['a']}";
    let records = [r#"{"a":"p"}"#, r#"{"a":"q"}"#, r#"{"a":"p"}"#];
    assert_eq!(
        run_of("record_modifier", lines, "x", true, &records),
        [r#"t.p {"a":"p"}"#, r#"t.q {"a":"q"}"#, r#"t.p {"a":"p"}"#],
        "messages that came together are sent on one by one"
    );
    assert_eq!(run_of("record_modifier", "tag ${tag}.b", "x", true, &records[..2]), [r#"x.b {"a":"p"} {"a":"q"}"#]);
}

#[test]
fn the_tag_has_prepared_variables_of_its_own() {
    let lines = "prepare_value @n = 0\ntag t${@n += 1}\n<record>\nn ${@n += 10}\n</record>";
    assert_eq!(run(lines, &["{}", "{}"]), [r#"t1 {"n":10}"#, r#"t2 {"n":20}"#]);
}

#[test]
fn a_label_is_where_events_go_on() {
    assert_eq!(run("@label @THERE\ntag new", &["{}"]), ["@THERE new {}"]);
    assert!(output_of("record_modifier", &rig(), "@label @NOWHERE\ntag new").is_err());
}

#[test]
fn an_event_without_a_tag_is_rejected_alone_and_as_it_came() {
    assert_eq!(
        run("tag ${record['to']}\nremove_keys x", &[r#"{"x":1}"#, r#"{"to":"b","x":1}"#, r#"{"to":[1]}"#]),
        [r#"b {"to":"b"}"#, "! TypeError: the new tag is nil, expected a text", "! TypeError: the new tag is [1], expected a text"]
    );
    let long = format!(r#"{{"to":"{}"}}"#, "z".repeat(70_000));
    assert_eq!(run("tag ${record['to']}", &[&long]), ["! ArgumentError: the new tag has 70000 bytes, expected at most 65536"]);
    assert_eq!(run("tag ${tag_parts[7]}", &["{}"]), ["! TypeError: the new tag is nil, expected a text"]);
}

#[test]
fn what_is_behind_the_new_tag_is_asked_for_its_limits() {
    let asked = |lines: &str| {
        let rig = rig();
        let output = output_of("record_modifier", &rig, lines).expect("valid");
        output.limits(Some(&Tag::new("a.b")), &mut Vec::new());
        rig.notes().concat()
    };
    assert_eq!(asked("tag fixed"), "limits of fixed");
    assert_eq!(asked("tag ${tag_parts[1]}.${tag}"), "limits of b.a.b");
    assert_eq!(asked("tag ${record['x']}"), "limits of all");
    assert_eq!(asked("tag x.${tag.upcase}"), "limits of all");
}

#[test]
fn contradictions_are_refused() {
    let refused = |lines: &str| output_of("record_modifier", &rig(), lines).err().unwrap_or_default();
    assert!(refused("").contains("'tag' parameter is required"));
    assert!(refused("tag a${1 +}").contains("Pass invalid syntax parameter : key = tag"));
    assert!(refused("tag a\nremove_keys a\nwhitelist_keys b").contains("exclusive"));
}
