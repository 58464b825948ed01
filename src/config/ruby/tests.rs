//! Embedded Ruby as configurations write it.

use super::{Environment, Value, evaluate};

fn environment() -> Environment {
    let variables = [("ES_HOST", "es1.example"), ("ES_PORT", "9201"), ("EMPTY", ""), ("HOSTS", "a:1, b:2"), ("TLS", "true")];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    Environment { variables, hostname: "node-7".to_owned(), worker_id: "3".to_owned(), trusted: true }
}

fn text(code: &str) -> String {
    match evaluate(code, &environment()) {
        Ok(value) => value.to_text(),
        Err(why) => panic!("{code}: {why}"),
    }
}

fn refused(code: &str) -> String {
    evaluate(code, &environment()).expect_err(code)
}

#[test]
fn variables_come_with_fallbacks() {
    assert_eq!(text("ENV['ES_HOST']"), "es1.example");
    assert_eq!(text(r#"ENV["NOT_SET"]"#), "");
    assert_eq!(text(r#"ENV["NOT_SET"] || "localhost""#), "localhost");
    assert_eq!(text("ENV.fetch('NOT_SET', 'x')"), "x");
    assert_eq!(text("ENV.fetch('NOT_SET') { |name| name.downcase }"), "not_set");
    assert_eq!(text("ENV['EMPTY'] || 'unused'"), "");
    assert_eq!(text("ENV['EMPTY'].empty? ? 'none' : ENV['EMPTY']"), "none");
    assert_eq!(text("ENV['ES_PORT'].to_i + 1"), "9202");
    assert_eq!(text("ENV['ES_PORT'] ? ENV['ES_PORT'] : 9200"), "9201");
    assert_eq!(text("ENV['HOSTS'].split(',').map(&:strip).join(';')"), "a:1;b:2");
    assert_eq!(text("ENV['TLS'] == 'true' ? 'https' : 'http'"), "https");
    assert_eq!(text("ENV.has_key?('NOT_SET')"), "false");
}

#[test]
fn names_of_fluentd_are_known() {
    assert_eq!(text("hostname"), "node-7");
    assert_eq!(text("Socket.gethostname.upcase"), "NODE-7");
    assert_eq!(text("`hostname`.strip"), "node-7");
    assert_eq!(text("24224 + worker_id.to_i"), "24227");
    assert_eq!(evaluate("ENV['NOT_SET'] || use_nil", &environment()), Ok(Value::UseNil));
    assert_eq!(evaluate("ENV['NOT_SET'] || use_default", &environment()), Ok(Value::UseDefault));
}

#[test]
fn what_ruby_refuses_is_refused_in_its_words() {
    assert!(refused("ENV.fetch('NOT_SET')").contains("key not found: \"NOT_SET\""));
    assert!(refused("ENV['NOT_SET'].strip").contains("undefined method `strip' for nil:NilClass"));
    assert!(refused("no_such_name").contains("undefined local variable or method `no_such_name'"));
    assert!(refused("raise 'choose a tag'").contains("choose a tag"));
    assert!(refused("2 * ").contains("syntax error, unexpected end-of-input"));
    assert!(refused("def x; end").contains("not supported"));
    assert!(refused("File.read('/no/such/file')").contains("No such file or directory"));
}

#[test]
fn an_untrusted_environment_touches_nothing() {
    let checked = Environment { trusted: false, ..environment() };
    assert_eq!(evaluate("File.read('/etc/hostname')", &checked).map(|value| value.to_text()), Ok(String::new()));
    assert_eq!(evaluate("`echo hello`", &checked).map(|value| value.to_text()), Ok(String::new()));
    assert_eq!(text("`echo hello`.chomp"), "hello");
}
