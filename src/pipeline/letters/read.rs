//! Reading dead letters: one line after another, damaged ones told apart, never more than one line in memory.

use super::line::Letter;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::path::Path;

pub use super::store::segments;

/// The longest line that is read: the largest forward message twice over, as JSON and as base64, with room to spare.
const MAX_LINE_BYTES: u64 = 512 << 20;

/// One line of a segment.
#[derive(Debug)]
pub struct Line {
    /// Where the next one begins.
    pub end: u64,
    /// What stands in it, or what is wrong with it.
    pub letter: Result<Letter, String>,
}

/// The lines of one segment.
pub struct Lines {
    file: BufReader<File>,
    at: u64,
}

impl Lines {
    /// From this byte on, which begins a line.
    pub fn open(path: &Path, from: u64) -> io::Result<Lines> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(from))?;
        Ok(Lines { file: BufReader::new(file), at: from })
    }

    fn read_line(&mut self) -> io::Result<Option<Line>> {
        let mut line = Vec::new();
        let read = io::Read::take(&mut self.file, MAX_LINE_BYTES).read_until(b'\n', &mut line)? as u64;
        if read == 0 {
            return Ok(None);
        }
        self.at += read;
        let is_whole = line.ends_with(b"\n");
        let letter = match is_whole {
            true => Letter::parse(&line),
            false if read == MAX_LINE_BYTES => Err(format!("it is longer than {MAX_LINE_BYTES} bytes")),
            false => Err("it has no end".to_owned()),
        };
        if read == MAX_LINE_BYTES && !is_whole {
            self.at += skip_line(&mut self.file)?;
        }
        Ok(Some(Line { end: self.at, letter }))
    }
}

impl Iterator for Lines {
    type Item = io::Result<Line>;

    fn next(&mut self) -> Option<io::Result<Line>> {
        self.read_line().transpose()
    }
}

fn skip_line(file: &mut BufReader<File>) -> io::Result<u64> {
    let mut skipped = 0;
    loop {
        let available = file.fill_buf()?;
        let end = memchr::memchr(b'\n', available);
        let taken = end.map_or(available.len(), |end| end + 1);
        if taken == 0 {
            return Ok(skipped);
        }
        file.consume(taken);
        skipped += taken as u64;
        if end.is_some() {
            return Ok(skipped);
        }
    }
}
