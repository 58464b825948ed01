//! The command line: `fluentd`'s options and our subcommands. One file a subcommand.

mod buffer;
mod cat;
mod check;
mod daemon;
mod explain;
mod fmt;
mod health;
mod kept;
mod load;
mod lsp;
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

const USAGE: &str = "usage: flumen [options]             run, as fluentd does
       flumen check [FILE|DIR]...   say all that is wrong, or hardly meant, in configurations; run nothing
       flumen explain -c FILE TAG   the way of an event; or the configuration as a picture (flumen explain --help)
       flumen test -c FILE CASES... try a configuration on cases: what goes in, what is to come out (flumen test --help)
       flumen fmt [--check | --write] [FILE|DIR|-]...
                                    configurations in their canonical layout
       flumen grok PATTERN [FILE] | regex EXPRESSION [FILE]
                                    try a pattern on lines (flumen grok --help)
       flumen lsp                   a language server for editors (flumen lsp --help)
       flumen plugin [NAME...] [--format text|markdown|json]   what plugins take
       flumen health [URL | -c FILE | --port N]   ask a running one how it is
       flumen cat TAG [options]     send lines of standard input to a forward input, as fluent-cat does (flumen cat --help)
       flumen buffer ls|cat|verify|repair|export PATH
                                    look into buffers, backups and dead letters (flumen buffer --help)
       flumen reload PIDFILE | --rpc HOST:PORT
                                    let a running one read its configuration anew
       flumen replay PATH --to forward://HOST[:PORT] | -c CONFIG
                                    send backups and dead letters again (flumen replay --help)
";

/// Exit code for wrong arguments and wrong configurations.
pub const EXIT_CONFIG: u8 = 1;
/// Exit code of the tools that keep 1 for an answer: wrong arguments, or a file that cannot be read.
const EXIT_USAGE: u8 = 2;
/// Exit code for faults while running that a restart will not mend.
pub const EXIT_RUN: u8 = 2;

/// Does what the arguments say. 0: done; 1: wrong arguments or configuration; 2: a fault while running.
pub fn main(arguments: Vec<String>) -> ExitCode {
    match arguments.split_first() {
        Some((first, rest)) if first == "check" => return check::run(rest),
        Some((first, rest)) if first == "test" => return test::run(rest),
        Some((first, rest)) if first == "fmt" => return fmt::run(rest),
        Some((first, rest)) if first == "grok" => return patterns::grok(rest),
        Some((first, rest)) if first == "regex" => return patterns::regex(rest),
        Some((first, rest)) if first == "explain" => return explain::run(rest),
        Some((first, rest)) if first == "lsp" => return lsp::run(rest),
        Some((first, rest)) if first == "plugin" => return plugin::plugin(rest),
        Some((first, rest)) if first == "buffer" => return buffer::main(rest),
        Some((first, rest)) if first == "reload" => return reload::main(rest),
        Some((first, rest)) if first == "replay" => return replay::main(rest),
        Some((first, rest)) if first == "cat" => return cat::main(rest),
        Some((first, rest)) if first == "health" => return health::main(rest),
        _ => {}
    }
    let options = match Options::parse(&arguments) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("flumen: {message}\n{USAGE}flumen --help lists the options");
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    if options.help {
        print!("{USAGE}\n{}", options::help());
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
