//! `JSON.parse`, `JSON.generate` and `to_json`.

use super::hash::Hash;
use super::machine::Machine;
use super::show;
use super::value::{Outcome, Value, raised};
use crate::event::json::{Document, Engine, read};
use bumpalo::Bump;

/// A value from JSON text.
pub(super) fn parse(machine: &mut Machine<'_>, text: &[u8]) -> Outcome<Value> {
    machine.pay_bytes(text.len())?;
    machine.pay(text.len() / 4)?;
    let bump = Bump::new();
    match read(&bump, text, Engine::Json) {
        Ok(Document::Record(record)) => Ok(super::convert::from_record(record.fields())),
        Ok(Document::Value(value)) => Ok(super::convert::from_event(&value)),
        Err(_) => {
            let shown = String::from_utf8_lossy(&text[..text.len().min(80)]).into_owned();
            Err(raised("JSON::ParserError", format!("unexpected token at '{shown}'")))
        }
    }
}

/// A value as JSON text.
pub(super) fn generate(value: &Value) -> Outcome<Vec<u8>> {
    let mut out = Vec::new();
    write(value, 0, &mut out)?;
    Ok(out)
}

fn write(value: &Value, depth: usize, out: &mut Vec<u8>) -> Outcome<()> {
    if depth > super::MAX_NESTING {
        return Err(raised("JSON::GeneratorError", "nested too deeply"));
    }
    match value {
        Value::Nil => out.extend_from_slice(b"null"),
        Value::Bool(_) | Value::Int(_) => show::to_s(value, out),
        Value::Float(number) if number.is_finite() => show::to_s(value, out),
        Value::Float(_) => {
            let mut shown = Vec::new();
            show::to_s(value, &mut shown);
            return Err(raised("JSON::GeneratorError", format!("{} not allowed in JSON", String::from_utf8_lossy(&shown))));
        }
        Value::Array(items) => {
            out.push(b'[');
            for (at, item) in items.borrow().iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write(item, depth + 1, out)?;
            }
            out.push(b']');
        }
        Value::Hash(hash) => write_hash(&hash.borrow(), depth, out)?,
        Value::Str(text) => write_text(&text.borrow(), out)?,
        other => {
            let mut shown = Vec::new();
            show::to_s(other, &mut shown);
            write_text(&shown, out)?;
        }
    }
    Ok(())
}

fn write_hash(hash: &Hash, depth: usize, out: &mut Vec<u8>) -> Outcome<()> {
    out.push(b'{');
    for (at, (key, value)) in hash.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        let mut shown = Vec::new();
        show::to_s(key, &mut shown);
        write_text(&shown, out)?;
        out.push(b':');
        write(value, depth + 1, out)?;
    }
    out.push(b'}');
    Ok(())
}

fn write_text(text: &[u8], out: &mut Vec<u8>) -> Outcome<()> {
    let text = std::str::from_utf8(text).map_err(|_| raised("JSON::GeneratorError", "source sequence is illegal/malformed utf-8"))?;
    out.push(b'"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend_from_slice(&[b'\\', character as u8]),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            '\u{8}' => out.extend_from_slice(b"\\b"),
            '\u{c}' => out.extend_from_slice(b"\\f"),
            control if (control as u32) < 0x20 => out.extend_from_slice(format!("\\u{:04x}", control as u32).as_bytes()),
            other => out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
    Ok(())
}
