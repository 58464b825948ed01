//! What Fluentd 1.x would say where Flumen says something else: faults that are only ours, plugins that only one of the two has.

use super::known;
use super::subject::Raw;
use super::suggest::{closest, named_plugin};
use crate::config::Severity;

/// Turns errors that Fluentd 1.x would not raise into notes.
pub fn judge(raw: &mut Vec<Raw>) {
    // What only this program passes over, or has not.
    raw.retain(|finding| {
        !matches!(finding.code, "FLM0132" | "FLM0133" | "FLM0303" | "FLM0603") && !finding.message.contains("(core) is checked only")
    });
    for finding in raw.iter_mut().filter(|finding| finding.code == "FLM0411") {
        finding.severity = Severity::Note;
        finding.message =
            finding.message.replace(" is checked only: flumen does not run it", " comes from a gem, which has to be installed");
    }
    for finding in raw.iter_mut().filter(|finding| finding.severity == Severity::Error) {
        if let Some((kind, name)) = named_plugin(&finding.message) {
            let (kind, name) = (kind.to_owned(), name.to_owned());
            judge_plugin(finding, &kind, &name);
        } else if finding.message.contains("not supported") {
            finding.severity = Severity::Note;
            finding.message = format!("Fluentd takes this, flumen does not: {}", finding.message);
        }
    }
}

/// A plugin of a gem that nobody here knows may well be installed; a slip of the pen in the name of a usual one hardly.
fn judge_plugin(finding: &mut Raw, kind: &str, name: &str) {
    let of_fluentd = known::of_fluentd(kind);
    if name.is_empty() {
        return;
    }
    if of_fluentd.contains(&name) {
        finding.severity = Severity::Note;
        finding.message = format!("Fluentd has the {kind} plugin '{name}', flumen does not: its parameters are not checked");
        finding.help.clear();
    } else if kind != "buffer" && closest(name, of_fluentd.iter().copied()).is_none() {
        finding.severity = Severity::Note;
        finding.message = format!("the {kind} plugin '{name}' comes from a gem: nothing in it is checked");
        finding.help.clear();
    }
}
