//! Plugins that are known but not run: their parameters, as data, so that files that use them can be checked.
//!
//! Each kind of plugin has a `known.txt` beside its table. Whoever builds one of these plugins takes its entry out there. An entry is a line
//! `NAME GEM: SECTIONS` (a section's `!` says that its old flat parameters are taken too; `buffer(KEY,NAME=VALUE)` has the chunk keys and the
//! parameters that hold where nothing is said), then a line a parameter,
//! `NAME TYPE [alias:NAME] [secret] [deprecated] [obsoleted] [required] [= DEFAULT]`, and `<SECTION> [many] [required] [any]` with what it holds
//! indented below; `any` sections hold what they like. An empty line ends it.

use crate::config::{Compat, Declared, Diagnostics, Element, Kind, Refused, Section, Span, Sub, check};
use std::sync::OnceLock;

/// A plugin that is known but not run.
#[derive(Debug)]
pub struct Known {
    /// The name in `@type`.
    pub name: &'static str,
    /// The gem that it comes in; `core` for Fluentd itself.
    pub gem: &'static str,
    /// Its own parameters and sections.
    pub section: &'static Section,
    /// The shared sections that it has: `buffer`, `parse`, `format`, `inject`, `extract`, `storage`, `transport`, ...
    pub shared: Vec<&'static str>,
    /// The old flat parameters it takes.
    pub compat: &'static [Compat],
    /// The chunk keys where none are given.
    pub chunk_keys: Vec<&'static str>,
    /// The parameters of `<buffer>` that it has other defaults for, in the configuration's own syntax.
    pub buffer_params: Vec<(&'static str, &'static str)>,
}

/// The known plugins of one kind, read from their text when one is first asked for.
pub struct KnownPlugins {
    kind: &'static str,
    text: &'static str,
    read: OnceLock<Vec<Known>>,
}

impl KnownPlugins {
    /// Those in `text`; `kind` is Fluentd's word, such as `output`.
    pub const fn new(kind: &'static str, text: &'static str) -> KnownPlugins {
        KnownPlugins { kind, text, read: OnceLock::new() }
    }

    /// All of them.
    pub fn all(&self) -> &[Known] {
        // What the text says stays for the life of the process, as declarations of built plugins do.
        self.read.get_or_init(|| self.text.split("\n\n").filter_map(|entry| read(entry.trim_start_matches('\n'))).collect())
    }

    /// The one of this name.
    pub fn find(&self, name: &str) -> Option<&Known> {
        self.all().iter().find(|known| known.name == name)
    }

    /// Checks the parameters of a section whose plugin is known, and refuses to run it; a configuration that is only checked gets a warning.
    pub fn check(&self, known: &Known, element: &Element, diagnostics: &Diagnostics) -> Refused {
        element.used.set(true);
        check(element, known.section, diagnostics);
        let span = type_span(element);
        let Known { name, gem, .. } = known;
        let kind = self.kind;
        if diagnostics.only_checks() {
            diagnostics.warn("FLM0411", Some(span), format!("{kind} plugin '{name}' ({gem}) is checked only: flumen does not run it"));
            return Refused;
        }
        let message = format!("Unknown {kind} plugin '{name}': flumen knows its parameters ({gem}), but does not run it");
        diagnostics.error("FLM0402", Some(span), message)
    }
}

/// Where a section says its type.
pub fn type_span(element: &Element) -> Span {
    element.param("@type").or_else(|| element.param("type")).map_or(element.span, |param| param.value_span)
}

/// One entry; `None` for an empty one.
fn read(entry: &'static str) -> Option<Known> {
    let mut lines = Lines { lines: entry.lines().collect(), at: 1 };
    let head = *lines.lines.first()?;
    let (names, shared) = head.split_once(": ").unwrap_or((head, ""));
    let (name, gem) = names.split_once(' ')?;
    let words = shared.split_whitespace().map(|word| word.trim_end_matches(')').split_once('(').unwrap_or((word, "")));
    let flat = words.clone().filter_map(|(word, _)| compat(word.strip_suffix('!')?)).collect::<Vec<_>>();
    let defaults = words.clone().flat_map(|(_, defaults)| defaults.split(',')).filter(|default| !default.is_empty());
    let chunk_keys = defaults.clone().filter(|default| !default.contains('=')).collect();
    let buffer_params = defaults.filter_map(|default| default.split_once('=')).collect();
    let shared = words.map(|(word, _)| word.trim_end_matches('!')).collect();
    Some(Known { name, gem, section: lines.section(1), shared, compat: Vec::leak(flat), chunk_keys, buffer_params })
}

fn compat(section: &str) -> Option<Compat> {
    Some(match section {
        "buffer" => Compat::Buffer,
        "parse" => Compat::Parser,
        "format" => Compat::Formatter,
        "inject" => Compat::Inject,
        "extract" => Compat::Extract,
        _ => return None,
    })
}

struct Lines {
    lines: Vec<&'static str>,
    at: usize,
}

impl Lines {
    /// The parameters and sections that are indented by `depth` steps of two blanks.
    fn section(&mut self, depth: usize) -> &'static Section {
        let (mut params, mut sections) = (Vec::new(), Vec::new());
        while let Some(line) = self.lines.get(self.at).copied() {
            let text = line.trim_start();
            if line.len() - text.len() < depth * 2 {
                break;
            }
            self.at += 1;
            match text.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
                None => params.push(param(text)),
                Some((name, marks)) => {
                    let inside = self.section(depth + 1);
                    let is = |mark: &str| marks.split_whitespace().any(|word| word == mark);
                    sections.push(Sub { name, many: is("many"), required: is("required"), section: (!is("any")).then_some(inside) });
                }
            }
        }
        Box::leak(Box::new(Section { doc: &[], params: Vec::leak(params), sections: Vec::leak(sections) }))
    }
}

fn param(text: &'static str) -> Declared {
    let (marks, default) = match text.split_once(" = ") {
        Some((marks, default)) => (marks, Some(default.trim_matches('"'))),
        None => (text, None),
    };
    let mut words = marks.split_whitespace();
    let (name, kind) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut declared = Declared { default, ..Declared::optional(name, kind_of(kind)) };
    for word in words {
        match word {
            "secret" => declared.secret = true,
            "required" => declared.required = true,
            "deprecated" => declared.deprecated = Some("see what the plugin's documentation names in its place"),
            "obsoleted" => declared.obsoleted = Some("see what the plugin's documentation names in its place"),
            alias => declared.alias = alias.strip_prefix("alias:"),
        }
    }
    declared
}

fn kind_of(word: &'static str) -> Kind {
    match word {
        "integer" => Kind::Integer,
        "float" => Kind::Float,
        "size" => Kind::Size,
        "time" => Kind::Time,
        "bool" => Kind::Bool,
        "regexp" => Kind::Regexp,
        "hash" => Kind::Hash,
        "array" => Kind::Array,
        other => match other.strip_prefix("enum(").and_then(|rest| rest.strip_suffix(')')) {
            Some(words) => Kind::Enum(Vec::leak(words.split('|').collect())),
            None => Kind::String,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static SAMPLE: KnownPlugins = KnownPlugins::new(
        "output",
        "one some-gem: buffer!(tag,time,timekey=60) format\n  host string required\n  port integer = 80\n  key string alias:pass secret\n  mode enum(a|b) = a\n  old bool deprecated\n  \
         <server> many required\n    name string\n    <deep>\n      x size = 1k\n  last string = \"\"\n\ntwo core\n  <free> any\n",
    );

    #[test]
    fn entries_are_read() {
        let one = SAMPLE.find("one").expect("is there");
        assert_eq!((one.gem, one.shared.join(" ").as_str(), one.compat), ("some-gem", "buffer format", &[Compat::Buffer][..]));
        assert_eq!((&one.chunk_keys[..], &one.buffer_params[..]), (&["tag", "time"][..], &[("timekey", "60")][..]));
        let names: Vec<&str> = one.section.params.iter().map(|param| param.name).collect();
        assert_eq!(names, ["host", "port", "key", "mode", "old", "last"]);
        assert_eq!(one.section.params[3].kind, Kind::Enum(&["a", "b"]));
        assert!(one.section.params[2].secret && one.section.declared("pass").is_some());
        let server = &one.section.sections[0];
        assert!(server.many && server.required);
        assert_eq!(server.section.and_then(|inner| inner.sections[0].section).map(|deep| deep.params[0].default), Some(Some("1k")));
        assert!(SAMPLE.find("two").is_some_and(|two| two.section.sections[0].section.is_none()));
        assert!(SAMPLE.find("three").is_none());
    }
}
