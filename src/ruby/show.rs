//! `to_s` and `inspect`.

use super::value::{Callable, Value};
use crate::event::json::write_ruby_float;

/// `to_s`, appended.
pub fn to_s(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Nil => {}
        Value::Str(text) => out.extend_from_slice(&text.borrow()),
        Value::Sym(name) => out.extend_from_slice(name.as_bytes()),
        Value::Range(range) => {
            to_s(&range.from, out);
            out.extend_from_slice(if range.exclusive { b"..." } else { b".." });
            to_s(&range.to, out);
        }
        Value::Regexp(regexp) => out.extend_from_slice(regexp.to_s().as_bytes()),
        Value::Match(found) => out.extend_from_slice(found.group(0).unwrap_or_default()),
        Value::Time(moment) => out.extend_from_slice(moment.get().to_s().as_bytes()),
        Value::Error(error) => out.extend_from_slice(error.message.as_bytes()),
        Value::Uri(uri) => out.extend_from_slice(uri.text().as_bytes()),
        other => inspect(other, out),
    }
}

/// `inspect`, appended.
pub fn inspect(value: &Value, out: &mut Vec<u8>) {
    inspect_at(value, 0, out);
}

fn inspect_at(value: &Value, depth: usize, out: &mut Vec<u8>) {
    if depth > super::MAX_NESTING {
        return out.extend_from_slice(b"...");
    }
    match value {
        Value::Nil => out.extend_from_slice(b"nil"),
        Value::Bool(truth) => out.extend_from_slice(if *truth { b"true" } else { b"false" }),
        Value::Int(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::Float(number) => write_ruby_float(*number, out),
        Value::Str(text) => inspect_text(&text.borrow(), out),
        Value::Sym(name) => inspect_symbol(name, out),
        Value::Array(items) => {
            out.push(b'[');
            for (at, item) in items.borrow().iter().enumerate() {
                separate(at, out);
                inspect_at(item, depth + 1, out);
            }
            out.push(b']');
        }
        Value::Hash(hash) => {
            out.push(b'{');
            for (at, (key, value)) in hash.borrow().iter().enumerate() {
                separate(at, out);
                inspect_at(key, depth + 1, out);
                out.extend_from_slice(b"=>");
                inspect_at(value, depth + 1, out);
            }
            out.push(b'}');
        }
        Value::Range(range) => {
            if !range.from.is_nil() {
                inspect_at(&range.from, depth + 1, out);
            }
            out.extend_from_slice(if range.exclusive { b"..." } else { b".." });
            if !range.to.is_nil() {
                inspect_at(&range.to, depth + 1, out);
            }
        }
        Value::Regexp(regexp) => out.extend_from_slice(regexp.inspect().as_bytes()),
        Value::Match(found) => {
            out.extend_from_slice(b"#<MatchData ");
            inspect_text(found.group(0).unwrap_or_default(), out);
            out.push(b'>');
        }
        Value::Time(moment) => out.extend_from_slice(moment.get().inspect().as_bytes()),
        Value::Const(name) => out.extend_from_slice(name.as_bytes()),
        Value::Proc(Callable::Block(_)) => out.extend_from_slice(b"#<Proc>"),
        Value::Proc(Callable::Name(name)) => out.extend_from_slice(format!("#<Proc:(&:{name}) (lambda)>").as_bytes()),
        Value::Enumerator(_) => out.extend_from_slice(b"#<Enumerator: ...>"),
        Value::Error(error) => out.extend_from_slice(format!("#<{}: {}>", error.class, error.message).as_bytes()),
        Value::Uri(uri) => out.extend_from_slice(format!("#<{} {}>", uri.class(), uri.text()).as_bytes()),
        Value::Ext(_, body) => body.iter().for_each(|byte| out.extend_from_slice(format!("{byte:02x}").as_bytes())),
    }
}

fn separate(at: usize, out: &mut Vec<u8>) {
    if at > 0 {
        out.extend_from_slice(b", ");
    }
}

fn inspect_symbol(name: &str, out: &mut Vec<u8>) {
    out.push(b':');
    if is_plain_symbol(name) { out.extend_from_slice(name.as_bytes()) } else { inspect_text(name.as_bytes(), out) }
}

fn is_plain_symbol(name: &str) -> bool {
    const OPERATORS: &[&str] = &[
        "[]", "[]=", "<=>", "===", "==", "=~", "**", "+@", "-@", "<<", ">>", "<=", ">=", "!=", "+", "-", "*", "/", "%", "<", ">", "!", "&",
        "|", "^", "~",
    ];
    let word = name.strip_suffix(['?', '!', '=']).unwrap_or(name);
    let word = word.strip_prefix('@').unwrap_or(word);
    let named =
        !word.is_empty() && !word.starts_with(|c: char| c.is_ascii_digit()) && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    named || OPERATORS.contains(&name)
}

/// Text in quotes, as a Ruby that runs without a locale writes it: nothing beyond ASCII stays.
pub fn inspect_text(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for chunk in text.utf8_chunks() {
        let mut characters = chunk.valid().chars().peekable();
        while let Some(character) = characters.next() {
            inspect_char(character, characters.peek().copied(), out);
        }
        chunk.invalid().iter().for_each(|byte| out.extend_from_slice(format!("\\x{byte:02X}").as_bytes()));
    }
    out.push(b'"');
}

fn inspect_char(character: char, next: Option<char>, out: &mut Vec<u8>) {
    let short = match character {
        '"' | '\\' => character,
        '#' if matches!(next, Some('{' | '$' | '@')) => '#',
        '\n' => 'n',
        '\r' => 'r',
        '\t' => 't',
        '\u{c}' => 'f',
        '\u{b}' => 'v',
        '\u{8}' => 'b',
        '\u{7}' => 'a',
        '\u{1b}' => 'e',
        ' '..='~' => return out.push(character as u8),
        _ if character > '\u{ffff}' => return out.extend_from_slice(format!("\\u{{{:X}}}", character as u32).as_bytes()),
        _ => return out.extend_from_slice(format!("\\u{:04X}", character as u32).as_bytes()),
    };
    out.extend_from_slice(&[b'\\', short as u8]);
}
