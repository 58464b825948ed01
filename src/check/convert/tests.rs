//! Conversions there and back: what shall come of old forms, what is refused, and that the meaning never changes.

use super::*;
use std::cell::Cell;

fn run(text: &str, from: Language, to: Language, inline: bool) -> Converted {
    convert(text, from, to, &LoadOptions::new("test.conf"), inline)
}

#[track_caller]
fn becomes(before: &str, after: &str) {
    let converted = run(before, Language::V1, Language::V1, false);
    assert_eq!(converted.text.as_deref(), Some(after), "{:?}", converted.report);
    // What is modern stays as it is.
    assert_eq!(run(after, Language::V1, Language::V1, false).text.as_deref(), Some(after));
}

/// Code, line and column of what is said.
fn said(before: &str, to: Language) -> Vec<String> {
    let converted = run(before, Language::V1, to, false);
    let place = |found: &crate::check::Found| {
        let (line, column) = found.place.as_ref().map_or((0, 0), |place| (place.line, place.column));
        format!("{} {line}:{column} {}", found.code, found.message)
    };
    assert!(converted.text.is_none() || converted.report.findings.iter().all(|found| found.code == STAYS));
    converted.report.findings.iter().map(place).collect()
}

fn meaning(text: &str, language: Language) -> Vec<String> {
    let diagnostics = Diagnostics::new();
    let root = load(text, language, &LoadOptions::new("test.conf"), &diagnostics)
        .unwrap_or_else(|| panic!("{text}\n{:?}", diagnostics.findings()));
    proof::form(&root).into_iter().map(|(line, _)| line).collect()
}

#[test]
fn flat_parameters_go_to_their_sections_with_their_comments() {
    becomes(
        r##"# All of it.
<source>
  # Of the source.
  type tail   # the type
  path /var/log/a.log
  # How lines look.
  format /^(?<a>\d+) (?<b>.*)$/   # two fields
  types a:integer
  time_format "%Y #{ENV['X']}"
  id one
  tag a
</source>

include other.conf
<match a>
  @type file
  path /tmp/a
  # Chunks are small.
  buffer_chunk_limit 8m
  time_slice_format %Y%m%d%H
  flush_interval 5s
  format json
</match>
<match b>
  @type rewrite_tag_filter
  rewriterule2 b !^x$ c.$1
  # First.
  rewriterule1 a ^(.*)$ b.$1
</match>
"##,
        r##"# All of it.
<source>
  # Of the source.
  @type tail # the type
  path /var/log/a.log
  @id one
  tag a
  <parse>
    @type regexp
    # How lines look.
    expression /^(?<a>\d+) (?<b>.*)$/ # two fields
    time_format "%Y #{ENV['X']}"
    types a:integer
  </parse>
</source>

@include other.conf
<match a>
  @type file
  path /tmp/a
  time_slice_format %Y%m%d%H
  <format>
    @type json
  </format>
  <buffer time>
    flush_interval 5s
    # Chunks are small.
    chunk_limit_size 8m
    flush_mode interval
    timekey 3600
  </buffer>
</match>
<match b>
  @type rewrite_tag_filter
  # First.
  <rule>
    key a
    pattern /^(.*)$/
    tag b.$1
  </rule>
  <rule>
    key b
    pattern /^x$/
    tag c.$1
    invert true
  </rule>
</match>
"##,
    );
}

#[test]
fn values_keep_their_quotes_and_repeated_parameters_become_comments() {
    becomes(
        "<match \"a.#{1}\" >\n@type copy\n<store ignore_error> # s\n  @type stdout\n  format json\n\n\n  format 'hash' # c\n</store> # e\n</match>\n",
        "<match \"a.#{1}\">\n  @type copy\n  <store ignore_error> # s\n    @type stdout\n    # format json\n\n    <format>\n      @type 'hash' # c\n    </format>\n  </store> # e\n</match>\n",
    );
}

#[test]
fn yaml_says_the_same_and_comes_back() {
    let conf = r##"# About the file.

<system>
  log_level debug
  <log>
    format json
  </log>
</system>

# Comes in.
<source>
  @type forward
  port "#{ENV['PORT'] || 24224}" # where
  bind 0x10
  <security>
    shared_key "a\"b#{hostname}\\"
    self_hostname yes
    <client>
      host 10.0.0.1
    </client>
    # The other.
    <client>
      network 010
    </client>
  </security>
</source>
<filter a b.**>
  @type record_transformer
  remove_keys ["a","b"]
  <record>
    time ${time.strftime('%s')}
    12:30 1_000
    text "two
lines"
  </record>
</filter>
<label @X>
  <match **>
    @type copy
    <store>
      @type null
    </store>
    <store>
      @type stdout
    </store>
  </match>
</label>
"##;
    let yaml = run(conf, Language::V1, Language::Yaml, false);
    let yaml = yaml.text.unwrap_or_else(|| panic!("{:?}", yaml.report));
    assert!(yaml.starts_with("# About the file.\n\nsystem:\n  log_level: debug\n  log:\n    format: json\n"), "{yaml}");
    assert!(
        yaml.contains(
            "config:\n  # Comes in.\n  - source:\n      $type: forward\n      port: !fluent/s \"#{ENV['PORT'] || 24224}\" # where\n"
        ),
        "{yaml}"
    );
    assert!(yaml.contains("- host: '10.0.0.1'\n          # The other.\n          - network: '010'\n"), "{yaml}");
    assert_eq!(meaning(&yaml, Language::Yaml), meaning(conf, Language::V1));
    let back = run(&yaml, Language::Yaml, Language::V1, false);
    let back = back.text.unwrap_or_else(|| panic!("{:?}", back.report));
    assert_eq!(meaning(&back, Language::V1), meaning(conf, Language::V1));
    for comment in ["# About the file.", "# Comes in.", "# where", "# The other."] {
        assert!(back.contains(comment), "{comment}: {back}");
    }
    assert!(back.contains("port \"#{ENV['PORT'] || 24224}\" # where\n"), "{back}");
}

#[test]
fn what_yaml_alone_has_is_resolved_on_the_way_back() {
    let yaml = "system: {workers: 2}\nconfig:\n  - source: &s # here\n      $type: sample\n      tag: a\n      size: 0x10\n      auto_increment_key: null\n  # Again.\n  - source:\n      <<: *s\n      tag: !fluent/s \"b.#{1}\\\\n\"\n  - match: {$tag: [a, b.*], $type: stdout, format: {$type: json}}\n  - filter: {$type: record_transformer, remove_keys: [x, 'y z'], record: {j: !fluent/json {a: [1, true]}}}\n";
    let back = run(yaml, Language::Yaml, Language::V1, false);
    let text = back.text.unwrap_or_else(|| panic!("{:?}", back.report));
    assert_eq!(meaning(&text, Language::V1), meaning(yaml, Language::Yaml));
    assert!(
        text.contains("# Again.\n") && text.contains("size 16\n") && text.contains("<match a,b.*>") && text.contains("# here"),
        "{text}"
    );
}

#[test]
fn the_old_syntax_has_no_quotes() {
    let v0 = "<source>\n  type tcp # t\n  port 1\n  tag a\n  format /^(?<a>x)$/\n</source>\n<match **>\n  type stdout\n</match>\n";
    let v1 = run(v0, Language::V0, Language::V1, false);
    let text = v1.text.unwrap_or_else(|| panic!("{:?}", v1.report));
    assert!(text.contains("@type tcp # t\n") && text.contains("<parse>\n    @type regexp\n    expression /^(?<a>x)$/\n"), "{text}");
    let again = run(&text, Language::V1, Language::V0, false);
    assert!(again.text.is_some_and(|text| text.contains("    type regexp\n") && !text.contains('@')), "{:?}", again.report);
    let refused =
        said("<match a>\n  @type relabel\n  @label \"#{1}\"\n</match>\n<match b>\n  @type null\n  x \"a # b\"\n</match>\n", Language::V0);
    let places: Vec<&str> = refused.iter().map(|said| &said[..11]).collect();
    assert_eq!(places, ["FLM0911 3:3", "FLM0911 3:3", "FLM0911 7:3"], "{refused:?}");
}

#[test]
fn what_cannot_be_carried_over_is_named() {
    let yaml = said(
        "@include x.conf\n<match a>\n  @type stdout\n  @include y.conf\n</match>\n<source x>\n  @type dummy\n  tag a\n</source>\nbare 1\n",
        Language::Yaml,
    );
    let places: Vec<&str> = yaml.iter().map(|said| said.split_whitespace().nth(1).unwrap()).collect();
    assert_eq!(places, ["1:1", "4:3", "6:1", "10:1"], "{yaml:?}");
    let broken = said("<match a>\n  @type stdout\n", Language::V1);
    assert!(broken[0].starts_with("FLM0102"), "{broken:?}");
    // What depends on the environment stays flat, and the rest becomes modern.
    let flat = "<match a>\n  type file\n  path /tmp/a\n  time_slice_format \"%Y%m%d#{ENV['NOWHERE']}\"\n</match>\n";
    let stays = said(flat, Language::V1);
    assert!(stays.len() == 1 && stays[0].starts_with("FLM0912 4:3"), "{stays:?}");
    assert!(
        run(flat, Language::V1, Language::V1, false).text.is_some_and(|text| text.contains("  @type file\n") && !text.contains("<buffer"))
    );
}

#[test]
fn included_files_come_in_where_that_is_asked_for() {
    let folder = std::env::temp_dir().join(format!("flumen-convert-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("parts")).unwrap();
    std::fs::write(folder.join("parts/a.conf"), "# Part.\n<match a>\n  type null\n  @include ../inner.txt\n</match>\n").unwrap();
    std::fs::write(folder.join("inner.txt"), "never_flush true\n").unwrap();
    std::fs::write(folder.join("flat.txt"), "buffer_type memory\n").unwrap();
    let text = "@include parts/*.conf # here\n<match b>\n  type file\n  path /tmp/x\n  @include flat.txt\n</match>\n";
    let source = LoadOptions::new(folder.join("main.conf"));
    let kept = convert(text, Language::V1, Language::V1, &source, false);
    let kept_text = kept.text.unwrap();
    assert!(
        kept_text.contains("@include parts/*.conf # here\n") && kept_text.contains("  @type file\n") && !kept_text.contains("<buffer"),
        "{kept_text}"
    );
    let inlined = convert(text, Language::V1, Language::V1, &source, true).text.unwrap();
    let expected = "# here\n# Part.\n<match a>\n  @type null\n  never_flush true\n</match>\n<match b>\n  @type file\n  path /tmp/x\n  <buffer time>\n    @type memory\n    timekey 86400\n  </buffer>\n</match>\n";
    assert_eq!(inlined, expected);
    assert!(convert(text, Language::V1, Language::Yaml, &source, true).text.is_some());
    std::fs::remove_dir_all(&folder).unwrap();
}

/// The configurations that ship.
fn shipped() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf");
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let conf = paths.filter(|path| path.extension().is_some_and(|extension| extension == "conf"));
    conf.map(|path| (path.display().to_string(), std::fs::read_to_string(&path).unwrap())).collect()
}

#[test]
fn every_configuration_that_ships_is_converted_and_comes_back() {
    let all = shipped();
    assert!(all.len() > 10);
    for (name, text) in all {
        let source = LoadOptions::new(&name);
        let to = |text: &str, from, to| {
            let converted = convert(text, from, to, &source, false);
            assert!(converted.report.findings.iter().all(|found| found.code == STAYS), "{name}: {:?}", converted.report);
            converted.text.unwrap()
        };
        let expected = meaning(&text, Language::V1);
        let v1 = to(&text, Language::V1, Language::V1);
        assert_eq!(meaning(&v1, Language::V1), expected, "{name}");
        let yaml = to(&text, Language::V1, Language::Yaml);
        assert_eq!(meaning(&yaml, Language::Yaml), expected, "{name}");
        let back = to(&yaml, Language::Yaml, Language::V1);
        assert_eq!(meaning(&back, Language::V1), expected, "{name}");
        // No comment is lost on the way.
        let comments = |text: &str| {
            text.lines().filter(|line| line.trim_start().starts_with('#')).map(|line| line.trim().to_owned()).collect::<Vec<_>>()
        };
        for comment in comments(&text) {
            assert!(v1.contains(&comment) && yaml.contains(&comment) && back.contains(&comment), "{name}: {comment}");
        }
    }
}

#[test]
fn no_mutation_of_a_configuration_changes_its_meaning() {
    let pieces = [
        "<",
        ">",
        "\n",
        " ",
        "\"",
        "'",
        "#",
        "#{1}",
        "\\",
        "[",
        "{",
        "type x\n",
        "format json\n",
        "\n# c\n",
        "@include x\n",
        "buffer_type file\n",
        "utc\n",
    ];
    let all = shipped();
    // The same in each run, so that a failure can be looked into.
    let state = Cell::new(0x2545_f491_4f6c_dd1du64);
    let pick = |below: usize| {
        state.set(state.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407));
        ((state.get() >> 33) % below as u64) as usize
    };
    let mut converted = 0;
    for _ in 0..600 {
        let mut text = all[pick(all.len())].1.clone();
        for _ in 0..=pick(2) {
            let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
            let at = places[pick(places.len())];
            match pick(3) {
                0 => drop(text.remove(at)),
                1 => text.insert_str(at, pieces[pick(pieces.len())]),
                _ => {
                    let line = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
                    let end = text[at..].find('\n').map_or(text.len(), |newline| at + newline);
                    text.replace_range(line..end, "");
                }
            }
        }
        for to in [Language::V1, Language::Yaml, Language::V0] {
            let result = run(&text, Language::V1, to, false);
            converted += usize::from(result.text.is_some());
            let changed = result.report.findings.iter().find(|found| found.code == CHANGED);
            assert!(changed.is_none(), "{to:?}: {changed:?}\n{text}");
        }
    }
    assert!(converted > 200, "only {converted}");
}

#[test]
fn deprecated_names_become_the_present_ones() {
    becomes(
        "<source>\n  @type dummy\n  tag a\n  # What it makes.\n  dummy {\"a\":1}   # one\n</source>\n<source>\n  @type udp\n  tag b\n  body_size_limit 2k\n  <parse>\n    @type csv\n    keys a\n    parser_type fast\n  </parse>\n</source>\n<source>\n  @type syslog\n  tag c\n  priority_key level\n</source>\n",
        "<source>\n  @type sample\n  tag a\n  # What it makes.\n  sample {\"a\":1} # one\n</source>\n<source>\n  @type udp\n  tag b\n  message_length_limit 2k\n  <parse>\n    @type csv\n    keys a\n    parser_engine fast\n  </parse>\n</source>\n<source>\n  @type syslog\n  tag c\n  severity_key level\n</source>\n",
    );
}

#[test]
fn numbered_conditions_of_grep_become_sections() {
    becomes(
        "<filter **>\n  @type grep\n  exclude1 path ^/health   # probes\n  # Errors only.\n  regexp2 level ^(ERROR|WARN)$\n  regexp1 host web-\\d+\n</filter>\n",
        "<filter **>\n  @type grep\n  <exclude> # probes\n    key path\n    pattern /^\\/health/\n  </exclude>\n  <regexp>\n    key host\n    pattern /web-\\d+/\n  </regexp>\n  # Errors only.\n  <regexp>\n    key level\n    pattern /^(ERROR|WARN)$/\n  </regexp>\n</filter>\n",
    );
    for (stays, line) in [
        ("  regexp1 path /a/\n", 3),
        ("  regexp1 path\n", 3),
        ("  regexp1 path a\n  <exclude>\n    key b\n    pattern /x/\n  </exclude>\n", 3),
    ] {
        let text = format!("<filter **>\n  @type grep\n{stays}</filter>\n");
        assert!(said(&text, Language::V1).iter().any(|found| found.contains(&format!("{line}:3 'regexp1' stays as it is"))), "{stays}");
        let converted = run(&text, Language::V1, Language::V1, false).text;
        assert!(converted.is_some_and(|converted| converted.contains("regexp1 path")), "{stays}");
    }
}
