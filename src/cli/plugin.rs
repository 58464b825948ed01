//! `flumen plugin [NAME]`: what plugins take, from their declarations: as text, Markdown or JSON.

mod summary;

use super::EXIT_CONFIG;
use crate::config::Section;
use crate::manual::{Entry, differences, doc, entries, example, flat, known_tables, multiplicity, remarks, rows, type_name};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

/// What its `--help` prints.
pub const HELP: &str = "usage: flumen plugin [options] [NAME|KIND]...

Prints what plugins and shared sections take: parameters, types, defaults, what each does or why it is refused, where it differs from Fluentd, and
an example. KIND is input, filter, parser, formatter, output or section. Without a name: everything.

  -f, --format text|markdown|json|summary
                            how it is printed (default: text); summary is one table of the names of all parameters
";

const FORMATS: [&str; 4] = ["text", "markdown", "json", "summary"];

/// The head of the Markdown page.
const HEAD: &str = "# Plugins and their parameters

Written by `flumen plugin --format markdown`; a test checks that it is up to date. Every plugin also takes `@id`, `@log_level` and, where it emits
events, `@label`. A parameter is acted on, or refused as its line says; one that nobody knows is warned about, as Fluentd does.
";

/// Prints what the arguments ask for.
pub fn plugin(arguments: &[String]) -> ExitCode {
    if arguments.iter().any(|argument| argument == "-h" || argument == "--help") {
        print!("{HELP}");
        return ExitCode::SUCCESS;
    }
    match chosen(arguments) {
        Ok((entries, format)) => {
            // Whoever reads may have had enough.
            let _ = std::io::stdout().write_all(render(&entries, &format).as_bytes());
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("flumen: {why}");
            ExitCode::from(EXIT_CONFIG)
        }
    }
}

fn chosen(arguments: &[String]) -> Result<(Vec<Entry>, String), String> {
    let (mut wanted, mut format) = (Vec::new(), "text".to_owned());
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--format" | "-f" => format = arguments.next().cloned().ok_or("missing argument: --format FORMAT")?,
            other => match other.strip_prefix("--format=") {
                Some(given) => format = given.to_owned(),
                None if other.starts_with('-') => return Err(format!("invalid option: {other}")),
                None => wanted.push(other),
            },
        }
    }
    if !FORMATS.contains(&format.as_str()) {
        return Err(format!("unknown format {format:?}, expected {}", FORMATS.join(", ")));
    }
    let is_wanted = |entry: &Entry| wanted.is_empty() || wanted.contains(&entry.kind) || wanted.contains(&entry.name);
    let chosen: Vec<Entry> = entries().into_iter().filter(is_wanted).collect();
    match (chosen.is_empty(), wanted.iter().find_map(|name| known(name))) {
        (false, _) => Ok((chosen, format)),
        (true, Some((kind, gem))) => Err(format!(
            "the {kind} plugin '{}' ({gem}) is known, so that files with it can be checked, but flumen does not run it",
            wanted[0]
        )),
        (true, None) => Err(format!("there is no plugin '{}': 'flumen plugin' lists all", wanted.join(" "))),
    }
}

/// The names and kinds that can be asked for.
pub fn names() -> Vec<String> {
    let mut names: Vec<String> = entries().iter().flat_map(|entry| [entry.name, entry.kind]).map(str::to_owned).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The kind and the gem of a plugin that is known only.
fn known(name: &str) -> Option<(&'static str, &'static str)> {
    known_tables().into_iter().find_map(|(kind, table)| table.find(name).map(|known| (kind, known.gem)))
}

fn render(entries: &[Entry], format: &str) -> String {
    match format {
        "json" => format!("{:#}\n", Value::Array(entries.iter().map(as_json).collect())),
        "markdown" => markdown(entries),
        "summary" => summary::summary(entries),
        _ => entries.iter().map(as_text).collect::<Vec<_>>().join("\n"),
    }
}

fn as_text(entry: &Entry) -> String {
    let mut text = format!("{} {}: {}\n", entry.kind, entry.name, doc(entry.section.doc));
    section_text(entry.section, 1, &mut text);
    if let Some(flat) = flat(entry.compat) {
        let _ = writeln!(text, "  {flat}");
    }
    for difference in differences(entry.kind, entry.name) {
        let _ = writeln!(text, "  unlike Fluentd: {difference}");
    }
    if let Some(example) = example(entry.kind, entry.name) {
        let _ = writeln!(text, "  example, of conf/{}:", example.file);
        example.text.lines().for_each(|line| text += &format!("    {line}\n"));
    }
    text
}

fn section_text(section: &Section, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    for (name, param) in rows(section) {
        let remarks = remarks(param);
        let remarks = if remarks.is_empty() { String::new() } else { format!(" ({})", remarks.join("; ")) };
        let _ = writeln!(text, "{indent}{name}  {}{remarks}\n{indent}    {}", type_name(param.kind), doc(param.doc));
    }
    for sub in section.sections {
        let _ = writeln!(text, "{indent}<{}>{}", sub.name, multiplicity(sub.many, sub.required));
        if let Some(inner) = sub.section {
            section_text(inner, depth + 1, text);
        }
    }
}

fn markdown(entries: &[Entry]) -> String {
    let mut text = HEAD.to_owned();
    let mut kind = "";
    for entry in entries {
        if entry.kind != kind {
            kind = entry.kind;
            let title = if kind == "section" { "Sections that plugins share".to_owned() } else { format!("{}s", capital(kind)) };
            let _ = write!(text, "\n## {title}\n");
        }
        let _ = write!(text, "\n### {kind} `{}`\n\n{}\n", entry.name, doc(entry.section.doc));
        if let Some(flat) = flat(entry.compat) {
            let _ = write!(text, "\n{flat}\n");
        }
        table(entry.section, "", &mut text);
        let differences = differences(entry.kind, entry.name);
        if !differences.is_empty() {
            let _ = write!(text, "\nUnlike Fluentd:\n\n");
            differences.iter().for_each(|difference| text += &format!("- {difference}\n"));
        }
        if let Some(example) = example(entry.kind, entry.name) {
            let _ = write!(text, "\nExample, of [{0}]({0}):\n\n```\n{1}```\n", example.file, example.text);
        }
    }
    let _ = write!(text, "\n## Known, not run\n\nTheir parameters are checked by `flumen check`; running them is refused by name.\n\n");
    for (kind, table) in known_tables() {
        let names: Vec<String> = table.all().iter().map(|known| format!("`{}`", known.name)).collect();
        let _ = writeln!(text, "- {kind}: {}", names.join(", "));
    }
    text
}

fn capital(word: &str) -> String {
    word.chars().next().into_iter().flat_map(char::to_uppercase).chain(word.chars().skip(1)).collect()
}

fn table(section: &Section, path: &str, text: &mut String) {
    if !section.params.is_empty() {
        let _ = write!(text, "\n| {path}parameter | type | | |\n|---|---|---|---|\n");
    }
    let cell = |content: &str| content.replace('|', "\\|").replace('\n', " ");
    for (name, param) in rows(section) {
        let remarks = remarks(param).join("; ");
        let _ = writeln!(text, "| `{name}` | {} | {} | {} |", cell(&type_name(param.kind)), cell(&remarks), cell(&doc(param.doc)));
    }
    for sub in section.sections {
        let path = format!("{path}`<{}>` ", sub.name);
        let _ = write!(text, "\n{path}{}\n", multiplicity(sub.many, sub.required).trim());
        if let Some(inner) = sub.section {
            table(inner, &path, text);
        }
    }
}

fn as_json(entry: &Entry) -> Value {
    let mut value = section_json(entry.section);
    value["kind"] = entry.kind.into();
    value["name"] = entry.name.into();
    value["differences"] = differences(entry.kind, entry.name).into();
    value["example"] = example(entry.kind, entry.name).map(|example| example.text).into();
    value
}

fn section_json(section: &Section) -> Value {
    let params: Vec<Value> = section
        .params
        .iter()
        .map(|param| {
            json!({
                "name": param.name, "type": type_name(param.kind), "default": param.default, "required": param.required, "alias": param.alias,
                "deprecated": param.deprecated, "obsoleted": param.obsoleted, "refused": param.refused, "idle": param.idle, "secret": param.secret, "doc": doc(param.doc),
            })
        })
        .collect();
    let sections: Vec<Value> = section
        .sections
        .iter()
        .map(|sub| {
            let mut value = sub.section.map_or_else(|| json!({}), section_json);
            value["name"] = sub.name.into();
            value["many"] = sub.many.into();
            value["required"] = sub.required.into();
            value
        })
        .collect();
    json!({ "doc": doc(section.doc), "parameters": params, "sections": sections })
}

#[cfg(test)]
mod tests;
