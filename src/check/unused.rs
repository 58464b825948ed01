//! Which of the warnings about unused parameters and sections are worth saying: not those that only follow from another fault.

use super::subject::{Raw, Subject, walk};
use crate::config::{Element, Severity, Span};
use std::collections::HashSet;

const PLUGINS: [&str; 9] = ["system", "source", "filter", "match", "store", "secondary", "parse", "format", "buffer"];

/// Takes out what follows from a plugin that is not known or could not be built.
pub fn sift(subject: &Subject<'_>, raw: &mut Vec<Raw>) {
    let errors: HashSet<(u32, u32)> =
        raw.iter().filter(|finding| finding.severity == Severity::Error).filter_map(|finding| finding.span).map(key).collect();
    let mut unknown: HashSet<(u32, u32)> = HashSet::new();
    let mut faulty: HashSet<(u32, u32)> = HashSet::new();
    walk(subject.built, &mut |element, _| {
        if !PLUGINS.contains(&element.name.as_str()) {
            return;
        }
        if element.declarations().is_empty() {
            collect(element, &mut unknown);
        } else {
            let mut own = HashSet::new();
            collect(element, &mut own);
            own.insert(key(element.span));
            if own.iter().any(|span| errors.contains(span)) {
                faulty.extend(own);
            }
        }
    });
    raw.retain(|finding| {
        let Some(span) = finding.span.map(key) else { return true };
        match finding.code {
            "FLM0301" | "FLM0302" if unknown.contains(&span) => false,
            // Its plugin was given up before it came to that section.
            "FLM0302" => !faulty.contains(&span) && !errors.contains(&span),
            _ => true,
        }
    });
}

fn key(span: Span) -> (u32, u32) {
    (span.file, span.start)
}

/// The places of all parameters and sections below an element.
fn collect(element: &Element, into: &mut HashSet<(u32, u32)>) {
    for param in &element.params {
        into.insert(key(param.span));
        into.insert(key(param.value_span));
    }
    for child in &element.children {
        into.insert(key(child.span));
        collect(child, into);
    }
}
