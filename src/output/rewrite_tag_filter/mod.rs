//! `rewrite_tag_filter`: gives events new tags by rules on their fields, and sends them through the router again.
//!
//! An event that no rule takes is dropped, and so is one whose tag a rule leaves as it was: it would come here again for ever.

mod rules;
mod tags;

use super::{Output, SyncOutput};
use crate::config::{Element, Refused};
use crate::event::{Batch, Event, Rejected, Scope, Tag};
use crate::plugin::{Context, EmitError, Emitter, Limit};
use crate::regex::Regex;
use bumpalo::collections::Vec as BumpVec;
use rules::{Rule, RuleParams, Verdict};
use std::sync::Arc;
use tags::{Hostname, Placeholders};

/// A new tag that is longer is a fault of the event: fields can be of any size, and tags are remembered.
const MAX_TAG_BYTES: usize = 64 << 10;

crate::choice! {
    /// How events are sent on.
    pub enum EmitMode { Record = "record", Batch = "batch" }
}

crate::section! {
    /// Gives events new tags by rules (`<rule>`, or the old `rewriterule1`, `rewriterule2`, ...: key, expression and tag between blanks).
    pub struct Params {
        /// Whether what `$1` and the like stand for begins with a capital letter and goes on with small ones.
        pub capitalize_regex_backreference: bool = "false",
        /// What is taken from the start of `${tag}` and `${tag_parts[n]}`, with a dot behind it.
        pub remove_tag_prefix: Option<String>,
        /// What is taken from `${tag}` and `${tag_parts[n]}`.
        pub remove_tag_regexp: Option<Regex>,
        /// The command that prints what `${hostname}` stands for; it is run once, when the first event asks for it.
        pub hostname_command: String = "hostname",
        /// Whether the events of a batch that get the same tag are sent on together.
        pub emit_mode: EmitMode = "batch",
    }
    sections { "rule": many(RuleParams) }
}

struct RewriteTagFilter {
    rules: Vec<Rule>,
    ways: Vec<Emitter>,
    labels: Vec<Option<String>>,
    tags: tags::Settings,
    emit_mode: EmitMode,
}

/// Makes the output.
pub fn build(element: &Element, context: &Context<'_>) -> Result<Output, Refused> {
    let params = Params::read(element, context.diagnostics);
    let rules = rules::read(element, context);
    let (params, rules) = (params?, rules?);
    if params.remove_tag_prefix.is_some() && params.remove_tag_regexp.is_some() {
        return Err(context.refuse("FLM0540", element.span, "remove_tag_prefix and remove_tag_regexp are exclusive"));
    }
    // The first way is that of the rules without a label: the output's own `@label`, or the router that it stands in.
    let first = match element.text("@label") {
        Some(label) => context.host.emitter(Some(label), element.span)?,
        None => context.host.own_router(),
    };
    let (mut labels, mut ways) = (vec![None], vec![first]);
    let rules = rules.into_iter().map(|(mut rule, label, span)| {
        if let Some(label) = label.filter(|label| !label.is_empty()) {
            rule.way = ways.len();
            ways.push(context.host.emitter_if_any(&label, span));
            labels.push(Some(label));
        }
        rule
    });
    let rules = rules.collect();
    let tags = tags::Settings {
        capitalize: params.capitalize_regex_backreference,
        remove_prefix: params.remove_tag_prefix,
        remove_regexp: params.remove_tag_regexp,
        hostname: Hostname::new(params.hostname_command),
    };
    Ok(Output::Sync(Box::new(RewriteTagFilter { rules, ways, labels, tags, emit_mode: params.emit_mode })))
}

/// Events of a batch that go the same way under the same tag.
struct Group<'a> {
    way: usize,
    tag: Tag,
    events: BumpVec<'a, Event<'a>>,
}

impl RewriteTagFilter {
    /// Finds the new tags of a batch: groups in order of their first events, or of runs of events where each came for itself.
    fn groups<'a>(&self, scope: &Scope<'a>, tag: &Tag, batch: &Batch<'a>, in_runs: bool) -> Vec<Group<'a>> {
        let placeholders = Placeholders::new(tag, &self.tags);
        let mut groups: Vec<Group<'a>> = Vec::new();
        let mut new_tag = Vec::new();
        for event in batch.events(scope) {
            new_tag.clear();
            let way = match rules::decide(&self.rules, &placeholders, &event.record, &mut new_tag) {
                Ok(Verdict::Rewritten(way)) => way,
                Ok(Verdict::NoRule) => continue,
                Err((class, message)) => {
                    self.reject(scope, tag, event, class, message);
                    continue;
                }
            };
            if new_tag.len() > MAX_TAG_BYTES {
                let message = format!("the new tag has {} bytes, expected at most {MAX_TAG_BYTES}", new_tag.len());
                self.reject(scope, tag, event, "ArgumentError", message);
                continue;
            }
            if self.labels[way].is_none() && new_tag == tag.as_bytes() {
                continue;
            }
            let is_of = |group: &Group<'a>| group.way == way && group.tag.as_bytes() == new_tag;
            let known = match in_runs {
                true => groups.last_mut().filter(|group| is_of(group)),
                false => groups.iter_mut().find(|group| is_of(group)),
            };
            match known {
                Some(group) => group.events.push(event.clone()),
                None => {
                    let events = bumpalo::vec![in scope.bump(); event.clone()];
                    groups.push(Group { way, tag: Tag::from_bytes(&new_tag), events });
                }
            }
        }
        groups
    }

    // Fluentd: all the events that came with this one would go to @ERROR too.
    fn reject<'a>(&self, scope: &Scope<'a>, tag: &Tag, event: &Event<'a>, class: &'static str, message: String) {
        scope.reject(Rejected { tag: tag.clone(), time: event.time, record: event.record.clone(), class, message });
    }

    fn send<'a>(&self, scope: &Scope<'a>, way: usize, tag: &Tag, batch: Batch<'a>) -> Result<(), EmitError> {
        match (&self.labels[way], self.ways[way].route()) {
            (Some(label), None) => Err(EmitError { class: "ArgumentError", message: format!("{label} label not found"), settled: false }),
            _ => self.ways[way].emit(scope, tag, batch),
        }
    }
}

impl SyncOutput for RewriteTagFilter {
    fn emit<'a>(&self, scope: &Scope<'a>, tag: &Tag, batch: &Batch<'a>) -> Result<(), EmitError> {
        let apart = batch.is_coalesced() || self.emit_mode == EmitMode::Record;
        let groups = self.groups(scope, tag, batch, apart);
        if let [group] = groups.as_slice()
            && group.events.len() == batch.len()
        {
            // The usual case: all of them, as they are, packed perhaps.
            let all = batch.duplicate(scope);
            return self.send(scope, group.way, &group.tag, if apart { all.coalesced() } else { all });
        }
        for group in groups {
            let events = Batch::decoded(group.events);
            self.send(scope, group.way, &group.tag, if apart { events.coalesced() } else { events })?;
        }
        Ok(())
    }

    fn passes_on(&self) -> bool {
        true
    }

    fn limits(&self, tag: Option<&Tag>, into: &mut Vec<Arc<Limit>>) {
        for rule in &self.rules {
            let Some(route) = self.ways[rule.way].route() else { continue };
            // What a field says cannot be known before: then anything behind the router may be reached.
            let new_tag = tag.filter(|_| !rule.takes_captures()).map(|tag| {
                let mut text = Vec::new();
                Placeholders::new(tag, &self.tags).expand(rule.tag.as_bytes(), &mut text);
                Tag::from_bytes(&text)
            });
            route.limits(new_tag.as_ref(), into);
        }
    }
}

#[cfg(test)]
pub(in crate::output) mod tests;
