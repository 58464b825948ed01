//! `flumen replay`: sends dead letters, backups and exported buffers again, to a forward input or into the pipeline of a configuration.
//!
//! What is sent and settled is remembered, round by round, so that a replay can be stopped at any moment: the next one sends what is left,
//! and of what was on its way the same messages under the same names.

mod forward;
mod letters;
mod pipeline;
mod progress;

use super::access::{self, Access};
use super::kept::{self, Part, Source};
use super::{EXIT_CONFIG, EXIT_RUN};
use crate::buffer::ChunkKeys;
use crate::buffer::import::Written;
use crate::event::msgpack::Entries;
use anyhow::{Context, bail};
use progress::Progress;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What its `--help` prints.
pub const USAGE: &str = concat!(
    "usage: flumen replay PATH --to forward://HOST[:PORT] [options]   send to a forward input, each message acknowledged
       flumen replay PATH -c CONFIG [options]                   feed the outputs of a configuration; its sources do not run
PATH is a folder of dead letters, of backups or of chunks that `flumen buffer export` wrote, or one file of those.
  --tag TAG        for events whose tag is not known
  --label LABEL    with -c: where events enter; the root by default
  --remove         remove what is sent; otherwise it stays, and is remembered as sent
  --progress FILE  where that is remembered, in place of .flumen-replay.jsonl in the folder
With --to:
",
    access::options_help!()
);

/// The most bytes of one message.
const MESSAGE_BYTES: usize = 1 << 20;
/// After so many bytes what was sent is settled.
const ROUND_BYTES: usize = 8 << 20;

/// Events on their way.
#[derive(Debug)]
struct Addressed<'p> {
    tag: &'p str,
    bytes: &'p [u8],
    records: usize,
    /// The same each time these events are sent, so that who gets them twice can know.
    name: &'p str,
    /// The id and the type of the output that gave them up.
    output: Option<&'p str>,
    plugin: Option<&'p str>,
    keys: Option<&'p ChunkKeys>,
    is_formatted: bool,
}

/// Where events go.
trait Target {
    /// Takes some.
    fn send(&mut self, part: &Addressed<'_>) -> anyhow::Result<()>;
    /// Whether it could take what a formatter wrote.
    fn can_take(&self, is_formatted: bool) -> bool;
    /// Waits until all that was sent is where it belongs.
    fn settle(&mut self) -> anyhow::Result<()>;
    /// The end; what has become of it, in a few words.
    fn finish(self: Box<Self>) -> anyhow::Result<String>;
}

#[derive(Debug, Default)]
struct Asked {
    path: PathBuf,
    to: Option<String>,
    config: Option<PathBuf>,
    tag: Option<String>,
    label: Option<String>,
    progress: Option<PathBuf>,
    remove: bool,
    access: Access,
}

/// What was done, in numbers.
#[derive(Debug, Default)]
struct Totals {
    events: usize,
    chunks: usize,
    letters: usize,
    /// Sent before, by an earlier replay.
    before: usize,
    skipped: usize,
    damaged: usize,
}

/// Does what the arguments behind `flumen replay` say. 0: all is sent; 1: wrong arguments, or something was left out; 2: cannot be done.
pub fn main(arguments: &[String]) -> ExitCode {
    if arguments.iter().any(|argument| argument == "--help" || argument == "-h") {
        print!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let asked = match parse(arguments) {
        Ok(asked) => asked,
        Err(why) => {
            eprintln!("flumen replay: {why}\n{USAGE}");
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    let code = run(&asked).unwrap_or_else(|error| {
        eprintln!("flumen replay: {error:#}");
        ExitCode::from(EXIT_RUN)
    });
    crate::log::flush();
    code
}

fn parse(arguments: &[String]) -> Result<Asked, String> {
    let mut asked = Asked::default();
    let mut path = None;
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().cloned().ok_or_else(|| format!("{argument} needs a value"));
        if asked.access.take(argument, &mut value)? {
            continue;
        }
        match argument.as_str() {
            "--to" => asked.to = Some(value()?),
            "-c" | "--config" => asked.config = Some(PathBuf::from(value()?)),
            "--tag" => asked.tag = Some(value()?),
            "--label" => asked.label = Some(value()?),
            "--progress" => asked.progress = Some(PathBuf::from(value()?)),
            "--remove" => asked.remove = true,
            option if option.starts_with('-') => return Err(format!("invalid option: {option}")),
            _ if path.is_some() => return Err(format!("unexpected argument {argument:?}")),
            _ => path = Some(PathBuf::from(argument)),
        }
    }
    asked.path = path.ok_or("the path is missing")?;
    match (&asked.to, &asked.config) {
        (None, None) => Err("where to is missing: --to forward://HOST[:PORT], or -c CONFIG".to_owned()),
        (Some(_), Some(_)) => Err("--to and -c exclude each other".to_owned()),
        (Some(_), None) if asked.label.is_some() => Err("--label is for -c only".to_owned()),
        (None, Some(_)) if asked.access.is_asked() => {
            Err("options for the connection are for --to only: with -c the configuration says it".to_owned())
        }
        _ => {
            asked.access = asked.access.complete(|name| std::env::var(name).ok())?;
            Ok(asked)
        }
    }
}

fn run(asked: &Asked) -> anyhow::Result<ExitCode> {
    let sources = kept::collect(&asked.path)?;
    refuse_what_is_in_use(&sources)?;
    let folder = if asked.path.is_dir() { asked.path.as_path() } else { asked.path.parent().unwrap_or(Path::new(".")) };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let progress = Progress::open(folder, asked.progress.as_deref())?;
    let target: Box<dyn Target> = match (&asked.to, &asked.config) {
        (Some(url), _) => Box::new(forward::Forward::connect(url, &asked.access)?),
        (None, Some(config)) => Box::new(pipeline::Pipeline::start(config, asked.label.as_deref())?),
        (None, None) => bail!("where to is missing"),
    };
    let mut replay = Replay { asked, folder, target, progress, totals: Totals::default() };
    let mut sent = Ok(());
    for source in &sources {
        sent = match source {
            Source::Letters(path) => replay.letters(path),
            _ => replay.chunk(source),
        };
        if sent.is_err() {
            break;
        }
    }
    let Totals { events, chunks, letters, before, skipped, damaged } = replay.totals;
    println!(
        "sent {events} events of {chunks} chunks and {letters} dead letters; {before} sent before, {skipped} left out, {damaged} damaged"
    );
    sent?;
    println!("{}", replay.target.finish()?);
    Ok(if skipped + damaged == 0 { ExitCode::SUCCESS } else { ExitCode::from(EXIT_CONFIG) })
}

/// Buffers that somebody delivers from are not sent beside that; dead letters and backups are left by daemons that may go on.
fn refuse_what_is_in_use(sources: &[Source]) -> anyhow::Result<()> {
    let is_buffer = |source: &&Source| match source {
        Source::File(found) => found.name.written != Written::Backup,
        Source::Own(_) => true,
        Source::Letters(_) => false,
    };
    match kept::held_by(sources.iter().filter(is_buffer)) {
        Some(holder) => bail!("process {} ({}) uses these buffers and delivers what is in them: stop it first", holder.pid, holder.name),
        None => Ok(()),
    }
}

struct Replay<'r> {
    asked: &'r Asked,
    folder: &'r Path,
    target: Box<dyn Target>,
    progress: Progress,
    totals: Totals,
}

impl Replay<'_> {
    /// What a source is called in the progress: its place below the folder.
    fn name_of(&self, place: &str) -> String {
        let below = Path::new(place).strip_prefix(self.folder).ok().and_then(Path::to_str);
        below.unwrap_or(place).to_owned()
    }

    fn leave_out(&mut self, place: &str, why: &str) {
        self.totals.skipped += 1;
        eprintln!("flumen replay: {place} is left out: {why}");
    }

    fn chunk(&mut self, source: &Source) -> anyhow::Result<()> {
        let place = source.place();
        let name = self.name_of(&place);
        if self.progress.sent(&name) > 0 {
            self.totals.before += 1;
            return self.remove(source, true);
        }
        let body = source.read().with_context(|| format!("cannot read {place}"))?;
        let is_damaged = !body.damage.is_empty();
        self.totals.damaged += body.damage.len();
        body.damage.iter().for_each(|what| eprintln!("flumen replay: {place}: {what}"));
        for part in &body.parts {
            let tag = part.tag.as_ref().or(self.asked.tag.as_ref());
            if !self.target.can_take(part.is_formatted) {
                self.leave_out(&place, "a formatter wrote it, so that it can only go to an output of the same type: use -c");
                return Ok(());
            }
            if tag.is_none() && !part.is_formatted {
                self.leave_out(&place, "its tag is not known: give one with --tag");
                return Ok(());
            }
        }
        for (number, part) in body.parts.iter().enumerate() {
            if let Err(why) = self.send_part(source, part, number) {
                // An output that does not take it is no reason to leave out the others.
                if part.is_formatted {
                    self.leave_out(&place, &format!("{why:#}"));
                    return Ok(());
                }
                return Err(why);
            }
        }
        self.target.settle()?;
        self.progress.advance(&name, 1)?;
        self.totals.chunks += 1;
        self.totals.events += body.parts.iter().map(|part| part.records).sum::<usize>();
        self.remove(source, !is_damaged)
    }

    fn send_part(&mut self, source: &Source, part: &Part, number: usize) -> anyhow::Result<()> {
        let (output, plugin) = source.output();
        let (id, keys) = (source.id(), source.keys());
        let tag = part.tag.as_deref().or(self.asked.tag.as_deref()).unwrap_or_default();
        let mut since_settled = 0;
        for (slice, (bytes, records)) in slices(part).into_iter().enumerate() {
            let name = format!("flumen-replay:{id}:{number}:{slice}");
            let is_formatted = part.is_formatted;
            let addressed = Addressed {
                tag,
                bytes,
                records,
                name: &name,
                output: output.as_deref(),
                plugin: plugin.as_deref(),
                keys: Some(&keys),
                is_formatted,
            };
            self.target.send(&addressed)?;
            since_settled += bytes.len();
            if since_settled >= ROUND_BYTES {
                self.target.settle()?;
                since_settled = 0;
            }
        }
        Ok(())
    }

    /// Removes a chunk that is sent, if that is asked for; one with damage stays for those who want to look.
    fn remove(&mut self, source: &Source, is_whole: bool) -> anyhow::Result<()> {
        match source {
            Source::File(found) if self.asked.remove && is_whole => {
                found.remove().with_context(|| format!("cannot remove {}", source.place()))
            }
            _ => Ok(()),
        }
    }
}

/// A part in messages; what a formatter wrote stays whole.
fn slices(part: &Part) -> Vec<(&[u8], usize)> {
    if part.is_formatted {
        return vec![(&part.bytes, part.records)];
    }
    let mut slices = Vec::new();
    let (mut start, mut end, mut records) = (0, 0, 0);
    for entry in Entries::new(&part.bytes).map_while(Result::ok) {
        end += entry.whole.len();
        records += 1;
        if end - start >= MESSAGE_BYTES {
            slices.push((&part.bytes[start..end], records));
            (start, records) = (end, 0);
        }
    }
    if records > 0 {
        slices.push((&part.bytes[start..end], records));
    }
    slices
}
