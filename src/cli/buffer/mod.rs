//! `flumen buffer`: looks into buffers, backups and dead letters, ours and Fluentd's, whether a daemon uses them or not.

mod cat;
mod export;
mod ls;
mod repair;
mod verify;

use super::kept::{self, Source};
use super::{EXIT_CONFIG, EXIT_RUN};
use crate::buffer::Compress;
use crate::event::json::{Style, write_text};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// What its `--help` prints.
pub const USAGE: &str = "usage: flumen buffer ls PATH [--json]                  list chunks and dead letters, with their keys and counts
       flumen buffer cat PATH [--json]                 print the events
       flumen buffer verify PATH [--json]              look for damage; exit code 0: none, 1: some, 2: cannot be read
       flumen buffer repair PATH                       take damage out and keep it aside; no daemon may be using PATH
       flumen buffer export PATH --to FOLDER [--compress gzip|zstd]
                                                       write everything as chunk files that Fluentd takes over
PATH is a folder with what is below it, one file, or a buffer's path such as /var/log/b.*.log: Fluentd's buffers and Flumen's,
backups, dead letters. Nothing but repair changes what is there, and nothing but repair takes a lock.
";

/// What is asked for.
#[derive(Debug)]
struct Asked {
    path: PathBuf,
    json: bool,
    to: Option<PathBuf>,
    compress: Compress,
}

type Command = fn(&Asked, &mut dyn Write) -> anyhow::Result<ExitCode>;

const COMMANDS: [(&str, Command); 5] =
    [("ls", ls::run), ("cat", cat::run), ("verify", verify::run), ("repair", repair::run), ("export", export::run)];

/// Does what the arguments behind `flumen buffer` say. 0: done; 1: wrong arguments, or damage found; 2: cannot be done.
pub fn main(arguments: &[String]) -> ExitCode {
    if arguments.iter().any(|argument| argument == "--help" || argument == "-h") {
        print!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let (command, asked) = match parse(arguments) {
        Ok(parsed) => parsed,
        Err(why) => {
            eprintln!("flumen buffer: {why}\n{USAGE}");
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let done = command(&asked, &mut out).and_then(|code| {
        out.flush()?;
        Ok(code)
    });
    done.unwrap_or_else(|error| {
        // Whoever reads has seen enough.
        if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
            return ExitCode::SUCCESS;
        }
        eprintln!("flumen buffer: {error:#}");
        ExitCode::from(EXIT_RUN)
    })
}

fn parse(arguments: &[String]) -> Result<(Command, Asked), String> {
    let (name, rest) = arguments.split_first().ok_or("what to do is missing")?;
    let known = COMMANDS.iter().find(|(known, _)| known == name);
    let (_, command) = known.ok_or_else(|| format!("unknown command {name:?}, expected ls, cat, verify, repair or export"))?;
    let (mut path, mut asked) = (None, Asked { path: PathBuf::new(), json: false, to: None, compress: Compress::Text });
    let mut rest = rest.iter();
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--json" if name != "repair" && name != "export" => asked.json = true,
            "--to" if name == "export" => asked.to = Some(PathBuf::from(value()?)),
            "--compress" if name == "export" => {
                asked.compress = match value()?.as_str() {
                    "gzip" => Compress::Gzip,
                    "zstd" => Compress::Zstd,
                    other => return Err(format!("--compress {other}: expected gzip or zstd")),
                };
            }
            option if option.starts_with('-') => return Err(format!("invalid option for {name}: {option}")),
            _ if path.is_some() => return Err(format!("unexpected argument {argument:?}")),
            _ => path = Some(PathBuf::from(argument)),
        }
    }
    asked.path = path.ok_or("the path is missing")?;
    if name == "export" && asked.to.is_none() {
        return Err("export needs --to FOLDER".to_owned());
    }
    Ok((*command, asked))
}

/// A text as JSON.
fn quoted(text: &str) -> String {
    let mut out = Vec::new();
    write_text(text.as_bytes(), Style::Oj, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// The chunk keys as people read them: `tag=a.b timekey=1700000000 host=h`.
fn keys_text(source: &Source) -> String {
    let keys = source.keys();
    let mut parts = Vec::new();
    parts.extend(keys.tag.map(|tag| format!("tag={tag}")));
    parts.extend(keys.timekey.map(|start| format!("timekey={start}")));
    parts.extend(keys.variables.iter().map(|(name, value)| format!("{name}={}", value.as_deref().unwrap_or("nil"))));
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Asked, String> {
        let arguments: Vec<String> = line.split(' ').map(str::to_owned).collect();
        parse(&arguments).map(|(_, asked)| asked)
    }

    #[test]
    fn arguments_are_checked() {
        assert!(parsed("ls /b --json").unwrap().json);
        let export = parsed("export /b --to /c --compress zstd").unwrap();
        assert_eq!((export.to, export.compress), (Some(PathBuf::from("/c")), Compress::Zstd));
        for (line, wanted) in [
            ("look /b", "unknown command"),
            ("ls", "path is missing"),
            ("ls /a /b", "unexpected argument"),
            ("export /b", "--to FOLDER"),
            ("export /b --to", "needs a value"),
            ("export /b --to /c --compress lz4", "expected gzip or zstd"),
            ("repair /b --json", "invalid option"),
        ] {
            assert!(parsed(line).unwrap_err().contains(wanted), "{line}");
        }
    }
}
