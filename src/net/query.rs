//! The query of a URL, and form bodies, which have the same shape: `name=value&name=value`.

/// The parts in order; a name may come more than once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(Vec<(Vec<u8>, Vec<u8>)>);

impl Query {
    /// Takes text apart at `&` and `;`, as Ruby's libraries do; a name without a value has an empty one.
    pub fn parse(text: &str) -> Query {
        Query::parse_bytes(text.as_bytes())
    }

    /// As [`Query::parse`]; values need not be UTF-8.
    pub fn parse_bytes(text: &[u8]) -> Query {
        let parts = text.split(|byte| matches!(byte, b'&' | b';')).filter(|part| !part.is_empty());
        let parts = parts.map(|part| {
            let mut sides = part.splitn(2, |byte| *byte == b'=');
            let mut side = || unescape(sides.next().unwrap_or_default());
            (side(), side())
        });
        Query(parts.collect())
    }

    /// The first value of a name, where it is UTF-8.
    pub fn first(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name.as_bytes());
        found.and_then(|(_, value)| std::str::from_utf8(value).ok())
    }

    /// All parts in order.
    pub fn into_parts(self) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.0
    }
}

/// `+` is a space and `%41` an `A`; a percent sign that is followed by no two digits stays.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let digit = |at: usize| text.get(at).and_then(|byte| (*byte as char).to_digit(16));
        match (text[at], digit(at + 1), digit(at + 2)) {
            (b'+', _, _) => plain.push(b' '),
            (b'%', Some(high), Some(low)) => {
                plain.push((high * 16 + low) as u8);
                at += 2;
            }
            (byte, _, _) => plain.push(byte),
        }
        at += 1;
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_unescaped_and_keep_their_order() {
        let query = Query::parse("a=1&b=x+y%20z&&c;%40id=p%&a=2&=v");
        assert_eq!(query.first("a"), Some("1"));
        assert_eq!((query.first("b"), query.first("c"), query.first("@id"), query.first("d")), (Some("x y z"), Some(""), Some("p%"), None));
        let names: Vec<String> = query.into_parts().iter().map(|(name, _)| String::from_utf8_lossy(name).into_owned()).collect();
        assert_eq!(names, ["a", "b", "c", "@id", "a", ""]);
        assert_eq!(Query::parse("x=%ff%zz%4").into_parts()[0].1, b"\xff%zz%4");
    }
}
