//! The manual page, in the macros that `man` and `mandoc` read.

use super::super::commands::{COMMANDS, Flag, run_flags};
use std::fmt::Write;

const HEAD: &str = r#".TH FLUMEN 1 2026-11-27
.SH NAME
flumen \- log aggregator that runs fluent.conf
.SH SYNOPSIS
.B flumen
.RI [ options ]
.br
.B flumen
.I command
.RI [ arguments ]
.SH DESCRIPTION
Takes events from Docker, forwarders, files, syslog and HTTP, filters them, and sends them to Elasticsearch, files and other collectors, as a
configuration in the language of Fluentd says.
Without a command it runs; the commands check, explain and lay out configurations, and look after what runs.
"#;

const TAIL: &str = r#".SH EXIT STATUS
0: done.
1: wrong arguments or a wrong configuration; of the commands that answer a question: no.
2: a fault while running; of the commands that keep 1 for an answer: wrong arguments, or a file that cannot be read.
.SH ENVIRONMENT
.TP
.B FLUENT_CONF
The configuration, where none is named.
.TP
.B NO_COLOR
No colours, whatever the terminal can.
.SH FILES
.TP
.I /etc/fluent/fluent.conf
The configuration, where none is named and this file is there.
.SH SEE ALSO
.BR fluentd (1)
"#;

/// The whole page.
pub fn page() -> String {
    let mut page = HEAD.to_owned();
    page += ".SH OPTIONS\n";
    flags(&run_flags(), &mut page);
    page += ".SH COMMANDS\n";
    for command in COMMANDS {
        _ = write!(page, ".SS flumen {} {}\n{}.\n", command.name, escape(command.synopsis), escape(&sentence(command.about)));
        _ = write!(page, ".PP\n.nf\n{}\n.fi\n", escape(&usage(command.help)));
        for paragraph in paragraphs(command.help) {
            _ = write!(page, ".PP\n{}\n", escape(&paragraph));
        }
        flags(&command.flags(), &mut page);
    }
    page + TAIL
}

/// The lines of a help text that say how the command is written, with what the list of options does not have.
fn usage(help: &str) -> String {
    let block = help.split("\n\n").next().unwrap_or_default();
    let lines = block.lines().take_while(|line| !line.starts_with("  -"));
    let bare = |line: &str| line.strip_prefix("usage: ").or_else(|| line.strip_prefix("       ")).unwrap_or(line).to_owned();
    lines.map(bare).collect::<Vec<_>>().join("\n")
}

/// The paragraphs of a help text that are neither its usage nor its list of options.
fn paragraphs(help: &str) -> Vec<String> {
    let blocks = help.split("\n\n").filter(|block| !block.starts_with("usage: "));
    let plain = blocks.filter(|block| block.lines().all(|line| !line.starts_with(' ')));
    plain.map(|block| block.trim_end().to_owned()).collect()
}

fn flags(flags: &[Flag], page: &mut String) {
    for flag in flags {
        let names = flag.names.iter().map(|name| format!("\\fB{}\\fR", escape(name))).collect::<Vec<_>>().join(", ");
        let value = flag.value.as_ref().map(|value| format!(" \\fI{}\\fR", escape(value))).unwrap_or_default();
        let doc = if flag.doc.is_empty() { "See above.".to_owned() } else { format!("{}.", escape(&sentence(&flag.doc))) };
        _ = write!(page, ".TP\n{names}{value}\n{doc}\n");
    }
}

fn sentence(text: &str) -> String {
    let mut letters = text.trim_end_matches('.').chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// Text as it is: no macros, and dashes that stay dashes when they are copied. Each sentence begins a line, as roff wants it.
fn escape(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-").replace(". ", ".\n");
    let guard = |line: &str| if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line.to_owned() };
    text.lines().map(guard).collect::<Vec<_>>().join("\n")
}
