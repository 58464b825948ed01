//! What is doubtful about an expression that compiles: work that can grow exponentially, and groups that overwrite each other.
//!
//! Only what is certain from the tree alone is said; what merely could be slow is not.

use super::ast::{Class, Greed, Item, Named, Node};
use super::{Flags, class, syntax};
use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};

/// Something doubtful.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// A repetition of a repetition that can divide the same text in many ways.
    Exponential,
    /// A group of this name follows another of that name, and takes its place in the record.
    Repeated(String),
}

/// What is doubtful about an expression; nothing for one that does not compile.
pub fn doubts(source: &str, flags: Flags) -> Vec<Doubt> {
    let Ok(syntax) = syntax::parse(source, flags) else { return Vec::new() };
    let mut found = Vec::new();
    exponential(&syntax.root, &mut found);
    let mut names = Vec::new();
    captured(&syntax.root, &syntax.groups, &mut names, &mut found);
    found
}

fn add(found: &mut Vec<Doubt>, doubt: Doubt) {
    if !found.contains(&doubt) {
        found.push(doubt);
    }
}

fn exponential(node: &Node, found: &mut Vec<Doubt>) {
    match node {
        Node::Repeat { node: inner, max, greed, .. } => {
            let unbounded = max.is_none_or(|max| max > 30) && *greed != Greed::Possessive;
            if unbounded && is_ambiguous(inner) {
                add(found, Doubt::Exponential);
            }
            exponential(inner, found);
        }
        // What is inside is never tried again.
        Node::Atomic(_) => {}
        Node::Concat(nodes) | Node::Alternate(nodes) => nodes.iter().for_each(|node| exponential(node, found)),
        Node::Capture(_, node) | Node::Group(node) | Node::Absent(node, _) | Node::Look { node, .. } => exponential(node, found),
        Node::Conditional { yes, no, .. } => {
            exponential(yes, found);
            exponential(no, found);
        }
        _ => {}
    }
}

/// Whether a node that is repeated can match a text both in one round and in several.
fn is_ambiguous(node: &Node) -> bool {
    match node {
        Node::Capture(_, node) | Node::Group(node) => is_ambiguous(node),
        Node::Repeat { node, max: None, greed, .. } => *greed != Greed::Possessive && !is_empty_only(node),
        // One repetition whose neighbours can be empty, or are of its own characters.
        Node::Concat(nodes) => nodes.iter().enumerate().any(|(at, node)| {
            let own = match strip(node) {
                Node::Repeat { node, max: None, greed, .. } if *greed != Greed::Possessive => characters(node),
                _ => return false,
            };
            let Some(own) = own else { return false };
            let others = nodes.iter().enumerate().filter(|(other, _)| *other != at);
            others.map(|(_, node)| node).all(|node| can_be_empty(node) || characters(node).is_some_and(|set| is_within(&set, &own)))
        }),
        // Two alternatives of one character each that share some.
        Node::Alternate(nodes) => {
            let sets: Vec<ClassUnicode> = nodes.iter().filter_map(characters).collect();
            let many = nodes.iter().any(|node| matches!(strip(node), Node::Repeat { max: None, .. }) && is_ambiguous(node));
            many || sets.iter().enumerate().any(|(at, set)| sets[..at].iter().any(|earlier| overlap(set, earlier)))
        }
        _ => false,
    }
}

fn strip(node: &Node) -> &Node {
    match node {
        Node::Capture(_, inner) | Node::Group(inner) => strip(inner),
        other => other,
    }
}

fn is_empty_only(node: &Node) -> bool {
    matches!(strip(node), Node::Empty | Node::Assert(_) | Node::Look { .. })
}

fn can_be_empty(node: &Node) -> bool {
    match node {
        Node::Empty | Node::Keep => true,
        // A place keeps the rounds apart.
        Node::Assert(_) | Node::Look { .. } => false,
        Node::Concat(nodes) => nodes.iter().all(can_be_empty),
        Node::Alternate(nodes) => nodes.iter().any(can_be_empty),
        Node::Capture(_, node) | Node::Group(node) | Node::Atomic(node) => can_be_empty(node),
        Node::Repeat { node, min, .. } => *min == 0 || can_be_empty(node),
        _ => false,
    }
}

/// The set of a node that matches exactly one character.
fn characters(node: &Node) -> Option<ClassUnicode> {
    match strip(node) {
        Node::Char { char, .. } => Some(ClassUnicode::new([ClassUnicodeRange::new(*char, *char)])),
        Node::Class { class: set, fold } => Some(class::set(set, *fold)),
        Node::Any { newline: true } => Some(class::named(&Named::Property("Any".to_owned()))),
        Node::Any { newline: false } => {
            let newline = Class { negative: true, operands: vec![vec![Item::Range('\n', '\n')]] };
            Some(class::set(&newline, false))
        }
        Node::Alternate(nodes) => {
            let mut whole = ClassUnicode::empty();
            for node in nodes {
                whole.union(&characters(node)?);
            }
            Some(whole)
        }
        _ => None,
    }
}

fn overlap(a: &ClassUnicode, b: &ClassUnicode) -> bool {
    let mut both = a.clone();
    both.intersect(b);
    both.iter().next().is_some()
}

fn is_within(inner: &ClassUnicode, outer: &ClassUnicode) -> bool {
    let mut rest = inner.clone();
    rest.difference(outer);
    rest.iter().next().is_none()
}

/// Notes the names of the groups that take part together, and those that come a second time.
fn captured(node: &Node, groups: &[Option<String>], names: &mut Vec<String>, found: &mut Vec<Doubt>) {
    match node {
        Node::Capture(number, inner) => {
            if let Some(Some(name)) = number.checked_sub(1).and_then(|at| groups.get(at)) {
                if names.contains(name) {
                    add(found, Doubt::Repeated(name.clone()));
                }
                names.push(name.clone());
            }
            captured(inner, groups, names, found);
        }
        Node::Concat(nodes) => nodes.iter().for_each(|node| captured(node, groups, names, found)),
        // Only one of them takes part.
        Node::Alternate(nodes) => {
            let before = names.len();
            let mut all = Vec::new();
            for node in nodes {
                captured(node, groups, names, found);
                all.extend(names.drain(before..));
            }
            names.extend(all);
        }
        Node::Group(node) | Node::Atomic(node) | Node::Repeat { node, .. } => captured(node, groups, names, found),
        Node::Conditional { yes, no, .. } => {
            captured(yes, groups, names, found);
            captured(no, groups, names, found);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(source: &str) -> Vec<Doubt> {
        doubts(source, Flags::default())
    }

    #[test]
    fn repetitions_of_repetitions_are_exponential() {
        for source in
            ["(a+)+$", "^(a*)*b", "(?:\\w+)*!", "(?:[^,]+,?)*;", "(?:\\s|.)*x", "(?:.|a)+$", "((?<n>a+)b?)*c", "(?:a+a)*$", "(\\d+\\d*)+x"]
        {
            assert_eq!(of(source), [Doubt::Exponential], "{source}");
        }
        for source in [
            "(?:\\w+ )*x",
            "a+b+c*",
            "(?>a+)+",
            "(?:a++)*",
            "(?:a|b)*",
            "(?:[^,]+,)*",
            "^(?<a>.*) (?<b>.*)$",
            "(?:ab?)*",
            "(?:.|\\n)*x",
            "(?:a+){3}",
        ] {
            assert!(of(source).is_empty(), "{source}");
        }
    }

    #[test]
    fn groups_of_one_name_overwrite_each_other_unless_one_of_them_takes_part() {
        assert_eq!(of("(?<a>x)(?<a>y)"), [Doubt::Repeated("a".to_owned())]);
        assert_eq!(of("(?:(?<a>x)|(?<b>y))(?<a>y)"), [Doubt::Repeated("a".to_owned())]);
        assert!(of("(?<a>x)|(?<a>y)").is_empty());
        assert!(of("(?:(?<a>x)|(?<a>y)) (?<b>z)").is_empty());
    }
}
