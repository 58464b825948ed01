//! The subcommands, as one table: what is run, the overview of `--help`, the manual page and the completions of shells are loops over it.
//!
//! The options of a subcommand are read from the text that its own `--help` prints, so that no other list of them can be out of date.

use super::{buffer, cat, check, convert, explain, fmt, health, lsp, manual, options, patterns, plugin, reload, replay, test};
use std::process::ExitCode;

/// What stands behind the options of a subcommand.
#[derive(Clone, Copy, Debug)]
pub enum Operand {
    /// Nothing that could be guessed.
    Text,
    /// Files and folders.
    Files,
    /// One of these words.
    Words(fn() -> Vec<String>),
}

/// A subcommand.
pub struct Command {
    /// The first argument.
    pub name: &'static str,
    /// How it is written in the overview, behind the name.
    pub synopsis: &'static str,
    /// What it is for, in a line.
    pub about: &'static str,
    /// What its `--help` prints.
    pub help: &'static str,
    /// What stands behind its options.
    pub operand: Operand,
    /// Does what the arguments behind the name say.
    pub run: fn(&[String]) -> ExitCode,
}

/// One option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    /// `-x` and `--long`, all that mean the same.
    pub names: Vec<String>,
    /// The word that stands for its value, or the values with `|` between them.
    pub value: Option<String>,
    /// What it does.
    pub doc: String,
}

#[rustfmt::skip]
pub static COMMANDS: &[Command] = &[
    Command { name: "check", synopsis: "[FILE|DIR]...", about: "say all that is wrong, or hardly meant, in configurations; run nothing", help: check::HELP, operand: Operand::Files, run: check::run },
    Command { name: "explain", synopsis: "-c FILE TAG", about: "the way of an event; or the configuration as a picture", help: explain::HELP, operand: Operand::Text, run: explain::run },
    Command { name: "test", synopsis: "-c FILE CASES...", about: "try a configuration on cases: what goes in, what is to come out", help: test::HELP, operand: Operand::Files, run: test::run },
    Command { name: "convert", synopsis: "--to v1|yaml|v0 [FILE|-]", about: "old forms in modern ones, or in another language", help: convert::HELP, operand: Operand::Files, run: convert::run },
    Command { name: "fmt", synopsis: "[--check | --write] [FILE|DIR|-]...", about: "configurations in their canonical layout", help: fmt::HELP, operand: Operand::Files, run: fmt::run },
    Command { name: "grok", synopsis: "PATTERN [FILE]", about: "try a grok pattern on lines", help: patterns::GROK_HELP, operand: Operand::Files, run: patterns::grok },
    Command { name: "regex", synopsis: "EXPRESSION [FILE]", about: "try a Ruby regular expression on lines", help: patterns::REGEX_HELP, operand: Operand::Files, run: patterns::regex },
    Command { name: "lsp", synopsis: "", about: "a language server for editors", help: lsp::HELP, operand: Operand::Text, run: lsp::run },
    Command { name: "plugin", synopsis: "[NAME]...", about: "what plugins take, and an example of each", help: plugin::HELP, operand: Operand::Words(plugin::names), run: plugin::plugin },
    Command { name: "health", synopsis: "[URL | -c FILE | --port N]", about: "ask a running one how it is", help: health::USAGE, operand: Operand::Text, run: health::main },
    Command { name: "cat", synopsis: "TAG", about: "send lines of standard input to a forward input, as fluent-cat does", help: cat::USAGE, operand: Operand::Text, run: cat::main },
    Command { name: "buffer", synopsis: "ls|cat|verify|repair|export PATH", about: "look into buffers, backups and dead letters", help: buffer::USAGE, operand: Operand::Words(buffer_words), run: buffer::main },
    Command { name: "reload", synopsis: "PIDFILE | --rpc HOST:PORT", about: "let a running one read its configuration anew", help: reload::USAGE, operand: Operand::Files, run: reload::main },
    Command { name: "replay", synopsis: "PATH --to forward://HOST[:PORT] | -c CONFIG", about: "send backups and dead letters again", help: replay::USAGE, operand: Operand::Files, run: replay::main },
    Command { name: "completions", synopsis: "bash|zsh|fish", about: "print what a shell needs to complete flumen's arguments", help: manual::COMPLETIONS_HELP, operand: Operand::Words(shells), run: manual::completions },
    Command { name: "man", synopsis: "", about: "print the manual page", help: manual::MAN_HELP, operand: Operand::Text, run: manual::man },
];

fn buffer_words() -> Vec<String> {
    ["ls", "cat", "verify", "repair", "export"].map(str::to_owned).to_vec()
}

fn shells() -> Vec<String> {
    manual::SHELLS.map(str::to_owned).to_vec()
}

impl Command {
    /// The subcommand of this name.
    pub fn find(name: &str) -> Option<&'static Command> {
        COMMANDS.iter().find(|command| command.name == name)
    }

    /// Its options, as its help has them; `--help` is among them.
    pub fn flags(&self) -> Vec<Flag> {
        let mut flags = flags_in(self.help);
        if !flags.iter().any(|flag| flag.names.iter().any(|name| name == "--help")) {
            flags.push(Flag { names: vec!["--help".to_owned()], value: None, doc: "print how it is used".to_owned() });
        }
        flags
    }
}

impl Flag {
    /// The values it takes, where it names them.
    pub fn choices(&self) -> Vec<&str> {
        let words = self.value.iter().flat_map(|value| value.split('|'));
        let plain = words.filter(|word| word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')).collect::<Vec<_>>();
        if self.value.as_deref().is_some_and(|value| value.contains('|')) { plain } else { Vec::new() }
    }

    /// Whether its value is a file or a folder.
    pub fn takes_files(&self) -> bool {
        matches!(self.value.as_deref(), Some("FILE" | "PATH" | "FOLDER" | "DIR" | "PIDFILE" | "CONFIG"))
    }
}

/// The overview: a line a subcommand.
pub fn usage() -> String {
    let mut text = "usage: flumen [options]             run, as fluentd does\n".to_owned();
    for Command { name, synopsis, about, .. } in COMMANDS {
        let left = format!("flumen {name} {synopsis}");
        let left = left.trim_end();
        match left.len() {
            ..=27 => text += &format!("       {left:<28} {about}\n"),
            _ => text += &format!("       {left}\n       {:<28} {about}\n", ""),
        }
    }
    text + "flumen COMMAND --help says more about each\n"
}

/// The options of a run.
pub fn run_flags() -> Vec<Flag> {
    let flag = |(names, value, doc): (&[&str], Option<&str>, &str)| Flag {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        value: value.map(str::to_owned),
        doc: doc.to_owned(),
    };
    options::rows().map(flag).collect()
}

/// The options that a help text has: first those of its list, then what the lines of usage have beside.
fn flags_in(help: &str) -> Vec<Flag> {
    let mut flags: Vec<Flag> = Vec::new();
    let (mut is_usage, mut is_list) = (true, false);
    let mut usage = String::new();
    for line in help.lines() {
        is_usage &= line.starts_with("usage: ") || line.starts_with("     ");
        let text = line.trim_start();
        if is_usage {
            usage += text.split("  ").next().unwrap_or_default();
            usage.push(' ');
        } else if text.len() < line.len() && text.starts_with('-') && !text.starts_with("- ") {
            flags.push(flag_of_line(text));
        } else if is_list
            && line.starts_with("        ")
            && let Some(last) = flags.last_mut()
        {
            last.doc = format!("{} {text}", last.doc).trim_start().to_owned();
        }
        is_list = !flags.is_empty() && !line.is_empty();
    }
    for flag in flags_of_usage(&usage) {
        if !flags.iter().any(|known| known.names.iter().any(|name| flag.names.contains(name))) {
            flags.push(flag);
        }
    }
    flags
}

/// `-x, --long VALUE   what it does`.
fn flag_of_line(text: &str) -> Flag {
    let (left, doc) = text.split_once("  ").unwrap_or((text, ""));
    let (mut names, mut value) = (Vec::new(), None);
    for part in left.split(", ") {
        match part.split_once(' ') {
            Some((name, what)) => {
                names.push(name.to_owned());
                value = Some(what.to_owned());
            }
            None => names.push(part.to_owned()),
        }
    }
    Flag { names, value, doc: doc.trim().to_owned() }
}

/// `[--json]`, `-c FILE`, `--graph mermaid|dot` in lines of usage: they have no words of their own.
fn flags_of_usage(usage: &str) -> Vec<Flag> {
    let bare = |word: &str| word.trim_matches(['[', ']', '.']).to_owned();
    let words: Vec<(String, bool)> = usage.split_whitespace().map(|word| (bare(word), word.ends_with(']'))).collect();
    let mut flags: Vec<Flag> = Vec::new();
    for (at, (word, is_last)) in words.iter().enumerate() {
        if !word.starts_with('-') || word == "-" || flags.iter().any(|flag| flag.names.contains(word)) {
            continue;
        }
        let next = words.get(at + 1).map(|(next, _)| next.as_str()).filter(|_| !is_last);
        let value = next.filter(|next| !next.is_empty() && *next != "|" && !next.starts_with('-') && *next != "flumen");
        flags.push(Flag { names: vec![word.clone()], value: value.map(str::to_owned), doc: String::new() });
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flag(command: &str, name: &str) -> Flag {
        let flags = Command::find(command).expect("is there").flags();
        flags.into_iter().find(|flag| flag.names.iter().any(|known| known == name)).unwrap_or_else(|| panic!("{command} {name}"))
    }

    #[test]
    fn options_are_read_from_the_help() {
        assert_eq!(flag("check", "--format").choices(), ["human", "json", "sarif", "github"]);
        assert_eq!(flag("check", "-q").names, ["-q", "--quiet"]);
        assert!(flag("check", "--env-file").takes_files() && !flag("check", "--no-fs").takes_files());
        assert_eq!(flag("explain", "--graph").choices(), ["mermaid", "dot"]);
        assert_eq!(flag("buffer", "--compress").choices(), ["gzip", "zstd"]);
        assert_eq!(flag("cat", "--msgpack").doc, "the same as -f");
        assert_eq!(flag("reload", "--rpc").value.as_deref(), Some("HOST:PORT"));
        assert!(flag("fmt", "--check").value.is_none());
    }

    #[test]
    fn every_option_is_one_or_two_dashes_and_a_word() {
        for command in COMMANDS {
            for flag in command.flags() {
                for name in &flag.names {
                    let word = name.trim_start_matches('-');
                    assert!(!word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "{}: {flag:?}", command.name);
                }
            }
        }
    }

    #[test]
    fn the_overview_is_narrow_enough() {
        assert!(usage().lines().all(|line| line.len() <= 120), "{}", usage());
    }
}
