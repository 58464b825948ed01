//! Configurations with random damage: whatever comes of them, it comes quickly and without a panic.

use super::super::{Diagnostics, FileType, LoadOptions, System, dump, load, render, v0, v1, warn_unused};
use super::options;
use std::time::{Duration, Instant};

pub(super) const SAMPLES: [&str; 5] = [
    "<source>\n  @type forward # c\n  port \"#{ENV['NUMBER'] || 24224}\"\n  bind '0.0.0.0'\n</source>\n<match a.** {b,c}.*>\n  @type copy\n  <store ignore_error>\n    @type stdout\n    <format>\n      @type json\n    </format>\n  </store>\n</match>\n",
    "<filter **>\n  @type record_transformer\n  keep_keys [\"a\", # c\n    \"b\"]\n  <record>\n    x ${tag}\n    y {\"a\": [1, 2.5e3, null], \"b\": \"#{ENV['NAME']}\"}\n    z \"a\\tb\\\n c\"\n    é 漢 # ключ\n  </record>\n</filter>\n",
    "@include nothing/*.conf\n<system>\n  workers 2\n  log_level info\n  <log>\n    format json\n  </log>\n</system>\r\n<label @X>\r\n  <match>\r\n    @type null\r\n  </match>\r\n</label>\r\n",
    "system:\n  workers: 2\nconfig:\n  - source: &a\n      $type: x\n      k: [1, two, 3.0]\n      m: !fluent/json {a: [b, {c: d}]}\n  - filter:\n      $tag: [a, 'b']\n      <<: *a\n      s: !fluent/s \"x#{ENV['NAME']}\"\n      t: |\n        one\n        two\n  - !include none/*.yml\n",
    "k \"#{\"#{'}'}\" =~ /[}]/ ? `x` : {:a => 1}}\"\n<a \"#{x}\">\nj {\"n\":#{1},\"o\":[[[\"#\"]]]} # e\n</a>\n",
];

const PIECES: [&str; 34] = [
    "<", ">", "</", "<a>", "</a>", "\"", "'", "\\", "\n", "\r\n", "\t", "#", "#{", "}", "{", "[", "]", ",", ":", "@", "&a", "*a", "!",
    "- ", "  ", "|", "é", "\u{0}", "\u{feff}", "0", "e9", "//", "/*", "`",
];

/// A small generator of pseudo-random numbers, the same on each run.
pub(crate) struct Random(u64);

impl Random {
    /// One whose numbers follow from `seed`, which is not 0.
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }

    fn place(&mut self, text: &str) -> usize {
        let mut at = self.below(text.len() + 1);
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }
}

/// Damages a text at one place.
pub(crate) fn damage(text: &mut String, random: &mut Random) {
    let (a, b) = (random.place(text), random.place(text));
    let (from, to) = (a.min(b), a.max(b));
    match random.below(5) {
        0 => text.insert_str(a, PIECES[random.below(PIECES.len())]),
        1 if to - from < 40 => text.replace_range(from..to, ""),
        2 if to - from < 40 => text.replace_range(from..to, PIECES[random.below(PIECES.len())]),
        3 => {
            let piece = text[from..to].chars().take(60).collect::<String>();
            text.insert_str(a, &piece);
        }
        _ => text.truncate(text.len() - text.len().min(random.below(6)) / 6 * (text.len() - to)),
    }
}

#[test]
fn damaged_texts_are_read_without_panic_and_quickly() {
    let mut random = Random::new(0x9e37_79b9_7f4a_7c15);
    for round in 0..2500 {
        let mut text = SAMPLES[round % SAMPLES.len()].to_owned();
        for _ in 0..=random.below(6) {
            damage(&mut text, &mut random);
        }
        let start = Instant::now();
        for (file_type, old) in [(FileType::Usual, false), (FileType::Yaml, false), (FileType::Usual, true)] {
            let diagnostics = Diagnostics::new();
            let options = LoadOptions { file_type, v0: old, ..options(&text) };
            if let Ok(root) = load(&options, &diagnostics) {
                let _ = System::of(&root, &diagnostics);
                warn_unused(&root, &diagnostics);
                dump(&root);
            }
            render(&diagnostics);
        }
        for tree in [v1::parse(&text, 0, &Diagnostics::new()), v0::parse(&text, 0, &Diagnostics::new(), true)] {
            let end = tree.leaves().iter().fold(0, |at, leaf| if leaf.start == at { leaf.end } else { u32::MAX });
            assert_eq!(end as usize, text.len(), "{text:?}");
        }
        assert!(start.elapsed() < Duration::from_secs(1), "{text:?}");
    }
}

#[test]
fn long_and_deep_texts_are_read_quickly() {
    let start = Instant::now();
    for text in [
        "k ".to_owned() + &"a b ".repeat(50_000),
        "k ".to_owned() + &" ".repeat(200_000) + "x",
        "k [".to_owned() + &"1,".repeat(20_000) + "1]",
        "k ".to_owned() + &"[".repeat(100_000),
        "k \"".to_owned() + &"#{'a'}".repeat(20_000) + "\"",
        "k \"".to_owned() + &"#{".repeat(20_000),
        "<a>\n".repeat(50_000),
        "</a>\n".repeat(2_000),
        "<a ".to_owned() + &" #".repeat(2_000) + ">",
        "\"k".repeat(1_000),
        "k 'a\n".repeat(1_000),
    ] {
        let diagnostics = Diagnostics::new();
        let _ = load(&options(&text), &diagnostics);
        let yaml = LoadOptions { file_type: FileType::Yaml, ..options(&text) };
        let _ = load(&yaml, &Diagnostics::new());
    }
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}
