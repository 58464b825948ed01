//! Declared sections: required and typed parameters, what is said about them, and how they are shown.

use super::super::{
    Diagnostics, Element, FromLiteral, Json, Map, Octal, Seconds, Severity, Size, Symbol, System, SystemLog, dump, load, warn_unused,
};
use super::{findings, options};
use std::collections::BTreeMap;

crate::choice! {
    /// A choice.
    pub enum Mode { Fast = "fast", Slow = "slow" }
}

crate::section! {
    /// A plugin.
    struct Plugin {
        /// A name.
        pub name: String,
        /// A switch.
        pub on: bool = "false",
        /// A switch that may be nil.
        pub maybe: Option<bool>,
        /// A size.
        pub limit: Size = "8m",
        /// A time.
        pub wait: Seconds = "1h",
        /// A mode.
        pub mode: Mode = "fast",
        /// A list.
        pub keys: Vec<String> = "[]",
        /// Hidden.
        pub password: Option<String> [secret, alias "pass"],
        /// Old.
        pub older: Option<String> [deprecated "use name"],
        /// Gone.
        pub gone: Option<String> [obsoleted "use name"],
    }
    sections { "server": some(Server), "one": one }
}

crate::section! {
    /// A server.
    struct Server {
        /// Its host.
        pub host: String,
        /// Its port.
        pub port: i64 = "1",
    }
}

fn plugin(text: &str) -> (Element, Diagnostics, Result<Plugin, ()>) {
    let diagnostics = Diagnostics::new();
    let text = format!("<match **>\n@type x\n{text}\n</match>");
    let root = load(&options(&text), &diagnostics).expect("the text has no faults");
    let _ = System::of(&root, &diagnostics);
    let element = root.section("match").expect("is there");
    let result = Plugin::read(element, &diagnostics).map_err(drop);
    for server in element.sections("server") {
        let _ = Server::read(server, &diagnostics);
    }
    (root, diagnostics, result)
}

fn errors(text: &str) -> Vec<String> {
    findings(&plugin(text).1, Severity::Error)
}

const WHOLE: &str = "name a\n<server>\nhost h\n</server>\n";

#[test]
fn values_are_read_into_their_fields() {
    let (root, _, result) = plugin(&format!("{WHOLE}on yes\nmaybe no\nlimit 1k\nwait 5\nmode slow\nkeys x,y\npass p\nolder o"));
    let read = result.expect("is valid");
    assert_eq!(
        (read.name.as_str(), read.on, read.maybe, read.limit, read.wait, read.mode),
        ("a", true, Some(false), Size(1024), Seconds(5.0), Mode::Slow)
    );
    assert_eq!(
        (read.keys.join("|").as_str(), read.password.as_deref(), read.older.as_deref(), read.gone),
        ("x|y", Some("p"), Some("o"), None)
    );
    let server = Server::read(&root.children[0].children[0], &Diagnostics::new()).expect("is valid");
    assert_eq!((server.host.as_str(), server.port), ("h", 1));
}

#[test]
fn every_fault_of_a_section_is_said() {
    let errors = errors("mode quick\non maybe\ngone 1\n<server>\nport 2\n</server>\n<one>\n</one>\n<one>\n</one>");
    let expected = [
        "9: '<one>' section cannot be written twice or more",
        "1: 'name' parameter is required",
        "4: 'on' parameter is required but nil is specified: invalid bool value: maybe",
        "3: mode: valid options are fast,slow but got quick",
        "5: 'gone' parameter is already removed: use name",
        "6: 'host' parameter is required, in section server",
    ];
    for expected in expected {
        // The second <one> stands where it stands.
        let expected = expected.split_once(": ").map_or(expected, |(_, message)| message);
        assert!(errors.iter().any(|error| error.ends_with(expected)), "{expected}\n{errors:#?}");
    }
    assert!(super::super::Diagnostics::new().is_empty());
    assert!(self::errors("name a").iter().any(|error| error.ends_with("'<server>' sections are required")));
}

#[test]
fn nil_and_default_are_only_for_parameters_that_have_them() {
    let (_, diagnostics, result) =
        plugin(&format!("{WHOLE}limit \"#{{use_default}}\"\nmaybe \"#{{use_nil}}\"\npassword \"#{{use_default}}\""));
    let plugin_read = result.unwrap_or_else(|()| panic!("{:?}", findings(&diagnostics, Severity::Error)));
    assert_eq!((plugin_read.limit, plugin_read.maybe), (Size(8 << 20), None));
    assert!(
        errors(&format!("{WHOLE}limit \"#{{use_nil}}\""))
            .iter()
            .any(|error| error.ends_with("'limit' parameter is required but nil is specified"))
    );
    assert!(errors("name \"#{use_default}\"").iter().any(|error| error.ends_with("'name' doesn't have default value")));
    assert!(errors("name \"#{use_nil}\"").iter().any(|error| error.ends_with("'name' parameter is required but nil is specified")));
}

#[test]
fn a_plugin_can_change_a_default() {
    let diagnostics = Diagnostics::new();
    let root = load(&options("<server>\nhost \"#{use_default}\"\nport \"#{use_default}\"\n</server>"), &diagnostics).expect("is read");
    let element = &root.children[0];
    element.set_default("port", "7");
    element.set_default("host", "h");
    let server = Server::read(element, &diagnostics).expect("is valid");
    assert_eq!((server.host.as_str(), server.port), ("h", 7));
    assert_eq!(dump(element), "<server>\n  host h\n  port 7\n</server>\n");
}

#[test]
fn doubtful_values_are_warned_about() {
    let (_, diagnostics, _) = plugin(&format!("{WHOLE}limit 1.5k\nwait 1h30m\nmaybe on\nolder x"));
    let warned = findings(&diagnostics, Severity::Warning);
    for expected in [
        "'limit': \"1.5k\" is read as 5120 bytes",
        "'wait': \"1h30m\" is read as 1800 seconds",
        "'maybe': \"on\" is read as nothing",
        "'older' parameter is deprecated: use name",
    ] {
        assert!(warned.iter().any(|warning| warning.ends_with(expected)), "{expected}\n{warned:#?}");
    }
    assert_eq!(warned.len(), 4, "{warned:#?}");
}

#[test]
fn strict_values_are_whole_values() {
    let diagnostics = Diagnostics::new();
    let root = load(&options("<system>\nstrict_config_value true\n</system>\n<server>\nhost h\nport 1x\n</server>"), &diagnostics)
        .expect("is read");
    System::of(&root, &diagnostics).expect("is valid");
    assert!(Server::read(&root.children[1], &diagnostics).is_err());
    assert!(findings(&diagnostics, Severity::Error)[0].ends_with("port: invalid value for Integer(): \"1x\""));
}

#[test]
fn conversions_are_those_of_fluentd() {
    let size = |text: &str| Size::from_literal(text, false).map(|size| size.0).ok();
    for (text, expected) in [
        ("10", 10),
        ("10k", 10240),
        ("10KB", 10240),
        ("2m", 2 << 20),
        ("1g", 1 << 30),
        ("1t", 1 << 40),
        ("1.5k", 5120),
        ("k10k", 10240),
        ("1m5k", 5120),
        ("lots", 0),
        ("-1", 0),
        ("1 GB", 1),
    ] {
        assert_eq!(size(text), Some(expected), "{text}");
    }
    let time = |text: &str| Seconds::from_literal(text, false).map(|time| time.0).ok();
    for (text, expected) in [
        ("10", 10.0),
        ("0.5", 0.5),
        ("10s", 10.0),
        ("2m", 120.0),
        ("1h", 3600.0),
        ("1d", 86400.0),
        ("1.5s", 5.0),
        ("1h30m", 1800.0),
        ("10ms", 600.0),
        ("soon", 0.0),
        ("-1", -1.0),
        ("1M", 1.0),
    ] {
        assert_eq!(time(text), Some(expected), "{text}");
    }
    let bool = |text: &str, strict| Option::<bool>::from_literal(text, strict);
    for (text, expected) in [
        ("true", Some(true)),
        ("yes", Some(true)),
        ("", Some(true)),
        ("# c", Some(true)),
        ("false", Some(false)),
        ("no", Some(false)),
        ("on", None),
        ("True", None),
    ] {
        assert_eq!(bool(text, false), Ok(expected), "{text}");
        assert_eq!(bool(text, true).is_ok(), expected.is_some(), "{text}");
    }
    let list = |text: &str| Vec::<String>::from_literal(text, false).ok().map(|list| list.join("|"));
    for (text, expected) in
        [("a, b ,c", "a|b|c"), ("a,,b,", "a||b"), ("", ""), ("[\"a,b\", 1, null]", "a,b|1"), ("a b", "a b"), (",a", "|a")]
    {
        assert_eq!(list(text).as_deref(), Some(expected), "{text}");
    }
    assert_eq!(list("[1"), None);
    let map = |text: &str| BTreeMap::<String, String>::from_literal(text, false).ok();
    assert_eq!(map("a:1, b:c:d"), Some(BTreeMap::from([("a".into(), "1".into()), ("b".into(), "c:d".into())])));
    assert_eq!(map("{\"a\":1}"), Some(BTreeMap::from([("a".into(), "1".into())])));
    assert_eq!(map("{1}"), None);
    assert_eq!(
        Map::from_literal("{\"b\":[1],\"a\":null}", false).map(|map| map.0),
        Ok(vec![("b".into(), Json::Array(vec![Json::Integer("1".into())])), ("a".into(), Json::Null)])
    );
    assert_eq!(Symbol::from_literal(":a", false), Ok(Symbol("a".into())));
    assert_eq!(Octal::from_literal("0644", false), Ok(Octal(0o644)));
    assert!(u16::from_literal("70000", false).is_err_and(|why| why.contains("0 to 65535")));
    assert!(<crate::regex::Regex as FromLiteral>::from_literal("/a/b/", false).is_ok());
    assert!(<crate::regex::Regex as FromLiteral>::from_literal("/a/bcd", false).is_err_and(|why| why.contains("missing right slash")));
}

#[test]
fn what_is_shown_follows_from_the_declarations() {
    let (root, _, _) = plugin(
        "name \"a\\t'b'\"\nlimit 1k\nwait \"#{use_default}\"\nmode slow\npass word\nnope \"x\"\n@log_level warn\n<server>\nhost h\n@type y\n</server>",
    );
    let expected = "<ROOT>\n  <match **>\n    @type x\n    name \"a\\t\\'b\\'\"\n    limit 1k\n    wait 3600\n    mode slow\n    pass xxxxxx\n    nope x\n    @log_level \"warn\"\n    <server>\n      host \"h\"\n      @type \"y\"\n    </server>\n  </match>\n</ROOT>\n";
    assert_eq!(dump(&root), expected);
    let (root, _, _) = plugin(&format!("{WHOLE}maybe \"#{{use_default}}\""));
    assert!(dump(&root).contains("    maybe \n"), "a default of nothing is shown as nothing");
    root.children[0].give("path", "/x");
    let mut made = Element::new("buffer", "time", root.span);
    made.set("path", "/y", root.span);
    root.children[0].show_section(made);
    assert!(dump(&root).contains("    <buffer time>\n      path /y\n    </buffer>\n  </match>"));
    assert!(dump(&root).contains("    path /x\n    <server>"));
}

#[test]
fn what_is_not_used_is_said_in_fluentds_words() {
    let (root, diagnostics, _) = plugin(&format!("{WHOLE}nope 1\npassword p\n<other>\nk v\n</other>"));
    warn_unused(&root, &diagnostics);
    let warned = findings(&diagnostics, Severity::Warning);
    assert_eq!(warned.len(), 2, "{warned:#?}");
    assert!(warned[0].ends_with("parameter 'nope' in <match **>\n  @type x\n  name \"a\"\n  nope 1\n  password xxxxxx\n  <server>\n    host \"h\"\n  </server>\n  <other>\n    k v\n  </other>\n</match> is not used."), "{}", warned[0]);
    assert!(warned[1].ends_with("section <other> is not used in <match **> of x plugin"), "{}", warned[1]);
}

#[test]
fn the_system_section_is_read_once() {
    let diagnostics = Diagnostics::new();
    let root = load(&options("<system>\nworkers 2\nlog_level debug\nfile_permission 0640\nenable_jit true\n<log>\nformat json\nrotate_age daily\n</log>\n</system>"), &diagnostics).expect("is read");
    let system = System::of(&root, &diagnostics).expect("is valid");
    assert_eq!((system.workers, system.log_level.word(), system.file_permission), (2, "debug", Some(Octal(0o640))));
    assert_eq!(SystemLog::of(&root, &diagnostics).map(|log| log.rotate_age), Ok(Some(super::super::RotateAge::Period("daily".into()))));
    assert_eq!(findings(&diagnostics, Severity::Note), ["5: 'enable_jit' in <system> has no effect: there is no Ruby"]);
    for (text, message) in [
        ("<system>\n</system>\n<system>\n</system>", "<system> is duplicated. <system> should be only one"),
        ("<system>\nworkers 0\n</system>", "invalid number of workers"),
        ("<system>\nlog_level loud\n</system>", "valid options are trace,debug,info,warn,error,fatal but got loud"),
        ("<system>\n<log>\nformat xml\n</log>\n</system>", "valid options are text,json but got xml"),
        ("<system>\n<counter_client>\n</counter_client>\n</system>", "'host' parameter is required, in section counter_client"),
    ] {
        let diagnostics = Diagnostics::new();
        let root = load(&options(text), &diagnostics).expect("is read");
        let _ = System::of(&root, &diagnostics);
        let errors = findings(&diagnostics, Severity::Error);
        assert!(errors.iter().any(|error| error.contains(message)), "{text}: {errors:?}");
    }
}
