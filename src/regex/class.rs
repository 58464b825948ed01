//! Sets of characters: what a bracket expression, a POSIX class or a Unicode property holds.

use super::ast::{Class, Item, Named, Posix};
use regex_syntax::hir::{Class as HirClass, ClassUnicode, ClassUnicodeRange, HirKind};

/// The set of a `\p{name}`, or why it is refused.
pub(super) fn property(name: &str) -> Result<Named, String> {
    let plain: String = name.chars().filter(|char| !matches!(char, ' ' | '_' | '-')).flat_map(char::to_lowercase).collect();
    let invalid = || format!("invalid character property name {{{name}}}");
    if let Some(set) = Posix::parse(&plain) {
        return Ok(Named::Unicode(set));
    }
    match plain.as_str() {
        "" => Err(invalid()),
        "xposixpunct" => Ok(Named::Unicode(Posix::Punct)),
        "any" => Ok(Named::Property("Any".to_owned())),
        block if block.starts_with("in") && unicode(&format!(r"\p{{{block}}}")).is_none() => {
            Err(format!("a Unicode block cannot be expressed: {{{name}}}"))
        }
        other if other.contains(['=', ':', '!']) && !other.starts_with("age=") => Err(invalid()),
        other if other.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"=.".contains(&byte)) => {
            unicode(&format!(r"\p{{{other}}}")).map(|_| Named::Property(other.to_owned())).ok_or_else(invalid)
        }
        _ => Err(invalid()),
    }
}

/// Everything that a bracket expression matches.
pub(super) fn set(class: &Class, fold: bool) -> ClassUnicode {
    let mut whole = match class.operands.as_slice() {
        // `\w` and the like stay ASCII when case is ignored, though `k` then matches the Kelvin sign.
        [items] if fold => {
            let (fixed, free): (Vec<Item>, Vec<Item>) =
                items.iter().cloned().partition(|item| matches!(item, Item::Named { set: Named::Ascii(_), .. }));
            let mut whole = folded(union(&free));
            whole.union(&union(&fixed));
            whole
        }
        _ if fold => folded(inner(class)),
        _ => inner(class),
    };
    if class.negative {
        whole.negate();
    }
    whole
}

fn folded(mut set: ClassUnicode) -> ClassUnicode {
    // The tables are compiled in, so that folding cannot fail; were they not, the set would stay as it is.
    let _ = set.try_case_fold_simple();
    set
}

/// As [`set`], but before the outermost `^` and the case are looked at.
fn inner(class: &Class) -> ClassUnicode {
    let mut operands = class.operands.iter().map(|items| union(items));
    let mut whole = operands.next().unwrap_or_else(ClassUnicode::empty);
    for operand in operands {
        whole.intersect(&operand);
    }
    whole
}

fn union(items: &[Item]) -> ClassUnicode {
    let mut whole = ClassUnicode::empty();
    for item in items {
        match item {
            Item::Range(first, last) => whole.push(ClassUnicodeRange::new(*first, *last)),
            Item::Named { set, negative } => {
                let mut set = named(set);
                if *negative {
                    set.negate();
                }
                whole.union(&set);
            }
            Item::Nested(class) => {
                let mut set = inner(class);
                if class.negative {
                    set.negate();
                }
                whole.union(&set);
            }
        }
    }
    whole
}

/// The characters of a set with a name.
pub(super) fn named(set: &Named) -> ClassUnicode {
    let found = match set {
        Named::Ascii(posix) => unicode(ascii(*posix)),
        Named::Unicode(posix) => unicode(posix_source(*posix)),
        Named::Property(name) if name == "Any" => unicode(r"[\x{0}-\x{10FFFF}]"),
        Named::Property(name) => unicode(&format!(r"\p{{{name}}}")),
    };
    found.unwrap_or_else(ClassUnicode::empty)
}

fn unicode(source: &str) -> Option<ClassUnicode> {
    match regex_syntax::parse(source).ok()?.into_kind() {
        HirKind::Class(HirClass::Unicode(class)) => Some(class),
        // A set of one character.
        HirKind::Literal(literal) => {
            let char = std::str::from_utf8(&literal.0).ok()?.chars().next()?;
            Some(ClassUnicode::new([ClassUnicodeRange::new(char, char)]))
        }
        _ => None,
    }
}

/// The ASCII form of a set, in a syntax that our engine and the tables share.
pub(super) fn ascii(set: Posix) -> &'static str {
    match set {
        Posix::Alnum => "[0-9A-Za-z]",
        Posix::Alpha => "[A-Za-z]",
        Posix::Ascii => r"[\x00-\x7f]",
        Posix::Blank => r"[\t ]",
        Posix::Cntrl => r"[\x00-\x1f\x7f]",
        Posix::Digit => "[0-9]",
        Posix::Graph => r"[\x21-\x7e]",
        Posix::Lower => "[a-z]",
        Posix::Print => r"[\x20-\x7e]",
        Posix::Punct => r"[\x21-\x2f\x3a-\x40\x5b-\x60\x7b-\x7e]",
        Posix::Space => r"[\t-\r ]",
        Posix::Upper => "[A-Z]",
        Posix::Word => "[0-9A-Z_a-z]",
        Posix::XDigit => "[0-9A-Fa-f]",
    }
}

/// The Unicode form of a set, as Ruby defines it.
fn posix_source(set: Posix) -> &'static str {
    match set {
        Posix::Alnum => r"[\p{Alphabetic}\p{Nd}]",
        Posix::Alpha => r"[\p{Alphabetic}]",
        Posix::Blank => r"[\t\p{Zs}]",
        Posix::Cntrl => r"[\p{Cc}]",
        Posix::Digit => r"[\p{Nd}]",
        Posix::Graph => r"[^\p{White_Space}\p{Cc}\p{Cn}]",
        Posix::Lower => r"[\p{Lowercase}]",
        Posix::Print => r"[[^\p{White_Space}\p{Cc}\p{Cn}]\p{Zs}]",
        Posix::Punct => r"[\p{P}$+<=>^`|~]",
        Posix::Space => r"[\p{White_Space}]",
        Posix::Upper => r"[\p{Uppercase}]",
        Posix::Word => r"[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}]",
        Posix::Ascii | Posix::XDigit => ascii(set),
    }
}
