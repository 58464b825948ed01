//! Methods of integers and floats.

use super::string::holds;
use super::{Answer, Given, called, compare, integer as integer_argument, not_comparable, number};
use crate::ruby::machine::Machine;
use crate::ruby::value::{Outcome, Raised, Value, argument_error, raised, type_error};

fn too_big() -> Raised {
    raised("RangeError", "an integer beyond 127 bits is not supported in embedded Ruby")
}

fn fits(number: Option<i128>) -> Outcome<Value> {
    number.map(Value::Int).ok_or_else(too_big)
}

fn divided_by_zero() -> Raised {
    raised("ZeroDivisionError", "divided by 0")
}

fn not_coerced<T>(value: &Value, into: &str) -> Outcome<T> {
    type_error(format!("{} can't be coerced into {into}", called(value)))
}

/// Division that rounds down, as Ruby's.
fn floor_div(a: i128, b: i128) -> Outcome<i128> {
    if b == 0 {
        return Err(divided_by_zero());
    }
    let quotient = a.checked_div(b).ok_or_else(too_big)?;
    Ok(if a % b != 0 && (a < 0) != (b < 0) { quotient - 1 } else { quotient })
}

fn modulo(a: i128, b: i128) -> Outcome<i128> {
    let quotient = floor_div(a, b)?;
    Ok(a - quotient * b)
}

fn float_modulo(a: f64, b: f64) -> f64 {
    let rest = a % b;
    if rest != 0.0 && (rest < 0.0) != (b < 0.0) { rest + b } else { rest }
}

/// A method of an integer.
pub(super) fn integer(machine: &mut Machine<'_>, own: i128, name: &str, given: &Given<'_>) -> Answer {
    if let Some(value) = integer_operator(own, name, given)? {
        return Ok(Some(value));
    }
    Ok(Some(match (name, given.arguments) {
        ("to_i" | "to_int" | "ord" | "numerator", []) => Value::Int(own),
        ("to_f", []) => Value::Float(own as f64),
        ("to_s" | "inspect", []) => Value::text(own.to_string()),
        ("to_s" | "inspect", [radix]) => Value::text(in_radix(own, integer_argument(radix)?)?),
        ("chr", _) => Value::text(match u32::try_from(own).ok() {
            Some(code) if code < 128 => vec![code as u8],
            Some(code) if code < 256 && given.arguments.is_empty() => vec![code as u8],
            Some(code) => char::from_u32(code)
                .map(|c| c.to_string().into_bytes())
                .ok_or_else(|| raised("RangeError", format!("{own} out of char range")))?,
            None => return Err(raised("RangeError", format!("{own} out of char range"))),
        }),
        ("succ" | "next", []) => fits(own.checked_add(1))?,
        ("pred", []) => fits(own.checked_sub(1))?,
        ("even?", []) => Value::Bool(own % 2 == 0),
        ("odd?", []) => Value::Bool(own % 2 != 0),
        ("integer?" | "finite?", []) => Value::Bool(true),
        ("nan?" | "infinite?", []) => return Ok(None),
        ("bit_length", []) => Value::int(128 - if own < 0 { (!own).leading_zeros() } else { own.leading_zeros() }),
        ("gcd", [other]) => {
            let (mut a, mut b) = (own.unsigned_abs(), integer_argument(other)?.unsigned_abs());
            while b != 0 {
                (a, b) = (b, a % b);
            }
            Value::int(a)
        }
        ("digits", []) => Value::list(own.unsigned_abs().to_string().bytes().rev().map(|digit| Value::int(digit - b'0')).collect()),
        ("round" | "floor" | "ceil" | "truncate", []) => Value::Int(own),
        ("round" | "floor" | "ceil" | "truncate", [Value::Hash(_)]) => Value::Int(own),
        ("round" | "floor" | "ceil" | "truncate", [digits, ..]) => round_integer(own, name, integer_argument(digits)?)?,
        ("times", []) if given.block.is_none() => Value::list(counted(machine, 0, own - 1)?),
        ("upto", [to]) if given.block.is_none() => Value::list(counted(machine, own, integer_argument(to)?)?),
        ("downto", [to]) if given.block.is_none() => Value::list(counted(machine, integer_argument(to)?, own)?.into_iter().rev().collect()),
        ("times", []) => return each(machine, 0, own - 1, false, given, own),
        ("upto", [to]) => return each(machine, own, integer_argument(to)?, false, given, own),
        ("downto", [to]) => return each(machine, integer_argument(to)?, own, true, given, own),
        ("pow", [exponent, modulus]) => {
            let (mut result, mut base, mut exponent, modulus) = (1_i128, own, integer_argument(exponent)?, integer_argument(modulus)?);
            while exponent > 0 {
                if exponent & 1 == 1 {
                    result = modulo(result.checked_mul(base).ok_or_else(too_big)?, modulus)?;
                }
                base = modulo(base.checked_mul(base).ok_or_else(too_big)?, modulus)?;
                exponent >>= 1;
            }
            Value::Int(result)
        }
        _ => return shared(&Value::Int(own), name, given),
    }))
}

fn counted(machine: &mut Machine<'_>, from: i128, to: i128) -> Outcome<Vec<Value>> {
    machine.pay(usize::try_from((to - from).max(0)).unwrap_or(usize::MAX))?;
    Ok((from..=to).map(Value::Int).collect())
}

fn each(machine: &mut Machine<'_>, from: i128, to: i128, down: bool, given: &Given<'_>, own: i128) -> Answer {
    let block = super::needed(given)?;
    let mut at = if down { to } else { from };
    while (from..=to).contains(&at) {
        machine.call_block(block, vec![Value::Int(at)])?;
        at += if down { -1 } else { 1 };
    }
    Ok(Some(Value::Int(own)))
}

fn integer_operator(own: i128, name: &str, given: &Given<'_>) -> Answer {
    let other = match given.arguments {
        [] => {
            return Ok(match name {
                "-@" => Some(fits(own.checked_neg())?),
                "+@" => Some(Value::Int(own)),
                "~" => Some(Value::Int(!own)),
                "abs" | "magnitude" => Some(fits(own.checked_abs())?),
                _ => None,
            });
        }
        [other] => other,
        _ => return Ok(None),
    };
    let b = match other {
        Value::Int(b) => *b,
        Value::Float(_) if matches!(name, "+" | "-" | "*" | "/" | "%" | "modulo" | "**" | "pow" | "fdiv" | "div" | "divmod") => {
            return float(own as f64, name, given);
        }
        _ if matches!(name, "+" | "-" | "*" | "/" | "%" | "**" | "fdiv" | "div" | "divmod" | "&" | "|" | "^") => {
            return not_coerced(other, "Integer");
        }
        _ => return Ok(None),
    };
    Ok(Some(match name {
        "+" => fits(own.checked_add(b))?,
        "-" => fits(own.checked_sub(b))?,
        "*" => fits(own.checked_mul(b))?,
        "/" | "div" => Value::Int(floor_div(own, b)?),
        "%" | "modulo" => Value::Int(modulo(own, b)?),
        "remainder" if b == 0 => return Err(divided_by_zero()),
        "remainder" => Value::Int(own.wrapping_rem(b)),
        "divmod" => Value::list(vec![Value::Int(floor_div(own, b)?), Value::Int(modulo(own, b)?)]),
        "fdiv" => Value::Float(own as f64 / b as f64),
        "**" | "pow" if b < 0 => Value::Float((own as f64).powf(b as f64)),
        "**" | "pow" => fits(u32::try_from(b).ok().and_then(|b| own.checked_pow(b)))?,
        "&" => Value::Int(own & b),
        "|" => Value::Int(own | b),
        "^" => Value::Int(own ^ b),
        "<<" | ">>" => {
            let left = if name == "<<" { b } else { -b };
            if left >= 0 {
                fits(
                    u32::try_from(left)
                        .ok()
                        .and_then(|by| 1_i128.checked_shl(by))
                        .filter(|factor| *factor > 0)
                        .and_then(|factor| own.checked_mul(factor)),
                )?
            } else {
                Value::Int(own >> u32::try_from(-left).unwrap_or(127).min(127))
            }
        }
        "[]" => Value::Int(if (0..127).contains(&b) { (own >> b) & 1 } else { i128::from(own < 0) }),
        _ => return Ok(None),
    }))
}

/// A number's digits in another radix.
pub(in crate::ruby) fn in_radix(own: i128, radix: i128) -> Outcome<String> {
    if !(2..=36).contains(&radix) {
        return argument_error(format!("invalid radix {radix}"));
    }
    let mut rest = own.unsigned_abs();
    let mut digits = Vec::new();
    loop {
        digits.push(char::from_digit((rest % radix as u128) as u32, radix as u32).unwrap_or('0'));
        rest /= radix as u128;
        if rest == 0 {
            break;
        }
    }
    if own < 0 {
        digits.push('-');
    }
    Ok(digits.into_iter().rev().collect())
}

fn round_integer(own: i128, name: &str, digits: i128) -> Outcome<Value> {
    if digits >= 0 {
        return Ok(Value::Int(own));
    }
    let Some(unit) = u32::try_from(-digits).ok().and_then(|digits| 10_i128.checked_pow(digits)) else { return Ok(Value::Int(0)) };
    let down = floor_div(own, unit)? * unit;
    let rest = own - down;
    Ok(Value::Int(match name {
        "floor" => down,
        "ceil" if rest == 0 => own,
        "ceil" => down + unit,
        "truncate" => own / unit * unit,
        _ if rest * 2 > unit || (rest * 2 == unit && own >= 0) => down + unit,
        _ => down,
    }))
}

/// A method of a float.
pub(super) fn float(own: f64, name: &str, given: &Given<'_>) -> Answer {
    Ok(Some(match (name, given.arguments) {
        ("+" | "-" | "*" | "/" | "%" | "modulo" | "**" | "pow" | "fdiv" | "quo", [other]) => {
            let Ok(b) = number(other) else { return not_coerced(other, "Float") };
            Value::Float(match name {
                "+" => own + b,
                "-" => own - b,
                "*" => own * b,
                "%" | "modulo" => float_modulo(own, b),
                "**" | "pow" => own.powf(b),
                _ => own / b,
            })
        }
        ("div", [other]) => whole((own / number(other)?).floor())?,
        ("divmod", [other]) => {
            let b = number(other)?;
            Value::list(vec![whole((own / b).floor())?, Value::Float(float_modulo(own, b))])
        }
        ("-@", []) => Value::Float(-own),
        ("+@" | "to_f", []) => Value::Float(own),
        ("abs" | "magnitude", []) => Value::Float(own.abs()),
        ("to_i" | "to_int" | "truncate", []) => whole(own.trunc())?,
        ("round" | "floor" | "ceil", []) => whole(rounded(own, name, 0))?,
        ("round", [Value::Hash(_)]) => whole(own.round_ties_even())?,
        ("round" | "floor" | "ceil" | "truncate", [digits, ..]) => {
            let digits = integer_argument(digits)?;
            if digits > 0 {
                Value::Float(rounded(own, name, digits))
            } else {
                let Value::Int(cut) = whole(rounded(own, name, 0))? else { return Ok(None) };
                round_integer(if digits == 0 { cut } else { own.trunc() as i128 }, name, digits)?
            }
        }
        ("nan?", []) => Value::Bool(own.is_nan()),
        ("infinite?", []) => match own.is_infinite() {
            true => Value::Int(if own > 0.0 { 1 } else { -1 }),
            false => Value::Nil,
        },
        ("finite?", []) => Value::Bool(own.is_finite()),
        ("integer?", []) => Value::Bool(false),
        _ => return shared(&Value::Float(own), name, given),
    }))
}

/// A float without fraction as an integer.
pub(in crate::ruby) fn whole(number: f64) -> Outcome<Value> {
    if number.is_nan() || number.is_infinite() {
        let shown = if number.is_nan() {
            "NaN"
        } else if number > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        };
        return Err(raised("FloatDomainError", shown));
    }
    if number.abs() >= 1.7e38 { Err(too_big()) } else { Ok(Value::Int(number as i128)) }
}

/// Rounding to digits behind the point, halves away from zero.
pub(super) fn rounded(own: f64, how: &str, digits: i128) -> f64 {
    if digits >= 15 || !own.is_finite() {
        return own;
    }
    let scale = 10_f64.powi(digits as i32);
    let scaled = own * scale;
    if !scaled.is_finite() {
        return own;
    }
    let result = match how {
        "floor" => scaled.floor(),
        "ceil" => scaled.ceil(),
        "truncate" => scaled.trunc(),
        _ => {
            let nearest = scaled.round();
            let away = if own > 0.0 { 0.5 } else { -0.5 };
            // As Ruby corrects what the multiplication has lost.
            let reached = if own > 0.0 { (nearest + away) / scale <= own } else { (nearest + away) / scale >= own };
            if digits > 0 && reached { nearest + away * 2.0 } else { nearest }
        }
    };
    result / scale
}

/// What integers and floats share.
fn shared(own: &Value, name: &str, given: &Given<'_>) -> Answer {
    let value = number(own)?;
    Ok(Some(match (name, given.arguments) {
        ("<" | ">" | "<=" | ">=", [other @ (Value::Int(_) | Value::Float(_))]) => {
            Value::Bool(compare(own, other).is_some_and(|order| holds(name, order)))
        }
        ("<" | ">" | "<=" | ">=", [other]) => return Err(not_comparable(own, other)),
        ("zero?", []) => Value::Bool(value == 0.0),
        ("positive?", []) => Value::Bool(value > 0.0),
        ("negative?", []) => Value::Bool(value < 0.0),
        ("nonzero?", []) => {
            if value == 0.0 {
                Value::Nil
            } else {
                own.clone()
            }
        }
        ("coerce", [other]) => Value::list(vec![Value::Float(number(other)?), Value::Float(value)]),
        ("step", _) => return Err(raised("NotImplementedError", "Numeric#step is not supported in embedded Ruby")),
        _ => return Ok(None),
    }))
}

/// An operator of an integer that stands for an event's time.
pub(super) fn float_or_integer(own: i128, name: &str, given: &Given<'_>) -> Answer {
    match integer_operator(own, name, given)? {
        Some(value) => Ok(Some(value)),
        None => shared(&Value::Int(own), name, given),
    }
}
