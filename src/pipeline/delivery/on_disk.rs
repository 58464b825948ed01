//! A delivery whose buffer is on disk: where that is, and taking up what the process before left there.

use super::Delivery;
use super::take_over::folders_at_start;
use crate::buffer::log::disk::RealDisk;
use crate::buffer::log::{Damaged, LogLimits, Options, Recovered, Report, open};
use crate::buffer::{Chunk, ChunkKeys, Closed, FileSettings, InLog, Keys, Location, Settings, StoredChunk, Wanted};
use crate::config::{Element, Refused};
use crate::plugin::{Context, Limit};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Bytes of a segment, where the buffer is large enough for several.
const SEGMENT_BYTES: u64 = 16 << 20;
/// The smallest segment.
const LEAST_SEGMENT_BYTES: u64 = 64 << 10;
/// A buffer has so many segments at least, so that what is delivered makes room soon.
const SEGMENTS: u64 = 16;
/// What a log takes of memory: events that are not written yet, and what it remembers of chunks.
const MEMORY_BYTES: u64 = 32 << 20;
/// What a delivery reads at once of a chunk that may be delivered in parts: Fluentd's size for chunks in memory.
const PART_BYTES: usize = 8 << 20;
/// A disk that refused is tried again after this.
const RETRY_WAIT: Duration = Duration::from_millis(300);
/// Modes of files and folders where nothing is said, as in Fluentd.
const USUAL_MODES: (u32, u32) = (0o644, 0o755);

/// Where a buffer is on disk.
#[derive(Clone, Debug)]
pub struct OnDisk {
    /// The folder and names.
    pub location: Location,
    options: Options,
    limits: LogLimits,
}

impl OnDisk {
    /// Finds the place that the parameters say; `None` for a buffer in memory.
    pub fn resolve(settings: &Settings, element: &Element, context: &Context<'_>) -> Result<Option<OnDisk>, Refused> {
        let Some(file) = &settings.file else { return Ok(None) };
        let system = context.system;
        let worker = context.host.worker();
        let has_id = element.text("@id").or_else(|| element.text("id")).is_some();
        let root = system.root_dir.as_deref().filter(|_| has_id).map(|root| plugin_root(root, worker, context.id));
        let FileSettings { path, path_otherwise, path_suffix, file_permission, dir_permission, is_single, fsync } = file;
        let path = path.as_deref().or_else(|| path_otherwise.as_deref().filter(|_| root.is_none()));
        let mode = |own: &Option<u32>, system: Option<u32>, usual: u32| own.or(system).unwrap_or(usual);
        let file_mode = mode(file_permission, system.file_permission.map(|mode| mode.0), USUAL_MODES.0);
        let dir_mode = mode(dir_permission, system.dir_permission.map(|mode| mode.0), USUAL_MODES.1);
        let wanted = Wanted {
            path,
            suffix: path_suffix,
            root: root.as_deref(),
            worker: (system.workers > 1).then_some(worker),
            is_single: *is_single,
            modes: (file_mode, dir_mode),
        };
        let span = element.section("buffer").map_or(element.span, |buffer| buffer.span);
        let location = Location::resolve(&wanted).map_err(|why| context.refuse("FLM0524", span, why))?;
        if system.workers > 1 && !location.is_folder {
            let message = "file buffer with multi workers should be configured to use directory 'path', or system root_dir and plugin id";
            return Err(context.refuse("FLM0524", span, message));
        }
        let segment_bytes = (settings.total_bytes / SEGMENTS).clamp(LEAST_SEGMENT_BYTES, SEGMENT_BYTES);
        let limits = LogLimits {
            // Where the limit is smaller than a few segments those do not count: what is delivered goes a segment at a time.
            disk: Arc::new(Limit::new(settings.total_bytes.max(SEGMENTS * LEAST_SEGMENT_BYTES))),
            memory: Arc::new(Limit::within(MEMORY_BYTES, &context.host.memory_limit())),
        };
        let options = Options {
            fsync: *fsync,
            compress: settings.compress,
            segment_bytes: segment_bytes as usize,
            part_bytes: PART_BYTES,
            retry_wait: RETRY_WAIT,
        };
        Ok(Some(OnDisk { location, options, limits }))
    }
}

impl OnDisk {
    /// Another limit for all segments together.
    pub fn set_total(&self, total_bytes: u64) {
        self.limits.disk.set_max(total_bytes.max(SEGMENTS * LEAST_SEGMENT_BYTES));
    }

    /// The same place, with what this one counts, used as `new` says.
    pub fn used_as(&self, new: &OnDisk) -> OnDisk {
        OnDisk { options: new.options, ..self.clone() }
    }
}

/// The folder of a plugin below `root_dir`.
fn plugin_root(root: &str, worker: i64, id: &str) -> PathBuf {
    Path::new(root).join(format!("worker{worker}")).join(id)
}

impl Delivery {
    /// The path of the buffer as it was given, where it is on disk, and the type of the output.
    pub fn buffer_path(&self) -> Option<(&str, &str)> {
        self.disk.as_ref().map(|disk| (disk.location.given.as_str(), self.plugin.as_str()))
    }

    /// All limits that a batch counts against.
    pub(super) fn all_limits(&self) -> impl Iterator<Item = &Arc<Limit>> {
        std::iter::once(&self.limit).chain(self.disk.iter().flat_map(|disk| [&disk.limits.disk, &disk.limits.memory]))
    }

    /// Whether there is no room.
    pub(super) fn is_full(&self) -> bool {
        self.all_limits().any(|limit| limit.is_full())
    }

    /// Lets its own parameters count for a log that was in use before.
    pub(super) fn adjust_log(&self) {
        let Some(disk) = &self.disk else { return };
        disk.set_total(self.settings.total_bytes);
        if let Some(in_log) = self.stage.log() {
            in_log.log.set_options(disk.options);
        }
    }

    /// Opens the log of a buffer on disk and queues what waits in it; nothing where a predecessor has it open.
    pub(super) fn open_log(&self) -> anyhow::Result<()> {
        let Some(disk) = self.disk.as_ref().filter(|_| self.stage.log().is_none()) else { return Ok(()) };
        let (location, limits) = (disk.location.clone(), disk.limits.clone());
        let (log, found) = open(Arc::new(RealDisk), location, disk.options, limits, &self.log, self.report())?;
        let in_log = InLog { log, output: self.plugin.clone(), is_packed: self.output.is_packed() };
        self.stage.keep_in(in_log.clone());
        if !found.is_empty() {
            let (chunks, records) = (found.len(), found.iter().map(|chunk| chunk.records).sum::<u64>());
            crate::info!("events were found in the buffer path={:?} chunks={chunks} records={records}", disk.location.folder);
        }
        // Older than anything of ours.
        self.take_over(&disk.location, &folders_at_start(&disk.location));
        for chunk in found {
            self.take_up(&in_log, chunk);
        }
        Ok(())
    }

    fn take_up(&self, in_log: &InLog, found: Recovered) {
        let Recovered { number, head, bytes, records, is_closed } = found;
        let is_of_same_form = head.is_packed == in_log.is_packed && (head.is_packed || head.output == in_log.output);
        let is_of_same_keys = fit(&self.settings.keys, &head.keys);
        let output = head.output.clone();
        let chunk = Chunk { id: head.id, records: records as usize, ..Chunk::new(head.keys) };
        if !is_of_same_form {
            return self.set_aside(in_log, chunk, number, &output);
        }
        if !is_closed && is_of_same_keys && self.stage.resume(chunk.clone(), bytes, number) {
            return;
        }
        self.take_in(StoredChunk { chunk, bytes, body: in_log.stored(number) });
    }

    /// Queues a chunk that waits outside of memory.
    pub fn take_in(&self, stored: StoredChunk) {
        let StoredChunk { chunk, bytes, body } = stored;
        self.limit.take(bytes + crate::buffer::CHUNK_COST_BYTES);
        self.push(Closed { chunk, since: Instant::now(), bytes, body: Some(body), receipts: Vec::new() });
    }

    /// A chunk that was written for another kind of output cannot be delivered by this one.
    fn set_aside(&self, in_log: &InLog, mut chunk: Chunk, number: u64, output: &str) {
        let body = in_log.stored(number);
        loop {
            let kept = body
                .read(&mut chunk)
                .and_then(|more| self.backup.keep(&chunk, "it was written for another output").map(|path| (more, path)));
            match kept {
                Ok((more, path)) => {
                    let path = path.display();
                    crate::error!(
                        "a chunk in the buffer was written for the output {output:?} and cannot be delivered here: it is kept in {path}"
                    );
                    self.counters.backup_records.add(chunk.records as u64);
                    if !more {
                        return body.done();
                    }
                    body.keep(&[]);
                }
                Err(error) => {
                    return crate::error!(
                        "a chunk of the output {output:?} stays in the buffer, as it cannot be kept elsewhere error=\"{error}\""
                    );
                }
            }
        }
    }

    /// Tells of damage, and keeps the bytes in the backup folder.
    fn report(&self) -> Report {
        let backup = self.backup.clone();
        Box::new(move |damaged: &Damaged| {
            let Damaged { path, start, bytes, what } = damaged;
            if bytes.is_empty() {
                return crate::error!("damage in the buffer: {what} path={path:?} at={start}");
            }
            match backup.keep_damaged(path, *start, bytes) {
                Ok(kept) => crate::error!("damage in the buffer: {what} path={path:?} at={start} bytes={} kept_in={kept:?}", bytes.len()),
                Err(error) => crate::error!(
                    "damage in the buffer: {what} path={path:?} at={start} bytes={} and cannot be kept error=\"{error}\"",
                    bytes.len()
                ),
            }
        })
    }
}

/// Whether a chunk of these keys can take events that are grouped by `keys`.
fn fit(keys: &Keys, found: &ChunkKeys) -> bool {
    let names = found.variables.iter().map(|(name, _)| name.as_str());
    keys.tag == found.tag.is_some()
        && keys.time.is_some() == found.timekey.is_some()
        && keys.fields.iter().map(|field| field.name.as_str()).eq(names)
}
