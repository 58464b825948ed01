//! Floats as text: the shortest digits that give the same double, in the notation of Ruby or of Oj.

/// The shortest digits of a positive finite double and the place of its decimal point: 0.`digits` times ten to the `point`.
struct Digits {
    digits: [u8; 24],
    count: usize,
    point: i32,
}

impl Digits {
    fn of(number: f64) -> Digits {
        let mut buffer = zmij::Buffer::new();
        let text = buffer.format_finite(number).as_bytes();
        let (mantissa, exponent) = match text.iter().position(|b| *b == b'e') {
            Some(at) => (&text[..at], exponent(&text[at + 1..])),
            None => (text, 0),
        };
        let mut shortest = Digits { digits: [0; 24], count: 0, point: exponent };
        let mut behind_point = false;
        for digit in mantissa {
            match digit {
                b'.' => behind_point = true,
                b'0' if shortest.count == 0 => shortest.point -= i32::from(behind_point),
                _ => {
                    shortest.digits[shortest.count] = *digit;
                    shortest.count += 1;
                    shortest.point += i32::from(!behind_point);
                }
            }
        }
        while shortest.count > 1 && shortest.digits[shortest.count - 1] == b'0' {
            shortest.count -= 1;
        }
        shortest
    }

    fn digits(&self) -> &[u8] {
        &self.digits[..self.count]
    }
}

fn exponent(text: &[u8]) -> i32 {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    let value = digits.iter().fold(0, |value, digit| value * 10 + i32::from(digit - b'0'));
    if negative { -value } else { value }
}

/// A float as Ruby's `Float#to_s`: `100000.0`, `1.0e+20`, `Infinity`.
pub fn write_ruby_float(number: f64, out: &mut Vec<u8>) {
    if number.is_nan() {
        return out.extend_from_slice(b"NaN");
    }
    if number.is_sign_negative() {
        out.push(b'-');
    }
    if number.is_infinite() {
        return out.extend_from_slice(b"Infinity");
    }
    if number == 0.0 {
        return out.extend_from_slice(b"0.0");
    }
    let shortest = Digits::of(number.abs());
    let (digits, point) = (shortest.digits(), shortest.point);
    match usize::try_from(point) {
        Ok(whole) if whole > 0 && whole < digits.len() => {
            out.extend_from_slice(&digits[..whole]);
            out.push(b'.');
            out.extend_from_slice(&digits[whole..]);
        }
        Ok(whole) if whole > 0 && whole <= 15 => {
            out.extend_from_slice(digits);
            out.resize(out.len() + whole - digits.len(), b'0');
            out.extend_from_slice(b".0");
        }
        _ if point > -4 && point <= 0 => {
            out.extend_from_slice(b"0.");
            out.resize(out.len() + point.unsigned_abs() as usize, b'0');
            out.extend_from_slice(digits);
        }
        _ => write_exponential(digits, point - 1, out),
    }
}

fn write_exponential(digits: &[u8], exponent: i32, out: &mut Vec<u8>) {
    out.extend_from_slice(&[digits[0], b'.']);
    out.extend_from_slice(if digits.len() > 1 { &digits[1..] } else { b"0" });
    out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
    if exponent.unsigned_abs() < 10 {
        out.push(b'0');
    }
    out.extend_from_slice(itoa::Buffer::new().format(exponent.unsigned_abs()).as_bytes());
}

/// A float as Oj writes it: as Ruby, but whole numbers below two to the 63rd in full, and no negative zero.
pub fn write_oj_float(number: f64, out: &mut Vec<u8>) {
    const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
    if number == 0.0 {
        out.extend_from_slice(b"0.0");
    } else if (-TWO_TO_63..TWO_TO_63).contains(&number) && number.fract() == 0.0 {
        out.extend_from_slice(itoa::Buffer::new().format(number as i64).as_bytes());
        out.extend_from_slice(b".0");
    } else {
        write_ruby_float(number, out);
    }
}
