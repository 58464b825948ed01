//! What may stand in a section, by the sections around it and their types: from the declarations, without building anything.

use super::{Entry, entries, known_of};
use crate::buffer::{self, OutputParams};
use crate::config::{Compat, Declared, Kind, Section, Sub, System};
use crate::formatter::inject;
use crate::parser::{BaseParams, extract};

/// A section as far as the manual has to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Near {
    /// Its name.
    pub name: String,
    /// Its `@type`; empty where none is given.
    pub kind: String,
}

/// What a section takes.
#[derive(Clone, Debug, Default)]
pub struct Takes {
    /// The kind of plugin that it configures: `input`, `output`, `buffer`, ...
    pub plugin: Option<&'static str>,
    /// The declarations that read it; a parameter counts by the first that has it.
    pub declared: Vec<&'static Section>,
    /// The sections that it can hold.
    pub sections: Vec<Sub>,
    /// The old flat parameters it takes.
    pub compat: &'static [Compat],
}

const fn structure(name: &'static str) -> Sub {
    Sub { name, many: true, required: false, section: None }
}

const TOP: &[Sub] = &[
    structure("source"),
    structure("filter"),
    structure("match"),
    structure("label"),
    structure("worker"),
    Sub { name: "system", many: false, required: false, section: Some(&System::SECTION) },
];
const IN_LABEL: &[Sub] = &[structure("filter"), structure("match")];
const IN_WORKER: &[Sub] = &[structure("source"), structure("filter"), structure("match"), structure("label")];

const fn common(name: &'static str, kind: Kind, doc: &'static [&'static str]) -> Declared {
    Declared { doc, ..Declared::optional(name, kind) }
}

static TYPE: Declared = Declared { required: true, ..common("@type", Kind::String, &["Which plugin it is."]) };
static ID: Declared = common("@id", Kind::String, &["The name of this plugin in the log, in metrics and in the names of its files."]);
static LABEL: Declared = common("@label", Kind::String, &["The <label> that its events go to, in place of the rest of this file."]);
static LOG_LEVEL: Declared = common(
    "@log_level",
    Kind::Enum(&["fatal", "error", "warn", "info", "debug", "trace"]),
    &["What this plugin logs, where that is not what <system> says."],
);

/// The kind of plugin that a section of this name configures.
pub fn kind_of_section(name: &str) -> Option<&'static str> {
    Some(match name {
        "source" => "input",
        "filter" => "filter",
        "match" | "store" | "secondary" => "output",
        "parse" => "parser",
        "format" => "formatter",
        "buffer" => "buffer",
        _ => return None,
    })
}

/// What the innermost of these sections takes, the outermost first; with none, what stands at the top of a file.
pub fn takes(path: &[Near]) -> Takes {
    let Some((last, around)) = path.split_last() else {
        return Takes { sections: TOP.to_vec(), ..Takes::default() };
    };
    match last.name.as_str() {
        "label" => return Takes { sections: IN_LABEL.to_vec(), ..Takes::default() },
        "worker" => return Takes { sections: IN_WORKER.to_vec(), ..Takes::default() },
        _ => {}
    }
    let outer = takes(around);
    let declared = outer.sections.iter().find(|sub| sub.name == last.name).and_then(|sub| sub.section);
    let mut takes = match kind_of_section(&last.name) {
        Some(kind) => of_plugin(kind, &last.kind),
        None => Takes { declared: shared(&last.name).filter(|_| declared.is_none()).into_iter().collect(), ..Takes::default() },
    };
    takes.declared.extend(declared);
    for sub in takes.declared.iter().flat_map(|section| section.sections) {
        if !takes.sections.iter().any(|known| known.name == sub.name) {
            takes.sections.push(*sub);
        }
    }
    takes
}

/// A section that several plugins have, by its name.
fn shared(name: &str) -> Option<&'static Section> {
    match name {
        "inject" => Some(&inject::Params::SECTION),
        "extract" => Some(&extract::Params::SECTION),
        _ => None,
    }
}

fn of_plugin(kind: &'static str, name: &str) -> Takes {
    let base: Option<&'static Section> = match kind {
        "parser" => Some(&BaseParams::SECTION),
        "output" => Some(&OutputParams::SECTION),
        "buffer" => Some(&buffer::Params::SECTION),
        _ => None,
    };
    let mut takes = Takes { plugin: Some(kind), ..Takes::default() };
    if let Some(built) = built(kind, name) {
        takes.declared.push(built.section);
        takes.compat = built.compat;
    } else if let Some(known) = known_of(kind).iter().find(|known| known.name == name) {
        takes.declared.push(known.section);
        takes.compat = known.compat;
        takes.sections.extend(known.shared.iter().map(|name| Sub { many: false, section: shared(name), ..structure(name) }));
    }
    takes.declared.extend(base);
    takes
}

fn built(kind: &str, name: &str) -> Option<Entry> {
    entries().into_iter().find(|entry| entry.kind == kind && entry.name == name)
}

impl Takes {
    /// All parameters, each name once: those that every plugin of the kind takes first.
    pub fn params(&self) -> Vec<&'static Declared> {
        let mut params: Vec<&'static Declared> = match self.plugin {
            Some("input" | "output") => vec![&TYPE, &ID, &LABEL, &LOG_LEVEL],
            Some("filter") => vec![&TYPE, &ID, &LOG_LEVEL],
            Some("parser" | "formatter") => vec![&TYPE],
            _ => Vec::new(),
        };
        for param in self.declared.iter().flat_map(|section| section.params) {
            if !params.iter().any(|known| known.name == param.name) {
                params.push(param);
            }
        }
        params
    }

    /// The declaration of a parameter, by name or alias.
    pub fn param(&self, name: &str) -> Option<&'static Declared> {
        let old = matches!(name, "type" | "id" | "log_level").then(|| format!("@{name}"));
        let params = self.params();
        let find = |name: &str| params.iter().find(|param| param.name == name || param.alias == Some(name)).copied();
        find(name).or_else(|| find(&old?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &[(&str, &str)]) -> Takes {
        let path: Vec<Near> = path.iter().map(|(name, kind)| Near { name: name.to_string(), kind: kind.to_string() }).collect();
        takes(&path)
    }

    fn sections(takes: &Takes) -> Vec<&str> {
        takes.sections.iter().map(|sub| sub.name).collect()
    }

    #[test]
    fn sections_take_what_their_plugins_declare() {
        assert_eq!(sections(&of(&[])), ["source", "filter", "match", "label", "worker", "system"]);
        assert_eq!(sections(&of(&[("label", "")])), ["filter", "match"]);
        let forward = of(&[("match", "forward")]);
        assert!(forward.param("slow_flush_log_threshold").is_some() && forward.param("@label").is_some());
        assert!(sections(&forward).contains(&"server") && sections(&forward).contains(&"buffer"));
        assert!(of(&[("match", "forward"), ("server", "")]).param("weight").is_some());
        assert!(of(&[("match", "forward"), ("buffer", "")]).param("flush_interval").is_some());
        assert!(of(&[("source", "tail"), ("parse", "grok"), ("grok", "")]).param("pattern").is_some());
        assert!(of(&[("system", ""), ("log", "")]).param("rotate_age").is_some());
        assert!(of(&[("match", "copy"), ("store", "file")]).param("path").is_some());
    }

    #[test]
    fn known_plugins_are_described_too() {
        let s3 = of(&[("match", "s3")]);
        assert!(s3.param("s3_bucket").is_some() && sections(&s3).contains(&"buffer"));
        assert!(of(&[("match", "nobody")]).param("slow_flush_log_threshold").is_some());
        assert!(of(&[("nowhere", "")]).params().is_empty());
    }
}
