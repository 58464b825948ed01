//! Where a file buffer lives: a folder and how its files are called, from `path`, or `root_dir` and `@id`.
//!
//! Fluentd's own chunks are `PREFIX` + `b` or `q` + 32 digits + `SUFFIX` in that folder; Flumen's segments are beside them, under names
//! that Fluentd does not look for.

use std::path::{Path, PathBuf};

/// What Flumen's own files end in.
const OWN: &str = ".flumen";
/// What stands before the digits in the name of a segment's file that waits to be written over.
const SPARE: &str = "spare-";

/// A file buffer's folder and names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The path as it was given, by which two buffers on one path are found out.
    pub given: String,
    /// The folder.
    pub folder: PathBuf,
    /// What names begin with, such as `buffer.`.
    pub prefix: String,
    /// What names of Fluentd's chunks end in, such as `.log`.
    pub suffix: String,
    /// Whether it is a `file_single` buffer, whose chunks are called otherwise.
    pub is_single: bool,
    /// Permissions of files.
    pub file_mode: u32,
    /// Permissions of folders.
    pub dir_mode: u32,
    /// Whether `path` is a folder, so that several workers can each have one below it.
    pub is_folder: bool,
}

/// The number of a segment, and the salt of its checksums.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SegmentName {
    /// Its place in the order of writing.
    pub number: u32,
    /// Mixed into the checksums of headers.
    pub salt: u32,
}

/// What a location is made of.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'w> {
    /// `path`.
    pub path: Option<&'w str>,
    /// `path_suffix`.
    pub suffix: &'w str,
    /// The output's folder below `root_dir`, where it has an `@id`.
    pub root: Option<&'w Path>,
    /// Which of several workers it is for.
    pub worker: Option<i64>,
    /// Whether the buffer is a `file_single`.
    pub is_single: bool,
    /// Permissions of files and of folders.
    pub modes: (u32, u32),
}

impl Location {
    /// As Fluentd finds it; looks at what there is, and changes nothing. The error is in Fluentd's words.
    pub fn resolve(wanted: &Wanted<'_>) -> Result<Location, String> {
        let of_root = wanted.root.map(|root| root.join("buffer"));
        let (given, worker) = match (wanted.path, of_root) {
            (Some(path), _) => (PathBuf::from(path), wanted.worker),
            (None, Some(root)) => (root, None),
            (None, None) => return Err("buffer path is not configured. specify 'path' in <buffer>".to_owned()),
        };
        let text = given.to_string_lossy().into_owned();
        let (file_mode, dir_mode) = wanted.modes;
        let suffix = if wanted.is_single { ".buf" } else { wanted.suffix }.to_owned();
        let usual = if wanted.is_single { "fsb." } else { "buffer." };
        let is_folder = given.is_dir() || (!given.exists() && !text.contains(".*"));
        let mut location = Location {
            given: text.clone(),
            folder: given.clone(),
            prefix: usual.to_owned(),
            suffix,
            is_single: wanted.is_single,
            file_mode,
            dir_mode,
            is_folder,
        };
        if is_folder {
            location.folder.extend(worker.map(|worker| format!("worker{worker}")));
            return Ok(location);
        }
        location.folder = given.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
        let name = given.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        match name.split_once(".*.") {
            // Fluentd: a file_single buffer takes no names of the user's, but the folder.
            Some(_) if wanted.is_single => {}
            Some((before, after)) => (location.prefix, location.suffix) = (format!("{before}."), format!(".{after}")),
            None => location.prefix = format!("{}.", name.strip_suffix(".*").unwrap_or(&name)),
        }
        Ok(location)
    }

    /// The file of a segment.
    pub fn segment(&self, name: SegmentName) -> PathBuf {
        self.folder.join(format!("{}{:08x}{:08x}{}{OWN}", self.prefix, name.number, name.salt, self.suffix))
    }

    /// The segment that a file of this name is, if it is one of this buffer.
    pub fn segment_of(&self, file: &str) -> Option<SegmentName> {
        let digits = file.strip_prefix(&self.prefix)?.strip_suffix(OWN)?.strip_suffix(&self.suffix)?;
        if digits.len() != 16 || !digits.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)) {
            return None;
        }
        let (number, salt) = digits.split_at(8);
        Some(SegmentName { number: u32::from_str_radix(number, 16).ok()?, salt: u32::from_str_radix(salt, 16).ok()? })
    }

    /// What the file of a segment is called once nothing lives in it and it waits to be written over.
    pub fn spare(&self, name: SegmentName) -> PathBuf {
        self.folder.join(format!("{}{SPARE}{:08x}{:08x}{}{OWN}", self.prefix, name.number, name.salt, self.suffix))
    }

    /// Whether a file of this name is such a one of this buffer.
    pub fn is_spare(&self, file: &str) -> bool {
        let inner = file.strip_prefix(&self.prefix).and_then(|file| file.strip_suffix(OWN)?.strip_suffix(&self.suffix));
        inner.is_some_and(|inner| inner.starts_with(SPARE))
    }

    /// The file that is locked while a process uses the buffer.
    pub fn lock(&self) -> PathBuf {
        self.folder.join(format!("{}lock{}{OWN}", self.prefix, self.suffix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(path: &str) -> Wanted<'_> {
        Wanted { path: Some(path), suffix: ".log", root: None, worker: None, is_single: false, modes: (0o644, 0o755) }
    }

    fn shape(wanted: &Wanted<'_>) -> String {
        let location = Location::resolve(wanted).unwrap();
        format!("{}/{}*{}", location.folder.display(), location.prefix, location.suffix)
    }

    #[test]
    fn paths_are_folders_or_patterns() {
        assert_eq!(shape(&wanted("/nowhere/b")), "/nowhere/b/buffer.*.log");
        assert_eq!(shape(&wanted("/nowhere/b.*.buf")), "/nowhere/b.*.buf");
        assert_eq!(shape(&wanted("/nowhere/b.*")), "/nowhere/b.*.log");
        assert_eq!(shape(&wanted("/dev/null")), "/dev/null.*.log");
        assert_eq!(shape(&wanted("b.*.x")), "./b.*.x");
        assert_eq!(shape(&Wanted { suffix: ".x", worker: Some(2), ..wanted("/nowhere/b") }), "/nowhere/b/worker2/buffer.*.x");
        assert_eq!(shape(&Wanted { is_single: true, ..wanted("/nowhere/b") }), "/nowhere/b/fsb.*.buf");
        assert_eq!(shape(&Wanted { is_single: true, ..wanted("/nowhere/b.*.x") }), "/nowhere/fsb.*.buf");
        let of_root = Wanted { path: None, root: Some(Path::new("/nowhere/worker0/id")), worker: Some(0), ..wanted("") };
        assert_eq!(shape(&of_root), "/nowhere/worker0/id/buffer/buffer.*.log");
        assert!(Location::resolve(&Wanted { root: None, ..of_root }).unwrap_err().contains("buffer path is not configured"));
    }

    #[test]
    fn segments_have_names_of_their_own() {
        let location = Location::resolve(&wanted("/nowhere/b")).unwrap();
        let name = SegmentName { number: 17, salt: 0xabc };
        let path = location.segment(name);
        assert_eq!(path.to_str(), Some("/nowhere/b/buffer.0000001100000abc.log.flumen"));
        assert_eq!(location.segment_of("buffer.0000001100000abc.log.flumen"), Some(name));
        let spare = location.spare(name);
        assert_eq!(spare.to_str(), Some("/nowhere/b/buffer.spare-0000001100000abc.log.flumen"));
        let file = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
        assert!(location.is_spare(&file(&spare)) && !location.is_spare(&file(&path)) && location.segment_of(&file(&spare)).is_none());
        for other in
            ["buffer.lock.log.flumen", "buffer.0000001100000abc.log", "x.0000001100000abc.log.flumen", "buffer.000000110000+abc.log.flumen"]
        {
            assert_eq!(location.segment_of(other), None);
        }
    }
}
