//! What is kept of an answer: all of it, or of one whose beginning tells enough only that and its end. What a server says of each document of a
//! bulk request can be as long as the request.

use hyper::body::Bytes;

/// Says of the first [`SKIMMED_BYTES`] of a successful answer, or of all where it is shorter, whether they tell enough: what is behind them is
/// then read and not kept, but for the last byte that is no white space.
pub type Skim = fn(&[u8]) -> bool;

/// So much of the beginning of an answer is kept where it tells enough.
pub const SKIMMED_BYTES: usize = 128;

/// What is kept of an answer's body.
#[derive(Default)]
pub(super) struct Kept {
    skim: Option<Skim>,
    bytes: Vec<u8>,
    /// Whether the beginning told enough.
    is_enough: bool,
    /// What the rest ends with, white space left out.
    last: Option<u8>,
}

impl Kept {
    /// Of an answer that may tell enough by its beginning.
    pub(super) fn new(skim: Option<Skim>) -> Kept {
        Kept { skim, ..Kept::default() }
    }

    /// Takes the next part.
    pub(super) fn add(&mut self, data: Bytes) {
        if self.is_enough {
            return self.pass_over(&data);
        }
        let missing = SKIMMED_BYTES.saturating_sub(self.bytes.len()).min(data.len());
        self.bytes.extend_from_slice(&data[..missing]);
        let rest = &data[missing..];
        if self.bytes.len() == SKIMMED_BYTES && self.skim.take().is_some_and(|skim| skim(&self.bytes)) {
            self.is_enough = true;
            self.pass_over(rest);
        } else {
            self.bytes.extend_from_slice(rest);
        }
    }

    fn pass_over(&mut self, rest: &[u8]) {
        self.last = rest.trim_ascii_end().last().copied().or(self.last);
    }

    /// All that is kept.
    pub(super) fn whole(mut self) -> Bytes {
        self.bytes.extend(self.last);
        self.bytes.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(skim: Option<Skim>, parts: &[&str]) -> String {
        let mut kept = Kept::new(skim);
        parts.iter().for_each(|part| kept.add(Bytes::copy_from_slice(part.as_bytes())));
        String::from_utf8(kept.whole().to_vec()).unwrap()
    }

    #[test]
    fn of_an_answer_that_tells_enough_beginning_and_end_are_kept() {
        let long = format!("{{\"ok\":{}}}\n", "1".repeat(1000));
        let whole = long.as_str();
        assert_eq!(kept(None, &[whole]), long);
        assert_eq!(kept(Some(|_| false), &[&whole[..5], &whole[5..200], &whole[200..]]), long);
        let skimmed = format!("{}}}", &whole[..SKIMMED_BYTES]);
        for at in 1..whole.len() {
            assert_eq!(kept(Some(|head| head.len() == SKIMMED_BYTES), &[&whole[..at], "", &whole[at..]]), skimmed, "{at}");
        }
        // A shorter one is kept whole, and what is not closed does not seem to be.
        assert_eq!(kept(Some(|_| true), &["{\"a\":", "1}"]), "{\"a\":1}");
        assert_eq!(kept(Some(|_| true), &[&whole[..500]]), format!("{}1", &whole[..SKIMMED_BYTES]));
    }
}
