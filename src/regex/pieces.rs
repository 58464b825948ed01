//! Where an expression can be cut: its pieces one after the other, and what is within a group. For those who look for the part that fails.
//!
//! It reads only as much of the syntax as that needs; what is cut wrongly does not compile, and callers try another cut.

/// One piece of an expression with its quantifiers: the bytes `start..end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// First byte.
    pub start: usize,
    /// Byte after the last.
    pub end: usize,
    /// Whether it has a quantifier.
    pub repeated: bool,
}

/// The alternatives of an expression at its outermost level, each with its pieces, by bytes of the whole; `%{...}` is one piece.
pub fn alternatives(source: &str) -> Vec<Vec<Piece>> {
    let bytes = source.as_bytes();
    let mut all = vec![Vec::new()];
    let mut pos = 0;
    while pos < bytes.len() {
        if bytes[pos] == b'|' {
            all.push(Vec::new());
            pos += 1;
            continue;
        }
        let start = pos;
        pos = atom_end(source, pos);
        let atom = pos;
        while let Some(end) = quantifier_end(bytes, pos) {
            pos = end;
        }
        if let Some(last) = all.last_mut() {
            last.push(Piece { start, end: pos, repeated: pos > atom });
        }
    }
    all
}

/// The inside of a plain, a capturing or a named group; `None` for everything else.
pub fn inside(piece: &str) -> Option<&str> {
    let inner = piece.strip_prefix('(')?.strip_suffix(')')?;
    if let Some(rest) = inner.strip_prefix("?:") {
        return Some(rest);
    }
    match inner.strip_prefix("?<") {
        Some(named) if !named.starts_with(['=', '!']) => named.split_once('>').map(|(_, rest)| rest),
        Some(_) => None,
        None if inner.starts_with('?') => None,
        None => Some(inner),
    }
}

/// The end of the element at `pos`, without quantifiers. Always behind `pos`.
fn atom_end(source: &str, pos: usize) -> usize {
    let bytes = source.as_bytes();
    let end = match bytes[pos] {
        b'\\' => escape_end(source, pos),
        b'[' => class_end(bytes, pos),
        b'(' => group_end(source, pos),
        b'%' if bytes.get(pos + 1) == Some(&b'{') => source[pos..].find('}').map_or(pos + 2, |at| pos + at + 1),
        _ => pos + char_width(source, pos),
    };
    end.min(bytes.len())
}

fn char_width(source: &str, pos: usize) -> usize {
    source.get(pos..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8)
}

/// `\d`, `\p{...}`, `\k<...>`, `\x41`, `\u0041`.
fn escape_end(source: &str, pos: usize) -> usize {
    let bytes = source.as_bytes();
    let letter = bytes.get(pos + 1).copied().unwrap_or(b' ');
    let behind = pos + 1 + if pos + 1 < bytes.len() { char_width(source, pos + 1) } else { 0 };
    let closed = |close: char| source.get(behind..).and_then(|rest| rest.find(close)).map_or(behind, |at| behind + at + 1);
    let digits = |most: usize| behind + bytes[behind..].iter().take(most).take_while(|byte| byte.is_ascii_hexdigit()).count();
    match (letter, bytes.get(behind)) {
        (b'p' | b'P' | b'x' | b'u', Some(b'{')) => closed('}'),
        (b'k' | b'g', Some(b'<')) => closed('>'),
        (b'x', _) => digits(2),
        (b'u', _) => digits(4),
        (b'0'..=b'9', _) => digits(2),
        _ => behind,
    }
}

/// The end of a set, with the sets in it.
fn class_end(bytes: &[u8], pos: usize) -> usize {
    let (mut depth, mut at) = (0usize, pos);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 1,
            b'[' => depth += 1,
            // The first character of a set is no end of it.
            b']' if bytes[at - 1] == b'[' || (bytes[at - 1] == b'^' && bytes.get(at.wrapping_sub(2)) == Some(&b'[')) => {}
            b']' if depth == 1 => return at + 1,
            b']' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

fn group_end(source: &str, pos: usize) -> usize {
    let bytes = source.as_bytes();
    let (mut depth, mut at) = (0usize, pos);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at = escape_end(source, at),
            b'[' => at = class_end(bytes, at),
            b'(' => {
                depth += 1;
                at += 1;
            }
            b')' if depth == 1 => return at + 1,
            b')' => {
                depth -= 1;
                at += 1;
            }
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The end of a quantifier at `pos`.
fn quantifier_end(bytes: &[u8], pos: usize) -> Option<usize> {
    match bytes.get(pos)? {
        b'*' | b'+' | b'?' => Some(pos + 1),
        b'{' => {
            let length = bytes[pos + 1..].iter().take_while(|byte| byte.is_ascii_digit() || **byte == b',').count();
            (length > 0 && bytes.get(pos + 1 + length) == Some(&b'}')).then_some(pos + length + 2)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(source: &str) -> Vec<Vec<&str>> {
        alternatives(source).iter().map(|pieces| pieces.iter().map(|piece| &source[piece.start..piece.end]).collect()).collect()
    }

    #[test]
    fn expressions_are_cut_between_their_elements() {
        assert_eq!(texts(r"a(b|[)]c)?\)d"), [["a", r"(b|[)]c)?", r"\)", "d"]]);
        assert_eq!(texts(r"[[:alpha:]\]]{2,3}?é+\p{Lu}\k<x>\x41"), [[r"[[:alpha:]\]]{2,3}?", "é+", r"\p{Lu}", r"\k<x>", r"\x41"]]);
        assert_eq!(texts("%{A:b} |(?<n>c)x{"), [vec!["%{A:b}", " "], vec!["(?<n>c)", "x", "{"]]);
        assert_eq!(texts("[]a][^]b]c"), [["[]a]", "[^]b]", "c"]]);
        for odd in ["", "(", "[", "\\", "%{", "a{", "\\p{", "(\\", "[\\", "\\é("] {
            let end = alternatives(odd).last().and_then(|pieces| pieces.last().map(|piece| piece.end));
            assert_eq!(end.unwrap_or(0), odd.len(), "{odd}");
        }
    }

    #[test]
    fn groups_are_opened() {
        assert_eq!(inside("(?<name>a(b))"), Some("a(b)"));
        assert_eq!(inside("(?:a)"), Some("a"));
        assert_eq!(inside("(a)"), Some("a"));
        for closed in ["(?=a)", "(?<=a)", "(?<!a)", "(?i:a)", "(?>a)", "a", "(a)?"] {
            assert_eq!(inside(closed), None, "{closed}");
        }
    }
}
