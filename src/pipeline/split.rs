//! A big batch filtered in parts by several threads, and put together again in order: what comes out, and in which order events are rejected,
//! is as if one thread had done it. Only for filters to which it makes no difference.
//!
//! Where all that comes after the filters wants packed events, each part is packed again [as soon as it is filtered](packed), by one thread too.

mod packed;

use super::aides::{self, Aides};
use super::router::Step;
use crate::event::{Batch, Event, Origin, PART_EVENTS, Rejected, Scope, Tag};
use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Fewer events are done before another thread has woken up.
const MIN_EVENTS: usize = 256;

/// What was rejected in one step.
type Rejections<'a> = Vec<(Rejected<'a>, Option<Origin<'a>>)>;

/// What became of a part.
struct Done<'a> {
    number: usize,
    batch: Batch<'a>,
    /// A list a step.
    rejections: Vec<Rejections<'a>>,
}

/// Lets another thread have something that holds references into one arena, whose type says that only its own thread may.
struct Lent<T>(T);

// SAFETY: an arena may be used by one thread at a time, and in `filter_parts` is: it is used by the thread whose number it has, until `help` has
// returned; then by the caller alone. The ends of `help` are ordered by its lock. Everything else in an event is plain data.
unsafe impl<T> Send for Lent<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Lent<T> {}

/// Runs the steps over the batch in parts, and gives what was rejected in each; `None`, and nothing done, where it has to stay whole.
/// `ends_packed` is whether what comes after the filters wants packed events.
pub(super) fn filter<'a>(
    steps: &[Arc<Step>],
    scope: &Scope<'a>,
    tag: &Tag,
    batch: &mut Batch<'a>,
    ends_packed: bool,
) -> Option<Vec<Rejections<'a>>> {
    let is_big = batch.len() >= MIN_EVENTS;
    if steps.is_empty() || !(is_big || ends_packed && batch.len() > PART_EVENTS) || !steps.iter().all(|step| step.filter.is_stateless()) {
        return None;
    }
    let parts = batch.parts()?;
    // In a part there are none: a batch is shared out once.
    let help = aides::all().filter(|_| is_big).map(|aides| (aides, scope.aides(aides.count()))).filter(|(_, arenas)| !arenas.is_empty());
    if ends_packed {
        return Some(packed::filter(steps, scope, tag, batch, &parts, help));
    }
    let (aides, arenas) = help?;
    let mut done = filter_parts(aides, arenas, &parts, steps, scope, tag, batch.is_coalesced());
    done.sort_unstable_by_key(|part| part.number);
    assert_eq!(done.len(), parts.len(), "a thread that helped with a batch has failed");
    Some(join(done, steps.len(), scope, batch))
}

fn filter_parts<'a>(
    aides: &'static Aides,
    arenas: &'a [Bump],
    parts: &[(&'a [u8], usize)],
    steps: &[Arc<Step>],
    scope: &Scope<'a>,
    tag: &Tag,
    is_coalesced: bool,
) -> Vec<Done<'a>> {
    let next = AtomicUsize::new(0);
    let all = Mutex::new(Lent(Vec::with_capacity(parts.len())));
    let arenas = Lent((scope.bump(), arenas));
    aides.help(arenas.0.1.len(), &|thread| {
        let Lent((own, others)) = &arenas;
        let bump: &'a Bump = if thread == 0 { own } else { &others[thread - 1] };
        let scope = Scope::over(bump);
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(&(entries, count)) = parts.get(number) else { break };
            let batch = Batch::packed(entries, count);
            let batch = if is_coalesced { batch.coalesced() } else { batch };
            let part = run(steps, &scope, tag, batch, number);
            all.lock().unwrap_or_else(PoisonError::into_inner).0.push(part);
        }
    });
    all.into_inner().unwrap_or_else(PoisonError::into_inner).0
}

fn run<'a>(steps: &[Arc<Step>], scope: &Scope<'a>, tag: &Tag, mut batch: Batch<'a>, number: usize) -> Done<'a> {
    let mut rejections = Vec::new();
    for step in steps {
        if batch.is_empty() {
            break;
        }
        step.run(scope, tag, &mut batch);
        rejections.push(scope.take_rejections());
    }
    Done { number, batch, rejections }
}

/// Puts the parts into the batch; what was rejected, step by step.
fn join<'a>(done: Vec<Done<'a>>, steps: usize, scope: &Scope<'a>, batch: &mut Batch<'a>) -> Vec<Rejections<'a>> {
    let mut rejections: Vec<Rejections<'a>> = (0..steps).map(|_| Vec::new()).collect();
    let is_changed = done.iter().any(|part| part.batch.as_packed().is_none());
    let count = done.iter().map(|part| part.batch.len()).sum();
    let mut events: BumpVec<'a, Event<'a>> = BumpVec::with_capacity_in(if is_changed { count } else { 0 }, scope.bump());
    for part in done {
        for (all, of_part) in rejections.iter_mut().zip(part.rejections) {
            all.extend(of_part);
        }
        if is_changed {
            events.extend(part.batch.into_events(scope));
        }
    }
    // What no filter has changed stays packed.
    if is_changed {
        batch.replace(events);
    }
    rejections
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::msgpack::write_entry;
    use crate::event::{EventTime, Record, Scratch, Value};
    use crate::filter::Filter;
    use crate::log::PluginLog;

    /// Drops, rejects and changes events by their number; `stateless` is what it says of itself.
    struct Sieve {
        divisor: i64,
        key: &'static str,
        stateless: bool,
    }

    impl Filter for Sieve {
        fn is_stateless(&self) -> bool {
            self.stateless
        }

        fn filter<'a>(&self, scope: &Scope<'a>, tag: &Tag, batch: &mut Batch<'a>) {
            if self.divisor == 0 {
                batch.events(scope);
                return;
            }
            let events = batch.events_mut(scope);
            let before = std::mem::replace(events, BumpVec::new_in(scope.bump()));
            for mut event in before {
                let Some(Value::Int(number)) = event.record.get(b"n") else { continue };
                match number % self.divisor {
                    0 => {}
                    1 => {
                        let message = format!("{number} at {}", self.key);
                        scope.reject(Rejected { tag: tag.clone(), time: event.time, record: event.record, class: "Sieve", message });
                    }
                    rest => {
                        let text = scope.text(&format!("{number}/{rest}"));
                        event.record.set(self.key.as_bytes(), Value::text(text));
                        if number % 50 == 0 {
                            // What msgpack has no place for.
                            event.record.set(b"big", Value::Big("123456789012345678901234567890"));
                            event.time.sec = -5;
                        }
                        events.push(event);
                    }
                }
            }
        }
    }

    fn steps(sieves: &[(i64, &'static str, bool)]) -> Vec<Arc<Step>> {
        let step = |&(divisor, key, stateless)| {
            let filter = Box::new(Sieve { divisor, key, stateless });
            Arc::new(Step { filter, log: PluginLog::default(), counters: Arc::default(), counts_sizes: false })
        };
        sieves.iter().map(step).collect()
    }

    fn entries(count: i64) -> Vec<u8> {
        let (bump, mut packed) = (Bump::new(), Vec::new());
        for number in 0..count {
            let fields = [(Value::text("n"), Value::Int(number)), (Value::text("text"), Value::text("a line"))];
            write_entry(EventTime::from_f64(number as f64), &Record::from_fields(&bump, &fields), &mut packed);
        }
        packed
    }

    /// What comes out, as text, and what is rejected in each step.
    fn outcome<'a>(batch: &Batch<'a>, scope: &Scope<'a>, rejections: &[Rejections<'_>]) -> (Vec<String>, Vec<Vec<String>>) {
        let events = batch.events(scope).iter().map(|event| format!("{event:?}")).collect();
        let messages = |step: &Rejections<'_>| step.iter().map(|(rejected, _)| rejected.message.clone()).collect();
        (events, rejections.iter().map(messages).collect())
    }

    #[test]
    fn parts_give_what_the_whole_gives_in_the_same_order() {
        aides::allow(3);
        let tag = Tag::new("a.b");
        for count in [256, 257, 1000, 4097] {
            let packed = entries(count);
            let whole = steps(&[(3, "one", true), (7, "two", true)]);
            let scratch = Scratch::take();
            let scope = scratch.scope();
            let mut plain = Batch::packed(&packed, count as usize);
            let mut rejected = Vec::new();
            for step in &whole {
                step.run(&scope, &tag, &mut plain);
                rejected.push(scope.take_rejections());
            }
            for ends_packed in [false, true] {
                let parted = steps(&[(3, "one", true), (7, "two", true)]);
                let mut batch = Batch::packed(&packed, count as usize);
                let rejections = filter(&parted, &scope, &tag, &mut batch, ends_packed).expect("it is big enough");
                assert!(batch.as_packed().is_none(), "there are some that cannot be packed as they are");
                assert_eq!(outcome(&batch, &scope, &rejections), outcome(&plain, &scope, &rejected));
                for (one, other) in whole.iter().zip(&parted) {
                    assert_eq!(format!("{:?}", one.counters), format!("{:?}", other.counters));
                }
            }
        }
    }

    #[test]
    fn what_is_not_changed_stays_packed() {
        aides::allow(3);
        let packed = entries(1000);
        for ends_packed in [false, true] {
            let scratch = Scratch::take();
            let scope = scratch.scope();
            let mut batch = Batch::packed(&packed, 1000);
            let rejections = filter(&steps(&[(0, "", true)]), &scope, &Tag::new("t"), &mut batch, ends_packed).expect("it is big enough");
            assert_eq!(rejections.iter().map(Vec::len).sum::<usize>(), 0);
            assert_eq!(batch.as_packed().map(<[u8]>::as_ptr), Some(packed.as_ptr()), "not a copy");
            assert_eq!((batch.as_packed(), batch.len()), (Some(&packed[..]), 1000));
        }
    }

    #[test]
    fn small_batches_and_filters_with_a_memory_are_for_one_thread() {
        aides::allow(3);
        let (packed, few) = (entries(1000), entries(255));
        let tag = Tag::new("t");
        let is_whole = |sieves: &[(i64, &'static str, bool)], packed: &[u8], count, ends_packed| {
            let scratch = Scratch::take();
            filter(&steps(sieves), &scratch.scope(), &tag, &mut Batch::packed(packed, count), ends_packed).is_none()
        };
        for ends_packed in [false, true] {
            assert!(is_whole(&[(3, "one", true), (3, "two", false)], &packed, 1000, ends_packed));
            assert!(is_whole(&[], &packed, 1000, ends_packed));
        }
        assert!(is_whole(&[(3, "one", true)], &few, 255, false) && !is_whole(&[(3, "one", true)], &few, 255, true));
    }
}
