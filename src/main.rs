//! Arguments in, exit code out.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Before the allocator touches its first page: it asks for huge ones, and with those an idle daemon takes 16 MB where 8 do.
#[cfg(target_os = "linux")]
#[used]
#[unsafe(link_section = ".init_array")]
static USE_SMALL_PAGES: extern "C" fn() = use_small_pages;

#[cfg(target_os = "linux")]
extern "C" fn use_small_pages() {
    // SAFETY: sets a flag of this process; where the kernel does not know it, nothing happens.
    unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0) };
}

fn main() -> ExitCode {
    flumen::cli::main(std::env::args().skip(1).collect())
}
