//! Chunks that Fluentd left at the path of a file buffer: queued before anything of ours, kept aside where they cannot be delivered, and left
//! alone as long as a Fluentd runs that has them open.

use super::{Delivery, Phase};
use crate::buffer::Location;
use crate::buffer::import::{Fate, Found, Heir, OnDamage, chunks_of, fate, folders_of_workers, held_by, left_by_fluentd};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;

/// How often a Fluentd that has its chunks open is looked for.
const LOOK_PAUSE: Duration = Duration::from_secs(5);

/// Folders that are looked into beside the buffer's own, before anything is started: those of Fluentd's workers, where there is one here.
pub(super) fn folders_at_start(location: &Location) -> Vec<PathBuf> {
    if is_of_one_worker(location) { folders_of_workers(&location.folder) } else { Vec::new() }
}

/// Those that the first of several workers looks into once all have found their own: what was left before there were as many.
fn folders_of_all(location: &Location) -> Vec<PathBuf> {
    let Some(above) = location.folder.parent().filter(|_| location.folder.ends_with("worker0") && !is_of_one_worker(location)) else {
        return folders_at_start(location);
    };
    let mut folders = vec![above.to_owned()];
    folders.extend(folders_of_workers(above));
    folders
}

fn is_of_one_worker(location: &Location) -> bool {
    location.is_folder && location.folder == Path::new(&location.given)
}

/// Looks once more when everything runs, and again as long as a Fluentd has its chunks open.
pub(super) async fn look_again(delivery: Arc<Delivery>, location: Location, mut phase: watch::Receiver<Phase>) {
    loop {
        let is_held_up = delivery.is_held_up.load(Ordering::Relaxed);
        if !is_held_up && folders_of_all(&location) == folders_at_start(&location) {
            return;
        }
        if is_held_up {
            tokio::select! {
                () = sleep(LOOK_PAUSE) => {}
                _ = phase.wait_for(|phase| *phase != Phase::Running) => return,
            }
        }
        let (looking, location) = (Arc::clone(&delivery), location.clone());
        let look = move || looking.log.clone().enter(|| looking.take_over(&location, &folders_of_all(&location)));
        if tokio::task::spawn_blocking(look).await.is_err() || !delivery.is_held_up.load(Ordering::Relaxed) {
            return;
        }
    }
}

impl Delivery {
    /// Queues what can be delivered, and keeps the rest in the backup folder. Blocks. Nothing that is found is a reason not to start.
    pub(super) fn take_over(&self, location: &Location, others: &[PathBuf]) {
        let heir = Heir { keys: &self.settings.keys, is_packed: self.output.is_packed(), max_bytes: self.settings.compress_up_to };
        let found = match left_by_fluentd(location, others) {
            Ok(found) => found,
            Err(error) => {
                return crate::error!(
                    "chunks that Fluentd may have left cannot be looked for path={:?} error=\"{error}\"",
                    location.folder
                );
            }
        };
        if let Some(holder) = held_by(&found) {
            if !self.is_held_up.swap(true, Ordering::Relaxed) {
                crate::error!(
                    "{} chunks of Fluentd's are not taken over as long as process {} ({}) has them open: stop it, and they are delivered path={:?}",
                    found.len(),
                    holder.pid,
                    holder.name,
                    location.folder
                );
            }
            return;
        }
        self.is_held_up.store(false, Ordering::Relaxed);
        let damage = self.damage_of_fluentd();
        let (mut chunks, mut records) = (0, 0);
        for one in found {
            match fate(one.clone(), &heir, &damage) {
                Ok(Fate::Deliver(stored)) => {
                    chunks += 1;
                    records += stored.chunk.records;
                    self.take_in(stored);
                }
                Ok(Fate::SetAside(found, why)) => self.keep_aside(&found, &heir, &why),
                Ok(Fate::Empty(found)) => {
                    crate::warning!("an empty chunk of Fluentd's is removed path={:?}", found.path);
                    say_if_not_removed(&found, found.remove());
                }
                Err(error) => {
                    crate::error!("a chunk of Fluentd's cannot be read and stays where it is path={:?} error=\"{error}\"", one.path)
                }
            }
        }
        if chunks > 0 {
            crate::info!("chunks of Fluentd's are taken over path={:?} chunks={chunks} records={records}", location.folder);
        }
    }

    /// A chunk that this output cannot deliver: whole to the backup folder.
    fn keep_aside(&self, found: &Found, heir: &Heir<'_>, why: &str) {
        let kept = chunks_of(found, heir).and_then(|chunks| {
            chunks
                .iter()
                .map(|(chunk, is_packed)| Ok((chunk.records, self.backup.keep_as(*is_packed, chunk, why)?)))
                .collect::<io::Result<Vec<_>>>()
        });
        match kept {
            Ok(kept) => {
                for (records, path) in kept {
                    crate::error!(
                        "a chunk of Fluentd's cannot be delivered here, as {why}: it is kept in {} path={:?}",
                        path.display(),
                        found.path
                    );
                    self.counters.backup_records.add(records as u64);
                }
                say_if_not_removed(found, found.remove());
            }
            Err(error) => {
                crate::error!(
                    "a chunk of Fluentd's stays where it is, as {why}, and it cannot be kept elsewhere path={:?} error=\"{error}\"",
                    found.path
                );
            }
        }
    }

    fn damage_of_fluentd(&self) -> OnDamage {
        let backup = self.backup.clone();
        Arc::new(move |path, start, bytes, what| match backup.keep_damaged(path, start, bytes) {
            Ok(kept) => {
                crate::error!("damage in a chunk of Fluentd's: {what} path={path:?} at={start}; the file is kept in {}", kept.display())
            }
            Err(error) => crate::error!(
                "damage in a chunk of Fluentd's: {what} path={path:?} at={start}, and the file cannot be kept error=\"{error}\""
            ),
        })
    }
}

fn say_if_not_removed(found: &Found, removed: io::Result<()>) {
    if let Err(error) = removed {
        crate::error!("a chunk of Fluentd's cannot be removed path={:?} error=\"{error}\"", found.path);
    }
}
