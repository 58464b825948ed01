//! Everything that the table has is in the manual page and in the completions.

use super::super::commands::{COMMANDS, run_flags};
use super::{roff, shells};

#[test]
fn the_page_names_every_command_and_option() {
    let page = roff::page().replace("\\-", "-");
    for command in COMMANDS {
        assert!(page.contains(&format!(".SS flumen {}", command.name)), "{}", command.name);
        for flag in command.flags() {
            assert!(flag.names.iter().all(|name| page.contains(&format!("\\fB{name}\\fR"))), "{} {flag:?}", command.name);
        }
    }
    assert!(run_flags().iter().all(|flag| flag.names.iter().all(|name| page.contains(&format!("\\fB{name}\\fR")))));
}

#[test]
fn completions_name_every_command_and_option() {
    for text in [shells::bash(), shells::zsh(), shells::fish()] {
        for command in COMMANDS {
            assert!(text.contains(command.name), "{}", command.name);
            for name in command.flags().iter().flat_map(|flag| &flag.names) {
                assert!(text.contains(name.trim_start_matches('-')), "{} {name}", command.name);
            }
        }
    }
}
