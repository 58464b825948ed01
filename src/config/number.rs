//! Numbers in text, as Ruby's lenient (`to_i`, `to_f`) and strict (`Integer()`, `Float()`) conversions read them.

/// A whole number.
pub fn integer(text: &str, strict: bool) -> Result<i64, String> {
    if strict { strict_integer(text).ok_or_else(|| format!("invalid value for Integer(): {text:?}")) } else { Ok(to_i(text)) }
}

/// A number.
pub fn float(text: &str, strict: bool) -> Result<f64, String> {
    if strict { strict_float(text).ok_or_else(|| format!("invalid value for Float(): {text:?}")) } else { Ok(to_f(text)) }
}

/// The leading digits, or 0; beyond 64 bits the nearest number that fits.
pub fn to_i(text: &str) -> i64 {
    let (negative, rest) = sign(text.trim_start_matches(is_space));
    digits(rest, 10, negative)
}

/// As [`to_i`], in octal.
pub fn to_i_octal(text: &str) -> i64 {
    let (negative, rest) = sign(text.trim_start_matches(is_space));
    let rest = rest.strip_prefix("0o").or_else(|| rest.strip_prefix("0O")).unwrap_or(rest);
    digits(rest, 8, negative)
}

/// The leading number, or 0.
pub fn to_f(text: &str) -> f64 {
    let text = text.trim_start_matches(is_space);
    let (negative, rest) = sign(text);
    let cleaned = without_underscores(rest);
    let bytes = cleaned.as_bytes();
    let mut end = run(bytes, 0);
    if bytes.get(end) == Some(&b'.') && run(bytes, end + 1) > end + 1 {
        end = run(bytes, end + 1);
    }
    if end > 0 && matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let stop = run(bytes, end + 1 + sign);
        if stop > end + 1 + sign {
            end = stop;
        }
    }
    let value: f64 = cleaned[..end].parse().unwrap_or(0.0);
    if negative && end > 0 { -value } else { value }
}

fn strict_integer(text: &str) -> Option<i64> {
    let text = text.trim_matches(is_space);
    let (negative, rest) = sign(text);
    let lower = rest.to_ascii_lowercase();
    let (radix, body) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', b'd', ..] => (10, &lower[2..]),
        [b'0', _, ..] => (8, lower[1..].strip_prefix('_').unwrap_or(&lower[1..])),
        _ => (10, lower.as_str()),
    };
    let valid = !body.is_empty() && !body.starts_with('_') && !body.ends_with('_') && !body.contains("__");
    if !valid || !body.chars().all(|c| c == '_' || c.is_digit(radix)) {
        return None;
    }
    Some(digits(body, radix, negative))
}

fn strict_float(text: &str) -> Option<f64> {
    let text = text.trim_matches(is_space);
    let (_, rest) = sign(text);
    if rest.starts_with("0x") || rest.starts_with("0X") {
        return strict_integer(text).map(|number| number as f64);
    }
    let plain = rest.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && rest.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-' | b'_'));
    let underscores = rest.starts_with('_') || rest.ends_with('_') || rest.contains("__") || rest.contains("_.") || rest.contains("._");
    // `1.` and `1.e3` are no numbers in Ruby, though they are in Rust.
    let bare_dot = rest.match_indices('.').any(|(at, _)| !rest[at + 1..].starts_with(|c: char| c.is_ascii_digit()));
    if !plain || underscores || bare_dot {
        return None;
    }
    text.replace('_', "").parse().ok()
}

fn sign(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// The leading digits; single underscores between them are skipped.
fn digits(text: &str, radix: u32, negative: bool) -> i64 {
    let mut number: i64 = 0;
    let mut last_was_digit = false;
    for c in text.chars() {
        match c.to_digit(radix) {
            Some(digit) => {
                number = number.saturating_mul(i64::from(radix));
                number = if negative { number.saturating_sub(i64::from(digit)) } else { number.saturating_add(i64::from(digit)) };
                last_was_digit = true;
            }
            None if c == '_' && last_was_digit => last_was_digit = false,
            None => break,
        }
    }
    number
}

fn without_underscores(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    for c in text.chars() {
        match c {
            '_' if before.is_ascii_digit() => {}
            '_' => break,
            c => out.push(c),
        }
        before = c;
    }
    out
}

fn run(bytes: &[u8], start: usize) -> usize {
    (start..bytes.len()).find(|&at| !bytes[at].is_ascii_digit()).unwrap_or(bytes.len().max(start))
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\u{b}' | '\u{c}' | '\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lenient_numbers_are_the_leading_ones() {
        for (text, expected) in [
            ("1x", 1),
            ("0x1f", 0),
            ("abc", 0),
            ("  -12 ", -12),
            ("1_000", 1000),
            ("1__0", 1),
            ("+7", 7),
            ("", 0),
            ("99999999999999999999", i64::MAX),
        ] {
            assert_eq!(to_i(text), expected, "{text}");
        }
        for (text, expected) in
            [("1.5x", 1.5), ("1e3", 1000.0), (".5", 0.5), ("5.", 5.0), ("-2.5e-1", -0.25), ("1e", 1.0), ("x", 0.0), ("1_0.5", 10.5)]
        {
            assert_eq!(to_f(text), expected, "{text}");
        }
        assert_eq!((to_i_octal("0644"), to_i_octal("0o755"), to_i_octal("9")), (0o644, 0o755, 0));
    }

    #[test]
    fn strict_numbers_are_whole_texts() {
        for (text, expected) in [
            ("0x1f", Some(31)),
            ("010", Some(8)),
            ("0b11", Some(3)),
            (" 5 ", Some(5)),
            ("1_0", Some(10)),
            ("1x", None),
            ("", None),
            ("1__0", None),
            ("08", None),
        ] {
            assert_eq!(integer(text, true).ok(), expected, "{text}");
        }
        for (text, expected) in [
            ("1.5", Some(1.5)),
            ("1", Some(1.0)),
            ("1.", None),
            ("abc", None),
            ("", None),
            ("1e3", Some(1000.0)),
            ("inf", None),
            ("NaN", None),
        ] {
            assert_eq!(float(text, true).ok(), expected, "{text}");
        }
        assert_eq!(integer("1x", true).unwrap_err(), "invalid value for Integer(): \"1x\"");
    }
}
