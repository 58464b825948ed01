//! When what is expected of records is learned anew, where they often are other than expected: not from each that differs.

/// After so many in a row that differ what is expected is learned from the last one,
const FEWEST_MISSES: u32 = 4;
/// and after up to so many where what was learned before never came again.
const MOST_MISSES: u32 = 64;

/// How long something is expected that does not come.
#[derive(Clone, Copy, Debug)]
pub(in crate::event) struct Patience {
    /// How many differed since one was as expected.
    misses: u32,
    /// How many of those are put up with.
    most: u32,
    /// Whether one came as expected since that was learned.
    is_proven: bool,
}

impl Patience {
    /// Where nothing is expected yet: learned from the first one.
    pub(in crate::event) const fn new() -> Patience {
        Patience { misses: FEWEST_MISSES, most: FEWEST_MISSES / 2, is_proven: false }
    }

    /// One was as expected.
    #[inline(always)]
    pub(in crate::event) fn met(&mut self) {
        self.misses = 0;
        self.is_proven = true;
    }

    /// One was not; says whether something else is to be learned.
    #[inline]
    pub(in crate::event) fn is_over(&mut self) -> bool {
        self.misses = self.misses.saturating_add(1);
        if self.misses < self.most {
            return false;
        }
        self.most = if self.is_proven { FEWEST_MISSES } else { (self.most * 2).min(MOST_MISSES) };
        (self.misses, self.is_proven) = (0, false);
        true
    }
}
