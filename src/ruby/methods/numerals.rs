//! Numbers in texts: the lenient `to_i` and `to_f`, the strict `Integer()` and `Float()`.

/// `to_i`: leading blanks, a sign, digits with single underscores; whatever follows does not count.
pub(in crate::ruby) fn parse_integer(text: &[u8], radix: u32) -> i128 {
    let text = text.trim_ascii_start();
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    // A radix of 0 asks the prefix.
    let (text, radix) = match (text, radix) {
        ([b'0', b'x' | b'X', rest @ ..], 0 | 16) => (rest, 16),
        ([b'0', b'b' | b'B', rest @ ..], 0 | 2) => (rest, 2),
        ([b'0', b'o' | b'O', rest @ ..], 0 | 8) => (rest, 8),
        ([b'0', rest @ ..], 0) => (rest, 8),
        (rest, 0) => (rest, 10),
        (rest, radix) => (rest, radix),
    };
    let mut value: i128 = 0;
    let mut underscore = true;
    for byte in text {
        match (*byte as char).to_digit(radix) {
            Some(digit) => {
                value = value.saturating_mul(i128::from(radix)).saturating_add(i128::from(digit));
                underscore = false;
            }
            None if *byte == b'_' && !underscore => underscore = true,
            None => break,
        }
    }
    if negative { -value } else { value }
}

/// `to_f`: the longest prefix that is a number.
pub(in crate::ruby) fn parse_float(text: &[u8]) -> f64 {
    let text: Vec<u8> = text.trim_ascii_start().iter().copied().take(400).filter(|byte| *byte != b'_').collect();
    let digits = |from: usize| text[from.min(text.len())..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let sign = usize::from(matches!(text.first(), Some(b'-' | b'+')));
    let mut end = sign + digits(sign);
    if end == sign && (text.get(end) != Some(&b'.') || digits(end + 1) == 0) {
        return 0.0;
    }
    if text.get(end) == Some(&b'.') && digits(end + 1) > 0 {
        end += 1 + digits(end + 1);
    }
    if matches!(text.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(text.get(end + 1), Some(b'-' | b'+')));
        let count = digits(end + 1 + sign);
        if count > 0 {
            end += 1 + sign + count;
        }
    }
    std::str::from_utf8(&text[..end]).ok().and_then(|text| text.parse().ok()).unwrap_or(0.0)
}

/// `Integer(text)`: the whole text must be a number.
pub(in crate::ruby) fn strict_integer(text: &[u8], radix: Option<u32>) -> Option<i128> {
    let trimmed = text.trim_ascii();
    let (negative, digits) = match trimmed {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let (digits, found) = match digits {
        [b'0', b'x' | b'X', rest @ ..] => (rest, 16),
        [b'0', b'b' | b'B', rest @ ..] => (rest, 2),
        [b'0', b'o' | b'O', rest @ ..] => (rest, 8),
        [b'0', rest @ ..] if !rest.is_empty() && radix.is_none() => (rest, 8),
        rest => (rest, 10),
    };
    let digits = std::str::from_utf8(digits).ok()?;
    if digits.is_empty() || digits.starts_with(['_', '+', '-']) || digits.ends_with('_') || digits.contains("__") {
        return None;
    }
    let value = i128::from_str_radix(&digits.replace('_', ""), radix.unwrap_or(found)).ok()?;
    Some(if negative { -value } else { value })
}

/// `Float(text)`: the whole text must be a number.
pub(in crate::ruby) fn strict_float(text: &[u8]) -> Option<f64> {
    let trimmed = std::str::from_utf8(text.trim_ascii()).ok()?;
    let digit = |c: char| c.is_ascii_digit();
    let shaped = trimmed.trim_start_matches(['-', '+']).starts_with(digit) && trimmed.ends_with(digit) && !trimmed.contains("__");
    let spelled =
        trimmed.bytes().all(|b| b.is_ascii_digit() || b"+-._eE".contains(&b)) && !trimmed.contains(".e") && !trimmed.contains(".E");
    if shaped && spelled {
        return trimmed.replace('_', "").parse().ok();
    }
    strict_integer(text, None).map(|number| number as f64)
}
