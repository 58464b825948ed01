//! How all branches of an alternation begin: a look at that before them spares a text that fits none of them the trial of each. The eight ways
//! to write an IPv6 address, for one, all begin with some hexadecimal digits and a colon, or with a colon.

use super::ast::Node;

/// Fewer branches are tried as quickly.
const MIN_BRANCHES: usize = 4;
/// More beginnings than this are no less work than the branches.
const MAX_BEGINNINGS: usize = 2;
/// How many elements of a beginning are looked at.
const MAX_ELEMENTS: usize = 2;

/// The beginnings, one of which every text that fits has: runs of characters and sets, which may be repeated. `None` where they say too little.
pub(super) fn beginnings(branches: &[Node]) -> Option<Vec<Vec<&Node>>> {
    if branches.len() < MIN_BRANCHES {
        return None;
    }
    let mut found: Vec<Vec<&Node>> = Vec::new();
    for branch in branches {
        let mut beginning = Vec::new();
        follow(branch, &mut beginning);
        if beginning.is_empty() {
            return None;
        }
        // What a shorter one lets through need not be looked at by a longer one.
        if found.iter().any(|other| beginning.starts_with(other)) {
            continue;
        }
        found.retain(|other| !other.starts_with(&beginning));
        found.push(beginning);
        if found.len() > MAX_BEGINNINGS {
            return None;
        }
    }
    Some(found)
}

/// Adds what the text of a node begins with; whether what follows the node is to be added behind it.
fn follow<'n>(node: &'n Node, into: &mut Vec<&'n Node>) -> bool {
    if into.len() == MAX_ELEMENTS {
        return false;
    }
    match node {
        one if is_single(one) => {
            into.push(one);
            true
        }
        Node::Repeat { node: one, min: 1.., .. } if is_single(one) => {
            into.push(node);
            true
        }
        // Once, and who knows what then.
        Node::Repeat { node, min: 1.., .. } => {
            follow(node, into);
            false
        }
        Node::Capture(_, node) | Node::Group(node) | Node::Atomic(node) => follow(node, into),
        Node::Concat(nodes) => nodes.iter().all(|node| follow(node, into)),
        _ => false,
    }
}

/// One character, whatever stands behind it: two without regard to case may be one in the text.
fn is_single(node: &Node) -> bool {
    matches!(node, Node::Char { fold: false, .. } | Node::Class { fold: false, .. })
}
