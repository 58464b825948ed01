//! `symlink_path`: a link that leads to the file written last, for those who watch one path.

use crate::buffer::{Chunk, Template};
use anyhow::Context;
use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Links that are remembered, where placeholders name them: beyond that a late chunk may take a link over.
const MAX_LINKS: usize = 1024;

/// The link of an output, or the links.
pub struct Link {
    path: Template,
    /// The newest time slice that each link leads to.
    newest: Mutex<HashMap<String, Option<i64>>>,
}

impl Link {
    /// With placeholders of the chunk keys in the path.
    pub fn new(path: Template) -> Link {
        Link { path, newest: Mutex::default() }
    }

    /// Lets the link of a chunk lead to the file that it was written to, unless it leads to that of a later time slice.
    pub async fn point(&self, chunk: &Chunk, file: &str, dir_mode: u32) -> anyhow::Result<()> {
        let link = self.path.expand(chunk);
        if !self.is_newest(&link, chunk.keys.timekey) {
            return Ok(());
        }
        let target = std::path::absolute(file)?;
        let link = PathBuf::from(link);
        if tokio::fs::read_link(&link).await.is_ok_and(|present| present == target) {
            return Ok(());
        }
        if let Some(dir) = link.parent().filter(|dir| !dir.as_os_str().is_empty()) {
            tokio::fs::DirBuilder::new()
                .recursive(true)
                .mode(dir_mode)
                .create(dir)
                .await
                .with_context(|| format!("cannot make {}", dir.display()))?;
        }
        // In one step: whoever opens the link finds the file before or this one.
        let beside = beside(&link);
        let _ = tokio::fs::remove_file(&beside).await;
        tokio::fs::symlink(&target, &beside).await.with_context(|| format!("cannot make the link {}", beside.display()))?;
        tokio::fs::rename(&beside, &link).await.with_context(|| format!("cannot make the link {}", link.display()))
    }

    fn is_newest(&self, link: &str, timekey: Option<i64>) -> bool {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if newest.get(link).is_some_and(|known| *known > timekey) {
            return false;
        }
        if newest.len() >= MAX_LINKS && !newest.contains_key(link) {
            newest.clear();
        }
        newest.insert(link.to_owned(), timekey);
        true
    }
}

fn beside(link: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(link.file_name().unwrap_or_default());
    name.push(".new");
    link.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buffer::{ChunkKeys, Keys};

    #[test]
    fn a_link_leads_to_the_newest_file() {
        let folder = std::env::temp_dir().join(format!("flumen-link-{}", std::process::id()));
        let path = folder.join("to/current").display().to_string();
        let link = Link::new(Template::new(&path, &Keys::default()));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let point = |timekey, file: &str| {
            let chunk = Chunk::new(ChunkKeys { timekey: Some(timekey), ..ChunkKeys::default() });
            runtime.block_on(link.point(&chunk, file, 0o755)).unwrap();
            std::fs::read_link(&path).unwrap().display().to_string()
        };
        assert_eq!(point(60, "/x/a"), "/x/a");
        assert_eq!(point(120, "/x/b"), "/x/b");
        assert_eq!(point(60, "/x/late"), "/x/b");
        assert_eq!(point(120, "/x/b.1"), "/x/b.1");
        assert_eq!(std::fs::read_dir(folder.join("to")).unwrap().count(), 1);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
