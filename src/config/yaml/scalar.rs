//! What an unquoted YAML scalar is, by the rules of YAML 1.1 as Ruby applies them; and the text of each value.

use super::super::json::{Json, float_text};
use super::super::number::to_f;

/// A scalar.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) enum Scalar {
    /// `null`, `~`, nothing.
    Null,
    /// `true`, `yes`, `on` and their opposites.
    Bool(bool),
    /// A whole number, in decimal digits.
    Integer(String),
    /// A number.
    Float(f64),
    /// Anything else.
    Text(String),
}

impl Scalar {
    /// What Ruby's `to_s` gives.
    pub(in super::super) fn text(&self) -> String {
        match self {
            Scalar::Null => String::new(),
            Scalar::Bool(value) => value.to_string(),
            Scalar::Integer(digits) => digits.clone(),
            Scalar::Float(value) => float_text(*value),
            Scalar::Text(text) => text.clone(),
        }
    }

    /// As JSON.
    pub(in super::super) fn json(&self) -> Json {
        match self {
            Scalar::Null => Json::Null,
            Scalar::Bool(value) => Json::Bool(*value),
            Scalar::Integer(digits) => Json::Integer(digits.clone()),
            Scalar::Float(value) => Json::Float(*value),
            Scalar::Text(text) => Json::String(text.clone()),
        }
    }
}

/// The value of an unquoted scalar.
pub(in super::super) fn resolve(text: &str) -> Scalar {
    match text.to_ascii_lowercase().as_str() {
        "" | "~" | "null" => return Scalar::Null,
        "yes" | "true" | "on" => return Scalar::Bool(true),
        "no" | "false" | "off" => return Scalar::Bool(false),
        ".inf" | "+.inf" => return Scalar::Float(f64::INFINITY),
        "-.inf" => return Scalar::Float(f64::NEG_INFINITY),
        ".nan" => return Scalar::Float(f64::NAN),
        _ => {}
    }
    integer(text)
        .or_else(|| float(text))
        .or_else(|| sexagesimal(text))
        .or_else(|| time(text))
        .or_else(|| symbol(text))
        .unwrap_or_else(|| Scalar::Text(text.to_owned()))
}

fn symbol(text: &str) -> Option<Scalar> {
    let name = text.strip_prefix(':').filter(|name| !name.is_empty() && !name.starts_with(':'))?;
    let quoted = name
        .strip_prefix('"')
        .and_then(|name| name.strip_suffix('"'))
        .or_else(|| name.strip_prefix('\'').and_then(|name| name.strip_suffix('\'')));
    Some(Scalar::Text(quoted.unwrap_or(name).to_owned()))
}

fn integer(text: &str) -> Option<Scalar> {
    let (sign, digits) = text.strip_prefix('-').map_or_else(|| ("", text.strip_prefix('+').unwrap_or(text)), |rest| ("-", rest));
    let (radix, body) = match digits.as_bytes() {
        [b'0', b'x', ..] => (16, &digits[2..]),
        [b'0', b'b', ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    let separated = body.contains("__") || body.ends_with('_') || body.contains(",,") || body.ends_with(',');
    let body: String = body.chars().filter(|c| !matches!(c, '_' | ',')).collect();
    if separated || !digits.starts_with(|c: char| c.is_ascii_digit()) || body.is_empty() || !body.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    let number = if radix == 10 { body } else { u128::from_str_radix(&body, radix).ok()?.to_string() };
    let number = if number.len() > 1 { number.trim_start_matches('0').to_owned() } else { number };
    Some(Scalar::Integer(if number == "0" { number } else { format!("{sign}{number}") }))
}

fn float(text: &str) -> Option<Scalar> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).map_or((unsigned, None), |(mantissa, exponent)| (mantissa, Some(exponent)));
    let (whole, fraction) = mantissa.split_once('.')?;
    let digits = |part: &str| part.chars().all(|c| c.is_ascii_digit() || matches!(c, '_' | ','));
    let exponent_ends = exponent.is_none_or(|exponent| {
        let body = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !body.is_empty() && body.bytes().all(|b| b.is_ascii_digit()) && !fraction.is_empty()
    });
    let some = whole.len() + fraction.len() > 0 && (whole.is_empty() || whole.starts_with(|c: char| c.is_ascii_digit()));
    (digits(whole) && digits(fraction) && exponent_ends && some).then(|| Scalar::Float(to_f(&text.replace([',', '_'], ""))))
}

/// `12:30:45` as seconds.
fn sexagesimal(text: &str) -> Option<Scalar> {
    let (sign, unsigned) = text.strip_prefix('-').map_or((1.0, text), |rest| (-1.0, rest));
    let parts: Vec<&str> = unsigned.split(':').collect();
    let whole = |part: &str| !part.is_empty() && part.len() <= 3 && part.bytes().all(|b| b.is_ascii_digit());
    let (last, first) = parts.split_last()?;
    let (last_whole, fraction) = last.split_once('.').map_or((*last, None), |(whole, fraction)| (whole, Some(fraction)));
    let digits = fraction.is_none_or(|fraction| fraction.bytes().all(|b| b.is_ascii_digit()));
    let in_sixty = parts[1..].iter().all(|part| part.split('.').next().is_some_and(|part| part.len() <= 2 && part < "60"));
    if !(2..=3).contains(&parts.len()) || !first.iter().all(|part| whole(part)) || !whole(last_whole) || !digits || !in_sixty {
        return None;
    }
    // Two parts are hours and minutes.
    let weights = [3600.0, 60.0, 1.0];
    let seconds: f64 = parts.iter().zip(weights).map(|(part, weight)| part.parse::<f64>().unwrap_or(0.0) * weight).sum::<f64>() * sign;
    Some(if fraction.is_some() { Scalar::Float(seconds) } else { Scalar::Integer(format!("{seconds:.0}")) })
}

/// A time of day and date, in the form that Ruby shows it in.
fn time(text: &str) -> Option<Scalar> {
    let (date, rest) = text.split_at_checked(10)?;
    let shape = date.bytes().enumerate().all(|(at, b)| if at == 4 || at == 7 { b == b'-' } else { b.is_ascii_digit() });
    let rest = rest.strip_prefix(['T', 't', ' ']).filter(|_| shape)?.trim_start();
    let (clock, zone) = rest.split_at_checked(8)?;
    let clock_shape = clock.bytes().enumerate().all(|(at, b)| if at == 2 || at == 5 { b == b':' } else { b.is_ascii_digit() });
    if !clock_shape {
        return None;
    }
    let zone = zone.strip_prefix('.').map_or(zone, |fraction| fraction.trim_start_matches(|c: char| c.is_ascii_digit())).trim();
    let zone = match zone {
        "" => "+0000".to_owned(),
        "Z" => "UTC".to_owned(),
        offset if offset.starts_with(['+', '-']) => {
            let digits: String = offset[1..].chars().filter(char::is_ascii_digit).collect();
            let full = if digits.len() <= 2 { format!("{digits:0>2}00") } else { format!("{digits:0>4}") };
            format!("{}{full}", &offset[..1])
        }
        _ => return None,
    };
    Some(Scalar::Text(format!("{date} {clock} {zone}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_have_the_types_of_yaml_1_1() {
        for (text, expected) in [
            ("yes", "true"),
            ("Off", "false"),
            ("y", "y"),
            ("~", ""),
            ("1.50", "1.5"),
            ("1e3", "1e3"),
            ("1_000", "1000"),
            ("1,000", "1000"),
            ("0x1f", "31"),
            ("0o17", "0o17"),
            ("017", "15"),
            ("089", "089"),
            ("0b11", "3"),
            ("12:30:45", "45045"),
            ("12:30", "45000"),
            ("190:20:30.15", "685230.15"),
            ("127.0.0.1:24224", "127.0.0.1:24224"),
            ("10:99", "10:99"),
            ("2024-01-02", "2024-01-02"),
            ("2024-01-02 03:04:05", "2024-01-02 03:04:05 +0000"),
            ("2024-01-02T03:04:05Z", "2024-01-02 03:04:05 UTC"),
            ("2024-01-02 03:04:05.5 +09:00", "2024-01-02 03:04:05 +0900"),
            (":sym", "sym"),
            ("+1", "1"),
            ("-0", "0"),
            ("1.", "1.0"),
            (".5", "0.5"),
            ("1.e5", "1.e5"),
            ("1__0", "1__0"),
            (".", "."),
            ("1.0e+20", "1.0e+20"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            ("1.2.3", "1.2.3"),
        ] {
            assert_eq!(resolve(text).text(), expected, "{text}");
        }
    }
}
