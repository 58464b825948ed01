//! `flumen fmt`: what it prints, writes and answers. What the layout is, the unit tests of the formatter say.

use crate::support::TempDir;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output, Stdio};

const UGLY: &str = "<source>\n@type forward # c\n\n\n    port 24224\n</source>\n";
const FAIR: &str = "<source>\n  @type forward # c\n\n  port 24224\n</source>\n";

fn fmt(folder: &Path, arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_flumen"))
        .arg("fmt")
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
fn standard_input_and_files_are_printed() {
    let folder = TempDir::new();
    fs::write(folder.path().join("a.conf"), UGLY).unwrap();
    for arguments in [&[][..], &["-"]] {
        assert_eq!(fmt(folder.path(), arguments, UGLY), (0, FAIR.to_owned(), String::new()));
    }
    assert_eq!(fmt(folder.path(), &["a.conf"], ""), (0, FAIR.to_owned(), String::new()));
    assert_eq!(fs::read_to_string(folder.path().join("a.conf")).unwrap(), UGLY);
}

#[test]
fn check_names_the_files_that_would_change() {
    let folder = TempDir::new();
    fs::create_dir(folder.path().join("d")).unwrap();
    fs::write(folder.path().join("d/ugly.conf"), UGLY).unwrap();
    fs::write(folder.path().join("d/fair.conf"), FAIR).unwrap();
    fs::write(folder.path().join("d/other.txt"), UGLY).unwrap();
    assert_eq!(fmt(folder.path(), &["--check", "d"], ""), (1, "d/ugly.conf\n".to_owned(), String::new()));
    assert_eq!(fmt(folder.path(), &["--check", "d/fair.conf", "-"], FAIR), (0, String::new(), String::new()));
    assert_eq!(fmt(folder.path(), &["--check", "-"], UGLY), (1, "(standard input)\n".to_owned(), String::new()));
    assert_eq!(fs::read_to_string(folder.path().join("d/ugly.conf")).unwrap(), UGLY);
}

#[test]
fn write_replaces_files_and_keeps_permissions_and_links() {
    let folder = TempDir::new();
    let (file, link) = (folder.path().join("a.conf"), folder.path().join("b.conf"));
    fs::write(&file, UGLY).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    symlink("a.conf", &link).unwrap();
    assert_eq!(fmt(folder.path(), &["--write", "b.conf"], ""), (0, "b.conf\n".to_owned(), String::new()));
    assert_eq!(fs::read_to_string(&file).unwrap(), FAIR);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o640);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "a temporary file is left");
    assert_eq!(fmt(folder.path(), &["--write", "."], ""), (0, String::new(), String::new()));
}

#[test]
fn a_file_with_faults_is_left_and_the_others_are_written() {
    let folder = TempDir::new();
    let broken = format!("{UGLY}<match **>\n@type null\n");
    fs::write(folder.path().join("a.conf"), &broken).unwrap();
    fs::write(folder.path().join("b.conf"), UGLY).unwrap();
    let (code, out, err) = fmt(folder.path(), &["--write", "."], "");
    assert_eq!((code, out.as_str()), (1, "./b.conf\n"));
    assert!(err.contains("expected end tag '</match>'") && err.contains("./a.conf line 7,0\n  6: </source>\n  7: <match **>"), "{err}");
    assert_eq!(fs::read_to_string(folder.path().join("a.conf")).unwrap(), broken);
    assert_eq!(fs::read_to_string(folder.path().join("b.conf")).unwrap(), FAIR);
}

#[test]
fn wrong_arguments_and_files_that_cannot_be_read_end_with_code_2() {
    let folder = TempDir::new();
    fs::write(folder.path().join("a.yaml"), "config: []\n").unwrap();
    for (arguments, word) in [
        (&["--no-such"][..], "invalid option: --no-such"),
        (&["--check", "--write", "a.conf"], "--check or --write"),
        (&["none.conf"], "cannot read none.conf"),
        (&["."], "no .conf file in ."),
        (&["a.yaml"], "a.yaml is not written in the v1 syntax"),
        (&["--write", "-"], "standard input"),
    ] {
        let (code, out, err) = fmt(folder.path(), arguments, "");
        assert!(code == 2 && out.is_empty() && err.contains(word), "{arguments:?}: {code} {err}");
    }
}
