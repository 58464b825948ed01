//! One run on its way into chunks: which of them take which of its records.

use super::{CHUNK_COST_BYTES, Closed, Inside, Run, Stage};
use crate::buffer::log::frame::Origin;
use crate::buffer::names::{self, Source};
use crate::buffer::split::{Fill, Step, steps};
use crate::buffer::{ChunkKeys, entries};
use crate::event::{Receipt, append};
use std::ops::Range;
use std::sync::atomic::Ordering;

/// One run on its way into chunks.
pub(super) struct Filler<'f, 'r> {
    pub(super) stage: &'f Stage,
    pub(super) inside: &'f mut Inside,
    pub(super) keys: &'f ChunkKeys,
    pub(super) run: &'f Run<'r>,
    pub(super) receipt: Option<&'f Receipt>,
    pub(super) closed: &'f mut dyn FnMut(Closed),
}

impl Filler<'_, '_> {
    /// Appends the run; records that no chunk can hold go to `too_large`, with their numbers and bytes.
    pub(super) fn append(&mut self, too_large: impl FnMut(usize, usize)) {
        let fill = self.fill();
        let limits = self.inside.limits;
        let whole = |fill: Fill| !limits.is_over(fill.plus(self.run.bytes.len(), self.run.records));
        if whole(fill) {
            return self.take_all();
        }
        // Batches in msgpack are divided only when they do not even fit in a chunk of their own.
        if !self.run.formatted && fill.records > 0 {
            self.cut();
            if whole(Fill::default()) {
                return self.take_all();
            }
        }
        self.divide(too_large);
    }

    fn divide(&mut self, mut too_large: impl FnMut(usize, usize)) {
        let walked: Vec<usize>;
        let ends = match self.run.ends {
            Some(ends) => ends,
            None => {
                walked = entries::ends(self.run.bytes, self.run.records);
                &walked
            }
        };
        let start = |nth: usize| if nth == 0 { 0 } else { ends[nth - 1] };
        for step in steps(ends, self.fill(), &self.inside.limits) {
            match step {
                Step::Take(records) => self.take(&self.run.bytes[start(records.start)..ends[records.end - 1]], records),
                Step::Cut => self.cut(),
                Step::TooLarge(nth) => too_large(nth, ends[nth] - start(nth)),
            }
        }
    }

    fn take_all(&mut self) {
        self.take(self.run.bytes, 0..self.run.records);
        if self.inside.limits.is_full(self.fill()) {
            self.cut();
        }
    }

    /// Takes these records of the run, whose bytes these are.
    fn take(&mut self, bytes: &[u8], records: Range<usize>) {
        let origin = self.run.origin.map(|origin| Origin { first: origin.first.wrapping_add(records.start as u32), ..origin });
        let records = records.len();
        if !self.inside.open.contains_key(self.keys) {
            self.inside.insert(self.keys);
            self.stage.limit.take(CHUNK_COST_BYTES);
        }
        let Inside { open, pool, limits, log, .. } = &mut *self.inside;
        let Some(entry) = open.get_mut(self.keys) else { return };
        match (entry.logged, log) {
            (Some(number), Some(log)) => log.log.append(number, bytes, records, origin, self.receipt),
            _ => {
                if origin.is_some() || !entry.chunk.sources.is_empty() {
                    let at = entry.chunk.bytes.len();
                    names::push(&mut entry.chunk.sources, at, origin.map_or(Source::Place(at as u64), Source::Message));
                }
                pool.grow(&mut entry.chunk.bytes, bytes.len(), limits.bytes);
                append(bytes, &mut entry.chunk.bytes);
            }
        }
        if let Some(receipt) = self.receipt.filter(|receipt| receipt.until_delivered())
            && !entry.receipts.last().is_some_and(|last| last.is_of_same(receipt))
        {
            entry.receipts.push(receipt.clone());
        }
        entry.bytes += bytes.len();
        entry.chunk.records += records;
        self.stage.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.stage.limit.take(bytes.len() as u64);
    }

    fn cut(&mut self) {
        if let Some(open) = self.inside.remove(self.keys) {
            self.stage.bytes.fetch_sub(open.bytes as u64, Ordering::Relaxed);
            (self.closed)(self.inside.close(open));
        }
    }

    fn fill(&self) -> Fill {
        self.inside.open.get(self.keys).map_or(Fill::default(), |open| Fill { bytes: open.bytes, records: open.chunk.records })
    }
}
