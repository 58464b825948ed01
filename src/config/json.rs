//! JSON values inside a configuration: read in Ruby's way, kept in order, and written back in its compact form.

use super::json_scan::{JsonScan, Step};

/// A JSON value. Numbers keep their text where Ruby would keep their digits.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number, of any size, in decimal digits.
    Integer(String),
    /// A number with a fraction or an exponent.
    Float(f64),
    /// A string.
    String(String),
    /// An array.
    Array(Vec<Json>),
    /// An object: a repeated key has its last value at its first place.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Reads one array or object with nothing but blanks around it. `None` where it is not JSON.
    pub fn parse(text: &str) -> Option<Json> {
        let text = text.trim_matches([' ', '\t', '\r', '\n']);
        let mut scan = JsonScan::new();
        let mut end = None;
        for (at, c) in text.char_indices() {
            match scan.step(c) {
                Step::More => {}
                Step::Broken => return None,
                Step::Done => {
                    end = Some(at + c.len_utf8());
                    break;
                }
            }
        }
        if end != Some(text.len()) {
            return None;
        }
        Reader { text, pos: 0 }.value()
    }

    /// The compact form.
    pub fn dump(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        match self {
            Json::Null => out.push_str("null"),
            Json::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Json::Integer(digits) => out.push_str(digits),
            Json::Float(value) => out.push_str(&float_text(*value)),
            Json::String(text) => write_string(text, out),
            Json::Array(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    out.push_str(if at > 0 { "," } else { "" });
                    item.write(out);
                }
                out.push(']');
            }
            Json::Object(entries) => {
                out.push('{');
                for (at, (key, value)) in entries.iter().enumerate() {
                    out.push_str(if at > 0 { "," } else { "" });
                    write_string(key, out);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }

    /// The text that Ruby's `to_s` gives for a scalar, and the compact form otherwise.
    pub fn to_text(&self) -> String {
        match self {
            Json::String(text) => text.clone(),
            Json::Null => String::new(),
            other => other.dump(),
        }
    }
}

/// A float as Ruby writes it: `1.0`, `1.0e+16`, `1.0e-05`.
pub fn float_text(value: f64) -> String {
    if !value.is_finite() {
        return if value.is_nan() {
            "NaN"
        } else if value > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        }
        .to_owned();
    }
    let size = value.abs();
    if value == 0.0 || (1e-4..1e15).contains(&size) || ((1e15..1e16).contains(&size) && value.fract() != 0.0) {
        let text = format!("{value}");
        return if text.contains('.') { text } else { format!("{text}.0") };
    }
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let digits = if digits.contains('.') { digits.to_owned() } else { format!("{digits}.0") };
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |rest| ('-', rest));
    format!("{digits}e{sign}{exponent:0>2}")
}

fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{c}' => out.push_str("\\f"),
            '\u{8}' => out.push_str("\\b"),
            c if (c as u32) < 0x20 => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Reads text that has passed [`JsonScan`].
struct Reader<'a> {
    text: &'a str,
    pos: usize,
}

impl Reader<'_> {
    fn spacing(&mut self) {
        loop {
            let rest = &self.text[self.pos..];
            let blanks = rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
            let rest = &rest[blanks..];
            let comment = if rest.starts_with("//") {
                rest.find('\n').unwrap_or(rest.len())
            } else if rest.starts_with("/*") {
                rest.find("*/").map_or(rest.len(), |at| at + 2)
            } else {
                0
            };
            self.pos += blanks + comment;
            if blanks + comment == 0 {
                return;
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.pos).copied()
    }

    fn value(&mut self) -> Option<Json> {
        self.spacing();
        match self.peek()? {
            b'[' => self.array(),
            b'{' => self.object(),
            b'"' => self.string().map(Json::String),
            _ => self.scalar(),
        }
    }

    fn array(&mut self) -> Option<Json> {
        self.pos += 1;
        let mut items = Vec::new();
        loop {
            self.spacing();
            match self.peek()? {
                b']' => break,
                b',' => self.pos += 1,
                _ => items.push(self.value()?),
            }
        }
        self.pos += 1;
        Some(Json::Array(items))
    }

    fn object(&mut self) -> Option<Json> {
        self.pos += 1;
        let mut entries: Vec<(String, Json)> = Vec::new();
        loop {
            self.spacing();
            match self.peek()? {
                b'}' => break,
                b',' => self.pos += 1,
                _ => {
                    let key = self.string()?;
                    self.spacing();
                    self.pos += 1;
                    let value = self.value()?;
                    match entries.iter_mut().find(|(known, _)| *known == key) {
                        Some(entry) => entry.1 = value,
                        None => entries.push((key, value)),
                    }
                }
            }
        }
        self.pos += 1;
        Some(Json::Object(entries))
    }

    fn scalar(&mut self) -> Option<Json> {
        let rest = &self.text[self.pos..];
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))).unwrap_or(rest.len());
        let word = &rest[..end];
        self.pos += end;
        Some(match word {
            "true" => Json::Bool(true),
            "false" => Json::Bool(false),
            "null" => Json::Null,
            "-0" => Json::Integer("0".to_owned()),
            number if number.contains(['.', 'e', 'E']) => Json::Float(number.parse().ok()?),
            number if !number.is_empty() => Json::Integer(number.to_owned()),
            _ => return None,
        })
    }

    fn string(&mut self) -> Option<String> {
        self.pos += 1;
        let mut text = String::new();
        loop {
            let c = self.text[self.pos..].chars().next()?;
            self.pos += c.len_utf8();
            match c {
                '"' => return Some(text),
                '\\' => {
                    let escaped = self.text[self.pos..].chars().next()?;
                    self.pos += escaped.len_utf8();
                    text.push(match escaped {
                        'n' => '\n',
                        'r' => '\r',
                        't' => '\t',
                        'f' => '\u{c}',
                        'b' => '\u{8}',
                        'u' => self.unicode()?,
                        other => other,
                    });
                }
                c => text.push(c),
            }
        }
    }

    /// The character of `\uXXXX`, or of two of them that are a surrogate pair. A lone surrogate is no text.
    fn unicode(&mut self) -> Option<char> {
        let first = self.four_digits()?;
        if !(0xd800..0xdc00).contains(&first) {
            return char::from_u32(first);
        }
        if !self.text[self.pos..].starts_with("\\u") {
            return None;
        }
        self.pos += 2;
        let second = self.four_digits()?;
        let low = second.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
        char::from_u32(0x10000 + ((first - 0xd800) << 10) + low)
    }

    fn four_digits(&mut self) -> Option<u32> {
        let digits = self.text.get(self.pos..self.pos + 4)?;
        self.pos += 4;
        u32::from_str_radix(digits, 16).ok()
    }
}
