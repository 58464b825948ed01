//! The way of an event: which sections it meets, what each makes of it, and where it ends. And the whole graph as a picture.
//!
//! Filters, and outputs that only pass events on, are built and run for real; outputs that lead outside are named and not touched.

mod graph;
mod stage;
#[cfg(test)]
mod tests;

pub use graph::{Picture, graph};

use crate::check::subject::{kind_of, label_of, text_of};
use crate::config::{self, Diagnostics, Element, LoadOptions, Refused, System};
use crate::pipeline::{self, Patterns};
use stage::{Passed, Stage};

const ROOT: &str = "@ROOT";
const ERROR: &str = "@ERROR";
/// Routers after one another; beyond that the event goes in a circle.
const MAX_DEPTH: usize = 32;
/// Lines of an explanation; filters can make many events of one.
const MAX_LINES: usize = 2_000;

/// A configuration that has been read and could be built.
pub struct Plan {
    root: Element,
    system: System,
    diagnostics: Diagnostics,
}

impl Plan {
    /// Reads a configuration; what is wrong with it is among the diagnostics.
    pub fn read(source: &LoadOptions, diagnostics: Diagnostics) -> Result<Plan, (Refused, Diagnostics)> {
        diagnostics.set_only_checks(true);
        let build = || {
            let mut root = config::load(source, &diagnostics)?;
            let system = System::of(&root, &diagnostics)?;
            pipeline::build(&mut root, &system, &diagnostics, None).map(drop).or_else(|refused| match diagnostics.has_errors() {
                true => Err(refused),
                // Only plugins that are known and not run: their ways can be explained all the same.
                false => Ok(()),
            })?;
            Ok((root, system))
        };
        match build() {
            Ok((root, system)) => Ok(Plan { root, system, diagnostics }),
            Err(refused) => Err((refused, diagnostics)),
        }
    }

    /// The rules of a label, or of the root, in their order.
    fn rules(&self, label: &str) -> Option<Vec<&Element>> {
        let top = || {
            self.root
                .children
                .iter()
                .chain(self.root.children.iter().filter(|child| child.name == "worker").flat_map(|worker| &worker.children))
        };
        let is_rule = |element: &&Element| matches!(element.name.as_str(), "filter" | "match");
        if label == ROOT {
            return Some(top().filter(is_rule).collect());
        }
        let found = top().find(|child| child.name == "label" && child.arg == label)?;
        Some(found.children.iter().filter(is_rule).collect())
    }

    /// ` (FILE:LINE)`.
    fn place(&self, element: &Element) -> String {
        let (line, _) = self.diagnostics.line_column(element.span);
        self.diagnostics.source(element.span.file).map_or_else(String::new, |source| format!(" ({}:{line})", source.name))
    }
}

/// The way of an event with a tag, from the routers that sources lead to; with a record, what becomes of it, as JSON.
pub fn explain(plan: &Plan, tag: &str, record: Option<&str>) -> Result<String, String> {
    if let Some(record) = record {
        stage::check_record(record)?;
    }
    let mut starts: Vec<&str> = Vec::new();
    for source in plan.root.children.iter().filter(|child| child.name == "source") {
        let label = label_of(source).unwrap_or(ROOT);
        if !starts.contains(&label) {
            starts.push(label);
        }
    }
    if starts.is_empty() {
        starts.push(ROOT);
    }
    let mut walk = Walk { plan, lines: Vec::new() };
    for start in starts {
        let from: Vec<String> = plan
            .root
            .children
            .iter()
            .filter(|child| child.name == "source" && label_of(child).unwrap_or(ROOT) == start)
            .map(|source| kind_of(source).to_owned())
            .collect();
        walk.say(0, format!("an event with tag {tag} from {}", if from.is_empty() { "a source".to_owned() } else { from.join(", ") }));
        walk.router(0, start, &Passed { tag: tag.to_owned(), records: record.map(|record| vec![record.to_owned()]) });
    }
    Ok(walk.lines.join("\n") + "\n")
}

struct Walk<'p> {
    plan: &'p Plan,
    lines: Vec<String>,
}

impl Walk<'_> {
    fn say(&mut self, depth: usize, line: impl AsRef<str>) {
        if self.lines.len() < MAX_LINES {
            self.lines.push(format!("{}{}", "  ".repeat(depth), line.as_ref()));
        }
    }

    fn records(&mut self, depth: usize, records: &[String]) {
        records.iter().for_each(|record| self.say(depth, record));
    }

    fn router(&mut self, depth: usize, label: &str, event: &Passed) {
        if depth / 2 >= MAX_DEPTH {
            return self.say(depth, "and so on: the event goes in a circle");
        }
        let Some(rules) = self.plan.rules(label) else {
            return self.say(depth, format!("{label}: there is no such label"));
        };
        self.say(depth, format!("{label}, tag {}", event.tag));
        let mut event = Passed { tag: event.tag.clone(), records: event.records.clone() };
        if let Some(records) = event.records.clone() {
            self.records(depth + 2, &records);
        }
        for rule in rules {
            let place = self.plan.place(rule);
            let title = format!("{} {}{place}", rule.tag_text(), kind_of(rule));
            if !Patterns::parse(&rule.arg).is_ok_and(|patterns| patterns.matches(&event.tag)) {
                self.say(depth + 1, format!("- {title}: does not match"));
                continue;
            }
            if rule.name == "match" {
                self.say(depth + 1, format!("> {title}: takes it"));
                return self.output(depth + 2, label, rule, &event);
            }
            self.say(depth + 1, format!("+ {title}: filters it"));
            if !self.filter(depth + 2, rule, &mut event) {
                return;
            }
        }
        self.say(depth + 1, "no <match> takes it: it is thrown away");
    }

    /// Runs a filter on the event; whether something is left of it.
    fn filter(&mut self, depth: usize, rule: &Element, event: &mut Passed) -> bool {
        let Some(records) = &event.records else { return true };
        let stage = Stage::new(&self.plan.system);
        match stage.filter(rule, &event.tag, records) {
            None => {
                self.say(depth, "(not run here: what it makes of the record is not known)");
                true
            }
            Some(done) => {
                let same = done.records == *records;
                for rejected in &done.rejected {
                    self.rejected(depth, &event.tag, rejected);
                }
                match (same, done.records.is_empty()) {
                    (true, _) => self.say(depth, "unchanged"),
                    (_, true) if done.rejected.is_empty() => self.say(depth, "nothing comes out: it is dropped, or held back for others"),
                    _ => self.records(depth, &done.records),
                }
                event.records = Some(done.records);
                event.records.as_ref().is_some_and(|records| !records.is_empty())
            }
        }
    }

    fn rejected(&mut self, depth: usize, tag: &str, rejected: &stage::Rejection) {
        let goes =
            if self.plan.rules(ERROR).is_some() { "it goes to @ERROR" } else { "there is no @ERROR label: it is logged and kept aside" };
        self.say(depth, format!("rejected: {}; {goes}", rejected.why));
        if self.plan.rules(ERROR).is_some() && depth / 2 < MAX_DEPTH {
            self.router(depth + 1, ERROR, &Passed { tag: tag.to_owned(), records: Some(vec![rejected.record.clone()]) });
        }
    }

    fn output(&mut self, depth: usize, label: &str, element: &Element, event: &Passed) {
        let stores: Vec<&Element> = element.children.iter().filter(|child| child.name == "store").collect();
        match kind_of(element) {
            "relabel" => self.router(depth, label_of(element).unwrap_or(ROOT), event),
            "copy" | "roundrobin" => {
                for store in stores {
                    self.say(depth, format!("> {} {}{}", store.tag_text(), kind_of(store), self.plan.place(store)));
                    self.output(depth + 1, label, store, event);
                }
            }
            "rewrite_tag_filter" | "record_modifier" => self.rewrite(depth, label, element, event),
            kind => self.say(depth, format!("ends in {kind}")),
        }
    }

    fn rewrite(&mut self, depth: usize, label: &str, element: &Element, event: &Passed) {
        let Some(records) = &event.records else {
            if let Some(tag) = text_of(element, "tag") {
                self.say(depth, format!("tag {tag} in {}", label_of(element).unwrap_or(label)));
            }
            for rule in element.children.iter().filter(|child| child.name == "rule") {
                let (key, pattern, tag) = (text_of(rule, "key"), text_of(rule, "pattern"), text_of(rule, "tag"));
                let to = label_of(rule).or(label_of(element)).unwrap_or(label);
                let line = format!("where {} fits {}: tag {} in {to}", key.unwrap_or("?"), pattern.unwrap_or("?"), tag.unwrap_or("?"));
                self.say(depth, line);
            }
            return;
        };
        let stage = Stage::new(&self.plan.system);
        let sent = stage.output(element, label, &event.tag, records);
        if sent.is_empty() {
            let nowhere = match kind_of(element) {
                "record_modifier" => "it is rejected: its fields or its tag cannot be made",
                _ => "no rule fits: it is thrown away",
            };
            self.say(depth, nowhere);
        }
        for (to, passed) in sent {
            self.router(depth, &to, &passed);
        }
    }
}
