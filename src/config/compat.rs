//! The flat parameters of version 0.12: copied into the sections that have replaced them, where those are absent.
//!
//! The tables are Fluentd's. In addition every parameter and sub-section that the chosen parser or formatter declares is taken along,
//! so that third-party ones such as `grok` work in the flat form as well.

use super::{Diagnostics, Element, FromLiteral, Json, Param, ParamValue, Section, Span};
use std::cell::Cell;

/// Which old flat parameters of version 0.12 a plugin takes, and so into which sections they are moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compat {
    /// `buffer_type`, `flush_interval`, ... into `<buffer>`.
    Buffer,
    /// `time_slice_format`, ... into `<buffer time>`; otherwise as `Buffer`.
    TimeSlicedBuffer,
    /// `format`, `types`, ... into `<parse>`.
    Parser,
    /// `format`, `output_time`, ... into `<format>`.
    Formatter,
    /// `include_time_key`, ... into `<inject>`.
    Inject,
    /// `time_key`, ... into `<extract>`.
    Extract,
}

/// What is known about a plugin type: its declaration, and which flat parameters it takes.
pub type Row = (&'static Section, &'static [Compat]);

/// The plugin tables, by the kind of their section.
pub struct Tables<'t> {
    /// Inputs, by type.
    pub input: &'t dyn Fn(&str) -> Option<Row>,
    /// Filters, by type.
    pub filter: &'t dyn Fn(&str) -> Option<Row>,
    /// Outputs, by type.
    pub output: &'t dyn Fn(&str) -> Option<Row>,
    /// What a parser declares, by type.
    pub parser: &'t dyn Fn(&str) -> Option<&'static Section>,
    /// What a formatter declares, by type.
    pub formatter: &'t dyn Fn(&str) -> Option<&'static Section>,
}

const BUFFER: &[(&str, &str)] = &[
    ("buffer_type", "@type"),
    ("buffer_path", "path"),
    ("num_threads", "flush_thread_count"),
    ("flush_interval", "flush_interval"),
    ("try_flush_interval", "flush_thread_interval"),
    ("queued_chunk_flush_interval", "flush_thread_burst_interval"),
    ("disable_retry_limit", "retry_forever"),
    ("retry_limit", "retry_max_times"),
    ("max_retry_wait", "retry_max_interval"),
    ("buffer_chunk_limit", "chunk_limit_size"),
    ("buffer_queue_limit", "queue_limit_length"),
    ("buffer_queue_full_action", "overflow_action"),
    ("flush_at_shutdown", "flush_at_shutdown"),
    ("time_slice_wait", "timekey_wait"),
    ("timezone", "timekey_zone"),
];

const PARSER: &[(&str, &str)] = &[
    ("keys", "keys"),
    ("time_key", "time_key"),
    ("time_format", "time_format"),
    ("delimiter", "delimiter"),
    ("keep_time_key", "keep_time_key"),
    ("null_empty_string", "null_empty_string"),
    ("null_value_pattern", "null_value_pattern"),
    ("json_parser", "json_parser"),
    ("label_delimiter", "label_delimiter"),
    ("format_firstline", "format_firstline"),
    ("message_key", "message_key"),
    ("with_priority", "with_priority"),
    ("message_format", "message_format"),
    ("rfc5424_time_format", "rfc5424_time_format"),
];

const PARSER_OTHER: &[&str] = &["format", "types", "types_delimiter", "types_label_delimiter", "localtime", "utc"];

const INJECT: &[(&str, &str)] =
    &[("time_key", "time_key"), ("time_format", "time_format"), ("timezone", "timezone"), ("tag_key", "tag_key")];

const INJECT_OTHER: &[&str] = &["include_time_key", "include_tag_key", "localtime", "utc"];

const EXTRACT: &[(&str, &str)] = INJECT;

const EXTRACT_OTHER: &[&str] = &["localtime", "utc", "format"];

const FORMATTER: &[(&str, &str)] = &[
    ("format", "@type"),
    ("delimiter", "delimiter"),
    ("force_quotes", "force_quotes"),
    ("keys", "keys"),
    ("fields", "fields"),
    ("json_parser", "json_parser"),
    ("label_delimiter", "label_delimiter"),
    ("output_time", "output_time"),
    ("output_tag", "output_tag"),
    ("localtime", "localtime"),
    ("utc", "utc"),
    ("timezone", "timezone"),
    ("message_key", "message_key"),
    ("add_newline", "add_newline"),
    ("output_type", "output_type"),
];

/// What all parsers and formatters declare and Fluentd does not read in the flat form: taken, they would change the times of events.
const NOT_TAKEN: &[&str] =
    &["timezone", "time_type", "time_format", "time_format_fallbacks", "timeout", "estimate_current_event", "utc", "localtime"];

/// Where a flat parameter of a plugin that takes these has gone: the section, and the name there.
pub fn modern(kinds: &[Compat], key: &str) -> Option<(&'static str, &'static str)> {
    kinds.iter().find_map(|kind| {
        let (section, table, others): (_, _, &[(&str, &str)]) = match kind {
            Compat::Buffer | Compat::TimeSlicedBuffer => {
                ("buffer", BUFFER, &[("time_slice_format", "timekey"), ("retry_wait", "retry_wait")])
            }
            Compat::Parser => ("parse", PARSER, &[("format", "@type"), ("types", "types")]),
            Compat::Formatter => ("format", FORMATTER, &[]),
            Compat::Inject => ("inject", INJECT, &[("include_time_key", "time_key"), ("include_tag_key", "tag_key")]),
            Compat::Extract => ("extract", EXTRACT, &[]),
        };
        table.iter().chain(others).find(|(old, _)| *old == key).map(|(_, new)| (section, *new))
    })
}

/// Applies the tables to every plugin's section of a whole configuration.
pub fn apply_tree(root: &mut Element, tables: &Tables<'_>, diagnostics: &Diagnostics) {
    for child in &mut root.children {
        let lookup = match child.name.as_str() {
            "source" => Some(tables.input),
            "filter" => Some(tables.filter),
            "match" | "store" | "secondary" => Some(tables.output),
            _ => None,
        };
        let row = lookup.and_then(|lookup| lookup(&kind_of(child)?));
        if let Some((own, kinds)) = row {
            apply(child, own, kinds, tables.parser, tables.formatter, diagnostics);
        }
        apply_tree(child, tables, diagnostics);
    }
}

/// A section's type, without marking it as used.
fn kind_of(element: &Element) -> Option<String> {
    let param = element.param("@type").or_else(|| element.param("type"))?;
    text_of(param).map(str::to_owned)
}

/// Makes the sections that the flat parameters of one plugin stand for. `own` is what the plugin declares itself.
pub fn apply(
    element: &mut Element,
    own: &Section,
    kinds: &[Compat],
    parser_section: &dyn Fn(&str) -> Option<&'static Section>,
    formatter_section: &dyn Fn(&str) -> Option<&'static Section>,
    diagnostics: &Diagnostics,
) {
    let made: Vec<Element> = kinds
        .iter()
        .filter_map(|kind| match kind {
            Compat::Buffer => buffer(element, false, diagnostics),
            Compat::TimeSlicedBuffer => buffer(element, true, diagnostics),
            Compat::Parser => parser(element, own, parser_section, diagnostics),
            Compat::Formatter => formatter(element, own, formatter_section),
            Compat::Inject => inject(element, diagnostics),
            Compat::Extract => extract(element, diagnostics),
        })
        .collect();
    // The plugin's sub-sections that went along are no longer its own.
    for section in &made {
        let moved: Vec<Span> = section.children.iter().map(|child| child.span).collect();
        element.children.retain(|child| !moved.contains(&child.span));
    }
    element.children.extend(made);
}

/// A section in the making.
struct Made {
    section: Element,
}

impl Made {
    /// Begins the section `name` if it is absent and some of the flat parameters are there.
    fn begin(element: &Element, name: &str, table: &[(&str, &str)], other: &[&str]) -> Option<Made> {
        if element.has_section(name) {
            return None;
        }
        let flat = |key: &str| table.iter().any(|(old, _)| *old == key) || other.contains(&key);
        let first = element.params.iter().find(|param| flat(&param.key))?;
        let mut section = Element::new(name, "", first.span);
        section.plain = true;
        section.used.set(true);
        let mut made = Made { section };
        for (old, new) in table {
            made.copy(element, old, new);
        }
        Some(made)
    }

    /// Copies a parameter under its new name, unless it is there already.
    fn copy(&mut self, element: &Element, old: &str, new: &str) {
        if let Some(param) = element.param(old) {
            param.used.set(true);
            if self.section.param(new).is_none() {
                self.section.params.push(Param { key: new.to_owned(), used: Cell::new(false), ..param.clone() });
            }
        }
    }

    /// Sets a parameter whose value comes from the flat one at `span`.
    fn set(&mut self, key: &str, value: &str, span: Span) {
        self.section.set(key, value, span);
    }

    fn set_if_absent(&mut self, key: &str, value: &str, span: Span) {
        if self.section.param(key).is_none() {
            self.set(key, value, span);
        }
    }

    /// `localtime` from the flat `localtime` or `utc`.
    fn local_time(&mut self, element: &Element, both_allowed: bool, diagnostics: &Diagnostics) {
        if let Some((utc, span)) = utc(element, both_allowed, diagnostics) {
            self.set("localtime", if utc { "false" } else { "true" }, span);
        }
    }

    /// Takes along what a parser or formatter of this type declares and the plugin itself does not.
    fn take_declared(&mut self, element: &Element, own: &Section, declared: &Section) {
        for param in declared.params {
            for name in [Some(param.name), param.alias].into_iter().flatten() {
                if !name.starts_with('@') && !NOT_TAKEN.contains(&name) && own.declared(name).is_none() {
                    self.copy(element, name, name);
                }
            }
        }
        let taken = |child: &&Element| {
            let theirs = declared.sections.iter().any(|sub| sub.name == child.name);
            theirs && !own.sections.iter().any(|sub| sub.name == child.name)
        };
        self.section.children.extend(element.children.iter().filter(taken).cloned());
    }
}

fn text_of(param: &Param) -> Option<&str> {
    match &param.value {
        ParamValue::Text(text) => Some(text),
        ParamValue::Nil | ParamValue::Default => None,
    }
}

/// A parameter's text, marked as used.
fn flat<'e>(element: &'e Element, key: &str) -> Option<(&'e str, Span)> {
    let param = element.param(key)?;
    param.used.set(true);
    text_of(param).map(|text| (text, param.value_span))
}

/// Whether a flat bool is there and true.
fn is_on(element: &Element, key: &str) -> Option<Span> {
    let (text, span) = flat(element, key)?;
    matches!(bool::from_literal(text, false), Ok(true)).then_some(span)
}

/// What `localtime` or `utc` say about UTC; both are an error.
fn utc(element: &Element, both_allowed: bool, diagnostics: &Diagnostics) -> Option<(bool, Span)> {
    let (local, utc) = (flat(element, "localtime"), flat(element, "utc"));
    let is_true = |(text, _): (&str, Span)| matches!(bool::from_literal(text, false), Ok(true));
    if let (Some(local), Some(utc)) = (local, utc) {
        let contradict = (local.0 != "false") == (utc.0 != "false");
        if contradict || !both_allowed {
            diagnostics.error("FLM0221", Some(utc.1), "both of utc and localtime are specified, use only one of them");
            return None;
        }
    }
    match (local, utc) {
        (Some(local), _) => Some((!is_true(local), local.1)),
        (None, Some(utc)) => Some((is_true(utc), utc.1)),
        (None, None) => None,
    }
}

fn buffer(element: &Element, time_sliced: bool, diagnostics: &Diagnostics) -> Option<Element> {
    let mut made = Made::begin(element, "buffer", BUFFER, &["time_slice_format", "retry_wait"])?;
    if let Some(("exception", span)) = flat(element, "buffer_queue_full_action") {
        made.set("overflow_action", "throw_exception", span);
    }
    if let Some((_, span)) = flat(element, "flush_interval") {
        // Chunks by time would else wait for the end of their time.
        made.section.set_quietly("flush_mode", "interval", span);
    }
    if let Some((wait, span)) = flat(element, "retry_wait") {
        // Fluentd: not in its table, so that a flat `retry_wait` is lost.
        made.section.set_quietly("retry_wait", wait, span);
    }
    if let Some((format, span)) = flat(element, "time_slice_format") {
        let seconds = [("%S", "1"), ("%M", "60"), ("%H", "3600"), ("%d", "86400")].into_iter().find(|(part, _)| format.contains(part));
        match seconds {
            Some((_, seconds)) => made.set("timekey", seconds, span),
            None => drop(diagnostics.error("FLM0222", Some(span), "time_slice_format only with %Y or %m is too long")),
        }
        made.section.arg = "time".to_owned();
        if let Some((utc, span)) = utc(element, false, diagnostics) {
            made.set("timekey_use_utc", if utc { "true" } else { "false" }, span);
        }
    } else if time_sliced {
        made.section.arg = "time".to_owned();
        let span = made.section.span;
        made.set("timekey", "86400", span);
    }
    Some(made.section)
}

fn parser(
    element: &Element,
    own: &Section,
    sections: &dyn Fn(&str) -> Option<&'static Section>,
    diagnostics: &Diagnostics,
) -> Option<Element> {
    let mut made = Made::begin(element, "parse", PARSER, PARSER_OTHER)?;
    if let Some((format, span)) = flat(element, "format") {
        let expression = format.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
        let kind = if expression.is_some() { "regexp" } else { format };
        made.set("@type", kind, span);
        if let Some(expression) = expression {
            made.set("expression", expression, span);
        }
        if let Some(declared) = sections(kind) {
            made.take_declared(element, own, declared);
        }
        if kind == "multiline" {
            let numbered = |key: &str| key.strip_prefix("format").is_some_and(|number| number.parse::<u8>().is_ok());
            for param in element.params.iter().filter(|param| numbered(&param.key)) {
                made.copy(element, &param.key, &param.key);
            }
        }
    }
    types(element, &mut made);
    made.local_time(element, false, diagnostics);
    Some(made.section)
}

/// `types a:integer,b:bool` with its delimiters, as JSON.
fn types(element: &Element, made: &mut Made) {
    let delimiter = flat(element, "types_delimiter").map_or(",", |(text, _)| text);
    let label_delimiter = flat(element, "types_label_delimiter").map_or(":", |(text, _)| text);
    let Some((text, span)) = flat(element, "types") else { return };
    if text.starts_with('{') {
        return made.set("types", text, span);
    }
    let mut entries: Vec<(String, Json)> = Vec::new();
    for pair in text.split(delimiter).filter(|pair| !pair.is_empty()) {
        let (key, value) =
            pair.split_once(label_delimiter).map_or((pair, Json::Null), |(key, value)| (key, Json::String(value.to_owned())));
        match entries.iter_mut().find(|(known, _)| known == key) {
            Some(entry) => entry.1 = value,
            None => entries.push((key.to_owned(), value)),
        }
    }
    made.set("types", &Json::Object(entries).dump(), span);
}

fn formatter(element: &Element, own: &Section, sections: &dyn Fn(&str) -> Option<&'static Section>) -> Option<Element> {
    let mut made = Made::begin(element, "format", FORMATTER, &[])?;
    if let Some(span) = is_on(element, "time_as_epoch") {
        made.set("time_type", "unixtime", span);
    }
    let kind = made.section.param("@type").and_then(text_of).map(str::to_owned);
    let declared = kind.and_then(|kind| sections(&kind));
    // Most formatters write no times; `utc` is that of `<inject>` then.
    if let Some(span) = is_on(element, "utc").filter(|_| declared.is_none_or(|declared| declared.declared("localtime").is_some())) {
        made.set_if_absent("localtime", "false", span);
    }
    if let Some(declared) = declared {
        made.take_declared(element, own, declared);
    }
    Some(made.section)
}

fn inject(element: &Element, diagnostics: &Diagnostics) -> Option<Element> {
    let mut made = Made::begin(element, "inject", INJECT, INJECT_OTHER)?;
    if let Some(span) = is_on(element, "include_time_key") {
        made.set_if_absent("time_key", "time", span);
        made.set_if_absent("time_type", "string", span);
    }
    epoch(element, &mut made);
    made.local_time(element, true, diagnostics);
    if let Some(span) = is_on(element, "include_tag_key") {
        made.set_if_absent("tag_key", "tag", span);
    }
    Some(made.section)
}

fn extract(element: &Element, diagnostics: &Diagnostics) -> Option<Element> {
    let mut made = Made::begin(element, "extract", EXTRACT, EXTRACT_OTHER)?;
    let expression = flat(element, "format").filter(|(format, _)| format.starts_with('/') && format.ends_with('/'));
    if !epoch(element, &mut made)
        && let Some((_, span)) = expression
    {
        made.set_if_absent("time_key", "time", span);
        made.set_if_absent("time_type", "string", span);
    }
    made.local_time(element, false, diagnostics);
    Some(made.section)
}

/// `time_as_epoch`: the time as seconds.
fn epoch(element: &Element, made: &mut Made) -> bool {
    let Some(span) = is_on(element, "time_as_epoch") else { return false };
    made.set_if_absent("time_key", "time", span);
    made.set("time_type", "unixtime", span);
    true
}
