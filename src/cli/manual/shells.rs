//! The scripts that complete arguments in bash, zsh and fish.

use super::super::commands::{COMMANDS, Command, Flag, Operand, run_flags};
use crate::check::codes;
use std::fmt::Write;

/// The values of an option: those it names, and codes for the options that take them.
fn values(flag: &Flag) -> Vec<String> {
    let own = flag.choices().into_iter().map(str::to_owned);
    let takes_codes = flag.value.as_deref().is_some_and(|value| value.split('|').any(|word| word == "CODE"));
    own.chain(codes::all().filter(|_| takes_codes).map(|row| row.code.to_owned())).collect()
}

/// All options of a run and of the subcommands, the run's under no name.
fn groups() -> Vec<(&'static str, Vec<Flag>)> {
    let commands = COMMANDS.iter().map(|command| (command.name, command.flags()));
    std::iter::once(("", run_flags())).chain(commands).collect()
}

fn operands(command: &Command) -> Vec<String> {
    if let Operand::Words(words) = command.operand { words() } else { Vec::new() }
}

/// For bash, without the package bash-completion.
pub fn bash() -> String {
    let mut values_of = String::new();
    let mut options_of = String::new();
    let mut operands_of = String::new();
    for (command, flags) in groups() {
        for flag in &flags {
            let patterns = flag.names.iter().map(|name| format!("\"{command} {name}\"")).collect::<Vec<_>>().join("|");
            let values = values(flag);
            match (&flag.value, values.is_empty()) {
                (None, _) => continue,
                (Some(_), false) => _ = writeln!(values_of, "    {patterns}) _flumen_words {}; return ;;", values.join(" ")),
                (Some(_), true) if flag.takes_files() => _ = writeln!(values_of, "    {patterns}) _flumen_files; return ;;"),
                (Some(_), true) => _ = writeln!(values_of, "    {patterns}) return ;;"),
            }
        }
        let names = flags.iter().flat_map(|flag| flag.names.iter().map(String::as_str)).collect::<Vec<_>>().join(" ");
        _ = writeln!(options_of, "      \"{command}\") _flumen_words {names} ;;");
    }
    for command in COMMANDS {
        match command.operand {
            Operand::Text => {}
            Operand::Files => _ = writeln!(operands_of, "    {}) _flumen_files ;;", command.name),
            Operand::Words(_) => _ = writeln!(operands_of, "    {}) _flumen_words {} ;;", command.name, operands(command).join(" ")),
        }
    }
    let commands = COMMANDS.iter().map(|command| command.name).collect::<Vec<_>>().join(" ");
    format!(
        "# bash completion for flumen, written by `flumen completions bash`

_flumen_words() {{
  local IFS=' '
  COMPREPLY=($(IFS=$' \\t\\n'; compgen -W \"$*\" -- \"$current\"))
}}

_flumen_files() {{
  compopt -o filenames 2>/dev/null
  local IFS=$'\\n'
  COMPREPLY=($(compgen -f -- \"$current\"))
}}

_flumen() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}} command=
  COMPREPLY=()
  # --option=value comes in three words.
  if [[ $current == = ]]; then
    current=
  elif [[ $before == = ]]; then
    before=${{COMP_WORDS[COMP_CWORD - 2]}}
  fi
  if ((COMP_CWORD > 1)) && [[ ${{COMP_WORDS[1]}} != -* ]]; then
    command=${{COMP_WORDS[1]}}
  fi
  case \"$command $before\" in
{values_of}  esac
  if [[ $current == -* ]]; then
    case $command in
{options_of}    esac
    return
  fi
  if ((COMP_CWORD == 1)); then
    _flumen_words {commands}
    return
  fi
  case $command in
{operands_of}  esac
}}

complete -F _flumen flumen
"
    )
}

/// For zsh: a file `_flumen` in a folder of `$fpath`.
pub fn zsh() -> String {
    let describe = |text: &str| {
        let text = text.replace('\\', "\\\\").replace('[', "\\[").replace(']', "\\]").replace(':', "\\:");
        text.replace('\'', "'\\''")
    };
    let mut cases = String::new();
    for (command, flags) in groups() {
        let mut specs = Vec::new();
        for flag in &flags {
            for name in &flag.names {
                let values = values(flag);
                let value = match &flag.value {
                    None => String::new(),
                    Some(what) if !values.is_empty() => format!(":{}:({})", describe(what), values.join(" ")),
                    Some(what) if flag.takes_files() => format!(":{}:_files", describe(what)),
                    Some(what) => format!(":{}: ", describe(what)),
                };
                specs.push(format!("'*{name}[{}]{value}'", describe(&flag.doc)));
            }
        }
        match Command::find(command).map(|command| command.operand) {
            Some(Operand::Files) => specs.push("'*:file:_files'".to_owned()),
            Some(Operand::Words(words)) => specs.push(format!("'*:word:({})'", words().join(" "))),
            _ => {}
        }
        let pattern = if command.is_empty() { "*" } else { command };
        let case = format!("    {pattern})\n      _arguments \\\n        {}\n      ;;\n", specs.join(" \\\n        "));
        // The run's options are what is left over.
        if command.is_empty() { cases.push_str(&case) } else { cases.insert_str(0, &case) }
    }
    let commands: String = COMMANDS.iter().map(|command| format!("    '{}:{}'\n", command.name, describe(command.about))).collect();
    format!(
        "#compdef flumen
# zsh completion for flumen, written by `flumen completions zsh`

_flumen() {{
  local -a commands
  commands=(
{commands}  )
  if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then
    _describe command commands
    return
  fi
  local command=$words[2]
  if [[ $command != -* ]]; then
    shift words
    (( CURRENT-- ))
  fi
  case $command in
{cases}  esac
}}

_flumen \"$@\"
"
    )
}

/// For fish: a file `flumen.fish` in the folder of completions.
pub fn fish() -> String {
    let quote = |text: &str| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"));
    let mut text = "# fish completion for flumen, written by `flumen completions fish`\n\ncomplete -c flumen -f\n".to_owned();
    for command in COMMANDS {
        _ = writeln!(text, "complete -c flumen -n __fish_use_subcommand -a {} -d {}", command.name, quote(command.about));
    }
    for (command, flags) in groups() {
        let when =
            if command.is_empty() { "__fish_use_subcommand".to_owned() } else { quote(&format!("__fish_seen_subcommand_from {command}")) };
        for flag in &flags {
            let mut names = String::new();
            for name in &flag.names {
                match (name.strip_prefix("--"), name.strip_prefix('-')) {
                    (Some(long), _) => _ = write!(names, " -l {long}"),
                    (None, Some(short)) if short.len() == 1 => _ = write!(names, " -s {short}"),
                    (None, Some(old)) => _ = write!(names, " -o {old}"),
                    (None, None) => {}
                }
            }
            let values = values(flag);
            let value = match &flag.value {
                None => String::new(),
                Some(_) if !values.is_empty() => format!(" -x -a {}", quote(&values.join(" "))),
                Some(_) if flag.takes_files() => " -r -F".to_owned(),
                Some(_) => " -x".to_owned(),
            };
            _ = writeln!(text, "complete -c flumen -n {when}{names}{value} -d {}", quote(&flag.doc));
        }
        match Command::find(command).map(|command| command.operand) {
            Some(Operand::Files) => _ = writeln!(text, "complete -c flumen -n {when} -F"),
            Some(Operand::Words(words)) => _ = writeln!(text, "complete -c flumen -n {when} -a {}", quote(&words().join(" "))),
            _ => {}
        }
    }
    text
}
