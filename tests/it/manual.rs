//! Completions of shells and the manual page, given to the programs that read them.

use crate::support::TempDir;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn flumen(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_flumen")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What bash offers for a line of which the last word is being written.
fn offered(words: &[&str], folder: &Path) -> Vec<String> {
    let script = format!(
        "{}\nCOMP_WORDS=({})\nCOMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n_flumen\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"",
        flumen(&["completions", "bash"]),
        words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" "),
    );
    let output = Command::new("bash").args(["--norc", "-c", &script]).current_dir(folder).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_options_values_and_files() {
    let folder = TempDir::new();
    std::fs::write(folder.path().join("fluent one.conf"), "").unwrap();
    let offered = |words: &[&str]| offered(words, folder.path());
    assert_eq!(offered(&["flumen", "ch"]), ["check"]);
    assert!(offered(&["flumen", ""]).contains(&"replay".to_owned()));
    assert_eq!(offered(&["flumen", "--dry"]), ["--dry-run"]);
    assert_eq!(offered(&["flumen", "-c", "flu"]), ["fluent one.conf"]);
    assert_eq!(offered(&["flumen", "check", "--form"]), ["--format"]);
    assert_eq!(offered(&["flumen", "check", "--format", ""]), ["human", "json", "sarif", "github"]);
    // As bash splits --format=s.
    assert_eq!(offered(&["flumen", "check", "--format", "=", "s"]), ["sarif"]);
    assert!(offered(&["flumen", "check", "--explain", "FLM010"]).contains(&"FLM0101".to_owned()));
    assert_eq!(offered(&["flumen", "check", "flu"]), ["fluent one.conf"]);
    assert_eq!(offered(&["flumen", "explain", "--graph", "m"]), ["mermaid"]);
    assert_eq!(offered(&["flumen", "plugin", "kubernetes_m"]), Vec::<String>::new());
    assert_eq!(offered(&["flumen", "plugin", "rewrite"]), ["rewrite_tag_filter"]);
    assert_eq!(offered(&["flumen", "buffer", "v"]), ["verify"]);
    assert_eq!(offered(&["flumen", "completions", "f"]), ["fish"]);
}

/// Gives a text to a program that reads it and only it; `None` where the machine does not have the program.
fn read_by(program: &str, arguments: &[&str], text: &str) -> Option<Output> {
    let folder = TempDir::new();
    let file = folder.path().join("flumen.1");
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new(program);
    command.args(arguments).arg(&file).stdin(Stdio::null());
    match command.output() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        output => Some(output.unwrap()),
    }
}

#[test]
fn shells_can_read_their_completions() {
    for (shell, arguments) in [("bash", &["-n"][..]), ("zsh", &["-n"]), ("fish", &["--no-execute"])] {
        let Some(output) = read_by(shell, arguments, &flumen(&["completions", shell])) else { continue };
        assert!(output.status.success() && output.stderr.is_empty(), "{shell}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn the_manual_page_is_well_formed() {
    let page = flumen(&["man"]);
    for heading in ["NAME", "SYNOPSIS", "OPTIONS", "COMMANDS", "EXIT STATUS", "SEE ALSO"] {
        assert!(page.contains(&format!(".SH {heading}\n")), "{heading}");
    }
    let macros = [".TH", ".SH", ".SS", ".TP", ".PP", ".B", ".BR", ".I", ".RI", ".br", ".nf", ".fi"];
    for line in page.lines().filter(|line| line.starts_with(['.', '\''])) {
        assert!(macros.contains(&line.split(' ').next().unwrap()), "{line:?} is no macro");
    }
    if let Some(output) = read_by("mandoc", &["-T", "lint", "-W", "warning"], &page) {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    if let Some(output) = read_by("man", &["-l"], &page) {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && text.contains("--suppress-config-dump") && text.contains("flumen check"), "{text}");
    }
}

#[test]
fn help_has_a_line_for_each_command_and_each_command_has_help() {
    let overview = flumen(&["--help"]);
    for command in [
        "check",
        "explain",
        "test",
        "fmt",
        "grok",
        "regex",
        "lsp",
        "plugin",
        "health",
        "cat",
        "buffer",
        "reload",
        "replay",
        "completions",
        "man",
    ] {
        assert!(overview.contains(&format!("flumen {command}")), "{command}");
        assert!(flumen(&[command, "--help"]).starts_with("usage: flumen "), "{command}");
    }
}
