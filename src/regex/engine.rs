//! The engine behind expressions: PCRE2 through its raw interface, with bounds on its work. The only file here with `unsafe`.
//!
//! PCRE2 limits the steps from one starting point, not those of a whole search, and a step may read the whole text. So long
//! texts are searched window by window, the limit grows only as far as it must, and the processor time that a search has
//! taken decides when it is given up.

use super::RegexError;
use pcre2_sys::*;
use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::ptr::{null, null_mut};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A search that has taken this much processor time is given up, unless [`within`] says otherwise.
const MAX_SEARCH_NS: u64 = 8_000_000;
/// Texts up to this length are first tried in one go.
const SHORT_TEXT_BYTES: usize = 1024;
/// The most starting points of one window.
const MAX_WINDOW: usize = 1024;
/// Steps times bytes that one call may take before the clock is read.
const CALL_BUDGET: usize = 20_000_000;
/// No fewer steps than this from one starting point.
const LEAST_STEPS: usize = 16;
/// No more steps than this from one starting point at the first try.
const FIRST_STEPS: usize = 5_000;
/// A window that took longer is followed by none larger.
const QUICK_WINDOW_NS: u64 = 200_000;
/// The stack that compiled code grows into; what needs more is run by the interpreter.
const JIT_STACK_BYTES: usize = 1 << 20;
/// The interpreter's memory for one match, in KiB.
const HEAP_LIMIT_KIB: u32 = 16 << 10;
/// The interpreter's nesting; each level takes memory, which the limit above bounds too.
const DEPTH_LIMIT: u32 = 250_000;
/// The interpreter's memory that a thread keeps from match to match.
const KEPT_HEAP_BYTES: usize = 1 << 20;
/// Brackets within brackets; more than the grammar allows, because emitting adds some.
const MAX_NESTING: u32 = 2_000;

/// How often something kept a search from the fast path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Searches given up at the bound on their work.
    pub bounded: u64,
    /// Searches that outgrew the compiled code's stack and were run by the interpreter.
    pub stack_overflows: u64,
    /// Expressions that the machine allowed no executable memory for.
    pub interpreted: u64,
}

static BOUNDED: AtomicU64 = AtomicU64::new(0);
static STACK_OVERFLOWS: AtomicU64 = AtomicU64::new(0);
static INTERPRETED: AtomicU64 = AtomicU64::new(0);

/// The counters of this process.
pub fn counters() -> Counters {
    let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    Counters { bounded: get(&BOUNDED), stack_overflows: get(&STACK_OVERFLOWS), interpreted: get(&INTERPRETED) }
}

/// What came of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Yes,
    No,
    Bounded,
}

/// What the searches of one piece of work may still take together.
#[derive(Clone, Copy)]
struct Allowance {
    left_ns: u64,
    was_exceeded: bool,
}

thread_local! {
    static ALLOWANCE: Cell<Option<Allowance>> = const { Cell::new(None) };
}

/// Does a piece of work whose searches may together take so much processor time, instead of the usual bound on each; says
/// whether one of them was given up.
pub fn within<T>(limit: Duration, work: impl FnOnce() -> T) -> (T, bool) {
    let left_ns = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
    let outer = ALLOWANCE.replace(Some(Allowance { left_ns, was_exceeded: false }));
    let result = work();
    let was_exceeded = ALLOWANCE.replace(outer).is_some_and(|allowance| allowance.was_exceeded);
    (result, was_exceeded)
}

/// Counts what a search has taken against the allowance, where there is one.
fn spend(took_ns: u64, was_exceeded: bool) {
    if let Some(allowance) = ALLOWANCE.get() {
        let left_ns = allowance.left_ns.saturating_sub(took_ns);
        ALLOWANCE.set(Some(Allowance { left_ns, was_exceeded: allowance.was_exceeded || was_exceeded }));
    }
}

/// A compiled pattern. Machine code is made at its first use.
#[derive(Debug)]
pub(super) struct Code {
    code: *mut pcre2_code_8,
    jit: OnceLock<bool>,
    /// Whether a search can succeed at its first starting point only, or minds where the search started.
    one_start: bool,
    groups: usize,
}

// SAFETY: PCRE2 documents compiled patterns as constant and shareable between threads; the one later change, making machine
// code, happens inside the `OnceLock`, before any thread can use the pattern.
unsafe impl Send for Code {}
// SAFETY: as above.
unsafe impl Sync for Code {}

impl Drop for Code {
    fn drop(&mut self) {
        // SAFETY: `code` came from pcre2_compile and nobody else frees it.
        unsafe { pcre2_code_free_8(self.code) }
    }
}

impl Code {
    /// Compiles a pattern that this room has written. `utf` reads the text as UTF-8, where bytes that are none match nothing.
    pub(super) fn new(pattern: &str, utf: bool, minds_start: bool, groups: usize) -> Result<Code, RegexError> {
        let mut options = PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C | PCRE2_USE_OFFSET_LIMIT;
        if utf {
            options |= PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF;
        }
        let (mut error, mut at) = (0, 0);
        // SAFETY: the context is created, used and freed here; the pattern's pointer and length belong together.
        let code = unsafe {
            let context = pcre2_compile_context_create_8(null_mut());
            pcre2_set_newline_8(context, PCRE2_NEWLINE_LF);
            pcre2_set_bsr_8(context, PCRE2_BSR_UNICODE);
            pcre2_set_parens_nest_limit_8(context, MAX_NESTING);
            pcre2_set_compile_extra_options_8(context, PCRE2_EXTRA_ASCII_BSD | PCRE2_EXTRA_ASCII_BSS);
            let code = pcre2_compile_8(pattern.as_ptr(), pattern.len(), options, &mut error, &mut at, context);
            pcre2_compile_context_free_8(context);
            code
        };
        if code.is_null() {
            return Err(RegexError { message: format!("cannot be expressed: {}", message(error)), at: 0 });
        }
        let mut all: u32 = 0;
        // SAFETY: ALLOPTIONS writes a u32, which `all` is.
        unsafe { pcre2_pattern_info_8(code, PCRE2_INFO_ALLOPTIONS, (&raw mut all).cast()) };
        Ok(Code { code, jit: OnceLock::new(), one_start: minds_start || all & PCRE2_ANCHORED != 0, groups })
    }

    /// Makes machine code, once. False where the machine or the pattern does not allow it.
    fn has_jit(&self) -> bool {
        *self.jit.get_or_init(|| {
            // SAFETY: the pattern is valid, and no match runs before this cell is filled.
            let made = unsafe { pcre2_jit_compile_8(self.code, PCRE2_JIT_COMPLETE) } == 0;
            if !made && INTERPRETED.fetch_add(1, Ordering::Relaxed) == 0 {
                crate::warning!("no executable memory for regular expressions: they are interpreted, which is many times slower");
            }
            made
        })
    }

    /// Runs without machine code from now on, as on a machine that forbids it.
    #[cfg(test)]
    pub(super) fn forbid_jit(&self) {
        let _ = self.jit.set(false);
    }

    /// Searches the text at and behind `from`, which is within it. `groups` is called with the reader of group offsets where there is a match.
    pub(super) fn search(&self, text: &[u8], from: usize, groups: impl FnOnce(&Groups)) -> Found {
        MACHINE.with_borrow_mut(|machine| {
            machine.make_room(self.groups + 1);
            let found = machine.search(self, text, from);
            match found {
                Found::Yes => groups(&Groups { offsets: machine.offsets, count: self.groups }),
                Found::No => {}
                Found::Bounded => _ = BOUNDED.fetch_add(1, Ordering::Relaxed),
            }
            found
        })
    }
}

/// Where the groups of a match are.
pub(super) struct Groups {
    offsets: *const usize,
    count: usize,
}

impl Groups {
    /// The bytes of a group; `None` where it took no part.
    #[inline]
    pub(super) fn get(&self, group: usize) -> Option<(usize, usize)> {
        if group > self.count {
            return None;
        }
        // SAFETY: the offsets hold two numbers for each of `count + 1` groups, and outlive this borrow.
        let (start, end) = unsafe { (*self.offsets.add(group * 2), *self.offsets.add(group * 2 + 1)) };
        (start != usize::MAX && start <= end).then_some((start, end))
    }
}

thread_local! {
    static MACHINE: RefCell<Machine> = RefCell::new(Machine::new());
}

/// What a thread matches with, reused from match to match.
struct Machine {
    context: *mut pcre2_match_context_8,
    stack: *mut pcre2_jit_stack_8,
    data: *mut pcre2_match_data_8,
    offsets: *const usize,
    room: usize,
}

impl Drop for Machine {
    fn drop(&mut self) {
        // SAFETY: all three were created by this machine; PCRE2's functions take null.
        unsafe {
            pcre2_match_data_free_8(self.data);
            pcre2_match_context_free_8(self.context);
            pcre2_jit_stack_free_8(self.stack);
        }
    }
}

/// How a stretch of the text is searched.
#[derive(Clone, Copy)]
struct Window {
    /// The first starting point.
    from: usize,
    /// How many there are; `usize::MAX` for all.
    starts: usize,
    /// The limit on the steps from each.
    steps: usize,
}

impl Machine {
    fn new() -> Machine {
        // SAFETY: plain creation; a null stack means that machine code uses a small one on the machine's own.
        let (context, stack) =
            unsafe { (pcre2_match_context_create_8(null_mut()), pcre2_jit_stack_create_8(32 << 10, JIT_STACK_BYTES, null_mut())) };
        // SAFETY: the context is new and ours; the stack lives as long.
        unsafe {
            pcre2_set_heap_limit_8(context, HEAP_LIMIT_KIB);
            pcre2_set_depth_limit_8(context, DEPTH_LIMIT);
            pcre2_jit_stack_assign_8(context, None, stack.cast());
        }
        let mut machine = Machine { context, stack, data: null_mut(), offsets: null(), room: 0 };
        machine.make_room(32);
        machine
    }

    /// Sees to room for so many groups, the whole match among them.
    fn make_room(&mut self, groups: usize) {
        if groups <= self.room {
            return;
        }
        // SAFETY: the old data is ours (or null) and nobody reads its offsets any more.
        unsafe {
            pcre2_match_data_free_8(self.data);
            self.data = pcre2_match_data_create_8(groups as u32, null_mut());
            self.offsets = pcre2_get_ovector_pointer_8(self.data);
        }
        self.room = groups;
    }

    fn search(&mut self, code: &Code, text: &[u8], from: usize) -> Found {
        let length = (text.len() - from).max(64);
        let mut window = if code.one_start || length <= SHORT_TEXT_BYTES {
            Window { from, starts: usize::MAX, steps: (CALL_BUDGET / (length * length)).clamp(LEAST_STEPS, FIRST_STEPS) }
        } else {
            Window { from, starts: 64, steps: (CALL_BUDGET / (length * 64)).clamp(LEAST_STEPS, FIRST_STEPS) }
        };
        let jit = code.has_jit();
        let first = self.call(code, text, window, jit);
        if window.starts == usize::MAX && first == PCRE2_ERROR_NOMATCH {
            return Found::No;
        }
        if first >= 0 {
            return Found::Yes;
        }
        // Interpreting takes more steps for the same work, each of them short.
        let start = thread_time_ns();
        let allowed = ALLOWANCE.get().map_or(MAX_SEARCH_NS, |allowance| allowance.left_ns);
        let found = self.search_windows(code, text, &mut window, jit, first, start..start.saturating_add(allowed));
        spend(thread_time_ns() - start, found == Found::Bounded);
        self.give_back_heap();
        found
    }

    /// Goes on after a first call that has decided nothing, within that much processor time.
    fn search_windows(&mut self, code: &Code, text: &[u8], window: &mut Window, mut jit: bool, first: i32, time: Range<u64>) -> Found {
        let mut last = time.start;
        let mut outcome = first;
        loop {
            let now = thread_time_ns();
            match outcome {
                0.. => return Found::Yes,
                PCRE2_ERROR_NOMATCH => {
                    if window.starts > text.len().saturating_sub(window.from) {
                        return Found::No;
                    }
                    window.from += window.starts;
                    while window.from < text.len() && text[window.from] & 0xc0 == 0x80 {
                        window.from += 1;
                    }
                    if now - last < QUICK_WINDOW_NS {
                        window.starts = (window.starts * 2).min(MAX_WINDOW);
                    }
                }
                PCRE2_ERROR_MATCHLIMIT if window.starts > 1 && !code.one_start => {
                    window.starts = (window.starts.min(text.len()) / 8).max(1)
                }
                PCRE2_ERROR_MATCHLIMIT => window.steps = window.steps.saturating_mul(2).min(u32::MAX as usize),
                PCRE2_ERROR_JIT_STACKLIMIT if jit => {
                    STACK_OVERFLOWS.fetch_add(1, Ordering::Relaxed);
                    jit = false;
                }
                _ => return Found::Bounded,
            }
            if now > time.end {
                return Found::Bounded;
            }
            last = now;
            outcome = self.call(code, text, *window, jit);
        }
    }

    fn call(&mut self, code: &Code, text: &[u8], window: Window, jit: bool) -> i32 {
        // All ones is PCRE2's word for no limit.
        let last = if window.starts == usize::MAX { usize::MAX } else { (window.from + window.starts - 1).min(text.len()) };
        // SAFETY: context, data, code and text are valid for the call, the data has room for the code's groups (make_room),
        // and `from` is within the text. The code's machine code exists where `jit` says so.
        unsafe {
            pcre2_set_match_limit_8(self.context, window.steps as u32);
            pcre2_set_offset_limit_8(self.context, last);
            if jit {
                pcre2_jit_match_8(code.code, text.as_ptr(), text.len(), window.from, 0, self.data, self.context)
            } else {
                pcre2_match_8(code.code, text.as_ptr(), text.len(), window.from, PCRE2_NO_JIT, self.data, self.context)
            }
        }
    }

    /// Frees what the interpreter has grown, where that is much.
    fn give_back_heap(&mut self) {
        // SAFETY: the data is ours.
        if unsafe { pcre2_get_match_data_heapframes_size_8(self.data) } <= KEPT_HEAP_BYTES {
            return;
        }
        // The offsets of a match are still to be read: they move to the new data.
        let (room, old) = (self.room, self.data);
        self.data = null_mut();
        self.room = 0;
        let offsets = self.offsets;
        self.make_room(room);
        // SAFETY: both hold two numbers for each of `room` groups; the old data is freed after its last use.
        unsafe {
            std::ptr::copy_nonoverlapping(offsets, self.offsets.cast_mut(), room * 2);
            pcre2_match_data_free_8(old);
        }
    }
}

/// The processor time of this thread in nanoseconds, so that a busy machine does not change what matches.
pub(super) fn thread_time_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock exists on Linux, and `time` is written whole.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// PCRE2's words for an error.
fn message(error: i32) -> String {
    let mut buffer = [0u8; 256];
    // SAFETY: the buffer's pointer and length belong together.
    let length = unsafe { pcre2_get_error_message_8(error, buffer.as_mut_ptr(), buffer.len()) };
    String::from_utf8_lossy(&buffer[..usize::try_from(length).unwrap_or(0)]).into_owned()
}
