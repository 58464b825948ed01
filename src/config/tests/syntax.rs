//! The v1 and v0 syntax: what each way of writing something is read as.

use super::super::{Diagnostics, LoadOptions, ParamValue, dump, load, v0, v1};
use super::{assert_errors, read, shown, warnings};

/// The value of `k` in a text.
fn value(text: &str) -> String {
    match &read(text).param("k").expect("k is there").value {
        ParamValue::Text(text) => text.clone(),
        other => format!("{other:?}"),
    }
}

#[test]
fn unquoted_values_end_at_blanks_and_comments() {
    for (text, expected) in [
        ("k v", "v"),
        ("k   a b\tc \t", "a b\tc"),
        ("k v#c", "v#c"),
        ("k v #c", "v"),
        ("k v\t# c", "v"),
        ("k /a #b/", "/a"),
        ("k # c", "# c"),
        ("k # c # d", "# c"),
        ("k", ""),
        ("k  \n", ""),
        ("k\r\nx y", ""),
        ("k \\d\\n", "\\d\\n"),
        ("k a \"b\" 'c'", "a \"b\" 'c'"),
        ("k #{1 + 1}", "#{1 + 1}"),
        ("k x#{1}", "x#{1}"),
        ("k v\rx y", "v"),
        ("k\rv", "v"),
        ("k a\\\nx b", "a\\"),
        ("k \u{3000}v\u{a0}", "\u{3000}v\u{a0}"),
    ] {
        assert_eq!(value(text), expected, "{text:?}");
    }
}

#[test]
fn double_quotes_have_escapes() {
    for (text, expected) in [
        (r#"k "a b""#, "a b"),
        (r#"k """#, ""),
        (r#"k " a " # c"#, " a "),
        (r#"k "\"\'\\""#, "\"'\\"),
        (r#"k "\r\n\t\f\b\0""#, "\r\n\t\u{c}\u{8}\0"),
        (r##"k "\#{x} \/\.\$""##, "#{x} /.$"),
        ("k \"a\nb\"", "a\nb"),
        ("k \"a\\\n  b\"", "a  b"),
        ("k \"a\n\n\nb\"", "a\n\n\nb"),
        ("k \"a # b\"", "a # b"),
        ("k \"# \"", "# "),
        ("k \"'\"", "'"),
        ("k \"é漢\"", "é漢"),
    ] {
        assert_eq!(value(text), expected, "{text:?}");
    }
}

#[test]
fn single_quotes_have_two_escapes() {
    for (text, expected) in [
        (r"k 'a \n \t'", r"a \n \t"),
        (r"k 'it\'s'", "it's"),
        (r"k '\\d'", r"\d"),
        ("k '#{1}'", "#{1}"),
        ("k ''", ""),
        ("k '\"' # c", "\""),
    ] {
        assert_eq!(value(text), expected, "{text:?}");
    }
}

#[test]
fn json_is_read_over_lines_and_written_compactly() {
    for (text, expected) in [
        ("k [1, 2]", "[1,2]"),
        ("k {\"a\" : {\"b\":[]}, \"c\":null}", r#"{"a":{"b":[]},"c":null}"#),
        ("k [\n  1, # one\n  2 # two\n]", "[1,2]"),
        ("k [ # c ] \n 1\n]", "[1]"),
        ("k {\"a\": 1, # c, d\n \"b\":\n 2}", r#"{"a":1,"b":2}"#),
        ("k {\"a\":\"x # y\", \"b\":\"[{\"}", r##"{"a":"x # y","b":"[{"}"##),
        ("k [1, /* c */ 2] # d", "[1,2]"),
        ("k [1 // c\n]", "[1]"),
        ("k [1e3, 1E-2, -0.0, 1.0, 12345678901234567890, -0]", "[1000.0,0.01,-0.0,1.0,12345678901234567890,0]"),
        ("k [1e15, 1e-5, 1.5e300, 0.0001]", "[1.0e+15,1.0e-05,1.5e+300,0.0001]"),
        (r#"k ["\n\"\\\/\u00e9\u0001\ud83d\ude00\d"]"#, r#"["\n\"\\/é\u0001😀d"]"#),
        (r#"k {"a":1,"b":2,"a":3}"#, r#"{"a":3,"b":2}"#),
        ("k [\"#{ENV['NAME']}\", \"#\", \"#{}\"]", r##"["blue","#","#{}"]"##),
        ("k {\"n\":#{ENV['NUMBER']}, \"m\":[#{ENV['NUMBER']}]}", r#"{"n":42,"m":[42]}"#),
    ] {
        assert_eq!(value(text), expected, "{text:?}");
    }
}

#[test]
fn what_is_not_json_is_refused() {
    for text in [
        "k [a-z]+",
        "k {a:b}",
        "k [1,]",
        "k {\"a\":1,}",
        "k [01]",
        "k [1.]",
        "k [NaN]",
        "k ['a']",
        "k {\"a\" 1}",
        "k {1:2}",
        "k [\"a\nb\"]",
        "k [\n1,\n# alone\n2]",
        "k [[1, # deep\n2]]",
        "k [1, 2",
        "k [\"\\ud83d\"]",
        "k [1 # c",
    ] {
        assert_errors(text, &[(if text.contains("\n1,\n") { 3 } else { 1 }, "got incomplete JSON")]);
    }
    assert_errors("k {\"a\":#{use_nil}}", &[(1, "got incomplete JSON hash configuration")]);
    assert_errors(&format!("k {}{}", "[".repeat(101), "]".repeat(101)), &[(1, "got incomplete JSON array configuration")]);
}

#[test]
fn keys_can_be_quoted() {
    let text = "\"a b\" 1\n'c d' 2\n\"#{ENV['NAME']}_x\" 3\ne#f 4\nk: 5\n[x] 6\n'' 7\n\"q\"\n";
    assert_eq!(shown(text), "a b 1\nc d 2\nblue_x 3\ne#f 4\nk: 5\n[x] 6\n 7\nq ");
    assert_errors("\"a\"b", &[(1, "expected a blank")]);
}

#[test]
fn a_repeated_key_keeps_its_place_and_gets_the_last_value() {
    assert_eq!(shown("a 1\nb 2\na 3"), "a 3\nb 2");
    assert_eq!(warnings("a 1\nb 2\na 3"), ["3: 'a' is given more than once in <ROOT>: the last value counts"]);
}

#[test]
fn section_arguments_are_trimmed_or_quoted() {
    for (text, expected) in [
        ("<match a.** b>\n</match>", "a.** b"),
        ("<match  a,  b  >\n</match>", "a,  b"),
        ("<match\n>\n</match>", ""),
        ("<match a # c\n # d\n>\n</match>", "a"),
        ("<match a#b># c\n</match> # d", "a#b"),
        ("<match \"a > b\">\n</match>", "a > b"),
        ("<match 'x y' >\n</match >", "x y"),
        ("<match \"#{ENV['NAME']}.*\">\n</match>", "blue.*"),
        ("<match\n a>\n</match>", "a"),
        ("<match\ta\tb>\r\n</match\r\n>\r\n", "a\tb"),
        ("<match/x/>\n</match>", "/x/"),
        ("<match \"\">\n</match>", ""),
    ] {
        let root = read(text);
        assert_eq!((root.children[0].name.as_str(), root.children[0].arg.as_str()), ("match", expected), "{text:?}");
    }
}

#[test]
fn sections_nest_and_comments_stand_everywhere() {
    let text = "# a\n <a x> # b\n  k v # c\n#d\n  <b>#e\n\n  </b>\n  l w\n </a>#f\n<c>\n</c>\n#";
    assert_eq!(shown(text), "<a x>\n  k v\n  l w\n  <b>\n  </b>\n</a>\n<c>\n</c>");
}

#[test]
fn reserved_names_are_refused_where_fluentd_refuses_them() {
    for text in
        ["@foo 1", "<match>\n@foo 1\n</match>", "<source>\n@foo 1\n</source>", "<filter>\n@foo 1\n</filter>", "<system>\n@foo 1\n</system>"]
    {
        let line = text.lines().position(|line| line.starts_with("@foo")).expect("is there") + 1;
        assert_errors(text, &[(line, "'@' is the system reserved prefix. Don't use '@' prefix parameter in the configuration: @foo")]);
    }
    assert_eq!(
        shown("<match>\n@foo\n@type x\n@id y\n@label z\n@log_level info\n</match>"),
        "<match>\n  @foo \n  @type x\n  @id y\n  @label z\n  @log_level info\n</match>"
    );
    let warned = warnings("<a>\n@foo 1\n</a>");
    assert_eq!(
        warned,
        ["2: '@' is the system reserved prefix. It works in the nested configuration for now but it will be rejected: @foo"]
    );
}

#[test]
fn old_names_are_accepted_with_a_warning() {
    let warned = warnings("<match>\ntype stdout\nid a\nlog_level warn\n</match>\n<record>\ntype x\n</record>");
    assert_eq!(warned.len(), 3);
    assert_eq!(warned[0], "2: 'type' is deprecated parameter name. use '@type' instead.");
    assert_eq!(read("<match>\ntype stdout\n</match>").children[0].plugin_type(), Some("stdout"));
}

#[test]
fn embedded_ruby_ends_where_its_code_does() {
    for (text, expected) in [
        (r##"k "<#{ENV['NAME']}>""##, "<blue>"),
        (r##"k "#{ENV["NAME"]}""##, "blue"),
        (r##"k "#{ENV['NONE'] || '}'}!""##, "}!"),
        (r##"k "#{ENV['NONE']}""##, ""),
        (r##"k "#{ENV['NONE'] || use_nil}""##, "Nil"),
        (r##"k "a#{use_default}b""##, "Default"),
        (r##"k "#{use_default}#{use_nil}""##, "Nil"),
        (r##"k "#{ENV['NAME']}#{ENV['NUMBER']}""##, "blue42"),
    ] {
        assert_eq!(value(text), expected, "{text:?}");
    }
    assert_errors(r##"k "#{ENV['X'""##, &[(1, "expected end of embedded code")]);
    assert_errors(r##"k "#{no_such_thing}" "##, &[(1, "no_such_thing")]);
}

#[test]
fn the_byte_order_mark_is_part_of_the_first_name() {
    assert_eq!(shown("\u{feff}a b"), "\u{feff}a b");
}

#[test]
fn trees_hold_every_byte() {
    let texts = [
        "",
        "# a",
        "a b # c\r\n<x y>\n @include z\n</x>\n",
        "<a\nb",
        "k \"\n",
        "</x>\n</y z\n",
        "k [1\n<a>\nk {\n</a>",
        "<a> <b> </a>\n</b>",
    ];
    for text in texts {
        for tree in [v1::parse(text, 0, &Diagnostics::new()), v0::parse(text, 0, &Diagnostics::new(), true)] {
            let mut at = 0;
            for leaf in tree.leaves() {
                assert_eq!(leaf.start, at, "{text:?}: {tree:#?}");
                at = leaf.end;
            }
            assert_eq!(at as usize, text.len(), "{text:?}: {tree:#?}");
        }
    }
}

fn v0_text(text: &str) -> Result<String, String> {
    let diagnostics = Diagnostics::new();
    let root = load(&LoadOptions { v0: true, ..super::options(text) }, &diagnostics);
    root.map(|root| dump(&root)).map_err(|_| super::super::render(&diagnostics))
}

#[test]
fn version_0_is_read_line_by_line() {
    let text = "a \"b\" 'c' # d\n  b [1, # x\nc v#w\n<x y z > # c\n d \\n#{1}\n e\n</x>\n<y>\n</y>\n";
    assert_eq!(
        v0_text(text).as_deref(),
        Ok("<ROOT>\n  a \"b\" 'c'\n  b [1,\n  c v\n  <x y z >\n    d \\n\n    e \n  </x>\n  <y>\n  </y>\n</ROOT>\n")
    );
    let refused = v0_text("<x>\n@type y\n</x>\n</z>\n").expect_err("is refused");
    assert!(refused.contains("parse error at test.conf line 2") && refused.contains("parse error at test.conf line 4"), "{refused}");
    assert!(v0_text("<x>\na 1\n").is_ok(), "a section may end with the file");
}
