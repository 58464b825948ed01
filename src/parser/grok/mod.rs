//! `grok`: Ruby expressions with patterns by name in them, several of which are tried in order. And `multiline_grok`.
//!
//! A pattern is expanded as text (`expand`) from built-in (`patterns`) and custom patterns, and then is a `regexp` parser of its
//! own with conversions from the types in its references. Text that no pattern matches is an event too.

mod expand;
mod library;
mod patterns;
#[cfg(test)]
mod tests;

pub use library::{Expansion, Library, Types};
pub use patterns::Series;

use super::regexp::{Fields, Regexp};
use super::{Base, Defaults, ParseError, Parsed, Parser, check_text};
use crate::config::{Diagnostics, Element, Refused};
use crate::event::{Record, Scope, Value, intern};
use crate::plugin::Context;
use crate::regex::{Flags, Matched, NoneOf, Regex, TextKind};
use expand::{Expanded, expand};
use patterns::Patterns;
use std::path::{Path, PathBuf};
use std::sync::Arc;

crate::section! {
    /// Patterns by name: `%{IP:client} %{NUMBER:took:float}`.
    pub struct Params {
        /// The pattern.
        pub grok_pattern: Option<String>,
        /// A file of further patterns, or a folder of such files: lines of a name, blanks and an expression.
        pub custom_pattern_path: Option<String>,
        /// The field that says that no pattern matched.
        pub grok_failure_key: Option<String>,
        /// The field that says which `<grok>` section matched: its name, or its number from 0.
        pub grok_name_key: Option<String>,
        /// Which built-in patterns are meant.
        pub grok_pattern_series: Series = "legacy",
    }
    sections { "grok": many(Section) }
}

crate::section! {
    /// As `grok`, for text of several lines: the dot matches newlines.
    pub struct MultilineParams {
        /// The expression that the first line of an event matches, between two characters that are left out: `/^\d/`.
        pub multiline_start_regexp: Option<String>,
        /// The pattern.
        pub grok_pattern: Option<String>,
        /// A file of further patterns, or a folder of such files.
        pub custom_pattern_path: Option<String>,
        /// The field that says that no pattern matched.
        pub grok_failure_key: Option<String>,
        /// The field that says which `<grok>` section matched.
        pub grok_name_key: Option<String>,
        /// Which built-in patterns are meant.
        pub grok_pattern_series: Series = "legacy",
    }
    sections { "grok": many(Section) }
}

crate::section! {
    /// One of several patterns.
    pub struct Section {
        /// What `grok_name_key` calls it.
        pub name: Option<String>,
        /// The pattern.
        pub pattern: String,
        /// Whether the field of the time stays.
        pub keep_time_key: bool = "false",
        /// The field that holds the time.
        pub time_key: Option<String> = "time",
        /// The format of times.
        pub time_format: Option<String>,
        /// The zone that they are in.
        pub timezone: Option<String>,
    }
}

/// Where a `regexp` parser looks for the time.
const DEFAULTS: Defaults = Defaults { time_key: Some("time"), ..REGEXP_DEFAULTS };
const REGEXP_DEFAULTS: Defaults = Defaults { time_key: None, time_type: crate::event::TimeType::String, time_format: None };

/// One pattern, ready to run.
struct Alternative {
    name: Name,
    regexp: Regexp,
}

/// What `grok_name_key` says.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Name {
    Text(&'static str),
    Number(i64),
}

/// So many alternatives are ruled out together, where there are more.
const RULED_OUT: usize = 8;

struct Grok {
    alternatives: Vec<Alternative>,
    /// What rules out each group of [`RULED_OUT`] of them; nothing where they are too few for that.
    none_of: Vec<Option<NoneOf>>,
    name_key: Option<&'static str>,
    failure_key: Option<&'static str>,
    first_line: Option<Regex>,
}

/// Makes the parser `grok`.
pub fn build(element: &Element, context: &Context<'_>) -> Result<Box<dyn Parser>, Refused> {
    let params = Params::read(element, context.diagnostics);
    Ok(Box::new(Grok::new(params?, false, element, context)?))
}

/// Makes the parser `multiline_grok`.
pub fn build_multiline(element: &Element, context: &Context<'_>) -> Result<Box<dyn Parser>, Refused> {
    let params = MultilineParams::read(element, context.diagnostics)?;
    let first_line = params.multiline_start_regexp.as_deref().map(|text| {
        let mut chars = text.chars();
        chars.next();
        chars.next_back();
        Regex::new(chars.as_str(), Flags::default())
            .map_err(|error| context.refuse("FLM0432", element.span, format!("multiline_start_regexp: {error}")))
    });
    let first_line = first_line.transpose()?;
    let params = Params {
        grok_pattern: params.grok_pattern,
        custom_pattern_path: params.custom_pattern_path,
        grok_failure_key: params.grok_failure_key,
        grok_name_key: params.grok_name_key,
        grok_pattern_series: params.grok_pattern_series,
    };
    Ok(Box::new(Grok { first_line, ..Grok::new(params, true, element, context)? }))
}

impl Grok {
    fn new(params: Params, multiline: bool, element: &Element, context: &Context<'_>) -> Result<Grok, Refused> {
        // Refuses what is wrong with the common parameters, though patterns of `<grok>` sections use few of them.
        Base::read(element, Defaults::default(), context)?;
        let mut patterns = patterns::series(params.grok_pattern_series).clone();
        if let Some(path) = &params.custom_pattern_path {
            add_custom(Path::new(path), &mut patterns, element, context)?;
        }
        let builder = Builder { patterns: &patterns, multiline, element, context };
        let mut alternatives: Vec<Alternative> = Vec::new();
        let sections = element.sections("grok");
        if let Some(pattern) = &params.grok_pattern {
            alternatives.extend(builder.flat(pattern)?);
            // Fluentd: beside `grok_pattern` the sections are read, and not used.
            for section in sections {
                Section::read(section, context.diagnostics)?;
            }
        } else {
            let read: Vec<_> = sections.iter().map(|section| (*section, Section::read(section, context.diagnostics))).collect();
            for (at, (section, params)) in read.into_iter().enumerate() {
                let params = params?;
                let name = params.name.as_deref().map_or(Name::Number(at as i64), |name| Name::Text(intern(name)));
                let built = builder.section(section, &params, name)?;
                // Fluentd: a second section of a name takes the place of the first, even where it is left out itself.
                let known = alternatives.iter().position(|known| known.name == name);
                match (known, built) {
                    (Some(at), Some(built)) => alternatives[at] = built,
                    (Some(at), None) => _ = alternatives.remove(at),
                    (None, built) => alternatives.extend(built),
                }
            }
        }
        if alternatives.is_empty() {
            let message = "no grok patterns. Check configuration, e.g. typo, configuration syntax, etc";
            return Err(context.refuse("FLM0430", element.span, message));
        }
        let key = |key: &Option<String>| key.as_deref().map(intern);
        let groups = alternatives.chunks(RULED_OUT).filter(|_| alternatives.len() > RULED_OUT);
        let none_of = groups.map(|group| NoneOf::of(group.iter().map(|alternative| alternative.regexp.regex()))).collect();
        Ok(Grok {
            alternatives,
            none_of,
            name_key: key(&params.grok_name_key),
            failure_key: key(&params.grok_failure_key),
            first_line: None,
        })
    }
}

/// Makes alternatives of one parser.
struct Builder<'b> {
    patterns: &'b Patterns,
    multiline: bool,
    element: &'b Element,
    context: &'b Context<'b>,
}

impl Builder<'_> {
    /// `grok_pattern`, with all parameters of the parser; `None` where it was left out.
    fn flat(&self, pattern: &str) -> Result<Option<Alternative>, Refused> {
        let expanded = self.expand(pattern, self.element)?;
        let mut element = self.element.clone();
        element.children.clear();
        if !expanded.types.is_empty() {
            element.set("types", &expanded.types_text(), element.span);
        }
        Ok(self.alternative(pattern, &expanded, &element, Name::Text("grok_pattern")))
    }

    /// A `<grok>` section, with its own parameters and few of the parser's.
    fn section(&self, section: &Element, params: &Section, name: Name) -> Result<Option<Alternative>, Refused> {
        let expanded = self.expand(&params.pattern, section)?;
        let mut element = Element::new("parse", "", section.span);
        let outer = |key: &str| self.element.text(key).map(str::to_owned);
        if !expanded.types.is_empty() {
            element.set("types", &expanded.types_text(), section.span);
        }
        let keep = params.keep_time_key || matches!(outer("keep_time_key").as_deref(), Some("true" | "yes" | ""));
        element.set("keep_time_key", if keep { "true" } else { "false" }, section.span);
        if let Some(time_key) = &params.time_key {
            element.set("time_key", time_key, section.span);
        }
        for (key, own) in [("time_format", &params.time_format), ("timezone", &params.timezone)] {
            if let Some(value) = own.clone().or_else(|| outer(key)) {
                element.set(key, &value, section.span);
            }
        }
        Ok(self.alternative(&params.pattern, &expanded, &element, name))
    }

    fn expand(&self, pattern: &str, element: &Element) -> Result<Expanded, Refused> {
        let expanded = expand(pattern, self.patterns).map_err(|why| self.context.refuse("FLM0431", element.span, why))?;
        for field in &expanded.ints {
            let message = format!("grok has no type 'int': '{field}:int' is taken as '{field}:integer'");
            self.context.diagnostics.warn("FLM0433", Some(element.span), message);
        }
        crate::info!("Expanded the pattern {pattern} into {}", expanded.expression);
        Ok(expanded)
    }

    /// The `regexp` parser that Fluentd makes of an expanded pattern. What is wrong with it is logged, and the pattern left out.
    fn alternative(&self, pattern: &str, expanded: &Expanded, element: &Element, name: Name) -> Option<Alternative> {
        let own = Diagnostics::default();
        let context = Context { diagnostics: &own, ..*self.context };
        let base = Base::read(element, DEFAULTS, &context);
        let compiled = self.compile(expanded);
        match (base, compiled) {
            (Ok(base), Ok(fields)) => Some(Alternative { name, regexp: Regexp::new(fields, base) }),
            (base, compiled) => {
                let mut why: Vec<String> = own.findings().iter().map(|finding| finding.message.clone()).collect();
                why.extend(compiled.err());
                debug_assert!(base.is_err() || !why.is_empty());
                crate::error!("the grok pattern {pattern} is left out: {}", why.join("; "));
                None
            }
        }
    }

    fn compile(&self, expanded: &Expanded) -> Result<Fields, String> {
        let mut regex = Regex::from_literal(&expanded.expression).map_err(|error| format!("{error}: /{}/", expanded.expression))?;
        if self.multiline {
            let flags = Flags { multi_line: true, ..Flags::default() };
            regex = Regex::new(regex.source(), flags).map_err(|error| error.message)?;
        }
        Fields::new(regex)
            .ok_or_else(|| "No named captures in 'expression' parameter. The regexp must have at least one named capture".to_owned())
    }
}

/// Adds the patterns of a file, or of all files of a folder. A path that is not there adds nothing.
fn add_custom(path: &Path, patterns: &mut Patterns, element: &Element, context: &Context<'_>) -> Result<(), Refused> {
    let refuse =
        |path: &Path, why: String| context.refuse("FLM0434", element.span, format!("custom_pattern_path: {}: {why}", path.display()));
    let files = custom_files(path).map_err(|error| refuse(path, error.to_string()))?;
    if !path.exists() {
        // Fluentd: passes over it in silence.
        let message = format!("custom_pattern_path: there is no file or folder {}: no patterns are read from it", path.display());
        context.diagnostics.warn("FLM0435", Some(element.span), message);
    }
    for file in files {
        let text = std::fs::read_to_string(&file).map_err(|error| refuse(&file, error.to_string()))?;
        read_custom(&text, patterns);
    }
    Ok(())
}

/// Adds the patterns of a text: lines of a name, blanks and an expression.
fn read_custom(text: &str, patterns: &mut Patterns) {
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let mut parts = line.splitn(2, char::is_whitespace);
        let name = parts.next().unwrap_or_default();
        match parts.next() {
            Some(expression) => _ = patterns.insert(name.to_owned(), Arc::from(expression.trim_start())),
            None => _ = patterns.remove(name),
        }
    }
}

/// The files of patterns that a path names: itself, or what is in its folder. What is no file, such as a pipe, may never end.
fn custom_files(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = Vec::new();
    if path.is_dir() {
        files.extend(std::fs::read_dir(path)?.flatten().map(|entry| entry.path()).filter(|path| !is_hidden(path) && path.is_file()));
        files.sort();
    } else if path.is_file() {
        files.push(path.to_owned());
    }
    Ok(files)
}

/// As for Ruby's `Dir.glob`: a name that starts with a dot.
fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

impl Grok {
    /// Reads a text by the first of these that matches it; `false` where none does.
    fn read_by_one<'a>(
        &self,
        group: &[Alternative],
        scope: &Scope<'a>,
        text: &'a [u8],
        kind: TextKind,
        out: &mut Parsed<'a>,
    ) -> Result<bool, ParseError> {
        for alternative in group {
            if !alternative.regexp.read(scope, text, kind, out)? {
                continue;
            }
            let Some((Some(_), record)) = out.events.last_mut() else {
                // Fluentd: a match without a time is none, where the present time is not used.
                out.events.pop();
                continue;
            };
            if let Some(key) = self.name_key {
                let name = match alternative.name {
                    Name::Text(name) => Value::text(name),
                    Name::Number(number) => Value::Int(number),
                };
                record.set(key.as_bytes(), name);
            }
            return Ok(true);
        }
        Ok(false)
    }
}

impl Parser for Grok {
    fn begins(&self, line: &[u8]) -> Option<bool> {
        self.first_line.as_ref().map(|regex| regex.is_match(line) == Matched::Yes)
    }

    fn parse<'a>(&self, scope: &Scope<'a>, text: &'a [u8], out: &mut Parsed<'a>) -> Result<(), ParseError> {
        let kind = check_text(text, out)?;
        for (number, group) in self.alternatives.chunks(RULED_OUT).enumerate() {
            if self.none_of.get(number).and_then(Option::as_ref).is_some_and(|none| none.is_sure(text)) {
                continue;
            }
            if self.read_by_one(group, scope, text, kind, out)? {
                return Ok(());
            }
        }
        let mut record = Record::with_capacity(scope.bump(), 2);
        record.push(Value::text("message"), Value::Str(text));
        if let Some(key) = self.failure_key {
            record.set(key.as_bytes(), Value::text("No grok pattern matched"));
        }
        let now = out.now();
        out.events.push((Some(now), record));
        Ok(())
    }
}
