//! Ways of events through small configurations, and their pictures.

use super::*;

const CONFIG: &str = "<source>\n  @type sample\n  tag app.web\n</source>\n<filter db.**>\n  @type stdout\n</filter>\n<filter app.**>\n  @type grep\n  <exclude>\n    key level\n    pattern /debug/\n  </exclude>\n</filter>\n<match app.**>\n  @type rewrite_tag_filter\n  <rule>\n    key level\n    pattern /^(.+)$/\n    tag level.$1\n    label @LEVELS\n  </rule>\n</match>\n<label @LEVELS>\n  <match level.error>\n    @type copy\n    <store>\n      @type null\n    </store>\n    <store>\n      @type relabel\n      @label @END\n    </store>\n  </match>\n</label>\n<label @END>\n  <match **>\n    @type stdout\n  </match>\n</label>\n";

fn plan(text: &str) -> Plan {
    match Plan::read(&LoadOptions::for_text("test.conf", text), Diagnostics::new()) {
        Ok(plan) => plan,
        Err((_, diagnostics)) => panic!("{:?}", diagnostics.findings()),
    }
}

#[test]
fn a_record_goes_its_way() {
    let way = explain(&plan(CONFIG), "app.web", Some("{\"level\":\"error\"}")).unwrap();
    for wanted in [
        "- <filter db.**> stdout (test.conf:5): does not match",
        "+ <filter app.**> grep (test.conf:8): filters it",
        "unchanged",
        "> <match app.**> rewrite_tag_filter (test.conf:15): takes it",
        "@LEVELS, tag level.error",
        "> <store> null (test.conf:27)",
        "@END, tag level.error",
        "ends in stdout",
    ] {
        assert!(way.contains(wanted), "{wanted} is not in:\n{way}");
    }
    let way = explain(&plan(CONFIG), "app.web", Some("{\"level\":\"debug\"}")).unwrap();
    assert!(way.contains("nothing comes out") && !way.contains("takes it"), "{way}");
    let way = explain(&plan(CONFIG), "app.web", Some("{\"level\":\"info\"}")).unwrap();
    assert!(way.contains("no <match> takes it: it is thrown away"), "{way}");
    assert!(explain(&plan(CONFIG), "app.web", Some("[1]")).is_err());
}

#[test]
fn a_tag_alone_shows_what_it_meets() {
    let way = explain(&plan(CONFIG), "app.web", None).unwrap();
    assert!(way.contains("where level fits /^(.+)$/: tag level.$1 in @LEVELS"), "{way}");
    let way = explain(&plan(CONFIG), "other", None).unwrap();
    assert!(way.contains("no <match> takes it"), "{way}");
}

#[test]
fn what_a_filter_rejects_goes_to_the_label_for_it() {
    let text = "<source>\n  @type sample\n  tag a\n</source>\n<filter a>\n  @type parser\n  key_name log\n  <parse>\n    @type json\n  </parse>\n</filter>\n<match a>\n  @type null\n</match>\n<label @ERROR>\n  <match **>\n    @type stdout\n  </match>\n</label>\n";
    let way = explain(&plan(text), "a", Some("{\"log\":\"no json\"}")).unwrap();
    assert!(way.contains("it goes to @ERROR") && way.contains("@ERROR, tag a") && way.contains("ends in stdout"), "{way}");
}

#[test]
fn circles_have_an_end() {
    let text = "<source>\n  @type sample\n  tag a\n</source>\n<match a>\n  @type relabel\n  @label @A\n</match>\n<label @A>\n  <match **>\n    @type relabel\n    @label @A\n  </match>\n</label>\n";
    assert!(explain(&plan(text), "a", None).unwrap().contains("in a circle"));
}

#[test]
fn a_record_modifier_leads_on_under_its_new_tag() {
    let text = "<source>\n  @type sample\n  tag a\n</source>\n<match a>\n  @type record_modifier\n  tag b.${record['x']}\n  remove_keys x\n  @label @B\n</match>\n<label @B>\n  <match b.**>\n    @type stdout\n  </match>\n</label>\n";
    let way = explain(&plan(&text.replace("  remove_keys x\n", "")), "a", Some("{\"x\":1}")).unwrap();
    assert!(way.contains("@B, tag b.1") && way.contains("ends in stdout"), "{way}");
    assert!(explain(&plan(text), "a", None).unwrap().contains("tag b.${record['x']} in @B"));
    let broken = text.replace("b.${record['x']}", "${record['x']}");
    assert!(explain(&plan(&broken), "a", Some("{\"x\":1}")).unwrap().contains("it is rejected"));
    assert!(graph(&plan(text), Picture::Dot).contains("tag b.${record['x']}"));
}

#[test]
fn pictures_hold_every_section_and_way() {
    let dot = graph(&plan(CONFIG), Picture::Dot);
    assert!(dot.starts_with("digraph") && dot.trim_end().ends_with('}'), "{dot}");
    let mermaid = graph(&plan(CONFIG), Picture::Mermaid);
    assert!(mermaid.starts_with("flowchart"), "{mermaid}");
    for picture in [&dot, &mermaid] {
        for word in ["sample", "grep", "rewrite_tag_filter", "tag level.$1", "@LEVELS", "@END", "relabel", "null"] {
            assert!(picture.contains(word), "{word} is not in {picture}");
        }
    }
}
