//! Match patterns: `a.*`, `a.**`, `{a,b}.c`, `/regexp/`, several of them by spaces.
//!
//! A pattern becomes a Ruby regular expression exactly as Fluentd makes one, odd corners included; results are cached by the router.

use crate::regex::{Flags, Matched, Regex};

/// The argument of a `<match>` or `<filter>` section.
#[derive(Debug)]
pub struct Patterns {
    any: Vec<Pattern>,
}

#[derive(Debug)]
enum Pattern {
    All,
    Regex(Regex),
}

impl Patterns {
    /// Reads an argument; an empty one matches everything. Errors are in Fluentd's words.
    pub fn parse(argument: &str) -> Result<Patterns, String> {
        let argument = if argument.is_empty() { "**" } else { argument };
        // Fluentd: Ruby's split keeps an empty first part, which matches the empty tag only.
        let first = argument.starts_with(char::is_whitespace).then_some("");
        let any = first.into_iter().chain(argument.split_whitespace()).map(Pattern::parse).collect::<Result<_, _>>()?;
        Ok(Patterns { any })
    }

    /// Whether one of the patterns matches the tag.
    pub fn matches(&self, tag: &str) -> bool {
        self.any.iter().any(|pattern| match pattern {
            Pattern::All => true,
            Pattern::Regex(regex) => regex.is_match(tag.as_bytes()) == Matched::Yes,
        })
    }
}

impl Pattern {
    fn parse(text: &str) -> Result<Pattern, String> {
        if text == "**" {
            return Ok(Pattern::All);
        }
        let source = match text.strip_prefix('/') {
            Some("") => "\\A\\Z".to_owned(),
            Some(rest) => match rest.strip_suffix('/') {
                Some(inner) => format!("\\A{inner}\\Z"),
                None => return Err(format!("invalid match - regex: {text}")),
            },
            None => format!("\\A{}\\Z", Translator::new(text).translate()),
        };
        Regex::new(&source, Flags::default())
            .map(Pattern::Regex)
            .map_err(|error| format!("invalid match pattern {text}: {}: /{source}/", error.message))
    }
}

/// One pass over a glob. A dot is held back until it is known what follows, because `.**` also matches nothing at all.
struct Translator<'p> {
    rest: &'p str,
    pending_dot: bool,
    /// The expression being written, the innermost alternative last.
    written: Vec<String>,
    /// The finished alternatives of each open brace.
    alternatives: Vec<Vec<String>>,
}

impl<'p> Translator<'p> {
    fn new(pattern: &'p str) -> Translator<'p> {
        Translator { rest: pattern, pending_dot: false, written: vec![String::new()], alternatives: Vec::new() }
    }

    fn translate(mut self) -> String {
        while let Some(c) = self.rest.chars().next() {
            if self.rest.starts_with("**") {
                self.any_parts();
                continue;
            }
            self.rest = &self.rest[c.len_utf8()..];
            if std::mem::take(&mut self.pending_dot) {
                self.write("\\.");
            }
            self.character(c);
        }
        while !self.alternatives.is_empty() {
            self.close_brace();
        }
        self.written.pop().unwrap_or_default()
    }

    fn any_parts(&mut self) {
        if std::mem::take(&mut self.pending_dot) {
            self.write("(?![^\\.])");
        }
        match self.rest.strip_prefix("**.") {
            Some(rest) => {
                self.write("(?:.*\\.|\\A)");
                self.rest = rest;
            }
            None => {
                self.write(".*");
                self.rest = &self.rest[2..];
            }
        }
    }

    fn character(&mut self, c: char) {
        let in_braces = !self.alternatives.is_empty();
        match c {
            '\\' => {
                if let Some(escaped) = self.rest.chars().next() {
                    self.rest = &self.rest[escaped.len_utf8()..];
                    self.literal(escaped);
                }
            }
            '.' => self.pending_dot = true,
            '*' => self.write("[^\\.]*"),
            '{' => {
                self.alternatives.push(Vec::new());
                self.written.push(String::new());
            }
            '}' if in_braces => self.close_brace(),
            ',' if in_braces => {
                self.end_alternative();
                self.written.push(String::new());
            }
            other => self.literal(other),
        }
    }

    fn end_alternative(&mut self) {
        let done = self.written.pop().unwrap_or_default();
        if let Some(open) = self.alternatives.last_mut() {
            open.push(format!("(?:{done})"));
        }
    }

    fn close_brace(&mut self) {
        self.end_alternative();
        let union = self.alternatives.pop().unwrap_or_default().join("|");
        self.write(&format!("(?:{union})"));
    }

    fn literal(&mut self, c: char) {
        if c.is_ascii() && !c.is_ascii_alphanumeric() && c != '_' {
            self.write("\\");
        }
        self.write(c.encode_utf8(&mut [0; 4]));
    }

    fn write(&mut self, text: &str) {
        if let Some(last) = self.written.last_mut() {
            last.push_str(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, matching: &[&str], others: &[&str]) {
        let patterns = Patterns::parse(pattern).unwrap();
        for tag in matching {
            assert!(patterns.matches(tag), "{pattern} should match {tag}");
        }
        for tag in others {
            assert!(!patterns.matches(tag), "{pattern} should not match {tag}");
        }
    }

    #[test]
    fn stars() {
        check("web.*", &["web.nginx", "web."], &["web", "web.nginx.error", "webx.nginx"]);
        check("web.**", &["web", "web.nginx", "web.nginx.error"], &["webx"]);
        check("**.error", &["error", "web.error", "web.nginx.error"], &["xerror"]);
        check("web.**.error", &["web.error", "web.a.b.error"], &["web.a", "weberror"]);
        check("web**", &["web", "webx.y"], &["we"]);
        check("**", &["", "anything.at.all"], &[]);
        check("*.**", &["a", "a.b.c"], &[]);
    }

    #[test]
    fn braces_lists_and_escapes() {
        check("{web,db}.log", &["web.log", "db.log"], &["web", "app.log"]);
        check("x{1,2{a,b}}", &["x1", "x2a", "x2b"], &["x2"]);
        check("a.* b", &["a.x", "b"], &["b.x"]);
        check("a\\*", &["a*"], &["ab"]);
        check("a+(b)|c", &["a+(b)|c"], &["aab"]);
        check("{a", &["a"], &["{a"]);
    }

    #[test]
    fn regular_expressions() {
        check("/web\\.(a|b)/", &["web.a"], &["xweb.a", "web.c"]);
        assert!(Patterns::parse("/web").is_err());
    }
}
