//! How far a replay has come, so that it can be stopped at any moment and started again: a file of lines, the last of which count.

use anyhow::Context;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

/// The file's name, in the folder that is sent.
const FILE: &str = ".flumen-replay.jsonl";
/// A file of more bytes is written anew, with what counts alone.
const COMPACT_BYTES: u64 = 1 << 20;

/// What is known of the sources.
#[derive(Debug)]
pub struct Progress {
    path: PathBuf,
    file: File,
    sources: HashMap<String, Source>,
}

/// How far one source has come.
#[derive(Clone, Copy, Debug, Default)]
struct Source {
    sent: u64,
    /// Where the round ends that was begun last.
    planned: Option<u64>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    /// The source, by its place below the folder.
    of: String,
    /// Bytes of it that are sent, or for a chunk 1 when all of it is.
    sent: u64,
    /// Up to where a round was begun beyond that: what it sends has to be the same again, whatever has been added since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    planned: Option<u64>,
}

impl Progress {
    /// Opens the file in a folder, or the one that is given in its place.
    pub fn open(folder: &Path, given: Option<&Path>) -> anyhow::Result<Progress> {
        let path = given.map_or_else(|| folder.join(FILE), Path::to_owned);
        let explain = || format!("the progress cannot be kept in {}: give another place with --progress FILE", path.display());
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(&path).with_context(explain)?;
        let mut sources = HashMap::new();
        for line in BufReader::new(&file).lines() {
            // A line that was torn when the machine stopped counts for nothing: what it says is sent again.
            if let Ok(Line { of, sent, planned }) = serde_json::from_str(&line.with_context(explain)?) {
                sources.insert(of, Source { sent, planned });
            }
        }
        if file.metadata().with_context(explain)?.len() > COMPACT_BYTES {
            file = compact(&path, &sources).with_context(explain)?;
        } else {
            // A torn line must not swallow the next one.
            file.write_all(b"\n").with_context(explain)?;
        }
        Ok(Progress { path, file, sources })
    }

    /// How much of a source is sent.
    pub fn sent(&self, of: &str) -> u64 {
        self.sources.get(of).map_or(0, |source| source.sent)
    }

    /// Where the round ends that follows what is sent, if it was begun before.
    pub fn planned(&self, of: &str) -> Option<u64> {
        self.sources.get(of)?.planned
    }

    /// So much of a source is sent; synced.
    pub fn advance(&mut self, of: &str, sent: u64) -> anyhow::Result<()> {
        self.note(of, Source { sent, planned: None })
    }

    /// A round up to this end is about to be sent; synced.
    pub fn plan(&mut self, of: &str, end: u64) -> anyhow::Result<()> {
        if self.planned(of) == Some(end) {
            return Ok(());
        }
        self.note(of, Source { sent: self.sent(of), planned: Some(end) })
    }

    fn note(&mut self, of: &str, source: Source) -> anyhow::Result<()> {
        let Source { sent, planned } = source;
        let mut line = serde_json::to_vec(&Line { of: of.to_owned(), sent, planned })?;
        line.push(b'\n');
        let written = self.file.write_all(&line).and_then(|()| self.file.sync_data());
        written.with_context(|| format!("the progress cannot be kept in {}", self.path.display()))?;
        self.sources.insert(of.to_owned(), source);
        Ok(())
    }
}

fn compact(path: &Path, sources: &HashMap<String, Source>) -> anyhow::Result<File> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let mut file = File::create(&name)?;
    for (of, &Source { sent, planned }) in sources {
        let mut line = serde_json::to_vec(&Line { of: of.clone(), sent, planned })?;
        line.push(b'\n');
        file.write_all(&line)?;
    }
    file.sync_all()?;
    std::fs::rename(&name, path)?;
    Ok(OpenOptions::new().append(true).open(path)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_counts_and_a_torn_one_does_not() {
        let folder = std::env::temp_dir().join(format!("flumen-progress-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut progress = Progress::open(&folder, None).unwrap();
        progress.advance("a", 5).unwrap();
        progress.advance("a", 9).unwrap();
        OpenOptions::new().append(true).open(folder.join(FILE)).unwrap().write_all(b"{\"of\":\"a\",\"se").unwrap();
        let mut progress = Progress::open(&folder, None).unwrap();
        progress.advance("b", 1).unwrap();
        progress.plan("a", 20).unwrap();
        progress.plan("d", 30).unwrap();
        progress.advance("d", 30).unwrap();
        let progress = Progress::open(&folder, None).unwrap();
        assert_eq!((progress.sent("a"), progress.sent("b"), progress.sent("c")), (9, 1, 0));
        assert_eq!((progress.planned("a"), progress.planned("b"), progress.planned("d")), (Some(20), None, None));
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(Progress::open(&folder, None).unwrap_err().to_string().contains("--progress FILE"));
    }
}
