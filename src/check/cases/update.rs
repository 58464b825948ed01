//! A case file in which what came takes the place of what was expected. Only what differs is written anew, so that comments, order and
//! layout stay; whoever writes the file runs it once more before.

use super::case::{Case, Expect, Step, Wanted, WantedEvent, What};
use super::compare::{Came, Pair, compare, pairs, time_text};
use super::data::{Data, Pattern, key_of, quoted};
use super::run::Outcome;
use super::yaml::{Kind, Node};
use crate::config::Span;
use std::ops::Range;

/// A piece of the text and what takes its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    range: Range<usize>,
    text: String,
}

/// What is to be changed for a case.
pub fn edits(text: &str, root: &Node, case: &Case, outcome: &Outcome) -> Vec<Edit> {
    let mut editor = Editor { text, root, window: outcome.window, edits: Vec::new() };
    let steps = case.steps.iter().filter_map(|step| if let Step::Expect(expect) = step { Some(expect) } else { None });
    for (expect, look) in steps.map(Some).chain([case.expect.as_ref()]).zip(&outcome.looks) {
        for (wanted, came) in expect.iter().flat_map(|expect| &expect.wanted).zip(&look.wanted) {
            if compare(wanted, came).is_some() {
                editor.wanted(wanted, came);
            }
        }
        if let Some((_, span)) = expect.and_then(|expect| expect.dropped).filter(|(count, _)| *count != look.dropped) {
            editor.put(range(span), look.dropped.to_string());
        }
        let others: &[(String, Vec<Came>)] = if expect.is_some_and(|expect| expect.ignores_others) { &[] } else { &look.others };
        match expect {
            Some(expect) => editor.others(expect, others),
            None => editor.new_expect(case, others),
        }
    }
    editor.edits
}

/// The text with the edits made; `None` where there are none.
pub fn apply(text: &str, mut edits: Vec<Edit>) -> Option<String> {
    edits.sort_by_key(|edit| (edit.range.start, edit.range.end));
    edits.dedup();
    let mut out = text.to_owned();
    let mut before = usize::MAX;
    // From the end, so that what comes before stays where it is; of two that overlap (by an alias) the later one counts.
    for edit in edits.iter().rev() {
        if edit.range.end <= before && text.is_char_boundary(edit.range.start) && text.is_char_boundary(edit.range.end) {
            out.replace_range(edit.range.clone(), &edit.text);
            before = edit.range.start;
        }
    }
    (out != text).then_some(out)
}

fn range(span: Span) -> Range<usize> {
    span.start as usize..span.end as usize
}

struct Editor<'e> {
    text: &'e str,
    root: &'e Node,
    /// From the beginning to the end of the case: times beyond were given, not taken.
    window: (crate::event::EventTime, crate::event::EventTime),
    edits: Vec<Edit>,
}

impl Editor<'_> {
    fn put(&mut self, range: Range<usize>, text: String) {
        self.edits.push(Edit { range, text });
    }

    /// The column of a byte, as blanks.
    fn margin(&self, at: usize) -> String {
        let line = self.text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        " ".repeat(self.text[line..at].chars().count())
    }

    /// The blanks that the line of a byte begins with.
    fn indentation(&self, at: usize) -> String {
        let line = self.text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        " ".repeat(self.text[line..at].len() - self.text[line..at].trim_start_matches(' ').len())
    }

    /// The node at a place, and whether it stands within brackets.
    fn find(&self, span: Span) -> Option<(&Node, bool)> {
        fn go(node: &Node, span: Span, in_flow: bool) -> Option<(&Node, bool)> {
            match &node.kind {
                _ if node.span == span => Some((node, in_flow)),
                Kind::Scalar(..) => None,
                Kind::List(items, flow) => items.iter().find_map(|item| go(item, span, in_flow || *flow)),
                Kind::Map(entries, flow) => entries.iter().find_map(|(_, value)| go(value, span, in_flow || *flow)),
            }
        }
        go(self.root, span, false)
    }

    fn wanted(&mut self, wanted: &Wanted, came: &[Came]) {
        match &wanted.what {
            What::Count(_) => self.put(range(wanted.span), came.len().to_string()),
            What::Events { events, any_order, list } => {
                let pairs = pairs(events, came, *any_order);
                if pairs.iter().all(|pair| matches!(pair, Pair::Fits(..) | Pair::Differs(..))) {
                    for pair in pairs {
                        if let Pair::Differs(one, other) = pair {
                            self.event(&events[one], &came[other]);
                        }
                    }
                } else {
                    self.list(*list, events, came, &pairs);
                }
            }
        }
    }

    /// An event as it is written, changed to what came, with the comment behind it.
    fn changed(&self, wanted: &WantedEvent, came: Option<&Came>) -> String {
        let mut editor = Editor { edits: Vec::new(), ..*self };
        came.iter().for_each(|came| editor.event(wanted, came));
        let start = wanted.span.start as usize;
        let shift = |edit: Edit| Edit { range: edit.range.start - start..edit.range.end - start, ..edit };
        let written = &self.text[start..self.end_of_line(wanted.span.end as usize)];
        apply(written, editor.edits.into_iter().map(shift).collect()).unwrap_or_else(|| written.to_owned())
    }

    /// The end of a place, with a comment behind it.
    fn end_of_line(&self, end: usize) -> usize {
        let rest = self.text[end..].split('\n').next().unwrap_or_default();
        if rest.trim_start().starts_with('#') { end + rest.trim_end().len() } else { end }
    }

    /// A list whose length changes: what fits stays as it is written.
    fn list(&mut self, span: Span, events: &[WantedEvent], came: &[Came], pairs: &[Pair]) {
        let in_flow =
            self.find(span).is_some_and(|(node, in_flow)| in_flow || matches!(node.kind, Kind::List(_, true)) && !events.is_empty());
        let mut by_came: Vec<(usize, String)> = Vec::new();
        let margin = self.margin(span.start as usize);
        for pair in pairs {
            match *pair {
                Pair::Fits(one, other) if !in_flow => by_came.push((other, self.changed(&events[one], None))),
                Pair::Differs(one, other) if !in_flow => by_came.push((other, self.changed(&events[one], Some(&came[other])))),
                Pair::Fits(_, other) | Pair::Differs(_, other) | Pair::Extra(other) => {
                    let event = self.rendered(&came[other]);
                    let text = if in_flow { event.flow() } else { block(&event).join(&format!("\n{margin}  ")) };
                    by_came.push((other, text));
                }
                Pair::Missing(_) => {}
            }
        }
        by_came.sort_by_key(|(at, _)| *at);
        let items: Vec<String> = by_came.into_iter().map(|(_, text)| text).collect();
        let start = span.start as usize;
        let colon = self.text[..start].trim_end().len();
        if in_flow {
            self.put(range(span), format!("[{}]", items.join(", ")));
        } else if items.is_empty() {
            self.put(colon..span.end as usize, " []".to_owned());
        } else if events.is_empty() {
            // It was [], behind its key.
            let margin = format!("{}  ", self.indentation(start));
            let items: Vec<String> = came.iter().map(|came| block(&self.rendered(came)).join(&format!("\n{margin}  "))).collect();
            self.put(colon..span.end as usize, format!("\n{margin}- {}", items.join(&format!("\n{margin}- "))));
        } else {
            let end = self.end_of_line(span.end as usize);
            self.put(start..end, format!("- {}", items.join(&format!("\n{margin}- "))));
        }
    }

    /// An event that stays in its place.
    fn event(&mut self, wanted: &WantedEvent, came: &Came) {
        let Some(node) = self.find(wanted.span).map(|(node, _)| node.clone()) else { return };
        let Kind::Map(entries, _) = &node.kind else { return };
        for (key, value) in entries {
            match key.text().unwrap_or_default() {
                "tag" if value.text() != Some(&came.tag) => self.put(range(value.span), key_of(&came.tag)),
                "time" if wanted.time != Some(came.time) => self.put(range(value.span), time_text(came.time)),
                "error" => {
                    let part = value.text().unwrap_or_default();
                    if !came.error.as_ref().is_some_and(|error| error.contains(part)) {
                        self.put(range(value.span), quoted(came.error.as_deref().unwrap_or_default()));
                    }
                }
                key @ ("record" | "contains") => self.value(value, &came.record, key == "record"),
                _ => {}
            }
        }
    }

    fn value(&mut self, node: &Node, came: &Data, whole: bool) {
        if Pattern::read(node).is_ok_and(|pattern| pattern.fits(Some(came), whole)) {
            return;
        }
        let (Kind::Map(entries, is_flow), Data::Map(there)) = (&node.kind, came) else {
            let mut place = range(node.span);
            if !node.tag.is_empty() && !self.text[place.clone()].starts_with(['!', '&']) {
                // The tag goes too.
                place.start = self.text[..place.start].rfind('!').unwrap_or(place.start);
            }
            return self.put(place, if matches!(node.kind, Kind::Scalar(..)) { came.plain() } else { came.flow() });
        };
        let get = |key: &Node| there.iter().find(|(known, _)| Some(known.as_str()) == key.text()).map(|(_, value)| value);
        let is_gone = |(key, value): &(Node, Node)| get(key).is_none() != (value.tag == "absent");
        let extra: Vec<(String, Data)> =
            there.iter().filter(|(key, _)| whole && !entries.iter().any(|(known, _)| known.text() == Some(key))).cloned().collect();
        if entries.is_empty() || entries.iter().any(is_gone) {
            let kept = there.iter().filter(|(key, _)| whole || entries.iter().any(|(known, _)| known.text() == Some(key)));
            return self.map(node, *is_flow, Data::Map(kept.cloned().collect()));
        }
        for (key, value) in entries {
            if let Some(came) = get(key) {
                self.value(value, came, whole);
            }
        }
        if !extra.is_empty() {
            let margin = self.margin(node.span.start as usize);
            let mut lines = Vec::new();
            Data::Map(extra.clone()).block(&mut lines);
            match is_flow {
                true => {
                    let end = node.span.end as usize - 1;
                    let inner = Data::Map(extra).flow();
                    self.put(end..end, format!(", {}", &inner[1..inner.len() - 1]));
                }
                false => {
                    self.put(node.span.end as usize..node.span.end as usize, format!("\n{margin}{}", lines.join(&format!("\n{margin}"))))
                }
            }
        }
    }

    /// A map as a whole.
    fn map(&mut self, node: &Node, is_flow: bool, data: Data) {
        let margin = self.margin(node.span.start as usize);
        let mut lines = Vec::new();
        data.block(&mut lines);
        self.put(range(node.span), if is_flow { data.flow() } else { lines.join(&format!("\n{margin}")) });
    }

    /// Places that are not named yet.
    fn others(&mut self, expect: &Expect, others: &[(String, Vec<Came>)]) {
        let Some((node, in_flow)) = self.find(expect.span) else { return };
        let (is_empty, is_flow) = match &node.kind {
            Kind::Map(entries, flow) => (entries.is_empty(), in_flow || *flow),
            _ => (true, in_flow),
        };
        let (start, end) = (node.span.start as usize, node.span.end as usize);
        if others.is_empty() {
            return;
        }
        if is_flow && !is_empty {
            let entry = |(place, came): &(String, Vec<Came>)| {
                format!(", {}: [{}]", place_key(place), came.iter().map(|came| self.rendered(came).flow()).collect::<Vec<_>>().join(", "))
            };
            let text: String = others.iter().map(entry).collect();
            self.put(end - 1..end - 1, text);
        } else if is_empty {
            let colon = self.text[..start].trim_end().len();
            let margin = format!("{}  ", self.indentation(colon));
            let text = self.places(others, &margin);
            self.put(colon..end.max(colon), format!("\n{text}"));
        } else {
            let margin = self.margin(start);
            let text = self.places(others, &margin);
            self.put(end..end, format!("\n{text}"));
        }
    }

    fn new_expect(&mut self, case: &Case, others: &[(String, Vec<Came>)]) {
        if others.is_empty() {
            return;
        }
        let margin = self.margin(case.span.start as usize);
        let text = self.places(others, &format!("{margin}  "));
        self.put(case.span.end as usize..case.span.end as usize, format!("\n{margin}expect:\n{text}"));
    }

    fn places(&self, others: &[(String, Vec<Came>)], margin: &str) -> String {
        let mut lines = Vec::new();
        for (place, came) in others {
            lines.push(format!("{margin}{}:", place_key(place)));
            for came in came {
                let event = block(&self.rendered(came));
                lines.extend(event.iter().enumerate().map(|(at, line)| format!("{margin}  {}{line}", if at == 0 { "- " } else { "  " })));
            }
        }
        lines.join("\n")
    }

    /// An event as it is written anew: with its time where that was given, not taken from the clock.
    fn rendered(&self, came: &Came) -> Data {
        let mut fields = vec![("tag".to_owned(), Data::Text(came.tag.clone()))];
        if came.time < self.window.0 || came.time > self.window.1 {
            fields.push(("time".to_owned(), Data::Text(time_text(came.time))));
        }
        fields.push(("record".to_owned(), came.record.clone()));
        fields.extend(came.error.as_ref().map(|error| ("error".to_owned(), Data::Text(error.clone()))));
        Data::Map(fields)
    }
}

fn block(event: &Data) -> Vec<String> {
    let mut lines = Vec::new();
    event.block(&mut lines);
    lines
}

/// `@ERROR` needs quotes, `match app.**` does not.
fn place_key(place: &str) -> String {
    let is_plain = place.starts_with(|c: char| c.is_ascii_alphanumeric())
        && place.chars().all(|c| c.is_ascii_alphanumeric() || "_-./* ".contains(c))
        && key_of(&place.replace('*', "")) == place.replace('*', "");
    if is_plain { place.to_owned() } else { quoted(place) }
}
