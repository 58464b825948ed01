//! `flumen convert`: what it prints, writes and answers. What comes of each form, its unit tests say.

use crate::support::TempDir;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const OLD: &str = "<match a>\n  type file # t\n  path /tmp/a\n  buffer_chunk_limit 8m\n</match>\n";
const MODERN: &str =
    "<match a>\n  @type file # t\n  path /tmp/a\n  <buffer time>\n    chunk_limit_size 8m\n    timekey 86400\n  </buffer>\n</match>\n";

fn flumen(folder: &Path, arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_flumen"))
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may end before it has read anything.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn files_and_standard_input_are_converted() {
    let folder = TempDir::new();
    fs::write(folder.path().join("a.conf"), OLD).unwrap();
    let convert = |arguments: &[&str], input: &str| flumen(folder.path(), &[&["convert"], arguments].concat(), input);
    assert_eq!(convert(&["--to", "v1", "a.conf"], ""), (0, MODERN.to_owned(), String::new()));
    assert_eq!(convert(&["--to=v1", "-"], OLD), (0, MODERN.to_owned(), String::new()));
    assert_eq!(convert(&["--to", "yaml", "a.conf", "-o", "a.yaml"], ""), (0, String::new(), String::new()));
    let yaml = fs::read_to_string(folder.path().join("a.yaml")).unwrap();
    assert_eq!(
        yaml,
        "config:\n  - match:\n      $tag: a\n      $type: file # t\n      path: /tmp/a\n      buffer:\n        $arg: time\n        chunk_limit_size: 8m\n        timekey: 86400\n"
    );
    assert_eq!(convert(&["--to", "v1", "a.yaml"], ""), (0, MODERN.to_owned(), String::new()));
    // A file that is there is not written over.
    let (code, _, err) = convert(&["--to", "yaml", "a.conf", "-o", "a.yaml"], "");
    assert!(code == 2 && err.contains("cannot write a.yaml"), "{err}");
}

#[test]
fn faults_are_answered_with_1_and_wrong_arguments_with_2() {
    let folder = TempDir::new();
    let convert = |arguments: &[&str], input: &str| flumen(folder.path(), &[&["convert"], arguments].concat(), input);
    let (code, out, err) = convert(&["--to", "yaml"], "@include x.conf\n");
    assert!(code == 1 && out.is_empty() && err.contains("FLM0911") && err.contains("(standard input):1:1"), "{err}");
    let (code, _, err) = convert(&["--to", "v1"], "<match a>\n  @type stdout\n");
    assert!(code == 1 && err.contains("FLM0102"), "{err}");
    // What is said beside a result is no fault.
    let flat = "<match a>\n  @type file\n  path /tmp/a\n  buffer_chunk_limit 8m\n  @include none.conf\n</match>\n";
    assert_eq!(convert(&["--to", "v1"], flat).0, 0);
    for arguments in [&[][..], &["--to", "toml"], &["--to", "v1", "nowhere.conf"], &["--to", "v1", "a", "b"], &["--to"]] {
        assert_eq!(convert(arguments, "").0, 2, "{arguments:?}");
    }
}

#[test]
fn what_ships_dry_runs_after_its_conversion() {
    let folder = TempDir::new();
    let conf = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf");
    for name in ["reddit-v0.12", "routing", "tail", "docker-elasticsearch"] {
        let from = conf.join(format!("{name}.conf"));
        for (to, ending) in [("v1", "conf"), ("yaml", "yaml")] {
            let output = format!("{name}.{ending}");
            let (code, _, err) = flumen(folder.path(), &["convert", "--to", to, from.to_str().unwrap(), "-o", &output], "");
            assert_eq!(code, 0, "{err}");
            let (code, _, err) = flumen(folder.path(), &["--dry-run", "-c", &output], "");
            assert_eq!(code, 0, "{output}: {err}");
        }
        // Nothing is left that 'check' calls an old form.
        let (_, out, _) = flumen(folder.path(), &["check", "--no-fs", &format!("{name}.conf")], "");
        assert!(!out.contains("FLM0751") && !out.contains("FLM0752"), "{out}");
    }
}
