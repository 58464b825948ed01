//! `flumen explain`: the way of an event through a configuration, or the configuration as a picture.

use super::EXIT_CONFIG;
use crate::check::explain::{Picture, Plan, explain, graph};
use crate::config::{Diagnostics, LoadOptions, render};
use std::process::ExitCode;

/// What its `--help` prints.
pub const HELP: &str = "usage: flumen explain -c FILE TAG [--record JSON]
       flumen explain -c FILE --graph mermaid|dot

Shows which sections an event with this tag meets, in order, and where it ends; with a record, what each filter makes of it.
Filters are run for real, outputs are only named. Or prints the whole configuration as a picture.

  -c, --config FILE      the configuration (default: $FLUENT_CONF)
  --record JSON          the event's record
  --graph mermaid|dot    print the configuration as a picture, in the language of Mermaid or of Graphviz
";

/// Does what the arguments behind `explain` say.
pub fn run(arguments: &[String]) -> ExitCode {
    crate::log::set_level(crate::log::Level::Fatal);
    match answer(arguments) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("flumen explain: {message}");
            ExitCode::from(EXIT_CONFIG)
        }
    }
}

fn answer(arguments: &[String]) -> Result<String, String> {
    let (mut config, mut tag, mut record, mut picture) = (None, None, None, None);
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().cloned().ok_or_else(|| format!("missing argument: {argument}"));
        match argument.as_str() {
            "-c" | "--config" => config = Some(value()?),
            "--record" => record = Some(value()?),
            "--graph" => {
                picture = Some(match value()?.as_str() {
                    "mermaid" => Picture::Mermaid,
                    "dot" => Picture::Dot,
                    other => return Err(format!("--graph {other:?}, expected mermaid or dot")),
                });
            }
            "-h" | "--help" => return Ok(HELP.to_owned()),
            given if !given.starts_with('-') && tag.is_none() => tag = Some(given.to_owned()),
            other => return Err(format!("invalid option: {other}\n{HELP}")),
        }
    }
    let config = config.or_else(|| std::env::var("FLUENT_CONF").ok()).ok_or("which configuration? -c FILE")?;
    let plan = Plan::read(&LoadOptions::new(config), Diagnostics::new())
        .map_err(|(_, diagnostics)| format!("the configuration has errors\n{}", render(&diagnostics)))?;
    match (picture, tag) {
        (Some(picture), _) => Ok(graph(&plan, picture)),
        (None, Some(tag)) => explain(&plan, &tag, record.as_deref()),
        (None, None) => Err(format!("which tag?\n{HELP}")),
    }
}
