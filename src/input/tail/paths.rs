//! Which files are followed: the paths of the configuration with the present time, as patterns or as they are.

use super::{GlobPolicy, Params};
use crate::config::glob;
use crate::event::{EventTime, Strftime, Zone};
use std::collections::HashSet;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

/// Files that are followed at once: a pattern that meets far more is a mistake, and each takes a file descriptor.
const MAX_FILES: usize = 50_000;

/// The paths of the configuration.
pub struct Paths {
    paths: Vec<Strftime>,
    excluded: Vec<Strftime>,
    zone: Zone,
    policy: GlobPolicy,
    recently_modified: Option<Duration>,
    said_unreadable: HashSet<String>,
    says_once: bool,
}

/// A file to be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its path.
    pub path: String,
    /// Its inode.
    pub inode: u64,
}

/// Whether a path has characters that `glob_policy extended` makes a pattern of.
pub fn is_extended_pattern(path: &str) -> bool {
    path.contains(['*', '?']) || path.find('[').is_some_and(|at| path[at..].contains(']'))
}

impl Paths {
    /// From the parameters; `None` where they name no path.
    pub fn new(params: &Params, zone: Zone) -> Option<Paths> {
        let mut texts: Vec<&str> = Vec::new();
        for text in params.path.split(params.path_delimiter.as_str()).map(str::trim) {
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        while texts.last().is_some_and(|text| text.is_empty()) {
            texts.pop();
        }
        if texts.is_empty() {
            return None;
        }
        Some(Paths {
            paths: texts.into_iter().map(Strftime::new).collect(),
            excluded: params.exclude_path.iter().map(|path| Strftime::new(path)).collect(),
            zone,
            policy: params.glob_policy,
            recently_modified: params.limit_recently_modified.map(crate::config::Seconds::duration),
            said_unreadable: HashSet::new(),
            says_once: params.ignore_repeated_permission_error,
        })
    }

    /// The one path, where there is one only and it is no pattern.
    pub fn only(&self) -> Option<String> {
        let [path] = self.paths.as_slice() else { return None };
        Some(path.text(EventTime::now(), &self.zone)).filter(|path| !self.is_pattern(path))
    }

    /// The files that exist at the moment, in order, each path once.
    pub fn expand(&mut self) -> Vec<Target> {
        let now = EventTime::now();
        let excluded: HashSet<String> = self.excluded.iter().flat_map(|path| self.found(&path.text(now, &self.zone))).collect();
        let mut seen = HashSet::new();
        let mut targets = Vec::new();
        for path in &self.paths {
            let path = path.text(now, &self.zone);
            let is_pattern = self.is_pattern(&path);
            for path in self.found(&path) {
                if excluded.contains(&path) || !seen.insert(path.clone()) || targets.len() >= MAX_FILES {
                    continue;
                }
                let Ok(meta) = std::fs::metadata(&path) else { continue };
                if is_pattern && (meta.is_dir() || self.is_old(&meta, now) || !is_readable(&path)) {
                    if !meta.is_dir() && !self.is_old(&meta, now) && (!self.says_once || self.said_unreadable.insert(path.clone())) {
                        crate::warning!("{path} unreadable. It is excluded and would be examined next time.");
                    }
                    continue;
                }
                targets.push(Target { inode: meta.ino(), path });
            }
        }
        if targets.len() >= MAX_FILES {
            crate::warning!("tail: more than {MAX_FILES} files are found, the others are not followed");
        }
        targets
    }

    fn is_old(&self, meta: &std::fs::Metadata, now: EventTime) -> bool {
        self.recently_modified
            .is_some_and(|limit| meta.mtime() as f64 + f64::from(meta.mtime_nsec() as u32) / 1e9 < now.to_f64() - limit.as_secs_f64())
    }

    fn is_pattern(&self, path: &str) -> bool {
        match self.policy {
            GlobPolicy::BackwardCompatible => path.contains('*'),
            GlobPolicy::Extended => is_extended_pattern(path),
            GlobPolicy::Always => is_extended_pattern(path) || (path.contains('{') && path.contains('}')),
        }
    }

    /// The paths that one stands for.
    fn found(&self, path: &str) -> Vec<String> {
        match self.is_pattern(path) {
            true => glob(path).into_iter().filter_map(|found| found.to_str().map(str::to_owned)).collect(),
            false => vec![path.to_owned()],
        }
    }
}

fn is_readable(path: &str) -> bool {
    // A pipe would block whoever opens it.
    let is_pipe = std::fs::metadata(Path::new(path)).is_ok_and(|meta| !meta.is_file());
    is_pipe || std::fs::File::open(path).is_ok()
}
