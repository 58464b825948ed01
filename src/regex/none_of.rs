//! Several expressions ruled out by one look at a text: where none of the texts that their matches must contain is in it, none can match.

use super::Regex;
use aho_corasick::packed::{Config, Searcher};

/// What tells that none of several expressions matches.
#[derive(Debug)]
pub struct NoneOf(Searcher);

impl NoneOf {
    /// For these expressions; `None` where one has no text that each of its matches contains, or where the processor offers no fast way.
    pub fn of<'r>(expressions: impl IntoIterator<Item = &'r Regex>) -> Option<NoneOf> {
        let mut builder = Config::new().builder();
        for regex in expressions {
            builder.add(regex.0.required.as_ref()?.needle());
        }
        builder.build().map(NoneOf)
    }

    /// Whether none can match; where it says no, each has to be asked.
    pub fn is_sure(&self, text: &[u8]) -> bool {
        self.0.find(text).is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Flags, Matched, Regex};
    use super::*;

    fn regexes(sources: &[&str]) -> Vec<Regex> {
        sources.iter().map(|source| Regex::new(source, Flags::default()).unwrap()).collect()
    }

    #[test]
    fn it_is_sure_only_where_none_matches() {
        let sources: Vec<String> = (0..8).map(|number| format!(r"^\d+ never_{number}_seen (?<word>\w+)")).collect();
        let all = regexes(&sources.iter().map(String::as_str).collect::<Vec<_>>());
        let none = NoneOf::of(&all).expect("each has a text, and every processor that this runs on vector instructions");
        let long = format!("{}12 never_7_seen x", "1 never_8_seen, never_ ".repeat(40));
        let texts = ["", "never", "12 never_3_seen x", "12 never_9_seen x", "a never_0_seen x", &long, &long[..long.len() - 8]];
        for text in texts {
            let matches = all.iter().any(|regex| regex.is_match(text.as_bytes()) == Matched::Yes);
            assert!(!(matches && none.is_sure(text.as_bytes())), "{text}");
        }
        assert_eq!(texts.map(|text| none.is_sure(text.as_bytes())), [true, true, false, true, false, false, true]);
    }

    #[test]
    fn expressions_without_a_text_in_all_matches_cannot_be_ruled_out() {
        assert!(NoneOf::of(&regexes(&["never", r"\w+ \d+"])).is_none());
        assert!(NoneOf::of(&regexes(&["never", "(?i)other"])).is_none());
    }
}
