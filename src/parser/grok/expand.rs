//! From a grok pattern to a Ruby expression: every `%{NAME:field:type}` becomes a group around the pattern of that name.

use super::patterns::Patterns;
use regex::Regex;
use std::sync::OnceLock;

/// Patterns that grow beyond this name themselves, or cannot be meant.
const MAX_EXPRESSION_BYTES: usize = 1 << 20;
/// As above, where a pattern names itself without growing.
const MAX_REFERENCES: usize = 10_000;

/// An expanded pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expanded {
    /// The Ruby expression.
    pub expression: String,
    /// The type of each field, in order of first appearance.
    pub types: Vec<(String, String)>,
    /// Fields that were given type `int`, which is no type of Fluentd's.
    pub ints: Vec<String>,
}

/// Expands a pattern; an error in Fluentd's words where it names an unknown one.
pub(super) fn expand(pattern: &str, patterns: &Patterns) -> Result<Expanded, String> {
    let mut expanded = Expanded { expression: pattern.to_owned(), types: Vec::new(), ints: Vec::new() };
    // What stands before a reference has none, and a reference starts where the one it came from did.
    let mut from = 0;
    for _ in 0..MAX_REFERENCES {
        let Some(found) = reference().captures_at(&expanded.expression, from) else { return Ok(expanded) };
        let name = found.get(1).map_or("", |name| name.as_str());
        let Some(meaning) = patterns.get(name) else {
            return Err(format!("grok pattern not found: {}", expanded.expression));
        };
        let (start, end) = found.get(0).map_or((0, 0), |whole| (whole.start(), whole.end()));
        let kind = found.get(3).map_or("string", |kind| kind.as_str()).to_owned();
        let group = match found.get(2).map(|field| field.as_str().to_owned()) {
            Some(field) => format!("(?<{}>{meaning})", expanded.add(field, kind)),
            None => format!("(?:{meaning})"),
        };
        expanded.expression.replace_range(start..end, &group);
        from = start;
        if expanded.expression.len() > MAX_EXPRESSION_BYTES {
            return Err(format!("grok pattern grows beyond {MAX_EXPRESSION_BYTES} bytes, perhaps because it contains itself: {pattern}"));
        }
    }
    Err(format!("grok pattern has more than {MAX_REFERENCES} references, perhaps because it contains itself: {pattern}"))
}

impl Expanded {
    /// Takes note of a field and its type, and gives the field's name in the record.
    fn add(&mut self, field: String, kind: String) -> String {
        let (field, kind) = match field.strip_suffix(":int") {
            // Fluentd: here the field would be called `name:int`, and the pattern refused for it.
            Some(field) => {
                self.ints.push(field.to_owned());
                (field.to_owned(), "integer".to_owned())
            }
            None => (field, kind),
        };
        let field = match field.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) {
            Some(inner) => inner.replace("][", "."),
            None => field,
        };
        match self.types.iter_mut().find(|(known, _)| *known == field) {
            Some((_, known)) => *known = kind,
            None => self.types.push((field.clone(), kind)),
        }
        field
    }

    /// The types as the parameter `types` has them.
    pub(super) fn types_text(&self) -> String {
        let pairs: Vec<String> = self.types.iter().map(|(field, kind)| format!("{field}:{kind}")).collect();
        pairs.join(",")
    }
}

/// What a reference looks like.
fn reference() -> &'static Regex {
    static REFERENCE: OnceLock<Regex> = OnceLock::new();
    REFERENCE.get_or_init(|| {
        let kinds = "string|bool|integer|float|time(?::.+?)?|array(?::.)?";
        let source = format!(r"%\{{([A-z0-9]+)(?::([@\[\]A-z0-9_:.-]+?)(?::({kinds}))?)?\}}");
        Regex::new(&source).unwrap_or_else(|error| unreachable!("a constant expression: {error}"))
    })
}
