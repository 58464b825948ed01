//! How often memory is allocated on the main paths: by the batch, never by the event.

#[path = "../../benches/paths/mod.rs"]
mod paths;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    /// Of this thread alone: other tests run at the same time.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // A thread that ends has no counter any more, and nobody asks for it.
    let _ = ALLOCATIONS.try_with(|allocations| allocations.set(allocations.get() + 1));
}

// SAFETY: everything is handed to the system's allocator as it is; only a count is kept beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(at, layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most allocations that one of a few turns of a path makes, once it is warm.
fn allocations(name: &str) -> u64 {
    let mut path = paths::Path::new(name);
    (0..4).for_each(|_| path.run());
    let turn = |path: &mut paths::Path| {
        let before = ALLOCATIONS.get();
        path.run();
        ALLOCATIONS.get() - before
    };
    (0..8).map(|_| turn(&mut path)).max().unwrap_or_default()
}

#[test]
fn events_that_pass_through_allocate_nothing() {
    for name in ["packed", "messages"] {
        let found = allocations(name);
        assert!(found <= 12, "{name}: {found} allocations for {} events", paths::EVENTS);
    }
}

#[test]
fn events_that_are_looked_at_allocate_nothing_of_their_own() {
    for name in ["apache", "json", "grok", "body", "body-apache"] {
        let found = allocations(name);
        assert!(found <= 60, "{name}: {found} allocations for {} events", paths::EVENTS);
    }
}
