//! Reading parameters by their declarations: what an element says of one, and its value.

use super::{Declared, Diagnostics, Element, FromLiteral, Json, Kind, Map, ParamValue, Refused, Seconds, Section, Size, Span};
use crate::event::Accessor;
use crate::regex::Regex;
use std::borrow::Cow;

/// What an element says of a parameter, whatever its type.
struct Said<'e> {
    /// The text of its value, or of its default.
    text: Option<Cow<'e, str>>,
    /// Where that is.
    span: Span,
    /// Whether the element names it.
    is_given: bool,
    /// Whether its default is the plugin's own.
    has_own_default: bool,
}

/// Finds what is to be read: the same for parameters of all types, so that it is there once.
fn find_param<'e>(element: &'e Element, declared: &'static Declared, diagnostics: &Diagnostics) -> Result<Said<'e>, Refused> {
    let own_default = element.default_of(declared.name);
    let has_own_default = own_default.is_some();
    let default = own_default.map(Cow::Owned).or(declared.default.map(Cow::Borrowed));
    let named = element.param(declared.name);
    let param = named.or_else(|| declared.alias.and_then(|alias| element.param(alias)));
    let Some(param) = param else { return Ok(Said { text: default, span: element.span, is_given: false, has_own_default }) };
    param.used.set(true);
    say_what_it_is(element, declared, param.span, diagnostics)?;
    let span = param.value_span;
    let text = match &param.value {
        ParamValue::Text(text) => Cow::Borrowed(text.as_str()),
        ParamValue::Default if declared.required && default.is_none() => {
            let message = format!("'{}' doesn't have default value", declared.name);
            return Err(diagnostics.error("FLM0209", Some(span), message));
        }
        // What has a default other than nil cannot be nil either.
        ParamValue::Nil if declared.required || default.is_some() => {
            let message = format!("'{}' parameter is required but nil is specified", declared.name);
            return Err(diagnostics.error("FLM0203", Some(span), message));
        }
        ParamValue::Default => return Ok(Said { text: default, span, is_given: true, has_own_default }),
        ParamValue::Nil => return Ok(Said { text: None, span, is_given: true, has_own_default }),
    };
    if let Some(why) = declared.refused
        && !says_nothing(declared, default.as_deref(), &text)
    {
        let message = format!("'{}' is not supported yet: {why}{}", declared.name, element.place());
        return Err(diagnostics.error("FLM0211", Some(span), message));
    }
    Ok(Said { text: Some(text), span, is_given: true, has_own_default })
}

/// Reads one declared parameter of an element; faults go to `diagnostics`.
#[inline(never)]
pub fn read_param<T: FromLiteral>(element: &Element, declared: &'static Declared, diagnostics: &Diagnostics) -> Result<T, Refused> {
    let said = find_param(element, declared, diagnostics)?;
    let Some(text) = said.text.as_deref() else { return T::absent().ok_or_else(|| missing(element, declared, diagnostics)) };
    let strict = diagnostics.strict();
    if let (Some(value), true) = (T::doubt(text, strict), said.is_given) {
        say_doubt(declared, text, said.span, &value, diagnostics);
    }
    // What a plugin gives a default of its own cannot be nil, even where the parameter itself could.
    if (!T::OPTIONAL || said.has_own_default) && T::is_nil(text, strict) {
        return Err(nil(declared, said.span, T::from_literal(text, true).err(), diagnostics));
    }
    T::from_literal(text, strict).map_err(|why| wrong(declared, said.span, &why, diagnostics))
}

#[cold]
fn missing(element: &Element, declared: &Declared, diagnostics: &Diagnostics) -> Refused {
    let message = format!("'{}' parameter is required{}", declared.name, element.place());
    diagnostics.error("FLM0202", Some(element.span), message)
}

#[cold]
fn say_doubt(declared: &Declared, text: &str, span: Span, value: &str, diagnostics: &Diagnostics) {
    diagnostics.warn("FLM0210", Some(span), format!("'{}': {text:?} is read as {value}", declared.name));
}

#[cold]
fn nil(declared: &Declared, span: Span, why: Option<String>, diagnostics: &Diagnostics) -> Refused {
    let why = why.unwrap_or_else(|| "nil".to_owned());
    diagnostics.error("FLM0203", Some(span), format!("'{}' parameter is required but nil is specified: {why}", declared.name))
}

#[cold]
fn wrong(declared: &Declared, span: Span, why: &str, diagnostics: &Diagnostics) -> Refused {
    diagnostics.error("FLM0204", Some(span), format!("{}: {why}", declared.name))
}

/// What a value is told that is none of a set of words.
#[cold]
pub fn none_of(words: &[&str], text: &str) -> String {
    format!("valid options are {} but got {text}", words.join(","))
}

/// Checks a whole section by its declaration alone, for plugins that no type of ours reads.
pub fn check(element: &Element, section: &'static Section, diagnostics: &Diagnostics) {
    element.declare(section);
    // Faults are in the diagnostics; the values are of no use here and below.
    let _ = section.check_sections(element, diagnostics);
    for declared in section.params {
        check_param(element, declared, diagnostics);
    }
    for sub in section.sections {
        for child in element.sections(sub.name) {
            match sub.section {
                Some(section) => check(child, section, diagnostics),
                None => child.pass_over(),
            }
        }
    }
}

fn check_param(element: &Element, declared: &'static Declared, diagnostics: &Diagnostics) {
    match declared.kind {
        Kind::String => check_type::<String>(element, declared, diagnostics),
        Kind::Integer => check_type::<i64>(element, declared, diagnostics),
        Kind::Float => check_type::<f64>(element, declared, diagnostics),
        Kind::Size => check_type::<Size>(element, declared, diagnostics),
        Kind::Time => check_type::<Seconds>(element, declared, diagnostics),
        Kind::Bool => check_type::<bool>(element, declared, diagnostics),
        Kind::Regexp => check_type::<Regex>(element, declared, diagnostics),
        Kind::Hash => check_type::<Map>(element, declared, diagnostics),
        Kind::Array => check_type::<Vec<Json>>(element, declared, diagnostics),
        Kind::Accessor => check_type::<Accessor>(element, declared, diagnostics),
        Kind::Enum(words) => {
            let Ok(Some(word)) = read_param::<Option<String>>(element, declared, diagnostics) else { return };
            if !words.contains(&word.as_str()) {
                let span = element.param(declared.name).map_or(element.span, |param| param.value_span);
                let message = format!("{}: valid options are {} but got {word}", declared.name, words.join(","));
                diagnostics.error("FLM0204", Some(span), message);
            }
        }
    }
}

fn check_type<T: FromLiteral>(element: &Element, declared: &'static Declared, diagnostics: &Diagnostics) {
    let _ = if declared.required || declared.default.is_some() {
        read_param::<T>(element, declared, diagnostics).map(drop)
    } else {
        read_param::<Option<T>>(element, declared, diagnostics).map(drop)
    };
}

/// Whether a value is the default, or as good as none.
fn says_nothing(declared: &Declared, default: Option<&str>, text: &str) -> bool {
    let bool_of = |text: &str| bool::from_literal(text, true).ok();
    match declared.kind {
        _ if default == Some(text) => true,
        Kind::Bool => bool_of(text).is_some_and(|value| !value && default.is_none_or(|default| bool_of(default) == Some(value))),
        Kind::Hash => text == "{}",
        Kind::Array => text == "[]",
        _ => false,
    }
}

/// Says whether it is old or does nothing.
fn say_what_it_is(element: &Element, declared: &Declared, span: Span, diagnostics: &Diagnostics) -> Result<(), Refused> {
    if let Some(instead) = declared.deprecated {
        diagnostics.warn("FLM0205", Some(span), format!("'{}' parameter is deprecated: {instead}", declared.name));
    }
    if let Some(why) = declared.idle {
        diagnostics.note("FLM0303", Some(span), format!("'{}' has no effect: {why}", declared.name));
    }
    if let Some(instead) = declared.obsoleted {
        let message = format!("'{}' parameter is already removed: {instead}{}", declared.name, element.place());
        return Err(diagnostics.error("FLM0206", Some(span), message));
    }
    Ok(())
}
