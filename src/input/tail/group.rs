//! `<group>`: how many lines the files of a group may bring in a period, such as those of one namespace.

use crate::config::{Element, Json, Map, Refused, Seconds};
use crate::plugin::Context;
use crate::regex::{Captures, Matched, Regex};
use std::time::Duration;

crate::section! {
    /// How many lines the files of a group may bring in a period.
    pub struct GroupParams {
        /// What a path says about its file, as named groups.
        pub pattern: Regex = "/^\\/var\\/log\\/containers\\/(?<podname>[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\/[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)_(?<namespace>[^_]+)_(?<container>.+)-(?<docker_id>[a-z0-9]{64})\\.log$/",
        /// The period.
        pub rate_period: Seconds = "5",
    }
    sections { "rule": some(RuleParams) }
}

crate::section! {
    /// A group and its limit.
    pub struct RuleParams {
        /// What the named groups have to match: expressions by their names.
        pub r#match: Map = "{\"namespace\":\"/.*/\",\"podname\":\"/.*/\"}",
        /// How many lines all files of the group may bring in a period; -1 for any number.
        pub limit: i64 = "-1",
    }
}

/// A group of files.
#[derive(Debug)]
struct Group {
    /// What the names have to be; nothing for the group of all others.
    rule: Option<Vec<(String, Regex)>>,
    limit: i64,
    files: i64,
}

/// All groups of an input.
#[derive(Debug)]
pub struct Groups {
    pattern: Regex,
    /// The period.
    pub period: Duration,
    groups: Vec<Group>,
}

impl Groups {
    /// From the `<group>` section of an element.
    pub fn read(element: &Element, context: &Context<'_>) -> Result<Option<Groups>, Refused> {
        let Some(section) = element.section("group") else { return Ok(None) };
        let params = GroupParams::read(section, context.diagnostics)?;
        let mut groups = Vec::new();
        for section in section.sections("rule") {
            let rule = RuleParams::read(section, context.diagnostics)?;
            let refuse = |message: String| context.refuse("FLM0684", section.span, message);
            if rule.limit < -1 {
                return Err(refuse(format!("limit: expected -1 or more, got {}", rule.limit)));
            }
            let mut fields = Vec::new();
            for (name, expression) in rule.r#match.0 {
                let Json::String(text) = &expression else {
                    return Err(refuse(format!("match: expected a regular expression for {name:?}, got {}", expression.dump())));
                };
                fields.push((name, Regex::from_literal(text).map_err(|error| refuse(format!("match: {}", error.message)))?));
            }
            groups.push(Group { rule: Some(fields), limit: rule.limit, files: 0 });
        }
        // Rules that say more come first.
        groups.sort_by_key(|group| std::cmp::Reverse(group.rule.as_ref().map_or(0, Vec::len)));
        groups.push(Group { rule: None, limit: -1, files: 0 });
        Ok(Some(Groups { pattern: params.pattern, period: params.rate_period.duration(), groups }))
    }

    /// Adds a file to its group, whose number this is.
    pub fn add(&mut self, path: &str) -> usize {
        let mut captures = Captures::default();
        let is_known = self.pattern.captures(path.as_bytes(), &mut captures) == Matched::Yes;
        if !is_known {
            crate::warning!("Cannot find group from metadata, Adding file in the default group: path={path:?}");
        }
        let value = |name: &str| {
            let at = self.pattern.names().iter().position(|known| known == name)?;
            let (start, end) = captures.groups.get(at).copied().flatten()?;
            path.get(start..end)
        };
        let fits = |group: &Group| match &group.rule {
            Some(fields) => {
                is_known && fields.iter().all(|(name, regex)| regex.is_match(value(name).unwrap_or_default().as_bytes()) == Matched::Yes)
            }
            None => true,
        };
        let number = self.groups.iter().position(fits).unwrap_or(self.groups.len() - 1);
        self.groups[number].files += 1;
        number
    }

    /// Takes a file out of its group.
    pub fn remove(&mut self, number: usize) {
        if let Some(group) = self.groups.get_mut(number) {
            group.files -= 1;
        }
    }

    /// How many lines each file of a group may bring in a period; `None` for any number.
    pub fn share(&self, number: usize) -> Option<u64> {
        let group = self.groups.get(number)?;
        match group.limit {
            0 => Some(0),
            limit => u64::try_from(limit).ok().map(|limit| (limit / group.files.max(1) as u64).max(1)),
        }
    }
}
