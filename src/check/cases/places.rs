//! The places of a configuration that cases name: outputs by their `@id`, section, line, type or by tag; and sources likewise.

use super::case::Expect;
use super::compare::Came;
use super::data::Data;
use super::run::Look;
use crate::check::suggest::closest;
use crate::config::Span;
use crate::pipeline::{Caught, End, Fate, Patterns, Rehearsal};
use std::collections::BTreeMap;

const ROOT: &str = "@ROOT";
/// Rejected events, where the label is not what is meant.
const ERROR: &str = "@ERROR";
/// Events that no `<match>` is for.
const UNMATCHED: &str = "unmatched";

/// What a case can name.
pub struct Places {
    ends: Vec<(End, (String, usize))>,
    sources: Vec<Named>,
    /// The labels, and `@ROOT`.
    routers: Vec<String>,
    missing: Vec<(String, Span)>,
}

/// A source by what it can be called.
struct Named {
    id: Option<String>,
    kind: String,
    router: String,
    at: (String, usize),
}

/// Whether an output, which stands at a line of a file, is meant.
type IsIt<'i> = dyn Fn(&End, &(String, usize)) -> bool + 'i;

/// What a key of an expectation means.
enum Place {
    End(usize),
    Tag(Patterns),
    Errors,
    Unmatched,
}

impl Places {
    /// Those of a pipeline; `line_of` gives file and line of a section.
    pub fn of(rehearsal: &Rehearsal, line_of: &dyn Fn(Span) -> (String, usize)) -> Places {
        let named = |source: &crate::pipeline::Source| Named {
            id: source.id.clone(),
            kind: source.kind.clone(),
            router: source.router.clone(),
            at: line_of(source.span),
        };
        Places {
            ends: rehearsal.catcher.ends().into_iter().map(|end| (end.clone(), line_of(end.span))).collect(),
            sources: rehearsal.sources.iter().map(named).collect(),
            routers: rehearsal.routers(),
            missing: rehearsal.catcher.missing(),
        }
    }

    /// The filters that are not run here.
    pub fn missing(&self) -> &[(String, Span)] {
        &self.missing
    }

    /// Where events enter that come from nowhere in particular: the router that all sources lead to, if that is one.
    pub fn entrance(&self) -> &str {
        match self.sources.split_first() {
            Some((first, rest)) if rest.iter().all(|source| source.router == first.router) => &first.router,
            _ => ROOT,
        }
    }

    /// The number of a source.
    pub fn source(&self, name: &str) -> Result<usize, String> {
        let by = |is_it: &dyn Fn(&Named) -> bool| (0..self.sources.len()).filter(|at| is_it(&self.sources[*at])).collect::<Vec<_>>();
        let ways: [&dyn Fn(&Named) -> bool; 3] =
            [&|source| source.id.as_deref() == Some(name), &|source| is_at(&source.at, name), &|source| source.kind == name];
        let known = || {
            let name = |source: &Named| source.id.clone().unwrap_or_else(|| format!("{} (line {})", source.kind, source.at.1));
            self.sources.iter().map(name).collect::<Vec<_>>()
        };
        self.one(name, "source", ways.iter().map(|way| by(way)).find(|found| !found.is_empty()), &known())
    }

    /// What is wrong with a label that events are to come from.
    pub fn check_label(&self, label: &str) -> Result<(), String> {
        let labels = || self.routers.iter().map(String::as_str);
        match closest(label, labels()) {
            _ if labels().any(|known| known == label) => Ok(()),
            Some(near) => Err(format!("there is no label {label:?}: did you mean {near:?}?")),
            None => Err(format!("there is no label {label:?}, only {}", self.routers.join(", "))),
        }
    }

    /// What is wrong with a key of an expectation.
    pub fn check_key(&self, key: &str) -> Result<(), String> {
        self.find(key).map(drop)
    }

    fn find(&self, key: &str) -> Result<Place, String> {
        match key {
            ERROR => return Ok(Place::Errors),
            UNMATCHED => return Ok(Place::Unmatched),
            _ => {}
        }
        if let Some(patterns) = key.strip_prefix("tag ") {
            return Patterns::parse(patterns).map(Place::Tag);
        }
        let by = |is_it: &IsIt<'_>| {
            let found = (0..self.ends.len()).filter(|at| is_it(&self.ends[*at].0, &self.ends[*at].1));
            found.collect::<Vec<_>>()
        };
        let ways: [&IsIt<'_>; 4] = [
            &|end, _| end.id.as_deref() == Some(key),
            &|end, _| end.router == ROOT && end.title == key || format!("{} {}", end.router, end.title) == key,
            &|_, at| is_at(at, key),
            &|end, _| end.kind == key,
        ];
        let names: Vec<String> = (0..self.ends.len()).map(|at| self.name(at)).collect();
        let found = ways.iter().map(|way| by(way)).find(|found| !found.is_empty());
        self.one(key, "output", found, &names).map(Place::End)
    }

    fn one(&self, name: &str, what: &str, found: Option<Vec<usize>>, known: &[String]) -> Result<usize, String> {
        match found.as_deref() {
            Some([one]) => Ok(*one),
            Some(many) => Err(format!("{name:?} is the type of {} {what}s: name one by its @id or as FILE:LINE", many.len())),
            None => Err(match closest(name, known.iter().map(String::as_str)) {
                Some(near) => format!("there is no {what} {name:?}: did you mean {near:?}?"),
                None if known.is_empty() => format!("there is no {what} {name:?}, nor any other"),
                None => format!("there is no {what} {name:?}, only {}", known.join(", ")),
            }),
        }
    }

    /// What cases call an output.
    fn name(&self, at: usize) -> String {
        let (end, place) = &self.ends[at];
        let titled = if end.router == ROOT { end.title.clone() } else { format!("{} {}", end.router, end.title) };
        let is_only = |is_it: &dyn Fn(&End) -> bool| self.ends.iter().filter(|(other, _)| is_it(other)).count() == 1;
        match &end.id {
            Some(id) => id.clone(),
            None if is_only(&|other| other.router == end.router && other.title == end.title) => titled,
            None => format!("{}:{}", file_name(&place.0), place.1),
        }
    }

    /// Puts what was caught to the places of an expectation.
    pub fn sort(&self, expect: &Expect, caught: Vec<Caught>, dropped: u64) -> Look {
        // Keys that mean nothing have been said.
        let places: Vec<Option<Place>> = expect.wanted.iter().map(|wanted| self.find(&wanted.key).ok()).collect();
        let mut look = Look { wanted: expect.wanted.iter().map(|_| Vec::new()).collect(), others: Vec::new(), dropped };
        // Places that are not named, in the order of the file.
        let mut others: BTreeMap<usize, (String, Vec<Came>)> = BTreeMap::new();
        for caught in caught {
            let error = if let Fate::Rejected(why) = &caught.fate { Some(why.clone()) } else { None };
            let came = Came { tag: caught.tag, time: caught.time, record: Data::unpacked(&caught.record), error };
            let mut is_named = false;
            for (place, into) in places.iter().zip(&mut look.wanted) {
                let is_here = match (place, &caught.fate) {
                    (Some(Place::End(at)), Fate::Left(end)) => at == end,
                    (Some(Place::Tag(patterns)), Fate::Left(_)) => patterns.matches(&came.tag),
                    (Some(Place::Errors), Fate::Rejected(_)) | (Some(Place::Unmatched), Fate::Unmatched) => true,
                    _ => false,
                };
                if is_here {
                    is_named = true;
                    into.push(came.clone());
                }
            }
            if let Some(name) = self.name_of_other(&caught.fate).filter(|_| !is_named) {
                let rank = match caught.fate {
                    Fate::Left(end) => end,
                    Fate::Rejected(_) => self.ends.len(),
                    Fate::Unmatched => self.ends.len() + 1,
                };
                others.entry(rank).or_insert((name, Vec::new())).1.push(came);
            }
        }
        look.others = others.into_values().collect();
        look
    }

    /// What a place that is not named is called, where events there are worth a word.
    fn name_of_other(&self, fate: &Fate) -> Option<String> {
        match fate {
            Fate::Left(end) => Some(self.name(*end)).filter(|_| self.ends[*end].0.kind != "null"),
            // They go on to the label's outputs, and are seen there.
            Fate::Rejected(_) => Some(ERROR.to_owned()).filter(|error| !self.routers.contains(error)),
            Fate::Unmatched => Some(UNMATCHED.to_owned()),
        }
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Whether a name is `FILE:LINE` of a place, the file with or without its folders.
fn is_at((file, line): &(String, usize), name: &str) -> bool {
    let Some((given, number)) = name.rsplit_once(':') else { return false };
    number.parse() == Ok(*line) && (given == file || given == file_name(file))
}
