//! How far each file has been read, kept in a file of Fluentd's form: a line each, `path TAB position TAB inode`, both of 16 hexadecimal
//! digits, so that they can be written over in place. A file that is followed no more has the position `ffffffffffffffff`.

use anyhow::{Context, Result};
use std::collections::HashMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The position of a file that is followed no more.
const UNWATCHED: u64 = u64::MAX;
/// A larger file is no position file: a line has the length of a path and some.
const MAX_FILE_BYTES: u64 = 256 << 20;

/// By what files are told apart: their paths, or their inodes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// The path.
    Path(String),
    /// The inode.
    Inode(u64),
}

/// How far a file has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// Its path.
    pub path: String,
    /// Its inode; 0 where it has not been read yet.
    pub inode: u64,
    /// Bytes from its beginning.
    pub at: u64,
}

/// All positions, in memory and, where there is a file for them, in that.
pub struct Positions {
    by_inode: bool,
    known: HashMap<Key, (Position, u64)>,
    file: Option<(PathBuf, File, u64)>,
    mode: u32,
}

impl Positions {
    /// Without a file.
    pub fn in_memory(by_inode: bool) -> Positions {
        Positions { by_inode, known: HashMap::new(), file: None, mode: 0 }
    }

    /// Opens or makes the file. Positions of files that `exists` does not know are left out.
    pub fn open(path: &Path, by_inode: bool, file_mode: u32, dir_mode: u32, exists: impl Fn(&Key) -> bool) -> Result<Positions> {
        if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
            let made = DirBuilder::new().recursive(true).mode(dir_mode).create(dir);
            made.with_context(|| format!("cannot make the folder {}", dir.display()))?;
        }
        let what = || format!("cannot use pos_file {}", path.display());
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(file_mode).open(path).with_context(what)?;
        let size = file.metadata().with_context(what)?.len();
        if size > MAX_FILE_BYTES {
            anyhow::bail!("cannot use pos_file {}: it has {size} bytes, expected at most {MAX_FILE_BYTES}", path.display());
        }
        let mut bytes = vec![0; size as usize];
        file.read_exact_at(&mut bytes, 0).with_context(what)?;
        let mut positions = Positions {
            by_inode,
            known: HashMap::new(),
            file: Some((std::fs::canonicalize(path).with_context(what)?, file, 0)),
            mode: file_mode,
        };
        let mut order: Vec<Key> = Vec::new();
        for line in String::from_utf8_lossy(&bytes).lines() {
            let Some(position) = parse(line) else {
                crate::warning!("Unparsable line in pos_file: {line}");
                continue;
            };
            let key = positions.key(&position.path, position.inode);
            if position.at == UNWATCHED || !exists(&key) {
                continue;
            }
            if positions.known.insert(key.clone(), (position, 0)).is_some() {
                crate::warning!("{key:?} already exists. use latest one");
            } else {
                order.push(key);
            }
        }
        positions.write_anew(order)?;
        Ok(positions)
    }

    fn key(&self, path: &str, inode: u64) -> Key {
        if self.by_inode { Key::Inode(inode) } else { Key::Path(path.to_owned()) }
    }

    /// What is known of a file.
    pub fn get(&self, key: &Key) -> Option<&Position> {
        self.known.get(key).map(|(position, _)| position)
    }

    /// Notes how far a file has been read.
    pub fn set(&mut self, key: &Key, position: Position) {
        if let Some((known, place)) = self.known.get_mut(key) {
            if *known == position {
                return;
            }
            let place = *place;
            *known = position.clone();
            if let Some((path, file, _)) = &self.file {
                let text = format!("{:016x}\t{:016x}", position.at, position.inode);
                say(path, file.write_all_at(text.as_bytes(), place));
            }
            return;
        }
        let mut place = 0;
        if let Some((path, file, end)) = &mut self.file {
            let line = line(&position);
            say(path, file.write_all_at(line.as_bytes(), *end));
            place = *end + position.path.len() as u64 + 1;
            *end += line.len() as u64;
        }
        self.known.insert(key.clone(), (position, place));
    }

    /// Notes that a file is followed no more.
    pub fn unwatch(&mut self, key: &Key) {
        if let Some((_, place)) = self.known.remove(key)
            && let Some((path, file, _)) = &self.file
        {
            say(path, file.write_all_at(format!("{UNWATCHED:016x}").as_bytes(), place));
        }
    }

    /// Forgets the files that `exists` does not know.
    pub fn unwatch_all_but(&mut self, exists: impl Fn(&Key) -> bool) {
        let gone: Vec<Key> = self.known.keys().filter(|key| !exists(key)).cloned().collect();
        gone.iter().for_each(|key| self.unwatch(key));
    }

    /// Writes the file anew, without what is of no use any more.
    pub fn compact(&mut self) -> Result<()> {
        let mut order: Vec<(u64, Key)> = self.known.iter().map(|(key, (_, place))| (*place, key.clone())).collect();
        order.sort_by_key(|(place, _)| *place);
        self.write_anew(order.into_iter().map(|(_, key)| key).collect())
    }

    fn write_anew(&mut self, order: Vec<Key>) -> Result<()> {
        let Some((path, file, end)) = &mut self.file else { return Ok(()) };
        let mut text = String::new();
        for key in order {
            if let Some((position, place)) = self.known.get_mut(&key) {
                *place = (text.len() + position.path.len() + 1) as u64;
                text.push_str(&line(position));
            }
        }
        *end = text.len() as u64;
        // Beside it first, so that a crash leaves the old one or the new one, not a part.
        let mut beside = path.clone().into_os_string();
        beside.push(".new");
        let beside = PathBuf::from(beside);
        let written = write_beside(&beside, &text, self.mode).and_then(|new| std::fs::rename(&beside, &*path).map(|()| new));
        match written {
            Ok(new) => *file = new,
            // The folder may not be ours, or the file be mounted by itself.
            Err(_) => {
                let _ = std::fs::remove_file(&beside);
                let what = || format!("cannot write pos_file {}", path.display());
                file.write_all_at(text.as_bytes(), 0).with_context(what)?;
                file.set_len(text.len() as u64).with_context(what)?;
            }
        }
        Ok(())
    }
}

fn write_beside(path: &Path, text: &str, mode: u32) -> std::io::Result<File> {
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(mode).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_data()?;
    Ok(file)
}

/// A position that cannot be written is no reason to stop reading, but to say so.
fn say(path: &Path, written: std::io::Result<()>) {
    if let Err(error) = written {
        crate::error!("cannot write pos_file {}: {error}", path.display());
    }
}

fn line(position: &Position) -> String {
    format!("{}\t{:016x}\t{:016x}\n", position.path, position.at, position.inode)
}

fn parse(line: &str) -> Option<Position> {
    let mut parts = line.splitn(3, '\t');
    let (path, at, inode) = (parts.next()?, parts.next()?, parts.next()?);
    let hex = |text: &str| {
        let digits = text.bytes().take_while(u8::is_ascii_hexdigit).count();
        u64::from_str_radix(&text[..digits], 16).ok()
    };
    let whole = !path.is_empty() && at.bytes().all(|byte| byte.is_ascii_hexdigit());
    whole.then_some(())?;
    Some(Position { path: path.to_owned(), at: hex(at)?, inode: hex(inode)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("flumen-positions-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        dir.join("sub").join("pos")
    }

    fn position(path: &str, at: u64, inode: u64) -> Position {
        Position { path: path.to_owned(), inode, at }
    }

    #[test]
    fn positions_are_written_in_place_in_fluentds_form() {
        let path = file("form");
        let mut positions = Positions::open(&path, false, 0o600, 0o700, |_| true).unwrap();
        let (a, b) = (Key::Path("/a".to_owned()), Key::Path("/b b".to_owned()));
        positions.set(&a, position("/a", 0, 0));
        positions.set(&b, position("/b b", 255, 7));
        positions.set(&a, position("/a", 16, 5));
        let text = || std::fs::read_to_string(&path).unwrap();
        assert_eq!(text(), "/a\t0000000000000010\t0000000000000005\n/b b\t00000000000000ff\t0000000000000007\n");
        positions.unwatch(&a);
        assert!(text().starts_with("/a\tffffffffffffffff\t"));
        positions.compact().unwrap();
        positions.set(&b, position("/b b", 256, 7));
        assert_eq!(text(), "/b b\t0000000000000100\t0000000000000007\n");
        drop(positions);
        let again = Positions::open(&path, false, 0o600, 0o700, |_| true).unwrap();
        assert_eq!(again.get(&b), Some(&position("/b b", 256, 7)));
        std::fs::remove_dir_all(path.parent().unwrap().parent().unwrap()).unwrap();
    }

    #[test]
    fn what_cannot_be_read_or_is_gone_is_left_out() {
        let path = file("gone");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let lines = ["nonsense", "/a\t1\t2", "/gone\t1\t3", "/a\t5\t2", "/old\tffffffffffffffff\t4", "/x\tzz\t1"];
        std::fs::write(&path, lines.join("\n")).unwrap();
        let positions = Positions::open(&path, true, 0o600, 0o700, |key| *key != Key::Inode(3)).unwrap();
        assert_eq!(positions.get(&Key::Inode(2)), Some(&position("/a", 5, 2)));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "/a\t0000000000000005\t0000000000000002\n");
        std::fs::remove_dir_all(path.parent().unwrap().parent().unwrap()).unwrap();
    }
}
