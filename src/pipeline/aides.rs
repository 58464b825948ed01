//! Threads that help another one with a piece of work while it waits for them: how one connection's batch keeps several cores busy.
//! Only the threads; what is shared out, and when that is worth it, is `split`'s.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

/// Work for several threads; each is told its number, the one that asked is 0.
type Work<'w> = dyn Fn(usize) + Sync + 'w;

/// The threads of this process that help; started when they are first needed.
pub struct Aides {
    count: usize,
    /// Threads that are at work which could be shared out: one that is busy with its own is no help to another.
    busy: AtomicUsize,
    post: Mutex<Post>,
    posted: Condvar,
    left: Condvar,
}

/// What the threads are asked to do at the moment.
#[derive(Default)]
struct Post {
    started: bool,
    work: Option<&'static Work<'static>>,
    /// How many may still join, how many have joined and how many of those are at it.
    wanted: usize,
    joined: usize,
    running: usize,
}

static ALL: OnceLock<Aides> = OnceLock::new();

/// Lets so many threads help those that call; to be called once, by whoever decides on threads.
pub fn allow(count: usize) {
    let _ = ALL.set(Aides::new(count));
}

/// The threads of this process that help, if there are any.
pub fn all() -> Option<&'static Aides> {
    ALL.get().filter(|aides| aides.count > 0)
}

impl Aides {
    fn new(count: usize) -> Aides {
        Aides { count, busy: AtomicUsize::new(0), post: Mutex::default(), posted: Condvar::new(), left: Condvar::new() }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    fn post(&self) -> MutexGuard<'_, Post> {
        self.post.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does the work in this thread and in as many others as have nothing of their own to do, at most `wanted`; returns when all have done.
    /// The work has to be such that any number of threads can do it, this one alone too.
    pub fn help(&'static self, wanted: usize, work: &Work<'_>) {
        let busy_others = self.busy.fetch_add(1, Ordering::Relaxed);
        let _at_work = AtWork(&self.busy);
        let wanted = wanted.min(self.count.saturating_sub(busy_others));
        // SAFETY: only the lifetime is changed. `Shared` takes the work back and waits for all threads that have it, also when `work` panics,
        // before this function returns; and whoever finds other work posted posts none.
        let lasting = unsafe { std::mem::transmute::<&Work<'_>, &'static Work<'static>>(work) };
        let _shared = Shared::post(self, lasting, wanted);
        work(0);
    }

    fn start(&'static self) -> bool {
        let spawn = |number| std::thread::Builder::new().name(format!("aide {number}")).spawn(move || self.serve());
        (0..self.count).map(spawn).filter(Result::is_ok).count() > 0
    }

    fn serve(&self) {
        let mut post = self.post();
        loop {
            let Some(work) = post.work.filter(|_| post.joined < post.wanted) else {
                post = self.posted.wait(post).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            post.joined += 1;
            post.running += 1;
            let number = post.joined;
            drop(post);
            // Parts that are missing after a panic are seen by the one that asked.
            let _ = catch_unwind(AssertUnwindSafe(|| work(number)));
            post = self.post();
            post.running -= 1;
            if post.running == 0 {
                self.left.notify_all();
            }
        }
    }
}

struct AtWork<'b>(&'b AtomicUsize);

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Work that other threads may join in until this is dropped.
struct Shared(Option<&'static Aides>);

impl Shared {
    fn post(aides: &'static Aides, work: &'static Work<'static>, wanted: usize) -> Shared {
        if wanted == 0 {
            return Shared(None);
        }
        let mut post = aides.post();
        if post.work.is_some() {
            return Shared(None);
        }
        if !post.started {
            post.started = aides.start();
        }
        (post.work, post.wanted, post.joined) = (Some(work), wanted, 0);
        drop(post);
        (0..wanted).for_each(|_| aides.posted.notify_one());
        Shared(Some(aides))
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let Some(aides) = self.0 else { return };
        let mut post = aides.post();
        post.wanted = 0;
        while post.running > 0 {
            post = aides.left.wait(post).unwrap_or_else(PoisonError::into_inner);
        }
        post.work = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn aides(count: usize) -> &'static Aides {
        Box::leak(Box::new(Aides::new(count)))
    }

    #[test]
    fn all_parts_are_done_once_each_time() {
        let aides = aides(3);
        for round in 0..200 {
            let next = AtomicUsize::new(0);
            let done = Mutex::new(Vec::new());
            aides.help(round % 5, &|_| {
                loop {
                    let part = next.fetch_add(1, Ordering::Relaxed);
                    if part >= 50 {
                        break;
                    }
                    done.lock().unwrap().push(part);
                }
            });
            let mut done = done.into_inner().unwrap();
            done.sort_unstable();
            assert_eq!(done, (0..50).collect::<Vec<_>>());
        }
    }

    #[test]
    fn threads_work_at_the_same_time_and_have_numbers_of_their_own() {
        let aides = aides(2);
        let numbers = Mutex::new(HashSet::new());
        let here = std::sync::Barrier::new(3);
        aides.help(2, &|number| {
            assert!(numbers.lock().unwrap().insert(number));
            here.wait();
        });
        assert_eq!(numbers.into_inner().unwrap(), HashSet::from([0, 1, 2]));
    }

    #[test]
    fn who_calls_while_others_are_busy_gets_fewer() {
        let aides = aides(2);
        let (inside, leave) = (std::sync::Barrier::new(2), std::sync::Barrier::new(2));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                aides.help(1, &|number| {
                    if number == 0 {
                        inside.wait();
                        leave.wait();
                    }
                })
            });
            inside.wait();
            let joined = AtomicUsize::new(0);
            aides.help(2, &|_| {
                joined.fetch_add(1, Ordering::Relaxed);
            });
            assert_eq!(joined.into_inner(), 1, "the other work is still posted");
            leave.wait();
        });
    }

    #[test]
    fn a_panic_of_the_caller_waits_for_the_others() {
        let aides = aides(1);
        let (begun, finished) = (std::sync::Barrier::new(2), AtomicUsize::new(0));
        let result = catch_unwind(AssertUnwindSafe(|| {
            aides.help(1, &|number| {
                begun.wait();
                assert!(number != 0, "the caller's part fails");
                std::thread::yield_now();
                finished.fetch_add(1, Ordering::SeqCst);
            });
        }));
        assert!(result.is_err());
        assert_eq!(finished.load(Ordering::SeqCst), 1);
    }
}
