//! Tests of expansion and of the built-in patterns.

use super::expand::expand;
use super::patterns::{Patterns, Series, series};
use crate::regex::{Captures, Flags, Matched, Regex};
use std::sync::Arc;

fn patterns(pairs: &[(&str, &str)]) -> Patterns {
    pairs.iter().map(|(name, expression)| ((*name).to_owned(), Arc::from(*expression))).collect()
}

/// The fields of a line, as a pattern of a series finds them.
fn fields(which: Series, pattern: &str, line: &str) -> Option<Vec<(String, String)>> {
    let expanded = expand(pattern, series(which)).unwrap();
    let regex = Regex::new(&expanded.expression, Flags::default()).unwrap();
    let mut captures = Captures::default();
    if regex.captures(line.as_bytes(), &mut captures) != Matched::Yes {
        return None;
    }
    let named = regex.names().iter().zip(&captures.groups);
    Some(named.filter_map(|(name, group)| group.map(|(start, end)| (name.clone(), line[start..end].to_owned()))).collect())
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn every_pattern_of_both_series_compiles() {
    for (which, count) in [(Series::Legacy, 317), (Series::EcsV1, 361)] {
        let patterns = series(which);
        assert_eq!(patterns.len(), count, "{which:?}");
        for name in patterns.keys() {
            let expanded = expand(&format!("%{{{name}:whole}}"), patterns).unwrap_or_else(|error| panic!("{which:?} {name}: {error}"));
            let rest = &expanded.expression;
            assert!(!rest.contains("~{") && !rest.contains("%{"), "{name}: {rest}");
            Regex::new(rest, Flags::default()).unwrap_or_else(|error| panic!("{which:?} {name}: {error}: {rest}"));
        }
    }
}

#[test]
fn references_become_groups() {
    let patterns = patterns(&[("A", "a%{B:b}"), ("B", "b+")]);
    let expanded = expand("%{A} %{B:[x][y]:integer} %{A:n:array:;} %{?}", &patterns).unwrap();
    assert_eq!(expanded.expression, "(?:a(?<b>b+)) (?<x.y>b+) (?<n>a(?<b>b+)) %{?}");
    assert_eq!(expanded.types_text(), "b:string,x.y:integer,n:array:;");
    assert_eq!(expand("%{A} %{C}", &patterns).unwrap_err(), "grok pattern not found: (?:a(?<b>b+)) %{C}");
}

#[test]
fn int_means_integer() {
    let expanded = expand("%{B:n:int}", &patterns(&[("B", "b")])).unwrap();
    assert_eq!((expanded.types_text().as_str(), expanded.ints.len()), ("n:integer", 1));
}

#[test]
fn a_pattern_that_contains_itself_is_refused() {
    assert!(expand("%{A}", &patterns(&[("A", "%{A}")])).unwrap_err().contains("contains itself"));
    assert!(expand("%{A}", &patterns(&[("A", "%{A}%{A}")])).unwrap_err().contains("contains itself"));
}

#[test]
fn both_series_know_a_web_servers_lines() {
    let line = r#"10.1.2.3 - ann [05/Feb/2024:10:11:12 +0100] "GET /x?y=1 HTTP/1.1" 404 -"#;
    let legacy = [
        ("clientip", "10.1.2.3"),
        ("ident", "-"),
        ("auth", "ann"),
        ("timestamp", "05/Feb/2024:10:11:12 +0100"),
        ("verb", "GET"),
        ("request", "/x?y=1"),
        ("httpversion", "1.1"),
        ("response", "404"),
    ];
    assert_eq!(fields(Series::Legacy, "%{COMMONAPACHELOG}", line), Some(owned(&legacy)));
    let ecs = [
        ("source.address", "10.1.2.3"),
        ("user.name", "ann"),
        ("timestamp", "05/Feb/2024:10:11:12 +0100"),
        ("http.request.method", "GET"),
        ("url.original", "/x?y=1"),
        ("http.version", "1.1"),
        ("http.response.status_code", "404"),
    ];
    assert_eq!(fields(Series::EcsV1, "%{COMMONAPACHELOG}", line), Some(owned(&ecs)));
}

#[test]
fn columns_and_renamed_fields_read_as_written() {
    let line = "W, [2024-02-05T10:11:12.123456 #77]  WARN -- app: low on soap";
    let found = fields(Series::EcsV1, "%{RUBY_LOGGER}", line).unwrap();
    assert!(found.contains(&("process.pid".into(), "77".into())) && found.contains(&("message".into(), "low on soap".into())), "{found:?}");
    let line = "1.5\tCx1\t10.0.0.1\t1\t10.0.0.2\t2\ttcp\t-\t0.5\t-\t-\tS0\t-\t-\t0\tS\t1\t40\t0\t0\t-";
    let found = fields(Series::EcsV1, "^%{ZEEK_CONN}$", line).unwrap();
    assert!(found.contains(&("zeek.connection.state".into(), "S0".into())), "{found:?}");
}
