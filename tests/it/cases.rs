//! `flumen test`: cases of configurations, what they answer, and what `--update` writes.

use crate::support::TempDir;
use std::fs;
use std::path::Path;
use std::process::Command;

const CONFIG: &str = r#"
<source>
  @type forward
</source>
<filter app.**>
  @type parser
  key_name log
  reserve_data true
  reserve_time true
  <parse>
    @type json
  </parse>
</filter>
<match app.**>
  @type copy
  <store>
    @type elasticsearch
    @id es
    host nowhere.example
    <buffer>
      @type file
      path /nowhere/buffer
      flush_interval 10s
    </buffer>
  </store>
  <store>
    @type s3
    s3_bucket logs
    path logs
    <buffer time>
      timekey 60
      timekey_wait 5
    </buffer>
  </store>
</match>
"#;

fn test(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flumen"));
    command.arg("test").args(arguments).current_dir(folder).env_clear().env("PATH", "/usr/bin:/bin");
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// Runs cases of a configuration.
fn cases(config: &str, cases: &str) -> (i32, String, String) {
    let folder = TempDir::new();
    fs::write(folder.path().join("a.conf"), config).unwrap();
    fs::write(folder.path().join("a.test.yaml"), format!("cases:\n{cases}")).unwrap();
    test(folder.path(), &["-c", "a.conf"])
}

#[track_caller]
fn passes(config: &str, text: &str) {
    let (code, out, _) = cases(config, text);
    assert_eq!(code, 0, "{out}");
}

#[test]
fn the_cases_that_ship_pass_and_none_is_taken_for_a_configuration() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (code, out, _) = test(root, &["conf"]);
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("conf/docker-elasticsearch.test.yaml") && out.contains(", 0 failed"), "{out}");
    assert_eq!(test(root, &["-c", "conf/docker-long-lines.conf"]).0, 0);
    let check = Command::new(env!("CARGO_BIN_EXE_flumen")).args(["check", "--no-fs", "conf"]).current_dir(root).output().unwrap();
    assert_eq!(check.status.code(), Some(0), "{}", String::from_utf8_lossy(&check.stdout));
}

#[test]
fn the_example_of_the_readme_does_what_it_says() {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let section = readme.split("### Testing configurations").nth(1).unwrap();
    let block = |kind: &str| section.split(&format!("```{kind}\n")).nth(1).unwrap().split("```").next().unwrap();
    let folder = TempDir::new();
    fs::write(folder.path().join("fluent.conf"), block("apache")).unwrap();
    fs::write(folder.path().join("fluent.test.yaml"), block("yaml")).unwrap();
    let (code, out, _) = test(folder.path(), &["-c", "fluent.conf"]);
    assert_eq!(format!("$ flumen test -c fluent.conf\n{out}"), block("text"));
    assert_eq!(code, 1);
}

#[test]
fn differences_are_shown_and_answered_with_1() {
    let (code, out, err) = cases(
        CONFIG,
        r#"
  - name: fields
    input:
      - {tag: app.web, record: {log: '{"level":"info","took":12}'}}
      - {tag: app.db, record: {log: '{"level":"warn"}'}}
    expect:
      es:
        - tag: app.web
          record: {log: !any , level: info, took: "12", user: bob}
        - contains: {level: !regexp '/^w/'}
      'match app.** store 2': 3
  - name: others
    input: [{tag: db, record: {}}]
    expect: {}
"#,
    );
    let expected = r#"a.test.yaml
  FAIL  fields
        es: event 1 of 2 differs (a.test.yaml:8:7)
            - tag: app.web
              record:
                log: "{\"level\":\"info\",\"took\":12}"
                level: "info"
          -     took: "12"
          +     took: 12
          -     user: "bob"
            - {tag: app.db, record: {log: "{\"level\":\"warn\"}", level: "warn"}}
        match app.** store 2: expected 3 events, got 2 (a.test.yaml:12:7)
          + - {tag: app.web, record: {log: "{\"level\":\"info\",\"took\":12}", level: "info", took: 12}}
          + - {tag: app.db, record: {log: "{\"level\":\"warn\"}", level: "warn"}}
  FAIL  others
        unmatched: 1 event that the case does not expect (a.test.yaml:15:13)
          + - {tag: db, record: {}}
2 cases: 0 passed, 2 failed
"#;
    assert_eq!((code, out.as_str(), err.as_str()), (1, expected, ""));
}

#[test]
fn time_passes_only_where_a_case_says() {
    // Intervals, time slices (12:00 to 12:01, and five seconds), and what is given at the end.
    let began = std::time::Instant::now();
    passes(
        CONFIG,
        r#"
  - name: buffers
    input:
      - {tag: app.web, record: {log: '{}'}}
      - {tag: app.web, record: {log: '{}'}, time: 2024-01-01T12:01:30Z}
      - advance: 9s
      - expect: {es: []}
      - advance: 2s
      - expect: {es: 2}
      - advance: 53s
      - expect: {s3: 0}
      - advance: 3s
      - expect: {s3: [{time: 2024-01-01T12:00:00Z}]}
      - advance: 1h
      - expect: {s3: [{time: 2024-01-01T12:01:30Z}]}
      - {tag: app.web, record: {log: 'x'}}
    expect: {es: 1, s3: [{time: 2024-01-01T13:01:07Z}], '@ERROR': [{error: 'ParserError'}]}
"#,
    );
    assert!(began.elapsed().as_secs() < 30, "it was waited for");
    let concat = "<source>\n  @type sample\n  tag t\n  @label @IN\n</source>\n<label @IN>\n  <filter **>\n    @type concat\n    key log\n    \
                  multiline_start_regexp /^S/\n    flush_interval 3\n    timeout_label @OUT\n  </filter>\n  <match **>\n    @type stdout\n  \
                  </match>\n</label>\n<label @OUT>\n  <match **>\n    @type null\n  </match>\n</label>\n";
    passes(
        concat,
        r#"
  - name: what is not followed is let go in time
    input:
      - {tag: t, records: [{log: S1}, {log: more}, {log: S2}]}
      - expect: {stdout: [{record: {log: "S1\nmore"}}]}
      - advance: 2s
      - expect: {'null': []}
      - advance: 3s
      - expect: {'@OUT match **': [{record: {log: S2}}]}
"#,
    );
}

#[test]
fn texts_of_sources_are_parsed_by_them() {
    let config = r#"
<source>
  @type tail
  @id java
  path /var/log/java/*.log
  tag java.*
  path_key file
  multiline_flush_interval 4s
  <parse>
    @type multiline
    format_firstline /^\d/
    format1 /^(?<number>\d+) (?<text>.*)/
  </parse>
</source>
<source>
  @type tcp
  tag tcp
  source_address_key peer
  <parse>
    @type regexp
    expression /^(?<a>\w+) (?<b>\w+)$/
  </parse>
</source>
<source>
  @type udp
  @id datagrams
  tag udp
  <parse>
    @type none
  </parse>
</source>
<source>
  @type syslog
  tag sys
</source>
<source>
  @type http
  add_http_headers true
</source>
<source>
  @type forward
  @label @IN
</source>
<label @IN>
  <match **>
    @type stdout
    @id labelled
  </match>
</label>
<match **>
  @type stdout
  @id out
</match>
"#;
    passes(
        config,
        r#"
  - name: tail puts lines together
    input:
      - source: java
        path: /var/log/java/a.log
        lines: |
          1 one
            more
          2 two
      - expect: {out: [{tag: java.var.log.java.a.log, record: {number: "1", text: "one\n  more", file: /var/log/java/a.log}}]}
      - advance: 5s
      - expect: {out: [{contains: {number: "2"}}]}
  - name: sockets
    input:
      - {source: tcp, from: 10.1.2.3, lines: [a b, nonsense]}
      - {source: datagrams, lines: "x y\nz"}
      - {source: syslog, lines: ['<14>Feb  3 04:05:06 host app[7]: hello']}
    expect:
      tag tcp: [{record: {a: a, b: b, peer: 10.1.2.3}}]
      tag udp: [{record: {message: x y}}, {record: {message: z}}]
      tag sys.**: [{tag: sys.user.info, time: 2024-02-03T04:05:06Z, record: {host: host, ident: app, pid: "7", message: hello}}]
  - name: requests
    input:
      - {source: http, path: /web.shop?time=1000, headers: {x-client: shop}, body: '[{"a":1},{"a":2}]'}
      - {source: http, path: /form, headers: {content-type: application/x-www-form-urlencoded}, body: 'json=%7B%22b%22%3A3%7D'}
    expect:
      out:
        - {tag: web.shop, time: 1000, contains: {a: 1, HTTP_X_CLIENT: shop}}
        - {tag: web.shop, time: 1000, contains: {a: 2}}
        - {tag: form, contains: {b: 3}}
  - name: events enter where their source leads
    input:
      - {source: forward, tag: t, record: {}}
      - {label: '@IN', tag: t, record: {}}
      - {tag: t, record: {}}
    expect: {labelled: 2, out: 1}
"#,
    );
    let (code, out, _) =
        cases(config, "  - {name: f, input: [{source: forward, lines: x}, {source: http, lines: x}, {source: java, lines: x}]}\n");
    assert_eq!(code, 1);
    for said in ["a source of type forward takes no texts here", "which tag? A request has 'path'", "which file?"] {
        assert!(out.contains(said), "{out}");
    }
}

#[test]
fn an_update_writes_what_came_and_keeps_the_rest() {
    let folder = TempDir::new();
    let (config, file) = (folder.path().join("fluent.conf"), folder.path().join("web.test.yaml"));
    fs::write(&config, CONFIG).unwrap();
    let before = r#"# Cases.
config: fluent.conf
cases:
  # The first.
  - name: changed
    input:
      - {tag: app.web, record: {log: '{"level":"info"}', n: 1}}
      - {tag: app.web, record: {log: '{"level":"warn"}', n: 2}}
      - {tag: app.web, record: {log: '{"level":"error"}', n: 3}}
    expect:
      # On the cluster.
      es:
        - tag: app.db       # the tag
          contains:
            level: debug    # the level
            n: 1
        - contains: {level: warn}  # as it is
      s3: 2
  - name: new
    input:
      - {tag: app.web, record: {log: no}, time: 1000.5}
      - {tag: 'odd: tag', record: {a b: 'yes'}}
  - name: gone
    input: [{tag: app.web, record: {log: '{}'}}]
    expect:
      es: [{contains: {log: !regexp '^x'}}]
      'tag app.**': {order: any, events: [{record: {log: '{}', more: 1}}, {}]}
      s3: []
      '@ERROR': [{tag: x}]
"#;
    let after = r#"# Cases.
config: fluent.conf
cases:
  # The first.
  - name: changed
    input:
      - {tag: app.web, record: {log: '{"level":"info"}', n: 1}}
      - {tag: app.web, record: {log: '{"level":"warn"}', n: 2}}
      - {tag: app.web, record: {log: '{"level":"error"}', n: 3}}
    expect:
      # On the cluster.
      es:
        - tag: app.web       # the tag
          contains:
            level: info    # the level
            n: 1
        - contains: {level: warn}  # as it is
        - tag: app.web
          record:
            log: "{\"level\":\"error\"}"
            n: 3
            level: error
      s3: 3
  - name: new
    input:
      - {tag: app.web, record: {log: no}, time: 1000.5}
      - {tag: 'odd: tag', record: {a b: 'yes'}}
    expect:
      es:
        - tag: app.web
          time: "1970-01-01T00:16:40.5Z"
          record:
            log: no
      match app.** store 2:
        - tag: app.web
          time: "1970-01-01T00:16:40.5Z"
          record:
            log: no
      "@ERROR":
        - tag: app.web
          time: "1970-01-01T00:16:40.5Z"
          record:
            log: no
          error: "Fluent::Plugin::Parser::ParserError: pattern not matched with data 'no'"
      unmatched:
        - tag: "odd: tag"
          record:
            a b: "yes"
  - name: gone
    input: [{tag: app.web, record: {log: '{}'}}]
    expect:
      es: [{contains: {log: "{}"}}]
      'tag app.**': {order: any, events: [{record: {log: "{}"}}, {}]}
      s3:
        - tag: app.web
          record:
            log: "{}"
      '@ERROR': []
"#;
    fs::write(&file, before).unwrap();
    let (code, out, _) = test(folder.path(), &["web.test.yaml"]);
    assert_eq!(code, 1, "{out}");
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
    let (code, out, err) = test(folder.path(), &["--update", "web.test.yaml"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), after.replace("log: no\n", "log: \"no\"\n"));
    assert_eq!((code, err.as_str()), (0, "flumen test: web.test.yaml is updated\n"), "{out}");
    // There is nothing more to do.
    assert_eq!(test(folder.path(), &["--update", "web.test.yaml"]), (0, out, String::new()));
}

#[test]
fn faults_are_said_with_their_places_and_answered_with_2() {
    let faults = |text: &str| {
        let (code, out, _) = cases(CONFIG, text);
        assert_eq!(code, 2, "{out}");
        let places: Vec<String> =
            out.lines().filter_map(|line| line.trim_start().strip_prefix("--> a.test.yaml:")).map(str::to_owned).collect();
        (places.join(" "), out)
    };
    let (places, out) = faults("  - {nmae: x, input: [{tag: a, recrod: {}}], expect: {es: [{contians: {}}], s3: x}}\n");
    assert_eq!(places, "2:6 2:23 2:32 2:61 2:81", "{out}");
    assert!(out.contains("did you mean 'contains'?") && out.contains("did you mean 'record'?"), "{out}");
    let (places, out) =
        faults("  - {input: [{source: q, lines: x}, {label: '@X', tag: a, record: {}}], expect: {ess: 1, 'a.conf:3': 0}}\n");
    assert_eq!(places, "2:23 2:45 2:82 2:90", "{out}");
    assert!(out.contains("there is no output \"ess\": did you mean \"es\"?"), "{out}");
    let (places, _) = faults("  - {input: [{advance: 5}, {advance: 99d}, {lines: x}, {tag: a}, {tag: a, record: 1}]}\n");
    assert_eq!(places, "2:24 2:38 2:44 2:56 2:83");
    let (places, _) = faults("  - {input: []}\n  - a\n  - {a: 1, a: 2}\n");
    assert_eq!(places, "4:12");
    let (places, _) = faults("  - [\n");
    assert_eq!(places, "3:1");
    // A configuration with faults, or one whose filters are not run.
    let broken = cases("<match **>\n  @type stdot\n</match>\n", "  - {input: []}\n");
    assert_eq!(broken.0, 2);
    assert!(broken.1.contains("--> a.conf:2:9"), "{}", broken.1);
    let (code, out, _) = cases("<filter **>\n  @type kubernetes_metadata\n</filter>\n", "  - {input: []}\n");
    assert_eq!(code, 2);
    assert!(out.contains("FLM0904: the filter 'kubernetes_metadata' is known and not run here") && out.contains("a.conf:1:1"), "{out}");
}

#[test]
fn arguments_choose_files_and_cases() {
    let folder = TempDir::new();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("a.conf", "<match **>\n  @type stdout\n  @id \"#{ENV['NAME']}\"\n</match>\n");
    let case = |name: &str| format!("  - {{name: {name}, input: [{{tag: t, record: {{}}}}], expect: {{out: 1}}}}\n");
    write("one.test.yaml", &format!("config: a.conf\nenv: {{NAME: out}}\ncases:\n{}{}", case("first"), case("second")));
    write("two.test.yml", &format!("config: a.conf\ncases:\n{}", case("third")));
    write("env", "NAME=out\n");
    let count = |arguments: &[&str]| {
        let (code, out, err) = test(folder.path(), arguments);
        (code, out.lines().last().unwrap_or_default().to_owned() + &err)
    };
    let passed = |count: usize| (0, format!("{count} case{}: {count} passed, 0 failed", if count == 1 { "" } else { "s" }));
    assert_eq!(count(&["--env-file", "env", "."]), passed(3));
    assert_eq!(count(&["--env-file", "env", "*.test.y*"]), passed(3));
    assert_eq!(count(&["one.test.yaml", "one.test.yaml"]), passed(2));
    assert_eq!(count(&["one.test.yaml", "--filter", "sec"]), passed(1));
    for arguments in
        [&["nowhere.yaml"][..], &[], &["-c", "a.conf"], &["--filter", "x", "one.test.yaml"], &["--frmat", "x"], &["--format", "x"]]
    {
        assert_eq!(count(arguments).0, 2, "{arguments:?}");
    }
    let (code, out, _) = test(folder.path(), &["--format", "json", "--env-file", "env", "."]);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, 0);
    assert_eq!(json["files"][0]["cases"][1]["name"], "second");
    assert_eq!(json["files"][1]["cases"][0]["passed"], true);
    write(
        "three.test.yaml",
        "config: a.conf\nenv: {NAME: out}\ncases:\n  - {name: <a>, input: [{tag: t, record: {}}], expect: {out: 2}}\n",
    );
    let (code, out, _) = test(folder.path(), &["--format", "junit", "three.test.yaml"]);
    assert_eq!(code, 1);
    assert!(out.contains("tests=\"1\" failures=\"1\" errors=\"0\"") && out.contains("name=\"&lt;a&gt;\""), "{out}");
    assert!(out.contains("<failure message=\"out: expected 2 events, got 1\">+ - {tag: t, record: {}}</failure>"), "{out}");
}
