//! All faults of a text at once, each at its place, and none that follows from another.

use super::super::{Diagnostics, load, load_despite_faults, render};
use super::{assert_errors, options};

#[test]
fn each_fault_is_said_once() {
    for (text, line, message) in [
        ("</x>", 1, "unmatched end tag"),
        ("<a>\n</b>", 2, "unmatched end tag"),
        ("<a>\nk v\n", 1, "expected end tag '</a>' but got end of file"),
        ("<foo-bar>\n</foo-bar>", 2, "expected character in tag name"),
        ("<a>\n</a b>", 2, "expected character in tag name"),
        ("<a b\nk v\n</a>", 1, "expected '>'"),
        ("<a \"b\" c>\n</a>", 1, "expected '>'"),
        ("<a b,\n  c>\n</a>", 1, "expected '>'"),
        ("<a> k v\n</a>", 1, "expected end of line after tag"),
        ("<a> k v </a>", 1, "expected end of line after tag"),
        ("<a>\n</a> b", 2, "expected end of line after end tag"),
        ("k \"a\" b", 1, "expected end of line"),
        ("k 'a'b", 1, "expected end of line"),
        ("k [1] b", 1, "expected end of line"),
        ("k \"a", 1, "unexpected end of file in a double quoted string"),
        ("k \"a\n\nb\"", 1, "unexpected end of file in a double quoted string"),
        ("k 'a\nb'", 1, "unexpected end of file in a single quoted string"),
        ("k \"\\d\"", 1, "unexpected back-slash escape character 'd'"),
        ("k \"#{1\"", 1, "expected end of embedded code"),
        ("k [a]", 1, "got incomplete JSON array configuration"),
        ("k {a}", 1, "got incomplete JSON hash configuration"),
    ] {
        let errors = super::errors(text);
        assert!(errors.iter().any(|error| error.starts_with(&format!("{line}: ")) && error.contains(message)), "{text}\n{errors:#?}");
        if !text.contains("bar") && !text.contains("a b>") && !text.contains("\nb") && !text.contains("  c>") {
            assert_eq!(errors.len(), 1, "{text}\n{errors:#?}");
        }
    }
}

#[test]
fn faults_do_not_hide_each_other() {
    let text = "<source>\n  @type \"forward\\q\"\n  port [a\n  bind \"x\" y\n</source>\n<filter **>\n  @foo 1\n  a 'b\n</filter>\n<match\n  @type x\n</match>\n@include http://h/x\nk \"#{nope}\"\n<z>\n";
    assert_errors(
        text,
        &[
            (2, "back-slash escape character 'q'"),
            (3, "got incomplete JSON array"),
            (4, "expected end of line"),
            (7, "'@' is the system reserved prefix"),
            (8, "single quoted string"),
            (10, "expected '>'"),
            (13, "http"),
            (14, "nope"),
            (15, "expected end tag '</z>'"),
        ],
    );
}

#[test]
fn a_wrong_closing_tag_does_not_shift_the_rest() {
    assert_errors("<a>\n  k v\n</b>\n<c>\n</c>\n", &[(3, "unmatched end tag")]);
    assert_errors("<a>\n  <b>\n    k v\n</a>\n<c>\n</c>\n", &[(4, "unmatched end tag")]);
    assert_errors("<a>\n  </x>\n  k v\n</a>\n<c>\n</c>\n", &[(2, "unmatched end tag")]);
    assert_errors("<a>\n  <b>\n  </a>\n</b>\n", &[(3, "unmatched end tag"), (1, "expected end tag '</a>'")]);
}

#[test]
fn an_unclosed_json_value_costs_its_own_lines_only() {
    assert_errors(
        "<a>\n  k [\n    {\"x\": 1}\n  l m\n</a>\n<b>\n  n [oops]\n</b>",
        &[(4, "got incomplete JSON array"), (7, "got incomplete JSON array")],
    );
    assert_errors("k {\n  \"a\": b,\n  \"c\": d\n}\nl \"\\q\"", &[(2, "got incomplete JSON hash"), (5, "'q'")]);
}

#[test]
fn a_forgotten_quote_is_said_where_it_was_forgotten() {
    assert_errors("<a>\n  k \"v\n  l m\n</a>\n<b>\n  n \"\\q\"\n</b>\n", &[(2, "expected end of line"), (6, "'q'")]);
}

#[test]
fn depth_is_bounded() {
    let text = "<a>\n".repeat(1000) + &"</a>\n".repeat(1000);
    assert_errors(&text, &[(65, "nested deeper")]);
}

#[test]
fn findings_are_shown_with_their_lines() {
    let diagnostics = Diagnostics::new();
    let text = "<match **>\n\t@type stdout\n  @type \"a\\q\"\n</match>\n";
    assert!(load(&options(text), &diagnostics).is_err());
    let shown = render(&diagnostics);
    assert!(
        shown.contains(" at test.conf line 3,10\n  2: \t@type stdout\n  3:   @type \"a\\q\"\n     ----------^\n  4: </match>\n"),
        "{shown}"
    );
}

#[test]
fn only_the_sections_with_faults_are_damaged() {
    let diagnostics = Diagnostics::new();
    let text = "<a>\n  k \"\\q\"\n</a>\n<b>\n  k v\n</b>\n<c>\n  <d>\n    k [x]\n  </d>\n</c>\n<e>\n  k \"#{nope}\"\n</e>\n<f>\n  k \"a\" b\n</f>\n<g x\n</g>\n<h>\n  k {\"a\":1} # c\n</h>\n";
    let root = load_despite_faults(&options(text), &diagnostics).expect("there is something to go on with");
    let damaged: Vec<&str> = root.children.iter().filter(|child| child.is_damaged()).map(|child| child.name.as_str()).collect();
    assert_eq!(damaged, ["a", "c", "e", "f", "g"]);
    assert!(diagnostics.has_errors());
}
