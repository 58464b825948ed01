//! Parameters declared once, as data: [`section!`](crate::section) makes a struct, its reader and its [`Section`] from one declaration.

use super::{Diagnostics, Element, Refused};

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
                    other => Err($crate::config::none_of(&[$($word),*], other)),
                }
            }
        }
    };
}
