//! Lines of syslog read column by column, without an expression.

use super::{Form, Syslog, chomp, words};
use crate::event::{Record, Scope, Value, ruby};
use crate::parser::{ParseError, Parsed};
use bumpalo::collections::Vec as BumpVec;

/// The text up to a space, and what is behind it.
fn column(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(b' ', text)?;
    Some((&text[..at], &text[at + 1..]))
}

/// `Jan  1 00:00:00`.
const PLAIN_TIME: usize = 15;

impl Syslog {
    /// The priority, where lines have one, and the text behind it.
    fn pri<'a>(&self, text: &'a [u8]) -> Result<(Option<i64>, &'a [u8]), ParseError> {
        if !self.params.with_priority {
            return Ok((None, text));
        }
        let end = text.strip_prefix(b"<").and_then(|rest| memchr::memchr(b'>', rest)).filter(|end| *end > 0);
        let end = end.ok_or(ParseError::NoMatch)?;
        Ok((Some(ruby::leading_integer(&text[1..=end])), &text[end + 2..]))
    }

    /// The time and the text behind it.
    fn time_column<'a>(&self, scope: &Scope<'a>, text: &'a [u8], form: &Form) -> Result<(&'a [u8], &'a [u8]), ParseError> {
        if form.is_plain_time {
            return match text.get(PLAIN_TIME) {
                Some(b' ') => Ok((&text[..PLAIN_TIME], &text[PLAIN_TIME + 1..])),
                Some(b'.') => {
                    let end = PLAIN_TIME + memchr::memchr(b' ', &text[PLAIN_TIME..]).ok_or(ParseError::NoMatch)?;
                    Ok((&text[..end], &text[end + 1..]))
                }
                _ => Err(ParseError::NoMatch),
            };
        }
        let too_short = || ParseError::failed("parse failed the line ends before its time does");
        let (time, end) = words(scope, text, 0, form.time_words).ok_or_else(too_short)?;
        Ok((time, &text[end + 1..]))
    }

    /// RFC 3164.
    pub(super) fn old_columns<'a>(&self, scope: &Scope<'a>, text: &'a [u8], out: &mut Parsed<'a>) -> Result<(), ParseError> {
        let (pri, text) = self.pri(text)?;
        let (time, text) = self.time_column(scope, text, &self.old)?;
        let (host, text) = column(text).ok_or(ParseError::NoMatch)?;
        let mut record = Record::with_capacity(scope.bump(), 8);
        record.push(Value::text("host"), Value::Str(host));
        if let Some(pri) = pri {
            record.push(Value::text("pri"), Value::Int(pri));
        }
        let message = match column(text) {
            None => text,
            Some((word, behind)) => match word.strip_suffix(b":") {
                Some(program) => {
                    self.program(program, &mut record);
                    behind
                }
                None if self.params.support_colonless_ident => {
                    self.program(word, &mut record);
                    behind
                }
                None => text,
            },
        };
        record.push(Value::text("message"), Value::Str(chomp(message)));
        let at = self.old.time(time)?;
        if self.base.keeps_time_key() {
            record.push(Value::text("time"), Value::Str(time));
        }
        out.events.push((Some(at), record));
        Ok(())
    }

    /// `program` or `program[process]`.
    fn program<'a>(&self, word: &'a [u8], record: &mut Record<'a>) {
        let process = word.strip_suffix(b"]").and_then(|word| memchr::memchr(b'[', word).map(|at| (&word[..at], &word[at + 1..])));
        let (program, process) = process.map_or((word, None), |(program, process)| (program, Some(process)));
        record.push(Value::text("ident"), Value::Str(program));
        if let Some(process) = process {
            record.push(Value::text("pid"), Value::Str(process));
        }
    }

    /// RFC 5424.
    pub(super) fn new_columns<'a>(&self, scope: &Scope<'a>, text: &'a [u8], out: &mut Parsed<'a>) -> Result<(), ParseError> {
        let (pri, mut text) = self.pri(text)?;
        if pri.is_some() {
            text = column(text).ok_or(ParseError::NoMatch)?.1;
        }
        let (time, mut text) = self.time_column(scope, text, &self.new)?;
        let mut record = Record::with_capacity(scope.bump(), 8);
        for name in ["host", "ident", "pid", "msgid"] {
            let (value, behind) = column(text).ok_or(ParseError::NoMatch)?;
            record.push(Value::text(name), Value::Str(value));
            text = behind;
        }
        if let Some(pri) = pri {
            record.push(Value::text("pri"), Value::Int(pri));
        }
        let data = match text.first() {
            Some(b'-') => 1,
            _ => memchr::memmem::find(text, b"] ").map_or(text.len(), |at| at + 1),
        };
        record.push(Value::text("extradata"), Value::Str(without_backslashes(scope, &text[..data])));
        if data < text.len() {
            record.push(Value::text("message"), Value::Str(chomp(&text[data + 1..])));
        }
        let at = self.new.time(time)?;
        if self.base.keeps_time_key() {
            record.push(Value::text("time"), Value::Str(time));
        }
        out.events.push((Some(at), record));
        Ok(())
    }
}

fn without_backslashes<'a>(scope: &Scope<'a>, text: &'a [u8]) -> &'a [u8] {
    if !text.contains(&b'\\') {
        return text;
    }
    let mut kept = BumpVec::with_capacity_in(text.len(), scope.bump());
    kept.extend(text.iter().copied().filter(|byte| *byte != b'\\'));
    kept.into_bump_slice()
}
