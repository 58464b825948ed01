//! `flumen completions SHELL` and `flumen man`: the table of subcommands in the forms that shells and `man` read.

mod roff;
mod shells;
#[cfg(test)]
mod tests;

use super::EXIT_CONFIG;
use std::io::Write;
use std::process::ExitCode;

/// The shells that there are completions for.
pub const SHELLS: [&str; 3] = ["bash", "zsh", "fish"];

/// What `flumen completions --help` prints.
pub const COMPLETIONS_HELP: &str = "usage: flumen completions bash|zsh|fish

Prints a script that completes subcommands, options, their values, names of plugins and codes of findings.

bash: flumen completions bash > /etc/bash_completion.d/flumen
zsh:  flumen completions zsh > \"${fpath[1]}/_flumen\"
fish: flumen completions fish > ~/.config/fish/completions/flumen.fish
";

/// What `flumen man --help` prints.
pub const MAN_HELP: &str = "usage: flumen man

Prints the manual page, for instance to /usr/local/share/man/man1/flumen.1; to read it at once: flumen man | man -l -
";

/// Prints the completions of a shell.
pub fn completions(arguments: &[String]) -> ExitCode {
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["bash"] => print(&shells::bash()),
        ["zsh"] => print(&shells::zsh()),
        ["fish"] => print(&shells::fish()),
        ["-h" | "--help"] => print(COMPLETIONS_HELP),
        _ => refuse("completions", "which shell? bash, zsh or fish"),
    }
}

/// Prints the manual page.
pub fn man(arguments: &[String]) -> ExitCode {
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => print(&roff::page()),
        ["-h" | "--help"] => print(MAN_HELP),
        _ => refuse("man", "it takes no arguments"),
    }
}

fn print(text: &str) -> ExitCode {
    // Whoever reads may have had enough.
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

fn refuse(command: &str, why: &str) -> ExitCode {
    eprintln!("flumen {command}: {why}");
    ExitCode::from(EXIT_CONFIG)
}
