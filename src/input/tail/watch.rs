//! The thread of a tail input: looks at the files again and again, reads what is new, and notes how far.

use super::Settings;
use super::events::{Events, Step};
use super::file::{Change, Followed};
use super::group::Groups;
use super::lines::Lines;
use super::paths::Target;
use super::positions::{Key, Positions};
use crate::event::{Batch, Scope, Scratch};
use crate::plugin::{Emitter, Stop};
use anyhow::Result;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// How often files are looked at, where the configuration does not say otherwise.
pub const QUICK_LOOK: Duration = Duration::from_millis(100);
/// How often where it does; and with many files never more often than a fourth of it.
pub const SLOW_LOOK: Duration = Duration::from_secs(1);
/// Beyond so many files looking takes time that counts.
const MANY_FILES: usize = 100;
/// How much is read at once; some hundred lines.
const READ_BYTES: usize = 64 << 10;
/// How much at once where a group's lines are counted, as Fluentd does.
const COUNTED_READ_BYTES: usize = 8 << 10;
/// How many reads a file has before the others have their turn.
const READS_A_TURN: usize = 16;
/// At the end, for what has been written by then.
const LAST_READS: Duration = Duration::from_secs(3);
/// Fluentd's class of the error for a full buffer: the lines are read again later.
const OVERFLOW: &str = "Fluent::Plugin::Buffer::BufferOverflowError";

/// A file that is read for a while though its path leads elsewhere.
struct Leaving {
    followed: Followed,
    since: Instant,
    /// Whether its position is forgotten in the end.
    unwatch: bool,
}

/// The thread's state.
pub struct Watch {
    settings: Settings,
    events: Events,
    groups: Option<Groups>,
    emitter: Emitter,
    runtime: Handle,
    stop: Stop,
    positions: Positions,
    files: BTreeMap<Key, Followed>,
    leaving: Vec<Leaving>,
    buffer: Vec<u8>,
    /// Whether files are looked for the first time.
    at_start: bool,
}

impl Watch {
    /// Opens the position file.
    pub fn new(
        mut settings: Settings,
        events: Events,
        groups: Option<Groups>,
        emitter: Emitter,
        runtime: Handle,
        stop: Stop,
    ) -> Result<Watch> {
        let by_inode = settings.follow_inodes;
        let positions = match &settings.pos_file {
            None => Positions::in_memory(by_inode),
            Some(path) => {
                let targets = settings.paths.expand();
                let keys: std::collections::HashSet<Key> = targets.iter().map(|target| key(by_inode, target)).collect();
                Positions::open(path, by_inode, settings.file_mode, settings.dir_mode, |key| keys.contains(key))?
            }
        };
        Ok(Watch {
            settings,
            events,
            groups,
            emitter,
            runtime,
            stop,
            positions,
            files: BTreeMap::new(),
            leaving: Vec::new(),
            buffer: vec![0; READ_BYTES],
            at_start: true,
        })
    }

    /// Follows the files until the stop.
    pub fn run(mut self) -> Result<()> {
        let mut refreshed = Instant::now();
        let mut compacted = Instant::now();
        if !self.settings.skip_refresh_on_startup {
            self.refresh();
        }
        while !self.stop.is_stopped() {
            if refreshed.elapsed() >= self.settings.refresh_interval {
                refreshed = Instant::now();
                self.refresh();
            }
            if self.settings.compaction_interval.is_some_and(|interval| compacted.elapsed() >= interval) {
                compacted = Instant::now();
                crate::info!("Clean up the pos file");
                if let Err(why) = self.positions.compact() {
                    crate::error!("cannot clean up the pos file: error={:?}", format!("{why:#}"));
                }
            }
            if !self.turn() {
                let many = if self.files.len() > MANY_FILES { SLOW_LOOK / 4 } else { Duration::ZERO };
                let wait = self.settings.look_interval.max(many);
                let mut stop = self.stop.clone();
                let _ = self.runtime.block_on(async { tokio::time::timeout(wait, stop.wait()).await });
            }
        }
        self.finish();
        Ok(())
    }

    /// Looks for files that are to be followed, and for those that are not any more.
    fn refresh(&mut self) {
        let by_inode = self.settings.follow_inodes;
        let targets: BTreeMap<Key, Target> =
            self.settings.paths.expand().into_iter().map(|target| (key(by_inode, &target), target)).collect();
        if by_inode {
            self.positions.unwatch_all_but(|key| targets.contains_key(key));
        }
        let gone: Vec<Key> = self.files.keys().filter(|key| !targets.contains_key(key)).cloned().collect();
        for key in gone {
            if let Some(followed) = self.files.remove(&key) {
                self.leave(followed, !by_inode);
            }
        }
        for (key, target) in targets {
            let is_leaving = by_inode && self.leaving.iter().any(|leaving| leaving.followed.inode == target.inode);
            if !self.files.contains_key(&key) && !is_leaving && !self.stop.is_stopped() {
                self.start(key, &target);
            }
        }
        self.at_start = false;
    }

    fn start(&mut self, key: Key, target: &Target) {
        let Ok(meta) = std::fs::metadata(&target.path) else {
            return crate::warning!("stat() for {} failed. Continuing without tailing it.", target.path);
        };
        let at = match self.positions.get(&key) {
            // Shorter than what has been read: it was truncated meanwhile.
            Some(known) if known.inode == target.inode => {
                if meta.len() < known.at {
                    0
                } else {
                    known.at
                }
            }
            // Another file has got the name: all of it is new.
            Some(known) if known.inode != 0 => 0,
            _ if self.settings.read_from_head || !self.at_start => 0,
            _ => meta.len(),
        };
        self.follow(key, &target.path, target.inode, at);
    }

    fn follow(&mut self, key: Key, path: &str, inode: u64, at: u64) {
        crate::info!("following tail of {path}");
        let group = self.groups.as_mut().map_or(0, |groups| groups.add(path));
        let followed = Followed::new(path, self.settings.tag.of(path), key.clone(), inode, at, group);
        if inode != 0 {
            self.positions.set(&key, followed.position());
        }
        self.files.insert(key, followed);
    }

    /// Goes on to read a file for a while, though its path leads elsewhere.
    fn leave(&mut self, mut followed: Followed, unwatch: bool) {
        followed.notes_position = self.settings.follow_inodes;
        self.leaving.push(Leaving { followed, since: Instant::now(), unwatch });
    }

    /// Looks at each file once; whether there is more to be read at once.
    fn turn(&mut self) -> bool {
        let mut more = false;
        let keys: Vec<Key> = self.files.keys().cloned().collect();
        for key in keys {
            let Some(mut followed) = self.files.remove(&key) else { continue };
            match followed.look() {
                Change::None => {
                    more |= self.read(&mut followed);
                    self.flush_overdue(&mut followed);
                    self.files.insert(key, followed);
                }
                Change::Truncated => {
                    crate::info!("detected rotation of {}", followed.path);
                    self.flush(&mut followed);
                    followed.rewind();
                    self.positions.set(&key, followed.position());
                    more |= self.read(&mut followed);
                    self.files.insert(key, followed);
                }
                Change::Replaced(inode) => {
                    self.replace(followed, inode);
                    more = true;
                }
                Change::Missing if followed.inode == 0 => drop(self.files.insert(key, followed)),
                Change::Missing => self.lose(followed),
            }
            if self.stop.is_stopped() {
                return true;
            }
        }
        self.read_leaving() || more
    }

    /// The path has got another file.
    fn replace(&mut self, mut old: Followed, inode: u64) {
        let path = old.path.clone();
        if old.inode == 0 {
            // There was none; what is there now is all new, unless it is the one that was moved away and is back.
            let back = self.leaving.iter().position(|leaving| leaving.followed.inode == inode && leaving.followed.path == path);
            self.forget(&old);
            if let Some(at) = back {
                let mut followed = self.leaving.swap_remove(at).followed;
                followed.notes_position = true;
                self.files.insert(followed.key.clone(), followed);
                return;
            }
            crate::info!("detected rotation of {path}");
            return self.follow(old.key, &path, inode, 0);
        }
        let wait = self.settings.rotate_wait.as_secs_f64();
        crate::info!("detected rotation of {path}; waiting {wait} seconds");
        while self.read(&mut old) && !self.stop.is_stopped() {}
        let target = Target { path: path.clone(), inode };
        let key = key(self.settings.follow_inodes, &target);
        let is_known = self.settings.follow_inodes && (self.files.contains_key(&key) || self.positions.get(&key).is_some());
        self.leave(old, false);
        if !is_known {
            self.follow(key, &path, inode, 0);
        }
    }

    /// The path has no file any more.
    fn lose(&mut self, old: Followed) {
        crate::info!("detected rotation of {}; waiting {} seconds", old.path, self.settings.rotate_wait.as_secs_f64());
        let (key, path) = (old.key.clone(), old.path.clone());
        self.leave(old, false);
        if !self.settings.follow_inodes {
            self.follow(key, &path, 0, 0);
        }
    }

    fn forget(&mut self, followed: &Followed) {
        if let Some(groups) = &mut self.groups {
            groups.remove(followed.group);
        }
    }

    fn read_leaving(&mut self) -> bool {
        let mut more = false;
        for mut leaving in std::mem::take(&mut self.leaving) {
            let followed = &mut leaving.followed;
            let is_more = followed.inode != 0 && self.read(followed);
            more |= is_more;
            let is_over = leaving.since.elapsed() >= self.settings.rotate_wait;
            let is_limited = self.settings.bytes_per_second.is_some() || self.groups.is_some();
            if is_more || !is_over || (is_limited && followed.is_open() && !followed.is_at_end) {
                self.leaving.push(leaving);
                continue;
            }
            self.end(leaving);
        }
        more
    }

    /// The last of a file that is not read any more.
    fn end(&mut self, mut leaving: Leaving) {
        // Fluentd: a last line without a newline is lost.
        let last = leaving.followed.rest.take();
        if !last.is_empty() {
            let mut text = last;
            text.push(b'\n');
            let lines = super::lines::Rest::default().lines(&text, None);
            self.emit(&mut leaving.followed, |step, held| step.lines(&lines, held));
        }
        self.flush(&mut leaving.followed);
        self.forget(&leaving.followed);
        if leaving.unwatch && !self.files.contains_key(&leaving.followed.key) {
            self.positions.unwatch(&leaving.followed.key);
        }
    }

    /// Reads what is new; whether there is more.
    fn read(&mut self, followed: &mut Followed) -> bool {
        if followed.inode == 0 {
            return false;
        }
        for _ in 0..READS_A_TURN {
            let (share, period) = match &self.groups {
                Some(groups) => (groups.share(followed.group), groups.period),
                None => (None, Duration::ZERO),
            };
            if !followed.may_read(self.settings.bytes_per_second, share, period) || !self.wait_for_room(followed) {
                return false;
            }
            let (before, held) = (followed.position(), followed.held.clone());
            let limit = if share.is_some() || self.settings.bytes_per_second.is_some() { COUNTED_READ_BYTES } else { READ_BYTES };
            let mut buffer = std::mem::take(&mut self.buffer);
            let result = followed.read(&mut buffer[..limit], self.settings.lines_limit);
            let lines = match &result {
                Ok(length) if *length > 0 => Some(followed.rest.lines(&buffer[..*length], self.settings.max_line_size)),
                _ => None,
            };
            self.buffer = buffer;
            let Some(lines) = lines else {
                followed.complain(result.err());
                if self.settings.open_on_every_update || followed.is_at_end && !followed.notes_position && !followed.is_open() {
                    followed.close();
                }
                return false;
            };
            followed.count_lines(lines.len());
            if !self.take(followed, &lines) {
                followed.go_back(&before, held);
                return false;
            }
            self.note(followed);
        }
        true
    }

    fn take(&mut self, followed: &mut Followed, lines: &Lines) -> bool {
        (0..lines.skipped).for_each(|_| self.emitter.note_invalid());
        lines.len() == 0 || self.emit(followed, |step, held| step.lines(lines, held))
    }

    fn note(&mut self, followed: &Followed) {
        if followed.notes_position {
            self.positions.set(&followed.key, followed.position());
        }
    }

    fn flush_overdue(&mut self, followed: &mut Followed) {
        let is_overdue = |interval: Duration| followed.held.since().is_some_and(|since| since.elapsed() >= interval);
        if self.settings.flush_interval.is_some_and(is_overdue) {
            self.flush(followed);
        }
    }

    /// Emits lines that wait for others of their event.
    fn flush(&mut self, followed: &mut Followed) {
        if followed.held.len() == 0 {
            return;
        }
        let held = followed.held.clone();
        let position = followed.position();
        if self.emit(followed, |step, held| step.flush(held)) {
            self.note(followed);
        } else {
            followed.go_back(&position, held);
        }
    }

    /// Makes events and emits them; `false` where the buffers are full.
    fn emit(&self, followed: &mut Followed, work: impl FnOnce(&mut Step<'_, '_>, &mut super::events::Held)) -> bool {
        let scratch = Scratch::take();
        let scope: Scope<'_> = scratch.scope();
        let mut step = Step::new(&self.events, &scope, &followed.path, self.settings.encoding);
        work(&mut step, &mut followed.held);
        (0..step.invalid).for_each(|_| self.emitter.note_invalid());
        let found = step.found;
        if found.is_empty() {
            return true;
        }
        match self.emitter.emit(&scope, &followed.tag, Batch::decoded(found)) {
            // What fails for another reason would fail again; the router has said so.
            Err(error) => error.settled || error.class != OVERFLOW,
            Ok(()) => true,
        }
    }

    /// Waits until there is room for the file's events; `false` where the end came first.
    fn wait_for_room(&self, followed: &Followed) -> bool {
        let mut stop = self.stop.clone();
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                _ = self.emitter.reserve(&followed.tag) => true,
                () = stop.wait() => false,
            }
        })
    }

    /// Reads what has been written by now, and emits what waits.
    fn finish(&mut self) {
        let deadline = Instant::now() + LAST_READS;
        let mut all: Vec<Followed> = std::mem::take(&mut self.files).into_values().collect();
        all.extend(std::mem::take(&mut self.leaving).into_iter().map(|leaving| leaving.followed));
        for followed in &mut all {
            while Instant::now() < deadline && !matches!(followed.look(), Change::Truncated) && self.read(followed) {}
            self.flush(followed);
        }
    }
}

fn key(by_inode: bool, target: &Target) -> Key {
    if by_inode { Key::Inode(target.inode) } else { Key::Path(target.path.clone()) }
}
