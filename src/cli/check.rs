//! `flumen check`: what is to be checked and how the report is shown. And the dry run of `--daemon` and `--dry-run`.

use super::{EXIT_CONFIG, EXIT_USAGE, Options, load};
use crate::check::render::{Format, render};
use crate::check::{self, Report, Settings, Target, codes};
use crate::config::{FileType, LoadOptions, Refused, Severity};
use crate::pipeline;
use std::collections::HashSet;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Folders below a given one are followed this deep.
const MAX_DEPTH: usize = 16;

/// What `flumen check --help` prints.
pub const HELP: &str = "usage: flumen check [options] [FILE|DIR]...

Says all that is wrong, or hardly meant, in configurations; runs nothing. Without FILE: $FLUENT_CONF.

  --for flumen|fluentd-1    what that program would do with it (default: either)
  --format human|json|sarif|github
                            how findings are printed (default: human)
  --deny CODE|warnings|notes
                            count these as errors (may be repeated, or a list with commas)
  --allow CODE              leave these warnings and notes out
  --env-file PATH           variables for embedded Ruby, lines of NAME=VALUE
  --no-fs                   do not look for the files and folders that the configuration names
  --strict-config-value     values that do not have the form of their type are errors
  --use-v0-config           read the old line-based syntax
  --config-file-type guess|yaml|yml|v1
                            the syntax; guess: by the extension (the default)
  --colour auto|always|never
                            colours; auto: on a terminal (the default)
  -c, --config FILE         the same as FILE
  --explain CODE            print what a code means, with an example; 'all' lists them
  -q, --quiet               errors only

Exit codes: 0 nothing but warnings and notes, 1 errors, 2 wrong arguments or a file that cannot be read.
";

/// What the arguments ask for.
#[derive(Default)]
struct Asked {
    paths: Vec<PathBuf>,
    settings: Settings,
    format: Format,
    colour: Option<bool>,
    env_files: Vec<PathBuf>,
    v0: bool,
    file_type: FileType,
    quiet: bool,
    explain: Option<String>,
    help: bool,
}

/// Checks what the arguments behind `check` name.
pub fn run(arguments: &[String]) -> ExitCode {
    match parse(arguments).and_then(|asked| answer(&asked)) {
        Ok(code) => code,
        Err(message) => {
            eprintln!("flumen check: {message}\nflumen check --help lists the options");
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
            "--for" => asked.settings.target = target(&value()?)?,
            "--format" => {
                let given = value()?;
                asked.format = Format::parse(&given).ok_or_else(|| format!("--format {given:?}, expected human, json, sarif or github"))?;
            }
            "--deny" => asked.settings.deny.extend(codes_of(&value()?, &["warnings", "notes"])?),
            "--allow" => asked.settings.allow.extend(codes_of(&value()?, &[])?),
            "--env-file" => asked.env_files.push(PathBuf::from(value()?)),
            "--no-fs" => asked.settings.files = false,
            "--strict-config-value" => asked.settings.strict = true,
            "--use-v0-config" => asked.v0 = true,
            "--config-file-type" => asked.file_type = FileType::from_option(&value()?)?,
            "--colour" | "--color" => asked.colour = colour(&value()?)?,
            "--explain" => asked.explain = Some(value()?),
            "-c" | "--config" => asked.paths.push(PathBuf::from(value()?)),
            "-q" | "--quiet" => asked.quiet = true,
            "-h" | "--help" => asked.help = true,
            path if !path.starts_with('-') => asked.paths.push(PathBuf::from(argument)),
            other => return Err(format!("invalid option: {other}")),
        }
    }
    Ok(asked)
}

pub(super) fn target(name: &str) -> Result<Target, String> {
    match name {
        "flumen" => Ok(Target::Flumen),
        "fluentd-1" | "fluentd" => Ok(Target::Fluentd),
        other => Err(format!("--for {other:?}, expected flumen or fluentd-1")),
    }
}

pub(super) fn colour(when: &str) -> Result<Option<bool>, String> {
    match when {
        "auto" => Ok(None),
        "always" => Ok(Some(true)),
        "never" => Ok(Some(false)),
        other => Err(format!("--colour {other:?}, expected auto, always or never")),
    }
}

pub(super) fn codes_of(text: &str, words: &[&str]) -> Result<Vec<String>, String> {
    let known = |code: &&str| words.contains(code) || codes::find(code).is_some();
    match text.split(',').find(|code| !known(code)) {
        Some(other) => Err(format!("{other:?} is no code of a finding; --explain all lists them")),
        None => Ok(text.split(',').map(str::to_owned).collect()),
    }
}

fn answer(asked: &Asked) -> Result<ExitCode, String> {
    if asked.help {
        return print(HELP);
    }
    if let Some(code) = &asked.explain {
        return explain(code);
    }
    // What plugins log while they are built is no finding.
    crate::log::set_level(crate::log::Level::Fatal);
    let environment = environment(&asked.env_files)?;
    let mut reports = Vec::new();
    for path in given(asked)? {
        if path.is_dir() {
            reports.extend(check_folder(&path, asked, &environment)?);
        } else {
            reports.push(check_file(&path, asked, &environment));
        }
    }
    let unread = reports.iter().flat_map(|report| &report.findings).any(|finding| finding.code == "FLM0100");
    let failed = reports.iter().any(Report::has_errors);
    if asked.quiet {
        reports.iter_mut().for_each(|report| report.findings.retain(|finding| finding.severity == Severity::Error));
    }
    let colours = asked.colour.unwrap_or_else(|| std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none());
    print(&render(&reports, asked.format, colours))?;
    Ok(match (unread, failed) {
        (true, _) => ExitCode::from(EXIT_USAGE),
        (false, true) => ExitCode::from(EXIT_CONFIG),
        (false, false) => ExitCode::SUCCESS,
    })
}

fn print(text: &str) -> Result<ExitCode, String> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(error) => Err(format!("cannot write: {error}")),
        Ok(()) => Ok(ExitCode::SUCCESS),
    }
}

fn explain(code: &str) -> Result<ExitCode, String> {
    if code == "all" {
        return print(&codes::all().map(|row| format!("{}  {}\n", row.code, row.title)).collect::<String>());
    }
    match codes::find(&code.to_ascii_uppercase()) {
        Some(row) => print(&codes::page(row)),
        None => Err(format!("{code:?} is no code of a finding; --explain all lists them")),
    }
}

/// What is to be checked.
fn given(asked: &Asked) -> Result<Vec<PathBuf>, String> {
    if !asked.paths.is_empty() {
        return Ok(asked.paths.clone());
    }
    match std::env::var_os("FLUENT_CONF").filter(|path| !path.is_empty()) {
        Some(path) => Ok(vec![PathBuf::from(path)]),
        None => Err("nothing to check: name a file or a folder".to_owned()),
    }
}

/// The variables that embedded Ruby sees: the process's, and those of the files.
pub(super) fn environment(files: &[PathBuf]) -> Result<Vec<(String, String)>, String> {
    let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
    let mut variables: Vec<(String, String)> = std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect();
    for file in files {
        let content = std::fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
        for (number, line) in content.lines().enumerate() {
            let line = line.trim().strip_prefix("export ").unwrap_or(line.trim());
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, value) =
                line.split_once('=').ok_or_else(|| format!("{} line {}: expected NAME=VALUE", file.display(), number + 1))?;
            let value = value.trim();
            let quoted = |quote: char| value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
            let value = quoted('"').or_else(|| quoted('\'')).unwrap_or(value).to_owned();
            variables.retain(|(known, _)| known != name.trim());
            variables.push((name.trim().to_owned(), value));
        }
    }
    Ok(variables)
}

fn check_file(path: &Path, asked: &Asked, variables: &[(String, String)]) -> Report {
    let mut source = LoadOptions::new(path);
    source.v0 = asked.v0;
    source.file_type = asked.file_type;
    source.environment.variables = variables.to_vec();
    check::check(&source, &asked.settings)
}

/// Checks every configuration of a folder that none of the others includes.
fn check_folder(folder: &Path, asked: &Asked, variables: &[(String, String)]) -> Result<Vec<Report>, String> {
    let mut files = Vec::new();
    find_files(folder, 0, &mut files).map_err(|error| format!("cannot read {}: {error}", folder.display()))?;
    if files.is_empty() {
        return Err(format!("there is no .conf, .yaml or .yml file in {}", folder.display()));
    }
    files.sort();
    let reports: Vec<(PathBuf, Report)> = files.into_iter().map(|file| (file.clone(), check_file(&file, asked, variables))).collect();
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let included: HashSet<PathBuf> = reports.iter().flat_map(|(_, report)| &report.included).map(|name| real(Path::new(name))).collect();
    Ok(reports.into_iter().filter(|(file, _)| !included.contains(&real(file))).map(|(_, report)| report).collect())
}

/// The configurations in a folder and below it, in no order.
pub(super) fn find_files(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() && depth < MAX_DEPTH {
            find_files(&path, depth + 1, found)?;
        } else if is_configuration(&path) {
            found.push(path);
        }
    }
    Ok(())
}

fn is_configuration(path: &Path) -> bool {
    let has_extension = path.extension().is_some_and(|extension| extension == "conf" || extension == "yaml" || extension == "yml");
    has_extension && !is_case_file(path)
}

/// Whether a file holds cases for `flumen test`, as its name says.
pub(super) fn is_case_file(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with(".test.yaml") || name.ends_with(".test.yml")
}

/// `--dry-run`: reads and builds the configuration as a run does, and says in the log all that is wrong with it.
pub fn dry_run(options: &Options) -> ExitCode {
    match check_quietly(options) {
        Ok(()) => {
            crate::info!("finished dry run mode");
            ExitCode::SUCCESS
        }
        Err(Refused) => ExitCode::from(EXIT_CONFIG),
    }
}

/// As [`dry_run`], with nothing said where all is well but warnings.
pub fn check_quietly(options: &Options) -> Result<(), Refused> {
    load::load(options).map(|loaded| drop::<pipeline::Pipeline>(loaded.pipeline))
}
