//! `flumen buffer export`: everything as chunk files that Fluentd takes over, for the way back.

use super::{Asked, kept};
use crate::buffer::import::{Meta, meta_of};
use crate::buffer::{Chunk, ChunkKeys, Compress, pack};
use crate::cli::kept::{Part, Source};
use crate::event::Tag;
use crate::pipeline::letters::What;
use anyhow::{Context, bail};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Dead letters of one tag are gathered up to here, well below Fluentd's usual limit of a chunk.
const CHUNK_BYTES: usize = 4 << 20;

/// Writes the files and says how many there are. 0: everything; 1: what was damaged is left out.
pub fn run(asked: &Asked, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let Some(folder) = &asked.to else { bail!("export needs --to FOLDER") };
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let sources = kept::collect(&asked.path)?;
    let mut export = Export { folder, compress: asked.compress, chunks: 0, events: 0, damaged: 0 };
    for source in &sources {
        match source {
            Source::Letters(path) => export.letters(path)?,
            _ => export.chunk(source)?,
        }
    }
    File::open(folder)?.sync_all()?;
    let Export { chunks, events, damaged, .. } = export;
    writeln!(out, "{chunks} chunks with {events} events are in {}, {damaged} places were damaged and left out", folder.display())?;
    Ok(if damaged == 0 { ExitCode::SUCCESS } else { ExitCode::from(super::EXIT_CONFIG) })
}

struct Export<'e> {
    folder: &'e Path,
    compress: Compress,
    chunks: usize,
    events: usize,
    damaged: usize,
}

impl Export<'_> {
    fn chunk(&mut self, source: &Source) -> anyhow::Result<()> {
        let body = source.read()?;
        self.damaged += body.damage.len();
        body.damage.iter().for_each(|what| eprintln!("flumen buffer: {}: {what}", source.place()));
        for part in body.parts.into_iter().filter(|part| !part.bytes.is_empty()) {
            let keys = source.keys();
            let tag = part.tag.as_deref().map(Tag::new).or_else(|| keys.tag.clone());
            let mut chunk = Chunk::new(ChunkKeys { tag, ..keys });
            if let Some(id) = id_of(source) {
                chunk.id = id;
            }
            self.write(chunk, part)?;
        }
        Ok(())
    }

    fn letters(&mut self, path: &Path) -> anyhow::Result<()> {
        let mut open: Vec<Part> = Vec::new();
        for line in kept::letters(path, 0)? {
            let letter = match line?.letter {
                Ok(letter) => letter,
                Err(why) => {
                    self.damaged += 1;
                    eprintln!("flumen buffer: {}: a line is damaged: {why}", path.display());
                    continue;
                }
            };
            let What::Event(entry) = letter.what else { continue };
            let at = open.iter().position(|part| part.tag == letter.tag).unwrap_or_else(|| {
                open.push(Part { tag: letter.tag.clone(), bytes: Vec::new(), records: 0, is_formatted: false });
                open.len() - 1
            });
            open[at].bytes.extend_from_slice(&entry);
            open[at].records += 1;
            if open[at].bytes.len() >= CHUNK_BYTES {
                let full = open.swap_remove(at);
                self.write(of_tag(&full), full)?;
            }
        }
        open.into_iter().try_for_each(|part| self.write(of_tag(&part), part))
    }

    /// The chunk and its `.meta`, synced; the `.meta` first, as Fluentd takes a chunk without one for something else.
    fn write(&mut self, mut chunk: Chunk, part: Part) -> anyhow::Result<()> {
        chunk.records = part.records;
        let path = self.free_path(&mut chunk);
        let meta = Meta { records: part.records as u64, ..meta_of(&chunk, Vec::new()) };
        let packed = pack(self.compress, &part.bytes)?;
        // Where packing gains nothing Fluentd still expects it.
        let bytes = match (packed, self.compress) {
            (Some(packed), _) => packed,
            (None, Compress::Text) => part.bytes,
            (None, how) => packed_anyway(how, &part.bytes)?,
        };
        let mut meta_path = path.clone().into_os_string();
        meta_path.push(".meta");
        write_new(Path::new(&meta_path), &meta.encode())?;
        write_new(&path, &bytes)?;
        self.chunks += 1;
        self.events += part.records;
        Ok(())
    }

    fn free_path(&self, chunk: &mut Chunk) -> PathBuf {
        loop {
            let path = self.folder.join(format!("buffer.b{}.log", chunk.hex()));
            if !path.exists() {
                return path;
            }
            chunk.id = Chunk::new(ChunkKeys::default()).id;
        }
    }
}

fn of_tag(part: &Part) -> Chunk {
    Chunk::new(ChunkKeys { tag: part.tag.as_deref().map(Tag::new), ..ChunkKeys::default() })
}

fn id_of(source: &Source) -> Option<[u8; 16]> {
    match source {
        Source::File(found) => Some(found.id()),
        Source::Own(own) => own.head.as_ref().map(|head| head.id),
        Source::Letters(_) => None,
    }
}

fn packed_anyway(how: Compress, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    match how {
        Compress::Text => Ok(bytes.to_vec()),
        Compress::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(bytes)?;
            encoder.finish()
        }
        Compress::Zstd => zstd::bulk::compress(bytes, 0),
    }
}

fn write_new(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
        file.write_all(bytes)?;
        file.sync_data()
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}
