//! Events that were expected beside those that came: which belong together, and the difference as lines.

use super::case::{Wanted, WantedEvent, What};
use super::data::{Data, Pattern, key_of, quoted};
use crate::event::EventTime;

/// Lists up to so many pairs are laid beside each other with care; longer ones are compared one by one.
const MAX_PAIRS: usize = 4_000_000;
/// Lines of a difference; the rest is counted.
const MAX_LINES: usize = 400;

/// An event that came.
#[derive(Clone, Debug)]
pub struct Came {
    /// Its tag.
    pub tag: String,
    /// Its time.
    pub time: EventTime,
    /// Its record.
    pub record: Data,
    /// Why it was rejected, if it was.
    pub error: Option<String>,
}

/// One line of a difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// In both.
    Both(String),
    /// Expected.
    Expected(String),
    /// It came.
    Came(String),
}

/// An expected event, one that came, or two that belong together: their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pair {
    /// As expected.
    Fits(usize, usize),
    /// Hardly anything else can be meant.
    Differs(usize, usize),
    /// It did not come.
    Missing(usize),
    /// It was not expected.
    Extra(usize),
}

impl WantedEvent {
    /// Whether an event is as expected.
    pub fn fits(&self, came: &Came) -> bool {
        self.tag.as_ref().is_none_or(|tag| *tag == came.tag)
            && self.time.is_none_or(|time| time == came.time)
            && self.record.as_ref().is_none_or(|(pattern, whole)| pattern.fits(Some(&came.record), *whole))
            && self.error.as_ref().is_none_or(|part| came.error.as_ref().is_some_and(|error| error.contains(part.as_str())))
    }
}

/// What is wrong at a place: a sentence, and the lines of the difference; `None` where all is as expected.
pub fn compare(wanted: &Wanted, came: &[Came]) -> Option<(String, Vec<Line>)> {
    let place = &wanted.key;
    match &wanted.what {
        What::Count(count) if *count == came.len() as u64 => None,
        What::Count(count) => {
            let lines = came.iter().map(|came| Line::Came(one_line(came, false))).collect();
            Some((format!("{place}: expected {}, got {}", events(*count as usize), came.len()), cut(lines)))
        }
        What::Events { events: list, any_order, .. } => {
            let pairs = pairs(list, came, *any_order);
            if pairs.iter().all(|pair| matches!(pair, Pair::Fits(..))) {
                return None;
            }
            Some((headline(place, &pairs, list.len(), came.len()), cut(difference(&pairs, list, came))))
        }
    }
}

/// `1 event`, `2 events`.
pub fn events(count: usize) -> String {
    if count == 1 { "1 event".to_owned() } else { format!("{count} events") }
}

fn headline(place: &str, pairs: &[Pair], expected: usize, came: usize) -> String {
    if expected != came {
        return format!("{place}: expected {}, got {came}", events(expected));
    }
    let wrong: Vec<String> = pairs
        .iter()
        .filter_map(|pair| match pair {
            Pair::Differs(at, _) | Pair::Missing(at) => Some((at + 1).to_string()),
            _ => None,
        })
        .collect();
    match wrong.as_slice() {
        [one] if expected == 1 => format!("{place}: event {one} differs"),
        [one] => format!("{place}: event {one} of {expected} differs"),
        many => format!("{place}: events {} of {expected} differ", many.join(", ")),
    }
}

/// Lays what came beside what was expected.
pub fn pairs(wanted: &[WantedEvent], came: &[Came], any_order: bool) -> Vec<Pair> {
    let rough = if any_order { by_any_order(wanted, came) } else { by_order(wanted, came) };
    // What is missing and what came in its place is most likely the same event, changed.
    let mut pairs = Vec::new();
    let mut run: Vec<Pair> = Vec::new();
    for pair in rough.into_iter().map(Some).chain([None]) {
        match pair {
            Some(pair @ (Pair::Missing(_) | Pair::Extra(_))) => run.push(pair),
            other => {
                join(&std::mem::take(&mut run), &mut pairs);
                pairs.extend(other);
            }
        }
    }
    pairs
}

fn join(run: &[Pair], pairs: &mut Vec<Pair>) {
    let missing = run.iter().filter_map(|pair| if let Pair::Missing(at) = pair { Some(*at) } else { None });
    let mut extra = run.iter().filter_map(|pair| if let Pair::Extra(at) = pair { Some(*at) } else { None });
    for wanted in missing {
        pairs.push(extra.next().map_or(Pair::Missing(wanted), |came| Pair::Differs(wanted, came)));
    }
    pairs.extend(extra.map(Pair::Extra));
}

fn by_any_order(wanted: &[WantedEvent], came: &[Came]) -> Vec<Pair> {
    let mut taken = vec![false; came.len()];
    let mut pairs = Vec::new();
    for (at, event) in wanted.iter().enumerate() {
        let found = (0..came.len()).find(|there| !taken[*there] && event.fits(&came[*there]));
        found.iter().for_each(|there| taken[*there] = true);
        pairs.push(found.map_or(Pair::Missing(at), |there| Pair::Fits(at, there)));
    }
    pairs.sort_by_key(|pair| matches!(pair, Pair::Missing(_)));
    pairs.extend((0..came.len()).filter(|there| !taken[*there]).map(Pair::Extra));
    pairs
}

/// The longest common part in order, as `diff` finds it.
fn by_order(wanted: &[WantedEvent], came: &[Came]) -> Vec<Pair> {
    if wanted.len() * came.len() > MAX_PAIRS {
        let both = wanted.len().min(came.len());
        let pair = |at: usize| if wanted[at].fits(&came[at]) { Pair::Fits(at, at) } else { Pair::Differs(at, at) };
        let rest = (both..wanted.len()).map(Pair::Missing).chain((both..came.len()).map(Pair::Extra));
        return (0..both).map(pair).chain(rest).collect();
    }
    let width = came.len() + 1;
    let mut longest = vec![0u32; (wanted.len() + 1) * width];
    let mut fits = vec![false; (wanted.len() + 1) * width];
    for one in (0..wanted.len()).rev() {
        for other in (0..came.len()).rev() {
            let at = one * width + other;
            fits[at] = wanted[one].fits(&came[other]);
            longest[at] = if fits[at] { longest[at + width + 1] + 1 } else { longest[at + width].max(longest[at + 1]) };
        }
    }
    let (mut one, mut other, mut pairs) = (0, 0, Vec::new());
    while one < wanted.len() || other < came.len() {
        let at = one * width + other;
        if one < wanted.len() && other < came.len() && fits[at] {
            pairs.push(Pair::Fits(one, other));
            (one, other) = (one + 1, other + 1);
        } else if other == came.len() || (one < wanted.len() && longest[at + width] >= longest[at + 1]) {
            pairs.push(Pair::Missing(one));
            one += 1;
        } else {
            pairs.push(Pair::Extra(other));
            other += 1;
        }
    }
    pairs
}

fn cut(mut lines: Vec<Line>) -> Vec<Line> {
    if lines.len() > MAX_LINES {
        let more = lines.len() - MAX_LINES;
        lines.truncate(MAX_LINES);
        lines.push(Line::Both(format!("... and {more} more lines")));
    }
    lines
}

fn difference(pairs: &[Pair], wanted: &[WantedEvent], came: &[Came]) -> Vec<Line> {
    let mut lines = Vec::new();
    let with_time = wanted.iter().any(|wanted| wanted.time.is_some());
    for pair in pairs {
        match *pair {
            Pair::Fits(_, other) => lines.push(Line::Both(one_line(&came[other], with_time))),
            Pair::Missing(one) => lines.push(Line::Expected(one_line_wanted(&wanted[one]))),
            Pair::Extra(other) => lines.push(Line::Came(one_line(&came[other], with_time))),
            Pair::Differs(one, other) => apart(&wanted[one], &came[other], &mut lines),
        }
    }
    lines
}

/// Two events field by field.
fn apart(wanted: &WantedEvent, came: &Came, lines: &mut Vec<Line>) {
    let from = lines.len();
    match &wanted.tag {
        Some(tag) if *tag != came.tag => {
            lines.push(Line::Expected(format!("tag: {tag}")));
            lines.push(Line::Came(format!("tag: {}", came.tag)));
        }
        _ => lines.push(Line::Both(format!("tag: {}", came.tag))),
    }
    if let Some(time) = wanted.time {
        match time == came.time {
            true => lines.push(Line::Both(format!("time: {}", time_text(time)))),
            false => {
                lines.push(Line::Expected(format!("time: {}", time_text(time))));
                lines.push(Line::Came(format!("time: {}", time_text(came.time))));
            }
        }
    }
    match &wanted.record {
        Some((pattern, whole)) => {
            lines.push(Line::Both(if *whole { "record:" } else { "contains:" }.to_owned()));
            fields(pattern, &came.record, *whole, 1, lines);
        }
        None => lines.push(Line::Both(format!("record: {}", came.record.flow()))),
    }
    if let Some(part) = &wanted.error {
        match came.error.as_ref().is_some_and(|error| error.contains(part.as_str())) {
            true => lines.push(Line::Both(format!("error: {}", quoted(part)))),
            false => {
                lines.push(Line::Expected(format!("error: {}", quoted(part))));
                lines.extend(came.error.as_ref().map(|error| Line::Came(format!("error: {}", quoted(error)))));
            }
        }
    }
    // The first line of an event is marked, those below stand under it.
    for (at, line) in lines[from..].iter_mut().enumerate() {
        let mark = if at == 0 { "- " } else { "  " };
        let (Line::Both(text) | Line::Expected(text) | Line::Came(text)) = line;
        text.insert_str(0, mark);
    }
}

fn fields(pattern: &Pattern, came: &Data, whole: bool, depth: usize, lines: &mut Vec<Line>) {
    let margin = "  ".repeat(depth);
    let (Pattern::Map(expected), Data::Map(there)) = (pattern, came) else {
        lines.push(Line::Expected(format!("{margin}{}", pattern.flow())));
        lines.push(Line::Came(format!("{margin}{}", came.flow())));
        return;
    };
    for (key, pattern) in expected {
        let value = there.iter().find(|(known, _)| known == key).map(|(_, value)| value);
        let shown = format!("{margin}{}", key_of(key));
        match value {
            value if pattern.fits(value, whole) => {
                lines.push(Line::Both(format!("{shown}: {}", value.map_or("!absent".to_owned(), Data::flow))))
            }
            Some(value @ Data::Map(_)) if matches!(pattern, Pattern::Map(_)) => {
                lines.push(Line::Both(format!("{shown}:")));
                fields(pattern, value, whole, depth + 1, lines);
            }
            value => {
                lines.push(Line::Expected(format!("{shown}: {}", pattern.flow())));
                lines.extend(value.map(|value| Line::Came(format!("{shown}: {}", value.flow()))));
            }
        }
    }
    if whole {
        let extra = there.iter().filter(|(key, _)| !expected.iter().any(|(known, _)| known == key));
        lines.extend(extra.map(|(key, value)| Line::Came(format!("{margin}{}: {}", key_of(key), value.flow()))));
    }
}

/// An event that came, on a line; with its time where that matters.
pub fn one_line(came: &Came, with_time: bool) -> String {
    let time = if with_time { format!(", time: {}", time_text(came.time)) } else { String::new() };
    let error = came.error.as_ref().map_or_else(String::new, |error| format!(", error: {}", quoted(error)));
    format!("- {{tag: {}{time}, record: {}{error}}}", key_of(&came.tag), came.record.flow())
}

fn one_line_wanted(wanted: &WantedEvent) -> String {
    let mut parts = Vec::new();
    parts.extend(wanted.tag.as_ref().map(|tag| format!("tag: {}", key_of(tag))));
    parts.extend(wanted.time.map(|time| format!("time: {}", time_text(time))));
    parts.extend(
        wanted.record.as_ref().map(|(pattern, whole)| format!("{}: {}", if *whole { "record" } else { "contains" }, pattern.flow())),
    );
    parts.extend(wanted.error.as_ref().map(|error| format!("error: {}", quoted(error))));
    format!("- {{{}}}", parts.join(", "))
}

/// A time as cases have it.
pub fn time_text(time: EventTime) -> String {
    jiff::Timestamp::new(time.sec, time.nsec as i32).map_or_else(|_| time.sec.to_string(), |time| time.to_string())
}
