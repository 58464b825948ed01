//! A text that every match must contain, found in the tree: lines without it need no engine.

use super::ast::{Class, Item, Node};
use memchr::memmem::Finder;

/// Below this a literal is so common that looking for it does not pay.
const LEAST_SCORE: usize = 3;

/// The best literal that every match contains.
pub(super) fn required(root: &Node) -> Option<Finder<'static>> {
    let mut search = Search::default();
    search.node(root);
    search.flush();
    (score(&search.best) >= LEAST_SCORE).then(|| Finder::new(&search.best).into_owned())
}

#[derive(Default)]
struct Search {
    run: Vec<u8>,
    best: Vec<u8>,
}

impl Search {
    /// Ends a run of characters that stand side by side.
    fn flush(&mut self) {
        let run = std::mem::take(&mut self.run);
        if score(&run) > score(&self.best) {
            self.best = run;
        }
    }

    fn node(&mut self, node: &Node) {
        match node {
            Node::Empty | Node::Assert(_) | Node::Keep => {}
            Node::Char { char, fold } if !fold || caseless(*char) => self.push(*char),
            Node::Class { class, fold } => match only(class) {
                Some(char) if !fold || caseless(char) => self.push(char),
                _ => self.flush(),
            },
            Node::Concat(nodes) => nodes.iter().for_each(|node| self.node(node)),
            Node::Capture(_, node) | Node::Group(node) | Node::Atomic(node) => self.node(node),
            Node::Look { negative: true, .. } => {}
            Node::Look { node, .. } => {
                let outer = std::mem::take(&mut self.run);
                self.node(node);
                self.flush();
                self.run = outer;
            }
            Node::Repeat { node, min: 1, max: Some(1), .. } => self.node(node),
            Node::Repeat { node, min: 1.., .. } => {
                self.flush();
                self.node(node);
                self.flush();
            }
            _ => self.flush(),
        }
    }

    fn push(&mut self, char: char) {
        self.run.extend(char.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

/// Whether a character has no other case.
fn caseless(char: char) -> bool {
    char.is_ascii() && !char.is_ascii_alphabetic()
}

/// The character of a set that holds only one.
fn only(class: &Class) -> Option<char> {
    match (class.negative, class.operands.as_slice()) {
        (false, [items]) => match items.as_slice() {
            [Item::Range(first, last)] if first == last => Some(*first),
            _ => None,
        },
        _ => None,
    }
}

/// How much a literal tells: long ones and rare bytes more.
fn score(literal: &[u8]) -> usize {
    literal
        .iter()
        .map(|byte| match byte {
            b' ' | b'e' | b't' | b'a' | b'o' | b'0' | b'1' | b'.' | b'/' | b'-' | b':' => 1,
            b'a'..=b'z' | b'2'..=b'9' | b'"' | b',' | b'=' | b'_' => 2,
            _ => 3,
        })
        .sum()
}
