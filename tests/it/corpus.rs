//! `flumen check` on configurations as people run them: what it makes of each is what Fluentd 1.18 made of it.
//!
//! `tests/corpus` has configurations after the shape of public ones. `verdicts.txt` beside them says what `fluentd --dry-run` said of each, recorded
//! once with the real plugins of the gems (stand-ins for the grafana-loki and parser-cri gems), every host name resolving and every certificate there.
//! `findings.txt` has all that the checker says about those that are accepted, and [`REASONS`] why it is no false alarm.

use crate::support::checking::{check, diff, lines, updating};
use flumen::check::{Report, Settings, Target};
use std::path::{Path, PathBuf};

/// Why a finding may stand in a configuration that Fluentd accepts.
const REASONS: &[(&str, &str)] = &[
    ("FLM0111", "a folder that is included and empty is meant to be, or forgotten: nobody can tell"),
    ("FLM0121", "Fluentd warns of `type` too"),
    ("FLM0205", "Fluentd warns of deprecated parameters too"),
    ("FLM0211", "only Fluentd has the parameter, which those want to know who think of Flumen"),
    ("FLM0301", "Fluentd warns of parameters that are not used too"),
    ("FLM0409", "Fluentd warns of its own log at the top level too"),
    ("FLM0411", "the gem has to be installed beside Fluentd"),
    ("FLM0435", "grok patterns are read from where nothing is: Fluentd says nothing, and the pattern is missing later"),
    ("FLM0501", "Fluentd warns of the path of a buffer in memory too"),
    ("FLM0508", "Fluentd warns of a flush_interval that another flush_mode leaves without effect too"),
    ("FLM0522", "Fluentd warns of a secondary of another type too"),
    ("FLM0523", "Fluentd warns of a secondary that hardly gets anything too"),
    ("FLM0641", "Fluentd warns of status code 503 too"),
    ("FLM0681", "only Fluentd has the encoding"),
    ("FLM0692", "only Fluentd has this way to find servers"),
    ("FLM0693", "Fluentd warns of heartbeat_type tcp too"),
    ("FLM0703", "a secret in clear text"),
    ("FLM0735", "what was acknowledged is in memory only, and lost with the process"),
    ("FLM0751", "a parameter of version 0.12 has a modern form, which is told"),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

fn files() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "conf" || extension == "yaml" || extension == "yml"));
    files.sort();
    files
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

fn for_fluentd(path: &Path) -> Report {
    check(path, &Settings { files: false, target: Target::Fluentd, ..Settings::default() })
}

/// What Fluentd said: a line `NAME accepted`, or `NAME refused: WORDS`.
fn verdicts() -> Vec<(String, bool)> {
    let text = std::fs::read_to_string(folder().join("verdicts.txt")).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, verdict) = line.split_once(' ').expect("NAME VERDICT");
            assert!(verdict == "accepted" || verdict.starts_with("refused: "), "{line:?}");
            (name.to_owned(), verdict == "accepted")
        })
        .collect()
}

#[test]
fn it_agrees_with_what_fluentd_said_of_each() {
    let (files, verdicts) = (files(), verdicts());
    let refused = verdicts.iter().filter(|(_, accepted)| !accepted).count();
    assert!(files.len() >= 200 && refused >= 40, "{} configurations, {refused} of them refused", files.len());
    let named: Vec<String> = files.iter().map(|path| name(path)).collect();
    assert_eq!(named, verdicts.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>(), "a verdict for each, in order");
    let wrong: Vec<String> = files
        .iter()
        .zip(&verdicts)
        .map(|(path, (name, accepted))| (name, accepted, for_fluentd(path)))
        .filter(|(_, accepted, report)| report.has_errors() == **accepted)
        .map(|(name, accepted, report)| format!("{name}: accepted by Fluentd: {accepted}; found: {}", lines(name, &report)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Run with `UPDATE_EXPECTED=1` to write down what is found; then read the difference: every line is a finding in a configuration that works.
#[test]
fn what_it_says_of_accepted_ones_is_written_down_and_has_a_reason() {
    let accepted: Vec<String> = verdicts().into_iter().filter(|(_, accepted)| *accepted).map(|(name, _)| name).collect();
    let mut found = String::new();
    for path in files().iter().filter(|path| accepted.contains(&name(path))) {
        let report = for_fluentd(path);
        for finding in &report.findings {
            assert!(REASONS.iter().any(|(code, _)| *code == finding.code), "{}: {} {}", name(path), finding.code, finding.message);
        }
        if !report.findings.is_empty() {
            found += &lines(&name(path), &report);
        }
    }
    let expected = folder().join("findings.txt");
    if updating() {
        std::fs::write(&expected, &found).unwrap();
    }
    let expected = std::fs::read_to_string(expected).unwrap();
    let different = diff(&expected, &found);
    assert!(different.is_empty(), "expected (-) and found (+):\n{}", different.join("\n"));
    for (code, why) in REASONS {
        assert!(found.contains(code), "{code} is not found any more: {why}");
    }
}
