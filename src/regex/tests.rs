//! Tests of the room through its public face: expressions and texts in, offsets out.

use super::*;

fn regex(source: &str) -> Regex {
    Regex::new(source, Flags::default()).unwrap_or_else(|error| panic!("{source}: {error}"))
}

/// The named groups of the match as text; `None` where there is none.
fn groups(source: &str, text: &str) -> Option<Vec<(String, Option<String>)>> {
    let regex = regex(source);
    let mut captures = Captures::default();
    let matched = regex.captures(text.as_bytes(), &mut captures);
    let texts = captures.groups.iter().map(|group| group.map(|(start, end)| text[start..end].to_owned()));
    (matched == Matched::Yes).then(|| regex.names().iter().cloned().zip(texts).collect())
}

/// What the whole expression matches.
fn whole<'t>(source: &str, text: &'t str) -> Option<&'t str> {
    regex(source).find(text.as_bytes()).0.map(|(start, end)| &text[start..end])
}

fn refused(source: &str) -> String {
    match Regex::new(source, Flags::default()) {
        Err(error) => error.message,
        Ok(_) => panic!("{source} was taken"),
    }
}

#[test]
fn quantifiers_are_rubys() {
    assert_eq!(whole("x{2}+", "xxxxx"), Some("xxxx"));
    assert_eq!(whole("x++y", "xxy"), Some("xxy"));
    assert_eq!(whole("x++x", "xxx"), None);
    assert_eq!(whole("x{,2}", "xxx"), Some("xx"));
    assert_eq!(whole("x{2}?", "xxx"), Some("xx"));
    assert_eq!(whole("{,}{x}", "{,}{x}"), Some("{,}{x}"));
    assert_eq!(refused("x|*"), "target of repeat operator is not specified");
    assert_eq!(refused("x{3,1}"), "upper is smaller than lower in repeat range");
}

#[test]
fn words_are_ascii_but_their_bounds_are_not() {
    assert_eq!(whole(r"\w+", "naïve"), Some("na"));
    assert_eq!(whole(r"a\b", "aé"), None);
    assert_eq!(whole("[[:alpha:]]+", "naïve1"), Some("naïve"));
    assert_eq!(whole(r"\h+", "xyz0fg"), Some("0f"));
    assert_eq!(whole(r"(?u)\w+", "naïve"), Some("naïve"));
    assert_eq!(whole(r"(?a)[[:alpha:]]+", "naïve"), Some("na"));
}

#[test]
fn sets_are_cut_and_nested() {
    assert_eq!(whole("[a-z&&[^aeiou]]+", "aoxyz"), Some("xyz"));
    assert_eq!(whole("[a-c[x-z]]+", "mazy"), Some("azy"));
    assert_eq!(whole("[[[:alnum:]]_%.]+", "= a_1%é."), Some("a_1%é."));
    assert_eq!(whole("[]a]+", "b]a"), Some("]a"));
    assert_eq!(refused("[]"), "empty char-class");
    assert_eq!(refused(r"[\w-.]"), "unmatched range specifier in char-class");
    assert_eq!(refused("[[:word]"), "premature end of char-class");
}

#[test]
fn the_last_group_of_a_name_wins() {
    assert_eq!(groups(r"(?<n>a)|(?<n>b)", "b"), Some(vec![("n".into(), Some("b".into()))]));
    assert_eq!(groups(r"(?<n>a)(?<n>b)?", "a"), Some(vec![("n".into(), Some("a".into()))]));
    assert_eq!(groups(r"(?<@t.s>a)(x)?(?<b-c>y)?", "a"), Some(vec![("@t.s".into(), Some("a".into())), ("b-c".into(), None)]));
    assert_eq!(refused("(?<1>a)"), "invalid group name <1>");
}

#[test]
fn groups_can_be_called() {
    assert_eq!(groups(r"(?<n>\d)(?:-\g<n>)*", "1-2-3"), Some(vec![("n".into(), Some("3".into()))]));
    assert_eq!(whole(r"(?<p>\((?:[^()]|\g<p>)*\))", "f((a)(b(c)))d"), Some("((a)(b(c)))"));
    assert_eq!(refused(r"(?<p>\g<p>a)"), "never ending recursion");
    assert_eq!(refused(r"(?<p>a\g<p>)"), "never ending recursion");
    assert_eq!(refused(r"\g<q>"), "undefined name <q> reference");
}

#[test]
fn look_behind_has_a_fixed_length() {
    assert_eq!(whole("(?<=a|bc)d", "bcd"), Some("d"));
    assert_eq!(refused("(?<=a+)b"), "invalid pattern in look-behind");
    assert_eq!(refused("(?<!(a))b"), "invalid pattern in look-behind");
}

#[test]
fn what_is_absent_is_as_long_as_can_be() {
    assert_eq!(whole(r"/\*(?~\*/)\*/", "/* a */ b */"), Some("/* a */"));
    assert_eq!(whole("(?~abc)", "xxabc"), Some("xxab"));
    assert_eq!(whole("(?~x*)", "ab"), None);
    assert_eq!(refused("(?~ab|c)"), "an absent operator (?~...) whose content has no fixed length cannot be expressed");
}

#[test]
fn options_reach_to_the_end_of_their_group() {
    assert_eq!(whole("a(?i)b|c", "aC"), Some("aC"));
    assert_eq!(whole("a(?i)b|c", "c"), None);
    assert_eq!(whole("(?:(?i)a)b", "AB"), None);
    assert_eq!(whole("(?x: a b # comment\n )c", "abc"), Some("abc"));
    assert_eq!(whole("(?m:a.b)", "a\nb"), Some("a\nb"));
    assert_eq!(refused("(?s)a"), "undefined group option");
}

#[test]
fn case_is_folded_beyond_ascii() {
    let fold = Flags { ignore_case: true, ..Flags::default() };
    for (source, text) in [("straße", "STRASSE"), ("strasse", "straße"), ("É", "é"), ("[а-я]", "Ж"), ("k", "\u{212a}")] {
        let regex = Regex::new(source, fold).unwrap();
        assert_eq!(regex.is_match(text.as_bytes()), Matched::Yes, "{source}");
    }
}

#[test]
fn literals_of_a_configuration() {
    let flags =
        |text| Regex::from_literal(text).map(|regex| (regex.source().to_owned(), regex.flags().ignore_case, regex.flags().multi_line));
    assert_eq!(flags("^a/b$"), Ok(("^a/b$".into(), false, false)));
    assert_eq!(flags("/a/b/im"), Ok(("a/b".into(), true, true)));
    assert_eq!(flags("/a/xq"), Ok(("a".into(), false, false)));
    assert_eq!(flags("/"), Ok((String::new(), false, false)));
    assert_eq!(flags("/abc"), Err(RegexError { message: "invalid regexp: missing right slash: /abc".into(), at: 0 }));
}

#[test]
fn bytes_that_are_no_utf8_match_nothing() {
    let regex = regex("(?<a>[^ ]+) (?<b>.*)");
    let mut captures = Captures::default();
    assert_eq!(regex.captures(b"x\xff yz\xe9", &mut captures), Matched::No);
    assert_eq!(regex.captures(b"\xffab cd", &mut captures), Matched::Yes);
    assert_eq!(captures.groups, [Some((1, 3)), Some((4, 6))]);
}

#[test]
fn the_machine_may_forbid_machine_code() {
    let regex = regex(r"^(?<a>\w+)=(?<b>\d+)$");
    regex.0.ascii.forbid_jit();
    let mut captures = Captures::default();
    assert_eq!(regex.captures(b"x\nab=12", &mut captures), Matched::Yes);
    assert_eq!(captures.groups, [Some((2, 4)), Some((5, 7))]);
}

#[test]
fn a_stack_overflow_is_only_slower() {
    let regex = regex("^(?:(a)|b|(c))*$");
    let text = "abc".repeat(60_000);
    let before = counters().stack_overflows;
    let matched = regex.is_match(text.as_bytes());
    assert!(matched == Matched::Yes || counters().stack_overflows > before || matched == Matched::Bounded);
}

/// Expressions that take time exponential or polynomial in the text's length, and what makes them do so.
const SLOW: &[(&str, &str, &str)] = &[
    ("^(a+)+$", "a", "!"),
    ("^(a|aa)+$", "a", "!"),
    ("^(a|a?)+$", "a", "!"),
    ("(x+x+)+y", "x", ""),
    ("^([a-zA-Z0-9])(([.-]|_+)?([a-zA-Z0-9]+))*@x", "a", "!"),
    ("(.*?,){30}P", "1,", ""),
    ("^(([a-z])+.)+[A-Z]([a-z])+$", "a", ""),
    (r"^(?:.*=.*,?)*$(?<!a)", "a=", ""),
    ("(.*)(.*)(.*)(.*)(.*)[z]", "a", ""),
    (r"(?:\s*\w+\s*)*[;]", "a ", ""),
    (r"(\w*)*\d", "a", "-"),
    ("(?:a?){40}a{40}b", "a", ""),
];

#[test]
fn the_work_of_a_match_is_bounded() {
    for (source, unit, end) in SLOW {
        let regex = regex(source);
        let text = unit.repeat(100_000 / unit.len()) + end;
        let start = engine::thread_time_ns();
        let matched = regex.is_match(text.as_bytes());
        // Processor time: what else the machine does is not the expression's fault.
        let took_ms = (engine::thread_time_ns() - start) / 1_000_000;
        assert!(took_ms < 50, "{source} took {took_ms} ms and gave {matched:?}");
    }
}

#[test]
fn a_look_at_how_branches_begin_changes_nothing() {
    let pool = [
        "(?:[0-9a-f]{1,3}:){2}z?",
        "(?:[0-9a-f]{1,3}:)+",
        "((?:[0-9a-f]{1,3}):){1,2}(?<n>y)",
        "[0-9a-f]{1,3}:x",
        ":(?::[0-9a-f])*",
        "::a",
        "(?>[0-9a-f]++:)b",
        "a{2}b?",
        "(?:a|b)c",
        "(?i:s)s:",
        "a?:",
        r"\b1:",
    ];
    let texts =
        ["1:2:z", "x ab:y", ":::1", "zz1:x::a", "aab", "ff:ff:y", "aaaa:b", "ac", "ß: Ss: ss:", "é1:", "1", ":", "", "abcd:1:1:1:1"];
    let mut gated = 0;
    for at in 0..pool.len() {
        for step in 1..pool.len() {
            let branches: Vec<&str> = (0..4).map(|nth| pool[(at + nth * step) % pool.len()]).collect();
            let plain = branches.join("|");
            let open = branches.iter().map(|branch| format!("(?:|\\b\\B){branch}")).collect::<Vec<_>>().join("|");
            gated += usize::from(emit::emit(&syntax::parse(&plain, Flags::default()).unwrap(), true).unwrap().pattern.contains("(?="));
            for text in texts {
                for (one, other) in [(plain.clone(), open.clone()), (format!("(?:{plain})$"), format!("(?:{open})$"))] {
                    assert_eq!(whole(&one, text), whole(&other, text), "{one} in {text:?}");
                }
            }
        }
    }
    assert!(gated >= 10, "{gated}");
}
