//! Methods of arrays.

use super::enumerable::{self, lists, sorted};
use super::{Answer, Given, bytes, called, integer, items_of, needed, position, slice_bounds, span_bounds, string_edit};
use crate::ruby::machine::Machine;
use crate::ruby::value::{List, Outcome, Value, argument_error, raised, type_error};

pub(super) fn call(machine: &mut Machine<'_>, own: &List, name: &str, given: &Given<'_>) -> Answer {
    let items = items_of(own);
    machine.pay(items.len() / 8)?;
    if let Some(value) = reads(machine, own, &items, name, given)? {
        return Ok(Some(value));
    }
    if let Some(value) = makes(machine, &items, name, given)? {
        return Ok(Some(value));
    }
    if let Some(value) = changes(machine, own, &items, name, given)? {
        return Ok(Some(value));
    }
    enumerable::call(machine, &Value::Array(own.clone()), items, name, given)
}

fn reads(machine: &mut Machine<'_>, own: &List, items: &[Value], name: &str, given: &Given<'_>) -> Answer {
    let at = |index: &Value| Ok(position(integer(index)?, items.len()).and_then(|at| items.get(at)).cloned());
    Ok(Some(match (name, given.arguments) {
        ("[]" | "slice", [Value::Range(range)]) => {
            slice_bounds(range, items.len())?.map_or(Value::Nil, |(start, end)| Value::list(items[start..end].to_vec()))
        }
        ("[]" | "slice" | "at", [index]) => at(index)?.unwrap_or_default(),
        ("[]" | "slice", [start, count]) => span_bounds(integer(start)?, integer(count)?, items.len())
            .map_or(Value::Nil, |(start, end)| Value::list(items[start..end].to_vec())),
        ("dig", [index, rest @ ..]) => return dig(machine, at(index)?.unwrap_or_default(), rest).map(Some),
        ("fetch", [index]) => match (at(index)?, given.block) {
            (Some(item), _) => item,
            (None, Some(block)) => machine.call_block(block, vec![index.clone()])?,
            (None, None) => {
                let (index, length) = (integer(index)?, items.len());
                return Err(raised("IndexError", format!("index {index} outside of array bounds: {}...{length}", -(length as i128))));
            }
        },
        ("fetch", [index, default]) => at(index)?.unwrap_or_else(|| default.clone()),
        ("values_at", indexes) => {
            Value::list(indexes.iter().map(|index| at(index).map(Option::unwrap_or_default)).collect::<Outcome<_>>()?)
        }
        ("length" | "size", []) => Value::int(items.len()),
        ("empty?", []) => Value::Bool(items.is_empty()),
        ("last", []) => items.last().cloned().unwrap_or_default(),
        ("last", [count]) => {
            let count = usize::try_from(integer(count)?).map_err(|_| raised("ArgumentError", "negative array size"))?;
            Value::list(items[items.len() - count.min(items.len())..].to_vec())
        }
        ("to_a" | "to_ary" | "entries", []) => Value::Array(own.clone()),
        ("join", _) => return join(machine, items, given).map(Some),
        ("rindex", [wanted]) => items.iter().rposition(|item| item.equals(wanted)).map_or(Value::Nil, Value::int),
        ("assoc", [key]) => items
            .iter()
            .find(|item| matches!(item, Value::Array(pair) if pair.borrow().first().is_some_and(|first| first.equals(key))))
            .cloned()
            .unwrap_or_default(),
        ("each_index", []) => {
            for at in 0..items.len() {
                machine.call_block(needed(given)?, vec![Value::int(at)])?;
            }
            Value::Array(own.clone())
        }
        ("pack", _) => return Err(raised("NotImplementedError", "Array#pack is not supported in embedded Ruby")),
        _ => return Ok(None),
    }))
}

/// `dig` one value deeper.
pub(super) fn dig(machine: &mut Machine<'_>, value: Value, rest: &[Value]) -> Outcome<Value> {
    if rest.is_empty() || value.is_nil() {
        return Ok(value);
    }
    match value {
        Value::Array(_) | Value::Hash(_) => super::send(machine, &value, "dig", rest.to_vec(), None),
        other => type_error(format!("{} does not have #dig method", other.class())),
    }
}

/// `join`, inner arrays included.
pub(super) fn join(machine: &mut Machine<'_>, items: &[Value], given: &Given<'_>) -> Outcome<Value> {
    let between = match given.arguments {
        [] | [Value::Nil] => Vec::new(),
        [between] => bytes(between)?,
        _ => return super::wrong_count(given, "0..1"),
    };
    let mut out = Vec::new();
    string_edit::joined(machine, items, &between, 0, &mut out)?;
    machine.pay_bytes(out.len())?;
    Ok(Value::text(out))
}

fn makes(machine: &mut Machine<'_>, items: &[Value], name: &str, given: &Given<'_>) -> Answer {
    Ok(Some(match (name, given.arguments) {
        ("+" | "concat", [other]) if name == "+" => Value::list([items.to_vec(), lists(std::slice::from_ref(other))?].concat()),
        ("-" | "difference", others) => {
            let without = lists(others)?;
            machine.pay(items.len().saturating_mul(without.len()))?;
            Value::list(items.iter().filter(|item| !without.iter().any(|other| other.same_key(item))).cloned().collect())
        }
        ("&" | "intersection", [other]) => {
            let other = lists(std::slice::from_ref(other))?;
            machine.pay(items.len().saturating_mul(other.len()))?;
            let kept = items.iter().filter(|item| other.iter().any(|other| other.same_key(item))).cloned().collect();
            return enumerable::call(machine, &Value::Nil, kept, "uniq", &Given { arguments: &[], block: None });
        }
        ("|" | "union", others) => {
            let all = [items.to_vec(), lists(others)?].concat();
            return enumerable::call(machine, &Value::Nil, all, "uniq", &Given { arguments: &[], block: None });
        }
        ("*", [Value::Str(_)]) => return join(machine, items, given).map(Some),
        ("*", [times]) => {
            let times = usize::try_from(integer(times)?).map_err(|_| raised("ArgumentError", "argument must be non-negative"))?;
            machine.pay(items.len().saturating_mul(times))?;
            Value::list(items.iter().cycle().take(items.len().saturating_mul(times)).cloned().collect())
        }
        ("reverse", []) => Value::list(items.iter().rev().cloned().collect()),
        ("rotate", _) if items.is_empty() => Value::list(Vec::new()),
        ("rotate", by) => {
            let by = by.first().map_or(Ok(1), integer)?.rem_euclid(items.len() as i128) as usize;
            Value::list([&items[by..], &items[..by]].concat())
        }
        ("compact", []) => Value::list(items.iter().filter(|item| !item.is_nil()).cloned().collect()),
        ("flatten", depth) => {
            let depth = depth.first().map_or(Ok(-1), |depth| if depth.is_nil() { Ok(-1) } else { integer(depth) })?;
            let mut out = Vec::new();
            flatten(machine, items, if depth < 0 { crate::ruby::MAX_NESTING } else { depth.min(64) as usize }, &mut out)?;
            Value::list(out)
        }
        ("transpose", []) => {
            let rows: Vec<Vec<Value>> = items.iter().map(super::splat).collect();
            let width = rows.first().map_or(0, Vec::len);
            if rows.iter().any(|row| row.len() != width) {
                return Err(raised("IndexError", "element size differs"));
            }
            Value::list((0..width).map(|at| Value::list(rows.iter().map(|row| row[at].clone()).collect())).collect())
        }
        ("sample", []) => items.get(super::super::constants::random_below(items.len().max(1) as u64) as usize).cloned().unwrap_or_default(),
        ("shuffle", []) => Value::list(items.to_vec()),
        ("dup" | "clone", []) => Value::list(items.to_vec()),
        ("product", [other]) => {
            let other = lists(std::slice::from_ref(other))?;
            machine.pay(items.len().saturating_mul(other.len()))?;
            Value::list(items.iter().flat_map(|a| other.iter().map(move |b| Value::list(vec![a.clone(), b.clone()]))).collect())
        }
        _ => return Ok(None),
    }))
}

fn flatten(machine: &mut Machine<'_>, items: &[Value], depth: usize, out: &mut Vec<Value>) -> Outcome<()> {
    for item in items {
        machine.pay(0)?;
        match item {
            Value::Array(inner) if depth > 0 => flatten(machine, &items_of(inner), depth - 1, out)?,
            other => out.push(other.clone()),
        }
    }
    Ok(())
}

fn changes(machine: &mut Machine<'_>, own: &List, items: &[Value], name: &str, given: &Given<'_>) -> Answer {
    let me = Value::Array(own.clone());
    if given.arguments.iter().any(|value| value.holds(&me))
        && matches!(name, "<<" | "push" | "append" | "unshift" | "prepend" | "insert" | "[]=" | "concat" | "replace" | "fill")
    {
        return argument_error("a list that holds itself is not supported in embedded Ruby");
    }
    Ok(Some(match (name, given.arguments) {
        ("<<" | "push" | "append", values) => {
            machine.pay(items.len() / 64)?;
            own.borrow_mut().extend(values.iter().cloned());
            me
        }
        ("concat", others) => {
            own.borrow_mut().extend(lists(others)?);
            me
        }
        ("unshift" | "prepend", values) => {
            *own.borrow_mut() = [values, items].concat();
            me
        }
        ("pop", []) => own.borrow_mut().pop().unwrap_or_default(),
        ("shift", []) if items.is_empty() => Value::Nil,
        ("shift", []) => own.borrow_mut().remove(0),
        ("clear", []) => {
            own.borrow_mut().clear();
            me
        }
        ("replace", [other]) => {
            *own.borrow_mut() = lists(std::slice::from_ref(other))?;
            me
        }
        ("insert", [at, values @ ..]) => {
            let at = integer(at)?;
            let place = position(if at < 0 { at + 1 } else { at }, items.len())
                .filter(|at| *at <= items.len())
                .ok_or_else(|| raised("IndexError", format!("index {at} out of array")))?;
            own.borrow_mut().splice(place..place, values.iter().cloned());
            me
        }
        ("[]=", [index, value]) => {
            let index = integer(index)?;
            let at = position(index, items.len()).ok_or_else(|| raised("IndexError", format!("index {index} too small for array")))?;
            machine.pay(at)?;
            let mut items = own.borrow_mut();
            if at >= items.len() {
                items.resize(at + 1, Value::Nil);
            }
            items[at] = value.clone();
            value.clone()
        }
        ("delete_at", [index]) => match position(integer(index)?, items.len()).filter(|at| *at < items.len()) {
            Some(at) => own.borrow_mut().remove(at),
            None => Value::Nil,
        },
        ("delete", [wanted]) => {
            own.borrow_mut().retain(|item| !item.equals(wanted));
            items.iter().rfind(|item| item.equals(wanted)).cloned().unwrap_or_default()
        }
        ("delete_if" | "reject!" | "select!" | "filter!" | "keep_if", []) => {
            let block = needed(given)?;
            let mut kept = Vec::new();
            for item in items {
                let truth = machine.call_block(block, vec![item.clone()])?.truthy();
                if truth != matches!(name, "delete_if" | "reject!") {
                    kept.push(item.clone());
                }
            }
            let same = kept.len() == items.len();
            *own.borrow_mut() = kept;
            if same && name.ends_with('!') { Value::Nil } else { me }
        }
        ("sort!" | "sort_by!" | "map!" | "collect!" | "uniq!" | "compact!" | "flatten!" | "reverse!" | "rotate!", _) => {
            let plain = name.trim_end_matches('!');
            let changed = match plain {
                "sort" => Some(Value::list(sorted(machine, items.to_vec(), given.block)?)),
                plain => call(machine, &std::rc::Rc::new(std::cell::RefCell::new(items.to_vec())), plain, given)?,
            };
            let Some(Value::Array(changed)) = changed else { return type_error(format!("{} has no {name}", called(&me))) };
            let same = changed.borrow().len() == items.len() && matches!(plain, "uniq" | "compact");
            *own.borrow_mut() = items_of(&changed);
            if same { Value::Nil } else { me }
        }
        _ => return Ok(None),
    }))
}
