//! Who has a file open: chunks of a Fluentd that still runs must be left to it.
//!
//! Only processes that this one may look at are seen: not those of other users, or outside of this container.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A process that has a file open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its number.
    pub pid: u32,
    /// Its name.
    pub name: String,
}

/// The first other process that has one of these files open.
pub fn holder<'p>(paths: impl Iterator<Item = &'p Path>) -> Option<Holder> {
    let identity = |path: &Path| fs::metadata(path).ok().map(|about| (about.dev(), about.ino()));
    let wanted: HashSet<(u64, u64)> = paths.filter_map(identity).collect();
    if wanted.is_empty() {
        return None;
    }
    let own = std::process::id();
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(|pid: &u32| *pid != own);
    let mut holding = numbers.filter(|pid| {
        let Ok(open) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
        open.flatten().any(|entry| identity(&entry.path()).is_some_and(|file| wanted.contains(&file)))
    });
    let pid = holding.next()?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    Some(Holder { pid, name: name.trim().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn a_process_that_reads_a_file_is_found() {
        let path = std::env::temp_dir().join(format!("flumen-holder-{}", std::process::id()));
        fs::write(&path, b"x").unwrap();
        assert_eq!(holder([path.as_path()].into_iter()), None);
        let file = fs::File::open(&path).unwrap();
        assert_eq!(holder([path.as_path()].into_iter()), None, "this process does not count");
        let mut child = Command::new("cat").arg("-").arg("/dev/stdin").stdin(Stdio::piped()).stdout(file).spawn().unwrap();
        let found = holder([path.as_path()].into_iter());
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(found.map(|holder| holder.pid), Some(child.id()));
        fs::remove_file(path).unwrap();
    }
}
