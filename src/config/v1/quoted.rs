//! The literals of the v1 syntax: plain, single-quoted, double-quoted and JSON, with the embedded Ruby in them.

use super::super::json_scan::{JsonScan, Step};
use super::super::lexer::code_stop;
use super::super::tree::{Form, Literal, Part};
use super::Parser;

/// A string without quotes.
pub(super) fn plain(parser: &Parser<'_>, start: usize, stop: usize) -> Literal {
    let text = parser.scanner.text()[start..stop].to_owned();
    Literal { span: parser.span(start, stop), form: Form::Plain, parts: vec![Part::Text(text)] }
}

/// `'...'`: only `\'` and `\\` are escapes, and the line may not end within.
pub(super) fn single(parser: &mut Parser<'_>) -> Literal {
    let start = parser.scanner.pos;
    parser.scanner.pos += 1;
    let mut text = String::new();
    loop {
        if parser.scanner.skip("'") {
            break;
        } else if parser.scanner.skip("\\'") {
            text.push('\'');
        } else if parser.scanner.skip("\\\\") {
            text.push('\\');
        } else if matches!(parser.scanner.peek(), None | Some(b'\n')) {
            parser.fault(
                "FLM0105",
                start,
                parser.scanner.pos,
                "unexpected end of file in a single quoted string: a ' is missing before the end of its line",
            );
            break;
        } else {
            text.extend(parser.scanner.next_char());
        }
    }
    Literal { span: parser.span(start, parser.scanner.pos), form: Form::Single, parts: vec![Part::Text(text)] }
}

/// `"..."`: escapes, embedded Ruby, and line ends under Fluentd's odd rules.
pub(super) fn double(parser: &mut Parser<'_>) -> Literal {
    let start = parser.scanner.pos;
    parser.scanner.pos += 1;
    let mut parts = Parts::default();
    loop {
        let at = parser.scanner.pos;
        let (here, next) = (parser.scanner.peek(), next_byte(parser));
        match here {
            Some(b'"') => {
                parser.scanner.pos += 1;
                break;
            }
            None => {
                unclosed(parser, start);
                break;
            }
            // A character and the line end (or end of file) behind it are one step; a backslash joins the lines.
            Some(here) if matches!(next, None | Some(b'\r' | b'\n')) => {
                let character = parser.scanner.next_char();
                let line_end = parser.scanner.next_char();
                if here != b'\\' {
                    parts.text.extend(character);
                    parts.text.extend(line_end);
                }
            }
            Some(b'\\') => {
                parser.scanner.pos += 1;
                let escaped = parser.scanner.next_char();
                parts.text.extend(escape(parser, at, escaped));
            }
            Some(b'#') if next == Some(b'{') => {
                if !embedded(parser, &mut parts) {
                    break;
                }
            }
            // A line end that is not behind a character: Fluentd gives up here.
            Some(b'\n') => {
                unclosed(parser, start);
                break;
            }
            Some(_) => parts.text.extend(parser.scanner.next_char()),
        }
    }
    Literal { span: parser.span(start, parser.scanner.pos), form: Form::Double, parts: parts.done() }
}

/// The byte behind the character here; `None` at the end of the text.
fn next_byte(parser: &Parser<'_>) -> Option<u8> {
    let width = parser.scanner.rest().chars().next().map_or(1, char::len_utf8);
    parser.scanner.byte(parser.scanner.pos + width)
}

/// Says that a quote is not closed, and goes back to the end of the line it started on: most likely it was meant to end there.
fn unclosed(parser: &mut Parser<'_>, start: usize) {
    let stop = parser.scanner.line_stop(start);
    parser.fault(
        "FLM0105",
        start,
        stop,
        "unexpected end of file in a double quoted string: a \" is missing, or a blank line or a line end behind #{} is within",
    );
    parser.scanner.pos = stop.max(start + 1).min(parser.scanner.text().len());
}

/// What an escaped character stands for.
fn escape(parser: &Parser<'_>, at: usize, escaped: Option<char>) -> Option<char> {
    Some(match escaped? {
        'r' => '\r',
        'n' => '\n',
        't' => '\t',
        'f' => '\u{c}',
        'b' => '\u{8}',
        '0' => '\0',
        letter if letter.is_ascii_alphanumeric() => {
            let message =
                format!("unexpected back-slash escape character '{letter}': write \\\\{letter} for a backslash, or use single quotes");
            parser.fault("FLM0106", at, parser.scanner.pos, message);
            letter
        }
        symbol => symbol,
    })
}

/// Reads `#{...}`; `false` where it is not closed, and then the rest of the line has been skipped.
fn embedded(parser: &mut Parser<'_>, parts: &mut Parts) -> bool {
    let start = parser.scanner.pos;
    let inside = start + 2;
    match code_stop(parser.scanner.text(), inside) {
        Some(stop) => {
            let code = parser.scanner.text()[inside..stop].to_owned();
            parts.code(code, parser, inside, stop);
            parser.scanner.pos = stop + 1;
            true
        }
        None => {
            let stop = parser.scanner.line_stop(start);
            parser.fault("FLM0107", start, stop, "expected end of embedded code but $end: no } ends this #{");
            parser.scanner.pos = stop;
            false
        }
    }
}

/// Pieces of a literal while it is read.
#[derive(Default)]
struct Parts {
    done: Vec<Part>,
    text: String,
}

impl Parts {
    fn code(&mut self, code: String, parser: &Parser<'_>, start: usize, stop: usize) {
        self.flush();
        self.done.push(Part::Code(code, parser.span(start, stop)));
    }

    fn flush(&mut self) {
        if !self.text.is_empty() {
            self.done.push(Part::Text(std::mem::take(&mut self.text)));
        }
    }

    fn done(mut self) -> Vec<Part> {
        self.flush();
        self.done
    }
}

/// `[...]` or `{...}`: JSON over any number of lines, with comments at the outermost level and embedded Ruby.
pub(super) fn json(parser: &mut Parser<'_>) -> Literal {
    let start = parser.scanner.pos;
    let kind = if parser.scanner.peek() == Some(b'[') { "array" } else { "hash" };
    let mut scan = JsonScan::new();
    let mut parts = Parts::default();
    let whole = loop {
        let at = parser.scanner.pos;
        if parser.scanner.peek() == Some(b'#') {
            if scan.comment_allowed() {
                parser.scanner.pos = parser.scanner.line_stop(at);
                parts.text.truncate(parts.text.trim_end_matches([' ', '\t']).len());
                if parser.scanner.at_end() {
                    incomplete(parser, start, at, kind, "the text ends");
                    break false;
                }
                scan.comment_seen();
                continue;
            }
            if next_byte(parser) == Some(b'{') && parser.scanner.byte(at + 2).is_some_and(|b| b != b'}') {
                if !embedded(parser, &mut parts) {
                    break false;
                }
                scan.embedded();
                continue;
            }
        }
        let Some(character) = parser.scanner.next_char() else {
            incomplete(parser, start, at, kind, "the text ends");
            break false;
        };
        parts.text.push(character);
        match scan.step(character) {
            Step::More => {}
            Step::Done => break true,
            Step::Broken => {
                incomplete(parser, start, at, kind, &format!("unexpected {character:?}"));
                break false;
            }
        }
    };
    // What is broken has no parts: that has been said.
    let parts = if whole { parts.done() } else { Vec::new() };
    Literal { span: parser.span(start, parser.scanner.pos), form: Form::Json, parts }
}

/// Says that a JSON value is broken at `at`, and steps over what seems to belong to it.
fn incomplete(parser: &mut Parser<'_>, start: usize, at: usize, kind: &str, why: &str) {
    let message =
        format!("got incomplete JSON {kind} configuration: {why}; a text or an expression that starts with a bracket has to be quoted");
    let end = parser.scanner.line_stop(at);
    parser.fault("FLM0108", at, end.max(at), message);
    let text = parser.scanner.text();
    let mut depth = 0usize;
    let mut in_string = false;
    let mut line_start = false;
    for (offset, byte) in text.as_bytes()[start..].iter().enumerate() {
        match byte {
            // A tag at the start of a line: the value is over, whatever its brackets say.
            b'<' if line_start => break,
            b'\n' => in_string = false,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        line_start = *byte == b'\n' || (line_start && matches!(byte, b' ' | b'\t'));
        if depth == 0 && start + offset >= at {
            parser.scanner.pos = start + offset + usize::from(*byte != b'\n');
            return;
        }
    }
    // Never balanced: only the first line is given up.
    parser.scanner.pos = parser.scanner.line_stop(start);
}
