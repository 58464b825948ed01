//! Flat parameters of version 0.12 and the sections that they become.

use super::super::compat::{Compat, Row, Tables, apply_tree};
use super::super::{Declared, Diagnostics, Element, Kind, Section, Severity, Sub, dump, load};
use super::{findings, options};

const fn declared(name: &'static str) -> Declared {
    Declared::optional(name, Kind::String)
}

const fn sub(name: &'static str) -> Sub {
    Sub { name, many: true, required: false, section: None }
}

static FILTER: Section = Section { doc: &[], params: &[declared("key_name"), declared("timeout")], sections: &[sub("parse")] };

static GROK: Section = Section {
    doc: &[],
    params: &[
        declared("grok_pattern"),
        declared("custom_pattern_path"),
        declared("timeout"),
        declared("timezone"),
        declared("time_format"),
    ],
    sections: &[sub("grok")],
};

fn input(kind: &str) -> Option<Row> {
    (kind == "tail").then_some((&Section::EMPTY, &[Compat::Parser]))
}

fn filter(kind: &str) -> Option<Row> {
    match kind {
        "parser" => Some((&FILTER, &[Compat::Parser])),
        "stdout" => Some((&Section::EMPTY, &[Compat::Inject, Compat::Formatter])),
        _ => None,
    }
}

fn output(kind: &str) -> Option<Row> {
    match kind {
        "elasticsearch" => Some((&Section::EMPTY, &[Compat::Buffer])),
        "file" => Some((&Section::EMPTY, &[Compat::Formatter, Compat::TimeSlicedBuffer, Compat::Inject])),
        "exec" => Some((&Section::EMPTY, &[Compat::Extract])),
        "copy" => Some((&Section::EMPTY, &[])),
        _ => None,
    }
}

fn grok(kind: &str) -> Option<&'static Section> {
    (kind == "grok").then_some(&GROK)
}

fn apply(text: &str) -> (Element, Diagnostics) {
    let diagnostics = Diagnostics::new();
    let mut root = load(&options(text), &diagnostics).expect("the text has no faults");
    let tables = Tables { input: &input, filter: &filter, output: &output, parser: &grok, formatter: &|_| None };
    apply_tree(&mut root, &tables, &diagnostics);
    (root, diagnostics)
}

/// The sections in the one section of a text, once the tables have been applied.
fn made(section: &str, params: &str) -> String {
    let (root, diagnostics) = apply(&format!("<{section}>\n{params}\n</{}>", section.split(' ').next().unwrap_or(section)));
    assert!(!diagnostics.has_errors(), "{:?}", findings(&diagnostics, Severity::Error));
    root.children[0].children.iter().map(dump).collect()
}

#[test]
fn buffer_parameters_get_their_new_names() {
    let flat = "@type elasticsearch\nbuffer_type file\nbuffer_path /b\nnum_threads 2\nflush_interval 1s\ntry_flush_interval 2\nqueued_chunk_flush_interval 3\ndisable_retry_limit true\nretry_limit 4\nmax_retry_wait 5\nbuffer_chunk_limit 6m\nbuffer_queue_limit 7\nbuffer_queue_full_action exception\nflush_at_shutdown true\nretry_wait 8";
    let expected = "<buffer>\n  @type file\n  path /b\n  flush_thread_count 2\n  flush_interval 1s\n  flush_thread_interval 2\n  flush_thread_burst_interval 3\n  retry_forever true\n  retry_max_times 4\n  retry_max_interval 5\n  chunk_limit_size 6m\n  queue_limit_length 7\n  overflow_action throw_exception\n  flush_at_shutdown true\n</buffer>\n";
    assert_eq!(made("match", flat), expected);
    assert_eq!(
        made("match", "@type elasticsearch\nflush_interval 1s\n<buffer>\n</buffer>"),
        "<buffer>\n</buffer>\n",
        "a section that is there stays as it is"
    );
    assert_eq!(made("match", "@type elasticsearch\nhost x"), "");
}

#[test]
fn time_slices_become_chunks_by_time() {
    for (flat, expected) in [
        (
            "path x\ntime_slice_format %Y%m%d%H\ntime_slice_wait 5m\nutc",
            "<buffer time>\n  timekey_wait 5m\n  timekey 3600\n  timekey_use_utc true\n</buffer>\n",
        ),
        ("time_slice_format %Y-%m-%dT%H-%M", "<buffer time>\n  timekey 60\n</buffer>\n"),
        ("time_slice_format %S\nlocaltime true", "<buffer time>\n  timekey 1\n  timekey_use_utc false\n</buffer>\n"),
        ("buffer_type memory", "<buffer time>\n  @type memory\n  timekey 86400\n</buffer>\n"),
    ] {
        let all = made("match", &format!("@type file\n{flat}"));
        assert!(all.contains(expected), "{flat}\n{all}");
    }
    for (flat, message) in [
        ("time_slice_format %Y", "time_slice_format only with %Y or %m is too long"),
        ("time_slice_format %d\nutc\nlocaltime", "both of utc and localtime"),
    ] {
        let (_, diagnostics) = apply(&format!("<match>\n@type file\n{flat}\n</match>"));
        let errors = findings(&diagnostics, Severity::Error);
        assert!(errors.iter().any(|error| error.contains(message)), "{flat}: {errors:?}");
    }
}

#[test]
fn formats_become_parsers() {
    for (flat, expected) in [
        ("format json\ntime_key t\ntime_format %Y", "<parse>\n  time_key t\n  time_format %Y\n  @type json\n</parse>\n"),
        ("format /^(?<a>.*)$/\nkeep_time_key yes", "<parse>\n  keep_time_key yes\n  @type regexp\n  expression ^(?<a>.*)$\n</parse>\n"),
        (
            "format x\ntypes a:integer,b:time:%Y,c",
            "<parse>\n  @type x\n  types {\"a\":\"integer\",\"b\":\"time:%Y\",\"c\":null}\n</parse>\n",
        ),
        (
            "format x\ntypes a=b;c=d\ntypes_delimiter ;\ntypes_label_delimiter =",
            "<parse>\n  @type x\n  types {\"a\":\"b\",\"c\":\"d\"}\n</parse>\n",
        ),
        ("format x\nutc", "<parse>\n  @type x\n  localtime false\n</parse>\n"),
        (
            "format multiline\nformat_firstline /a/\nformat1 /b/\nformat2 /c/",
            "<parse>\n  format_firstline /a/\n  @type multiline\n  format1 /b/\n  format2 /c/\n</parse>\n",
        ),
        ("format x\n<parse>\n@type y\n</parse>", "<parse>\n  @type y\n</parse>\n"),
    ] {
        assert_eq!(made("source", &format!("@type tail\n{flat}")), expected, "{flat}");
    }
}

#[test]
fn parsers_of_third_parties_take_what_they_declare() {
    let flat = "@type parser\nformat grok\nkey_name log\ngrok_pattern %{X}\ncustom_pattern_path p\ntimeout 3\ntimezone +09:00\ntime_format %Y\n<grok>\n  pattern a\n</grok>\n<other>\n</other>\n<grok>\n  pattern b\n</grok>";
    let expected = "<other>\n</other>\n<parse>\n  time_format %Y\n  @type grok\n  grok_pattern %{X}\n  custom_pattern_path p\n  <grok>\n    pattern a\n  </grok>\n  <grok>\n    pattern b\n  </grok>\n</parse>\n";
    assert_eq!(made("filter **", flat), expected);
}

#[test]
fn time_and_tag_become_injected_fields() {
    for (flat, expected) in [
        (
            "include_time_key true\nutc\ntime_format %Y",
            "<inject>\n  time_format %Y\n  time_key time\n  time_type string\n  localtime false\n</inject>\n",
        ),
        ("include_time_key true\ntime_as_epoch true\ntime_key t", "<inject>\n  time_key t\n  time_type unixtime\n</inject>\n"),
        ("include_tag_key yes\ntag_key @log_name", "<inject>\n  tag_key @log_name\n</inject>\n"),
        ("include_tag_key true", "<inject>\n  tag_key tag\n</inject>\n"),
        ("include_tag_key false", "<inject>\n</inject>\n"),
    ] {
        let all = made("filter", &format!("@type stdout\n{flat}"));
        assert!(all.contains(expected), "{flat}\n{all}");
    }
    assert_eq!(made("match", "@type exec\nformat /(?<time>.*)/"), "<extract>\n  time_key time\n  time_type string\n</extract>\n");
}

#[test]
fn formats_become_formatters() {
    let flat = "@type file\nformat csv\nfields a,b\nforce_quotes false";
    assert_eq!(made("match", flat), "<format>\n  @type csv\n  force_quotes false\n  fields a,b\n</format>\n");
}

#[test]
fn nested_outputs_are_reached() {
    let (root, _) =
        apply("<label @a>\n<match **>\n@type copy\n<store>\n@type elasticsearch\nflush_interval 1s\n</store>\n</match>\n</label>");
    let store = &root.children[0].children[0].children[0];
    assert!(store.has_section("buffer"));
    assert!(store.param("flush_interval").is_some_and(|param| param.used.get()), "what went along is not reported as unused");
}
