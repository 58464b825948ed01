//! Methods of hashes.

use super::enumerable;
use super::{Answer, Given, needed};
use crate::ruby::hash::Hash;
use crate::ruby::machine::Machine;
use crate::ruby::show;
use crate::ruby::value::{Outcome, Value, argument_error, raised, type_error};
use std::cell::RefCell;
use std::rc::Rc;

type Shared = Rc<RefCell<Hash>>;

pub(super) fn call(machine: &mut Machine<'_>, own: &Shared, name: &str, given: &Given<'_>) -> Answer {
    machine.pay(own.borrow().len() / 8)?;
    if let Some(value) = reads(machine, own, name, given)? {
        return Ok(Some(value));
    }
    if let Some(value) = makes(machine, own, name, given)? {
        return Ok(Some(value));
    }
    if let Some(value) = changes(machine, own, name, given)? {
        return Ok(Some(value));
    }
    let name = match name {
        "each_pair" => "each",
        "inspect" | "to_s" | "==" | "to_json" | "class" | "is_a?" | "nil?" | "respond_to?" => return Ok(None),
        other => other,
    };
    let items = enumerable::to_items(machine, &Value::Hash(own.clone()))?;
    enumerable::call(machine, &Value::Hash(own.clone()), items, name, given)
}

fn missing(key: &Value) -> crate::ruby::value::Raised {
    let mut out = Vec::new();
    show::inspect(key, &mut out);
    raised("KeyError", format!("key not found: {}", String::from_utf8_lossy(&out)))
}

fn reads(machine: &mut Machine<'_>, own: &Shared, name: &str, given: &Given<'_>) -> Answer {
    let get = |key: &Value| own.borrow().get(key).cloned();
    Ok(Some(match (name, given.arguments) {
        ("[]", [key]) => get(key).unwrap_or_else(|| own.borrow().default.clone()),
        ("dig", [key, rest @ ..]) => return super::array::dig(machine, get(key).unwrap_or_default(), rest).map(Some),
        ("fetch", [key]) => match (get(key), given.block) {
            (Some(value), _) => value,
            (None, Some(block)) => machine.call_block(block, vec![key.clone()])?,
            (None, None) => return Err(missing(key)),
        },
        ("fetch", [key, default]) => get(key).unwrap_or_else(|| default.clone()),
        ("fetch_values", keys) => Value::list(keys.iter().map(|key| get(key).ok_or_else(|| missing(key))).collect::<Outcome<_>>()?),
        ("values_at", keys) => Value::list(keys.iter().map(|key| get(key).unwrap_or_default()).collect()),
        ("key?" | "has_key?" | "include?" | "member?", [key]) => Value::Bool(get(key).is_some()),
        ("value?" | "has_value?", [value]) => Value::Bool(own.borrow().iter().any(|(_, known)| known.equals(value))),
        ("key", [value]) => own.borrow().iter().find(|(_, known)| known.equals(value)).map(|(key, _)| key.clone()).unwrap_or_default(),
        ("keys", []) => Value::list(own.borrow().iter().map(|(key, _)| key.clone()).collect()),
        ("values", []) => Value::list(own.borrow().iter().map(|(_, value)| value.clone()).collect()),
        ("length" | "size", []) => Value::int(own.borrow().len()),
        ("count", []) if given.block.is_none() => Value::int(own.borrow().len()),
        ("empty?", []) => Value::Bool(own.borrow().is_empty()),
        ("any?", []) if given.block.is_none() => Value::Bool(!own.borrow().is_empty()),
        ("to_h" | "to_hash", []) if given.block.is_none() => Value::Hash(own.clone()),
        ("each_key" | "each_value", []) => {
            let pairs: Vec<(Value, Value)> = own.borrow().iter().cloned().collect();
            for (key, value) in pairs {
                machine.call_block(needed(given)?, vec![if name == "each_key" { key } else { value }])?;
            }
            Value::Hash(own.clone())
        }
        ("default", []) => own.borrow().default.clone(),
        _ => return Ok(None),
    }))
}

/// Pairs for which the block's truth is `wanted`.
fn chosen(machine: &mut Machine<'_>, own: &Shared, given: &Given<'_>, wanted: bool) -> Outcome<Vec<(Value, Value)>> {
    let block = needed(given)?;
    let pairs: Vec<(Value, Value)> = own.borrow().iter().cloned().collect();
    let mut kept = Vec::new();
    for (key, value) in pairs {
        if machine.call_block(block, vec![key.clone(), value.clone()])?.truthy() == wanted {
            kept.push((key, value));
        }
    }
    Ok(kept)
}

fn merged(machine: &mut Machine<'_>, own: &Shared, given: &Given<'_>) -> Outcome<Hash> {
    let mut hash = own.borrow().clone();
    for other in given.arguments {
        let Value::Hash(other) = other else { return type_error(format!("no implicit conversion of {} into Hash", super::called(other))) };
        let pairs: Vec<(Value, Value)> = other.borrow().iter().cloned().collect();
        for (key, mut value) in pairs {
            machine.pay(hash.len() / 4)?;
            if let (Some(block), Some(known)) = (given.block, hash.get(&key).cloned()) {
                value = machine.call_block(block, vec![key.clone(), known, value])?;
            }
            hash.set(key, value);
        }
    }
    Ok(hash)
}

fn makes(machine: &mut Machine<'_>, own: &Shared, name: &str, given: &Given<'_>) -> Answer {
    let of = |pairs: Vec<(Value, Value)>| Value::hash(Hash::of_distinct(pairs));
    Ok(Some(match (name, given.arguments) {
        ("select" | "filter", []) if given.block.is_some() => of(chosen(machine, own, given, true)?),
        ("reject", []) if given.block.is_some() => of(chosen(machine, own, given, false)?),
        ("slice", keys) => of(keys.iter().filter_map(|key| own.borrow().get(key).map(|value| (key.clone(), value.clone()))).collect()),
        ("except", keys) => of(own.borrow().iter().filter(|(key, _)| !keys.iter().any(|other| other.same_key(key))).cloned().collect()),
        ("compact", []) => of(own.borrow().iter().filter(|(_, value)| !value.is_nil()).cloned().collect()),
        ("dup" | "clone", []) => Value::hash(own.borrow().clone()),
        ("merge", _) => Value::hash(merged(machine, own, given)?),
        ("invert", []) => {
            let mut hash = Hash::default();
            own.borrow().iter().for_each(|(key, value)| hash.set(value.clone(), key.clone()));
            Value::hash(hash)
        }
        ("transform_values" | "transform_keys", []) => {
            let pairs: Vec<(Value, Value)> = own.borrow().iter().cloned().collect();
            let mut hash = Hash::default();
            for (key, value) in pairs {
                machine.pay(hash.len() / 4)?;
                if name == "transform_values" {
                    let value = machine.call_block(needed(given)?, vec![value])?;
                    hash.set(key, value);
                } else {
                    let key = machine.call_block(needed(given)?, vec![key])?;
                    hash.set(key, value);
                }
            }
            Value::hash(hash)
        }
        ("sort_by" | "min_by" | "max_by" | "partition" | "find" | "detect" | "map" | "collect" | "flat_map" | "each_with_index", _) => {
            return Ok(None);
        }
        ("filter_map" | "sum" | "to_a" | "sort" | "inject" | "reduce" | "group_by" | "each_with_object" | "zip" | "first", _) => {
            return Ok(None);
        }
        ("find_all", []) => {
            let kept = chosen(machine, own, given, true)?;
            Value::list(kept.into_iter().map(|(key, value)| Value::list(vec![key, value])).collect())
        }
        _ => return Ok(None),
    }))
}

fn changes(machine: &mut Machine<'_>, own: &Shared, name: &str, given: &Given<'_>) -> Answer {
    let me = Value::Hash(own.clone());
    if matches!(name, "[]=" | "store" | "merge!" | "update" | "replace")
        && given.arguments.iter().any(|value| !value.identical(&me) && value.holds(&me) || value.identical(&me))
    {
        return argument_error("a hash that holds itself is not supported in embedded Ruby");
    }
    Ok(Some(match (name, given.arguments) {
        ("[]=" | "store", [key, value]) => {
            machine.pay(own.borrow().len() / 4)?;
            own.borrow_mut().set(key.clone(), value.clone());
            value.clone()
        }
        ("delete", [key]) => {
            let removed = own.borrow_mut().remove(key);
            match (removed, given.block) {
                (Some(value), _) => value,
                (None, Some(block)) => machine.call_block(block, vec![key.clone()])?,
                (None, None) => Value::Nil,
            }
        }
        ("delete_if" | "reject!" | "select!" | "filter!" | "keep_if", []) => {
            let kept = chosen(machine, own, given, !matches!(name, "delete_if" | "reject!"))?;
            let same = kept.len() == own.borrow().len();
            *own.borrow_mut() = Hash::of_distinct(kept);
            if same && name.ends_with('!') { Value::Nil } else { me }
        }
        ("merge!" | "update", _) => {
            let hash = merged(machine, own, given)?;
            *own.borrow_mut() = hash;
            me
        }
        ("replace", [Value::Hash(other)]) => {
            let other = other.borrow().clone();
            *own.borrow_mut() = other;
            me
        }
        ("clear", []) => {
            own.borrow_mut().take();
            me
        }
        ("shift", []) => {
            let mut pairs = own.borrow_mut().take();
            if pairs.is_empty() {
                return Ok(Some(Value::Nil));
            }
            let (key, value) = pairs.remove(0);
            *own.borrow_mut() = Hash::of_distinct(pairs);
            Value::list(vec![key, value])
        }
        ("compact!" | "transform_values!" | "transform_keys!", []) => {
            let Some(Value::Hash(changed)) = makes(machine, own, name.trim_end_matches('!'), given)? else { return Ok(None) };
            let changed = changed.borrow().clone();
            *own.borrow_mut() = changed;
            me
        }
        ("default=", [value]) => {
            own.borrow_mut().default = value.clone();
            value.clone()
        }
        _ => return Ok(None),
    }))
}
