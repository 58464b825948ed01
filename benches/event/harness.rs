//! What is common to all steps: CPU time of the thread and allocations of the process, per event, the best of several passes.

use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicU64, Ordering};

/// Events of a pass.
pub const EVENTS: usize = 1000;
const PASSES: usize = 60;

/// The daemon's allocator, counted.
pub struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static INNER: mimalloc::MiMalloc = mimalloc::MiMalloc;

// SAFETY: everything is handed to the other allocator as it is; only a count is kept beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { INNER.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { INNER.dealloc(at, layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { INNER.realloc(at, layout, size) }
    }
}

fn cpu_nanoseconds() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec of our own.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Which steps are wanted: those whose line holds a word of the command line.
fn is_wanted(line: &str) -> bool {
    let mut words = std::env::args().skip(1).filter(|word| !word.starts_with("--")).peekable();
    words.peek().is_none() || words.any(|word| line.contains(&word))
}

/// Runs `pass` several times and prints what the best cost an event; `bytes` is the size of an event.
pub fn measure(group: &str, name: &str, bytes: usize, mut pass: impl FnMut()) {
    let line = format!("{group:<10} {name}");
    if !is_wanted(&line) {
        return;
    }
    pass();
    let (mut best, mut allocations) = (u64::MAX, u64::MAX);
    for _ in 0..PASSES {
        let (start, before) = (cpu_nanoseconds(), ALLOCATIONS.load(Ordering::Relaxed));
        pass();
        best = best.min(cpu_nanoseconds() - start);
        allocations = allocations.min(ALLOCATIONS.load(Ordering::Relaxed) - before);
    }
    let nanoseconds = best as f64 / EVENTS as f64;
    let speed = bytes as f64 / nanoseconds;
    println!("{line:<66} {nanoseconds:>8.1} ns  {speed:>6.2} GB/s  {:>6.3} allocations", allocations as f64 / EVENTS as f64);
}
