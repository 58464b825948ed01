//! `flumen lsp`: the language server on standard input and output.

use super::EXIT_CONFIG;
use super::check::{codes_of, environment, target};
use crate::check::Settings;
use crate::lsp::{Options, serve};
use crate::ruby::Environment;
use std::io::BufReader;
use std::path::PathBuf;
use std::process::ExitCode;

/// What its `--help` prints.
pub const HELP: &str = "usage: flumen lsp [options]

A language server for fluent.conf files, for editors, over standard input and output: findings as 'flumen check' gives them, the
manual, completion, ways to labels and included files, formatting.

  --for flumen|fluentd-1    what that program would do with it (default: either)
  --deny CODE|warnings|notes  count these as errors (may be repeated, or a list with commas)
  --allow CODE              leave these warnings and notes out
  --env-file PATH           variables for embedded Ruby, lines of NAME=VALUE
  --no-fs                   do not look for the files and folders that the configuration names
  --strict-config-value     values that do not have the form of their type are errors
  --stdio                   nothing else is spoken; for editors that say so

Exit codes: 0 the client said shutdown and exit, 1 it ended otherwise, or the arguments are wrong.
";

/// Serves one client.
pub fn run(arguments: &[String]) -> ExitCode {
    let options = match parse(arguments) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(message) => {
            eprintln!("flumen lsp: {message}\nflumen lsp --help lists the options");
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    // What plugins log while they are built is no finding.
    crate::log::set_level(crate::log::Level::Fatal);
    let ended_well = serve(BufReader::new(std::io::stdin()), std::io::stdout().lock(), options);
    ExitCode::from(u8::from(!ended_well))
}

/// What the arguments ask for; `None` for help.
fn parse(arguments: &[String]) -> Result<Option<Options>, String> {
    let mut settings = Settings::default();
    let mut env_files = Vec::new();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let (name, attached) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (argument.as_str(), None),
        };
        let mut value = || attached.clone().or_else(|| arguments.next().cloned()).ok_or_else(|| format!("missing argument: {name}"));
        match name {
            "--for" => settings.target = target(&value()?)?,
            "--deny" => settings.deny.extend(codes_of(&value()?, &["warnings", "notes"])?),
            "--allow" => settings.allow.extend(codes_of(&value()?, &[])?),
            "--env-file" => env_files.push(PathBuf::from(value()?)),
            "--no-fs" => settings.files = false,
            "--strict-config-value" => settings.strict = true,
            "--stdio" => {}
            "-h" | "--help" => return Ok(None),
            other => return Err(format!("unexpected argument: {other}")),
        }
    }
    let environment = Environment { variables: environment(&env_files)?, trusted: false, ..Environment::of_process() };
    Ok(Some(Options { settings, environment }))
}
