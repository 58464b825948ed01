//! Making a new tag: what the groups of an expression matched, and what stands for the old tag and for this machine.

use crate::event::Tag;
use crate::regex::Regex;
use crate::ruby::Environment;
use std::borrow::Cow;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// What the configuration says about new tags.
pub struct Settings {
    /// Whether captures are written with a capital at the start only.
    pub capitalize: bool,
    /// Taken from the start of the old tag, with a dot behind it.
    pub remove_prefix: Option<String>,
    /// Taken from the old tag, at its first match.
    pub remove_regexp: Option<Regex>,
    /// What `${hostname}` stands for.
    pub hostname: Hostname,
}

/// The name of this machine, by a command that is run once, when it is first asked for.
pub struct Hostname {
    command: String,
    name: OnceLock<String>,
    unknown: AtomicU64,
}

impl Hostname {
    /// Nothing is run yet.
    pub fn new(command: String) -> Hostname {
        Hostname { command, name: OnceLock::new(), unknown: AtomicU64::new(0) }
    }

    // Fluentd: the command is run when the configuration is read, in a dry run too.
    fn name(&self) -> &str {
        self.name.get_or_init(|| match Environment::of_process().command(self.command.as_bytes()) {
            Ok(printed) => {
                let printed = String::from_utf8_lossy(&printed);
                printed.strip_suffix('\n').map_or(&*printed, |line| line.strip_suffix('\r').unwrap_or(line)).to_owned()
            }
            Err(why) => {
                crate::error!("hostname_command failed, the name is empty: command={:?} error={:?}", self.command, why.to_string());
                String::new()
            }
        })
    }
}

/// What the placeholders stand for while events of one tag are handled.
pub struct Placeholders<'t> {
    settings: &'t Settings,
    old: &'t Tag,
    tag: Cow<'t, str>,
}

impl<'t> Placeholders<'t> {
    /// For events of this tag.
    pub fn new(old: &'t Tag, settings: &'t Settings) -> Placeholders<'t> {
        let tag = match (&settings.remove_prefix, &settings.remove_regexp) {
            (Some(prefix), _) => Cow::Borrowed(match old.strip_prefix(prefix.as_str()) {
                Some(rest) => rest.strip_prefix('.').unwrap_or(rest),
                None => old,
            }),
            (None, Some(regexp)) => match regexp.find(old.as_bytes()).0 {
                Some((start, end)) => Cow::Owned(format!("{}{}", &old[..start], &old[end..])),
                None => Cow::Borrowed(old.as_str()),
            },
            (None, None) => Cow::Borrowed(old.as_str()),
        };
        Placeholders { settings, old, tag }
    }

    /// Writes what the groups matched in place of `$1`, `$2` and so on; nothing for groups that there are not.
    pub fn fill(&self, template: &[u8], text: &[u8], groups: &[Option<(usize, usize)>]) -> Result<Vec<u8>, (&'static str, String)> {
        if self.settings.capitalize && groups.iter().skip(1).any(Option::is_none) {
            return Err(("NoMethodError", "undefined method `capitalize' for nil:NilClass".to_owned()));
        }
        let mut filled = Vec::with_capacity(template.len() + text.len());
        let mut rest = template;
        while let Some((first, behind)) = rest.split_first() {
            let digits = behind.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if *first != b'$' || digits == 0 {
                filled.push(*first);
                rest = behind;
                continue;
            }
            let (number, behind) = behind.split_at(digits);
            rest = behind;
            // `$0` and `$01` are no groups' names.
            let number = std::str::from_utf8(number).ok().filter(|digits| !digits.starts_with('0')).and_then(|digits| digits.parse().ok());
            let group = number.and_then(|number: usize| groups.get(number).copied().flatten());
            let matched = group.and_then(|(start, end)| text.get(start..end)).unwrap_or_default();
            match self.settings.capitalize {
                true => filled.extend_from_slice(capitalized(&String::from_utf8_lossy(matched)).as_bytes()),
                false => filled.extend_from_slice(matched),
            }
        }
        Ok(filled)
    }

    /// Writes what the other placeholders stand for in their place.
    pub fn expand(&self, template: &[u8], into: &mut Vec<u8>) {
        let mut rest = template;
        while let Some(first) = rest.first() {
            match placeholder_length(rest) {
                Some(length) => {
                    let (written, behind) = rest.split_at(length);
                    self.replace(written, into);
                    rest = behind;
                }
                None => {
                    into.push(*first);
                    rest = &rest[1..];
                }
            }
        }
    }

    fn replace(&self, written: &[u8], into: &mut Vec<u8>) {
        match written {
            b"${tag}" | b"__TAG__" => into.extend_from_slice(self.tag.as_bytes()),
            b"${hostname}" | b"__HOSTNAME__" => into.extend_from_slice(self.settings.hostname.name().as_bytes()),
            other => match self.tag_part(other) {
                Some(part) => into.extend_from_slice(part.as_bytes()),
                None => self.warn_unknown(other),
            },
        }
    }

    fn tag_part(&self, written: &[u8]) -> Option<&str> {
        let digits = std::str::from_utf8(written).ok()?.strip_prefix("${tag_parts[")?.strip_suffix("]}")?;
        let at: usize = digits.parse().ok().filter(|number: &usize| number.to_string() == digits)?;
        self.tag.trim_end_matches('.').split('.').nth(at)
    }

    /// Warns ever more rarely: every event may have the same.
    fn warn_unknown(&self, written: &[u8]) {
        let times = self.settings.hostname.unknown.fetch_add(1, Ordering::Relaxed) + 1;
        if times.is_power_of_two() {
            let placeholder = String::from_utf8_lossy(written);
            crate::warning!("rewrite_tag_filter: unknown placeholder found. placeholder={placeholder:?} tag={:?} times={times}", self.old);
        }
    }
}

/// As Ruby's `capitalize`.
fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map_or(String::new(), |first| first.to_uppercase().to_string());
    first + &characters.as_str().to_lowercase()
}

/// How long the placeholder at the start is: `${word}`, `${word[1]}`, or capitals between double underscores.
fn placeholder_length(text: &[u8]) -> Option<usize> {
    let run = |text: &[u8], wanted: fn(&u8) -> bool| text.iter().take_while(|byte| wanted(byte)).count();
    if let Some(inside) = text.strip_prefix(b"${") {
        let word = run(inside, |byte| byte.is_ascii_lowercase() || *byte == b'_');
        if word == 0 {
            return None;
        }
        let index = match inside[word..].strip_prefix(b"[") {
            Some(behind) => {
                let digits = run(behind, u8::is_ascii_digit);
                if digits == 0 || behind.get(digits) != Some(&b']') {
                    return None;
                }
                digits + 2
            }
            None => 0,
        };
        return (inside.get(word + index) == Some(&b'}')).then_some(2 + word + index + 1);
    }
    let inside = text.strip_prefix(b"__")?;
    let capitals = run(inside, |byte| byte.is_ascii_uppercase() || *byte == b'_');
    // The longest run that still has two underscores at its end.
    let end = inside[..capitals].windows(2).rposition(|pair| pair == b"__").filter(|end| *end > 0)?;
    Some(2 + end + 2)
}
