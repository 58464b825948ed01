//! Methods that make changed copies of a string, and their forms with `!` and `=` that change it in place.

use super::string::width;
use super::{Answer, Given, bytes, characters, integer, new_text, position, shown, slice_bounds};
use crate::ruby::machine::Machine;
use crate::ruby::value::{Outcome, Text, Value, raised};

pub(super) fn call(machine: &mut Machine<'_>, receiver: &Text, name: &str, given: &Given<'_>) -> Answer {
    if let Some(value) = in_place(machine, receiver, name, given)? {
        return Ok(Some(value));
    }
    let own = new_text(receiver);
    if let Some(plain) = name.strip_suffix('!') {
        let Some(changed) = changed(machine, &own, plain, given)? else { return Ok(None) };
        let same = changed == own;
        *receiver.borrow_mut() = changed;
        return Ok(Some(if same { Value::Nil } else { Value::Str(receiver.clone()) }));
    }
    Ok(changed(machine, &own, name, given)?.map(Value::text))
}

fn in_place(machine: &mut Machine<'_>, receiver: &Text, name: &str, given: &Given<'_>) -> Answer {
    match (name, given.arguments) {
        ("<<" | "concat", [other]) => {
            let other = match other {
                Value::Int(number) => {
                    u32::try_from(*number).ok().and_then(char::from_u32).map_or(Vec::new(), |c| c.to_string().into_bytes())
                }
                other => bytes(other)?,
            };
            machine.pay_bytes(receiver.borrow().len() + other.len())?;
            receiver.borrow_mut().extend_from_slice(&other);
        }
        ("prepend", others) => {
            let mut all = Vec::new();
            for other in others {
                all.extend(bytes(other)?);
            }
            machine.pay_bytes(receiver.borrow().len() + all.len())?;
            all.extend_from_slice(&receiver.borrow());
            *receiver.borrow_mut() = all;
        }
        ("insert", [at, other]) => {
            let own = new_text(receiver);
            let all = characters(&own);
            let at = integer(at)?;
            let place = if at < 0 { at + 1 + all.len() as i128 } else { at };
            let place = usize::try_from(place)
                .ok()
                .filter(|place| *place <= all.len())
                .ok_or_else(|| raised("IndexError", format!("index {at} out of string")))?;
            *receiver.borrow_mut() = [all[..place].concat(), bytes(other)?, all[place..].concat()].concat();
        }
        ("replace", [other]) => *receiver.borrow_mut() = bytes(other)?,
        ("clear", []) => receiver.borrow_mut().clear(),
        ("[]=", [at, value]) => return set_piece(receiver, at, value).map(Some),
        ("slice!", [at]) => {
            let removed = super::string::call(machine, receiver, "[]", &Given { arguments: std::slice::from_ref(at), block: None })?;
            if let Some(Value::Str(part)) = &removed {
                let own = new_text(receiver);
                let part = part.borrow().clone();
                if let Some(start) = memchr::memmem::find(&own, &part) {
                    *receiver.borrow_mut() = [&own[..start], &own[start + part.len()..]].concat();
                }
            }
            return Ok(removed);
        }
        _ => return Ok(None),
    }
    Ok(Some(Value::Str(receiver.clone())))
}

fn set_piece(receiver: &Text, at: &Value, value: &Value) -> Outcome<Value> {
    let own = new_text(receiver);
    let all = characters(&own);
    let new = bytes(value)?;
    let bounds = match at {
        Value::Int(number) => position(*number, all.len()).filter(|at| *at < all.len()).map(|at| (at, at + 1)),
        Value::Range(range) => slice_bounds(range, all.len())?,
        Value::Str(part) => {
            let part = part.borrow();
            let start = memchr::memmem::find(&own, &part).ok_or_else(|| raised("IndexError", "string not matched"))?;
            *receiver.borrow_mut() = [&own[..start], &new, &own[start + part.len()..]].concat();
            return Ok(value.clone());
        }
        _ => None,
    };
    let (start, end) = bounds.ok_or_else(|| raised("IndexError", "index out of string"))?;
    *receiver.borrow_mut() = [all[..start].concat(), new, all[end..].concat()].concat();
    Ok(value.clone())
}

fn changed(machine: &mut Machine<'_>, own: &[u8], name: &str, given: &Given<'_>) -> Outcome<Option<Vec<u8>>> {
    machine.pay_bytes(own.len())?;
    Ok(Some(match (name, given.arguments) {
        ("upcase", _) => cased(own, |text| text.to_uppercase())?,
        ("downcase", _) => cased(own, |text| text.to_lowercase())?,
        ("capitalize", _) => cased(own, |text| {
            let mut characters = text.chars();
            let first = characters.next().map_or(String::new(), |first| first.to_uppercase().to_string());
            first + &characters.as_str().to_lowercase()
        })?,
        ("swapcase", _) => cased(own, |text| {
            text.chars()
                .flat_map(|c| {
                    if c.is_uppercase() { c.to_lowercase().to_string() } else { c.to_uppercase().to_string() }.chars().collect::<Vec<_>>()
                })
                .collect()
        })?,
        ("strip", []) => strip(own, true, true).to_vec(),
        ("lstrip", []) => strip(own, true, false).to_vec(),
        ("rstrip", []) => strip(own, false, true).to_vec(),
        ("chomp", []) => {
            own.strip_suffix(b"\r\n").or_else(|| own.strip_suffix(b"\n")).or_else(|| own.strip_suffix(b"\r")).unwrap_or(own).to_vec()
        }
        ("chomp" | "delete_suffix", [end]) => own.strip_suffix(bytes(end)?.as_slice()).unwrap_or(own).to_vec(),
        ("delete_prefix", [start]) => own.strip_prefix(bytes(start)?.as_slice()).unwrap_or(own).to_vec(),
        ("chop", []) => own
            .strip_suffix(b"\r\n")
            .map_or_else(|| characters(own).split_last().map_or(Vec::new(), |(_, rest)| rest.concat()), <[u8]>::to_vec),
        ("reverse", []) => characters(own).into_iter().rev().collect::<Vec<_>>().concat(),
        ("squeeze", sets) => squeeze(own, sets)?,
        ("delete", sets) if !sets.is_empty() => {
            let sets = sets.iter().map(Set::of).collect::<Outcome<Vec<_>>>()?;
            characters(own).into_iter().filter(|c| !sets.iter().all(|set| set.has(c))).collect::<Vec<_>>().concat()
        }
        ("tr" | "tr_s", [from, to]) => translate(own, from, to, name == "tr_s")?,
        ("center", [to]) => padded(machine, own, width(to)?, b" ", true, true)?,
        ("center", [to, with]) => padded(machine, own, width(to)?, &bytes(with)?, true, true)?,
        ("ljust", [to]) => padded(machine, own, width(to)?, b" ", false, true)?,
        ("ljust", [to, with]) => padded(machine, own, width(to)?, &bytes(with)?, false, true)?,
        ("rjust", [to]) => padded(machine, own, width(to)?, b" ", true, false)?,
        ("rjust", [to, with]) => padded(machine, own, width(to)?, &bytes(with)?, true, false)?,
        ("succ" | "next", []) => successor(own),
        ("gsub" | "sub", _) => return super::search::substitute(machine, own, name == "gsub", given),
        _ => return Ok(None),
    }))
}

fn cased(own: &[u8], change: impl Fn(&str) -> String) -> Outcome<Vec<u8>> {
    let text = std::str::from_utf8(own).map_err(|_| raised("ArgumentError", "input string invalid"))?;
    Ok(change(text).into_bytes())
}

/// Ruby strips blanks on both sides, and NUL on the right.
fn strip(own: &[u8], left: bool, right: bool) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let start = if left { own.iter().take_while(|byte| blank(byte) || **byte == 0).count() } else { 0 };
    let end = if right { own.len() - own[start..].iter().rev().take_while(|byte| blank(byte) || **byte == 0).count() } else { own.len() };
    &own[start..end.max(start)]
}

fn padded(machine: &mut Machine<'_>, own: &[u8], width: usize, with: &[u8], left: bool, right: bool) -> Outcome<Vec<u8>> {
    let with = characters(with);
    if with.is_empty() {
        return Err(raised("ArgumentError", "zero width padding"));
    }
    machine.pay_bytes(width.saturating_mul(with.iter().map(|c| c.len()).max().unwrap_or(1)))?;
    let missing = width.saturating_sub(super::count_characters(own));
    let before = match (left, right) {
        (true, true) => missing / 2,
        (true, false) => missing,
        _ => 0,
    };
    let pad = |count: usize| with.iter().cycle().take(count).copied().collect::<Vec<_>>().concat();
    Ok([pad(before), own.to_vec(), pad(missing - before)].concat())
}

/// A set of characters as `tr` and `delete` spell it: `a-z`, `^0-9`.
pub(super) struct Set {
    characters: Vec<Vec<u8>>,
    negated: bool,
}

impl Set {
    pub(super) fn of(value: &Value) -> Outcome<Set> {
        let spelled = bytes(value)?;
        let negated = spelled.len() > 1 && spelled[0] == b'^';
        Ok(Set { characters: expanded(if negated { &spelled[1..] } else { &spelled }), negated })
    }

    pub(super) fn has(&self, character: &[u8]) -> bool {
        self.characters.iter().any(|known| known == character) != self.negated
    }
}

/// The characters of a spelled set in order, ranges spread out.
fn expanded(spelled: &[u8]) -> Vec<Vec<u8>> {
    let all = characters(spelled);
    let mut out: Vec<Vec<u8>> = Vec::new();
    let mut at = 0;
    while at < all.len() {
        if all[at] == b"\\" && at + 1 < all.len() {
            out.push(all[at + 1].to_vec());
            at += 2;
        } else if at + 2 < all.len() && all[at + 1] == b"-" {
            let code = |bytes: &[u8]| std::str::from_utf8(bytes).ok().and_then(|text| text.chars().next()).map(|c| c as u32);
            if let (Some(from), Some(to)) = (code(all[at]), code(all[at + 2])) {
                // More characters than this are not spelled by people.
                out.extend((from..=to.min(from.saturating_add(4096))).filter_map(char::from_u32).map(|c| c.to_string().into_bytes()));
            }
            at += 3;
        } else {
            out.push(all[at].to_vec());
            at += 1;
        }
    }
    out
}

fn squeeze(own: &[u8], sets: &[Value]) -> Outcome<Vec<u8>> {
    let sets = sets.iter().map(Set::of).collect::<Outcome<Vec<_>>>()?;
    let mut out: Vec<&[u8]> = Vec::new();
    for character in characters(own) {
        if out.last() != Some(&character) || !sets.iter().all(|set| set.has(character)) {
            out.push(character);
        }
    }
    Ok(out.concat())
}

fn translate(own: &[u8], from: &Value, to: &Value, squeeze: bool) -> Outcome<Vec<u8>> {
    let from = Set::of(from)?;
    let to = expanded(&bytes(to)?);
    let mut out: Vec<u8> = Vec::with_capacity(own.len());
    let mut last: Option<Vec<u8>> = None;
    for character in characters(own) {
        let place = from.characters.iter().rposition(|known| known == character);
        let new = match (from.negated, place) {
            (false, Some(at)) => Some(to.get(at).or(to.last()).cloned().unwrap_or_default()),
            (true, None) => Some(to.last().cloned().unwrap_or_default()),
            _ => None,
        };
        match new {
            Some(new) => {
                if !(squeeze && last.as_ref() == Some(&new)) {
                    out.extend_from_slice(&new);
                }
                last = Some(new);
            }
            None => {
                out.extend_from_slice(character);
                last = None;
            }
        }
    }
    Ok(out)
}

/// `succ`: the rightmost letter or digit is counted up, carrying to the left.
fn successor(own: &[u8]) -> Vec<u8> {
    let mut out = own.to_vec();
    let mut at = out.iter().rposition(u8::is_ascii_alphanumeric);
    let mut carry = None;
    while let Some(place) = at {
        let (new, carried) = match out[place] {
            b'z' => (b'a', Some(b'a')),
            b'Z' => (b'A', Some(b'A')),
            b'9' => (b'0', Some(b'1')),
            other => (other + 1, None),
        };
        out[place] = new;
        carry = carried.map(|byte| (place, byte));
        if carried.is_none() {
            break;
        }
        at = out[..place].iter().rposition(u8::is_ascii_alphanumeric);
    }
    match carry {
        Some((place, byte)) => out.insert(place, byte),
        None if at.is_none() => {
            if let Some(last) = out.last_mut() {
                *last = last.wrapping_add(1);
            }
        }
        None => {}
    }
    out
}

/// `count(sets)`.
pub(super) fn count(own: &[u8], sets: &[Value]) -> Outcome<Value> {
    let sets = sets.iter().map(Set::of).collect::<Outcome<Vec<_>>>()?;
    Ok(Value::int(characters(own).into_iter().filter(|c| sets.iter().all(|set| set.has(c))).count()))
}

/// Texts joined, each by `to_s`.
pub(super) fn joined(machine: &mut Machine<'_>, items: &[Value], between: &[u8], depth: usize, out: &mut Vec<u8>) -> Outcome<()> {
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.extend_from_slice(between);
        }
        match item {
            Value::Array(inner) if depth < crate::ruby::MAX_NESTING => {
                let inner = inner.borrow().clone();
                joined(machine, &inner, between, depth + 1, out)?;
            }
            other => out.extend_from_slice(&shown(other)),
        }
        machine.pay_bytes(out.len().min(64))?;
        machine.pay_bytes(out.len() / 64)?;
    }
    Ok(())
}
