//! `format` and `%`.

use super::machine::Machine;
use super::methods;
use super::show;
use super::value::{Outcome, Value, argument_error, raised};

/// Widths and precisions beyond this are refused.
const MAX_WIDTH: usize = 4096;

#[derive(Default)]
struct Spec {
    minus: bool,
    plus: bool,
    space: bool,
    zero: bool,
    sharp: bool,
    width: Option<usize>,
    precision: Option<usize>,
    value: Option<Value>,
}

/// A format with values put in.
pub(super) fn format(machine: &mut Machine<'_>, format: &[u8], values: &[Value]) -> Outcome<Vec<u8>> {
    let mut out = Vec::new();
    let mut next = 0;
    let mut at = 0;
    while at < format.len() {
        if format[at] != b'%' {
            out.push(format[at]);
            at += 1;
            continue;
        }
        at += 1;
        let mut spec = Spec::default();
        let letter = read(format, &mut at, &mut spec, values, &mut next, &mut out)?;
        let Some(letter) = letter else { continue };
        if letter == b'%' {
            out.push(b'%');
            continue;
        }
        let value = match spec.value.take() {
            Some(value) => value,
            None => take(values, &mut next)?,
        };
        let text = convert(machine, letter, &spec, &value)?;
        machine.pay_bytes(out.len() + text.len())?;
        out.extend_from_slice(&text);
    }
    Ok(out)
}

fn take(values: &[Value], next: &mut usize) -> Outcome<Value> {
    *next += 1;
    values.get(*next - 1).cloned().ok_or(()).or_else(|()| argument_error("too few arguments"))
}

/// Flags, width and precision up to the letter; `None` where `%{name}` has been written already.
fn read(format: &[u8], at: &mut usize, spec: &mut Spec, values: &[Value], next: &mut usize, out: &mut Vec<u8>) -> Outcome<Option<u8>> {
    loop {
        let Some(byte) = format.get(*at) else { return argument_error("incomplete format specifier; use %% (double %) instead") };
        *at += 1;
        match byte {
            b'-' => spec.minus = true,
            b'+' => spec.plus = true,
            b' ' => spec.space = true,
            b'0' => spec.zero = true,
            b'#' => spec.sharp = true,
            b'1'..=b'9' => {
                *at -= 1;
                let number = digits(format, at)?;
                if format.get(*at) == Some(&b'$') {
                    *at += 1;
                    spec.value = Some(values.get(number - 1).cloned().ok_or(()).or_else(|()| argument_error("too few arguments"))?);
                } else {
                    spec.width = Some(number);
                }
            }
            b'*' => {
                let width = methods::integer(&take(values, next)?)?;
                spec.minus |= width < 0;
                spec.width = Some(usize::try_from(width.unsigned_abs()).unwrap_or(MAX_WIDTH).min(MAX_WIDTH));
            }
            b'.' => spec.precision = Some(digits(format, at)?),
            b'<' | b'{' => {
                let close = if *byte == b'<' { b'>' } else { b'}' };
                let name = format[*at..].split(|b| *b == close).next().unwrap_or_default();
                *at += name.len() + 1;
                let name = String::from_utf8_lossy(name).into_owned();
                let found = match values.first() {
                    Some(Value::Hash(hash)) => hash.borrow().get(&Value::symbol(&name)).cloned(),
                    _ => return argument_error("one hash required"),
                };
                let Some(found) = found else { return Err(raised("KeyError", format!("key<{name}> not found"))) };
                if close == b'}' {
                    show::to_s(&found, out);
                    return Ok(None);
                }
                spec.value = Some(found);
            }
            letter => return Ok(Some(*letter)),
        }
    }
}

fn digits(format: &[u8], at: &mut usize) -> Outcome<usize> {
    let mut number = 0_usize;
    while let Some(digit) = format.get(*at).filter(|byte| byte.is_ascii_digit()) {
        number = number * 10 + usize::from(digit - b'0');
        *at += 1;
        if number > MAX_WIDTH {
            return argument_error(format!("width too big: more than {MAX_WIDTH}"));
        }
    }
    Ok(number)
}

fn convert(machine: &mut Machine<'_>, letter: u8, spec: &Spec, value: &Value) -> Outcome<Vec<u8>> {
    Ok(match letter {
        b'd' | b'i' | b'u' => {
            let number = whole(machine, value)?;
            numeric(spec, number < 0, "", &padded_digits(spec, number.unsigned_abs().to_string()))
        }
        b'x' | b'X' | b'o' | b'b' | b'B' => {
            let number = whole(machine, value)?;
            let magnitude = number.unsigned_abs();
            let (digits, prefix) = match letter {
                b'x' => (format!("{magnitude:x}"), "0x"),
                b'X' => (format!("{magnitude:X}"), "0X"),
                b'o' => (format!("{magnitude:o}"), "0"),
                _ => (format!("{magnitude:b}"), if letter == b'b' { "0b" } else { "0B" }),
            };
            // Ruby writes negative numbers as two's complement with dots unless a sign is asked for.
            if number < 0 && !spec.plus && !spec.space {
                return Ok(pad(spec, two_complement(number, letter).into_bytes()));
            }
            numeric(spec, number < 0, if spec.sharp { prefix } else { "" }, &padded_digits(spec, digits))
        }
        b'f' | b'e' | b'E' | b'g' | b'G' => {
            let number = real(value)?;
            if !number.is_finite() {
                let name = if number.is_nan() { "NaN" } else { "Inf" };
                return Ok(numeric(&Spec { zero: false, ..copy(spec) }, number < 0.0, "", name));
            }
            let text = float(letter, number.abs(), spec);
            numeric(spec, number.is_sign_negative(), "", &text)
        }
        b's' | b'p' => {
            let mut text = Vec::new();
            if letter == b's' {
                show::to_s(value, &mut text)
            } else {
                show::inspect(value, &mut text)
            }
            if let Some(precision) = spec.precision {
                text = methods::characters(&text).into_iter().take(precision).collect::<Vec<_>>().concat();
            }
            pad(spec, text)
        }
        b'c' => pad(
            spec,
            match value {
                Value::Int(code) => u32::try_from(*code).ok().and_then(char::from_u32).map_or(Vec::new(), |c| c.to_string().into_bytes()),
                other => methods::characters(&methods::bytes(other)?).first().map_or(Vec::new(), |c| c.to_vec()),
            },
        ),
        other => return argument_error(format!("malformed format string - %{}", char::from(other))),
    })
}

fn copy(spec: &Spec) -> Spec {
    Spec {
        minus: spec.minus,
        plus: spec.plus,
        space: spec.space,
        zero: spec.zero,
        sharp: spec.sharp,
        width: spec.width,
        precision: None,
        value: None,
    }
}

fn whole(machine: &mut Machine<'_>, value: &Value) -> Outcome<i128> {
    let number = match value {
        Value::Float(number) => methods::send(machine, &Value::Float(number.floor()), "to_i", Vec::new(), None)?,
        other => super::kernel::function(machine, "Integer", vec![other.clone()], None, false)?,
    };
    methods::integer(&number)
}

fn real(value: &Value) -> Outcome<f64> {
    match value {
        Value::Str(text) => methods::strict_float(&text.borrow())
            .ok_or(())
            .or_else(|()| argument_error(format!("invalid value for Float(): {:?}", String::from_utf8_lossy(&text.borrow())))),
        other => methods::number(other),
    }
}

fn padded_digits(spec: &Spec, digits: String) -> String {
    match spec.precision {
        Some(precision) => format!("{digits:0>precision$}"),
        None => digits,
    }
}

fn float(letter: u8, number: f64, spec: &Spec) -> String {
    let precision = spec.precision.unwrap_or(6);
    match letter {
        b'f' => format!("{number:.precision$}"),
        b'e' | b'E' => exponential(number, precision, letter),
        _ => {
            let significant = precision.max(1);
            let shown = exponential(number, significant - 1, b'e');
            let exponent: i32 = shown.split('e').nth(1).and_then(|text| text.parse().ok()).unwrap_or(0);
            let text = if exponent < -4 || exponent >= significant as i32 {
                let (digits, power) = shown.split_once('e').unwrap_or((&shown, "+00"));
                format!("{}e{power}", trimmed(digits, spec.sharp))
            } else {
                let decimals = (significant as i32 - 1 - exponent).max(0) as usize;
                trimmed(&format!("{number:.decimals$}"), spec.sharp)
            };
            if letter == b'G' { text.to_uppercase() } else { text }
        }
    }
}

fn trimmed(digits: &str, keep: bool) -> String {
    if keep || !digits.contains('.') { digits.to_owned() } else { digits.trim_end_matches('0').trim_end_matches('.').to_owned() }
}

fn exponential(number: f64, precision: usize, letter: u8) -> String {
    let shown = format!("{number:.precision$e}");
    let (digits, power) = shown.split_once('e').unwrap_or((&shown, "0"));
    let power: i32 = power.parse().unwrap_or(0);
    let sign = if power < 0 { '-' } else { '+' };
    format!("{digits}{}{sign}{:02}", char::from(letter), power.abs())
}

fn two_complement(number: i128, letter: u8) -> String {
    let (bits, top) = match letter {
        b'x' => (4, 'f'),
        b'X' => (4, 'F'),
        b'o' => (3, '7'),
        _ => (1, '1'),
    };
    let mut rest = number;
    let mut digits = Vec::new();
    while rest != -1 {
        let digit = (rest & ((1 << bits) - 1)) as u32;
        let digit = char::from_digit(digit, 16).unwrap_or('0');
        digits.push(if letter == b'X' { digit.to_ascii_uppercase() } else { digit });
        rest >>= bits;
    }
    if digits.last() != Some(&top) {
        digits.push(top);
    }
    format!("..{}", digits.into_iter().rev().collect::<String>())
}

/// Sign, prefix and digits, padded with zeros where that is asked for.
fn numeric(spec: &Spec, negative: bool, prefix: &str, digits: &str) -> Vec<u8> {
    let sign = match (negative, spec.plus, spec.space) {
        (true, ..) => "-",
        (_, true, _) => "+",
        (_, _, true) => " ",
        _ => "",
    };
    let width = spec.width.unwrap_or(0).saturating_sub(sign.len() + prefix.len());
    let zeros = spec.zero && !spec.minus && (spec.precision.is_none() || digits.contains('.'));
    let digits = if zeros { format!("{digits:0>width$}") } else { digits.to_owned() };
    pad(spec, format!("{sign}{prefix}{digits}").into_bytes())
}

fn pad(spec: &Spec, text: Vec<u8>) -> Vec<u8> {
    let missing = vec![b' '; spec.width.unwrap_or(0).saturating_sub(methods::count_characters(&text))];
    if spec.minus { [text, missing].concat() } else { [missing, text].concat() }
}
