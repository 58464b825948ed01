//! Checking short texts: what is found, denied, allowed.

use super::*;

fn codes(text: &str, settings: &Settings) -> Vec<(&'static str, Severity)> {
    let mut source = LoadOptions::for_text("test.conf", text);
    source.environment.variables = vec![("SET".to_owned(), "x".to_owned())];
    check(&source, settings).findings.iter().map(|finding| (finding.code, finding.severity)).collect()
}

fn quiet() -> Settings {
    Settings { files: false, ..Settings::default() }
}

#[test]
fn a_sound_configuration_has_no_findings() {
    let text = "<source>\n  @type sample\n  tag app.web\n</source>\n<filter app.**>\n  @type stdout\n</filter>\n<match app.**>\n  @type null\n</match>\n";
    assert_eq!(codes(text, &quiet()), []);
}

#[test]
fn what_is_denied_is_an_error_and_what_is_allowed_is_not_said() {
    let text = "<source>\n  @type sample\n  tag \"#{ENV['GONE']}#{ENV['SET']}\"\n  tgg x\n</source>\n<match **>\n  @type null\n</match>\n";
    assert_eq!(codes(text, &quiet()), [("FLM0702", Severity::Note), ("FLM0301", Severity::Warning)]);
    let settings = Settings { deny: vec!["warnings".to_owned()], allow: vec!["FLM0702".to_owned()], ..quiet() };
    assert_eq!(codes(text, &settings), [("FLM0301", Severity::Error)]);
    let settings = Settings { deny: vec!["FLM0702".to_owned()], allow: vec!["FLM0301".to_owned()], ..quiet() };
    assert_eq!(codes(text, &settings), [("FLM0702", Severity::Error)]);
}

#[test]
fn tags_that_a_record_modifier_makes_are_known() {
    let with = |tag: &str| {
        let ends = "<match out.*>\n  @type null\n</match>\n<match other>\n  @type null\n</match>\n";
        let text =
            format!("<source>\n  @type sample\n  tag a.b\n</source>\n<match a.*>\n  @type record_modifier\n  tag {tag}\n</match>\n{ends}");
        codes(&text, &quiet()).into_iter().map(|(code, _)| code).collect::<Vec<_>>()
    };
    assert_eq!(with("out.${tag_parts[1]}"), ["FLM0713"], "nothing has the tag 'other'");
    assert_eq!(with("${record['to']}"), [""; 0]);
    assert_eq!(with("out.${record['to'].map { |t| t }}"), [""; 0], "braces of its own: it may be anything");
    assert_eq!(with("a.c"), ["FLM0719", "FLM0713", "FLM0713"]);
}

#[test]
fn broken_texts_are_checked_without_a_panic() {
    let text = include_str!("../../conf/docker-elasticsearch.conf");
    for end in (0..text.len()).step_by(7).filter(|end| text.is_char_boundary(*end)) {
        codes(&text[..end], &quiet());
        codes(&text[end..], &quiet());
    }
}
