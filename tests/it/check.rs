//! `flumen check`: what it finds in the faulty files of `tests/faulty`, and how it shows it.

use crate::support::checking::{check, diff, lines, updating};
use flumen::check::render::{Format, render};
use flumen::check::{self, Settings, Target};
use flumen::config::Severity;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faulty")
}

fn settings() -> Settings {
    Settings { files: false, ..Settings::default() }
}

/// Run with `UPDATE_EXPECTED=1` to write down what is found; then read the difference.
#[test]
fn the_faulty_files_have_the_findings_that_are_written_down() {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "conf"));
    files.sort();
    assert!(files.len() >= 150, "only {} faulty files", files.len());
    let found: String = files.iter().map(|path| lines(&path.file_name().unwrap().to_string_lossy(), &check(path, &settings()))).collect();
    let expected = folder().join("expected.txt");
    if updating() {
        std::fs::write(&expected, &found).unwrap();
    }
    let expected = std::fs::read_to_string(expected).unwrap();
    let different: Vec<_> = diff(&expected, &found);
    assert!(different.is_empty(), "expected (-) and found (+):\n{}", different.join("\n"));
}

#[test]
fn every_finding_has_a_page() {
    for entry in std::fs::read_dir(folder()).unwrap() {
        let report = check(&entry.unwrap().path(), &settings());
        for finding in &report.findings {
            assert!(check::codes::find(finding.code).is_some(), "{} has no page", finding.code);
        }
    }
}

#[test]
fn places_are_shown_with_carets_and_the_includes_that_led_there() {
    let report = check(&folder().join("include-chain.conf"), &settings());
    let shown = render(&[report], Format::Human, false);
    for wanted in ["inner.inc:3:11", "3 |   bind \"a\" b", "^", "included at", "outer.inc:2:1", "include-chain.conf:1:1"] {
        assert!(shown.contains(wanted), "{wanted} is not in:\n{shown}");
    }
    assert!(!shown.contains('\x1b'), "colours without a terminal");
}

fn command(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flumen"));
    command.arg("check").args(arguments).env_clear().current_dir(folder()).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn exit_codes_and_what_is_denied_or_allowed() {
    for (arguments, code) in [
        (&["param-unknown-near.conf"][..], 0),
        (&["--deny", "warnings", "param-unknown-near.conf"], 1),
        (&["--deny", "FLM0301", "param-unknown-near.conf"], 1),
        (&["--deny", "warnings", "--allow", "FLM0301", "param-unknown-near.conf"], 0),
        (&["plugin-unknown-output-near.conf"], 1),
        (&["param-unknown-near.conf", "plugin-unknown-output-near.conf"], 1),
        (&["--for", "fluentd-1", "old-flat-grok.conf"], 1),
        (&["--for", "flumen", "old-flat-grok.conf"], 0),
        (&["no-such-file.conf"], 2),
        (&["--deny", "FLM9999", "param-unknown-near.conf"], 2),
        (&["--format", "xml", "param-unknown-near.conf"], 2),
        (&[], 2),
        (&["--explain", "FLM0101"], 0),
        (&["--explain", "FLM9999"], 2),
        (&["--help"], 0),
    ] {
        let output = command(arguments);
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}:\n{}{log}", stdout(&output));
        assert_eq!(code == 2 && output.stdout.is_empty(), code == 2 && !log.is_empty(), "{arguments:?}");
    }
}

#[test]
fn names_that_are_near_are_suggested() {
    for (file, wanted) in [
        ("param-unknown-near.conf", "did you mean 'port'?"),
        ("plugin-unknown-output-near.conf", "did you mean 'stdout'?"),
        ("plugin-unknown-parser-near.conf", "did you mean 'json'?"),
        ("label-missing-near.conf", "did you mean '@MAIN'?"),
        ("section-unknown-near.conf", "did you mean <buffer>?"),
        ("grok-unknown-near.conf", "did you mean %{COMBINEDAPACHELOG}?"),
        ("grok-unknown-type.conf", "did you mean %{INT:n:integer}?"),
        ("param-bad-enum.conf", "did you mean 'interval'?"),
        ("param-of-buffer-outside.conf", "it belongs into a <buffer> section"),
    ] {
        let report = check(&folder().join(file), &settings());
        let help: Vec<&String> = report.findings.iter().flat_map(|finding| &finding.help).collect();
        assert!(help.iter().any(|help| help.contains(wanted)), "{file}: {wanted} is not in {help:?}");
    }
}

#[test]
fn programs_can_read_the_report() {
    let output = command(&["--format", "json", "many-faults.conf"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(json["errors"].as_u64() >= Some(2), "{json}");
    let first = &json["findings"][0];
    assert_eq!((first["code"].as_str(), first["place"]["line"].as_u64()), (Some("FLM0301"), Some(3)), "{json}");

    let output = command(&["--format", "sarif", "many-faults.conf"]);
    let sarif: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    let run = &sarif["runs"][0];
    let rules: Vec<&str> = run["tool"]["driver"]["rules"].as_array().unwrap().iter().filter_map(|rule| rule["id"].as_str()).collect();
    for result in run["results"].as_array().unwrap() {
        assert!(rules.contains(&result["ruleId"].as_str().unwrap()), "{result}");
        assert!(result["locations"][0]["physicalLocation"]["region"]["startLine"].as_u64() >= Some(1), "{result}");
    }

    let github = stdout(&command(&["--format", "github", "many-faults.conf"]));
    assert!(
        github.lines().all(|line| line.starts_with("::error ") || line.starts_with("::warning ") || line.starts_with("::notice ")),
        "{github}"
    );
    assert!(github.contains("file=many-faults.conf,line=3,col=3,"), "{github}");
}

#[test]
fn a_folder_is_checked_without_the_files_that_others_include() {
    let folder = std::env::temp_dir().join(format!("flumen-check-folder-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("parts")).unwrap();
    std::fs::write(folder.join("main.conf"), "@include parts/*.conf\n<match **>\n  @type stdout\n</match>\n").unwrap();
    std::fs::write(folder.join("parts/a.conf"), "<source>\n  @type forward\n  port \"#{ENV['PORT']}\"\n</source>\n").unwrap();
    std::fs::write(folder.join("env"), "# for the check\nexport PORT='24299'\n").unwrap();
    let env = folder.join("env");
    let output = command(&["--format", "json", "--env-file", env.to_str().unwrap(), folder.to_str().unwrap()]);
    std::fs::remove_dir_all(&folder).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((json["configurations"].as_u64(), json["errors"].as_u64()), (Some(1), Some(0)), "{json}");
    assert!(!stdout(&output).contains("FLM0702"), "{json}");
}

#[test]
fn what_fluentd_refuses_and_flumen_runs_is_said() {
    let report = check(&folder().join("old-flat-grok.conf"), &settings());
    assert!(!report.has_errors());
    assert!(report.findings.iter().any(|finding| finding.code == "FLM0752" && finding.message.contains("Fluentd 1.x refuses this")));
    let report = check(&folder().join("old-flat-grok.conf"), &Settings { target: Target::Fluentd, ..settings() });
    assert!(report.has_errors());
    let report = check(&folder().join("plugin-of-nobody.conf"), &Settings { target: Target::Fluentd, ..settings() });
    assert!(!report.has_errors() && report.count(Severity::Note) > 0);
}
