//! `flumen fmt`: configurations in their canonical layout, printed, compared or written in place.

use super::check::find_files;
use super::{EXIT_CONFIG, EXIT_USAGE};
use crate::config::format::{Unformatted, format};
use crate::config::{Diagnostics, Severity, render_finding};
use std::fs::{File, OpenOptions};
use std::io::{IsTerminal, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Larger texts are no configurations.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// What its `--help` prints.
pub const HELP: &str = "usage: flumen fmt [--check | --write] [FILE|DIR|-]...

Prints configurations in the v1 syntax in their canonical layout: two blanks a level, at most one blank line in a row. Comments,
values and their quotes stay as they are. Of a folder all .conf files are taken; - or nothing is standard input.

  --check      print nothing but the names of the files that would change
  --write      write the files in place, and print the names of those that changed

Exit codes: 0 done (--check: nothing would change), 1 a file has faults and is left as it is (--check: or would change), 2 wrong
arguments or a file that cannot be read or written.
";

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Print,
    Check,
    Write,
}

/// What came of one file.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Outcome {
    Done,
    /// It has faults, or it would change and nothing may.
    Refused,
    /// It cannot be read or written.
    Failed,
}

/// Does what the arguments behind `fmt` say.
pub fn run(arguments: &[String]) -> ExitCode {
    let usage = |message: String| {
        eprintln!("flumen fmt: {message}\nflumen fmt --help lists the options");
        ExitCode::from(EXIT_USAGE)
    };
    let (mut mode, mut paths) = (Mode::Print, Vec::new());
    for argument in arguments {
        match argument.as_str() {
            "--check" | "--write" if mode != Mode::Print => return usage("--check or --write, once".to_owned()),
            "--check" => mode = Mode::Check,
            "--write" => mode = Mode::Write,
            "-h" | "--help" => {
                print!("{HELP}");
                return ExitCode::SUCCESS;
            }
            path if path == "-" || !path.starts_with('-') => paths.push(PathBuf::from(path)),
            other => return usage(format!("invalid option: {other}")),
        }
    }
    if paths.is_empty() {
        if std::io::stdin().is_terminal() {
            return usage("nothing to format: name a file or a folder".to_owned());
        }
        paths.push(PathBuf::from("-"));
    }
    let mut worst = Outcome::Done;
    for path in &paths {
        let outcome = given(path, mode).unwrap_or_else(|message| {
            eprintln!("flumen fmt: {message}");
            Outcome::Failed
        });
        worst = if outcome > worst { outcome } else { worst };
    }
    match worst {
        Outcome::Done => ExitCode::SUCCESS,
        Outcome::Refused => ExitCode::from(EXIT_CONFIG),
        Outcome::Failed => ExitCode::from(EXIT_USAGE),
    }
}

/// Formats what one argument names.
fn given(path: &Path, mode: Mode) -> Result<Outcome, String> {
    if path == Path::new("-") {
        if mode == Mode::Write {
            return Err("--write cannot write standard input".to_owned());
        }
        return one("(standard input)", None, &read(std::io::stdin().lock(), "standard input")?, mode);
    }
    if !path.is_dir() {
        return file(path, mode);
    }
    let mut files = Vec::new();
    find_files(path, 0, &mut files).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "conf"));
    files.sort();
    if files.is_empty() {
        return Err(format!("there is no .conf file in {}", path.display()));
    }
    let mut worst = Outcome::Done;
    for path in &files {
        let outcome = file(path, mode).unwrap_or_else(|message| {
            eprintln!("flumen fmt: {message}");
            Outcome::Failed
        });
        worst = if outcome > worst { outcome } else { worst };
    }
    Ok(worst)
}

fn file(path: &Path, mode: Mode) -> Result<Outcome, String> {
    let name = path.display().to_string();
    if path.extension().is_some_and(|extension| ["yaml", "yml", "rb"].iter().any(|other| extension == *other)) {
        return Err(format!("{name} is not written in the v1 syntax, which alone is formatted"));
    }
    let opened = File::open(path).map_err(|error| format!("cannot read {name}: {error}"))?;
    one(&name, Some(path), &read(opened, &name)?, mode)
}

/// All of a text, up to a bound.
pub(super) fn read(from: impl Read, name: &str) -> Result<String, String> {
    let mut bytes = Vec::new();
    from.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|error| format!("cannot read {name}: {error}"))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(format!("{name} is larger than {MAX_FILE_BYTES} bytes"));
    }
    String::from_utf8(bytes).map_err(|_| format!("{name} is not UTF-8"))
}

/// Formats one text.
fn one(name: &str, path: Option<&Path>, text: &str, mode: Mode) -> Result<Outcome, String> {
    let diagnostics = Diagnostics::new();
    let formatted = match format(name, text, &diagnostics) {
        Ok(formatted) => formatted,
        Err(Unformatted::Faults) => {
            let errors = diagnostics.findings().into_iter().filter(|finding| finding.severity == Severity::Error);
            errors.for_each(|finding| eprint!("{}", render_finding(&finding, &diagnostics)));
            return Ok(Outcome::Refused);
        }
        Err(Unformatted::Changed) => {
            eprintln!("flumen fmt: {name} is left as it is: in the canonical layout it would be read differently");
            return Ok(Outcome::Refused);
        }
    };
    let changes = formatted != text;
    match (mode, path) {
        (Mode::Print, _) => show(&formatted)?,
        (_, _) if !changes => {}
        (Mode::Check, _) => {
            show(&format!("{name}\n"))?;
            return Ok(Outcome::Refused);
        }
        (Mode::Write, Some(path)) => {
            replace(path, &formatted).map_err(|error| format!("cannot write {name}: {error}"))?;
            show(&format!("{name}\n"))?;
        }
        (Mode::Write, None) => {}
    }
    Ok(Outcome::Done)
}

/// Prints a text; a reader who has seen enough is no fault.
pub(super) fn show(text: &str) -> Result<(), String> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(|error| format!("cannot write: {error}")),
    }
}

/// Puts a new file with the same owner and permissions in the place of one; of a link, in the place of what it leads to.
pub(super) fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let path = path.canonicalize()?;
    let old = std::fs::metadata(&path)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let temporary = path.with_file_name(format!(".{name}.flumen-{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| {
        let new = file.metadata()?;
        if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
            fchown(&file, Some(old.uid()), Some(old.gid()))?;
        }
        file.set_permissions(old.permissions())?;
        file.sync_all()?;
        std::fs::rename(&temporary, &path)
    });
    if written.is_err() {
        // What matters is why it was not written.
        let _ = std::fs::remove_file(&temporary);
    }
    written
}
