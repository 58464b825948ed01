//! `flumen grok` and `flumen regex`: a pattern is tried on lines, and says what it finds in each or how far it gets.

mod longest;
mod pattern;
mod show;

use super::{EXIT_CONFIG, EXIT_USAGE};
use crate::config::FromLiteral;
use crate::parser::grok::{Library, Series};
use longest::Longest;
use pattern::{Found, Pattern};
use show::{Answer, Look};
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, ErrorKind, IsTerminal, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

/// Longer lines are no text that anybody looks at.
const MAX_LINE_BYTES: u64 = 1 << 20;

/// What its `--help` prints.
pub const GROK_HELP: &str = "usage: flumen grok [options] PATTERN [FILE]

Tries a grok pattern on the lines of FILE or of standard input. Prints the fields of each line with their types; of a line that does
not match, how far the pattern gets and what does not fit there.

  --expand          print the Ruby expression that the pattern stands for, and end
  --series SERIES   the built-in patterns: legacy (the default) or ecs-v1
  --patterns PATH   a file of further patterns, or a folder of such files (may be repeated)
  --json            one JSON object a line
  --time            say how long each line took

Exit codes: 0 all lines matched, 1 some did not, 2 the pattern or the arguments are wrong, or FILE cannot be read.
";

/// What its `--help` prints.
pub const REGEX_HELP: &str = "usage: flumen regex [options] EXPRESSION [FILE]

Tries a Ruby regular expression, bare or as /.../im, on the lines of FILE or of standard input. Prints the groups of each line; of a
line that does not match, how far the expression gets and what does not fit there.

  --json            one JSON object a line
  --time            say how long each line took

Exit codes: 0 all lines matched, 1 some did not, 2 the expression or the arguments are wrong, or FILE cannot be read.
";

/// What the arguments ask for.
#[derive(Default)]
struct Asked {
    pattern: Option<String>,
    file: Option<String>,
    series: Option<Series>,
    patterns: Vec<PathBuf>,
    expand: bool,
    json: bool,
    time: bool,
    help: bool,
}

/// Does what the arguments behind `grok` say.
pub fn grok(arguments: &[String]) -> ExitCode {
    run("grok", arguments, GROK_HELP)
}

/// Does what the arguments behind `regex` say.
pub fn regex(arguments: &[String]) -> ExitCode {
    run("regex", arguments, REGEX_HELP)
}

fn run(command: &str, arguments: &[String], help: &str) -> ExitCode {
    crate::log::set_level(crate::log::Level::Fatal);
    let answer = parse(arguments, command == "grok").and_then(|asked| if asked.help { show::print(help) } else { answer(&asked, command) });
    answer.map_or_else(
        |message| {
            eprintln!("flumen {command}: {message}\nflumen {command} --help lists the options");
            ExitCode::from(EXIT_USAGE)
        },
        |all| if all { ExitCode::SUCCESS } else { ExitCode::from(EXIT_CONFIG) },
    )
}

fn parse(arguments: &[String], is_grok: bool) -> Result<Asked, String> {
    let mut asked = Asked::default();
    let mut only_names = false;
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("missing argument: {argument}"));
        match argument.as_str() {
            name if only_names || !name.starts_with('-') || name == "-" => {
                let place = if asked.pattern.is_none() { &mut asked.pattern } else { &mut asked.file };
                if place.replace(name.to_owned()).is_some() {
                    return Err(format!("unexpected argument {name:?}"));
                }
            }
            "--" => only_names = true,
            "--json" => asked.json = true,
            "--time" => asked.time = true,
            "-h" | "--help" => asked.help = true,
            "--expand" if is_grok => asked.expand = true,
            "--patterns" if is_grok => asked.patterns.push(PathBuf::from(value()?)),
            "--series" if is_grok => {
                let given = value()?;
                let series = Series::from_literal(given, true).map_err(|_| format!("--series {given:?}, expected legacy or ecs-v1"))?;
                asked.series = Some(series);
            }
            other => return Err(format!("invalid option: {other} (-- ends the options)")),
        }
    }
    Ok(asked)
}

/// Whether all lines matched.
fn answer(asked: &Asked, command: &str) -> Result<bool, String> {
    let text = asked.pattern.as_deref().ok_or("which pattern?")?;
    let library = (command == "grok").then(|| library(asked)).transpose()?;
    let pattern = Pattern::new(text, library.as_ref())?;
    if asked.expand {
        return show::print(&format!("{}\n", pattern.expression()));
    }
    if !pattern.has_names() {
        eprintln!("flumen {command}: nothing in it has a name, so that a parser would refuse it");
    }
    let colours = !asked.json && std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let look = Look { json: asked.json, colours, time: asked.time };
    match asked.file.as_deref().filter(|file| *file != "-") {
        None => lines(std::io::stdin().lock(), &pattern, library.as_ref(), &look),
        Some(file) => {
            let opened = File::open(file).map_err(|error| format!("cannot read {file}: {error}"))?;
            lines(BufReader::new(opened), &pattern, library.as_ref(), &look)
        }
    }
}

fn library(asked: &Asked) -> Result<Library, String> {
    let mut library = Library::new(asked.series.unwrap_or(Series::Legacy));
    for path in &asked.patterns {
        if !path.exists() {
            return Err(format!("--patterns: there is no file or folder {}", path.display()));
        }
        library.add(path).map_err(|why| format!("--patterns: cannot read {why}"))?;
    }
    Ok(library)
}

/// Tries the pattern on each line; whether all matched.
fn lines(mut input: impl BufRead, pattern: &Pattern, library: Option<&Library>, look: &Look) -> Result<bool, String> {
    let mut longest = Longest::new(pattern.source(), pattern.flags(), library);
    let mut out = BufWriter::new(std::io::stdout().lock());
    let (mut all, mut line, mut number) = (true, Vec::new(), 0u64);
    loop {
        line.clear();
        number += 1;
        let read = input.by_ref().take(MAX_LINE_BYTES + 1).read_until(b'\n', &mut line).map_err(|error| format!("cannot read: {error}"))?;
        if read == 0 {
            break;
        }
        if read as u64 > MAX_LINE_BYTES {
            return Err(format!("line {number} is longer than {MAX_LINE_BYTES} bytes"));
        }
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if look.time {
            // Expressions are compiled to machine code by their first search: that is no time of a line.
            pattern.find(text);
        }
        let start = Instant::now();
        let found = pattern.find(text);
        let took = start.elapsed();
        all &= matches!(found, Found::Match(_));
        let stop = (found == Found::Nothing).then(|| longest.stop(text));
        let answer = Answer { number, text, found: &found, stop: stop.as_ref(), took };
        let written = out.write_all(&look.show(&answer)).and_then(|()| out.flush());
        match written {
            // Whoever reads has seen enough.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => break,
            other => other.map_err(|error| format!("cannot write: {error}"))?,
        }
    }
    Ok(all)
}
