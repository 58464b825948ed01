//! The manual: what each plugin and each section takes, from the declarations that read them. Nothing here prints.

mod example;
mod takes;

pub use example::{Example, differences, example};
pub use takes::{Near, Takes, kind_of_section, takes};

use crate::buffer::{self, OutputParams};
use crate::config::{Compat, Declared, Kind, Section, System};
use crate::filter::{self, FILTERS};
use crate::formatter::{self, FORMATTERS};
use crate::input::{self, INPUTS};
use crate::output::{self, OUTPUTS};
use crate::parser::{self, BaseParams, PARSERS};
use crate::plugin::Plugin;
use crate::plugin::known::{Known, KnownPlugins};

/// Something that has parameters: a plugin, or a section that several plugins share.
pub struct Entry {
    /// `input`, `filter`, `parser`, `formatter`, `output`; `section` for what plugins share.
    pub kind: &'static str,
    /// The name in `@type`, or that of the section.
    pub name: &'static str,
    /// What it takes.
    pub section: &'static Section,
    /// The old flat parameters it takes.
    pub compat: &'static [Compat],
}

/// Everything that has parameters, kind by kind.
pub fn entries() -> Vec<Entry> {
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

/// The plugins that are known and not run, by kind.
pub fn known_tables() -> [(&'static str, &'static KnownPlugins); 5] {
    [
        ("input", &input::KNOWN),
        ("filter", &filter::KNOWN),
        ("parser", &parser::KNOWN),
        ("formatter", &formatter::KNOWN),
        ("output", &output::KNOWN),
    ]
}

/// The known plugins of one kind.
pub fn known_of(kind: &str) -> &'static [Known] {
    known_tables().into_iter().find(|(known, _)| *known == kind).map_or(&[], |(_, table)| table.all())
}

/// A type as the manual names it.
pub fn type_name(kind: Kind) -> String {
    match kind {
        Kind::Enum(words) => words.join(" | "),
        Kind::Accessor => "field".to_owned(),
        other => format!("{other:?}").to_lowercase(),
    }
}

/// What has to be known of a parameter beside its type.
pub fn remarks(param: &Declared) -> Vec<String> {
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

/// The lines of a documentation as one text.
pub fn doc(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

/// What old flat parameters are moved to.
pub fn flat(compat: &[Compat]) -> Option<String> {
    let names: Vec<&str> = compat
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

/// The parameters of a section with their names; numbered ones that are alike are one, such as `regexp1` ... `regexp20`.
pub fn rows(section: &Section) -> Vec<(String, &'static Declared)> {
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

/// What is said of a sub-section behind its name.
pub fn multiplicity(many: bool, required: bool) -> &'static str {
    match (many, required) {
        (true, true) => " (one or more)",
        (true, false) => " (any number)",
        (false, true) => " (required)",
        (false, false) => "",
    }
}
