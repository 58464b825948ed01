//! `flumen plugin [NAME]`: what plugins take, from their declarations: as text, Markdown or JSON.

use super::EXIT_CONFIG;
use crate::buffer::{self, OutputParams};
use crate::config::{Compat, Declared, Kind, Section, System};
use crate::filter::{self, FILTERS};
use crate::formatter::{self, FORMATTERS};
use crate::input::{self, INPUTS};
use crate::output::{self, OUTPUTS};
use crate::parser::{self, BaseParams, PARSERS};
use crate::plugin::Plugin;
use crate::plugin::known::KnownPlugins;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

/// Something that has parameters: a plugin, or a section that several plugins share.
struct Entry {
    kind: &'static str,
    name: &'static str,
    section: &'static Section,
    compat: &'static [Compat],
}

const FORMATS: [&str; 3] = ["text", "markdown", "json"];

/// The head of the Markdown page.
const HEAD: &str = "# Plugins and their parameters

Written by `flumen plugin --format markdown`; a test checks that it is up to date. Every plugin also takes `@id`, `@log_level` and, where it emits
events, `@label`. A parameter is acted on, or refused as its line says; one that nobody knows is warned about, as Fluentd does.
";

/// Prints what the arguments ask for.
pub fn plugin(arguments: &[String]) -> ExitCode {
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

/// Everything that has parameters, kind by kind.
fn entries() -> Vec<Entry> {
    let mut entries = Vec::new();
    add(&mut entries, "input", INPUTS);
    add(&mut entries, "filter", FILTERS);
    add(&mut entries, "parser", PARSERS);
    add(&mut entries, "formatter", FORMATTERS);
    add(&mut entries, "output", OUTPUTS);
    for (name, section) in [
        ("parse", &BaseParams::SECTION),
        ("inject", &formatter::inject::Params::SECTION),
        ("buffer", &buffer::Params::SECTION),
        ("match", &OutputParams::SECTION),
        ("system", &System::SECTION),
    ] {
        entries.push(Entry { kind: "section", name, section, compat: &[] });
    }
    entries
}

fn add<T>(entries: &mut Vec<Entry>, kind: &'static str, table: &'static [Plugin<T>]) {
    entries.extend(table.iter().map(|row| Entry { kind, name: row.name, section: row.section, compat: row.compat }));
}

fn known_tables() -> [(&'static str, &'static KnownPlugins); 5] {
    [
        ("input", &input::KNOWN),
        ("filter", &filter::KNOWN),
        ("parser", &parser::KNOWN),
        ("formatter", &formatter::KNOWN),
        ("output", &output::KNOWN),
    ]
}

/// The kind and the gem of a plugin that is known only.
fn known(name: &str) -> Option<(&'static str, &'static str)> {
    known_tables().into_iter().find_map(|(kind, table)| table.find(name).map(|known| (kind, known.gem)))
}

fn render(entries: &[Entry], format: &str) -> String {
    match format {
        "json" => format!("{:#}\n", Value::Array(entries.iter().map(as_json).collect())),
        "markdown" => markdown(entries),
        _ => entries.iter().map(as_text).collect::<Vec<_>>().join("\n"),
    }
}

/// A type as the manual names it.
fn type_name(kind: Kind) -> String {
    match kind {
        Kind::Enum(words) => words.join(" | "),
        Kind::Accessor => "field".to_owned(),
        other => format!("{other:?}").to_lowercase(),
    }
}

/// What has to be known of a parameter beside its type.
fn remarks(param: &Declared) -> Vec<String> {
    let mut remarks = Vec::new();
    match (param.required, param.default) {
        (true, _) => remarks.push("required".to_owned()),
        (false, Some("")) => remarks.push("default: empty".to_owned()),
        (false, Some(default)) => remarks.push(format!("default: {}", default.replace('\n', "\\n").replace('\t', "\\t"))),
        (false, None) => {}
    }
    let mut remark = |what: &str, value: Option<&str>| remarks.extend(value.map(|value| format!("{what}{value}")));
    remark("also: ", param.alias);
    remark("deprecated: ", param.deprecated);
    remark("refused: removed, ", param.obsoleted);
    remark("refused: ", param.refused);
    remark("no effect: ", param.idle);
    if param.secret {
        remarks.push("secret".to_owned());
    }
    remarks
}

fn doc(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

/// What the old flat parameters of an entry are moved to.
fn flat(entry: &Entry) -> Option<String> {
    let names: Vec<&str> = entry
        .compat
        .iter()
        .map(|kind| match kind {
            Compat::Buffer | Compat::TimeSlicedBuffer => "<buffer>",
            Compat::Parser => "<parse>",
            Compat::Formatter => "<format>",
            Compat::Inject => "<inject>",
            Compat::Extract => "<extract>",
        })
        .collect();
    (!names.is_empty()).then(|| format!("Takes {} and the flat parameters of version 0.12 that they replace.", names.join(", ")))
}

fn as_text(entry: &Entry) -> String {
    let mut text = format!("{} {}: {}\n", entry.kind, entry.name, doc(entry.section.doc));
    section_text(entry.section, 1, &mut text);
    if let Some(flat) = flat(entry) {
        let _ = writeln!(text, "  {flat}");
    }
    text
}

/// The parameters of a section with their names; numbered ones that are alike are one, such as `regexp1` ... `regexp20`.
fn rows(section: &Section) -> Vec<(String, &'static Declared)> {
    let stem = |param: &Declared| param.name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let mut rows: Vec<(String, &'static Declared)> = Vec::new();
    for param in section.params {
        let numbered = stem(param) < param.name.len();
        match rows.last_mut() {
            Some((name, last)) if numbered && last.doc == param.doc && last.name[..stem(last)] == param.name[..stem(param)] => {
                *name = format!("{} ... {}", last.name, param.name);
            }
            _ => rows.push((param.name.to_owned(), param)),
        }
    }
    rows
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

fn multiplicity(many: bool, required: bool) -> &'static str {
    match (many, required) {
        (true, true) => " (one or more)",
        (true, false) => " (any number)",
        (false, true) => " (required)",
        (false, false) => "",
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
        if let Some(flat) = flat(entry) {
            let _ = write!(text, "\n{flat}\n");
        }
        table(entry.section, "", &mut text);
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
