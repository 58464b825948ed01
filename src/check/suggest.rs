//! "Did you mean": the nearest of the names that would have been right.

use super::known;
use super::subject::{Raw, Subject, kind_of, value, walk};
use crate::config::{Element, Kind, Span};

/// The name nearest to `given`, unless none is near.
pub fn closest<'n>(given: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let limit = (given.chars().count() / 3).clamp(1, 3);
    let near = names.filter(|name| *name != given).map(|name| (distance(given, name), name)).filter(|(distance, _)| *distance <= limit);
    near.min().map(|(_, name)| name)
}

/// How many letters have to be changed, left out, added or swapped; case counts for nothing.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.to_lowercase().chars().collect();
    let b: Vec<char> = b.to_lowercase().chars().collect();
    if a.len().abs_diff(b.len()) > 3 {
        return usize::MAX;
    }
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut best = (row[j] + 1).min(rows[i][j + 1] + 1).min(rows[i][j] + usize::from(x != y));
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                best = best.min(rows[i - 1][j - 1] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

/// Says of unused parameters in one line what the log says with the whole section.
pub fn shorten(subject: &Subject<'_>, findings: &mut [Raw]) {
    for finding in findings.iter_mut().filter(|finding| finding.code == "FLM0301") {
        walk(subject.built, &mut |element, _| {
            if let Some(param) = element.params.iter().find(|param| Some(param.span) == finding.span) {
                let kind = kind_of(element);
                let of = if kind.is_empty() { String::new() } else { format!(" of type {kind}") };
                finding.message = format!("parameter '{}' is not used by {}{of}", param.key, element.tag_text());
            }
        });
    }
}

/// Lets a finding about a label point to where the label is named.
pub fn point_to_labels(subject: &Subject<'_>, findings: &mut [Raw]) {
    for finding in findings.iter_mut().filter(|finding| finding.code == "FLM0406") {
        let Some(name) = finding.message.split(' ').next().map(str::to_owned) else { continue };
        walk(subject.built, &mut |element, _| {
            let named = element.params.iter().find(|param| value(param) == Some(&name));
            if let Some(param) = named.filter(|_| Some(element.span) == finding.span) {
                finding.span = Some(param.value_span);
            }
        });
    }
}

/// Adds suggestions to what reading and building found.
pub fn add(subject: &Subject<'_>, findings: &mut [Raw]) {
    for finding in findings.iter_mut().filter(|finding| finding.help.is_empty()) {
        let Some(span) = finding.span else { continue };
        let advice = match finding.code {
            "FLM0301" => unused_parameter(subject, span),
            "FLM0302" => unused_section(subject, span),
            "FLM0401" => Advice::text("every <source>, <match>, <filter> and <store> names its plugin by @type"),
            "FLM0402" | "FLM0421" | "FLM0410" | "FLM0502" => unknown_plugin(&finding.message),
            "FLM0406" => missing_label(subject, &finding.message),
            "FLM0204" => wrong_word(&finding.message),
            "FLM0101" => other_end(&finding.message),
            "FLM0114" => Some(Advice { help: None, swap: Some(("include".to_owned(), "@include".to_owned())) }),
            "FLM0121" => old_name(&finding.message),
            _ => None,
        };
        let Some(advice) = advice else { continue };
        finding.help.extend(advice.help);
        finding.swap = advice.swap.and_then(|(wrong, right)| subject.swap(span, &wrong, &right));
    }
}

/// What to say of a finding, and which piece of its text to write otherwise.
struct Advice {
    help: Option<String>,
    swap: Option<(String, String)>,
}

impl Advice {
    fn text(help: &str) -> Option<Advice> {
        Some(Advice { help: Some(help.to_owned()), swap: None })
    }

    /// That another name was meant.
    fn near(given: &str, near: &str) -> Advice {
        Advice { help: Some(format!("did you mean '{near}'?")), swap: Some((given.to_owned(), near.to_owned())) }
    }
}

/// The closing tag of the section that is open, for `unmatched end tag '</x>': <y> is open`.
fn other_end(message: &str) -> Option<Advice> {
    let (given, rest) = message.strip_prefix("unmatched end tag '</")?.split_once(">': <")?;
    let open = rest.strip_suffix("> is open")?;
    Some(Advice { help: None, swap: Some((format!("</{given}"), format!("</{open}"))) })
}

/// For `'type' is deprecated parameter name. use '@type' instead.`
fn old_name(message: &str) -> Option<Advice> {
    let mut quoted = message.split('\'').skip(1).step_by(2);
    let (old, new) = (quoted.next()?, quoted.next()?);
    Some(Advice { help: None, swap: Some((old.to_owned(), new.to_owned())) })
}

fn unused_parameter(subject: &Subject<'_>, span: Span) -> Option<Advice> {
    let mut help = None;
    walk(subject.built, &mut |element, _| {
        for param in element.params.iter().filter(|param| param.span == span) {
            help = help.take().or_else(|| instead_of(element, &param.key));
        }
    });
    help
}

/// Where a parameter that nobody takes might belong.
fn instead_of(element: &Element, key: &str) -> Option<Advice> {
    if key.contains('#') {
        return Advice::text("a # right behind a name is part of the name: put a blank before it");
    }
    let declared = element.declarations();
    let names = declared.iter().flat_map(|section| section.params).map(|param| param.name).filter(|name| element.param(name).is_none());
    if let Some(near) = closest(key, names) {
        return Some(Advice::near(key, near));
    }
    let subs = || declared.iter().flat_map(|section| section.sections);
    if let Some(sub) = subs().find(|sub| sub.section.is_some_and(|section| section.declared(key).is_some())) {
        return Advice::text(&format!("it belongs into a <{}> section", sub.name));
    }
    let taken = declared.iter().any(|section| section.params.iter().any(|param| param.name == "chunk_limit_size"));
    let is_buffer = crate::buffer::Params::SECTION.params.iter().any(|param| param.name == key);
    Advice::text("it belongs into a <buffer> section").filter(|_| is_buffer && !taken && matches!(element.name.as_str(), "match" | "store"))
}

fn unused_section(subject: &Subject<'_>, span: Span) -> Option<Advice> {
    let mut help = None;
    walk(subject.built, &mut |element, around| {
        if element.span == span && help.is_none() {
            let declared = around.last().map(|parent| parent.declarations()).unwrap_or_default();
            let structure: &[&str] = match around.last().map(|parent| parent.name.as_str()) {
                Some("ROOT") => &["source", "match", "filter", "label", "worker", "system"],
                Some("label") => &["match", "filter"],
                _ => &["buffer", "parse", "format", "inject", "extract", "store", "secondary"],
            };
            let names = declared.iter().flat_map(|section| section.sections).map(|sub| sub.name).chain(structure.iter().copied());
            help = closest(&element.name, names)
                .map(|near| Advice { help: Some(format!("did you mean <{near}>?")), swap: Some((element.name.clone(), near.to_owned())) });
        }
    });
    help
}

/// `Unknown KIND plugin 'NAME'...`
pub(super) fn named_plugin(message: &str) -> Option<(&str, &str)> {
    let rest = message.strip_prefix("Unknown ")?;
    let (kind, rest) = rest.split_once(" plugin '")?;
    Some((kind, rest.split_once('\'')?.0))
}

fn unknown_plugin(message: &str) -> Option<Advice> {
    let (kind, name) = named_plugin(message)?;
    closest(name, known::names(kind).into_iter()).map(|near| Advice::near(name, near))
}

fn missing_label(subject: &Subject<'_>, message: &str) -> Option<Advice> {
    let name = message.split(' ').next()?;
    let mut labels = Vec::new();
    walk(subject.built, &mut |element, _| {
        if element.name == "label" {
            labels.push(element.arg.as_str());
        }
    });
    closest(name, labels.into_iter()).map(|near| Advice::near(name, near))
}

fn wrong_word(message: &str) -> Option<Advice> {
    let (_, rest) = message.split_once("valid options are ")?;
    let (words, given) = rest.rsplit_once(" but got ")?;
    closest(given, words.split(',')).map(|near| Advice::near(given, near))
}

/// What values of a kind look like, for the fault that one has another form.
pub fn expected(kind: Kind) -> String {
    match kind {
        Kind::String => "a text".to_owned(),
        Kind::Integer => "a whole number: 8".to_owned(),
        Kind::Float => "a number: 0.5".to_owned(),
        Kind::Size => "bytes, whole numbers with k, m, g or t: 512k, 8m".to_owned(),
        Kind::Time => "seconds, or a whole number with s, m, h or d: 90s, 5m".to_owned(),
        Kind::Bool => "true or false".to_owned(),
        Kind::Regexp => "an expression: /re/, with i, m behind the slash".to_owned(),
        Kind::Enum(words) => format!("one of {}", words.join(", ")),
        Kind::Hash => "a map: {\"k\":\"v\"} or k:v,k:v".to_owned(),
        Kind::Array => "a list: [\"a\",\"b\"] or a,b".to_owned(),
        Kind::Accessor => "where a field is: key, $.a.b or $['a']['b']".to_owned(),
    }
}

/// Adds to faults of values what was expected.
pub fn add_expected(subject: &Subject<'_>, findings: &mut [Raw]) {
    for finding in
        findings.iter_mut().filter(|finding| matches!(finding.code, "FLM0204" | "FLM0210" | "FLM0203") && finding.help.is_empty())
    {
        let Some(span) = finding.span else { continue };
        walk(subject.built, &mut |element, _| {
            let Some(param) = element.params.iter().find(|param| param.value_span == span && value(param).is_some()) else { return };
            let declared = element.declarations();
            let found = declared.iter().find_map(|section| section.declared(&param.key));
            if let Some(declared) = found.filter(|_| finding.help.is_empty()) {
                finding.help.push(format!("expected {}", expected(declared.kind)));
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_suggested_and_far_ones_are_not() {
        let names = ["stdout", "file", "forward", "null"];
        for (given, near) in [
            ("stdot", Some("stdout")),
            ("Null", Some("null")),
            ("foward", Some("forward")),
            ("fowrard", Some("forward")),
            ("s3", None),
            ("kafka", None),
        ] {
            assert_eq!(closest(given, names.into_iter()), near, "{given}");
        }
    }

    #[test]
    fn messages_name_their_plugin() {
        assert_eq!(named_plugin("Unknown input plugin 'samplr': flumen does not have it"), Some(("input", "samplr")));
    }
}
