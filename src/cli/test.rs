//! `flumen test`: runs the cases of a configuration, shows what came of them, and writes what came into the files where that is asked for.

use super::check::{colour, environment, is_case_file};
use super::fmt::{read, replace, show};
use super::{EXIT_CONFIG, EXIT_USAGE};
use crate::check::cases::render::{Format, render};
use crate::check::cases::{Order, Tested, test};
use crate::config::{FileType, LoadOptions, glob};
use std::fs::File;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Folders below a given one are followed this deep.
const MAX_DEPTH: usize = 16;

/// What its `--help` prints.
pub const HELP: &str = "usage: flumen test [options] [-c FILE] [CASES|DIR]...

Runs the cases of a configuration: what goes in, and what is to come out where. Outputs are stood in for, whatever they are: nothing
is sent, written or listened to, and no time is waited for. Without CASES: FILE with .test.yaml in place of its ending; of a folder all
files that end so.

  -c, --config FILE     the configuration; without it the case file says 'config: FILE', relative to itself
  --update              write what came into the files in place of what was expected; comments and layout stay
  --filter TEXT         only cases whose name contains TEXT
  --format human|json|junit
                        how the outcome is printed (default: human)
  --env-file PATH       variables for embedded Ruby, lines of NAME=VALUE
  --use-v0-config       read the old line-based syntax
  --config-file-type guess|yaml|yml|v1
                        the syntax; guess: by the extension (the default)
  --colour auto|always|never
                        colours; auto: on a terminal (the default)
  -v, --verbose         show what the plugins log

Exit codes: 0 all cases passed, 1 some did not, 2 wrong arguments, or a case file or configuration with faults.

A case file is YAML:

  config: fluent.conf               # where -c does not say
  env: {ES_HOST: localhost}         # variables for embedded Ruby
  now: 2024-05-01T12:00:00Z         # the time at which cases start; noon of 2024-01-01 by default
  cases:
    - name: JSON lines become fields
      input:
        - {tag: app.web, record: {log: '{\"level\":\"info\"}'}}       # an event; 'time', 'label' or 'source' beside it
        - {tag: app.web, records: [{n: 1}, {n: 2}]}               # several in one message
        - source: nginx             # texts for the source with this @id, type, or FILE:LINE, by its own parser
          path: /var/log/nginx.log  # the file (tail), or the path (http); from: 10.0.0.1 the peer, headers: {...}
          lines: |                  # or a list; body: TEXT for http
            first line
        - advance: 5s               # time passes: intervals, time slices, time-outs
        - expect: {es: []}          # a look at what has come since the last one
      expect:                       # the last look, once everything that is held has been let go
        es:                         # an output by its @id, as 'match app.**', FILE:LINE or @type; 'tag PATTERN' is all of them
          - tag: app.web
            record: {level: info}   # the whole record; contains: {...} some of its fields
            time: 2024-05-01T12:00:00Z
        '@ERROR': [{contains: {log: x}, error: not matched}]      # rejected events, and a part of the message
        unmatched: 0                # events that no <match> is for; a number counts where events need no look
        dropped: 1                  # events that filters took out, or joined to others

An output that a look does not name must get nothing, unless 'others: ignore' says otherwise; outputs of type null may. {order: any,
events: [...]} lets events come in any order. In records !any is any value, !absent none, and !regexp '/^a/' a text that it fits.
";

#[derive(Default)]
struct Asked {
    order: Order,
    paths: Vec<PathBuf>,
    updates: bool,
    format: Format,
    colour: Option<bool>,
    env_files: Vec<PathBuf>,
    v0: bool,
    file_type: FileType,
    verbose: bool,
    help: bool,
}

/// Does what the arguments behind `test` say.
pub fn run(arguments: &[String]) -> ExitCode {
    match parse(arguments).and_then(answer) {
        Ok(code) => code,
        Err(message) => {
            eprintln!("flumen test: {message}\nflumen test --help shows how cases are written");
            ExitCode::from(EXIT_USAGE)
        }
    }
}

fn parse(arguments: &[String]) -> Result<Asked, String> {
    let mut asked = Asked::default();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let (name, attached) = match argument.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name, Some(value.to_owned())),
            _ => (argument.as_str(), None),
        };
        let mut value = || attached.clone().or_else(|| arguments.next().cloned()).ok_or_else(|| format!("missing argument: {name}"));
        match name {
            "-c" | "--config" => asked.order.config = Some(PathBuf::from(value()?)),
            "--update" => asked.updates = true,
            "--filter" => asked.order.filter = Some(value()?),
            "--format" => {
                let given = value()?;
                asked.format = Format::parse(&given).ok_or_else(|| format!("--format {given:?}, expected human, json or junit"))?;
            }
            "--env-file" => asked.env_files.push(PathBuf::from(value()?)),
            "--use-v0-config" => asked.v0 = true,
            "--config-file-type" => asked.file_type = FileType::from_option(&value()?)?,
            "--colour" | "--color" => asked.colour = colour(&value()?)?,
            "-v" | "--verbose" => asked.verbose = true,
            "-h" | "--help" => asked.help = true,
            path if !path.starts_with('-') => asked.paths.push(PathBuf::from(argument)),
            other => return Err(format!("invalid option: {other}")),
        }
    }
    Ok(asked)
}

fn answer(mut asked: Asked) -> Result<ExitCode, String> {
    if asked.help {
        return show(HELP).map(|()| ExitCode::SUCCESS);
    }
    crate::log::set_level(if asked.verbose { crate::log::Level::Info } else { crate::log::Level::Fatal });
    // Standard output is for the results.
    crate::console::silence();
    let mut like = LoadOptions::new("");
    like.v0 = asked.v0;
    like.file_type = asked.file_type;
    like.environment.variables = environment(&asked.env_files)?;
    asked.order.like = Some(like);
    let mut all = Vec::new();
    for path in files(&asked)? {
        all.push(one(&path, &asked)?);
    }
    if let Some(part) =
        asked.order.filter.as_ref().filter(|_| all.iter().all(|tested| tested.cases.is_empty() && !tested.faults.has_errors()))
    {
        return Err(format!("no case has a name with {part:?} in it"));
    }
    let colours = asked.colour.unwrap_or_else(|| std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none());
    show(&render(&all, asked.format, colours))?;
    Ok(if all.iter().any(|tested| tested.faults.has_errors()) {
        ExitCode::from(EXIT_USAGE)
    } else if all.iter().any(Tested::has_failures) {
        ExitCode::from(EXIT_CONFIG)
    } else {
        ExitCode::SUCCESS
    })
}

/// The case files that are asked for, each once.
fn files(asked: &Asked) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    if asked.paths.is_empty() {
        let config = asked.order.config.as_ref().ok_or("nothing to test: name a case file, or a configuration with -c")?;
        let beside = ["test.yaml", "test.yml"].map(|ending| config.with_extension(ending));
        let found = beside.iter().find(|path| path.is_file());
        files.push(found.cloned().ok_or_else(|| format!("there is no {}: name a case file", beside[0].display()))?);
    }
    for path in &asked.paths {
        let before = files.len();
        if path.is_dir() {
            find(path, 0, &mut files).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
            files[before..].sort();
        } else if path.exists() {
            files.push(path.clone());
        } else {
            files.extend(glob(&path.to_string_lossy()));
        }
        if files.len() == before {
            let what = if path.is_dir() { "there is no file that ends in .test.yaml in" } else { "there is no" };
            return Err(format!("{what} {}", path.display()));
        }
    }
    let mut seen = std::collections::HashSet::new();
    files.retain(|path| seen.insert(path.clone()));
    Ok(files)
}

fn find(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() && depth < MAX_DEPTH {
            find(&path, depth + 1, found)?;
        } else if is_case_file(&path) {
            found.push(path);
        }
    }
    Ok(())
}

/// Runs a file; where it is to be updated, the result is that of the new text.
fn one(path: &Path, asked: &Asked) -> Result<Tested, String> {
    let name = path.display().to_string();
    let opened = File::open(path).map_err(|error| format!("cannot read {name}: {error}"))?;
    let text = read(opened, &name)?;
    let tested = test(&name, &text, &asked.order);
    let Some(updated) = tested.updated.as_ref().filter(|_| asked.updates) else { return Ok(tested) };
    let again = test(&name, updated, &asked.order);
    if again.faults.has_errors() || again.has_failures() {
        eprintln!("flumen test: {name} is left as it is: what came cannot be written so that it is read the same way");
        return Ok(tested);
    }
    replace(path, updated).map_err(|error| format!("cannot write {name}: {error}"))?;
    eprintln!("flumen test: {name} is updated");
    Ok(again)
}
