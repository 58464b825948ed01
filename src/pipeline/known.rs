//! Sections whose plugin is not in our tables: those that are known are checked, the others are named with all that is unknown inside them.

use super::delivery::on_disk::OnDisk;
use super::delivery::secondary::output_of;
use crate::buffer::{Defaults, Settings};
use crate::config::compat::Row;
use crate::config::{Diagnostics, Element, Refused};
use crate::formatter::{self, FORMATTERS, Inject};
use crate::output::{self, OUTPUTS};
use crate::parser::{self, PARSERS};
use crate::plugin::known::{Known, KnownPlugins, type_span};
use crate::plugin::{Context, Plugin};

/// The row of a section's plugin; where there is none, all that can be said about the section is said.
pub fn find<T>(
    table: &'static [Plugin<T>],
    known: &'static KnownPlugins,
    kind: &str,
    section: &Element,
    context: &Context<'_>,
) -> Result<&'static Plugin<T>, Refused> {
    let name = section.plugin_type().unwrap_or_default();
    if let Some(row) = table.iter().find(|row| row.name == name) {
        return Ok(row);
    }
    match known.find(name) {
        Some(row) => {
            if let Some(label) = section.text("@label") {
                let _ = context.host.emitter(Some(label), section.span);
            }
            check_shared(row, section, context);
            Err(known.check(row, section, context.diagnostics))
        }
        None => {
            name_unknown_inside(section, context.diagnostics);
            Plugin::find(table, kind, section, context.diagnostics)
        }
    }
}

/// What is declared for a plugin by name, built or known.
pub fn row<T>(table: &'static [Plugin<T>], known: &'static KnownPlugins, name: &str) -> Option<Row> {
    let built = table.iter().find(|row| row.name == name).map(|row| (row.section, row.compat));
    built.or_else(|| known.find(name).map(|row| (row.section, row.compat)))
}

/// Checks the shared sections of a known plugin by constructing what they describe. Faults are in the diagnostics.
fn check_shared(known: &'static Known, section: &Element, context: &Context<'_>) {
    for shared in &known.shared {
        match *shared {
            "buffer" => {
                let defaults = Defaults { chunk_keys: &known.chunk_keys, params: &known.buffer_params, path_from: None };
                if let Ok(settings) = Settings::read(section, &defaults, context.diagnostics) {
                    let _ = OnDisk::resolve(&settings, section, context);
                }
                // One without a type is of the same, which is known to be only checked.
                if section.section("secondary").is_some_and(|secondary| secondary.plugin_type().is_some()) {
                    let _ = output_of(section, &defaults, context);
                }
            }
            "parse" => section.sections("parse").iter().for_each(|parse| drop(parser::build(parse, context))),
            "format" if section.section("format").is_some_and(|format| format.plugin_type().is_some()) => {
                drop(formatter::build_formatter(section, "json", context));
            }
            "inject" => drop(Inject::read(section, context)),
            other => section.sections(other).iter().for_each(|child| child.pass_over()),
        }
    }
}

/// Names the plugins in the sub-sections of a section that itself is unknown: one look at the messages shows all that is missing.
fn name_unknown_inside(section: &Element, diagnostics: &Diagnostics) {
    for child in &section.children {
        let Some(name) = child.plugin_type() else { continue };
        let (kind, is_there) = match child.name.as_str() {
            "parse" => ("parser", has(PARSERS, &parser::KNOWN, name)),
            "format" => ("formatter", has(FORMATTERS, &formatter::KNOWN, name)),
            "store" | "secondary" => ("output", has(OUTPUTS, &output::KNOWN, name)),
            _ => continue,
        };
        if !is_there {
            let message = format!("Unknown {kind} plugin '{name}': flumen does not have it");
            diagnostics.error("FLM0402", Some(type_span(child)), message);
        }
        name_unknown_inside(child, diagnostics);
    }
}

fn has<T>(table: &[Plugin<T>], known: &KnownPlugins, name: &str) -> bool {
    table.iter().any(|row| row.name == name) || known.find(name).is_some()
}
