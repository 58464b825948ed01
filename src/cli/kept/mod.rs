//! What `flumen buffer` and `flumen replay` look at: chunks of Fluentd's and of ours, backups, dead letters. Reads only, takes no locks.

mod own;

pub use own::Own;

use crate::buffer::import::{Content, Found, Holder, Name, Names, Packed, Written, find, find_one, holder, sort};
use crate::buffer::{ChunkKeys, Location, Wanted};
use crate::pipeline::letters::read::{Lines, segments};
use crate::pipeline::letters::{Letter, SEGMENT_PREFIX, SEGMENT_SUFFIX, What};
use anyhow::{Context, bail};
use std::path::{Path, PathBuf};

/// Folders below the given one that are looked into: `backup/worker0/ID`, `chunks/ID`, `worker1`.
const MAX_DEPTH: u32 = 4;
/// The most bytes of one chunk that is unpacked.
pub const MAX_CHUNK_BYTES: u64 = 1 << 30;

/// Something that holds events.
#[derive(Debug)]
pub enum Source {
    /// A chunk in a file of its own: Fluentd's, a backup, an export.
    File(Found),
    /// A chunk in one of our buffers.
    Own(Own),
    /// A segment of dead letters.
    Letters(PathBuf),
}

/// Events of a source that share a tag, or what a formatter wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The tag, where it is known.
    pub tag: Option<String>,
    /// Entries, or text.
    pub bytes: Vec<u8>,
    /// How many events; 0 where a formatter wrote them and nobody counted.
    pub records: usize,
    /// Whether a formatter wrote them.
    pub is_formatted: bool,
}

/// What a chunk holds, read whole.
#[derive(Debug, Default)]
pub struct Body {
    /// Its events.
    pub parts: Vec<Part>,
    /// What is wrong with it, a sentence each.
    pub damage: Vec<String>,
}

/// Everything at a path: a folder, one file, or a `path` of Fluentd's with a `*` in it.
pub fn collect(path: &Path) -> anyhow::Result<Vec<Source>> {
    let text = path.to_string_lossy();
    if !path.exists() && text.contains(".*") {
        let wanted = Wanted { path: Some(&text), suffix: ".log", root: None, worker: None, is_single: false, modes: (0, 0) };
        let location = Location::resolve(&wanted).map_err(anyhow::Error::msg)?;
        let names = Names { prefix: &location.prefix, suffix: &location.suffix };
        let files = find(&location.folder, Some(names)).with_context(|| format!("cannot read {}", location.folder.display()))?;
        let mut sources: Vec<Source> = files.into_iter().map(Source::File).collect();
        sources.extend(own::of_location(location)?.into_iter().map(Source::Own));
        return Ok(sources);
    }
    let about = std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
    if about.is_dir() {
        let mut sources = Vec::new();
        of_folder(path, MAX_DEPTH, &mut sources)?;
        return Ok(sources);
    }
    if is_letters(path) {
        return Ok(vec![Source::Letters(path.to_owned())]);
    }
    match find_one(path)? {
        Some(found) => Ok(vec![Source::File(found)]),
        None => bail!(
            "{} is no chunk by its name, expected a folder, buffer.b<32 digits>.log, <32 digits>.log or {SEGMENT_PREFIX}*{SEGMENT_SUFFIX}",
            path.display()
        ),
    }
}

fn of_folder(folder: &Path, depth: u32, into: &mut Vec<Source>) -> anyhow::Result<()> {
    let explain = || format!("cannot read {}", folder.display());
    into.extend(segments(folder).with_context(explain)?.into_iter().map(|(_, path)| Source::Letters(path)));
    let mut files = find(folder, None).with_context(explain)?;
    sort(&mut files);
    into.extend(files.into_iter().map(Source::File));
    for location in own::locations(folder).with_context(explain)? {
        into.extend(own::of_location(location)?.into_iter().map(Source::Own));
    }
    let mut below: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(explain)? {
        let entry = entry.with_context(explain)?;
        // Links are not followed, so that no folder is met twice.
        if depth > 0 && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            below.push(entry.path());
        }
    }
    below.sort();
    below.iter().try_for_each(|folder| of_folder(folder, depth - 1, into))
}

fn is_letters(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.starts_with(SEGMENT_PREFIX) && name.ends_with(SEGMENT_SUFFIX)
}

/// The buffers of ours at a path, those without a live chunk too.
pub fn locations_below(path: &Path) -> Vec<Location> {
    let folder = if path.is_dir() { Some(path) } else { path.parent().filter(|_| !path.exists()) };
    let mut found = Vec::new();
    let mut folders: Vec<(PathBuf, u32)> = folder.map(|folder| (folder.to_owned(), MAX_DEPTH)).into_iter().collect();
    while let Some((folder, depth)) = folders.pop() {
        found.extend(own::locations(&folder).unwrap_or_default());
        let below = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        let is_folder = |entry: &std::fs::DirEntry| depth > 0 && entry.file_type().is_ok_and(|kind| kind.is_dir());
        folders.extend(below.filter(is_folder).map(|entry| (entry.path(), depth - 1)));
    }
    found
}

/// Another process that uses one of these.
pub fn held_by<'s>(sources: impl IntoIterator<Item = &'s Source>) -> Option<Holder> {
    let paths: Vec<PathBuf> = sources.into_iter().flat_map(Source::files).collect();
    holder(paths.iter().map(PathBuf::as_path))
}

impl Source {
    /// The file, or for a chunk of ours the folder with its name.
    pub fn place(&self) -> String {
        match self {
            Source::File(found) => found.path.display().to_string(),
            Source::Own(own) => format!("{}#{}", own.location.folder.display(), self.id()),
            Source::Letters(path) => path.display().to_string(),
        }
    }

    /// The files that a process has open that uses it.
    fn files(&self) -> Vec<PathBuf> {
        match self {
            Source::File(found) => vec![found.path.clone()],
            Source::Own(own) => vec![own.location.lock()],
            Source::Letters(path) => vec![path.clone()],
        }
    }

    /// The chunk's name in hexadecimal digits, or the segment's.
    pub fn id(&self) -> String {
        match self {
            Source::File(found) => hex(&found.name.id),
            Source::Own(own) => own.head.as_ref().map_or_else(|| format!("number-{}", own.number), |head| hex(&head.id)),
            Source::Letters(path) => path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        }
    }

    /// Who wrote it, in a word or two.
    pub fn kind(&self) -> &'static str {
        match self {
            Source::File(Found { name: Name { written, .. }, .. }) => match written {
                Written::File => "file",
                Written::Single => "file_single",
                Written::Old => "file (0.12)",
                Written::Backup => "backup",
            },
            Source::Own(_) => "flumen",
            Source::Letters(_) => "letters",
        }
    }

    /// Whether it still takes events, waits, or was given up.
    pub fn state(&self) -> &'static str {
        match self {
            Source::File(found) if found.name.written == Written::Backup => "given up",
            Source::File(found) if found.name.is_queued => "queued",
            Source::Own(own) if own.chunk.is_closed || own.chunk.remaining.is_some() => "queued",
            Source::File(_) | Source::Own(_) => "staged",
            Source::Letters(_) => "given up",
        }
    }

    /// Its chunk keys.
    pub fn keys(&self) -> ChunkKeys {
        match self {
            Source::File(found) => found.meta.keys.clone(),
            Source::Own(own) => own.head.as_ref().map(|head| head.keys.clone()).unwrap_or_default(),
            Source::Letters(_) => ChunkKeys::default(),
        }
    }

    /// The id of the output that gave it up, and its type, where they are known.
    pub fn output(&self) -> (Option<String>, Option<String>) {
        match self {
            Source::File(found) => (found.meta.fact("output").map(str::to_owned), found.meta.fact("plugin").map(str::to_owned)),
            Source::Own(own) => (None, own.head.as_ref().map(|head| head.output.clone())),
            Source::Letters(_) => (None, None),
        }
    }

    /// Why it was given up, where that is known.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Source::File(found) => found.meta.fact("reason"),
            Source::Own(_) | Source::Letters(_) => None,
        }
    }

    /// Bytes on the disk.
    pub fn bytes(&self) -> u64 {
        match self {
            Source::File(found) => found.bytes,
            Source::Own(own) => own.chunk.bytes,
            Source::Letters(path) => std::fs::metadata(path).map_or(0, |about| about.len()),
        }
    }

    /// How many events, where somebody counted them.
    pub fn records(&self) -> Option<u64> {
        match self {
            Source::File(found) => Some(found.meta.records).filter(|records| *records > 0),
            Source::Own(own) => Some(own.chunk.records),
            Source::Letters(_) => None,
        }
    }

    /// When it was last written to, in seconds since 1970.
    pub fn modified(&self) -> i64 {
        match self {
            Source::File(found) => found.meta.modified,
            Source::Own(own) => own.head.as_ref().map_or(0, |head| head.created),
            Source::Letters(path) => {
                use std::os::unix::fs::MetadataExt;
                std::fs::metadata(path).map_or(0, |about| about.mtime())
            }
        }
    }

    /// Reads a chunk whole. Letters are read line by line: see [`letters`].
    pub fn read(&self) -> anyhow::Result<Body> {
        match self {
            Source::File(found) => read_file(found),
            Source::Own(own) => own.read(),
            Source::Letters(path) => {
                let mut body = Body::default();
                for line in letters(path, 0)? {
                    let line = line?;
                    match line.letter.map(|letter| (letter.tag, letter.what)) {
                        Ok((tag, What::Event(entry))) => add(&mut body.parts, tag, &entry),
                        Ok((_, What::Chunk(_))) => {}
                        Err(why) => body.damage.push(format!("the line that ends at byte {}: {why}", line.end)),
                    }
                }
                Ok(body)
            }
        }
    }
}

/// The lines of a segment, from this byte on.
pub fn letters(path: &Path, from: u64) -> anyhow::Result<Lines> {
    Lines::open(path, from).with_context(|| format!("cannot read {}", path.display()))
}

/// What a letter is about, for those who only count.
pub fn is_event(letter: &Letter) -> bool {
    matches!(letter.what, What::Event(_))
}

fn read_file(found: &Found) -> anyhow::Result<Body> {
    let (bytes, is_cut) = found.read(MAX_CHUNK_BYTES).with_context(|| format!("cannot read {}", found.path.display()))?;
    let mut body = Body::default();
    if is_cut {
        body.damage.push("its compressed bytes end too early, or are damaged".to_owned());
    }
    if let Some(why) = &found.meta_fault {
        body.damage.push(format!("its .meta file cannot be read: {why}"));
    }
    if bytes.is_empty() {
        body.damage.push("it is empty".to_owned());
        return Ok(body);
    }
    let tag = found.meta.keys.tag.as_ref().map(ToString::to_string);
    let mut take = |packed: Packed| {
        if packed.damaged_bytes > 0 {
            body.damage.push(format!("the last {} bytes are no events", packed.damaged_bytes));
        }
        let tag = packed.tag.or_else(|| tag.clone());
        body.parts.push(Part { tag, bytes: packed.bytes, records: packed.records, is_formatted: false });
    };
    match Content::of(bytes) {
        Content::Packed(packed) => take(packed),
        Content::Tagged(by_tag) => by_tag.into_iter().for_each(take),
        Content::Formatted(bytes) => {
            let records = usize::try_from(found.meta.records).unwrap_or(usize::MAX);
            body.parts.push(Part { tag, bytes, records, is_formatted: true });
        }
    }
    Ok(body)
}

/// Adds an event to the part of its tag; neighbours mostly are of one.
fn add(parts: &mut Vec<Part>, tag: Option<String>, entry: &[u8]) {
    match parts.last_mut() {
        Some(last) if last.tag == tag => {
            last.bytes.extend_from_slice(entry);
            last.records += 1;
        }
        _ => parts.push(Part { tag, bytes: entry.to_vec(), records: 1, is_formatted: false }),
    }
}

/// Bytes as digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut hex, byte| {
        use std::fmt::Write;
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
