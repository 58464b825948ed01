//! What was found in a line, for people or as JSON.

use super::longest::Stop;
use super::pattern::{Field, Found};
use crate::event::json::{Style, write_text};
use std::io::{ErrorKind, Write};
use std::time::Duration;

/// How much of a line is shown.
const SHOWN_CHARS: usize = 120;

/// How answers are shown.
pub struct Look {
    /// One JSON object a line.
    pub json: bool,
    /// Whether a terminal shows it.
    pub colours: bool,
    /// Whether the time is said.
    pub time: bool,
}

/// What came of one line.
pub struct Answer<'a> {
    /// Its number, from 1.
    pub number: u64,
    /// The line without its end.
    pub text: &'a [u8],
    /// What was found.
    pub found: &'a Found,
    /// How far the pattern gets, where it does not match.
    pub stop: Option<&'a Stop>,
    /// How long the search took.
    pub took: Duration,
}

/// Prints a text; it is no fault that nobody reads it.
pub fn print(text: &str) -> Result<bool, String> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(format!("cannot write: {error}")),
        _ => Ok(true),
    }
}

impl Look {
    /// The text of an answer, with its line ends.
    pub fn show(&self, answer: &Answer<'_>) -> Vec<u8> {
        if self.json { self.object(answer) } else { self.lines(answer).into_bytes() }
    }

    fn lines(&self, answer: &Answer<'_>) -> String {
        let (green, red, blue, end) = if self.colours { ("\x1b[32m", "\x1b[31m", "\x1b[36m", "\x1b[0m") } else { ("", "", "", "") };
        let (colour, said) = match answer.found {
            Found::Match(_) => (green, "matches"),
            Found::Nothing => (red, "does not match"),
            Found::Bounded => (red, "takes too long"),
            Found::NoText => (red, "is not UTF-8, which parsers refuse"),
        };
        let took = if self.time { format!(" ({:.1} us)", answer.took.as_secs_f64() * 1e6) } else { String::new() };
        let mut text = format!("{}: {colour}{said}{end}{took}: {}\n", answer.number, shown(answer.text));
        if let Found::Match(fields) = answer.found {
            let width = fields.iter().map(|field| field.name.chars().count()).max().unwrap_or(0);
            for Field { name, json, kind } in fields {
                let value: String = String::from_utf8_lossy(json).chars().map(without_controls).collect();
                text.push_str(&format!("  {blue}{name:<width$}{end}  {value}  {kind}\n"));
            }
        }
        if let Some(stop) = answer.stop {
            let leading = if stop.leading.is_empty() { "nothing of the pattern".to_owned() } else { quoted(&stop.leading) };
            let before = String::from_utf8_lossy(answer.text.get(..stop.at).unwrap_or_default()).chars().count();
            let rest = shown(answer.text.get(stop.at..).unwrap_or_default());
            let rest = if rest.is_empty() { "the end of the line".to_owned() } else { rest };
            text.push_str(&format!("  fits:      {green}{leading}{end}\n"));
            text.push_str(&format!("  stops at:  {red}{}{end}\n", quoted(&stop.next)));
            text.push_str(&format!("  column {}: {}\n", before + 1, quoted(&rest)));
        }
        text
    }

    fn object(&self, answer: &Answer<'_>) -> Vec<u8> {
        let mut out = format!("{{\"line\":{},\"text\":", answer.number).into_bytes();
        let string = |text: &[u8], out: &mut Vec<u8>| write_text(text, Style::Oj, out);
        string(answer.text, &mut out);
        out.extend_from_slice(match answer.found {
            Found::Match(_) => b",\"matched\":true".as_slice(),
            Found::Nothing => b",\"matched\":false",
            Found::Bounded => b",\"matched\":false,\"reason\":\"it takes too long\"",
            Found::NoText => b",\"matched\":false,\"reason\":\"it is not UTF-8\"",
        });
        if let Found::Match(fields) = answer.found {
            let mut part = |head: &str, write: &dyn Fn(&Field, &mut Vec<u8>)| {
                out.extend_from_slice(head.as_bytes());
                for (at, field) in fields.iter().enumerate() {
                    out.extend_from_slice(if at > 0 { b"," } else { b"" });
                    string(field.name.as_bytes(), &mut out);
                    out.push(b':');
                    write(field, &mut out);
                }
                out.push(b'}');
            };
            part(",\"fields\":{", &|field, out| out.extend_from_slice(&field.json));
            part(",\"types\":{", &|field, out| string(field.kind.as_bytes(), out));
        }
        if let Some(stop) = answer.stop {
            out.extend_from_slice(b",\"fits\":");
            string(stop.leading.as_bytes(), &mut out);
            out.extend_from_slice(b",\"stops_at\":");
            string(stop.next.as_bytes(), &mut out);
            out.extend_from_slice(format!(",\"byte\":{}", stop.at).as_bytes());
        }
        if self.time {
            out.extend_from_slice(format!(",\"microseconds\":{:.1}", answer.took.as_secs_f64() * 1e6).as_bytes());
        }
        out.extend_from_slice(b"}\n");
        out
    }
}

/// Text with blanks at its ends, which would not be seen, in quotes.
fn quoted(text: &str) -> String {
    if text.trim() == text { text.to_owned() } else { format!("'{text}'") }
}

/// The beginning of a line, so that a terminal is not told anything by it.
fn shown(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let cut: String = text.chars().take(SHOWN_CHARS).map(without_controls).collect();
    if text.chars().nth(SHOWN_CHARS).is_some() { format!("{cut}...") } else { cut }
}

fn without_controls(c: char) -> char {
    if c.is_control() { '\u{fffd}' } else { c }
}
