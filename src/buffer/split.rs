//! How a batch that does not fit in one chunk is divided, exactly as Fluentd does it: by tenths, hundredths, ... of the batch, and
//! record by record only where nothing coarser fits. Pure arithmetic: nothing is copied here.

use std::ops::Range;

/// How large a chunk may become.
#[derive(Clone, Copy, Debug, Default)]
pub struct ChunkLimits {
    /// `chunk_limit_size`.
    pub bytes: usize,
    /// `chunk_limit_records`.
    pub records: Option<usize>,
    /// `chunk_full_threshold`: the part of a limit at which a chunk counts as full.
    pub full_threshold: f64,
}

/// Bytes and records of a chunk so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fill {
    /// Its bytes.
    pub bytes: usize,
    /// Its records.
    pub records: usize,
}

impl Fill {
    /// With more added.
    pub fn plus(self, bytes: usize, records: usize) -> Fill {
        Fill { bytes: self.bytes + bytes, records: self.records + records }
    }

    fn is_empty(self) -> bool {
        self == Fill::default()
    }
}

impl ChunkLimits {
    /// Whether a chunk of this fill is beyond a limit.
    pub fn is_over(&self, fill: Fill) -> bool {
        fill.bytes > self.bytes || self.records.is_some_and(|records| fill.records > records)
    }

    /// Whether a chunk of this fill takes no more.
    pub fn is_full(&self, fill: Fill) -> bool {
        fill.bytes as f64 >= self.bytes as f64 * self.full_threshold
            || self.records.is_some_and(|records| fill.records as f64 >= records as f64 * self.full_threshold)
    }
}

/// One step of storing a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// These records go into the chunk at hand.
    Take(Range<usize>),
    /// The chunk at hand is done; the next one begins.
    Cut,
    /// This record is larger than a chunk may be.
    TooLarge(usize),
}

enum Again {
    AfterCut,
    Finer,
}

/// The steps that store records whose ends are `ends` when the chunk at hand holds `open` already.
pub fn steps(ends: &[usize], open: Fill, limits: &ChunkLimits) -> Vec<Step> {
    let mut parts = 10;
    let mut open = open;
    let mut before = Vec::new();
    loop {
        match attempt(ends, open, parts, limits) {
            Ok(steps) => {
                before.extend(steps);
                return before;
            }
            Err(Again::AfterCut) => {
                before.push(Step::Cut);
                open = Fill::default();
            }
            Err(Again::Finer) => parts *= 10,
        }
    }
}

fn attempt(ends: &[usize], open: Fill, parts: usize, limits: &ChunkLimits) -> Result<Vec<Step>, Again> {
    let mut steps = Vec::new();
    let mut fill = open;
    let mut base = open;
    let slice = slice_length(ends.len(), parts);
    let mut at = 0;
    while at < ends.len() {
        let end = (at + slice).min(ends.len());
        let bytes = ends[end - 1] - if at == 0 { 0 } else { ends[at - 1] };
        let one = end - at == 1;
        let next = fill.plus(bytes, end - at);
        if one && bytes > limits.bytes {
            steps.push(Step::TooLarge(at));
            at = end;
            continue;
        }
        if limits.is_over(next) && !(one && fill.is_empty()) {
            if one {
                steps.push(Step::Cut);
                (fill, base) = (Fill::default(), Fill::default());
                continue;
            }
            return Err(if limits.is_full(base) && !base.is_empty() { Again::AfterCut } else { Again::Finer });
        }
        take(&mut steps, at..end);
        fill = next;
        at = end;
        if limits.is_full(fill) {
            steps.push(Step::Cut);
            (fill, base) = (Fill::default(), Fill::default());
        }
    }
    Ok(steps)
}

/// Records a slice when `records` are cut in about `parts`; the last slice may be shorter.
fn slice_length(records: usize, parts: usize) -> usize {
    let parts = parts.min(records);
    if records.is_multiple_of(parts) { records / parts } else { records / (parts - 1) }
}

fn take(steps: &mut Vec<Step>, records: Range<usize>) {
    match steps.last_mut() {
        Some(Step::Take(last)) if last.end == records.start => last.end = records.end,
        _ => steps.push(Step::Take(records)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(bytes: usize, records: Option<usize>) -> ChunkLimits {
        ChunkLimits { bytes, records, full_threshold: 0.95 }
    }

    fn ends(sizes: &[usize]) -> Vec<usize> {
        sizes
            .iter()
            .scan(0, |sum, size| {
                Some({
                    *sum += size;
                    *sum
                })
            })
            .collect()
    }

    /// Records per chunk, the last one perhaps still open.
    fn chunks(steps: &[Step]) -> Vec<usize> {
        let mut counts = vec![0];
        for step in steps {
            match step {
                Step::Take(range) => *counts.last_mut().unwrap() += range.len(),
                Step::Cut => counts.push(0),
                Step::TooLarge(_) => {}
            }
        }
        counts.retain(|count| *count > 0);
        counts
    }

    #[test]
    fn record_limits_cut_at_the_threshold() {
        let steps = steps(&ends(&[1; 7]), Fill::default(), &limits(1000, Some(3)));
        assert_eq!(chunks(&steps), [3, 3, 1]);
    }

    #[test]
    fn tenths_are_tried_before_single_records() {
        let whole_tenths = steps(&ends(&[1; 40]), Fill::default(), &limits(1000, Some(20)));
        assert_eq!(chunks(&whole_tenths), [20, 20]);
        let single = steps(&ends(&[1; 100]), Fill::default(), &limits(1000, Some(25)));
        assert_eq!(chunks(&single), [24, 24, 24, 24, 4]);
    }

    #[test]
    fn a_record_larger_than_a_chunk_is_left_out_alone() {
        let steps = steps(&ends(&[10, 200, 10]), Fill::default(), &limits(100, None));
        assert_eq!(steps, [Step::Take(0..1), Step::TooLarge(1), Step::Take(2..3)]);
    }

    #[test]
    fn a_record_that_does_not_fit_beside_the_others_begins_a_chunk() {
        let steps = steps(&ends(&[60, 60, 60]), Fill { bytes: 50, records: 1 }, &limits(100, None));
        assert_eq!(steps, [Step::Cut, Step::Take(0..1), Step::Cut, Step::Take(1..2), Step::Cut, Step::Take(2..3)]);
    }

    #[test]
    fn impossible_limits_end() {
        assert_eq!(steps(&ends(&[5, 5]), Fill::default(), &limits(0, None)), [Step::TooLarge(0), Step::TooLarge(1)]);
        assert_eq!(chunks(&steps(&ends(&[5; 30]), Fill::default(), &limits(100, Some(0)))).iter().sum::<usize>(), 30);
        let everything = steps(&ends(&[3; 1000]), Fill { bytes: 90, records: 30 }, &limits(95, None));
        assert_eq!(chunks(&everything).iter().sum::<usize>(), 1000);
    }

    #[test]
    fn no_record_is_lost_whatever_the_sizes() {
        for seed in 1..200usize {
            let sizes: Vec<usize> = (0..seed).map(|n| (n * seed * 7919) % 37 + 1).collect();
            let limits = limits(40 + seed % 60, (seed % 3 == 0).then_some(1 + seed % 9));
            let mut next = 0;
            let mut fill = Fill { bytes: seed % 30, records: 1 };
            let ends = ends(&sizes);
            for step in steps(&ends, fill, &limits) {
                match step {
                    Step::Take(range) => {
                        assert_eq!(range.start, next);
                        next = range.end;
                        fill = fill.plus(sizes[range.clone()].iter().sum(), range.len());
                        assert!(!limits.is_over(fill), "{fill:?} {limits:?}");
                    }
                    Step::Cut => fill = Fill::default(),
                    Step::TooLarge(at) => assert_eq!(at, next),
                }
            }
            assert_eq!(next, sizes.len());
        }
    }
}
