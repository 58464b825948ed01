//! Configurations from one language into another, and from old forms into modern ones. Nothing is changed in what they mean: what was written is
//! read again and laid beside the original, and refused where it differs.

mod doc;
mod modern;
mod proof;
mod read_yaml;
mod renamed;
mod write_text;
mod write_yaml;

#[cfg(test)]
mod tests;

use super::cases::yaml;
use super::report::Report;
use super::subject::Raw;
use super::{Settings, report};
use crate::config::{self, Diagnostics, Element, FileType, LoadOptions, Severity, Span, v0, v1};
use crate::pipeline;
use doc::Item;
use std::collections::HashMap;
use std::path::Path;

/// The code of what cannot be carried over.
const NOT_CARRIED: &str = "FLM0911";
/// The code of what stays in its old form, or is read by Flumen only.
const STAYS: &str = "FLM0912";
/// The code of a conversion that would change what the configuration means.
const CHANGED: &str = "FLM0913";

/// A language of configurations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Today's.
    V1,
    /// YAML.
    Yaml,
    /// The line-based one of version 0.
    V0,
}

impl Language {
    /// The language of a name.
    pub fn parse(name: &str) -> Option<Language> {
        Some(match name {
            "v1" => Language::V1,
            "yaml" | "yml" => Language::Yaml,
            "v0" => Language::V0,
            _ => return None,
        })
    }

    /// The language of a file, by its name.
    pub fn of(path: &Path) -> Language {
        let is_yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        if is_yaml { Language::Yaml } else { Language::V1 }
    }
}

/// What came of a conversion.
pub struct Converted {
    /// The text; `None` where it was refused.
    pub text: Option<String>,
    /// Why, and what stays as it was.
    pub report: Report,
}

/// Converts a text, which `source` names and says how to read. With `inline` the files that it includes become parts of it.
pub fn convert(text: &str, from: Language, to: Language, source: &LoadOptions, inline: bool) -> Converted {
    let diagnostics = Diagnostics::new();
    let converted = try_convert(text, from, to, source, inline, &diagnostics);
    let has_errors = diagnostics.has_errors();
    let ours = |finding: &config::Finding| finding.severity == Severity::Error || finding.code == STAYS;
    let raw = |finding: config::Finding| Raw {
        severity: finding.severity,
        code: finding.code,
        span: finding.span,
        message: finding.message,
        help: Vec::new(),
        swap: None,
    };
    let findings = diagnostics.findings().into_iter().filter(ours).map(raw).collect();
    Converted { text: converted.filter(|_| !has_errors), report: report::Report::new(findings, &diagnostics, &Settings::default()) }
}

fn try_convert(text: &str, from: Language, to: Language, source: &LoadOptions, inline: bool, diagnostics: &Diagnostics) -> Option<String> {
    let before = load(text, from, source, diagnostics)?;
    // The main text is the first source, those that it includes follow.
    let mut items = items(text, from, diagnostics)?;
    if inline {
        put_in(&mut items, diagnostics);
    }
    modern::drop_repeated(&mut items);
    let mut stays = Vec::new();
    if to != Language::V0 {
        let mut after = before.clone();
        pipeline::convert_old_parameters(&mut after, &Diagnostics::new());
        let mut changes = HashMap::new();
        modern::changes(&before, &after, &mut changes);
        modern::modernise(&mut items, &changes, &mut stays);
    }
    let written = match to {
        Language::V1 => Ok(write_text::v1(&items)),
        Language::V0 => write_text::v0(&items),
        Language::Yaml => write_yaml::yaml(&items, &mut stays),
    };
    for (span, why) in stays {
        diagnostics.note(STAYS, Some(span), why);
    }
    let written = written.map_err(|faults| not_carried(faults, diagnostics)).ok()?;
    let own = Diagnostics::new();
    let again = load(&written, to, source, &own);
    match again {
        None => {
            let why = own.findings().into_iter().find(|finding| finding.severity == Severity::Error).map(|finding| finding.message);
            diagnostics.error(CHANGED, None, format!("what was written cannot be read again: {}", why.unwrap_or_default()));
            None
        }
        Some(again) => match proof::difference(&proof::form(&before), &proof::form(&again)) {
            None => Some(written),
            Some((span, what)) => {
                let place = Some(span).filter(|span| *span != Span::default());
                diagnostics.error(CHANGED, place, format!("the meaning would change: {what}"));
                None
            }
        },
    }
}

fn not_carried(faults: Vec<modern::Stays>, diagnostics: &Diagnostics) {
    for (span, why) in faults {
        diagnostics.error(NOT_CARRIED, Some(span), why);
    }
}

/// What a text means, as far as it can be read without a fault. Embedded Ruby reads no files and runs no commands.
fn load(text: &str, language: Language, source: &LoadOptions, diagnostics: &Diagnostics) -> Option<Element> {
    let mut source = source.clone();
    source.text = Some(text.to_owned());
    source.environment.trusted = false;
    source.v0 = language == Language::V0;
    source.file_type = if language == Language::Yaml { FileType::Yaml } else { FileType::Usual };
    config::load(&source, diagnostics).ok()
}

/// The items of the main text.
fn items(text: &str, from: Language, diagnostics: &Diagnostics) -> Option<Vec<Item>> {
    // Its faults have been said.
    let own = Diagnostics::new();
    match from {
        Language::V1 => Some(doc::read(&v1::parse(text, 0, &own).nodes, text, false)),
        Language::V0 => Some(doc::read(&v0::parse(text, 0, &own, true).nodes, text, true)),
        Language::Yaml => {
            let root = yaml::read(text, 0, diagnostics).ok()?;
            read_yaml::read(&root, text).map_err(|faults| not_carried(faults, diagnostics)).ok()
        }
    }
}

/// Puts what is included in the place of the includes.
fn put_in(items: &mut Vec<Item>, diagnostics: &Diagnostics) {
    let mut all = Vec::new();
    for item in std::mem::take(items) {
        match item {
            Item::Include(include) => {
                all.extend(include.behind.map(Item::Comment));
                for file in (0..diagnostics.source_count()).filter(|file| diagnostics.include_of(*file) == Some(include.span)) {
                    let Some(source) = diagnostics.source(file) else { continue };
                    let mut inner = doc::read(&v1::parse(&source.text, file, &Diagnostics::new()).nodes, &source.text, false);
                    put_in(&mut inner, diagnostics);
                    all.append(&mut inner);
                }
            }
            Item::Section(mut section) => {
                put_in(&mut section.items, diagnostics);
                all.push(Item::Section(section));
            }
            item => all.push(item),
        }
    }
    *items = all;
}
