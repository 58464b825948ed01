//! Values that can be read and yet hardly be meant: expressions that may take for ever or lose a field, formats of times.

use super::subject::{Subject, text_of, value, walk};
use crate::config::{Element, Kind, Param, Section};
use crate::regex::{Doubt, Flags, doubts, split_literal};

/// Parameters that hold a format of times.
const TIME_FORMATS: &[&str] = &["time_format", "timestamp_format", "time_key_format", "rfc5424_time_format", "key_time_format"];
/// Parameters that hold an expression though they are not declared as one, or their plugin is not known.
const EXPRESSIONS: &[&str] = &[
    "expression",
    "format",
    "format_firstline",
    "multiline_start_regexp",
    "multiline_end_regexp",
    "continuous_line_regexp",
    "pattern",
    "extract_tag_key",
];

/// Looks at all parameters.
pub fn check(subject: &Subject<'_>) {
    walk(subject.built, &mut |element, _| {
        let declared = element.declarations();
        for param in &element.params {
            let Some(text) = value(param) else { continue };
            if TIME_FORMATS.contains(&param.key.as_str()) {
                time_format(subject, param, text);
            }
            if let Some((source, flags)) = expression_of(element, &declared, param, text) {
                expression(subject, param, source, flags);
            }
        }
    });
}

/// The expression that a parameter holds.
fn expression_of<'t>(element: &Element, declared: &[&'static Section], param: &Param, text: &'t str) -> Option<(&'t str, Flags)> {
    let is_declared = declared.iter().filter_map(|section| section.declared(&param.key)).any(|declared| declared.kind == Kind::Regexp);
    let key = param.key.as_str();
    let numbered = key.strip_prefix("format").is_some_and(|number| number.parse::<u8>().is_ok());
    let by_name = (EXPRESSIONS.contains(&key) || numbered) && text.starts_with('/') && text.len() > 1 && text[1..].contains('/');
    if key == "format" && text_of(element, "@type").is_none() && element.name == "source" {
        return None; // It has gone to a <parse> section, where it is looked at.
    }
    if is_declared || by_name { split_literal(text).ok() } else { None }
}

fn expression(subject: &Subject<'_>, param: &Param, source: &str, flags: Flags) {
    for doubt in doubts(source, flags) {
        match doubt {
            Doubt::Exponential => subject.warn(
                "FLM0721",
                param.value_span,
                format!("the expression of '{}' repeats a repetition: on some texts it takes time without bound", param.key),
                "let each round of the outer repetition begin or end with a character that the inner one cannot match, or use (?>...)",
            ),
            Doubt::Repeated(name) => subject.warn(
                "FLM0722",
                param.value_span,
                format!("the expression of '{}' captures '{name}' more than once: only the last one is kept", param.key),
                "give each group a name of its own",
            ),
        }
    }
}

/// Formats that leave out, or mistake, a part of the time.
fn time_format(subject: &Subject<'_>, param: &Param, format: &str) {
    if let Some((why, help)) = doubt_of_format(format) {
        subject.warn("FLM0723", param.value_span, format!("{} {format:?}: {why}", param.key), help);
    }
}

/// What is doubtful about a format of times, and what was probably meant.
pub(super) fn doubt_of_format(format: &str) -> Option<(String, String)> {
    if format.contains("%iso8601") {
        return None; // A word of Fluentd's own.
    }
    let letters = match directives(format) {
        Ok(letters) => letters,
        Err(why) => return Some((why, "the directives are those of strftime: %Y %m %d %H %M %S %L %z".to_owned())),
    };
    let has = |letter: char| letters.contains(&letter);
    let any = |set: &str| letters.iter().any(|letter| set.contains(*letter));
    let none = String::new;
    if letters.is_empty() {
        return (!matches!(format, "iso8601" | "" | "unixtime" | "float" | "string" | "mixed"))
            .then(|| ("there is no directive in it: no time can be read by it".to_owned(), none()));
    }
    let clock = any("HIkl");
    if clock && !any("MRTXcr") && has('m') && letters.iter().filter(|letter| **letter == 'm').count() > usize::from(any("dDjebBh")) {
        return Some((
            "%m is the month, and there are no minutes in it".to_owned(),
            format!("for minutes write %M: {}", format.replacen(":%m", ":%M", 1)),
        ));
    }
    if has('Y') && any("de") && has('M') && !any("mbBhj") {
        return Some((
            "%M are the minutes, and there is no month in it".to_owned(),
            format!("for the month write %m: {}", format.replacen("%M", "%m", 1)),
        ));
    }
    if any("Il") && !any("pPr") {
        return Some((
            "%I is the hour of a clock with twelve hours, and nothing says which half of the day".to_owned(),
            "write %H, or add %p".to_owned(),
        ));
    }
    if any("Hk") && any("pP") {
        return Some((
            "%p has no meaning beside %H, the hour of twenty-four".to_owned(),
            "write %I for a clock with twelve hours".to_owned(),
        ));
    }
    if has('S') && clock && !has('M') {
        return Some(("it has hours and seconds, and no minutes".to_owned(), "minutes are %M".to_owned()));
    }
    if has('s') && any("YHMSd") {
        return Some((
            "%s is the whole time in seconds since 1970: it cannot stand beside its parts".to_owned(),
            "write %S for the seconds of a minute".to_owned(),
        ));
    }
    if has('y') && has('Y') || has('D') && any("mdy") {
        return Some(("the same part is in it twice".to_owned(), none()));
    }
    None
}

/// The letters of a format's directives.
fn directives(format: &str) -> Result<Vec<char>, String> {
    const KNOWN: &str = "YCymBbhdejHkIlPpMSLNzZAaugwGgVUWsntcDFvxXrRT+Q%";
    let mut letters = Vec::new();
    let mut rest = format.chars();
    while let Some(c) = rest.next() {
        if c != '%' {
            continue;
        }
        let letter = rest.by_ref().find(|c| !matches!(c, '-' | '_' | '^' | '#' | ':' | '0'..='9' | 'E' | 'O'));
        match letter {
            None => return Err("it ends within a directive".to_owned()),
            Some('%' | 'n' | 't') => {}
            Some('F') => letters.extend(['Y', 'm', 'd']),
            Some('T' | 'X') => letters.extend(['H', 'M', 'S', 'T']),
            Some('R') => letters.extend(['H', 'M', 'R']),
            Some(letter) if KNOWN.contains(letter) => letters.push(letter),
            Some(letter) => return Err(format!("there is no directive %{letter}")),
        }
    }
    Ok(letters)
}

#[cfg(test)]
mod tests {
    use super::doubt_of_format;

    #[test]
    fn usual_formats_are_not_doubted() {
        for format in [
            "%d/%b/%Y:%H:%M:%S %z",
            "%Y-%m-%dT%H:%M:%S.%N%z",
            "%b %d %H:%M:%S",
            "%s",
            "%s.%L",
            "%Y-%m-%d",
            "%I:%M:%S %p",
            "%F %T",
            "%Y%m%d%H",
            "iso8601",
            "%m/%d/%Y %H:%M",
            "%Y-%m-%d %H",
            "%iso8601",
            "%a %b %e %T %Y",
            "%H:%M",
            "%Y.%m.%d",
            "%-d %B %Y",
            "%10N",
            "%s.%N",
            "%H%M",
            "%c",
            "%Y/%m/%d %H:%M:%S,%L",
            "%j %H:%M:%S",
        ] {
            assert_eq!(doubt_of_format(format), None, "{format}");
        }
    }

    #[test]
    fn mistakes_are_found() {
        for (format, wanted) in [
            ("%Y-%m-%d %H:%m:%S", "%m is the month"),
            ("%Y-%M-%d", "%M are the minutes"),
            ("%I:%M:%S", "twelve hours"),
            ("%H:%M:%S %p", "no meaning beside %H"),
            ("%Y-%m-%d %H:%M:%s", "since 1970"),
            ("%Y-%m-%d %f", "no directive %f"),
            ("%Y-%m-%", "ends within"),
            ("YYYY-MM-DD", "no directive in it"),
            ("%H:%S", "no minutes"),
        ] {
            assert!(doubt_of_format(format).is_some_and(|(why, _)| why.contains(wanted)), "{format}: {:?}", doubt_of_format(format));
        }
    }
}
