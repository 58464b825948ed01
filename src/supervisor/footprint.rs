//! What the process takes in memory while it has nothing to do.

/// Lets go of the pages of the program that only its start needed: reading the configuration, building, compiling patterns. They stay in
/// the system's cache of the file, and whichever is needed again is mapped again from there. Called once, when the pipeline runs.
pub fn forget_start() {
    #[cfg(target_os = "linux")]
    // SAFETY: the callback is called for each loaded object within this call, and needs no data.
    unsafe {
        libc::dl_iterate_phdr(Some(forget_pages), std::ptr::null_mut());
    }
}

/// Lets go of the parts of one loaded object that are mapped from its file and never written to, so that the file holds all there is.
#[cfg(target_os = "linux")]
unsafe extern "C" fn forget_pages(object: *mut libc::dl_phdr_info, _size: libc::size_t, _data: *mut libc::c_void) -> libc::c_int {
    // SAFETY: sysconf has no preconditions; the linker hands over an object that is valid during the call, with as many headers as it says.
    let (page, object, headers) = unsafe {
        let page = libc::sysconf(libc::_SC_PAGESIZE).max(4096) as usize;
        (page, &*object, std::slice::from_raw_parts((*object).dlpi_phdr, usize::from((*object).dlpi_phnum)))
    };
    for header in headers.iter().filter(|header| header.p_type == libc::PT_LOAD && header.p_flags & libc::PF_W == 0) {
        let start = (object.dlpi_addr + header.p_vaddr) as usize;
        let (from, until) = (start.next_multiple_of(page), (start + header.p_memsz as usize) / page * page);
        if from < until {
            // SAFETY: these pages are mapped from a file without leave to write, so that dropping them changes nothing that can be
            // read. Where the system does not allow it (its own code in every process) nothing happens.
            unsafe { libc::madvise(from as *mut libc::c_void, until - from, libc::MADV_DONTNEED) };
        }
    }
    0
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn file_kilobytes() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssFile:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    #[test]
    fn the_program_goes_on_with_fewer_pages() {
        let pattern = crate::regex::Regex::from_literal("/^a+$/").unwrap();
        // Other tests run at the same time, and need pages.
        let shrinks = (0..20).any(|_| {
            let before = file_kilobytes();
            forget_start();
            file_kilobytes() < before
        });
        assert!(shrinks);
        assert_eq!(pattern.is_match(b"aaa"), crate::regex::Matched::Yes);
    }
}
