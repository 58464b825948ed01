//! `flumen convert`: a configuration in another language, or in its modern form.

use super::check::{colour, environment};
use super::fmt::{read, show};
use super::{EXIT_CONFIG, EXIT_USAGE};
use crate::check::convert::{Language, convert};
use crate::check::render::{Format, render};
use crate::config::LoadOptions;
use std::fs::File;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What its `--help` prints.
pub const HELP: &str = "usage: flumen convert --to v1|yaml|v0 [options] [FILE|-]

Writes a configuration in another language, with its comments; flat parameters of version 0.12 become sections, old names modern ones. What
was written is read again and compared with the original, after both have been brought into one form: nothing but the writing changes, or it
is refused, and the place is named. Values stay as they are written where they mean the same.

  --to v1               today's syntax: for a file that is in it already, its modern form in the canonical layout
  --to yaml             YAML; @include of .conf files needs --inline
  --to v0               the line-based syntax of --use-v0-config, which has no quotes and no embedded Ruby
  --from LANGUAGE       v1, yaml or v0 (default: yaml for .yaml and .yml, else v1)
  -o, --output OUT      write to a new file, not to standard output
  --inline              put the files that are included in the place of the includes
  --env-file PATH       variables for embedded Ruby, lines of NAME=VALUE, for the comparison
  --colour WHEN         auto (the default: on a terminal), always or never

Exit codes: 0 done, 1 the file has faults or cannot be carried over, 2 wrong arguments or a file that cannot be read or written.
";

#[derive(Default)]
struct Asked {
    path: Option<PathBuf>,
    to: Option<Language>,
    from: Option<Language>,
    output: Option<PathBuf>,
    inline: bool,
    env_files: Vec<PathBuf>,
    colour: Option<bool>,
    help: bool,
}

/// Does what the arguments behind `convert` say.
pub fn run(arguments: &[String]) -> ExitCode {
    match parse(arguments).and_then(|asked| answer(&asked)) {
        Ok(code) => code,
        Err(message) => {
            eprintln!("flumen convert: {message}\nflumen convert --help lists the options");
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
        let language = |given: String| Language::parse(&given).ok_or_else(|| format!("{name} {given:?}, expected v1, yaml or v0"));
        match name {
            "--to" => asked.to = Some(language(value()?)?),
            "--from" => asked.from = Some(language(value()?)?),
            "-o" | "--output" => asked.output = Some(PathBuf::from(value()?)),
            "--inline" => asked.inline = true,
            "--env-file" => asked.env_files.push(PathBuf::from(value()?)),
            "--colour" | "--color" => asked.colour = colour(&value()?)?,
            "-h" | "--help" => asked.help = true,
            path if asked.path.is_none() && (path == "-" || !path.starts_with('-')) => asked.path = Some(PathBuf::from(argument)),
            other => return Err(format!("invalid option: {other}")),
        }
    }
    Ok(asked)
}

fn answer(asked: &Asked) -> Result<ExitCode, String> {
    if asked.help {
        return show(HELP).map(|()| ExitCode::SUCCESS);
    }
    crate::log::set_level(crate::log::Level::Fatal);
    let to = asked.to.ok_or("into which language? --to v1, yaml or v0")?;
    let (path, text) = match asked.path.as_deref().filter(|path| *path != Path::new("-")) {
        Some(path) => {
            let name = path.display().to_string();
            let opened = File::open(path).map_err(|error| format!("cannot read {name}: {error}"))?;
            (path.to_owned(), read(opened, &name)?)
        }
        None if asked.path.is_none() && std::io::stdin().is_terminal() => return Err("nothing to convert: name a file".to_owned()),
        None => (PathBuf::from("(standard input)"), read(std::io::stdin().lock(), "standard input")?),
    };
    let mut source = LoadOptions::new(&path);
    source.environment.variables = environment(&asked.env_files)?;
    let from = asked.from.unwrap_or_else(|| Language::of(&path));
    let converted = convert(&text, from, to, &source, asked.inline);
    if !converted.report.findings.is_empty() {
        let colours = asked.colour.unwrap_or_else(|| std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none());
        eprint!("{}", render(std::slice::from_ref(&converted.report), Format::Human, colours));
    }
    let Some(text) = converted.text else { return Ok(ExitCode::from(EXIT_CONFIG)) };
    match &asked.output {
        None => show(&text)?,
        Some(output) => write(output, &text).map_err(|error| format!("cannot write {}: {error}", output.display()))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes a file that is not there yet.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    File::create_new(path)?.write_all(text.as_bytes())
}
