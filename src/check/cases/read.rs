//! From YAML nodes to cases. All that is wrong with a file is said at once.

use super::case::{Case, Expect, From, Step, Suite, Wanted, WantedEvent, What};
use super::data::{Data, Pattern};
use super::yaml::{Kind, Node};
use crate::config::{Diagnostics, Span};
use crate::event::EventTime;
use std::time::Duration;

/// The code of what is not written as a case has it.
pub const MISWRITTEN: &str = "FLM0902";
/// A step goes no further ahead: each second of it is lived through.
const MAX_ADVANCE: Duration = Duration::from_secs(31 * 86_400);

/// Reads a file; what is wrong is in `diagnostics`.
pub fn read(root: &Node, diagnostics: &Diagnostics) -> Suite {
    let reader = Reader { diagnostics };
    let mut suite = Suite::default();
    for (key, value) in reader.entries(root, "the file", &["config", "env", "now", "cases"]) {
        match key {
            "config" => suite.config = reader.text(value).map(|text| (text, value.span)),
            "env" => suite.env = reader.texts_by_name(value),
            "now" => suite.now = reader.time(value),
            _ => {
                let Kind::List(items, _) = &value.kind else {
                    reader.fault(value.span, format!("'cases' is a list, not {}", value.what()));
                    continue;
                };
                suite.cases = items.iter().enumerate().filter_map(|(at, item)| reader.case(item, at)).collect();
            }
        }
    }
    if root.get("cases").is_none() && matches!(root.kind, Kind::Map(..)) {
        reader.fault(root.span, "there are no 'cases'");
    }
    for (at, case) in suite.cases.iter().enumerate() {
        if suite.cases[..at].iter().any(|other| other.name == case.name) {
            reader.fault(case.span, format!("a second case with the name {:?}", case.name));
        }
    }
    suite
}

struct Reader<'r> {
    diagnostics: &'r Diagnostics,
}

impl Reader<'_> {
    fn fault(&self, span: Span, message: impl Into<String>) {
        self.diagnostics.error(MISWRITTEN, Some(span), message);
    }

    /// The entries of a map whose keys are known; the others are said.
    fn entries<'n>(&self, node: &'n Node, what: &str, known: &[&str]) -> Vec<(&'n str, &'n Node)> {
        let Kind::Map(entries, _) = &node.kind else {
            self.fault(node.span, format!("{what} is a map of {}, not {}", known.join(", "), node.what()));
            return Vec::new();
        };
        let mut found = Vec::new();
        for (key, value) in entries {
            let name = key.text().unwrap_or_default();
            if known.contains(&name) {
                found.push((name, value));
                continue;
            }
            let near = crate::check::suggest::closest(name, known.iter().copied());
            let near = near.map_or_else(|| format!("expected {}", known.join(", ")), |near| format!("did you mean '{near}'?"));
            self.fault(key.span, format!("'{name}' is not known in {what}: {near}"));
        }
        found
    }

    fn text(&self, node: &Node) -> Option<String> {
        if node.text().is_none() || node.is_null() {
            self.fault(node.span, format!("expected a text, not {}", node.what()));
            return None;
        }
        node.text().map(str::to_owned)
    }

    fn texts_by_name(&self, node: &Node) -> Vec<(String, String)> {
        let Kind::Map(entries, _) = &node.kind else {
            self.fault(node.span, format!("expected a map of names and texts, not {}", node.what()));
            return Vec::new();
        };
        entries.iter().filter_map(|(key, value)| Some((key.text()?.to_owned(), self.text(value)?))).collect()
    }

    fn time(&self, node: &Node) -> Option<EventTime> {
        let time = match Data::read(node) {
            Ok(Data::Int(seconds)) => i64::try_from(seconds).ok().map(EventTime::from_secs),
            Ok(Data::Float(_)) => node.text().and_then(decimal),
            Ok(Data::Text(text)) => text.parse::<jiff::Timestamp>().ok().map(|time| {
                let nsec = time.subsec_nanosecond();
                // Before 1970 both parts are negative.
                let (sec, nsec) = if nsec < 0 { (time.as_second() - 1, nsec + 1_000_000_000) } else { (time.as_second(), nsec) };
                EventTime { sec, nsec: nsec as u32 }
            }),
            _ => None,
        };
        if time.is_none() {
            self.fault(node.span, "expected a time such as 2024-05-01T12:00:00.25Z, or seconds since 1970");
        }
        time
    }

    fn case(&self, node: &Node, at: usize) -> Option<Case> {
        let entries = self.entries(node, "a case", &["name", "now", "input", "expect"]);
        let mut case = Case { name: format!("case {}", at + 1), span: node.span, now: None, steps: Vec::new(), expect: None };
        for (key, value) in &entries {
            match *key {
                "name" => case.name = self.text(value)?,
                "now" => case.now = Some(self.time(value)?),
                "expect" => case.expect = Some(self.expect(value)),
                _ => match &value.kind {
                    Kind::List(items, _) => case.steps = items.iter().filter_map(|item| self.step(item)).collect(),
                    Kind::Map(..) => case.steps = self.step(value).into_iter().collect(),
                    _ => self.fault(value.span, format!("'input' is a list of steps, not {}", value.what())),
                },
            }
        }
        if !entries.iter().any(|(key, _)| *key == "input") && matches!(node.kind, Kind::Map(..)) {
            self.fault(node.span, "the case has no 'input'");
        }
        matches!(node.kind, Kind::Map(..)).then_some(case)
    }

    fn step(&self, node: &Node) -> Option<Step> {
        const KEYS: [&str; 13] =
            ["tag", "time", "record", "records", "label", "source", "lines", "body", "path", "from", "headers", "advance", "expect"];
        let entries = self.entries(node, "a step", &KEYS);
        if !matches!(node.kind, Kind::Map(..)) {
            return None;
        }
        let get = |key: &str| entries.iter().find(|(known, _)| *known == key).map(|(_, value)| *value);
        let only = |allowed: &[&str]| {
            for (key, value) in entries.iter().filter(|(key, _)| !allowed.contains(key)) {
                self.fault(value.span, format!("'{key}' has no meaning beside '{}'", allowed[0]));
            }
        };
        if let Some(value) = get("advance") {
            only(&["advance"]);
            return self.duration(value).map(Step::Advance);
        }
        if let Some(value) = get("expect") {
            only(&["expect"]);
            return Some(Step::Expect(self.expect(value)));
        }
        let source = match get("source") {
            Some(value) => Some((self.text(value)?, value.span)),
            None => None,
        };
        if get("lines").is_some() || get("body").is_some() {
            only(&["lines", "body", "source", "path", "from", "headers"]);
            let Some(source) = source else {
                self.fault(node.span, "lines come to a source: 'source' with its @id or @type is missing");
                return None;
            };
            return self.raw(node, source, &get);
        }
        only(&["tag", "record", "records", "time", "source", "label"]);
        let from = match (source, get("label")) {
            (Some((source, span)), None) => From::Source(source, span),
            (None, Some(label)) => From::Label(self.text(label)?, label.span),
            (None, None) => From::Sources,
            (Some(_), Some(label)) => {
                self.fault(label.span, "a source has a label of its own: expected 'source' or 'label'");
                return None;
            }
        };
        let Some(tag) = get("tag") else {
            self.fault(node.span, "expected 'tag' with 'record' or 'records', 'source' with 'lines' or 'body', 'advance' or 'expect'");
            return None;
        };
        let time = match get("time") {
            Some(value) => Some(self.time(value)?),
            None => None,
        };
        let events = self.records(node, get("record"), get("records"))?.into_iter().map(|record| (time, record)).collect();
        Some(Step::Events { span: node.span, from, tag: self.text(tag)?, events })
    }

    fn records(&self, node: &Node, one: Option<&Node>, many: Option<&Node>) -> Option<Vec<Data>> {
        let nodes: Vec<&Node> = match (one, many) {
            (Some(one), None) => vec![one],
            (None, Some(Node { kind: Kind::List(items, _), .. })) => items.iter().collect(),
            (None, Some(other)) => {
                self.fault(other.span, format!("'records' is a list, not {}", other.what()));
                return None;
            }
            _ => {
                self.fault(node.span, "expected either 'record' or 'records' beside 'tag'");
                return None;
            }
        };
        let record = |node: &Node| match Data::read(node) {
            Ok(record @ Data::Map(_)) => Some(record),
            Ok(_) => {
                self.fault(node.span, format!("a record is a map, not {}", node.what()));
                None
            }
            Err((span, message)) => {
                self.fault(span, message);
                None
            }
        };
        nodes.into_iter().map(record).collect()
    }

    fn raw<'n>(&self, node: &Node, source: (String, Span), get: &dyn Fn(&str) -> Option<&'n Node>) -> Option<Step> {
        let text = match (get("lines"), get("body")) {
            (Some(Node { kind: Kind::List(items, _), .. }), None) => {
                let lines: Option<Vec<String>> = items.iter().map(|item| self.text(item)).collect();
                lines?.join("\n")
            }
            (Some(one), None) | (None, Some(one)) => self.text(one)?,
            _ => {
                self.fault(node.span, "expected either 'lines' or 'body'");
                return None;
            }
        };
        let given = |key: &str| match get(key) {
            Some(value) => self.text(value).map(Some),
            None => Some(None),
        };
        Some(Step::Raw {
            span: node.span,
            source,
            text: text.into_bytes(),
            path: given("path")?,
            peer: given("from")?,
            headers: get("headers").map(|headers| self.texts_by_name(headers)).unwrap_or_default(),
        })
    }

    fn duration(&self, node: &Node) -> Option<Duration> {
        let found = node.text().and_then(duration);
        match found {
            Some(duration) if duration > MAX_ADVANCE => self.fault(node.span, "expected at most 31d"),
            Some(_) => {}
            None => self.fault(node.span, "expected a duration such as 5s, 1m30s, 1h or 250ms"),
        }
        found.filter(|duration| *duration <= MAX_ADVANCE)
    }

    fn expect(&self, node: &Node) -> Expect {
        let mut expect = Expect { span: node.span, wanted: Vec::new(), ignores_others: false, dropped: None };
        let Kind::Map(entries, _) = &node.kind else {
            if !node.is_null() {
                self.fault(node.span, format!("'expect' is a map of outputs and their events, not {}", node.what()));
            }
            return expect;
        };
        for (key, value) in entries {
            let name = key.text().unwrap_or_default();
            match name {
                "others" if value.text() == Some("ignore") => expect.ignores_others = true,
                "others" => self.fault(value.span, "others: expected ignore, or to be left out"),
                "dropped" => match Data::read(value) {
                    Ok(Data::Int(count)) if count >= 0 => expect.dropped = Some((count as u64, value.span)),
                    _ => self.fault(value.span, "dropped: expected the number of events that filters take out"),
                },
                _ => {
                    if let Some(what) = self.what(value) {
                        expect.wanted.push(Wanted { key: name.to_owned(), key_span: key.span, span: value.span, what });
                    }
                }
            }
        }
        expect
    }

    fn what(&self, node: &Node) -> Option<What> {
        match &node.kind {
            Kind::List(items, _) => {
                let events = items.iter().filter_map(|item| self.event(item)).collect();
                Some(What::Events { events, any_order: false, list: node.span })
            }
            Kind::Map(..) => {
                let entries = self.entries(node, "an output", &["order", "events"]);
                let get = |key: &str| entries.iter().find(|(known, _)| *known == key).map(|(_, value)| *value);
                let any_order = match get("order").map(|value| (value, value.text())) {
                    None | Some((_, Some("kept"))) => false,
                    Some((_, Some("any"))) => true,
                    Some((value, _)) => {
                        self.fault(value.span, "order: expected kept or any");
                        false
                    }
                };
                match get("events") {
                    Some(list @ Node { kind: Kind::List(items, _), .. }) => {
                        let events = items.iter().filter_map(|item| self.event(item)).collect();
                        Some(What::Events { events, any_order, list: list.span })
                    }
                    _ => {
                        self.fault(node.span, "expected a list of events, their number, or a map of 'order' and 'events'");
                        None
                    }
                }
            }
            Kind::Scalar(..) => match Data::read(node) {
                Ok(Data::Int(count)) if count >= 0 => Some(What::Count(count as u64)),
                _ => {
                    self.fault(node.span, "expected a list of events, their number, or a map of 'order' and 'events'");
                    None
                }
            },
        }
    }

    fn event(&self, node: &Node) -> Option<WantedEvent> {
        let mut event = WantedEvent { span: node.span, tag: None, time: None, record: None, error: None };
        for (key, value) in self.entries(node, "an expected event", &["tag", "time", "record", "contains", "error"]) {
            match key {
                "tag" => event.tag = Some(self.text(value)?),
                "time" => event.time = Some(self.time(value)?),
                "error" => event.error = Some(self.text(value)?),
                _ if event.record.is_some() => self.fault(value.span, "expected either 'record' or 'contains'"),
                _ if !matches!(value.kind, Kind::Map(..)) => {
                    self.fault(value.span, format!("a record is a map, not {}", value.what()));
                }
                _ => match Pattern::read(value) {
                    Ok(pattern) => event.record = Some((pattern, key == "record")),
                    Err((span, message)) => self.fault(span, message),
                },
            }
        }
        matches!(node.kind, Kind::Map(..)).then_some(event)
    }
}

/// Seconds with a fraction, exactly.
fn decimal(text: &str) -> Option<EventTime> {
    let (whole, fraction) = text.split_once('.')?;
    let nsec = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    Some(EventTime { sec: whole.parse().ok().filter(|sec| *sec >= 0)?, nsec })
}

/// Numbers with units, one after another.
fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        let unit_end = rest[digits..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |at| digits + at);
        let millis = match &rest[digits..unit_end] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        total = total.checked_add(Duration::from_millis(number.checked_mul(millis)?))?;
        rest = &rest[unit_end..];
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_numbers_with_units() {
        for (text, millis) in [("5s", Some(5000)), ("1m30s", Some(90_000)), ("250ms", Some(250)), ("0s", Some(0)), ("1d", Some(86_400_000))]
        {
            assert_eq!(duration(text).map(|duration| duration.as_millis()), millis, "{text}");
        }
        for text in ["", "5", "s", "5x", "5 s", "-1s", "99999999999999999999d"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
