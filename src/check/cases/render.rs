//! What came of case files as text: for people, as JSON, and as JUnit's XML, which most CI systems show.

use super::{Line, Ran, Tested};
use crate::check::render::{Format as ReportFormat, render as render_reports};
use serde_json::{Value, json};
use std::fmt::Write;

/// The forms that results can have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// With differences, for people.
    #[default]
    Human,
    /// One JSON document.
    Json,
    /// JUnit's XML.
    Junit,
}

impl Format {
    /// The format of a name.
    pub fn parse(name: &str) -> Option<Format> {
        Some(match name {
            "human" => Format::Human,
            "json" => Format::Json,
            "junit" => Format::Junit,
            _ => return None,
        })
    }
}

/// The results of all files as one text. Colours are for terminals.
pub fn render(all: &[Tested], format: Format, colours: bool) -> String {
    match format {
        Format::Human => human(all, colours),
        Format::Json => format!("{:#}\n", json!({ "files": all.iter().map(file_json).collect::<Vec<_>>() })),
        Format::Junit => junit(all),
    }
}

struct Style {
    good: &'static str,
    bad: &'static str,
    end: &'static str,
}

fn human(all: &[Tested], colours: bool) -> String {
    let style = match colours {
        true => Style { good: "\x1b[32m", bad: "\x1b[31m", end: "\x1b[0m" },
        false => Style { good: "", bad: "", end: "" },
    };
    let mut out = String::new();
    for tested in all {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{}", tested.name);
        if tested.faults.has_errors() {
            let faults = render_reports(std::slice::from_ref(&tested.faults), ReportFormat::Human, colours);
            // Without the line that counts.
            out.push_str(faults.rsplit_once("\n\n").map_or("", |(faults, _)| faults));
            out.push_str("\n\n");
        }
        for case in &tested.cases {
            write_case(tested, case, &style, &mut out);
        }
    }
    out.push_str(&summary(all));
    out
}

fn write_case(tested: &Tested, case: &Ran, style: &Style, out: &mut String) {
    if case.failures.is_empty() {
        let _ = writeln!(out, "  {}ok{}    {}", style.good, style.end, case.name);
        return;
    }
    let _ = writeln!(out, "  {}FAIL{}  {}", style.bad, style.end, case.name);
    for failure in &case.failures {
        let _ = writeln!(out, "        {} ({}:{}:{})", failure.message, tested.name, failure.at.0, failure.at.1);
        for line in &failure.lines {
            let _ = match line {
                Line::Both(text) => writeln!(out, "            {text}"),
                Line::Expected(text) => writeln!(out, "{}          - {text}{}", style.bad, style.end),
                Line::Came(text) => writeln!(out, "{}          + {text}{}", style.good, style.end),
            };
        }
    }
}

fn summary(all: &[Tested]) -> String {
    let cases = all.iter().map(|tested| tested.cases.len()).sum::<usize>();
    let failed = all.iter().flat_map(|tested| &tested.cases).filter(|case| !case.failures.is_empty()).count();
    let unrun = all.iter().filter(|tested| tested.faults.has_errors()).count();
    let count = |number: usize, word: &str| if number == 1 { format!("1 {word}") } else { format!("{number} {word}s") };
    let mut text = format!("{}: {} passed, {failed} failed", count(cases, "case"), cases - failed);
    if unrun > 0 {
        let _ = write!(text, ", {} not run", count(unrun, "file"));
    }
    text + "\n"
}

fn file_json(tested: &Tested) -> Value {
    let fault = |found: &crate::check::Found| {
        let (line, column) = found.place.as_ref().map_or((0, 0), |place| (place.line, place.column));
        let file = found.place.as_ref().map(|place| place.file.as_str());
        json!({ "code": found.code, "message": found.message, "file": file, "line": line, "column": column })
    };
    let case = |case: &Ran| {
        let failures: Vec<Value> = case
            .failures
            .iter()
            .map(|failure| json!({ "message": failure.message, "line": failure.at.0, "column": failure.at.1, "difference": plain(&failure.lines) }))
            .collect();
        json!({ "name": case.name, "line": case.line, "passed": case.failures.is_empty(), "seconds": case.took.as_secs_f64(), "failures": failures })
    };
    json!({
        "file": tested.name,
        "faults": tested.faults.findings.iter().map(fault).collect::<Vec<_>>(),
        "cases": tested.cases.iter().map(case).collect::<Vec<_>>(),
    })
}

fn plain(lines: &[Line]) -> Vec<String> {
    let line = |line: &Line| match line {
        Line::Both(text) => format!("  {text}"),
        Line::Expected(text) => format!("- {text}"),
        Line::Came(text) => format!("+ {text}"),
    };
    lines.iter().map(line).collect()
}

fn junit(all: &[Tested]) -> String {
    let mut out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n".to_owned();
    for tested in all {
        let failed = tested.cases.iter().filter(|case| !case.failures.is_empty()).count();
        let errors = usize::from(tested.faults.has_errors());
        let seconds: f64 = tested.cases.iter().map(|case| case.took.as_secs_f64()).sum();
        let name = escaped(&tested.name);
        let _ = writeln!(
            out,
            "  <testsuite name=\"{name}\" tests=\"{}\" failures=\"{failed}\" errors=\"{errors}\" time=\"{seconds:.3}\">",
            tested.cases.len() + errors
        );
        if errors > 0 {
            let said: String = tested.faults.findings.iter().map(|found| format!("{} {}\n", found.code, found.message)).collect();
            let _ = writeln!(out, "    <testcase classname=\"{name}\" name=\"(the file)\"><error>{}</error></testcase>", escaped(&said));
        }
        for case in &tested.cases {
            let head = format!(
                "    <testcase classname=\"{name}\" name=\"{}\" file=\"{name}\" line=\"{}\" time=\"{:.3}\"",
                escaped(&case.name),
                case.line,
                case.took.as_secs_f64()
            );
            if case.failures.is_empty() {
                let _ = writeln!(out, "{head}/>");
                continue;
            }
            let _ = writeln!(out, "{head}>");
            for failure in &case.failures {
                let lines = plain(&failure.lines).join("\n");
                let _ = writeln!(out, "      <failure message=\"{}\">{}</failure>", escaped(&failure.message), escaped(&lines));
            }
            let _ = writeln!(out, "    </testcase>");
        }
        let _ = writeln!(out, "  </testsuite>");
    }
    out + "</testsuites>\n"
}

/// As XML has it; characters that it has not are replaced.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if (c.is_control() && !matches!(c, '\n' | '\t')) || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
