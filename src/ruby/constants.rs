//! Methods of classes and modules: `ENV`, `File`, `Time`, `JSON`, ...

use super::hash::Hash;
use super::machine::Machine;
use super::methods::{Given, bytes as bytes_of, integer as integer_of, number as number_of, shown as shown_of, text as text_of};
use super::moment::{Flavour, Moment, Zone};
use super::regexp::Regexp;
use super::uri::Uri;
use super::value::{Error, Outcome, Value, argument_error, raised, type_error};
use super::{files, json, kernel, time_parse};
use crate::event::EventTime;
use std::hash::{BuildHasher, Hasher};
use std::rc::Rc;
use std::sync::Arc;

type Answer = Outcome<Option<Value>>;

/// A method of a class or module.
pub(super) fn call(machine: &mut Machine<'_>, constant: &str, name: &str, given: &Given<'_>) -> Answer {
    match constant {
        "ENV" => env(machine, name, given),
        "File" | "FileTest" | "Dir" | "IO" | "Pathname" => files::call(machine, constant, name, given),
        "Time" | "Date" | "DateTime" | "Fluent::Engine" | "Fluent::EventTime" => time(constant, name, given),
        "JSON" => match (name, given.arguments) {
            ("parse" | "load", [text, ..]) => json::parse(machine, &bytes_of(text)?).map(Some),
            ("generate" | "dump" | "pretty_generate", [value, ..]) => Ok(Some(Value::text(json::generate(value)?))),
            _ => Ok(None),
        },
        "URI" => uri(machine, name, given),
        "CGI" => match (name, given.arguments) {
            ("escape", [text]) => Ok(Some(Value::text(super::uri::escape(&bytes_of(text)?, b"*-._")))),
            ("unescape", [text]) => Ok(Some(Value::text(super::uri::unescape(&bytes_of(text)?, true)))),
            ("escapeHTML" | "escape_html", [text]) => Ok(Some(Value::text(super::uri::escape_html(&text_of(text)?)))),
            _ => Ok(None),
        },
        "SecureRandom" | "Random" => Ok(random_method(name, given)?),
        "Math" => math(name, given),
        "Base64" => base64(name, given),
        "Process" => Ok(match name {
            "pid" => Some(Value::int(std::process::id())),
            "clock_gettime" => Some(Value::Float(EventTime::now().to_f64())),
            _ => None,
        }),
        "Socket" if name == "gethostname" => Ok(Some(Value::text(machine.environment.hostname.as_str()))),
        "Regexp" => match (name, given.arguments) {
            ("new" | "compile", [Value::Regexp(regexp), ..]) => Ok(Some(Value::Regexp(regexp.clone()))),
            ("new" | "compile", [source, options @ ..]) => {
                let ignore = options.first().is_some_and(Value::truthy);
                let regexp = Regexp::new(&text_of(source)?, if ignore { "i" } else { "" }).map_err(|why| raised("RegexpError", why))?;
                Ok(Some(Value::Regexp(Arc::new(regexp))))
            }
            ("escape" | "quote", [text]) => Ok(Some(Value::text(escape_regexp(&text_of(text)?)))),
            _ => Ok(None),
        },
        "Hash" if name == "new" => Ok(Some(Value::hash(Hash::with_default(given.arguments.first().cloned().unwrap_or_default())))),
        "Array" if name == "new" => array_new(machine, given).map(Some),
        "String" if name == "new" => Ok(Some(Value::text(given.arguments.first().map_or(Ok(Vec::new()), bytes_of)?))),
        "main" => Ok((name == "to_s").then(|| Value::text("main"))),
        class => Ok(match (name, given.arguments) {
            ("name" | "to_s", []) => Some(Value::text(class)),
            ("===", [value]) => Some(Value::Bool(super::methods::is_a(value, class))),
            ("new" | "exception", arguments) if kernel::is_exception(class) => {
                let message = arguments.first().map_or(class.as_bytes().to_vec(), shown_of);
                Some(Value::Error(Rc::new(Error { class: class.to_owned(), message: String::from_utf8_lossy(&message).into_owned() })))
            }
            ("instance_methods" | "new", _) => {
                return Err(raised("NotImplementedError", format!("{class}.{name} is not supported in embedded Ruby")));
            }
            _ => None,
        }),
    }
}

fn env(machine: &mut Machine<'_>, name: &str, given: &Given<'_>) -> Answer {
    let environment = machine.environment;
    let get = |name: &Value| -> Outcome<Option<Value>> { Ok(environment.variable(&text_of(name)?).map(Value::text)) };
    Ok(Some(match (name, given.arguments) {
        ("[]", [name]) => get(name)?.unwrap_or_default(),
        ("fetch", [name]) => match (get(name)?, given.block) {
            (Some(value), _) => value,
            (None, Some(block)) => machine.call_block(block, vec![name.clone()])?,
            (None, None) => return Err(raised("KeyError", format!("key not found: {:?}", text_of(name)?))),
        },
        ("fetch", [name, default]) => get(name)?.unwrap_or_else(|| default.clone()),
        ("key?" | "has_key?" | "include?" | "member?", [name]) => Value::Bool(get(name)?.is_some()),
        ("[]=" | "store" | "delete" | "clear" | "update", _) => {
            return Err(raised("NotImplementedError", format!("ENV.{name} is not supported in embedded Ruby")));
        }
        ("class" | "nil?" | "inspect", _) => return Ok(None),
        (other, _) => {
            let pairs =
                environment.variables.iter().map(|(name, value)| (Value::text(name.as_str()), Value::text(value.as_str()))).collect();
            let hash = Value::hash(Hash::of_distinct(pairs));
            return super::methods::send(machine, &hash, other, given.arguments.to_vec(), given.block).map(Some);
        }
    }))
}

fn time(class: &str, name: &str, given: &Given<'_>) -> Answer {
    let flavour = match class {
        "Date" => Flavour::Date,
        "DateTime" => Flavour::DateTime,
        "Fluent::Engine" | "Fluent::EventTime" => Flavour::Event,
        _ => Flavour::Time,
    };
    let flavoured = |moment: Moment| -> Outcome<Option<Value>> {
        let moment = if flavour == Flavour::Date { super::methods::date_of(&moment)? } else { moment };
        // Without a zone of their own, dates and times of day are UTC's.
        Ok(Some(Value::time(Moment { flavour, ..moment })))
    };
    match (name, given.arguments) {
        ("now" | "today" | "new" | "current", []) => flavoured(Moment::local(EventTime::now())),
        ("at", [value, rest @ ..]) => time_at(value, rest).map(Some),
        ("utc" | "gm", parts) => flavoured(civil(parts, Zone::Utc)?),
        ("local" | "mktime" | "new" | "civil", parts) if flavour == Flavour::Time => {
            let zone = match parts.get(6) {
                Some(Value::Str(zone)) if name == "new" => Zone::parse(&String::from_utf8_lossy(&zone.borrow())).unwrap_or(Zone::Local),
                _ => Zone::Local,
            };
            flavoured(civil(parts, zone)?)
        }
        ("new" | "civil", parts) => flavoured(civil(parts, Zone::Utc)?),
        ("parse" | "iso8601" | "xmlschema" | "rfc3339" | "httpdate" | "rfc2822", [text, ..]) => {
            let text = text_of(text)?;
            let zone = if flavour == Flavour::Time { Zone::Local } else { Zone::Utc };
            let strict = name != "parse";
            match time_parse::parse(&text, zone, strict) {
                Some(moment) => flavoured(moment),
                None if flavour != Flavour::Time => Err(raised("Date::Error", "invalid date")),
                None if strict => argument_error(format!("invalid xmlschema date: {text:?}")),
                None => argument_error(format!("no time information in {text:?}")),
            }
        }
        ("strptime", [text, format]) => {
            let (text, format) = (text_of(text)?, text_of(format)?);
            let zone = if flavour == Flavour::Time { Zone::Local } else { Zone::Utc };
            match time_parse::strptime(&text, &format, zone) {
                Some(moment) => flavoured(moment),
                None => argument_error(format!("invalid date or strptime format - `{text}' `{format}'")),
            }
        }
        ("name" | "to_s", []) => Ok(Some(Value::text(class))),
        ("===", [value]) => Ok(Some(Value::Bool(super::methods::is_a(value, class)))),
        _ => Ok(None),
    }
}

/// `Time.at(seconds[, fraction[, unit]])`, `Time.at(time)`.
fn time_at(value: &Value, rest: &[Value]) -> Outcome<Value> {
    let mut moment = match value {
        Value::Time(other) => Moment { flavour: Flavour::Time, ..other.get() },
        Value::Int(sec) => {
            Moment::local(EventTime::from_secs(i64::try_from(*sec).map_err(|_| raised("RangeError", "a time out of range"))?))
        }
        Value::Float(sec) if sec.is_finite() => {
            let whole = sec.floor();
            Moment::local(EventTime { sec: whole as i64, nsec: (((sec - whole) * 1e9) as u32).min(999_999_999) })
        }
        Value::Float(_) => return Err(raised("FloatDomainError", "Infinity")),
        Value::Nil => return type_error("can't convert nil into an exact number"),
        other => return type_error(format!("can't convert {} into an exact number", other.class())),
    };
    if let Value::Time(other) = value
        && other.get().flavour == Flavour::Event
    {
        moment.zone = Zone::Local;
    }
    let mut unit = 1000.0;
    let mut fraction = 0.0;
    for argument in rest {
        match argument {
            Value::Sym(name) => {
                unit = match &**name {
                    "millisecond" => 1e6,
                    "usec" | "microsecond" => 1000.0,
                    "nsec" | "nanosecond" => 1.0,
                    other => return argument_error(format!("unexpected unit: {other}")),
                }
            }
            Value::Hash(options) => {
                if let Some(zone) = options.borrow().get(&Value::symbol("in")) {
                    moment.zone = Zone::parse(&text_of(zone)?).unwrap_or(Zone::Local);
                }
            }
            other => fraction = number_of(other)?,
        }
    }
    moment.at(moment.nanoseconds() + (fraction * unit) as i128).map(Value::time).ok_or_else(|| raised("RangeError", "a time out of range"))
}

/// Year, month, day, hour, minute, second.
fn civil(parts: &[Value], zone: Zone) -> Outcome<Moment> {
    let part = |at: usize, default: i128| match parts.get(at) {
        None | Some(Value::Nil) => Ok(default),
        Some(Value::Str(text)) => Ok(super::methods::parse_integer(&text.borrow(), 10)),
        Some(value) => integer_of(value),
    };
    let second = parts.get(5).map_or(Ok(0.0), |value| if value.is_nil() { Ok(0.0) } else { number_of(value) })?;
    let out_of_range = || raised("ArgumentError", "argument out of range");
    let small = |value: i128| i8::try_from(value).map_err(|_| out_of_range());
    let year = i16::try_from(part(0, 1970)?).map_err(|_| out_of_range())?;
    let nanosecond = ((second - second.floor()) * 1e9) as i32;
    let time = jiff::civil::DateTime::new(
        year,
        small(part(1, 1)?)?,
        small(part(2, 1)?)?,
        small(part(3, 0)?)?,
        small(part(4, 0)?)?,
        small(second.floor() as i128)?,
        nanosecond,
    );
    time.ok().and_then(|civil| Moment::of_civil(civil, zone)).ok_or_else(out_of_range)
}

fn uri(machine: &mut Machine<'_>, name: &str, given: &Given<'_>) -> Answer {
    Ok(Some(match (name, given.arguments) {
        ("parse", [text]) => parse_uri(&bytes_of(text)?)?,
        ("join", [first, rest @ ..]) => {
            let mut text = text_of(first)?;
            for part in rest {
                text = super::uri::join(&text, &text_of(part)?);
            }
            parse_uri(text.as_bytes())?
        }
        ("encode_www_form_component", [value]) => Value::text(super::uri::escape(&shown_of(value), b"*-._")),
        ("decode_www_form_component", [text]) => Value::text(super::uri::unescape(&bytes_of(text)?, true)),
        ("encode_www_form", [pairs]) => {
            let mut out = Vec::new();
            for pair in super::methods::to_items(machine, pairs)? {
                let pair = super::methods::splat(&pair);
                let part = |at: usize| super::uri::escape(&pair.get(at).map_or(Vec::new(), shown_of), b"*-._");
                out.push(format!("{}={}", part(0), part(1)));
            }
            Value::text(out.join("&"))
        }
        ("decode_www_form", [text]) => {
            let text = bytes_of(text)?;
            let pairs = text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
                let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
                let value = pair.get(at + 1..).unwrap_or_default();
                Value::list(vec![Value::text(super::uri::unescape(&pair[..at], true)), Value::text(super::uri::unescape(value, true))])
            });
            Value::list(pairs.collect())
        }
        _ => return Ok(None),
    }))
}

/// A URI from its text.
pub(super) fn parse_uri(text: &[u8]) -> Outcome<Value> {
    let text = String::from_utf8_lossy(text).into_owned();
    Uri::parse(&text)
        .map(|uri| Value::Uri(Rc::new(uri)))
        .ok_or_else(|| raised("URI::InvalidURIError", format!("bad URI(is not URI?): {text:?}")))
}

fn math(name: &str, given: &Given<'_>) -> Answer {
    let function: fn(f64) -> f64 = match name {
        "sqrt" => f64::sqrt,
        "log" => f64::ln,
        "log2" => f64::log2,
        "log10" => f64::log10,
        "exp" => f64::exp,
        "sin" => f64::sin,
        "cos" => f64::cos,
        "cbrt" => f64::cbrt,
        _ => return Ok(None),
    };
    match given.arguments {
        [value] => Ok(Some(Value::Float(function(number_of(value)?)))),
        [value, base] if name == "log" => Ok(Some(Value::Float(number_of(value)?.ln() / number_of(base)?.ln()))),
        _ => Ok(None),
    }
}

fn base64(name: &str, given: &Given<'_>) -> Answer {
    use base64::Engine;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    let [text, ..] = given.arguments else { return Ok(None) };
    let text = bytes_of(text)?;
    let packed: Vec<u8> = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let invalid = |_| raised("ArgumentError", "invalid base64");
    Ok(Some(Value::text(match name {
        "strict_encode64" => STANDARD.encode(&text).into_bytes(),
        "encode64" => STANDARD.encode(&text).as_bytes().chunks(60).flat_map(|line| [line, b"\n"].concat()).collect(),
        "urlsafe_encode64" => URL_SAFE.encode(&text).into_bytes(),
        "decode64" | "strict_decode64" => STANDARD.decode(&packed).map_err(invalid)?,
        "urlsafe_decode64" => URL_SAFE.decode(&packed).map_err(invalid)?,
        _ => return Ok(None),
    })))
}

/// A number below `limit` that nobody can tell beforehand.
pub(super) fn random_below(limit: u64) -> u64 {
    std::collections::hash_map::RandomState::new().build_hasher().finish() % limit.max(1)
}

/// `rand(limit)`.
pub(super) fn random(limit: &Value) -> Outcome<Value> {
    match limit {
        Value::Int(limit) if *limit > 0 => Ok(Value::int(random_below(u64::try_from(*limit).unwrap_or(u64::MAX)))),
        Value::Range(range) => {
            let (from, to) = (integer_of(&range.from)?, integer_of(&range.to)?);
            let width = u64::try_from(to - from + i128::from(!range.exclusive)).unwrap_or(1);
            Ok(Value::Int(from + i128::from(random_below(width))))
        }
        Value::Float(limit) => Ok(Value::Float(random_below(1 << 53) as f64 / (1_u64 << 53) as f64 * limit)),
        _ => Ok(Value::Float(random_below(1 << 53) as f64 / (1_u64 << 53) as f64)),
    }
}

fn random_method(name: &str, given: &Given<'_>) -> Answer {
    let digits = |bytes: usize| -> String { (0..bytes).map(|_| format!("{:02x}", random_below(256))).collect() };
    let size = given.arguments.first().map_or(Ok(16), integer_of)?.clamp(0, 4096) as usize;
    Ok(Some(match name {
        "uuid" => {
            let all = digits(16);
            let variant = ["8", "9", "a", "b"][random_below(4) as usize];
            Value::text(format!("{}-{}-4{}-{variant}{}-{}", &all[..8], &all[8..12], &all[13..16], &all[17..20], &all[20..]))
        }
        "hex" => Value::text(digits(size)),
        "alphanumeric" => {
            const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
            Value::text((0..size).map(|_| LETTERS[random_below(LETTERS.len() as u64) as usize]).collect::<Vec<u8>>())
        }
        "rand" | "random_number" => random(given.arguments.first().unwrap_or(&Value::Nil))?,
        _ => return Ok(None),
    }))
}

fn escape_regexp(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        match character {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '.' | '*' | '?' | '+' | '^' | '$' | '|' | '\\' | '(' | ')' | '[' | ']' | '{' | '}' | '-' | '#' | ' ' => {
                out.extend(['\\', character])
            }
            other => out.push(other),
        }
    }
    out
}

fn array_new(machine: &mut Machine<'_>, given: &Given<'_>) -> Outcome<Value> {
    let size =
        usize::try_from(given.arguments.first().map_or(Ok(0), integer_of)?).map_err(|_| raised("ArgumentError", "negative array size"))?;
    machine.pay(size)?;
    let mut items = Vec::new();
    for at in 0..size {
        items.push(match given.block {
            Some(block) => machine.call_block(block, vec![Value::int(at)])?,
            None => given.arguments.get(1).cloned().unwrap_or_default(),
        });
    }
    Ok(Value::list(items))
}
