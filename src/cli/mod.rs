//! The command line: `fluentd`'s options and our subcommands. One file a subcommand.

mod access;
mod buffer;
mod cat;
mod check;
mod commands;
mod convert;
mod daemon;
mod explain;
mod fmt;
mod health;
mod kept;
mod load;
mod lsp;
mod manual;
mod options;
mod patterns;
mod plugin;
mod reload;
mod replay;
mod run;
mod sender;
mod test;

#[cfg(test)]
mod mutation;

pub use options::Options;

use std::process::ExitCode;

/// Exit code for wrong arguments and wrong configurations.
pub const EXIT_CONFIG: u8 = 1;
/// Exit code of the tools that keep 1 for an answer: wrong arguments, or a file that cannot be read.
const EXIT_USAGE: u8 = 2;
/// Exit code for faults while running that a restart will not mend.
pub const EXIT_RUN: u8 = 2;

/// Does what the arguments say. 0: done; 1: wrong arguments or configuration; 2: a fault while running.
pub fn main(arguments: Vec<String>) -> ExitCode {
    if let Some((first, rest)) = arguments.split_first()
        && let Some(command) = commands::Command::find(first)
    {
        return (command.run)(rest);
    }
    let options = match Options::parse(&arguments) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("flumen: {message}\n{}flumen --help lists the options", commands::usage());
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    if options.help {
        print!("{}\n{}", commands::usage(), options::help());
        return ExitCode::SUCCESS;
    }
    if options.version {
        println!("flumen {}", env!("CARGO_PKG_VERSION"));
        return ExitCode::SUCCESS;
    }
    let code = match (options.dry_run, &options.daemon) {
        (true, _) => check::dry_run(&options),
        (false, Some(pid_file)) => daemon::start(&options, pid_file, &arguments),
        (false, None) => run::run(&options),
    };
    crate::log::flush();
    code
}
