//! Writing a chunk into a file: whole or not at all.

use super::name::NUMBER;
use anyhow::Context;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::borrow::Cow;
use std::io::Write;
use std::path::Path;
use tokio::fs::{DirBuilder, File, OpenOptions};
use tokio::io::AsyncWriteExt;

/// How files are made.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Whether each chunk is a file of its own.
    pub numbered: bool,
    /// Whether it is compressed.
    pub gzip: bool,
    /// Permissions of files.
    pub file_mode: u32,
    /// Permissions of folders.
    pub dir_mode: u32,
}

/// Writes `bytes` to the file of this name, whose number is still to be found.
pub async fn write(name: &str, bytes: &[u8], options: &Options) -> anyhow::Result<()> {
    let bytes = if options.gzip { Cow::Owned(gzip(bytes)?) } else { Cow::Borrowed(bytes) };
    if let Some(dir) = Path::new(name).parent().filter(|dir| !dir.as_os_str().is_empty()) {
        let made = DirBuilder::new().recursive(true).mode(options.dir_mode).create(dir).await;
        made.with_context(|| format!("cannot make the folder {}", dir.display()))?;
    }
    if options.numbered { write_new(name, &bytes, options).await } else { append(name, &bytes, options).await }
}

async fn write_new(name: &str, bytes: &[u8], options: &Options) -> anyhow::Result<()> {
    for number in 0_u64.. {
        let path = name.replacen(NUMBER, &format!("_{number}"), 1);
        match OpenOptions::new().write(true).create_new(true).mode(options.file_mode).open(&path).await {
            Ok(mut file) => {
                let written = write_all(&mut file, bytes).await;
                if written.is_err() {
                    // The next try is to find the number free, and nobody a torn file.
                    let _ = tokio::fs::remove_file(&path).await;
                }
                return written.with_context(|| format!("cannot write {path}"));
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).with_context(|| format!("cannot open {path}")),
        }
    }
    anyhow::bail!("no number is free for {name}")
}

async fn append(path: &str, bytes: &[u8], options: &Options) -> anyhow::Result<()> {
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(options.file_mode)
        .open(path)
        .await
        .with_context(|| format!("cannot open {path}"))?;
    let before = file.metadata().await.with_context(|| format!("cannot look at {path}"))?.len();
    let written = write_all(&mut file, bytes).await;
    if written.is_err() {
        // The chunk will be written again: what there is of it now must not stay.
        let _ = file.set_len(before).await;
    }
    written.with_context(|| format!("cannot append to {path}"))
}

async fn write_all(file: &mut File, bytes: &[u8]) -> std::io::Result<()> {
    file.write_all(bytes).await?;
    file.flush().await
}

fn gzip(bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}
