//! Searching in strings: by text and by regular expression.

use super::{Answer, Given, bytes, called, characters, count_characters, integer, needed, new_text, position, shown, string_edit};
use crate::regex::Regex;
use crate::ruby::hash::Hash;
use crate::ruby::machine::Machine;
use crate::ruby::regexp::{Groups, MatchData, Regexp};
use crate::ruby::value::{Outcome, Text, Value, argument_error, type_error};
use std::rc::Rc;
use std::sync::Arc;

pub(super) fn string(machine: &mut Machine<'_>, receiver: &Text, name: &str, given: &Given<'_>) -> Answer {
    let own = new_text(receiver);
    Ok(Some(match (name, given.arguments) {
        ("include?", [part]) => Value::Bool(memchr::memmem::find(&own, &bytes(part)?).is_some()),
        ("start_with?", parts) => {
            for part in parts {
                let found = match part {
                    Value::Regexp(regexp) => {
                        search(machine, &own, regexp, 0)?.is_some_and(|found| matches!(found.groups.first(), Some(Some((0, _)))))
                    }
                    part => own.starts_with(&bytes(part)?),
                };
                if found {
                    return Ok(Some(Value::Bool(true)));
                }
            }
            Value::Bool(false)
        }
        ("end_with?", parts) => {
            for part in parts {
                if own.ends_with(&bytes(part)?) {
                    return Ok(Some(Value::Bool(true)));
                }
            }
            Value::Bool(false)
        }
        ("=~", [Value::Regexp(regexp)]) => place(&own, search(machine, &own, regexp, 0)?.as_deref()),
        ("=~", [Value::Str(_)]) => return type_error("wrong argument type String (expected Regexp)"),
        ("match", [pattern]) => {
            let regexp = regexp_of(pattern)?;
            search(machine, &own, &regexp, 0)?.map_or(Value::Nil, Value::Match)
        }
        ("match?", [pattern]) => {
            let kept = machine.last_match.clone();
            let found = search(machine, &own, &regexp_of(pattern)?, 0)?.is_some();
            machine.last_match = kept;
            Value::Bool(found)
        }
        ("index", [pattern]) => index(machine, &own, pattern, 0)?,
        ("index", [pattern, from]) => match position(integer(from)?, count_characters(&own)) {
            Some(from) => index(machine, &own, pattern, characters(&own).iter().take(from).map(|c| c.len()).sum())?,
            None => Value::Nil,
        },
        ("rindex", [pattern]) => {
            last_place(machine, &own, pattern)?.map_or(Value::Nil, |(start, _)| Value::int(count_characters(&own[..start])))
        }
        ("count", sets) if !sets.is_empty() => string_edit::count(&own, sets)?,
        ("scan", [pattern]) => scan(machine, receiver, &own, pattern, given)?,
        ("split", arguments) => split(machine, &own, arguments)?,
        ("partition", [pattern]) => match first_place(machine, &own, pattern)? {
            Some((start, end)) => thirds(&own, start, end),
            None => Value::list(vec![Value::text(own), Value::text(""), Value::text("")]),
        },
        ("rpartition", [pattern]) => match last_place(machine, &own, pattern)? {
            Some((start, end)) => thirds(&own, start, end),
            None => Value::list(vec![Value::text(""), Value::text(""), Value::text(own)]),
        },
        _ => return Ok(None),
    }))
}

fn thirds(own: &[u8], start: usize, end: usize) -> Value {
    Value::list(vec![Value::text(&own[..start]), Value::text(&own[start..end]), Value::text(&own[end..])])
}

/// Searches and remembers what was found for `$~`.
fn search(machine: &mut Machine<'_>, own: &[u8], regexp: &Arc<Regexp>, from: usize) -> Outcome<Option<Rc<MatchData>>> {
    machine.pay(own.len() / 64)?;
    let found = regexp.search(own, from)?.map(|groups| Rc::new(MatchData { text: Rc::from(own), groups, regexp: regexp.clone() }));
    machine.last_match = found.clone();
    Ok(found)
}

/// The place of a match in characters; nil where there is none.
fn place(own: &[u8], found: Option<&MatchData>) -> Value {
    match found.and_then(|found| found.groups.first().copied().flatten()) {
        Some((start, _)) => Value::int(count_characters(&own[..start])),
        None => Value::Nil,
    }
}

fn regexp_of(pattern: &Value) -> Outcome<Arc<Regexp>> {
    match pattern {
        Value::Regexp(regexp) => Ok(regexp.clone()),
        Value::Str(text) => {
            let source = String::from_utf8_lossy(&text.borrow()).into_owned();
            Regexp::new(&source, "").map(Arc::new).map_err(|why| crate::ruby::value::raised("RegexpError", why))
        }
        other => type_error(format!("wrong argument type {} (expected Regexp)", called(other))),
    }
}

/// `text[regexp, group]`.
pub(super) fn group(machine: &mut Machine<'_>, own: &[u8], regexp: &Arc<Regexp>, group: &Value) -> Outcome<Value> {
    match search(machine, own, regexp, 0)? {
        Some(found) => group_of(&found, group),
        None => Ok(Value::Nil),
    }
}

fn group_of(found: &MatchData, group: &Value) -> Outcome<Value> {
    let part = match group {
        Value::Str(name) => found.named(&String::from_utf8_lossy(&name.borrow()))?,
        Value::Sym(name) => found.named(name)?,
        number => position(integer(number)?, found.groups.len()).and_then(|at| found.group(at)),
    };
    Ok(part.map_or(Value::Nil, Value::text))
}

fn index(machine: &mut Machine<'_>, own: &[u8], pattern: &Value, from: usize) -> Outcome<Value> {
    let start = match pattern {
        Value::Regexp(regexp) => {
            search(machine, own, regexp, from)?.and_then(|found| found.groups.first().copied().flatten()).map(|(start, _)| start)
        }
        pattern => own.get(from..).and_then(|rest| memchr::memmem::find(rest, &bytes(pattern).ok()?)).map(|at| at + from),
    };
    Ok(start.map_or(Value::Nil, |start| Value::int(count_characters(&own[..start]))))
}

fn first_place(machine: &mut Machine<'_>, own: &[u8], pattern: &Value) -> Outcome<Option<(usize, usize)>> {
    match pattern {
        Value::Regexp(regexp) => Ok(search(machine, own, regexp, 0)?.and_then(|found| found.groups.first().copied().flatten())),
        pattern => {
            let part = bytes(pattern)?;
            Ok(memchr::memmem::find(own, &part).map(|at| (at, at + part.len())))
        }
    }
}

fn last_place(machine: &mut Machine<'_>, own: &[u8], pattern: &Value) -> Outcome<Option<(usize, usize)>> {
    match pattern {
        Value::Regexp(regexp) => Ok(all_matches(machine, own, regexp)?.pop().and_then(|groups| groups.first().copied().flatten())),
        pattern => {
            let part = bytes(pattern)?;
            Ok(memchr::memmem::rfind(own, &part).map(|at| (at, at + part.len())))
        }
    }
}

/// All matches from left to right, none overlapping another; an empty one moves on by a character.
fn all_matches(machine: &mut Machine<'_>, own: &[u8], regexp: &Arc<Regexp>) -> Outcome<Vec<Groups>> {
    let mut all = Vec::new();
    let mut from = 0;
    let searches = regexp.searches(own);
    while let Some(groups) = regexp.next_of(&searches, from)? {
        machine.pay(1 + groups.len())?;
        let Some((start, end)) = groups.first().copied().flatten() else { break };
        all.push(groups);
        from = if end > start { end } else { end + characters(&own[end..(end + 4).min(own.len())]).first().map_or(1, |c| c.len()) };
        if from > own.len() {
            break;
        }
    }
    Ok(all)
}

fn scan(machine: &mut Machine<'_>, receiver: &Text, own: &[u8], pattern: &Value, given: &Given<'_>) -> Outcome<Value> {
    let (matches, regexp) = matches_of(machine, own, pattern)?;
    let text: Rc<[u8]> = Rc::from(own);
    let mut found = Vec::new();
    for groups in matches {
        let part = |group: &Option<(usize, usize)>| group.map_or(Value::Nil, |(start, end)| Value::text(&own[start..end]));
        let item = if groups.len() > 1 { Value::list(groups[1..].iter().map(part).collect()) } else { part(&groups[0]) };
        machine.last_match = Some(Rc::new(MatchData { text: text.clone(), groups, regexp: regexp.clone() }));
        match given.block {
            Some(block) => drop(machine.call_block(block, vec![item])?),
            None => found.push(item),
        }
    }
    Ok(if given.block.is_some() { Value::Str(receiver.clone()) } else { Value::list(found) })
}

/// All matches of a pattern that may be plain text.
fn matches_of(machine: &mut Machine<'_>, own: &[u8], pattern: &Value) -> Outcome<(Vec<Groups>, Arc<Regexp>)> {
    match pattern {
        Value::Regexp(regexp) => Ok((all_matches(machine, own, regexp)?, regexp.clone())),
        pattern => {
            let part = bytes(pattern)?;
            let nothing = Regexp::new("", "").map(Arc::new).map_err(|why| crate::ruby::value::raised("RegexpError", why))?;
            if part.is_empty() {
                return Ok((all_matches(machine, own, &nothing)?, nothing));
            }
            let places = memchr::memmem::find_iter(own, &part).map(|at| vec![Some((at, at + part.len()))]).collect();
            Ok((places, nothing))
        }
    }
}

/// `sub` and `gsub`, with a replacement text, a hash or a block.
pub(super) fn substitute(machine: &mut Machine<'_>, own: &[u8], all: bool, given: &Given<'_>) -> Outcome<Option<Vec<u8>>> {
    let (pattern, with) = match given.arguments {
        [pattern, with] => (pattern, Some(with)),
        [pattern] if given.block.is_some() => (pattern, None),
        _ => return argument_error(format!("wrong number of arguments (given {}, expected 1..2)", given.arguments.len())),
    };
    let (mut matches, regexp) = matches_of(machine, own, pattern)?;
    if !all {
        matches.truncate(1);
    }
    let text: Rc<[u8]> = Rc::from(own);
    let mut out = Vec::with_capacity(own.len());
    let mut copied = 0;
    for groups in matches {
        let Some((start, end)) = groups.first().copied().flatten() else { continue };
        let before = out.len();
        out.extend_from_slice(&own[copied..start]);
        let found = Rc::new(MatchData { text: text.clone(), groups, regexp: regexp.clone() });
        match with {
            Some(Value::Hash(hash)) => {
                let value = hash.borrow().get_text(&own[start..end]).cloned().unwrap_or_default();
                out.extend_from_slice(&shown(&value));
            }
            Some(with) => expand(&bytes(with)?, &found, &mut out),
            None => {
                machine.last_match = Some(found.clone());
                let value = machine.call_block(needed(given)?, vec![Value::text(&own[start..end])])?;
                out.extend_from_slice(&shown(&value));
            }
        }
        machine.last_match = Some(found);
        machine.pay_bytes(out.len() - before)?;
        machine.check_length(out.len())?;
        copied = end;
    }
    out.extend_from_slice(&own[copied..]);
    machine.pay_bytes(out.len())?;
    Ok(Some(out))
}

/// All matches replaced, without a run; a search that is given up leaves the rest as it is.
pub(in crate::ruby) fn gsub(pattern: &Regex, text: &[u8], with: &[u8]) -> Vec<u8> {
    let regexp = Arc::new(Regexp::of(pattern.clone()));
    let whole: Rc<[u8]> = Rc::from(text);
    let mut out = Vec::with_capacity(text.len());
    let (mut copied, mut from) = (0, 0);
    let searches = regexp.searches(text);
    while let Ok(Some(groups)) = regexp.next_of(&searches, from) {
        let Some((start, end)) = groups.first().copied().flatten() else { break };
        out.extend_from_slice(&text[copied..start]);
        expand(with, &MatchData { text: whole.clone(), groups, regexp: regexp.clone() }, &mut out);
        copied = end;
        from = if end > start { end } else { end + characters(&text[end..(end + 4).min(text.len())]).first().map_or(1, |c| c.len()) };
    }
    out.extend_from_slice(&text[copied.min(text.len())..]);
    out
}

/// A replacement with `\1`, `\0`, `\&`, `\k<name>`, `` \` ``, `\'` and `\\`.
pub(in crate::ruby) fn expand(with: &[u8], found: &MatchData, out: &mut Vec<u8>) {
    let (start, end) = found.groups.first().copied().flatten().unwrap_or((0, 0));
    let mut at = 0;
    while at < with.len() {
        let next = with.get(at + 1);
        match (with[at], next) {
            (b'\\', Some(digit @ b'0'..=b'9')) => out.extend_from_slice(found.group(usize::from(digit - b'0')).unwrap_or_default()),
            (b'\\', Some(b'&')) => out.extend_from_slice(&found.text[start..end]),
            (b'\\', Some(b'`')) => out.extend_from_slice(&found.text[..start]),
            (b'\\', Some(b'\'')) => out.extend_from_slice(&found.text[end..]),
            (b'\\', Some(b'\\')) => out.push(b'\\'),
            (b'\\', Some(b'k')) if with.get(at + 2) == Some(&b'<') => {
                let name = with[at + 3..].split(|byte| *byte == b'>').next().unwrap_or_default();
                let part = found.named(&String::from_utf8_lossy(name)).ok().flatten().unwrap_or_default();
                out.extend_from_slice(part);
                at += name.len() + 2;
            }
            _ => {
                out.push(with[at]);
                at += 1;
                continue;
            }
        }
        at += 2;
    }
}

fn split(machine: &mut Machine<'_>, own: &[u8], arguments: &[Value]) -> Outcome<Value> {
    let limit = arguments.get(1).map_or(Ok(0), integer)?;
    let most = usize::try_from(limit).ok().filter(|most| *most > 0).unwrap_or(usize::MAX);
    let mut parts: Vec<Value> = match arguments.first() {
        None | Some(Value::Nil) => split_blanks(own, most),
        Some(Value::Str(text)) if *text.borrow() == b" " => split_blanks(own, most),
        Some(Value::Str(text)) if text.borrow().is_empty() => {
            let all = characters(own);
            let cut = all.len().min(most.saturating_sub(1));
            let mut parts: Vec<Value> = all[..cut].iter().map(|c| Value::text(*c)).collect();
            if most != usize::MAX || limit < 0 {
                parts.push(Value::text(all[cut..].concat()));
            }
            parts
        }
        Some(Value::Str(text)) => {
            let text = text.borrow().clone();
            let mut parts = Vec::new();
            let mut rest = own;
            while parts.len() + 1 < most {
                let Some(at) = memchr::memmem::find(rest, &text) else { break };
                parts.push(Value::text(&rest[..at]));
                rest = &rest[at + text.len()..];
            }
            parts.push(Value::text(rest));
            parts
        }
        Some(Value::Regexp(regexp)) => split_regexp(machine, own, regexp, most)?,
        Some(other) => return type_error(format!("wrong argument type {} (expected Regexp)", called(other))),
    };
    machine.pay(parts.len())?;
    if own.is_empty() {
        parts.clear();
    }
    if limit == 0 {
        while parts.last().is_some_and(|part| shown(part).is_empty()) {
            parts.pop();
        }
    }
    Ok(Value::list(parts))
}

fn split_blanks(own: &[u8], most: usize) -> Vec<Value> {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r' | 0);
    let mut parts = Vec::new();
    let mut rest = own;
    loop {
        rest = &rest[rest.iter().take_while(|byte| blank(byte)).count()..];
        if rest.is_empty() && most == usize::MAX {
            break;
        }
        if parts.len() + 1 >= most {
            parts.push(Value::text(rest));
            break;
        }
        let end = rest.iter().position(blank).unwrap_or(rest.len());
        parts.push(Value::text(&rest[..end]));
        if end == rest.len() {
            break;
        }
        rest = &rest[end..];
    }
    parts
}

fn split_regexp(machine: &mut Machine<'_>, own: &[u8], regexp: &Arc<Regexp>, most: usize) -> Outcome<Vec<Value>> {
    let mut parts = Vec::new();
    let mut copied = 0;
    let mut cuts = 1;
    for groups in all_matches(machine, own, regexp)? {
        let Some((start, end)) = groups.first().copied().flatten() else { continue };
        if cuts >= most {
            break;
        }
        // An empty match cuts between characters, but not at the ends.
        if end == start && (start == copied && start == 0 || start >= own.len()) {
            continue;
        }
        parts.push(Value::text(&own[copied..start]));
        parts.extend(groups[1..].iter().flatten().map(|(start, end)| Value::text(&own[*start..*end])));
        copied = end;
        cuts += 1;
    }
    parts.push(Value::text(&own[copied..]));
    Ok(parts)
}

/// A method of a regular expression.
pub(super) fn regexp(machine: &mut Machine<'_>, receiver: &Arc<Regexp>, name: &str, given: &Given<'_>) -> Answer {
    let subject = |value: &Value| match value {
        Value::Str(text) => Ok(Some(text.borrow().clone())),
        Value::Sym(name) => Ok(Some(name.as_bytes().to_vec())),
        Value::Nil => Ok(None),
        other => type_error(format!("no implicit conversion of {} into String", called(other))),
    };
    Ok(Some(match (name, given.arguments) {
        ("=~" | "match" | "match?" | "===", [value]) => {
            let Some(own) = subject(value)? else {
                machine.last_match = None;
                return Ok(Some(if matches!(name, "match?" | "===") { Value::Bool(false) } else { Value::Nil }));
            };
            let kept = machine.last_match.clone();
            let found = search(machine, &own, receiver, 0)?;
            match name {
                "=~" => place(&own, found.as_deref()),
                "match" => found.map_or(Value::Nil, Value::Match),
                _ => {
                    if name == "match?" {
                        machine.last_match = kept;
                    }
                    Value::Bool(found.is_some())
                }
            }
        }
        ("source", []) => Value::text(receiver.source.as_str()),
        ("names", []) => {
            let mut names: Vec<String> = Vec::new();
            for (name, _) in receiver.names() {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
            Value::list(names.into_iter().map(Value::text).collect())
        }
        _ => return Ok(None),
    }))
}

/// A method of what was matched.
pub(super) fn match_data(found: &Rc<MatchData>, name: &str, given: &Given<'_>) -> Answer {
    let (start, end) = found.groups.first().copied().flatten().unwrap_or((0, 0));
    let part = |group: &Option<(usize, usize)>| group.map_or(Value::Nil, |(start, end)| Value::text(&found.text[start..end]));
    let named = || -> Outcome<Vec<(Value, Value)>> {
        let mut pairs: Vec<(Value, Value)> = Vec::new();
        for (name, _) in found.regexp.names() {
            let key = Value::text(name.as_str());
            if !pairs.iter().any(|(known, _)| known.equals(&key)) {
                pairs.push((key, found.named(&name)?.map_or(Value::Nil, Value::text)));
            }
        }
        Ok(pairs)
    };
    Ok(Some(match (name, given.arguments) {
        ("[]", [group]) => group_of(found, group)?,
        ("pre_match", []) => Value::text(&found.text[..start]),
        ("post_match", []) => Value::text(&found.text[end..]),
        ("to_a", []) => Value::list(found.groups.iter().map(part).collect()),
        ("captures", []) => Value::list(found.groups[1..].iter().map(part).collect()),
        ("named_captures", []) => Value::hash(Hash::of_distinct(named()?)),
        ("names", []) => Value::list(named()?.into_iter().map(|(name, _)| name).collect()),
        ("values_at", groups) => Value::list(groups.iter().map(|group| group_of(found, group)).collect::<Outcome<_>>()?),
        ("begin" | "end", [group]) => match position(integer(group)?, found.groups.len()).and_then(|at| found.groups[at]) {
            Some((start, end)) => Value::int(count_characters(&found.text[..if name == "begin" { start } else { end }])),
            None => Value::Nil,
        },
        ("size" | "length", []) => Value::int(found.groups.len()),
        _ => return Ok(None),
    }))
}
