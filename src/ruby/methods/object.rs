//! Methods that all values have, and those of the small classes.

use super::{Answer, Given, compare, not_comparable, send, shown};
use crate::ruby::hash::Hash;
use crate::ruby::kernel::is_kind_of_class;
use crate::ruby::machine::Machine;
use crate::ruby::value::{Callable, Error, Outcome, Value, argument_error, type_error};
use crate::ruby::{json, show};

/// A method that every value has.
pub(super) fn call(machine: &mut Machine<'_>, receiver: &Value, name: &str, given: &Given<'_>) -> Answer {
    Ok(Some(match (name, given.arguments) {
        ("to_s", []) => Value::text(shown(receiver)),
        ("inspect", []) => {
            let mut out = Vec::new();
            show::inspect(receiver, &mut out);
            Value::text(out)
        }
        ("==" | "===", [other]) => Value::Bool(receiver.equals(other)),
        ("eql?", [other]) => Value::Bool(receiver.same_key(other)),
        ("equal?", [other]) => Value::Bool(receiver.identical(other)),
        ("!=", [other]) => Value::Bool(!receiver.equals(other)),
        ("!", []) => Value::Bool(!receiver.truthy()),
        ("nil?", []) => Value::Bool(receiver.is_nil()),
        ("class", []) => Value::Const(receiver.class().into()),
        ("is_a?" | "kind_of?", [Value::Const(class)]) => Value::Bool(is_a(receiver, class)),
        ("instance_of?", [Value::Const(class)]) => Value::Bool(receiver.class() == &**class),
        ("is_a?" | "kind_of?" | "instance_of?", [_]) => return type_error("class or module required"),
        ("respond_to?", [method]) => Value::Bool(responds(receiver, &String::from_utf8_lossy(&shown(method)))),
        ("freeze" | "itself" | "dup" | "clone", []) => receiver.clone(),
        ("frozen?", []) => Value::Bool(!matches!(receiver, Value::Str(_) | Value::Array(_) | Value::Hash(_))),
        ("then" | "yield_self", []) => return machine.call_block(super::needed(given)?, vec![receiver.clone()]).map(Some),
        ("tap", []) => {
            machine.call_block(super::needed(given)?, vec![receiver.clone()])?;
            receiver.clone()
        }
        ("send" | "public_send" | "__send__", [method, arguments @ ..]) => {
            let method = String::from_utf8_lossy(&shown(method)).into_owned();
            return send(machine, receiver, &method, arguments.to_vec(), given.block).map(Some);
        }
        ("to_json", _) => Value::text(json::generate(receiver)?),
        ("=~", [_]) => Value::Nil,
        ("<=>", [other]) => compare(receiver, other).map_or(Value::Nil, |order| Value::int(order as i32)),
        ("hash" | "object_id", []) => {
            Value::int(shown(receiver).iter().fold(5381_u64, |hash, byte| hash.wrapping_mul(33) ^ u64::from(*byte)) >> 2)
        }
        ("between?" | "clamp", [low, high]) => {
            let (below, above) = (order(receiver, low)?.is_lt(), order(receiver, high)?.is_gt());
            match (name, below, above) {
                ("between?", ..) => Value::Bool(!below && !above),
                (_, true, _) => low.clone(),
                (_, _, true) => high.clone(),
                _ => receiver.clone(),
            }
        }
        ("instance_variable_get" | "method" | "methods", _) => return Ok(None),
        _ => return Ok(None),
    }))
}

fn order(a: &Value, b: &Value) -> Outcome<std::cmp::Ordering> {
    compare(a, b).ok_or_else(|| not_comparable(a, b))
}

/// `is_a?`.
pub(in crate::ruby) fn is_a(value: &Value, class: &str) -> bool {
    match value {
        Value::Error(error) => is_kind_of_class(&error.class, class) || matches!(class, "Object" | "BasicObject" | "Kernel"),
        value => {
            let own = value.class();
            own == class
                || matches!(class, "Object" | "BasicObject" | "Kernel")
                || match class {
                    "Numeric" => matches!(own, "Integer" | "Float"),
                    "Comparable" => matches!(own, "Integer" | "Float" | "String" | "Time" | "Date" | "DateTime"),
                    "Enumerable" => matches!(own, "Array" | "Hash" | "Range" | "Enumerator"),
                    "Date" => own == "DateTime",
                    "Module" => own == "Class",
                    _ => false,
                }
        }
    }
}

/// Names for `respond_to?`: the ones that code asks for.
pub(in crate::ruby) fn methods_known(class: &str) -> &'static [&'static str] {
    match class {
        "String" => &[
            "upcase",
            "downcase",
            "strip",
            "gsub",
            "sub",
            "split",
            "length",
            "size",
            "to_i",
            "to_f",
            "to_sym",
            "to_str",
            "empty?",
            "each_char",
            "include?",
            "start_with?",
            "end_with?",
            "force_encoding",
            "encode",
            "<=>",
            "=~",
            "[]",
            "+",
            "*",
            "%",
            "<<",
            "chars",
            "lines",
            "bytes",
            "match",
            "tr",
        ],
        "Symbol" => &["to_sym", "to_proc", "length", "size", "upcase", "downcase"],
        "Integer" => &["to_i", "to_int", "to_f", "+", "-", "*", "/", "%", "round", "floor", "ceil", "abs", "times", "chr", "<=>", "zero?"],
        "Float" => {
            &["to_i", "to_int", "to_f", "+", "-", "*", "/", "%", "round", "floor", "ceil", "abs", "nan?", "infinite?", "<=>", "zero?"]
        }
        "Array" => &[
            "each",
            "map",
            "select",
            "length",
            "size",
            "first",
            "last",
            "join",
            "[]",
            "<<",
            "push",
            "to_a",
            "to_ary",
            "to_h",
            "empty?",
            "include?",
            "flatten",
            "sort",
            "keys?",
            "dig",
            "each_with_index",
        ],
        "Hash" => &[
            "each",
            "map",
            "select",
            "length",
            "size",
            "keys",
            "values",
            "key?",
            "has_key?",
            "fetch",
            "dig",
            "[]",
            "[]=",
            "merge",
            "to_h",
            "to_hash",
            "to_a",
            "empty?",
            "include?",
            "each_pair",
            "delete",
        ],
        "NilClass" => &["to_i", "to_f", "to_a", "to_h"],
        "Time" => &["to_i", "to_f", "strftime", "year", "month", "day", "hour", "min", "sec", "utc", "iso8601", "+", "-", "<=>"],
        _ => &[],
    }
}

fn responds(receiver: &Value, name: &str) -> bool {
    const ALL: &[&str] =
        &["to_s", "inspect", "==", "nil?", "class", "is_a?", "respond_to?", "send", "to_json", "hash", "dup", "freeze", "tap", "then"];
    ALL.contains(&name) || methods_known(receiver.class()).contains(&name)
}

pub(super) fn nil(name: &str, given: &Given<'_>) -> Option<Value> {
    Some(match (name, given.arguments) {
        ("to_a", []) => Value::list(Vec::new()),
        ("to_i", []) => Value::Int(0),
        ("to_f", []) => Value::Float(0.0),
        ("to_h", []) => Value::hash(Hash::default()),
        ("&", [_]) => Value::Bool(false),
        ("|", [other]) => Value::Bool(other.truthy()),
        _ => return None,
    })
}

pub(super) fn boolean(truth: bool, name: &str, given: &Given<'_>) -> Option<Value> {
    Some(match (name, given.arguments) {
        ("&", [other]) => Value::Bool(truth && other.truthy()),
        ("|", [other]) => Value::Bool(truth || other.truthy()),
        ("^", [other]) => Value::Bool(truth != other.truthy()),
        _ => return None,
    })
}

pub(super) fn procedure(machine: &mut Machine<'_>, callable: &Callable, name: &str, given: &Given<'_>) -> Answer {
    match name {
        "call" | "()" | "[]" | "yield" | "===" => machine.call_block(callable, given.arguments.to_vec()).map(Some),
        "to_proc" => Ok(Some(Value::Proc(callable.clone()))),
        "lambda?" => Ok(Some(Value::Bool(match callable {
            Callable::Block(code) => code.0.lambda,
            Callable::Name(_) => true,
        }))),
        "arity" | "curry" | ">>" | "<<" => argument_error(format!("Proc#{name} is not supported in embedded Ruby")),
        _ => Ok(None),
    }
}

pub(super) fn error(error: &Error, name: &str) -> Option<Value> {
    match name {
        "message" | "to_s" | "full_message" => Some(Value::text(error.message.as_str())),
        "backtrace" => Some(Value::list(Vec::new())),
        _ => None,
    }
}
