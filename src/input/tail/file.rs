//! One file that is followed: where it has been read up to, what of it waits, and how fast it may be read.

use super::events::Held;
use super::lines::Rest;
use super::positions::{Key, Position};
use crate::event::Tag;
use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::time::{Duration, Instant};

/// The rate of `read_bytes_limit_per_second` is over this.
const SECOND: Duration = Duration::from_secs(1);

/// One file that is followed.
pub struct Followed {
    /// Its path.
    pub path: String,
    /// The tag of its events.
    pub tag: Tag,
    /// By what its position is found.
    pub key: Key,
    /// Its inode; 0 while there is no file of that path.
    pub inode: u64,
    /// The number of its group.
    pub group: usize,
    /// Bytes that are no whole line.
    pub rest: Rest,
    /// Lines that wait for others.
    pub held: Held,
    /// Whether its position is noted; not that of a file whose name another has.
    pub notes_position: bool,
    /// Whether it has been read to its end.
    pub is_at_end: bool,
    file: Option<File>,
    /// What was wrong at the last read, so that it is not said again and again.
    complaint: Option<ErrorKind>,
    /// Where the next read begins.
    offset: u64,
    bytes: Rate,
    lines: Rate,
}

/// What has been read in a period.
#[derive(Debug, Default)]
struct Rate {
    since: Option<Instant>,
    count: u64,
}

impl Rate {
    /// Whether the limit has been reached and the period is not over.
    fn is_reached(&mut self, limit: u64, period: Duration) -> bool {
        if limit == 0 {
            return true;
        }
        if self.count < limit {
            return false;
        }
        if self.since.is_some_and(|since| since.elapsed() < period) {
            return true;
        }
        *self = Rate::default();
        false
    }

    fn add(&mut self, count: u64) {
        self.since.get_or_insert_with(Instant::now);
        self.count += count;
    }
}

/// What became of a path.
pub enum Change {
    /// It is the file that is followed.
    None,
    /// That file has become shorter than what has been read of it.
    Truncated,
    /// It is another file now.
    Replaced(u64),
    /// There is no file.
    Missing,
}

impl Followed {
    /// A file that is to be read from `at` on.
    pub fn new(path: &str, tag: Tag, key: Key, inode: u64, at: u64, group: usize) -> Followed {
        Followed {
            path: path.to_owned(),
            tag,
            key,
            inode,
            group,
            rest: Rest::default(),
            held: Held::default(),
            notes_position: true,
            is_at_end: false,
            file: None,
            complaint: None,
            offset: at,
            bytes: Rate::default(),
            lines: Rate::default(),
        }
    }

    /// How far it has been read: what waits will be read again, should the process end without notice.
    // Fluentd: lines that wait for others of their event count as read, and are lost when the process is killed.
    pub fn position(&self) -> Position {
        let at = self.offset.saturating_sub(self.rest.len() + self.held.len());
        Position { path: self.path.clone(), inode: self.inode, at }
    }

    /// Looks at what the path leads to.
    pub fn look(&self) -> Change {
        match std::fs::metadata(&self.path) {
            Ok(meta) if meta.ino() != self.inode => Change::Replaced(meta.ino()),
            Ok(meta) if meta.len() < self.offset => Change::Truncated,
            Ok(_) => Change::None,
            Err(error) if error.kind() == ErrorKind::NotFound || error.kind() == ErrorKind::PermissionDenied => Change::Missing,
            Err(_) => Change::None,
        }
    }

    /// Whether it is open; what has been moved away can only be read on where it is.
    pub fn is_open(&self) -> bool {
        self.file.is_some()
    }

    /// Begins anew at its beginning.
    pub fn rewind(&mut self) {
        self.close();
        self.offset = 0;
        self.rest.clear();
    }

    /// Goes back to a position, what is held being as it was then.
    pub fn go_back(&mut self, position: &Position, held: Held) {
        self.offset = position.at + held.len();
        self.held = held;
        self.rest.clear();
    }

    /// Closes it; it is opened again when it is read.
    pub fn close(&mut self) {
        self.file = None;
    }

    /// Whether it may be read at the moment.
    pub fn may_read(&mut self, bytes_per_second: Option<u64>, share: Option<u64>, period: Duration) -> bool {
        let bytes_reached = bytes_per_second.is_some_and(|limit| self.bytes.is_reached(limit, SECOND));
        let lines_reached = share.is_some_and(|limit| self.lines.is_reached(limit, period));
        !bytes_reached && !lines_reached
    }

    /// Says what is wrong with it, once.
    pub fn complain(&mut self, error: Option<Error>) {
        let kind = error.as_ref().map(Error::kind);
        if let Some(error) = error.filter(|_| kind != self.complaint) {
            crate::warning!("cannot read {}: {error}", self.path);
        }
        self.complaint = kind;
    }

    /// Counts lines that have been read.
    pub fn count_lines(&mut self, count: usize) {
        self.lines.add(count as u64);
    }

    /// Reads on: at most `buffer`, and no more than `max_lines` lines of it. 0 at the end of the file.
    pub fn read(&mut self, buffer: &mut [u8], max_lines: usize) -> Result<usize> {
        if self.file.is_none() {
            // Without waiting for a writer, should it be a pipe: that cannot be followed.
            let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&self.path)?;
            // Another file may have got the name in between: that is seen at the next look.
            if file.metadata()?.ino() != self.inode {
                return Ok(0);
            }
            self.file = Some(file);
        }
        let Some(file) = &self.file else { return Ok(0) };
        let mut length = file.read_at(buffer, self.offset)?;
        if let Some(last) = memchr::memchr_iter(b'\n', &buffer[..length]).nth(max_lines - 1) {
            length = last + 1;
        }
        self.offset += length as u64;
        self.bytes.add(length as u64);
        self.is_at_end = length == 0;
        Ok(length)
    }
}
