//! What the filter and the output `record_modifier` do to a record: set fields one after the other from text with Ruby in it, remove or
//! keep fields, replace within them. Also what `record_transformer` shares with them: its `<record>` sections and the fields it removes.

mod encoding;
mod expander;

use crate::config::{Element, ParamValue, Refused};
use crate::event::{Accessor, Event, Record, Scope, Tag, Value, intern, ruby};
use crate::plugin::Context;
use crate::regex::{Flags, Matched, Regex};
use encoding::Conversion;
pub use expander::{Expander, Run};

crate::section! {
    /// Replaces what matches in a field.
    pub struct Replace {
        /// The field.
        pub key: String,
        /// The regular expression, between slashes.
        pub expression: String,
        /// What is put in the place of each match; `\1` is the first group.
        pub replace: String,
    }
}

/// A replacement made ready.
struct Replacement {
    key: &'static str,
    pattern: Regex,
    with: String,
}

/// Why an event is not modified: Ruby's class and words.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The class.
    pub class: &'static str,
    /// The message.
    pub message: String,
}

/// The fields that are removed.
pub enum Removed {
    /// By ways that may lead into nested ones.
    Ways(Vec<Accessor>),
    /// By their names alone.
    Names(Vec<String>),
}

/// What the parameters of a plugin say.
pub struct Asked<'p> {
    /// Ruby that prepares instance variables.
    pub prepare_value: Option<&'p str>,
    /// `from` or `from:to`.
    pub char_encoding: Option<&'p str>,
    /// The fields that are removed; not with `whitelist_keys`.
    pub removed: Option<Removed>,
    /// The only fields that are kept, besides the new ones.
    pub whitelist_keys: Option<&'p str>,
}

/// Which of the old fields stay.
enum Keep {
    All,
    But(Removed),
    Only(Vec<&'static str>),
}

/// All that is done to a record.
pub struct Modifier {
    expander: Expander,
    keep: Keep,
    replacements: Vec<Replacement>,
    conversion: Option<Conversion>,
}

/// Accessors of a parameter's list.
pub fn accessors(keys: Option<&[String]>, element: &Element, context: &Context<'_>) -> Result<Vec<Accessor>, Refused> {
    let keys = keys.unwrap_or_default().iter();
    keys.map(|key| Accessor::parse(key).map_err(|why| context.refuse("FLM0441", element.span, format!("remove_keys: {why}")))).collect()
}

/// The parameters of all `<record>` sections; a later one of the same name wins, at the place of the first.
pub fn record_params(element: &Element, context: &Context<'_>) -> Result<Vec<(String, Option<String>)>, Refused> {
    let mut all: Vec<(String, Option<String>)> = Vec::new();
    for param in element.sections("record").into_iter().flat_map(|section| &section.params) {
        param.used.set(true);
        let value = match &param.value {
            ParamValue::Text(text) => Some(text.clone()),
            ParamValue::Nil => None,
            ParamValue::Default => {
                return Err(context.refuse("FLM0442", param.value_span, format!("'{}' doesn't have default value", param.key)));
            }
        };
        match all.iter_mut().find(|(key, _)| *key == param.key) {
            Some((_, known)) => *known = value,
            None => all.push((param.key.clone(), value)),
        }
    }
    Ok(all)
}

impl Modifier {
    /// Reads the `<record>` and `<replace>` sections of a plugin, and makes ready what its parameters ask for.
    pub fn new(asked: Asked<'_>, element: &Element, context: &Context<'_>) -> Result<Modifier, Refused> {
        let span = |name: &str| element.param(name).map_or(element.span, |param| param.value_span);
        let conversion =
            asked.char_encoding.map(Conversion::parse).transpose().map_err(|why| context.refuse("FLM0460", span("char_encoding"), why))?;
        let map = record_params(element, context)?;
        let expander = Expander::new(&map, asked.prepare_value, span("prepare_value"), element, context)?;
        let keep = match (asked.removed, asked.whitelist_keys) {
            (Some(_), Some(_)) => {
                return Err(context.refuse("FLM0461", element.span, "remove_keys and whitelist_keys are exclusive with each other."));
            }
            (Some(removed), None) => Keep::But(removed),
            (None, Some(keys)) => {
                let mut all: Vec<&'static str> = Vec::new();
                for key in keys.split(',').map(str::trim).chain(map.iter().map(|(key, _)| key.as_str())) {
                    if !all.contains(&key) {
                        all.push(intern(key));
                    }
                }
                Keep::Only(all)
            }
            (None, None) => Keep::All,
        };
        let replacements =
            element.sections("replace").into_iter().map(|section| replacement(section, context)).collect::<Result<_, _>>()?;
        Ok(Modifier { expander, keep, replacements, conversion })
    }

    /// Whether no event leaves anything behind for the next one.
    pub fn is_stateless(&self) -> bool {
        self.expander.is_stateless()
    }

    /// Begins the work on a batch of this tag.
    pub fn start(&self, tag: &Tag) -> Work<'_> {
        Work { modifier: self, run: self.expander.start(tag) }
    }
}

/// The work on one batch.
pub struct Work<'m> {
    modifier: &'m Modifier,
    run: Run<'m>,
}

impl Work<'_> {
    /// Modifies one event.
    pub fn modify<'a>(&mut self, scope: &Scope<'a>, event: &mut Event<'a>) -> Result<(), Failure> {
        self.run.set_fields(scope, event)?;
        let record = &mut event.record;
        match &self.modifier.keep {
            Keep::All => {}
            Keep::But(Removed::Ways(ways)) => ways.iter().for_each(|accessor| accessor.delete(record, scope.bump())),
            Keep::But(Removed::Names(names)) => {
                for name in names {
                    record.remove(name.as_bytes());
                }
            }
            Keep::Only(keys) => {
                let mut kept = Record::with_capacity(scope.bump(), keys.len());
                for key in keys {
                    if let Some(value) = record.get(key.as_bytes()) {
                        kept.push(Value::Str(key.as_bytes()), value);
                    }
                }
                *record = kept;
            }
        }
        for replacement in &self.modifier.replacements {
            replacement.apply(scope, record)?;
        }
        if let Some(conversion) = &self.modifier.conversion {
            conversion.apply(scope, record);
        }
        Ok(())
    }
}

fn replacement(section: &Element, context: &Context<'_>) -> Result<Replacement, Refused> {
    let given = Replace::read(section, context.diagnostics)?;
    let inside = given.expression.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
    let span = section
        .param("expression")
        .filter(|param| matches!(param.value, ParamValue::Text(_)))
        .map_or(section.span, |param| param.value_span);
    if inside.is_none() {
        context.diagnostics.warn(
            "FLM0462",
            Some(span),
            format!("You should use \"pattern /{0}/\" instead of \"pattern {0}\"", given.expression),
        );
    }
    let pattern = Regex::with_groups(inside.unwrap_or(&given.expression), Flags::default())
        .map_err(|why| context.refuse("FLM0463", span, format!("expression: {}", why.message)))?;
    Ok(Replacement { key: intern(&given.key), pattern, with: given.replace })
}

impl Replacement {
    fn apply<'a>(&self, scope: &Scope<'a>, record: &mut Record<'a>) -> Result<(), Failure> {
        let text = match record.get(self.key.as_bytes()) {
            None | Some(Value::Nil) => return Ok(()),
            Some(Value::Str(text) | Value::Bin(text)) => text,
            Some(other) => {
                let message = format!("no implicit conversion of {} into String", ruby::class(&other));
                return Err(Failure { class: "TypeError", message });
            }
        };
        if self.pattern.is_match(text) != Matched::Yes {
            return Ok(());
        }
        let replaced = crate::ruby::gsub(&self.pattern, text, self.with.as_bytes());
        record.set(self.key.as_bytes(), Value::Str(scope.bytes(&replaced)));
        Ok(())
    }
}
