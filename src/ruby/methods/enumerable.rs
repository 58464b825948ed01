//! What arrays, hashes, ranges and enumerators share: walking items with a block.

use super::{Answer, Given, case_equals, compare, integer, needed, not_comparable, number, send, shown, splat};
use crate::ruby::hash::Hash;
use crate::ruby::machine::Machine;
use crate::ruby::value::{Callable, Outcome, Raised, Range, Value, argument_error, raised, type_error};
use std::cmp::Ordering;
use std::rc::Rc;

/// The items of anything that can be walked; anything else alone.
pub(in crate::ruby) fn to_items(machine: &mut Machine<'_>, value: &Value) -> Outcome<Vec<Value>> {
    match value {
        Value::Array(items) => Ok(items.borrow().clone()),
        Value::Hash(hash) => Ok(hash.borrow().iter().map(|(key, value)| Value::list(vec![key.clone(), value.clone()])).collect()),
        Value::Range(range) => range_items(machine, range),
        Value::Enumerator(items) => Ok(items.to_vec()),
        Value::Nil => Ok(Vec::new()),
        other => Ok(vec![other.clone()]),
    }
}

/// Methods that only need the items. `whole` is what `each` and its like give back.
pub(super) fn call(machine: &mut Machine<'_>, whole: &Value, items: Vec<Value>, name: &str, given: &Given<'_>) -> Answer {
    machine.pay(items.len())?;
    if let Some(value) = walks(machine, whole, &items, name, given)? {
        return Ok(Some(value));
    }
    if let Some(value) = picks(machine, &items, name, given)? {
        return Ok(Some(value));
    }
    if let Some(value) = groups(machine, &items, name, given)? {
        return Ok(Some(value));
    }
    folds(machine, &items, name, given)
}

fn truthy(machine: &mut Machine<'_>, block: &Callable, item: &Value) -> Outcome<bool> {
    machine.call_block(block, vec![item.clone()]).map(|value| value.truthy())
}

fn walks(machine: &mut Machine<'_>, whole: &Value, items: &[Value], name: &str, given: &Given<'_>) -> Answer {
    let Some(block) = given.block else {
        let walked = match name {
            "each" | "map" | "collect" | "each_entry" | "flat_map" | "select" | "filter" | "reject" | "find_all" | "group_by"
            | "each_char" | "lazy" | "sort_by" | "min_by" | "max_by" => items.to_vec(),
            "each_with_index" => indexed(items, 0),
            "with_index" | "each_with_object" if matches!(whole, Value::Enumerator(_)) => {
                indexed(items, given.arguments.first().map_or(Ok(0), integer)?)
            }
            "reverse_each" => items.iter().rev().cloned().collect(),
            _ => return Ok(None),
        };
        return Ok(Some(Value::Enumerator(Rc::new(walked))));
    };
    Ok(Some(match (name, given.arguments) {
        ("each" | "each_entry", []) => {
            for item in items {
                machine.call_block(block, vec![item.clone()])?;
            }
            whole.clone()
        }
        ("reverse_each", []) => {
            for item in items.iter().rev() {
                machine.call_block(block, vec![item.clone()])?;
            }
            whole.clone()
        }
        ("each_with_index", []) => {
            for (at, item) in items.iter().enumerate() {
                machine.call_block(block, vec![item.clone(), Value::int(at)])?;
            }
            whole.clone()
        }
        ("with_index" | "each_with_index" | "map_with_index", from) => {
            let from = from.first().map_or(Ok(0), integer)?;
            let mut results = Vec::new();
            for (at, item) in items.iter().enumerate() {
                results.push(machine.call_block(block, vec![item.clone(), Value::int(from + at as i128)])?);
            }
            Value::list(results)
        }
        ("each_with_object" | "with_object", [memo]) => {
            for item in items {
                machine.call_block(block, vec![item.clone(), memo.clone()])?;
            }
            memo.clone()
        }
        ("map" | "collect", []) => {
            let mut results = Vec::with_capacity(items.len());
            for item in items {
                results.push(machine.call_block(block, vec![item.clone()])?);
            }
            Value::list(results)
        }
        ("flat_map" | "collect_concat", []) => {
            let mut results = Vec::new();
            for item in items {
                match machine.call_block(block, vec![item.clone()])? {
                    Value::Array(inner) => results.extend(inner.borrow().iter().cloned()),
                    other => results.push(other),
                }
                machine.pay(results.len() / 16)?;
            }
            Value::list(results)
        }
        ("filter_map", []) => {
            let mut results = Vec::new();
            for item in items {
                let value = machine.call_block(block, vec![item.clone()])?;
                if value.truthy() {
                    results.push(value);
                }
            }
            Value::list(results)
        }
        _ => return Ok(None),
    }))
}

fn indexed(items: &[Value], from: i128) -> Vec<Value> {
    items.iter().enumerate().map(|(at, item)| Value::list(vec![item.clone(), Value::int(from + at as i128)])).collect()
}

fn picks(machine: &mut Machine<'_>, items: &[Value], name: &str, given: &Given<'_>) -> Answer {
    Ok(Some(match (name, given.block, given.arguments) {
        ("select" | "filter" | "find_all" | "reject", Some(block), []) => {
            let mut kept = Vec::new();
            for item in items {
                if truthy(machine, block, item)? == (name != "reject") {
                    kept.push(item.clone());
                }
            }
            Value::list(kept)
        }
        ("find" | "detect", Some(block), []) => {
            for item in items {
                if truthy(machine, block, item)? {
                    return Ok(Some(item.clone()));
                }
            }
            Value::Nil
        }
        ("find_index" | "index", block, arguments) => {
            for (at, item) in items.iter().enumerate() {
                let found = match (block, arguments) {
                    (_, [wanted]) => item.equals(wanted),
                    (Some(block), []) => truthy(machine, block, item)?,
                    _ => return Ok(None),
                };
                if found {
                    return Ok(Some(Value::int(at)));
                }
            }
            Value::Nil
        }
        ("all?" | "any?" | "none?" | "one?", block, arguments) => {
            let mut count = 0;
            for item in items {
                let found = match (block, arguments) {
                    (_, [pattern]) => case_equals(machine, pattern, item)?,
                    (Some(block), _) => truthy(machine, block, item)?,
                    (None, _) => item.truthy(),
                };
                count += usize::from(found);
            }
            Value::Bool(match name {
                "all?" => count == items.len(),
                "any?" => count > 0,
                "none?" => count == 0,
                _ => count == 1,
            })
        }
        ("grep" | "grep_v", block, [pattern]) => {
            let mut kept = Vec::new();
            for item in items {
                if case_equals(machine, pattern, item)? == (name == "grep") {
                    kept.push(block.map_or(Ok(item.clone()), |block| machine.call_block(block, vec![item.clone()]))?);
                }
            }
            Value::list(kept)
        }
        ("include?" | "member?", _, [wanted]) => Value::Bool(items.iter().any(|item| item.equals(wanted))),
        ("first", _, []) => items.first().cloned().unwrap_or_default(),
        ("first" | "take", _, [count]) => Value::list(
            items
                .iter()
                .take(usize::try_from(integer(count)?).map_err(|_| raised("ArgumentError", "attempt to take negative size"))?)
                .cloned()
                .collect(),
        ),
        ("drop", _, [count]) => Value::list(
            items
                .iter()
                .skip(usize::try_from(integer(count)?).map_err(|_| raised("ArgumentError", "attempt to drop negative size"))?)
                .cloned()
                .collect(),
        ),
        ("take_while" | "drop_while", Some(block), []) => {
            let mut at = 0;
            while at < items.len() && truthy(machine, block, &items[at])? {
                at += 1;
            }
            Value::list(if name == "take_while" { items[..at].to_vec() } else { items[at..].to_vec() })
        }
        ("to_a" | "entries" | "force", _, []) => Value::list(items.to_vec()),
        ("count", None, []) => Value::int(items.len()),
        ("count", None, [wanted]) => Value::int(items.iter().filter(|item| item.equals(wanted)).count()),
        ("count", Some(block), []) => {
            let mut count = 0;
            for item in items {
                count += usize::from(truthy(machine, block, item)?);
            }
            Value::int(count)
        }
        _ => return Ok(None),
    }))
}

fn groups(machine: &mut Machine<'_>, items: &[Value], name: &str, given: &Given<'_>) -> Answer {
    Ok(Some(match (name, given.block, given.arguments) {
        ("group_by", Some(block), []) => {
            let mut groups = Hash::default();
            for item in items {
                let key = machine.call_block(block, vec![item.clone()])?;
                machine.pay(groups.len())?;
                match groups.get(&key) {
                    Some(Value::Array(group)) => group.borrow_mut().push(item.clone()),
                    _ => groups.set(key, Value::list(vec![item.clone()])),
                }
            }
            Value::hash(groups)
        }
        ("partition", Some(block), []) => {
            let (mut yes, mut no) = (Vec::new(), Vec::new());
            for item in items {
                if truthy(machine, block, item)? { yes.push(item.clone()) } else { no.push(item.clone()) }
            }
            Value::list(vec![Value::list(yes), Value::list(no)])
        }
        ("tally", None, []) => {
            let mut counts = Hash::default();
            for item in items {
                machine.pay(counts.len())?;
                let count = match counts.get(item) {
                    Some(Value::Int(count)) => count + 1,
                    _ => 1,
                };
                counts.set(item.clone(), Value::Int(count));
            }
            Value::hash(counts)
        }
        ("each_slice" | "each_cons", block, [size]) => {
            let size = usize::try_from(integer(size)?)
                .ok()
                .filter(|size| *size > 0)
                .ok_or_else(|| raised("ArgumentError", "invalid slice size"))?;
            let parts: Vec<Value> = match name {
                "each_slice" => items.chunks(size).map(|part| Value::list(part.to_vec())).collect(),
                _ => items.windows(size).map(|part| Value::list(part.to_vec())).collect(),
            };
            machine.pay(parts.len().saturating_mul(size))?;
            match block {
                None => Value::Enumerator(Rc::new(parts)),
                Some(block) => {
                    for part in parts {
                        machine.call_block(block, vec![part])?;
                    }
                    Value::list(items.to_vec())
                }
            }
        }
        ("uniq", block, []) => {
            let mut kept: Vec<Value> = Vec::new();
            let mut keys: Vec<Value> = Vec::new();
            for item in items {
                let key = block.map_or(Ok(item.clone()), |block| machine.call_block(block, vec![item.clone()]))?;
                machine.pay(keys.len())?;
                if !keys.iter().any(|known| known.same_key(&key)) {
                    keys.push(key);
                    kept.push(item.clone());
                }
            }
            Value::list(kept)
        }
        ("to_h", block, []) => {
            let mut hash = Hash::default();
            for item in items {
                let pair = block.map_or(Ok(item.clone()), |block| machine.call_block(block, vec![item.clone()]))?;
                let Value::Array(pair) = &pair else { return type_error(format!("wrong element type {} (expected array)", pair.class())) };
                let [key, value] = &pair.borrow()[..] else { return argument_error("element has wrong array length (expected 2)") };
                machine.pay(hash.len())?;
                hash.set(key.clone(), value.clone());
            }
            Value::hash(hash)
        }
        ("zip", _, others) => {
            let mut columns = Vec::new();
            for other in others {
                columns.push(to_items(machine, other)?);
            }
            let row = |at: usize| columns.iter().map(move |column| column.get(at).cloned().unwrap_or_default());
            Value::list(
                items.iter().enumerate().map(|(at, item)| Value::list(std::iter::once(item.clone()).chain(row(at)).collect())).collect(),
            )
        }
        _ => return Ok(None),
    }))
}

fn folds(machine: &mut Machine<'_>, items: &[Value], name: &str, given: &Given<'_>) -> Answer {
    Ok(Some(match (name, given.block, given.arguments) {
        ("inject" | "reduce", block, arguments) => {
            let (start, operator) = match (block, arguments) {
                (None, [operator]) => (None, Some(operator)),
                (None, [start, operator]) => (Some(start.clone()), Some(operator)),
                (Some(_), []) => (None, None),
                (Some(_), [start]) => (Some(start.clone()), None),
                _ => return Ok(None),
            };
            let operator = operator.map(|operator| Callable::Name(String::from_utf8_lossy(&shown(operator)).as_ref().into()));
            let with = match &operator {
                Some(operator) => operator,
                None => needed(given)?,
            };
            let mut items = items.iter();
            let Some(mut total) = start.or_else(|| items.next().cloned()) else { return Ok(Some(Value::Nil)) };
            for item in items {
                total = machine.call_block(with, vec![total, item.clone()])?;
            }
            total
        }
        ("sum", block, arguments) => {
            let mut total = arguments.first().cloned().unwrap_or(Value::Int(0));
            let mut lost = 0.0;
            for item in items {
                let item = block.map_or(Ok(item.clone()), |block| machine.call_block(block, vec![item.clone()]))?;
                total = match (&total, &item) {
                    // Ruby adds floats with Kahan and Babuska's correction.
                    (Value::Float(sum), Value::Float(_) | Value::Int(_)) => {
                        let (sum, next) = (*sum, number(&item)?);
                        let new = sum + next;
                        lost += if sum.abs() >= next.abs() { (sum - new) + next } else { (next - new) + sum };
                        Value::Float(new)
                    }
                    _ => send(machine, &total, "+", vec![item], None)?,
                };
            }
            match total {
                Value::Float(total) if lost.is_finite() => Value::Float(total + lost),
                other => other,
            }
        }
        ("min" | "max" | "minmax", block, arguments) => {
            let sorted = sorted(machine, items.to_vec(), block)?;
            let ends = |from_end: bool| if from_end { sorted.last() } else { sorted.first() }.cloned().unwrap_or_default();
            match (name, arguments) {
                ("minmax", []) => Value::list(vec![ends(false), ends(true)]),
                (_, []) => ends(name == "max"),
                ("min", [count]) => Value::list(sorted.into_iter().take(integer(count)?.max(0) as usize).collect()),
                (_, [count]) => Value::list(sorted.into_iter().rev().take(integer(count)?.max(0) as usize).collect()),
                _ => return Ok(None),
            }
        }
        ("sort", block, []) => Value::list(sorted(machine, items.to_vec(), block)?),
        ("sort_by" | "min_by" | "max_by", Some(block), []) => {
            let mut keyed = Vec::new();
            for item in items {
                keyed.push((machine.call_block(block, vec![item.clone()])?, item.clone()));
            }
            let mut failure = None;
            keyed.sort_by(|(a, x), (b, y)| order(a, b, x, y, &mut failure));
            if let Some(failure) = failure {
                return Err(failure);
            }
            let mut items = keyed.into_iter().map(|(_, item)| item);
            match name {
                "sort_by" => Value::list(items.collect()),
                "min_by" => items.next().unwrap_or_default(),
                _ => items.last().unwrap_or_default(),
            }
        }
        ("join", _, _) => return super::array::join(machine, items, given).map(Some),
        _ => return Ok(None),
    }))
}

fn order(a: &Value, b: &Value, _x: &Value, _y: &Value, failure: &mut Option<Raised>) -> Ordering {
    compare(a, b).unwrap_or_else(|| {
        failure.get_or_insert_with(|| not_comparable(a, b));
        Ordering::Equal
    })
}

/// Sorted by `<=>` or by a block that compares.
pub(super) fn sorted(machine: &mut Machine<'_>, mut items: Vec<Value>, block: Option<&Callable>) -> Outcome<Vec<Value>> {
    machine.pay(items.len() * 4)?;
    let mut failure = None;
    let Some(block) = block else {
        items.sort_by(|a, b| order(a, b, a, b, &mut failure));
        return failure.map_or(Ok(items), Err);
    };
    // A merge sort of our own: the standard one may panic when a block contradicts itself.
    let mut width = 1;
    while width < items.len() {
        let mut merged = Vec::with_capacity(items.len());
        for pair in items.chunks(width * 2) {
            let (left, right) = pair.split_at(width.min(pair.len()));
            let (mut l, mut r) = (0, 0);
            while l < left.len() && r < right.len() {
                let found = machine.call_block(block, vec![left[l].clone(), right[r].clone()])?;
                let Value::Int(found) = found else { return Err(not_comparable(&left[l], &right[r])) };
                if found <= 0 {
                    merged.push(left[l].clone());
                    l += 1;
                } else {
                    merged.push(right[r].clone());
                    r += 1;
                }
            }
            merged.extend_from_slice(&left[l..]);
            merged.extend_from_slice(&right[r..]);
        }
        items = merged;
        width *= 2;
    }
    Ok(items)
}

/// A method of a range.
pub(super) fn range(machine: &mut Machine<'_>, range: &Rc<Range>, name: &str, given: &Given<'_>) -> Answer {
    Ok(Some(match (name, given.arguments) {
        ("first" | "begin", []) | ("min", []) if given.block.is_none() => range.from.clone(),
        ("last" | "end", []) => range.to.clone(),
        ("exclude_end?", []) => Value::Bool(range.exclusive),
        ("cover?" | "include?" | "member?" | "===", [value]) => Value::Bool(covers(range, value)),
        ("to_s" | "inspect" | "==" | "nil?" | "class" | "is_a?" | "to_json" | "hash" | "eql?" | "respond_to?" | "frozen?" | "dup", _) => {
            return Ok(None);
        }
        ("size" | "count" | "length", []) if given.block.is_none() => match (&range.from, &range.to) {
            (Value::Int(from), Value::Int(to)) => Value::Int((to - from + i128::from(!range.exclusive)).max(0)),
            _ if name == "count" => Value::int(range_items(machine, range)?.len()),
            _ => Value::Nil,
        },
        ("step" | "%", [step]) => {
            let step =
                usize::try_from(integer(step)?).ok().filter(|step| *step > 0).ok_or_else(|| raised("ArgumentError", "step can't be 0"))?;
            let items: Vec<Value> = range_items(machine, range)?.into_iter().step_by(step).collect();
            return call(machine, &Value::Range(range.clone()), items, "each", given);
        }
        _ => {
            let items = range_items(machine, range)?;
            return call(machine, &Value::Range(range.clone()), items, name, given);
        }
    }))
}

/// Whether a value is between the ends.
pub(super) fn covers(range: &Range, value: &Value) -> bool {
    let low = range.from.is_nil() || compare(&range.from, value).is_some_and(Ordering::is_le);
    let high =
        range.to.is_nil() || compare(value, &range.to).is_some_and(|order| if range.exclusive { order.is_lt() } else { order.is_le() });
    low && high
}

fn range_items(machine: &mut Machine<'_>, range: &Range) -> Outcome<Vec<Value>> {
    match (&range.from, &range.to) {
        (Value::Int(from), Value::Int(to)) => {
            let to = if range.exclusive { to - 1 } else { *to };
            machine.pay(usize::try_from((to - from).max(0)).unwrap_or(usize::MAX))?;
            Ok((*from..=to).map(Value::Int).collect())
        }
        (Value::Str(from), Value::Str(to)) => {
            let to = to.borrow().clone();
            let mut at = from.borrow().clone();
            let mut items = Vec::new();
            while at.len() <= to.len() {
                machine.pay_bytes(at.len())?;
                let last = at == to;
                if !(last && range.exclusive) {
                    items.push(Value::text(at.clone()));
                }
                if last {
                    break;
                }
                at = shown(&send(machine, &Value::text(at), "succ", Vec::new(), None)?);
            }
            Ok(items)
        }
        (from, _) if range.to.is_nil() => {
            Err(raised("RangeError", format!("cannot convert endless range of {} to an array", from.class())))
        }
        (from, _) => type_error(format!("can't iterate from {}", from.class())),
    }
}

/// A method of an enumerator: its items, walked by whatever comes next.
pub(super) fn enumerator(machine: &mut Machine<'_>, items: &Rc<Vec<Value>>, name: &str, given: &Given<'_>) -> Answer {
    match name {
        "size" => Ok(Some(Value::int(items.len()))),
        "next" => items.first().cloned().map(Some).ok_or_else(|| raised("StopIteration", "iteration reached an end")),
        "inspect" | "to_s" | "class" | "is_a?" | "nil?" | "to_json" | "==" => Ok(None),
        _ => call(machine, &Value::Enumerator(items.clone()), items.to_vec(), name, given),
    }
}

/// A list's items once more, for methods that take lists.
pub(super) fn lists(values: &[Value]) -> Outcome<Vec<Value>> {
    let mut all = Vec::new();
    for value in values {
        match value {
            Value::Array(_) => all.extend(splat(value)),
            other => return type_error(format!("no implicit conversion of {} into Array", super::called(other))),
        }
    }
    Ok(all)
}
