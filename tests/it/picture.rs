//! The picture in the README of a check that fails: made of what `flumen check` prints on `tests/picture/fluent.conf`.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The width of a character and the height of a line, in units of the picture.
const WIDE: f32 = 8.43;
const HIGH: f32 = 19.0;
const MARGIN: f32 = 20.0;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/picture")
}

/// What a terminal would be sent.
fn output() -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flumen"));
    command.args(["check", "--colour", "always", "--no-fs", "fluent.conf"]).env_clear().current_dir(folder());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A line as pieces, each with the codes that are on where it is written.
fn pieces(line: &str) -> Vec<(String, String)> {
    let mut pieces = Vec::new();
    let mut on = String::new();
    for (at, part) in line.split("\x1b[").enumerate() {
        let text = match part.split_once('m').filter(|_| at > 0) {
            Some((codes, text)) => {
                on = if codes == "0" { String::new() } else { codes.to_owned() };
                text
            }
            None => part,
        };
        if !text.is_empty() {
            pieces.push((on.clone(), text.to_owned()));
        }
    }
    pieces
}

/// How a piece with these codes is drawn.
fn style(codes: &str) -> String {
    let colours = [
        ("31", "#ff7b72"),
        ("33", "#e3b341"),
        ("32", "#7ee787"),
        ("34", "#79c0ff"),
        ("36", "#76e3ea"),
        ("2", "#8b949e"),
        ("90", "#8b949e"),
    ];
    let words: Vec<&str> = codes.split(';').collect();
    let mut style = String::new();
    if let Some((_, colour)) = colours.iter().find(|(code, _)| words.contains(code)) {
        write!(style, " fill=\"{colour}\"").unwrap();
    }
    if words.contains(&"1") {
        style.push_str(" font-weight=\"bold\"");
    }
    style
}

fn svg(output: &str) -> String {
    let lines: Vec<Vec<(String, String)>> = format!("\x1b[1m$ flumen check fluent.conf\x1b[0m\n{output}").lines().map(pieces).collect();
    let long = lines.iter().map(|line| line.iter().map(|(_, text)| text.chars().count()).sum::<usize>()).max().unwrap_or(0);
    let (width, height) = (long as f32 * WIDE + 2.0 * MARGIN, lines.len() as f32 * HIGH + 2.0 * MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\" role=\"img\">\n\
         <title>flumen check on a configuration with faults</title>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#161b22\"/>\n\
         <g font-family=\"ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace\" font-size=\"14\" fill=\"#e6edf3\" xml:space=\"preserve\">\n"
    );
    for (number, line) in lines.iter().enumerate().filter(|(_, line)| !line.is_empty()) {
        let y = MARGIN + (number as f32 + 0.75) * HIGH;
        write!(svg, "<text x=\"{MARGIN}\" y=\"{y:.1}\">").unwrap();
        for (codes, text) in line {
            let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            write!(svg, "<tspan{}>{text}</tspan>", style(codes)).unwrap();
        }
        svg.push_str("</text>\n");
    }
    svg + "</g>\n</svg>\n"
}

/// Run with `UPDATE_EXPECTED=1` to draw it anew.
#[test]
fn the_picture_of_the_readme_shows_what_is_printed() {
    let (drawn, path) = (svg(&output()), folder().join("check.svg"));
    if crate::support::checking::updating() {
        std::fs::write(&path, &drawn).unwrap();
    }
    assert!(std::fs::read_to_string(&path).unwrap() == drawn, "tests/picture/check.svg is not what flumen check prints");
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    assert!(readme.contains("(tests/picture/check.svg)"));
}
