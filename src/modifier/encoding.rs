//! `char_encoding`: what texts are said to be, and their conversion.

use crate::event::{Record, Scope, Value};
use bumpalo::collections::Vec as BumpVec;

/// An encoding that can be read and written without tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Utf8,
    Ascii,
    Binary,
    Latin1,
}

/// `from`, or `from:to`. A single encoding changes no bytes: it is what the texts are.
#[derive(Debug)]
pub struct Conversion {
    from: Encoding,
    to: Option<Encoding>,
}

impl Conversion {
    /// Reads the parameter.
    pub fn parse(text: &str) -> Result<Conversion, String> {
        let (from, to) = text.split_once(':').map_or((text, None), |(from, to)| (from, Some(to)));
        Ok(Conversion { from: Encoding::find(from)?, to: to.map(Encoding::find).transpose()? })
    }

    /// Converts all texts of a record.
    pub fn apply<'a>(&self, scope: &Scope<'a>, record: &mut Record<'a>) {
        let Some(to) = self.to else { return };
        for (_, value) in record.fields_mut() {
            *value = self.value(scope, to, *value);
        }
    }

    fn value<'a>(&self, scope: &Scope<'a>, to: Encoding, value: Value<'a>) -> Value<'a> {
        match value {
            Value::Str(text) | Value::Bin(text) => Value::Str(scope.bytes(&convert(text, self.from, to))),
            Value::Array(items) => {
                let mut all = BumpVec::with_capacity_in(items.len(), scope.bump());
                all.extend(items.iter().map(|item| self.value(scope, to, *item)));
                Value::Array(all.into_bump_slice())
            }
            Value::Map(fields) => {
                let mut all = BumpVec::with_capacity_in(fields.len(), scope.bump());
                all.extend(fields.iter().map(|(key, field)| (*key, self.value(scope, to, *field))));
                Value::Map(all.into_bump_slice())
            }
            other => other,
        }
    }
}

impl Encoding {
    fn find(name: &str) -> Result<Encoding, String> {
        match name.trim().to_ascii_lowercase().as_str() {
            "utf-8" | "utf8" => Ok(Encoding::Utf8),
            "us-ascii" | "ascii" => Ok(Encoding::Ascii),
            "ascii-8bit" | "binary" => Ok(Encoding::Binary),
            "iso-8859-1" | "iso8859-1" => Ok(Encoding::Latin1),
            _ => Err(format!("unknown encoding name - {name}: expected utf-8, us-ascii, ascii-8bit or iso-8859-1")),
        }
    }
}

/// Characters that the target does not have become question marks, or the replacement character in UTF-8.
fn convert(text: &[u8], from: Encoding, to: Encoding) -> Vec<u8> {
    let characters: Vec<char> = match from {
        Encoding::Utf8 => String::from_utf8_lossy(text).chars().collect(),
        Encoding::Latin1 => text.iter().map(|byte| char::from(*byte)).collect(),
        Encoding::Ascii | Encoding::Binary => {
            text.iter().map(|byte| if byte.is_ascii() { char::from(*byte) } else { '\u{fffd}' }).collect()
        }
    };
    let limit = match to {
        Encoding::Utf8 => return characters.into_iter().collect::<String>().into_bytes(),
        Encoding::Latin1 => 0xff,
        Encoding::Ascii | Encoding::Binary => 0x7f,
    };
    characters.into_iter().map(|c| if c as u32 <= limit { c as u8 } else { b'?' }).collect()
}
