//! Whether a tree makes sense as a whole, by Ruby's rules: references, look-behind, recursion.

use super::RegexError;
use super::ast::{Assert, Node, Target};
use super::syntax::Syntax;

/// Whether groups without a name capture: only where no group has a name.
pub(super) fn has_names(syntax: &Syntax) -> bool {
    syntax.groups.iter().any(Option::is_some)
}

/// Refuses what Ruby refuses.
pub(super) fn check(syntax: &Syntax) -> Result<(), RegexError> {
    if let Some(number) = syntax.numbered_reference {
        if has_names(syntax) {
            return Err(RegexError { message: "numbered backref/call is not allowed. (use name)".to_owned(), at: 0 });
        }
        if number > syntax.groups.len() {
            return Err(RegexError { message: "invalid backref number/name".to_owned(), at: 0 });
        }
    }
    let whole = Whole { syntax, bodies: bodies(syntax) };
    whole.walk(&syntax.root)?;
    for number in 0..=syntax.groups.len() {
        let mut seen = vec![false; whole.bodies.len()];
        if whole.bodies[number].is_some_and(|body| whole.starts_with_call(body, number, &mut seen)) {
            return Err(RegexError { message: "never ending recursion".to_owned(), at: 0 });
        }
    }
    let mut ends = vec![false; whole.bodies.len()];
    while (0..ends.len())
        .any(|number| !ends[number] && whole.bodies[number].is_some_and(|body| whole.ends(body, &ends)) && set(&mut ends, number))
    {}
    if (0..ends.len()).any(|number| whole.bodies[number].is_some() && !ends[number]) {
        return Err(RegexError { message: "never ending recursion".to_owned(), at: 0 });
    }
    Ok(())
}

fn set(flags: &mut [bool], number: usize) -> bool {
    flags[number] = true;
    true
}

/// What each group holds; 0 is the whole expression.
pub(super) fn bodies(syntax: &Syntax) -> Vec<Option<&Node>> {
    let mut bodies = vec![None; syntax.groups.len() + 1];
    bodies[0] = Some(&syntax.root);
    visit(&syntax.root, &mut |node| {
        if let Node::Capture(number, body) = node {
            bodies[*number] = Some(body);
        }
    });
    bodies
}

/// Every node, the outer before the inner.
pub(super) fn visit<'n>(node: &'n Node, f: &mut impl FnMut(&'n Node)) {
    f(node);
    children(node, &mut |child| visit(child, f));
}

fn children<'n>(node: &'n Node, f: &mut dyn FnMut(&'n Node)) {
    match node {
        Node::Concat(nodes) | Node::Alternate(nodes) => nodes.iter().for_each(f),
        Node::Capture(_, node) | Node::Group(node) | Node::Atomic(node) | Node::Absent(node, _) => f(node),
        Node::Look { node, .. } | Node::Repeat { node, .. } => f(node),
        Node::Conditional { yes, no, .. } => {
            f(yes);
            f(no);
        }
        _ => {}
    }
}

/// The group that a call means.
pub(super) fn callee(syntax: &Syntax, target: &Target, at: usize) -> Result<usize, RegexError> {
    match target {
        Target::Number(number) => Ok(*number),
        Target::Name(name) => {
            let mut found = (1..).zip(&syntax.groups).filter(|(_, known)| known.as_ref() == Some(name)).map(|(number, _)| number);
            match (found.next(), found.next()) {
                (Some(number), None) => Ok(number),
                (None, _) => Err(RegexError { message: format!("undefined name <{name}> reference"), at }),
                _ => Err(RegexError { message: format!("multiplex definition name <{name}> call"), at }),
            }
        }
    }
}

/// The one length in characters that a node matches, where it has one.
pub(super) fn fixed_width(syntax: &Syntax, node: &Node) -> Option<u32> {
    Whole { syntax, bodies: bodies(syntax) }.width(node, false, 0)
}

/// Whether a node can match the empty text.
pub(super) fn can_be_empty(syntax: &Syntax, node: &Node) -> bool {
    Whole { syntax, bodies: bodies(syntax) }.can_be_empty(node, 0)
}

struct Whole<'s> {
    syntax: &'s Syntax,
    bodies: Vec<Option<&'s Node>>,
}

impl<'s> Whole<'s> {
    fn walk(&self, node: &'s Node) -> Result<(), RegexError> {
        match node {
            Node::Call { target, at } => _ = callee(self.syntax, target, *at)?,
            Node::Look { behind: true, negative, node, at } => self.look_behind(node, *negative, *at)?,
            _ => {}
        }
        let mut result = Ok(());
        children(node, &mut |child| {
            if result.is_ok() {
                result = self.walk(child);
            }
        });
        result
    }

    /// Look-behind takes what has one length; at its top, alternatives of one length each.
    fn look_behind(&self, node: &'s Node, negative: bool, at: usize) -> Result<(), RegexError> {
        let invalid = || RegexError { message: "invalid pattern in look-behind".to_owned(), at };
        let mut top = node;
        while let Node::Group(inner) = top {
            top = inner;
        }
        let branches = match top {
            Node::Alternate(branches) => branches.as_slice(),
            one => std::slice::from_ref(one),
        };
        for branch in branches {
            self.width(branch, negative, 0).ok_or_else(invalid)?;
        }
        Ok(())
    }

    /// The one length in characters of what a look-behind holds; `None` where it has several, or must not stand there.
    fn width(&self, node: &Node, negative: bool, depth: usize) -> Option<u32> {
        /// Calls within calls; a recursive one has no width.
        const MAX_CALLS: usize = 5;
        match node {
            Node::Empty | Node::Keep => Some(0),
            Node::Char { .. } | Node::Any { .. } | Node::Class { .. } => Some(1),
            Node::Assert(Assert::TextEnd | Assert::TextEndOrNewline) => None,
            Node::Assert(_) | Node::Look { behind: true, .. } => Some(0),
            Node::Concat(nodes) => nodes.iter().try_fold(0u32, |sum, node| sum.checked_add(self.width(node, negative, depth)?)),
            Node::Alternate(nodes) => {
                let mut widths = nodes.iter().map(|node| self.width(node, negative, depth));
                let first = widths.next()??;
                widths.all(|width| width == Some(first)).then_some(first)
            }
            Node::Capture(..) if negative && !(has_names(self.syntax) && self.is_plain(node)) => None,
            Node::Capture(_, node) | Node::Group(node) => self.width(node, negative, depth),
            Node::Repeat { node, min, max, .. } if *max == Some(*min) => self.width(node, negative, depth)?.checked_mul(*min),
            Node::Call { target, at } if depth < MAX_CALLS => {
                let number = callee(self.syntax, target, *at).ok()?;
                self.width(self.bodies[number]?, negative, depth + 1)
            }
            _ => None,
        }
    }

    fn is_plain(&self, node: &Node) -> bool {
        matches!(node, Node::Capture(number, _) if self.syntax.groups[number - 1].is_none())
    }

    /// Whether a call of `group` can come before any character.
    fn starts_with_call(&self, node: &'s Node, group: usize, seen: &mut [bool]) -> bool {
        match node {
            Node::Call { target, at } => match callee(self.syntax, target, *at) {
                Ok(number) if number == group => true,
                Ok(number) if !std::mem::replace(&mut seen[number], true) => {
                    self.bodies[number].is_some_and(|body| self.starts_with_call(body, group, seen))
                }
                _ => false,
            },
            Node::Concat(nodes) => {
                for node in nodes {
                    if self.starts_with_call(node, group, seen) {
                        return true;
                    }
                    if !self.can_be_empty(node, 0) {
                        return false;
                    }
                }
                false
            }
            _ => {
                let mut found = false;
                children(node, &mut |child| found = found || self.starts_with_call(child, group, seen));
                found
            }
        }
    }

    fn can_be_empty(&self, node: &Node, depth: usize) -> bool {
        /// Deeper than that lies a recursion, which its own check judges.
        const MAX_CALLS: usize = 5;
        match node {
            Node::Char { .. } | Node::Any { .. } | Node::Class { .. } | Node::LineBreak | Node::Grapheme => false,
            Node::Concat(nodes) => nodes.iter().all(|node| self.can_be_empty(node, depth)),
            Node::Alternate(nodes) => nodes.iter().any(|node| self.can_be_empty(node, depth)),
            Node::Capture(_, node) | Node::Group(node) | Node::Atomic(node) => self.can_be_empty(node, depth),
            Node::Repeat { node, min, .. } => *min == 0 || self.can_be_empty(node, depth),
            Node::Conditional { yes, no, .. } => self.can_be_empty(yes, depth) || self.can_be_empty(no, depth),
            Node::Call { target, at } if depth < MAX_CALLS => callee(self.syntax, target, *at)
                .ok()
                .and_then(|number| self.bodies[number])
                .is_some_and(|body| self.can_be_empty(body, depth + 1)),
            _ => true,
        }
    }

    /// Whether it can match without a call that never ends; `ends` are the groups of which that is known.
    fn ends(&self, node: &'s Node, ends: &[bool]) -> bool {
        match node {
            Node::Call { target, at } => callee(self.syntax, target, *at).is_ok_and(|number| ends[number]),
            Node::Alternate(nodes) => nodes.iter().any(|node| self.ends(node, ends)),
            Node::Repeat { min: 0, .. } => true,
            Node::Conditional { yes, no, .. } => self.ends(yes, ends) || self.ends(no, ends),
            _ => {
                let mut all = true;
                children(node, &mut |child| all = all && self.ends(child, ends));
                all
            }
        }
    }
}
