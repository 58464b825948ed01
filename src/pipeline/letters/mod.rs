//! What is kept of events and chunks that cannot be delivered: dead letters.
//!
//! With `<dead_letter>` in `<system>` all of them go to that folder. Without it, what an output rejects goes to the output's backup
//! folder in the same form, and what filters and inputs reject into the log, as in Fluentd. Reading them again is here too ([`read`]);
//! sending them again is the command line's business.

mod line;
pub mod read;
mod store;

pub use line::{Cause, Letter, What, write_chunk};
pub use store::{Kept, Letters, SEGMENT_PREFIX, SEGMENT_SUFFIX, is_newest, make_folder};

use crate::config::DeadLetter;
use crate::event::msgpack::write_entry;
use crate::event::{Origin, Rejected};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Where backups go when neither `root_dir` nor `$FLUENT_BACKUP_DIR` is set.
const DEFAULT_FOLDER: &str = "/tmp/fluent";
/// What one output rejects is kept up to here where no `<dead_letter>` sets a size: a storm of refusals must not fill the disk.
const BACKUP_BYTES: u64 = 1 << 30;
/// Where events are kept is said no more often than this.
const LINE_PAUSE: Duration = Duration::from_secs(5);

/// The backup folder of the output of this id.
pub fn backup_folder(root_dir: Option<&str>, id: &str) -> PathBuf {
    let from_environment = std::env::var("FLUENT_BACKUP_DIR").ok().filter(|folder| !folder.is_empty());
    let root = root_dir.map(str::to_owned).or(from_environment).unwrap_or_else(|| DEFAULT_FOLDER.to_owned());
    Path::new(&root).join("backup").join("worker0").join(harmless(id))
}

/// An id as a file's name.
pub fn harmless(id: &str) -> String {
    id.chars().map(|c| if " \"/\\:;|*<>?".contains(c) { '_' } else { c }).collect()
}

/// Finds the place for each rejected event.
#[derive(Default)]
pub struct Keeper {
    letters: Option<Arc<Letters>>,
    root_dir: Option<String>,
    said: Mutex<Option<Instant>>,
}

impl Keeper {
    /// As the `<system>` section says. Nothing is touched yet.
    pub fn new(dead_letter: Option<&DeadLetter>, root_dir: Option<&str>) -> Keeper {
        let letters = dead_letter.map(|section| Letters::shared(Path::new(&section.path), section.max_size.0));
        Keeper { letters, root_dir: root_dir.map(str::to_owned), said: Mutex::default() }
    }

    /// The folder of `<dead_letter>`.
    pub fn letters(&self) -> Option<&Arc<Letters>> {
        self.letters.as_ref()
    }

    /// Keeps an event. `false` says that the log is its only place.
    pub fn keep(&self, rejected: &Rejected<'_>, origin: Option<&Origin<'_>>) -> bool {
        let letters = match (&self.letters, origin) {
            (Some(letters), _) => Arc::clone(letters),
            (None, Some(origin)) => Letters::shared(&backup_folder(self.root_dir.as_deref(), &origin.output), BACKUP_BYTES),
            (None, None) => return false,
        };
        let cause = Cause {
            output: origin.map(|origin| origin.output.as_ref()),
            class: rejected.class,
            reason: &rejected.message,
            status: origin.and_then(|origin| origin.status),
        };
        let entry = packed(rejected, origin);
        let mut text = Vec::with_capacity(entry.len() * 3 + 256);
        line::write_event(&cause, &rejected.tag, rejected.time, &rejected.record, &entry, &mut text);
        let kept = letters.append(&text);
        let folder = letters.folder();
        match &kept {
            Ok(Kept::Yes) => self.say(|| crate::warning!("rejected events are kept whole in {}", folder.display())),
            Ok(Kept::Full) => self.say(|| {
                let max = letters.max_bytes();
                crate::error!("no room for rejected events, which are in the log only: {} has {max} bytes", folder.display());
            }),
            Err(error) => self.say(|| crate::error!("rejected events cannot be kept path={folder:?} error=\"{error}\"")),
        }
        matches!(kept, Ok(Kept::Yes))
    }

    fn say(&self, line: impl FnOnce()) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if said.is_none_or(|at| now.duration_since(at) >= LINE_PAUSE) {
            *said = Some(now);
            line();
        }
    }
}

/// The event as the output got it, or as it was rejected.
fn packed(rejected: &Rejected<'_>, origin: Option<&Origin<'_>>) -> Vec<u8> {
    if let Some(entry) = origin.and_then(|origin| origin.entry) {
        return entry.to_vec();
    }
    let mut entry = Vec::new();
    write_entry(rejected.time, &rejected.record, &mut entry);
    entry
}
