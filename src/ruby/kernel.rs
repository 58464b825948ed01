//! Calls without a receiver, constants by name, and the tree of exception classes.

use super::machine::Machine;
use super::methods;
use super::value::{Callable, Error, Outcome, Raised, Value, argument_error, raised, type_error};
use super::{constants, format, show};
use std::rc::Rc;

/// Exception classes with the one each descends from.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("StandardError", "Exception"),
    ("SystemStackError", "Exception"),
    ("NoMemoryError", "Exception"),
    ("ScriptError", "Exception"),
    ("SyntaxError", "ScriptError"),
    ("NotImplementedError", "ScriptError"),
    ("RuntimeError", "StandardError"),
    ("FrozenError", "RuntimeError"),
    ("ArgumentError", "StandardError"),
    ("UncaughtThrowError", "ArgumentError"),
    ("TypeError", "StandardError"),
    ("NameError", "StandardError"),
    ("NoMethodError", "NameError"),
    ("IndexError", "StandardError"),
    ("KeyError", "IndexError"),
    ("StopIteration", "IndexError"),
    ("RangeError", "StandardError"),
    ("FloatDomainError", "RangeError"),
    ("ZeroDivisionError", "StandardError"),
    ("RegexpError", "StandardError"),
    ("EncodingError", "StandardError"),
    ("IOError", "StandardError"),
    ("LocalJumpError", "StandardError"),
    ("SystemCallError", "StandardError"),
    ("Errno::ENOENT", "SystemCallError"),
    ("Errno::EACCES", "SystemCallError"),
    ("Errno::EISDIR", "SystemCallError"),
    ("JSON::JSONError", "StandardError"),
    ("JSON::ParserError", "JSON::JSONError"),
    ("JSON::GeneratorError", "JSON::JSONError"),
    ("Date::Error", "ArgumentError"),
    ("URI::Error", "StandardError"),
    ("URI::InvalidURIError", "URI::Error"),
    ("Fluent::ConfigError", "StandardError"),
];

/// Classes and modules that code can name.
const CONSTANTS: &[&str] = &[
    "Object",
    "BasicObject",
    "Kernel",
    "String",
    "Symbol",
    "Integer",
    "Fixnum",
    "Bignum",
    "Float",
    "Numeric",
    "Array",
    "Hash",
    "Range",
    "Regexp",
    "MatchData",
    "NilClass",
    "TrueClass",
    "FalseClass",
    "Proc",
    "Time",
    "Date",
    "DateTime",
    "Comparable",
    "Enumerable",
    "Enumerator",
    "Exception",
    "ENV",
    "File",
    "Dir",
    "FileTest",
    "Pathname",
    "Socket",
    "SecureRandom",
    "JSON",
    "URI",
    "CGI",
    "Math",
    "Process",
    "Random",
    "Base64",
    "Encoding",
    "Fluent",
    "Fluent::Engine",
    "Fluent::EventTime",
    "Etc",
    "Class",
    "Module",
    "URI::HTTP",
    "URI::HTTPS",
    "URI::Generic",
    "Digest",
    "Shellwords",
];

/// A constant by name.
pub(super) fn constant(name: &str) -> Outcome<Value> {
    match name {
        "Float::INFINITY" => return Ok(Value::Float(f64::INFINITY)),
        "Float::NAN" => return Ok(Value::Float(f64::NAN)),
        "Float::MAX" => return Ok(Value::Float(f64::MAX)),
        "Float::MIN" => return Ok(Value::Float(f64::MIN_POSITIVE)),
        "Float::EPSILON" => return Ok(Value::Float(f64::EPSILON)),
        "Math::PI" => return Ok(Value::Float(std::f64::consts::PI)),
        "Math::E" => return Ok(Value::Float(std::f64::consts::E)),
        "File::SEPARATOR" => return Ok(Value::text("/")),
        "RUBY_VERSION" => return Ok(Value::text("3.1.2")),
        "RUBY_PLATFORM" => return Ok(Value::text("x86_64-linux-gnu")),
        "Encoding::UTF_8" | "Encoding::ASCII_8BIT" | "Encoding::BINARY" | "Encoding::US_ASCII" => {
            return Ok(Value::text(name.rsplit(':').next().unwrap_or(name).replace('_', "-")));
        }
        "Process::CLOCK_MONOTONIC" => return Ok(Value::Int(1)),
        "Process::CLOCK_REALTIME" => return Ok(Value::Int(0)),
        "ARGV" => return Ok(Value::list(Vec::new())),
        _ => {}
    }
    let known = CONSTANTS.contains(&name) || name == "Exception" || EXCEPTIONS.iter().any(|(class, _)| *class == name);
    let digest = matches!(name, "Digest::MD5" | "Digest::SHA1" | "Digest::SHA256");
    if digest {
        return Err(raised("NotImplementedError", format!("{name} is not supported in embedded Ruby")));
    }
    if known { Ok(Value::Const(Rc::from(name))) } else { Err(raised("NameError", format!("uninitialized constant {name}"))) }
}

/// Whether an exception class is another or descends from it.
pub(super) fn is_kind_of_class(class: &str, other: &str) -> bool {
    let mut at = class;
    loop {
        if at == other {
            return true;
        }
        match EXCEPTIONS.iter().find(|(class, _)| *class == at) {
            Some((_, parent)) => at = parent,
            None => return other == "Exception",
        }
    }
}

/// A call without receiver.
pub(super) fn function(
    machine: &mut Machine<'_>,
    name: &str,
    arguments: Vec<Value>,
    block: Option<&Callable>,
    bare: bool,
) -> Outcome<Value> {
    Ok(match (name, arguments.as_slice()) {
        ("use_nil", []) => return Err(Raised::UseNil),
        ("use_default", []) => return Err(Raised::UseDefault),
        ("raise" | "fail", arguments) => return Err(raise(machine, arguments)),
        ("Integer", [value, rest @ ..]) => to_integer(value, rest)?,
        ("Float", [value, rest @ ..]) => to_float(value, rest)?,
        ("String", [value]) => Value::text(methods::shown(value)),
        ("Array", [value]) => match value {
            Value::Array(_) => value.clone(),
            value => Value::list(methods::to_items(machine, value)?),
        },
        ("Hash", [Value::Nil]) => Value::hash(super::hash::Hash::default()),
        ("Hash", [value @ Value::Hash(_)]) => value.clone(),
        ("URI", [value]) => constants::parse_uri(&methods::bytes(value)?)?,
        ("Pathname", [value]) => value.clone(),
        ("format" | "sprintf", [format, values @ ..]) => Value::text(format::format(machine, &methods::bytes(format)?, values)?),
        ("rand", []) => Value::Float(constants::random_below(1 << 53) as f64 / (1_u64 << 53) as f64),
        ("rand", [limit]) => constants::random(limit)?,
        ("srand", _) => Value::Int(0),
        ("sleep", [_]) => Value::Int(0),
        ("puts" | "print" | "p" | "warn", values) => {
            for value in values {
                crate::info!("embedded Ruby: {}", String::from_utf8_lossy(&methods::shown(value)));
            }
            if name == "p" { values.first().cloned().unwrap_or_default() } else { Value::Nil }
        }
        ("require" | "require_relative" | "load", [_]) => Value::Bool(true),
        ("lambda" | "proc", []) if block.is_some() => block.cloned().map_or(Value::Nil, Value::Proc),
        ("loop", []) => {
            let Some(block) = block else { return Err(raised("LocalJumpError", "no block given (yield)")) };
            loop {
                match machine.call_block(block, Vec::new()) {
                    Err(Raised::Error(error)) if error.class == "StopIteration" => break Value::Nil,
                    other => drop(other?),
                }
            }
        }
        ("block_given?", []) => Value::Bool(false),
        (
            "binding" | "eval" | "instance_eval" | "system" | "exec" | "fork" | "exit" | "abort" | "catch" | "throw" | "open"
            | "define_method",
            _,
        ) => {
            return Err(raised("NotImplementedError", format!("{name} is not supported in embedded Ruby")));
        }
        _ if bare => return Err(raised("NameError", format!("undefined local variable or method `{name}' for main:Object"))),
        _ => return Err(raised("NoMethodError", format!("undefined method `{name}' for main:Object"))),
    })
}

/// `raise`, `raise "text"`, `raise Class, "text"`.
fn raise(machine: &mut Machine<'_>, arguments: &[Value]) -> Raised {
    match arguments {
        [] => raised("RuntimeError", "unhandled exception"),
        [Value::Str(text)] => raised("RuntimeError", String::from_utf8_lossy(&text.borrow()).into_owned()),
        [Value::Error(error)] => Raised::Error(error.clone()),
        [Value::Const(class)] if is_exception(class) => raised(class, class.to_string()),
        [Value::Const(class), message, ..] if is_exception(class) => {
            raised(class, String::from_utf8_lossy(&methods::shown(message)).into_owned())
        }
        [Value::Error(error), message, ..] => Raised::Error(Rc::new(Error {
            class: error.class.clone(),
            message: String::from_utf8_lossy(&methods::shown(message)).into_owned(),
        })),
        _ => {
            let _ = machine.pay(0);
            raised("TypeError", "exception class/object expected")
        }
    }
}

/// Whether a constant is an exception class.
pub(super) fn is_exception(class: &str) -> bool {
    class == "Exception" || EXCEPTIONS.iter().any(|(known, _)| *known == class)
}

fn wants_nil(rest: &[Value]) -> bool {
    matches!(rest.last(), Some(Value::Hash(options)) if options.borrow().get(&Value::symbol("exception")).is_some_and(|value| !value.truthy()))
}

fn to_integer(value: &Value, rest: &[Value]) -> Outcome<Value> {
    let result = match value {
        Value::Int(_) => Ok(value.clone()),
        Value::Float(number) => methods::whole(*number),
        Value::Str(text) => {
            let text = text.borrow();
            let radix = match rest.first() {
                Some(Value::Int(radix)) => u32::try_from(*radix).ok().filter(|radix| (2..=36).contains(radix)),
                _ => None,
            };
            methods::strict_integer(&text, radix).map(Value::Int).ok_or(()).or_else(|()| {
                let mut shown = Vec::new();
                show::inspect_text(&text, &mut shown);
                argument_error(format!("invalid value for Integer(): {}", String::from_utf8_lossy(&shown)))
            })
        }
        Value::Time(moment) => Ok(Value::Int(moment.get().sec.into())),
        Value::Nil => type_error("can't convert nil into Integer"),
        other => type_error(format!("can't convert {} into Integer", other.class())),
    };
    if result.is_err() && wants_nil(rest) { Ok(Value::Nil) } else { result }
}

fn to_float(value: &Value, rest: &[Value]) -> Outcome<Value> {
    let result = match value {
        Value::Int(number) => Ok(Value::Float(*number as f64)),
        Value::Float(_) => Ok(value.clone()),
        Value::Str(text) => {
            let text = text.borrow();
            methods::strict_float(&text).map(Value::Float).ok_or(()).or_else(|()| {
                let mut shown = Vec::new();
                show::inspect_text(&text, &mut shown);
                argument_error(format!("invalid value for Float(): {}", String::from_utf8_lossy(&shown)))
            })
        }
        Value::Nil => type_error("can't convert nil into Float"),
        other => type_error(format!("can't convert {} into Float", other.class())),
    };
    if result.is_err() && wants_nil(rest) { Ok(Value::Nil) } else { result }
}
