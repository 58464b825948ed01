//! The canonical layout: what becomes of each way of writing something, and that nothing changes but the layout.

use super::super::format::{Unformatted, format};
use super::super::{Diagnostics, Element, load};
use super::mutation::{Random, SAMPLES, damage};
use super::options;

fn formatted(text: &str) -> String {
    let diagnostics = Diagnostics::new();
    format("test.conf", text, &diagnostics).unwrap_or_else(|why| panic!("{why:?} {text:?}\n{}", super::super::render(&diagnostics)))
}

/// Everything that an element says, its places left out.
fn said(element: &Element) -> String {
    let params: Vec<String> = element.params.iter().map(|param| format!("{:?}={:?}", param.key, param.value)).collect();
    let children: Vec<String> = element.children.iter().map(said).collect();
    format!("{:?} {:?} {params:?} {{{}}}", element.name, element.arg, children.join(" "))
}

/// What a text is read as; `None` where it is refused.
fn lowered(text: &str) -> Option<String> {
    load(&options(text), &Diagnostics::new()).ok().map(|root| said(&root))
}

/// Formats a text, and asserts that a second time changes nothing and that it is read as before.
fn assert_kept(text: &str) -> String {
    let once = formatted(text);
    assert_eq!(formatted(&once), once, "{text:?}");
    assert_eq!(lowered(&once), lowered(text), "{text:?}\n{once}");
    once
}

#[test]
fn the_layout_becomes_canonical() {
    for (text, expected) in [
        ("", ""),
        (" \n\n", ""),
        ("\n\n# c\n\n\n\nk v", "# c\n\nk v\n"),
        ("<a>\n      k v   \n<b  x  >\nl   w\n</b >\n\t</a>", "<a>\n  k v\n  <b x>\n    l   w\n  </b>\n</a>\n"),
        ("<a>\n\n\n  k v\n\n\n</a>\n", "<a>\n\n  k v\n\n</a>\n"),
        ("<a># c\n# d  \nk v   # e\n  # f\n</a>   # g\n#h", "<a> # c\n  # d\n  k v   # e\n  # f\n</a>   # g\n#h\n"),
        ("<a\n  b\n>\n</a\n>", "<a b>\n</a>\n"),
        ("<a # c\n b>\n</a>", "<a # c\n b>\n</a>\n"),
        ("  @include\n\n x.conf", "@include x.conf\n"),
        ("@include # c\n x.conf\n", "@include # c\n x.conf\n"),
        ("include 'x' k v\n", "include 'x'\nk v\n"),
        ("<label@X>\n</label>\n<\"q r\">\n</>", "<label @X>\n</label>\n< \"q r\">\n</>\n"),
        ("k\r\n<a>\r\nl w # c\r\n\r\n\r\n</a>", "k\r\n<a>\r\n  l w # c\r\n\r\n</a>\r\n"),
        ("k v\rx y\n", "k v\nx y\n"),
    ] {
        assert_eq!(formatted(text), expected, "{text:?}");
    }
}

#[test]
fn values_over_several_lines_are_not_touched() {
    let text = "<a>\nj [ 1 ,\n 2, # two\n\n\n\t3\n ]\ns \"one\n   two \\\n\tthree\"\n# c\n</a>\n";
    let expected = text.replace("\nj", "\n  j").replace("\ns", "\n  s").replace("\n# c", "\n  # c");
    assert_eq!(assert_kept(text), expected);
}

#[test]
fn nasty_texts_say_the_same_and_stay_as_they_are_the_second_time() {
    for text in [
        "<match>\n@type x\n</match>\n</>",
        "<a \"x > y\">\nk \"a # b\" # c\n</a>\n",
        "<a /x y #z/>\n  k #{1 + 1} # not code\n</a>",
        "k 'it\\'s'#c\n  l \"#{\"#{'}'}\" + '\"'}\"\t# d\nm {\"a\":\"}\"}# e\n",
        "  k # c\n    l\n  # d\n\n\n  m  \n",
        "a b\n# c\rx y\n  # d\n\r\rk v",
        "# c\rx y\r\r\rk v\n",
        "k\rv\nl a\\\n  m b\n",
        "\"a b\" c\n'd' \"\"\ne ''\n",
        "k \u{3000}v\u{a0} \n é 漢 # ключ",
        "<a>\n<b>\n<c>\n<d>\n</d>\n\n\n\n</c> # c\n</b>\n</a> # a\n# end",
        "k [\n]\r\nl \"a\r\n   b\"\r\n<x>\r\n</x>",
        "<record>\n  a ${record[\"x\"]}\n@b c\n d {\n \"e\" : \"#{1}\"\n}\n</record>",
        "k v\n</>\n",
        "k \\\nl /a #b/ # c",
        "</",
        "@include",
    ] {
        if formatted_or_faults(text).is_some() {
            assert_kept(text);
        }
    }
    for text in SAMPLES.iter().filter(|text| !text.starts_with("system:")) {
        assert_kept(text);
    }
}

/// `None` where a text has faults.
fn formatted_or_faults(text: &str) -> Option<String> {
    match format("test.conf", text, &Diagnostics::new()) {
        Ok(formatted) => Some(formatted),
        Err(Unformatted::Faults) => None,
        Err(Unformatted::Changed) => panic!("what it says would change: {text:?}"),
    }
}

#[test]
fn damaged_texts_are_formatted_safely_or_refused() {
    let mut random = Random::new(0x2545_f491_4f6c_dd1d);
    let mut good = 0;
    for round in 0..3000 {
        let mut text = SAMPLES[round % SAMPLES.len()].to_owned();
        for _ in 0..=random.below(3) {
            damage(&mut text, &mut random);
        }
        if formatted_or_faults(&text).is_some() {
            assert_kept(&text);
            good += 1;
        }
    }
    assert!(good > 300, "only {good} texts had no faults");
}

#[test]
fn configurations_that_ship_say_the_same_and_are_canonical() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/conf");
    let (mut seen, mut flattened) = (0, 0);
    for entry in std::fs::read_dir(folder).expect("conf/ is there") {
        let path = entry.expect("conf/ is readable").path();
        if path.extension().is_some_and(|extension| extension == "conf") {
            let text = std::fs::read_to_string(&path).expect("it is readable");
            assert_eq!(assert_kept(&text), text, "{}", path.display());
            // Without any layout it is the same, unless the layout is within a value.
            let flat: Vec<&str> = text.lines().map(str::trim).collect();
            let flat = flat.join("\n\n\n\t ");
            if lowered(&flat) == lowered(&text) {
                assert_kept(&flat);
                flattened += 1;
            }
            seen += 1;
        }
    }
    assert!(seen > 10 && flattened > 10, "only {seen} configurations, {flattened} without layout");
}

#[test]
fn a_text_with_faults_is_not_formatted() {
    let diagnostics = Diagnostics::new();
    assert_eq!(format("test.conf", "<a>\nk v\n", &diagnostics), Err(Unformatted::Faults));
    assert!(super::super::render(&diagnostics).contains("test.conf line 1"));
}
