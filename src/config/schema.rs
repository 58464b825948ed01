//! Parameters declared once, as data: [`section!`](crate::section) makes a struct, its reader and its [`Section`] from one declaration.

use super::{Diagnostics, Element, FromLiteral, Json, Map, ParamValue, Refused, Seconds, Size};
use crate::event::Accessor;
use crate::regex::Regex;

/// What the manual calls a parameter's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    String,
    /// A whole number.
    Integer,
    /// A number.
    Float,
    /// Bytes, with `k`, `m`, `g`, `t`.
    Size,
    /// Seconds, with `s`, `m`, `h`, `d`.
    Time,
    /// true or false.
    Bool,
    /// A regular expression, `/re/flags`.
    Regexp,
    /// One of these words.
    Enum(&'static [&'static str]),
    /// A map: JSON, or `k:v,k:v`.
    Hash,
    /// A list: JSON, or comma-separated.
    Array,
    /// Where a field is: `key`, `$.a.b`, `$['a']['b']`.
    Accessor,
}

/// One declared parameter.
#[derive(Clone, Copy, Debug)]
pub struct Declared {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Its default in the configuration's own syntax; `None` where it is required, or nil by default.
    pub default: Option<&'static str>,
    /// Whether it must be given.
    pub required: bool,
    /// Another name for it.
    pub alias: Option<&'static str>,
    /// What to use in its place; giving it is warned about.
    pub deprecated: Option<&'static str>,
    /// What to use in its place; giving it is an error.
    pub obsoleted: Option<&'static str>,
    /// Why any value but the default is refused.
    pub refused: Option<&'static str>,
    /// Why it has no effect; giving it is noted.
    pub idle: Option<&'static str>,
    /// Shown as `xxxxxx`.
    pub secret: bool,
    /// Documentation, a line each.
    pub doc: &'static [&'static str],
}

impl Declared {
    /// A parameter that may be absent, with nothing else said of it.
    pub const fn optional(name: &'static str, kind: Kind) -> Declared {
        Declared {
            name,
            kind,
            default: None,
            required: false,
            alias: None,
            deprecated: None,
            obsoleted: None,
            refused: None,
            idle: None,
            secret: false,
            doc: &[],
        }
    }
}

/// A sub-section that a section can hold.
#[derive(Clone, Copy, Debug)]
pub struct Sub {
    /// Its name.
    pub name: &'static str,
    /// Whether it may be written more than once.
    pub many: bool,
    /// Whether it must be there.
    pub required: bool,
    /// What it holds; `None` where that depends on its `@type`.
    pub section: Option<&'static Section>,
}

/// A declared section.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// Documentation, a line each.
    pub doc: &'static [&'static str],
    /// Its parameters.
    pub params: &'static [Declared],
    /// Its sub-sections.
    pub sections: &'static [Sub],
}

impl Section {
    /// A section that holds nothing of its own.
    pub const EMPTY: Section = Section { doc: &[], params: &[], sections: &[] };

    /// The declaration of a parameter, by name or alias.
    pub fn declared(&self, name: &str) -> Option<&'static Declared> {
        self.params.iter().find(|param| param.name == name || param.alias == Some(name))
    }

    /// Marks the declared sub-sections as used and says which are missing or written too often.
    pub fn check_sections(&self, element: &Element, diagnostics: &Diagnostics) -> Result<(), Refused> {
        let mut result = Ok(());
        for sub in self.sections {
            let found = element.sections(sub.name);
            if let Some(section) = sub.section {
                found.iter().for_each(|child| child.declare(section));
            }
            if sub.required && found.is_empty() {
                let message = format!("'<{}>' sections are required{}", sub.name, element.place());
                result = Err(diagnostics.error("FLM0207", Some(element.span), message));
            }
            if let (false, Some(second)) = (sub.many, found.get(1)) {
                let message = format!("'<{}>' section cannot be written twice or more{}", sub.name, element.place());
                result = Err(diagnostics.error("FLM0208", Some(second.span), message));
            }
        }
        result
    }
}

/// Reads one declared parameter of an element; faults go to `diagnostics`.
pub fn read_param<T: FromLiteral>(element: &Element, declared: &'static Declared, diagnostics: &Diagnostics) -> Result<T, Refused> {
    let own_default = element.default_of(declared.name);
    let default = own_default.as_deref().or(declared.default);
    let named = element.param(declared.name);
    let param = named.or_else(|| declared.alias.and_then(|alias| element.param(alias)));
    let (text, span) = match param {
        Some(param) => {
            param.used.set(true);
            say_what_it_is(element, declared, param.span, diagnostics)?;
            match &param.value {
                ParamValue::Text(text) => (Some(text.as_str()), param.value_span),
                ParamValue::Default if declared.required && default.is_none() => {
                    let message = format!("'{}' doesn't have default value", declared.name);
                    return Err(diagnostics.error("FLM0209", Some(param.value_span), message));
                }
                ParamValue::Default => (default, param.value_span),
                // What has a default other than nil cannot be nil either.
                ParamValue::Nil if declared.required || default.is_some() => {
                    let message = format!("'{}' parameter is required but nil is specified", declared.name);
                    return Err(diagnostics.error("FLM0203", Some(param.value_span), message));
                }
                ParamValue::Nil => (None, param.value_span),
            }
        }
        None => (default, element.span),
    };
    let Some(text) = text else {
        return T::absent().ok_or_else(|| {
            let message = format!("'{}' parameter is required{}", declared.name, element.place());
            diagnostics.error("FLM0202", Some(element.span), message)
        });
    };
    if let (Some(why), Some(_)) = (declared.refused, param)
        && !says_nothing(declared, default, text)
    {
        let message = format!("'{}' is not supported yet: {why}{}", declared.name, element.place());
        return Err(diagnostics.error("FLM0211", Some(span), message));
    }
    let strict = diagnostics.strict();
    if let (Some(value), Some(_)) = (T::doubt(text, strict), param) {
        diagnostics.warn("FLM0210", Some(span), format!("'{}': {text:?} is read as {value}", declared.name));
    }
    // What a plugin gives a default of its own cannot be nil, even where the parameter itself could.
    if (!T::OPTIONAL || own_default.is_some()) && T::is_nil(text, strict) {
        let why = T::from_literal(text, true).err().unwrap_or_else(|| "nil".to_owned());
        let message = format!("'{}' parameter is required but nil is specified: {why}", declared.name);
        return Err(diagnostics.error("FLM0203", Some(span), message));
    }
    T::from_literal(text, strict).map_err(|why| diagnostics.error("FLM0204", Some(span), format!("{}: {why}", declared.name)))
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
fn say_what_it_is(element: &Element, declared: &Declared, span: super::Span, diagnostics: &Diagnostics) -> Result<(), Refused> {
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

/// Declares a section's parameters: a struct, `SECTION` (the declaration as data) and `read(element, diagnostics)`.
///
/// A field without `= "default"` is required, unless its type is an `Option`, which is then nil by default.
///
/// ```
/// flumen::section! {
///     /// What the section is for.
///     pub struct Params {
///         /// What the parameter does.
///         pub key_name: String,
///         /// Another.
///         pub reserve_data: bool = "false",
///         /// One with more to say.
///         pub shared_key: Option<String> [secret, alias "key", deprecated "use other_key instead"],
///     }
///     sections { "parse": one, "record": many }
/// }
/// ```
#[macro_export]
macro_rules! section {
    (
        $(#[doc = $section_doc:literal])*
        $vis:vis struct $name:ident {
            $( $(#[doc = $doc:literal])* pub $field:ident : $ty:ty $(= $default:literal)? $([ $($option:ident $($value:literal)?),* $(,)? ])? ),* $(,)?
        }
        $(sections { $( $sub:literal : $many:ident $(( $sub_ty:ty ))? ),* $(,)? })?
    ) => {
        $(#[doc = $section_doc])*
        #[derive(Clone, Debug)]
        $vis struct $name { $( $(#[doc = $doc])* pub $field: $ty, )* }

        impl $name {
            /// The declaration as data.
            pub const SECTION: $crate::config::Section = $crate::config::Section {
                doc: &[$($section_doc),*],
                params: &[$({
                    #[allow(unused_mut)]
                    let mut declared = $crate::config::Declared {
                        name: $crate::section!(@name $field),
                        kind: <$ty as $crate::config::FromLiteral>::KIND,
                        default: $crate::section!(@default $($default)?),
                        required: $crate::section!(@required $ty, $($default)?),
                        alias: None,
                        deprecated: None,
                        obsoleted: None,
                        refused: None,
                        idle: None,
                        secret: false,
                        doc: &[$($doc),*],
                    };
                    $($( $crate::section!(@option declared $option $($value)?); )*)?
                    declared
                }),*],
                sections: &[$($( $crate::config::Sub {
                    name: $sub,
                    many: $crate::section!(@many $many),
                    required: $crate::section!(@needed $many),
                    section: $crate::section!(@sub $($sub_ty)?),
                } ),*)?],
            };

            /// Reads the section; every fault goes to `diagnostics`, not only the first.
            pub fn read(element: &$crate::config::Element, diagnostics: &$crate::config::Diagnostics) -> Result<$name, $crate::config::Refused> {
                const SECTION: &$crate::config::Section = &$name::SECTION;
                element.declare(SECTION);
                let sections = SECTION.check_sections(element, diagnostics);
                #[allow(unused_mut, unused_variables)]
                let mut at = 0;
                $(
                    let $field = $crate::config::read_param::<$ty>(element, &SECTION.params[at], diagnostics);
                    #[allow(unused_assignments)]
                    { at += 1; }
                )*
                sections?;
                Ok($name { $($field: $field?,)* })
            }
        }
    };
    (@name $field:ident) => { $crate::config::plain_name(stringify!($field)) };
    (@default) => { None };
    (@default $default:literal) => { Some($default) };
    (@required $ty:ty, ) => { !<$ty as $crate::config::FromLiteral>::OPTIONAL };
    (@required $ty:ty, $default:literal) => { false };
    (@option $declared:ident secret) => { $declared.secret = true; };
    (@option $declared:ident name $value:literal) => { $declared.name = $value; };
    (@option $declared:ident alias $value:literal) => { $declared.alias = Some($value); };
    (@option $declared:ident deprecated $value:literal) => { $declared.deprecated = Some($value); };
    (@option $declared:ident obsoleted $value:literal) => { $declared.obsoleted = Some($value); };
    (@option $declared:ident refused $value:literal) => { $declared.refused = Some($value); };
    (@option $declared:ident idle $value:literal) => { $declared.idle = Some($value); };
    (@many one) => { false };
    (@many required) => { false };
    (@many many) => { true };
    (@many some) => { true };
    (@needed one) => { false };
    (@needed many) => { false };
    (@needed required) => { true };
    (@needed some) => { true };
    (@sub) => { None };
    (@sub $ty:ty) => { Some(&<$ty>::SECTION) };
}

/// A field's name without Rust's `r#`.
pub const fn plain_name(name: &'static str) -> &'static str {
    let bytes = name.as_bytes();
    if bytes.len() > 2 && bytes[0] == b'r' && bytes[1] == b'#' { name.split_at(2).1 } else { name }
}

/// Declares a closed set of words as an enum that a parameter can have.
///
/// ```
/// flumen::choice! {
///     /// When chunks are flushed.
///     pub enum FlushMode { Default = "default", Lazy = "lazy" }
/// }
/// ```
#[macro_export]
macro_rules! choice {
    ($(#[doc = $doc:literal])* $vis:vis enum $name:ident { $( $variant:ident = $word:literal ),* $(,)? }) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $vis enum $name { $( #[doc = $word] $variant ),* }

        impl $crate::config::FromLiteral for $name {
            const KIND: $crate::config::Kind = $crate::config::Kind::Enum(&[$($word),*]);

            fn from_literal(text: &str, _strict: bool) -> Result<Self, String> {
                match text {
                    $( $word => Ok($name::$variant), )*
                    other => Err(format!("valid options are {} but got {other}", [$($word),*].join(","))),
                }
            }
        }
    };
}
