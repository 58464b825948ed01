//! From the bytes of a file to its lines, in the encoding that is wanted.

/// A line that is longer is passed over where the configuration does not say: a file without line ends must not fill the memory.
const MAX_LINE_BYTES: usize = 32 << 20;

/// Encodings that can be converted without tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Charset {
    Utf8,
    Ascii,
    Binary,
    Latin1,
}

/// What texts are in the file, and what they are to be.
#[derive(Clone, Copy, Debug)]
pub struct Encoding {
    conversion: Option<(Charset, Charset)>,
    /// Whether texts are said to be in an encoding at all; else any bytes will do.
    pub is_text: bool,
}

impl Encoding {
    /// From the parameters.
    pub fn new(from: Option<&str>, to: Option<&str>) -> Result<Encoding, String> {
        let (from, to) = (from.map(Charset::find).transpose()?, to.map(Charset::find).transpose()?);
        let conversion = match (from, to) {
            (Some(from), Some(to)) if from != to => Some((from, to)),
            _ => None,
        };
        Ok(Encoding { conversion, is_text: to.is_some_and(|to| to != Charset::Binary) })
    }

    /// A line in the encoding that is wanted; `None` where it is already.
    pub fn convert(&self, line: &[u8]) -> Option<Vec<u8>> {
        let (from, to) = self.conversion?;
        let characters: Vec<char> = match from {
            Charset::Utf8 => String::from_utf8_lossy(line).chars().collect(),
            Charset::Latin1 => line.iter().map(|byte| char::from(*byte)).collect(),
            Charset::Ascii | Charset::Binary => {
                line.iter().map(|byte| if byte.is_ascii() { char::from(*byte) } else { '\u{fffd}' }).collect()
            }
        };
        let last = match to {
            Charset::Utf8 => return Some(characters.into_iter().collect::<String>().into_bytes()),
            Charset::Latin1 => 0xff,
            Charset::Ascii | Charset::Binary => 0x7f,
        };
        Some(characters.into_iter().map(|c| if c as u32 <= last { c as u8 } else { b'?' }).collect())
    }
}

impl Charset {
    fn find(name: &str) -> Result<Charset, String> {
        match name.trim().to_ascii_lowercase().as_str() {
            "utf-8" | "utf8" => Ok(Charset::Utf8),
            "us-ascii" | "ascii" => Ok(Charset::Ascii),
            "ascii-8bit" | "binary" => Ok(Charset::Binary),
            "iso-8859-1" | "iso8859-1" => Ok(Charset::Latin1),
            _ => Err(format!("unknown encoding name - {name}: expected utf-8, us-ascii, ascii-8bit or iso-8859-1")),
        }
    }
}

/// The bytes of a file that are no whole line yet.
#[derive(Debug, Default)]
pub struct Rest {
    bytes: Vec<u8>,
    /// Whether the present line is too long and passed over.
    is_passing: bool,
    /// How many bytes of it have been passed over.
    passed: u64,
}

impl Rest {
    /// How many bytes of the file have been read but belong to a line that has not ended.
    pub fn len(&self) -> u64 {
        self.bytes.len() as u64 + self.passed
    }

    /// Forgets them.
    pub fn clear(&mut self) {
        *self = Rest::default();
    }

    /// What there is of the last line, which will not go on.
    pub fn take(&mut self) -> Vec<u8> {
        let bytes = std::mem::take(&mut self.bytes);
        if std::mem::take(&mut self.is_passing) { Vec::new() } else { bytes }
    }

    /// Adds what has been read, and gives all whole lines, each with its newline.
    pub fn lines(&mut self, read: &[u8], max: Option<usize>) -> Lines {
        self.bytes.extend_from_slice(read);
        let limit = max.unwrap_or(MAX_LINE_BYTES);
        let mut lines = Lines { bytes: Vec::new(), ends: Vec::new(), skipped: 0 };
        let Some(last) = memchr::memrchr(b'\n', &self.bytes) else {
            self.pass_if_long(limit);
            return lines;
        };
        let rest = self.bytes.split_off(last + 1);
        let whole = std::mem::replace(&mut self.bytes, rest);
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', &whole) {
            let line = &whole[start..=end];
            start = end + 1;
            if std::mem::take(&mut self.is_passing) || line.len() > limit {
                crate::warning!("received line length is longer than {limit}");
                lines.skipped += 1;
                self.passed = 0;
                continue;
            }
            lines.bytes.extend_from_slice(line);
            lines.ends.push(lines.bytes.len());
        }
        self.pass_if_long(limit);
        lines
    }

    fn pass_if_long(&mut self, limit: usize) {
        if self.is_passing || self.bytes.len() > limit {
            self.is_passing = true;
            self.passed += self.bytes.len() as u64;
            self.bytes = Vec::new();
        }
    }
}

/// Whole lines.
pub struct Lines {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// How many were too long.
    pub skipped: usize,
}

impl Lines {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// One of them, with its newline.
    pub fn get(&self, at: usize) -> &[u8] {
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.bytes[start..self.ends[at]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str, size: usize, max: Option<usize>) -> (Vec<String>, usize, String) {
        let mut rest = Rest::default();
        let (mut found, mut skipped) = (Vec::new(), 0);
        for piece in text.as_bytes().chunks(size) {
            let lines = rest.lines(piece, max);
            found.extend((0..lines.len()).map(|at| String::from_utf8_lossy(lines.get(at)).into_owned()));
            skipped += lines.skipped;
        }
        let left = rest.len();
        let text = String::from_utf8(rest.take()).unwrap();
        assert!(left >= text.len() as u64);
        (found, skipped, text)
    }

    #[test]
    fn lines_end_however_they_come() {
        for size in 1..12 {
            assert_eq!(
                lines("a\n\nbcd\r\ne", size, None),
                (vec!["a\n".to_owned(), "\n".to_owned(), "bcd\r\n".to_owned()], 0, "e".to_owned())
            );
        }
    }

    #[test]
    fn lines_that_are_too_long_are_passed_over() {
        for size in 1..20 {
            let (found, skipped, rest) = lines("abcd\nab\nabcdefgh\nx\ntoo long", size, Some(3));
            assert_eq!((found, skipped), (vec!["ab\n".to_owned(), "x\n".to_owned()], 2), "{size}");
            assert_eq!(rest, "");
        }
    }

    #[test]
    fn texts_are_converted() {
        let convert = |from, to, text: &[u8]| Encoding::new(Some(from), Some(to)).unwrap().convert(text);
        assert_eq!(convert("iso-8859-1", "utf-8", b"caf\xe9\n").unwrap(), "caf\u{e9}\n".as_bytes());
        assert_eq!(convert("utf-8", "us-ascii", "\u{e9}".as_bytes()).unwrap(), b"?");
        assert_eq!(convert("utf-8", "utf-8", b"a"), None);
        assert!(Encoding::new(None, Some("ebcdic")).unwrap_err().contains("unknown encoding name - ebcdic"));
    }
}
