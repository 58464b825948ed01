//! Which plugins there are: ours, those that Fluentd ships, and well-known gems.

use crate::config::Element;
use crate::config::compat::Row;
use crate::filter::{self, FILTERS};
use crate::formatter::{self, FORMATTERS};
use crate::input::{self, INPUTS};
use crate::output::{self, OUTPUTS};
use crate::parser::{self, PARSERS};
use crate::plugin::Plugin;
use crate::plugin::known::KnownPlugins;

/// What Fluentd 1.18 has without a gem, by the kinds of its messages.
const FLUENTD: &[(&str, &[&str])] = &[
    (
        "input",
        &[
            "debug_agent",
            "dummy",
            "exec",
            "forward",
            "gc_stat",
            "http",
            "monitor_agent",
            "object_space",
            "sample",
            "syslog",
            "tail",
            "tcp",
            "udp",
            "unix",
        ],
    ),
    (
        "output",
        &[
            "buffer",
            "copy",
            "exec",
            "exec_filter",
            "file",
            "forward",
            "http",
            "null",
            "relabel",
            "roundrobin",
            "secondary_file",
            "stdout",
            "stream",
        ],
    ),
    ("filter", &["grep", "parser", "record_transformer", "stdout"]),
    (
        "parser",
        &["apache", "apache2", "apache_error", "csv", "json", "ltsv", "msgpack", "multiline", "nginx", "none", "regexp", "syslog", "tsv"],
    ),
    ("formatter", &["csv", "hash", "json", "ltsv", "msgpack", "out_file", "single_value", "stdout", "tsv"]),
    ("buffer", &["file", "file_single", "memory"]),
];

/// The names of the plugins of a kind that are run here, or at least known.
fn own(kind: &str) -> Vec<&'static str> {
    fn of<T>(table: &'static [Plugin<T>], known: &'static KnownPlugins) -> Vec<&'static str> {
        table.iter().map(|row| row.name).chain(known.all().iter().map(|row| row.name)).collect()
    }
    match kind {
        "input" => of(INPUTS, &input::KNOWN),
        "filter" => of(FILTERS, &filter::KNOWN),
        "output" => of(OUTPUTS, &output::KNOWN),
        "parser" => of(PARSERS, &parser::KNOWN),
        "formatter" => of(FORMATTERS, &formatter::KNOWN),
        _ => Vec::new(),
    }
}

/// What the plugin of a section declares itself, and which flat parameters it takes.
pub fn row(section: &Element, kind: &str) -> Option<Row> {
    fn of<T>(table: &'static [Plugin<T>], known: &'static KnownPlugins, kind: &str) -> Option<Row> {
        let run = table.iter().find(|row| row.name == kind).map(|row| (row.section, row.compat));
        run.or_else(|| known.find(kind).map(|row| (row.section, row.compat)))
    }
    match section.name.as_str() {
        "source" => of(INPUTS, &input::KNOWN, kind),
        "filter" => of(FILTERS, &filter::KNOWN, kind),
        "match" | "store" | "secondary" => of(OUTPUTS, &output::KNOWN, kind),
        _ => None,
    }
}

/// The names of a kind that Fluentd ships.
pub fn of_fluentd(kind: &str) -> &'static [&'static str] {
    FLUENTD.iter().find(|(known, _)| *known == kind).map_or(&[], |(_, names)| names)
}

/// All names of a kind that would be right somewhere.
pub fn names(kind: &str) -> Vec<&'static str> {
    let mut names = own(kind);
    names.extend(of_fluentd(kind));
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_those_of_messages() {
        for kind in ["input", "output", "filter", "parser", "formatter", "buffer"] {
            assert!(!names(kind).is_empty(), "{kind}");
        }
        assert!(names("storage").is_empty());
    }
}
