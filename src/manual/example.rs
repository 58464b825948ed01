//! What is shown beside the parameters: an example of each plugin, out of the configurations in `conf/`, and where it differs from Fluentd.

/// The configurations that examples are taken from; those that come first have the plainer ones.
static FILES: &[(&str, &str)] = &[
    ("docker-elasticsearch.conf", include_str!("../../conf/docker-elasticsearch.conf")),
    ("docker-long-lines.conf", include_str!("../../conf/docker-long-lines.conf")),
    ("elasticsearch-dynamic.conf", include_str!("../../conf/elasticsearch-dynamic.conf")),
    ("elasticsearch-ids.conf", include_str!("../../conf/elasticsearch-ids.conf")),
    ("exec.conf", include_str!("../../conf/exec.conf")),
    ("formats.conf", include_str!("../../conf/formats.conf")),
    ("forward.conf", include_str!("../../conf/forward.conf")),
    ("http-output.conf", include_str!("../../conf/http-output.conf")),
    ("inputs.conf", include_str!("../../conf/inputs.conf")),
    ("monitored.conf", include_str!("../../conf/monitored.conf")),
    ("parsers.conf", include_str!("../../conf/parsers.conf")),
    ("reddit-v1.conf", include_str!("../../conf/reddit-v1.conf")),
    ("rewrite-tags.conf", include_str!("../../conf/rewrite-tags.conf")),
    ("routing.conf", include_str!("../../conf/routing.conf")),
    ("syslog.conf", include_str!("../../conf/syslog.conf")),
    ("tail.conf", include_str!("../../conf/tail.conf")),
];

/// A line for each difference: kind, name, what is different.
static DIFFERENCES: &str = include_str!("differences.txt");

/// An example: the file in `conf/`, and the section out of it.
#[derive(Debug)]
pub struct Example {
    /// The file's name.
    pub file: &'static str,
    /// The section's lines, not indented.
    pub text: String,
}

/// The longest section of a plugin in the first file that has one: with most of what can be said.
pub fn example(kind: &str, name: &str) -> Option<Example> {
    FILES.iter().find_map(|(file, text)| {
        let sections = sections(text).into_iter().filter(|section| section.kind() == kind && section.plugin == name);
        sections.max_by_key(|section| section.lines.len()).map(|section| Example { file, text: section.text() })
    })
}

/// Where a plugin or a shared section differs from Fluentd's on purpose, a sentence or two each.
pub fn differences(kind: &str, name: &str) -> Vec<&'static str> {
    DIFFERENCES
        .lines()
        .filter_map(|line| line.split_once(": "))
        .filter(|(whose, _)| *whose == format!("{kind} {name}"))
        .map(|(_, what)| what)
        .collect()
}

/// A section as its lines.
struct Section<'t> {
    name: &'t str,
    plugin: &'t str,
    lines: Vec<&'t str>,
}

impl Section<'_> {
    fn kind(&self) -> &'static str {
        match self.name {
            "source" => "input",
            "filter" => "filter",
            "match" | "store" | "secondary" => "output",
            "parse" => "parser",
            "format" => "formatter",
            _ => "",
        }
    }

    fn text(&self) -> String {
        let indent = self.lines.first().map_or(0, |line| line.len() - line.trim_start().len());
        self.lines.iter().map(|line| format!("{}\n", line.get(indent..).unwrap_or_default())).collect()
    }
}

/// All sections of a file in canonical layout, those within others too.
fn sections(text: &str) -> Vec<Section<'_>> {
    let (mut open, mut all): (Vec<Section<'_>>, Vec<Section<'_>>) = (Vec::new(), Vec::new());
    for line in text.lines() {
        let content = line.trim();
        if content.starts_with('<') && !content.starts_with("</") {
            let name = content[1..].split([' ', '>']).next().unwrap_or_default();
            open.push(Section { name, plugin: "", lines: Vec::new() });
        }
        open.iter_mut().for_each(|section| section.lines.push(line));
        if let (Some(section), Some(plugin)) = (open.last_mut(), content.strip_prefix("@type ")) {
            section.plugin = plugin.trim();
        }
        if content.starts_with("</") {
            all.extend(open.pop());
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manual::entries;

    #[test]
    fn every_plugin_has_an_example_that_names_it() {
        for entry in entries().iter().filter(|entry| entry.kind != "section") {
            let example = example(entry.kind, entry.name).unwrap_or_else(|| panic!("{} {} has no example", entry.kind, entry.name));
            assert!(example.text.contains(&format!("@type {}\n", entry.name)), "{example:?}");
            assert!(example.text.starts_with('<') && example.text.trim_end().ends_with('>'), "{example:?}");
        }
    }

    #[test]
    fn differences_are_those_of_plugins_that_are_there() {
        let there = entries();
        for line in DIFFERENCES.lines() {
            let (whose, what) = line.split_once(": ").unwrap_or_else(|| panic!("{line}"));
            assert!(there.iter().any(|entry| whose == format!("{} {}", entry.kind, entry.name)), "{whose} is not there");
            assert!(what.ends_with('.'), "{what}");
        }
        assert_eq!(differences("input", "forward").len(), 3);
        assert!(differences("input", "http")[0].contains("msgpack"));
    }
}
