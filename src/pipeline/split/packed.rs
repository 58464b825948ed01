//! Parts that are filtered and packed again at once, while they are in the processor's nearest caches: the arena of a part is emptied for the
//! next one, and what threads hand to each other is packed entries.

use super::super::aides::Aides;
use super::super::router::Step;
use super::{Lent, Rejections};
use crate::event::msgpack::write_entry;
use crate::event::{Batch, Event, Scope, Scratch, Tag, append, give_back_buffer, take_buffer};
use bumpalo::Bump;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// Parts that follow each other and were filtered by one thread.
struct Run<'a> {
    first: usize,
    parts: usize,
    /// What became of their events.
    entries: Vec<u8>,
    events: usize,
    /// Events, by their places among these, that entries cannot hold as they are.
    inexact: Vec<(usize, Event<'a>)>,
    is_changed: bool,
    /// A list a step.
    rejections: Vec<Rejections<'a>>,
}

/// What all threads work on.
struct Work<'w, 'a> {
    steps: &'w [Arc<Step>],
    tag: &'w Tag,
    parts: &'w [(&'a [u8], usize)],
    is_coalesced: bool,
    left: Left,
}

/// The parts that nobody has taken yet. Whose batch it is takes them from the front, so that what it makes of them follows in one piece;
/// those who help take several at a time from the back, and what they make is put behind it.
struct Left(Mutex<Range<usize>>);

/// A helper takes so much of what is left, as one of that many,
const SHARE: usize = 4;
/// and at most so many parts.
const MOST_PARTS: usize = 4;

impl Left {
    fn take(&self, is_helper: bool) -> Range<usize> {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if is_helper {
            let count = left.len().div_ceil(SHARE).min(MOST_PARTS);
            left.end -= count;
            left.end..left.end + count
        } else {
            let count = left.len().min(1);
            left.start += count;
            left.start - count..left.start
        }
    }
}

/// Runs the steps over the parts of a batch, and packs what becomes of each.
pub(super) fn filter<'a>(
    steps: &[Arc<Step>],
    scope: &Scope<'a>,
    tag: &Tag,
    batch: &mut Batch<'a>,
    parts: &[(&'a [u8], usize)],
    help: Option<(&'static Aides, &'a [Bump])>,
) -> Vec<Rejections<'a>> {
    let work = Work { steps, tag, parts, is_coalesced: batch.is_coalesced(), left: Left(Mutex::new(0..parts.len())) };
    let mut runs = match help {
        None => work.do_all(scope.bump(), false),
        Some((aides, arenas)) => {
            let all = Mutex::new(Lent(Vec::new()));
            let arenas = Lent((scope.bump(), arenas));
            aides.help(arenas.0.1.len(), &|thread| {
                let Lent((own, others)) = &arenas;
                let is_helper = thread > 0;
                let runs = work.do_all(if is_helper { &others[thread - 1] } else { own }, is_helper);
                all.lock().unwrap_or_else(PoisonError::into_inner).0.extend(runs);
            });
            all.into_inner().unwrap_or_else(PoisonError::into_inner).0
        }
    };
    runs.sort_unstable_by_key(|run| run.first);
    assert_eq!(runs.iter().map(|run| run.parts).sum::<usize>(), parts.len(), "a thread that helped with a batch has failed");
    join(runs, steps.len(), scope, batch)
}

impl<'a> Work<'_, 'a> {
    /// Takes parts until there are none left. What is rejected goes into the arena: it outlives the part.
    fn do_all(&self, bump: &'a Bump, is_helper: bool) -> Vec<Run<'a>> {
        let mut runs: Vec<Run<'a>> = Vec::new();
        loop {
            let numbers = self.left.take(is_helper);
            if numbers.is_empty() {
                return runs;
            }
            let run = match runs.last_mut() {
                Some(run) if run.first + run.parts == numbers.start => run,
                _ => {
                    runs.push(self.begin(numbers.start));
                    runs.last_mut().unwrap_or_else(|| unreachable!("it was pushed"))
                }
            };
            for &(entries, count) in &self.parts[numbers] {
                self.filter(entries, count, bump, run);
            }
        }
    }

    fn begin(&self, first: usize) -> Run<'a> {
        let rejections = self.steps.iter().map(|_| Vec::new()).collect();
        Run { first, parts: 0, entries: take_buffer(), events: 0, inexact: Vec::new(), is_changed: false, rejections }
    }

    fn filter(&self, entries: &[u8], count: usize, bump: &'a Bump, run: &mut Run<'a>) {
        let scratch = Scratch::for_part();
        let scope = scratch.scope();
        let mut batch = Batch::packed(entries, count);
        if self.is_coalesced {
            batch = batch.coalesced();
        }
        for (step, rejections) in self.steps.iter().zip(&mut run.rejections) {
            if batch.is_empty() {
                break;
            }
            step.run(&scope, self.tag, &mut batch);
            rejections.extend(scope.take_rejected().iter().map(|rejected| (rejected.copied_into(bump), None)));
        }
        run.parts += 1;
        if let Some(entries) = batch.as_packed() {
            run.events += batch.len();
            return append(entries, &mut run.entries);
        }
        run.is_changed = true;
        for event in batch.events(&scope) {
            if !write_entry(event.time, &event.record, &mut run.entries) {
                run.inexact.push((run.events, event.copied_into(bump)));
            }
            run.events += 1;
        }
    }
}

/// Puts what became of the parts into the batch; what was rejected, step by step.
fn join<'a>(mut runs: Vec<Run<'a>>, steps: usize, scope: &Scope<'a>, batch: &mut Batch<'a>) -> Vec<Rejections<'a>> {
    let mut rejections: Vec<Rejections<'a>> = (0..steps).map(|_| Vec::new()).collect();
    for run in &mut runs {
        for (all, of_run) in rejections.iter_mut().zip(&mut run.rejections) {
            all.append(of_run);
        }
    }
    if !runs.iter().any(|run| run.is_changed) {
        runs.into_iter().for_each(|run| give_back_buffer(run.entries));
        return rejections;
    }
    let (mut before, mut inexact) = (0, Vec::new());
    for run in &mut runs {
        inexact.extend(run.inexact.drain(..).map(|(at, event)| (before + at, event)));
        before += run.events;
    }
    let mut runs = runs.into_iter();
    let mut entries = runs.next().map(|run| run.entries).unwrap_or_default();
    for run in runs {
        append(&run.entries, &mut entries);
        give_back_buffer(run.entries);
    }
    batch.replace_packed(scope.keep(entries), before);
    if !inexact.is_empty() {
        let events = batch.events_mut(scope);
        inexact.into_iter().for_each(|(at, event)| events[at] = event);
    }
    rejections
}
