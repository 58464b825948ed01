//! Writing a chunk into a file: whole or not at all.

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
    /// Whether they are compressed.
    pub gzip: bool,
    /// Permissions of files.
    pub file_mode: u32,
    /// Permissions of folders.
    pub dir_mode: u32,
}

/// Writes `bytes` to the first file that is not there yet, of the names that `path` gives to numbers; the name.
pub async fn write_new(path: impl Fn(u64) -> String, bytes: &[u8], options: &Options) -> anyhow::Result<String> {
    let bytes = packed(bytes, options)?;
    for number in 0_u64.. {
        let path = path(number);
        if number == 0 {
            make_folder_of(&path, options).await?;
        }
        match OpenOptions::new().write(true).create_new(true).mode(options.file_mode).open(&path).await {
            Ok(mut file) => {
                let written = write_all(&mut file, &bytes).await;
                if written.is_err() {
                    // The next try is to find the number free, and nobody a torn file.
                    let _ = tokio::fs::remove_file(&path).await;
                }
                written.with_context(|| format!("cannot write {path}"))?;
                return Ok(path);
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).with_context(|| format!("cannot open {path}")),
        }
    }
    anyhow::bail!("no number is free for {}", path(0))
}

/// Appends `bytes` to a file.
pub async fn append(path: &str, bytes: &[u8], options: &Options) -> anyhow::Result<()> {
    let bytes = packed(bytes, options)?;
    make_folder_of(path, options).await?;
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(options.file_mode)
        .open(path)
        .await
        .with_context(|| format!("cannot open {path}"))?;
    let before = file.metadata().await.with_context(|| format!("cannot look at {path}"))?.len();
    let written = write_all(&mut file, &bytes).await;
    if written.is_err() {
        // The chunk will be written again: what there is of it now must not stay.
        let _ = file.set_len(before).await;
    }
    written.with_context(|| format!("cannot append to {path}"))
}

fn packed<'b>(bytes: &'b [u8], options: &Options) -> anyhow::Result<Cow<'b, [u8]>> {
    Ok(if options.gzip { Cow::Owned(gzip(bytes)?) } else { Cow::Borrowed(bytes) })
}

async fn make_folder_of(path: &str, options: &Options) -> anyhow::Result<()> {
    let Some(dir) = Path::new(path).parent().filter(|dir| !dir.as_os_str().is_empty()) else { return Ok(()) };
    let made = DirBuilder::new().recursive(true).mode(options.dir_mode).create(dir).await;
    made.with_context(|| format!("cannot make the folder {}", dir.display()))
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
