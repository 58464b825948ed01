//! Rotation of the log file: by size, keeping so many old files, or at the end of each day, week or month.
//!
//! Old files are named as Fluentd's are: `NAME.0` the youngest, `NAME.1` the next, or `NAME.20260131` for what ended with that day.
//! A file that cannot be rotated is written on: the log does not stop for it.

use jiff::civil::{Date, Weekday};
use jiff::{ToSpan, Zoned};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The size from which on a file is rotated, where none is given, in bytes.
const USUAL_BYTES: u64 = 1 << 20;
/// The files kept, the one that is written to among them, where no number is given.
const USUAL_FILES: u32 = 7;
/// Old files of one day: beyond that the last one is overwritten.
const MOST_OF_A_DAY: u32 = 1000;

/// How long a file is written to that is rotated by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// To midnight.
    Daily,
    /// To the midnight before Sunday.
    Weekly,
    /// To the end of the month.
    Monthly,
}

/// When a log file makes room for a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// When it has more bytes than this. So many files are kept in all; none is rotated for 0.
    Size {
        /// Files kept, the one that is written to among them.
        files: u32,
        /// Bytes.
        bytes: u64,
    },
    /// When its time is over.
    Time(Period),
}

impl Rotation {
    /// By size, with the usual value for what is not given.
    pub fn by_size(files: Option<u32>, bytes: Option<u64>) -> Rotation {
        Rotation::Size { files: files.unwrap_or(USUAL_FILES), bytes: bytes.unwrap_or(USUAL_BYTES) }
    }
}

/// A log file that is rotated.
pub(super) struct Rotating {
    path: PathBuf,
    file: File,
    bytes: u64,
    rotation: Rotation,
    /// The first day that the file is not for.
    end: Date,
}

impl Rotating {
    /// Goes on with a file that is open at its end.
    pub(super) fn new(path: &Path, file: File, rotation: Rotation, now: &Zoned) -> Rotating {
        let bytes = file.metadata().map_or(0, |data| data.len());
        Rotating { path: path.to_owned(), file, bytes, rotation, end: end_of(rotation, now.date()) }
    }

    fn write_at(&mut self, line: &[u8], now: &Zoned) -> io::Result<()> {
        let is_due = match self.rotation {
            Rotation::Size { files, bytes } => files > 0 && self.bytes > bytes,
            Rotation::Time(_) => now.date() >= self.end,
        };
        if is_due {
            // What is wrong with the folder is no reason to lose the line.
            let _ = self.rotate(now.date());
        }
        self.bytes += line.len() as u64;
        self.file.write_all(line)
    }

    fn rotate(&mut self, today: Date) -> io::Result<()> {
        match self.rotation {
            Rotation::Size { files, .. } => {
                for number in (0..files.saturating_sub(2)).rev() {
                    let (from, to) = (self.old(&number.to_string()), self.old(&(number + 1).to_string()));
                    if from.exists() {
                        std::fs::rename(from, to)?;
                    }
                }
                std::fs::rename(&self.path, self.old("0"))?;
            }
            Rotation::Time(period) => {
                self.end = end_of(self.rotation, today);
                let last_day = start_of(period, today).yesterday().unwrap_or(today).strftime("%Y%m%d").to_string();
                let names = std::iter::once(last_day.clone()).chain((1..MOST_OF_A_DAY).map(|number| format!("{last_day}.{number}")));
                let free = names.map(|name| self.old(&name)).find(|path| !path.exists());
                std::fs::rename(&self.path, free.unwrap_or_else(|| self.old(&format!("{last_day}.{MOST_OF_A_DAY}"))))?;
            }
        }
        self.file = OpenOptions::new().create(true).append(true).open(&self.path)?;
        self.bytes = 0;
        Ok(())
    }

    fn old(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(".");
        name.push(suffix);
        PathBuf::from(name)
    }
}

impl Write for Rotating {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.write_at(line, &Zoned::now()).map(|()| line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// The first day of the period that a day is in.
fn start_of(period: Period, day: Date) -> Date {
    match period {
        Period::Daily => day,
        Period::Weekly => day.checked_sub(i64::from(day.weekday().since(Weekday::Sunday)).days()).unwrap_or(day),
        Period::Monthly => day.first_of_month(),
    }
}

/// The first day behind the period that a day is in.
fn end_of(rotation: Rotation, day: Date) -> Date {
    let Rotation::Time(period) = rotation else { return Date::MAX };
    let start = start_of(period, day);
    let end = match period {
        Period::Daily => start.checked_add(1.day()),
        Period::Weekly => start.checked_add(7.days()),
        Period::Monthly => start.checked_add(1.month()),
    };
    end.unwrap_or(Date::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("flumen-rotation-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn open(path: &Path, rotation: Rotation, now: &str) -> Rotating {
        let file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        Rotating::new(path, file, rotation, &now.parse().unwrap())
    }

    fn files(folder: &Path) -> Vec<String> {
        let mut all: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| format!("{}={}", path.file_name().unwrap().to_string_lossy(), fs::read_to_string(&path).unwrap().trim_end()))
            .collect();
        all.sort();
        fs::remove_dir_all(folder).unwrap();
        all
    }

    #[test]
    fn a_full_file_makes_room_and_so_many_are_kept() {
        let folder = folder("size");
        let noon = "2026-01-02T12:00:00[UTC]";
        let mut log = open(&folder.join("f.log"), Rotation::by_size(Some(3), Some(1)), noon);
        for line in ["aa\n", "bb\n", "cc\n", "dd\n"] {
            log.write_at(line.as_bytes(), &noon.parse().unwrap()).unwrap();
        }
        assert_eq!(files(&folder), ["f.log.0=cc", "f.log.1=bb", "f.log=dd"]);
    }

    #[test]
    fn a_file_goes_on_after_a_start_and_is_never_rotated_for_no_files() {
        let folder = folder("zero");
        let noon = "2026-01-02T12:00:00[UTC]";
        for line in ["aa\n", "bb\n"] {
            let mut log = open(&folder.join("f.log"), Rotation::by_size(Some(0), Some(1)), noon);
            log.write_at(line.as_bytes(), &noon.parse().unwrap()).unwrap();
        }
        assert_eq!(files(&folder), ["f.log=aa\nbb"]);
    }

    #[test]
    fn what_ended_is_named_by_its_last_day() {
        // 2026-01-02 is a Friday.
        for (period, days, names) in [
            (Period::Daily, ["2026-01-02", "2026-01-03", "2026-01-05"], ["20260102=0", "20260104=1"]),
            (Period::Weekly, ["2026-01-02", "2026-01-04", "2026-01-11"], ["20260103=0", "20260110=1"]),
            (Period::Monthly, ["2026-01-02", "2026-02-01", "2026-03-31"], ["20260131=0", "20260228=1"]),
        ] {
            let folder = folder(&format!("{period:?}"));
            let at = |day: &str| format!("{day}T00:00:00[UTC]");
            let mut log = open(&folder.join("f"), Rotation::Time(period), &at(days[0]));
            for (number, day) in days.iter().enumerate() {
                log.write_at(format!("{number}\n").as_bytes(), &at(day).parse().unwrap()).unwrap();
            }
            let names = [format!("f.{}", names[0]), format!("f.{}", names[1]), "f=2".to_owned()];
            assert_eq!(files(&folder), names, "{period:?}");
        }
    }

    #[test]
    fn a_second_file_of_one_day_gets_a_number() {
        let folder = folder("twice");
        fs::write(folder.join("f.20260102"), "old").unwrap();
        let mut log = open(&folder.join("f"), Rotation::Time(Period::Daily), "2026-01-02T00:00:00[UTC]");
        log.write_at(b"a\n", &"2026-01-02T10:00:00[UTC]".parse().unwrap()).unwrap();
        log.write_at(b"b\n", &"2026-01-03T00:00:00[UTC]".parse().unwrap()).unwrap();
        assert_eq!(files(&folder), ["f.20260102.1=a", "f.20260102=old", "f=b"]);
    }
}
