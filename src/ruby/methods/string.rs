//! Methods of strings and symbols: questions, conversions, pieces. Those that edit are in `string_edit`, those that search in `search`.

use super::numerals::{parse_float, parse_integer};
use super::{
    Answer, Given, bytes, called, characters, count_characters, integer, new_text, number, position, search, shown, slice_bounds,
    span_bounds, string_edit, text,
};
use crate::ruby::machine::Machine;
use crate::ruby::value::{Outcome, Text, Value, raised, type_error};
use crate::ruby::{format, show};
use std::cmp::Ordering;
use std::rc::Rc;

/// A method of a string.
pub(super) fn call(machine: &mut Machine<'_>, receiver: &Text, name: &str, given: &Given<'_>) -> Answer {
    if let Some(value) = questions(receiver, name, given)? {
        return Ok(Some(value));
    }
    if let Some(value) = pieces(machine, receiver, name, given)? {
        return Ok(Some(value));
    }
    if let Some(value) = search::string(machine, receiver, name, given)? {
        return Ok(Some(value));
    }
    string_edit::call(machine, receiver, name, given)
}

/// A method of a symbol: most are a string's.
pub(super) fn symbol(machine: &mut Machine<'_>, name: &Rc<str>, method: &str, given: &Given<'_>) -> Answer {
    let text: Text = Rc::new(std::cell::RefCell::new(name.as_bytes().to_vec()));
    match (method, given.arguments) {
        ("to_sym", []) => Ok(Some(Value::Sym(name.clone()))),
        ("to_proc", []) => Ok(Some(Value::Proc(crate::ruby::value::Callable::Name(name.clone())))),
        ("to_s" | "name" | "id2name", []) => Ok(Some(Value::Str(text))),
        ("inspect" | "==" | "eql?" | "hash" | "+" | "<<" | "gsub" | "sub" | "split", _) => Ok(None),
        ("<=>", [Value::Sym(other)]) => Ok(Some(Value::int((**name).cmp(other) as i32))),
        ("upcase" | "downcase" | "capitalize" | "swapcase" | "succ", []) => {
            let result = call(machine, &text, method, given)?;
            Ok(result.map(|result| Value::symbol(&String::from_utf8_lossy(&shown(&result)))))
        }
        ("length" | "size" | "empty?" | "start_with?" | "end_with?" | "[]" | "=~" | "match?" | "match", _) => {
            call(machine, &text, method, given)
        }
        _ => Ok(None),
    }
}

fn questions(receiver: &Text, name: &str, given: &Given<'_>) -> Answer {
    let own = receiver.borrow();
    Ok(Some(match (name, given.arguments) {
        ("length" | "size", []) => Value::int(count_characters(&own)),
        ("bytesize", []) => Value::int(own.len()),
        ("empty?", []) => Value::Bool(own.is_empty()),
        ("to_s" | "to_str" | "itself" | "freeze" | "-@", []) => Value::Str(receiver.clone()),
        ("to_sym" | "intern", []) => Value::symbol(&String::from_utf8_lossy(&own)),
        ("to_i", []) => Value::Int(parse_integer(&own, 10)),
        ("to_i", [radix]) => {
            let radix = u32::try_from(integer(radix)?)
                .ok()
                .filter(|radix| (2..=36).contains(radix))
                .ok_or_else(|| raised("ArgumentError", "invalid radix"))?;
            Value::Int(parse_integer(&own, radix))
        }
        ("hex", []) => Value::Int(parse_integer(&own, 16)),
        ("oct", []) => Value::Int(parse_integer(&own, 8)),
        ("to_f", []) => Value::Float(parse_float(&own)),
        ("to_c" | "to_r", []) => return Ok(None),
        ("ord", []) => match characters(&own).first() {
            Some(first) => {
                Value::int(std::str::from_utf8(first).ok().and_then(|text| text.chars().next()).map_or(u32::from(first[0]), |c| c as u32))
            }
            None => return Err(raised("ArgumentError", "empty string")),
        },
        ("sum", []) => Value::int(own.iter().map(|byte| i128::from(*byte)).sum::<i128>() & 0xffff),
        ("hash", []) => Value::int(
            own.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)) >> 2,
        ),
        ("inspect" | "dump", []) => {
            let mut out = Vec::new();
            show::inspect_text(&own, &mut out);
            Value::text(out)
        }
        ("valid_encoding?", []) => Value::Bool(std::str::from_utf8(&own).is_ok()),
        ("ascii_only?", []) => Value::Bool(own.is_ascii()),
        ("encoding", []) => Value::text("UTF-8"),
        ("frozen?", []) => Value::Bool(false),
        ("casecmp", [other]) => Value::int(own.to_ascii_lowercase().cmp(&bytes(other)?.to_ascii_lowercase()) as i32),
        ("casecmp?", [other]) => Value::Bool(String::from_utf8_lossy(&own).to_lowercase() == text(other)?.to_lowercase()),
        ("eql?", [other]) => Value::Bool(matches!(other, Value::Str(other) if *other.borrow() == *own)),
        ("<=>", [Value::Str(other)]) => Value::int(own.as_slice().cmp(other.borrow().as_slice()) as i32),
        ("<" | ">" | "<=" | ">=", [Value::Str(other)]) => Value::Bool(holds(name, own.as_slice().cmp(other.borrow().as_slice()))),
        ("unpack1" | "unpack", _) => return Err(raised("NotImplementedError", format!("String#{name} is not supported in embedded Ruby"))),
        ("getbyte", [at]) => position(integer(at)?, own.len()).and_then(|at| own.get(at)).map_or(Value::Nil, |byte| Value::int(*byte)),
        _ => return Ok(None),
    }))
}

/// Whether an order satisfies a comparison operator.
pub(super) fn holds(operator: &str, order: Ordering) -> bool {
    match operator {
        "<" => order.is_lt(),
        ">" => order.is_gt(),
        "<=" => order.is_le(),
        _ => order.is_ge(),
    }
}

fn pieces(machine: &mut Machine<'_>, receiver: &Text, name: &str, given: &Given<'_>) -> Answer {
    let own = new_text(receiver);
    Ok(Some(match (name, given.arguments) {
        ("+", [other]) => {
            let other = bytes(other)?;
            machine.pay_bytes(own.len() + other.len())?;
            Value::text([own, other].concat())
        }
        ("*", [times]) => {
            let times = usize::try_from(integer(times)?).map_err(|_| raised("ArgumentError", "negative argument"))?;
            machine.pay_bytes(own.len().saturating_mul(times))?;
            Value::text(own.repeat(times))
        }
        ("%", [values]) => {
            let values = if let Value::Array(items) = values { items.borrow().clone() } else { vec![values.clone()] };
            Value::text(format::format(machine, &own, &values)?)
        }
        ("[]" | "slice", [at]) => return at_index(machine, receiver, &own, at).map(Some),
        ("[]" | "slice", [Value::Regexp(regexp), group]) => search::group(machine, &own, regexp, group)?,
        ("[]" | "slice", [start, count]) => {
            let all = characters(&own);
            match span_bounds(integer(start)?, integer(count)?, all.len()) {
                Some((start, end)) => Value::text(all[start..end].concat()),
                None => Value::Nil,
            }
        }
        ("byteslice", [start, count]) => {
            span_bounds(integer(start)?, integer(count)?, own.len()).map_or(Value::Nil, |(start, end)| Value::text(&own[start..end]))
        }
        ("chars" | "each_char", []) if given.block.is_none() => listed(machine, characters(&own).into_iter().map(Value::text).collect())?,
        ("bytes" | "each_byte", []) if given.block.is_none() => listed(machine, own.iter().map(|byte| Value::int(*byte)).collect())?,
        ("codepoints", []) => listed(machine, String::from_utf8_lossy(&own).chars().map(|c| Value::int(c as u32)).collect())?,
        ("lines" | "each_line", []) if given.block.is_none() => listed(machine, lines(&own))?,
        ("each_char" | "each_line" | "each_byte", []) => {
            let items = match name {
                "each_char" => characters(&own).into_iter().map(Value::text).collect(),
                "each_line" => lines(&own),
                _ => own.iter().map(|byte| Value::int(*byte)).collect(),
            };
            for item in items {
                machine.call_block(super::needed(given)?, vec![item])?;
            }
            Value::Str(receiver.clone())
        }
        ("dup" | "clone" | "+@" | "b" | "to_str", []) => Value::text(own),
        ("encode" | "force_encoding" | "unicode_normalize", _) => Value::text(own),
        ("scrub", []) => Value::text(String::from_utf8_lossy(&own).into_owned()),
        ("scrub", [with]) => {
            let with = bytes(with)?;
            let scrubbed = own
                .utf8_chunks()
                .flat_map(|chunk| [chunk.valid().as_bytes(), if chunk.invalid().is_empty() { &[] } else { &with }].concat());
            Value::text(scrubbed.collect::<Vec<u8>>())
        }
        ("upto", [to]) => {
            let range = crate::ruby::value::Range { from: Value::text(own), to: to.clone(), exclusive: false };
            return super::enumerable::range(machine, &Rc::new(range), "each", given);
        }
        // What `File.open` gives stands for the file.
        ("read", []) => Value::Str(receiver.clone()),
        ("readlines", []) => listed(machine, lines(&own))?,
        ("gets" | "readline", []) => lines(&own).into_iter().next().unwrap_or_default(),
        ("close" | "rewind", []) => Value::Nil,
        _ => return Ok(None),
    }))
}

fn listed(machine: &mut Machine<'_>, items: Vec<Value>) -> Outcome<Value> {
    machine.pay(items.len())?;
    Ok(Value::list(items))
}

fn at_index(machine: &mut Machine<'_>, receiver: &Text, own: &[u8], at: &Value) -> Outcome<Value> {
    Ok(match at {
        Value::Int(_) | Value::Float(_) => {
            let all = characters(own);
            position(integer(at)?, all.len()).and_then(|at| all.get(at)).map_or(Value::Nil, |found| Value::text(*found))
        }
        Value::Range(range) => {
            let all = characters(own);
            slice_bounds(range, all.len())?.map_or(Value::Nil, |(start, end)| Value::text(all[start..end].concat()))
        }
        Value::Regexp(regexp) => search::group(machine, own, regexp, &Value::Int(0))?,
        Value::Str(part) => {
            let part = part.borrow();
            if memchr::memmem::find(&receiver.borrow(), &part).is_some() { Value::text(part.clone()) } else { Value::Nil }
        }
        other => return type_error(format!("no implicit conversion of {} into Integer", called(other))),
    })
}

/// Lines with their ends.
fn lines(text: &[u8]) -> Vec<Value> {
    text.split_inclusive(|byte| *byte == b'\n').map(Value::text).collect()
}

/// `number` as seen by those who only need to know that an argument is one.
pub(super) fn width(value: &Value) -> Outcome<usize> {
    Ok(number(value)?.max(0.0) as usize)
}
