//! Where a field is: `key`, `$.a.b[0].c`, `$['a.b']["c"][-1]`; reading, setting and removing it.

use super::{Record, Value, ruby};
use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;

/// How far behind its end an array grows when an element is set there: an index in a configuration must not fill the memory.
const MAX_GROWTH: usize = 10_000;

/// One step on the way to a field.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Key {
    Name(String),
    Index(i64),
}

/// The way to a field of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accessor {
    source: String,
    keys: Vec<Key>,
}

impl Accessor {
    /// Reads the notation; errors are in Fluentd's words.
    pub fn parse(source: &str) -> Result<Accessor, String> {
        let keys = if let Some(dotted) = source.strip_prefix("$.") {
            dot_notation(dotted, source)?
        } else if source.starts_with("$[") {
            bracket_notation(&source[1..], source)?
        } else {
            vec![Key::Name(source.to_owned())]
        };
        Ok(Accessor { source: source.to_owned(), keys })
    }

    /// The notation as it was given.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether it leads into a nested value, or is at least written in the nested notation.
    pub fn is_nested(&self) -> bool {
        self.source.starts_with("$.") || self.source.starts_with("$[")
    }

    /// The name of the field where it stands at the top of the record.
    pub fn top_name(&self) -> Option<&str> {
        match self.keys.as_slice() {
            [Key::Name(name)] => Some(name),
            _ => None,
        }
    }

    /// The field's value; `None` where there is none, or the way leads through something that has no fields.
    pub fn get<'a>(&self, record: &Record<'a>) -> Option<Value<'a>> {
        self.dig(record).unwrap_or(None)
    }

    /// As [`Accessor::get`], with Ruby's words for a way that leads through something that has no fields.
    pub fn dig<'a>(&self, record: &Record<'a>) -> Result<Option<Value<'a>>, String> {
        let (first, rest) = self.keys.split_first().ok_or("empty accessor")?;
        let Some(mut value) = top(record, first) else { return Ok(None) };
        for key in rest {
            value = match step(value, key)? {
                Some(inner) => inner,
                None => return Ok(None),
            };
        }
        Ok(Some(value))
    }

    /// Sets the field. Nothing happens where the value that should hold it does not exist.
    pub fn set<'a>(&self, record: &mut Record<'a>, value: Value<'a>, bump: &'a Bump) {
        match self.keys.as_slice() {
            [] => {}
            [Key::Name(name)] => set_top(record, name, value, bump),
            [Key::Index(index)] => record.set_value(Value::Int(*index), value),
            [first, rest @ ..] => {
                let changed = top(record, first).and_then(|outer| with(outer, rest, value, bump));
                if let (Some(changed), Some(place)) = (changed, place(record, first)) {
                    *place = changed;
                }
            }
        }
    }

    /// Removes the field, if it is there.
    pub fn delete<'a>(&self, record: &mut Record<'a>, bump: &'a Bump) {
        match self.keys.as_slice() {
            [] => {}
            [Key::Name(name)] => drop(record.remove(name.as_bytes())),
            [Key::Index(index)] => record.remove_value(Value::Int(*index)),
            [first, rest @ ..] => {
                let changed = top(record, first).and_then(|outer| without(outer, rest, bump));
                if let (Some(changed), Some(place)) = (changed, place(record, first)) {
                    *place = changed;
                }
            }
        }
    }
}

fn top<'a>(record: &Record<'a>, key: &Key) -> Option<Value<'a>> {
    match key {
        Key::Name(name) => record.get(name.as_bytes()),
        Key::Index(index) => record.fields().iter().find(|(key, _)| *key == Value::Int(*index)).map(|(_, value)| *value),
    }
}

fn place<'r, 'a>(record: &'r mut Record<'a>, key: &Key) -> Option<&'r mut Value<'a>> {
    record.fields_mut().iter_mut().find(|(found, _)| is_key(found, key)).map(|(_, value)| value)
}

fn set_top<'a>(record: &mut Record<'a>, name: &str, value: Value<'a>, bump: &'a Bump) {
    match record.fields_mut().iter_mut().find(|(key, _)| key.as_bytes() == Some(name.as_bytes())) {
        Some((_, place)) => *place = value,
        None => record.push(Value::text(bump.alloc_str(name)), value),
    }
}

fn is_key(found: &Value<'_>, key: &Key) -> bool {
    match key {
        Key::Name(name) => found.as_bytes() == Some(name.as_bytes()),
        Key::Index(index) => *found == Value::Int(*index),
    }
}

/// What `key` leads to in `value`, as Ruby's `dig`.
fn step<'a>(value: Value<'a>, key: &Key) -> Result<Option<Value<'a>>, String> {
    match (value, key) {
        (Value::Nil, _) => Ok(None),
        (Value::Map(fields), key) => Ok(fields.iter().find(|(found, _)| is_key(found, key)).map(|(_, value)| *value)),
        (Value::Array(elements), Key::Index(index)) => Ok(position(*index, elements.len()).and_then(|at| elements.get(at)).copied()),
        (Value::Array(_), Key::Name(_)) => Err("no implicit conversion of String into Integer".to_owned()),
        (other, _) => Err(format!("{} does not have #dig method", ruby::class(&other))),
    }
}

/// The place of an index that counts from the end where it is negative.
fn position(index: i64, length: usize) -> Option<usize> {
    let index = if index < 0 { index.checked_add(i64::try_from(length).ok()?)? } else { index };
    usize::try_from(index).ok()
}

/// A copy of `outer` in which `keys` lead to `value`; `None` where that cannot be.
fn with<'a>(outer: Value<'a>, keys: &[Key], value: Value<'a>, bump: &'a Bump) -> Option<Value<'a>> {
    let (key, rest) = keys.split_first()?;
    let inner = if rest.is_empty() { value } else { with(step(outer, key).ok()??, rest, value, bump)? };
    match (outer, key) {
        (Value::Map(fields), key) => {
            let mut copy = BumpVec::with_capacity_in(fields.len() + 1, bump);
            copy.extend_from_slice_copy(fields);
            match copy.iter_mut().find(|(found, _)| is_key(found, key)) {
                Some((_, place)) => *place = inner,
                None => copy.push((new_key(key, bump), inner)),
            }
            Some(Value::Map(copy.into_bump_slice()))
        }
        (Value::Array(elements), Key::Index(index)) => {
            let at = position(*index, elements.len()).filter(|at| *at < elements.len() + MAX_GROWTH)?;
            let mut copy = BumpVec::with_capacity_in(elements.len().max(at + 1), bump);
            copy.extend_from_slice_copy(elements);
            copy.resize(elements.len().max(at + 1), Value::Nil);
            copy[at] = inner;
            Some(Value::Array(copy.into_bump_slice()))
        }
        _ => None,
    }
}

fn new_key<'a>(key: &Key, bump: &'a Bump) -> Value<'a> {
    match key {
        Key::Name(name) => Value::text(bump.alloc_str(name)),
        Key::Index(index) => Value::Int(*index),
    }
}

/// A copy of `outer` without what `keys` lead to; `None` where there is nothing to remove.
fn without<'a>(outer: Value<'a>, keys: &[Key], bump: &'a Bump) -> Option<Value<'a>> {
    let (key, rest) = keys.split_first()?;
    if !rest.is_empty() {
        let inner = without(step(outer, key).ok()??, rest, bump)?;
        return with(outer, std::slice::from_ref(key), inner, bump);
    }
    match (outer, key) {
        (Value::Map(fields), key) => {
            let kept = fields.iter().filter(|(found, _)| !is_key(found, key)).copied();
            Some(Value::Map(BumpVec::from_iter_in(kept, bump).into_bump_slice()))
        }
        (Value::Array(elements), Key::Index(index)) => {
            let gone = position(*index, elements.len())?;
            let kept = elements.iter().enumerate().filter(|(at, _)| *at != gone).map(|(_, element)| *element);
            Some(Value::Array(BumpVec::from_iter_in(kept, bump).into_bump_slice()))
        }
        _ => None,
    }
}

fn dot_notation(dotted: &str, source: &str) -> Result<Vec<Key>, String> {
    let mut keys = Vec::new();
    for part in dotted.trim_end_matches('.').split('.').filter(|_| !dotted.trim_end_matches('.').is_empty()) {
        match part.find('[') {
            Some(start) => {
                if start > 0 {
                    keys.push(Key::Name(part[..start].to_owned()));
                }
                indexes(&part[start + 1..], source, &mut keys)?;
            }
            None => keys.push(Key::Name(part.to_owned())),
        }
    }
    if keys.is_empty() {
        return Err("empty keys in dot notation".to_owned());
    }
    for key in &keys {
        if let Key::Name(name) = key
            && name.contains(char::is_whitespace)
        {
            return Err(format!("whitespace character is not allowed in dot notation. Use bracket notation: {name}"));
        }
    }
    Ok(keys)
}

/// `0][1]` behind an opening bracket.
fn indexes(mut rest: &str, source: &str, keys: &mut Vec<Key>) -> Result<(), String> {
    while !rest.is_empty() {
        let end = rest.find(']').ok_or_else(|| format!("'[' found but ']' not found. Invalid syntax: {source}"))?;
        keys.push(Key::Index(index(&rest[..end], source)?));
        rest = &rest[end + 1..];
        if rest.is_empty() {
            break;
        }
        let start = rest.find('[').ok_or_else(|| format!("found more characters after ']'. Invalid syntax: {source}"))?;
        rest = &rest[start + 1..];
    }
    Ok(())
}

fn index(text: &str, source: &str) -> Result<i64, String> {
    if text.is_empty() {
        return Err(format!("missing array index in '[]'. Invalid syntax: {source}"));
    }
    ruby::integer(text).ok_or_else(|| format!("invalid value for Integer(): {text:?}"))
}

fn bracket_notation(mut rest: &str, source: &str) -> Result<Vec<Key>, String> {
    let mut keys = Vec::new();
    while !rest.is_empty() {
        let start = rest.find('[').ok_or_else(|| format!("found more characters after ']'. Invalid syntax: {source}"))?;
        rest = &rest[start + 1..];
        if rest.is_empty() {
            break;
        }
        if let Some(quote @ ('\'' | '"')) = rest.chars().next() {
            let end =
                rest.find("']").or_else(|| rest.find("\"]")).ok_or_else(|| format!("Incomplete bracket. Invalid syntax: {source}"))?;
            if !rest[end..].starts_with(quote) || end == 0 {
                return Err(format!("Mismatched quotes. Invalid syntax: {source}"));
            }
            keys.push(Key::Name(rest[1..end].to_owned()));
            rest = &rest[end + 2..];
        } else {
            let end = rest.find(']').ok_or_else(|| format!("'[' found but ']' not found. Invalid syntax: {source}"))?;
            keys.push(Key::Index(index(&rest[..end], source)?));
            rest = &rest[end + 1..];
        }
    }
    if keys.is_empty() { Err("empty keys in bracket notation".to_owned()) } else { Ok(keys) }
}

#[cfg(test)]
mod tests;
