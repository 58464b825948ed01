//! Configurations in YAML.

use super::super::{Diagnostics, FileType, LoadOptions, ParamValue, Severity, dump, load, render};
use super::{findings, options};

fn yaml(text: &str) -> (Result<String, String>, Diagnostics) {
    let diagnostics = Diagnostics::new();
    let options = LoadOptions { file_type: FileType::Yaml, ..options(text) };
    let result = load(&options, &diagnostics).map(|root| dump(&root)).map_err(|_| render(&diagnostics));
    (result, diagnostics)
}

fn shown(text: &str) -> String {
    let text = yaml(text).0.unwrap_or_else(|why| panic!("{why}"));
    text.trim_start_matches("<ROOT>\n").trim_end_matches("</ROOT>\n").to_owned()
}

#[test]
fn maps_are_sections_and_dollar_names_are_special() {
    let text = "
system:
  log_level: info
config:
  - source:
      tag: a
      $type: forward
      $id: x
      $label: '@L'
      transport:
        $arg: tls
        cert_path: c
  - label:
      $name: '@L'
      config:
        - match:
            $tag: [a.*, b]
            $type: copy
            store:
              - $type: stdout
              - $type: file
                $arg: ignore_error
                buffer: {$arg: [tag, time], timekey: 1h}
  - worker:
      $arg: 0-1
      config:
        - source: {$type: tail}
";
    let expected = "  <system>
    log_level info
  </system>
  <source>
    @type forward
    @label @L
    @id x
    tag a
    <transport tls>
      cert_path c
    </transport>
  </source>
  <label @L>
    <match a.*,b>
      @type copy
      <store>
        @type stdout
      </store>
      <store ignore_error>
        @type file
        <buffer tag,time>
          timekey 1h
        </buffer>
      </store>
    </match>
  </label>
  <worker 0-1>
    <source>
      @type tail
    </source>
  </worker>
";
    assert_eq!(shown(text), expected);
}

#[test]
fn tags_and_merge_keys_are_resolved() {
    let text = "
config:
  - filter:
      $tag: !fluent/s \"#{ENV['NAME']}.**\"
      $type: x
      record: &base
        a: !fluent/s \"<#{ENV['NUMBER']}>\"
        b: \"#{ENV['NAME']}\"
        j: !fluent/json {\"k\": [1, null, 2.50, yes]}
        l: [1, two]
  - filter:
      $type: x
      record:
        <<: *base
        b: 2
        c: |
          one
          two
";
    let expected = "  <filter blue.**>
    @type x
    <record>
      a <42>
      b #{ENV['NAME']}
      j {\"k\":[1,null,2.5,true]}
      l [1,\"two\"]
    </record>
  </filter>
  <filter>
    @type x
    <record>
      a <42>
      b 2
      j {\"k\":[1,null,2.5,true]}
      l [1,\"two\"]
      c one
two

    </record>
  </filter>
";
    assert_eq!(shown(text), expected);
}

#[test]
fn null_and_use_default_are_no_texts() {
    let diagnostics = Diagnostics::new();
    let text = "config:\n  - source:\n      a: null\n      b: !fluent/s \"#{use_default}\"\n      c: !fluent/s \"#{use_nil}\"\n";
    let root = load(&LoadOptions { file_type: FileType::Yaml, ..options(text) }, &diagnostics).expect("is read");
    let values: Vec<&ParamValue> = root.children[0].params.iter().map(|param| &param.value).collect();
    assert_eq!(values, [&ParamValue::Nil, &ParamValue::Default, &ParamValue::Nil]);
}

#[test]
fn what_is_no_configuration_is_refused_with_its_line() {
    for (text, line, part) in [
        ("config:\n  - source:\n      $type: x\n     tag: y\n", 4, "YAML cannot be read"),
        ("config:\n\t- source:\n", 2, "YAML cannot be read"),
        ("", 1, "empty"),
        ("- a\n", 1, "expected a map"),
        ("config:\n  source: {}\n", 2, "'config' is a list"),
        ("config:\n  - sauce: {}\n", 2, "'sauce' is no section"),
        ("config:\n  - source: x\n", 2, "expected a map"),
        ("config:\n  - label:\n      $name: x\n", 3, "'label' needs a list"),
        ("config:\n  - !include http\n  - a\n", 3, "expected a section"),
        ("config: &a\n  - *a\n", 2, "alias"),
        ("config:\n  - source:\n      a: !fluent/s \"#{nope}\"\n", 3, "nope"),
    ] {
        let (result, diagnostics) = yaml(text);
        let errors = findings(&diagnostics, Severity::Error);
        assert!(
            result.is_err() && errors.iter().any(|error| error.starts_with(&format!("{line}: ")) && error.contains(part)),
            "{text}\n{errors:#?}"
        );
    }
}

#[test]
fn aliases_cannot_multiply_without_bound() {
    let mut text = String::from("config:\n  - source: &a0\n      x: {k: v}\n");
    for level in 1..40 {
        let below = level - 1;
        text.push_str(&format!("  - source: &a{level}\n      x: *a{below}\n      y: *a{below}\n"));
    }
    assert!(yaml(&text).0.is_err_and(|why| why.contains("stands for more than")));
}
